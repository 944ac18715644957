#include "schedule/ready.h"

#include "base/clock.h"
#include "base/ending.h"
#include "base/log.h"
#include "base/status.h"
#include "schedule/pool.h"

#include <stdio.h>

/* What claiming and settling one partition costs a core, beside what the backend states; and how fast one reads again,
 * from its last cache, what all partitions read. */
static const double CLAIM_NS = 1500, REREAD_BYTES_PER_NS = 40;

static void tell_failure(struct dv_job *job, struct dv_unit *unit, const char *what, const char *error)
{
    if (!atomic_exchange(&unit->warned, true))
        dv_log(DIVVY_LOG_WARN, "schedule", "%s %s, the other devices go on: %s", unit->id, what, error);
    struct dv_profile *profile = job->crew->profile;
    if (profile) {
        int device = -1;
        for (unsigned m = 0; m < job->member_count; m++)
            if (job->members[m].unit == unit)
                device = (int)job->crew->profile_index[m];
        dv_profile_add_event(profile, what, device, job->id, "%s", error);
    }
}

void dv_ready_condemn(struct dv_job *job, struct dv_unit *unit, const char *error)
{
    if (dv_unit_is_retired(unit))
        return;
    tell_failure(job, unit, "retired", error);
    dv_unit_condemn(unit, error);
}

void dv_ready_retire(struct dv_job *job, struct dv_unit *unit, const char *error)
{
    char kept[512];
    snprintf(kept, sizeof kept, "%s", error);
    dv_ready_condemn(job, unit, kept);
    dv_pool_forget(unit, kept);
    dv_unit_retire(unit);
}

/* Opens the unit if need be, and loads a kernel that is not there yet; NULL: no memory. */
static divvy_status build(struct dv_unit *unit, const divvy_kernel *kernel, const struct dv_load **out_loaded)
{
    dv_ending_hold();
    atomic_store(&unit->building, true);
    divvy_status status = dv_unit_open(unit);
    *out_loaded = status == DIVVY_OK ? dv_unit_load(unit, kernel) : NULL;
    atomic_store(&unit->building, false);
    dv_ending_release();
    return status;
}

/* Opens the unit and loads the kernel. Else the member is out. */
static bool load(struct dv_job *job, struct dv_member *member)
{
    struct dv_unit *unit = member->unit;
    uint64_t begin = dv_now_ns();
    const struct dv_load *loaded = dv_unit_find(unit, job->kernel);
    bool known = loaded != NULL;
    divvy_status status = known ? DIVVY_OK : build(unit, job->kernel, &loaded);
    if (status != DIVVY_OK) {
        char error[512];
        snprintf(error, sizeof error, "%s", dv_error_text());
        dv_ready_retire(job, unit, error);
        dv_job_leave_out(job, member, status, error); /* a core is not known to the pool's drivers */
        return false;
    }
    if (!loaded || loaded->status != DIVVY_OK) {
        const char *error = loaded ? loaded->error : NULL;
        error = error ? error : "no memory to load a kernel";
        if (!known)
            tell_failure(job, unit, "build failed", error);
        dv_job_leave_out(job, member, loaded ? loaded->status : DIVVY_NO_MEMORY, error);
        return false;
    }
    member->loaded = loaded->loaded;
    if (unit->core < 0 && !known) {
        member->build_ns = dv_now_ns() - begin;
        dv_log(DIVVY_LOG_INFO, "schedule", "%s has %s ready after %.1f ms%s", unit->id, job->kernel->name,
               (double)member->build_ns / 1e6, member->loaded.cached ? " (cached)" : "");
        dv_models_keep_cost(&job->crew->models, job->kernel, unit, member->loaded.cached);
        struct dv_profile *profile = job->crew->profile;
        if (profile) {
            unsigned device = job->crew->profile_index[dv_job_index_of(job, member)];
            dv_profile_set_rates(profile, device, &unit->rates);
            dv_profile_add_event(profile, "built", (int)device, job->id, "%s in %.3f ms%s", job->kernel->name,
                                 (double)member->build_ns / 1e6, member->loaded.cached ? " from the cache" : "");
        }
    }
    return true;
}

/* How long it takes to send a unit what every partition reads. */
static double upload_ns(const struct dv_job *job, const struct dv_unit *unit)
{
    return unit->rates.upload_bytes_per_s ? (double)job->whole_bytes * 1e9 / (double)unit->rates.upload_bytes_per_s : 0;
}

/* What a partition costs before its first index. On the host that is a guess where whole arrays are read, at worst too
 * high, which the first partition that takes less puts right. */
static double fixed_ns(const struct dv_job *job, const struct dv_member *member)
{
    const struct dv_unit *unit = member->unit;
    double ns = (double)member->loaded.fixed_ns + (unit->core >= 0 ? CLAIM_NS : 0);
    return unit->facts.staged ? ns : ns + (double)job->whole_bytes / REREAD_BYTES_PER_NS;
}

/* How long one index takes to be sent, and what becomes of it to come back. */
static double copy_ns(const struct dv_job *job, const struct dv_unit *unit)
{
    double sent = 0, fetched = 0;
    for (unsigned k = 0; k < job->kernel->parameter_count; k++) {
        divvy_kind kind = job->kernel->parameters[k].kind;
        double bytes = (double)job->arguments[k].stride;
        sent += kind == DIVVY_KIND_in || kind == DIVVY_KIND_inout || kind == DIVVY_KIND_halo ? bytes : 0;
        fetched += kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout ? bytes : 0;
    }
    const divvy_rates *rates = &unit->rates;
    return (rates->upload_bytes_per_s ? sent * 1e9 / (double)rates->upload_bytes_per_s : 0) +
           (rates->download_bytes_per_s ? fetched * 1e9 / (double)rates->download_bytes_per_s : 0);
}

/* Whether some device is on its way, or may still be. Under the job's mutex. */
static bool awaits_devices(struct dv_job *job)
{
    bool awaits = job->latecomers && atomic_load(&job->crew->unprobed) > 0;
    for (unsigned m = job->crew->core_count; m < job->member_count && !awaits; m++) {
        enum dv_standing standing = atomic_load(&job->members[m].standing);
        awaits = standing == DV_WAITING || (standing == DV_WANTED && job->plan.paces[m].stand == DV_AWAY);
    }
    return awaits;
}

bool dv_ready_make(struct dv_job *job, struct dv_member *member)
{
    bool retired = member->unit->core < 0 && dv_unit_is_retired(member->unit); /* while the job was being made */
    if (atomic_load_explicit(&member->standing, memory_order_acquire) == DV_READY && !retired)
        return true;
    if (!load(job, member))
        return false;
    struct dv_unit *unit = member->unit;
    bool shared = job->plan.schedule->adaptive; /* else a member's pace is its worker's alone */
    if (shared)
        pthread_mutex_lock(&job->mutex);
    struct dv_pace *pace = &job->plan.paces[dv_job_index_of(job, member)];
    pace->fixed_ns = fixed_ns(job, member);
    pace->granule = dv_job_granule(job, member->loaded.granule);
    DV_UPDATE(pace->cap, dv_job_cap(pace->cap, pace->granule)); /* a core's, which its visitor reads, stays */
    pace->staged = unit->facts.staged;
    pace->upload_ns = unit->facts.staged ? upload_ns(job, unit) : 0;
    pace->copy_ns = unit->facts.staged ? copy_ns(job, unit) : 0;
    pace->stand = DV_HERE;
    if (shared)
        job->plan.latecomers = awaits_devices(job);
    member->ready_ns = unit->core >= 0 ? 0 : dv_now_ns();
    if (shared)
        pthread_mutex_unlock(&job->mutex);
    enum dv_standing wanted = DV_WANTED;
    return atomic_compare_exchange_strong(&member->standing, &wanted, DV_READY);
}
