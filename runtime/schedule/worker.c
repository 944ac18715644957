#include "schedule/worker.h"

#include "base/clock.h"
#include "base/status.h"
#include "schedule/claim.h"
#include "schedule/combine.h"
#include "schedule/duplicate.h"
#include "schedule/pool.h"
#include "schedule/progress.h"
#include "schedule/ready.h"

#include <stdlib.h>

/* What opening and building cost as long as nobody knows: what PoCL takes with a cold cache. */
static const uint64_t ASSUMED_PROBE_NS = 100000000, ASSUMED_OPEN_NS = 50000000, ASSUMED_BUILD_NS = 300000000;
/* A staged device is late after ten times the expected time, at least a second; ten seconds if never measured. */
static const uint64_t LATE_FACTOR = 10, LATE_LEAST_NS = 1000000000, LATE_UNKNOWN_NS = UINT64_C(10000000000);

DV_THREAD_LOCAL struct dv_here dv_this_thread;

/* ---- Settling ---- */

static void tally_one(struct dv_tally *tally, const struct dv_task *task, uint64_t busy_ns, uint64_t end_ns)
{
    dv_tally_add(tally, &(struct dv_tally){1, task->range.count, busy_ns, busy_ns, busy_ns, end_ns});
}

static void keep_record(struct dv_member *member, const struct dv_task *task, uint64_t end_ns, enum dv_outcome outcome)
{
    if (!task->job->keeps_records)
        return;
    if (member->record_count == member->record_capacity) {
        size_t capacity = member->record_capacity ? 2 * member->record_capacity : 64;
        struct dv_partition_record *records = realloc(member->records, capacity * sizeof *records);
        if (!records)
            return; /* a profile that lacks a partition is better than a job that fails */
        member->records = records;
        member->record_capacity = capacity;
    }
    const divvy_timing *timing = &task->partition.timing;
    member->records[member->record_count++] = (struct dv_partition_record){
        .attempt = task->range.attempt,
        .outcome = outcome,
        .reason = task->ask.reason,
        .first = task->range.first,
        .count = task->range.count,
        .requested = task->ask.requested,
        .queued_ns = task->queued_ns,
        .start_ns = task->start_ns,
        .end_ns = end_ns,
        .jit_ns = timing->jit_ns,
        .copy_in_ns = timing->copy_in_ns,
        .run_ns = timing->run_ns ? timing->run_ns : end_ns - task->start_ns,
        .copy_out_ns = timing->copy_out_ns,
        .bytes = timing->bytes_in + timing->bytes_out,
        .decision = task->decision,
    };
}

static void tell_schedule(struct dv_job *job, struct dv_member *member, uint64_t now_ns, size_t count, uint64_t busy_ns)
{
    if (!job->plan.schedule->adaptive)
        return;
    pthread_mutex_lock(&job->mutex);
    bool news = job->plan.schedule->done(&job->plan, dv_job_index_of(job, member), now_ns, count, busy_ns);
    bool recall = (news && job->turned_away) || (member->unit->core < 0 && job->eager);
    job->turned_away = job->turned_away && !news;
    job->eager = job->eager && !recall;
    pthread_mutex_unlock(&job->mutex);
    if (recall) /* what was learned may change what those get who were told to wait */
        dv_job_recall(job);
}

/* Whether opening and building a unit would take no longer than the rest of the job, or than what was spent so far on
 * not having done it. The second is the rule for renting skis: at most twice the cost of having known. */
static bool would_pay(uint64_t cost_ns, uint64_t rent_ns, double rest_ns)
{
    return rent_ns > cost_ns || rest_ns > (double)cost_ns;
}

/* What it takes until a unit that is found can help: as an earlier run or another kernel had it, else as assumed. */
static uint64_t cost_of(struct dv_job *job, struct dv_unit *unit)
{
    const struct dv_store_cost stored = dv_models_cost(&job->crew->models, job->kernel, unit);
    uint64_t open_ns = atomic_load(&unit->open_ns), build_ns = atomic_load(&unit->build_ns);
    open_ns = open_ns ? open_ns : stored.open_ns ? stored.open_ns : ASSUMED_OPEN_NS;
    build_ns = stored.build_ns ? stored.build_ns : build_ns ? build_ns : ASSUMED_BUILD_NS;
    return (atomic_load(&unit->state) == DV_UNIT_OPEN ? 0 : open_ns) + build_ns;
}

/* The same for the first of what is not even found. */
static uint64_t cost_of_unprobed(struct dv_job *job)
{
    struct dv_crew *crew = job->crew;
    uint64_t least_ns = 0;
    for (unsigned p = 0; p < crew->plugin_count; p++) {
        uint64_t ns = crew->plugins[p]->backend->features & DIVVY_BACKEND_EAGER
                          ? 0
                          : dv_models_cost_through(&crew->models, job->kernel, crew->plugins[p]->name);
        least_ns = ns && (!least_ns || ns < least_ns) ? ns : least_ns;
    }
    return least_ns ? least_ns : ASSUMED_PROBE_NS + ASSUMED_OPEN_NS + ASSUMED_BUILD_NS;
}

/* A core has worked for `busy_ns`: time to think about those who could help but are not ready? */
static void consider_latecomers(struct dv_job *job, struct dv_member *member, uint64_t busy_ns)
{
    struct dv_crew *crew = job->crew;
    uint64_t rent_ns = dv_models_pay_rent(&crew->models, job->kernel, busy_ns);
    pthread_mutex_lock(&job->mutex);
    double rest_ns = dv_plan_expect_ns(&job->plan, dv_job_index_of(job, member), job->unclaimed) / crew->core_count;
    bool changed = false;
    for (unsigned m = crew->core_count; m < job->member_count; m++) {
        enum dv_standing waiting = DV_WAITING;
        if (atomic_load(&job->members[m].standing) == DV_WAITING &&
            would_pay(cost_of(job, job->members[m].unit), rent_ns, rest_ns))
            changed |= atomic_compare_exchange_strong(&job->members[m].standing, &waiting, DV_WANTED);
    }
    pthread_mutex_unlock(&job->mutex);
    if (atomic_load(&crew->unprobed) && would_pay(cost_of_unprobed(job), rent_ns, rest_ns))
        dv_crew_probe_beside(crew);
    if (changed)
        dv_job_recall(job);
}

/* ---- Cores ---- */

/* A host kernel may have failed the partition that just ran here. */
static bool take_failure(struct dv_job *job)
{
    struct dv_here *here = dv_here();
    if (!here->failed)
        return false;
    dv_job_stop(job, true, here->failure, here->failure_text ? here->failure_text : "a host kernel failed");
    free(here->failure_text);
    here->failure_text = NULL;
    here->failed = false;
    return true;
}

/* Runs one claimed partition here and now; the moment of its end. Whatever became of it, it is to be accounted for. */
static uint64_t run_here(struct dv_job *job, struct dv_member *member, struct dv_tally *tally, struct dv_task *task)
{
    struct dv_unit *unit = member->unit;
    size_t count = task->range.count;
    if (!dv_task_aim(task)) {
        dv_job_stop(job, true, DIVVY_NO_MEMORY, "no memory for a partition's results");
        return dv_now_ns();
    }
    bool done = dv_task_run(task, unit);
    uint64_t end = job->timed ? dv_now_ns() : task->start_ns;
    if (!done)
        dv_job_stop(job, true, DIVVY_DEVICE_LOST, dv_error_text());
    if (take_failure(job))
        done = false;
    if (done && !dv_task_accept(task, member)) {
        dv_job_stop(job, true, DIVVY_NO_MEMORY, "no memory for a partition's results");
        done = false;
    }
    keep_record(member, task, end, done ? DV_ACCEPTED : DV_FAILED);
    if (done) {
        tally_one(tally, task, end - task->start_ns, end);
        tell_schedule(job, member, end, count, end - task->start_ns);
        if (job->latecomers && job->plan.schedule->adaptive)
            consider_latecomers(job, member, end - task->start_ns);
    } else {
        dv_task_drop(task);
    }
    return end;
}

/* `hand`: what the core has of the job already. Partitions are accounted for together, when there is nothing more to
 * claim: a counter that all cores write is what small partitions would wait for. They would wait for the clock too: the
 * times in the tally are those of a job that is timed, else the caller's business. */
static size_t work_core(struct dv_job *job, struct dv_member *member, const struct dv_hand *hand,
                        struct dv_tally *tally, uint64_t now)
{
    struct dv_task task;
    dv_task_begin(&task, job, hand->id, &member->loaded);
    task.decision = (struct dv_decision){0};
    task.range = (struct dv_range){hand->first, hand->count, 1};
    task.ask = (struct dv_ask){.count = hand->count, .requested = hand->count, .reason = DV_SHARE};
    size_t computed = 0;
    bool handed = hand->count > 0, more = handed || dv_claim(job, member, tally, now, &task);
    while (more) {
        task.queued_ns = task.start_ns = now;
        now = run_here(job, member, tally, &task);
        computed += task.range.count;
        if (job->on_progress) {
            dv_job_account(job, computed);
            dv_progress_tell(job);
            computed = 0;
        }
        more = !(handed && dv_claim_is_through(job)) && dv_claim(job, member, tally, now, &task);
    }
    return computed;
}

/* ---- Other devices ---- */

/* A task is over: forget that it flies. From now on nobody takes anything of its range. */
static void land(struct dv_job *job, struct dv_member *member, const struct dv_task *task, uint64_t now_ns)
{
    pthread_mutex_lock(&job->mutex);
    for (unsigned f = 0; f < 2; f++)
        if (member->flying[f] == task)
            member->flying[f] = NULL;
    member->landed_ns = now_ns;
    pthread_mutex_unlock(&job->mutex);
}

/* Whether this worker may settle the task: nobody took it away. */
static bool win(struct dv_task *task)
{
    return atomic_exchange(&task->fate, DV_TASK_SETTLED) != DV_TASK_ABANDONED;
}

/* The caller's arrays have been read: from now on the task may be abandoned, and is if that was asked for meanwhile. */
static void take_off(struct dv_job *job, struct dv_task *task)
{
    pthread_mutex_lock(&job->mutex);
    bool abandoned = job->abandons, eager = job->eager;
    atomic_store(&task->fate, abandoned ? DV_TASK_ABANDONED : DV_TASK_RUNNING);
    job->eager = false;
    pthread_mutex_unlock(&job->mutex);
    if (abandoned)
        dv_job_account(job, task->partition.count);
    else if (eager)
        dv_job_recall(job);
}

/* The partition was not computed: others will, unless the caller's arrays are spoilt. */
static void fail_task(struct dv_job *job, struct dv_member *member, struct dv_task *task, enum dv_outcome outcome)
{
    land(job, member, task, dv_now_ns());
    dv_task_drop(task);
    if (!win(task))
        return;
    uint64_t now = dv_now_ns();
    keep_record(member, task, now, outcome);
    member->wasted_ns += now - task->start_ns;
    if (task->partition.touched && job->writes_in_place) {
        dv_job_stop(job, true, DIVVY_DEVICE_LOST, dv_error_text());
        dv_job_account(job, task->range.count);
    } else {
        dv_job_put_back(job, task->range);
    }
}

/* The part of a time that was spent on what is accepted; cores have done the rest. */
static uint64_t useful_ns(const struct dv_task *task, uint64_t busy_ns)
{
    return task->range.count == task->partition.count
               ? busy_ns
               : (uint64_t)((double)busy_ns * (double)task->range.count / (double)task->partition.count);
}

static void accept_task(struct dv_job *job, struct dv_member *member, struct dv_task *task, uint64_t begin_ns)
{
    uint64_t end = dv_now_ns();
    land(job, member, task, end);
    if (!win(task)) {
        dv_task_drop(task);
        if (job->plan.schedule->take_over)
            dv_duplicate_learn(job, member, task, end - begin_ns);
        return;
    }
    bool accepted = dv_task_accept(task, member);
    uint64_t settled = dv_now_ns();
    if (!accepted)
        dv_job_stop(job, true, DIVVY_NO_MEMORY, "no memory for a partition's results");
    atomic_fetch_add_explicit(&member->combine_ns, settled - end, memory_order_relaxed);
    task->partition.timing.copy_out_ns += settled - end;
    task->start_ns = begin_ns;
    keep_record(member, task, settled, accepted ? DV_ACCEPTED : DV_FAILED);
    if (accepted) {
        uint64_t busy = settled - begin_ns, useful = useful_ns(task, busy), jit = task->partition.timing.jit_ns;
        tally_one(&member->tally, task, useful, settled);
        member->wasted_ns += busy - useful;
        member->jit_ns += jit < useful ? jit : 0; /* devices may say anything */
        tell_schedule(job, member, settled, task->partition.count, settled - begin_ns);
    }
    dv_job_account(job, task->range.count);
    dv_progress_tell(job);
}

/* By when a partition that begins now must be over. */
static uint64_t deadline_of(struct dv_job *job, const struct dv_member *member, const struct dv_task *task)
{
    pthread_mutex_lock(&job->mutex);
    double expected = dv_plan_expect_ns(&job->plan, dv_job_index_of(job, member), task->partition.count);
    pthread_mutex_unlock(&job->mutex);
    uint64_t allowed = expected > 0 ? LATE_FACTOR * (uint64_t)expected : LATE_UNKNOWN_NS;
    return dv_now_ns() + (allowed > LATE_LEAST_NS ? allowed : LATE_LEAST_NS);
}

/* Claims and starts one more; false if there is none, or the device fails at it (*out_failed). */
static bool start_one(struct dv_job *job, struct dv_member *member, struct dv_task *task, bool *out_failed)
{
    struct dv_unit *unit = member->unit;
    uint64_t now = dv_now_ns();
    task->queued_ns = now;
    if (!dv_claim(job, member, &member->tally, now, task))
        return false;
    dv_task_begin(task, job, job->id, &member->loaded);
    if (!dv_task_aim(task)) {
        dv_error_set("no memory for a partition");
        *out_failed = true;
    } else {
        task->start_ns = dv_now_ns();
        atomic_fetch_add_explicit(&member->split_ns, task->start_ns - now, memory_order_relaxed);
        *out_failed = unit->backend->start(unit->device, &task->partition) != DIVVY_OK;
    }
    if (*out_failed) {
        dv_ready_condemn(job, unit, dv_error_text());
        fail_task(job, member, task, DV_FAILED);
    } else if (unit->facts.staged) {
        take_off(job, task);
    }
    return !*out_failed;
}

/* Keeps up to `depth` partitions between start and finish, so that copies overlap computing. */
static void work_device(struct dv_job *job, struct dv_member *member)
{
    struct dv_unit *unit = member->unit;
    unsigned depth = unit->facts.depth > 1 ? 2 : 1, queued = 0, oldest = 0;
    struct dv_task tasks[2];
    uint64_t previous_end = 0;
    bool failed = false;
    for (;;) {
        while (!failed && queued < depth && start_one(job, member, &tasks[(oldest + queued) % 2], &failed))
            queued++;
        if (queued == 0)
            break;
        struct dv_task *task = &tasks[oldest];
        oldest = (oldest + 1) % 2;
        queued--;
        if (failed) { /* what it still works on is not waited for */
            divvy_outcome left = unit->backend->finish(unit->device, &task->partition, dv_now_ns() + LATE_LEAST_NS);
            if (left == DIVVY_DONE)
                accept_task(job, member, task, task->start_ns > previous_end ? task->start_ns : previous_end);
            else
                fail_task(job, member, task, left == DIVVY_LATE ? DV_LATE : DV_FAILED);
            continue;
        }
        divvy_outcome outcome = unit->backend->finish(unit->device, &task->partition, deadline_of(job, member, task));
        if (outcome == DIVVY_DONE) {
            accept_task(job, member, task, task->start_ns > previous_end ? task->start_ns : previous_end);
            previous_end = dv_now_ns();
        } else {
            if (outcome == DIVVY_LATE)
                (void)dv_fail(DIVVY_DEVICE_LOST, "%s: a partition was not over at its deadline", unit->id);
            dv_ready_condemn(job, unit, dv_error_text());
            fail_task(job, member, task, outcome == DIVVY_LATE ? DV_LATE : DV_FAILED);
            failed = true;
        }
    }
    if (failed)
        dv_ready_retire(job, unit, dv_error_text());
}

/* ---- */

void dv_work(struct dv_job *job, struct dv_member *member, uint64_t now_ns)
{
    struct dv_here *here = dv_here(), before = *here;
    *here = (struct dv_here){.unit = member->unit, .job = job, .nested = before.job != NULL};
    bool ready = dv_ready_make(job, member);
    if (ready && job->prepares) {
        dv_job_account(job, 1);
    } else if (ready && member->unit->core >= 0) {
        now_ns = now_ns ? now_ns : dv_now_ns();
        struct dv_tally *tally = &member->tally;
        size_t computed = work_core(job, member, &(struct dv_hand){.id = job->id}, tally, now_ns);
        if (!job->timed && computed && tally->partitions) {
            tally->last_end_ns = dv_now_ns();
            tally->busy_ns += tally->last_end_ns - now_ns;
        }
        dv_job_account(job, computed);
    } else if (ready) {
        atomic_store(&member->unit->busy, true);
        work_device(job, member);
        atomic_store(&member->unit->busy, false);
    }
    *here = before;
}

size_t dv_work_relayed(struct dv_job *job, struct dv_member *member, const struct dv_hand *hand,
                       struct dv_tally *out_tally)
{
    struct dv_here *here = dv_here();
    *here = (struct dv_here){.unit = member->unit, .job = job};
    /* Who tells of progress accounts for each partition, and then must have tallied it where others look. */
    struct dv_tally *tally = job->on_progress ? &member->tally : out_tally;
    size_t computed = 0;
    if (dv_ready_make(job, member))
        computed = work_core(job, member, hand, tally, job->timed ? dv_now_ns() : 0);
    else if (hand->count > 0)
        dv_claim_undo(job, dv_job_index_of(job, member), hand->count);
    *here = (struct dv_here){0};
    return computed;
}
