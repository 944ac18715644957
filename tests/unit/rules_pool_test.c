/* The pool of threads that all contexts share: how many there are, where they may run, what they do while they wait. */
#include "rules.h"

#include "rules.cl"

#include <ctype.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static int own_thread(void)
{
    return (int)syscall(SYS_gettid);
}

/* ---- What the system knows of a thread ---- */

enum { THREADS_MAX = 64 };

struct thread {
    int number;
    uint64_t blocked; /* signals, the first in bit 0 */
    int cpu_count;
};

/* Every thread of this process but the calling one. */
static unsigned other_threads(struct thread *out)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;) {
        char path[300], line[256];
        if (!isdigit((unsigned char)task->d_name[0]) || atoi(task->d_name) == own_thread() || count == THREADS_MAX)
            continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *file = fopen(path, "r");
        struct thread *thread = &out[count];
        *thread = (struct thread){.number = atoi(task->d_name)};
        while (file && fgets(line, sizeof line, file))
            if (strncmp(line, "SigBlk:", 7) == 0)
                thread->blocked = strtoull(line + 7, NULL, 16);
        cpu_set_t mask;
        if (file && sched_getaffinity(thread->number, sizeof mask, &mask) == 0)
            thread->cpu_count = CPU_COUNT(&mask);
        if (file)
            fclose(file);
        count += thread->cpu_count > 0; /* else it has ended meanwhile */
    }
    if (tasks)
        closedir(tasks);
    return count;
}

/* How many there are, once `expected` is reached or seconds have passed: a thread that was joined may be seen a little
 * longer. */
static unsigned count_others(unsigned expected)
{
    struct thread threads[THREADS_MAX];
    unsigned count = other_threads(threads);
    for (int k = 0; k < 3000 && count != expected; k++) {
        sleep_ms(1);
        count = other_threads(threads);
    }
    return count;
}

static unsigned sanitizers_threads; /* some sanitizers have one of their own */

/* ---- How many ---- */

DIVVY_HOST_KERNEL(look_around, (out, int, thread))
{
    sleep_ms(1);
    DIVVY_FOR (i)
        thread[i] = own_thread();
}

static unsigned distinct(const int *threads, unsigned count)
{
    unsigned found = 0;
    for (unsigned k = 0; k < count; k++) {
        bool seen = false;
        for (unsigned j = 0; j < k; j++)
            seen = seen || threads[j] == threads[k];
        found += !seen;
    }
    return found;
}

/* However many contexts there are, a core has one thread, and the last one that closes joins all of them. The workers are
 * not bound here: else it would matter where the caller stands, see rules_seat_test.c. */
static void check_pool_size(void)
{
    divvy *all = OPEN(.backend = "cpu", .threads = -1, .bind = "none"), *contexts[6];
    unsigned cores = (unsigned)divvy_device_count(all);
    CHECK_EQ(count_others(sanitizers_threads + cores - 1), sanitizers_threads + cores - 1);
    for (int c = 0; c < 6; c++)
        contexts[c] = OPEN(.backend = "cpu", .threads = c % 2 ? -1 : 1);
    int thread[16];
    for (int c = 0; c < 6; c++) {
        STATUS(DIVVY_OK, divvy_run(contexts[c], look_around, 16, .thread = thread, .with = {.partition = 1}));
        CHECK(distinct(thread, 16) <= (c % 2 ? cores : 1)); // the options choose among the workers
    }
    CHECK_EQ(count_others(sanitizers_threads + cores - 1), sanitizers_threads + cores - 1);
    // A context of one core gets a worker when something is submitted to it: one in all, whoever submits.
    for (int c = 0; c < 6; c += 2)
        STATUS(DIVVY_OK, divvy_wait(divvy_submit(contexts[c], look_around, 1, .thread = thread)));
    CHECK_EQ(count_others(sanitizers_threads + cores), sanitizers_threads + cores);
    divvy_close(all);
    for (int c = 0; c < 5; c++)
        divvy_close(contexts[c]);
    CHECK_EQ(count_others(sanitizers_threads + cores), sanitizers_threads + cores); // the others still need them
    divvy_close(contexts[5]);
    CHECK_EQ(count_others(sanitizers_threads), sanitizers_threads);
    // Drivers of devices as well.
    divvy *dv = OPEN(.backend = "fake", .devices = "fake:0,fake:1,fake:2"), *same = OPEN(.backend = "fake");
    uint y[100];
    STATUS(DIVVY_OK, divvy_run(dv, toil, 100, .turns = 1, .y = y));
    STATUS(DIVVY_OK, divvy_run(same, toil, 100, .turns = 1, .y = y));
    CHECK_EQ(count_others(sanitizers_threads + FAKE_DEVICES), sanitizers_threads + FAKE_DEVICES);
    divvy_close(same);
    divvy_close(dv);
    CHECK_EQ(count_others(sanitizers_threads), sanitizers_threads);
}

/* ---- Signals ---- */

static void check_blocked(void)
{
    struct thread threads[THREADS_MAX];
    uint64_t all = 0;
    for (int number = 1; number <= 31; number++)
        if (number != SIGKILL && number != SIGSTOP)
            all |= UINT64_C(1) << (number - 1);
    unsigned count = other_threads(threads), open = 0;
    for (unsigned t = 0; t < count; t++)
        open += (threads[t].blocked & all) != all;
    CHECK(count > 0);
    CHECK(open <= sanitizers_threads);
}

/* Every thread of the library blocks every signal that can be blocked, also while it begins. */
static void check_signals(void)
{
    for (int round = 0; round < 40; round++) {
        fake_at(0)->open_slow_ns = 1000000; // somebody opens and builds when we look
        divvy *dv = OPEN(.backend = "cpu,fake", .devices = round % 2 ? "cpu,fake" : NULL);
        uint y[100];
        for (int k = 0; k < 3; k++) {
            divvy_future *future = divvy_submit(dv, toil, 100, .turns = 1, .y = y);
            check_blocked();
            STATUS(DIVVY_OK, divvy_wait(future));
        }
        divvy_close(dv);
    }
    fake_behave();
}

/* ---- Where they may run ---- */

/* To how many processors the workers are bound. */
static int processors_of_workers(void)
{
    struct thread threads[THREADS_MAX];
    unsigned count = other_threads(threads);
    int most = 0;
    for (unsigned t = 0; t < count; t++)
        most = threads[t].cpu_count > most ? threads[t].cpu_count : most;
    return most;
}

/* Once they have begun to work, workers are where they belong. */
static int bound_to(divvy *dv)
{
    int thread[16];
    for (int k = 0; k < 3; k++)
        STATUS(DIVVY_OK, divvy_run(dv, look_around, 16, .thread = thread, .with = {.partition = 1}));
    STATUS(DIVVY_OK, divvy_wait(divvy_submit(dv, look_around, 16, .thread = thread, .with = {.partition = 1})));
    return processors_of_workers();
}

static void check_binding(void)
{
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    const int allowed = CPU_COUNT(&mask);
    divvy *dv = OPEN(.backend = "cpu", .threads = -1);
    const int cores = (int)divvy_device_count(dv);
    divvy_close(dv);
    if (cores < 2 || cores != allowed || sanitizers_threads) {
        puts("binding: not tried on this machine");
        return;
    }
    const struct {
        divvy_options options;
        int processors;
    } cases[] = {
        {{.backend = "cpu"}, 1}, // all allowed cores are used
        {{.backend = "cpu", .threads = -1}, 1},
        {{.backend = "cpu", .bind = "none"}, allowed},
        {{.backend = "cpu", .bind = "compact", .threads = 1}, 1},
        {{.backend = "cpu", .bind = "scatter"}, 1},
        {{.backend = "cpu", .bind = "0", .threads = 1}, 1},
        {{.backend = "cpu", .threads = -2}, allowed},          // several such processes would meet on the first cores
        {{.backend = "cpu", .devices = "cpu:0"}, allowed},     // likewise
        {{.backend = "cpu,fake", .devices = "cpu,fake:4"}, 1}, // all but one, which the device gets
        {{.backend = "cpu,fake", .devices = "cpu,fake:4", .bind = "none"}, allowed},
        {{.backend = "cpu,fake", .devices = "cpu:0,fake:0"}, allowed},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        dv = open_context(&cases[k].options);
        if (!CHECK_EQ(bound_to(dv), cases[k].processors))
            fprintf(stderr, "  case %zu\n", k);
        divvy_close(dv);
    }
    // Workers are bound as the first context asked, as long as there is one.
    divvy *first = OPEN(.backend = "cpu", .bind = "none"), *second = OPEN(.backend = "cpu", .bind = "compact");
    CHECK_EQ(bound_to(second), allowed);
    divvy_close(first);
    CHECK_EQ(bound_to(second), allowed);
    divvy_close(second);
    first = OPEN(.backend = "cpu", .bind = "compact");
    second = OPEN(.backend = "cpu", .bind = "none");
    CHECK_EQ(bound_to(second), 1);
    divvy_close(second);
    divvy_close(first);
}

/* ---- What drivers leave to the cores ---- */

static int nice_on(const char *devices, int threads, const char *device, unsigned index)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = devices, .threads = threads);
    uint y[64];
    STATUS(DIVVY_OK, divvy_run(dv, toil, 64, .turns = 1, .y = y, .with = {.devices = device}));
    divvy_close(dv);
    return fake_at(index)->nice;
}

/* Those whose device computes on cores give way, unless they have one for themselves. */
static void check_nice(void)
{
    const int own = getpriority(PRIO_PROCESS, 0);
    fake_behave();
    CHECK_EQ(nice_on("cpu,fake:2", 1, "fake:2", FAKE_DIRECT), own);
    CHECK_EQ(nice_on("cpu,fake:4", 1, "fake:4", FAKE_CORES), 19);
    CHECK_EQ(nice_on("fake:4", 0, "fake:4", FAKE_CORES), own);
}

/* ---- Waiting without a seat ---- */

static atomic_int nap_begun;

DIVVY_HOST_KERNEL(nap, (value, int, ms), (out, int, y))
{
    atomic_store(&nap_begun, 1);
    sleep_ms((unsigned)ms);
    DIVVY_FOR (i)
        y[i] = own_thread();
}

static void *wait_for_nap(void *argument)
{
    STATUS(DIVVY_OK, divvy_wait(argument));
    return NULL;
}

/* Whoever finds no seat sleeps. */
static void check_seatless(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = 1);
    int y[8][1];
    divvy_future *futures[8];
    pthread_t waiters[8];
    atomic_store(&nap_begun, 0);
    for (int w = 0; w < 8; w++)
        futures[w] = divvy_submit(dv, nap, 1, .ms = w ? 0 : 300, .y = y[w]);
    while (!atomic_load(&nap_begun))
        sleep_ms(1);
    uint64_t begin = cpu_ns();
    for (int w = 0; w < 8; w++)
        pthread_create(&waiters[w], NULL, wait_for_nap, futures[w]);
    for (int w = 0; w < 8; w++)
        pthread_join(waiters[w], NULL);
    CHECK(cpu_ns() - begin < 100000000);
    divvy_close(dv);
}

/* ---- What a kernel that waits does ---- */

static divvy *dv_inside;
static _Thread_local bool inside;
static atomic_int strangers_submitted, intrusions, strangers;

/* Another job, which nothing waits for. */
DIVVY_HOST_KERNEL(stranger, (out, int, y))
{
    atomic_fetch_add(&strangers, 1);
    atomic_fetch_add(&intrusions, inside);
    DIVVY_FOR (i)
        y[i] = 1;
}

/* Waits for a child that a device computes, with nothing to do itself, while there are other jobs to be done. */
DIVVY_HOST_KERNEL(wait_inside, (out, int, done))
{
    static uint y[64];
    inside = true;
    while (!atomic_load(&strangers_submitted))
        sleep_ms(1);
    if (divvy_run(dv_inside, toil, 64, .turns = 1, .y = y, .with = {.devices = "fake:0", .partition = 64}) != DIVVY_OK)
        divvy_fail(DIVVY_INTERNAL, divvy_error());
    inside = false;
    DIVVY_FOR (i)
        done[i] = 1;
}

/* A kernel that waits works on what it waits for only: another job under it would keep it for long, or for ever. */
static void check_strangers(void)
{
    dv_inside = OPEN(.backend = "cpu,fake", .devices = "cpu:0,fake:0", .schedule = "dynamic");
    STATUS(DIVVY_OK, divvy_prepare(dv_inside, toil));
    fake_at(0)->slow_ns = 50000000;
    int done[1] = {0}, y[10][1];
    atomic_store(&strangers, 0);
    divvy_future *parent = divvy_submit(dv_inside, wait_inside, 1, .done = done), *others[10];
    for (int k = 0; k < 10; k++)
        others[k] = divvy_submit(dv_inside, stranger, 1, .y = y[k]);
    atomic_store(&strangers_submitted, 1);
    STATUS(DIVVY_OK, divvy_wait(parent));
    for (int k = 0; k < 10; k++)
        STATUS(DIVVY_OK, divvy_wait(others[k]));
    CHECK_EQ(strangers, 10);
    CHECK_EQ(intrusions, 0);
    divvy_close(dv_inside);
    fake_behave();
}

/* ---- Callbacks hold no lock ---- */

struct listener {
    divvy *dv;
    atomic_int calls, stuck;
    atomic_size_t computed;
    uint y[16];
    divvy_future *submitted;
};

static struct listener listener;

DIVVY_HOST_KERNEL(go_on, (out, int, y))
{
    atomic_fetch_add(&listener.computed, DIVVY_COUNT);
    sleep_ms(1);
    DIVVY_FOR (i)
        y[i] = 1;
}

/* Waits until others have computed more of this job, and of another one. */
static void hold_up(void *argument, size_t done, size_t count)
{
    (void)argument;
    if (atomic_fetch_add(&listener.calls, 1) > 0 || done == count)
        return;
    size_t before = atomic_load(&listener.computed);
    listener.submitted = divvy_submit(listener.dv, toil, 16, .turns = 1, .y = listener.y);
    int k = 0;
    while (k++ < 5000 && atomic_load(&listener.computed) < before + 5)
        sleep_ms(1);
    atomic_fetch_add(&listener.stuck, k >= 5000);
}

static void check_no_lock(void)
{
    static const char *const schedules[] = {"guarded", "dynamic", "guided"};
    int y[400];
    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        listener = (struct listener){.dv = OPEN(.backend = "cpu", .threads = 2, .schedule = schedules[s])};
        // Submitted, since one that is run begins as its caller's alone.
        divvy_future *future =
            divvy_submit(listener.dv, go_on, 400, .y = y,
                         .with = {.partition = s ? 1 : 0, .first_partition = 1, .on_progress = hold_up});
        STATUS(DIVVY_OK, divvy_wait(future));
        CHECK(listener.calls > 0);
        CHECK_EQ(listener.stuck, 0);
        if (CHECK(listener.submitted != NULL))
            STATUS(DIVVY_OK, divvy_wait(listener.submitted));
        divvy_close(listener.dv);
    }
}

/* ---- Closing waits for no probe ---- */

/* A backend that nobody named is probed beside the work; what it finds late, and long after the end, is dropped. */
static void check_slow_probe(void)
{
    enum { COUNT = 20000 };
    static uint y[COUNT];
    fake_at(0)->probe_slow_ns = 60000000000;
    divvy *dv = OPEN(.backend = "cpu,fake");
    for (int k = 0; k < 20000 && !fake_at(0)->probed; k++) // until it has lasted so long that more devices might pay
        STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 2000, .y = y));
    uint64_t begin = wall_ns();
    CHECK_EQ(fake_at(0)->probed, 1);
    check_blocked(); // who probes has no business with signals either
    divvy_close(dv);
    CHECK(wall_ns() - begin < 30000000000);
    fake_at(0)->probe_slow_ns = 300000000; // in all
    // The next context has what was found, without probing again.
    dv = OPEN(.backend = "cpu");
    size_t cores = divvy_device_count(dv);
    divvy_close(dv);
    dv = OPEN(.backend = "cpu,fake");
    STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 1, .y = y));
    CHECK_EQ(divvy_device_count(dv), cores + FAKE_DEVICES - 1);
    CHECK_EQ(fake_at(0)->probed, 1);
    STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 1, .y = y, .with = {.devices = "fake:0"}));
    divvy_close(dv);
    fake_behave();
}

static void *begin_and_end(void *argument)
{
    return argument;
}

int main(void)
{
    limit_time(120);
    setenv("DIVVY_LOG", "error", 1);
    pthread_t thread; // the first one is what a sanitizer starts its own beside
    pthread_create(&thread, NULL, begin_and_end, NULL);
    pthread_join(thread, NULL);
    struct thread threads[THREADS_MAX];
    sleep_ms(50);
    sanitizers_threads = other_threads(threads);
    check_slow_probe();
    check_pool_size();
    check_signals();
    check_binding();
    check_nice();
    check_seatless();
    check_strangers();
    check_no_lock();
    return check_summary();
}
