/* dst[y][x] = sum over v, u in [-radius, radius] of weights[radius + v][radius + u] src[y + v][x + u], where
 * coordinates outside the picture are clamped to its edge (a correlation: turn the weights by 180 degrees for a
 * convolution).
 *
 * count: rows of the picture. width: its columns. weights: (2 radius + 1)^2 of them, row by row. */
#include <divvy/kernel.h>

enum { CONVOLVE_LANES = 64 };

static inline int convolve_clamped(int at, int end)
{
    return at < 0 ? 0 : at < end ? at : end - 1;
}

/* CONVOLVE_LANES pixels whose neighbours all lie within their rows. */
static inline void convolve_inside(DIVVY_GLOBAL const float *src, DIVVY_GLOBAL const float *weights, int width,
                                   int height, int radius, int y, int first, DIVVY_GLOBAL float *out)
{
    float sum[CONVOLVE_LANES];
    DIVVY_FOR_LANES (l, CONVOLVE_LANES)
        sum[l] = 0.0f;
    for (int v = -radius; v <= radius; v++) {
        DIVVY_GLOBAL const float *row = src + (ulong)convolve_clamped(y + v, height) * width + (first - radius);
        DIVVY_GLOBAL const float *across = weights + (v + radius) * (2 * radius + 1);
        for (int u = 0; u <= 2 * radius; u++)
            DIVVY_FOR_LANES (l, CONVOLVE_LANES)
                sum[l] += across[u] * row[u + l];
    }
    DIVVY_FOR_LANES (l, CONVOLVE_LANES)
        out[l] = sum[l];
}

/* At most CONVOLVE_LANES pixels near an edge: rows are copied piece by piece, with what lies outside filled in. */
static inline void convolve_edge(DIVVY_GLOBAL const float *src, DIVVY_GLOBAL const float *weights, int width,
                                 int height, int radius, int y, int first, int lanes, DIVVY_GLOBAL float *out)
{
    float sum[CONVOLVE_LANES], padded[2 * CONVOLVE_LANES];
    DIVVY_FOR_LANES (l, CONVOLVE_LANES) {
        sum[l] = 0.0f;
        padded[l] = padded[CONVOLVE_LANES + l] = 0.0f;
    }
    for (int v = -radius; v <= radius; v++) {
        DIVVY_GLOBAL const float *row = src + (ulong)convolve_clamped(y + v, height) * width;
        DIVVY_GLOBAL const float *across = weights + (v + radius) * (2 * radius + 1);
        for (int u = 0; u <= 2 * radius; u += CONVOLVE_LANES) {
            int taps = 2 * radius + 1 - u < CONVOLVE_LANES ? 2 * radius + 1 - u : CONVOLVE_LANES;
            for (int p = 0; p < lanes + taps - 1; p++)
                padded[p] = row[convolve_clamped(first - radius + u + p, width)];
            for (int t = 0; t < taps; t++)
                DIVVY_FOR_LANES (l, CONVOLVE_LANES)
                    sum[l] += across[u + t] * padded[t + l];
        }
    }
    for (int l = 0; l < lanes; l++)
        out[l] = sum[l];
}

DIVVY_KERNEL(convolve, (value, int, width), (value, int, radius),
             (all, float, weights, (2 * radius + 1) * (2 * radius + 1)), (halo, float, src, width, radius),
             (out, float, dst, width))
{
    DIVVY_FOR (i) {
        int height = (int)DIVVY_TOTAL, inside = width - radius, lanes;
        for (int x = 0; x < width; x += lanes) {
            if (x >= radius && x < inside && inside - radius >= CONVOLVE_LANES) {
                /* The last block inside is moved back, so that it is whole too: some pixels are computed twice. */
                if (x > inside - CONVOLVE_LANES)
                    x = inside - CONVOLVE_LANES;
                lanes = CONVOLVE_LANES;
                convolve_inside(src, weights, width, height, radius, (int)i, x, dst + i * width + x);
            } else {
                int end = x < radius && radius < width ? radius : width;
                lanes = end - x < CONVOLVE_LANES ? end - x : CONVOLVE_LANES;
                convolve_edge(src, weights, width, height, radius, (int)i, x, lanes, dst + i * width + x);
            }
        }
    }
}
