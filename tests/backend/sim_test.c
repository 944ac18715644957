/* The sim backend through the library: results are right beside cores and alone, modelled times are kept, and whatever
 * a scenario makes go wrong leaves right results and one warning. Each scenario has a process of its own, since a
 * backend is probed once. */
#include <divvy.h>

#include "check.h"
#include "fork.h"

#include "padding.cl"
#include "rules.cl"

#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 60000 };

static char scratch[] = "/tmp/divvysimXXXXXX"; /* a folder */

static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Processes -------------------------------------------------------------------------------- */

/* What a child is about, for its messages. */
static const char *devices_text = "no scenario";

static void limit_and_run(void (*body)(void))
{
    atomic_store(&check_failures, 0); /* those so far are the parent's */
    alarm(600);
    body();
    fflush(NULL);
    _exit(atomic_load(&check_failures) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Runs `body` in a child with this scenario; NULL: none. */
static void run_child(const char *path, void (*body)(void))
{
    unsetenv("DIVVY_SIM");
    if (path)
        setenv("DIVVY_SIM", path, 1);
    pid_t child = check_fork();
    if (child == 0)
        limit_and_run(body);
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (!CHECK_EQ(status, 0))
        fprintf(stderr, "  with %s\n", devices_text);
}

/* The same with a scenario that has these devices. */
static void in_child(const char *devices, void (*body)(void))
{
    char path[64];
    snprintf(path, sizeof path, "%s/scenario.json", scratch);
    devices_text = devices;
    FILE *file = fopen(path, "w");
    if (!CHECK(file))
        return;
    fprintf(file, "{\"divvy_scenario\": 1, \"name\": \"test\", \"devices\": [%s]}", devices);
    fclose(file);
    run_child(path, body);
}

/* ---- What is said ---- */

static int kept_stderr;

static void listen(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/said", scratch);
    fflush(stderr);
    kept_stderr = dup(STDERR_FILENO);
    CHECK(freopen(path, "w", stderr));
}

/* What was said since; the caller's to free. */
static char *heard(void)
{
    char path[64];
    snprintf(path, sizeof path, "%s/said", scratch);
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    close(kept_stderr);
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 16);
    if (CHECK(file && text)) {
        text[fread(text, 1, (1 << 16) - 1, file)] = 0;
        fclose(file);
    }
    return text;
}

/* ---- Jobs ---- */

static divvy *open_context(const divvy_options *options)
{
    divvy *dv;
    if (!CHECK_EQ(divvy_open(&dv, options), DIVVY_OK))
        fprintf(stderr, "  %s\n", divvy_error());
    return dv;
}
#define OPEN(...) open_context(&(divvy_options){__VA_ARGS__})

static void check_status(divvy_status status, const char *what)
{
    if (!CHECK_EQ(status, DIVVY_OK))
        fprintf(stderr, "  %s with %s: %s\n", what, devices_text, divvy_error());
}

/* Every index once, and folds of all. */
static void run_mark(divvy *dv, divvy_call_options with)
{
    static int hits[COUNT];
    static long total, least, most;
    memset(hits, 0, sizeof hits);
    total = least = most = 77;
    check_status(divvy_run(dv, mark, COUNT, .turns = 2, .hits = hits, .total = &total, .least = &least, .most = &most,
                           .with = with),
                 "mark");
    size_t wrong = 0;
    for (int i = 0; i < COUNT; i++)
        wrong += hits[i] != 1;
    CHECK_EQ(wrong, 0);
    CHECK_EQ(total, (long)COUNT * (COUNT - 1) / 2);
    CHECK(least == 0 && most == COUNT - 1);
}

/* Neighbouring rows, and a table that all read and that is another one in each job. */
static void run_blend(divvy *dv, divvy_call_options with)
{
    enum { WIDTH = 3, ROWS = COUNT / WIDTH, ENTRIES = 1000 };
    static int source[ROWS * WIDTH], table[ENTRIES], blended[ROWS * WIDTH];
    static uint64_t random = 1;
    for (int k = 0; k < ROWS * WIDTH; k++)
        source[k] = (int)(check_random(&random) % 1000);
    for (int k = 0; k < ENTRIES; k++)
        table[k] = (int)(check_random(&random) % 1000);
    memset(blended, 0xff, sizeof blended);
    check_status(divvy_run(dv, blend, ROWS, .width = WIDTH, .entries = ENTRIES, .source = source, .table = table,
                           .blended = blended, .with = with),
                 "blend");
    size_t wrong = 0;
    for (int k = 0; k < ROWS * WIDTH; k++) {
        int sum = source[k] + (k >= WIDTH ? source[k - WIDTH] : 0) + (k < (ROWS - 1) * WIDTH ? source[k + WIDTH] : 0);
        wrong += blended[k] != sum * table[k / WIDTH % ENTRIES];
    }
    CHECK_EQ(wrong, 0);
}

static void run_mix(divvy *dv, divvy_call_options with)
{
    static uint x[COUNT], y[COUNT];
    for (uint k = 0; k < COUNT; k++) {
        x[k] = k * 2654435761u;
        y[k] = k;
    }
    check_status(divvy_run(dv, mix_in, COUNT, .factor = 3, .x = x, .y = y, .with = with), "mix_in");
    size_t wrong = 0;
    for (uint k = 0; k < COUNT; k++)
        wrong += y[k] != k * 3 + k * 2654435761u;
    CHECK_EQ(wrong, 0);
}

/* How many devices of the sim backend are left. */
static unsigned count_alive(divvy *dv, unsigned *out_retired)
{
    unsigned alive = 0;
    *out_retired = 0;
    for (size_t k = 0; k < divvy_device_count(dv); k++) {
        divvy_device device;
        if (CHECK_EQ(divvy_device_at(dv, k, &device), DIVVY_OK) && strcmp(device.backend, "sim") == 0) {
            alive += !device.retired;
            *out_retired += device.retired;
        }
    }
    return alive;
}

/* ---- Results ---- */

#define CORE "{\"type\": \"core\", \"copies\": 2, \"fixed_ns\": 1000, \"ns_per_item\": 20, \"noise\": 0.1}"
#define GPU                                                                                                     \
    "{\"fixed_ns\": 20000, \"ns_per_item\": 5, \"latency_ns\": 1000, \"upload_bytes_per_s\": 1e10, \"noise\": " \
    "0.1, \"spikes\": {\"probability\": 0.1, \"times\": 4}, \"jit_ns\": 100000}"

/* Right on every kind of parameter, under every schedule, in partitions of few indices and of many. */
static void check_results(void)
{
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided"};
    static const char *const backends[] = {"cpu,sim", "sim"};
    for (unsigned b = 0; b < 2; b++) {
        listen();
        divvy *dv = OPEN(.backend = backends[b], .devices = backends[b], .log = "warn");
        check_status(divvy_prepare(dv, mark), "prepare");
        for (unsigned s = 0; s < 4; s++) {
            for (unsigned turn = 0; turn < 3; turn++) {
                divvy_call_options with = {.schedule = schedules[s],
                                           .partition = turn == 0   ? 777
                                                        : turn == 1 ? 0
                                                                    : 9001};
                run_mark(dv, with);
                run_blend(dv, with);
                run_mix(dv, with);
            }
        }
        unsigned retired;
        CHECK(count_alive(dv, &retired) > 0);
        CHECK_EQ(retired, 0);
        divvy_close(dv);
        char *text = heard();
        CHECK_STR(text, "");
        free(text);
    }
}

/* ---- Padding ---- */

/* A number named `padding` is 0 on devices of a scenario, whatever the caller says, and as he says on cores; others are
 * as he says everywhere. */
static void check_padding(void)
{
    static int read_padding[COUNT];
    static double read_turns[COUNT];
    static const char *const devices[] = {"sim", "cpu"};
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim");
    for (unsigned d = 0; d < 2; d++) {
        memset(read_padding, 0xff, sizeof read_padding);
        check_status(divvy_run(dv, recite, COUNT, .padding = 1 << 30, .turns = 7, .read_padding = read_padding,
                               .read_turns = read_turns, .with = {.devices = devices[d]}),
                     "recite");
        size_t wrong = 0;
        for (int i = 0; i < COUNT; i++)
            wrong += read_padding[i] != (d == 0 ? 0 : 1 << 30) || read_turns[i] != 7;
        CHECK_EQ(wrong, 0);
    }
    divvy_close(dv);
}

/* ---- Time ---- */

/* A job on the sim devices alone, cut as the schedule likes: how long it took. */
static uint64_t time_mix(divvy *dv, divvy_call_options with)
{
    uint64_t begin = wall_ns();
    run_mix(dv, with);
    return wall_ns() - begin;
}

/* No partition takes less than modelled: 1 ms each and 500 ns for an index. Waiting for it costs no time of a core. */
static void check_pace(void)
{
    divvy *dv = OPEN(.backend = "sim");
    check_status(divvy_prepare(dv, mix_in), "prepare");
    uint64_t cpu = cpu_ns();
    CHECK(time_mix(dv, (divvy_call_options){.schedule = "static"}) >= 1000000 + COUNT * UINT64_C(500));
    CHECK(time_mix(dv, (divvy_call_options){.schedule = "dynamic", .partition = 1000}) >=
          COUNT / 1000 * UINT64_C(1000000) + COUNT * UINT64_C(500));
    CHECK(cpu_ns() - cpu < 60000000);
    const divvy_report *report = divvy_last(dv);
    if (CHECK(report && report->share_count == 1)) {
        CHECK_EQ(report->shares[0].partitions, COUNT / 1000);
        CHECK(report->shares[0].busy_ns >= 60 * UINT64_C(1000000));
    }
    divvy_close(dv);
}

/* Copies: 8 bytes in and 4 out for an index, at 10 MB/s and 5 MB/s, so the job takes 48 ms for each of them, and less
 * than one after the other, since they overlap. */
static void check_copies(void)
{
    divvy *dv = OPEN(.backend = "sim");
    check_status(divvy_prepare(dv, mix_in), "prepare");
    CHECK(time_mix(dv, (divvy_call_options){.schedule = "static"}) >= 48000000 + 48000000);
    CHECK(time_mix(dv, (divvy_call_options){.schedule = "dynamic", .partition = 6000}) >= 48000000);
    divvy_close(dv);
}

/* Opening and building take their time, and a kernel's first launch too. */
static void check_readiness(void)
{
    divvy *dv = OPEN(.backend = "sim");
    uint64_t begin = wall_ns();
    check_status(divvy_prepare(dv, mix_in), "prepare");
    CHECK(wall_ns() - begin >= 250000000);
    CHECK(time_mix(dv, (divvy_call_options){.schedule = "static"}) >= 25000000);
    divvy_close(dv);
}

/* ---- What goes wrong ---- */

/* Beside cores, job after job, until each device of the scenario has failed; then two more. One warning for each. */
static void check_failing(void)
{
    listen();
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim", .log = "warn");
    divvy_status ready = divvy_prepare(dv, mark);
    CHECK(ready == DIVVY_OK);
    divvy_prepare(dv, blend);
    divvy_prepare(dv, mix_in);
    bool builds = !strstr(devices_text, "build");
    unsigned retired = 0;
    for (unsigned turn = 0; turn < 400 && builds && count_alive(dv, &retired) > 0; turn++) {
        const divvy_call_options with = {.schedule = turn % 2 ? "dynamic" : "guarded", .partition = turn % 2 ? 200 : 0};
        run_mark(dv, with);
        run_blend(dv, with);
        run_mix(dv, with);
    }
    CHECK_EQ(count_alive(dv, &retired), !builds);
    run_mark(dv, (divvy_call_options){0});
    run_blend(dv, (divvy_call_options){0});
    uint64_t begin = wall_ns();
    divvy_close(dv);
    CHECK(wall_ns() - begin < UINT64_C(10000000000));
    char *text = heard();
    unsigned lines = 0, own = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    for (const char *at = text; (at = strstr(at, "sim:0")) != NULL; at++)
        own++;
    if (!CHECK_EQ(lines, 1) || !CHECK_EQ(own, 1))
        fprintf(stderr, "  \"%s\"\n", text);
    free(text);
}

/* A device that hangs is late, and given up; what it worked on is done by others. Measured first, so that it is late
 * after a second and not after ten: sixteen launches, of which two hang in the end. */
static void check_hanging(void)
{
    listen();
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim", .log = "warn");
    check_status(divvy_prepare(dv, mark), "prepare");
    unsigned retired = 0;
    for (unsigned turn = 0; turn < 2; turn++)
        run_mark(dv, (divvy_call_options){.schedule = "dynamic", .partition = COUNT / 8, .devices = "sim"});
    for (unsigned turn = 0; turn < 4000 && count_alive(dv, &retired) > 0; turn++)
        run_mark(dv, (divvy_call_options){.schedule = "dynamic", .partition = 500});
    CHECK_EQ(retired, 1);
    uint64_t begin = wall_ns();
    divvy_close(dv);
    CHECK(wall_ns() - begin < UINT64_C(10000000000));
    char *text = heard();
    CHECK_HAS(text, "sim:0 retired");
    CHECK_HAS(text, "deadline");
    free(text);
}

/* A device that works in place cannot be given up: the job waits until it goes on. */
static void check_stalling(void)
{
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim");
    check_status(divvy_prepare(dv, mix_in), "prepare");
    uint64_t begin = wall_ns();
    run_mix(dv, (divvy_call_options){.devices = "sim"});
    CHECK(wall_ns() - begin >= 200000000);
    run_mix(dv, (divvy_call_options){0});
    divvy_close(dv);
}

/* A device that fails in place has written: what is only written is computed again, what is read as well is lost. */
static void check_spoiling(void)
{
    static uint y[COUNT];
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim", .log = "error");
    check_status(divvy_prepare(dv, toil), "prepare");
    unsigned retired = 0;
    for (unsigned turn = 0; turn < 4000 && count_alive(dv, &retired) == 2; turn++) {
        memset(y, 0xff, sizeof y);
        check_status(divvy_run(dv, toil, COUNT, .turns = 2, .y = y,
                               .with = {.schedule = "dynamic", .partition = 500, .devices = "cpu,sim:0"}),
                     "toil");
        size_t wrong = 0;
        for (uint k = 0; k < COUNT; k++)
            wrong += (y[k] ^ k) & 1;
        CHECK_EQ(wrong, 0);
    }
    CHECK_EQ(retired, 1);
    divvy_status status = DIVVY_OK;
    long total, least, most;
    for (unsigned turn = 0; turn < 400 && status == DIVVY_OK; turn++)
        status = divvy_run(dv, mark, COUNT, .turns = 50, .hits = (int *)y, .total = &total, .least = &least,
                           .most = &most, .with = {.schedule = "dynamic", .partition = 500, .devices = "cpu:0,sim:1"});
    CHECK_EQ(status, DIVVY_DEVICE_LOST);
    CHECK_HAS(divvy_error(), "fails, as the scenario says");
    divvy_close(dv);
}

/* ---- Memory ---- */

/* The library never asks for more than there is: no device is lost, none complains. */
static void check_caps(void)
{
    listen();
    divvy *dv = OPEN(.backend = "sim", .log = "warn");
    for (unsigned turn = 0; turn < 3; turn++) {
        run_mark(dv,
                 (divvy_call_options){.schedule = turn ? "dynamic" : "static", .partition = turn == 2 ? 1 << 20 : 0});
        run_blend(dv,
                  (divvy_call_options){.schedule = turn ? "guarded" : "dynamic", .partition = turn == 2 ? 1 << 20 : 0});
    }
    unsigned retired;
    CHECK_EQ(count_alive(dv, &retired), 1);
    divvy_close(dv);
    char *text = heard();
    CHECK_STR(text, "");
    free(text);
}

/* A table that is larger than all of the memory is refused by the device, and the others do the job. */
static void check_too_small(void)
{
    listen();
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim", .schedule = "dynamic", .log = "warn");
    check_status(divvy_prepare(dv, blend), "prepare");
    unsigned retired = 0;
    for (unsigned turn = 0; turn < 4000 && count_alive(dv, &retired) > 0; turn++)
        run_blend(dv, (divvy_call_options){.partition = 200});
    CHECK_EQ(retired, 1);
    divvy_close(dv);
    char *text = heard();
    CHECK_HAS(text, "bytes of memory");
    free(text);
}

/* ---- The caller's arrays ---- */

/* Once waiting is over nothing reads or writes them, though the device still computes: they are gone. */
static void check_abandoned(void)
{
    divvy *dv = OPEN(.backend = "sim");
    check_status(divvy_prepare(dv, mix_in), "prepare");
    size_t bytes = COUNT * sizeof(uint);
    char *arrays = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(arrays != MAP_FAILED))
        return;
    divvy_status status = divvy_run(dv, mix_in, COUNT, .factor = 1, .x = (uint *)arrays, .y = (uint *)(arrays + bytes),
                                    .with = {.schedule = "dynamic", .partition = COUNT / 4, .timeout_ns = 20000000});
    CHECK_EQ(status, DIVVY_TIMED_OUT);
    munmap(arrays, 2 * bytes);
    divvy_close(dv); /* waits for it: 100 ms for each of two */
}

/* ---- The shipped hostile scenarios ---- */

/* Beside cores every result is right, whatever becomes of the devices. */
static void check_hostile(void)
{
    divvy *dv = OPEN(.backend = "cpu,sim", .devices = "cpu,sim", .log = "error");
    divvy_prepare(dv, mark);
    for (unsigned turn = 0; turn < 8; turn++) {
        const divvy_call_options with = {.schedule = turn % 2 ? "dynamic" : "guarded", .partition = turn % 2 ? 100 : 0};
        run_mark(dv, with);
        run_blend(dv, with);
        run_mix(dv, with);
    }
    divvy_close(dv);
}

/* ---- Scenarios that are none ---- */

static void check_no_scenario(void)
{
    divvy *dv;
    CHECK(divvy_open(&dv, &(divvy_options){.backend = "sim", .log = "error"}) == DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "DIVVY_SIM must name the file of a scenario");
    divvy_close(dv);
}

static void check_bad_scenario(void)
{
    divvy *dv;
    CHECK(divvy_open(&dv, &(divvy_options){.backend = "sim", .log = "error"}) == DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "/scenario.json: devices[1].noise: 7 is not between 0 and 5");
    divvy_close(dv);
}

int main(void)
{
    if (!CHECK(mkdtemp(scratch)))
        return check_summary();

    in_child(CORE ", " GPU, check_results);
    in_child("{\"type\": \"cpu\", \"granule\": 7}, {\"copies\": 3, \"depth\": 1, \"granule\": 96, \"stated\": "
             "{\"fixed_ns\": 1e9, \"timing\": \"garbage\"}}",
             check_results);

    in_child("{\"ns_per_item\": 1}", check_padding);
    in_child("{\"staged\": false, \"ns_per_item\": 1}", check_padding);

    in_child("{\"staged\": false, \"fixed_ns\": 1e6, \"ns_per_item\": 500}", check_pace);
    in_child("{\"fixed_ns\": 1e6, \"ns_per_item\": 500}", check_pace);
    in_child("{\"ns_per_item\": 0, \"upload_bytes_per_s\": 1e7, \"download_bytes_per_s\": 5e6}", check_copies);
    in_child("{\"ns_per_item\": 0, \"open_ns\": 1.5e8, \"build_ns\": 1e8, \"jit_ns\": 2.5e7}", check_readiness);

    static const char *const faults[] = {
        "\"fail\": {\"on\": \"open\"}",
        "\"fail\": {\"on\": \"build\", \"every\": 1}",
        "\"fail\": {\"on\": \"launch\"}",
        "\"fail\": {\"on\": \"launch\", \"at\": 5}",
        "\"fail\": {\"on\": \"run\", \"at\": 3, \"every\": 3}",
        "\"lost\": {\"at\": 4}",
        "\"lost\": {\"from_ns\": 4e7}",
    };
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        char device[256];
        snprintf(device, sizeof device, "{\"fixed_ns\": 10000, \"ns_per_item\": 5, %s}", faults[k]);
        in_child(device, check_failing);
    }
    in_child("{\"ns_per_item\": 5, \"hang\": {\"at\": 20}}", check_hanging);
    in_child("{\"staged\": false, \"ns_per_item\": 5, \"hang\": {\"at\": 2, \"for_ns\": 2e8}}", check_stalling);
    in_child("{\"staged\": false, \"copies\": 2, \"ns_per_item\": 5, \"fail\": {\"on\": \"run\", \"at\": 2}}",
             check_spoiling);

    in_child("{\"ns_per_item\": 5, \"max_slice_bytes\": 8192}", check_caps);
    in_child("{\"ns_per_item\": 5, \"memory_bytes\": 65536, \"max_slice_bytes\": 8192, \"granule\": 32}", check_caps);
    in_child("{\"ns_per_item\": 5, \"memory_bytes\": 65536}", check_caps);
    in_child("{\"ns_per_item\": 5, \"memory_bytes\": 3000}", check_too_small);
    in_child("{\"fixed_ns\": 1e8}", check_abandoned);

    run_child(NULL, check_no_scenario);
    in_child("{}, {\"noise\": 7}", check_bad_scenario);

    static const char *const hostile[] = {"slow450", "hangs",          "fails_every_third", "lies",
                                          "lost",    "will_not_start", "small_memory",      "rough"};
    for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.json", SCENARIOS, hostile[k]);
        devices_text = hostile[k];
        run_child(path, check_hostile);
    }

    char command[64];
    snprintf(command, sizeof command, "rm -r %s", scratch);
    CHECK_EQ(system(command), 0);
    return check_summary();
}
