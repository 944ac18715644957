/* What must hold in every case: results are those of the plain C written here, nothing outside the written arrays is
 * touched, inputs stay as they were, and the descriptor tells the extents.
 *
 * Arithmetic on small whole numbers is exact in any order and with or without fused operations, so wherever a kernel
 * only adds and multiplies, results must be equal. Elsewhere the tolerance is derived beside the reference: `eps` is
 * the distance of floats at 1, twice the rounding error of one operation. */
#include "kernels_cases.h"

#include "trial.h"

#include "black_scholes.cl"
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
#include "saxpy.cl"
#include "sum_double.cl"
#include "sum_float.cl"
#include "sum_int.cl"
#include "triad.cl"

#include "../check.h"

#include <limits.h>
#include <math.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Element by element ----------------------------------------------------------------------------- */

static void check_saxpy(struct trial *t, size_t n)
{
    float *x = trial_numbers(t, n, 1000), *y = trial_numbers(t, n, 1000);
    double *expected = trial_doubles(n);
    trial_give_up(t);
    for (size_t i = 0; i < n; i++)
        expected[i] = 3.0 * (double)x[i] + (double)y[i];
    struct saxpy_args args = {.a = 3.0f, .x = x, .y = y};
    EXTENT(t, saxpy, n, args, "x", 1, 0);
    EXTENT(t, saxpy, n, args, "a", 0, 0);
    if (RUN(t, saxpy, n, args))
        trial_compare(t, n, y, expected, NULL);
    free(expected);
    trial_close(t);
}

static void check_triad(struct trial *t, size_t n)
{
    float *x = trial_numbers(t, n, 1000), *y = trial_numbers(t, n, 1000), *z = trial_output(t, n, sizeof *z);
    double *expected = trial_doubles(n);
    for (size_t i = 0; i < n; i++)
        expected[i] = (double)x[i] - 5.0 * (double)y[i];
    struct triad_args args = {.a = -5.0f, .x = x, .y = y, .z = z};
    if (RUN(t, triad, n, args))
        trial_compare(t, n, z, expected, NULL);
    free(expected);
    trial_close(t);
}

/* Prices from double arithmetic and erfc. The float of d1 is off by what log, the quotient and the root are off, over
 * the spread; N by at most 0.4 times that, its own 7.5e-8 and the roundings of its series (16 eps). */
static void check_black_scholes(struct trial *t, size_t n)
{
    const double rate = 0.03f, volatility = 0.25f;
    float *spot = trial_reals(t, n, 5, 30), *strike = trial_reals(t, n, 1, 100), *years = trial_reals(t, n, 0.25, 10);
    float *call = trial_output(t, n, sizeof *call), *put = trial_output(t, n, sizeof *put);
    double *calls = trial_doubles(n), *puts = trial_doubles(n), *tolerance = trial_doubles(n);
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
        trial_compare(t, n, call, calls, tolerance);
        trial_compare(t, n, put, puts, tolerance);
    }
    free(calls);
    free(puts);
    free(tolerance);
    trial_close(t);
}

/* ---- Folds --------------------------------------------------------------------------------------------- */

static void check_float_folds(struct trial *t, size_t n)
{
    /* Sums stay below 2^24, so that each is exact: n up to 2^20, terms up to 16. */
    float *x = trial_numbers(t, n, 4), *y = trial_numbers(t, n, 4);
    float *total = trial_output(t, 1, sizeof *total), *smallest = trial_output(t, 1, sizeof *smallest);
    float *largest = trial_output(t, 1, sizeof *largest);
    double inner_sum = 0, sum = 0, low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = 0; i < n; i++) {
        inner_sum += (double)x[i] * (double)y[i];
        sum += (double)x[i];
    }
    struct inner_args inner_args = {.x = x, .y = y, .total = total};
    if (RUN(t, inner, n, inner_args))
        trial_equal(t, n, (double)*total, inner_sum);
    struct sum_float_args sum_args = {.x = x, .total = total};
    if (RUN(t, sum_float, n, sum_args))
        trial_equal(t, n, (double)*total, sum);

    /* A NaN is passed over by min and max. */
    float *z = trial_output(t, n, sizeof *z);
    for (size_t i = 0; i < n; i++)
        z[i] = check_random(&t->random) % 16 == 0 ? NAN : (float)check_uniform(&t->random, -1e6, 1e6);
    trial_keep(t);
    for (size_t i = 0; i < n; i++) {
        low = (double)z[i] < low ? (double)z[i] : low;
        high = (double)z[i] > high ? (double)z[i] : high;
    }
    struct min_float_args min_args = {.x = z, .smallest = smallest};
    if (RUN(t, min_float, n, min_args))
        trial_equal(t, n, (double)*smallest, low);
    struct max_float_args max_args = {.x = z, .largest = largest};
    if (RUN(t, max_float, n, max_args))
        trial_equal(t, n, (double)*largest, high);
    trial_close(t);
}

static void check_double_folds(struct trial *t, size_t n)
{
    double *x = trial_output(t, n, sizeof *x);
    for (size_t i = 0; i < n; i++) /* whole, too long for a float, with sums below 2^53 */
        x[i] = (double)((int64_t)(check_random(&t->random) % ((uint64_t)1 << 31)) - ((int64_t)1 << 30));
    trial_keep(t);
    double *total = trial_output(t, 1, sizeof *total), *smallest = trial_output(t, 1, sizeof *smallest);
    double *largest = trial_output(t, 1, sizeof *largest);
    double sum = 0, low = (double)INFINITY, high = -(double)INFINITY;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    struct sum_double_args sum_args = {.x = x, .total = total};
    if (RUN(t, sum_double, n, sum_args))
        trial_equal(t, n, *total, sum);
    struct min_double_args min_args = {.x = x, .smallest = smallest};
    if (RUN(t, min_double, n, min_args))
        trial_equal(t, n, *smallest, low);
    struct max_double_args max_args = {.x = x, .largest = largest};
    if (RUN(t, max_double, n, max_args))
        trial_equal(t, n, *largest, high);
    trial_close(t);
}

static void check_int_folds(struct trial *t, size_t n)
{
    int *x = trial_output(t, n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (int)((int64_t)(check_random(&t->random) >> 32) + INT_MIN);
    trial_keep(t);
    int64_t *total = trial_output(t, 1, sizeof *total), sum = 0;
    int *smallest = trial_output(t, 1, sizeof *smallest), *largest = trial_output(t, 1, sizeof *largest);
    int low = INT_MAX, high = INT_MIN;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    struct sum_int_args sum_args = {.x = x, .total = total};
    if (RUN(t, sum_int, n, sum_args))
        trial_equal(t, n, (double)*total, (double)sum);
    struct min_int_args min_args = {.x = x, .smallest = smallest};
    if (RUN(t, min_int, n, min_args))
        trial_equal(t, n, *smallest, low);
    struct max_int_args max_args = {.x = x, .largest = largest};
    if (RUN(t, max_int, n, max_args))
        trial_equal(t, n, *largest, high);
    trial_close(t);
}

static void check_histogram(struct trial *t, size_t n)
{
    float *x = trial_numbers(t, n, 300);
    struct histogram *actual = trial_output(t, 1, sizeof *actual), expected = {0};
    for (size_t i = 0; i < n; i++)
        if (x[i] < 0.0f)
            expected.below++;
        else if (x[i] >= 256.0f)
            expected.above++;
        else
            expected.bins[(int)x[i]]++;
    struct histogram_args args = {.low = 0.0f, .high = 256.0f, .x = x, .counts = actual};
    if (RUN(t, histogram, n, args))
        trial_told(t, memcmp(actual, &expected, sizeof expected) == 0, "histogram of %zu: counts are wrong", n);
    trial_close(t);
}

/* ---- Others ------------------------------------------------------------------------------------------------ */

/* A sum of n terms is off by n roundings, each term by the roundings of its differences, root, quotient and cube. */
static void check_nbody(struct trial *t, size_t n)
{
    const float softening = 0.05f;
    float *bodies[4], *acceleration[3]; /* x, y, z, mass */
    for (int c = 0; c < 4; c++) {
        bodies[c] = trial_output(t, n, sizeof(float));
        for (size_t i = 0; i < n; i++)
            bodies[c][i] = (float)check_uniform(&t->random, c < 3 ? -1 : 0.1, 1);
        trial_keep(t);
    }
    for (int c = 0; c < 3; c++)
        acceleration[c] = trial_output(t, n, sizeof(float));
    double *expected = trial_doubles(3 * n), *tolerance = trial_doubles(3 * n);
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
            trial_compare(t, n, acceleration[c], expected + c * n, tolerance + c * n);
    free(expected);
    free(tolerance);
    trial_close(t);
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
    int *counts = trial_output(t, points, sizeof *counts);
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
        trial_told(t, wrong == points, "mandelbrot of %zu: point %zu has %d turns, not %d to %d", points, wrong,
                   wrong < points ? counts[wrong] : 0, low, high);
        /* Most points are told exactly, or the test would see nothing. */
        trial_told(t, points == 0 || wrong < points || sure * 2 > points, "mandelbrot: most points are unsure");
    }
    trial_close(t);
}

void check_kernels(const struct kernel_runner *runner, uint64_t seed)
{
    static const size_t counts[] = {0, 1, 2, 63, 64, 65, 4099, 100003};
    struct trial t = {.runner = runner, .random = seed};

    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        size_t n = least(counts[k], runner->most);
        check_saxpy(&t, n);
        check_triad(&t, n);
        check_black_scholes(&t, n);
        check_float_folds(&t, n);
        check_double_folds(&t, n);
        check_int_folds(&t, n);
        check_histogram(&t, n);
        check_nbody(&t, least(n, runner->small ? 67 : 701));
        check_gemv(&t, least(n, 257), 1 + check_random(&t.random) % (runner->small ? 20 : 300));
        check_mandelbrot(&t, least(n, runner->small ? 3 : 97), 61, runner->small ? 20 : 100);
    }

    /* Widths and radii on both sides of the blocks that the kernels go by; 0 and 1 rows among them. */
    static const size_t shapes[][4] = {{0, 3, 5, 1},    {1, 1, 1, 0},      {7, 1, 64, 1},
                                       {1, 129, 65, 2}, {13, 300, 130, 3}, {37, 70, 200, 15},
                                       {5, 2, 63, 40},  {41, 128, 192, 2}, {389, 150, 70, 1}};
    size_t all = sizeof shapes / sizeof *shapes;
    for (size_t k = 0; k < (runner->small ? 4 : all); k++) {
        size_t rows = shapes[k][0], inner = shapes[k][1], width = shapes[k][2];
        int radius = (int)shapes[k][3];
        check_gemv(&t, rows, width);
        check_gemm(&t, rows, inner, width);
        check_convolve(&t, rows, width, radius);
        check_mandelbrot(&t, rows, width, (int)least(inner, runner->small ? 20 : 300));
    }
    static const int patches[][2] = {{1, 2}, {0, 1}, {2, 3}, {7, 4}, {3, 0}};
    static const size_t pictures[][3] = {{0, 9, 3},   {1, 1, 1},   {11, 40, 3}, {9, 101, 1},
                                         {23, 90, 3}, {6, 130, 4}, {5, 90, 2}};
    static const size_t small_pictures[][3] = {{1, 1, 1}, {3, 8, 3}, {2, 67, 1}};
    all = runner->small ? sizeof small_pictures / sizeof *small_pictures : sizeof pictures / sizeof *pictures;
    for (size_t k = 0; k < all; k++) {
        const int *radii = patches[k % (runner->small ? 3 : sizeof patches / sizeof *patches)];
        const size_t *picture = runner->small ? small_pictures[k] : pictures[k];
        check_nlm(&t, picture[0], picture[1], picture[2], radii[0], radii[1]);
    }
}
