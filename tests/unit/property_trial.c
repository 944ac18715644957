#include "property_trial.h"

#include "rules.h"

#include "property.cl"
#include "rules.cl"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

const char *const trial_schedules[TRIAL_SCHEDULES] = {
    "guarded",  "static", "dynamic", "guided", "tss", "fac2", "awf-c", "af", "hguided:cpu=1,sim=3,fake:0=2",
    "iterative"};

static const char *const kernels[KERNELS] = {"mark", "step_on", "blend", "toil", "tally", "follow"};
static const char *const faults[FAULTS] = {"",          "does not open", "does not build", "refuses launch",
                                           "fails run", "hangs in run",  "is lost at run"};
/* As fake.h has them. */
static const bool fake_staged[TRIAL_FAKES] = {true, true, false, true, false};

/* ---- Making one ---- */

static size_t below(uint64_t *random, size_t limit)
{
    return check_random(random) % limit;
}

/* Of all sizes alike, those around powers of two often. */
static size_t any_size(uint64_t *random, size_t most)
{
    size_t size = below(random, (size_t)1 << (1 + below(random, 16)));
    if (below(random, 3) == 0)
        size = ((size_t)1 << below(random, 16)) + below(random, 3) - 1;
    return size < most ? size : most;
}

static struct trial_device any_device(uint64_t *random)
{
    struct trial_device device = {.present = below(random, 3) == 0,
                                  .at = 1 + (unsigned)below(random, 6),
                                  .staged = below(random, 4) > 0,
                                  .depth = 1 + (unsigned)below(random, 2),
                                  .granule = (unsigned)(below(random, 2) ? 1 : 1 + below(random, 200)),
                                  .fixed_ns = (unsigned)any_size(random, 50000),
                                  .slice_kib = (unsigned)(below(random, 4) ? 0 : 16 + below(random, 100)),
                                  .ns_per_item = check_uniform(random, 0, 20)};
    device.fault = below(random, 2) ? FAULT_NONE : (enum trial_fault)(1 + below(random, FAULTS - 1));
    if (!device.staged)
        device.depth = 1;
    return device;
}

struct trial trial_make(uint64_t seed)
{
    uint64_t *random = &seed;
    struct trial trial = {.cores = (unsigned)below(random, 5), .together = below(random, 2)};
    unsigned devices = 0;
    for (unsigned d = 0; d < TRIAL_SIMS; d++) {
        trial.sims[d] = any_device(random);
        devices += trial.sims[d].present;
    }
    for (unsigned d = 0; d < TRIAL_FAKES; d++) {
        trial.fakes[d] = any_device(random);
        trial.fakes[d].staged = fake_staged[d];
        devices += trial.fakes[d].present;
    }
    if (devices == 0 && trial.cores == 0)
        trial.cores = 1;
    trial.job_count = 1 + (unsigned)below(random, TRIAL_JOBS);
    for (unsigned j = 0; j < trial.job_count; j++)
        trial.jobs[j] = (struct trial_job){
            .kernel = (enum trial_kernel)below(random, KERNELS),
            .count = any_size(random, TRIAL_COUNT_MAX),
            .partition = below(random, 3) ? 0 : 1 + any_size(random, 5000),
            .first_partition = below(random, 4) ? 0 : 1 + any_size(random, 5000),
            .schedule = (unsigned)(below(random, 3) ? below(random, TRIAL_SCHEDULES) : 0),
            .reproducible = below(random, 4) == 0,
        };
    return trial;
}

static void print_device(FILE *out, const char *backend, unsigned d, const struct trial_device *device)
{
    if (!device->present)
        return;
    fprintf(out, "    %s:%u", backend, d);
    if (strcmp(backend, "sim") == 0)
        fprintf(out, " %s, depth %u, granule %u, %u ns + %.3g ns per index", device->staged ? "staged" : "in place",
                device->depth, device->granule, device->fixed_ns, device->ns_per_item);
    if (strcmp(backend, "sim") == 0 && device->slice_kib)
        fprintf(out, ", slices of %u KiB at most", device->slice_kib);
    if (device->fault)
        fprintf(out, "; %s %u", faults[device->fault], device->at);
    fputc('\n', out);
}

void trial_print(FILE *out, const struct trial *trial)
{
    fprintf(out, "  %u cores, jobs %s\n", trial->cores, trial->together ? "all at once" : "one after another");
    for (unsigned d = 0; d < TRIAL_SIMS; d++)
        print_device(out, "sim", d, &trial->sims[d]);
    for (unsigned d = 0; d < TRIAL_FAKES; d++)
        print_device(out, "fake", d, &trial->fakes[d]);
    for (unsigned j = 0; j < trial->job_count; j++) {
        const struct trial_job *job = &trial->jobs[j];
        fprintf(out, "    %s of %zu, %s, partition %zu, first %zu%s\n", kernels[job->kernel], job->count,
                trial_schedules[job->schedule], job->partition, job->first_partition,
                job->reproducible ? ", reproducible" : "");
    }
}

/* ---- Devices ---- */

static void write_fault(FILE *file, const struct trial_device *device)
{
    static const char *const steps[] = {
        [FAULT_OPEN] = "open", [FAULT_BUILD] = "build", [FAULT_LAUNCH] = "launch", [FAULT_RUN] = "run"};
    if (device->fault == FAULT_HANG)
        fprintf(file, ", \"hang\": {\"at\": %u, \"for_ns\": 8000000}", device->at);
    else if (device->fault == FAULT_LOST)
        fprintf(file, ", \"lost\": {\"at\": %u}", device->at);
    else if (device->fault)
        fprintf(file, ", \"fail\": {\"on\": \"%s\", \"at\": %u}", steps[device->fault],
                device->fault <= FAULT_BUILD ? 1 : device->at);
}

/* All of them, present or not, so that their numbers stay. */
static bool write_scenario(const struct trial *trial, char *path)
{
    int descriptor = mkstemp(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!file)
        return false;
    fputs("{\"divvy_scenario\": 1, \"devices\": [", file);
    for (unsigned d = 0; d < TRIAL_SIMS; d++) {
        const struct trial_device *device = &trial->sims[d];
        fprintf(file,
                "%s{\"name\": \"gpu %u\", \"class\": \"gpu\", \"staged\": %s, \"depth\": %u, \"granule\": %u, "
                "\"fixed_ns\": %u, \"ns_per_item\": %.17g, \"noise\": 0.2",
                d ? ", " : "", d, device->staged ? "true" : "false", device->depth, device->granule, device->fixed_ns,
                device->ns_per_item);
        if (device->slice_kib)
            fprintf(file, ", \"max_slice_bytes\": %u", device->slice_kib << 10);
        write_fault(file, device);
        fputc('}', file);
    }
    fputs("]}", file);
    return fclose(file) == 0;
}

static void order_fake(unsigned d, const struct trial_device *device)
{
    struct fake_order *order = fake_at(d);
    int at = (int)device->at;
    atomic_store(&order->fail_open, device->fault == FAULT_OPEN);
    atomic_store(&order->fail_load, device->fault == FAULT_BUILD);
    atomic_store(&order->fail_start, device->fault == FAULT_LAUNCH ? at : 0);
    atomic_store(&order->fail_finish, device->fault == FAULT_RUN || device->fault == FAULT_LOST ? at : 0);
    atomic_store(&order->hang, device->fault == FAULT_HANG ? at : 0);
}

/* What hangs goes on after some milliseconds. */
static void *let_go(void *over)
{
    while (!atomic_load((atomic_bool *)over)) {
        sleep_ms(4);
        for (unsigned d = 0; d < TRIAL_FAKES; d++) {
            int hangs = -1;
            atomic_compare_exchange_strong(&fake_at(d)->hang, &hangs, 0);
        }
    }
    return NULL;
}

/* The filter that lets in those that are present. */
static void name_devices(const struct trial *trial, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", trial->cores ? "cpu" : "");
    for (unsigned d = 0; d < TRIAL_SIMS + TRIAL_FAKES; d++) {
        bool sim = d < TRIAL_SIMS;
        unsigned number = sim ? d : d - TRIAL_SIMS;
        if (sim ? trial->sims[number].present : trial->fakes[number].present)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s:%u", used ? "," : "", sim ? "sim" : "fake", number);
    }
}

/* ---- Jobs ---- */

/* Follows the indices: f(x) = factor x + added, one step after the other, which tells any other order. */
struct course {
    uint64_t factor, added, indices;
};

static void course_merge(struct course *into, const struct course *from)
{
    if (into->indices && from->indices)
        *into = (struct course){from->factor * into->factor, from->factor * into->added + from->added,
                                into->indices + from->indices};
    else if (from->indices)
        *into = *from;
}

DIVVY_HOST_KERNEL(follow, (inout, int, seen), (result, struct course, c, course_merge))
{
    DIVVY_FOR (i) {
        const struct course step = {2 * i + 3, i, 1};
        seen[i]++;
        course_merge(c, &step);
    }
}

enum { WIDTH = 3, ENTRIES = 7 };

/* The arrays and results of one job. */
struct work {
    int *hits, *source, *table, *blended;
    uint *toiled;
    int64_t total, least, most, ones;
    uint64_t sum;
    int low, high;
    struct course course;
};

/* What all jobs of step_on work on, one after the other. */
static uint *stepped;

static void *filled(size_t count, size_t bytes)
{
    unsigned char *memory = malloc((count + 1) * bytes);
    if (!memory)
        abort();
    memset(memory, 0xa5, (count + 1) * bytes);
    return memory;
}

static void open_work(struct work *work, size_t count)
{
    *work = (struct work){.hits = calloc(count + 1, sizeof(int)),
                          .source = filled(count * WIDTH, sizeof(int)),
                          .table = filled(ENTRIES, sizeof(int)),
                          .blended = filled(count * WIDTH, sizeof(int)),
                          .toiled = filled(count, sizeof(uint))};
    for (size_t k = 0; k < count * WIDTH; k++)
        work->source[k] = (int)(k * k % 1009);
    for (int k = 0; k < ENTRIES; k++)
        work->table[k] = k + 1;
}

static void close_work(struct work *work)
{
    free(work->hits);
    free(work->source);
    free(work->table);
    free(work->blended);
    free(work->toiled);
}

static divvy_future *submit(divvy *dv, const struct trial_job *job, unsigned number, struct work *w)
{
    const divvy_call_options with = {.schedule = trial_schedules[job->schedule],
                                     .partition = job->partition,
                                     .first_partition = job->first_partition,
                                     .reproducible = job->reproducible ? 1 : -1};
    size_t n = job->count;
    switch (job->kernel) {
    case KERNEL_MARK:
        return divvy_submit(dv, mark, n, .turns = 5, .hits = w->hits, .total = &w->total, .least = &w->least,
                            .most = &w->most, .with = with);
    case KERNEL_STEP:
        return divvy_submit(dv, step_on, n, .factor = 5, .added = (int)number + 1, .x = stepped, .with = with);
    case KERNEL_BLEND:
        return divvy_submit(dv, blend, n, .width = WIDTH, .entries = ENTRIES, .source = w->source, .table = w->table,
                            .blended = w->blended, .with = with);
    case KERNEL_TOIL:
        return divvy_submit(dv, toil, n, .turns = 9, .y = w->toiled, .with = with);
    case KERNEL_TALLY:
        return divvy_submit(dv, tally, n, .step = 2, .total = &w->sum, .ones = &w->ones, .least = &w->low,
                            .most = &w->high, .with = with);
    default:
        return divvy_submit(dv, follow, n, .seen = w->hits, .c = &w->course, .with = with);
    }
}

/* ---- What must hold ---- */

static bool hits_once(const int *hits, size_t count)
{
    size_t once = 0;
    while (once < count && hits[once] == 1)
        once++;
    if (once < count)
        fprintf(stderr, "  index %zu was computed %d times\n", once, hits[once]);
    return once == count && hits[count] == 0;
}

static bool is_blended(const struct work *w, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < WIDTH; k++) {
            int sum = w->source[i * WIDTH + k];
            sum += i > 0 ? w->source[(i - 1) * WIDTH + k] : 0;
            sum += i + 1 < count ? w->source[(i + 1) * WIDTH + k] : 0;
            if (w->blended[i * WIDTH + k] != sum * w->table[i % ENTRIES])
                return false;
        }
    return true;
}

static bool is_toiled(const struct work *w, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint x = (uint)i;
        for (int k = 0; k < 9; k++)
            x = x * 1664525u + 1013904223u;
        if (w->toiled[i] != x)
            return false;
    }
    return w->toiled[count] == 0xa5a5a5a5u;
}

static bool is_followed(const struct work *w, size_t count)
{
    struct course expected = {0};
    for (size_t i = 0; i < count; i++)
        course_merge(&expected, &(struct course){2 * i + 3, i, 1});
    return memcmp(&expected, &w->course, sizeof expected) == 0 && hits_once(w->hits, count);
}

static bool is_right(const struct trial_job *job, const struct work *w)
{
    size_t n = job->count;
    int64_t sum = n ? (int64_t)(n * (n - 1) / 2) : 0;
    switch (job->kernel) {
    case KERNEL_MARK:
        return hits_once(w->hits, n) && w->total == sum && w->least == (n ? 0 : INT64_MAX) &&
               w->most == (n ? (int64_t)n - 1 : INT64_MIN);
    case KERNEL_BLEND:
        return is_blended(w, n);
    case KERNEL_TOIL:
        return is_toiled(w, n);
    case KERNEL_TALLY:
        return w->sum == (uint64_t)sum && w->ones == 2 * (int64_t)n && w->low == (n ? 0 : INT32_MAX) &&
               w->high == (n ? (int)n - 1 : INT32_MIN);
    case KERNEL_FOLLOW:
        return is_followed(w, n);
    default:
        return true; /* all jobs together: see are_stepped */
    }
}

static bool are_stepped(const struct trial *trial)
{
    for (size_t i = 0; i < TRIAL_COUNT_MAX; i++) {
        uint x = (uint)i;
        for (unsigned j = 0; j < trial->job_count; j++)
            if (trial->jobs[j].kernel == KERNEL_STEP && i < trial->jobs[j].count)
                x = x * 5u + j + 1;
        if (stepped[i] != x) {
            fprintf(stderr, "  step_on: element %zu is %u, not %u\n", i, stepped[i], x);
            return false;
        }
    }
    return true;
}

/* Only a device that had begun to write in the caller's arrays, or the last one of all, may take a job with it. */
static bool may_fail(const struct trial *trial, const struct trial_job *job)
{
    if (trial->cores == 0)
        return true;
    if (job->kernel != KERNEL_MARK && job->kernel != KERNEL_STEP)
        return false;
    bool spoils = false;
    for (unsigned d = 0; d < TRIAL_SIMS; d++)
        spoils = spoils || (trial->sims[d].present && !trial->sims[d].staged && trial->sims[d].fault);
    for (unsigned d = 0; d < TRIAL_FAKES; d++)
        spoils = spoils || (trial->fakes[d].present && !trial->fakes[d].staged && trial->fakes[d].fault);
    return spoils;
}

/* Every index was accepted, and accepted once. */
static bool adds_up(divvy *dv, const struct trial_job *job)
{
    const divvy_report *report = divvy_last(dv);
    size_t items = 0;
    for (size_t k = 0; report && k < report->share_count; k++)
        items += report->shares[k].items;
    return report && items == job->count;
}

/* Waits for job j. *steps_hold: so far no job has left the array that they share unspecified. */
static bool await(divvy *dv, const struct trial *trial, unsigned j, divvy_future *future, const struct work *work,
                  bool *steps_hold)
{
    const struct trial_job *job = &trial->jobs[j];
    divvy_status status = divvy_wait(future);
    if (status != DIVVY_OK) {
        *steps_hold = *steps_hold && job->kernel != KERNEL_STEP;
        if (!may_fail(trial, job))
            fprintf(stderr, "  job %u: %s: %s\n", j, divvy_status_name(status), divvy_error());
        return may_fail(trial, job);
    }
    bool right = is_right(job, work), whole = job->count == 0 || adds_up(dv, job);
    if (!right || !whole)
        fprintf(stderr, "  job %u: %s\n", j, right ? "shares do not add up" : "results are wrong");
    return right && whole;
}

static bool run_jobs(divvy *dv, const struct trial *trial)
{
    struct work works[TRIAL_JOBS];
    divvy_future *futures[TRIAL_JOBS];
    bool good = true, steps_hold = true;
    stepped = filled(TRIAL_COUNT_MAX, sizeof *stepped);
    for (size_t i = 0; i < TRIAL_COUNT_MAX; i++)
        stepped[i] = (uint)i;
    for (unsigned j = 0; j < trial->job_count; j++) {
        open_work(&works[j], trial->jobs[j].count);
        futures[j] = submit(dv, &trial->jobs[j], j, &works[j]);
        if (!trial->together)
            good = await(dv, trial, j, futures[j], &works[j], &steps_hold) && good;
    }
    for (unsigned j = 0; trial->together && j < trial->job_count; j++)
        good = await(dv, trial, j, futures[j], &works[j], &steps_hold) && good;
    good = good && (!steps_hold || are_stepped(trial));
    for (unsigned j = 0; j < trial->job_count; j++)
        close_work(&works[j]);
    free(stepped);
    return good;
}

bool trial_run(const struct trial *trial)
{
    char path[] = "/tmp/divvypropertyXXXXXX", devices[256], machine[64];
    if (!write_scenario(trial, path))
        return false;
    snprintf(machine, sizeof machine, "package:1 core:%u pu:1", trial->cores ? trial->cores : 1);
    setenv("HWLOC_SYNTHETIC", machine, 1);
    setenv("DIVVY_SIM", path, 1);
    name_devices(trial, devices, sizeof devices);
    for (unsigned d = 0; d < TRIAL_FAKES; d++)
        order_fake(d, &trial->fakes[d]);
    atomic_bool over = false;
    pthread_t helper;
    pthread_create(&helper, NULL, let_go, &over);
    divvy *dv =
        OPEN(.backend = trial->cores ? "cpu,sim,fake" : "sim,fake", .devices = devices, .threads = (int)trial->cores);
    bool good = run_jobs(dv, trial);
    divvy_close(dv);
    atomic_store(&over, true);
    pthread_join(helper, NULL);
    unlink(path);
    return good && atomic_load(&check_failures) == 0;
}

/* Longer than anything that a trial waits for. */
enum { TRIAL_SECONDS = 60 };

bool trial_holds(const struct trial *trial, bool quiet)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(TRIAL_SECONDS);
        int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (nowhere >= 0)
            dup2(nowhere, STDERR_FILENO);
        bool good = trial_run(trial);
        fflush(NULL);
        _exit(good ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    int status = -1;
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (!quiet && WIFSIGNALED(status))
        fprintf(stderr, "  %s\n", strsignal(WTERMSIG(status)));
    return child > 0 && status == 0;
}
