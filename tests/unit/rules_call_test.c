/* The rules of a call: what is right, what is refused and by which name, and that every index is computed once. */
#include "rules.h"

#include "rules.cl"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>

enum { PRIME = 10007, MANY = 1000000 };

static int *hits;

/* Each index exactly once, and the folds of all of them. */
static void check_mark(divvy *dv, size_t count, divvy_call_options with)
{
    long total = -5, least = -5, most = -5;
    memset(hits, 0, count * sizeof *hits);
    STATUS(DIVVY_OK,
           divvy_run(dv, mark, count, .hits = hits, .total = &total, .least = &least, .most = &most, .with = with));
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += hits[i] != 1;
    CHECK_EQ(wrong, 0);
    CHECK_EQ(total, (long)(count * (count - (count > 0)) / 2));
    CHECK_EQ(least, count ? 0 : LONG_MAX);
    CHECK_EQ(most, count ? (long)count - 1 : LONG_MIN);
}

static void check_blend(divvy *dv, size_t count, divvy_call_options with)
{
    enum { WIDTH = 3, ENTRIES = 5 };
    int table[ENTRIES] = {1, -2, 3, -4, 5};
    int *source = malloc(count * WIDTH * sizeof *source), *blended = malloc(count * WIDTH * sizeof *blended);
    for (size_t k = 0; k < count * WIDTH; k++)
        source[k] = (int)((k * 2654435761u >> 8) % 2000) - 1000;
    STATUS(DIVVY_OK, divvy_run(dv, blend, count, .width = WIDTH, .entries = ENTRIES, .source = source, .table = table,
                               .blended = blended, .with = with));
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < WIDTH; k++) {
            int sum = source[i * WIDTH + k];
            sum += i > 0 ? source[(i - 1) * WIDTH + k] : 0;
            sum += i + 1 < count ? source[(i + 1) * WIDTH + k] : 0;
            wrong += blended[i * WIDTH + k] != (int)((unsigned)sum * (unsigned)table[i % ENTRIES]);
        }
    }
    CHECK_EQ(wrong, 0);
    free(source);
    free(blended);
}

static void check_shares(divvy *dv, size_t count)
{
    const divvy_report *report = divvy_last(dv);
    if (!CHECK(report != NULL))
        return;
    size_t items = 0;
    double parts = 0;
    for (size_t k = 0; k < report->share_count; k++) {
        CHECK(report->shares[k].id && *report->shares[k].id);
        items += report->shares[k].items;
        parts += report->shares[k].share;
    }
    CHECK_EQ(report->count, count);
    CHECK_EQ(report->status, DIVVY_OK);
    CHECK_EQ(items, count);
    CHECK(fabs(parts - 1) < 1e-9);
    CHECK(report->wall_ns > 0);
    if (report->bound_basis == DIVVY_BOUND_UNKNOWN)
        CHECK(report->efficiency == 0);
    else
        CHECK(report->efficiency > 0 && report->efficiency <= 1.05);
}

static void check_everywhere(void)
{
    static const struct {
        const char *backend, *devices;
        int threads;
    } worlds[] = {
        {"cpu", NULL, 1},      {"cpu", NULL, 2},
        {"serial", NULL, 0},   {"cpu,fake", "cpu,fake:0", 0},
        {"cpu,fake", NULL, 0}, {"cpu,fake", "cpu:0,fake", 0},
        {"fake", "fake:0", 0}, {"fake", "fake:1,fake:3", 0},
        {"fake", "fake:2", 0},
    };
    static const char *const schedules[] = {NULL,       "guarded", "static", "dynamic", "guided",
                                            "tss",      "fac2",    "awf-c",  "af",      "hguided:cpu=1,fake:0=8",
                                            "iterative"};
    static const size_t counts[] = {1, 2, PRIME, MANY};
    for (size_t w = 0; w < sizeof worlds / sizeof *worlds; w++) {
        divvy *dv = OPEN(.backend = worlds[w].backend, .devices = worlds[w].devices, .threads = worlds[w].threads);
        for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                for (int again = 0; again < 2; again++) {
                    check_mark(dv, counts[c], (divvy_call_options){.schedule = schedules[s]});
                    check_shares(dv, counts[c]);
                }
                check_blend(dv, counts[c] < MANY ? counts[c] : PRIME, (divvy_call_options){.schedule = schedules[s]});
            }
            check_mark(dv, 0, (divvy_call_options){.schedule = schedules[s]});
            check_mark(dv, PRIME, (divvy_call_options){.schedule = schedules[s], .partition = 7});
            check_mark(dv, PRIME, (divvy_call_options){.schedule = schedules[s], .first_partition = 1000});
            check_mark(dv, PRIME, (divvy_call_options){.schedule = schedules[s], .partition = SIZE_MAX - 1});
            check_mark(dv, PRIME, (divvy_call_options){.schedule = schedules[s], .first_partition = SIZE_MAX - 1});
            check_shares(dv, PRIME);
        }
        divvy_close(dv);
    }
}

/* ---- Sizes of partitions ---- */

static atomic_size_t seen_sizes[8], seen_count;

DIVVY_HOST_KERNEL(note_sizes, (sum, ulong, total))
{
    size_t at = atomic_fetch_add(&seen_count, 1);
    if (at < 8)
        atomic_store(&seen_sizes[at], DIVVY_COUNT);
    DIVVY_FOR (i)
        total[DIVVY_LANE] += 1;
}

static void check_sizes(divvy *dv)
{
    ulong total;
    // A fixed size holds for all partitions but the last. (A fold runs in blocks of 16384 indices.)
    static const size_t sizes[][2] = {{10, 40},           {7, 40}, {40, 40}, {39, 40}, {100, 40},
                                      {SIZE_MAX - 1, 40}, {1, 3},  {1, 1}};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t size = sizes[k][0], count = sizes[k][1], whole = 0, cut = 0;
        atomic_store(&seen_count, 0);
        STATUS(DIVVY_OK, divvy_run(dv, note_sizes, count, .total = &total, .with = {.partition = size}));
        CHECK_EQ(total, count);
        CHECK_EQ(seen_count, count / size + (count % size != 0));
        for (size_t s = 0; s < seen_count && s < 8; s++) {
            whole += seen_sizes[s] == size;
            cut += seen_sizes[s] == count % size;
        }
        CHECK_EQ(whole, count / size);
        CHECK_EQ(cut, count % size != 0);
    }
}

static void check_first_size(divvy *dv)
{
    ulong total;
    // The first partition of a device has the size that was asked for; also if the kernel is known by now.
    for (int again = 0; again < 3; again++) {
        atomic_store(&seen_count, 0);
        STATUS(DIVVY_OK, divvy_run(dv, note_sizes, 4000, .total = &total, .with = {.first_partition = 123}));
        CHECK_EQ(total, 4000);
        CHECK_EQ(seen_sizes[0], 123);
    }
}

/* What is left out of a call is as opened, and what was left out there as the environment says; -1 is none. */
static void check_none(void)
{
    enum { COUNT = 4000 };
    static const struct {
        size_t opened, called;
        size_t partitions; /* 0: the schedule decides, and takes more than one */
    } cases[] = {
        {0, 0, COUNT / 40},    {0, 100, COUNT / 100},        {0, SIZE_MAX, 0},
        {100, 0, COUNT / 100}, {100, 500, COUNT / 500},      {100, SIZE_MAX, 0},
        {SIZE_MAX, 0, 0},      {SIZE_MAX, 100, COUNT / 100}, {SIZE_MAX, SIZE_MAX, 0},
    };
    ulong total;
    setenv("DIVVY_PARTITION", "40", 1);
    setenv("DIVVY_SCHEDULE", "static", 1);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        divvy *dv = OPEN(.backend = "cpu", .devices = "cpu:0", .partition = cases[k].opened);
        atomic_store(&seen_count, 0);
        STATUS(DIVVY_OK, divvy_run(dv, note_sizes, COUNT, .total = &total, .with = {.partition = cases[k].called}));
        if (!CHECK_EQ(seen_count, cases[k].partitions ? cases[k].partitions : 1))
            fprintf(stderr, "  case %zu\n", k);
        CHECK_STR(divvy_last(dv)->schedule, cases[k].partitions ? "dynamic" : "static");
        divvy_close(dv);
    }
    unsetenv("DIVVY_PARTITION");
    unsetenv("DIVVY_SCHEDULE");
    // No time limit, and one that nobody will see the end of.
    divvy *dv = OPEN(.backend = "cpu");
    for (uint64_t late = 0; late < 3; late++)
        check_mark(dv, PRIME, (divvy_call_options){.timeout_ns = UINT64_MAX - late * (UINT64_MAX / 8)});
    check_mark(dv, PRIME, (divvy_call_options){.first_partition = SIZE_MAX});
    divvy_close(dv);
}

/* ---- Programs built for an older or a newer library ---- */

/* Options that end earlier are zero from there on; what a newer program has behind them is not looked at. */
static void check_grown_structs(void)
{
    struct {
        divvy_options known;
        const char *unknown;
    } options = {{.backend = "cpu", .threads = 1, .schedule = "nonsense"}, "later"};
    divvy *dv;
    STATUS(DIVVY_INVALID, divvy_open_sized(&dv, &options.known, sizeof options));
    divvy_close(dv);
    STATUS(DIVVY_OK, divvy_open_sized(&dv, &options.known, offsetof(divvy_options, schedule)));
    CHECK_EQ(divvy_device_count(dv), 1);
    options.known.schedule = "dynamic";

    struct {
        divvy_device known;
        char unknown[16];
    } device;
    memset(&device, 0x5a, sizeof device);
    STATUS(DIVVY_OK, divvy_device_at_sized(dv, 0, &device.known, offsetof(divvy_device, backend)));
    CHECK_STR(device.known.id, "cpu:0");
    CHECK_EQ(device.known.cores, 0x5a5a5a5a); // not written
    STATUS(DIVVY_OK, divvy_device_at_sized(dv, 0, &device.known, sizeof device));
    CHECK_EQ(device.known.cores, 1);
    CHECK_EQ(device.unknown[0], 0x5a);

    uint y[64];
    struct toil_args args = {.turns = 1, .y = y, .with = {.name = "short", .schedule = "nonsense"}};
    STATUS(DIVVY_INVALID, divvy_run_kernel(dv, &toil_kernel, 64, &args, sizeof args));
    STATUS(DIVVY_OK, divvy_run_kernel(dv, &toil_kernel, 64, &args, offsetof(struct toil_args, with.schedule)));
    CHECK_STR(divvy_last(dv)->name, "short");
    STATUS(DIVVY_OK, divvy_run_kernel(dv, &toil_kernel, 64, &args, offsetof(struct toil_args, with)));
    CHECK_STR(divvy_last(dv)->name, "toil");
    divvy_close(dv);
    STATUS(DIVVY_OK, divvy_open_sized(&dv, &options.known, sizeof options));
    divvy_close(dv);
}

/* ---- Refusals ---- */

DIVVY_HOST_KERNEL(reach, (value, size_t, width), (out, int, y, width))
{
    DIVVY_FOR (i)
        y[i * width] = 1;
}

static void check_refusals(divvy *dv)
{
    int some[64] = {0};
    long total, least, most;
    struct mark_args fine = {.hits = some, .total = &total, .least = &least, .most = &most};

    // A misspelt schedule is refused with those there are, also as the very first call of a context.
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, 64, .hits = some, .total = &total, .least = &least, .most = &most,
                                    .with = {.schedule = "gaurded"}));
    CHECK_HAS(divvy_error(), "gaurded");
    CHECK_HAS(divvy_error(), "guarded");

    // A forgotten value is zero: no turns at all.
    uint unturned[8];
    STATUS(DIVVY_OK, divvy_run(dv, toil, 8, .y = unturned));
    for (uint i = 0; i < 8; i++)
        CHECK_EQ(unturned[i], i);

    // A NULL array is refused by name, and so is the target of a fold.
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, 64, .hits = NULL, .total = &total, .least = &least, .most = &most));
    CHECK_HAS(divvy_error(), "\"hits\" is NULL");
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, 64, .hits = some, .total = &total, .most = &most));
    CHECK_HAS(divvy_error(), "\"least\" is NULL");

    // A forgotten extent is zero, and refused by name.
    int table[4] = {0}, out[64];
    STATUS(DIVVY_INVALID, divvy_run(dv, blend, 16, .entries = 4, .source = some, .table = table, .blended = out));
    CHECK_HAS(divvy_error(), "the extent of \"source\" is zero");
    STATUS(DIVVY_INVALID, divvy_run(dv, blend, 16, .width = 1, .source = some, .table = table, .blended = out));
    CHECK_HAS(divvy_error(), "the extent of \"table\" is zero");

    // A written array may overlap nothing, not even by one element; arrays that are read may.
    STATUS(DIVVY_INVALID,
           divvy_run(dv, blend, 16, .width = 1, .entries = 4, .source = some, .table = table, .blended = some + 15));
    CHECK_HAS(divvy_error(), "\"blended\"");
    CHECK_HAS(divvy_error(), "\"source\"");
    STATUS(DIVVY_OK,
           divvy_run(dv, blend, 16, .width = 1, .entries = 4, .source = some, .table = some, .blended = some + 16));
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, 64, .hits = some, .total = &total, .least = &total, .most = &most));
    CHECK_HAS(divvy_error(), "\"least\"");

    // A count whose arrays would exceed the address space is refused, and nothing is touched.
    some[0] = 77;
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, SIZE_MAX, .hits = some, .total = &total, .least = &least, .most = &most));
    CHECK_HAS(divvy_error(), "\"hits\"");
    STATUS(DIVVY_INVALID,
           divvy_run(dv, mark, SIZE_MAX / 4, .hits = some, .total = &total, .least = &least, .most = &most));
    CHECK_EQ(some[0], 77);
    // One byte too many for an array, one that would end beyond the last address, rows longer than memory.
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, (size_t)PTRDIFF_MAX / sizeof *some + 1, .hits = some, .total = &total,
                                    .least = &least, .most = &most));
    CHECK_HAS(divvy_error(), "more than memory has");
    STATUS(DIVVY_INVALID,
           divvy_run(dv, mark, 64, .hits = (int *)(UINTPTR_MAX - 15), .total = &total, .least = &least, .most = &most));
    CHECK_HAS(divvy_error(), "more than memory has");
    STATUS(DIVVY_INVALID, divvy_run(dv, reach, 1, .width = SIZE_MAX / sizeof *some + 2, .y = some));
    CHECK_HAS(divvy_error(), "more than memory has");
    CHECK_EQ(some[0], 77);

    // A filter that makes no sense is INVALID; one that leaves nothing is NO_DEVICE.
    fine.with.devices = "cpu:x";
    STATUS(DIVVY_INVALID, divvy_run_kernel(dv, &mark_kernel, 64, &fine, sizeof fine));
    fine.with.devices = "cpu:400";
    STATUS(DIVVY_NO_DEVICE, divvy_run_kernel(dv, &mark_kernel, 64, &fine, sizeof fine));
    CHECK_HAS(divvy_error(), "cpu:400");
    CHECK_HAS(divvy_error(), "there are: cpu:0");
    fine.with.devices = NULL;

    // NULL for the kernel or the arguments, a kernel of another version, arguments that are too short.
    divvy_kernel other = mark_kernel;
    other.abi = 99;
    STATUS(DIVVY_INVALID, divvy_run_kernel(dv, &other, 64, &fine, sizeof fine));
    CHECK_HAS(divvy_error(), "99");
    STATUS(DIVVY_INVALID, divvy_prepare_kernel(dv, &other));
    STATUS(DIVVY_INVALID, divvy_run_kernel(dv, NULL, 64, &fine, sizeof fine));
    STATUS(DIVVY_INVALID, divvy_prepare_kernel(dv, NULL));
    STATUS(DIVVY_INVALID, divvy_run_kernel(dv, &mark_kernel, 64, NULL, sizeof fine));
    STATUS(DIVVY_INVALID, divvy_run_kernel(dv, &mark_kernel, 64, &fine, 8));
    STATUS(DIVVY_INVALID, divvy_wait(NULL));
    STATUS(DIVVY_INVALID, divvy_open(NULL, NULL));

    // Submitting never fails: what is wrong is told by waiting, to the thread that waits.
    divvy_future *future = divvy_submit(dv, mark, 64, .hits = NULL);
    CHECK(future != NULL);
    STATUS(DIVVY_INVALID, divvy_wait(future));
    CHECK_HAS(divvy_error(), "NULL");

    // The error stays until the next failure: no call that succeeds takes it away, or puts another in its place.
    STATUS(DIVVY_OK, divvy_run_kernel(dv, &mark_kernel, 64, &fine, sizeof fine));
    divvy_future *wrong = divvy_submit(dv, mark, 64, .hits = NULL);
    divvy *beside;
    divvy_device device;
    STATUS(DIVVY_OK, divvy_open(&beside, &(divvy_options){.backend = "cpu", .threads = 1}));
    STATUS(DIVVY_OK, divvy_prepare(beside, mark));
    CHECK(divvy_device_count(beside) > 0);
    STATUS(DIVVY_OK, divvy_device_at(beside, 0, &device));
    CHECK(divvy_last(beside) == NULL);
    divvy_close(beside);
    CHECK_HAS(divvy_error(), "\"hits\" is NULL");
    STATUS(DIVVY_INVALID, divvy_wait(wrong));

    // A job that was refused is a finished job too.
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, 64, .hits = NULL));
    const divvy_report *report = divvy_last(dv);
    CHECK(report == NULL || report->status == DIVVY_INVALID);
}

/* No array is looked at, and folds give their identity. */
static void check_nothing(divvy *dv)
{
    long total = 9, least = 9, most = 9;
    STATUS(DIVVY_OK, divvy_run(dv, mark, 0, .hits = NULL, .total = &total, .least = &least, .most = &most));
    CHECK_EQ(total, 0);
    CHECK_EQ(least, LONG_MAX);
    CHECK_EQ(most, LONG_MIN);
    STATUS(DIVVY_INVALID, divvy_run(dv, mark, 0, .total = NULL, .least = &least, .most = &most)); // it would be written
    CHECK_HAS(divvy_error(), "\"total\" is NULL");
    STATUS(DIVVY_OK, divvy_run(dv, blend, 0, .width = 0, .source = NULL, .table = NULL, .blended = NULL));
    STATUS(DIVVY_OK, divvy_wait(divvy_submit(dv, toil, 0, .y = (uint *)1)));
}

static void check_names(divvy *dv, divvy *other)
{
    uint y[100];
    char name[] = "step 3";
    STATUS(DIVVY_OK, divvy_run(dv, toil, 100, .turns = 1, .y = y, .with = {.name = name, .schedule = "dynamic"}));
    name[0] = 'X'; // the name was copied
    const divvy_report *report = divvy_last(dv);
    CHECK_STR(report->name, "step 3");
    CHECK_STR(report->kernel, "toil");
    CHECK_STR(report->schedule, "dynamic");
    CHECK(divvy_last(other) == NULL);
    STATUS(DIVVY_OK, divvy_run(dv, toil, 100, .turns = 1, .y = y));
    CHECK_STR(divvy_last(dv)->name, "toil");
}

static void check_devices(void)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .threads = 1);
    divvy_device device;
    size_t count = divvy_device_count(dv);
    // Every backend was probed by the question: a core and the fakes, but for the one made of a core that is used already.
    CHECK_EQ(count, 1 + FAKE_DEVICES - 1);
    for (size_t k = 0; k < count; k++) {
        STATUS(DIVVY_OK, divvy_device_at(dv, k, &device));
        CHECK(strcmp(device.name, "fake cores") != 0);
    }
    STATUS(DIVVY_OK, divvy_device_at(dv, 0, &device));
    CHECK_STR(device.backend, "cpu");
    CHECK_EQ(device.type, DIVVY_CORE);
    CHECK_EQ(device.cores, 1);
    CHECK(!device.staged && !device.retired);
    STATUS(DIVVY_OK, divvy_device_at(dv, 2, &device));
    CHECK_STR(device.id, "fake:1");
    CHECK_STR(device.name, "fake single");
    CHECK_EQ(device.granule, 64);
    CHECK(device.staged);
    STATUS(DIVVY_NOT_FOUND, divvy_device_at(dv, count, &device));
    divvy_close(dv);

    // A filter of a call may name a device of a backend that nobody has needed so far.
    dv = OPEN(.backend = "cpu,fake");
    uint y[1000];
    STATUS(DIVVY_OK, divvy_run(dv, toil, 1000, .turns = 1, .y = y, .with = {.devices = "fake:0"}));
    const divvy_report *report = divvy_last(dv);
    CHECK(report && report->share_count == 1 && strcmp(report->shares[0].id, "fake:0") == 0);
    divvy_close(dv);
}

/* A backend that nobody named comes when the work lasts, in the middle of a job, and not where a filter leaves it out. */
static void check_latecomers(void)
{
    enum { COUNT = 200000 };
    fake_behave();
    divvy *dv = OPEN(.backend = "cpu,fake");
    long total, least, most;
    for (int k = 0; k < 2000 && fake_at(FAKE_STAGED)->items == 0; k++) {
        bool filtered = k % 2;
        memset(hits, 0, COUNT * sizeof *hits);
        STATUS(DIVVY_OK, divvy_run(dv, mark, COUNT, .turns = 2000, .hits = hits, .total = &total, .least = &least,
                                   .most = &most, .with = {.devices = filtered ? "cpu" : NULL}));
        size_t wrong = 0;
        for (size_t i = 0; i < COUNT; i++)
            wrong += hits[i] != 1;
        CHECK_EQ(wrong, 0);
        CHECK_EQ(total, (long)COUNT * (COUNT - 1) / 2);
        check_shares(dv, COUNT);
        const divvy_report *report = divvy_last(dv);
        for (size_t d = 0; filtered && report && d < report->share_count; d++)
            if (strncmp(report->shares[d].id, "fake", 4) == 0)
                CHECK_EQ(report->shares[d].items, 0);
    }
    CHECK(fake_at(FAKE_STAGED)->items > 0);
    divvy_close(dv);
}

static void *find_fakes(void *argument)
{
    uint y[1];
    STATUS(DIVVY_OK, divvy_run(argument, toil, 1, .turns = 1, .y = y, .with = {.devices = "fake:0"}));
    return NULL;
}

/* Devices that another thread's call finds join jobs that are just over, or not any more. */
static void check_found_beside(void)
{
    fake_behave();
    for (int k = 0; k < 10; k++) {
        divvy *dv = OPEN(.backend = "cpu,fake", .threads = 1, .schedule = k % 2 ? "static" : NULL);
        pthread_t finder;
        uint y[1];
        CHECK_EQ(pthread_create(&finder, NULL, find_fakes, dv), 0);
        for (uint turns = 0; turns < 60; turns++)
            STATUS(DIVVY_OK, divvy_run(dv, toil, 1, .turns = 1000 * turns, .y = y));
        pthread_join(finder, NULL);
        divvy_close(dv);
    }
}

static atomic_bool is_held, is_holding;

DIVVY_HOST_KERNEL(hold, (out, uint, y))
{
    atomic_store(&is_holding, true);
    while (atomic_load(&is_held))
        sched_yield();
    DIVVY_FOR (i)
        y[i] = 0;
}

/* Returns when the core's worker is inside, and with that outside of every other job. */
static divvy_future *begin_to_hold(divvy *dv, uint *y, size_t count)
{
    atomic_store(&is_held, true);
    atomic_store(&is_holding, false);
    divvy_future *holder = divvy_submit(dv, hold, count, .y = y);
    while (!atomic_load(&is_holding))
        sched_yield();
    return holder;
}

static void end_holding(divvy_future *holder)
{
    atomic_store(&is_held, false);
    STATUS(DIVVY_OK, divvy_wait(holder));
}

/* Devices that join a job in which they have no part have theirs in the very same call afterwards. */
static void check_found_meanwhile(void)
{
    enum { COUNT = 4000, CALLS = 5 };
    fake_behave();
    divvy *dv = OPEN(.backend = "cpu,fake", .threads = 1, .schedule = "static");
    uint *y = malloc(sizeof *y * COUNT * CALLS);
    divvy_future *holder = begin_to_hold(dv, y, COUNT);
    divvy_future *joined = divvy_submit(dv, toil, COUNT, .y = y);
    STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .y = y + COUNT, .with = {.devices = "fake:0"}));
    end_holding(holder);
    STATUS(DIVVY_OK, divvy_wait(joined));

    /* As many at once as there were before, so that their memory is used again, and before a device has anything to do. */
    holder = begin_to_hold(dv, y, COUNT * CALLS);
    divvy_future *calls[CALLS];
    for (size_t k = 0; k < CALLS; k++)
        calls[k] = divvy_submit(dv, toil, COUNT, .y = y + k * COUNT);
    size_t before = fake_at(FAKE_STAGED)->items;
    end_holding(holder);
    for (size_t k = 0; k < CALLS; k++)
        STATUS(DIVVY_OK, divvy_wait(calls[k]));
    size_t wrong = 0;
    for (size_t k = 0; k < CALLS * (size_t)COUNT; k++)
        wrong += y[k] != k % COUNT;
    CHECK_EQ(wrong, 0);
    CHECK(fake_at(FAKE_STAGED)->items > before);
    free(y);
    divvy_close(dv);
}

/* Kernels are ready on every device afterwards; what builds nowhere is told. */
static void check_prepare(void)
{
    fake_behave();
    divvy *dv = OPEN(.backend = "cpu,fake");
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    for (unsigned d = 0; d < FAKE_CORES; d++)
        CHECK_EQ(fake_at(d)->loaded, 1);
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    CHECK_EQ(fake_at(0)->loaded, 1);
    STATUS(DIVVY_OK, divvy_prepare(dv, note_sizes));
    divvy_close(dv);
    dv = OPEN(.backend = "fake", .log = "error");
    for (unsigned d = 0; d < FAKE_DEVICES; d++)
        fake_at(d)->fail_load = 1;
    STATUS(DIVVY_BUILD_FAILED, divvy_prepare(dv, mark));
    CHECK_HAS(divvy_error(), "told not to build mark");
    STATUS(DIVVY_NO_DEVICE, divvy_prepare(dv, note_sizes)); // host kernels run on cores only
    CHECK_HAS(divvy_error(), "there are: fake:0 (no core)");
    divvy_close(dv);
    fake_behave();
}

int main(void)
{
    limit_time(240);
    hits = malloc(MANY * sizeof *hits);

    divvy *dv = OPEN(.backend = "cpu"), *other = OPEN(.backend = "cpu", .threads = 1);
    check_refusals(dv);
    check_refusals(other);
    check_nothing(dv);
    check_names(dv, other);
    check_sizes(dv);
    check_sizes(other);
    check_first_size(other);

    // A static job that leaves some members out is done by the others, whole.
    STATUS(DIVVY_OK, divvy_run(dv, mark, 64, .hits = hits, .total = &(long){0}, .least = &(long){0}, .most = &(long){0},
                               .with = {.devices = "cpu:0", .schedule = "static"}));
    STATUS(DIVVY_OK, divvy_run(dv, mark, 64, .hits = hits, .total = &(long){0}, .least = &(long){0}, .most = &(long){0},
                               .with = {.devices = "cpu:1", .schedule = "static"}));
    divvy *mixed = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    ulong total;
    STATUS(DIVVY_OK, divvy_run(mixed, note_sizes, 5000, .total = &total, .with = {.schedule = "static"}));
    CHECK_EQ(total, 5000);
    check_mark(mixed, PRIME, (divvy_call_options){.schedule = "static", .devices = "cpu"});
    check_mark(mixed, PRIME, (divvy_call_options){.schedule = "static", .devices = "fake"});
    divvy_close(mixed);
    divvy_close(other);
    divvy_close(dv);

    check_none();
    check_grown_structs();
    check_everywhere();
    check_devices();
    check_latecomers();
    check_found_meanwhile();
    check_found_beside();
    check_prepare();
    free(hits);
    return check_summary();
}
