/* The cores: bandwidths, computing, and how both grow with their number. */
#include "bench_team.h"
#include "bench_work.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 24 };

/* A work and those who do it; the first is divvy. */
struct contest {
    struct work work;
    unsigned count;
    struct way ways[MOST];
    struct bench_contender contenders[MOST];
    unsigned remote_count; /* the last of them, who are in processes of their own */
    const struct bench_remote *remotes[MOST];
};

static void add(struct contest *contest, struct way way, const char *name)
{
    if (contest->count == MOST)
        return;
    struct way *kept = &contest->ways[contest->count];
    *kept = way;
    kept->work = &contest->work;
    contest->contenders[contest->count++] = way_contender(kept, name);
}

static struct bench_scale scale_of(const struct work *work)
{
    if (work->kind->bytes != 0)
        return (struct bench_scale){.unit = "GB/s", .is_rate = true, .per = work->kind->bytes * (double)work->count};
    return (struct bench_scale){.unit = "ms", .per = 1e6};
}

/* ---- Bandwidths --------------------------------------------------------------------------------- */

static void measure_stream(struct bench *bench, const char *name, size_t mib)
{
    const struct work_kind *kind = work_kind(name);
    size_t count = bench->quick ? kind->quick_count : (mib << 20) / sizeof(float);
    uint64_t bytes = (uint64_t)(kind->bytes * (double)count), there = bench_memory_bytes();
    if (there != 0 && there < 2 * bytes) {
        bench_leave_out(bench, "needs %.1f GiB of memory, %.1f are free", (double)bytes * 0x1p-30,
                        (double)there * 0x1p-30);
        return;
    }
    struct contest *contest = calloc(1, sizeof *contest);
    bench_require(contest != NULL, name, "memory");
    work_make(&contest->work, kind, count, bench->cores);
    divvy_body *body = work_form(kind, bench->level);
    divvy *dv = work_open("guarded", 0);
    add(contest, (struct way){.dv = dv}, "guarded");
    add(contest, (struct way){.body = body}, "threads bound by hand, same code");
    for (const struct bench_peer *const *peer = bench->peers; *peer; peer++)
        if ((*peer)->manner == BENCH_STATIC && (*peer)->run)
            add(contest, (struct way){.peer = *peer, .body = body, .threads = bench->cores}, NULL);
    bench_compare(bench, "", scale_of(&contest->work), contest->contenders, contest->count);
    divvy_close(dv);
    work_free(&contest->work);
    free(contest);
}

static void measure_saxpy_64(struct bench *bench)
{
    measure_stream(bench, "saxpy", 64);
}
static void measure_triad_64(struct bench *bench)
{
    measure_stream(bench, "triad", 64);
}
static void measure_saxpy_512(struct bench *bench)
{
    measure_stream(bench, "saxpy", 512);
}
static void measure_triad_512(struct bench *bench)
{
    measure_stream(bench, "triad", 512);
}

const struct bench_row bench_saxpy_64 = {"saxpy-64", "y = a x + y, arrays of 64 MiB", measure_saxpy_64};
const struct bench_row bench_triad_64 = {"triad-64", "z = x + a y, arrays of 64 MiB", measure_triad_64};
const struct bench_row bench_saxpy_512 = {"saxpy-512", "y = a x + y, arrays of 512 MiB", measure_saxpy_512};
const struct bench_row bench_triad_512 = {"triad-512", "z = x + a y, arrays of 512 MiB", measure_triad_512};

/* ---- Computing ---------------------------------------------------------------------------------- */

static void add_remotes(struct bench *bench, struct contest *contest)
{
    for (const struct bench_remote *remote = bench->remotes; remote && remote->name && contest->count < MOST;
         remote++) {
        if (remote->beside_device)
            continue;
        void *hand = remote->start(remote, contest->work.kind->name, contest->work.count);
        if (!hand)
            continue;
        struct bench_contender *contender = &contest->contenders[contest->count++];
        *contender = (struct bench_contender){.turn = remote->turn, .context = hand};
        snprintf(contender->name, sizeof contender->name, "%s", remote->name);
        contest->remotes[contest->remote_count++] = remote;
    }
}

static void stop_remotes(const struct contest *contest)
{
    for (unsigned r = 0; r < contest->remote_count; r++)
        contest->remotes[r]->stop(contest->contenders[contest->count - contest->remote_count + r].context);
}

static void measure_computing(struct bench *bench, const char *name)
{
    const struct work_kind *kind = work_kind(name);
    struct contest *contest = calloc(1, sizeof *contest);
    bench_require(contest != NULL, name, "memory");
    work_make(&contest->work, kind, bench->quick ? kind->quick_count : kind->count, bench->cores);
    divvy *dv = work_open("guarded", 0);
    add(contest, (struct way){.dv = dv}, "guarded");
    for (const struct bench_peer *const *peer = bench->peers; *peer; peer++) {
        unsigned threads = (*peer)->manner == BENCH_SERIAL ? 1 : bench->cores;
        if (work_kind_known(kind, *peer))
            add(contest, (struct way){.peer = *peer, .threads = threads}, NULL);
        /* Where indices differ in length, whoever hands out the same code shows what handing out is worth. */
        bool on_demand = (*peer)->run && ((*peer)->manner == BENCH_DYNAMIC || (*peer)->manner == BENCH_GUIDED);
        if (on_demand && kind == work_kind("mandelbrot"))
            add(contest, (struct way){.peer = *peer, .body = work_form(kind, bench->level), .threads = threads}, NULL);
    }
    add_remotes(bench, contest);
    bench_compare(bench, "", scale_of(&contest->work), contest->contenders, contest->count);
    stop_remotes(contest);
    divvy_close(dv);
    work_free(&contest->work);
    free(contest);
}

static void measure_nbody(struct bench *bench)
{
    measure_computing(bench, "nbody");
}
static void measure_black_scholes(struct bench *bench)
{
    measure_computing(bench, "black_scholes");
}
static void measure_mandelbrot(struct bench *bench)
{
    measure_computing(bench, "mandelbrot");
}
static void measure_sum_float(struct bench *bench)
{
    measure_computing(bench, "sum_float");
}
static void measure_sum_double(struct bench *bench)
{
    measure_computing(bench, "sum_double");
}

const struct bench_row bench_nbody = {"nbody", "gravitation of 8192 bodies", measure_nbody};
const struct bench_row bench_black_scholes = {"black-scholes", "prices of 4 M options", measure_black_scholes};
const struct bench_row bench_mandelbrot = {"mandelbrot", "1024 x 256 points, whose upper rows take longer",
                                           measure_mandelbrot};
const struct bench_row bench_sum_float = {"sum-float", "the sum of 64 M floats", measure_sum_float};
const struct bench_row bench_sum_double = {"sum-double", "the sum of 64 M doubles", measure_sum_double};

/* ---- What reproducibility costs ------------------------------------------------------------------ */

static void measure_price(struct bench *bench, const char *what, const char *name, size_t count)
{
    const struct work_kind *kind = work_kind(name);
    struct contest *contest = calloc(1, sizeof *contest);
    bench_require(contest != NULL, name, "memory");
    work_make(&contest->work, kind, bench->quick && count > kind->quick_count ? kind->quick_count : count,
              bench->cores);
    divvy *fixed = work_open_with(&(divvy_options){.backend = "cpu", .reproducible = 1});
    divvy *plain = work_open("guarded", 0);
    add(contest, (struct way){.dv = fixed}, "reproducible");
    add(contest, (struct way){.dv = plain}, "guarded");
    bench_compare(bench, what, scale_of(&contest->work), contest->contenders, contest->count);
    divvy_close(plain);
    divvy_close(fixed);
    work_free(&contest->work);
    free(contest);
}

static void measure_reproducible(struct bench *bench)
{
    enum { IN_CACHE = 256 << 10 };
    measure_price(bench, "sum of 64 M floats", "sum_float", work_kind("sum_float")->count);
    measure_price(bench, "sum of 256 K floats", "sum_float", IN_CACHE);
    measure_price(bench, "Black-Scholes", "black_scholes", work_kind("black_scholes")->count);
    measure_price(bench, "n-body", "nbody", work_kind("nbody")->count);
}

const struct bench_row bench_reproducible = {"reproducible", "the same bits in every run, beside any bits",
                                             measure_reproducible};

/* ---- More cores --------------------------------------------------------------------------------- */

static void measure_on(struct bench *bench, struct contest *contest, divvy *one, unsigned cores)
{
    char name[32];
    snprintf(name, sizeof name, "%u core%s", cores, cores == 1 ? "" : "s");
    divvy *dv = work_open("guarded", cores);
    const struct work_kind *kind = contest->work.kind;
    contest->count = 0;
    add(contest, (struct way){.dv = dv}, name);
    for (const struct bench_peer *const *peer = bench->peers; *peer; peer++) {
        struct way way = {.peer = *peer, .threads = cores};
        if ((*peer)->manner != BENCH_STATIC || !(*peer)->run)
            continue;
        if (!work_kind_known(kind, *peer))
            way.body = work_form(kind, bench->level);
        add(contest, way, NULL);
    }
    if (cores > 1) {
        add(contest, (struct way){.dv = one}, "one core's time divided");
        contest->contenders[contest->count - 1].is_ideal = true;
        contest->contenders[contest->count - 1].divide = cores;
    }
    bench_compare(bench, name, scale_of(&contest->work), contest->contenders, contest->count);
    divvy_close(dv);
}

static void measure_scaling(struct bench *bench, const char *name)
{
    const struct work_kind *kind = work_kind(name);
    struct contest *contest = calloc(1, sizeof *contest);
    bench_require(contest != NULL, name, "memory");
    work_make(&contest->work, kind, bench->quick ? kind->quick_count : kind->count, bench->cores);
    divvy *one = work_open("guarded", 1);
    for (unsigned cores = 1; cores < bench->cores; cores *= 2)
        measure_on(bench, contest, one, cores);
    measure_on(bench, contest, one, bench->cores);
    divvy_close(one);
    work_free(&contest->work);
    free(contest);
}

static void measure_scaling_nbody(struct bench *bench)
{
    measure_scaling(bench, "nbody");
}
static void measure_scaling_triad(struct bench *bench)
{
    measure_scaling(bench, "triad");
}

const struct bench_row bench_scaling_nbody = {"scaling-nbody", "8192 bodies on 1, 2, 4 ... all cores",
                                              measure_scaling_nbody};
const struct bench_row bench_scaling_triad = {"scaling-triad", "triad of 64 MiB on 1, 2, 4 ... all cores",
                                              measure_scaling_triad};
