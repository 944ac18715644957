/* How long a device of a scenario takes for what, and what goes wrong: what a partition costs is a function of the
 * scenario, the device, its past and the moment that the caller states. No clock is read and nothing waits, so that the
 * same serves real threads and virtual time. A device's past belongs to one thread at a time. */
#ifndef MODEL_H
#define MODEL_H

#include "scenario.h"

#include <stdbool.h>

/* The moment of what never comes. */
#define MODEL_NEVER UINT64_MAX

/* A device and its past. */
struct model {
    const struct scenario_device *device;
    uint64_t random;                  /* of this device, not of a launch */
    uint64_t open_ns;                 /* when it was open */
    uint64_t opens, builds, launches; /* tried so far */
    uint64_t upload_free_ns, run_free_ns,
        download_free_ns; /* when each of its three engines has done all it was given */
    bool lost;
};

void model_init(struct model *model, const struct scenario *scenario, const struct scenario_device *device);

/* Opening begins at `now_ns`. False: it fails. Either way it takes until *out_end_ns. */
bool model_open(struct model *model, uint64_t now_ns, uint64_t *out_end_ns);

/* The same of building a kernel. */
bool model_build(struct model *model, uint64_t now_ns, uint64_t *out_end_ns);

/* What is launched. */
struct model_launch {
    const struct scenario_kernel *kernel;
    size_t first, count, total;
    double bytes_in, bytes_out; /* to copy; 0 for a device that works in place */
    bool first_of_kernel;       /* nothing of this kernel was launched on this device since it was built */
    uint64_t job_ns;            /* when the job began */
};

/* What comes of it. Moments, each engine's end; a partition that fails does so at end_ns. */
struct model_course {
    enum {
        MODEL_DONE,
        MODEL_REFUSED, /* at once: nothing was launched */
        MODEL_FAILED,  /* at end_ns */
    } outcome;
    uint64_t end_ns;                                  /* MODEL_NEVER: it hangs */
    uint64_t copy_in_ns, jit_ns, run_ns, copy_out_ns; /* durations; jit is not part of run */
};

/* A launch at `now_ns`. Copies to the device, computing and copies from it are each done one after the other, beside
 * each other. */
struct model_course model_launch(struct model *model, uint64_t now_ns, const struct model_launch *launch);

/* What came of a launch has taken until `now_ns`, later than the model knew: what follows begins no earlier. */
void model_delay(struct model *model, uint64_t now_ns);

#endif
