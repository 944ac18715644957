/* Kernels that call divvy again: they wait without deadlock, on one core and on several, and may not touch what their
 * job writes. */
#include "rules.h"

#include "rules.cl"

#include <pthread.h>

static divvy *dv;
static const char *schedule;

/* ---- Recursion ---- */

static divvy_status count_below(int depth, ulong *below);

/* The number of leaves of a tree: each index is a subtree, counted by a call of its own. */
DIVVY_HOST_KERNEL(count_leaves, (value, int, depth), (sum, ulong, leaves))
{
    DIVVY_FOR (i) {
        ulong below = 1;
        if (depth > 0) {
            if (count_below(depth - 1, &below) != DIVVY_OK)
                divvy_fail(DIVVY_INTERNAL, divvy_error());
        }
        leaves[DIVVY_LANE] += below;
    }
}

static divvy_status count_below(int depth, ulong *below)
{
    return divvy_run(dv, count_leaves, 3, .depth = depth, .leaves = below,
                     .with = {.partition = 1, .schedule = schedule});
}

static void check_recursion(void)
{
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided", "af", "iterative"};
    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        schedule = schedules[s];
        ulong leaves = 0;
        STATUS(DIVVY_OK, count_below(4, &leaves));
        CHECK_EQ(leaves, 243);
    }
}

/* ---- Children under every schedule, several deep, waiting for futures of many ---- */

DIVVY_HOST_KERNEL(spread, (value, int, width), (out, uint, result))
{
    DIVVY_FOR (i) {
        enum { CHILDREN = 4 };
        uint parts[CHILDREN][64];
        divvy_future *futures[CHILDREN];
        for (int c = 0; c < CHILDREN; c++)
            futures[c] =
                divvy_submit(dv, toil, (size_t)width, .turns = c, .y = parts[c], .with = {.schedule = schedule});
        result[i] = 0;
        for (int c = CHILDREN - 1; c >= 0; c--) {
            if (divvy_wait(futures[c]) != DIVVY_OK)
                divvy_fail(DIVVY_INTERNAL, divvy_error());
            for (int k = 0; k < width; k++)
                result[i] += parts[c][k];
        }
    }
}

static void check_children(void)
{
    uint expected = 0, result[100];
    for (int c = 0; c < 4; c++) {
        for (uint k = 0; k < 64; k++) {
            uint x = k;
            for (int t = 0; t < c; t++)
                x = x * 1664525u + 1013904223u;
            expected += x;
        }
    }
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided", "af", "iterative"};
    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        schedule = schedules[s];
        STATUS(DIVVY_OK, divvy_run(dv, spread, 100, .width = 64, .result = result, .with = {.schedule = schedule}));
        size_t wrong = 0;
        for (int i = 0; i < 100; i++)
            wrong += result[i] != expected;
        CHECK_EQ(wrong, 0);
    }
}

/* ---- What a child may touch ---- */

static uint shared[256];
static divvy_status clash, read_clash, fine;
static char clash_text[200];

DIVVY_HOST_KERNEL(trespass, (inout, uint, mine), (in, uint, read))
{
    static uint own[16];
    if (DIVVY_FIRST == 0) {
        clash = divvy_run(dv, step_on, 16, .factor = 1, .x = shared + 16);
        snprintf(clash_text, sizeof clash_text, "%s", divvy_error());
        read_clash = divvy_run(dv, mix_in, 16, .factor = 1, .x = shared + 16, .y = own);
        fine = divvy_run(dv, mix_in, 16, .factor = 1, .x = shared + 128, .y = own);
    }
    DIVVY_FOR (i)
        mine[i] += read[i] * 0;
}

static void check_trespass(void)
{
    clash = read_clash = DIVVY_OK;
    fine = DIVVY_INTERNAL;
    STATUS(DIVVY_OK, divvy_run(dv, trespass, 32, .mine = shared, .read = shared + 128));
    CHECK_EQ(clash, DIVVY_INVALID);
    CHECK_HAS(clash_text, "trespass");
    CHECK_EQ(read_clash, DIVVY_INVALID);
    CHECK_EQ(fine, DIVVY_OK);
}

/* ---- Jobs that are ordered after a parent whose child comes later ---- */

static atomic_int parent_runs, others_wait;
static uint a[64], b[64], c[64];

/* Writes a; when another job that touches a and b waits behind it, its child touches b. */
DIVVY_HOST_KERNEL(parent_of_b, (inout, uint, x))
{
    DIVVY_FOR (i)
        x[i] += 1;
    if (DIVVY_FIRST > 0)
        return;
    atomic_store(&parent_runs, 1);
    while (!atomic_load(&others_wait))
        sleep_ms(1);
    if (divvy_run(dv, step_on, 64, .factor = 3, .added = 1, .x = b) != DIVVY_OK)
        divvy_fail(DIVVY_INTERNAL, divvy_error());
}

static void *submit_behind(void *argument)
{
    (void)argument;
    while (!atomic_load(&parent_runs))
        sleep_ms(1);
    /* Waits for the parent because of a; the parent's child must pass it at b. */
    divvy_future *behind = divvy_submit(dv, mix_in, 64, .factor = 2, .x = a, .y = b);
    divvy_future *last = divvy_submit(dv, mix_in, 64, .factor = 5, .x = b, .y = c);
    atomic_store(&others_wait, 1);
    STATUS(DIVVY_OK, divvy_wait(last));
    STATUS(DIVVY_OK, divvy_wait(behind));
    return NULL;
}

static void check_passing(void)
{
    atomic_store(&parent_runs, 0);
    atomic_store(&others_wait, 0);
    for (uint i = 0; i < 64; i++)
        a[i] = b[i] = c[i] = i;
    pthread_t thread;
    pthread_create(&thread, NULL, submit_behind, NULL);
    STATUS(DIVVY_OK, divvy_run(dv, parent_of_b, 64, .x = a));
    pthread_join(thread, NULL);
    size_t wrong = 0;
    for (uint i = 0; i < 64; i++) {
        uint now_b = (i * 3 + 1) * 2 + i + 1;
        wrong += a[i] != i + 1 || b[i] != now_b || c[i] != i * 5 + now_b;
    }
    CHECK_EQ(wrong, 0);
}

/* ---- Two parents whose children touch what the other one writes ---- */

static atomic_int at_the_cross;

static void add_up(int *into, const int *from)
{
    *into += *from;
}

/* Neither order can be kept, so that one of the two children must be refused, or none if a parent was over before. */
DIVVY_HOST_KERNEL(cross, (value, int, other), (inout, uint, x), (result, int, refused, add_up))
{
    if (DIVVY_FIRST == 0) {
        atomic_fetch_add(&at_the_cross, 1);
        for (int k = 0; k < 200 && atomic_load(&at_the_cross) < 2; k++)
            sleep_ms(1);
        static uint sink[2][64];
        divvy_status status = divvy_run(dv, mix_in, 64, .factor = 1, .x = other ? b : a, .y = sink[other]);
        if (status != DIVVY_OK && status != DIVVY_INVALID)
            divvy_fail(DIVVY_INTERNAL, divvy_error());
        *refused += status == DIVVY_INVALID;
    }
    DIVVY_FOR (i)
        x[i] += 1;
}

static void *cross_from_b(void *argument)
{
    STATUS(DIVVY_OK, divvy_run(dv, cross, 64, .other = 0, .x = b, .refused = argument));
    return NULL;
}

static void check_cross(void)
{
    for (int round = 0; round < 5; round++) {
        atomic_store(&at_the_cross, 0);
        int refused[2] = {0, 0};
        pthread_t thread;
        pthread_create(&thread, NULL, cross_from_b, &refused[1]);
        STATUS(DIVVY_OK, divvy_run(dv, cross, 64, .other = 1, .x = a, .refused = &refused[0]));
        pthread_join(thread, NULL);
        CHECK(refused[0] + refused[1] <= 1);
    }
}

/* ---- From core to core ---- */

/* Each call is for the other core, whose thread waits in the kernel that made the call before. */
DIVVY_HOST_KERNEL(bounce, (value, int, left), (out, uint, depth))
{
    DIVVY_FOR (i) {
        uint below = 0;
        const char *other = left % 2 ? "cpu:1" : "cpu:0";
        if (left > 0 &&
            divvy_run(dv, bounce, 1, .left = left - 1, .depth = &below, .with = {.devices = other}) != DIVVY_OK)
            divvy_fail(DIVVY_INTERNAL, divvy_error());
        depth[i] = below + 1;
    }
}

/* Who waits runs the children of the job that it waits for, at any depth. */
static void check_bouncing(void)
{
    for (int left = 0; left < 8; left++) {
        uint depth = 0;
        STATUS(DIVVY_OK, divvy_run(dv, bounce, 1, .left = left, .depth = &depth,
                                   .with = {.devices = left % 2 ? "cpu:0" : "cpu:1"}));
        CHECK_EQ(depth, left + 1);
    }
}

/* ---- What only the first core may do ---- */

static atomic_int ups;

DIVVY_HOST_KERNEL(count_up, (inout, int, times))
{
    DIVVY_FOR (i) {
        times[i]++;
        atomic_fetch_add(&ups, 1);
    }
}

DIVVY_HOST_KERNEL(ask_first, (inout, int, times))
{
    static int below[8];
    DIVVY_FOR (i) {
        times[i]++;
        if (divvy_run(dv, count_up, 8, .times = below, .with = {.devices = "cpu:0"}) != DIVVY_OK)
            divvy_fail(DIVVY_INTERNAL, divvy_error());
    }
}

static void await_ups(int wanted)
{
    for (int ms = 0; ms < 20000 && atomic_load(&ups) < wanted; ms++)
        sleep_ms(1);
    CHECK_EQ(atomic_load(&ups), wanted);
}

/* It does so while nobody waits, too. */
static void check_first_alone(void)
{
    int times[8] = {0}, asked = 0;
    atomic_store(&ups, 0);
    divvy_future *future = divvy_submit(dv, count_up, 8, .times = times, .with = {.devices = "cpu:0"});
    await_ups(8);
    STATUS(DIVVY_OK, divvy_wait(future));
    future = divvy_submit(dv, ask_first, 1, .times = &asked, .with = {.devices = "cpu:1"});
    await_ups(16);
    STATUS(DIVVY_OK, divvy_wait(future));
}

/* ---- Futures that are waited for in other kernels than those which submitted them ---- */

static _Atomic(divvy_future *) handed[2];
static atomic_int hops;

DIVVY_HOST_KERNEL(hop, (value, int, next), (inout, int, times))
{
    DIVVY_FOR (i) {
        times[i]++;
        atomic_fetch_add(&hops, 1);
        divvy_future *future;
        while ((future = atomic_load(&handed[next])) == NULL)
            sleep_ms(1);
        if (divvy_wait(future) != DIVVY_OK)
            divvy_fail(DIVVY_INTERNAL, divvy_error());
    }
}

/* Core 1 waits for what runs on core 0, where a kernel waits for what only core 1 may do. */
static void check_hops(void)
{
    int near = 0, far = 0, last[8] = {0};
    atomic_store(&hops, 0);
    atomic_store(&handed[0], NULL);
    atomic_store(&handed[1], NULL);
    divvy_future *first = divvy_submit(dv, hop, 1, .next = 0, .times = &near, .with = {.devices = "cpu:1"});
    while (atomic_load(&hops) < 1)
        sleep_ms(1);
    atomic_store(&handed[0], divvy_submit(dv, hop, 1, .next = 1, .times = &far, .with = {.devices = "cpu:0"}));
    atomic_store(&handed[1], divvy_submit(dv, count_up, 8, .times = last, .with = {.devices = "cpu:1"}));
    STATUS(DIVVY_OK, divvy_wait(first));
    CHECK(near == 1 && far == 1 && last[7] == 1);
}

/* ---- Preparing, and other contexts ---- */

static divvy *other_dv;
static atomic_int wrong_inside;

DIVVY_HOST_KERNEL(visit, (out, uint, y))
{
    DIVVY_FOR (i) {
        uint part[8];
        wrong_inside += divvy_prepare(dv, toil) != DIVVY_OK;
        wrong_inside += divvy_run(other_dv, toil, 8, .turns = 0, .y = part) != DIVVY_OK;
        wrong_inside += divvy_run(NULL, toil, 8, .turns = 0, .y = part) != DIVVY_OK;
        y[i] = part[7];
    }
}

static void check_visits(void)
{
    static const char *const filters[] = {"cpu:0", "cpu", "cpu:1"};
    uint y[40];
    const bool single = divvy_device_count(NULL) == 1;
    for (size_t f = 0; f < sizeof filters / sizeof *filters - single; f++) {
        other_dv = OPEN(.backend = "cpu", .devices = filters[f]);
        STATUS(DIVVY_OK, divvy_run(dv, visit, 40, .y = y, .with = {.partition = 1}));
        CHECK_EQ(wrong_inside, 0);
        CHECK_EQ(y[39], 7);
        divvy_close(other_dv);
    }
    divvy_close(NULL);
}

/* A serial context on another core than the first serial one is itself there: its kernels find their own context. */
static void check_serial_beside(void)
{
    divvy *first = OPEN(.backend = "serial", .threads = 1, .bind = "0");
    dv = OPEN(.backend = "serial", .threads = 1, .bind = "1");
    schedule = NULL;
    ulong leaves = 0;
    STATUS(DIVVY_OK, divvy_wait(divvy_submit(dv, count_leaves, 3, .depth = 2, .leaves = &leaves)));
    CHECK_EQ(leaves, 27);
    STATUS(DIVVY_OK, count_below(2, &leaves));
    CHECK_EQ(leaves, 27);
    divvy_close(dv);
    divvy_close(first);
}

int main(void)
{
    limit_time(120);
    setenv("DIVVY_BACKEND", "cpu", 1); /* of the default context */
    dv = OPEN(.backend = "cpu", .threads = -1);
    int most = (int)divvy_device_count(dv);
    divvy_close(dv);
    for (int threads = 1; threads <= most && threads <= 8; threads++) {
        dv = OPEN(.backend = "cpu", .threads = threads);
        check_recursion();
        check_children();
        check_trespass();
        check_passing();
        if (threads > 1) {
            check_cross();
            check_bouncing();
            check_first_alone();
            check_hops();
        }
        check_visits();
        divvy_close(dv);
    }
    if (most > 1)
        check_serial_beside();
    return check_summary();
}
