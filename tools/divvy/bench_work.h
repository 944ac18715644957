/* The computations that the benches divide: a shipped kernel with inputs of its own, by whoever is to compute it, and
 * whether what came out is right. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "bench.h"

#include <divvy/descriptor.h>

struct work;

/* One computation. */
struct work_kind {
    const char *name; /* of its kernel */
    const divvy_kernel *kernel;
    size_t count, device_count, quick_count; /* usual jobs: on cores, beside a device, hardly any */
    size_t grain;                            /* indices in a part that is worth handing out */
    double bytes;                            /* that an index moves; 0: it computes rather */
    void (*set_values)(struct work *work);
    void (*fill)(void *work, size_t first, size_t count); /* a bench_part: inputs, from the indices alone */
    void (*advance)(struct work *work);                   /* before each job; may be NULL */
    bool (*is_right)(const struct work *work);            /* after one job on what work_spoil left */
    /* The same by a peer's own loops, which are this member of struct bench_peer. NULL: no peer has any. */
    void (*run_peer)(struct work *work, const struct bench_peer *peer);
    size_t peer_member;
    bool quadratic; /* each index meets all of them */
};
const struct work_kind *work_kind(const char *name);
bool work_kind_known(const struct work_kind *kind, const struct bench_peer *peer);

/* A kind with its arguments and arrays. */
struct work {
    const struct work_kind *kind;
    size_t count;
    unsigned cores; /* that fill its arrays; 0: the caller */
    void *args;     /* the kernel's argument struct */
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
};
/* Arrays are touched first by the cores that use them; `cores` 0: by the caller. */
void work_make(struct work *work, const struct work_kind *kind, size_t count, unsigned cores);
void work_free(struct work *work);

/* The array or the result of parameter `p`. */
void *work_array(const struct work *work, unsigned p);
/* How many bytes of it the indices [first, first + count) have. */
size_t work_array_bytes(const struct work *work, unsigned p, size_t count);

/* Makes outputs wrong and brings what is updated in place back to its beginning. */
void work_spoil(struct work *work);

/* The form of the kernel for a level of instruction sets. */
divvy_body *work_form(const struct work_kind *kind, const char *level);
/* The indices [first, first + count) by a form; not for kernels with folds. */
void work_run_form(const struct work *work, divvy_body *body, size_t first, size_t count);

/* One way to do the work: by divvy, by a peer's own loops, by the kernel's form handed out by a peer or by hand. What
 * contenders have as their context. */
struct way {
    struct work *work;
    divvy *dv;
    const struct bench_peer *peer;
    divvy_body *body;
    unsigned threads;
};
/* A contender that does it, with `name` (NULL: the peer's) */
struct bench_contender way_contender(struct way *way, const char *name);

/* A context of all cores (threads 0) or of some, without OpenCL. */
divvy *work_open(const char *schedule, unsigned threads);
divvy *work_open_with(const divvy_options *options);
/* The level of instruction sets that kernels use on the cores here; valid for ever. */
const char *work_level(void);

#endif
