/* What a job costs that has almost nothing to do, and what recording it costs. */
#include "bench.h"
#include "openmp.h"
#include "team.h"
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 200 };

/* Who computed an index; no two share a cache line. */
struct mark {
    _Alignas(64) uintptr_t thread;
};

static struct mark *marks;
static unsigned cores;

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

static void mark_part(void *context, size_t first, size_t count)
{
    (void)context;
    for (size_t i = first; i < first + count; i++)
        marks[i].thread = this_thread();
}

/* One way to run the job, and how often each core had its part. */
struct way {
    divvy *dv;
    const struct openmp *openmp;
    uint64_t jobs, jobs_on_all;
};

static bool all_took_part(void)
{
    for (unsigned a = 0; a < cores; a++)
        for (unsigned b = 0; b < a; b++)
            if (marks[a].thread == marks[b].thread)
                return false;
    return true;
}

static void run_batch(void *context)
{
    struct way *way = context;
    for (unsigned k = 0; k < BATCH; k++) {
        for (unsigned c = 0; c < cores; c++)
            marks[c].thread = 0;
        if (way->dv)
            bench_require(divvy_run(way->dv, mark, cores, .who = marks) == DIVVY_OK, "empty job", divvy_error());
        else if (way->openmp)
            way->openmp->run_static(cores, mark_part, way);
        else
            team_run(cores, mark_part, way);
        for (unsigned c = 0; c < cores; c++)
            bench_require(marks[c].thread != 0, "empty job", "an index that nobody computed");
        way->jobs++;
        way->jobs_on_all += all_took_part();
    }
}

static void empty_jobs(void)
{
    const struct openmp *const *openmp = openmp_load(cores);
    team_start(cores);
    struct way guarded = {.dv = work_open(&(divvy_options){.backend = "cpu", .schedule = "guarded"}, "guarded")};
    struct way fixed = {.dv = work_open(&(divvy_options){.backend = "cpu", .schedule = "static"}, "static")};
    struct way dynamic = {.dv = work_open(&(divvy_options){.backend = "cpu", .schedule = "dynamic"}, "dynamic")};
    struct way hand = {0}, peer = {.openmp = openmp[0]};
    struct bench_contender contenders[5] = {
        {.name = "divvy static", .run = run_batch, .context = &fixed},
        {.name = "divvy guarded", .run = run_batch, .context = &guarded},
        {.name = "divvy dynamic", .run = run_batch, .context = &dynamic},
        {.name = "threads by hand", .run = run_batch, .context = &hand, .caller = BENCH_FIRST_CORE, .settle_ms = 1},
    };
    unsigned count = 4;
    if (peer.openmp)
        contenders[count++] = (struct bench_contender){.name = peer.openmp->name,
                                                       .run = run_batch,
                                                       .context = &peer,
                                                       .caller = BENCH_OPENMP,
                                                       .settle_ms = peer.openmp->settle_ms,
                                                       .reference = true};
    struct bench_row row = {.name = "empty job", .unit = "ns", .per = BATCH, .rounds = bench_rounds(60), .calls = 10};
    bench_measure(&row, contenders, count);
    for (unsigned c = 0; c < count; c++) {
        const struct way *way = contenders[c].context;
        bench_print_one("empty job, on all cores", contenders[c].name,
                        100.0 * (double)way->jobs_on_all / (double)way->jobs, "%");
    }
    divvy_close(guarded.dv);
    divvy_close(fixed.dv);
    divvy_close(dynamic.dv);
    team_end();
}

/* ---- Profiling ---- */

static void run_bodies(void *context)
{
    static struct bodies work;
    if (!work.count)
        bodies_make(&work, bench_smoke() ? 128 : 2048);
    bodies_run(context, &work, "profile", "1 ms job");
}

static void profiling(void)
{
    static const char *const schedules[] = {"static", "guarded", "dynamic"};
    char path[] = "/tmp/divvy-bench-XXXXXX";
    int file = mkstemp(path);
    bench_require(file >= 0, "profile", path);
    close(file);
    for (unsigned s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        struct way off = {.dv = work_open(&(divvy_options){.backend = "cpu", .schedule = schedules[s]}, "off")};
        struct way on = {
            .dv = work_open(&(divvy_options){.backend = "cpu", .schedule = schedules[s], .profile = path}, "on")};
        struct bench_contender empty[] = {
            {.name = "profile off", .run = run_batch, .context = &off, .reference = true},
            {.name = "profile on", .run = run_batch, .context = &on},
        };
        struct bench_contender bodies[] = {
            {.name = "profile off", .run = run_bodies, .context = off.dv, .reference = true},
            {.name = "profile on", .run = run_bodies, .context = on.dv},
        };
        char name[64];
        snprintf(name, sizeof name, "empty job, %s", schedules[s]);
        bench_measure(
            &(struct bench_row){.name = name, .unit = "ns", .per = BATCH, .rounds = bench_rounds(30), .calls = 10},
            empty, 2);
        snprintf(name, sizeof name, "nbody 2048, %s", schedules[s]);
        bench_measure(
            &(struct bench_row){.name = name, .unit = "us", .per = 1e3, .rounds = bench_rounds(30), .calls = 10},
            bodies, 2);
        divvy_close(off.dv);
        divvy_close(on.dv);
    }
    unlink(path);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    cores = bench_core_count();
    marks = bench_alloc(cores * sizeof *marks);
    memset(marks, 0, cores * sizeof *marks);
    empty_jobs();
    profiling();
    return 0;
}
