/* From a call to a job: what the caller hands over is checked and copied. */
#include "schedule/job.h"

#include "base/clock.h"
#include "base/status.h"
#include "schedule/member.h"
#include "schedule/order.h"
#include "schedule/progress.h"
#include "schedule/relay.h"
#include "schedule/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every job of the process has a number. */
static atomic_uint_fast64_t numbers;

/* One argument from the copied argument struct. */
static divvy_status resolve(const struct dv_job *job, unsigned k, const divvy_extent *extent,
                            struct dv_argument *argument)
{
    const divvy_parameter *parameter = &job->kernel->parameters[k];
    char *member = job->copied + parameter->offset;
    *argument = (struct dv_argument){.data = member, .bytes = parameter->element_bytes};
    if (parameter->kind == DIVVY_KIND_value)
        return DIVVY_OK;
    memcpy(&argument->data, member, sizeof argument->data);
    bool single = parameter->kind >= DIVVY_KIND_sum;
    if (!argument->data && (single || job->count))
        return dv_fail(DIVVY_INVALID, "%s: \"%s\" is NULL", job->kernel->name, parameter->name);
    if (single)
        return DIVVY_OK;
    argument->elements = extent->elements;
    argument->radius = extent->radius;
    argument->bytes = 0;
    if (job->count == 0)
        return DIVVY_OK;
    if (extent->elements == 0)
        return dv_fail(DIVVY_INVALID, "%s: the extent of \"%s\" is zero", job->kernel->name, parameter->name);
    bool whole = parameter->kind == DIVVY_KIND_all;
    size_t stride, bytes;
    if (__builtin_mul_overflow(extent->elements, parameter->element_bytes, &stride) ||
        __builtin_mul_overflow(stride, whole ? 1 : job->count, &bytes) || bytes > PTRDIFF_MAX ||
        (uintptr_t)argument->data > UINTPTR_MAX - bytes)
        return dv_fail(DIVVY_INVALID,
                       "%s: \"%s\" would have %zu elements for each of %zu indices: more than memory has",
                       job->kernel->name, parameter->name, extent->elements, whole ? (size_t)1 : job->count);
    argument->stride = whole ? 0 : stride;
    argument->bytes = bytes;
    return DIVVY_OK;
}

/* No written array may overlap another argument. */
static divvy_status check_overlaps(const struct dv_job *job)
{
    const divvy_kernel *kernel = job->kernel;
    for (unsigned a = 0; a < kernel->parameter_count; a++) {
        for (unsigned b = 0; b < kernel->parameter_count; b++) {
            const struct dv_argument *x = &job->arguments[a], *y = &job->arguments[b];
            if (a == b || kernel->parameters[b].kind == DIVVY_KIND_value ||
                !divvy_kind_is_written(kernel->parameters[a].kind))
                continue;
            if ((uintptr_t)x->data < (uintptr_t)y->data + y->bytes &&
                (uintptr_t)y->data < (uintptr_t)x->data + x->bytes)
                return dv_fail(DIVVY_INVALID, "%s: \"%s\", which is written, overlaps \"%s\"", kernel->name,
                               kernel->parameters[a].name, kernel->parameters[b].name);
        }
    }
    return DIVVY_OK;
}

static divvy_status copy_arguments(struct dv_job *job, const void *args, size_t args_size)
{
    if (args_size > job->copied_capacity) {
        char *grown = realloc(job->copied, args_size);
        if (!grown)
            return dv_fail(DIVVY_NO_MEMORY, "%s: no memory for the arguments", job->kernel->name);
        job->copied = grown;
        job->copied_capacity = args_size;
        job->copied_bytes = 0;
    }
    if (job->copied_bytes != args_size || memcmp(job->copied, args, args_size) != 0)
        memcpy(job->copied, args, args_size);
    job->copied_bytes = args_size;
    return DIVVY_OK;
}

static divvy_status resolve_arguments(struct dv_job *job, const void *args, size_t args_size)
{
    const divvy_kernel *kernel = job->kernel;
    DV_TRY(copy_arguments(job, args, args_size));
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    kernel->extents(job->copied, job->count, extents);
    size_t bytes = 0, whole_bytes = 0;
    bool has_folds = false, has_results = false, writes_in_place = false;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        divvy_kind kind = kernel->parameters[k].kind;
        has_folds |= divvy_kind_is_fold(kind);
        has_results |= kind == DIVVY_KIND_result;
        writes_in_place |= kind == DIVVY_KIND_inout;
        struct dv_argument argument;
        DV_TRY(resolve(job, k, &extents[k], &argument));
        bytes += argument.bytes;
        whole_bytes += kind == DIVVY_KIND_all ? argument.bytes : 0;
        if (memcmp(&job->arguments[k], &argument, sizeof argument) != 0)
            job->arguments[k] = argument;
    }
    DV_UPDATE(job->bytes, bytes);
    DV_UPDATE(job->whole_bytes, whole_bytes);
    DV_UPDATE(job->has_folds, has_folds);
    DV_UPDATE(job->has_results, has_results);
    DV_UPDATE(job->writes_in_place, writes_in_place);
    return check_overlaps(job);
}

/* A size that the call asks for, else the one that the context was opened with; -1 is none. */
static size_t size_or(size_t asked, size_t opened)
{
    size_t size = asked ? asked : opened;
    return size == SIZE_MAX ? 0 : size;
}

/* The moment after which nothing starts; 0: there is none, or nobody will see it. */
static uint64_t deadline_after(uint64_t now_ns, uint64_t timeout_ns)
{
    return timeout_ns && timeout_ns < UINT64_MAX - now_ns ? now_ns + timeout_ns : 0;
}

/* What the call asks for beside its arguments; what is not asked for is as opened. The parameter is the schedule's. */
static divvy_status resolve_options(struct dv_job *job, const divvy_call_options *with, const char **out_parameter)
{
    struct dv_crew *crew = job->crew;
    const char *name = with->name ? with->name : job->kernel->name;
    if (strncmp(job->name, name, sizeof job->name - 1) != 0)
        snprintf(job->name, sizeof job->name, "%s", name);
    const struct dv_schedule *schedule = crew->schedule;
    *out_parameter = crew->parameter;
    if (with->schedule)
        DV_TRY(dv_wish_read(crew, with->schedule, &schedule, out_parameter));
    size_t partition = size_or(with->partition, crew->settings.partition);
    size_t first_partition = size_or(with->first_partition, 0);
    if (partition && !schedule->bounded_below)
        schedule = &dv_dynamic; /* a fixed size leaves nothing to a schedule but to hand it out */
    DV_UPDATE(job->partition, partition);
    DV_UPDATE(job->first_partition, first_partition);
    bool reproducible = with->reproducible ? with->reproducible > 0 : crew->settings.reproducible;
    DV_UPDATE(job->reproducible, reproducible);
    DV_UPDATE(job->plan.schedule, schedule);
    DV_UPDATE(job->plan.partition, partition);
    DV_UPDATE(job->plan.first_partition, first_partition);
    DV_UPDATE(job->plan.part_count, 0);
    job->deadline_ns = deadline_after(job->submitted_ns, with->timeout_ns);
    DV_UPDATE(job->on_progress, with->on_progress);
    DV_UPDATE(job->progress_arg, with->progress_arg);
    dv_progress_attach(job);
    return DIVVY_OK;
}

divvy_status dv_job_check_kernel(const divvy_kernel *kernel, size_t args_size)
{
    if (!kernel)
        return dv_fail(DIVVY_INVALID, "the kernel is NULL");
    if (kernel->abi != DIVVY_KERNEL_ABI || kernel->size < sizeof(divvy_kernel))
        return dv_fail(DIVVY_INVALID,
                       "the kernel was built for version %u of divvy/kernel.h, this library has %u: build it anew",
                       kernel->abi, (unsigned)DIVVY_KERNEL_ABI);
    if (args_size < kernel->with_offset)
        return dv_fail(DIVVY_INVALID, "%s: its arguments have %zu bytes, not %zu", kernel->name, args_size,
                       kernel->args_size);
    return DIVVY_OK;
}

/* A zeroed or used object becomes a new job; everything but its arguments and members. */
static void begin(struct dv_job *job, const divvy_kernel *kernel, size_t count, struct dv_job *parent, uint64_t now_ns)
{
    DV_UPDATE(job->kernel, kernel);
    DV_UPDATE(job->count, count);
    DV_UPDATE(job->parent, parent);
    job->id = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    DV_UPDATE(job->prepares, false);
    DV_UPDATE(job->joinable, false);
    job->status = DIVVY_OK;
    job->abandons = job->turned_away = job->eager = false;
    DV_UPDATE_ATOMIC(job->alarm_ns, 0);
    job->awaited_by = NULL;
    job->waits_count = 0;
    job->offers = 0;
    job->future_held = true;
    atomic_store_explicit(&job->submitted_ns, now_ns, memory_order_relaxed);
    job->end_ns = now_ns;
    atomic_store_explicit(&job->references, 1, memory_order_relaxed);
    DV_UPDATE_ATOMIC(job->recalls, 1);
    DV_UPDATE_ATOMIC(job->stopped, false);
    atomic_store_explicit(&job->over, false, memory_order_relaxed);
    atomic_store_explicit(&job->telling, false, memory_order_relaxed);
    atomic_store_explicit(&job->closer, DV_CLOSER_LAST, memory_order_relaxed);
    atomic_store_explicit(&job->told, 0, memory_order_relaxed);
    DV_UPDATE_ATOMIC(job->quiet, false);
    atomic_store_explicit(&job->pending, count, memory_order_relaxed);
    DV_UPDATE(job->keeps_records, job->crew->profile && dv_profile_wants_partitions(job->crew->profile));
    if (parent)
        dv_job_keep(parent);
}

divvy_status dv_job_fail_memory(const divvy_kernel *kernel)
{
    return dv_fail(DIVVY_NO_MEMORY, "%s: no memory for the job", kernel->name);
}

/* The job is over before it began, and tells why. */
static struct dv_job *fail_at_once(struct dv_job *job, divvy_status status)
{
    job->status = status;
    job->error = strdup(dv_error_text());
    job->member_count = 0; /* what is there belongs to an earlier job */
    atomic_store(&job->over, true);
    return job;
}

struct dv_job *dv_job_make_failed(divvy_status status, const char *error)
{
    static struct dv_job no_memory = {.status = DIVVY_NO_MEMORY, .over = true};
    struct dv_job *job = aligned_alloc(64, sizeof *job);
    if (!job)
        return &no_memory; /* shared, and never freed: see dv_job_release */
    memset(job, 0, sizeof *job);
    job->status = status;
    job->error = strdup(error);
    atomic_store(&job->references, 1);
    atomic_store(&job->over, true);
    return job;
}

/* A reproducible job is cut between blocks only. */
static divvy_status begin_blocks(struct dv_job *job)
{
    struct dv_blocks *blocks = &job->blocks;
    if (!blocks->size)
        return DIVVY_OK;
    DV_UPDATE(job->plan.partition, dv_blocks_round(blocks, job->partition, job->count));
    DV_UPDATE(job->first_partition, dv_blocks_round(blocks, job->first_partition, job->count));
    DV_UPDATE(job->plan.first_partition, job->first_partition);
    return dv_blocks_begin(blocks, job->kernel, job->count) ? DIVVY_OK : dv_job_fail_memory(job->kernel);
}

/* Whether the object's next job can be had for the asking if the same call comes again: it is the cores' alone, and of
 * its plan nothing changes while it runs. */
static bool is_repeatable(const struct dv_job *job, const divvy_call_options *with)
{
    const struct dv_schedule *schedule = job->plan.schedule;
    return !with->name && !with->schedule && !with->devices && !schedule->adaptive && !schedule->balances &&
           !schedule->takes && !job->timed && !job->parent && !job->has_folds && !job->has_results &&
           !job->blocks.size && !job->latecomers && job->member_count == job->crew->core_count;
}

static divvy_status set_up(struct dv_job *job, const void *args, size_t args_size, int core)
{
    const divvy_kernel *kernel = job->kernel;
    if (!args)
        return dv_fail(DIVVY_INVALID, "%s: the arguments are NULL", kernel->name);
    const divvy_call_options *with = (const void *)((const char *)args + kernel->with_offset);
    divvy_call_options older;
    if (args_size - kernel->with_offset < sizeof *with) { /* of a program that knew fewer of them */
        memset(&older, 0, sizeof older);
        memcpy(&older, with, args_size - kernel->with_offset);
        with = &older;
    }
    const char *parameter;
    DV_TRY(resolve_options(job, with, &parameter));
    DV_TRY(resolve_arguments(job, args, args_size));
    if (job->parent && dv_order_clashes_with_ancestor(job))
        return dv_fail(DIVVY_INVALID, "%s: submitted inside %s, it touches an array that one of the two writes",
                       kernel->name, job->parent->kernel->name);

    struct dv_plan *plan = &job->plan;
    size_t block = job->reproducible ? dv_blocks_size(job, job->crew->core_count > 0) : 0;
    struct dv_last_call call = {kernel, job->count, plan->schedule,  plan->partition,
                                block,  job->bytes, job->whole_bytes};
    bool simple = !with->devices && !plan->schedule->takes;
    bool again = simple && dv_members_repeat(job, &call), laid_out = again;
    if (again) {
        laid_out = job->models_version == dv_models_version(&job->crew->models);
        dv_members_seat_again(job, core);
    } else {
        memset(&job->last_call, 0, sizeof job->last_call);
        DV_TRY(dv_members_seat(job, with->devices, core));
        if (plan->schedule->takes)
            DV_TRY(dv_wish_grant(job, parameter, with->devices, core));
    }
    if (plan->schedule->balances) {
        dv_balances_find(&job->crew->balances, job);
        laid_out = false;
    }
    DV_TRY(begin_blocks(job));
    job->unclaimed = job->count;
    DV_UPDATE(plan->count, job->count);
    DV_UPDATE(plan->pace_count, job->member_count);
    DV_UPDATE(plan->latecomers, job->latecomers);
    dv_plan_begin(plan);
    if (laid_out) {
        dv_split_rewind(&job->split);
    } else if (!dv_members_lay_out(job)) {
        memset(&job->last_call, 0, sizeof job->last_call);
        return dv_job_fail_memory(kernel);
    }
    DV_UPDATE(job->timed, plan->schedule->adaptive || job->deadline_ns || job->on_progress || job->crew->profile);
    if (simple && !again)
        job->last_call = call;
    job->repeatable = is_repeatable(job, with);
    return DIVVY_OK;
}

/* Whether it comes, down to its arguments and the seat that its caller holds, and nothing was learned meanwhile. */
static bool is_repeated(const struct dv_job *job, const divvy_kernel *kernel, size_t count, const void *args,
                        size_t args_size, const struct dv_job *parent, int core)
{
    return job->repeatable && job->kernel == kernel && job->count == count && !parent && core >= 0 &&
           job->seated_core == core && args && job->copied_bytes == args_size &&
           memcmp(job->copied, args, args_size) == 0 && job->models_version == dv_models_version(&job->crew->models) &&
           job->member_count == atomic_load(&job->crew->unit_count) &&
           (unsigned)atomic_load(&job->alive) == job->member_count;
}

/* Whether the job may be over before its caller, who sits on that core, has done anything for it. */
static bool may_end_without(const struct dv_job *job, int core)
{
    return !job->repeats || !job->plan.schedule->one_each ||
           job->split.homes[job->crew->member_of_core[core]].count == 0;
}

struct dv_job *dv_job_make(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                           size_t args_size, struct dv_job *parent, int core)
{
    struct dv_job *job = dv_job_take(crew);
    if (!job)
        return NULL;
    if (core >= 0)
        dv_relay_recover(job);
    job->repeats = is_repeated(job, kernel, count, args, args_size, parent, core) ? job->id : 0;
    begin(job, kernel, count, parent, may_end_without(job, core) ? dv_now_ns() : 0);
    if (job->repeats) {
        dv_members_rewind(job);
        dv_split_rewind(&job->split);
        return job;
    }
    job->repeatable = false;
    job->seated_core = core;
    if (dv_job_check_kernel(kernel, args_size) != DIVVY_OK) {
        job->kernel = NULL; /* nothing in it can be relied on */
        return fail_at_once(job, DIVVY_INVALID);
    }
    divvy_status status = set_up(job, args, args_size, core);
    return status == DIVVY_OK ? job : fail_at_once(job, status);
}

struct dv_job *dv_job_make_preparing(struct dv_crew *crew, const divvy_kernel *kernel)
{
    struct dv_job *job = dv_job_take(crew);
    if (!job)
        return NULL;
    begin(job, kernel, 0, NULL, dv_now_ns());
    memset(&job->last_call, 0, sizeof job->last_call);
    job->repeatable = false;
    job->repeats = 0;
    job->prepares = true;
    job->keeps_records = job->has_folds = job->has_results = false;
    job->bytes = job->whole_bytes = 0;
    memset(job->arguments, 0, sizeof job->arguments);
    divvy_call_options with = {.name = "prepare", .reproducible = -1}; /* for devices of all kinds */
    const char *parameter;
    divvy_status status = resolve_options(job, &with, &parameter);
    if (status == DIVVY_OK)
        status = dv_members_seat(job, NULL, -1);
    if (status != DIVVY_OK)
        return fail_at_once(job, status);
    /* Cores have nothing to build: they are not waited for, since they may be busy for long. */
    size_t awaited = 0;
    for (unsigned m = 0; m < job->member_count; m++) {
        if (atomic_load(&job->members[m].standing) == DV_OUT)
            continue;
        bool core = m < crew->core_count;
        atomic_store(&job->members[m].standing, core ? DV_WAITING : DV_WANTED);
        awaited += !core;
    }
    job->latecomers = job->joinable = false;
    atomic_store(&job->pending, awaited);
    return job;
}
