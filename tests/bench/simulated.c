/* The real cores beside devices of scenarios (backends/sim): how near the bound both come together, and what devices
 * cost that are no good. Each round has a process of its own, paced.c.
 *
 * The kernel is padded, so that an index takes a core about a microsecond. Simulated devices sleep instead, and leave
 * the cores to the others. */
#include "rows.h"

#include "bench_work.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "padded.cl"

extern char **environ;

enum { CALLS_MOST = 16, ALONE_CALLS = 3, PACED_CALLS = 6, HOSTILE_CALLS = 10 };
static const double INDEX_NS = 1000; /* that an index takes a core */

/* ---- The kernel --------------------------------------------------------------------------------- */

static double padded_ns(divvy *dv, int padding, size_t count, uint *out)
{
    double began = bench_now_ns();
    bench_require(divvy_run(dv, padded, count, .padding = padding, .out = out) == DIVVY_OK, "padded", divvy_error());
    return bench_now_ns() - began;
}

/* How many turns take one core as long as an index should: found once. */
static int padding_of(const struct bench *bench)
{
    enum { INDICES = 4096, TURNS = 500, TRIES = 7 };
    static int padding;
    if (padding)
        return padding;
    size_t count = bench->quick ? INDICES / 8 : INDICES;
    uint *out = bench_alloc(INDICES * sizeof *out);
    divvy *dv = work_open("static", 1);
    double least = HUGE_VAL;
    for (int k = 0; k < TRIES; k++)
        least = fmin(least, padded_ns(dv, TURNS, count, out));
    divvy_close(dv);
    free(out);
    padding = (int)fmax(INDEX_NS * TURNS * (double)count / least, 1);
    return padding;
}

/* ---- A round ------------------------------------------------------------------------------------ */

/* What a process is to do, and what it told. */
struct session {
    const char *wrapper; /* a program that runs it; NULL: none */
    const char *backends;
    size_t count;
    unsigned alone_calls, calls;
    double alone_ns[CALLS_MOST], together_ns[CALLS_MOST], close_ns;
};

static FILE *start(const struct session *session, int padding, pid_t *out_child)
{
    char words[4][24];
    snprintf(words[0], sizeof words[0], "%zu", session->count);
    snprintf(words[1], sizeof words[1], "%d", padding);
    snprintf(words[2], sizeof words[2], "%u", session->alone_calls);
    snprintf(words[3], sizeof words[3], "%u", session->calls);
    char *argv[] = {(char *)(uintptr_t)session->wrapper,
                    (char *)(uintptr_t)PACED,
                    words[0],
                    words[1],
                    words[2],
                    words[3],
                    (char *)(uintptr_t)session->backends,
                    NULL};
    char **from = session->wrapper ? argv : argv + 1;
    posix_spawn_file_actions_t actions;
    int ends[2];
    bench_require(pipe2(ends, O_CLOEXEC) == 0, PACED, "its pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    bench_require(posix_spawn(out_child, from[0], &actions, NULL, from, environ) == 0, from[0], "starting it");
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    FILE *told = fdopen(ends[0], "r");
    bench_require(told != NULL, PACED, "its pipe");
    return told;
}

static bool read_times(FILE *told, double *out_ns, unsigned count)
{
    unsigned got = 0;
    while (got < count && fscanf(told, "%lf", &out_ns[got]) == 1)
        got++;
    return got == count;
}

/* False: there are no such devices. */
static bool run_session(struct session *session, int padding)
{
    pid_t child;
    int status = -1;
    FILE *told = start(session, padding, &child);
    bool complete = read_times(told, session->alone_ns, session->alone_calls) &&
                    read_times(told, session->together_ns, session->calls) && read_times(told, &session->close_ns, 1);
    fclose(told);
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        return false;
    bench_require(complete && status == 0, session->backends, "a process of a round");
    return true;
}

static void record(struct bench_figure *figure, double ns)
{
    bench_add(&figure->calls, ns);
    bench_add(&figure->rounds, ns);
}

static void name_figure(struct bench_result *result, unsigned f, const char *name)
{
    snprintf(result->figures[f].name, sizeof result->figures[f].name, "%s", name);
}

static double median(const double *ns, unsigned count)
{
    struct bench_series series = {0};
    for (unsigned k = 0; k < count; k++)
        bench_add(&series, ns[k]);
    double middle = bench_quantile(&series, 0.5);
    bench_forget(&series);
    return middle;
}

static double mean(const double *ns, unsigned count)
{
    double sum = 0;
    for (unsigned k = 0; k < count; k++)
        sum += ns[k];
    return sum / count;
}

/* Before a round and after it. Quiet while it began is what counts: its devices sleep in other processes. */
static void count_turn(struct bench *bench, struct bench_result *results, unsigned count, bool calm)
{
    if (!bench->quick)
        bench_sleep_ms(2);
    calm = bench_is_calm(bench) && calm;
    for (unsigned r = 0; r < count; r++) {
        results[r].turns++;
        results[r].disturbed += !calm;
    }
}

/* ---- Scenarios ---------------------------------------------------------------------------------- */

/* Writes a scenario of these devices for the processes to come, and names it in the environment. */
static void set_scenario(char *path, const char *devices)
{
    strcpy(path, "/tmp/divvy-bench-XXXXXX");
    int number = mkstemp(path);
    FILE *file = number >= 0 ? fdopen(number, "w") : NULL;
    bench_require(file != NULL, path, "writing it");
    fprintf(file, "{\"divvy_scenario\": 1, \"name\": \"bench\", \"seed\": 1, \"devices\": [%s]}\n", devices);
    bench_require(fclose(file) == 0, path, "writing it");
    setenv("DIVVY_SIM", path, 1);
}

static void forget_scenario(const char *path)
{
    unsetenv("DIVVY_SIM");
    unlink(path);
}

/* ---- Paced: three unlike devices beside the cores ----------------------------------------------- */

/* What they truly are: times as fast as a core. */
static const struct {
    double times, fixed_ns;
} gpus[] = {{8, 300e3}, {3, 100e3}, {0.5, 500e3}};
enum { GPUS = sizeof gpus / sizeof *gpus };

/* The indices that all have done by a moment, and the moment at which that is all of them. */
static double done_by(double ns, double cores_per_ns)
{
    double done = ns * cores_per_ns;
    for (int g = 0; g < GPUS; g++)
        done += fmax(ns - gpus[g].fixed_ns, 0) * gpus[g].times / INDEX_NS;
    return done;
}

static double bound_ns(double count, double cores_per_ns)
{
    double low = 0, high = count / cores_per_ns;
    for (int k = 0; k < 60; k++) {
        double middle = (low + high) / 2;
        if (done_by(middle, cores_per_ns) < count)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void take_paced_round(struct bench *bench, struct session *session, struct bench_result *results)
{
    bool calm = bench_await_calm(bench);
    bench_require(run_session(session, padding_of(bench)), "paced", "its devices");
    double alone_ns = median(session->alone_ns, session->alone_calls);
    double bound = bound_ns((double)session->count, (double)session->count / alone_ns);
    for (int r = 0; r < 2; r++) {
        record(&results[r].figures[0], session->together_ns[r == 0 ? 0 : PACED_CALLS - 1]);
        record(&results[r].figures[1], bound);
        record(&results[r].figures[2], alone_ns);
    }
    count_turn(bench, results, 2, calm);
}

/* A job that would take all of them so long at best. */
static void measure_paced(struct bench *bench, double job_ms)
{
    char path[32], devices[512] = "";
    for (int g = 0; g < GPUS; g++)
        snprintf(devices + strlen(devices), sizeof devices - strlen(devices),
                 "%s{\"name\": \"g%d\", \"fixed_ns\": %g, \"ns_per_item\": %g, \"granule\": 64}", g ? ", " : "", g,
                 gpus[g].fixed_ns, INDEX_NS / gpus[g].times);
    set_scenario(path, devices);
    double job_ns = (bench->quick ? 2 : job_ms) * 1e6;
    struct session session = {.backends = "cpu,sim",
                              .count = (size_t)done_by(job_ns, bench->cores / INDEX_NS),
                              .alone_calls = ALONE_CALLS,
                              .calls = PACED_CALLS};
    struct bench_scale scale = {.unit = "ms", .per = 1e6};
    bench_begin(bench, "first call", scale, 3);
    struct bench_result *results = bench_begin(bench, "sixth call", scale, 3) - 1;
    for (int r = 0; r < 2; r++) {
        name_figure(&results[r], 0, "together");
        name_figure(&results[r], 1, "bound");
        results[r].figures[1].is_ideal = true;
        name_figure(&results[r], 2, "cores alone");
    }
    double began = bench_now_ns();
    for (unsigned round = 0; bench_wants_round(bench, round, began); round++)
        take_paced_round(bench, &session, results);
    bench_end(&results[0]);
    bench_end(&results[1]);
    forget_scenario(path);
}

static void measure_paced_20(struct bench *bench)
{
    measure_paced(bench, 20);
}
static void measure_paced_50(struct bench *bench)
{
    measure_paced(bench, 50);
}
static void measure_paced_200(struct bench *bench)
{
    measure_paced(bench, 200);
}

const struct bench_row row_paced_20 = {"paced-20", "cores and three simulated GPUs, a job of 20 ms", measure_paced_20};
const struct bench_row row_paced_50 = {"paced-50", "cores and three simulated GPUs, a job of 50 ms", measure_paced_50};
const struct bench_row row_paced_200 = {"paced-200", "cores and three simulated GPUs, a job of 200 ms",
                                        measure_paced_200};

/* ---- Hostile: a device that is no good ---------------------------------------------------------- */

/* The fields of a device; where it hangs, and in a quick round for how long. */
struct hostile {
    const char *name, *device, *quick;
};

#define FAST "\"fixed_ns\": 3e5, \"ns_per_item\": 125, \"granule\": 64"
#define LIES "\"stated\": {\"fixed_ns\": 3000, \"timing\": "
static const struct hostile hostile[] = {
    {"450x slower", "\"fixed_ns\": 2e6, \"ns_per_item\": 450000, \"granule\": 64", ""},
    {"hangs at once", FAST ", \"hang\": {\"at\": 1%s}", ", \"for_ns\": 2e7"},
    {"hangs at the third", FAST ", \"hang\": {\"at\": 3%s}", ", \"for_ns\": 2e7"},
    {"fails at the first", FAST ", \"fail\": {\"on\": \"run\", \"at\": 1}", ""},
    {"fails every third", FAST ", \"fail\": {\"on\": \"run\", \"at\": 3, \"every\": 3}", ""},
    {"times are zero", FAST ", " LIES "\"zero\"}", ""},
    {"times are garbage", FAST ", " LIES "\"garbage\"}", ""},
    {"slow and lies", "\"fixed_ns\": 5e6, \"ns_per_item\": 8000, \"granule\": 64, " LIES "\"garbage\"}", ""},
    {"lost midway", FAST ", \"lost\": {\"at\": 4}", ""},
    {"does not open", FAST ", \"fail\": {\"on\": \"open\"}", ""},
    {"does not build", FAST ", \"fail\": {\"on\": \"build\", \"every\": 1}", ""},
};

enum { FIRST, TEN, CLOSE, HOSTILE_RESULTS };

/* The cores alone as they were in the same calls. */
static bool take_hostile_round(struct bench *bench, struct session *session, struct bench_result *results)
{
    bool calm = bench_await_calm(bench);
    if (!run_session(session, padding_of(bench)))
        return false;
    record(&results[FIRST].figures[0], session->together_ns[0]);
    record(&results[FIRST].figures[1], session->alone_ns[0]);
    record(&results[TEN].figures[0], mean(session->together_ns, session->calls));
    record(&results[TEN].figures[1], mean(session->alone_ns, session->alone_calls));
    record(&results[CLOSE].figures[0], session->close_ns);
    count_turn(bench, results, HOSTILE_RESULTS, calm);
    return true;
}

static void measure_beside(struct bench *bench, const char *name, struct session *session)
{
    static const char *const what[HOSTILE_RESULTS] = {"first call", "ten calls, each", "divvy_close"};
    struct bench_scale scale = {.unit = "ms", .per = 1e6};
    unsigned before = bench->report->result_count;
    for (int r = 0; r < HOSTILE_RESULTS; r++) {
        char full[BENCH_NAME_BYTES];
        snprintf(full, sizeof full, "%s%s%s", name, *name ? ", " : "", what[r]);
        struct bench_result *result = bench_begin(bench, full, scale, r == CLOSE ? 1 : 2);
        name_figure(result, 0, "with it");
        if (r != CLOSE)
            name_figure(result, 1, "cores alone");
    }
    struct bench_result *results = &bench->report->results[before];
    double began = bench_now_ns();
    bool there = true;
    for (unsigned round = 0; there && bench_wants_round(bench, round, began); round++)
        there = take_hostile_round(bench, session, results);
    for (int r = 0; there && r < HOSTILE_RESULTS; r++)
        bench_end(&results[r]);
    if (there)
        return;
    bench_leave_out(bench, "%s: there is no such device", session->backends);
    for (int r = 0; r < HOSTILE_RESULTS; r++)
        free(results[r].figures);
    bench->report->result_count = before;
}

static size_t count_for(const struct bench *bench, double job_ms)
{
    return (size_t)((bench->quick ? 2 : job_ms) * 1e6 * bench->cores / INDEX_NS);
}

static void measure_hostile(struct bench *bench)
{
    for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++) {
        char path[32], fields[256], device[300];
        snprintf(fields, sizeof fields, hostile[k].device, bench->quick ? hostile[k].quick : "");
        snprintf(device, sizeof device, "{%s}", fields);
        set_scenario(path, device);
        struct session session = {.backends = "cpu,sim",
                                  .count = count_for(bench, 100),
                                  .alone_calls = HOSTILE_CALLS,
                                  .calls = HOSTILE_CALLS};
        measure_beside(bench, hostile[k].name, &session);
        forget_scenario(path);
    }
}

const struct bench_row row_hostile = {"hostile", "cores and a simulated GPU that is no good, a job of 100 ms",
                                      measure_hostile};

/* ---- Oclgrind: a real one ----------------------------------------------------------------------- */

/* It puts itself before the program's OpenCL, and is the only device there if no other can be found. */
static void measure_oclgrind(struct bench *bench)
{
#ifdef OCLGRIND
    char *vendors = getenv("OCL_ICD_VENDORS");
    vendors = vendors ? strdup(vendors) : NULL;
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    struct session session = {.wrapper = OCLGRIND,
                              .backends = "cpu,opencl",
                              .count = count_for(bench, 1000),
                              .alone_calls = bench->quick ? 1 : HOSTILE_CALLS,
                              .calls = bench->quick ? 1 : HOSTILE_CALLS};
    measure_beside(bench, "", &session);
    if (vendors)
        setenv("OCL_ICD_VENDORS", vendors, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(vendors);
#else
    bench_leave_out(bench, "Oclgrind is not installed");
#endif
}

const struct bench_row row_oclgrind = {"hostile-oclgrind", "cores and Oclgrind on them, a job of a second",
                                       measure_oclgrind};
