/* Position: which indices of a job a device computes next. Sizes are the schedule's business.
 *
 * [0, count) is laid out as homes, one after another, one for each device (some empty). A core works from the
 * front of its home, the same in the next call, so that its caches and its NUMA node hold what it needs; when that
 * is used up it takes from the end of another's. Devices without a home draw from the far end of the job. Ranges
 * that failed elsewhere come back and are given out first.
 *
 * A home is one atomic word, so that taking needs no lock. Every index is given out exactly once, and again only
 * after it was returned. Any thread may call any function but init and fini. */
#ifndef DV_SPLIT_H
#define DV_SPLIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dv_range {
    size_t first, count;
    unsigned attempt; /* 1 the first time */
};

struct dv_home {
    _Alignas(64) _Atomic uint64_t span; /* front in the low half, back in the high half, in grains from `first` */
    size_t first, count;
};

struct dv_split {
    size_t count;
    size_t grain; /* indices per step of a span: 1, or more where 32 bits do not suffice or an alignment asks for it */
    unsigned home_count, home_capacity;
    struct dv_home *homes;
    atomic_uint returned_count;
    unsigned returned_capacity;
    struct dv_range *returned; /* under mutex */
    pthread_mutex_t mutex;
};

/* A zeroed split may be laid out again and again; fini frees. `sizes` holds one size per home, which add up to
 * count. NO_MEMORY is told by false. */
bool dv_split_lay_out(struct dv_split *split, size_t count, unsigned home_count, const size_t *sizes);
/* From now on, until it is laid out again, everything that is taken begins at a multiple of `step`, and ends at one or
 * with the last index. Homes are moved to the nearest. */
void dv_split_align(struct dv_split *split, size_t step);

/* The same homes again, nothing given out. */
void dv_split_rewind(struct dv_split *split);

void dv_split_init(struct dv_split *split);
void dv_split_fini(struct dv_split *split);

/* Takes at most `wanted` (at least 1) indices, or one grain: of those returned; else from one home. False: there is
 * none. */
bool dv_split_take_returned(struct dv_split *split, size_t wanted, struct dv_range *out_range);
bool dv_split_take_front(struct dv_split *split, unsigned home, size_t wanted, struct dv_range *out_range);
bool dv_split_take_back(struct dv_split *split, unsigned home, size_t wanted, struct dv_range *out_range);

/* Whether some were returned and not taken since. */
static inline bool dv_split_has_returned(struct dv_split *split)
{
    return atomic_load_explicit(&split->returned_count, memory_order_acquire) > 0;
}

/* Puts back what was taken from the front of a home last, as if it never was. */
void dv_split_put_front(struct dv_split *split, unsigned home, size_t count);

/* Gives a range back, to be computed by somebody else. False: more came back than devices can fail. */
bool dv_split_return(struct dv_split *split, struct dv_range range);

/* How many indices of a home are not given out yet; and of all, those returned included. A snapshot. */
size_t dv_split_left(struct dv_split *split, unsigned home);
size_t dv_split_unclaimed(struct dv_split *split);

#endif
