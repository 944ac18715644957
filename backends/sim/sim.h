/* The sim backend: real threads and a real clock, devices of a scenario. Each partition is computed by the C form of its
 * kernel and then held back until the moment at which the device would have been done. */
#ifndef SIM_H
#define SIM_H

#include "model.h"

#include <divvy/backend.h>

/* The largest number of partitions between start and finish. */
enum { SIM_DEPTH_MAX = 2 };

/* A buffer that grows. */
struct memory {
    char *data;
    size_t bytes, capacity;
};

/* A kernel that is loaded on a device. */
struct kernel {
    struct kernel *next;
    void *form; /* its C form, for forms_finish */
    const struct scenario_kernel *kind;
    bool launched;
};

/* What every partition of one job reads, copied once. */
struct shared {
    uint64_t job;
    const divvy_kernel *kernel; /* NULL: nothing is kept here */
    unsigned users;             /* partitions in flight that read it */
    struct memory arrays[DIVVY_PARAMETERS_MAX];
};

/* A partition in flight. Its results stay until the slot is used again. */
struct slot {
    bool busy;
    struct model_course course;
    uint64_t launch; /* its number */
    uint64_t start_ns;
    uint64_t bytes_in, bytes_out;
    struct shared *shared;
    struct memory arrays[DIVVY_PARAMETERS_MAX];
};

/* One device; belongs to its worker. */
struct device {
    const divvy_host *host;
    const struct scenario *scenario;
    const struct scenario_device *traits;
    struct model model;
    struct kernel *kernels;
    uint64_t job, job_ns; /* the last job that it saw, and when that was first */
    struct slot slots[SIM_DEPTH_MAX];
    struct shared shared[SIM_DEPTH_MAX];
};

/* ---- launch.c ---- */

divvy_status sim_start(void *opened, divvy_partition *partition);
divvy_outcome sim_finish(void *opened, divvy_partition *partition, uint64_t deadline_ns);

/* Sleeps until a moment of the host's clock. */
void sim_sleep_until(const divvy_host *host, uint64_t moment_ns);

/* ---- copies.c: the memory of a staged device ---- */

/* Bytes that a partition needs on the device and copies to and from it; whether its `all` arrays are there already. */
struct needs {
    size_t largest; /* of all slices */
    uint64_t held;  /* by partitions in flight, this one among them */
    uint64_t in, out;
};
struct needs sim_needs(const struct device *device, const divvy_partition *partition);

/* Copies what the partition reads into the slot. False: no memory. */
bool sim_copy_in(struct device *device, struct slot *slot, const divvy_partition *partition);

/* The slices of a partition as the slot holds them; folds stay where they are. */
void sim_redirect(const struct slot *slot, const divvy_partition *partition, divvy_slice *out_slices);

/* The partition is over: its slot may be used again. */
void sim_release(struct slot *slot);

void sim_free_copies(struct device *device);

#endif
