/* Real jobs on invented machines, from one core to hundreds, with several hardware threads, nodes of memory and kinds of
 * cores: who takes part, and with which part. Threads are many more than cores here, and binding them is a fiction. */
#include "fork.h"
#include "rules.h"

#include "rules.cl"

#include <cjson/cJSON.h>
#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>

/* One process each, since a process sees one machine. */
static void on_machine(const char *variable, const char *value, void (*test)(unsigned), unsigned argument)
{
    pid_t child = check_fork();
    if (child == 0) {
        limit_time(60);
        setenv(variable, value, 1);
        test(argument);
        fflush(NULL);
        _exit(atomic_load(&check_failures) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (!CHECK_EQ(status, 0))
        fprintf(stderr, "  on machine %s=%s\n", variable, value);
}

static void check_mark(divvy *dv, size_t count, divvy_call_options with)
{
    long total = -5, least = -5, most = -5;
    int *hits = calloc(count, sizeof *hits);
    STATUS(DIVVY_OK,
           divvy_run(dv, mark, count, .hits = hits, .total = &total, .least = &least, .most = &most, .with = with));
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += hits[i] != 1;
    CHECK_EQ(wrong, 0);
    CHECK_EQ(total, (long)(count * (count - 1) / 2));
    CHECK_EQ(least, 0);
    CHECK_EQ(most, (long)count - 1);
    free(hits);
}

/* ---- Any number of cores ---- */

static void *run_some(void *dv)
{
    for (int k = 0; k < 5; k++)
        check_mark(dv, 5000, (divvy_call_options){0});
    return NULL;
}

static void use_cores(unsigned cores)
{
    static const char *const schedules[] = {"guarded", "static", "dynamic", "guided"};
    divvy *dv = OPEN(.backend = "cpu");
    CHECK_EQ(divvy_device_count(dv), cores);
    for (size_t s = 0; s < sizeof schedules / sizeof *schedules; s++) {
        const divvy_call_options with = {.schedule = schedules[s]};
        check_mark(dv, 1, with);
        check_mark(dv, 10007, with);
        check_mark(dv, 100000, with);
        check_mark(dv, 100000, with);
        // Under static every core has its part, and it is the same for all: the cores are alike.
        const divvy_report *report = divvy_last(dv);
        if (s != 1 || !CHECK(report != NULL) || !CHECK_EQ(report->share_count, cores))
            continue;
        for (unsigned c = 0; c < cores; c++) {
            CHECK_EQ(report->shares[c].partitions, 1);
            CHECK(report->shares[c].items >= 100000 / cores && report->shares[c].items <= 100000 / cores + 1);
        }
    }
    // Several threads at once, and another context beside.
    divvy *second = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic");
    pthread_t threads[3];
    for (int t = 0; t < 3; t++)
        pthread_create(&threads[t], NULL, run_some, t ? dv : second);
    for (int t = 0; t < 3; t++)
        pthread_join(threads[t], NULL);
    divvy_close(second);
    divvy_close(dv);
    // All but one; more than there are.
    dv = OPEN(.backend = "cpu", .threads = -2);
    CHECK_EQ(divvy_device_count(dv), cores > 1 ? cores - 1 : 1);
    check_mark(dv, 10007, (divvy_call_options){0});
    divvy_close(dv);
    STATUS(DIVVY_LIMIT, divvy_open(&dv, &(divvy_options){.backend = "cpu", .threads = (int)cores + 1}));
    divvy_close(dv);
}

/* ---- Nodes of memory ---- */

/* The profile of what `dv` did, which is closed. */
static cJSON *read_profile(divvy *dv, const char *path)
{
    divvy_close(dv);
    static char text[1 << 20];
    FILE *file = fopen(path, "r");
    text[file ? fread(text, 1, sizeof text - 1, file) : 0] = 0;
    if (file)
        fclose(file);
    unlink(path);
    cJSON *profile = cJSON_Parse(text);
    CHECK(profile != NULL);
    return profile;
}

static const char *text_at(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
    return text ? text : "";
}

static double number_at(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItem(object, name));
}

/* Neighbouring cores have neighbouring ranges, in every job the same: what a core writes first, and what lies in its
 * node's memory from then on, it computes again. */
static void follow_nodes(unsigned cores)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/rulesmachine%d.json", (int)getpid());
    divvy *dv = OPEN(.backend = "cpu", .profile = path);
    for (int k = 0; k < 3; k++)
        check_mark(dv, 1000 * cores, (divvy_call_options){.schedule = "static"});
    cJSON *profile = read_profile(dv, path);
    const cJSON *devices = cJSON_GetObjectItem(profile, "devices"), *jobs = cJSON_GetObjectItem(profile, "jobs"), *job;
    CHECK_EQ(cJSON_GetArraySize(jobs), 3);
    cJSON_ArrayForEach (job, jobs) {
        const cJSON *partitions = cJSON_GetObjectItem(job, "partitions"), *partition;
        CHECK_EQ(cJSON_GetArraySize(partitions), cores);
        cJSON_ArrayForEach (partition, partitions) {
            char id[32];
            snprintf(id, sizeof id, "cpu:%d", (int)number_at(partition, "first") / 1000);
            const cJSON *device = cJSON_GetArrayItem(devices, (int)number_at(partition, "device"));
            CHECK_STR(text_at(device, "id"), id);
            CHECK_EQ(number_at(partition, "count"), 1000);
        }
    }
    cJSON_Delete(profile);
}

/* ---- Kinds of cores ---- */

/* Cores of one kind are a class with a speed of its own; the fastest are taken first; those not allowed do not exist. */
static void tell_kinds(unsigned unused)
{
    (void)unused;
    static const char *const fastest_first[] = {"cpu:3", "cpu:4", "cpu:0", "cpu:1", "cpu:2"};
    char path[64];
    snprintf(path, sizeof path, "/tmp/rulesmachine%d.json", (int)getpid());
    divvy *dv = OPEN(.backend = "cpu", .profile = path);
    CHECK_EQ(divvy_device_count(dv), 5);
    for (size_t k = 0; k < 5; k++) {
        divvy_device device = {0};
        STATUS(DIVVY_OK, divvy_device_at(dv, k, &device));
        CHECK_STR(device.id, fastest_first[k]);
        CHECK_HAS(device.device_class, k < 2 ? "kind 1" : "kind 0");
    }
    uint y[3000];
    for (int k = 0; k < 4; k++) {
        check_mark(dv, 100000, (divvy_call_options){.schedule = k % 2 ? "guarded" : "static"});
        STATUS(DIVVY_OK, divvy_run(dv, toil, 3000, .turns = 2000, .y = y, .with = {.schedule = "static"}));
    }
    cJSON *profile = read_profile(dv, path);
    const cJSON *model;
    unsigned kinds[2] = {0, 0};
    cJSON_ArrayForEach (model, cJSON_GetObjectItem(profile, "models")) {
        if (strcmp(text_at(model, "kernel"), "toil") == 0)
            for (unsigned kind = 0; kind < 2; kind++)
                kinds[kind] += strstr(text_at(model, "class"), kind ? "kind 1" : "kind 0") != NULL;
    }
    CHECK(kinds[0] >= 1 && kinds[1] >= 1); // each was measured
    cJSON_Delete(profile);

    dv = OPEN(.backend = "cpu", .threads = 2);
    divvy_device device = {0};
    for (size_t k = 0; k < 2; k++) {
        STATUS(DIVVY_OK, divvy_device_at(dv, k, &device));
        CHECK_STR(device.id, fastest_first[k]);
    }
    check_mark(dv, 10007, (divvy_call_options){0});
    divvy_close(dv);
}

int main(void)
{
    limit_time(280);
    static const unsigned sizes[] = {1, 2, 3, 7, 16, 64, 256};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        char machine[64];
        snprintf(machine, sizeof machine, "pack:1 core:%u pu:1", sizes[k]);
        on_machine("HWLOC_SYNTHETIC", machine, use_cores, sizes[k]);
    }
    // One worker for each core, however many hardware threads it has.
    on_machine("HWLOC_SYNTHETIC", "pack:2 [numa] core:4 pu:2", use_cores, 8);
    on_machine("HWLOC_SYNTHETIC", "pack:2 [numa] core:4 pu:2", follow_nodes, 8);
    on_machine("HWLOC_SYNTHETIC", "pack:1 numa:4 core:8 pu:1", follow_nodes, 32);
    on_machine("HWLOC_XMLFILE", HYBRID_MACHINE, tell_kinds, 0);
    return check_summary();
}
