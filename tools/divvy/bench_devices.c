/* Cores and an OpenCL device: what they reach together of what they could. The ideal of a round is
 * 1 / (1 / cores alone + 1 / device alone), from times alone. */
#include "bench_found.h"
#include "bench_work.h"

#include <stdio.h>
#include <string.h>

/* A device that would take longer than this alone is left out. */
static const double ALONE_NS = 3e9;
enum { REMOTES_MOST = 12, REMOTE_CALLS = 2 };

/* The figures of a result, after which come the remotes'. */
enum { TOGETHER, IDEAL, CORES, DEVICE, FIGURES };

/* A device, the cores beside it, and both. */
struct pairing {
    char device[32], cores[32], both[64];
    const char *name;
    const struct work_kind *kind;
    struct work work;
    divvy *cores_alone, *device_alone;
    unsigned remote_count;
    void *hands[REMOTES_MOST];
    const struct bench_remote *remotes[REMOTES_MOST];
};

/* A device made of cores gets half of them, or the one that it can use. False: none would be left. */
static bool choose(struct pairing *pairing, const struct bench_found *found, unsigned cores)
{
    unsigned half = found->units < 2 ? 1 : (found->units < cores ? found->units : cores) / 2;
    if (found->of_cores && half >= cores)
        return false;
    if (found->of_cores && found->units > 1)
        snprintf(pairing->device, sizeof pairing->device, "opencl:%u/%u", found->index, half);
    else
        snprintf(pairing->device, sizeof pairing->device, "opencl:%u", found->index);
    if (found->of_cores)
        snprintf(pairing->cores, sizeof pairing->cores, "cpu:0-%u", cores - half - 1);
    else
        snprintf(pairing->cores, sizeof pairing->cores, "cpu");
    snprintf(pairing->both, sizeof pairing->both, "%s,%s", pairing->cores, pairing->device);
    pairing->name = found->name;
    return true;
}

static divvy_status run(struct pairing *pairing, divvy *dv)
{
    if (pairing->kind->advance)
        pairing->kind->advance(&pairing->work);
    return divvy_run_kernel(dv, pairing->kind->kernel, pairing->work.count, pairing->work.args,
                            pairing->kind->kernel->args_size);
}

static double timed_run(struct pairing *pairing, divvy *dv, const char *name)
{
    double began = bench_now_ns();
    divvy_status status = run(pairing, dv);
    double ns = bench_now_ns() - began;
    if (status != DIVVY_OK)
        fprintf(stderr, "%s\n", divvy_error());
    bench_require(status == DIVVY_OK, pairing->kind->name, name);
    return ns;
}

static void checked_run(struct pairing *pairing, divvy *dv, const char *name)
{
    work_spoil(&pairing->work);
    timed_run(pairing, dv, name);
    bench_require(pairing->kind->is_right(&pairing->work), pairing->kind->name, name);
}

/* What the whole job would take on the device alone, from a sixteenth of it; negative: it cannot do that. */
static double device_would_take(const struct pairing *pairing, bool quick)
{
    struct pairing small = *pairing;
    double ns = -1;
    size_t count = quick ? pairing->kind->quick_count : pairing->kind->device_count / 16;
    work_make(&small.work, pairing->kind, count, 0);
    if (run(&small, pairing->device_alone) == DIVVY_OK)
        ns = timed_run(&small, pairing->device_alone, pairing->device) * (pairing->kind->quadratic ? 256 : 16);
    work_free(&small.work);
    return ns;
}

static bool open_alone(struct bench *bench, struct pairing *pairing)
{
    if (divvy_open(&pairing->device_alone, &(divvy_options){.devices = pairing->device, .models = "off"}) != DIVVY_OK) {
        bench_leave_out(bench, "%s: %s", pairing->device, divvy_error());
        divvy_close(pairing->device_alone);
        return false;
    }
    double ns = device_would_take(pairing, bench->quick);
    if (ns < 0 || (ns > ALONE_NS && !bench->quick)) {
        if (ns < 0)
            bench_leave_out(bench, "%s: %s", pairing->name, divvy_error());
        else
            bench_leave_out(bench, "%s would take %.0f s alone", pairing->name, ns * 1e-9);
        divvy_close(pairing->device_alone);
        return false;
    }
    pairing->cores_alone = work_open_with(&(divvy_options){.devices = pairing->cores});
    return true;
}

static void start_remotes(struct bench *bench, struct pairing *pairing)
{
    for (const struct bench_remote *remote = bench->remotes; remote && remote->name; remote++) {
        void *hand = NULL;
        if (remote->beside_device && pairing->remote_count < REMOTES_MOST)
            hand = remote->start(remote, pairing->kind->name, pairing->work.count);
        if (!hand)
            continue;
        pairing->remotes[pairing->remote_count] = remote;
        pairing->hands[pairing->remote_count++] = hand;
    }
}

static void record(struct bench_figure *figure, double ns)
{
    bench_add(&figure->calls, ns);
    bench_add(&figure->rounds, ns);
}

static double typical(const double *ns, unsigned count)
{
    struct bench_series series = {0};
    for (unsigned k = 0; k < count; k++)
        bench_add(&series, ns[k]);
    double median = bench_quantile(&series, 0.5);
    bench_forget(&series);
    return median;
}

/* Each alone, then a fresh context with both: its kernel built, nothing known of any device, and after five calls. */
static void take_round(struct bench *bench, struct pairing *pairing, struct bench_result *first,
                       struct bench_result *warm)
{
    bool calm = bench_await_calm(bench);
    double device_ns = timed_run(pairing, pairing->device_alone, pairing->device);
    timed_run(pairing, pairing->cores_alone, pairing->cores); /* they have just slept, and would be slow */
    double cores_ns = timed_run(pairing, pairing->cores_alone, pairing->cores);
    divvy *dv = work_open_with(&(divvy_options){.devices = pairing->both});
    bench_require(divvy_prepare_kernel(dv, pairing->kind->kernel) == DIVVY_OK, pairing->kind->name, pairing->both);
    double first_ns = timed_run(pairing, dv, pairing->both);
    for (int k = 0; k < 4; k++)
        timed_run(pairing, dv, pairing->both);
    double warm_ns = timed_run(pairing, dv, pairing->both);
    checked_run(pairing, dv, pairing->both);
    divvy_close(dv);

    double ideal_ns = 1 / (1 / cores_ns + 1 / device_ns);
    struct bench_result *const results[] = {first, warm};
    for (int r = 0; r < 2; r++) {
        record(&results[r]->figures[TOGETHER], r == 0 ? first_ns : warm_ns);
        record(&results[r]->figures[IDEAL], ideal_ns);
        record(&results[r]->figures[CORES], cores_ns);
        record(&results[r]->figures[DEVICE], device_ns);
    }
    for (unsigned k = 0; k < pairing->remote_count; k++) {
        double ns[REMOTE_CALLS];
        bench_require(pairing->remotes[k]->turn(pairing->hands[k], REMOTE_CALLS, ns), pairing->kind->name,
                      pairing->remotes[k]->name);
        for (int r = 0; r < 2; r++)
            record(&results[r]->figures[FIGURES + k], typical(ns, REMOTE_CALLS));
    }
    if (!bench->quick)
        bench_sleep_ms(2);
    calm = bench_is_calm(bench) && calm;
    first->turns++;
    warm->turns++;
    first->disturbed += !calm;
    warm->disturbed += !calm;
}

static void name_figures(struct bench_result *result, const struct pairing *pairing)
{
    const char *const names[FIGURES] = {"together", "ideal of both", "cores alone", ""};
    for (unsigned f = 0; f < result->figure_count; f++)
        snprintf(result->figures[f].name, sizeof result->figures[f].name, "%s",
                 f < FIGURES ? names[f] : pairing->remotes[f - FIGURES]->name);
    snprintf(result->figures[DEVICE].name, sizeof result->figures[DEVICE].name, "%.50s alone", pairing->name);
    result->figures[IDEAL].is_ideal = true;
}

static void measure_pairing(struct bench *bench, struct pairing *pairing)
{
    if (!open_alone(bench, pairing))
        return;
    work_make(&pairing->work, pairing->kind, bench->quick ? pairing->kind->quick_count : pairing->kind->device_count,
              0);
    start_remotes(bench, pairing);
    struct bench_scale scale = {.unit = "ms", .per = 1e6};
    char name[sizeof pairing->both + sizeof ", sixth call"];
    snprintf(name, sizeof name, "%s, first call", pairing->both);
    bench_begin(bench, name, scale, FIGURES + pairing->remote_count);
    snprintf(name, sizeof name, "%s, sixth call", pairing->both);
    struct bench_result *warm = bench_begin(bench, name, scale, FIGURES + pairing->remote_count), *first = warm - 1;
    name_figures(first, pairing);
    name_figures(warm, pairing);

    checked_run(pairing, pairing->device_alone, pairing->device);
    checked_run(pairing, pairing->cores_alone, pairing->cores);
    double began = bench_now_ns();
    for (unsigned round = 0; bench_wants_round(bench, round, began); round++)
        take_round(bench, pairing, first, warm);
    checked_run(pairing, pairing->device_alone, pairing->device);
    checked_run(pairing, pairing->cores_alone, pairing->cores);
    bench_end(first);
    bench_end(warm);

    for (unsigned k = 0; k < pairing->remote_count; k++)
        pairing->remotes[k]->stop(pairing->hands[k]);
    divvy_close(pairing->cores_alone);
    divvy_close(pairing->device_alone);
    work_free(&pairing->work);
}

static void measure_devices(struct bench *bench, const char *kernel)
{
    const struct bench_found *found;
    unsigned count = bench_find_devices(&found);
    if (count == 0)
        bench_leave_out(bench, "there is no OpenCL device");
    for (unsigned k = 0; k < count; k++) {
        struct pairing pairing = {.kind = work_kind(kernel)};
        if (choose(&pairing, &found[k], bench->cores))
            measure_pairing(bench, &pairing);
        else
            bench_leave_out(bench, "%s is made of cores, and none would be left beside it", found[k].name);
    }
}

static void measure_nbody(struct bench *bench)
{
    measure_devices(bench, "nbody");
}
static void measure_black_scholes(struct bench *bench)
{
    measure_devices(bench, "black_scholes");
}
static void measure_mandelbrot(struct bench *bench)
{
    measure_devices(bench, "mandelbrot");
}
static void measure_saxpy(struct bench *bench)
{
    measure_devices(bench, "saxpy");
}

const struct bench_row bench_devices_nbody = {"devices-nbody", "16384 bodies on cores and an OpenCL device",
                                              measure_nbody};
const struct bench_row bench_devices_black_scholes = {
    "devices-black-scholes", "12 M options on cores and an OpenCL device", measure_black_scholes};
const struct bench_row bench_devices_mandelbrot = {
    "devices-mandelbrot", "1024 x 2048 points on cores and an OpenCL device", measure_mandelbrot};
const struct bench_row bench_devices_saxpy = {
    "devices-saxpy", "y = a x + y, arrays of 128 MiB, on cores and an OpenCL device", measure_saxpy};
