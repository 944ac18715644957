/* Where the thread that waits works: on the core where it stands, beside the workers of all others and not on top of one
 * of them. Every test tells by the processors on which partitions ran, none by a time. */
#include "fork.h"
#include "rules.h"

#include "rules.cl"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>

enum { CORES_MAX = 64 };

static unsigned core_count;
static int cpu_of[CORES_MAX]; /* of core */
static cpu_set_t everywhere;

static int own_thread(void)
{
    return (int)syscall(SYS_gettid);
}

static void stand_on(unsigned core)
{
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(cpu_of[core], &mask);
    CHECK_EQ(sched_setaffinity(0, sizeof mask, &mask), 0);
}

static void stand_anywhere(void)
{
    CHECK_EQ(sched_setaffinity(0, sizeof everywhere, &everywhere), 0);
}

/* One index for each core, so that under `static` index and core have the same number. */
struct trace {
    int cpu, thread;
};

DIVVY_HOST_KERNEL(look, (out, struct trace, trace))
{
    DIVVY_FOR (i)
        trace[i] = (struct trace){.cpu = sched_getcpu(), .thread = own_thread()};
}

/* ---- The machine ---- */

static atomic_int seen_cpu;

DIVVY_HOST_KERNEL(show_cpu, (out, int, y))
{
    DIVVY_FOR (i)
        y[i] = 1;
    atomic_store(&seen_cpu, sched_getcpu());
}

/* A worker that is bound to one core tells where that is. */
static int find_cpu(unsigned core)
{
    char bind[16];
    int y[1];
    snprintf(bind, sizeof bind, "%u", core);
    divvy *dv = OPEN(.backend = "cpu", .bind = bind, .threads = 1);
    atomic_store(&seen_cpu, -1);
    divvy_future *future = divvy_submit(dv, show_cpu, 1, .y = y);
    while (atomic_load(&seen_cpu) < 0)
        sleep_ms(1);
    STATUS(DIVVY_OK, divvy_wait(future));
    divvy_close(dv);
    return atomic_load(&seen_cpu);
}

/* False: there are no cores that could be mistaken for one another, or threads cannot be bound to them. */
static bool find_machine(void)
{
    sched_getaffinity(0, sizeof everywhere, &everywhere);
    divvy *dv = OPEN(.backend = "cpu", .threads = -1);
    core_count = (unsigned)divvy_device_count(dv);
    divvy_close(dv);
    if (core_count < 2 || core_count > CORES_MAX || (int)core_count != CPU_COUNT(&everywhere))
        return false;
    bool distinct = true;
    for (unsigned core = 0; core < core_count; core++) {
        cpu_of[core] = find_cpu(core);
        for (unsigned before = 0; before < core; before++)
            distinct = distinct && cpu_of[before] != cpu_of[core];
    }
    return distinct;
}

/* ---- Standing still ---- */

/* How many of the jobs the caller took part in with the partition of its core. No partition is ever computed on
 * another core than its own. */
static unsigned run_traced(divvy *dv, unsigned core, unsigned jobs, unsigned pause_every)
{
    struct trace trace[CORES_MAX];
    unsigned took_part = 0, astray = 0;
    for (unsigned j = 0; j < jobs; j++) {
        STATUS(DIVVY_OK, divvy_run(dv, look, core_count, .trace = trace));
        for (unsigned c = 0; c < core_count; c++)
            astray += trace[c].cpu != cpu_of[c];
        took_part += trace[core].thread == own_thread();
        if (pause_every && j % pause_every == 0)
            sleep_ms(1);
    }
    CHECK_EQ(astray, 0);
    return took_part;
}

/* Wherever the caller stands, it works there and the workers on the other cores. It may find its worker at work now and
 * then, such as when that was only just born. */
static void check_standing(void)
{
    for (unsigned core = 0; core < core_count; core++) {
        divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
        stand_on(core);
        CHECK(run_traced(dv, core, 500, 0) > 250);
        CHECK(run_traced(dv, core, 60, 3) > 30);
        divvy_close(dv);
        stand_anywhere();
    }
}

/* A caller that moves about takes the place of one worker after another. */
static void check_moving(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    unsigned took_part = 0;
    for (unsigned round = 0; round < 40; round++) {
        unsigned core = round % core_count;
        stand_on(core);
        took_part += run_traced(dv, core, 10, 0);
    }
    CHECK(took_part > 200);
    // Where the system may move it at any moment, the workers still are where they belong.
    stand_anywhere();
    struct trace trace[CORES_MAX];
    unsigned astray = 0;
    for (unsigned j = 0; j < 500; j++) {
        STATUS(DIVVY_OK, divvy_run(dv, look, core_count, .trace = trace));
        for (unsigned c = 0; c < core_count; c++)
            astray += trace[c].thread != own_thread() && trace[c].cpu != cpu_of[c];
    }
    CHECK_EQ(astray, 0);
    divvy_close(dv);
}

/* ---- What it costs ---- */

/* One that was joined may be seen a little longer. */
static void await_threads(long count)
{
    for (int k = 0; k < 3000 && check_threads() != count; k++)
        sleep_ms(1);
    CHECK_EQ(check_threads(), count);
}

/* The first core has a worker only from when somebody stands elsewhere, and never more than one; a context whose workers
 * are not bound does not need it, as long as one thread alone calls. */
static void check_first_worker(void)
{
    const long before = 1; // this one
    await_threads(before);
    stand_on(0);
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    run_traced(dv, 0, 20, 0);
    CHECK_EQ(check_threads(), before + core_count - 1);
    for (unsigned core = 1; core < core_count; core++) {
        stand_on(core);
        run_traced(dv, core, 20, 0);
        CHECK_EQ(check_threads(), before + core_count);
    }
    stand_on(0);
    CHECK(run_traced(dv, 0, 100, 0) > 50); // its worker gives way as well
    CHECK_EQ(check_threads(), before + core_count);
    divvy_close(dv);

    dv = OPEN(.backend = "cpu", .threads = -1, .bind = "none", .schedule = "static");
    stand_on(1);
    struct trace trace[CORES_MAX];
    for (unsigned j = 0; j < 20; j++) {
        STATUS(DIVVY_OK, divvy_run(dv, look, core_count, .trace = trace));
        CHECK_EQ(trace[0].thread, own_thread());
    }
    await_threads(before + core_count - 1);
    divvy_close(dv);
    stand_anywhere();
}

/* How often a thread went to sleep or was interrupted. */
static unsigned long count_switches(int thread)
{
    char path[64], line[256];
    unsigned long all = 0, some;
    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "voluntary_ctxt_switches: %lu", &some) == 1 ||
            sscanf(line, "nonvoluntary_ctxt_switches: %lu", &some) == 1)
            all += some;
    if (file)
        fclose(file);
    return all;
}

/* A worker that gave way neither spins nor wakes beside the thread that has its seat, whether jobs come in a row or now
 * and then, when all others are called. */
static void check_giving_way(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    struct trace trace[CORES_MAX];
    stand_on(0);
    STATUS(DIVVY_OK, divvy_run(dv, look, core_count, .trace = trace));
    const int worker = trace[1].thread;
    CHECK(worker != own_thread());
    stand_on(1);
    run_traced(dv, 1, 50, 10);
    unsigned long before = count_switches(worker);
    run_traced(dv, 1, 300, 3);
    CHECK(before > 0);
    unsigned long switches = count_switches(worker) - before;
    if (!CHECK(switches < 30))
        fprintf(stderr, "  %lu\n", switches);
    divvy_close(dv);
    stand_anywhere();
}

/* ---- A worker that is at work keeps its seat ---- */

static atomic_int begun;

DIVVY_HOST_KERNEL(linger, (value, unsigned, ms), (out, struct trace, trace))
{
    atomic_fetch_add(&begun, 1);
    sleep_ms(ms);
    DIVVY_FOR (i)
        trace[i] = (struct trace){.cpu = sched_getcpu(), .thread = own_thread()};
}

/* Who finds the worker of its core at work leaves all of the job to the workers. */
static void check_busy(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    struct trace slow[CORES_MAX];
    unsigned astray = 0;
    for (unsigned k = 0; k < 20; k++) {
        unsigned core = 1 + k % (core_count - 1);
        stand_on(core);
        run_traced(dv, core, 5, 0);
        atomic_store(&begun, 0);
        divvy_future *future = divvy_submit(dv, linger, core_count, .ms = 5, .trace = slow);
        while (atomic_load(&begun) < (int)core_count)
            sched_yield();
        run_traced(dv, core, 1, 0);
        STATUS(DIVVY_OK, divvy_wait(future));
        for (unsigned c = 0; c < core_count; c++)
            astray += slow[c].cpu != cpu_of[c];
    }
    CHECK_EQ(astray, 0);
    divvy_close(dv);
    stand_anywhere();
}

/* ---- Who sleeps holds no seat ---- */

static atomic_int passed, missed;

/* The partition of the first core waits until another job was on the second one. */
DIVVY_HOST_KERNEL(wait_for_pass, (out, int, y))
{
    if (DIVVY_FIRST == 0) {
        atomic_store(&begun, 1);
        for (int k = 0; k < 10000 && !atomic_load(&passed); k++)
            sleep_ms(1);
        atomic_fetch_add(&missed, !atomic_load(&passed));
    }
    DIVVY_FOR (i)
        y[i] = 1;
}

DIVVY_HOST_KERNEL(pass, (out, int, y))
{
    DIVVY_FOR (i) {
        if (i == 1)
            atomic_store(&passed, 1);
        y[i] = 1;
    }
}

static void *wait_standing(void *dv)
{
    int y[CORES_MAX];
    stand_on(1);
    run_traced(dv, 1, 20, 0);
    STATUS(DIVVY_OK, divvy_run(dv, wait_for_pass, core_count, .y = y));
    return NULL;
}

/* A caller that has nothing to do but to sleep leaves its core to the others. */
static void check_sleeping(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    int y[CORES_MAX];
    for (int k = 0; k < 10; k++) {
        atomic_store(&begun, 0);
        atomic_store(&passed, 0);
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, wait_standing, dv), 0);
        while (!atomic_load(&begun))
            sleep_ms(1);
        STATUS(DIVVY_OK, divvy_run(dv, pass, core_count, .y = y));
        pthread_join(thread, NULL);
    }
    CHECK_EQ(missed, 0);
    divvy_close(dv);
}

static void *wait_for_fake(void *argument)
{
    uint y[1];
    STATUS(DIVVY_OK, divvy_run(argument, toil, 1, .turns = 1, .y = y, .with = {.devices = "fake"}));
    return NULL;
}

/* A caller that sleeps while a device works keeps no core from a context that has only that one. */
static void check_sleeping_beside(const char *backend)
{
    fake_behave();
    fake_at(FAKE_DIRECT)->slow_ns = 60000000000;
    divvy *sleeps = OPEN(.backend = "cpu,fake", .devices = "cpu:0,fake:2");
    divvy *works = OPEN(.backend = backend, .threads = 1);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, wait_for_fake, sleeps), 0);
    while (!fake_at(FAKE_DIRECT)->started)
        sleep_ms(1);
    sleep_ms(20); // it sleeps by now
    uint y[100];
    for (int k = 0; k < 10; k++)
        STATUS(DIVVY_OK,
               divvy_run(works, toil, 100, .turns = 1, .y = y, .with = {.schedule = k % 2 ? "static" : NULL}));
    CHECK_EQ(fake_at(FAKE_DIRECT)->items, 0);
    fake_behave();
    pthread_join(thread, NULL);
    divvy_close(works);
    divvy_close(sleeps);
}

/* ---- Contexts whose first cores differ ---- */

struct rival {
    pthread_t thread;
    const char *bind;
    unsigned core;
};

static void *run_rival(void *argument)
{
    const struct rival *rival = argument;
    divvy *dv = OPEN(.backend = "cpu", .threads = 2, .bind = rival->bind, .schedule = "static");
    struct trace trace[CORES_MAX];
    stand_on(rival->core);
    unsigned astray = 0;
    for (unsigned j = 0; j < 1000; j++) {
        STATUS(DIVVY_OK, divvy_run(dv, look, 2, .trace = trace));
        for (unsigned c = 0; c < 2; c++)
            astray += trace[c].thread != own_thread() && trace[c].cpu != cpu_of[rival->bind[0] == '1' ? 1 - c : c];
        if (j % 100 == 0)
            sleep_ms(1);
    }
    CHECK_EQ(astray, 0);
    divvy_close(dv);
    return NULL;
}

/* Each caller sits where the other one's worker is wanted: neither waits for ever. */
static void check_rivals(void)
{
    for (unsigned k = 0; k < 4; k++) {
        struct rival rivals[2] = {{.bind = "0,1", .core = k & 1}, {.bind = "1,0", .core = k >> 1}};
        for (unsigned r = 0; r < 2; r++)
            CHECK_EQ(pthread_create(&rivals[r].thread, NULL, run_rival, &rivals[r]), 0);
        for (unsigned r = 0; r < 2; r++)
            pthread_join(rivals[r].thread, NULL);
    }
}

/* ---- Kernels that wait ---- */

static divvy *dv_inside;

DIVVY_HOST_KERNEL(nest, (value, int, depth), (out, int, leaves))
{
    DIVVY_FOR (i) {
        int below[3] = {1, 1, 1};
        if (depth > 0 && divvy_run(dv_inside, nest, 3, .depth = depth - 1, .leaves = below) != DIVVY_OK)
            divvy_fail(DIVVY_INTERNAL, divvy_error());
        leaves[i] = depth > 0 ? below[0] + below[1] + below[2] : 1;
    }
}

/* Nested calls end, wherever the first of them stands. */
static void check_nesting(void)
{
    static const char *const schedules[] = {"static", "guarded", "dynamic"};
    for (unsigned k = 0; k < 3 * core_count; k++) {
        dv_inside = OPEN(.backend = "cpu", .threads = -1, .schedule = schedules[k % 3]);
        stand_on(k / 3);
        for (int j = 0; j < 5; j++) {
            int leaves[3] = {0};
            STATUS(DIVVY_OK, divvy_run(dv_inside, nest, 3, .depth = 4, .leaves = leaves));
            CHECK_EQ(leaves[0] + leaves[1] + leaves[2], 243);
        }
        divvy_close(dv_inside);
    }
    stand_anywhere();
}

/* ---- One that sleeps, and wakes elsewhere ---- */

static void *move_away(void *process)
{
    sleep_ms(150);
    cpu_set_t mask;
    CPU_ZERO(&mask);
    CPU_SET(cpu_of[0], &mask);
    CHECK_EQ(sched_setaffinity(*(pid_t *)process, sizeof mask, &mask), 0);
    return NULL;
}

/* Core 1 and a device share a job whose caller stands on core 1, has nothing more to do, and is moved while it sleeps.
 * What the device then fails at is for core 1 alone, whose worker must come back. */
static void check_moved(void)
{
    enum { COUNT = 100 };
    static int hits[COUNT];
    long total, least, most;
    pid_t self = own_thread();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:1", .threads = 2);
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    fake_at(1)->slow_ns = 400000000;
    fake_at(1)->fail_finish = 1;
    stand_on(1);
    pthread_t mover;
    CHECK_EQ(pthread_create(&mover, NULL, move_away, &self), 0);
    STATUS(DIVVY_OK,
           divvy_run(dv, mark, COUNT, .turns = 400000, .hits = hits, .total = &total, .least = &least, .most = &most,
                     .with = {.devices = "cpu:1,fake:1", .schedule = "dynamic", .partition = COUNT / 2}));
    pthread_join(mover, NULL);
    CHECK_EQ(total, COUNT * (COUNT - 1) / 2);
    stand_anywhere();
    fake_behave();
    divvy_close(dv);
}

int main(void)
{
    limit_time(120);
    if (!find_machine()) {
        puts("skipped: this needs two cores to which threads can be bound");
        return 77;
    }
    check_standing();
    check_moving();
    check_first_worker();
    check_giving_way();
    check_busy();
    check_sleeping();
    check_sleeping_beside("cpu");
    check_sleeping_beside("serial");
    check_rivals();
    check_nesting();
    check_moved();
    return check_summary();
}
