/* Built by each compiler that has OpenMP, into a plugin. */
#include "openmp.h"

#include <math.h>
#include <omp.h>

extern const struct openmp openmp_plugin;

static int use_threads(int threads)
{
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    int met = 0;
#pragma omp parallel reduction(+ : met) /* the first region binds the threads */
    met = 1;
    return met;
}

static void run_static(size_t count, openmp_part *part, void *context)
{
    size_t threads = (size_t)omp_get_max_threads();
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < threads; t++) {
        size_t first = count * t / threads;
        part(context, first, count * (t + 1) / threads - first);
    }
}

static void run_dynamic(size_t count, openmp_part *part, void *context)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = 0; i < count; i++)
        part(context, i, 1);
}

static void nbody(size_t count, float softening, float *const bodies[4], float *const acceleration[3])
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

const struct openmp openmp_plugin = {.name = OPENMP_NAME,
                                     .settle_ms = OPENMP_SETTLE_MS,
                                     .use_threads = use_threads,
                                     .run_static = run_static,
                                     .run_dynamic = run_dynamic,
                                     .nbody = nbody,
                                     .black_scholes = black_scholes};
