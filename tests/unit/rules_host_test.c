/* Host kernels and callbacks: results merged in index order, failures that end a job, progress that is told. */
#include "rules.h"

#include "rules.cl"

#include <pthread.h>

static divvy *dv;

/* ---- Results ---- */

/* A range of indices, or proof that ranges were not merged in order. */
struct interval {
    size_t first, end;
    bool any, broken;
    uint64_t hash;
};

enum { PRIME = 1000003 };

static uint64_t power(uint64_t exponent)
{
    uint64_t result = 1, base = PRIME;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1)
            result *= base;
    return result;
}

static void append(struct interval *into, const struct interval *from)
{
    if (!into->any) {
        *into = *from;
        return;
    }
    if (!from->any)
        return;
    into->broken |= from->broken || into->end != from->first;
    into->hash = into->hash * power(from->end - from->first) + from->hash;
    into->end = from->end;
}

DIVVY_HOST_KERNEL(read_off, (in, uchar, text), (result, struct interval, seen, append), (sum, ulong, letters))
{
    seen->any = true;
    seen->first = DIVVY_FIRST;
    seen->end = DIVVY_FIRST + DIVVY_COUNT;
    uint64_t hash = 0;
    for (size_t i = DIVVY_FIRST; i < DIVVY_FIRST + DIVVY_COUNT; i++)
        hash = hash * PRIME + text[i];
    seen->hash = hash;
    DIVVY_FOR (i)
        letters[DIVVY_LANE] += text[i] >= 'a';
}

static void check_results(void)
{
    enum { COUNT = 12347 };
    static uchar text[COUNT];
    uint64_t expected = 0;
    ulong letters = 0, counted;
    for (int i = 0; i < COUNT; i++) {
        text[i] = (uchar)(i * 31 % 128);
        expected = expected * PRIME + text[i];
        letters += text[i] >= 'a';
    }
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided", "af", "iterative"};
    static const size_t partitions[] = {0, 1, 7, 1000};
    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        for (size_t p = 0; p < 4; p++) {
            struct interval seen = {.broken = true};
            STATUS(DIVVY_OK, divvy_run(dv, read_off, COUNT, .text = text, .seen = &seen, .letters = &counted,
                                       .with = {.schedule = schedules[s], .partition = partitions[p]}));
            CHECK(seen.any && !seen.broken);
            CHECK_EQ(seen.first, 0);
            CHECK_EQ(seen.end, COUNT);
            CHECK(seen.hash == expected);
            CHECK_EQ(counted, letters);
        }
    }
    struct interval none = {.any = true};
    STATUS(DIVVY_OK, divvy_run(dv, read_off, 0, .seen = &none, .letters = &counted));
    CHECK(!none.any);
    CHECK_EQ(counted, 0);
}

/* ---- Failures of kernels ---- */

static atomic_int ran;

DIVVY_HOST_KERNEL(stumble, (value, int, at), (value, int, status), (in, int, x),
                  (result, struct interval, seen, append))
{
    seen->any = true;
    atomic_fetch_add(&ran, 1);
    DIVVY_FOR (i)
        if ((int)i == at) {
            char text[32];
            snprintf(text, sizeof text, "index %d of %d", (int)i, x[0]);
            divvy_fail((divvy_status)status, text);
            memset(text, '?', sizeof text - 1);      // the text was copied
            divvy_fail(DIVVY_IO, "too late to say"); // the first one counts
        }
}

static void check_stumbling(void)
{
    static int x[1000];
    struct interval seen;
    x[0] = 1000;
    for (int k = 0; k < 20; k++) {
        STATUS(DIVVY_NOT_FOUND, divvy_run(dv, stumble, 1000, .at = k * 50, .status = DIVVY_NOT_FOUND, .x = x,
                                          .seen = &seen, .with = {.partition = 10}));
        CHECK_HAS(divvy_error(), "of 1000");
        CHECK_EQ(divvy_last(dv)->status, DIVVY_NOT_FOUND);
        STATUS(DIVVY_KERNEL_FAILED, divvy_run(dv, stumble, 1000, .at = k * 50, .x = x, .seen = &seen));
        STATUS(DIVVY_OK, divvy_run(dv, stumble, 1000, .at = -1, .x = x, .seen = &seen));
    }
    // After the failure nothing more is given out.
    atomic_store(&ran, 0);
    STATUS(DIVVY_IO, divvy_run(dv, stumble, 1000, .at = 0, .status = DIVVY_IO, .x = x, .seen = &seen,
                               .with = {.partition = 1, .devices = "cpu:0"}));
    CHECK_EQ(ran, 1);
    // Elsewhere the call has no effect.
    divvy_fail(DIVVY_IO, "outside");
    STATUS(DIVVY_OK, divvy_run(dv, stumble, 10, .at = -1, .x = x, .seen = &seen));
}

/* ---- Errors belong to threads ---- */

static divvy_future *wrong;

static void *wait_elsewhere(void *argument)
{
    (void)argument;
    CHECK_STR(divvy_error(), "");
    STATUS(DIVVY_INVALID, divvy_wait(wrong));
    CHECK_HAS(divvy_error(), "\"y\" is NULL");
    return NULL;
}

static void check_errors(void)
{
    pthread_t thread;
    uint y[10];
    STATUS(DIVVY_INVALID, divvy_run(dv, toil, 10, .y = y, .with = {.schedule = "mine"}));
    wrong = divvy_submit(dv, toil, 10, .y = NULL);
    CHECK_HAS(divvy_error(), "mine"); // submitting has not failed
    pthread_create(&thread, NULL, wait_elsewhere, NULL);
    pthread_join(thread, NULL);
    CHECK_HAS(divvy_error(), "mine");
    // Statuses are ABI: neither their numbers nor their names change.
    static const char *const names[] = {
        "OK",          "INVALID",       "NO_MEMORY", "NO_DEVICE", "NO_BACKEND",        "BAD_PLUGIN", "BUILD_FAILED",
        "DEVICE_LOST", "KERNEL_FAILED", "TIMED_OUT", "CANCELLED", "DEPENDENCY_FAILED", "NOT_FOUND",  "LIMIT",
        "IO",          "UNSUPPORTED",   "INTERNAL",
    };
    for (int k = 0; k < (int)(sizeof names / sizeof *names); k++)
        CHECK_STR(divvy_status_name((divvy_status)-k), names[k]);
    CHECK_STR(divvy_status_name((divvy_status)-17), "UNKNOWN");
    CHECK_STR(divvy_status_name((divvy_status)1), "UNKNOWN");
}

/* ---- Callbacks ---- */

struct told {
    atomic_int inside, calls, wrong;
    atomic_size_t last;
    divvy_future *submitted, *behind;
    uint *computed; // by the job that tells
    uint parts[16];
    divvy_status wait_status, run_status, prepare_status;
};

static void listen(void *argument, size_t done, size_t count)
{
    struct told *told = argument;
    if (atomic_fetch_add(&told->inside, 1) != 0)
        atomic_fetch_add(&told->wrong, 1); // two at once
    if (done < atomic_load(&told->last) || done > count || count != 400)
        atomic_fetch_add(&told->wrong, 1);
    atomic_store(&told->last, done);
    if (atomic_fetch_add(&told->calls, 1) == 0) {
        told->submitted = divvy_submit(dv, toil, 16, .turns = 0, .y = told->parts);
        // It is nobody's child, so that it comes after the job that tells.
        told->behind = divvy_submit(dv, step_on, 400, .factor = 0, .added = 4711, .x = told->computed);
        told->wait_status = divvy_wait(told->submitted);
        uint y[4];
        told->run_status = divvy_run(dv, toil, 4, .y = y);
        told->prepare_status = divvy_prepare(dv, toil);
        divvy_close(dv); // refused, with a warning
        divvy_fail(DIVVY_IO, "a callback is no kernel");
    }
    sleep_ms(1);
    atomic_fetch_sub(&told->inside, 1);
}

DIVVY_HOST_KERNEL(dawdle, (value, int, ms), (out, int, y))
{
    sleep_ms((unsigned)ms);
    DIVVY_FOR (i)
        y[i] = (int)i;
}

static void check_callbacks(const char *devices, divvy_status expected)
{
    uint computed[400];
    struct told told = {.computed = computed};
    if (devices) {
        STATUS(expected,
               divvy_run(dv, toil, 400, .turns = 1, .y = computed,
                         .with = {.partition = 10, .on_progress = listen, .progress_arg = &told, .devices = devices}));
    } else {
        STATUS(expected, divvy_run(dv, dawdle, 400, .ms = 0, .y = (int *)computed,
                                   .with = {.partition = 10, .on_progress = listen, .progress_arg = &told}));
    }
    CHECK_EQ(told.wrong, 0);
    CHECK(told.calls > 1);
    CHECK_EQ(told.last, 400);
    CHECK_EQ(told.wait_status, DIVVY_INVALID);
    CHECK_EQ(told.run_status, DIVVY_INVALID);
    CHECK_EQ(told.prepare_status, DIVVY_INVALID);
    STATUS(DIVVY_OK, divvy_wait(told.submitted));
    CHECK_EQ(told.parts[15], 15);
    STATUS(DIVVY_OK, divvy_wait(told.behind));
    for (int i = 0; i < 400; i++)
        CHECK_EQ(computed[i], 4711);
    int calls = told.calls;
    sleep_ms(5);
    CHECK_EQ(told.calls, calls); // nothing is told after the end
}

/* ---- Time ---- */

static atomic_int begun, ended;

DIVVY_HOST_KERNEL(linger, (value, int, ms), (out, int, y))
{
    atomic_fetch_add(&begun, 1);
    sleep_ms((unsigned)ms);
    DIVVY_FOR (i)
        y[i] = 1;
    atomic_fetch_add(&ended, 1);
}

/* Goes on for as long as the test lets it. */
DIVVY_HOST_KERNEL(persist, (out, int, y))
{
    for (atomic_store(&begun, 1); begun;)
        sleep_ms(1);
    DIVVY_FOR (i)
        y[i] = 1;
}

/* When a job's time is over no further partition starts; those that run end. */
static void check_timeout(void)
{
    int y[1000];
    for (int nested = 0; nested < 2; nested++) {
        uint64_t begin = wall_ns();
        divvy_future *future =
            divvy_submit(dv, dawdle, 1000, .ms = 100, .y = y, .with = {.partition = 1, .timeout_ns = 50000000});
        if (nested)
            sleep_ms(100);
        STATUS(DIVVY_TIMED_OUT, divvy_wait(future));
        uint64_t took = wall_ns() - begin;
        CHECK(took > 45000000 && took < 30000000000); // all of it takes 50 s
    }
    STATUS(DIVVY_OK, divvy_run(dv, dawdle, 4, .ms = 1, .y = y, .with = {.timeout_ns = 60000000000}));
    // A partition that runs on the host is waited for, and none begins after the time.
    memset(y, 0, sizeof y);
    for (int submitted = 0; submitted < 2; submitted++) {
        divvy_future *patient = divvy_submit(dv, linger, 40, .ms = 150, .y = y,
                                             .with = {.partition = 1, .timeout_ns = 30000000, .devices = "cpu:0"});
        if (submitted)
            sleep_ms(10);
        STATUS(DIVVY_TIMED_OUT, divvy_wait(patient));
        CHECK(begun <= 1 && ended == begun);
        int before = begun;
        sleep_ms(200);
        CHECK_EQ(begun, before);
        atomic_store(&begun, 0);
        atomic_store(&ended, 0);
    }
    // Also while it still waits for another job.
    divvy_future *slow = divvy_submit(dv, persist, 2, .y = y, .with = {.partition = 2});
    while (!begun)
        sleep_ms(1);
    STATUS(DIVVY_TIMED_OUT, divvy_run(dv, dawdle, 2, .ms = 0, .y = y, .with = {.timeout_ns = 20000000}));
    atomic_store(&begun, 0); // only now it may end
    STATUS(DIVVY_OK, divvy_wait(slow));
}

int main(void)
{
    limit_time(120);
    for (int threads = 1; threads <= 2; threads++) {
        dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0,fake:2", .threads = threads);
        check_results();
        check_stumbling();
        check_errors();
        check_callbacks(NULL, DIVVY_OK);
        check_callbacks("cpu,fake:0", DIVVY_OK);
        check_callbacks("fake:0", DIVVY_OK);
        if (threads > 1)
            check_timeout();
        divvy_close(dv);
    }
    return check_summary();
}
