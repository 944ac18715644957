/* Kernels that do nothing but move memory, against the same object code on threads by hand. */
#include "bench.h"
#include "openmp.h"
#include "team.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <divvy/descriptor.h>

#include "saxpy.cl"
#include "triad.cl"

/* Small whole numbers over 256: every result is exact, and is compared exactly. */
static float *x, *y, *z;
static size_t count;
static float a = 0.5f; /* saxpy's; its sign changes with every call, so that y stays as it is */

static float x_at(size_t i)
{
    return (float)(1 + i * 7 % 255) / 256;
}
static float y_at(size_t i)
{
    return (float)(1 + i * 11 % 1021) / 256;
}

struct way {
    divvy *dv;
    const struct openmp *openmp;
    divvy_body *body; /* the form that the cpu backend runs */
    bool triad;
};

static void require(divvy_status status)
{
    if (status != DIVVY_OK)
        fprintf(stderr, "%s\n", divvy_error());
    bench_require(status == DIVVY_OK, "stream", "divvy");
}

static void fill(void *context, size_t first, size_t n)
{
    (void)context;
    for (size_t i = first; i < first + n; i++) {
        x[i] = x_at(i);
        y[i] = y_at(i);
        z[i] = 0;
    }
}

static void run_form(void *context, size_t first, size_t n)
{
    const struct way *way = context;
    float *arrays[] = {x, y, z};
    divvy_slice slices[4] = {{.data = &a, .bytes = sizeof a}};
    for (unsigned k = 0; k < 3; k++)
        slices[1 + k] = (divvy_slice){.data = arrays[k] + first, .bytes = n * sizeof(float), .base = first};
    way->body(slices, first, n, count);
}

static void run(void *context)
{
    struct way *way = context;
    if (!way->triad)
        a = -a;
    if (way->dv && way->triad)
        require(divvy_run(way->dv, triad, count, .a = a, .x = x, .y = y, .z = z));
    else if (way->dv)
        require(divvy_run(way->dv, saxpy, count, .a = a, .x = x, .y = y));
    else if (way->openmp)
        way->openmp->run_static(count, run_form, way);
    else
        team_run(count, run_form, way);
}

/* One more call from fresh values, compared with plain C. */
static void check(struct bench_contender *contender)
{
    struct way *way = contender->context;
    bench_take_place(contender->caller);
    fill(NULL, 0, count);
    run(way);
    for (size_t i = 0; i < count; i++) {
        float expected = way->triad ? x_at(i) + a * y_at(i) : a * x_at(i) + y_at(i);
        bench_require((way->triad ? z[i] : y[i]) == expected, way->triad ? "triad" : "saxpy", contender->name);
    }
    if (!way->triad)
        run(way); /* and back again */
    bench_sleep_ms(contender->settle_ms);
    bench_take_place(BENCH_FREE);
}

/* The form that a core of `dv` runs. */
static divvy_body *form_of(divvy *dv, const divvy_kernel *kernel)
{
    divvy_device core;
    require(divvy_device_at(dv, 0, &core));
    for (size_t f = 0; f < kernel->form_count; f++)
        if (strcmp(kernel->forms[f].level, core.driver) == 0)
            return kernel->forms[f].body;
    bench_require(false, kernel->name, core.driver);
    return NULL;
}

static void measure(const struct openmp *openmp, size_t mib, bool is_triad)
{
    char row[64];
    snprintf(row, sizeof row, "%s %zu %s", is_triad ? "triad" : "saxpy", mib ? mib : 64, mib ? "MiB" : "KiB");
    divvy *guarded = work_open(&(divvy_options){.backend = "cpu", .schedule = "guarded"}, row);
    divvy *fixed = work_open(&(divvy_options){.backend = "cpu", .schedule = "static"}, row);
    divvy_body *body = form_of(guarded, is_triad ? &triad_kernel : &saxpy_kernel);
    struct way ways[] = {
        {.dv = guarded, .triad = is_triad},
        {.dv = fixed, .triad = is_triad},
        {.body = body, .triad = is_triad},
        {.body = body, .openmp = openmp, .triad = is_triad},
    };
    struct bench_contender contenders[] = {
        {.name = "divvy guarded", .run = run, .context = &ways[0]},
        {.name = "divvy static", .run = run, .context = &ways[1]},
        {.name = "threads by hand",
         .run = run,
         .context = &ways[2],
         .caller = BENCH_FIRST_CORE,
         .settle_ms = 1,
         .reference = true},
        {.name = openmp ? openmp->name : "",
         .run = run,
         .context = &ways[3],
         .caller = BENCH_OPENMP,
         .settle_ms = openmp ? openmp->settle_ms : 0},
    };
    unsigned contender_count = openmp ? 4 : 3;
    bench_measure(&(struct bench_row){.name = row,
                                      .unit = "GB/s",
                                      .is_rate = true,
                                      .per = 3.0 * (double)count * sizeof(float),
                                      .rounds = bench_rounds(mib > 64 ? 25 : 80),
                                      .calls = 4},
                  contenders, contender_count);
    for (unsigned c = 0; c < contender_count; c++)
        check(&contenders[c]);
    divvy_close(guarded);
    divvy_close(fixed);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    const struct openmp *openmp = openmp_load(bench_core_count())[0];
    team_start(bench_core_count());
    for (size_t mib = 64; mib <= 512; mib *= 8) {
        count = bench_smoke() ? (64 << 10) / sizeof(float) : (mib << 20) / sizeof(float);
        x = bench_alloc(count * sizeof(float));
        y = bench_alloc(count * sizeof(float));
        z = bench_alloc(count * sizeof(float));
        bench_take_place(BENCH_FIRST_CORE);
        team_run(count, fill, NULL); /* pages lie where those who use them are */
        measure(openmp, bench_smoke() ? 0 : mib, false);
        measure(openmp, bench_smoke() ? 0 : mib, true);
        free(x);
        free(y);
        free(z);
        if (bench_smoke())
            break;
    }
    team_end();
    return 0;
}
