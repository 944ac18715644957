/* bins[b] = how many x[i] lie in bin b of HISTOGRAM_BINS bins of equal width between low and high.
 *
 *     struct histogram h;
 *     divvy_run(dv, histogram, n, .low = 0.0f, .high = 1.0f, .x = x, .counts = &h);
 *
 * count: elements of x. x == high counts as above; NaN as neither. A host kernel: it runs on cores, has a result for
 * each partition, and needs no build of its own. */
#ifndef DIVVY_KERNELS_HISTOGRAM_H
#define DIVVY_KERNELS_HISTOGRAM_H

#include <divvy/kernel.h>

enum { HISTOGRAM_BINS = 256 };

struct histogram {
    uint64_t bins[HISTOGRAM_BINS], below, above;
};

static inline void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (int b = 0; b < HISTOGRAM_BINS; b++)
        into->bins[b] += from->bins[b];
    into->below += from->below;
    into->above += from->above;
}

DIVVY_HOST_KERNEL(histogram, (value, float, low), (value, float, high), (in, float, x),
                  (result, struct histogram, counts, histogram_merge))
{
    float scale = (float)HISTOGRAM_BINS / (high - low);
    DIVVY_FOR (i) {
        if (x[i] < low) {
            counts->below++;
        } else if (x[i] >= high) {
            counts->above++;
        } else if (x[i] >= low) {
            int bin = (int)((x[i] - low) * scale);
            counts->bins[bin < HISTOGRAM_BINS ? bin : HISTOGRAM_BINS - 1]++;
        }
    }
}

#endif
