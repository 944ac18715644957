/* What a job costs that has almost nothing to do, and what a partition of a microsecond costs. */
#include "bench_team.h"
#include "bench_work.h"

#include <divvy/kernel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char handed[] = "threads bound by hand";

/* ---- Empty jobs --------------------------------------------------------------------------------- */

enum { BATCH = 200 }; /* jobs in a call */

/* Who computed an index; no two share a cache line. */
struct mark {
    _Alignas(64) uintptr_t thread;
};

static uintptr_t this_thread(void)
{
    static _Thread_local char place;
    return (uintptr_t)&place;
}

DIVVY_HOST_KERNEL(mark, (out, struct mark, who))
{
    DIVVY_FOR (i)
        who[i].thread = this_thread();
}

/* One way to run the job, and how often each core had its part. */
struct empty_way {
    divvy *dv;
    const struct bench_peer *peer; /* neither: by hand */
    struct mark *marks;
    unsigned cores;
    uint64_t jobs, jobs_on_all;
};

static void mark_part(void *context, size_t first, size_t count)
{
    const struct empty_way *way = context;
    for (size_t i = first; i < first + count; i++)
        way->marks[i].thread = this_thread();
}

static bool all_took_part(const struct empty_way *way)
{
    for (unsigned a = 0; a < way->cores; a++)
        for (unsigned b = 0; b < a; b++)
            if (way->marks[a].thread == way->marks[b].thread)
                return false;
    return true;
}

static void take_places(void *context)
{
    const struct empty_way *way = context;
    bench_take_places(way->peer, way->cores);
}

static void run_batch(void *context)
{
    struct empty_way *way = context;
    for (unsigned k = 0; k < BATCH; k++) {
        for (unsigned c = 0; c < way->cores; c++)
            way->marks[c].thread = 0;
        if (way->dv)
            bench_require(divvy_run(way->dv, mark, way->cores, .who = way->marks) == DIVVY_OK, "empty job",
                          divvy_error());
        else if (way->peer)
            way->peer->run(way->cores, 1, mark_part, way);
        else
            bench_team_run(way->cores, mark_part, way);
        for (unsigned c = 0; c < way->cores; c++)
            bench_require(way->marks[c].thread != 0, "empty job", "an index that nobody computed");
        way->jobs++;
        way->jobs_on_all += all_took_part(way);
    }
}

static double share_on_all(const void *context)
{
    const struct empty_way *way = context;
    return (double)way->jobs_on_all / (double)way->jobs;
}

static void measure_empty(struct bench *bench, const char *schedule)
{
    enum { MOST = 16 };
    unsigned count = 2;
    bench_team_start(bench->cores);
    struct mark *marks = bench_alloc(bench->cores * sizeof *marks);
    struct empty_way ways[MOST] = {{.dv = work_open(schedule, 0)}};
    struct bench_contender contenders[MOST];
    for (const struct bench_peer *const *peer = bench->peers; *peer && count < MOST; peer++)
        if ((*peer)->manner == BENCH_STATIC && (*peer)->run)
            ways[count++].peer = *peer;
    for (unsigned c = 0; c < count; c++) {
        ways[c].marks = marks;
        ways[c].cores = bench->cores;
        contenders[c] = (struct bench_contender){.before = take_places,
                                                 .run = run_batch,
                                                 .context = &ways[c],
                                                 .on_first_core = c > 0,
                                                 .settle_ms = ways[c].peer ? ways[c].peer->settle_ms : c,
                                                 .on_all_cores = share_on_all};
        snprintf(contenders[c].name, sizeof contenders[c].name, "%s",
                 c == 0         ? schedule
                 : ways[c].peer ? ways[c].peer->name
                                : handed);
    }
    bench_compare(bench, "", (struct bench_scale){.unit = "ns", .per = BATCH}, contenders, count);
    divvy_close(ways[0].dv);
    free(marks);
}

static void measure_empty_static(struct bench *bench)
{
    measure_empty(bench, "static");
}

static void measure_empty_guarded(struct bench *bench)
{
    measure_empty(bench, "guarded");
}

const struct bench_row bench_empty_static = {
    "empty-static", "a job with one index for each core, divided as static says", measure_empty_static};
const struct bench_row bench_empty_guarded = {
    "empty-guarded", "the same job as guarded has it: its caller may do it alone", measure_empty_guarded};

/* ---- Partitions of a microsecond ---------------------------------------------------------------- */

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

struct chunk_way {
    divvy *dv;
    const struct bench_peer *peer; /* neither: one core */
    uint64_t *found;
    size_t count;
    unsigned turns, cores; /* of the chain that takes a microsecond */
};

static void chunk_part(void *context, size_t first, size_t count)
{
    const struct chunk_way *way = context;
    for (size_t i = first; i < first + count; i++)
        way->found[i] = chain(i, way->turns);
}

static void take_chunk_places(void *context)
{
    const struct chunk_way *way = context;
    bench_take_places(way->peer, way->cores);
}

static void run_chunks(void *context)
{
    struct chunk_way *way = context;
    if (way->dv)
        bench_require(divvy_run(way->dv, chunk, way->count, .length = way->turns, .found = way->found) == DIVVY_OK,
                      "chunks", divvy_error());
    else if (way->peer)
        way->peer->run(way->count, 1, chunk_part, way);
    else
        chunk_part(way, 0, way->count);
}

static void spoil_chunks(void *context)
{
    const struct chunk_way *way = context;
    memset(way->found, 0xff, way->count * sizeof *way->found);
}

static bool chunks_are_right(void *context)
{
    const struct chunk_way *way = context;
    for (size_t i = 0; i < way->count; i++)
        if (way->found[i] != chain(i, way->turns))
            return false;
    return true;
}

/* By the fastest of many tries, since others may use the machine. */
static unsigned turns_of_a_microsecond(void)
{
    enum { TURNS = 100000, TRIES = 50 };
    double best = 0;
    for (unsigned k = 0; k < TRIES; k++) {
        double began = bench_now_ns();
        volatile uint64_t kept = chain(k, TURNS);
        (void)kept;
        double ns = bench_now_ns() - began;
        best = k == 0 || ns < best ? ns : best;
    }
    return (unsigned)(1000 * TURNS / best);
}

/* What is left of each round's time without the work, which is the last figure. Below a nanosecond is told as one. */
static void add_costs(struct bench *bench, unsigned contenders, double per)
{
    struct bench_scale scale = {.unit = "ns", .per = per};
    struct bench_result *costs = bench_begin(bench, "cost alone", scale, contenders - 1);
    const struct bench_result *times = costs - 1;
    for (unsigned c = 0; c < contenders - 1; c++) {
        const struct bench_series *work = &times->figures[contenders - 1].rounds, *all = &times->figures[c].rounds;
        memcpy(costs->figures[c].name, times->figures[c].name, sizeof times->figures[c].name);
        for (size_t r = 0; r < all->count; r++) {
            double ns = all->values[r] - work->values[r];
            ns = ns > per ? ns : per;
            bench_add(&costs->figures[c].calls, ns);
            bench_add(&costs->figures[c].rounds, ns);
        }
    }
    bench_end(costs);
}

static void measure_chunks(struct bench *bench)
{
    enum { MOST = 16 };
    size_t count = bench->quick ? 500 : 20000;
    const struct chunk_way same = {.found = bench_alloc(count * sizeof(uint64_t)),
                                   .count = count,
                                   .turns = turns_of_a_microsecond(),
                                   .cores = bench->cores};
    struct chunk_way ways[MOST] = {same};
    struct bench_contender contenders[MOST];
    unsigned ways_count = 1;
    ways[0].dv = work_open_with(&(divvy_options){.backend = "cpu", .schedule = "dynamic", .partition = 1});
    for (const struct bench_peer *const *peer = bench->peers; *peer && ways_count < MOST - 1; peer++)
        if ((*peer)->manner == BENCH_DYNAMIC && (*peer)->run) {
            ways[ways_count] = same;
            ways[ways_count++].peer = *peer;
        }
    ways[ways_count++] = same;
    for (unsigned c = 0; c < ways_count; c++) {
        bool alone = c == ways_count - 1;
        contenders[c] = (struct bench_contender){.before = take_chunk_places,
                                                 .run = run_chunks,
                                                 .spoil = spoil_chunks,
                                                 .is_right = chunks_are_right,
                                                 .context = &ways[c],
                                                 .on_first_core = c > 0,
                                                 .settle_ms = ways[c].peer ? ways[c].peer->settle_ms : 0,
                                                 .is_ideal = alone,
                                                 .divide = alone ? bench->cores : 1};
        snprintf(contenders[c].name, sizeof contenders[c].name, "%s",
                 alone          ? "the work alone"
                 : ways[c].peer ? ways[c].peer->name
                                : "dynamic");
    }
    double per = (double)count / bench->cores;
    bench_compare(bench, "with its work", (struct bench_scale){.unit = "ns", .per = per}, contenders, ways_count);
    add_costs(bench, ways_count, per);
    divvy_close(ways[0].dv);
    free(same.found);
}

const struct bench_row bench_chunks = {
    "chunks-dynamic", "a partition of one index that takes a microsecond, as dynamic hands them out", measure_chunks};
