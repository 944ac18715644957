#include "work.h"

#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

static void spoil(struct bodies *work)
{
    for (int c = 0; c < 3; c++)
        memset(work->acceleration[c], 0xff, work->count * sizeof(float)); /* NaN */
}

void bodies_make(struct bodies *work, size_t count)
{
    *work = (struct bodies){.count = count, .softening = 0.1f};
    uint64_t seed = 1;
    for (int c = 0; c < 4; c++) {
        work->at[c] = bench_alloc(count * sizeof(float));
        for (size_t i = 0; i < count; i++)
            work->at[c][i] = bench_random(&seed, c < 3 ? 0 : 0.5f, c < 3 ? 1 : 1.5f);
    }
    for (int c = 0; c < 3; c++)
        work->acceleration[c] = bench_alloc(count * sizeof(float));
    spoil(work);
}

void bodies_free(struct bodies *work)
{
    for (int c = 0; c < 4; c++)
        free(work->at[c]);
    for (int c = 0; c < 3; c++)
        free(work->acceleration[c]);
}

void bodies_run(divvy *dv, struct bodies *work, const char *row, const char *name)
{
    require_done(divvy_run(dv, nbody, work->count, .softening = work->softening, .x = work->at[0], .y = work->at[1],
                           .z = work->at[2], .mass = work->at[3], .ax = work->acceleration[0],
                           .ay = work->acceleration[1], .az = work->acceleration[2]),
                 row, name);
}

bool bodies_done(const struct bodies *work)
{
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < work->count; i++)
            if (isnan(work->acceleration[c][i]))
                return false;
    return true;
}

void bodies_check(struct bodies *work, const char *row, const char *name)
{
    for (size_t i = 0; i < work->count; i += 61) {
        double pull[3] = {0}, length = 0;
        for (size_t j = 0; j < work->count; j++) {
            double d[3], square = (double)work->softening * work->softening;
            for (int c = 0; c < 3; c++) {
                d[c] = (double)work->at[c][j] - work->at[c][i];
                square += d[c] * d[c];
            }
            for (int c = 0; c < 3; c++)
                pull[c] += work->at[3][j] * d[c] / (square * sqrt(square));
        }
        for (int c = 0; c < 3; c++)
            length += pull[c] * pull[c];
        for (int c = 0; c < 3; c++)
            bench_require(fabs(work->acceleration[c][i] - pull[c]) <= 1e-3 * sqrt(length) + 1e-3, row, name);
    }
    bench_require(bodies_done(work), row, name);
    spoil(work);
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

void options_free(struct options *work)
{
    float *arrays[] = {work->spot, work->strike, work->years, work->call, work->put};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        free(arrays[k]);
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
        double d1 =
            (log((double)work->spot[i] / work->strike[i]) + (work->rate + volatility * volatility / 2) * years) /
            spread;
        double n1 = normal(d1), n2 = normal(d1 - spread), due = work->strike[i] * exp(-work->rate * years);
        bench_require(fabs(work->call[i] - (work->spot[i] * n1 - due * n2)) <= 2e-4, row, name);
        bench_require(fabs(work->put[i] - (due * (1 - n2) - work->spot[i] * (1 - n1))) <= 2e-4, row, name);
    }
    for (size_t i = 0; i < work->count; i++)
        bench_require(work->call[i] == work->call[i] && work->put[i] == work->put[i], row, name);
    memset(work->call, 0xff, work->count * sizeof(float));
    memset(work->put, 0xff, work->count * sizeof(float));
}
