/* The rules of a context: failed ones, the default one, many at once, the profile, and those who wait in them. */
#include "fork.h"
#include "rules.h"

#include "rules.cl"

#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void check_toil(divvy *dv)
{
    enum { COUNT = 5000 };
    uint *y = calloc(COUNT, sizeof *y);
    STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 3, .y = y));
    size_t wrong = 0;
    for (uint i = 0; i < COUNT; i++) {
        uint x = i;
        for (int k = 0; k < 3; k++)
            x = x * 1664525u + 1013904223u;
        wrong += y[i] != x;
    }
    CHECK_EQ(wrong, 0);
    free(y);
}

/* ---- Failed contexts ---- */

static void check_failed(void)
{
    static const struct {
        divvy_options options;
        divvy_status status;
        const char *text;
    } wrong[] = {
        {{.backend = "nowhere"}, DIVVY_NO_BACKEND, "nowhere"},
        {{.backend = "cpu", .devices = "cpu:77"}, DIVVY_NO_DEVICE, "cpu:77"},
        {{.backend = "cpu", .devices = "gpu"}, DIVVY_NO_DEVICE, "there are: cpu:0"},
        {{.backend = "cpu", .schedule = "gaurded"}, DIVVY_INVALID, "guarded"},
        {{.backend = "cpu", .devices = "cpu:1-"}, DIVVY_INVALID, "cpu:1-"},
        {{.backend = "cpu", .bind = "sideways"}, DIVVY_INVALID, "sideways"},
        {{.backend = "cpu", .log = "loud"}, DIVVY_INVALID, "loud"},
        {{.backend = "cpu", .progress = "maybe"}, DIVVY_INVALID, "maybe"},
        {{.backend = "cpu", .profile = "/nowhere/at/all.json"}, DIVVY_IO, "/nowhere/at/all.json"},
    };
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        divvy *dv = NULL;
        uint y[10];
        // Opening says why, sets a context all the same, and every call on it says the same.
        STATUS(wrong[k].status, divvy_open(&dv, &wrong[k].options));
        CHECK(dv != NULL);
        CHECK_HAS(divvy_error(), wrong[k].text);
        divvy_run(NULL, toil, 1, .y = NULL); // another failure in between
        STATUS(wrong[k].status, divvy_run(dv, toil, 10, .y = y));
        CHECK_HAS(divvy_error(), wrong[k].text);
        divvy_run(NULL, toil, 1, .y = NULL);
        divvy_future *future = divvy_submit(dv, toil, 10, .y = y);
        STATUS(wrong[k].status, divvy_wait(future));
        CHECK_HAS(divvy_error(), wrong[k].text);
        STATUS(wrong[k].status, divvy_prepare(dv, toil));
        CHECK_EQ(divvy_device_count(dv), 0);
        CHECK(divvy_last(dv) == NULL);
        divvy_close(dv);
    }
    // A variable with a bad value makes opening fail, with what is allowed.
    setenv("DIVVY_SCHEDULE", "sometimes", 1);
    divvy *dv;
    STATUS(DIVVY_INVALID, divvy_open(&dv, NULL));
    CHECK_HAS(divvy_error(), "DIVVY_SCHEDULE");
    CHECK_HAS(divvy_error(), "guarded");
    divvy_close(dv);
    unsetenv("DIVVY_SCHEDULE");
}

/* ---- The default context ---- */

static void check_default(void)
{
    uint y[10];
    divvy_close(NULL); // there is none: nothing happens
    for (int k = 0; k < 3; k++) {
        check_toil(NULL);
        CHECK(divvy_last(NULL) != NULL);
        divvy_close(NULL);
    }
    // It is opened as the environment says at that moment, and stays as it was opened.
    setenv("DIVVY_THREADS", "none", 1);
    STATUS(DIVVY_INVALID, divvy_run(NULL, toil, 10, .y = y));
    CHECK_HAS(divvy_error(), "DIVVY_THREADS");
    divvy_close(NULL);
    setenv("DIVVY_THREADS", "1", 1);
    check_toil(NULL);
    CHECK_EQ(divvy_device_count(NULL), 1);
    divvy_close(NULL);
    unsetenv("DIVVY_THREADS");
}

static void *use_default(void *argument)
{
    (void)argument;
    check_toil(NULL);
    return NULL;
}

/* Runs in a process of its own, which ends as programs end. */
static bool in_child(void (*run)(void))
{
    pid_t child = check_fork();
    if (child == 0) {
        run();
        exit(atomic_load(&check_failures) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0;
}

static void use_by_many(void)
{
    pthread_t threads[8];
    for (int t = 0; t < 8; t++)
        pthread_create(&threads[t], NULL, use_default, NULL);
    for (int t = 0; t < 8; t++)
        pthread_join(threads[t], NULL);
}

/* A backend that cannot be probed is told once and left out, and the calls that found out do not fail, nor does the error
 * of an earlier one change. Named, it is an error. */
static void fail_to_probe(void)
{
    fake_at(0)->fail_probe = 1;
    begin_hearing();
    divvy *dv = OPEN(.backend = "cpu,fake", .log = "warn");
    STATUS(DIVVY_INVALID, divvy_run(dv, toil, 10, .y = NULL));
    CHECK(divvy_device_count(dv) > 0);
    STATUS(DIVVY_OK, divvy_prepare(dv, toil));
    CHECK_HAS(divvy_error(), "\"y\" is NULL");
    check_toil(dv);
    divvy_close(dv);
    const divvy_options named = {.backend = "cpu,fake", .devices = "cpu,fake:0", .plugin_path = FAKE_FOLDER};
    STATUS(DIVVY_IO, divvy_open(&dv, &named));
    CHECK_HAS(divvy_error(), "was told not to be probed");
    divvy_close(dv);
    char *text = heard();
    CHECK_EQ(occurrences(text, "was told not to be probed"), 1);
    CHECK_EQ(occurrences(text, "\n"), 1);
    free(text);
}

static void fail_to_open(void)
{
    setenv("DIVVY_SCHEDULE", "sometimes", 1);
    uint y[10];
    STATUS(DIVVY_INVALID, divvy_run(NULL, toil, 10, .y = y));
    unsetenv("DIVVY_SCHEDULE");
    STATUS(DIVVY_INVALID, divvy_run(NULL, toil, 10, .y = y)); // as it was opened
    divvy_close(NULL);
    check_toil(NULL);
}

/* However many threads use it first at once, there is one default context, which the end of the process closes. */
static void check_default_at_exit(void)
{
    char folder[] = "/tmp/rulesXXXXXX", path[64], second[80];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/run.json", folder);
    snprintf(second, sizeof second, "%s.2", path);
    setenv("DIVVY_PROFILE", path, 1);
    CHECK(in_child(use_by_many));
    char *text = read_away(path);
    CHECK_HAS(text, "\"toil\"");
    CHECK(occurrences(text, "\"kernel\":\"toil\"") >= 8); // all of their jobs are in it
    free(text);
    CHECK(access(second, F_OK) != 0);
    CHECK(in_child(fail_to_open));
    CHECK_EQ(unlink(path), 0);
    unsetenv("DIVVY_PROFILE");
    CHECK_EQ(rmdir(folder), 0);
}

/* ---- Many ---- */

static void *come_and_go(void *argument)
{
    uint64_t random = (uint64_t)(uintptr_t)argument;
    static const char *const devices[] = {NULL, "cpu", "cpu:0", "cpu:1", "cpu,fake:0", "fake:1", "cpu:0,fake:2"};
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided", "af", "iterative"};
    for (int k = 0; k < 30; k++) {
        divvy *dv = OPEN(.backend = "cpu,fake", .devices = devices[check_random(&random) % 7],
                         .schedule = schedules[check_random(&random) % (sizeof schedules / sizeof *schedules)],
                         .threads = (int)(check_random(&random) % 3));
        for (int j = 0; j < 3; j++)
            check_toil(dv);
        divvy_close(dv);
    }
    return NULL;
}

static void check_many(void)
{
    pthread_t threads[4];
    uint64_t seed = check_seed();
    for (uint64_t t = 0; t < 4; t++)
        pthread_create(&threads[t], NULL, come_and_go, (void *)(uintptr_t)(seed + t));
    for (int t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
    // Opened and closed again and again, used or not.
    for (int k = 0; k < 200; k++) {
        divvy *dv = OPEN(.backend = k % 2 ? "cpu,fake" : "cpu", .devices = k % 4 == 1 ? "cpu,fake" : NULL);
        if (k % 3 == 0)
            check_toil(dv);
        divvy_close(dv);
    }
}

/* A context that closes waits for its jobs in flight. */
static atomic_int steps;

DIVVY_HOST_KERNEL(stroll, (value, int, ms), (out, int, thread))
{
    DIVVY_FOR (i) {
        sleep_ms((unsigned)ms);
        thread[i] = (int)syscall(SYS_gettid);
        atomic_fetch_add(&steps, 1);
    }
}

static void check_close(void)
{
    int thread[20];
    divvy *dv = OPEN(.backend = "cpu", .threads = 2), *other = OPEN(.backend = "cpu", .threads = 1);
    atomic_store(&steps, 0);
    divvy_submit(dv, stroll, 20, .ms = 2, .thread = thread, .with = {.partition = 1});
    divvy_close(dv);
    CHECK_EQ(steps, 20);
    check_toil(other);
    divvy_close(other);
}

/* ---- The profile ---- */

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    char *text = calloc(1, 1 << 20);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    text[length] = 0;
    fclose(file);
    return text;
}

static void check_profile(void)
{
    char folder[] = "/tmp/rulesXXXXXX", path[64], second_path[80], third_path[80];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/run.json", folder);
    snprintf(second_path, sizeof second_path, "%s.2", path);
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .profile = path);
    divvy *second = OPEN(.backend = "cpu", .profile = path), *third = OPEN(.backend = "cpu", .profile = path);
    STATUS(DIVVY_OK, divvy_run(dv, stroll, 4, .ms = 1, .thread = (int[4]){0}, .with = {.name = "first \"job\""}));
    check_toil(dv);
    check_toil(second);
    divvy_close(third);
    divvy_close(dv);
    divvy_close(second);
    snprintf(third_path, sizeof third_path, "%s.3", path);
    CHECK_EQ(unlink(third_path), 0);
    char *text = read_text(path), *second_text = read_text(second_path);
    if (CHECK(text && second_text)) {
        CHECK_HAS(text, "first \\\"job\\\"");
        CHECK_HAS(text, "\"fake:0\"");
        CHECK_HAS(text, "\"toil\"");
        CHECK_HAS(second_text, "\"toil\"");
        CHECK(strstr(second_text, "stroll") == NULL);
    }
    free(text);
    free(second_text);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(unlink(second_path), 0);
    CHECK_EQ(rmdir(folder), 0); // and nothing else is left behind
}

/* ---- Filters of cores ---- */

/* Exactly what a filter names takes part. */
static void check_filters(void)
{
    static const struct {
        const char *devices;
        size_t count;
        const char *first;
    } filters[] = {
        {"cpu:0", 1, "cpu:0"},          {"cpu:1", 1, "cpu:1"},
        {"cpu:1,cpu:0", 2, "cpu:1"},    {"cpu:0,cpu:0", 1, "cpu:0"},
        {"cpu:77,fake:1", 1, "fake:1"}, {"cpu:name~core 1", 1, "cpu:1"},
        {"cpu:1,fake:0", 2, "cpu:1"},   {"fake:name~direct", 1, "fake:2"},
    };
    for (size_t k = 0; k < sizeof filters / sizeof *filters; k++) {
        divvy *dv = OPEN(.backend = "cpu,fake", .devices = filters[k].devices);
        divvy_device device = {0};
        CHECK_EQ(divvy_device_count(dv), filters[k].count);
        STATUS(DIVVY_OK, divvy_device_at(dv, 0, &device));
        CHECK_STR(device.id, filters[k].first);
        check_toil(dv);
        divvy_close(dv);
    }
}

/* ---- Seats ---- */

static bool contains(const int *threads, int count, int wanted)
{
    for (int k = 0; k < count; k++)
        if (threads[k] == wanted)
            return true;
    return false;
}

static void *wait_for_stroll(void *argument)
{
    int thread[12] = {0};
    for (int k = 0; k < 5; k++) {
        STATUS(DIVVY_OK, divvy_run(argument, stroll, 12, .ms = 1, .thread = thread, .with = {.partition = 1}));
        CHECK(thread[0] != 0 && thread[11] != 0);
    }
    return NULL;
}

static void check_seats(void)
{
    int own = (int)syscall(SYS_gettid), thread[40];
    for (int threads = 1; threads <= 2; threads++) {
        divvy *dv = OPEN(.backend = "cpu", .threads = threads);
        // The thread that waits works; on one core nobody else does. On two its seat may just be taken by a worker.
        bool works = false;
        for (int k = 0; k < (threads == 1 ? 1 : 200) && !works; k++) {
            STATUS(DIVVY_OK, divvy_run(dv, stroll, 40, .ms = 1, .thread = thread, .with = {.partition = 1}));
            works = contains(thread, 40, own);
        }
        CHECK(works);
        if (threads == 1)
            for (int k = 0; k < 40; k++)
                CHECK_EQ(thread[k], own);
        divvy_future *future = divvy_submit(dv, stroll, 40, .ms = 1, .thread = thread, .with = {.partition = 1});
        STATUS(DIVVY_OK, divvy_wait(future));
        // What was submitted goes on although nobody waits.
        atomic_store(&steps, 0);
        future = divvy_submit(dv, stroll, 10, .ms = 0, .thread = thread);
        for (int k = 0; k < 5000 && atomic_load(&steps) < 10; k++)
            sleep_ms(1);
        CHECK_EQ(steps, 10);
        STATUS(DIVVY_OK, divvy_wait(future));
        divvy_close(dv);

        // Several threads wait at once, more than there are seats.
        dv = OPEN(.backend = "cpu", .threads = threads);
        pthread_t waiters[4];
        for (int w = 0; w < 4; w++)
            pthread_create(&waiters[w], NULL, wait_for_stroll, dv);
        for (int w = 0; w < 4; w++)
            pthread_join(waiters[w], NULL);
        divvy_close(dv);
    }
}

/* Workers without work sleep. */
static void check_idle(void)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    check_toil(dv);
    sleep_ms(20);
    uint64_t begin = cpu_ns();
    sleep_ms(200);
    CHECK(cpu_ns() - begin < 60000000); // of 200 ms
    // So does a thread that waits for a device.
    fake_at(0)->slow_ns = 200000000;
    uint y[10];
    begin = cpu_ns();
    STATUS(DIVVY_OK, divvy_run(dv, toil, 10, .turns = 1, .y = y, .with = {.devices = "fake:0"}));
    CHECK(cpu_ns() - begin < 60000000);
    fake_behave();
    divvy_close(dv);
}

/* What a thread keeps for divvy_error and divvy_last goes when it ends, and comes back for what still runs then. */
static pthread_key_t last_words;

static void speak_last(void *times)
{
    STATUS(DIVVY_INVALID, divvy_run(NULL, toil, 10, .y = NULL));
    CHECK_HAS(divvy_error(), "\"y\" is NULL");
    check_toil(NULL);
    CHECK(divvy_last(NULL) != NULL);
    if (--*(int *)times > 0)
        pthread_setspecific(last_words, times);
}

static void *end_talking(void *times)
{
    check_toil(NULL);
    pthread_setspecific(last_words, times);
    return NULL;
}

static void check_thread_end(void)
{
    pthread_t thread;
    pthread_key_create(&last_words, speak_last);
    pthread_create(&thread, NULL, end_talking, &(int){3});
    pthread_join(thread, NULL);
    pthread_key_delete(last_words);
    divvy_close(NULL);
}

int main(void)
{
    limit_time(200);
    cpu_set_t before, after;
    pthread_getaffinity_np(pthread_self(), sizeof before, &before);
    setenv("DIVVY_BACKEND", "cpu", 1);
    setenv("DIVVY_LOG", "error", 1);
    check_default_at_exit(); // before there are threads
    CHECK(in_child(fail_to_probe));
    check_failed();
    check_default();
    check_thread_end();
    check_close();
    check_profile();
    if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
        check_filters();
    check_seats();
    check_idle();
    check_many();
    // However much this thread has worked, nobody has changed its affinity.
    pthread_getaffinity_np(pthread_self(), sizeof after, &after);
    CHECK(CPU_EQUAL(&before, &after));
    return check_summary();
}
