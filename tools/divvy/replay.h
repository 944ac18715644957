/* `divvy replay`: a recorded job in simulated time, under other schedules or on fewer devices. */
#ifndef REPLAY_H
#define REPLAY_H

#include "simulate.h"
#include "view.h"

/* How the cost of an index depends on where it stands: constant over each part, in sums, not scaled. */
struct replay_cost {
    size_t part_count;
    double *ends, *until; /* [part_count + 1]: positions from 0 to 1, and the work before them */
};

/* What was made of a recorded job. */
struct replay_model {
    const struct dv_view *view;
    const struct dv_view_job *job;
    struct replay_cost cost;
    struct dv_world world;           /* of all devices of which enough is known */
    struct dv_world_device *devices; /* the world's */
    size_t *recorded;                /* [device of the world]: index into the profile's devices */
    double *powers;                  /* [device of the world]: the room for what hguided is given */
    double partition;                /* the size that was fixed; 0: none */
    bool warm;                       /* jobs of the kernel came before it */
};

/* Estimates everything from what was recorded. False: `problem` holds one line. */
bool replay_estimate(const struct dv_view *view, const struct dv_view_job *job, struct replay_model *out_model,
                     char *problem, size_t size);
void replay_forget(struct replay_model *model);

/* Leaves out the devices that a filter does not let pass, as DIVVY_DEVICES does; at least one must be left. */
bool replay_choose(struct replay_model *model, const char *filter, char *problem, size_t size);

struct replay_result {
    struct simulate_schedule schedule;
    double time_ns, bound_ns, efficiency;
    double *shares; /* [device of the world] of the indices */
};

/* One job under a schedule. False: no memory, or no device is left for it. */
bool replay_run(const struct replay_model *model, const struct simulate_schedule *schedule,
                struct replay_result *out_result);

/* `again`: what was simulated of the recorded schedule on the recorded devices; NULL: it cannot be. */
void replay_print_text(const struct replay_model *model, const struct replay_result *again,
                       const struct replay_result *results, unsigned count, FILE *out);
bool replay_print_json(const struct replay_model *model, const struct replay_result *again,
                       const struct replay_result *results, unsigned count, FILE *out);

#endif
