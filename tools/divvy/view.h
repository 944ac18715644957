/* What `divvy view` knows of a profile: read from the JSON alone, checked, and free of surprises. Numbers are doubles,
 * finite and never negative; 0 stands for unknown where a number may be missing. Strings are never NULL, but may hold
 * any bytes. */
#ifndef DV_VIEW_H
#define DV_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct dv_view_device {
    const char *id, *name, *device_class, *type, *identity;
    double fixed_ns, granule, upload_bytes_per_s, download_bytes_per_s;
    bool staged;
};

/* One device's part in a job. */
struct dv_view_use {
    size_t device;
    double partitions, items, busy_ns, min_ns, avg_ns, max_ns, build_ns;
    double ready_ns; /* moment; negative: never, or unknown */
    double ns_per_item;
    bool parked, retired;
};

struct dv_view_partition {
    size_t device;
    double first, count;                    /* indices */
    double start_ns, end_ns;                /* moments */
    double jit_ns, copy_in_ns, copy_out_ns; /* durations */
    bool accepted;
};

/* What each cost the job, in its own time; how many there are. */
enum { DV_LOSSES = 6 };
extern const char *const dv_view_losses[DV_LOSSES];

struct dv_view_job {
    double losses_ns[DV_LOSSES];
    double id, count, block, start_ns, time_ns, split_ns, combine_ns, bound_ns, partitions_left_out;
    const char *name, *kernel, *schedule, *status, *error, *bound_basis;
    struct dv_view_kernel *of;
    size_t use_count, partition_count;
    struct dv_view_use *uses;             /* in the order of devices */
    struct dv_view_partition *partitions; /* by device, then start */
};

/* All jobs of one kernel, also those that the profile holds only as a sum. */
struct dv_view_kernel {
    const char *name;
    double jobs, failed, items, time_ns, min_ns, max_ns, bounded_time_ns, bound_ns;
    size_t shown; /* of the text: jobs shown so far */
};

struct dv_view_event {
    double time_ns, job; /* job 0: none */
    const char *what, *text;
    const struct dv_view_device *device; /* NULL: none */
};

struct dv_view_model {
    const char *kernel, *device_class, *state;
    double size_class, fixed_ns, ns_per_item, uncertainty, samples, partition;
};

struct dv_view {
    const char *program, *started, *host, *model;
    double wall_ns, cores, machine_cores, numa, quota, memory_bytes, events_left_out;
    size_t device_count, job_count, kernel_count, event_count, model_count;
    struct dv_view_device *devices;
    struct dv_view_job *jobs;       /* as in the file */
    struct dv_view_kernel *kernels; /* by name */
    struct dv_view_event *events;   /* by job, then time */
    struct dv_view_model *models;
    void *json; /* holds the strings */
};

/* Reads a profile; "-" is the standard input. On failure nothing needs freeing, and `problem` holds one clear
 * sentence, in which the path stands as it is: see dv_put. */
bool dv_view_read(const char *path, struct dv_view *out_view, char *problem, size_t problem_size);

/* The same of a file in memory, with at most `memory` bytes for all that is made of it. `name`: for the problem. One
 * thread at a time. */
bool dv_view_parse(const char *bytes, size_t length, size_t memory, const char *name, struct dv_view *out_view,
                   char *problem, size_t problem_size);
void dv_view_free(struct dv_view *view);

/* Bound over time; 0: unknown. */
double dv_view_efficiency(double bound_ns, double time_ns);
/* Of a whole, per second; 0 when there is none. */
double dv_view_share(double part, double whole);
double dv_view_rate(double items, double busy_ns);

/* What to show, and how. */
struct dv_view_choice {
    const char *job; /* NULL: all; else an id, a name or a kernel */
    bool all;        /* also the many jobs of one kernel */
};
bool dv_view_chosen(const struct dv_view_choice *choice, const struct dv_view_job *job);

struct dv_style {
    FILE *out;
    int width; /* columns */
    bool color, unicode;
};

void dv_view_text(struct dv_view *view, const struct dv_view_choice *choice, const struct dv_style *style);
void dv_view_timeline(const struct dv_view *view, const struct dv_view_job *job, const struct dv_style *style);
/* False without memory. */
bool dv_view_json(const struct dv_view *view, const struct dv_view_choice *choice, FILE *out);

/* ---- Words and numbers on a terminal ---- */

enum dv_ink { DV_PLAIN, DV_BOLD, DV_DIM, DV_RED, DV_GREEN, DV_YELLOW, DV_BLUE, DV_MAGENTA, DV_CYAN };
void dv_ink(const struct dv_style *style, enum dv_ink ink);

/* Prints text of any bytes in at most `columns` columns: control characters are escaped, what does not fit is cut
 * off. Returns the columns used; padded prints spaces up to `columns`. */
int dv_put(const struct dv_style *style, const char *text, int columns);
void dv_put_padded(const struct dv_style *style, const char *text, int columns);

/* Prints JSON; characters that dv_put would escape become JSON's escapes. */
void dv_put_json(FILE *out, const char *json);

/* Bytes of the UTF-8 character at `text`, whose number is set; 0 if it is none. */
size_t dv_utf8(const char *text, unsigned *out_point);

/* Three digits and a unit: "23.9 ms", "16.8 M", "11.2 GB". */
struct dv_words {
    char text[24];
};
struct dv_words dv_duration(double ns);
struct dv_words dv_amount(double count);
struct dv_words dv_bytes(double bytes);  /* powers of 1000 */
struct dv_words dv_memory(double bytes); /* powers of 1024 */

#endif
