#include "check.h"
#include "fork.h"
#include "sample.h"

#include "base/clock.h"

#include <cjson/cJSON.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Everything happens in an empty folder of its own. */
static char folder[] = "/tmp/divvy_profile_test_XXXXXX";

/* With NO_NAMELESS_FILES in the environment the file system is one on which every file has a name. */
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
    if ((flags & O_TMPFILE) == O_TMPFILE && getenv("NO_NAMELESS_FILES")) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return __real_open(path, flags, mode);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0, length = 0;

    if (!file)
        return NULL;
    do {
        size = size ? 2 * size : 65536;
        text = realloc(text, size + 1);
        length += fread(text + length, 1, size - length, file);
    } while (length == size);
    fclose(file);
    text[length] = 0;
    return text;
}

static cJSON *read_profile(const char *path)
{
    char *text = read_text(path);
    cJSON *profile = text ? cJSON_Parse(text) : NULL;
    free(text);
    return profile;
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *value = member(object, name);
    return cJSON_IsNumber(value) ? value->valuedouble : -1;
}

/* A job of one partition per device use. */
static void add_job(struct dv_profile *profile, const char *kernel, uint64_t id, uint64_t items)
{
    uint64_t start_ns = dv_now_ns();
    struct dv_partition_record partition = {.attempt = 1,
                                            .count = items,
                                            .requested = items,
                                            .queued_ns = start_ns,
                                            .start_ns = start_ns + 5,
                                            .end_ns = start_ns + 95};
    struct dv_use use = {.partitions = 1, .items = items, .busy_ns = 90, .min_ns = 90, .max_ns = 90, .ready_ns = 1};
    struct dv_job_record job = {.id = id,
                                .name = kernel,
                                .kernel = kernel,
                                .schedule = "static",
                                .count = items,
                                .start_ns = start_ns,
                                .end_ns = start_ns + 100,
                                .error = "",
                                .use_count = 1,
                                .uses = &use,
                                .partition_count = 1,
                                .partitions = &partition};
    dv_bound(&job);
    dv_profile_add_job(profile, &job);
}

static struct dv_profile *open_profile(const char *path, size_t kept_jobs)
{
    struct dv_profile *profile;
    divvy_device_facts facts = sample_facts(0);
    divvy_status status = dv_profile_open(path, kept_jobs, &sample_host, &profile);
    CHECK_EQ(status, DIVVY_OK);
    if (status)
        exit(EXIT_FAILURE);
    CHECK_EQ(dv_profile_add_device(profile, "cpu:0", "cpu", &facts, 0), 0);
    return profile;
}

static void *add_many(void *memory)
{
    struct dv_profile *profile = memory;
    for (uint64_t i = 0; i < 500; i++) {
        add_job(profile, i % 2 ? "odd" : "even", i, 10);
        dv_profile_add_event(profile, "built", 0, i, "number %d", (int)i);
    }
    return NULL;
}

/* Writes more than the process may, in a child; exits with 0 if close said so. */
static int write_beyond_limit(const char *path)
{
    pid_t child = check_fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 10000, .rlim_max = 10000});
        _exit(sample_write(path, 12) == DIVVY_IO && strstr(divvy_error(), "File too large") ? 0 : 1);
    }
    int end = -1;
    waitpid(child, &end, 0);
    return end;
}

int main(void)
{
    struct dv_profile *profile, *second;

    if (!mkdtemp(folder) || chdir(folder))
        return EXIT_FAILURE;

    /* A path that cannot be written fails when it is opened, with the reason. */
    CHECK_EQ(dv_profile_open("missing/run.json", 4, &sample_host, &profile), DIVVY_IO);
    CHECK_HAS(divvy_error(), "missing/run.json");
    CHECK_HAS(divvy_error(), "No such file or directory");
    CHECK(profile == NULL);
    CHECK_EQ(dv_profile_open("", 4, &sample_host, &profile), DIVVY_IO);
    CHECK_EQ(dv_profile_open("new/", 4, &sample_host, &profile), DIVVY_IO);

    /* A folder or a device is not replaced by a profile. */
    CHECK_EQ(dv_profile_open(folder, 4, &sample_host, &profile), DIVVY_IO);
    CHECK_EQ(dv_profile_open("/dev/null", 4, &sample_host, &profile), DIVVY_IO);
    CHECK_HAS(divvy_error(), "not a regular file");
    CHECK_EQ(files_in_folder(), 0);

    /* Closing nothing is fine. */
    CHECK_EQ(dv_profile_close(NULL), DIVVY_OK);
    CHECK(!dv_profile_wants_partitions(NULL));

    /* Until it closes there is at most a temporary file; then the profile only, even if the program went elsewhere. */
    profile = open_profile("run.json", 4);
    const int temporary = files_in_folder(); /* none where a file can be without a name */
    CHECK(temporary <= 1 && (temporary == 1 || !getenv("NO_NAMELESS_FILES")));
    CHECK(access("run.json", F_OK) != 0);
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    CHECK_EQ(chdir(folder), 0);
    CHECK_EQ(files_in_folder(), 1);
    cJSON *json = read_profile("run.json");
    CHECK(number(json, "divvy_profile") == 1);
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs")), 0);
    CHECK_EQ(cJSON_GetArraySize(member(json, "devices")), 1);
    cJSON_Delete(json);

    /* A second open profile on a path, however spelled, becomes PATH.2; the path is free again afterwards. */
    profile = open_profile("run.json", 4);
    second = open_profile("./run.json", 4);
    add_job(second, "second", 1, 10);
    CHECK_EQ(dv_profile_close(second), DIVVY_OK);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    json = read_profile("run.json.2");
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs")), 1);
    cJSON_Delete(json);
    CHECK_EQ(files_in_folder(), 2);
    CHECK_EQ(unlink("run.json.2"), 0);
    CHECK_EQ(dv_profile_close(open_profile("run.json", 4)), DIVVY_OK);
    CHECK(access("run.json.2", F_OK) != 0);

    /* What was recorded is what is written, to the last digit of 64-bit numbers; moments count from the opening. */
    uint64_t before_ns = dv_now_ns();
    profile = open_profile("run.json", 4);
    struct dv_partition_record partitions[] = {{.device = 0,
                                                .attempt = 2,
                                                .outcome = DV_LATE,
                                                .reason = DV_TAIL,
                                                .first = 3,
                                                .count = 5,
                                                .requested = 6,
                                                .queued_ns = before_ns + 1000000000,
                                                .start_ns = before_ns + 2000000000,
                                                .end_ns = before_ns + 3000000000,
                                                .jit_ns = 11,
                                                .copy_in_ns = 12,
                                                .run_ns = 13,
                                                .copy_out_ns = 14,
                                                .bytes = 0xfedcba9876543210}};
    struct dv_use use = {.device = 0,
                         .partitions = 3,
                         .items = 1000000000000001,
                         .busy_ns = 600,
                         .min_ns = 100,
                         .max_ns = 300,
                         .fixed_ns = 7,
                         .ready_ns = 1,
                         .build_ns = 77,
                         .ns_per_item = 0.5};
    struct dv_job_record exact = {.id = 5,
                                  .name = "na\"me\n\xff",
                                  .kernel = "kernel",
                                  .schedule = "guarded",
                                  .count = UINT64_MAX,
                                  .block = 4096,
                                  .start_ns = before_ns + 500000000,
                                  .end_ns = before_ns + 500001000,
                                  .split_ns = 30,
                                  .combine_ns = 12,
                                  .status = DIVVY_TIMED_OUT,
                                  .error = "time is up",
                                  .use_count = 1,
                                  .uses = &use,
                                  .partition_count = 1,
                                  .partitions = partitions,
                                  .bound_ns = 750,
                                  .bound_basis = DIVVY_BOUND_MODEL,
                                  .efficiency = 0.75};
    dv_profile_add_job(profile, &exact);
    dv_profile_set_rates(profile, 0, &(divvy_rates){.latency_ns = 9});
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    char *text = read_text("run.json");
    CHECK_HAS(text, "\"count\":18446744073709551615,");
    CHECK_HAS(text, "\"block\":4096,");
    CHECK_HAS(text, "\"bytes\":18364758544493064720,");
    CHECK_HAS(text, "\"items\":1000000000000001,");
    free(text);
    json = read_profile("run.json");
    const cJSON *job = cJSON_GetArrayItem(member(json, "jobs"), 0), *summary = member(job, "summary");
    const cJSON *in_summary = cJSON_GetArrayItem(member(summary, "devices"), 0);
    const cJSON *partition = cJSON_GetArrayItem(member(job, "partitions"), 0);
    const cJSON *device = cJSON_GetArrayItem(member(json, "devices"), 0);
    CHECK_STR(cJSON_GetStringValue(member(job, "name")), "na\"me\n?");
    CHECK_STR(cJSON_GetStringValue(member(job, "status")), "TIMED_OUT");
    CHECK_STR(cJSON_GetStringValue(member(job, "error")), "time is up");
    CHECK_STR(cJSON_GetStringValue(member(job, "bound_basis")), "model");
    CHECK(number(job, "bound_ns") == 750);
    CHECK(number(job, "efficiency") == 0.75);
    CHECK(number(job, "start_ns") <= 500000000 && number(job, "start_ns") > 400000000);
    CHECK(number(job, "end_ns") - number(job, "start_ns") == 1000);
    CHECK(number(summary, "compute_ns") == 600);
    CHECK(number(summary, "overhead_ns") == 42);
    CHECK(number(summary, "maximum_speedup") == 2);
    CHECK(number(in_summary, "idle_ns") == 400);
    CHECK(number(in_summary, "avg_ns") == 200);
    CHECK(number(in_summary, "build_ns") == 77);
    CHECK_STR(cJSON_GetStringValue(member(partition, "outcome")), "late");
    CHECK_STR(cJSON_GetStringValue(member(partition, "reason")), "tail");
    CHECK(number(partition, "attempt") == 2);
    CHECK(number(partition, "requested") == 6);
    CHECK(number(partition, "copy_out_ns") == 14);
    CHECK(number(partition, "end_ns") - number(partition, "start_ns") == 1e9);
    CHECK(number(device, "fixed_ns") == 7);
    CHECK(number(device, "latency_ns") == 9);
    CHECK(cJSON_IsNull(member(device, "upload_bytes_per_s")));
    cJSON_Delete(json);

    /* The first and the last kept_jobs jobs of each kernel keep their partitions, the others their summary. */
    profile = open_profile("run.json", 3);
    CHECK(dv_profile_wants_partitions(profile));
    for (uint64_t i = 0; i < 20; i++)
        add_job(profile, "often", i, 10 + i);
    for (uint64_t i = 20; i < 25; i++)
        add_job(profile, "seldom", i, 10 + i);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    json = read_profile("run.json");
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs")), 25);
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs_summed")), 0);
    int id = 0;
    cJSON_ArrayForEach (job, member(json, "jobs")) {
        CHECK(number(job, "id") == id);
        CHECK_EQ(member(job, "partitions") != NULL, id < 3 || id >= 17);
        CHECK(number(member(job, "summary"), "items") == 10 + id);
        id++;
    }
    cJSON_Delete(json);

    /* Without kept jobs there are no partitions; and thousands of jobs are summed, none lost. */
    profile = open_profile("run.json", 0);
    CHECK(!dv_profile_wants_partitions(profile));
    for (uint64_t i = 0; i < 20000; i++)
        add_job(profile, "hot", i, 7);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    json = read_profile("run.json");
    const cJSON *summed = cJSON_GetArrayItem(member(json, "jobs_summed"), 0);
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs")), 4096);
    CHECK(number(summed, "jobs") == 20000 - 4096);
    CHECK(number(summed, "items") == 7 * (20000 - 4096));
    CHECK(number(summed, "wall_ns") == 100 * (20000 - 4096));
    CHECK(number(summed, "min_ns") == 100 && number(summed, "max_ns") == 100);
    CHECK(number(summed, "bounded_jobs") == 20000 - 4096);
    CHECK(number(cJSON_GetArrayItem(member(summed, "devices"), 0), "busy_ns") == 90 * (20000 - 4096));
    CHECK_STR(cJSON_GetStringValue(member(summed, "kernel")), "hot");
    cJSON_Delete(json);

    /* A job of very many partitions keeps as many as there is room for, and says how many it left out. */
    profile = open_profile("run.json", 1);
    size_t many = 100000;
    struct dv_partition_record *crowd = calloc(many, sizeof *crowd);
    for (size_t i = 0; i < many; i++)
        crowd[i] = (struct dv_partition_record){.attempt = 1, .first = i, .count = 1};
    exact.partitions = crowd;
    exact.partition_count = many;
    dv_profile_add_job(profile, &exact);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    free(crowd);
    json = read_profile("run.json");
    job = cJSON_GetArrayItem(member(json, "jobs"), 0);
    CHECK(number(job, "partitions_left_out") + cJSON_GetArraySize(member(job, "partitions")) == (double)many);
    CHECK(number(job, "partitions_left_out") > 0);
    cJSON_Delete(json);

    /* Several threads may record at once; events beyond the room for them are counted. */
    pthread_t threads[10];
    profile = open_profile("run.json", 5);
    for (int i = 0; i < 10; i++)
        pthread_create(&threads[i], NULL, add_many, profile);
    for (int i = 0; i < 10; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    json = read_profile("run.json");
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs")), 5000);
    CHECK_EQ(cJSON_GetArraySize(member(json, "events")) + number(json, "events_left_out"), 5000);
    cJSON_Delete(json);

    /* Whoever is left behind may still record when it has ended, and even while: it is written once, and whole. */
    static struct dv_profile *ended; /* never freed */
    ended = open_profile("run.json", 5);
    add_job(ended, "early", 1, 7);
    for (int i = 0; i < 10; i++)
        pthread_create(&threads[i], NULL, add_many, ended);
    CHECK_EQ(dv_profile_end(ended), DIVVY_OK);
    json = read_profile("run.json");
    const int written = cJSON_GetArraySize(member(json, "jobs"));
    CHECK(written >= 1);
    cJSON_Delete(json);
    for (int i = 0; i < 10; i++)
        pthread_join(threads[i], NULL);
    add_job(ended, "late", 2, 7);
    json = read_profile("run.json");
    CHECK_EQ(cJSON_GetArraySize(member(json, "jobs")), written);
    cJSON_Delete(json);

    /* A full disk is told, leaves the profile of the run before alone, and no temporary file behind. */
    struct stat earlier, later;
    CHECK_EQ(stat("run.json", &earlier), 0);
    CHECK_EQ(write_beyond_limit("run.json"), 0);
    CHECK_EQ(stat("run.json", &later), 0);
    CHECK(earlier.st_ino == later.st_ino && earlier.st_size == later.st_size);
    CHECK_EQ(files_in_folder(), 1);

    /* A folder that went away meanwhile is told at the end. */
    CHECK_EQ(mkdir("gone", 0700), 0);
    profile = open_profile("gone/run.json", 1);
    CHECK_EQ(rename("gone", "elsewhere"), 0);
    CHECK_EQ(dv_profile_close(profile), DIVVY_IO);
    CHECK_EQ(system("rm -r elsewhere"), 0);

    /* In a child process closing frees memory only: the file is the parent's. */
    profile = open_profile("run.json", 1);
    pid_t child = check_fork();
    if (child == 0)
        _exit(dv_profile_close(profile) == DIVVY_OK && files_in_folder() == 1 + temporary ? 0 : 1);
    int end = -1;
    waitpid(child, &end, 0);
    CHECK_EQ(end, 0);
    CHECK_EQ(dv_profile_close(profile), DIVVY_OK);
    CHECK_EQ(files_in_folder(), 1);

    /* A link is followed: its target becomes the profile. */
    CHECK_EQ(symlink("run.json", "link.json"), 0);
    CHECK_EQ(dv_profile_close(open_profile("link.json", 1)), DIVVY_OK);
    CHECK_EQ(lstat("link.json", &later), 0);
    CHECK(S_ISLNK(later.st_mode));

    CHECK_EQ(unlink("run.json") | unlink("link.json"), 0);
    CHECK_EQ(rmdir(folder), 0);
    return check_summary();
}
