/* What recording a profile costs. */
#include "rows.h"

#include "bench_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Many small jobs in a call. */
struct batch {
    struct work *work;
    divvy *dv;
    unsigned jobs;
};

static void run_batch(void *context)
{
    const struct batch *batch = context;
    const divvy_kernel *kernel = batch->work->kind->kernel;
    for (unsigned k = 0; k < batch->jobs; k++)
        bench_require(divvy_run_kernel(batch->dv, kernel, batch->work->count, batch->work->args, kernel->args_size) ==
                          DIVVY_OK,
                      "profile", divvy_error());
}

static void spoil(void *context)
{
    work_spoil(((const struct batch *)context)->work);
}

static bool is_right(void *context)
{
    const struct batch *batch = context;
    return batch->work->kind->is_right(batch->work);
}

static void compare(struct bench *bench, struct work *work, const char *schedule, const char *path, unsigned jobs,
                    struct bench_scale scale)
{
    struct batch on = {work, work_open_with(&(divvy_options){.backend = "cpu", .schedule = schedule, .profile = path}),
                       jobs};
    struct batch off = {work, work_open(schedule, 0), jobs};
    struct bench_contender contenders[] = {
        {.name = "profile on", .run = run_batch, .spoil = spoil, .is_right = is_right, .context = &on},
        {.name = "profile off", .run = run_batch, .spoil = spoil, .is_right = is_right, .context = &off},
    };
    bench_compare(bench, schedule, scale, contenders, 2);
    divvy_close(on.dv);
    divvy_close(off.dv);
}

static void measure(struct bench *bench, const char *kernel, size_t count, unsigned batch, struct bench_scale scale)
{
    static const char *const schedules[] = {"static", "guarded", "dynamic"};
    struct work work;
    char path[] = "/tmp/divvy-bench-XXXXXX";
    int file = mkstemp(path);
    bench_require(file >= 0, "profile", path);
    close(file);
    work_make(&work, work_kind(kernel), count, 0);
    for (unsigned s = 0; s < sizeof schedules / sizeof *schedules; s++)
        compare(bench, &work, schedules[s], path, batch, scale);
    work_free(&work);
    unlink(path);
}

static void measure_empty(struct bench *bench)
{
    enum { BATCH = 200 };
    measure(bench, "triad", bench->cores, BATCH, (struct bench_scale){.unit = "ns", .per = BATCH});
}

static void measure_nbody(struct bench *bench)
{
    measure(bench, "nbody", bench->quick ? 128 : 2048, 1, (struct bench_scale){.unit = "us", .per = 1e3});
}

const struct bench_row row_profile_empty = {"profile-empty", "a job with one element for each core, recorded",
                                            measure_empty};
const struct bench_row row_profile_nbody = {"profile-nbody", "a job of a millisecond, recorded", measure_nbody};
