/* A device that is late does not hold a job up: cores compute again what it works on, and each index counts once. */
#include "rules.h"

#include "rules.cl"

enum { COUNT = 20000, TURNS = 2000 };

static int hits[COUNT];
static uint y[COUNT], x[COUNT];

static void forget(void)
{
    for (int i = 0; i < COUNT; i++) {
        hits[i] = 0;
        y[i] = (uint)i;
        x[i] = 0x5a5a5a5au;
    }
}

/* Each runs a kernel over all of x, y, hits and tells whether everything is right: a kernel without a fold, one that reads
 * what it writes, one with sums. */
static bool run_toil(divvy *dv, divvy_call_options with)
{
    forget();
    STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = TURNS, .y = x, .with = with));
    bool right = true;
    for (int i = 0; i < COUNT; i += 97) {
        uint expected = (uint)i;
        for (int k = 0; k < TURNS; k++)
            expected = expected * 1664525u + 1013904223u;
        right = right && x[i] == expected;
    }
    for (int i = 0; i < COUNT; i++)
        right = right && x[i] != 0x5a5a5a5au;
    return right;
}

static bool run_lengthen(divvy *dv, divvy_call_options with)
{
    forget();
    STATUS(DIVVY_OK, divvy_run(dv, lengthen, COUNT, .turns = TURNS, .y = y, .with = with));
    bool right = true;
    for (int i = 0; i < COUNT; i++)
        right = right && y[i] == (uint)i + 1;
    return right;
}

static bool run_mark(divvy *dv, divvy_call_options with)
{
    forget();
    long total = -1, least = -1, most = -1;
    STATUS(DIVVY_OK, divvy_run(dv, mark, COUNT, .turns = TURNS, .hits = hits, .total = &total, .least = &least,
                               .most = &most, .with = with));
    bool right = total == (long)COUNT * (COUNT - 1) / 2 && least == 0 && most == COUNT - 1;
    for (int i = 0; i < COUNT; i++)
        right = right && hits[i] == 1;
    return right;
}

static bool (*const runs[])(divvy *dv, divvy_call_options with) = {run_toil, run_lengthen, run_mark};

static size_t items_of(const divvy_report *report, const char *id)
{
    for (size_t s = 0; report && s < report->share_count; s++)
        if (strcmp(report->shares[s].id, id) == 0)
            return report->shares[s].items;
    return 0;
}

static size_t items_of_all(const divvy_report *report)
{
    size_t items = 0;
    for (size_t s = 0; report && s < report->share_count; s++)
        items += report->shares[s].items;
    return items;
}

/* A context whose devices all take part at once. */
static divvy *open_ready(const char *devices, const char *schedule, const char *profile)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = devices, .schedule = schedule, .profile = profile);
    STATUS(DIVVY_OK, divvy_prepare(dv, toil));
    STATUS(DIVVY_OK, divvy_prepare(dv, lengthen));
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    return dv;
}

/* The device may find nothing left when the machine is busy: jobs are run until `has_happened`. */
#define RUN_UNTIL(has_happened)                            \
    do {                                                   \
        bool happened_ = false;                            \
        for (int k_ = 0; k_ < 3000 && !happened_; k_++) {  \
            CHECK(run(dv, (divvy_call_options){0}));       \
            CHECK_EQ(items_of_all(divvy_last(dv)), COUNT); \
            happened_ = (has_happened);                    \
        }                                                  \
        CHECK(happened_);                                  \
    } while (0)

/* The device hangs in a partition. The job is over while it still hangs; the next ones do without the device; once it is
 * back it takes part again. */
static void check_hang(unsigned device, const char *devices, bool (*run)(divvy *dv, divvy_call_options with))
{
    char id[16];
    snprintf(id, sizeof id, "fake:%u", device);
    fake_behave();
    divvy *dv = open_ready(devices, "guarded", NULL);
    RUN_UNTIL(items_of(divvy_last(dv), id) > 0);

    atomic_int *hang = &fake_at(device)->hang;
    *hang = 1;
    RUN_UNTIL(*hang == -1);
    for (int k = 0; k < 3; k++)
        CHECK(run(dv, (divvy_call_options){0}));
    CHECK_EQ(*hang, -1);
    CHECK_EQ(items_of(divvy_last(dv), id), 0);

    *hang = 0;
    RUN_UNTIL(items_of(divvy_last(dv), id) > 0);
    divvy_close(dv);
}

/* The first partition that a device ever gets, of which nothing can be expected. */
static void check_first(bool (*run)(divvy *dv, divvy_call_options with))
{
    fake_behave();
    divvy *dv = open_ready("cpu,fake:0", "guarded", NULL);
    fake_at(FAKE_STAGED)->hang = 1;
    RUN_UNTIL(fake_at(FAKE_STAGED)->hang == -1);
    fake_at(FAKE_STAGED)->hang = 0;
    divvy_close(dv);
}

/* Nobody takes over what works in the caller's arrays, nor under a schedule that does not say so. */
static void check_waiting(const char *devices, const char *schedule, unsigned device,
                          bool (*run)(divvy *dv, divvy_call_options with))
{
    fake_behave();
    divvy *dv = open_ready(devices, schedule, NULL);
    fake_at(device)->slow_ns = 100000000;
    int begun = fake_at(device)->finished;
    RUN_UNTIL(fake_at(device)->finished > begun);
    CHECK(divvy_last(dv)->wall_ns >= 100000000);
    divvy_close(dv);
}

/* A device that was slow once, for whatever reason, and is parked ever since, is tried again. */
static void check_slow_once(bool (*run)(divvy *dv, divvy_call_options with))
{
    fake_behave();
    divvy *dv = open_ready("cpu,fake:1", "guarded", NULL);
    fake_at(FAKE_SINGLE)->slow_ns = 200000000;
    int begun = fake_at(FAKE_SINGLE)->finished;
    RUN_UNTIL(fake_at(FAKE_SINGLE)->finished > begun);
    for (int k = 0; k < 50; k++)
        CHECK(run(dv, (divvy_call_options){0}));
    fake_at(FAKE_SINGLE)->slow_ns = 0;
    RUN_UNTIL(items_of(divvy_last(dv), "fake:1") > 0);
    divvy_close(dv);
}

/* The profile tells of both. */
static void check_profile(bool (*run)(divvy *dv, divvy_call_options with))
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/rulesduplicate%d.json", (int)getpid());
    fake_behave();
    divvy *dv = open_ready("cpu,fake:1", "guarded", path);
    fake_at(FAKE_SINGLE)->hang = 1;
    RUN_UNTIL(fake_at(FAKE_SINGLE)->hang == -1);
    fake_at(FAKE_SINGLE)->hang = 0;
    divvy_close(dv);
    char *text = read_away(path);
    CHECK(occurrences(text, "\"reason\":\"duplicate\"") > 0);
    CHECK(occurrences(text, "\"outcome\":\"dropped\"") > 0);
    CHECK(occurrences(text, "\"guard\"") > 0 && occurrences(text, "\"expected_end_ns\"") > 0);
    CHECK(occurrences(text, "\"outcome\"") < COUNT / 10); // nor do the others take crumbs while it is waited for
    free(text);
}

int main(void)
{
    limit_time(280);
    for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
        check_hang(FAKE_STAGED, "cpu,fake:0", runs[r]);
        check_hang(FAKE_SINGLE, "cpu,fake:1", runs[r]);
        check_first(runs[r]);
    }
    check_waiting("cpu,fake:2", "guarded", FAKE_DIRECT, run_toil);
    check_waiting("cpu,fake:0", "dynamic", FAKE_STAGED, run_toil);
    check_slow_once(run_toil);
    check_profile(run_toil);
    return check_summary();
}
