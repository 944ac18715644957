/* A script: who computed what in the jobs of a profile, to be done again. */
#ifndef DV_SCRIPT_H
#define DV_SCRIPT_H

#include <divvy.h>

#include <stdbool.h>
#include <stddef.h>

/* One partition whose results were accepted. */
struct dv_script_part {
    size_t first, count;
    unsigned device; /* index into the script's devices */
    uint64_t start_ns;
};

struct dv_script_job {
    char *kernel;
    size_t count;
    size_t part_count;            /* 0: its partitions were not kept, or do not cover [0, count) once each */
    struct dv_script_part *parts; /* by first */
    bool taken;                   /* see dv_script_take */
};

struct dv_script {
    char *path;
    size_t device_count, job_count;
    char **devices;             /* ids, such as "cpu:0" */
    struct dv_script_job *jobs; /* in the order of their start */
    size_t first_open;          /* all jobs before it are taken */
    bool warned;                /* of jobs that it cannot tell how to do */
    struct dv_script *next;     /* of whoever keeps several */
};

/* Reads a profile of format 1. IO, INVALID for a file that is none, NO_MEMORY. */
divvy_status dv_script_read(const char *path, struct dv_script **out_script);
void dv_script_free(struct dv_script *script);

/* The next job of this kernel and count that was not taken yet; NULL: there is none. One call at a time. */
const struct dv_script_job *dv_script_take(struct dv_script *script, const char *kernel, size_t count);

#endif
