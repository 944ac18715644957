/* What a job tells of itself when it is over. */
#include "schedule/job.h"

#include <stdlib.h>

static int by_start(const void *a, const void *b)
{
    const struct dv_partition_record *x = a, *y = b;
    return x->start_ns < y->start_ns ? -1 : x->start_ns > y->start_ns;
}

/* What is new in every job. */
static void record_call(struct dv_job_record *record, const struct dv_job *job)
{
    record->id = job->id;
    record->end_ns = job->end_ns;
    record->start_ns = job->submitted_ns < job->end_ns ? job->submitted_ns : job->end_ns; /* others may be that quick */
    record->status = job->status;
    record->error = job->error ? job->error : "";
}

/* What a member has done, and how it stands. */
static void record_use(struct dv_use *use, const struct dv_job *job, unsigned m)
{
    const struct dv_member *member = &job->members[m];
    const struct dv_pace *pace = &job->plan.paces[m];
    const struct dv_tally tally = dv_member_tally(member);
    enum dv_standing standing = atomic_load(&member->standing);
    bool ready = standing == DV_READY || standing == DV_OUT; /* else its worker may be about to change these */
    use->partitions = tally.partitions;
    use->items = tally.items;
    use->busy_ns = tally.busy_ns;
    use->min_ns = tally.min_ns;
    use->max_ns = tally.max_ns;
    use->last_end_ns = tally.last_end_ns;
    use->jit_ns = member->jit_ns;
    use->copies_ns = ready && tally.partitions ? (uint64_t)pace->upload_ns : 0;
    use->wasted_ns = member->wasted_ns;
    use->fixed_ns = ready ? (uint64_t)pace->fixed_ns : 0;
    use->ready_ns = !ready ? 0 : member->ready_ns ? member->ready_ns : job->submitted_ns;
    use->build_ns = ready ? member->build_ns : 0;
    use->ns_per_item = dv_plan_pace_ns(&job->plan, m);
    use->parked = ready && pace->stand == DV_PARKED;
    use->retired = dv_unit_is_retired(member->unit);
}

void dv_job_record_again(const struct dv_job *job, struct dv_job_record *record)
{
    record_call(record, job);
    for (unsigned m = 0; m < job->member_count; m++)
        record_use(&record->uses[job->members[m].use], job, m);
}

void dv_job_record(struct dv_job *job, struct dv_job_record *out_record, struct dv_use *uses, struct dv_unit **units)
{
    const struct dv_plan *plan = &job->plan;
    record_call(out_record, job);
    out_record->name = job->name;
    out_record->kernel = job->kernel->name;
    out_record->schedule = plan->schedule->name;
    out_record->count = job->count;
    out_record->block = job->blocks.size;
    out_record->split_ns = out_record->combine_ns = 0;
    out_record->use_count = out_record->partition_count = 0;
    out_record->uses = uses;
    out_record->partitions = NULL;
    /* A device that fails now is left out of this job too, though it is over. */
    bool shared = job->member_count > job->crew->core_count;
    if (shared)
        pthread_mutex_lock(&job->mutex);
    for (unsigned m = 0; m < job->member_count; m++) {
        struct dv_member *member = &job->members[m];
        member->use = -1;
        if (atomic_load(&member->standing) == DV_OUT && dv_member_tally(member).partitions == 0 &&
            !dv_unit_is_retired(member->unit))
            continue; /* filtered: not of this job */
        if (units)
            units[out_record->use_count] = member->unit;
        member->use = (int)out_record->use_count;
        struct dv_use *use = &uses[out_record->use_count++];
        use->device = job->crew->profile_index[m];
        use->device_class = job->crew->class_of[m];
        record_use(use, job, m);
        out_record->split_ns += atomic_load_explicit(&member->split_ns, memory_order_relaxed);
        out_record->combine_ns += atomic_load_explicit(&member->combine_ns, memory_order_relaxed);
    }
    if (shared)
        pthread_mutex_unlock(&job->mutex);
}

/* The partitions of every member, in the order of their start; malloc'ed. */
static bool add_partitions(struct dv_job *job, struct dv_job_record *record)
{
    size_t count = 0;
    for (unsigned m = 0; m < job->member_count; m++)
        count += job->members[m].record_count + job->members[m].dropped_count;
    struct dv_partition_record *next = record->partitions = calloc(count + 1, sizeof *next);
    if (!next)
        return false;
    for (unsigned m = 0; m < job->member_count; m++) {
        const struct dv_member *member = &job->members[m];
        size_t kept = member->use >= 0 ? member->record_count : 0,
               dropped = member->use >= 0 ? member->dropped_count : 0;
        for (size_t r = 0; r < kept + dropped; r++) {
            *next = r < kept ? member->records[r] : member->dropped[r - kept];
            next++->device = (unsigned)member->use;
        }
    }
    record->partition_count = (size_t)(next - record->partitions);
    qsort(record->partitions, record->partition_count, sizeof *record->partitions, by_start);
    return true;
}

void dv_job_profile(struct dv_job *job)
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
