/* The shipped kernels that work on rows; see kernels_cases.c. */
#include "trial.h"

#include "convolve.cl"
#include "gemm.cl"
#include "gemv.cl"
#include "nlm.cl"

#include <math.h>
#include <stdlib.h>

static size_t clamped(ptrdiff_t at, size_t end)
{
    return at < 0 ? 0 : (size_t)at < end ? (size_t)at : end - 1;
}

void check_gemv(struct trial *t, size_t rows, size_t cols)
{
    float *A = trial_numbers(t, rows * cols, 8), *x = trial_numbers(t, cols, 8), *y = trial_output(t, rows, sizeof *y);
    double *expected = trial_doubles(rows);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < cols; k++)
            expected[i] += (double)A[i * cols + k] * (double)x[k];
    struct gemv_args args = {.cols = (int)cols, .A = A, .x = x, .y = y};
    EXTENT(t, gemv, rows, args, "A", cols, 0);
    EXTENT(t, gemv, rows, args, "x", cols, 0);
    if (RUN(t, gemv, rows, args))
        trial_compare(t, rows, y, expected, NULL);
    free(expected);
    trial_close(t);
}

void check_gemm(struct trial *t, size_t rows, size_t inner, size_t cols)
{
    float *A = trial_numbers(t, rows * inner, 8), *B = trial_numbers(t, inner * cols, 8);
    float *C = trial_output(t, rows * cols, sizeof *C);
    double *expected = trial_doubles(rows * cols);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < inner; k++)
            for (size_t j = 0; j < cols; j++)
                expected[i * cols + j] += (double)A[i * inner + k] * (double)B[k * cols + j];
    struct gemm_args args = {.inner = (int)inner, .cols = (int)cols, .A = A, .B = B, .C = C};
    EXTENT(t, gemm, rows, args, "B", inner * cols, 0);
    EXTENT(t, gemm, rows, args, "C", cols, 0);
    if (RUN(t, gemm, rows, args))
        trial_compare(t, rows * cols, C, expected, NULL);
    free(expected);
    trial_close(t);
}

void check_convolve(struct trial *t, size_t height, size_t width, int radius)
{
    size_t side = (size_t)(2 * radius + 1);
    float *weights = trial_numbers(t, side * side, 8), *src = trial_numbers(t, height * width, 8);
    float *dst = trial_output(t, height * width, sizeof *dst);
    double *expected = trial_doubles(height * width);
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
        trial_compare(t, height * width, dst, expected, NULL);
    free(expected);
    trial_close(t);
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
void check_nlm(struct trial *t, size_t height, size_t width, size_t channels, int patch, int search)
{
    const double noise = 0.1f, strength = 0.5f;
    size_t side = (size_t)(2 * patch + 1), terms = side * side * channels;
    float *src = trial_reals(t, height * width * channels, 0, 1),
          *dst = trial_output(t, height * width * channels, sizeof *dst);
    double *expected = trial_doubles(height * width * channels), *tolerance = trial_doubles(height * width * channels);
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
        trial_compare(t, height * width * channels, dst, expected, tolerance);
    free(expected);
    free(tolerance);
    trial_close(t);
}
