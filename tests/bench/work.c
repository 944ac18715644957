#include "work.h"

#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "black_scholes.cl"
#include "nbody.cl"

divvy *work_open(const divvy_options *options, const char *name)
{
    divvy *dv;
    bool opened = divvy_open(&dv, options) == DIVVY_OK;
    if (!opened)
        fprintf(stderr, "%s\n", divvy_error());
    bench_require(opened, name, "opening a context");
    return dv;
}

static void require_done(divvy_status status, const char *row, const char *name)
{
    if (status != DIVVY_OK)
        fprintf(stderr, "%s\n", divvy_error());
    bench_require(status == DIVVY_OK, row, name);
}

/* ---- Bodies ---- */

void bodies_make(struct bodies *work, size_t count)
{
    *work = (struct bodies){.count = count, .softening = 0.1f, .bodies = bench_alloc(count * sizeof(float4)),
                            .acceleration = bench_alloc(count * sizeof(float4))};
    uint64_t seed = 1;
    for (size_t i = 0; i < count; i++) {
        work->bodies[i].x = bench_random(&seed, 0, 1);
        work->bodies[i].y = bench_random(&seed, 0, 1);
        work->bodies[i].z = bench_random(&seed, 0, 1);
        work->bodies[i].w = bench_random(&seed, 0.5f, 1.5f);
    }
    memset(work->acceleration, 0xff, count * sizeof(float4)); /* NaN, and touched */
}

void bodies_run(divvy *dv, struct bodies *work, const char *row, const char *name)
{
    require_done(divvy_run(dv, nbody, work->count, .softening = work->softening, .bodies = work->bodies,
                           .acceleration = work->acceleration),
                 row, name);
}

void bodies_check(struct bodies *work, const char *row, const char *name)
{
    for (size_t i = 0; i < work->count; i += 61) {
        const float4 *here = &work->bodies[i], *got = &work->acceleration[i];
        double x = 0, y = 0, z = 0;
        for (size_t j = 0; j < work->count; j++) {
            const float4 *there = &work->bodies[j];
            double dx = (double)there->x - here->x, dy = (double)there->y - here->y, dz = (double)there->z - here->z;
            double square = dx * dx + dy * dy + dz * dz + (double)work->softening * work->softening;
            double pull = there->w / (square * sqrt(square));
            x += pull * dx;
            y += pull * dy;
            z += pull * dz;
        }
        double allowed = 1e-3 * sqrt(x * x + y * y + z * z) + 1e-3;
        bench_require(fabs(got->x - x) <= allowed && fabs(got->y - y) <= allowed && fabs(got->z - z) <= allowed, row, name);
    }
    for (size_t i = 0; i < work->count; i++) /* and every one was written */
        bench_require(work->acceleration[i].w == 0 && work->acceleration[i].x == work->acceleration[i].x, row, name);
    memset(work->acceleration, 0xff, work->count * sizeof(float4));
}

/* ---- Options ---- */

void options_make(struct options *work, size_t count)
{
    *work = (struct options){.count = count, .rate = 0.02f, .volatility = 0.3f};
    float **arrays[] = {&work->spot, &work->strike, &work->years, &work->call, &work->put};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        *arrays[k] = bench_alloc(count * sizeof(float));
    uint64_t seed = 2;
    for (size_t i = 0; i < count; i++) {
        work->spot[i] = bench_random(&seed, 5, 30);
        work->strike[i] = bench_random(&seed, 1, 100);
        work->years[i] = bench_random(&seed, 0.25f, 10);
    }
    memset(work->call, 0xff, count * sizeof(float));
    memset(work->put, 0xff, count * sizeof(float));
}

void options_run(divvy *dv, struct options *work, const char *row, const char *name)
{
    require_done(divvy_run(dv, black_scholes, work->count, .rate = work->rate, .volatility = work->volatility,
                           .spot = work->spot, .strike = work->strike, .years = work->years, .call = work->call,
                           .put = work->put),
                 row, name);
}

static double normal(double d)
{
    return 0.5 * erfc(-d * M_SQRT1_2);
}

void options_check(struct options *work, const char *row, const char *name)
{
    for (size_t i = 0; i < work->count; i += 101) {
        double years = work->years[i], volatility = work->volatility, spread = volatility * sqrt(years);
        double d1 = (log((double)work->spot[i] / work->strike[i]) + (work->rate + volatility * volatility / 2) * years) / spread;
        double n1 = normal(d1), n2 = normal(d1 - spread), due = work->strike[i] * exp(-work->rate * years);
        bench_require(fabs(work->call[i] - (work->spot[i] * n1 - due * n2)) <= 2e-4, row, name);
        bench_require(fabs(work->put[i] - (due * (1 - n2) - work->spot[i] * (1 - n1))) <= 2e-4, row, name);
    }
    for (size_t i = 0; i < work->count; i++)
        bench_require(work->call[i] == work->call[i] && work->put[i] == work->put[i], row, name);
    memset(work->call, 0xff, work->count * sizeof(float));
    memset(work->put, 0xff, work->count * sizeof(float));
}
