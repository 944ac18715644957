/* The computations as plain C loops: serial ones, and those of OpenMP where the compiler is told to use it. Built
 * several times, for the levels of instruction sets and by several compilers; each build has a name of its own:
 *
 *     BENCH_PEERS      the object that is defined: an array of peers that ends with NULL
 *     BENCH_NAME       what the implementation is called, such as "OpenMP"
 *     BENCH_SETTLE_MS  how long its idle threads spin */
#include "bench_peer.h"

#include <math.h>

#ifdef _OPENMP
#include <omp.h>
#endif

extern const struct bench_peer *const BENCH_PEERS[];

#ifdef _OPENMP
static unsigned take_places(unsigned threads, void (*bind)(unsigned core))
{
    unsigned met = 0;
    omp_set_dynamic(0);
    omp_set_num_threads((int)threads);
#pragma omp parallel reduction(+ : met)
    {
        bind((unsigned)omp_get_thread_num());
        met = 1;
    }
    return met;
}

static void run_static(size_t count, size_t grain, bench_part *part, void *context)
{
    size_t threads = (size_t)omp_get_max_threads();
    (void)grain;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < threads; t++) {
        size_t first = count * t / threads;
        part(context, first, count * (t + 1) / threads - first);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void run_dynamic(size_t count, size_t grain, bench_part *part, void *context)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t first = 0; first < count; first += grain)
        part(context, first, least(grain, count - first));
}

static void run_guided(size_t count, size_t grain, bench_part *part, void *context)
{
#pragma omp parallel for schedule(guided, 1)
    for (size_t first = 0; first < count; first += grain)
        part(context, first, least(grain, count - first));
}
#endif

static void nbody(size_t count, float softening, const float *const bodies[4], float *const acceleration[3])
{
    const float *x = bodies[0], *y = bodies[1], *z = bodies[2], *mass = bodies[3];
    float *ax = acceleration[0], *ay = acceleration[1], *az = acceleration[2];
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        float px = x[i], py = y[i], pz = z[i], pull_x = 0, pull_y = 0, pull_z = 0;
#pragma omp simd reduction(+ : pull_x, pull_y, pull_z)
        for (size_t j = 0; j < count; j++) {
            float dx = x[j] - px, dy = y[j] - py, dz = z[j] - pz;
            float inverse = 1.0f / sqrtf(dx * dx + dy * dy + dz * dz + softening * softening);
            float pull = mass[j] * inverse * inverse * inverse;
            pull_x += pull * dx;
            pull_y += pull * dy;
            pull_z += pull * dz;
        }
        ax[i] = pull_x;
        ay[i] = pull_y;
        az[i] = pull_z;
    }
}

static inline float normal(float d)
{
    float k = 1.0f / (1.0f + 0.2316419f * fabsf(d));
    float series =
        k * (0.319381530f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
    float tail = 0.39894228f * expf(-0.5f * d * d) * series;
    return d > 0 ? 1.0f - tail : tail;
}

static void black_scholes(size_t count, float rate, float volatility, const float *restrict spot,
                          const float *restrict strike, const float *restrict years, float *restrict call,
                          float *restrict put)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < count; i++) {
        float spread = volatility * sqrtf(years[i]);
        float d1 = (logf(spot[i] / strike[i]) + (rate + 0.5f * volatility * volatility) * years[i]) / spread;
        float n1 = normal(d1), n2 = normal(d1 - spread);
        float due = strike[i] * expf(-rate * years[i]);
        call[i] = spot[i] * n1 - due * n2;
        put[i] = due * (1.0f - n2) - spot[i] * (1.0f - n1);
    }
}

static void escape_row(int width, int row, float left, float top, float pixel, int limit, int *counts)
{
    float cy = top - (float)row * pixel;
    for (int column = 0; column < width; column++) {
        float cx = left + (float)column * pixel, x = 0, y = 0;
        int steps = 0;
        while (steps < limit && x * x + y * y <= 4.0f) {
            float next = x * x - y * y + cx;
            y = 2.0f * x * y + cy;
            x = next;
            steps++;
        }
        counts[(size_t)row * (size_t)width + (size_t)column] = steps;
    }
}

#ifdef _OPENMP
static void mandelbrot_dynamic(int width, int height, float left, float top, float pixel, int limit, int *counts)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int row = 0; row < height; row++)
        escape_row(width, row, left, top, pixel, limit, counts);
}

static void mandelbrot_guided(int width, int height, float left, float top, float pixel, int limit, int *counts)
{
#pragma omp parallel for schedule(guided, 1)
    for (int row = 0; row < height; row++)
        escape_row(width, row, left, top, pixel, limit, counts);
}
#else
static void mandelbrot_serial(int width, int height, float left, float top, float pixel, int limit, int *counts)
{
    for (int row = 0; row < height; row++)
        escape_row(width, row, left, top, pixel, limit, counts);
}
#endif

/* In blocks with a sum of their own: clang makes no vectors of a reduction whose variable is shared by threads. */
enum { BLOCK = 1 << 14 };

static double sum_float(size_t count, const float *x)
{
    double total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (size_t block = 0; block < count; block += BLOCK) {
        size_t end = count - block < BLOCK ? count : block + BLOCK;
        float sum = 0;
        for (size_t i = block; i < end; i++)
            sum += x[i];
        total += sum;
    }
    return total;
}

static double sum_double(size_t count, const double *x)
{
    double total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (size_t block = 0; block < count; block += BLOCK) {
        size_t end = count - block < BLOCK ? count : block + BLOCK;
        double sum = 0;
        for (size_t i = block; i < end; i++)
            sum += x[i];
        total += sum;
    }
    return total;
}

#ifdef _OPENMP
static const struct bench_peer by_static = {
    .name = BENCH_NAME " static",
    .manner = BENCH_STATIC,
    .settle_ms = BENCH_SETTLE_MS,
    .take_places = take_places,
    .run = run_static,
    .nbody = nbody,
    .black_scholes = black_scholes,
    .sum_float = sum_float,
    .sum_double = sum_double,
};
static const struct bench_peer by_dynamic = {
    .name = BENCH_NAME " dynamic",
    .manner = BENCH_DYNAMIC,
    .settle_ms = BENCH_SETTLE_MS,
    .take_places = take_places,
    .run = run_dynamic,
    .mandelbrot = mandelbrot_dynamic,
};
static const struct bench_peer by_guided = {
    .name = BENCH_NAME " guided",
    .manner = BENCH_GUIDED,
    .settle_ms = BENCH_SETTLE_MS,
    .take_places = take_places,
    .run = run_guided,
    .mandelbrot = mandelbrot_guided,
};
const struct bench_peer *const BENCH_PEERS[] = {&by_static, &by_dynamic, &by_guided, NULL};
#else
static const struct bench_peer serially = {
    .name = BENCH_NAME,
    .manner = BENCH_SERIAL,
    .nbody = nbody,
    .black_scholes = black_scholes,
    .mandelbrot = mandelbrot_serial,
    .sum_float = sum_float,
    .sum_double = sum_double,
};
const struct bench_peer *const BENCH_PEERS[] = {&serially, NULL};
#endif
