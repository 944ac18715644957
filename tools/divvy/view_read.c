#include "view.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sums of as many of these as fit into memory are exact enough and stay finite. */
static const double most = 1e18;

/* What reading may still allocate, and whether that was too little: two bytes of a hostile file can become hundreds in
 * memory. The viewer is one thread. */
static size_t room;
static bool ran_out;

static void *take(size_t bytes)
{
    size_t taken = bytes + 2 * sizeof(void *); /* what malloc keeps beside it */
    void *memory = taken <= room ? malloc(bytes) : NULL;

    if (memory)
        room -= taken;
    else
        ran_out = true;
    return memory;
}

static void *take_zeroed(size_t count, size_t item_bytes)
{
    void *memory = take(count * item_bytes); /* a list is shorter than its file, so this does not overflow */
    return memory ? memset(memory, 0, count * item_bytes) : NULL;
}

static double member_or(const cJSON *object, const char *name, double otherwise)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(value) && value->valuedouble >= 0 ? fmin(value->valuedouble, most) : otherwise;
}

static double number(const cJSON *object, const char *name)
{
    return member_or(object, name, 0);
}

static const char *text(const cJSON *object, const char *name)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return value ? value : "";
}

static bool flag(const cJSON *object, const char *name)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* The list of this name, its length set, and room for it made: one more item than needed, so never nothing. */
static const cJSON *list(const cJSON *object, const char *name, size_t item_bytes, void **out_items)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(object, name), *item;
    size_t count = 1;

    if (!cJSON_IsArray(array))
        array = NULL;
    cJSON_ArrayForEach (item, array)
        count++;
    *out_items = take_zeroed(count, item_bytes);
    return array;
}

/* Index of a device, or `none` if the profile has no such device. */
static size_t device_index(const struct dv_view *view, const cJSON *object, size_t none)
{
    double index = member_or(object, "device", -1);
    return index >= 0 && index < (double)view->device_count ? (size_t)index : none;
}

/* ---- Devices ---- */

static bool read_devices(struct dv_view *view, const cJSON *profile)
{
    void *items;
    const cJSON *array = list(profile, "devices", sizeof *view->devices, &items), *object;

    view->devices = items;
    if (!items)
        return false;
    cJSON_ArrayForEach (object, array)
        view->devices[view->device_count++] = (struct dv_view_device){
            .id = text(object, "id"),
            .name = text(object, "name"),
            .device_class = text(object, "class"),
            .type = text(object, "type"),
            .identity = text(object, "identity"),
            .fixed_ns = number(object, "fixed_ns"),
            .granule = number(object, "granule"),
            .upload_bytes_per_s = number(object, "upload_bytes_per_s"),
            .download_bytes_per_s = number(object, "download_bytes_per_s"),
            .staged = flag(object, "staged"),
        };
    return true;
}

/* ---- Jobs ---- */

const char *const dv_view_losses[DV_LOSSES] = {"launch", "copies", "jit", "repeated", "waiting", "imbalance"};

static void read_losses(struct dv_view_job *job, const cJSON *json)
{
    const cJSON *losses = cJSON_GetObjectItemCaseSensitive(json, "losses");
    for (int k = 0; k < DV_LOSSES; k++) {
        char name[32];
        snprintf(name, sizeof name, "%s_ns", dv_view_losses[k]);
        job->losses_ns[k] = number(losses, name);
    }
}

static int by_device_and_start(const void *left, const void *right)
{
    const struct dv_view_partition *a = left, *b = right;

    if (a->device != b->device)
        return a->device < b->device ? -1 : 1;
    return a->start_ns < b->start_ns ? -1 : a->start_ns > b->start_ns;
}

static bool read_partitions(const struct dv_view *view, struct dv_view_job *job, const cJSON *json)
{
    void *items;
    const cJSON *array = list(json, "partitions", sizeof *job->partitions, &items), *object;

    job->partitions = items;
    if (!items)
        return false;
    cJSON_ArrayForEach (object, array) {
        size_t device = device_index(view, object, view->device_count);
        double start_ns = number(object, "start_ns"), end_ns = number(object, "end_ns");
        if (device == view->device_count || end_ns < start_ns)
            continue;
        job->partitions[job->partition_count++] = (struct dv_view_partition){
            .device = device,
            .first = number(object, "first"),
            .count = number(object, "count"),
            .start_ns = start_ns,
            .end_ns = end_ns,
            .jit_ns = number(object, "jit_ns"),
            .copy_in_ns = number(object, "copy_in_ns"),
            .copy_out_ns = number(object, "copy_out_ns"),
            .accepted = strcmp(text(object, "outcome"), "accepted") == 0,
        };
    }
    qsort(job->partitions, job->partition_count, sizeof *job->partitions, by_device_and_start);
    return true;
}

static int by_device(const void *left, const void *right)
{
    const struct dv_view_use *a = left, *b = right;
    return a->device < b->device ? -1 : a->device > b->device;
}

/* A device has one part in a job: later ones are damage. */
static void drop_repeated(struct dv_view_job *job)
{
    size_t count = 0;

    for (size_t i = 0; i < job->use_count; i++)
        if (count == 0 || job->uses[i].device != job->uses[count - 1].device)
            job->uses[count++] = job->uses[i];
    job->use_count = count;
}

static bool read_uses(const struct dv_view *view, struct dv_view_job *job, const cJSON *json)
{
    void *items;
    const cJSON *summary = cJSON_GetObjectItemCaseSensitive(json, "summary"), *object;
    const cJSON *array = list(summary, "devices", sizeof *job->uses, &items);

    job->uses = items;
    if (!items)
        return false;
    cJSON_ArrayForEach (object, array) {
        size_t device = device_index(view, object, view->device_count);
        if (device == view->device_count)
            continue;
        job->uses[job->use_count++] = (struct dv_view_use){
            .device = device,
            .partitions = number(object, "partitions"),
            .items = number(object, "items"),
            .busy_ns = number(object, "busy_ns"),
            .min_ns = number(object, "min_ns"),
            .avg_ns = number(object, "avg_ns"),
            .max_ns = number(object, "max_ns"),
            .build_ns = number(object, "build_ns"),
            .ready_ns = member_or(object, "ready_ns", -1),
            .ns_per_item = number(object, "ns_per_item"),
            .parked = flag(object, "parked"),
            .retired = flag(object, "retired"),
        };
    }
    qsort(job->uses, job->use_count, sizeof *job->uses, by_device);
    drop_repeated(job);
    return true;
}

static bool read_jobs(struct dv_view *view, const cJSON *profile)
{
    void *items;
    const cJSON *array = list(profile, "jobs", sizeof *view->jobs, &items), *object;

    view->jobs = items;
    if (!items)
        return false;
    cJSON_ArrayForEach (object, array) {
        struct dv_view_job *job = &view->jobs[view->job_count++];
        double start_ns = number(object, "start_ns"), end_ns = number(object, "end_ns");
        *job = (struct dv_view_job){
            .id = number(object, "id"),
            .count = number(object, "count"),
            .block = number(object, "block"),
            .start_ns = start_ns,
            .time_ns = end_ns >= start_ns + 1 ? end_ns - start_ns : 0,
            .split_ns = number(object, "split_ns"),
            .combine_ns = number(object, "combine_ns"),
            .bound_ns = number(object, "bound_ns"),
            .partitions_left_out = number(object, "partitions_left_out"),
            .name = text(object, "name"),
            .kernel = text(object, "kernel"),
            .schedule = text(object, "schedule"),
            .status = text(object, "status"),
            .error = text(object, "error"),
            .bound_basis = text(object, "bound_basis"),
        };
        read_losses(job, object);
        if (!read_uses(view, job, object) || !read_partitions(view, job, object))
            return false;
    }
    return true;
}

/* ---- Kernels: the jobs in all ---- */

/* A kernel without a name comes first. */
static int by_name(const void *left, const void *right)
{
    const char *a = ((const struct dv_view_kernel *)left)->name, *b = ((const struct dv_view_kernel *)right)->name;
    return strcmp(a ? a : "", b ? b : "");
}

static void add_to_kernel(struct dv_view_kernel *kernel, const struct dv_view_kernel *more)
{
    if (more->jobs > 0 && (kernel->jobs == 0 || more->min_ns < kernel->min_ns))
        kernel->min_ns = more->min_ns;
    kernel->max_ns = fmax(kernel->max_ns, more->max_ns);
    kernel->jobs += more->jobs;
    kernel->failed += more->failed;
    kernel->items += more->items;
    kernel->time_ns += more->time_ns;
    kernel->bounded_time_ns += more->bounded_time_ns;
    kernel->bound_ns += more->bound_ns;
}

static struct dv_view_kernel kernel_of_job(const struct dv_view_job *job)
{
    return (struct dv_view_kernel){
        .name = job->kernel,
        .jobs = 1,
        .failed = !job->status || strcmp(job->status, "OK") != 0,
        .items = job->count,
        .time_ns = job->time_ns,
        .min_ns = job->time_ns,
        .max_ns = job->time_ns,
        .bounded_time_ns = job->bound_ns > 0 ? job->time_ns : 0,
        .bound_ns = job->bound_ns,
    };
}

static struct dv_view_kernel kernel_of_sum(const cJSON *object)
{
    return (struct dv_view_kernel){
        .name = text(object, "kernel"),
        .jobs = number(object, "jobs"),
        .failed = number(object, "failed"),
        .items = number(object, "items"),
        .time_ns = number(object, "wall_ns"),
        .min_ns = number(object, "min_ns"),
        .max_ns = number(object, "max_ns"),
        .bounded_time_ns = number(object, "bounded_wall_ns"),
        .bound_ns = number(object, "bound_ns"),
    };
}

/* One entry for each job and each sum, sorted by name, then those of one name made one. */
static bool sum_kernels(struct dv_view *view, const cJSON *profile)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(profile, "jobs_summed"), *object;
    size_t count = 0, sums = cJSON_IsArray(array) ? (size_t)cJSON_GetArraySize(array) : 0;
    struct dv_view_kernel *kernels = view->kernels = take_zeroed(view->job_count + sums + 1, sizeof *kernels);

    if (!kernels)
        return false;
    if (sums == 0)
        array = NULL;

    for (size_t i = 0; i < view->job_count; i++)
        kernels[count++] = kernel_of_job(&view->jobs[i]);
    cJSON_ArrayForEach (object, array)
        kernels[count++] = kernel_of_sum(object);
    qsort(kernels, count, sizeof *kernels, by_name);

    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(kernels[view->kernel_count - 1].name, kernels[i].name) != 0)
            kernels[view->kernel_count++] = kernels[i];
        else
            add_to_kernel(&kernels[view->kernel_count - 1], &kernels[i]);
    }
    for (size_t i = 0; i < view->job_count; i++) {
        struct dv_view_kernel key = {.name = view->jobs[i].kernel};
        view->jobs[i].of = bsearch(&key, kernels, view->kernel_count, sizeof *kernels, by_name);
    }
    return true;
}

/* ---- Events and models ---- */

static int by_job_and_time(const void *left, const void *right)
{
    const struct dv_view_event *a = left, *b = right;

    if (a->job != b->job)
        return a->job < b->job ? -1 : 1;
    return a->time_ns < b->time_ns ? -1 : a->time_ns > b->time_ns;
}

static bool read_events(struct dv_view *view, const cJSON *profile)
{
    void *items;
    const cJSON *array = list(profile, "events", sizeof *view->events, &items), *object;

    view->events = items;
    if (!items)
        return false;
    cJSON_ArrayForEach (object, array) {
        size_t device = device_index(view, object, view->device_count);
        view->events[view->event_count++] = (struct dv_view_event){
            .time_ns = number(object, "time_ns"),
            .job = number(object, "job"),
            .what = text(object, "what"),
            .text = text(object, "text"),
            .device = device < view->device_count ? &view->devices[device] : NULL,
        };
    }
    qsort(view->events, view->event_count, sizeof *view->events, by_job_and_time);
    view->events_left_out = number(profile, "events_left_out");
    return true;
}

static bool read_models(struct dv_view *view, const cJSON *profile)
{
    void *items;
    const cJSON *array = list(profile, "models", sizeof *view->models, &items), *object;

    view->models = items;
    if (!items)
        return false;
    cJSON_ArrayForEach (object, array)
        view->models[view->model_count++] = (struct dv_view_model){
            .kernel = text(object, "kernel"),
            .device_class = text(object, "class"),
            .state = text(object, "state"),
            .size_class = number(object, "size_class"),
            .fixed_ns = number(object, "fixed_ns"),
            .ns_per_item = number(object, "ns_per_item"),
            .uncertainty = number(object, "uncertainty"),
            .samples = number(object, "samples"),
            .partition = number(object, "partition"),
        };
    return true;
}

/* ---- The whole ---- */

static void read_head(struct dv_view *view, const cJSON *profile)
{
    const cJSON *host = cJSON_GetObjectItemCaseSensitive(profile, "host");
    const cJSON *cores = cJSON_GetObjectItemCaseSensitive(host, "cores");

    view->program = text(profile, "program");
    view->started = text(profile, "started");
    view->wall_ns = number(profile, "wall_ns");
    view->host = text(host, "name");
    view->model = text(host, "model");
    view->cores = cJSON_IsArray(cores) ? cJSON_GetArraySize(cores) : 0;
    view->machine_cores = number(host, "machine_cores");
    view->numa = number(host, "numa");
    view->quota = number(host, "quota");
    view->memory_bytes = number(host, "memory_bytes");
}

static bool check_format(const cJSON *profile, const char *path, char *problem, size_t problem_size)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(profile, "divvy_profile");

    if (!cJSON_IsNumber(format))
        snprintf(problem, problem_size, "%s is not a divvy profile: it has no \"divvy_profile\"", path);
    else if (format->valuedouble != 1)
        snprintf(problem, problem_size, "%s is a profile of format %g: this program reads format 1", path,
                 format->valuedouble);
    else
        return true;
    return false;
}

static bool read_all(struct dv_view *view, const cJSON *profile)
{
    read_head(view, profile);
    return read_devices(view, profile) && read_jobs(view, profile) && sum_kernels(view, profile) &&
           read_events(view, profile) && read_models(view, profile);
}

bool dv_view_parse(const char *bytes, size_t length, size_t memory, const char *name, struct dv_view *out_view,
                   char *problem, size_t problem_size)
{
    const char *end = NULL;

    room = memory;
    ran_out = false;
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = take, .free_fn = free});
    *out_view = (struct dv_view){.json = cJSON_ParseWithLengthOpts(bytes, length, &end, false)};
    cJSON_InitHooks(NULL);
    size_t damaged_at = end && end >= bytes ? (size_t)(end - bytes) : 0;
    if (!out_view->json && length == 0)
        snprintf(problem, problem_size, "%s is empty", name);
    else if (!out_view->json && !ran_out)
        snprintf(problem, problem_size, "%s is not a whole profile: its JSON breaks off or is damaged at byte %zu",
                 name, damaged_at);
    else if (out_view->json && !check_format(out_view->json, name, problem, problem_size))
        dv_view_free(out_view);
    else if (out_view->json && read_all(out_view, out_view->json))
        return true;
    else
        snprintf(problem, problem_size, "cannot read %s: it takes more memory than the %s that there are for it", name,
                 dv_memory((double)memory).text);
    dv_view_free(out_view);
    return false;
}

void dv_view_free(struct dv_view *view)
{
    for (size_t i = 0; i < view->job_count; i++) {
        free(view->jobs[i].uses);
        free(view->jobs[i].partitions);
    }
    free(view->devices);
    free(view->jobs);
    free(view->kernels);
    free(view->events);
    free(view->models);
    cJSON_Delete(view->json);
    *view = (struct dv_view){0};
}

double dv_view_efficiency(double bound_ns, double time_ns)
{
    return time_ns > 0 ? bound_ns / time_ns : 0;
}

double dv_view_share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

double dv_view_rate(double items, double busy_ns)
{
    return busy_ns > 0 ? items * 1e9 / busy_ns : 0;
}

bool dv_view_chosen(const struct dv_view_choice *choice, const struct dv_view_job *job)
{
    char *end;

    if (!choice->job)
        return true;
    double id = strtod(choice->job, &end);
    bool is_number = end != choice->job && *end == 0;
    return (is_number && id == job->id) || strcmp(choice->job, job->name) == 0 || strcmp(choice->job, job->kernel) == 0;
}
