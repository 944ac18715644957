/* The public functions: they check what the caller hands over, find the context, and call the modules. */
#include <divvy.h>

#include "base/ending.h"
#include "base/log.h"
#include "base/status.h"
#include "flow/future.h"
#include "flow/last.h"
#include "schedule/pool.h"
#include "schedule/worker.h"

#include <stdlib.h>
#include <string.h>

struct divvy {
    struct dv_crew crew;
    uint64_t number;      /* no other context has it */
    unsigned generation;  /* of forks, when it was opened */
    divvy_status failure; /* why it could not be opened */
    char *failure_text;
    divvy *next_left; /* of those that were left behind */
};

/* The default context, and the process it belongs to. */
static pthread_mutex_t default_mutex = PTHREAD_MUTEX_INITIALIZER;
static divvy *default_context;

/* Contexts that a worker which hangs still uses: never freed, but known. Under the same mutex. */
static divvy *left_behind;

/* What divvy_open sets where there is no memory for a context. */
static divvy no_memory = {.failure = DIVVY_NO_MEMORY};

/* ---- fork ---- */

static void forget_parent(void)
{
    dv_pool_forked();
    dv_registry_forked();
    dv_ending_forked();
    default_context = NULL; /* its memory is the parent's affair */
    pthread_mutex_init(&default_mutex, NULL);
    *dv_here() = (struct dv_here){0};
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_parent);
}

/* ---- Context ---- */

static divvy *open_context(const divvy_options *options)
{
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    static atomic_uint_fast64_t numbers;
    pthread_once(&watched, watch_forks);
    divvy *dv = calloc(1, sizeof *dv);
    if (!dv) {
        dv_fail(DIVVY_NO_MEMORY, "no memory for a context");
        return &no_memory;
    }
    dv->number = atomic_fetch_add(&numbers, 1) + 1;
    struct dv_settings settings;
    dv->failure = dv_settings_read(options, &settings);
    if (dv->failure == DIVVY_OK) {
        dv_log_set_level(settings.log);
        dv_ending_guard();
        dv->failure = dv_crew_open(&settings, &dv->crew);
        dv->generation = dv_pool.generation;
        if (dv->failure != DIVVY_OK) {
            dv->failure_text = strdup(dv_error_text());
            dv_crew_close(&dv->crew);
            dv_error_set(dv->failure_text ? dv->failure_text : "");
        }
    } else {
        dv->failure_text = strdup(dv_error_text());
        dv->generation = dv_pool.generation;
    }
    return dv;
}

divvy_status divvy_open_sized(divvy **out_dv, const divvy_options *options, size_t options_size)
{
    if (!out_dv)
        return dv_fail(DIVVY_INVALID, "divvy_open: there is nowhere to put the context");
    divvy_options known = {0};
    if (options)
        memcpy(&known, options, options_size < sizeof known ? options_size : sizeof known);
    *out_dv = open_context(&known);
    return (*out_dv)->failure;
}

static void close_context(divvy *dv)
{
    if (!dv || dv == &no_memory)
        return;
    bool opened_here = dv->generation == dv_pool.generation;
    bool whole = true;
    if (opened_here && dv->failure == DIVVY_OK)
        whole = dv_crew_close(&dv->crew);
    free(dv->failure_text);
    dv->failure_text = NULL;
    if (whole) {
        free(dv);
        return;
    }
    pthread_mutex_lock(&default_mutex);
    dv->next_left = left_behind;
    left_behind = dv;
    pthread_mutex_unlock(&default_mutex);
}

static divvy *take_default(void)
{
    pthread_mutex_lock(&default_mutex);
    divvy *dv = default_context;
    default_context = NULL;
    pthread_mutex_unlock(&default_mutex);
    return dv;
}

static void close_default_at_exit(void)
{
    close_context(take_default());
    dv_ending_wait(); /* for what its last jobs began */
}

static divvy *default_or(divvy *dv)
{
    if (dv)
        return dv;
    static bool at_exit;
    pthread_mutex_lock(&default_mutex);
    if (!default_context) {
        default_context = open_context(NULL);
        if (!at_exit)
            atexit(close_default_at_exit);
        at_exit = true;
    }
    dv = default_context;
    pthread_mutex_unlock(&default_mutex);
    return dv;
}

void divvy_close(divvy *dv)
{
    if (dv_here()->telling || dv_here()->job) {
        dv_log(DIVVY_LOG_WARN, "divvy", "divvy_close was called inside a kernel or callback, and ignored");
        return;
    }
    close_context(dv ? dv : take_default());
}

/* Whether a context can take jobs in this process. */
static divvy_status check_usable(const divvy *dv)
{
    if (dv->failure != DIVVY_OK) {
        dv_error_set(dv->failure_text ? dv->failure_text : "no memory for a context");
        return dv->failure;
    }
    if (dv->generation != dv_pool.generation)
        return dv_fail(DIVVY_INVALID, "the context was opened before fork");
    return DIVVY_OK;
}

/* ---- Running ---- */

/* The status and the error text of a job that is over reach this thread; the job is let go. */
static divvy_status collect(struct dv_job *job)
{
    divvy_status status = job->status;
    if (status != DIVVY_OK)
        dv_error_set(job->error ? job->error : "no memory to tell why");
    job->future_held = false;
    dv_job_release(job);
    return status;
}

divvy_status divvy_run_kernel(divvy *dv, const divvy_kernel *kernel, size_t count, const void *args, size_t args_size)
{
    dv = default_or(dv);
    DV_TRY(check_usable(dv));
    if (dv_here()->telling)
        return dv_fail(DIVVY_INVALID, "divvy_run inside a callback: it may submit, not wait");
    struct dv_job *job = dv_future_run(&dv->crew, kernel, count, args, args_size);
    dv_last_remember(dv->number, job);
    return collect(job);
}

divvy_future *divvy_submit_kernel(divvy *dv, const divvy_kernel *kernel, size_t count, const void *args,
                                  size_t args_size)
{
    char before[DV_ERROR_BYTES]; /* what is wrong is told by waiting: this call does not fail */
    memcpy(before, dv_error_text(), strlen(dv_error_text()) + 1);
    dv = default_or(dv);
    divvy_status status = check_usable(dv);
    if (status != DIVVY_OK) {
        struct dv_job *failed = dv_job_make_failed(status, dv_error_text());
        dv_error_set(before);
        return (divvy_future *)failed;
    }
    struct dv_job *job = dv_future_submit(&dv->crew, kernel, count, args, args_size);
    job->context = dv->number;
    dv_error_set(before);
    return (divvy_future *)job;
}

divvy_status divvy_wait(divvy_future *future)
{
    if (!future)
        return dv_fail(DIVVY_INVALID, "divvy_wait: the future is NULL");
    if (dv_here()->telling)
        return dv_fail(DIVVY_INVALID, "divvy_wait inside a callback: it may submit, not wait");
    struct dv_job *job = (struct dv_job *)future;
    if (job->crew)
        DV_TRY(check_usable((divvy *)((char *)job->crew - offsetof(divvy, crew))));
    dv_future_wait(job);
    if (job->crew)
        dv_last_remember(job->context, job);
    return collect(job);
}

/* Every backend shall be probed. One that cannot be was told by the registry: the caller's call does not fail. */
static void probe_all(divvy *dv)
{
    char before[DV_ERROR_BYTES];
    memcpy(before, dv_error_text(), strlen(dv_error_text()) + 1);
    if (dv_crew_probe(&dv->crew) != DIVVY_OK)
        dv_log(DIVVY_LOG_INFO, "divvy", "a backend could not be probed: %s", dv_error_text());
    dv_error_set(before);
}

divvy_status divvy_prepare_kernel(divvy *dv, const divvy_kernel *kernel)
{
    dv = default_or(dv);
    DV_TRY(check_usable(dv));
    DV_TRY(dv_job_check_kernel(kernel, kernel ? kernel->args_size : 0));
    if (dv_here()->telling)
        return dv_fail(DIVVY_INVALID, "divvy_prepare inside a callback: it may submit, not wait");
    probe_all(dv);
    return collect(dv_future_prepare(&dv->crew, kernel));
}

void divvy_fail(divvy_status status, const char *text)
{
    struct dv_here *here = dv_here();
    if (!here->job || here->telling || here->failed)
        return;
    here->failed = true;
    here->failure = status == DIVVY_OK ? DIVVY_KERNEL_FAILED : status;
    here->failure_text = strdup(text ? text : "a host kernel failed");
}

/* ---- Queries ---- */

size_t divvy_device_count(divvy *dv)
{
    dv = default_or(dv);
    if (check_usable(dv) != DIVVY_OK)
        return 0;
    probe_all(dv);
    return atomic_load(&dv->crew.unit_count);
}

divvy_status divvy_device_at_sized(divvy *dv, size_t index, divvy_device *out_device, size_t device_size)
{
    dv = default_or(dv);
    DV_TRY(check_usable(dv));
    if (index >= divvy_device_count(dv))
        return dv_fail(DIVVY_NOT_FOUND, "there is no device %zu, but %zu of them", index, divvy_device_count(dv));
    struct dv_unit *unit = dv->crew.units[index];
    divvy_device device = {
        .id = unit->id,
        .name = unit->facts.name,
        .backend = unit->found->plugin->name,
        .device_class = unit->device_class,
        .driver = unit->facts.driver,
        .type = unit->facts.type,
        .cores = unit->facts.cores,
        .granule = unit->facts.granule ? unit->facts.granule : 1,
        .memory_bytes = unit->facts.memory_bytes,
        .staged = unit->facts.staged,
        .retired = dv_unit_is_retired(unit),
    };
    memcpy(out_device, &device, device_size < sizeof device ? device_size : sizeof device);
    return DIVVY_OK;
}

size_t divvy_partition_for(double fixed_ns, double per_item_ns, double efficiency)
{
    return dv_partition_for(fixed_ns, per_item_ns, efficiency);
}

const divvy_report *divvy_last(divvy *dv)
{
    dv = default_or(dv);
    return check_usable(dv) == DIVVY_OK ? dv_last_report(dv->number) : NULL;
}
