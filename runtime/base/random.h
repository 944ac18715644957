/* Random numbers that are functions of what they are drawn for: the same seed gives the same, on every machine. */
#ifndef DV_RANDOM_H
#define DV_RANDOM_H

#include <math.h>
#include <stdint.h>

/* The next 64 bits (splitmix64). */
static inline uint64_t dv_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* A stream of its own for each pair. */
static inline uint64_t dv_random_stream(uint64_t seed, uint64_t number)
{
    uint64_t state = seed, mixed = dv_random(&state) ^ number;
    return dv_random(&mixed);
}

/* In (low, high). */
static inline double dv_random_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * ((double)(dv_random(state) >> 12) + 0.5) * 0x1p-52;
}

/* Mean 0, standard deviation 1. */
static inline double dv_random_normal(uint64_t *state)
{
    double u = dv_random_uniform(state, 0, 1), v = dv_random_uniform(state, 0, 1);
    return sqrt(-2 * log(u)) * cos(6.28318530717958647692 * v);
}

#endif
