/* Others that divide the same work over cores: what an implementation of OpenMP or the like brings along. Plain C or
 * C++; a peer sees nothing of divvy. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>

/* Some of the work: the indices [first, first + count). */
typedef void bench_part(void *context, size_t first, size_t count);

/* How a peer hands out work. */
enum bench_manner {
    BENCH_SERIAL,  /* all of it to the caller */
    BENCH_STATIC,  /* one contiguous part for each thread */
    BENCH_DYNAMIC, /* parts of one size to whoever comes first */
    BENCH_GUIDED,  /* parts that become smaller, or are split on demand */
};

/* One implementation in one manner. What it does not do is NULL. */
struct bench_peer {
    const char *name; /* "OpenMP dynamic" */
    enum bench_manner manner;
    unsigned settle_ms; /* its idle threads go on spinning that long */
    /* Makes `threads` threads of which the caller is the first, and has each bind itself: bind(k), k below `threads`.
     * Returns how many there are. NULL: the caller alone. */
    unsigned (*take_places)(unsigned threads, void (*bind)(unsigned core));
    /* Calls `part` for all of [0, count), in parts of `grain` indices where the manner is dynamic. */
    void (*run)(size_t count, size_t grain, bench_part *part, void *context);
    /* What the kernels of these names compute, as one writes it for this peer. bodies: x, y, z, mass. */
    void (*nbody)(size_t count, float softening, const float *const bodies[4], float *const acceleration[3]);
    void (*black_scholes)(size_t count, float rate, float volatility, const float *spot, const float *strike,
                          const float *years, float *call, float *put);
    void (*mandelbrot)(int width, int height, float left, float top, float pixel, int limit, int *counts);
    double (*sum_float)(size_t count, const float *x);
    double (*sum_double)(size_t count, const double *x);
};

/* What a plugin of peers exports under this name: its peers, then NULL. */
#define BENCH_PEERS_SYMBOL "bench_peers_plugin"

#endif
