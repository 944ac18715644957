/* What happened: plain data that the schedule fills and the profile writes. */
#ifndef DV_RECORD_H
#define DV_RECORD_H

#include <divvy.h>

enum dv_reason { DV_PROBE, DV_SHARE, DV_FLOOR, DV_TAIL, DV_FIXED, DV_DUPLICATE }; /* why a partition has its size */
const char *dv_reason_name(enum dv_reason reason);                                /* as profiles have it: "share" */
enum dv_outcome { DV_ACCEPTED, DV_FAILED, DV_LATE, DV_DROPPED };

/* How a schedule came to a partition's size. All zero: it does not tell. */
struct dv_decision {
    double share;  /* indices that the device would take if all finished together */
    double guard;  /* the part of them that the least known device allows */
    double floor;  /* indices below which launching would cost more than can go wrong */
    double end_ns; /* the moment when the partition is expected to end */
};

/* One partition. Times are of the clock of base/clock.h. */
struct dv_partition_record {
    unsigned device;  /* index into the job's uses */
    unsigned attempt; /* 1, 2 ... : 2 ran again after a failure */
    enum dv_outcome outcome;
    enum dv_reason reason;
    uint64_t first, count, requested;
    uint64_t queued_ns, start_ns, end_ns;             /* moments: claimed; began; ended */
    uint64_t jit_ns, copy_in_ns, run_ns, copy_out_ns; /* durations; 0 unknown */
    uint64_t bytes;
    struct dv_decision decision;
};

/* One device's part in one job. */
struct dv_use {
    unsigned device;       /* index into the profile's devices */
    unsigned device_class; /* devices of one class have the same number */
    uint64_t partitions, items;
    uint64_t busy_ns;        /* inside accepted partitions */
    uint64_t min_ns, max_ns; /* of one partition */
    uint64_t last_end_ns;    /* moment when the last of them ended; 0: unknown */
    uint64_t jit_ns;         /* of busy_ns: building inside launches */
    uint64_t copies_ns;      /* of busy_ns: sending what every partition reads */
    uint64_t wasted_ns;      /* beside busy_ns: inside what failed, or what others have computed as well */
    uint64_t fixed_ns;       /* a */
    uint64_t ready_ns;       /* moment when the kernel was ready there; 0: it never was */
    uint64_t build_ns;       /* building during this job */
    double ns_per_item;      /* the model's b; 0: unknown */
    bool parked, retired;
};

/* Why a job took longer than its bound: what each of these cost it, in its own time. The time that a device lost counts
 * by the device's speed, so that the bound and these add up to the time reached. What devices did that are not in the
 * bound, since they came too late or were retired, is waiting that others were spared. */
struct dv_losses {
    double launch_ns;    /* fixed costs of partitions, beyond each device's first one */
    double copies_ns;    /* sending what every partition reads */
    double jit_ns;       /* building inside launches */
    double repeated_ns;  /* computing what failed, or what others had computed as well */
    double waiting_ns;   /* ready and without a partition, though not for the last time */
    double imbalance_ns; /* between the end of a device's last partition and the end of the job */
};

/* One finished job. Arrays belong to whoever made the record. */
struct dv_job_record {
    uint64_t id;
    const char *name, *kernel, *schedule;
    uint64_t count;
    uint64_t block;                /* of a reproducible job: indices per block; else 0 */
    uint64_t start_ns, end_ns;     /* moments: submitted; last acceptance */
    uint64_t split_ns, combine_ns; /* durations, over all workers */
    divvy_status status;
    const char *error; /* "" if OK */
    size_t use_count;
    struct dv_use *uses;
    size_t partition_count; /* 0 when partitions are not kept */
    struct dv_partition_record *partitions;
    /* filled by dv_bound: */
    uint64_t bound_ns; /* 0: unknown */
    divvy_bound_basis bound_basis;
    double efficiency;
    struct dv_losses losses;
};

/* Fills the bound and the losses. The bound is the T at which the capacities of all usable devices, from their fixed costs on and from the
 * moment their kernel is ready, add up to the work done. Work is busy time times relative speed: devices of one
 * class have the same speed, classes compare by nanoseconds per item in this job, or by the model. A device counts
 * as usable unless it was retired; parked and untried ones count by their model; one whose kernel was never ready
 * during the job counts from never. The bound does not exceed the time that was reached.
 * MEASURED: every usable device ran at least two partitions, and UNKNOWN: some usable device has neither run nor a
 * model (the bound is 0 then). */
void dv_bound(struct dv_job_record *job);

#endif
