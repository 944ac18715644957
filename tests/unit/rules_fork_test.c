/* fork: what the parent has opened is of no use in the child, which opens anew; the parent notices nothing. */
#include "rules.h"

#include "rules.cl"

#include <pthread.h>
#include <sys/wait.h>

/* Sanitizers cannot follow. ThreadSanitizer knows no threads in the child of a process with threads. AddressSanitizer's
 * allocator takes no care at fork (glibc's does): where another thread was inside it, the child finds it locked for ever. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#else
#define SANITIZED 0
#endif

static bool works(divvy *dv)
{
    enum { COUNT = 20000 };
    static int hits[COUNT];
    long total, least, most;
    memset(hits, 0, sizeof hits);
    bool right = divvy_run(dv, mark, COUNT, .hits = hits, .total = &total, .least = &least, .most = &most) == DIVVY_OK;
    for (int i = 0; i < COUNT; i++)
        right = right && hits[i] == 1;
    return right && total == (long)COUNT * (COUNT - 1) / 2;
}

/* What the child finds, told by its exit status through check_summary. */
static int be_child(divvy *dv, divvy_future *future)
{
    limit_time(30);
    uint y[10];
    // Every call on what was opened before is refused, with the reason; nothing hangs.
    STATUS(DIVVY_INVALID, divvy_run(dv, toil, 10, .turns = 1, .y = y));
    CHECK_HAS(divvy_error(), "opened before fork");
    STATUS(DIVVY_INVALID, divvy_wait(divvy_submit(dv, toil, 10, .turns = 1, .y = y)));
    CHECK_HAS(divvy_error(), "opened before fork");
    STATUS(DIVVY_INVALID, divvy_prepare(dv, toil));
    STATUS(DIVVY_INVALID, divvy_device_at(dv, 0, &(divvy_device){0}));
    CHECK_EQ(divvy_device_count(dv), 0);
    CHECK(divvy_last(dv) == NULL);
    STATUS(DIVVY_INVALID, divvy_wait(future));
    CHECK_HAS(divvy_error(), "opened before fork");
    // The default context is a new one here, and new contexts open.
    CHECK(works(NULL));
    CHECK(works(NULL));
    divvy *fresh = OPEN(.backend = "cpu", .threads = 2);
    CHECK(works(fresh));
    // Closing the old one in the middle does no harm.
    divvy_close(dv);
    CHECK(works(fresh));
    divvy_close(fresh);
    CHECK(works(NULL));
    divvy_close(NULL);
    return check_summary();
}

/* A backend whose threads stayed with the parent is left out, with one warning however often it is asked for; one that
 * the parent did not use is not. */
static int be_child_of_driver(divvy *dv, divvy_future *future)
{
    (void)dv, (void)future;
    limit_time(30);
    begin_hearing();
    for (int k = 0; k < 3; k++) {
        divvy *fresh = OPEN(.backend = "cpu,fake", .devices = k ? NULL : "cpu,fake", .log = "warn");
        for (size_t d = 0; d < divvy_device_count(fresh); d++) {
            divvy_device device = {0};
            STATUS(DIVVY_OK, divvy_device_at(fresh, d, &device));
            CHECK_STR(device.backend, "cpu");
        }
        CHECK(divvy_device_count(fresh) > 0);
        CHECK(works(fresh));
        divvy_close(fresh);
    }
    char *text = heard();
    CHECK_EQ(occurrences(text, "backend fake was opened before fork and is left out"), 1);
    CHECK_EQ(occurrences(text, "\n"), 1);
    free(text);
    return check_summary();
}

static int be_first_user(divvy *dv, divvy_future *future)
{
    (void)dv, (void)future;
    limit_time(30);
    divvy *fresh = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    CHECK(divvy_device_count(fresh) > 1);
    CHECK(works(fresh));
    divvy_close(fresh);
    return check_summary();
}

/* Ends as programs end, without closing anything. */
static int be_program(divvy *dv, divvy_future *future)
{
    (void)dv, (void)future;
    CHECK(works(NULL));
    exit(check_summary());
}

static bool fork_with(int (*be)(divvy *dv, divvy_future *future), divvy *dv, divvy_future *future)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        atomic_store(&check_failures, 0);
        _exit(be(dv, future));
    }
    int status = -1;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static atomic_bool enough;

static void *come_and_go(void *argument)
{
    (void)argument;
    while (!atomic_load(&enough)) {
        divvy *dv = OPEN(.backend = "cpu", .threads = 2);
        uint y[100];
        STATUS(DIVVY_OK, divvy_run(dv, toil, 100, .turns = 1, .y = y));
        divvy_close(dv);
    }
    return NULL;
}

static int be_child_of_many(divvy *dv, divvy_future *future)
{
    (void)dv, (void)future;
    limit_time(30);
    CHECK(works(NULL));
    divvy_close(NULL);
    return check_summary();
}

/* Whatever other threads are doing when the process forks. */
static void check_busy_parent(void)
{
    pthread_t threads[3];
    for (int t = 0; t < 3; t++)
        pthread_create(&threads[t], NULL, come_and_go, NULL);
    for (int k = 0; k < 200; k++)
        if (!CHECK(fork_with(be_child_of_many, NULL, NULL)))
            break;
    atomic_store(&enough, true);
    for (int t = 0; t < 3; t++)
        pthread_join(threads[t], NULL);
}

/* The profile of the parent's default context is the parent's, whatever children do and however they end. */
static void check_profile(void)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/rulesfork%d.json", (int)getpid());
    setenv("DIVVY_PROFILE", path, 1);
    CHECK(works(NULL));
    CHECK(fork_with(be_program, NULL, NULL));
    CHECK(access(path, F_OK) != 0);
    CHECK(works(NULL));
    divvy_close(NULL);
    char *text = read_away(path);
    CHECK(occurrences(text, "\"kernel\":\"mark\"") >= 2);
    free(text);
    snprintf(path, sizeof path, "/tmp/rulesfork%d.json.2", (int)getpid()); // the child's own
    CHECK_EQ(unlink(path), 0);
    unsetenv("DIVVY_PROFILE");
}

int main(void)
{
#if SANITIZED
    return CHECK_SKIP; // see there
#endif
    limit_time(60);
    setenv("DIVVY_BACKEND", "cpu", 1);
    check_profile();
    CHECK(works(NULL));
    CHECK(fork_with(be_first_user, NULL, NULL));
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    CHECK(works(dv));
    static uint y[2000000];
    for (int k = 0; k < 3; k++) {
        divvy_future *future = divvy_submit(dv, toil, 2000000, .turns = 20, .y = y);
        CHECK(fork_with(be_child, dv, future));
        CHECK(fork_with(be_child_of_driver, dv, future));
        STATUS(DIVVY_OK, divvy_wait(future));
        CHECK_EQ(y[0] != 0, 1);
        CHECK(works(dv));
        CHECK(works(NULL));
    }
    divvy_close(dv);
    check_busy_parent();
    return check_summary();
}
