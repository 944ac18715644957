/* Kernels that compute, on the cores, against what each compiler's OpenMP makes of the same arithmetic. */
#include "bench.h"
#include "openmp.h"
#include "work.h"

#include <stdio.h>

static struct bodies bodies;
static struct options options;
static const char *row;

struct way {
    divvy *dv;
    const struct openmp *openmp;
    bool is_bodies;
};

static void run(void *context)
{
    const struct way *way = context;
    if (way->dv && way->is_bodies)
        bodies_run(way->dv, &bodies, row, "divvy");
    else if (way->dv)
        options_run(way->dv, &options, row, "divvy");
    else if (way->is_bodies)
        way->openmp->nbody(bodies.count, bodies.softening, bodies.at, bodies.acceleration);
    else
        way->openmp->black_scholes(options.count, options.rate, options.volatility, options.spot, options.strike,
                                   options.years, options.call, options.put);
}

static void measure(bool is_bodies, const struct openmp *const *openmp)
{
    enum { MOST = 4 };
    char name[64];
    snprintf(name, sizeof name, "%s %zu", is_bodies ? "nbody" : "black_scholes",
             is_bodies ? bodies.count : options.count);
    row = name;
    struct way ways[MOST] = {
        {.dv = work_open(&(divvy_options){.backend = "cpu", .schedule = "guarded"}, name), .is_bodies = is_bodies},
        {.dv = work_open(&(divvy_options){.backend = "cpu", .schedule = "static"}, name), .is_bodies = is_bodies},
    };
    struct bench_contender contenders[MOST] = {
        {.name = "divvy guarded", .run = run, .context = &ways[0]},
        {.name = "divvy static", .run = run, .context = &ways[1]},
    };
    unsigned count = 2;
    for (; *openmp && count < MOST; openmp++, count++) {
        ways[count] = (struct way){.openmp = *openmp, .is_bodies = is_bodies};
        contenders[count] = (struct bench_contender){.name = (*openmp)->name,
                                                     .run = run,
                                                     .context = &ways[count],
                                                     .caller = BENCH_OPENMP,
                                                     .settle_ms = (*openmp)->settle_ms,
                                                     .reference = true};
    }
    bench_measure(&(struct bench_row){.name = name, .unit = "ms", .per = 1e6, .rounds = bench_rounds(30), .calls = 3},
                  contenders, count);
    for (unsigned c = 0; c < count; c++) {
        bench_take_place(contenders[c].caller);
        run(&ways[c]);
        if (is_bodies)
            bodies_check(&bodies, name, contenders[c].name);
        else
            options_check(&options, name, contenders[c].name);
    }
    bench_take_place(BENCH_FREE);
    divvy_close(ways[0].dv);
    divvy_close(ways[1].dv);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    const struct openmp *const *openmp = openmp_load(bench_core_count());
    bodies_make(&bodies, bench_smoke() ? 200 : 8192);
    options_make(&options, bench_smoke() ? 5000 : 4 << 20);
    measure(true, openmp);
    measure(false, openmp);
    bodies_free(&bodies);
    options_free(&options);
    return 0;
}
