/* How much longer the adaptive schedule takes than the best static split between a core and an OpenCL device. Who always
 * knew the best of 21 splits would lose nothing; what divvy takes more is its regret.
 *
 * A split is forced by a script for the schedule `replay`: the first part of the indices to the core, the rest to the
 * device. Each round times them all, one call to get warm and one that counts, and a fresh adaptive context. */
#include "rows.h"

#include "bench_found.h"
#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPLITS = 21, STEPS = SPLITS - 1, ROUNDS_LEAST = 5, CALLS = 6 };
enum { FIRST, WARM, RESULTS };

/* The kernels, and how large a job of a core's half a tenth of a second or less is. */
struct regret {
    const char *kernel;
    size_t count; /* 0: as beside a device elsewhere */
};
static const struct regret regrets[ROW_REGRETS] = {
    {"saxpy", 0},
    {"triad", 16 << 20},
    {"nbody", 6144},
    {"black_scholes", 0},
    {"mandelbrot", 1 << 15},
    {"convolve", 0},
    {"gemv", 0},
    {"gemm", 0},
    {"nlm", 0},
    {"sum_float", 64 << 20},
    {"sum_double", 32 << 20},
};

struct contest {
    const struct work_kind *kind;
    struct work work;
    char core[16], device[48]; /* as filters name them */
    char both[80];
    divvy *keeper; /* keeps the device open and the kernel built from round to round */
    char scripts[SPLITS][32];
    struct bench_series split_ns[SPLITS];
};

/* ---- Splits ------------------------------------------------------------------------------------- */

static void write_part(FILE *file, size_t first, size_t count, int device)
{
    if (count > 0)
        fprintf(file, "%s{\"outcome\": \"accepted\", \"first\": %zu, \"count\": %zu, \"device\": %d, \"start_ns\": 0}",
                first > 0 ? ", " : "", first, count, device);
}

/* A profile of as many jobs as a context does, each with this share of the indices on the core. */
static void write_script(struct contest *contest, int split, const divvy_device *core, const divvy_device *device)
{
    size_t count = contest->work.count, own = count * (size_t)split / STEPS;
    if (split < STEPS && device->granule > 1)
        own -= own % device->granule;
    char *path = contest->scripts[split];
    strcpy(path, "/tmp/divvy-bench-XXXXXX");
    int number = mkstemp(path);
    FILE *file = number >= 0 ? fdopen(number, "w") : NULL;
    bench_require(file != NULL, path, "writing it");
    fprintf(file, "{\"divvy_profile\": 1, \"devices\": [{\"id\": \"%s\"}, {\"id\": \"%s\"}], \"jobs\": [", core->id,
            device->id);
    for (int job = 0; job < CALLS; job++) {
        fprintf(file, "%s{\"kernel\": \"%s\", \"count\": %zu, \"partitions\": [", job ? ", " : "",
                contest->kind->kernel->name, count);
        write_part(file, 0, own, 0);
        write_part(file, own, count - own, 1);
        fputs("]}", file);
    }
    fputs("]}\n", file);
    bench_require(fclose(file) == 0, path, "writing it");
}

static void write_scripts(struct contest *contest)
{
    divvy_device core, device;
    bench_require(divvy_device_at(contest->keeper, 0, &core) == DIVVY_OK &&
                      divvy_device_at(contest->keeper, 1, &device) == DIVVY_OK,
                  contest->both, "its devices");
    for (int split = 0; split < SPLITS; split++)
        write_script(contest, split, &core, &device);
}

/* ---- Calls -------------------------------------------------------------------------------------- */

static divvy *open_ready(const struct contest *contest, const char *schedule)
{
    divvy *dv = work_open_with(&(divvy_options){.devices = contest->both, .schedule = schedule});
    bench_require(divvy_prepare_kernel(dv, contest->kind->kernel) == DIVVY_OK, contest->kind->name, contest->both);
    return dv;
}

static double timed(struct contest *contest, divvy *dv)
{
    struct way way = {.work = &contest->work, .dv = dv};
    struct bench_contender contender = way_contender(&way, "");
    double began = bench_now_ns();
    contender.run(&way);
    return bench_now_ns() - began;
}

static void check(struct contest *contest, divvy *dv, const char *name)
{
    struct way way = {.work = &contest->work, .dv = dv};
    struct bench_contender contender = way_contender(&way, "");
    contender.spoil(&way);
    contender.run(&way);
    bench_require(contender.is_right(&way), contest->kind->name, name);
}

/* Who had what, as the script says? Else a split was not what it is called. */
static bool was_split(divvy *dv, size_t own)
{
    const divvy_report *report = divvy_last(dv);
    for (size_t k = 0; report && k < report->share_count; k++)
        if (strncmp(report->shares[k].id, "cpu:", 4) == 0)
            return report->shares[k].items == own;
    return false;
}

static void time_split(struct contest *contest, int split, bool checked)
{
    char schedule[64];
    snprintf(schedule, sizeof schedule, "replay:%s", contest->scripts[split]);
    divvy *dv = open_ready(contest, schedule);
    timed(contest, dv);
    bench_add(&contest->split_ns[split], timed(contest, dv));
    size_t count = contest->work.count;
    bench_require((split != 0 && split != STEPS) || was_split(dv, split ? count : 0), contest->kind->name, schedule);
    if (checked)
        check(contest, dv, schedule);
    divvy_close(dv);
}

static void take_round(struct bench *bench, struct contest *contest, struct bench_result *results, unsigned round)
{
    bool calm = bench_await_calm(bench);
    divvy *dv = open_ready(contest, "guarded");
    double ns[RESULTS] = {timed(contest, dv)};
    for (int call = 1; call < CALLS; call++)
        ns[WARM] = timed(contest, dv);
    check(contest, dv, "guarded");
    divvy_close(dv);
    for (int split = 0; split < SPLITS; split++)
        time_split(contest, split, round == 0);
    if (!bench->quick)
        bench_sleep_ms(2);
    calm = bench_is_calm(bench) && calm;
    for (int r = 0; r < RESULTS; r++) {
        bench_add(&results[r].figures[0].calls, ns[r]);
        bench_add(&results[r].figures[0].rounds, ns[r]);
        results[r].turns++;
        results[r].disturbed += !calm;
    }
}

/* ---- The row ------------------------------------------------------------------------------------ */

static double median(const struct bench_series *series)
{
    struct bench_series sorted = {0};
    for (size_t k = 0; k < series->count; k++)
        bench_add(&sorted, series->values[k]);
    double middle = bench_quantile(&sorted, 0.5);
    bench_forget(&sorted);
    return middle;
}

static void tell_best(struct contest *contest, struct bench_result *result)
{
    int best = 0;
    for (int split = 1; split < SPLITS; split++)
        if (median(&contest->split_ns[split]) < median(&contest->split_ns[best]))
            best = split;
    struct bench_figure *figure = &result->figures[1];
    snprintf(figure->name, sizeof figure->name, "best split: %d %% on the core", 100 * best / STEPS);
    for (size_t k = 0; k < contest->split_ns[best].count; k++) {
        bench_add(&figure->calls, contest->split_ns[best].values[k]);
        bench_add(&figure->rounds, contest->split_ns[best].values[k]);
    }
}

static bool wants_round(const struct bench *bench, unsigned done, double began_ns)
{
    return bench_wants_round(bench, done, began_ns) || (!bench->quick && !bench->rounds && done < ROUNDS_LEAST);
}

static void measure_contest(struct bench *bench, struct contest *contest)
{
    static const char *const names[RESULTS] = {"first call", "sixth call"};
    contest->keeper = open_ready(contest, "guarded");
    write_scripts(contest);
    for (int r = 0; r < RESULTS; r++) {
        struct bench_result *result = bench_begin(bench, names[r], (struct bench_scale){.unit = "ms", .per = 1e6}, 2);
        snprintf(result->figures[0].name, sizeof result->figures[0].name, "adaptive");
    }
    struct bench_result *results = bench->report->results;
    double began = bench_now_ns();
    for (unsigned round = 0; wants_round(bench, round, began); round++)
        take_round(bench, contest, results, round);
    for (int r = 0; r < RESULTS; r++) {
        tell_best(contest, &results[r]);
        bench_end(&results[r]);
    }
    for (int split = 0; split < SPLITS; split++) {
        bench_forget(&contest->split_ns[split]);
        unlink(contest->scripts[split]);
    }
    divvy_close(contest->keeper);
}

/* The first device, or, if it is made of cores, half of it. False: no core would be left. */
static bool choose(struct contest *contest, const struct bench_found *found, unsigned cores)
{
    unsigned half = found->units < 2 ? 1 : (found->units < cores ? found->units : cores) / 2;
    snprintf(contest->core, sizeof contest->core, "cpu:0");
    if (found->of_cores && found->units > 1)
        snprintf(contest->device, sizeof contest->device, "opencl:%u/%u", found->index, half);
    else
        snprintf(contest->device, sizeof contest->device, "opencl:%u", found->index);
    snprintf(contest->both, sizeof contest->both, "%s,%s", contest->core, contest->device);
    return !found->of_cores || half < cores;
}

static void measure(struct bench *bench)
{
    const struct regret *regret = &regrets[bench->report->row - row_regret];
    struct contest contest = {.kind = kinds_find(regret->kernel)};
    const struct bench_found *found;
    if (bench_find_devices(&found) == 0) {
        bench_leave_out(bench, "there is no OpenCL device");
        return;
    }
    if (!choose(&contest, &found[0], bench->cores)) {
        bench_leave_out(bench, "%s is made of cores, and none would be left beside it", found[0].name);
        return;
    }
    size_t count = regret->count ? regret->count : contest.kind->device_count;
    work_make(&contest.work, contest.kind, bench->quick ? contest.kind->quick_count : count, 0);
    measure_contest(bench, &contest);
    work_free(&contest.work);
}

const struct bench_row row_regret[ROW_REGRETS] = {
    {"regret-saxpy", "y = a x + y, against the best static split", measure},
    {"regret-triad", "z = x + a y, against the best static split", measure},
    {"regret-nbody", "6144 bodies, against the best static split", measure},
    {"regret-black-scholes", "12 M options, against the best static split", measure},
    {"regret-mandelbrot", "1024 x 1024 points, against the best static split", measure},
    {"regret-convolve", "2048 x 2048 pixels, 121 weights, against the best static split", measure},
    {"regret-gemv", "a matrix of 256 MiB, against the best static split", measure},
    {"regret-gemm", "matrices of 1024 x 1024, against the best static split", measure},
    {"regret-nlm", "512 x 512 pixels denoised, against the best static split", measure},
    {"regret-sum-float", "64 M floats, against the best static split", measure},
    {"regret-sum-double", "32 M doubles, against the best static split", measure},
};
