/* A world: devices and a kernel whose every property is known, and how long things take there. Plain data, with the names
 * that a scenario file has for them (backends/sim/scenario.h), and functions of it: no clock, no thread.
 *
 * Moments and durations are nanoseconds, HUGE_VAL is the moment of what never comes. What is left zero is absent, except
 * that a granule and a depth of 0 are 1. */
#ifndef DV_WORLD_H
#define DV_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What fails when it is tried for the at-th time, and then again every `every` times; at 0: nothing. */
struct dv_world_fail {
    enum dv_world_step {
        DV_WORLD_OPEN, /* which is tried once, as is building: the device never comes */
        DV_WORLD_BUILD,
        DV_WORLD_LAUNCH, /* it is refused at once */
        DV_WORLD_RUN,    /* it fails when its time is over */
    } on;
    uint64_t at, every;
};

struct dv_world_device {
    unsigned device_class; /* devices of one class share what is learned; counted from 0 */
    bool core;             /* has a home */
    bool staged;           /* works on copies */
    unsigned depth;        /* partitions in flight, 1 or 2 */
    size_t granule;
    uint64_t memory_bytes, max_slice_bytes; /* 0: no limit */

    /* The time of a launch: fixed_ns + ns_per_item * cost of its indices * lognormal noise, all of it times a spike. */
    double fixed_ns, ns_per_item;
    double noise; /* standard deviation of the logarithm */
    struct {
        double probability, times;
    } spikes;
    struct { /* from that moment on it takes so many times as long; times 0: never */
        double from_ns, times;
        bool since_open; /* else since each job's beginning */
    } slowdown;

    double open_ns, build_ns; /* before its first launch, beside the others */
    double jit_ns;            /* what its first launch takes more */

    /* Copies, beside computing; 0: they take no time. Staged devices only. */
    double latency_ns, upload_bytes_per_s, download_bytes_per_s;

    bool lies; /* it says of itself what is stated, else the truth */
    struct {
        double fixed_ns, latency_ns, upload_bytes_per_s, download_bytes_per_s;
    } stated;

    struct dv_world_fail fail;
    struct {
        uint64_t at;   /* the launch that does not end, from 1 on */
        double for_ns; /* but after so long; 0: never */
    } hang;
    struct {            /* from then on everything fails */
        uint64_t at;    /* the first launch to fail, from 1 on */
        double from_ns; /* since it was opened */
    } lost;
};

struct dv_world_kernel {
    size_t count; /* indices of a job */

    /* The integral over [0, x] of what an index costs that stands at x of the job, 0 to 1; scaled so that the mean is 1.
     * NULL: all cost the same. */
    double (*cost_until)(const void *cost, double x);
    const void *cost;

    double bytes_in, bytes_out; /* copied per index to and from a staged device */
    uint64_t bytes_all;         /* copied to it once per job */
    bool sums;                  /* its results add up: what a device computed counts whole or not at all */
};

struct dv_world {
    const char *name;
    unsigned device_count;
    const struct dv_world_device *devices; /* cores first */
    struct dv_world_kernel kernel;
};

/* How much of a job's work lies in a range: `count` where the cost is flat. */
double dv_world_cost(const struct dv_world_kernel *kernel, size_t first, size_t count);

/* How many indices its memory holds at once; 0: any number. */
size_t dv_world_cap(const struct dv_world *world, unsigned d);

/* A device's past, from the moment 0 on, at which it begins to open. */
struct dv_world_past {
    uint64_t random; /* of this device, not of a launch */
    uint64_t launches;
    double ready_ns;                                      /* open and built; HUGE_VAL: that failed */
    double upload_free_ns, run_free_ns, download_free_ns; /* when its engines have done all they were given */
    bool has_all;                                         /* the job's `all` arrays were sent */
    bool lost;
};

struct dv_world_past dv_world_open(const struct dv_world *world, unsigned d, uint64_t seed);

/* What comes of a launch. Moments; durations of its parts, jit not part of run. */
struct dv_world_course {
    enum { DV_WORLD_DONE, DV_WORLD_FAILED, DV_WORLD_REFUSED } outcome; /* REFUSED: at once */
    double end_ns;
    double copy_in_ns, jit_ns, run_ns, copy_out_ns, bytes;
};

/* Device `d` launches a range at `now_ns`, in a job that began at `job_ns`. */
struct dv_world_course dv_world_launch(const struct dv_world *world, unsigned d, struct dv_world_past *past,
                                       double job_ns, double now_ns, size_t first, size_t count);

/* The time before which no schedule can end a job that begins at `job_ns`, but for lucky noise: every device that will
 * work at all does so at its nominal speed, from when it is free and its fixed costs are paid. Copies overlap computing
 * where two partitions may be in flight, and count by the index, whatever that costs. pasts[device_count]. HUGE_VAL: no
 * device works. */
double dv_world_bound_ns(const struct dv_world *world, const struct dv_world_past *pasts, double job_ns);

#endif
