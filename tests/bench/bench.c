#include "bench.h"

#include <hwloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool smoke;
static unsigned rounds_wanted;
static double patience_ns = 30e9;
static unsigned core_count, *processors;
static cpu_set_t free_mask, openmp_mask;

/* ---- The machine ---- */

static void find_cores(void)
{
    hwloc_topology_t topology;
    bench_require(sched_getaffinity(0, sizeof free_mask, &free_mask) == 0, "the machine", "where this process may run");
    bench_require(hwloc_topology_init(&topology) == 0 && hwloc_topology_load(topology) == 0, "the machine",
                  "its topology");
    openmp_mask = free_mask;
    int cores = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE);
    processors = calloc((size_t)cores + 1, sizeof *processors);
    for (int c = 0; c < cores; c++) {
        hwloc_obj_t core = hwloc_get_obj_by_type(topology, HWLOC_OBJ_CORE, (unsigned)c);
        unsigned processor;
        hwloc_bitmap_foreach_begin(processor, core->cpuset) if (CPU_ISSET(processor, &free_mask))
        {
            processors[core_count++] = processor;
            break;
        }
        hwloc_bitmap_foreach_end();
    }
    hwloc_topology_destroy(topology);
}

unsigned bench_core_count(void)
{
    return core_count;
}

void bench_pin(unsigned core)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processors[core], &one);
    bench_require(sched_setaffinity(0, sizeof one, &one) == 0, "the machine", "binding a thread");
}

void bench_remember_openmp(void)
{
    sched_getaffinity(0, sizeof openmp_mask, &openmp_mask);
    sched_setaffinity(0, sizeof free_mask, &free_mask);
}

void bench_take_place(enum bench_caller caller)
{
    if (caller == BENCH_FIRST_CORE)
        bench_pin(0);
    else
        sched_setaffinity(0, sizeof free_mask, caller == BENCH_OPENMP ? &openmp_mask : &free_mask);
}

/* ---- The command line ---- */

void bench_begin(int argc, char **argv)
{
    for (int k = 1; k < argc; k++) {
        if (strcmp(argv[k], "--smoke") == 0)
            smoke = true;
        else if (strcmp(argv[k], "--rounds") == 0 && k + 1 < argc)
            rounds_wanted = (unsigned)strtoul(argv[++k], NULL, 10);
        else if (strcmp(argv[k], "--patience") == 0 && k + 1 < argc)
            patience_ns = strtod(argv[++k], NULL) * 1e9;
        else if (argv[k][0] == '-') {
            fprintf(stderr, "%s: allowed are --smoke, --rounds N and --patience SECONDS\n", argv[0]);
            exit(2);
        }
    }
    if (smoke)
        patience_ns = 0;
    /* OpenMP reads its variables when it is loaded, which is later. */
    setenv("OMP_PROC_BIND", "close", 0);
    setenv("OMP_PLACES", "cores", 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_cores();
}

bool bench_smoke(void)
{
    return smoke;
}

unsigned bench_rounds(unsigned usual)
{
    return rounds_wanted ? rounds_wanted : smoke ? 2 : usual;
}

/* ---- Time ---- */

double bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

void bench_sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* ---- Calm ---- */

/* How many threads of the whole machine run or want to; this one is among them. 1 where the system does not tell. */
static unsigned running_threads(void)
{
    unsigned running = 1;
    char line[256];
    FILE *file = fopen("/proc/stat", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "procs_running %u", &running) == 1)
            break;
    if (file)
        fclose(file);
    return running;
}

bool bench_is_calm(void)
{
    for (unsigned look = 0; look < 4; look++) {
        if (running_threads() > 1)
            return false;
        bench_sleep_ms(1);
    }
    return true;
}

bool bench_await_calm(void)
{
    double begin = bench_now_ns();
    bool calm;
    while (!(calm = bench_is_calm()) && bench_now_ns() - begin < patience_ns)
        bench_sleep_ms(5);
    patience_ns -= bench_now_ns() - begin;
    return calm;
}

/* ---- Series ---- */

void bench_add(struct bench_series *series, double ns)
{
    if (series->count == series->capacity) {
        series->capacity = series->capacity ? 2 * series->capacity : 256;
        series->ns = realloc(series->ns, series->capacity * sizeof *series->ns);
        bench_require(series->ns != NULL, "the series", "memory");
    }
    series->ns[series->count++] = ns;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(struct bench_series *series, size_t part, size_t of)
{
    qsort(series->ns, series->count, sizeof *series->ns, by_size);
    return series->ns[series->count * part / of];
}

void bench_forget(struct bench_series *series)
{
    free(series->ns);
    *series = (struct bench_series){0};
}

double bench_median(struct bench_series *series)
{
    return quantile(series, 1, 2);
}

double bench_quiet(struct bench_series *series)
{
    return quantile(series, 1, 10);
}

/* ---- Rows ---- */

/* Whether it was calm before and after. */
static bool take_turn(const struct bench_row *row, const struct bench_contender *contender, struct bench_series *series)
{
    bool calm = bench_await_calm();
    bench_take_place(contender->caller);
    contender->run(contender->context);
    for (unsigned c = 0; c < row->calls; c++) {
        double begin = bench_now_ns();
        contender->run(contender->context);
        bench_add(series, (bench_now_ns() - begin) * (row->scale ? row->scale : 1) - row->minus_ns);
    }
    if (contender->settle_ms)
        bench_sleep_ms(contender->settle_ms);
    bench_sleep_ms(1);
    return calm && bench_is_calm();
}

static void take_calm_turn(const struct bench_row *row, const struct bench_contender *contender,
                           struct bench_series *series, unsigned *noisy)
{
    enum { TRIES = 4 };
    size_t before = series->count;
    for (unsigned k = 1; !take_turn(row, contender, series); k++) {
        if (k == TRIES || patience_ns <= 0) {
            ++*noisy;
            return;
        }
        series->count = before;
    }
}

static double figure(const struct bench_row *row, double ns)
{
    return row->is_rate ? row->per / ns : ns / row->per;
}

void bench_measure(const struct bench_row *row, const struct bench_contender *contenders, unsigned count)
{
    struct bench_series *series = calloc(count, sizeof *series);
    bench_require(series != NULL, row->name, "memory");
    unsigned noisy = 0;
    for (unsigned round = 0; round < row->rounds; round++)
        for (unsigned c = 0; c < count; c++)
            take_calm_turn(row, &contenders[(c + round) % count], &series[(c + round) % count], &noisy);
    bench_take_place(BENCH_FREE);
    if (noisy && !smoke)
        fprintf(stderr, "%s: %u of %u turns while something else ran\n", row->name, noisy, row->rounds * count);

    double best_median = 0, best_quiet = 0;
    for (unsigned c = 0; c < count; c++) {
        if (!contenders[c].reference)
            continue;
        double median = bench_median(&series[c]), quiet = bench_quiet(&series[c]);
        best_median = best_median == 0 || median < best_median ? median : best_median;
        best_quiet = best_quiet == 0 || quiet < best_quiet ? quiet : best_quiet;
    }
    for (unsigned c = 0; c < count; c++) {
        double median = bench_median(&series[c]), quiet = bench_quiet(&series[c]);
        bench_print(row->name, contenders[c].name, figure(row, median), row->unit, figure(row, quiet),
                    best_median != 0 ? median / best_median : 0, best_quiet != 0 ? quiet / best_quiet : 0);
        bench_forget(&series[c]);
    }
    free(series);
}

static void print_number(double value)
{
    if (value == 0)
        printf("\t-");
    else
        printf("\t%.4g", value);
}

void bench_print(const char *row, const char *name, double median, const char *unit, double quiet, double ratio,
                 double quiet_ratio)
{
    printf("%s\t%s\t%.5g\t%s", row, name, median, unit);
    print_number(quiet);
    print_number(ratio);
    print_number(quiet_ratio);
    printf("\n");
}

void bench_print_one(const char *row, const char *name, double value, const char *unit)
{
    bench_print(row, name, value, unit, 0, 0, 0);
}

void bench_require(bool right, const char *row, const char *name)
{
    if (right)
        return;
    fprintf(stderr, "%s, %s: wrong\n", row, name);
    exit(EXIT_FAILURE);
}

/* ---- Data ---- */

void *bench_alloc(size_t bytes)
{
    void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    bench_require(memory != NULL, "the arrays", "memory");
    return memory;
}

float bench_random(uint64_t *state, float low, float high)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return low + (high - low) * (float)(*state >> 40) * 0x1p-24f;
}
