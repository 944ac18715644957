#include "record/profile.h"

#include "base/clock.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/status.h"
#include "record/file.h"
#include "record/json.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What memory is bounded by. Jobs that keep their partitions are as many as the user asked for. */
enum {
    PARTITIONS_PER_JOB = 1 << 16,
    SUMMARIES_PER_KERNEL = 4096, /* jobs without partitions, kept one by one */
    USES_PER_KERNEL = 1 << 16,   /* and the devices' parts in them */
    EVENTS = 4096,
};

/* The jobs of one kernel: the first ones, then a middle that loses first its partitions, then its single jobs, then
 * the last ones, a ring once it is full. */
struct kernel_jobs {
    char *name;
    size_t first_count, middle_count, middle_uses, last_count, last_oldest;
    struct dv_kept_job **first, **middle, **last;
    struct dv_summed_jobs summed;
};

struct dv_profile {
    /* constant after opening */
    char *path;
    struct dv_file file;
    size_t kept_jobs;
    pid_t process;
    struct dv_profile *next; /* under open_mutex */

    pthread_mutex_t mutex; /* of everything below */
    struct dv_content content;
    size_t kernel_count;
    struct kernel_jobs *kernels;
    bool no_memory; /* something could not be recorded */
};

/* The open profiles of the process: no two on one path. */
static pthread_mutex_t open_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct dv_profile *open_profiles;

/* ---- Opening ---- */

static bool path_taken(const char *path)
{
    for (const struct dv_profile *other = open_profiles; other; other = other->next)
        if (strcmp(other->path, path) == 0)
            return true;
    return false;
}

/* Takes PATH, else PATH.2, PATH.3 ... Under open_mutex. */
static divvy_status take_path(struct dv_profile *profile, const char *path)
{
    char *plain;

    DV_TRY(dv_file_path(path, "profile", &plain));
    profile->path = strdup(plain);
    for (unsigned number = 2; profile->path && path_taken(profile->path); number++) {
        free(profile->path);
        if (asprintf(&profile->path, "%s.%u", plain, number) < 0)
            profile->path = NULL;
    }
    free(plain);
    if (!profile->path)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for a profile");
    return dv_file_open(profile->path, "profile", &profile->file);
}

static void free_profile(struct dv_profile *profile);

divvy_status dv_profile_open(const char *path, size_t kept_jobs, const struct dv_topology *host,
                             struct dv_profile **out_profile)
{
    struct dv_profile *profile = calloc(1, sizeof *profile);

    *out_profile = NULL;
    if (!profile)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for a profile");
    pthread_mutex_init(&profile->mutex, NULL);
    profile->kept_jobs = kept_jobs;
    profile->process = getpid();
    profile->content.host = host;

    dv_fork_guard(&open_mutex);
    pthread_mutex_lock(&open_mutex);
    divvy_status status = take_path(profile, path);
    if (status == DIVVY_OK) {
        profile->next = open_profiles;
        open_profiles = profile;
    }
    pthread_mutex_unlock(&open_mutex);
    if (status) {
        free_profile(profile);
        return status;
    }
    clock_gettime(CLOCK_REALTIME, &profile->content.started);
    profile->content.origin_ns = dv_now_ns();
    *out_profile = profile;
    return DIVVY_OK;
}

/* ---- Devices, events, models ---- */

/* Makes room for one more in the array that the pointer at `array` points to. It has `count` items and grows by
 * doubling, so only at powers of two. */
static bool grow(void *array, size_t count, size_t item_bytes)
{
    void *items;

    if (count & (count - 1))
        return true;
    memcpy(&items, array, sizeof items);
    items = reallocarray(items, count ? 2 * count : 1, item_bytes);
    if (!items)
        return false;
    memcpy(array, &items, sizeof items);
    return true;
}

static char *copy_text(struct dv_profile *profile, const char *text)
{
    char *copy = strdup(text ? text : "");
    if (!copy)
        profile->no_memory = true;
    return copy;
}

unsigned dv_profile_add_device(struct dv_profile *profile, const char *id, const char *backend,
                               const divvy_device_facts *facts, int core)
{
    struct dv_content *content = &profile->content;
    unsigned index = UINT_MAX;

    pthread_mutex_lock(&profile->mutex);
    if (grow(&content->devices, content->device_count, sizeof *content->devices)) {
        index = (unsigned)content->device_count++;
        content->devices[index] = (struct dv_device_record){
            .id = copy_text(profile, id),
            .backend = copy_text(profile, backend),
            .name = copy_text(profile, facts->name),
            .device_class = copy_text(profile, facts->device_class),
            .driver = copy_text(profile, facts->driver),
            .address = copy_text(profile, facts->address),
            .type = facts->type,
            .core = core,
            .cores = facts->cores,
            .units = facts->units,
            .granule = facts->granule,
            .memory_bytes = facts->memory_bytes,
            .staged = facts->staged,
        };
    } else {
        profile->no_memory = true;
    }
    pthread_mutex_unlock(&profile->mutex);
    return index;
}

void dv_profile_set_rates(struct dv_profile *profile, unsigned index, const divvy_rates *rates)
{
    pthread_mutex_lock(&profile->mutex);
    if (index < profile->content.device_count) {
        profile->content.devices[index].opened = true;
        profile->content.devices[index].rates = *rates;
    }
    pthread_mutex_unlock(&profile->mutex);
}

void dv_profile_add_event(struct dv_profile *profile, const char *what, int device, uint64_t job, const char *format,
                          ...)
{
    struct dv_content *content = &profile->content;
    uint64_t now_ns = dv_now_ns();
    char text[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);

    pthread_mutex_lock(&profile->mutex);
    if (content->event_count == EVENTS) {
        content->events_left_out++;
    } else if (grow(&content->events, content->event_count, sizeof *content->events)) {
        content->events[content->event_count++] = (struct dv_event_record){
            .time_ns = now_ns,
            .what = copy_text(profile, what),
            .text = copy_text(profile, text),
            .device = device,
            .job = job,
        };
    } else {
        profile->no_memory = true;
    }
    pthread_mutex_unlock(&profile->mutex);
}

void dv_profile_add_model(struct dv_profile *profile, const struct dv_model_record *model)
{
    struct dv_content *content = &profile->content;

    pthread_mutex_lock(&profile->mutex);
    if (grow(&content->models, content->model_count, sizeof *content->models)) {
        struct dv_model_record *copy = &content->models[content->model_count++];
        *copy = *model;
        copy->kernel = copy_text(profile, model->kernel);
        copy->device_class = copy_text(profile, model->device_class);
    } else {
        profile->no_memory = true;
    }
    pthread_mutex_unlock(&profile->mutex);
}

/* ---- Jobs ---- */

static void drop_partitions(struct dv_kept_job *kept)
{
    free(kept->record.partitions);
    kept->record.partitions = NULL;
    kept->record.partition_count = 0;
    kept->partitions_left_out = 0;
}

static void free_job(struct dv_kept_job *kept)
{
    drop_partitions(kept);
    free(kept);
}

static char *append_text(char **end, const char *text)
{
    char *start = *end;
    *end = stpcpy(start, text) + 1;
    return start;
}

/* A copy of a job: the job, its uses and its strings in one piece. NULL without memory. */
static struct dv_kept_job *copy_job(const struct dv_job_record *job, bool with_partitions)
{
    const char *error = job->error ? job->error : "", *name = job->name ? job->name : job->kernel;
    size_t uses_bytes = job->use_count * sizeof *job->uses;
    size_t text_bytes = strlen(name) + strlen(job->kernel) + strlen(job->schedule) + strlen(error) + 4;
    struct dv_kept_job *kept = malloc(sizeof *kept + uses_bytes + text_bytes);
    if (!kept)
        return NULL;

    *kept = (struct dv_kept_job){.record = *job};
    kept->record.uses = (struct dv_use *)(kept + 1);
    if (uses_bytes)
        memcpy(kept->record.uses, job->uses, uses_bytes);
    char *text = (char *)(kept + 1) + uses_bytes;
    kept->record.name = append_text(&text, name);
    kept->record.kernel = append_text(&text, job->kernel);
    kept->record.schedule = append_text(&text, job->schedule);
    kept->record.error = append_text(&text, error);

    size_t count = !with_partitions                            ? 0
                   : job->partition_count < PARTITIONS_PER_JOB ? job->partition_count
                                                               : PARTITIONS_PER_JOB;
    kept->record.partitions = NULL;
    kept->record.partition_count = count;
    if (count == 0)
        return kept;
    kept->partitions_left_out = job->partition_count - count;
    kept->record.partitions = malloc(count * sizeof *job->partitions);
    if (!kept->record.partitions) {
        free(kept);
        return NULL;
    }
    memcpy(kept->record.partitions, job->partitions, count * sizeof *job->partitions);
    return kept;
}

static struct kernel_jobs *find_kernel(struct dv_profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->kernel_count; i++)
        if (strcmp(profile->kernels[i].name, name) == 0)
            return &profile->kernels[i];

    if (!grow(&profile->kernels, profile->kernel_count, sizeof *profile->kernels))
        return NULL;
    struct kernel_jobs *kernel = &profile->kernels[profile->kernel_count];
    *kernel = (struct kernel_jobs){.name = strdup(name)};
    if (!kernel->name)
        return NULL;
    profile->kernel_count++;
    return kernel;
}

static bool sum_uses(struct dv_summed_jobs *summed, const struct dv_job_record *job, size_t device_count)
{
    if (summed->use_count < device_count) {
        struct dv_summed_use *larger = reallocarray(summed->uses, device_count, sizeof *larger);
        if (!larger)
            return false;
        memset(larger + summed->use_count, 0, (device_count - summed->use_count) * sizeof *larger);
        summed->uses = larger;
        summed->use_count = device_count;
    }
    for (size_t i = 0; i < job->use_count; i++) {
        if (job->uses[i].device >= device_count)
            continue;
        struct dv_summed_use *use = &summed->uses[job->uses[i].device];
        use->partitions += job->uses[i].partitions;
        use->items += job->uses[i].items;
        use->busy_ns += job->uses[i].busy_ns;
    }
    return true;
}

/* Adds a job to the total of its kernel. */
static bool sum_job(struct dv_summed_jobs *summed, const struct dv_job_record *job, size_t device_count)
{
    uint64_t wall_ns = job->end_ns > job->start_ns ? job->end_ns - job->start_ns : 0;

    if (!sum_uses(summed, job, device_count))
        return false;
    if (!summed->jobs || job->start_ns < summed->first_ns)
        summed->first_ns = job->start_ns;
    if (job->end_ns > summed->last_ns)
        summed->last_ns = job->end_ns;
    if (!summed->jobs || wall_ns < summed->min_ns)
        summed->min_ns = wall_ns;
    if (wall_ns > summed->max_ns)
        summed->max_ns = wall_ns;
    summed->jobs++;
    summed->failed += job->status != DIVVY_OK;
    summed->items += job->count;
    summed->wall_ns += wall_ns;
    summed->split_ns += job->split_ns;
    summed->combine_ns += job->combine_ns;
    if (job->bound_basis != DIVVY_BOUND_UNKNOWN) {
        summed->bounded_jobs++;
        summed->bounded_wall_ns += wall_ns;
        summed->bound_ns += job->bound_ns;
    }
    return true;
}

/* A job that is neither among the first nor among the last: kept without its partitions while there is room. */
static bool keep_middle(struct dv_profile *profile, struct kernel_jobs *kernel, struct dv_kept_job *kept)
{
    bool room =
        kernel->middle_count < SUMMARIES_PER_KERNEL && kernel->middle_uses + kept->record.use_count <= USES_PER_KERNEL;

    drop_partitions(kept);
    if (!room) {
        bool summed = sum_job(&kernel->summed, &kept->record, profile->content.device_count);
        free_job(kept);
        return summed;
    }
    if (!grow(&kernel->middle, kernel->middle_count, sizeof *kernel->middle)) {
        free_job(kept);
        return false;
    }
    kernel->middle[kernel->middle_count++] = kept;
    kernel->middle_uses += kept->record.use_count;
    return true;
}

/* Takes the job over. Under the mutex. False without memory. */
static bool keep_job(struct dv_profile *profile, struct dv_kept_job *kept)
{
    struct kernel_jobs *kernel = find_kernel(profile, kept->record.kernel);
    struct dv_kept_job *oldest;

    if (!kernel)
        goto free_job;
    if (profile->kept_jobs == 0)
        return keep_middle(profile, kernel, kept);
    if (kernel->first_count < profile->kept_jobs) {
        if (!grow(&kernel->first, kernel->first_count, sizeof *kernel->first))
            goto free_job;
        kernel->first[kernel->first_count++] = kept;
        return true;
    }
    if (kernel->last_count < profile->kept_jobs) {
        if (!grow(&kernel->last, kernel->last_count, sizeof *kernel->last))
            goto free_job;
        kernel->last[kernel->last_count++] = kept;
        return true;
    }
    oldest = kernel->last[kernel->last_oldest];
    kernel->last[kernel->last_oldest] = kept;
    kernel->last_oldest = (kernel->last_oldest + 1) % kernel->last_count;
    return keep_middle(profile, kernel, oldest);

free_job:
    free_job(kept);
    return false;
}

static void remember_fixed_costs(struct dv_content *content, const struct dv_job_record *job)
{
    for (size_t i = 0; i < job->use_count; i++)
        if (job->uses[i].fixed_ns && job->uses[i].device < content->device_count)
            content->devices[job->uses[i].device].fixed_ns = job->uses[i].fixed_ns;
}

void dv_profile_add_job(struct dv_profile *profile, const struct dv_job_record *job)
{
    struct dv_kept_job *kept = copy_job(job, profile->kept_jobs > 0);

    pthread_mutex_lock(&profile->mutex);
    remember_fixed_costs(&profile->content, job);
    if (!kept || !keep_job(profile, kept))
        profile->no_memory = true;
    pthread_mutex_unlock(&profile->mutex);
}

bool dv_profile_wants_partitions(const struct dv_profile *profile)
{
    /* Any job may turn out to be one of the last. */
    return profile && profile->kept_jobs > 0;
}

/* ---- Closing ---- */

static int by_start(const void *left, const void *right)
{
    const struct dv_job_record *a = &(*(struct dv_kept_job *const *)left)->record;
    const struct dv_job_record *b = &(*(struct dv_kept_job *const *)right)->record;

    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void gather(struct dv_content *content, struct dv_kept_job *const *jobs, size_t count)
{
    if (count)
        memcpy(content->jobs + content->job_count, jobs, count * sizeof *jobs);
    content->job_count += count;
}

/* Lists the jobs of all kernels in the order of their start, and the totals. */
static bool list_jobs(struct dv_profile *profile)
{
    struct dv_content *content = &profile->content;
    size_t count = 0;

    for (size_t i = 0; i < profile->kernel_count; i++)
        count += profile->kernels[i].first_count + profile->kernels[i].middle_count + profile->kernels[i].last_count;
    content->jobs = calloc(count + 1, sizeof *content->jobs);
    content->summed = calloc(profile->kernel_count + 1, sizeof *content->summed);
    if (!content->jobs || !content->summed)
        return false;

    for (size_t i = 0; i < profile->kernel_count; i++) {
        struct kernel_jobs *kernel = &profile->kernels[i];
        gather(content, kernel->first, kernel->first_count);
        gather(content, kernel->middle, kernel->middle_count);
        gather(content, kernel->last, kernel->last_count);
        kernel->summed.kernel = kernel->name;
        if (kernel->summed.jobs)
            content->summed[content->summed_count++] = kernel->summed;
    }
    qsort(content->jobs, content->job_count, sizeof *content->jobs, by_start);
    return true;
}

static divvy_status write_content(struct dv_profile *profile)
{
    profile->content.wall_ns = dv_now_ns() - profile->content.origin_ns;
    if (profile->no_memory || !list_jobs(profile))
        return dv_fail(DIVVY_NO_MEMORY, "cannot write the profile %s: memory ran out while recording", profile->path);
    return dv_json_write(&profile->content, profile->file.stream);
}

static divvy_status write_profile(struct dv_profile *profile)
{
    struct dv_held_signal held;

    dv_file_hold_size_signal(&held);
    divvy_status status = write_content(profile);
    if (status == DIVVY_OK)
        status = dv_file_finish(&profile->file);
    dv_file_drop(&profile->file);
    dv_file_forget_size_signal(&held);
    if (status == DIVVY_OK)
        dv_log(DIVVY_LOG_INFO, "profile", "written to %s", profile->path);
    return status;
}

static void free_jobs(struct dv_kept_job **jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_job(jobs[i]);
    free(jobs);
}

static void free_content(struct dv_content *content)
{
    for (size_t i = 0; i < content->device_count; i++) {
        struct dv_device_record *device = &content->devices[i];
        free(device->id);
        free(device->backend);
        free(device->name);
        free(device->device_class);
        free(device->driver);
        free(device->address);
    }
    for (size_t i = 0; i < content->event_count; i++) {
        free((char *)content->events[i].what);
        free((char *)content->events[i].text);
    }
    for (size_t i = 0; i < content->model_count; i++) {
        free((char *)content->models[i].kernel);
        free((char *)content->models[i].device_class);
    }
    free(content->devices);
    free(content->events);
    free(content->models);
    free(content->jobs);
    free(content->summed);
}

static void free_profile(struct dv_profile *profile)
{
    for (size_t i = 0; i < profile->kernel_count; i++) {
        struct kernel_jobs *kernel = &profile->kernels[i];
        free_jobs(kernel->first, kernel->first_count);
        free_jobs(kernel->middle, kernel->middle_count);
        free_jobs(kernel->last, kernel->last_count);
        free(kernel->summed.uses);
        free(kernel->name);
    }
    free(profile->kernels);
    free_content(&profile->content);
    dv_file_leave(&profile->file);
    free(profile->path);
    pthread_mutex_destroy(&profile->mutex);
    free(profile);
}

static void forget_path(struct dv_profile *profile)
{
    pthread_mutex_lock(&open_mutex);
    for (struct dv_profile **at = &open_profiles; *at; at = &(*at)->next) {
        if (*at == profile) {
            *at = profile->next;
            break;
        }
    }
    pthread_mutex_unlock(&open_mutex);
}

divvy_status dv_profile_end(struct dv_profile *profile)
{
    divvy_status status = DIVVY_OK;

    if (profile->process == getpid()) { /* in a child process the file is still the parent's */
        pthread_mutex_lock(&profile->mutex);
        status = write_profile(profile);
        pthread_mutex_unlock(&profile->mutex);
    }
    forget_path(profile);
    return status;
}

divvy_status dv_profile_close(struct dv_profile *profile)
{
    if (!profile)
        return DIVVY_OK;
    divvy_status status = dv_profile_end(profile);
    free_profile(profile);
    return status;
}
