/* Kinds of work that are not in divvy bench: shipped kernels that only the comparison with static splits needs. */
#include "kinds.h"

#include <divvy/kernel.h>

#include <math.h>
#include <string.h>

#include "convolve.cl"
#include "gemm.cl"
#include "gemv.cl"
#include "nlm.cl"

/* Between 0 and 1, from the index alone, so that threads may share the filling. */
static float fraction(uint32_t seed, size_t index)
{
    uint32_t bits = (uint32_t)index * UINT32_C(0x9e3779b9) + seed;
    bits = (bits ^ (bits >> 16)) * UINT32_C(0x7feb352d);
    bits = (bits ^ (bits >> 15)) * UINT32_C(0x846ca68b);
    return (float)((bits ^ (bits >> 16)) >> 8) * 0x1p-24f;
}

/* An array of the arguments, as its maker may write it. */
static float *writable(const float *array)
{
    return (float *)(uintptr_t)array;
}

static void fill_part(const float *array, uint32_t seed, size_t first, size_t count)
{
    for (size_t k = first; k < first + count; k++)
        writable(array)[k] = fraction(seed, k);
}

static bool is_near(float value, double expected)
{
    return fabs(value - expected) <= 1e-4 * fabs(expected) + 1e-5;
}

static int clamped(int at, int end)
{
    return at < 0 ? 0 : at < end ? at : end - 1;
}

/* Elements that are compared: few enough to be quick, and in every partition. */
enum { SAMPLES = 211 };

static bool samples_are_right(const struct work *work, size_t elements, bool (*is_right)(const void *args, size_t at))
{
    size_t step = elements > SAMPLES ? elements / SAMPLES : 1;
    for (size_t at = 0; at < elements; at += step)
        if (!is_right(work->args, at))
            return false;
    return is_right(work->args, elements - 1);
}

/* ---- Convolution: 121 weights ------------------------------------------------------------------- */

enum { CONVOLVE_WIDTH = 2048, CONVOLVE_RADIUS = 5, CONVOLVE_SIDE = 2 * CONVOLVE_RADIUS + 1 };

static int convolve_rows; /* of the picture at hand */

static void convolve_values(struct work *work)
{
    struct convolve_args *args = work->args;
    args->width = CONVOLVE_WIDTH;
    args->radius = CONVOLVE_RADIUS;
}

static void convolve_fill(void *context, size_t first, size_t count)
{
    const struct convolve_args *args = ((struct work *)context)->args;
    if (first == 0)
        fill_part(args->weights, 21, 0, CONVOLVE_SIDE * CONVOLVE_SIDE);
    fill_part(args->src, 22, first * CONVOLVE_WIDTH, count * CONVOLVE_WIDTH);
}

static bool pixel_is_right(const void *arguments, size_t at)
{
    const struct convolve_args *args = arguments;
    int x = (int)(at % CONVOLVE_WIDTH), y = (int)(at / CONVOLVE_WIDTH);
    double sum = 0;
    for (int v = 0; v < CONVOLVE_SIDE; v++)
        for (int u = 0; u < CONVOLVE_SIDE; u++) {
            int row = clamped(y + v - CONVOLVE_RADIUS, convolve_rows);
            int column = clamped(x + u - CONVOLVE_RADIUS, CONVOLVE_WIDTH);
            sum += (double)args->weights[v * CONVOLVE_SIDE + u] * args->src[row * CONVOLVE_WIDTH + column];
        }
    return is_near(args->dst[at], sum);
}

static bool convolve_is_right(const struct work *work)
{
    convolve_rows = (int)work->count;
    return samples_are_right(work, work->count * CONVOLVE_WIDTH, pixel_is_right);
}

/* ---- A matrix times a vector -------------------------------------------------------------------- */

enum { GEMV_COLUMNS = 4096 };

static void gemv_values(struct work *work)
{
    ((struct gemv_args *)work->args)->cols = GEMV_COLUMNS;
}

static void gemv_fill(void *context, size_t first, size_t count)
{
    const struct gemv_args *args = ((struct work *)context)->args;
    if (first == 0)
        fill_part(args->x, 23, 0, GEMV_COLUMNS);
    fill_part(args->A, 24, first * GEMV_COLUMNS, count * GEMV_COLUMNS);
}

static bool product_is_right(const void *arguments, size_t at)
{
    const struct gemv_args *args = arguments;
    double sum = 0;
    for (size_t k = 0; k < GEMV_COLUMNS; k++)
        sum += (double)args->A[at * GEMV_COLUMNS + k] * args->x[k];
    return is_near(args->y[at], sum);
}

static bool gemv_is_right(const struct work *work)
{
    return samples_are_right(work, work->count, product_is_right);
}

/* ---- A matrix times a matrix -------------------------------------------------------------------- */

enum { GEMM_SIDE = 1024 };

static void gemm_values(struct work *work)
{
    struct gemm_args *args = work->args;
    args->inner = args->cols = GEMM_SIDE;
}

static void gemm_fill(void *context, size_t first, size_t count)
{
    const struct gemm_args *args = ((struct work *)context)->args;
    if (first == 0)
        fill_part(args->B, 25, 0, (size_t)GEMM_SIDE * GEMM_SIDE);
    fill_part(args->A, 26, first * GEMM_SIDE, count * GEMM_SIDE);
}

static bool element_is_right(const void *arguments, size_t at)
{
    const struct gemm_args *args = arguments;
    size_t row = at / GEMM_SIDE, column = at % GEMM_SIDE;
    double sum = 0;
    for (size_t k = 0; k < GEMM_SIDE; k++)
        sum += (double)args->A[row * GEMM_SIDE + k] * args->B[k * GEMM_SIDE + column];
    return is_near(args->C[at], sum);
}

static bool gemm_is_right(const struct work *work)
{
    return samples_are_right(work, work->count * GEMM_SIDE, element_is_right);
}

/* ---- Non-local means ---------------------------------------------------------------------------- */

enum { PICTURE_WIDTH = 512, PATCH = 2, SEARCH = 5 };
static const float NOISE = 0.1f, STRENGTH = 0.3f;

static int picture_rows;

static void nlm_values(struct work *work)
{
    struct nlm_args *args = work->args;
    args->width = PICTURE_WIDTH;
    args->channels = 1;
    args->patch = PATCH;
    args->search = SEARCH;
    args->noise = NOISE;
    args->strength = STRENGTH;
}

static void nlm_fill(void *context, size_t first, size_t count)
{
    const struct nlm_args *args = ((struct work *)context)->args;
    fill_part(args->src, 27, first * PICTURE_WIDTH, count * PICTURE_WIDTH);
}

static double source(const struct nlm_args *args, int x, int y)
{
    return args->src[(size_t)clamped(y, picture_rows) * PICTURE_WIDTH + (size_t)clamped(x, PICTURE_WIDTH)];
}

/* How much the pixel (x + dx, y + dy) counts for (x, y). */
static double likeness(const struct nlm_args *args, int x, int y, int dx, int dy)
{
    enum { SIDE = 2 * PATCH + 1 };
    double squares = 0;
    for (int v = -PATCH; v <= PATCH; v++)
        for (int u = -PATCH; u <= PATCH; u++) {
            double difference = source(args, x + u, y + v) - source(args, x + dx + u, y + dy + v);
            squares += difference * difference;
        }
    double excess = squares / (SIDE * SIDE) - 2.0 * NOISE * NOISE;
    return exp(-fmax(excess, 0) / ((double)STRENGTH * STRENGTH));
}

static bool denoised_is_right(const void *arguments, size_t at)
{
    const struct nlm_args *args = arguments;
    int x = (int)(at % PICTURE_WIDTH), y = (int)(at / PICTURE_WIDTH);
    double sum = 0, weights = 0;
    for (int dy = -SEARCH; dy <= SEARCH; dy++)
        for (int dx = -SEARCH; dx <= SEARCH; dx++) {
            if (x + dx < 0 || x + dx >= PICTURE_WIDTH || y + dy < 0 || y + dy >= picture_rows)
                continue;
            double weight = likeness(args, x, y, dx, dy);
            weights += weight;
            sum += weight * source(args, x + dx, y + dy);
        }
    return is_near(args->dst[at], sum / weights);
}

static bool nlm_is_right(const struct work *work)
{
    picture_rows = (int)work->count;
    return samples_are_right(work, work->count * PICTURE_WIDTH, denoised_is_right);
}

/* ---- All of them -------------------------------------------------------------------------------- */

static const struct work_kind kinds[] = {
    {.name = "convolve",
     .kernel = &convolve_kernel,
     .device_count = 2048,
     .quick_count = 32,
     .set_values = convolve_values,
     .fill = convolve_fill,
     .is_right = convolve_is_right},
    {.name = "gemv",
     .kernel = &gemv_kernel,
     .device_count = 16384,
     .quick_count = 256,
     .set_values = gemv_values,
     .fill = gemv_fill,
     .is_right = gemv_is_right},
    {.name = "gemm",
     .kernel = &gemm_kernel,
     .device_count = 1024,
     .quick_count = 32,
     .set_values = gemm_values,
     .fill = gemm_fill,
     .is_right = gemm_is_right},
    {.name = "nlm",
     .kernel = &nlm_kernel,
     .device_count = 512,
     .quick_count = 16,
     .set_values = nlm_values,
     .fill = nlm_fill,
     .is_right = nlm_is_right},
};

const struct work_kind *kinds_find(const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return work_kind(name);
}
