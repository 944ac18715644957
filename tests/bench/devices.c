/* A core and an OpenCL device that computes on another core: what the two reach together of what they could.
 *
 *     bench_devices [basic|pthread]
 *
 * names PoCL's device: `basic` computes in the thread that drives it, `pthread` is cut down to one unit. The first call
 * of a fresh context (its kernel built, nothing known of any device) and the sixth are compared with both alone in the
 * same round. */
#include "bench.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct bodies bodies;
static struct options options;
static bool is_bodies;
static char row[64];

static double timed_run(divvy *dv, const char *name)
{
    double begin = bench_now_ns();
    if (is_bodies)
        bodies_run(dv, &bodies, row, name);
    else
        options_run(dv, &options, row, name);
    return bench_now_ns() - begin;
}

static void prepare(divvy *dv, const char *name)
{
    extern const divvy_kernel nbody_kernel, black_scholes_kernel;
    divvy_status status = divvy_prepare_kernel(dv, is_bodies ? &nbody_kernel : &black_scholes_kernel);
    if (status != DIVVY_OK)
        fprintf(stderr, "%s\n", divvy_error());
    bench_require(status == DIVVY_OK, row, name);
}

static void check(const char *name)
{
    if (is_bodies)
        bodies_check(&bodies, row, name);
    else
        options_check(&options, row, name);
}

/* A call with both, and what the library says of it. */
struct together {
    const char *name;
    struct bench_series ns, efficiency, told;
};

/* One round: each alone, and the calls with both. */
struct round {
    double core_ns, other_ns, first_ns, warm_ns;
    double first_told, warm_told; /* efficiency, as the library says */
};

static double told(divvy *dv)
{
    const divvy_report *report = divvy_last(dv);
    bench_require(report != NULL && report->status == DIVVY_OK, row, "divvy_last");
    return report->efficiency;
}

static void judge(struct together *call, double ns, double said, const struct round *round)
{
    bench_add(&call->ns, ns);
    bench_add(&call->efficiency, -1 / ((1 / round->core_ns + 1 / round->other_ns) * ns)); /* the best is the smallest */
    if (said > 0)
        bench_add(&call->told, -said);
}

static void print(struct together *call, double core_ns, double device_ns)
{
    double ideal = 1 / (1 / core_ns + 1 / device_ns);
    double median = bench_median(&call->ns), quiet = bench_quiet(&call->ns);
    bench_print(row, call->name, median / 1e6, "ms", quiet / 1e6, median / ideal, 0);
    char name[64];
    snprintf(name, sizeof name, "%s, efficiency", call->name);
    bench_print(row, name, -bench_median(&call->efficiency), "of ideal", -bench_quiet(&call->efficiency), 0, 0);
    snprintf(name, sizeof name, "%s, as divvy_last says", call->name);
    if (call->told.count)
        bench_print(row, name, -bench_median(&call->told), "of bound", -bench_quiet(&call->told), 0, 0);
}

static void print_shares(divvy *dv)
{
    const divvy_report *report = divvy_last(dv);
    for (size_t k = 0; k < report->share_count; k++) {
        char name[64];
        snprintf(name, sizeof name, "share of %s, %zu partitions", report->shares[k].id, report->shares[k].partitions);
        bench_print_one(row, name, report->shares[k].share, "of all");
    }
}

static void measure(const char *device)
{
    char both[64];
    snprintf(both, sizeof both, "cpu:0,%s", device);
    divvy *core = work_open(&(divvy_options){.devices = "cpu:0"}, row);
    divvy *other = work_open(&(divvy_options){.devices = device}, row);
    prepare(core, "core");
    prepare(other, device);
    for (int k = 0; k < 3; k++) {
        timed_run(core, "core");
        timed_run(other, device);
    }
    check(device);
    struct bench_series core_ns = {0}, other_ns = {0};
    struct together first = {.name = "both, first call"}, warm = {.name = "both, sixth call"};
    unsigned rounds = bench_rounds(15);
    unsigned noisy = 0;
    for (unsigned kept = 0, tries = 0; kept < rounds; tries++) {
        bool last = kept + 1 == rounds, calm = bench_await_calm();
        struct round round = {.other_ns = timed_run(other, device)};
        timed_run(core, "core"); /* it has just slept, and would be slow */
        round.core_ns = timed_run(core, "core");
        divvy *dv = work_open(&(divvy_options){.devices = both}, row);
        prepare(dv, both);
        round.first_ns = timed_run(dv, both);
        round.first_told = told(dv);
        if (kept == 0)
            check(both);
        for (int k = 0; k < 4; k++)
            timed_run(dv, both);
        round.warm_ns = timed_run(dv, both);
        round.warm_told = told(dv);
        bench_sleep_ms(2);
        calm = bench_is_calm() && calm;
        if (calm || tries >= 2 * rounds || bench_smoke()) {
            kept++;
            noisy += !calm;
            bench_add(&core_ns, round.core_ns);
            bench_add(&other_ns, round.other_ns);
            judge(&first, round.first_ns, round.first_told, &round);
            judge(&warm, round.warm_ns, round.warm_told, &round);
            if (last)
                print_shares(dv);
        }
        divvy_close(dv);
    }
    check(both);
    if (noisy && !bench_smoke())
        fprintf(stderr, "%s: %u of %u rounds while something else ran\n", row, noisy, rounds);
    double core_median = bench_median(&core_ns), other_median = bench_median(&other_ns);
    bench_print(row, "cpu:0 alone", core_median / 1e6, "ms", bench_quiet(&core_ns) / 1e6, 0, 0);
    bench_print(row, "OpenCL alone", other_median / 1e6, "ms", bench_quiet(&other_ns) / 1e6, 0, 0);
    bench_print_one(row, "both, ideal", 1e-6 / (1 / core_median + 1 / other_median), "ms");
    print(&first, core_median, other_median);
    print(&warm, core_median, other_median);
    struct bench_series *all[] = {&core_ns,    &other_ns, &first.ns,        &first.efficiency,
                                  &first.told, &warm.ns,  &warm.efficiency, &warm.told};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        bench_forget(all[k]);
    divvy_close(core);
    divvy_close(other);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 && argv[1][0] != '-' ? argv[1] : "basic";
    bench_begin(argc, argv);
    if (strcmp(kind, "basic") != 0 && strcmp(kind, "pthread") != 0) {
        fprintf(stderr, "%s: allowed are basic and pthread\n", argv[0]);
        return 2;
    }
    setenv("POCL_DEVICES", kind, 1);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 0);
    const char *device = strcmp(kind, "basic") == 0 ? "opencl:0" : "opencl:0/1";
    divvy *there;
    if (divvy_open(&there, &(divvy_options){.devices = device}) != DIVVY_OK) {
        fprintf(stderr, "left out: %s\n", divvy_error());
        divvy_close(there);
        return 77;
    }
    divvy_close(there);
    bodies_make(&bodies, bench_smoke() ? 512 : 16384);
    options_make(&options, bench_smoke() ? 4096 : 16 << 20);
    for (int k = 0; k < 2; k++) {
        is_bodies = k == 0;
        snprintf(row, sizeof row, "%s %zu, core + %s", is_bodies ? "nbody" : "black_scholes",
                 is_bodies ? bodies.count : options.count, kind);
        measure(device);
    }
    bodies_free(&bodies);
    options_free(&options);
    return 0;
}
