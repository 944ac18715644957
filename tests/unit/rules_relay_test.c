/* Short jobs in a row, which reach workers by the relay, and everything that may come between: pauses, other threads,
 * other contexts that use the same cores, contexts that close. Every job must compute every index once. */
#include "rules.h"

#include "rules.cl"

#include <pthread.h>

enum { ROW = 64 };

/* An index counts how often it was computed. */
DIVVY_HOST_KERNEL(count_up, (inout, int, times))
{
    DIVVY_FOR (i)
        times[i]++;
}

/* Some take longer. */
DIVVY_HOST_KERNEL(linger, (value, unsigned, ms), (inout, int, times))
{
    sleep_ms(ms);
    DIVVY_FOR (i)
        times[i]++;
}

DIVVY_HOST_KERNEL(refuse_last, (value, size_t, last), (inout, int, times))
{
    DIVVY_FOR (i) {
        times[i]++;
        if (i == last)
            divvy_fail(DIVVY_KERNEL_FAILED, "the last one");
    }
}

static atomic_int told;

DIVVY_HOST_KERNEL(tell, (inout, int, times))
{
    DIVVY_FOR (i) {
        times[i]++;
        atomic_fetch_add(&told, 1);
    }
}

/* Whether `count` elements are `wanted`, and not those behind them. */
static bool are(const int *times, size_t count, int wanted)
{
    bool right = times[count] == -1;
    for (size_t i = 0; i < count; i++)
        right = right && times[i] == wanted;
    return right;
}

static void reset(int *times, size_t count)
{
    for (size_t i = 0; i < count; i++)
        times[i] = 0;
    times[count] = -1;
}

/* What the thread's last job counted, over all its devices. */
static uint64_t items_of_last(divvy *dv)
{
    const divvy_report *report = divvy_last(dv);
    uint64_t items = 0;
    for (size_t k = 0; report && k < report->share_count; k++)
        items += report->shares[k].items;
    return items;
}

/* Jobs of every size in a row, now and then after a pause in which workers fall asleep. */
static void run_row(divvy *dv, uint64_t seed, unsigned jobs, unsigned pause_every)
{
    int times[ROW + 1];
    unsigned wrong = 0;
    for (unsigned j = 0; j < jobs; j++) {
        size_t count = 1 + (size_t)(check_random(&seed) % ROW);
        reset(times, count);
        divvy_status status = divvy_run(dv, count_up, count, .times = times);
        wrong += status != DIVVY_OK || !are(times, count, 1);
        wrong += items_of_last(dv) != count;
        if (pause_every && j % pause_every == 0)
            sleep_ms(1);
    }
    CHECK_EQ(wrong, 0);
}

static void check_rows(void)
{
    static const char *const schedules[] = {"static", "dynamic", "guided", "guarded"};
    for (size_t k = 0; k < sizeof schedules / sizeof *schedules; k++) {
        divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = schedules[k]);
        run_row(dv, check_seed() + k, 3000, 0);
        run_row(dv, check_seed() + k, 60, 3);
        divvy_close(dv);
    }
}

/* ---- Who else is there ---- */

struct other {
    pthread_t thread;
    divvy *dv; /* NULL: contexts of its own, which come and go */
    uint64_t seed;
};

static void *run_beside(void *argument)
{
    struct other *other = argument;
    for (int k = 0; k < 20; k++) {
        divvy *dv = other->dv ? other->dv : OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
        run_row(dv, other->seed + (uint64_t)k, 40, 0);
        if (!other->dv)
            divvy_close(dv);
    }
    return NULL;
}

/* Threads that share a context take turns at its seat; contexts share the workers. */
static void check_others(bool same_context)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    struct other others[3];
    for (unsigned k = 0; k < 3; k++) {
        others[k] = (struct other){.dv = same_context ? dv : NULL, .seed = check_seed() + 100 * k};
        CHECK_EQ(pthread_create(&others[k].thread, NULL, run_beside, &others[k]), 0);
    }
    run_row(dv, check_seed(), 800, 0);
    for (unsigned k = 0; k < 3; k++)
        pthread_join(others[k].thread, NULL);
    divvy_close(dv);
}

/* A worker that is offered a job while it is busy with one that was submitted takes it afterwards, or not at all. */
static void check_busy(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    int slow[ROW + 1], times[ROW + 1];
    for (int k = 0; k < 20; k++) {
        run_row(dv, check_seed(), 20, 0);
        reset(slow, ROW);
        reset(times, ROW);
        divvy_future *future = divvy_submit(dv, linger, ROW, .ms = 2, .times = slow);
        STATUS(DIVVY_OK, divvy_run(dv, count_up, ROW, .times = times));
        CHECK(are(times, ROW, 1));
        STATUS(DIVVY_OK, divvy_wait(future));
        CHECK(are(slow, ROW, 1));
    }
    divvy_close(dv);
}

/* The caller is done long before the worker, and sleeps. */
static void check_slow_worker(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    int times[ROW + 1];
    for (int k = 0; k < 10; k++) {
        run_row(dv, check_seed(), 20, 0);
        reset(times, ROW);
        STATUS(DIVVY_OK, divvy_run(dv, linger, ROW, .ms = 3, .times = times));
        CHECK(are(times, ROW, 1));
    }
    divvy_close(dv);
}

DIVVY_HOST_KERNEL(linger_at, (value, size_t, at), (inout, int, times))
{
    DIVVY_FOR (i) {
        times[i]++;
        if (i == at)
            sleep_ms(2);
    }
}

/* Whoever is through last, the caller or a worker: the job ends then, and nobody was busy for longer than it took. */
static void check_ends(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    static int times[ROW];
    for (int k = 0; k < 40; k++) {
        const size_t at = k % 2 ? ROW - 1 : 0;
        run_row(dv, check_seed(), 20, 0);
        STATUS(DIVVY_OK, divvy_run(dv, linger_at, ROW, .at = at, .times = times));
        const divvy_report *report = divvy_last(dv);
        CHECK(report->wall_ns >= 2000000 && report->wall_ns < 1000000000);
        for (size_t s = 0; s < report->share_count; s++)
            CHECK(report->shares[s].busy_ns <= report->wall_ns);
    }
    divvy_close(dv);
}

/* A partition that fails on a worker fails the job, and the next one is as if nothing had been. */
static void check_refusals(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    int times[ROW + 1];
    for (int k = 0; k < 200; k++) {
        reset(times, ROW);
        STATUS(DIVVY_KERNEL_FAILED, divvy_run(dv, refuse_last, ROW, .last = ROW - 1, .times = times));
        CHECK_STR(divvy_error(), "the last one");
        reset(times, ROW);
        STATUS(DIVVY_OK, divvy_run(dv, count_up, ROW, .times = times));
        CHECK(are(times, ROW, 1));
    }
    divvy_close(dv);
}

/* Fails at some index, after a while, as long as it is told to. */
DIVVY_HOST_KERNEL(refuse_late, (value, const int *, refuse), (inout, int, times))
{
    DIVVY_FOR (i) {
        times[i]++;
        if (*refuse > 0 && i == (size_t)*refuse) {
            sleep_ms(2);
            divvy_fail(DIVVY_KERNEL_FAILED, "late");
        }
    }
}

/* What a failed job took is forgotten in the next one, though that is the very same call. */
static void check_forgetting(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    static int times[ROW], refuse;
    for (int k = 0; k < 20; k++) {
        refuse = k % 2 ? 1 : ROW - 1; /* the caller's, a worker's */
        STATUS(DIVVY_KERNEL_FAILED, divvy_run(dv, refuse_late, ROW, .refuse = &refuse, .times = times));
        refuse = 0;
        STATUS(DIVVY_OK, divvy_run(dv, refuse_late, ROW, .refuse = &refuse, .times = times));
        const divvy_report *report = divvy_last(dv);
        for (size_t s = 0; s < report->share_count; s++)
            CHECK(report->shares[s].busy_ns <= report->wall_ns);
    }
    divvy_close(dv);
}

/* The very same call over and over, from the same arrays with other contents: each is a job of its own, also after one
 * that failed, and with one of other options, or a submitted one, between. */
static void check_repeats(const char *schedule)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = schedule);
    static int times[ROW + 1];
    unsigned wrong = 0;
    for (int k = 0; k < 400; k++) {
        reset(times, ROW);
        divvy_status status = k % 7 == 3   ? divvy_run(dv, refuse_last, ROW, .last = ROW - 1, .times = times)
                              : k % 7 == 5 ? divvy_run(dv, count_up, ROW, .times = times, .with = {.partition = 5})
                                           : divvy_run(dv, count_up, ROW, .times = times);
        if (k % 7 == 3) {
            wrong += status != DIVVY_KERNEL_FAILED;
            reset(times, ROW);
            wrong += divvy_run(dv, refuse_last, ROW, .last = ROW - 1, .times = times) != DIVVY_KERNEL_FAILED;
        } else {
            wrong += status != DIVVY_OK || !are(times, ROW, 1) || items_of_last(dv) != ROW;
        }
        if (k % 50 == 20 && k % 7 != 3) { /* a job that is submitted uses the object */
            divvy_future *future = divvy_submit(dv, count_up, ROW, .times = times);
            wrong += divvy_wait(future) != DIVVY_OK || !are(times, ROW, 2) || items_of_last(dv) != ROW;
        }
    }
    CHECK_EQ(wrong, 0);
    divvy_close(dv);
}

/* The same of jobs that nobody waits for: those who waited for the one before are not waited for by the next. */
static void check_repeats_behind(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    static int times[ROW + 1];
    for (int k = 0; k < 100; k++) {
        reset(times, ROW);
        for (int r = 0; r < 5; r++)
            STATUS(DIVVY_OK, divvy_wait(divvy_submit(dv, tell, ROW, .times = times)));
        atomic_store(&told, 0);
        divvy_future *future = divvy_submit(dv, tell, ROW, .times = times);
        for (int ms = 0; ms < 20000 && atomic_load(&told) < ROW; ms++)
            sleep_ms(1);
        CHECK_EQ(atomic_load(&told), ROW);
        STATUS(DIVVY_OK, divvy_wait(future));
        CHECK(are(times, ROW, 6));
    }
    divvy_close(dv);
}

/* Jobs that are timed are offered, but nothing of them is handed out. Contexts take turns, so that the workers are now
 * where they are offered one and now where they are not; one that answers too late finds its part all the same. */
static void check_late_answers(void)
{
    enum { TURNS = 60, BATCH = 200 };
    char path[] = "/tmp/relayXXXXXX";
    int file = mkstemp(path);
    CHECK(file >= 0);
    close(file);
    divvy *timed = OPEN(.backend = "cpu", .threads = -1, .schedule = "static", .profile = path),
          *other = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    static int times[ROW + 1];
    unsigned wrong = 0;
    for (int k = 0; k < TURNS; k++) {
        for (int j = 0; j < BATCH; j++) {
            reset(times, ROW);
            wrong += divvy_run(k % 2 ? timed : other, count_up, ROW, .times = times) != DIVVY_OK;
            wrong += !are(times, ROW, 1);
        }
    }
    CHECK_EQ(wrong, 0);
    divvy_close(timed);
    divvy_close(other);
    unlink(path);
}

/* Folds of workers reach the caller. */
static void check_folds(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = -1, .schedule = "static");
    unsigned wrong = 0;
    for (int k = 0; k < 500; k++) {
        static int hits[1000];
        long total = 0, least = 0, most = 0;
        wrong += divvy_run(dv, mark, 1000, .hits = hits, .total = &total, .least = &least, .most = &most) != DIVVY_OK;
        wrong += total != 499500 || least != 0 || most != 999;
    }
    CHECK_EQ(wrong, 0);
    divvy_close(dv);
}

int main(void)
{
    check_rows();
    check_others(true);
    check_others(false);
    check_busy();
    check_slow_worker();
    check_ends();
    check_refusals();
    check_forgetting();
    check_repeats("static");
    check_repeats("dynamic");
    check_repeats_behind();
    check_late_answers();
    check_folds();
    return check_summary();
}
