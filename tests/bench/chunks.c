/* What handing out a partition of about a microsecond costs: (cores * time - time of one core) / partitions. */
#include "bench.h"
#include "openmp.h"
#include "work.h"

#include <stdlib.h>
#include <string.h>

static size_t count;
static uint64_t *results;
static unsigned turns; /* of the chain that takes a microsecond */

static __attribute__((noinline)) uint64_t chain(uint64_t from, unsigned length)
{
    uint64_t value = from;
    for (unsigned k = 0; k < length; k++)
        value = value * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return value;
}

DIVVY_HOST_KERNEL(chunk, (value, unsigned, length), (out, uint64_t, found))
{
    DIVVY_FOR (i)
        found[i] = chain(i, length);
}

static void chunk_part(void *context, size_t first, size_t n)
{
    (void)context;
    for (size_t i = first; i < first + n; i++)
        results[i] = chain(i, turns);
}

static void run_divvy(void *context)
{
    bench_require(divvy_run(context, chunk, count, .length = turns, .found = results) == DIVVY_OK, "chunks",
                  divvy_error());
}

static void run_openmp(void *context)
{
    ((const struct openmp *)context)->run_dynamic(count, chunk_part, NULL);
}

static void run_alone(void *context)
{
    (void)context;
    chunk_part(NULL, 0, count);
}

static void check(const char *name)
{
    for (size_t i = 0; i < count; i++)
        bench_require(results[i] == chain(i, turns), "chunks", name);
    memset(results, 0, count * sizeof *results);
}

/* By the fastest of many tries, since others may use the machine. */
static unsigned turns_of_a_microsecond(void)
{
    enum { TURNS = 100000, TRIES = 50 };
    double best = 0;
    for (unsigned k = 0; k < TRIES; k++) {
        double begin = bench_now_ns();
        volatile uint64_t kept = chain(k, TURNS);
        (void)kept;
        double ns = bench_now_ns() - begin;
        best = k == 0 || ns < best ? ns : best;
    }
    return (unsigned)(1000 * TURNS / best);
}

int main(int argc, char **argv)
{
    enum { MOST = 4 };
    bench_begin(argc, argv);
    unsigned cores = bench_core_count();
    const struct openmp *const *openmp = openmp_load(cores);
    count = bench_smoke() ? 500 : 20000;
    results = bench_alloc(count * sizeof *results);
    turns = turns_of_a_microsecond();

    struct bench_contender contenders[2 + MOST] = {
        {.name = "divvy dynamic",
         .run = run_divvy,
         .context = work_open(&(divvy_options){.backend = "cpu", .schedule = "dynamic", .partition = 1}, "chunks")},
        {.name = "one core", .run = run_alone},
    };
    unsigned contender_count = 2;
    for (; *openmp && contender_count < 2 + MOST; openmp++)
        contenders[contender_count++] = (struct bench_contender){.name = (*openmp)->name,
                                                                 .run = run_openmp,
                                                                 .context = (void *)(uintptr_t)*openmp,
                                                                 .caller = BENCH_OPENMP,
                                                                 .settle_ms = (*openmp)->settle_ms};
    for (unsigned c = 0; c < contender_count; c++) {
        bench_take_place(contenders[c].caller);
        contenders[c].run(contenders[c].context);
        check(contenders[c].name);
    }

    /* Round by round, since the time of one core is part of the figure. */
    struct bench_series cost[2 + MOST] = {0};
    unsigned rounds = bench_rounds(40);
    for (unsigned round = 0; round < rounds; round++) {
        double best[2 + MOST];
        for (unsigned c = 0; c < contender_count; c++) {
            bench_await_calm();
            bench_take_place(contenders[c].caller);
            contenders[c].run(contenders[c].context);
            best[c] = 0;
            for (unsigned k = 0; k < 3; k++) {
                double start = bench_now_ns();
                contenders[c].run(contenders[c].context);
                double ns = bench_now_ns() - start;
                best[c] = k == 0 || ns < best[c] ? ns : best[c];
            }
            bench_sleep_ms(contenders[c].settle_ms);
        }
        for (unsigned c = 0; c < contender_count; c++)
            bench_add(&cost[c], ((c == 1 ? 1 : cores) * best[c] - (c == 1 ? 0 : best[1])) / (double)count);
    }
    bench_take_place(BENCH_FREE);
    double peer_median = 0, peer_quiet = 0;
    for (unsigned c = 2; c < contender_count; c++) {
        double median = bench_median(&cost[c]), quiet = bench_quiet(&cost[c]);
        peer_median = c == 2 || median < peer_median ? median : peer_median;
        peer_quiet = c == 2 || quiet < peer_quiet ? quiet : peer_quiet;
    }
    for (unsigned c = 0; c < contender_count; c++) {
        double median = bench_median(&cost[c]), quiet = bench_quiet(&cost[c]);
        bool compared = c != 1 && contender_count > 2;
        bench_print(c == 1 ? "1 us chunk, the work" : "1 us chunk, cost", contenders[c].name, median, "ns", quiet,
                    compared ? median / peer_median : 0, compared ? quiet / peer_quiet : 0);
        bench_forget(&cost[c]);
    }
    divvy_close(contenders[0].context);
    free(results);
    return 0;
}
