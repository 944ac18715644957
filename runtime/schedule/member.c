#include "schedule/member.h"

#include "base/log.h"
#include "base/status.h"
#include "machine/fold.h"
#include "schedule/absent.h"
#include "schedule/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* How many rows beyond a partition its slice of an argument has: a halo's, on both sides. */
static size_t rows_beyond(const struct dv_job *job, const struct dv_argument *argument)
{
    size_t radius = argument->radius < job->count ? argument->radius : job->count;
    return 2 * radius < job->count ? 2 * radius : job->count;
}

/* The largest partition that a unit has memory for; 0: any. */
static size_t room_on(const struct dv_job *job, const struct dv_unit *unit)
{
    const divvy_device_facts *facts = &unit->facts;
    if (!facts->max_slice_bytes && !facts->memory_bytes)
        return 0;
    size_t cap = SIZE_MAX, per_item = 0;
    uint64_t whole = 0, beyond = 0; /* once per job; beside the items of each partition */
    for (unsigned k = 0; k < job->kernel->parameter_count; k++) {
        const struct dv_argument *argument = &job->arguments[k];
        size_t rows = rows_beyond(job, argument);
        per_item += argument->stride;
        beyond += (uint64_t)rows * argument->stride;
        if (job->kernel->parameters[k].kind == DIVVY_KIND_all)
            whole += argument->bytes;
        if (argument->stride && facts->max_slice_bytes) {
            uint64_t fits = facts->max_slice_bytes / argument->stride;
            fits = fits > rows ? fits - rows : 0;
            cap = fits < cap ? (size_t)fits : cap;
        }
    }
    if (per_item && facts->memory_bytes) {
        /* Three quarters of what is there, shared by the partitions in flight. */
        uint64_t room = facts->memory_bytes / 4 * 3;
        room = room > whole ? (room - whole) / facts->depth : 0;
        uint64_t fits = room > beyond ? (room - beyond) / per_item : 0;
        cap = fits < cap ? (size_t)fits : cap;
    }
    return cap ? cap : 1;
}

/* The largest partition that a unit may get; 0: any. A core takes the blocks of a partition one by one; to other devices
 * each is a partition. */
static size_t cap_on(const struct dv_job *job, const struct dv_unit *unit)
{
    size_t room = room_on(job, unit), block = unit->core < 0 ? job->blocks.size : 0;
    return block && (room == 0 || room > block) ? block : room;
}

static bool has_room_for_block(const struct dv_job *job, const struct dv_unit *unit)
{
    size_t cap = cap_on(job, unit);
    return cap == 0 || cap >= job->blocks.size;
}

/* Whether somebody will serve a unit: its worker, or the thread that holds the seat of `core`. */
static bool is_attended(const struct dv_unit *unit, int core)
{
    return unit->core < 0 || unit->core == core || dv_pool_has_worker(unit->core);
}

void dv_job_seat_member(struct dv_job *job, unsigned m, struct dv_unit *unit, enum dv_standing standing, int core)
{
    struct dv_member *member = &job->members[m];
    struct dv_partition_record *records = member->records;
    size_t capacity = member->record_capacity;
    memset(member, 0, sizeof *member);
    member->unit = unit;
    member->records = records;
    member->record_capacity = capacity;
    atomic_init(&member->standing, standing);
    bool attended = standing != DV_OUT && is_attended(unit, core);
    atomic_init(&member->attended, attended);
    atomic_fetch_add(&job->unattended, !attended);
    for (unsigned k = 0; job->has_folds && k < job->kernel->parameter_count; k++)
        dv_fold_identity(&job->kernel->parameters[k], &member->partials[k]);

    unsigned class = job->crew->class_of[m];
    struct dv_pace *pace = &job->plan.paces[m];
    struct dv_rate *rate = &job->plan.rates[class];
    *pace = (struct dv_pace){.rate = class,
                             .core = unit->core >= 0,
                             .out = standing == DV_OUT,
                             .granule = dv_job_granule(job, unit->facts.granule),
                             .cap = cap_on(job, unit),
                             .correction = 1};
    if (pace->granule == 0)
        pace->granule = 1;
    if (class >= job->plan.rate_count) {
        *rate = dv_models_find(&job->crew->models, job->kernel, unit, job->count);
        job->plan.rate_count = class + 1;
    }
    pace->learning = rate->samples == 0;
}

/* Nobody may run the job: say who there is, and what is against them but for the filter. */
static divvy_status fail_empty(const struct dv_job *job, const char *devices)
{
    char there[1024] = "";
    size_t used = 0;
    for (unsigned m = 0; m < job->member_count && used < sizeof there - 1; m++) {
        struct dv_unit *unit = job->crew->units[m];
        const char *against = dv_unit_is_retired(unit)                                     ? " (retired)"
                              : (job->kernel->flags & DIVVY_KERNEL_HOST) && unit->core < 0 ? " (no core)"
                              : !has_room_for_block(job, unit)                             ? " (no memory for a block)"
                                                                                           : "";
        int wrote = snprintf(there + used, sizeof there - used, "%s%s%s", used ? ", " : "", unit->id, against);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return dv_fail(DIVVY_NO_DEVICE, "%s: no device is left to run it%s%s%s; there are: %s", job->kernel->name,
                   devices ? ": none passes the filter \"" : "", devices ? devices : "", devices ? "\"" : "",
                   used ? there : "none");
}

static bool may_run(const struct dv_job *job, const struct dv_unit *unit, const struct dv_filter *filter)
{
    return (unit->core >= 0 || !(job->kernel->flags & DIVVY_KERNEL_HOST)) &&
           dv_filter_match(filter, unit->found->plugin->name, unit->found->index, unit->facts.name);
}

/* Devices of different kinds compute in different ways: a reproducible job is for those like the first one alone, which
 * is a core if there is any. That one counts even if it was retired, since a failure must not change results. NULL: all
 * may come. */
static const struct dv_unit *find_model(const struct dv_job *job, const struct dv_filter *filter)
{
    for (unsigned m = 0; job->reproducible && m < job->member_count; m++)
        if (may_run(job, job->crew->units[m], filter))
            return job->crew->units[m];
    return NULL;
}

static bool is_like(const struct dv_unit *unit, const struct dv_unit *model)
{
    return !model || (unit->core >= 0 && model->core >= 0) ||
           (unit->core < 0 && strcmp(unit->device_class, model->device_class) == 0);
}

/* Which members there are and how each stands. */
static divvy_status seat_members(struct dv_job *job, const char *devices, const struct dv_filter *filter, int core)
{
    struct dv_crew *crew = job->crew;
    bool at_once = !job->plan.schedule->patient || crew->core_count == 0;
    bool host_only = (job->kernel->flags & DIVVY_KERNEL_HOST) != 0;
    int alive = 0;
    const struct dv_unit *model = find_model(job, filter);
    job->blocks.size = model ? dv_blocks_size(job, model->core >= 0) : 0;
    job->plan.rate_count = 0;
    atomic_store_explicit(&job->unattended, 0, memory_order_relaxed);
    job->joinable = job->latecomers = !host_only && !model && !devices && atomic_load(&crew->unprobed) > 0;
    for (unsigned m = 0; m < job->member_count; m++) {
        struct dv_unit *unit = crew->units[m];
        bool out = !may_run(job, unit, filter) || dv_unit_is_retired(unit) || !is_like(unit, model) ||
                   !has_room_for_block(job, unit);
        enum dv_standing standing = out                                                            ? DV_OUT
                                    : unit->core >= 0 || at_once || dv_unit_has(unit, job->kernel) ? DV_WANTED
                                                                                                   : DV_WAITING;
        dv_job_seat_member(job, m, unit, standing, core);
        alive += !out;
        job->latecomers = job->latecomers || standing == DV_WAITING;
    }
    atomic_store(&job->alive, alive);
    if (alive == 0)
        return fail_empty(job, devices);
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

bool dv_members_lay_out(struct dv_job *job)
{
    struct dv_plan *plan = &job->plan;
    unsigned homes = plan->part_count > job->member_count ? plan->part_count : job->member_count;
    size_t few[64], *sizes = homes <= 64 ? few : malloc(homes * sizeof *sizes);
    if (!sizes)
        return false;
    if (plan->part_count == 0)
        plan->schedule->lay_out(plan, sizes);
    for (unsigned h = 0; plan->part_count > 0 && h < homes; h++)
        sizes[h] = h < plan->part_count ? plan->parts[h].count : 0;
    bool done = dv_split_lay_out(&job->split, job->count, homes, sizes);
    if (done && job->blocks.size)
        dv_split_align(&job->split, job->blocks.size);
    if (sizes != few)
        free(sizes);
    return done;
}

/* A filter that names a backend which is not probed yet asks for it now; so does a schedule that may name devices. */
static divvy_status probe_named(struct dv_job *job, const struct dv_filter *filter)
{
    struct dv_crew *crew = job->crew;
    if (job->plan.schedule->takes && atomic_load(&crew->unprobed) && dv_crew_probe(crew) != DIVVY_OK)
        dv_log(DIVVY_LOG_WARN, "schedule", "a backend could not be probed: %s", dv_error_text());
    for (unsigned p = 0; filter->count && atomic_load(&crew->unprobed) && p < crew->plugin_count; p++)
        if (!(crew->plugins[p]->backend->features & DIVVY_BACKEND_EAGER) &&
            dv_filter_names(filter, crew->plugins[p]->name))
            DV_TRY(dv_crew_probe(crew));
    return DIVVY_OK;
}

static divvy_status seat_filtered(struct dv_job *job, const char *devices, const struct dv_filter *filter, int core)
{
    struct dv_crew *crew = job->crew;
    DV_TRY(probe_named(job, filter));
    unsigned joining = atomic_load(&crew->unprobed) ? DV_JOIN_MAX : 0;
    job->member_count = atomic_load(&crew->unit_count);
    job->models_version = dv_models_version(&crew->models);
    if (!reserve_members(job, job->member_count + joining))
        return dv_job_fail_memory(job->kernel);
    DV_TRY(seat_members(job, devices, filter, core));
    if (devices)
        dv_absent_in_crew(crew, job->member_count, filter);
    return DIVVY_OK;
}

divvy_status dv_members_seat(struct dv_job *job, const char *devices, int core)
{
    struct dv_filter filter = {0};
    if (devices)
        DV_TRY(dv_filter_read(devices, &filter));
    divvy_status status = seat_filtered(job, devices, &filter, core);
    dv_filter_free(&filter);
    return status;
}

bool dv_members_repeat(const struct dv_job *job, const struct dv_last_call *call)
{
    bool same = memcmp(&job->last_call, call, sizeof *call) == 0 &&
                job->member_count == atomic_load(&job->crew->unit_count) &&
                (unsigned)atomic_load(&job->alive) == job->member_count;
    for (unsigned m = job->crew->core_count; same && m < job->member_count; m++)
        same = !dv_unit_is_retired(job->members[m].unit);
    return same;
}

static void rewind_member(struct dv_member *member)
{
    if (member->tally.partitions)
        member->tally = (struct dv_tally){0};
    if (member->relayed.partitions)
        member->relayed = (struct dv_tally){0};
    DV_UPDATE_ATOMIC(member->idle_at, 0);
}

void dv_members_rewind(struct dv_job *job)
{
    for (unsigned m = 0; m < job->member_count; m++)
        rewind_member(&job->members[m]);
}

/* A device that is busy comes when it is through with that; one that has built the kernel meanwhile comes at once. */
static enum dv_standing standing_again(const struct dv_job *job, const struct dv_member *member)
{
    struct dv_unit *unit = member->unit;
    enum dv_standing before = atomic_load_explicit(&member->standing, memory_order_relaxed);
    bool comes = (before == DV_READY && unit->core < 0 && atomic_load(&unit->busy)) ||
                 (before == DV_WAITING && dv_unit_has(unit, job->kernel));
    return comes ? DV_WANTED : before;
}

void dv_members_seat_again(struct dv_job *job, int core)
{
    DV_UPDATE(job->joinable, job->latecomers && atomic_load(&job->crew->unprobed) > 0);
    unsigned version = dv_models_version(&job->crew->models);
    bool news = version != job->models_version;
    DV_UPDATE(job->models_version, version);
    int unattended = 0;
    bool waiting = false;
    for (unsigned m = 0; m < job->member_count; m++) {
        struct dv_member *member = &job->members[m];
        rewind_member(member);
        DV_UPDATE(member->build_ns, 0);
        DV_UPDATE(member->ready_ns, 0);
        DV_UPDATE(member->jit_ns, 0);
        DV_UPDATE(member->wasted_ns, 0);
        DV_UPDATE_ATOMIC(member->split_ns, 0);
        DV_UPDATE_ATOMIC(member->combine_ns, 0);
        DV_UPDATE(member->record_count, 0);
        DV_UPDATE(member->dropped_count, 0);
        bool attended = is_attended(member->unit, core);
        DV_UPDATE_ATOMIC(member->attended, attended);
        unattended += !attended;
        for (unsigned k = 0; job->has_folds && k < job->kernel->parameter_count; k++)
            dv_fold_identity(&job->kernel->parameters[k], &member->partials[k]);
        enum dv_standing standing = standing_again(job, member);
        DV_UPDATE_ATOMIC(member->standing, standing);
        waiting = waiting || standing == DV_WAITING;
        struct dv_pace *pace = &job->plan.paces[m];
        DV_UPDATE(pace->stand, standing == DV_READY ? DV_HERE : DV_AWAY);
        unsigned rate = pace->rate;
        if (news && (m == 0 || job->plan.paces[m - 1].rate != rate))
            job->plan.rates[rate] = dv_models_find(&job->crew->models, job->kernel, member->unit, job->count);
        size_t cap = dv_job_cap(cap_on(job, member->unit), pace->granule);
        DV_UPDATE(pace->cap, cap);
    }
    DV_UPDATE_ATOMIC(job->unattended, unattended);
    DV_UPDATE(job->latecomers, job->joinable || waiting);
}
