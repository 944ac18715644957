#include "schedule/duplicate.h"

#include "schedule/pool.h"

#include <math.h>

struct flights {
    unsigned count;
    struct dv_flight flights[DV_FLIGHTS_MAX];
    struct dv_member *members[DV_FLIGHTS_MAX];
    struct dv_task *tasks[DV_FLIGHTS_MAX];
};

static bool adds_to_sums(const divvy_kernel *kernel)
{
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (kernel->parameters[k].kind == DIVVY_KIND_sum)
            return true;
    return false;
}

/* What a device has in flight, the older one first: it begins with the second when it is through with the first. */
static void add_flights(struct flights *found, struct dv_job *job, unsigned m, bool whole, double now)
{
    struct dv_member *member = &job->members[m];
    struct dv_task *older = member->flying[0], *newer = member->flying[1];
    if (!older || (newer && newer->queued_ns < older->queued_ns)) {
        older = member->flying[1];
        newer = member->flying[0];
    }
    double free_ns = (double)member->landed_ns;
    for (struct dv_task *task = older; task && found->count < DV_FLIGHTS_MAX; task = task == older ? newer : NULL) {
        int fate = atomic_load(&task->fate);
        if (fate == DV_TASK_STARTING) /* still reads the caller's arrays */
            return;
        double began = fmax(free_ns, (double)task->start_ns);
        double expected = dv_plan_expect_ns(&job->plan, m, task->partition.count);
        free_ns = dv_flight_end_ns(began, began + expected, now);
        if (fate != DV_TASK_RUNNING)
            continue;
        found->flights[found->count] = (struct dv_flight){
            .device = m, .count = task->range.count, .whole = whole, .began_ns = began, .end_ns = began + expected};
        found->members[found->count] = member;
        found->tasks[found->count++] = task;
    }
}

/* The job does not wait for it any more. It runs, so nobody is about to settle it: that begins under the job's mutex. */
static void abandon(struct dv_member *member, struct dv_task *task, uint64_t now_ns)
{
    atomic_store(&task->fate, DV_TASK_ABANDONED);
    if (member->dropped_count < sizeof member->dropped / sizeof *member->dropped)
        member->dropped[member->dropped_count++] = (struct dv_partition_record){
            .attempt = task->range.attempt,
            .outcome = DV_DROPPED,
            .reason = task->ask.reason,
            .first = task->partition.first,
            .count = task->partition.count,
            .requested = task->ask.requested,
            .queued_ns = task->queued_ns,
            .start_ns = task->start_ns,
            .end_ns = now_ns,
            .decision = task->decision,
        };
}

/* `count` indices from the back of what flies are the task's. */
static void take_piece(struct dv_member *member, struct dv_task *flying, size_t count, uint64_t now_ns,
                       struct dv_task *task)
{
    struct dv_range *left = &flying->range;
    count = count < left->count ? count : left->count;
    left->count -= count;
    task->range = (struct dv_range){left->first + left->count, count, left->attempt + 1};
    if (left->count == 0)
        abandon(member, flying, now_ns);
}

bool dv_duplicate_claim(struct dv_job *job, unsigned m, uint64_t now_ns, struct dv_task *task)
{
    struct flights found;
    found.count = 0;
    bool whole = adds_to_sums(job->kernel);
    unsigned cores = job->crew->core_count, devices = job->member_count - cores;
    for (unsigned k = 0; k < devices; k++) {
        unsigned other = cores + (m + k) % devices;
        if (job->members[other].unit->facts.staged)
            add_flights(&found, job, other, whole, (double)now_ns);
    }
    if (found.count == 0)
        return false;
    struct dv_takeover takeover = job->plan.schedule->take_over(&job->plan, m, now_ns, found.flights, found.count);
    if (takeover.count == 0) {
        if (takeover.again_ns < HUGE_VAL)
            dv_pool_set_alarm(job, (uint64_t)takeover.again_ns);
        return false;
    }
    struct dv_member *member = found.members[takeover.flight];
    struct dv_task *flying = found.tasks[takeover.flight];
    if (whole) {
        if (dv_split_return(&job->split, flying->range)) {
            job->unclaimed += flying->range.count;
            abandon(member, flying, now_ns);
        }
        return false;
    }
    take_piece(member, flying, takeover.count, now_ns, task);
    task->decision = (struct dv_decision){.end_ns = job->plan.decision.end_ns};
    task->ask = (struct dv_ask){.count = takeover.count, .requested = takeover.count, .reason = DV_DUPLICATE};
    return true;
}

void dv_duplicate_learn(struct dv_job *job, const struct dv_member *member, const struct dv_task *task,
                        uint64_t busy_ns)
{
    struct dv_models *models = &job->crew->models;
    struct dv_rate rate = dv_models_find(models, job->kernel, member->unit, job->count);
    struct dv_pace pace = {
        .fixed_ns = (double)member->loaded.fixed_ns, .granule = member->loaded.granule, .stand = DV_HERE};
    struct dv_plan plan = {.schedule = job->plan.schedule,
                           .count = job->count,
                           .pace_count = 1,
                           .paces = &pace,
                           .rate_count = 1,
                           .rates = &rate};
    dv_plan_begin(&plan);
    plan.schedule->done(&plan, 0, 0, task->partition.count, busy_ns);
    dv_plan_end(&plan);
    dv_models_keep(models, job->kernel, member->unit, job->count, pace.fixed_ns, &rate, 0);
}
