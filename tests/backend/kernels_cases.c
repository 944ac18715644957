/* What must hold in every case: results are those of the plain C written here, nothing outside the written arrays is
 * touched, inputs stay as they were, and the descriptor tells the extents.
 *
 * Arithmetic on small whole numbers is exact in any order and with or without fused operations, so wherever a kernel
 * only adds and multiplies, results must be equal. Elsewhere the tolerance is derived beside the reference: `eps` is
 * the distance of floats at 1, twice the rounding error of one operation. */
#include "kernels_cases.h"

#include "black_scholes.cl"
#include "convolve.cl"
#include "gemm.cl"
#include "gemv.cl"
#include "histogram.h"
#include "inner.cl"
#include "mandelbrot.cl"
#include "max_double.cl"
#include "max_float.cl"
#include "max_int.cl"
#include "min_double.cl"
#include "min_float.cl"
#include "min_int.cl"
#include "nbody.cl"
#include "nlm.cl"
#include "saxpy.cl"
#include "sum_double.cl"
#include "sum_float.cl"
#include "sum_int.cl"
#include "triad.cl"

#include "check.h"

#include <float.h>
#include <limits.h>
#include <math.h>

static const double eps = FLT_EPSILON;

/* ---- Arrays with guards --------------------------------------------------------------------------- */

enum { GUARD = 64, ARRAYS_MAX = 8, POISON = 0xCB };

struct array {
    unsigned char *memory; /* GUARD bytes, the array, GUARD bytes */
    size_t bytes;
    size_t shift;        /* what the array begins beyond a multiple of 64 */
    unsigned char *kept; /* what an input holds, to be compared; NULL for arrays that are written */
};

struct trial {
    kernel_runner *run;
    void *with;
    const char *name;
    uint64_t random;
    struct array arrays[ARRAYS_MAX];
    size_t array_count;
};

/* An array that is not aligned to more than its element, filled with nonsense. */
static void *output(struct trial *t, size_t count, size_t element_bytes)
{
    struct array *a = &t->arrays[t->array_count++];
    *a = (struct array){.bytes = count * element_bytes, .shift = check_random(&t->random) % 2 * element_bytes};
    size_t room = (2 * GUARD + a->shift + a->bytes + 63) / 64 * 64;
    a->memory = aligned_alloc(64, room);
    memset(a->memory, POISON, room);
    return a->memory + GUARD + a->shift;
}

/* From here on the array filled last must not change. */
static void keep(struct trial *t)
{
    struct array *a = &t->arrays[t->array_count - 1];
    a->kept = malloc(a->bytes + 1);
    memcpy(a->kept, a->memory + GUARD + a->shift, a->bytes);
}

static float *reals(struct trial *t, size_t count, double low, double high)
{
    float *x = output(t, count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)check_uniform(&t->random, low, high);
    keep(t);
    return x;
}

/* Whole numbers from -limit to limit, as floats. */
static float *numbers(struct trial *t, size_t count, int limit)
{
    float *x = output(t, count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((int)(check_random(&t->random) % (unsigned)(2 * limit + 1)) - limit);
    keep(t);
    return x;
}

static bool all_poison(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != POISON)
            return false;
    return true;
}

static void close_arrays(struct trial *t)
{
    char text[128];
    for (size_t k = 0; k < t->array_count; k++) {
        struct array *a = &t->arrays[k];
        unsigned char *data = a->memory + GUARD + a->shift;
        snprintf(text, sizeof text, "%s leaves what lies around array %zu as it is", t->name, k);
        check_report(all_poison(a->memory, GUARD + a->shift) && all_poison(data + a->bytes, GUARD), __FILE__, __LINE__,
                     text);
        snprintf(text, sizeof text, "%s leaves its input %zu as it is", t->name, k);
        if (a->kept)
            check_report(memcmp(a->kept, data, a->bytes) == 0, __FILE__, __LINE__, text);
        free(a->kept);
        free(a->memory);
    }
    t->array_count = 0;
}

/* ---- Comparing -------------------------------------------------------------------------------------- */

/* Tells the first element that is off; `good` is for all. */
static void told(struct trial *t, bool good, size_t count, size_t at, double actual, double expected, double tolerance)
{
    char text[256];
    snprintf(text, sizeof text, "%s of %zu: element %zu is %.9g, not %.9g within %.2g", t->name, count, at, actual,
             expected, tolerance);
    check_report(good, __FILE__, __LINE__, text);
}

/* `tolerance` NULL: equal. */
static void compare(struct trial *t, size_t count, const float *actual, const double *expected, const double *tolerance)
{
    for (size_t i = 0; i < count; i++) {
        double allowed = tolerance ? tolerance[i] : 0.0;
        if (!(fabs((double)actual[i] - expected[i]) <= allowed)) {
            told(t, false, count, i, (double)actual[i], expected[i], allowed);
            return;
        }
    }
    told(t, true, count, 0, 0, 0, 0);
}

static void equal(struct trial *t, size_t count, double actual, double expected)
{
    told(t, actual == expected, count, 0, actual, expected, 0.0);
}

/* The extent of parameter `name` must be `elements`, with `radius` rows around it. */
static void extent(struct trial *t, const divvy_kernel *kernel, size_t count, const void *args, const char *name,
                   size_t elements, size_t radius)
{
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    char text[256];
    kernel->extents(args, count, extents);
    for (size_t k = 0; k < kernel->parameter_count; k++)
        if (strcmp(kernel->parameters[k].name, name) == 0) {
            snprintf(text, sizeof text, "%s: extent of %s is %zu (%zu), not %zu (%zu)", t->name, name,
                     extents[k].elements, extents[k].radius, elements, radius);
            check_report(extents[k].elements == elements && extents[k].radius == radius, __FILE__, __LINE__, text);
            return;
        }
    snprintf(text, sizeof text, "%s has a parameter %s", t->name, name);
    check_report(false, __FILE__, __LINE__, text);
}

#define RUN(t, kernel, count, args) \
    ((t)->name = #kernel, (t)->run((t)->with, &kernel##_kernel, (count), &(args), sizeof(args)))
#define EXTENT(t, kernel, count, args, parameter, elements, radius) \
    ((t)->name = #kernel, extent((t), &kernel##_kernel, (count), &(args), (parameter), (elements), (radius)))

static double *doubles(size_t count)
{
    return calloc(count + 1, sizeof(double));
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t clamped(ptrdiff_t at, size_t end)
{
    return at < 0 ? 0 : least((size_t)at, end - 1);
}

/* ---- Element by element ----------------------------------------------------------------------------- */

static void check_saxpy(struct trial *t, size_t n)
{
    float *x = numbers(t, n, 1000), *y = numbers(t, n, 1000);
    double *expected = doubles(n);
    struct array *written = &t->arrays[t->array_count - 1];
    free(written->kept);
    written->kept = NULL;
    for (size_t i = 0; i < n; i++)
        expected[i] = 3.0 * (double)x[i] + (double)y[i];
    struct saxpy_args args = {.a = 3.0f, .x = x, .y = y};
    EXTENT(t, saxpy, n, args, "x", 1, 0);
    EXTENT(t, saxpy, n, args, "a", 0, 0);
    if (RUN(t, saxpy, n, args))
        compare(t, n, y, expected, NULL);
    free(expected);
    close_arrays(t);
}

static void check_triad(struct trial *t, size_t n)
{
    float *x = numbers(t, n, 1000), *y = numbers(t, n, 1000), *z = output(t, n, sizeof *z);
    double *expected = doubles(n);
    for (size_t i = 0; i < n; i++)
        expected[i] = (double)x[i] - 5.0 * (double)y[i];
    struct triad_args args = {.a = -5.0f, .x = x, .y = y, .z = z};
    if (RUN(t, triad, n, args))
        compare(t, n, z, expected, NULL);
    free(expected);
    close_arrays(t);
}

/* Prices from double arithmetic and erfc. The float of d1 is off by what log, the quotient and the root are off, over
 * the spread; N by at most 0.4 times that, its own 7.5e-8 and the roundings of its series (16 eps). */
static void check_black_scholes(struct trial *t, size_t n)
{
    const double rate = 0.03f, volatility = 0.25f;
    float *spot = reals(t, n, 5, 30), *strike = reals(t, n, 1, 100), *years = reals(t, n, 0.25, 10);
    float *call = output(t, n, sizeof *call), *put = output(t, n, sizeof *put);
    double *calls = doubles(n), *puts = doubles(n), *tolerance = doubles(n);
    for (size_t i = 0; i < n; i++) {
        double s = (double)spot[i], k = (double)strike[i], y = (double)years[i];
        double spread = volatility * sqrt(y), drift = (rate + 0.5 * volatility * volatility) * y;
        double d1 = (log(s / k) + drift) / spread, d2 = d1 - spread, due = k * exp(-rate * y);
        double n1 = 0.5 * erfc(-d1 / sqrt(2.0)), n2 = 0.5 * erfc(-d2 / sqrt(2.0));
        calls[i] = s * n1 - due * n2;
        puts[i] = due * (1.0 - n2) - s * (1.0 - n1);
        double off_d = eps * ((4.0 * fabs(log(s / k)) + 1.0 + 3.0 * drift) / spread + 4.0 * (fabs(d1) + spread));
        double off_n = 0.4 * off_d + 7.5e-8 + 16.0 * eps;
        tolerance[i] = (s + due) * (off_n + 12.0 * eps);
    }
    struct black_scholes_args args = {.rate = (float)rate,
                                      .volatility = (float)volatility,
                                      .spot = spot,
                                      .strike = strike,
                                      .years = years,
                                      .call = call,
                                      .put = put};
    if (RUN(t, black_scholes, n, args)) {
        compare(t, n, call, calls, tolerance);
        compare(t, n, put, puts, tolerance);
    }
    free(calls);
    free(puts);
    free(tolerance);
    close_arrays(t);
}

/* ---- Folds --------------------------------------------------------------------------------------------- */

static void check_float_folds(struct trial *t, size_t n)
{
    /* Sums stay below 2^24, so that each is exact: n up to 2^20, terms up to 16. */
    float *x = numbers(t, n, 4), *y = numbers(t, n, 4);
    float *total = output(t, 1, sizeof *total), *smallest = output(t, 1, sizeof *smallest);
    float *largest = output(t, 1, sizeof *largest);
    double inner_sum = 0, sum = 0, low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = 0; i < n; i++) {
        inner_sum += (double)x[i] * (double)y[i];
        sum += (double)x[i];
    }
    struct inner_args inner_args = {.x = x, .y = y, .total = total};
    if (RUN(t, inner, n, inner_args))
        equal(t, n, (double)*total, inner_sum);
    struct sum_float_args sum_args = {.x = x, .total = total};
    if (RUN(t, sum_float, n, sum_args))
        equal(t, n, (double)*total, sum);

    /* A NaN is passed over by min and max. */
    float *z = output(t, n, sizeof *z);
    for (size_t i = 0; i < n; i++)
        z[i] = check_random(&t->random) % 16 == 0 ? NAN : (float)check_uniform(&t->random, -1e6, 1e6);
    keep(t);
    for (size_t i = 0; i < n; i++) {
        low = (double)z[i] < low ? (double)z[i] : low;
        high = (double)z[i] > high ? (double)z[i] : high;
    }
    struct min_float_args min_args = {.x = z, .smallest = smallest};
    if (RUN(t, min_float, n, min_args))
        equal(t, n, (double)*smallest, low);
    struct max_float_args max_args = {.x = z, .largest = largest};
    if (RUN(t, max_float, n, max_args))
        equal(t, n, (double)*largest, high);
    close_arrays(t);
}

static void check_double_folds(struct trial *t, size_t n)
{
    double *x = output(t, n, sizeof *x);
    for (size_t i = 0; i < n; i++) /* whole, too long for a float, with sums below 2^53 */
        x[i] = (double)((int64_t)(check_random(&t->random) % ((uint64_t)1 << 31)) - ((int64_t)1 << 30));
    keep(t);
    double *total = output(t, 1, sizeof *total), *smallest = output(t, 1, sizeof *smallest);
    double *largest = output(t, 1, sizeof *largest);
    double sum = 0, low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    struct sum_double_args sum_args = {.x = x, .total = total};
    if (RUN(t, sum_double, n, sum_args))
        equal(t, n, *total, sum);
    struct min_double_args min_args = {.x = x, .smallest = smallest};
    if (RUN(t, min_double, n, min_args))
        equal(t, n, *smallest, low);
    struct max_double_args max_args = {.x = x, .largest = largest};
    if (RUN(t, max_double, n, max_args))
        equal(t, n, *largest, high);
    close_arrays(t);
}

static void check_int_folds(struct trial *t, size_t n)
{
    int *x = output(t, n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (int)((int64_t)(check_random(&t->random) >> 32) + INT_MIN);
    keep(t);
    int64_t *total = output(t, 1, sizeof *total), sum = 0;
    int *smallest = output(t, 1, sizeof *smallest), *largest = output(t, 1, sizeof *largest);
    int low = INT_MAX, high = INT_MIN;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    struct sum_int_args sum_args = {.x = x, .total = total};
    if (RUN(t, sum_int, n, sum_args))
        equal(t, n, (double)*total, (double)sum);
    struct min_int_args min_args = {.x = x, .smallest = smallest};
    if (RUN(t, min_int, n, min_args))
        equal(t, n, *smallest, low);
    struct max_int_args max_args = {.x = x, .largest = largest};
    if (RUN(t, max_int, n, max_args))
        equal(t, n, *largest, high);
    close_arrays(t);
}

static void check_histogram(struct trial *t, size_t n)
{
    float *x = numbers(t, n, 300);
    struct histogram *actual = output(t, 1, sizeof *actual), expected = {0};
    for (size_t i = 0; i < n; i++)
        if (x[i] < 0.0f)
            expected.below++;
        else if (x[i] >= 256.0f)
            expected.above++;
        else
            expected.bins[(int)x[i]]++;
    struct histogram_args args = {.low = 0.0f, .high = 256.0f, .x = x, .counts = actual};
    if (RUN(t, histogram, n, args))
        check_report(memcmp(actual, &expected, sizeof expected) == 0, __FILE__, __LINE__, "histogram counts");
    close_arrays(t);
}

/* ---- Rows ------------------------------------------------------------------------------------------------ */

static void check_gemv(struct trial *t, size_t rows, size_t cols)
{
    float *A = numbers(t, rows * cols, 8), *x = numbers(t, cols, 8), *y = output(t, rows, sizeof *y);
    double *expected = doubles(rows);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < cols; k++)
            expected[i] += (double)A[i * cols + k] * (double)x[k];
    struct gemv_args args = {.cols = (int)cols, .A = A, .x = x, .y = y};
    EXTENT(t, gemv, rows, args, "A", cols, 0);
    EXTENT(t, gemv, rows, args, "x", cols, 0);
    if (RUN(t, gemv, rows, args))
        compare(t, rows, y, expected, NULL);
    free(expected);
    close_arrays(t);
}

static void check_gemm(struct trial *t, size_t rows, size_t inner, size_t cols)
{
    float *A = numbers(t, rows * inner, 8), *B = numbers(t, inner * cols, 8);
    float *C = output(t, rows * cols, sizeof *C);
    double *expected = doubles(rows * cols);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < inner; k++)
            for (size_t j = 0; j < cols; j++)
                expected[i * cols + j] += (double)A[i * inner + k] * (double)B[k * cols + j];
    struct gemm_args args = {.inner = (int)inner, .cols = (int)cols, .A = A, .B = B, .C = C};
    EXTENT(t, gemm, rows, args, "B", inner * cols, 0);
    EXTENT(t, gemm, rows, args, "C", cols, 0);
    if (RUN(t, gemm, rows, args))
        compare(t, rows * cols, C, expected, NULL);
    free(expected);
    close_arrays(t);
}

static void check_convolve(struct trial *t, size_t height, size_t width, int radius)
{
    size_t side = (size_t)(2 * radius + 1);
    float *weights = numbers(t, side * side, 8), *src = numbers(t, height * width, 8);
    float *dst = output(t, height * width, sizeof *dst);
    double *expected = doubles(height * width);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t v = 0; v < side; v++)
                for (size_t u = 0; u < side; u++) {
                    size_t row = clamped((ptrdiff_t)(y + v) - radius, height);
                    size_t column = clamped((ptrdiff_t)(x + u) - radius, width);
                    expected[y * width + x] += (double)weights[v * side + u] * (double)src[row * width + column];
                }
    struct convolve_args args = {.width = (int)width, .radius = radius, .weights = weights, .src = src, .dst = dst};
    EXTENT(t, convolve, height, args, "weights", side * side, 0);
    EXTENT(t, convolve, height, args, "src", width, (size_t)radius);
    if (RUN(t, convolve, height, args))
        compare(t, height * width, dst, expected, NULL);
    free(expected);
    close_arrays(t);
}

/* One channel-sum of the squared differences of two patches. */
static double patch_distance(const float *src, size_t height, size_t width, size_t channels, int patch, size_t py,
                             size_t px, size_t qy, size_t qx)
{
    double sum = 0;
    for (int v = -patch; v <= patch; v++)
        for (int u = -patch; u <= patch; u++)
            for (size_t c = 0; c < channels; c++) {
                size_t p = clamped((ptrdiff_t)py + v, height) * width + clamped((ptrdiff_t)px + u, width);
                size_t q = clamped((ptrdiff_t)qy + v, height) * width + clamped((ptrdiff_t)qx + u, width);
                double difference = (double)src[p * channels + c] - (double)src[q * channels + c];
                sum += difference * difference;
            }
    return sum;
}

/* A mean of n values in [0, 1]: off by n roundings, and by what the weights are off, each relative to itself by its
 * exponent's error: that of a distance of `terms` terms, over strength^2. */
static void check_nlm(struct trial *t, size_t height, size_t width, size_t channels, int patch, int search)
{
    const double noise = 0.1f, strength = 0.5f;
    size_t side = (size_t)(2 * patch + 1), terms = side * side * channels;
    float *src = reals(t, height * width * channels, 0, 1), *dst = output(t, height * width * channels, sizeof *dst);
    double *expected = doubles(height * width * channels), *tolerance = doubles(height * width * channels);
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            double weights = 0, off = 0, sum[4] = {0};
            size_t n = 0;
            for (int dy = -search; dy <= search; dy++)
                for (int dx = -search; dx <= search; dx++) {
                    size_t qy = y + (size_t)dy, qx = x + (size_t)dx; /* what is before 0 wraps to a large number */
                    if (qy >= height || qx >= width)
                        continue;
                    double d = patch_distance(src, height, width, channels, patch, y, x, qy, qx) / (double)terms;
                    double excess = fmax(d - 2.0 * noise * noise, 0.0) / (strength * strength), weight = exp(-excess);
                    weights += weight;
                    off += weight * eps * ((double)(terms + 8) * (d + noise * noise) / (strength * strength) + 8.0);
                    for (size_t c = 0; c < channels; c++)
                        sum[c] += weight * (double)src[(qy * width + qx) * channels + c];
                    n++;
                }
            for (size_t c = 0; c < channels; c++) {
                expected[(y * width + x) * channels + c] = sum[c] / weights;
                tolerance[(y * width + x) * channels + c] = (double)(2 * n + 8) * eps + 2.0 * off / weights;
            }
        }
    struct nlm_args args = {.width = (int)width,
                            .channels = (int)channels,
                            .patch = patch,
                            .search = search,
                            .noise = (float)noise,
                            .strength = (float)strength,
                            .src = src,
                            .dst = dst};
    EXTENT(t, nlm, height, args, "src", width * channels, (size_t)(patch + search));
    if (RUN(t, nlm, height, args))
        compare(t, height * width * channels, dst, expected, tolerance);
    free(expected);
    free(tolerance);
    close_arrays(t);
}

/* ---- Others ------------------------------------------------------------------------------------------------ */

/* A sum of n terms is off by n roundings, each term by the roundings of its differences, root, quotient and cube. */
static void check_nbody(struct trial *t, size_t n)
{
    const float softening = 0.05f;
    float *bodies[4], *acceleration[3]; /* x, y, z, mass */
    for (int c = 0; c < 4; c++) {
        bodies[c] = output(t, n, sizeof(float));
        for (size_t i = 0; i < n; i++)
            bodies[c][i] = (float)check_uniform(&t->random, c < 3 ? -1 : 0.1, 1);
        keep(t);
    }
    for (int c = 0; c < 3; c++)
        acceleration[c] = output(t, n, sizeof(float));
    double *expected = doubles(3 * n), *tolerance = doubles(3 * n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double d[3], r2 = (double)softening * (double)softening;
            for (int c = 0; c < 3; c++) {
                d[c] = (double)bodies[c][j] - (double)bodies[c][i];
                r2 += d[c] * d[c];
            }
            for (size_t c = 0; c < 3; c++) {
                double term = (double)bodies[3][j] * d[c] / (r2 * sqrt(r2));
                expected[c * n + i] += term;
                tolerance[c * n + i] += fabs(term) * eps * (double)(n + 32);
            }
        }
    struct nbody_args args = {.softening = softening,
                              .x = bodies[0],
                              .y = bodies[1],
                              .z = bodies[2],
                              .mass = bodies[3],
                              .ax = acceleration[0],
                              .ay = acceleration[1],
                              .az = acceleration[2]};
    EXTENT(t, nbody, n, args, "mass", n, 0);
    EXTENT(t, nbody, n, args, "ax", 1, 0);
    if (RUN(t, nbody, n, args))
        for (size_t c = 0; c < 3; c++)
            compare(t, n, acceleration[c], expected + c * n, tolerance + c * n);
    free(expected);
    free(tolerance);
    close_arrays(t);
}

/* The counts that float arithmetic may give: from the first step at which z may be outside, given how far it may be off
 * by then, to the first at which it must be. An error e of z becomes 2 |z| e + e^2 and what the step itself rounds. */
static void escape_range(double cx, double cy, double off_c, int limit, int *out_low, int *out_high)
{
    double x = 0, y = 0, off = 0;
    int low = -1, k = 0;
    for (; k < limit; k++) {
        double size = hypot(x, y), rounded = 4.0 * eps * (size * size + 2.0);
        if (low < 0 && size + off + 4.0 * eps > 2.0)
            low = k;
        if (size - off - 4.0 * eps > 2.0)
            break;
        if (off > 8.0) { /* nothing is known any more */
            k = limit;
            break;
        }
        double next = x * x - y * y + cx;
        y = 2.0 * x * y + cy;
        x = next;
        off = 2.0 * size * off + off * off + off_c + rounded;
    }
    *out_low = low < 0 ? limit : low;
    *out_high = k;
}

static void check_mandelbrot(struct trial *t, size_t strips, size_t width, int limit)
{
    size_t points = strips * MANDELBROT_STRIP;
    const float left = -2.0f, top = 1.25f, pixel = 2.5f / (float)width;
    int *counts = output(t, points, sizeof *counts);
    struct mandelbrot_args args = {
        .width = (int)width, .left = left, .top = top, .pixel = pixel, .limit = limit, .counts = counts};
    EXTENT(t, mandelbrot, strips, args, "counts", MANDELBROT_STRIP, 0);
    if (RUN(t, mandelbrot, strips, args)) {
        size_t wrong = points, sure = 0;
        int low = 0, high = 0;
        for (size_t p = 0; p < points && wrong == points; p++) {
            double column = (double)(p % width) * (double)pixel, row = (double)(p / width) * (double)pixel;
            double off_c = 2.0 * eps * (fabs(column) + fabs(row) + 4.0);
            escape_range((double)left + column, (double)top - row, off_c, limit, &low, &high);
            sure += low == high;
            if (counts[p] < low || counts[p] > high)
                wrong = p;
        }
        told(t, wrong == points, points, wrong, wrong < points ? counts[wrong] : 0, low, high - low);
        /* Most points are told exactly, or the test would see nothing. */
        CHECK(points == 0 || wrong < points || sure * 2 > points);
    }
    close_arrays(t);
}

int check_kernels(kernel_runner *run, void *with, uint64_t seed, size_t most)
{
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 4099, 100003};
    struct trial t = {.run = run, .with = with, .random = seed};

    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        size_t n = least(counts[k], most);
        check_saxpy(&t, n);
        check_triad(&t, n);
        check_black_scholes(&t, n);
        check_float_folds(&t, n);
        check_double_folds(&t, n);
        check_int_folds(&t, n);
        check_histogram(&t, n);
        check_nbody(&t, least(n, 701));
        check_gemv(&t, least(n, 257), 1 + check_random(&t.random) % 300);
        check_mandelbrot(&t, least(n, 97), 61, 100);
    }

    /* Widths and radii on both sides of the blocks that the kernels go by; 0 and 1 rows among them. */
    static const size_t shapes[][4] = {{0, 3, 5, 1},      {1, 1, 1, 0},      {7, 1, 64, 1},  {1, 129, 65, 2},
                                       {13, 300, 130, 3}, {37, 70, 200, 15}, {5, 2, 63, 40}, {41, 128, 192, 2}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        size_t rows = shapes[k][0], inner = shapes[k][1], width = shapes[k][2];
        int radius = (int)shapes[k][3];
        check_gemv(&t, rows, width);
        check_gemm(&t, rows, inner, width);
        check_convolve(&t, rows, width, radius);
        check_mandelbrot(&t, rows, width, (int)inner);
    }
    static const int patches[][2] = {{1, 2}, {0, 1}, {2, 3}, {7, 4}, {3, 0}};
    static const size_t pictures[][3] = {{0, 9, 3},   {1, 1, 1},   {11, 40, 3}, {9, 101, 1},
                                         {23, 90, 3}, {6, 130, 4}, {5, 90, 2}};
    for (size_t k = 0; k < sizeof pictures / sizeof *pictures; k++) {
        const int *radii = patches[k % (sizeof patches / sizeof *patches)];
        check_nlm(&t, pictures[k][0], pictures[k][1], pictures[k][2], radii[0], radii[1]);
    }
    return check_summary() == EXIT_SUCCESS ? 0 : atomic_load(&check_failures);
}
