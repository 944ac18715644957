/* `divvy simulate`: schedules in worlds whose every property is known, in simulated time. */
#ifndef SIMULATE_H
#define SIMULATE_H

#include "schedule/virtual.h"
#include "schedule/worlds.h"

#include <stdbool.h>
#include <stdio.h>

struct scenario;

/* ---- What is simulated ---- */

/* A world, and what it points to. */
struct simulate_case {
    char name[80];
    uint64_t seed; /* of its first row of jobs */
    struct dv_world world;
    struct dv_world_device *devices;
    char (*device_names)[96], (*class_names)[64]; /* NULL: they have none */
    struct scenario *scenario;                    /* whose cost the kernel points to */
};

struct simulate_cases {
    size_t count;
    bool scaled; /* what decisions cost is told too */
    struct simulate_case *list;
};

/* Adds the scenario of a file, or a shipped one of this name; "tuning", "hostile" and "scale" are all of a kind. `kernel`: the one
 * of its kernels. False: `problem` holds one line. */
bool simulate_add(struct simulate_cases *cases, const char *word, const char *kernel, char *problem, size_t size);

/* The shipped ones and their kinds. */
void simulate_list(FILE *out);

/* Adds worlds that nothing was tuned on. */
bool simulate_add_random(struct simulate_cases *cases, unsigned count, uint64_t seed, char *problem, size_t size);

void simulate_forget(struct simulate_cases *cases);

/* ---- Simulating ---- */

/* A schedule, and what hguided is told; NULL: the true powers. */
struct simulate_schedule {
    const struct dv_schedule *schedule;
    const char *powers;
};

enum { SIMULATE_SCHEDULES_MAX = 64 };

struct simulate_plan {
    uint64_t seed; /* 0: each scenario's own */
    unsigned seeds, jobs;
    unsigned schedule_count;
    struct simulate_schedule schedules[SIMULATE_SCHEDULES_MAX];
};

/* Adds those that a command is asked for: "a,b,c", of names alone, or one with what it takes. Returns an exit status; what
 * is wrong stands on stderr. */
int simulate_read_schedules(const char *command, const char *text, struct simulate_plan *plan);

/* All that can be simulated. */
void simulate_take_all(struct simulate_plan *plan);

/* "hguided:cpu=1,gpu=8", as it was asked for. */
void simulate_title(const struct simulate_schedule *schedule, char *text, size_t size);

/* Efficiencies over seeds. */
struct simulate_score {
    double mean, spread; /* spread: standard deviation */
    unsigned failed;     /* jobs that no device was left for; their efficiency is 0 */
};

struct simulate_result {
    struct simulate_score cold, warm; /* of the first job of a row, and of its last one */
    double bound_ns;                  /* of the first job, mean */
    double decisions; /* in the last job, mean; and what one costs with all around it, in processor time */
    double decision_ns;
};

/* results[case][schedule]. False: no memory. */
bool simulate_all(const struct simulate_cases *cases, const struct simulate_plan *plan,
                  struct simulate_result *results);

/* Of one schedule over all cases. */
struct simulate_summary {
    struct dv_summary cold, warm;
};
bool simulate_summarise(const struct simulate_cases *cases, const struct simulate_plan *plan,
                        const struct simulate_result *results, unsigned schedule, struct simulate_summary *out_summary);

/* ---- Telling ---- */

/* `each`: the cases one by one, not only all together. False: no memory. */
bool simulate_print_text(const struct simulate_cases *cases, const struct simulate_plan *plan,
                         const struct simulate_result *results, bool each, FILE *out);
bool simulate_print_json(const struct simulate_cases *cases, const struct simulate_plan *plan,
                         const struct simulate_result *results, FILE *out);

#endif
