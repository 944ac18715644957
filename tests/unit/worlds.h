/* Simulated worlds: a schedule meets devices whose every property is known, in virtual time.
 *
 * The time of a partition is
 *
 *     fixed_ns + ns_per_item * (sum of its indices' costs) * noise
 *
 * with costs of mean 1 that depend on the position, and lognormal noise. Positions are those of a real job: cores work
 * from the front of their homes and steal from the back of others', devices draw from the far end. Everything is a
 * function of the world, the schedule and the seed: no clock, no thread, and the lower bound is exact. */
#ifndef WORLDS_H
#define WORLDS_H

#include "schedule/schedule.h"

enum { WORLD_DEVICES_MAX = 16, WORLD_GRANULE = 64 };

enum world_cost { COST_FLAT, COST_BUMP, COST_DOWN, COST_UP, COST_BLOCKS, COST_WAVE };

struct world_device {
    bool core;
    double fixed_ns, ns_per_item;
    double noise;       /* standard deviation of the logarithm of what a partition takes */
    double spikes;      /* probability of a partition that takes eight times as long */
    double ready_ns;    /* it is opened and built beside the others until then, once in a row of jobs */
    double slows_at_ns; /* of each job; 0: never */
    double slows_by;
};

struct world {
    const char *name;
    enum world_cost cost;
    size_t count;
    unsigned device_count; /* cores first */
    struct world_device devices[WORLD_DEVICES_MAX];
    double stale;     /* what the rates of all but cores are multiplied by before the last job of a row; 0: nothing */
    double misstated; /* the same of the fixed costs that the schedule is told; 0: the truth */
};

extern const struct world tuning_worlds[];
extern const unsigned tuning_world_count;

/* A world that nothing was tuned on: 1 to 8 cores, 1 to 3 devices of any speed and fixed cost, any cost profile. */
struct world world_random(uint64_t *random);

/* The time before which no schedule can end: every device works at its nominal speed from its fixed cost on, from when
 * it is ready if that was `elapsed_ns` ago before the job began. */
double world_bound_ns(const struct world *world, double elapsed_ns);

/* Runs `job_count` jobs in a row, with the rates of each carried over to the next, and gives the efficiency of each:
 * lower bound over time; 0 if the schedule left indices to nobody or gave some out twice. */
void world_run(const struct world *world, const struct dv_schedule *schedule, uint64_t seed, unsigned job_count,
               double *out_efficiencies);

/* What that has given out since the last call, all jobs together: partitions, and the share of probes among them. */
struct world_tally {
    uint64_t asks, partitions, probes;
};
struct world_tally world_tally(void);

#endif
