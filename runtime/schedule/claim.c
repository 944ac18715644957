#include "schedule/claim.h"

#include "base/log.h"
#include "schedule/duplicate.h"
#include "schedule/pool.h"
#include "schedule/worker.h"

/* A job that takes no longer than this is not worth waking anybody for: awake, or asleep. */
static const double WAKE_SPINNING_NS = 3000, WAKE_SLEEPING_NS = 20000;

/* Under a schedule that gives every device its one part, a home is only taken from those who will not come. A kernel
 * that waits does all of the job if it must: those who should come may be kernels that wait as well. */
static bool may_steal(struct dv_job *job, unsigned home)
{
    return !job->plan.schedule->one_each || !atomic_load(&job->members[home].attended) || dv_here()->nested;
}

static bool is_core(const struct dv_job *job, unsigned m)
{
    return m < job->crew->core_count;
}

/* Cores take the back of another core's home, and the front of what was laid out for a device. */
static bool steal(struct dv_job *job, unsigned victim, size_t wanted, struct dv_range *out_range)
{
    if (!may_steal(job, victim))
        return false;
    return is_core(job, victim) ? dv_split_take_back(&job->split, victim, wanted, out_range)
                                : dv_split_take_front(&job->split, victim, wanted, out_range);
}

static bool steal_most(struct dv_job *job, unsigned thief, size_t wanted, struct dv_range *out_range)
{
    for (;;) {
        unsigned victim = 0;
        size_t most = 0;
        for (unsigned h = 0; h < job->split.home_count; h++) {
            size_t left = h != thief ? dv_split_left(&job->split, h) : 0;
            if (left > most && may_steal(job, h)) {
                most = left;
                victim = h;
            }
        }
        if (most == 0)
            return false;
        if (steal(job, victim, wanted, out_range))
            return true;
    }
}

static bool steal_farthest(struct dv_job *job, unsigned thief, size_t wanted, struct dv_range *out_range)
{
    for (unsigned h = job->split.home_count; h-- > 0;)
        if (h != thief && may_steal(job, h) && dv_split_take_back(&job->split, h, wanted, out_range))
            return true;
    return false;
}

/* Whether each device has its one part, and sees to it itself. */
static bool all_come(struct dv_job *job)
{
    return job->plan.schedule->one_each && atomic_load(&job->unattended) == 0 && !dv_here()->nested;
}

bool dv_claim_is_through(struct dv_job *job)
{
    return all_come(job) && !dv_split_has_returned(&job->split);
}

/* Whether that is so of a device that has had something. */
static bool is_through(struct dv_job *job, unsigned m)
{
    return m < job->split.home_count && dv_split_left(&job->split, m) == 0 && dv_claim_is_through(job);
}

bool dv_claim_home(struct dv_job *job, unsigned m, struct dv_range *out_range)
{
    size_t cap = job->plan.paces[m].cap;
    return job->plan.schedule->one_each && !job->timed && !job->first_partition &&
           (!cap || cap >= job->split.homes[m].count) && dv_split_take_front(&job->split, m, SIZE_MAX, out_range);
}

void dv_claim_undo(struct dv_job *job, unsigned m, size_t count)
{
    pthread_mutex_lock(&job->mutex);
    bool stopped = atomic_load(&job->stopped); /* then what was not claimed is cancelled already */
    if (!stopped)
        dv_split_put_front(&job->split, m, count);
    pthread_mutex_unlock(&job->mutex);
    if (stopped)
        dv_job_account(job, count);
    else
        dv_job_recall(job);
}

/* Where the indices come from: see split.h. */
static bool take(struct dv_job *job, unsigned m, size_t wanted, struct dv_range *out_range)
{
    struct dv_split *split = &job->split;
    if (dv_split_take_returned(split, wanted, out_range))
        return true;
    if (is_core(job, m))
        return dv_split_take_front(split, m, wanted, out_range) ||
               (!all_come(job) && steal_most(job, m, wanted, out_range));
    return (m < split->home_count && dv_split_take_back(split, m, wanted, out_range)) ||
           steal_farthest(job, m, wanted, out_range);
}

/* What the schedule has placed itself, in whole grains, is not looked for elsewhere. */
static bool take_asked(struct dv_job *job, unsigned m, const struct dv_ask *ask, struct dv_range *out_range)
{
    return ask->placed ? dv_split_take_front(&job->split, ask->home, ask->count + job->split.grain - 1, out_range)
                       : take(job, m, ask->count, out_range);
}

/* A quiet job is its caller's alone as long as waking others would take longer than the rest of it. */
static bool stays_quiet(struct dv_job *job, unsigned m, struct dv_ask *ask)
{
    struct dv_plan *plan = &job->plan;
    double rest_ns = dv_plan_expect_ns(plan, m, job->unclaimed);
    if (rest_ns == 0)
        return true; /* the first probe will tell */
    bool asleep = atomic_load(&dv_pool.work.sleepers) > 0;
    if (rest_ns > (asleep ? WAKE_SLEEPING_NS : WAKE_SPINNING_NS))
        return false;
    *ask = (struct dv_ask){.count = job->unclaimed, .requested = job->unclaimed, .reason = DV_TAIL};
    return true;
}

/* The size that the caller wishes for a member's first partition, if its memory holds that. */
static struct dv_ask first_ask(const struct dv_job *job, unsigned m)
{
    size_t wish = job->first_partition, cap = job->plan.paces[m].cap;
    return (struct dv_ask){.count = cap && cap < wish ? cap : wish, .requested = wish, .reason = DV_FIXED};
}

/* What claiming has led to, to be told when the job's mutex is free again. */
struct news {
    bool open_up, recall, parked;
};

static void tell_parked(struct dv_job *job, unsigned m)
{
    struct dv_unit *unit = job->members[m].unit;
    struct dv_profile *profile = job->crew->profile;
    dv_log(DIVVY_LOG_DEBUG, "schedule", "%s is parked: job %llu would have to wait for it", unit->id,
           (unsigned long long)job->id);
    if (profile)
        dv_profile_add_event(profile, "parked", (int)job->crew->profile_index[m], job->id,
                             "%s cannot help: the others are done before its first partition", unit->id);
}

static void tell_decision(const struct dv_job *job, unsigned m, const struct dv_task *task)
{
    const struct dv_decision *how = &task->decision;
    dv_log(DIVVY_LOG_DEBUG, "schedule",
           "job %llu: %s gets %zu from %zu on: %s, of a share of %.0f the part %.2f, at least %.0f, until %.3f ms",
           (unsigned long long)job->id, job->members[m].unit->id, task->range.count, task->range.first,
           dv_reason_name(task->ask.reason), how->share, how->guard, how->floor,
           how->end_ns > 0 ? (how->end_ns - (double)job->submitted_ns) / 1e6 : 0);
}

/* By a schedule that adapts, or for a staged device: under the job's mutex. */
static bool claim_next(struct dv_job *job, unsigned m, bool started, uint64_t now_ns, struct dv_task *task,
                       struct news *news)
{
    struct dv_plan *plan = &job->plan;
    if (plan->schedule->adaptive && job->unclaimed == 0)
        return false;
    bool parked = plan->paces[m].stand == DV_PARKED;
    task->ask = plan->schedule->next(plan, m, now_ns, job->unclaimed);
    task->decision = plan->decision;
    news->parked = !parked && plan->paces[m].stand == DV_PARKED;
    if (atomic_load_explicit(&job->quiet, memory_order_relaxed))
        news->open_up = !stays_quiet(job, m, &task->ask);
    if (!started && job->first_partition && task->ask.count && !task->ask.placed)
        task->ask = first_ask(job, m);
    job->turned_away |= task->ask.count == 0;
    if (task->ask.count == 0 || atomic_load(&job->stopped) || !take_asked(job, m, &task->ask, &task->range))
        return false;
    job->unclaimed -= task->range.count < job->unclaimed ? task->range.count : job->unclaimed;
    return true;
}

bool dv_claim(struct dv_job *job, struct dv_member *member, const struct dv_tally *tally, uint64_t now_ns,
              struct dv_task *task)
{
    if (atomic_load_explicit(&job->stopped, memory_order_relaxed))
        return false;
    if (job->deadline_ns && now_ns >= job->deadline_ns) {
        dv_job_stop(job, true, DIVVY_TIMED_OUT, "the job's time was over");
        return false;
    }
    struct dv_plan *plan = &job->plan;
    bool started = tally->partitions > 0;
    unsigned m = dv_job_index_of(job, member);
    unsigned recalls = atomic_load(&job->recalls);
    atomic_init(&task->fate, DV_TASK_STARTING);
    struct news news = {false, false, false};
    bool taken;
    if (started && is_through(job, m)) {
        taken = false;
    } else if (!plan->schedule->adaptive && !member->unit->facts.staged) {
        struct dv_ask ask = plan->schedule->next(plan, m, now_ns, 0);
        if (!started && job->first_partition)
            ask = first_ask(job, m);
        taken = take(job, m, ask.count, &task->range);
        task->ask = ask;
    } else {
        pthread_mutex_lock(&job->mutex);
        taken = claim_next(job, m, started, now_ns, task, &news);
        if (!taken && plan->schedule->take_over && is_core(job, m) && job->unclaimed == 0 &&
            !atomic_load(&job->stopped)) {
            taken = dv_duplicate_claim(job, m, now_ns, task) || claim_next(job, m, started, now_ns, task, &news);
            news.recall = taken && job->eager; /* the others may help out too */
            job->eager = !taken;
        }
        for (unsigned f = 0; taken && member->unit->facts.staged && f < 2; f++) {
            if (!member->flying[f]) {
                member->flying[f] = task;
                break;
            }
        }
        pthread_mutex_unlock(&job->mutex);
    }
    if (news.open_up)
        dv_pool_open_up(job);
    if (news.recall)
        dv_job_recall(job);
    if (news.parked)
        tell_parked(job, m);
    if (taken && dv_log_enabled(DIVVY_LOG_DEBUG))
        tell_decision(job, m, task);
    if (!taken && tally == &member->tally) /* who came by the relay leaves the member's memory to the caller */
        atomic_store_explicit(&member->idle_at, recalls, memory_order_relaxed);
    return taken;
}
