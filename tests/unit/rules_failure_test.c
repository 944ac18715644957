/* Devices that fail: the job goes on without them and is right, or says why it could not; one warning tells. */
#include "rules.h"

#include "rules.cl"

enum { COUNT = 200000 };

static int hits[COUNT];
static char profile_path[64];
static long total, least, most;

static struct mark_args mark_all(divvy_call_options with)
{
    memset(hits, 0, sizeof hits);
    return (struct mark_args){.turns = 20, .hits = hits, .total = &total, .least = &least, .most = &most, .with = with};
}

static bool is_right(void)
{
    for (int i = 0; i < COUNT; i++)
        if (hits[i] != 1)
            return false;
    return total == (long)COUNT * (COUNT - 1) / 2 && least == 0 && most == COUNT - 1;
}

static divvy_status run_mark(divvy *dv, divvy_call_options with)
{
    struct mark_args args = mark_all(with);
    return divvy_run_kernel(dv, &mark_kernel, COUNT, &args, sizeof args);
}

/* ---- A device fails in the middle of a job ---- */

static void check_middle(unsigned device, const char *schedule, const char *fault)
{
    char devices[32];
    snprintf(devices, sizeof devices, "cpu,fake:%u", device);
    snprintf(profile_path, sizeof profile_path, "/tmp/rulesprofile%d.json", (int)getpid());
    fake_behave();
    struct fake_order *order = fake_at(device);
    atomic_int *fault_of = strcmp(fault, "open") == 0     ? &order->fail_open
                           : strcmp(fault, "load") == 0   ? &order->fail_load
                           : strcmp(fault, "start") == 0  ? &order->fail_start
                           : strcmp(fault, "finish") == 0 ? &order->fail_finish
                                                          : &order->late;
    begin_hearing();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = devices, .schedule = schedule, .profile = profile_path,
                     .profile_jobs = 400, .log = "warn");
    const bool unready = fault_of == &order->fail_open || fault_of == &order->fail_load;
    for (int k = 0; k < 2 && !unready; k++) // measured, so that it is late after a second
        STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){.devices = devices + strlen("cpu,")}));
    atomic_store(fault_of, 1);
    divvy_call_options with = {.partition = strcmp(schedule, "dynamic") == 0 ? 500 : 0, .name = "broken"};
    for (int k = 0; k < 2000 && *fault_of == 1; k++) { // until the device has had its turn
        STATUS(DIVVY_OK, run_mark(dv, with));
        CHECK(is_right());
        if (unready) {
            divvy_prepare(dv, mark);
            break;
        }
    }
    int started = order->started;
    // The next job does without it.
    with.name = "whole";
    STATUS(DIVVY_OK, run_mark(dv, with));
    CHECK(is_right());
    CHECK_EQ(order->started, started);
    divvy_device found = {0};
    for (size_t k = 0; k < divvy_device_count(dv); k++)
        if (divvy_device_at(dv, k, &found) == DIVVY_OK && strncmp(found.id, "fake", 4) == 0)
            CHECK_EQ(found.retired, fault_of != &order->fail_load);
    CHECK(strncmp(found.id, "fake", 4) == 0);
    divvy_close(dv);
    char *text = heard(), *profile = read_away(profile_path), id[16];
    snprintf(id, sizeof id, "fake:%u", device);
    // One warning names it; the profile has the event.
    if (!CHECK_HAS(text, id) || !CHECK_EQ(occurrences(text, "\n"), 1))
        fprintf(stderr, "  %s under %s: \"%s\"\n", fault, schedule, text);
    CHECK_HAS(profile, fault_of == &order->fail_load ? "build failed" : "retired");
    // So it has the partition, unless others had done it before it failed.
    if (*fault_of == 0 && (fault_of == &order->fail_finish || fault_of == &order->late) &&
        occurrences(profile, "\"dropped\"") == 0)
        CHECK_HAS(profile, fault_of == &order->late ? "\"late\"" : "\"failed\"");
    CHECK_EQ(order->opened, order->closed);
    free(text);
    free(profile);
}

/* ---- Nothing is left ---- */

static void check_nothing_left(void)
{
    static const char *const reasons[] = {"told not to open", "told not to build", "told not to start", "told to fail"};
    for (int fault = 0; fault < 4; fault++) {
        fake_behave();
        divvy *dv = OPEN(.backend = "fake", .devices = "fake:0,fake:1");
        for (int d = 0; d < 2; d++) {
            atomic_int *orders[] = {&fake_at(d)->fail_open, &fake_at(d)->fail_load, &fake_at(d)->fail_start,
                                    &fake_at(d)->fail_finish};
            atomic_store(orders[fault], 1);
        }
        // The job fails with the reason, and so does the next one.
        divvy_status status = run_mark(dv, (divvy_call_options){.schedule = "dynamic"});
        CHECK(status != DIVVY_OK && status != DIVVY_INTERNAL);
        CHECK_HAS(divvy_error(), reasons[fault]);
        if (fault == 1)
            CHECK_EQ(status, DIVVY_BUILD_FAILED);
        status = run_mark(dv, (divvy_call_options){0});
        CHECK_EQ(status, fault == 1 ? DIVVY_BUILD_FAILED : DIVVY_NO_DEVICE);
        divvy_close(dv);
    }
    // Once closed and opened again, devices get another chance.
    fake_behave();
    divvy *dv = OPEN(.backend = "fake", .devices = "fake:0,fake:1");
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    divvy_close(dv);
}

/* ---- A device that works in place and fails after it has written ---- */

static void check_spoilt(void)
{
    fake_behave();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:2", .schedule = "dynamic");
    fake_at(FAKE_DIRECT)->fail_finish = 1;
    divvy_status status = DIVVY_OK;
    for (int k = 0; k < 300 && status == DIVVY_OK; k++)
        status = run_mark(dv, (divvy_call_options){0});
    CHECK_EQ(status, DIVVY_DEVICE_LOST);
    CHECK_HAS(divvy_error(), "told to fail");
    // What is only written can be computed again.
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    divvy_close(dv);
    fake_behave();
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:2", .schedule = "dynamic");
    fake_at(FAKE_DIRECT)->fail_finish = 1;
    static uint y[COUNT];
    for (int k = 0; k < 300 && fake_at(FAKE_DIRECT)->fail_finish; k++) {
        memset(y, 0xff, sizeof y);
        STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 20, .y = y));
        size_t wrong = 0;
        for (uint i = 0; i < COUNT; i++)
            wrong += (y[i] ^ i) & 1;
        CHECK_EQ(wrong, 0);
    }
    CHECK_EQ(fake_at(FAKE_DIRECT)->fail_finish, 0);
    divvy_close(dv);
}

/* ---- Time ---- */

/* For so long, nobody writes to the arrays, which are the caller's again. */
static void check_untouched(unsigned ms)
{
    memset(hits, 0x5a, sizeof hits);
    total = 4711;
    sleep_ms(ms);
    size_t wrong = 0;
    for (int i = 0; i < COUNT; i++)
        wrong += hits[i] != 0x5a5a5a5a;
    CHECK_EQ(wrong, 0);
    CHECK_EQ(total, 4711);
}

/* Runs jobs that are over in 50 ms, until the device has begun with one, which takes a busy machine some time. */
static void run_out_of_time(divvy *dv, divvy_call_options with, const atomic_int *begun)
{
    const int before = atomic_load(begun);
    with.timeout_ns = 50000000;
    for (int k = 0; k < 100 && atomic_load(begun) == before; k++)
        STATUS(DIVVY_TIMED_OUT, run_mark(dv, with));
    CHECK_EQ(atomic_load(begun) > before, 1);
}

/* Longer than any test may take: what waits for it is found. */
static const uint64_t FOR_EVER_NS = 60000000000, NOT_FOR_EVER_NS = 30000000000;

/* A timeout does not wait for a staged device, and nothing is written behind the caller's back. */
static void check_abandoned(void)
{
    fake_behave();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic");
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    for (int k = 0; k < 2; k++) {
        fake_at(FAKE_STAGED)->slow_ns = FOR_EVER_NS;
        uint64_t begin = wall_ns();
        run_out_of_time(dv, (divvy_call_options){.devices = "fake:0"}, &fake_at(FAKE_STAGED)->started);
        CHECK(wall_ns() - begin < NOT_FOR_EVER_NS);
        fake_at(FAKE_STAGED)->slow_ns = 0;
        check_untouched(k ? 0 : 500); // the device ends, or not, before the next job
    }
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    divvy_close(dv);
    // A device that works in place is waited for.
    dv = OPEN(.backend = "fake", .devices = "fake:2");
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    fake_at(FAKE_DIRECT)->slow_ns = 200000000;
    uint64_t begin = wall_ns();
    STATUS(DIVVY_TIMED_OUT, run_mark(dv, (divvy_call_options){.timeout_ns = 20000000}));
    CHECK(wall_ns() - begin > 180000000);
    fake_behave();
    divvy_close(dv);
}

/* A partition is given up only once what it reads has been copied: the caller may change it as soon as waiting is over. */
static void check_borrowed(void)
{
    fake_behave();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:1");
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    fake_at(FAKE_SINGLE)->copy_slow_ns = 250000000;
    fake_at(FAKE_SINGLE)->slow_ns = FOR_EVER_NS;
    int copied = fake_at(FAKE_SINGLE)->copied;
    uint64_t begin = wall_ns();
    run_out_of_time(dv, (divvy_call_options){.devices = "fake:1", .partition = COUNT}, &fake_at(FAKE_SINGLE)->copied);
    CHECK_EQ(fake_at(FAKE_SINGLE)->copied, copied + 1); // it was waited for
    CHECK(wall_ns() - begin < NOT_FOR_EVER_NS);         // and what came after was not
    fake_at(FAKE_SINGLE)->slow_ns = 0;
    check_untouched(500);
    fake_behave();
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    divvy_close(dv);
}

/* A job may end while a device still opens or builds; closing does not wait for a build. */
static void check_slow_build(void)
{
    fake_behave();
    fake_at(FAKE_STAGED)->open_slow_ns = FOR_EVER_NS;
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic");
    int opened = fake_at(FAKE_STAGED)->opened;
    uint64_t begin = wall_ns();
    while (wall_ns() - begin < 100000000) {
        STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
        CHECK(is_right());
    }
    CHECK(wall_ns() - begin < NOT_FOR_EVER_NS);
    CHECK_EQ(fake_at(FAKE_STAGED)->opened, opened);
    // Preparing waits, for the device to open and then to build.
    fake_at(FAKE_STAGED)->open_slow_ns = 300000000;
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    CHECK(wall_ns() - begin > 550000000);
    divvy_close(dv);
    // Closing waits for no build.
    fake_behave();
    char *text;
    begin_hearing();
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic", .log = "warn");
    STATUS(DIVVY_OK, divvy_prepare(dv, toil));
    fake_at(FAKE_STAGED)->open_slow_ns = FOR_EVER_NS;
    int builds = fake_at(FAKE_STAGED)->loading;
    for (int k = 0; k < 5000 && fake_at(FAKE_STAGED)->loading == builds; k++)
        STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK_EQ(fake_at(FAKE_STAGED)->loading, builds + 1);
    begin = wall_ns();
    divvy_close(dv);
    CHECK(wall_ns() - begin < NOT_FOR_EVER_NS);
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    fake_behave(); // the build ends
    sleep_ms(300);
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    divvy_close(dv);
    CHECK_STR(text = heard(), "");
    free(text);
}

/* Nor for a device that opens. */
static void check_slow_open(void)
{
    fake_behave();
    char *text;
    begin_hearing();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic", .log = "warn");
    fake_at(FAKE_STAGED)->open_slow_ns = FOR_EVER_NS;
    for (int k = 0; k < 5000 && !fake_at(FAKE_STAGED)->opening; k++)
        STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK_EQ(fake_at(FAKE_STAGED)->opening, 1);
    uint64_t begin = wall_ns();
    divvy_close(dv);
    CHECK(wall_ns() - begin < NOT_FOR_EVER_NS);
    fake_behave();
    sleep_ms(100);
    CHECK_STR(text = heard(), "");
    free(text);
}

/* Of two devices whose launches cost much, since all read a large table, the first one is asked alone. When it fails the
 * other one is asked, not put off for ever. */
static void check_put_off(void)
{
    enum { ENTRIES = 13000000, ROWS = 1000 };
    fake_behave();
    int *table = calloc(ENTRIES, sizeof *table), *source = malloc(ROWS * sizeof *source);
    int *blended = malloc(ROWS * sizeof *blended);
    for (int i = 0; i < ROWS; i++) {
        source[i] = i;
        table[i] = 3;
    }
    for (int k = 0; k < 4; k++) {
        divvy *dv = OPEN(.backend = "fake", .devices = "fake:2,fake:4");
        fake_at(k % 2 ? FAKE_DIRECT : FAKE_CORES)->open_slow_ns = 50000000; // comes second
        *(k / 2 ? &fake_at(k % 2 ? FAKE_CORES : FAKE_DIRECT)->fail_finish
                : &fake_at(k % 2 ? FAKE_CORES : FAKE_DIRECT)->fail_start) = 1;
        STATUS(DIVVY_OK, divvy_run(dv, blend, ROWS, .width = 1, .entries = ENTRIES, .source = source, .table = table,
                                   .blended = blended));
        size_t wrong = 0;
        for (int i = 1; i + 1 < ROWS; i++)
            wrong += blended[i] != 3 * 3 * i;
        CHECK_EQ(wrong, 0);
        divvy_close(dv);
        fake_behave();
    }
    free(table);
    free(source);
    free(blended);
}

/* A partition that fails in a job which was stopped meanwhile is nobody's any more. */
static void check_failing_late(void)
{
    for (int k = 0; k < 4; k++) {
        fake_behave();
        divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic");
        STATUS(DIVVY_OK, divvy_prepare(dv, mark));
        fake_at(FAKE_STAGED)->slow_ns = 60000000;
        fake_at(FAKE_STAGED)->fail_finish = 1 + k % 2;
        STATUS(DIVVY_TIMED_OUT, run_mark(dv, (divvy_call_options){.timeout_ns = 20000000, .devices = "fake:0"}));
        if (k >= 2)
            sleep_ms(200);
        STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
        CHECK(is_right());
        divvy_close(dv);
    }
    fake_behave();
}

/* Closing waits for a device that hangs, but not for ever, and says so once. Takes that long. */
static void check_hanging(void)
{
    fake_behave();
    begin_hearing();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic", .log = "warn");
    STATUS(DIVVY_OK, divvy_prepare(dv, mark));
    fake_at(FAKE_STAGED)->hang = 1;
    run_out_of_time(dv, (divvy_call_options){.devices = "fake:0"}, &fake_at(FAKE_STAGED)->started);
    uint64_t begin = wall_ns();
    divvy_close(dv);
    uint64_t took = wall_ns() - begin;
    CHECK(took > 1900000000 && took < 60000000000);
    char *text = heard();
    CHECK_EQ(occurrences(text, "fake:0 hangs"), 1);
    CHECK_EQ(occurrences(text, "\n"), 1);
    free(text);
    // The others go on.
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:1");
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    fake_at(FAKE_STAGED)->hang = 0; // it comes back when nobody waits any more
    sleep_ms(100);
    STATUS(DIVVY_OK, run_mark(dv, (divvy_call_options){0}));
    CHECK(is_right());
    divvy_close(dv);
}

int main(void)
{
    limit_time(280);
    if (getenv("RULES_HANG")) { // alone, since it takes as long as closing is patient
        check_hanging();
        return check_summary();
    }
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided", "af", "iterative"};
    static const char *const faults[] = {"open", "load", "start", "finish", "late"};
    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
            if (strcmp(faults[f], "late") == 0 && strcmp(schedules[s], "dynamic") != 0)
                continue; // takes seconds
            check_middle(FAKE_STAGED, schedules[s], faults[f]);
            check_middle(FAKE_SINGLE, schedules[s], faults[f]);
        }
    }
    check_nothing_left();
    check_spoilt();
    check_abandoned();
    check_borrowed();
    check_slow_build();
    check_slow_open();
    check_put_off();
    check_failing_late();
    return check_summary();
}
