/* What one run has learned, the next begins with: seen from outside, in profiles and in the folder. A context that is
 * opened and closed is a run. */
#include "rules.h"

#include "rules.cl"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char root[] = "/tmp/rules_models_XXXXXX", folder[64], profile[64];

enum { COUNT = 60000, TURNS = 3 };

/* Two devices whose times are those of a scenario. */
static const char scenario[] = "{\"divvy_scenario\": 1, \"name\": \"models\", \"devices\": ["
                               "{\"name\": \"a\", \"fixed_ns\": 200000, \"ns_per_item\": 1000},"
                               "{\"name\": \"b\", \"fixed_ns\": 100000, \"ns_per_item\": 2000}]}";

/* What a run told of itself. */
struct run {
    cJSON *profile;
    int probes, partitions; /* of its jobs */
    int stored, running;    /* models */
    int rejected;           /* events */
    char rejection[512];
};

static const char *text_at(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    return text ? text : "";
}

static struct run look(void)
{
    char *text = read_away(profile);
    struct run run = {.profile = cJSON_Parse(text)};
    const cJSON *row, *partition;
    free(text);
    CHECK(run.profile != NULL);
    cJSON_ArrayForEach (row, cJSON_GetObjectItem(run.profile, "jobs")) {
        cJSON_ArrayForEach (partition, cJSON_GetObjectItem(row, "partitions")) {
            run.partitions++;
            run.probes += strcmp(text_at(partition, "reason"), "probe") == 0;
        }
    }
    cJSON_ArrayForEach (row, cJSON_GetObjectItem(run.profile, "models")) {
        run.stored += cJSON_IsTrue(cJSON_GetObjectItem(row, "stored"));
        run.running += strcmp(text_at(row, "state"), "running") == 0;
    }
    cJSON_ArrayForEach (row, cJSON_GetObjectItem(run.profile, "events")) {
        if (strcmp(text_at(row, "what"), "model rejected") == 0) {
            run.rejected++;
            snprintf(run.rejection, sizeof run.rejection, "%s", text_at(row, "text"));
        }
    }
    cJSON_Delete(run.profile);
    return run;
}

static void check_toil(divvy *dv)
{
    static uint y[COUNT];
    memset(y, 0, sizeof y);
    STATUS(DIVVY_OK, divvy_run(dv, toil, COUNT, .turns = TURNS, .y = y));
    size_t wrong = 0;
    for (uint i = 0; i < COUNT; i += 97) {
        uint x = i;
        for (int k = 0; k < TURNS; k++)
            x = x * 1664525u + 1013904223u;
        wrong += y[i] != x;
    }
    CHECK_EQ(wrong, 0);
}

/* A run of some jobs on both devices. */
static struct run run_jobs(const char *models, int jobs)
{
    divvy *dv = OPEN(.backend = "sim", .models = models, .profile = profile);
    for (int k = 0; k < jobs; k++)
        check_toil(dv);
    divvy_close(dv);
    return look();
}

/* The only file of models in the folder; "" if there is none. */
static const char *model_file(void)
{
    static char path[512];
    int files = 0;
    DIR *directory = opendir(folder);
    *path = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        if (strstr(entry->d_name, ".json")) {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            files++;
        }
    }
    if (directory)
        closedir(directory);
    CHECK(files <= 1);
    return path;
}

static char *contents(void)
{
    char *text = calloc(1, 1 << 20);
    FILE *file = fopen(model_file(), "r");
    if (file) {
        text[fread(text, 1, (1 << 20) - 1, file)] = 0;
        fclose(file);
    }
    return text;
}

static void put(const char *text)
{
    FILE *file = fopen(model_file(), "w");
    if (CHECK(file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
}

/* Every `from` in the file becomes `to`. */
static void replace(const char *from, const char *to)
{
    char *text = contents(), *changed = calloc(1, 1 << 21);
    size_t found = 0;
    for (const char *at = text, *next; *at; at = next + strlen(from)) {
        next = strstr(at, from);
        if (!next) {
            strcat(changed, at);
            break;
        }
        strncat(changed, at, (size_t)(next - at));
        strcat(changed, to);
        found++;
    }
    CHECK(found > 0);
    put(changed);
    free(changed);
    free(text);
}

/* Every number of this name in the file becomes another. */
static void set_numbers(const char *name, const char *number)
{
    char *text = contents(), *changed = calloc(1, 1 << 21), *out = changed, quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", name);
    for (const char *at = text; *at;) {
        if (strncmp(at, quoted, strlen(quoted)) == 0) {
            out += sprintf(out, "%s%s", quoted, number);
            at += strlen(quoted);
            at += strspn(at, "0123456789.e+-");
        } else {
            *out++ = *at++;
        }
    }
    put(changed);
    free(changed);
    free(text);
}

/* What a run has learned on a machine where others are busy may be too uncertain to be believed: as on a quiet one. */
static void settle(void)
{
    set_numbers("uncertainty", "0.1");
    set_numbers("samples", "50");
}

/* A first run, which must have measured both devices. */
static struct run learn(void)
{
    struct run run = run_jobs(folder, 2);
    for (int more = 0; more < 10; more++) {
        char *text = contents();
        size_t rows = occurrences(text, "\"ns_per_item\":");
        free(text);
        if (rows >= 2)
            break;
        run_jobs(folder, 2);
    }
    settle();
    return run;
}

static void forget_all(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK_EQ(system(command), 0);
}

/* ---- Runs ---- */

static void check_second_run(void)
{
    /* The first run probes, and keeps what it found. */
    struct run first = learn();
    CHECK(first.probes > 0 && first.stored == 0 && first.rejected == 0);
    char *text = contents();
    CHECK_HAS(text, "\"kernel\":\"toil\"");
    CHECK_HAS(text, "\"class\":\"sim a\"");
    CHECK_HAS(text, "\"driver\":\"scenario models\"");
    CHECK_HAS(text, "\"backend\":\"sim\"");
    CHECK_HAS(text, "\"open_ns\":");
    free(text);

    /* The second one begins with that: nothing is probed, and its models are not learning. */
    struct run second = run_jobs(folder, 1);
    CHECK(second.partitions > 0 && second.rejected == 0);
    CHECK_EQ(second.probes, 0);
    CHECK(second.stored == 2 && second.running == 2);
    settle();

    /* Without the folder it would have. */
    CHECK(run_jobs("off", 1).probes > 0);

    /* Another machine, another driver, and what is too old, is a miss, but no error. */
    static const char *const changes[][2] = {{"\"driver\":\"", "\"driver\":\"older "}, {"\"host\":\"", "\"host\":\"0"}};
    for (int k = 0; k < 2; k++) {
        text = contents();
        replace(changes[k][0], changes[k][1]);
        if (k == 1) { /* a digest has 32 digits */
            char *changed = contents();
            for (char *at = changed; (at = strstr(at, "\"host\":\"")) != NULL; at++)
                memmove(at + strlen("\"host\":\"") + 32, at + strlen("\"host\":\"") + 33,
                        strlen(at + strlen("\"host\":\"") + 33) + 1);
            put(changed);
            free(changed);
        }
        struct run run = run_jobs(folder, 1);
        CHECK(run.probes > 0 && run.stored == 0 && run.rejected == 0);
        put(text);
        free(text);
    }
    text = contents();
    set_numbers("stamp", "1");
    CHECK(run_jobs(folder, 1).probes > 0);
    put(text);
    free(text);
    CHECK_EQ(run_jobs(folder, 1).probes, 0);
}

/* What is not believed is told once, by the log and in the profile, and the run learns as the first one did. */
static void check_rejected(void)
{
    static const char *const texts[] = {"{\"divvy_models\": 2}", "{\"divvy_models\":1,\"kern", "\xff\xfe", ""};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        put(texts[k]);
        begin_hearing();
        divvy *dv = OPEN(.backend = "sim", .models = folder, .profile = profile, .log = "warn");
        for (int job = 0; job < 5; job++)
            check_toil(dv);
        divvy_close(dv);
        char *said = heard();
        struct run run = look();
        CHECK(run.probes > 0);
        CHECK_EQ(run.rejected, 1);
        CHECK_HAS(run.rejection, model_file());
        CHECK_EQ(occurrences(said, "\n"), 1);
        CHECK_HAS(said, model_file());
        free(said);
        if (k == 0) { /* another version's file is left to it */
            char *text = contents();
            CHECK_STR(text, texts[k]);
            free(text);
        } else { /* a damaged one is replaced */
            settle();
            CHECK_EQ(run_jobs(folder, 1).probes, 0);
        }
    }
}

/* ---- Who writes, and who does not ---- */

static void check_nothing_kept(void)
{
    forget_all();
    /* What one device learns is of no use: there is nothing to divide. */
    divvy *dv = OPEN(.backend = "serial", .models = folder);
    check_toil(dv);
    divvy_close(dv);
    CHECK_EQ(access(folder, F_OK), -1);

    /* Nor does a context that ran nothing write, or one that is told not to. */
    dv = OPEN(.backend = "sim", .models = folder);
    CHECK(divvy_device_count(dv) > 1);
    divvy_close(dv);
    CHECK_EQ(access(folder, F_OK), -1);
    run_jobs("off", 1);
    CHECK_EQ(access(folder, F_OK), -1);

    /* A child has nothing to say about what its parent learned. */
    dv = OPEN(.backend = "sim", .models = folder);
    check_toil(dv);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        divvy_close(dv);
        _exit(access(folder, F_OK) == 0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK_EQ(access(folder, F_OK), -1);
    divvy_close(dv);
    CHECK(*model_file());
    learn();

    /* A folder that others may write to is not used; the jobs run all the same. */
    CHECK_EQ(chmod(folder, 0777), 0);
    CHECK(run_jobs(folder, 1).probes > 0);
    CHECK_EQ(chmod(folder, 0700), 0);
    CHECK_EQ(run_jobs(folder, 1).probes, 0);

    /* A variable says the same, and the option wins over it. */
    forget_all();
    setenv("DIVVY_MODELS", folder, 1);
    run_jobs(NULL, 1);
    CHECK(*model_file());
    forget_all();
    run_jobs("off", 1);
    CHECK_EQ(access(folder, F_OK), -1);
    setenv("DIVVY_MODELS", "off", 1);
}

/* ---- When devices come ---- */

/* A device that is not named comes when that can pay: what it took to be ready is known from two runs before (the first
 * build might be kept by a cache), so in the next one it comes to jobs that by the assumed cost, at least 300 ms, are too
 * short for it. */
static void check_costs(void)
{
    enum { SHORT_MS = 40, JOBS = 6, LONG_MS = 290, ITEMS = 1 << 14 };
    static uint y[ITEMS];
    forget_all();
    divvy *dv = OPEN(.backend = "cpu", .threads = 1, .models = "off");
    uint64_t begin = wall_ns();
    STATUS(DIVVY_OK, divvy_run(dv, toil, ITEMS, .turns = 500, .y = y));
    int turns = (int)(500.0 * SHORT_MS * 1e6 / (double)(wall_ns() - begin)) + 1;
    divvy_close(dv);

    for (int run = 0; run < 3; run++) {
        fake_behave();
        dv = OPEN(.backend = "cpu,fake", .threads = 1, .models = folder);
        begin = wall_ns();
        atomic_int *loaded = &fake_at(FAKE_STAGED)->loaded;
        for (int job = 0; job < JOBS && atomic_load(loaded) == 0; job++)
            STATUS(DIVVY_OK, divvy_run(dv, toil, ITEMS, .turns = turns, .y = y));
        uint64_t ms = (wall_ns() - begin) / 1000000;
        if (run < 2 && ms > LONG_MS)
            printf("others were busy here: %d ms\n", (int)ms);
        else
            CHECK_EQ(atomic_load(loaded) > 0, run == 2);
        if (run < 2)
            STATUS(DIVVY_OK, divvy_prepare(dv, toil));
        divvy_close(dv);
    }
}

int main(void)
{
    limit_time(120);
    setenv("DIVVY_MODELS", "off", 1);
    if (!CHECK(mkdtemp(root) != NULL))
        return check_summary();
    snprintf(folder, sizeof folder, "%s/models", root);
    snprintf(profile, sizeof profile, "%s/run.json", root);
    char path[64];
    snprintf(path, sizeof path, "%s/scenario.json", root);
    FILE *file = fopen(path, "w");
    fputs(scenario, file);
    fclose(file);
    setenv("DIVVY_SIM", path, 1);
    check_second_run();
    check_rejected();
    check_nothing_kept();
    check_costs();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_EQ(system(command), 0);
    return check_summary();
}
