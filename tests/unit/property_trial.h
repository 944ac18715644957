/* A trial: jobs of random kernels, sizes and schedules on cores and devices of which some fail, hang or get lost. Each
 * runs in a process of its own, since a device that has failed is retired for good. */
#ifndef PROPERTY_TRIAL_H
#define PROPERTY_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TRIAL_SIMS = 3, TRIAL_FAKES = 5, TRIAL_JOBS = 3, TRIAL_COUNT_MAX = 40000 };

enum trial_fault { FAULT_NONE, FAULT_OPEN, FAULT_BUILD, FAULT_LAUNCH, FAULT_RUN, FAULT_HANG, FAULT_LOST, FAULTS };

/* A device of the sim or of the fake backend. The last five fields are of the former; the latter's are what they are. */
struct trial_device {
    bool present;
    enum trial_fault fault;
    unsigned at; /* which launch it meets, from 1 on */
    bool staged;
    unsigned depth, granule;
    unsigned fixed_ns, slice_kib; /* 0: no limit */
    double ns_per_item;
};

enum trial_kernel { KERNEL_MARK, KERNEL_STEP, KERNEL_BLEND, KERNEL_TOIL, KERNEL_TALLY, KERNEL_FOLLOW, KERNELS };

struct trial_job {
    enum trial_kernel kernel;
    size_t count, partition, first_partition;
    unsigned schedule; /* index into trial_schedules */
    bool reproducible;
};

struct trial {
    unsigned cores; /* of an invented machine; 0: the devices are alone */
    struct trial_device sims[TRIAL_SIMS], fakes[TRIAL_FAKES];
    unsigned job_count;
    struct trial_job jobs[TRIAL_JOBS];
    bool together; /* the jobs are all in flight at once */
};

enum { TRIAL_SCHEDULES = 10 };
extern const char *const trial_schedules[TRIAL_SCHEDULES];

/* The same for the same seed. */
struct trial trial_make(uint64_t seed);

/* Runs it here, in a process that has not used the library yet. True: everything that must hold does. What does not is
 * told on stderr. */
bool trial_run(const struct trial *trial);

/* In a child, which may not hang or crash either; quiet: without what it tells. */
bool trial_holds(const struct trial *trial, bool quiet);

void trial_print(FILE *out, const struct trial *trial);

#endif
