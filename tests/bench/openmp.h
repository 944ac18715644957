/* What OpenMP does of the same work: one plugin for each of its implementations, since two of them cannot share a
 * program otherwise. */
#ifndef OPENMP_H
#define OPENMP_H

#include <stddef.h>

/* Some of the work: the indices [first, first + count). */
typedef void openmp_part(void *context, size_t first, size_t count);

struct openmp {
    const char *name;
    unsigned settle_ms;              /* its idle threads spin that long */
    int (*use_threads)(int threads); /* how many it has then */
    /* One contiguous part for each thread. */
    void (*run_static)(size_t count, openmp_part *part, void *context);
    /* Parts of one index, to whoever comes first. */
    void (*run_dynamic)(size_t count, openmp_part *part, void *context);
    /* What the kernels of these names compute, as one writes it for OpenMP. bodies: x, y, z, mass. */
    void (*nbody)(size_t count, float softening, float *const bodies[4], float *const acceleration[3]);
    void (*black_scholes)(size_t count, float rate, float volatility, const float *spot, const float *strike,
                          const float *years, float *call, float *put);
};

/* The implementations that were built beside this program, loaded; ends with NULL. The caller's thread is where it was
 * before. */
const struct openmp *const *openmp_load(unsigned threads);

/* The name of the one object that each plugin exports. */
#define OPENMP_SYMBOL "openmp_plugin"

#endif
