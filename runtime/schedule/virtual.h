/* Simulated time: jobs in a world, by the schedules, the split and the rules that real jobs go by, in one thread and
 * without a clock. Everything is a function of the world, the schedule and the seed.
 *
 * Jobs of a row follow each other at once. What one has learned is known to the next; a device that it gave up comes back
 * when its launch has ended, and not at all if that was past its deadline, or if it failed. */
#ifndef DV_VIRTUAL_H
#define DV_VIRTUAL_H

#include "schedule/schedule.h"
#include "schedule/world.h"

struct dv_virtual_options {
    const struct dv_schedule *schedule;
    uint64_t seed;
    size_t partition, first_partition; /* as of a call; 0: as the schedule likes */
    const double *powers;              /* hguided's, one for each device; NULL: the true ones */

    /* Told of each partition when it is over, or its job is: its device is an index of the world's; moments count from
     * the beginning of the row. What was computed again by others is told of as DROPPED, at the back of what its device
     * had. */
    void (*on_partition)(void *context, const struct dv_partition_record *partition);
    void *context;
};

/* What came of a job. */
struct dv_virtual_job {
    bool done;                           /* false: there was no device left for the rest of it */
    double start_ns, end_ns;             /* moments of the row */
    double bound_ns, efficiency;         /* no schedule takes less, but for lucky noise; efficiency 0: not done */
    uint64_t decisions;                  /* how often the schedule was asked for a size */
    uint64_t partitions, probes, pieces; /* pieces: of what was taken over */
    const struct dv_use *uses;           /* one for each device of the world, until the next job of the row */
};

struct dv_virtual;

/* `world` and `options`, which is copied, must last. NULL: no memory. */
struct dv_virtual *dv_virtual_open(const struct dv_world *world, const struct dv_virtual_options *options);
void dv_virtual_close(struct dv_virtual *row);

/* The next job of the row. */
struct dv_virtual_job dv_virtual_run(struct dv_virtual *row);

/* What is known of the classes, to be read or changed between jobs: none of it when the row begins. */
struct dv_rate *dv_virtual_rates(struct dv_virtual *row, unsigned *out_count);

#endif
