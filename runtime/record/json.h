/* What a profile holds, and writing it as JSON: format 1, tools/profile.schema.json. */
#ifndef DV_JSON_H
#define DV_JSON_H

#include "machine/topology.h"
#include "record/profile.h"

#include <stdio.h>
#include <time.h>

struct dv_device_record {
    char *id, *backend, *name, *device_class, *driver, *address;
    divvy_device_type type;
    int core; /* -1: not a core */
    unsigned cores, units;
    size_t granule;
    uint64_t memory_bytes;
    bool staged;
    bool opened; /* its rates are known */
    divvy_rates rates;
    uint64_t fixed_ns; /* as the last job had it */
};

struct dv_event_record {
    uint64_t time_ns; /* moment */
    const char *what, *text;
    int device;   /* -1: none */
    uint64_t job; /* 0: none */
};

/* A job with what it points to; made and freed as one piece but for the partitions. */
struct dv_kept_job {
    struct dv_job_record record;
    uint64_t partitions_left_out;
};

/* One device's part in the jobs that were only summed. */
struct dv_summed_use {
    uint64_t partitions, items, busy_ns;
};

/* The jobs of one kernel that were too many to be kept one by one. */
struct dv_summed_jobs {
    const char *kernel;
    uint64_t jobs, failed, items;
    uint64_t first_ns, last_ns; /* moments: the first submission, the last end */
    uint64_t wall_ns, min_ns, max_ns, split_ns, combine_ns;
    uint64_t bounded_jobs, bounded_wall_ns, bound_ns; /* of those whose bound is known */
    size_t use_count;                                 /* by device of the profile */
    struct dv_summed_use *uses;
};

struct dv_content {
    struct timespec started; /* wall time at which the profile was opened */
    uint64_t origin_ns;      /* the same moment; every moment is written as time since then */
    uint64_t wall_ns;
    const struct dv_topology *host;
    size_t device_count, job_count, summed_count, model_count, event_count;
    struct dv_device_record *devices;
    struct dv_kept_job **jobs; /* in the order of their start */
    struct dv_summed_jobs *summed;
    struct dv_model_record *models;
    struct dv_event_record *events;
    uint64_t events_left_out;
};

/* Writes everything, piece by piece, so that it needs memory for one piece only. NO_MEMORY; errors of the file stay
 * in the file (ferror). */
divvy_status dv_json_write(const struct dv_content *content, FILE *file);

/* A copy that JSON may hold: names come from drivers and programs and may be any bytes; what is not UTF-8 becomes '?'.
 * NULL is "". NULL without memory. */
char *dv_json_clean(const char *text);

#endif
