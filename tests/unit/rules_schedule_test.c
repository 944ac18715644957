/* Schedules by name, from outside: asked for by a variable, when a context opens, by a call; refused with what is allowed;
 * recorded boundaries that come again. */
#include "rules.h"

#include "rules.cl"

#include <cjson/cJSON.h>

#include <math.h>

enum { COUNT = 50000 };

static const char *const names[] = {"guarded", "static", "dynamic", "guided",    "tss",    "fac2",
                                    "awf-c",   "af",     "hguided", "iterative", "replay", NULL};

static void check_mark(divvy *dv, size_t count, divvy_call_options with)
{
    long total = -5, least = -5, most = -5;
    int *hits = calloc(count + 1, sizeof *hits);
    STATUS(DIVVY_OK,
           divvy_run(dv, mark, count, .hits = hits, .total = &total, .least = &least, .most = &most, .with = with));
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += hits[i] != 1;
    CHECK_EQ(wrong, 0);
    if (count)
        CHECK(total == (long)(count * (count - 1) / 2) && least == 0 && most == (long)count - 1);
    free(hits);
}

/* A profile of jobs on cores and devices that work on copies. */
static void record(const char *path, const char *schedule, unsigned jobs)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1", .profile = path, .schedule = schedule);
    for (unsigned job = 0; job < jobs; job++)
        check_mark(dv, COUNT + job, (divvy_call_options){0});
    divvy_close(dv);
}

/* ---- By name ---- */

static const char *asked(const char *name, const char *path, char *text, size_t size)
{
    const char *parameter = strcmp(name, "hguided") == 0 ? ":cpu=1,fake:0=8" : strcmp(name, "replay") == 0 ? ":" : "";
    snprintf(text, size, "%s%s%s", name, parameter, strcmp(name, "replay") == 0 ? path : "");
    return text;
}

static void test_selection(const char *path)
{
    char text[128];
    for (size_t k = 0; names[k]; k++) {
        asked(names[k], path, text, sizeof text);

        // By a variable.
        setenv("DIVVY_SCHEDULE", text, 1);
        divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1");
        check_mark(dv, COUNT, (divvy_call_options){0});
        CHECK_STR(divvy_last(dv)->schedule, names[k]);
        divvy_close(dv);

        // By an option, which wins over the variable.
        setenv("DIVVY_SCHEDULE", "static", 1);
        dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1", .schedule = text);
        check_mark(dv, COUNT, (divvy_call_options){0});
        CHECK_STR(divvy_last(dv)->schedule, names[k]);
        divvy_close(dv);
        unsetenv("DIVVY_SCHEDULE");

        // By a call, and only for this one.
        dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1");
        check_mark(dv, COUNT, (divvy_call_options){.schedule = text});
        CHECK_STR(divvy_last(dv)->schedule, names[k]);
        check_mark(dv, 10 * COUNT, (divvy_call_options){0});
        CHECK_STR(divvy_last(dv)->schedule, "guarded");

        // A fixed size leaves nothing to it, but for guided.
        check_mark(dv, COUNT, (divvy_call_options){.schedule = text, .partition = 1000});
        CHECK_STR(divvy_last(dv)->schedule, strcmp(names[k], "guided") == 0 ? "guided" : "dynamic");
        divvy_close(dv);
    }
}

static void test_refusals(void)
{
    static const struct {
        const char *text;
        divvy_status status;
        const char *told;
    } cases[] = {
        {"fair", DIVVY_INVALID, "guarded, static, dynamic, guided, tss, fac2, awf-c, af"},
        {"tss:3", DIVVY_INVALID, "tss"},
        {"hguided", DIVVY_INVALID, "hguided:NAME=POWER"},
        {"hguided:", DIVVY_INVALID, "hguided:NAME=POWER"},
        {"hguided:cpu=0", DIVVY_INVALID, "hguided:NAME=POWER"},
        {"hguided:cpu", DIVVY_INVALID, "hguided:NAME=POWER"},
        {"replay", DIVVY_INVALID, "replay:FILE"},
        {"replay:/no/such/profile.json", DIVVY_IO, "/no/such/profile.json"},
        {"replay:/dev/null", DIVVY_IO, "not a regular file"},
    };
    uint y[8];
    divvy *good = OPEN(.backend = "cpu", .threads = 1), *bad;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        // By an option: the context fails, and says what is allowed.
        CHECK_EQ(divvy_open(&bad, &(divvy_options){.backend = "cpu", .schedule = cases[k].text}), cases[k].status);
        CHECK_HAS(divvy_error(), cases[k].told);
        divvy_close(bad);

        // By a variable too.
        setenv("DIVVY_SCHEDULE", cases[k].text, 1);
        CHECK_EQ(divvy_open(&bad, &(divvy_options){.backend = "cpu"}), cases[k].status);
        CHECK_HAS(divvy_error(), cases[k].told);
        divvy_close(bad);
        unsetenv("DIVVY_SCHEDULE");

        // By a call: the job fails, and the next one does not.
        STATUS(cases[k].status, divvy_run(good, toil, 8, .turns = 1, .y = y, .with = {.schedule = cases[k].text}));
        CHECK_HAS(divvy_error(), cases[k].told);
        STATUS(DIVVY_OK, divvy_run(good, toil, 8, .turns = 1, .y = y));
    }
    divvy_close(good);

    // `help` names them all.
    begin_hearing();
    CHECK_EQ(divvy_open(&bad, &(divvy_options){.schedule = "help"}), DIVVY_INVALID);
    divvy_close(bad);
    char *told = heard();
    for (size_t k = 0; names[k]; k++)
        CHECK_HAS(told, names[k]);
    free(told);
}

/* ---- Powers ---- */

static size_t items_of(divvy *dv, const char *id)
{
    const divvy_report *report = divvy_last(dv);
    for (size_t k = 0; report && k < report->share_count; k++)
        if (strcmp(report->shares[k].id, id) == 0)
            return report->shares[k].items;
    return 0;
}

/* How large its partitions are on average: that does not depend on when it began. */
static size_t partition_of(divvy *dv, const char *id)
{
    const divvy_report *report = divvy_last(dv);
    for (size_t k = 0; report && k < report->share_count; k++)
        if (strcmp(report->shares[k].id, id) == 0 && report->shares[k].partitions > 0)
            return report->shares[k].items / report->shares[k].partitions;
    return 0;
}

static void test_powers(void)
{
    // A device is as powerful as was said: by its id, its backend or its class.
    static const char *const ways[] = {"fake:2=1e6", "fake=1e6", "fake direct=1e6"};
    uint *y = calloc(COUNT, sizeof *y);
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu:0,fake:2");
    divvy_device device;
    CHECK(divvy_device_at(dv, 1, &device) == DIVVY_OK);
    STATUS(DIVVY_OK, divvy_prepare(dv, toil));
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        char text[128];
        snprintf(text, sizeof text, "hguided:%s=1e6", k == 0 ? "fake:2" : k == 1 ? "fake" : device.device_class);
        STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 2000, .y = y, .with = {.schedule = text}));
        size_t strong = partition_of(dv, "fake:2");
        STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 2000, .y = y, .with = {.schedule = "hguided:cpu=1e6"}));
        CHECK(strong > partition_of(dv, "fake:2"));
    }
    divvy_close(dv);
    free(y);
}

/* ---- Launches ---- */

DIVVY_HOST_KERNEL(pick, (value, uint, entries), (all, uint, table, entries), (out, uint, y))
{
    DIVVY_FOR (i)
        y[i] = table[i % entries];
}

static cJSON *profile_at(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 22);
    CHECK(file && fread(text, 1, (1 << 22) - 1, file) > 0);
    if (file)
        fclose(file);
    cJSON *profile = cJSON_Parse(text);
    free(text);
    return profile;
}

/* What a launch on the first device of the `at`th job of a profile was taken to cost. */
static double launch_ns(const char *path, int at)
{
    cJSON *profile = profile_at(path);
    const cJSON *job = cJSON_GetArrayItem(cJSON_GetObjectItem(profile, "jobs"), at);
    const cJSON *devices = cJSON_GetObjectItem(cJSON_GetObjectItem(job, "summary"), "devices");
    double ns = cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(devices, 0), "fixed_ns"));
    cJSON_Delete(profile);
    return ns;
}

static void test_launches(const char *path)
{
    // On a core a launch costs more where every partition reads much, whatever the call before it read.
    enum { MANY = 1 << 20, FEW = 16 };
    uint *table = calloc(MANY, sizeof *table), *y = calloc(COUNT, sizeof *y);
    divvy *dv = OPEN(.backend = "cpu", .threads = 1, .schedule = "static", .profile = path);
    for (int call = 0; call < 3; call++)
        STATUS(DIVVY_OK, divvy_run(dv, pick, COUNT, .entries = call == 1 ? MANY : FEW, .table = table, .y = y));
    divvy_close(dv);
    double few = launch_ns(path, 0);
    CHECK(few > 0 && launch_ns(path, 1) > 10 * few && launch_ns(path, 2) == few);
    free(table);
    free(y);
}

/* ---- iterative ---- */

/* Indices of the second half take long. */
DIVVY_HOST_KERNEL(uneven, (out, uint, y))
{
    DIVVY_FOR (i) {
        volatile uint x = (uint)i;
        for (int k = 0; k < (i < DIVVY_TOTAL / 2 ? 10 : 2000); k++)
            x = x * 1664525u + 1013904223u;
        y[i] = x;
    }
}

static void test_iterative(void)
{
    // Where work lies unevenly, a core has more of the easy part from call to call, though it is as fast as the other:
    // static never finds that out. Each call gives it one partition.
    uint *y = calloc(COUNT, sizeof *y);
    divvy *dv = OPEN(.backend = "cpu", .threads = 2, .schedule = "iterative");
    if (divvy_device_count(dv) == 2) {
        for (unsigned call = 0; call < 10; call++) {
            STATUS(DIVVY_OK, divvy_run(dv, uneven, COUNT, .y = y));
            CHECK(call > 0 || items_of(dv, "cpu:0") == COUNT / 2);
            CHECK(divvy_last(dv)->share_count == 2 && divvy_last(dv)->shares[1].partitions <= 1);
        }
        CHECK(items_of(dv, "cpu:0") > COUNT * 6 / 10);
        STATUS(DIVVY_OK, divvy_run(dv, uneven, COUNT, .y = y, .with = {.schedule = "static"}));
        CHECK(items_of(dv, "cpu:0") == COUNT / 2);

        // Calls of another size begin anew.
        STATUS(DIVVY_OK, divvy_run(dv, uneven, COUNT / 8, .y = y));
        CHECK_EQ(items_of(dv, "cpu:0"), COUNT / 16);
    }
    divvy_close(dv);

    // A device that is slow has less and less to do.
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu:0,fake:2", .schedule = "iterative");
    STATUS(DIVVY_OK, divvy_prepare(dv, toil));
    atomic_store(&fake_at(FAKE_DIRECT)->slow_ns, 60000000);
    size_t first = 0, last = 0;
    for (unsigned call = 0; call < 6; call++) {
        STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = 30, .y = y));
        last = items_of(dv, "fake:2");
        first = call ? first : last;
    }
    CHECK(first == COUNT / 2 && last < first / 2);
    fake_behave();
    divvy_close(dv);
    free(y);
}

/* ---- replay ---- */

/* Who computed what in the `at`th job of a profile, as text: by first index; and its schedule. */
static char *divided(const char *path, int at)
{
    cJSON *profile = profile_at(path);
    char *text = calloc(1, 1 << 22);
    const cJSON *job = cJSON_GetArrayItem(cJSON_GetObjectItem(profile, "jobs"), at), *partition;
    const cJSON *devices = cJSON_GetObjectItem(profile, "devices");
    size_t used = 0, next = 0, count = (size_t)cJSON_GetNumberValue(cJSON_GetObjectItem(job, "count"));
    while (next < count) {
        size_t before = next;
        cJSON_ArrayForEach (partition, cJSON_GetObjectItem(job, "partitions")) {
            if ((size_t)cJSON_GetNumberValue(cJSON_GetObjectItem(partition, "first")) != next ||
                strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(partition, "outcome")), "accepted") != 0)
                continue;
            int device = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(partition, "device"));
            const cJSON *id = cJSON_GetObjectItem(cJSON_GetArrayItem(devices, device), "id");
            next += (size_t)cJSON_GetNumberValue(cJSON_GetObjectItem(partition, "count"));
            used += (size_t)sprintf(text + used, "%s up to %zu, ", cJSON_GetStringValue(id), next);
        }
        if (!CHECK(next > before))
            break;
    }
    sprintf(text + used, "by %s", cJSON_GetStringValue(cJSON_GetObjectItem(job, "schedule")));
    cJSON_Delete(profile);
    return text;
}

/* All but the name of the schedule. */
static void check_same(const char *path, const char *other, int at)
{
    char *left = divided(path, at), *right = divided(other, at);
    CHECK_HAS(right, "by replay");
    *strrchr(left, ' ') = *strrchr(right, ' ') = 0;
    CHECK(strcmp(left, right) == 0);
    free(left);
    free(right);
}

static void test_replay(const char *path)
{
    static const char *const schedules[] = {"guarded", "dynamic", "static", "awf-c"};
    char again[64], text[96];
    snprintf(again, sizeof again, "%s.again", path);
    snprintf(text, sizeof text, "replay:%s", path);
    for (size_t k = 0; k < sizeof schedules / sizeof *schedules; k++) {
        // Every partition comes again, on the device that had it.
        record(path, schedules[k], 4);
        record(again, text, 4);
        for (int job = 0; job < 4; job++)
            check_same(path, again, job);
    }

    // So do jobs of one kernel and count, in their order, and a wish for the first partition changes nothing.
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1", .profile = path);
    check_mark(dv, COUNT, (divvy_call_options){.schedule = "dynamic"});
    check_mark(dv, COUNT, (divvy_call_options){.schedule = "tss"});
    divvy_close(dv);
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1", .profile = again);
    check_mark(dv, COUNT, (divvy_call_options){.schedule = text, .first_partition = 77});
    check_mark(dv, COUNT, (divvy_call_options){.schedule = text});
    divvy_close(dv);
    check_same(path, again, 0);
    check_same(path, again, 1);
    unlink(again);
}

static void test_replay_otherwise(const char *path)
{
    char text[96];
    snprintf(text, sizeof text, "replay:%s", path);
    record(path, "dynamic", 3);

    // What is not there, or there no more, is guarded; there is one warning of it.
    begin_hearing();
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1", .schedule = text, .log = "warn");
    check_mark(dv, 0, (divvy_call_options){0});
    check_mark(dv, COUNT, (divvy_call_options){0});
    CHECK_STR(divvy_last(dv)->schedule, "replay");
    for (unsigned k = 0; k < 3; k++) {
        check_mark(dv, k == 2 ? 77 : COUNT, (divvy_call_options){0});
        CHECK_STR(divvy_last(dv)->schedule, "guarded");
    }
    check_mark(dv, COUNT + 2, (divvy_call_options){0});
    CHECK_STR(divvy_last(dv)->schedule, "replay");
    divvy_close(dv);
    char *told = heard();
    CHECK_EQ(occurrences(told, "has no further job of mark") + occurrences(told, "has no job of mark"), 1);
    CHECK_HAS(told, "guarded");
    free(told);

    // So is a job of which a device is missing: of the context, or by the call's filter.
    record(path, "static", 3);
    begin_hearing();
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = text, .log = "warn");
    check_mark(dv, COUNT, (divvy_call_options){0});
    CHECK_STR(divvy_last(dv)->schedule, "guarded");
    divvy_close(dv);
    dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0-1", .schedule = text, .log = "warn");
    check_mark(dv, COUNT, (divvy_call_options){.devices = "cpu"});
    CHECK_STR(divvy_last(dv)->schedule, "guarded");
    check_mark(dv, COUNT + 1, (divvy_call_options){.devices = "cpu,fake"});
    CHECK_STR(divvy_last(dv)->schedule, "replay");
    divvy_close(dv);
    told = heard();
    CHECK_HAS(told, "fake:1 is in ");
    CHECK_EQ(occurrences(told, "not among the devices"), 2);
    free(told);
}

/* A core and a device, whose turns are 500 indices each. */
static void write_turns(const char *path, unsigned turns)
{
    FILE *file = fopen(path, "w");
    if (!CHECK(file != NULL))
        return;
    fprintf(file,
            "{\"divvy_profile\":1,\"devices\":[{\"id\":\"cpu:0\"},{\"id\":\"fake:0\"}],\"jobs\":[{\"kernel\":\"mark\","
            "\"count\":%u,\"start_ns\":1,\"partitions\":[",
            500 * turns);
    for (unsigned k = 0; k < turns; k++)
        fprintf(file, "%s{\"device\":%u,\"first\":%u,\"count\":500,\"start_ns\":%u,\"outcome\":\"accepted\"}",
                k ? "," : "", k % 2, 500 * k, 10 * k);
    fputs("]}]}", file);
    fclose(file);
}

static void test_replay_failures(const char *path)
{
    // A device that fails meanwhile, when it opens, builds or at any of its launches, leaves its turns to the others.
    struct fake_order *order = fake_at(FAKE_STAGED);
    char text[96];
    snprintf(text, sizeof text, "replay:%s", path);
    write_turns(path, 20);
    for (int launch = 0; launch <= 12; launch++) {
        divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu:0,fake:0", .schedule = text);
        atomic_store(launch == 0   ? &order->fail_open
                     : launch == 1 ? &order->fail_load
                     : launch % 2  ? &order->fail_start
                                   : &order->fail_finish,
                     launch < 2 ? 1 : launch - 1);
        check_mark(dv, 10000, (divvy_call_options){0});
        CHECK_STR(divvy_last(dv)->schedule, "replay");
        CHECK_EQ(items_of(dv, "cpu:0") + items_of(dv, "fake:0"), 10000);
        CHECK(items_of(dv, "cpu:0") > 5000 || launch > 10);
        divvy_close(dv);
        fake_behave();
    }
}

/* Jobs whose partitions were not kept are guarded, those before and behind them come again. */
static void test_gaps(const char *path)
{
    char text[96];
    snprintf(text, sizeof text, "replay:%s", path);
    divvy *dv = OPEN(.backend = "cpu", .profile = path, .profile_jobs = 1);
    for (unsigned job = 0; job < 5; job++)
        check_mark(dv, COUNT, (divvy_call_options){.schedule = "dynamic"});
    divvy_close(dv);
    dv = OPEN(.backend = "cpu", .schedule = text);
    for (unsigned job = 0; job < 5; job++) {
        check_mark(dv, COUNT, (divvy_call_options){0});
        CHECK_STR(divvy_last(dv)->schedule, job == 0 || job == 4 ? "replay" : "guarded");
    }
    divvy_close(dv);
}

/* Writes a file, and what opening a context to replay it says must hold `part`. */
static void check_damaged(const char *path, const char *content, divvy_status status, const char *part)
{
    FILE *file = fopen(path, "w");
    char text[96];
    divvy *dv;
    if (!CHECK(file != NULL))
        return;
    fputs(content, file);
    fclose(file);
    snprintf(text, sizeof text, "replay:%s", path);
    CHECK_EQ(divvy_open(&dv, &(divvy_options){.backend = "cpu", .schedule = text, .log = "error"}), status);
    if (status != DIVVY_OK)
        CHECK_HAS(divvy_error(), part);
    else /* nothing in it is of use, and nothing breaks */
        check_mark(dv, 100, (divvy_call_options){0});
    if (status == DIVVY_OK)
        CHECK_STR(divvy_last(dv)->schedule, part);
    divvy_close(dv);
}

#define DEVICES "{\"divvy_profile\":1,\"devices\":[{\"id\":\"cpu:0\"}],\"jobs\":["
#define JOB(parts) DEVICES "{\"kernel\":\"mark\",\"count\":100,\"start_ns\":1,\"partitions\":[" parts "]}]}"
#define PART(first, count) \
    "{\"device\":0,\"first\":" first ",\"count\":" count ",\"start_ns\":5,\"outcome\":\"accepted\"}"

static void test_damage(const char *path)
{
    check_damaged(path, "", DIVVY_INVALID, "not a profile");
    check_damaged(path, "{\"divvy_profile\":1", DIVVY_INVALID, "only part of one");
    check_damaged(path, "{}", DIVVY_INVALID, "not a profile");
    check_damaged(path, "{\"divvy_profile\":2,\"devices\":[],\"jobs\":[]}", DIVVY_INVALID, "format 2");
    check_damaged(path, "{\"divvy_profile\":1,\"devices\":[]}", DIVVY_INVALID, "damaged");
    check_damaged(path, DEVICES "7,{},{\"kernel\":5}]}", DIVVY_OK, "guarded");
    check_damaged(path, JOB(PART("0", "60") "," PART("60", "40")), DIVVY_OK, "replay");
    check_damaged(path, JOB(PART("60", "40") "," PART("0", "60")), DIVVY_OK, "replay");
    check_damaged(path, JOB(PART("0", "60")), DIVVY_OK, "guarded");
    check_damaged(path, JOB(PART("0", "60") "," PART("50", "50")), DIVVY_OK, "guarded");
    check_damaged(path, JOB(PART("0", "60") "," PART("60", "1e300")), DIVVY_OK, "guarded");
    check_damaged(path, JOB(PART("0", "60") "," PART("60", "41")), DIVVY_OK, "guarded");
    check_damaged(path, JOB(PART("-1", "101")), DIVVY_OK, "guarded");
    check_damaged(path, JOB(PART("0", "99.5")), DIVVY_OK, "guarded");
    check_damaged(path, JOB("{\"device\":3,\"first\":0,\"count\":100,\"start_ns\":5,\"outcome\":\"accepted\"}"),
                  DIVVY_OK, "guarded");

    /* A job that follows others which were only summed cannot be told from them. */
    check_damaged(path,
                  DEVICES "{\"kernel\":\"mark\",\"count\":100,\"start_ns\":9,\"partitions\":[" PART(
                      "0", "100") "]}],\"jobs_summed\":[{\"kernel\":\"mark\",\"first_ns\":5}]}",
                  DIVVY_OK, "guarded");
}

int main(void)
{
    char path[] = "/tmp/divvyscheduleXXXXXX";
    int file = mkstemp(path);
    limit_time(240);
    fake_behave();
    if (file >= 0)
        close(file);
    record(path, "guided", 1);
    test_selection(path);
    test_refusals();
    test_powers();
    test_launches(path);
    test_iterative();
    test_replay(path);
    test_replay_otherwise(path);
    test_replay_failures(path);
    test_gaps(path);
    test_damage(path);
    unlink(path);
    return check_summary();
}
