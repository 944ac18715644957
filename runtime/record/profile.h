/* The profile of a context, kept in memory while it runs, written as JSON (format 1) when it closes. */
#ifndef DV_PROFILE_H
#define DV_PROFILE_H

#include "machine/topology.h"
#include "record/record.h"

#include <divvy/backend.h>

/* Opaque. All functions may be called from any thread at once. */
struct dv_profile;

/* Opens the file at once, under no name or a temporary one, so that a path that cannot be written fails before the work.
 * A second open profile of the process on the same path becomes PATH.2 and so on. `kept_jobs`: how many first and
 * last jobs of each kernel keep their partitions. IO, NO_MEMORY. */
divvy_status dv_profile_open(const char *path, size_t kept_jobs, const struct dv_topology *host,
                             struct dv_profile **out_profile);

/* One more device; returns its index. Strings are copied. `core`: its core's number for cores, else -1. */
unsigned dv_profile_add_device(struct dv_profile *profile, const char *id, const char *backend,
                               const divvy_device_facts *facts, int core);

/* What opening device `index` measured. */
void dv_profile_set_rates(struct dv_profile *profile, unsigned index, const divvy_rates *rates);

/* Copies a finished job, whose bound is filled. Bounded memory: of each kernel only the first and last kept_jobs
 * jobs keep their partitions. */
void dv_profile_add_job(struct dv_profile *profile, const struct dv_job_record *job);

/* Whether a job of this kernel that starts now should keep its partitions at all. */
bool dv_profile_wants_partitions(const struct dv_profile *profile);

/* Something happened: "retired", "parked", "built", "retry", with a sentence. Bounded. device -1: none. */
void dv_profile_add_event(struct dv_profile *profile, const char *what, int device, uint64_t job, const char *format,
                          ...) __attribute__((format(printf, 5, 6)));

/* One learned model, as it stands when the context closes. */
struct dv_model_record {
    const char *kernel, *device_class;
    unsigned size_class; /* log2 bucket of the count */
    double fixed_ns, ns_per_item, uncertainty;
    uint64_t samples;
    bool running;       /* verified in a job, else still learning */
    bool stored;        /* known from an earlier run */
    uint64_t partition; /* the size it would choose */
};
void dv_profile_add_model(struct dv_profile *profile, const struct dv_model_record *model);

/* Writes, and puts the file into its place. IO with the reason; nothing is left behind then, and what was in its place
 * stays. Its memory stays too, for whoever may still add something, which goes nowhere. */
divvy_status dv_profile_end(struct dv_profile *profile);

/* Ends and frees. NULL is OK. */
divvy_status dv_profile_close(struct dv_profile *profile);

#endif
