#include "schedule/job.h"

#include "base/clock.h"
#include "base/status.h"
#include "machine/fold.h"
#include "schedule/combine.h"
#include "schedule/order.h"
#include "schedule/pool.h"
#include "schedule/progress.h"

#include <stdlib.h>
#include <string.h>

/* Every job of the process has a number. */
static atomic_uint_fast64_t numbers;

/* Shorter times tell of the clock and the caches, not of the kernel. */
static const uint64_t LEARN_LEAST_NS = 20000;

/* ---- Making ---- */

/* A job object that was used before, or a new one. */
static struct dv_job *take_spare(struct dv_crew *crew)
{
    struct dv_job *job = atomic_exchange_explicit(&crew->handy, NULL, memory_order_acquire);
    if (job)
        return job;
    pthread_mutex_lock(&dv_pool.mutex);
    job = crew->spare;
    if (job)
        crew->spare = job->next_spare;
    pthread_mutex_unlock(&dv_pool.mutex);
    if (job)
        return job;
    job = aligned_alloc(64, sizeof *job);
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job);
    dv_split_init(&job->split);
    pthread_mutex_init(&job->mutex, NULL);
    job->crew = crew;
    pthread_mutex_lock(&dv_pool.mutex);
    job->next_made = crew->made;
    crew->made = job;
    pthread_mutex_unlock(&dv_pool.mutex);
    return job;
}

/* Members, paces and rates for every unit of the crew, and for those that may join. */
static bool reserve_members(struct dv_job *job, unsigned capacity)
{
    if (capacity <= job->member_capacity)
        return true;
    for (unsigned m = 0; m < job->member_capacity; m++)
        free(job->members[m].records);
    free(job->members);
    free(job->plan.paces);
    free(job->plan.rates);
    job->members = aligned_alloc(64, capacity * sizeof *job->members);
    job->plan.paces = calloc(capacity, sizeof *job->plan.paces);
    job->plan.rates = calloc(capacity, sizeof *job->plan.rates);
    bool done = job->members && job->plan.paces && job->plan.rates;
    job->member_capacity = done ? capacity : 0;
    if (done)
        memset(job->members, 0, capacity * sizeof *job->members);
    return done;
}

size_t dv_job_cap(const struct dv_job *job, const struct dv_unit *unit)
{
    if (!unit->facts.max_slice_bytes && !unit->facts.memory_bytes)
        return 0;
    size_t widest = 0, per_item = 0, whole = 0;
    for (unsigned k = 0; k < job->kernel->parameter_count; k++) {
        const struct dv_argument *argument = &job->arguments[k];
        if (argument->stride > widest)
            widest = argument->stride;
        per_item += argument->stride;
        if (job->kernel->parameters[k].kind == DIVVY_KIND_all)
            whole += argument->bytes;
    }
    size_t cap = SIZE_MAX;
    if (widest && unit->facts.max_slice_bytes)
        cap = unit->facts.max_slice_bytes / widest;
    if (per_item && unit->facts.memory_bytes) {
        /* Three quarters of what is there, shared by the partitions in flight. */
        uint64_t room = unit->facts.memory_bytes / 4 * 3;
        size_t fits = room > whole ? (room - whole) / unit->facts.depth / per_item : 0;
        cap = fits < cap ? fits : cap;
    }
    return cap ? cap : 1;
}

void dv_job_seat_member(struct dv_job *job, unsigned m, struct dv_unit *unit, enum dv_standing standing)
{
    struct dv_member *member = &job->members[m];
    struct dv_partition_record *records = member->records;
    size_t capacity = member->record_capacity;
    memset(member, 0, sizeof *member);
    member->unit = unit;
    member->records = records;
    member->record_capacity = capacity;
    atomic_init(&member->standing, standing);
    atomic_init(&member->attended, unit->core < 0 || dv_pool_has_worker(unit->core));
    for (unsigned k = 0; job->has_folds && k < job->kernel->parameter_count; k++)
        dv_fold_identity(&job->kernel->parameters[k], &member->partials[k]);

    unsigned class = job->crew->class_of[m];
    struct dv_pace *pace = &job->plan.paces[m];
    struct dv_rate *rate = &job->plan.rates[class];
    *pace = (struct dv_pace){.rate = class, .core = unit->core >= 0, .granule = unit->facts.granule,
                             .cap = dv_job_cap(job, unit), .correction = 1};
    if (pace->granule == 0)
        pace->granule = 1;
    if (class >= job->plan.rate_count) {
        *rate = dv_models_find(&job->crew->models, job->kernel, unit->device_class, job->count);
        job->plan.rate_count = class + 1;
    }
    pace->learning = rate->ns_per_item <= 0;
}

/* Which members there are and how each stands. */
static divvy_status seat_members(struct dv_job *job, const char *devices)
{
    struct dv_crew *crew = job->crew;
    struct dv_filter filter = {0};
    if (devices)
        DV_TRY(dv_filter_read(devices, &filter));
    bool at_once = !job->plan.schedule->adaptive || job->plan.schedule == &dv_guided || crew->core_count == 0;
    bool host_only = (job->kernel->flags & DIVVY_KERNEL_HOST) != 0;
    int alive = 0;
    job->plan.rate_count = 0;
    job->latecomers = !host_only && atomic_load(&crew->unprobed) > 0;
    for (unsigned m = 0; m < job->member_count; m++) {
        struct dv_unit *unit = crew->units[m];
        const struct dv_filter_item *item =
            dv_filter_match(&filter, unit->found->plugin->name, unit->found->index, unit->facts.name);
        bool out = !item || dv_unit_is_retired(unit) || (host_only && unit->core < 0);
        enum dv_standing standing = out ? DV_OUT : unit->core >= 0 || at_once || dv_unit_has(unit, job->kernel) ? DV_WANTED
                                                                                                  : DV_WAITING;
        dv_job_seat_member(job, m, unit, standing);
        alive += !out;
        job->latecomers = job->latecomers || standing == DV_WAITING;
    }
    dv_filter_free(&filter);
    atomic_store(&job->alive, alive);
    if (alive == 0)
        return dv_fail(DIVVY_NO_DEVICE, "%s: no device is left to run it%s%s%s", job->kernel->name,
                       devices ? ": none passes the filter \"" : "", devices ? devices : "", devices ? "\"" : "");
    if (devices && job->latecomers) { /* without a core among them there is nothing to wait beside */
        bool cores = false;
        for (unsigned m = 0; m < crew->core_count; m++)
            cores = cores || atomic_load(&job->members[m].standing) != DV_OUT;
        for (unsigned m = 0; !cores && m < job->member_count; m++)
            if (atomic_load(&job->members[m].standing) == DV_WAITING)
                atomic_store(&job->members[m].standing, DV_WANTED);
    }
    return DIVVY_OK;
}

static bool is_written(divvy_kind kind)
{
    return kind >= DIVVY_KIND_sum || kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout;
}

/* One argument from the copied argument struct. */
static divvy_status resolve(struct dv_job *job, unsigned k, const divvy_extent *extent)
{
    const divvy_parameter *parameter = &job->kernel->parameters[k];
    struct dv_argument *argument = &job->arguments[k];
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
        return dv_fail(DIVVY_INVALID, "%s: \"%s\" would have %zu elements for each of %zu indices: more than memory has",
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
            if (a == b || kernel->parameters[b].kind == DIVVY_KIND_value || !is_written(kernel->parameters[a].kind))
                continue;
            if ((uintptr_t)x->data < (uintptr_t)y->data + y->bytes && (uintptr_t)y->data < (uintptr_t)x->data + x->bytes)
                return dv_fail(DIVVY_INVALID, "%s: \"%s\", which is written, overlaps \"%s\"", kernel->name,
                               kernel->parameters[a].name, kernel->parameters[b].name);
        }
    }
    return DIVVY_OK;
}

static divvy_status resolve_arguments(struct dv_job *job, const void *args, size_t args_size)
{
    const divvy_kernel *kernel = job->kernel;
    if (args_size > job->copied_capacity) {
        char *grown = realloc(job->copied, args_size);
        if (!grown)
            return dv_fail(DIVVY_NO_MEMORY, "%s: no memory for the arguments", kernel->name);
        job->copied = grown;
        job->copied_capacity = args_size;
    }
    memcpy(job->copied, args, args_size);
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    kernel->extents(job->copied, job->count, extents);
    job->has_folds = job->has_results = job->writes_in_place = false;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        divvy_kind kind = kernel->parameters[k].kind;
        job->has_folds |= kind == DIVVY_KIND_sum || kind == DIVVY_KIND_min || kind == DIVVY_KIND_max;
        job->has_results |= kind == DIVVY_KIND_result;
        job->writes_in_place |= kind == DIVVY_KIND_inout;
        DV_TRY(resolve(job, k, &extents[k]));
    }
    return check_overlaps(job);
}

/* What the call asks for beside its arguments; what is not asked for is as opened. */
static divvy_status resolve_options(struct dv_job *job, const divvy_call_options *with)
{
    struct dv_crew *crew = job->crew;
    const char *name = with->name ? with->name : job->kernel->name;
    size_t length = strnlen(name, sizeof job->name - 1);
    memcpy(job->name, name, length);
    job->name[length] = 0;
    job->plan.schedule = crew->schedule;
    if (with->schedule)
        DV_TRY(dv_schedule_find(with->schedule, &job->plan.schedule));
    job->partition = with->partition ? with->partition : crew->settings.partition;
    job->first_partition = with->first_partition;
    if (job->partition && job->plan.schedule != &dv_guided)
        job->plan.schedule = &dv_dynamic; /* a fixed size leaves nothing to a schedule but to hand it out */
    job->plan.partition = job->partition;
    job->plan.first_partition = job->first_partition;
    job->deadline_ns = with->timeout_ns ? job->submitted_ns + with->timeout_ns : 0;
    job->on_progress = with->on_progress;
    job->progress_arg = with->progress_arg;
    dv_progress_attach(job);
    return DIVVY_OK;
}

static divvy_status check_kernel(const divvy_kernel *kernel, size_t args_size)
{
    if (!kernel)
        return dv_fail(DIVVY_INVALID, "the kernel is NULL");
    if (kernel->abi != DIVVY_KERNEL_ABI || kernel->size < sizeof(divvy_kernel))
        return dv_fail(DIVVY_INVALID, "the kernel was built for version %u of divvy/kernel.h, this library has %u: build it anew",
                       kernel->abi, (unsigned)DIVVY_KERNEL_ABI);
    if (args_size < kernel->with_offset)
        return dv_fail(DIVVY_INVALID, "%s: its arguments have %zu bytes, not %zu", kernel->name, args_size, kernel->args_size);
    return DIVVY_OK;
}

/* A zeroed or used object becomes a new job; everything but its arguments and members. */
static void begin(struct dv_job *job, const divvy_kernel *kernel, size_t count, struct dv_job *parent)
{
    job->kernel = kernel;
    job->count = count;
    job->id = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    job->parent = parent;
    job->prepares = false;
    job->status = DIVVY_OK;
    job->abandons = false;
    job->waits_count = 0;
    job->future_held = true;
    job->submitted_ns = dv_now_ns();
    job->end_ns = 0;
    atomic_store_explicit(&job->references, 1, memory_order_relaxed);
    atomic_store_explicit(&job->recalls, 1, memory_order_relaxed);
    atomic_store_explicit(&job->stopped, false, memory_order_relaxed);
    atomic_store_explicit(&job->over, false, memory_order_relaxed);
    atomic_store_explicit(&job->telling, false, memory_order_relaxed);
    atomic_store_explicit(&job->closer, DV_CLOSER_LAST, memory_order_relaxed);
    atomic_store_explicit(&job->told, 0, memory_order_relaxed);
    atomic_store_explicit(&job->quiet, false, memory_order_relaxed);
    atomic_store_explicit(&job->pending, count, memory_order_relaxed);
    job->keeps_records = job->crew->profile && dv_profile_wants_partitions(job->crew->profile);
    if (parent)
        dv_job_keep(parent);
}

static divvy_status fail_memory(const divvy_kernel *kernel)
{
    return dv_fail(DIVVY_NO_MEMORY, "%s: no memory for the job", kernel->name);
}

/* The job is over before it began, and tells why. */
static struct dv_job *fail_at_once(struct dv_job *job, divvy_status status)
{
    job->status = status;
    job->error = strdup(dv_error_text());
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

static bool lay_out(struct dv_job *job)
{
    struct dv_plan *plan = &job->plan;
    size_t few[64], *sizes = job->member_count <= 64 ? few : malloc(job->member_count * sizeof *sizes);
    if (!sizes)
        return false;
    plan->schedule->lay_out(plan, sizes);
    bool done = dv_split_lay_out(&job->split, job->count, job->member_count, sizes);
    if (sizes != few)
        free(sizes);
    return done;
}

/* Members and rates for this job, from nothing. */
static divvy_status seat_anew(struct dv_job *job, const char *devices)
{
    struct dv_crew *crew = job->crew;
    unsigned joining = atomic_load(&crew->unprobed) ? DV_JOIN_MAX : 0;
    job->member_count = atomic_load(&crew->unit_count);
    job->models_version = dv_models_version(&crew->models);
    if (!reserve_members(job, job->member_count + joining))
        return fail_memory(job->kernel);
    return seat_members(job, devices);
}

/* Whether the object's last job was the same call on the same devices, so that its members may stay: what most
 * calls in a loop are. */
static bool repeats(const struct dv_job *job, const struct dv_last_call *call)
{
    return memcmp(&job->last_call, call, sizeof *call) == 0 && job->member_count == atomic_load(&job->crew->unit_count) &&
           (unsigned)atomic_load(&job->alive) == job->member_count;
}

/* The members of a call that repeats: what they have counted is forgotten, and what others have learned is heard. */
static void seat_again(struct dv_job *job)
{
    unsigned version = dv_models_version(&job->crew->models);
    bool news = version != job->models_version;
    job->models_version = version;
    for (unsigned m = 0; m < job->member_count; m++) {
        struct dv_member *member = &job->members[m];
        member->partitions = member->items = member->busy_ns = member->min_ns = member->max_ns = member->build_ns = 0;
        atomic_store_explicit(&member->split_ns, 0, memory_order_relaxed);
        atomic_store_explicit(&member->combine_ns, 0, memory_order_relaxed);
        member->started = false;
        member->record_count = 0;
        member->ready_ns = atomic_load(&member->standing) == DV_READY ? job->submitted_ns : 0;
        atomic_store_explicit(&member->idle_at, 0, memory_order_relaxed);
        atomic_store_explicit(&member->attended, member->unit->core < 0 || dv_pool_has_worker(member->unit->core),
                              memory_order_relaxed);
        for (unsigned k = 0; job->has_folds && k < job->kernel->parameter_count; k++)
            dv_fold_identity(&job->kernel->parameters[k], &member->partials[k]);
        unsigned rate = job->plan.paces[m].rate;
        if (news && (m == 0 || job->plan.paces[m - 1].rate != rate))
            job->plan.rates[rate] =
                dv_models_find(&job->crew->models, job->kernel, member->unit->device_class, job->count);
        job->plan.paces[m].cap = dv_job_cap(job, member->unit);
    }
}

static divvy_status set_up(struct dv_job *job, const void *args, size_t args_size)
{
    const divvy_kernel *kernel = job->kernel;
    if (!args)
        return dv_fail(DIVVY_INVALID, "%s: the arguments are NULL", kernel->name);
    divvy_call_options with = {0};
    size_t given = args_size - kernel->with_offset;
    memcpy(&with, (const char *)args + kernel->with_offset, given < sizeof with ? given : sizeof with);
    DV_TRY(resolve_options(job, &with));
    DV_TRY(resolve_arguments(job, args, args_size));
    if (job->parent && dv_order_clashes_with_ancestor(job))
        return dv_fail(DIVVY_INVALID, "%s: submitted inside %s, it touches an array that one of the two writes", kernel->name,
                       job->parent->kernel->name);

    struct dv_plan *plan = &job->plan;
    struct dv_last_call call = {kernel, job->count, plan->schedule, plan->partition};
    bool again = !with.devices && repeats(job, &call), laid_out = again;
    memset(&job->last_call, 0, sizeof job->last_call);
    if (again) {
        laid_out = job->models_version == dv_models_version(&job->crew->models);
        seat_again(job);
    } else {
        DV_TRY(seat_anew(job, with.devices));
    }
    plan->count = job->unclaimed = job->count;
    plan->pace_count = job->member_count;
    dv_plan_begin(plan);
    for (unsigned m = 0; again && m < job->member_count; m++)
        if (atomic_load(&job->members[m].standing) == DV_READY)
            plan->paces[m].stand = DV_HERE;
    if (laid_out)
        dv_split_rewind(&job->split);
    else if (!lay_out(job))
        return fail_memory(kernel);
    if (!with.devices)
        job->last_call = call;
    return DIVVY_OK;
}

struct dv_job *dv_job_make(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                           size_t args_size, struct dv_job *parent)
{
    struct dv_job *job = take_spare(crew);
    if (!job)
        return NULL;
    if (check_kernel(kernel, args_size) != DIVVY_OK) {
        job->parent = NULL;
        job->future_held = true;
        atomic_store(&job->references, 1);
        return fail_at_once(job, DIVVY_INVALID);
    }
    begin(job, kernel, count, parent);
    divvy_status status = set_up(job, args, args_size);
    return status == DIVVY_OK ? job : fail_at_once(job, status);
}

struct dv_job *dv_job_make_preparing(struct dv_crew *crew, const divvy_kernel *kernel)
{
    struct dv_job *job = take_spare(crew);
    if (!job)
        return NULL;
    begin(job, kernel, 0, NULL);
    memset(&job->last_call, 0, sizeof job->last_call);
    job->prepares = true;
    job->keeps_records = job->has_folds = job->has_results = false;
    memset(job->arguments, 0, sizeof job->arguments);
    divvy_call_options with = {.name = "prepare"};
    divvy_status status = resolve_options(job, &with);
    if (status == DIVVY_OK)
        status = seat_anew(job, NULL);
    if (status != DIVVY_OK)
        return fail_at_once(job, status);
    for (unsigned m = 0; m < job->member_count; m++)
        if (atomic_load(&job->members[m].standing) == DV_WAITING)
            atomic_store(&job->members[m].standing, DV_WANTED);
    job->latecomers = false;
    atomic_store(&job->pending, (size_t)atomic_load(&job->alive));
    return job;
}

/* ---- Recording ---- */

static int by_start(const void *a, const void *b)
{
    const struct dv_partition_record *x = a, *y = b;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

void dv_job_record(struct dv_job *job, struct dv_job_record *out_record, struct dv_use *uses, struct dv_unit **units)
{
    const struct dv_plan *plan = &job->plan;
    *out_record = (struct dv_job_record){
        .id = job->id, .name = job->name, .kernel = job->kernel->name, .schedule = plan->schedule->name,
        .count = job->count, .start_ns = job->submitted_ns, .end_ns = job->end_ns, .status = job->status,
        .error = job->error ? job->error : "", .uses = uses,
    };
    for (unsigned m = 0; m < job->member_count; m++) {
        struct dv_member *member = &job->members[m];
        const struct dv_pace *pace = &plan->paces[m];
        bool retired = dv_unit_is_retired(member->unit);
        member->use = -1;
        if (atomic_load(&member->standing) == DV_OUT && member->partitions == 0 && !retired)
            continue; /* filtered: not of this job */
        if (units)
            units[out_record->use_count] = member->unit;
        member->use = (int)out_record->use_count;
        uses[out_record->use_count++] = (struct dv_use){
            .device = job->crew->profile_index[m], .device_class = job->crew->class_of[m],
            .partitions = member->partitions, .items = member->items, .busy_ns = member->busy_ns,
            .min_ns = member->min_ns, .max_ns = member->max_ns, .fixed_ns = (uint64_t)pace->fixed_ns,
            .ready_ns = member->ready_ns, .build_ns = member->build_ns,
            .ns_per_item = plan->rates[pace->rate].ns_per_item * pace->correction,
            .parked = pace->stand == DV_PARKED, .retired = retired,
        };
        out_record->split_ns += atomic_load_explicit(&member->split_ns, memory_order_relaxed);
        out_record->combine_ns += atomic_load_explicit(&member->combine_ns, memory_order_relaxed);
    }
}

/* The partitions of every member, in the order of their start; malloc'ed. */
static bool add_partitions(struct dv_job *job, struct dv_job_record *record)
{
    size_t count = 0;
    for (unsigned m = 0; m < job->member_count; m++)
        count += job->members[m].record_count;
    struct dv_partition_record *next = record->partitions = calloc(count + 1, sizeof *next);
    if (!next)
        return false;
    for (unsigned m = 0; m < job->member_count; m++) {
        const struct dv_member *member = &job->members[m];
        for (size_t r = 0; r < member->record_count && member->use >= 0; r++) {
            *next = member->records[r];
            next++->device = (unsigned)member->use;
        }
    }
    record->partition_count = (size_t)(next - record->partitions);
    qsort(record->partitions, record->partition_count, sizeof *record->partitions, by_start);
    return true;
}

static void profile(struct dv_job *job)
{
    struct dv_job_record record;
    struct dv_use *uses = calloc(job->member_count + 1, sizeof *uses);
    if (!uses)
        return;
    dv_job_record(job, &record, uses, NULL);
    if (!job->keeps_records || add_partitions(job, &record)) {
        dv_bound(&record);
        dv_profile_add_job(job->crew->profile, &record);
    }
    free(record.partitions);
    free(uses);
}

/* ---- Ending ---- */

static void keep_models(struct dv_job *job)
{
    struct dv_plan *plan = &job->plan;
    for (unsigned m = 0; m < job->member_count; m++) {
        unsigned rate = plan->paces[m].rate;
        bool first_of_class = true;
        for (unsigned other = 0; other < m; other++)
            first_of_class = first_of_class && plan->paces[other].rate != rate;
        if (first_of_class)
            dv_models_keep(&job->crew->models, job->kernel, job->members[m].unit->device_class, job->count,
                           plan->paces[m].fixed_ns, &plan->rates[rate]);
    }
}

/* What a schedule that does not adapt has seen is worth keeping too: it sizes the homes of the next static job. */
static void learn_from_tallies(struct dv_job *job)
{
    struct dv_plan *plan = &job->plan;
    for (unsigned r = 0; r < plan->rate_count; r++) {
        uint64_t busy_ns = 0, items = 0;
        for (unsigned m = 0; m < job->member_count; m++) {
            if (plan->paces[m].rate == r) {
                busy_ns += job->members[m].busy_ns;
                items += job->members[m].items;
            }
        }
        if (busy_ns > LEARN_LEAST_NS && items > 0)
            plan->rates[r] = (struct dv_rate){.ns_per_item = (double)busy_ns / (double)items, .uncertainty = 0.25,
                                              .samples = plan->rates[r].samples + 1};
    }
}

/* Everything was accounted for: combines, learns, records. Returns before the job is said to be over. */
static void conclude(struct dv_job *job, uint64_t now_ns)
{
    job->end_ns = now_ns;
    if (job->prepares)
        return;
    if (job->status == DIVVY_OK)
        dv_job_combine(job);
    dv_job_drop_results(job);
    if (job->end_ns - job->submitted_ns > LEARN_LEAST_NS && job->count > 0) {
        if (!job->plan.schedule->done || job->plan.schedule == &dv_guided)
            learn_from_tallies(job);
        keep_models(job);
    }
    if (job->crew->profile)
        profile(job);
    dv_progress_end(job);
}

void dv_job_finish_empty(struct dv_job *job)
{
    conclude(job, dv_now_ns());
    atomic_store(&job->over, true);
}

void dv_job_account(struct dv_job *job, size_t count, uint64_t now_ns)
{
    if (!count || atomic_fetch_sub_explicit(&job->pending, count, memory_order_acq_rel) != count)
        return;
    enum dv_closer waiter = DV_CLOSER_WAITER;
    if (!atomic_compare_exchange_strong(&job->closer, &waiter, DV_CLOSER_CALLED))
        dv_job_finish(job, now_ns);
}

void dv_job_finish(struct dv_job *job, uint64_t now_ns)
{
    conclude(job, now_ns ? now_ns : dv_now_ns());
    dv_pool_retract(job);
}

/* Everything that was not given out yet is cancelled. */
static size_t cancel_unclaimed(struct dv_job *job)
{
    size_t cancelled = 0;
    struct dv_range range;
    for (unsigned h = 0; h < job->split.home_count; h++)
        while (dv_split_take_front(&job->split, h, SIZE_MAX, &range))
            cancelled += range.count;
    while (dv_split_take_returned(&job->split, SIZE_MAX, &range))
        cancelled += range.count;
    job->unclaimed = 0;
    return cancelled;
}

/* Takes from staged devices what they work on; they will find that it is not theirs any more. */
static size_t abandon_flying(struct dv_job *job)
{
    size_t abandoned = 0;
    for (unsigned m = 0; m < job->member_count; m++) {
        for (unsigned f = 0; f < 2; f++) {
            struct dv_task *task = job->members[m].flying[f];
            int running = DV_TASK_RUNNING;
            if (task && atomic_compare_exchange_strong(&task->fate, &running, DV_TASK_ABANDONED))
                abandoned += task->range.count;
        }
    }
    return abandoned;
}

void dv_job_stop(struct dv_job *job, bool abandon, divvy_status status, const char *error)
{
    pthread_mutex_lock(&job->mutex);
    size_t cancelled = 0;
    if (!atomic_load(&job->stopped)) {
        job->status = status;
        job->error = strdup(error);
        atomic_store(&job->stopped, true);
        if (!job->prepares)
            cancelled = cancel_unclaimed(job);
    }
    if (abandon) {
        job->abandons = true;
        cancelled += abandon_flying(job);
    }
    dv_job_keep(job);
    pthread_mutex_unlock(&job->mutex);
    dv_job_account(job, cancelled, 0);
    dv_job_release(job);
}

void dv_job_put_back(struct dv_job *job, struct dv_range range)
{
    pthread_mutex_lock(&job->mutex);
    bool returned = !atomic_load(&job->stopped) && dv_split_return(&job->split, range);
    if (returned) {
        job->unclaimed += range.count;
        dv_plan_unpark(&job->plan);
    }
    pthread_mutex_unlock(&job->mutex);
    if (returned) {
        dv_job_recall(job);
        return;
    }
    if (!atomic_load(&job->stopped))
        dv_job_stop(job, false, DIVVY_INTERNAL, "more partitions came back than devices can fail");
    dv_job_account(job, range.count, 0);
}

void dv_job_recall(struct dv_job *job)
{
    atomic_fetch_add(&job->recalls, 1);
    dv_bell_ring(&dv_pool.work);
    dv_bell_ring(&dv_pool.over);
}

void dv_job_leave_out(struct dv_job *job, struct dv_member *member, divvy_status status, const char *error)
{
    pthread_mutex_lock(&job->mutex);
    bool was_in = atomic_exchange(&member->standing, DV_OUT) != DV_OUT;
    if (was_in)
        job->plan.paces[member - job->members].stand = DV_AWAY;
    dv_plan_unpark(&job->plan);
    pthread_mutex_unlock(&job->mutex);
    if (!was_in)
        return;
    dv_job_keep(job);
    atomic_store(&member->attended, false); /* its home is everybody's */
    if (atomic_fetch_sub(&job->alive, 1) == 1)
        dv_job_stop(job, false, status, error);
    else
        dv_job_recall(job);
    if (job->prepares)
        dv_job_account(job, 1, 0);
    dv_job_release(job);
}

/* ---- Keeping ---- */

void dv_job_keep(struct dv_job *job)
{
    atomic_fetch_add_explicit(&job->references, 1, memory_order_relaxed);
}

static void put_spare(struct dv_crew *crew, struct dv_job *job)
{
    struct dv_job *none = NULL;
    if (atomic_compare_exchange_strong_explicit(&crew->handy, &none, job, memory_order_release, memory_order_relaxed))
        return;
    pthread_mutex_lock(&dv_pool.mutex);
    job->next_spare = crew->spare;
    crew->spare = job;
    pthread_mutex_unlock(&dv_pool.mutex);
}

void dv_job_release(struct dv_job *job)
{
    while (job && atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) == 1) {
        struct dv_job *parent = job->parent;
        free(job->error);
        job->error = NULL;
        if (!job->crew) {
            free(job);
            return;
        }
        put_spare(job->crew, job);
        job = parent;
    }
}

void dv_job_free(struct dv_job *job)
{
    dv_job_drop_results(job);
    dv_split_fini(&job->split);
    pthread_mutex_destroy(&job->mutex);
    for (unsigned m = 0; m < job->member_capacity; m++)
        free(job->members[m].records);
    free(job->members);
    free(job->plan.paces);
    free(job->plan.rates);
    free(job->waits_for);
    free(job->copied);
    free(job->error);
    free(job);
}

