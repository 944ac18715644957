/* Jobs in flight that touch the same memory, one of them writing, run in the order of their submission; jobs that only
 * read run side by side. */
#include "rules.h"

#include "rules.cl"

#include <limits.h>
#include <pthread.h>

enum { ARRAYS = 5, LENGTH = 300, JOBS = 400, THREADS = 3 };

/* ---- Many random jobs, compared with the same ones one after another ---- */

struct order {
    int kind, from, to, factor, added;
    size_t first, count;
};

static void make_up(struct order *orders, uint64_t *random)
{
    for (int k = 0; k < JOBS; k++) {
        struct order *order = &orders[k];
        order->kind = (int)(check_random(random) % 2);
        order->to = (int)(check_random(random) % ARRAYS);
        order->from = (int)((order->to + 1 + (int)(check_random(random) % (ARRAYS - 1))) % ARRAYS);
        order->factor = 1 + 2 * (int)(check_random(random) % 1000);
        order->added = (int)(check_random(random) % 1000);
        order->first = check_random(random) % LENGTH;
        order->count = 1 + check_random(random) % (LENGTH - order->first);
    }
}

static void serially(const struct order *orders, uint (*arrays)[LENGTH])
{
    for (int k = 0; k < JOBS; k++) {
        const struct order *order = &orders[k];
        uint *to = arrays[order->to] + order->first;
        const uint *from = arrays[order->from] + order->first;
        for (size_t i = 0; i < order->count; i++)
            to[i] = to[i] * (uint)order->factor + (order->kind ? from[i] : (uint)order->added);
    }
}

struct submitter {
    divvy *contexts[3];
    uint64_t seed;
};

static void *submit_many(void *argument)
{
    struct submitter *submitter = argument;
    uint64_t random = submitter->seed;
    struct order orders[JOBS];
    static _Thread_local uint arrays[ARRAYS][LENGTH], expected[ARRAYS][LENGTH];
    divvy_future *futures[JOBS];
    for (int a = 0; a < ARRAYS; a++)
        for (uint i = 0; i < LENGTH; i++)
            arrays[a][i] = expected[a][i] = (uint)a * 1000 + i;
    make_up(orders, &random);
    serially(orders, expected);
    int waited = 0;
    for (int k = 0; k < JOBS; k++) {
        struct order *order = &orders[k];
        divvy *dv = submitter->contexts[check_random(&random) % 3];
        divvy_call_options with = {.partition = check_random(&random) % 3 ? 0 : 16};
        uint *to = arrays[order->to] + order->first, *from = arrays[order->from] + order->first;
        if (order->kind)
            futures[k] =
                divvy_submit(dv, mix_in, order->count, .factor = order->factor, .x = from, .y = to, .with = with);
        else
            futures[k] = divvy_submit(dv, step_on, order->count, .factor = order->factor, .added = order->added,
                                      .x = to, .with = with);
        while (waited < k - 40)
            STATUS(DIVVY_OK, divvy_wait(futures[waited++]));
    }
    for (int k = JOBS - 1; k >= waited; k--) // in any order
        STATUS(DIVVY_OK, divvy_wait(futures[k]));
    CHECK(memcmp(arrays, expected, sizeof arrays) == 0);
    return NULL;
}

static void check_random_jobs(const char *backend, const char *devices, int threads)
{
    struct submitter submitters[THREADS];
    pthread_t workers[THREADS];
    divvy *contexts[3] = {OPEN(.backend = backend, .devices = devices, .threads = threads),
                          OPEN(.backend = backend, .devices = devices, .schedule = "dynamic"),
                          OPEN(.backend = "cpu", .threads = 1, .schedule = "static")};
    uint64_t seed = check_seed();
    for (int t = 0; t < THREADS; t++) {
        submitters[t] = (struct submitter){.seed = seed + (uint64_t)t};
        memcpy(submitters[t].contexts, contexts, sizeof contexts);
        pthread_create(&workers[t], NULL, submit_many, &submitters[t]);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(workers[t], NULL);
    for (int c = 0; c < 3; c++)
        divvy_close(contexts[c]);
}

/* ---- Readers ---- */

static atomic_int readers;

/* Ends only when two of them run at the same time. */
DIVVY_HOST_KERNEL(meet, (in, uint, x), (sum, ulong, total))
{
    atomic_fetch_add(&readers, 1);
    for (int k = 0; k < 3000 && atomic_load(&readers) < 2; k++)
        sleep_ms(1);
    if (atomic_load(&readers) < 2)
        divvy_fail(DIVVY_INTERNAL, "nobody else came");
    DIVVY_FOR (i)
        total[DIVVY_LANE] += x[i];
}

static void check_readers(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = 2);
    uint x[100];
    for (uint i = 0; i < 100; i++)
        x[i] = i;
    ulong first = 0, second = 0;
    divvy_call_options whole = {.partition = 100};
    divvy_future *a = divvy_submit(dv, meet, 100, .x = x, .total = &first, .with = whole);
    divvy_future *b = divvy_submit(dv, meet, 100, .x = x, .total = &second, .with = whole);
    STATUS(DIVVY_OK, divvy_wait(b));
    STATUS(DIVVY_OK, divvy_wait(a));
    CHECK_EQ(first, 4950);
    CHECK_EQ(second, 4950);
    divvy_close(dv);
}

/* ---- Folds and jobs of no index ---- */

DIVVY_HOST_KERNEL(slowly_add, (value, int, ms), (sum, long, total))
{
    sleep_ms((unsigned)ms);
    DIVVY_FOR (i)
        total[DIVVY_LANE] += 1;
}

static void check_folds(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = 2);
    long total = -1;
    // Who writes the same result later, wins: also a job of no index.
    divvy_future *slow = divvy_submit(dv, slowly_add, 5, .ms = 30, .total = &total, .with = {.partition = 5});
    divvy_future *fast = divvy_submit(dv, slowly_add, 3, .ms = 0, .total = &total);
    STATUS(DIVVY_OK, divvy_wait(fast));
    CHECK_EQ(total, 3);
    STATUS(DIVVY_OK, divvy_wait(slow));
    slow = divvy_submit(dv, slowly_add, 5, .ms = 30, .total = &total, .with = {.partition = 5});
    STATUS(DIVVY_OK, divvy_run(dv, slowly_add, 0, .ms = 0, .total = &total));
    CHECK_EQ(total, 0);
    STATUS(DIVVY_OK, divvy_wait(slow));
    CHECK_EQ(total, 0);

    slow = divvy_submit(dv, slowly_add, 5, .ms = 30, .total = &total, .with = {.partition = 5});
    divvy_future *none = divvy_submit(dv, slowly_add, 0, .ms = 0, .total = &total);
    divvy_future *again = divvy_submit(dv, slowly_add, 2, .ms = 0, .total = &total);
    STATUS(DIVVY_OK, divvy_wait(again));
    CHECK_EQ(total, 2);
    STATUS(DIVVY_OK, divvy_wait(none));
    STATUS(DIVVY_OK, divvy_wait(slow));
    divvy_close(dv);
}

/* ---- Long queues inside a kernel ---- */

/* Hundreds of jobs over one array, from inside a kernel, are ordered in no time worth mentioning. */
static divvy *inner;

DIVVY_HOST_KERNEL(queue_up, (out, uint, y))
{
    static uint x[16];
    divvy_future *futures[300];
    for (int k = 0; k < 300; k++)
        futures[k] = divvy_submit(inner, step_on, 16, .factor = 1, .added = 1, .x = x);
    for (int k = 0; k < 300; k++)
        if (divvy_wait(futures[k]) != DIVVY_OK)
            divvy_fail(DIVVY_INTERNAL, divvy_error());
    DIVVY_FOR (i)
        y[i] = x[0];
}

static void check_queue(void)
{
    inner = OPEN(.backend = "cpu", .threads = 2);
    uint y[1];
    STATUS(DIVVY_OK, divvy_run(inner, queue_up, 1, .y = y));
    CHECK_EQ(y[0], 300);
    divvy_close(inner);
}

int main(void)
{
    limit_time(120);
    check_random_jobs("cpu", NULL, 2);
    check_random_jobs("cpu,fake", "cpu,fake", 0);
    check_random_jobs("fake", "fake:0,fake:2", 0);
    check_readers();
    check_folds();
    check_queue();
    return check_summary();
}
