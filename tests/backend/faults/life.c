#include "life.h"

#include "faults.cl"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

enum { COUNT = 4096, PARTITION = 512, ENTRIES = 100, JOBS = 3, UNITS_MAX = 8, TEXT_BYTES = 1 << 16 };
enum { BUILD_PATIENCE_MS = 30000 };

static const struct faults_layer *layer;
static char folder[] = "/tmp/divvy-faults-XXXXXX";
static char profile_path[128];
static char names[2][128]; /* of the opencl backend's devices */
static uint64_t calls_before[FAULTS_CALLS][FAULTS_KINDS];
static unsigned driver_threads; /* that OpenCL has, and the test's own */
static bool staged;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- What is written to stderr ---- */

static int log_file = -1, kept_stderr = -1;

static void listen(void)
{
    fflush(stderr);
    if (log_file < 0) {
        char path[128];
        snprintf(path, sizeof path, "%s/log", folder);
        log_file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        kept_stderr = dup(STDERR_FILENO);
    }
    CHECK(ftruncate(log_file, 0) == 0);
    dup2(log_file, STDERR_FILENO);
}

/* What was said since. */
static const char *said(void)
{
    static char text[TEXT_BYTES];
    ssize_t length = pread(log_file, text, sizeof text - 1, 0);
    text[length > 0 ? length : 0] = 0;
    return text;
}

static const char *heard(void)
{
    fflush(stderr);
    dup2(kept_stderr, STDERR_FILENO);
    return said();
}

/* ---- The jobs ---- */

/* The arguments of one job, and what they are to become. */
struct work {
    int x[COUNT], y[COUNT], y_before[COUNT], y_after[COUNT];
    int table[ENTRIES], found[COUNT], found_after[COUNT];
    int64_t total, total_after;
    int32_t most, most_after;
    bool steps; /* else looks */
};

static void fill(struct work *work, bool steps, int salt)
{
    *work = (struct work){.steps = steps, .total_after = 0, .most_after = INT32_MIN};
    for (int i = 0; i < ENTRIES; i++)
        work->table[i] = i * 7 + salt;
    for (int i = 0; i < COUNT; i++) {
        work->x[i] = (i * 31 + salt) % 1009;
        work->y[i] = work->y_before[i] = (i * 17 + salt) % 503;
        work->y_after[i] = 3 * work->x[i] + work->y[i];
        work->total_after += work->y_after[i];
        work->most_after = work->y_after[i] > work->most_after ? work->y_after[i] : work->most_after;
        work->found[i] = -1;
    }
    for (int i = 0; i < COUNT; i++)
        work->found_after[i] = (work->x[i] + (i > 0 ? work->x[i - 1] : 0) + (i + 1 < COUNT ? work->x[i + 1] : 0)) *
                               work->table[i % ENTRIES];
}

static divvy_future *submit(divvy *dv, const struct life *life, struct work *work)
{
    const divvy_call_options with = {.schedule = life->schedule,
                                     .partition = strcmp(life->schedule, "dynamic") == 0 ? PARTITION : 0};
    if (work->steps)
        return divvy_submit(dv, step, COUNT, .factor = 3, .x = work->x, .y = work->y, .total = &work->total,
                            .most = &work->most, .with = with);
    return divvy_submit(dv, look, COUNT, .entries = ENTRIES, .table = work->table, .source = work->x,
                        .found = work->found, .with = with);
}

static bool is_right(const struct work *work)
{
    if (work->steps)
        return memcmp(work->y, work->y_after, sizeof work->y) == 0 && work->total == work->total_after &&
               work->most == work->most_after;
    return memcmp(work->found, work->found_after, sizeof work->found) == 0;
}

/* Of devices that work on copies: every partition is as it was, or as it is to be. */
static bool is_whole(const struct work *work, bool fixed)
{
    const int *seen = work->steps ? work->y : work->found, *after = work->steps ? work->y_after : work->found_after;
    bool whole = true;
    for (int i = 0; i < COUNT && whole; i++) {
        bool done = seen[i] == after[i], kept = seen[i] == (work->steps ? work->y_before[i] : -1);
        bool begun = fixed && i % PARTITION > 0 && (seen[i - 1] == after[i - 1]) != done && !(done && kept);
        bool ambiguous = i > 0 && work->steps && work->y_before[i - 1] == work->y_after[i - 1];
        whole = (done || kept) && (!begun || ambiguous);
    }
    return whole;
}

/* ---- What must hold afterwards ---- */

/* The numbers of the devices that were given up, as the log tells; each is told once. */
static unsigned count_failed(const char *text, bool *out_left_behind)
{
    unsigned told[UNITS_MAX] = {0}, failed = 0;
    *out_left_behind = false;
    for (const char *at = strstr(text, "divvy: "); at; at = strstr(at + 1, "divvy: ")) {
        unsigned device = 0;
        const char *end = strchr(at, '\n');
        int length = end ? (int)(end - at) : (int)strlen(at);
        char line[1024];
        snprintf(line, sizeof line, "%.*s", length, at);
        bool gone = sscanf(line, "divvy: schedule: opencl:%u", &device) == 1 && device < UNITS_MAX &&
                    (strstr(line, " retired, ") || strstr(line, " build failed, "));
        if (gone) {
            CHECK_EQ(++told[device], 1);
            failed++;
        } else if (strstr(line, "left behind")) {
            *out_left_behind = true;
        } else if (!CHECK(!"a line that nobody expects")) {
            fprintf(stderr, "  %s\n", line);
        }
    }
    return failed;
}

static double number(const cJSON *object, const char *name)
{
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* No time in the profile is longer than the life that it is from; whoever failed has an event. */
static bool check_profile(unsigned failed, uint64_t wall_ns)
{
    static const char *const times[] = {"jit_ns", "copy_in_ns", "run_ns", "copy_out_ns"};
    bool good = true;
    FILE *file = fopen(profile_path, "r");
    static char text[1 << 20];
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    unlink(profile_path);
    cJSON *profile = cJSON_ParseWithLength(text, length);
    const cJSON *item, *partition;
    if (!CHECK(profile != NULL))
        return false;
    unsigned events = 0;
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(profile, "events")) {
        const char *what = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "what"));
        events +=
            what && (strcmp(what, "retired") == 0 || strcmp(what, "build failed") == 0) && number(item, "device") >= 0;
    }
    good = good && CHECK(events >= failed);
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(profile, "jobs")) {
        good = good && CHECK(number(item, "bound_ns") <= (double)wall_ns ||
                             cJSON_IsNull(cJSON_GetObjectItem(item, "bound_ns")));
        cJSON_ArrayForEach (partition, cJSON_GetObjectItemCaseSensitive(item, "partitions")) {
            for (size_t t = 0; t < sizeof times / sizeof *times; t++)
                good = good && CHECK(number(partition, times[t]) <= (double)wall_ns);
            good = good && CHECK(number(partition, "start_ns") <= number(partition, "end_ns"));
        }
    }
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(profile, "devices"))
        good = good && CHECK(number(item, "fixed_ns") <= (double)wall_ns);
    cJSON_Delete(profile);
    return good;
}

/* Whether a job may end with this status, when `failed` devices have failed. */
static bool may_end(const struct life *life, const struct work *work, divvy_status status, unsigned failed)
{
    bool cores = strncmp(life->devices, "cpu", 3) == 0;
    if (status == DIVVY_DEVICE_LOST && !staged && work->steps)
        return failed > 0; /* it may have begun to write */
    return !cores && failed == (strchr(life->devices, ':') ? 1 : 2);
}

/* By the device and the code; those who come later are told that nothing is left. */
static bool tells_why(divvy_status status, const char *error)
{
    if (status == DIVVY_NO_DEVICE)
        return strstr(error, "no device is left") != NULL;
    return strstr(error, names[0]) || strstr(error, names[1]) || strstr(error, "opencl:0:") ||
           strstr(error, "opencl:1:");
}

static unsigned count_threads(void)
{
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *task; tasks && (task = readdir(tasks)) != NULL;)
        count += task->d_name[0] != '.';
    if (tasks)
        closedir(tasks);
    return count;
}

/* A device that builds when its context closes is closed by its worker when that is over, what hangs when it is let
 * go. */
static void await_workers(const struct life *life)
{
    for (int k = 0; k < BUILD_PATIENCE_MS && count_threads() > driver_threads + life->helpers; k++) {
        layer->release();
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

bool life_is_staged(void)
{
    return staged;
}

struct after life_live(const struct life *life)
{
    static struct work works[JOBS];
    divvy_status status[JOBS];
    char errors[JOBS][512] = {{0}};
    static int salt;
    struct after after = {0};
    for (int j = 0; j < JOBS; j++)
        fill(&works[j], j != 1, ++salt);

    long held_before[FAULTS_OBJECTS]; /* by those who were left behind */
    for (int k = 0; k < FAULTS_OBJECTS; k++)
        held_before[k] = layer->held(k);
    uint64_t unseen_before = layer->unseen();

    listen();
    bool planned = layer->plan(life->plan);
    uint64_t began_ns = now_ns();
    divvy *dv;
    divvy_status opened = divvy_open(
        &dv,
        &(divvy_options){.backend = "cpu,opencl", .devices = life->devices, .profile = profile_path, .log = "warn"});
    if (life->prepares)
        divvy_prepare(dv, look);
    divvy_future *futures[] = {submit(dv, life, &works[0]), submit(dv, life, &works[1])};
    for (int j = 0; j < JOBS; j++) {
        status[j] = divvy_wait(j < 2 ? futures[j] : submit(dv, life, &works[j]));
        if (status[j])
            snprintf(errors[j], sizeof errors[j], "%s", divvy_error());
    }
    bool left_behind;
    unsigned failed_in_time = count_failed(said(), &left_behind); /* what fails when it closes may be in no profile */
    uint64_t close_ns = now_ns();
    divvy_close(dv);
    after.close_ns = now_ns() - close_ns;
    await_workers(life);
    after.wall_ns = now_ns() - began_ns;
    after.calls = layer->calls();
    after.injected = layer->injected();
    layer->plan(NULL);
    const char *text = heard();

    int failures = atomic_load(&check_failures);
    CHECK(planned);
    CHECK(!strstr(text, "Sanitizer")); /* what it reports is shown below */
    CHECK_EQ(opened, DIVVY_OK);
    after.failed = count_failed(text, &after.left_behind);
    check_profile(failed_in_time, after.wall_ns);
    for (int j = 0; j < JOBS; j++) {
        bool fixed = strcmp(life->schedule, "dynamic") == 0;
        after.refused += status[j] != DIVVY_OK;
        if (status[j] == DIVVY_OK)
            CHECK(is_right(&works[j]));
        else if (!CHECK(may_end(life, &works[j], status[j], after.failed)) || !CHECK(tells_why(status[j], errors[j])))
            fprintf(stderr, "  job %d: %s: %s\n", j, divvy_status_name(status[j]), errors[j]);
        if (staged)
            CHECK(is_whole(&works[j], fixed));
    }
    CHECK(after.injected > 0 || after.failed + after.refused == 0);
    CHECK(life->may_leave || !after.left_behind);
    for (int k = 0; k < FAULTS_OBJECTS && !after.left_behind; k++)
        if (k != FAULTS_SUBDEVICE) /* which are kept */
            CHECK_EQ(layer->held(k), held_before[k]);
    CHECK(layer->held(FAULTS_SUBDEVICE) <= 1);
    CHECK_EQ(layer->unseen(), unseen_before);
    if (atomic_load(&check_failures) > failures)
        fprintf(stderr, "  in the life of %s, %s%s, with %s\n%s\n", life->devices, life->schedule,
                life->prepares ? ", prepared" : "", life->plan ? life->plan : "no plan", text);
    return after;
}

/* ---- Begin and end ---- */

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *where)
{
    (void)about, (void)type, (void)where;
    return remove(path);
}

int life_end(void)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return check_summary();
}

const struct faults_layer *life_begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(folder))
        exit(EXIT_FAILURE);
    snprintf(profile_path, sizeof profile_path, "%s/profile.json", folder);
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("OPENCL_LAYERS", FAULTS_LAYER, 1);
    setenv("POCL_DEVICES", "basic pthread", 0);
    divvy *dv;
    size_t count = 0;
    if (divvy_open(&dv, &(divvy_options){.backend = "opencl", .devices = "opencl"}) == DIVVY_OK)
        count = divvy_device_count(dv);
    for (size_t k = 0; k < 2 && k < count; k++) {
        divvy_device device;
        CHECK_EQ(divvy_device_at(dv, k, &device), DIVVY_OK);
        snprintf(names[k], sizeof names[k], "\"%s\"", device.name);
        staged = device.staged;
    }
    divvy_close(dv);
    driver_threads = count_threads();
    void *library = dlopen(FAULTS_LAYER, RTLD_NOW | RTLD_NOLOAD);
    layer = library ? dlsym(library, "faults_layer") : NULL;
    if (count != 2 || !layer) {
        printf("skipped: %zu devices, the layer %s\n", count, layer ? "is loaded" : "is not loaded");
        life_end();
        exit(CHECK_SKIP);
    }
    for (int c = 0; c < FAULTS_CALLS; c++)
        for (int k = 0; k < FAULTS_KINDS; k++)
            calls_before[c][k] = layer->calls_in_all(c, k);
    return layer;
}

bool life_lacks(enum faults_call call, enum faults_kind kind)
{
    return layer->calls_in_all(call, kind) >= calls_before[call][kind] + FAULTS_KINDS &&
           layer->injected_in_all(call, kind) == 0;
}

void life_report(unsigned kinds)
{
    uint64_t all = 0;
    printf("%-28s %8s", "", "calls");
    for (int k = 0; k < FAULTS_KINDS; k++)
        printf(" %7s", faults_kind_name(k));
    printf("\n");
    for (int c = 0; c < FAULTS_CALLS; c++) {
        uint64_t calls = layer->calls_in_all(c, FAULTS_CODE);
        printf("%-28s %8llu", faults_call_name(c), (unsigned long long)calls);
        for (int k = 0; k < FAULTS_KINDS; k++) {
            uint64_t hit = layer->injected_in_all(c, k);
            all += hit;
            if (faults_applies(c, k))
                printf(" %7llu", (unsigned long long)hit);
            else
                printf(" %7s", "");
            if (kinds & 1u << k && !CHECK(!life_lacks(c, k)))
                fprintf(stderr, "  %s never had: %s\n", faults_call_name(c), faults_kind_name(k));
        }
        printf("\n");
    }
    printf("%llu faults\n", (unsigned long long)all);
}
