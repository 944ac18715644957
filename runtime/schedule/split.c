#include "schedule/split.h"

#include <stdlib.h>

/* A device has at most two partitions in flight and is left out after a failure, so that few ranges are ever waiting
 * to be given out again; their room is made in advance, since a failing device is no moment to run out of memory. */
enum { RETURNS_PER_DEVICE = 4 };

static uint64_t pack(uint64_t front, uint64_t back)
{
    return front | back << 32;
}

static uint64_t front_of(uint64_t span)
{
    return span & UINT32_MAX;
}

static uint64_t back_of(uint64_t span)
{
    return span >> 32;
}

void dv_split_init(struct dv_split *split)
{
    *split = (struct dv_split){0};
    pthread_mutex_init(&split->mutex, NULL);
}

void dv_split_fini(struct dv_split *split)
{
    free(split->homes);
    free(split->returned);
    pthread_mutex_destroy(&split->mutex);
}

bool dv_split_lay_out(struct dv_split *split, size_t count, unsigned home_count, const size_t *sizes)
{
    if (home_count > split->home_capacity) {
        struct dv_home *homes = aligned_alloc(64, home_count * sizeof *homes);
        struct dv_range *returned = malloc((16 + RETURNS_PER_DEVICE * home_count) * sizeof *returned);
        if (!homes || !returned) {
            free(homes);
            free(returned);
            return false;
        }
        free(split->homes);
        free(split->returned);
        split->homes = homes;
        split->home_capacity = home_count;
        split->returned = returned;
        split->returned_capacity = 16 + RETURNS_PER_DEVICE * home_count;
    }
    split->count = count;
    split->grain = count / UINT32_MAX + 1;
    split->home_count = home_count;
    size_t first = 0;
    for (unsigned h = 0; h < home_count; h++) {
        split->homes[h].first = first;
        split->homes[h].count = sizes[h];
        first += sizes[h];
    }
    dv_split_rewind(split);
    return true;
}

void dv_split_align(struct dv_split *split, size_t step)
{
    split->grain = (split->grain + step - 1) / step * step;
    size_t first = 0, wanted_end = 0;
    for (unsigned h = 0; h < split->home_count; h++) {
        wanted_end += split->homes[h].count;
        size_t below = wanted_end - wanted_end % split->grain, beyond = wanted_end - below;
        size_t end = beyond < split->grain - beyond ? below : below + split->grain;
        if (end > split->count || wanted_end == split->count)
            end = split->count;
        split->homes[h].first = first;
        split->homes[h].count = end - first;
        first = end;
    }
    dv_split_rewind(split);
}

void dv_split_rewind(struct dv_split *split)
{
    if (atomic_load_explicit(&split->returned_count, memory_order_relaxed))
        atomic_store_explicit(&split->returned_count, 0, memory_order_relaxed);
    for (unsigned h = 0; h < split->home_count; h++) {
        struct dv_home *home = &split->homes[h];
        uint64_t grains = (home->count + split->grain - 1) / split->grain;
        atomic_store_explicit(&home->span, pack(0, grains), memory_order_relaxed);
    }
}

/* The range of `grains` grains from the `from`th of a home; the last grain of a home may be cut. */
static struct dv_range range_of(const struct dv_split *split, const struct dv_home *home, uint64_t from,
                                uint64_t grains)
{
    size_t offset = (size_t)from * split->grain, count = (size_t)grains * split->grain;
    if (count > home->count - offset)
        count = home->count - offset;
    return (struct dv_range){.first = home->first + offset, .count = count, .attempt = 1};
}

/* Rounded down, since devices have limits; at least one. */
static uint64_t grains_for(const struct dv_split *split, size_t wanted, uint64_t left)
{
    uint64_t grains = wanted < split->grain ? 1 : wanted / split->grain;
    return grains < left ? grains : left;
}

bool dv_split_take_front(struct dv_split *split, unsigned h, size_t wanted, struct dv_range *out_range)
{
    struct dv_home *home = &split->homes[h];
    uint64_t span = atomic_load_explicit(&home->span, memory_order_relaxed);
    uint64_t left;
    while ((left = back_of(span) - front_of(span)) > 0) {
        uint64_t grains = grains_for(split, wanted, left);
        if (atomic_compare_exchange_weak_explicit(&home->span, &span, pack(front_of(span) + grains, back_of(span)),
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            *out_range = range_of(split, home, front_of(span), grains);
            return true;
        }
    }
    return false;
}

void dv_split_put_front(struct dv_split *split, unsigned h, size_t count)
{
    struct dv_home *home = &split->homes[h];
    uint64_t grains = (count + split->grain - 1) / split->grain;
    uint64_t span = atomic_load_explicit(&home->span, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&home->span, &span, pack(front_of(span) - grains, back_of(span)),
                                                  memory_order_acq_rel, memory_order_relaxed))
        continue;
}

bool dv_split_take_back(struct dv_split *split, unsigned h, size_t wanted, struct dv_range *out_range)
{
    struct dv_home *home = &split->homes[h];
    uint64_t span = atomic_load_explicit(&home->span, memory_order_relaxed);
    uint64_t left;
    while ((left = back_of(span) - front_of(span)) > 0) {
        uint64_t grains = grains_for(split, wanted, left), from = back_of(span) - grains;
        if (atomic_compare_exchange_weak_explicit(&home->span, &span, pack(front_of(span), from), memory_order_acq_rel,
                                                  memory_order_relaxed)) {
            *out_range = range_of(split, home, from, grains);
            return true;
        }
    }
    return false;
}

bool dv_split_take_returned(struct dv_split *split, size_t wanted, struct dv_range *out_range)
{
    if (!dv_split_has_returned(split))
        return false;
    pthread_mutex_lock(&split->mutex);
    unsigned count = atomic_load_explicit(&split->returned_count, memory_order_relaxed);
    if (count > 0) {
        struct dv_range *last = &split->returned[count - 1];
        *out_range = *last;
        size_t whole = wanted > split->grain ? wanted - wanted % split->grain : split->grain;
        if (last->count > whole) {
            out_range->count = whole;
            last->first += whole;
            last->count -= whole;
        } else {
            atomic_store_explicit(&split->returned_count, count - 1, memory_order_release);
        }
    }
    pthread_mutex_unlock(&split->mutex);
    return count > 0;
}

bool dv_split_return(struct dv_split *split, struct dv_range range)
{
    pthread_mutex_lock(&split->mutex);
    unsigned count = atomic_load_explicit(&split->returned_count, memory_order_relaxed);
    bool fits = count < split->returned_capacity;
    if (fits) {
        split->returned[count] = range;
        split->returned[count].attempt++;
        atomic_store_explicit(&split->returned_count, count + 1, memory_order_release);
    }
    pthread_mutex_unlock(&split->mutex);
    return fits;
}

size_t dv_split_left(struct dv_split *split, unsigned h)
{
    struct dv_home *home = &split->homes[h];
    uint64_t span = atomic_load_explicit(&home->span, memory_order_relaxed);
    uint64_t left = back_of(span) - front_of(span);
    return left ? range_of(split, home, front_of(span), left).count : 0;
}

size_t dv_split_unclaimed(struct dv_split *split)
{
    size_t left = 0;
    for (unsigned h = 0; h < split->home_count; h++)
        left += dv_split_left(split, h);
    if (dv_split_has_returned(split)) {
        pthread_mutex_lock(&split->mutex);
        unsigned count = atomic_load_explicit(&split->returned_count, memory_order_relaxed);
        for (unsigned r = 0; r < count; r++)
            left += split->returned[r].count;
        pthread_mutex_unlock(&split->mutex);
    }
    return left;
}
