#include "schedule/job.h"

#include "base/clock.h"
#include "base/status.h"
#include "schedule/combine.h"
#include "schedule/pool.h"
#include "schedule/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Shorter times tell of the clock and the caches, not of the kernel. */
static const uint64_t LEARN_LEAST_NS = 20000;

struct dv_tally dv_member_tally(const struct dv_member *member)
{
    struct dv_tally sum = member->tally;
    dv_tally_add(&sum, &member->relayed);
    return sum;
}

/* ---- Ending ---- */

/* How much slower than its rate says a class was in the end: the mean logarithm of those of its devices that were
 * measured often enough to tell. */
static double drift_of(const struct dv_plan *plan, unsigned rate)
{
    double sum = 0, devices = 0;
    for (unsigned m = 0; m < plan->pace_count; m++) {
        if (plan->paces[m].rate == rate && plan->paces[m].samples >= DV_STORE_BELIEVED) {
            sum += log(plan->paces[m].correction);
            devices++;
        }
    }
    return devices > 0 ? sum / devices : 0;
}

/* A device that is about to begin changes that, even now. */
static bool is_parked(struct dv_job *job, unsigned m)
{
    if (m < job->crew->core_count ||
        !job->plan.schedule->adaptive) /* then nobody is, and paces are their workers' alone */
        return false;
    pthread_mutex_lock(&job->mutex);
    bool parked = job->plan.paces[m].stand == DV_PARKED;
    pthread_mutex_unlock(&job->mutex);
    return parked;
}

static void keep_models(struct dv_job *job)
{
    struct dv_plan *plan = &job->plan;
    for (unsigned m = 0; m < job->member_count; m++) {
        const struct dv_unit *unit = job->members[m].unit;
        unsigned rate = plan->paces[m].rate;
        bool first_of_class = dv_member_tally(&job->members[m]).items > 0;
        for (unsigned other = 0; other < m; other++)
            first_of_class =
                first_of_class && (plan->paces[other].rate != rate || dv_member_tally(&job->members[other]).items == 0);
        if (first_of_class)
            dv_models_keep(&job->crew->models, job->kernel, unit, job->count, plan->paces[m].fixed_ns,
                           &plan->rates[rate], drift_of(plan, rate));
        else if (is_parked(job, m))
            dv_models_doubt(&job->crew->models, job->kernel, unit, job->count);
    }
}

/* What a schedule that does not adapt has seen is worth keeping too: it sizes the homes of the next static job. */
static void learn_from_tallies(struct dv_job *job)
{
    struct dv_plan *plan = &job->plan;
    for (unsigned r = 0; r < plan->rate_count; r++) {
        uint64_t busy_ns = 0, items = 0;
        for (unsigned m = 0; m < job->member_count; m++) {
            const struct dv_tally tally = dv_member_tally(&job->members[m]);
            if (plan->paces[m].rate == r && tally.busy_ns > 0) { /* else it was over before the caller looked */
                busy_ns += tally.busy_ns;
                items += tally.items;
            }
        }
        if (busy_ns > LEARN_LEAST_NS && items > 0)
            dv_rate_observe(&plan->rates[r], (double)busy_ns / (double)items);
    }
}

static void learn(struct dv_job *job)
{
    pthread_mutex_lock(&job->mutex); /* whose partition was abandoned may still look at the plan */
    if (job->plan.schedule->learns)
        dv_plan_end(&job->plan);
    else
        learn_from_tallies(job);
    pthread_mutex_unlock(&job->mutex);
    if (job->plan.schedule->balances)
        dv_balances_keep(&job->crew->balances, job);
    keep_models(job);
}

/* The moment when the last partition was accepted; of a job that was stopped, or of nothing, this one. */
static uint64_t end_of(const struct dv_job *job)
{
    uint64_t end_ns = 0;
    for (unsigned m = 0; m < job->member_count && job->status == DIVVY_OK; m++) {
        uint64_t own_ns = job->members[m].tally.last_end_ns, relayed_ns = job->members[m].relayed.last_end_ns;
        end_ns = own_ns > end_ns ? own_ns : end_ns;
        end_ns = relayed_ns > end_ns ? relayed_ns : end_ns;
    }
    return end_ns ? end_ns : dv_now_ns();
}

/* A job may be over before its caller has looked at the clock; then it was short. */
static bool took_long(const struct dv_job *job)
{
    uint64_t submitted_ns = job->submitted_ns;
    return submitted_ns > 0 && job->end_ns > submitted_ns + LEARN_LEAST_NS;
}

/* Everything was accounted for: combines, learns, records. Returns before the job is said to be over. */
static void conclude(struct dv_job *job)
{
    if (job->latecomers) { /* from now on nobody joins */
        pthread_mutex_lock(&job->mutex);
        job->joinable = false;
        pthread_mutex_unlock(&job->mutex);
    }
    job->end_ns = end_of(job);
    if (job->prepares)
        return;
    if (job->status == DIVVY_OK)
        dv_job_combine(job);
    dv_job_drop_results(job);
    if (job->count > 0 && took_long(job))
        learn(job);
    if (job->crew->profile)
        dv_job_profile(job);
    dv_progress_end(job);
}

void dv_job_finish_empty(struct dv_job *job)
{
    conclude(job);
    atomic_store(&job->over, true);
}

void dv_job_account(struct dv_job *job, size_t count)
{
    if (!count || atomic_fetch_sub_explicit(&job->pending, count, memory_order_acq_rel) != count)
        return;
    enum dv_closer waiter = DV_CLOSER_WAITER;
    if (!atomic_compare_exchange_strong(&job->closer, &waiter, DV_CLOSER_CALLED))
        dv_job_finish(job);
}

void dv_job_finish(struct dv_job *job)
{
    conclude(job);
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

/* One index more to account for, unless all were: so that a job cannot end under whoever stops it, and one that has
 * ended is not stopped any more. */
static bool hold_open(struct dv_job *job)
{
    size_t pending = atomic_load(&job->pending);
    while (pending > 0 && !atomic_compare_exchange_weak(&job->pending, &pending, pending + 1))
        continue;
    return pending > 0;
}

void dv_job_stop(struct dv_job *job, bool abandon, divvy_status status, const char *error)
{
    if (!hold_open(job))
        return;
    pthread_mutex_lock(&job->mutex);
    size_t cancelled = 1;
    if (!atomic_load(&job->stopped)) {
        job->status = status;
        job->error = strdup(error);
        atomic_store(&job->stopped, true);
        if (!job->prepares)
            cancelled += cancel_unclaimed(job);
    }
    if (abandon) {
        job->abandons = true;
        cancelled += abandon_flying(job);
    }
    dv_job_keep(job);
    pthread_mutex_unlock(&job->mutex);
    dv_job_account(job, cancelled);
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
    dv_job_account(job, range.count);
}

void dv_job_recall(struct dv_job *job)
{
    atomic_fetch_add(&job->recalls, 1);
    dv_pool_announce();
}

void dv_job_leave_out(struct dv_job *job, struct dv_member *member, divvy_status status, const char *error)
{
    pthread_mutex_lock(&job->mutex);
    enum dv_standing before = atomic_exchange(&member->standing, DV_OUT);
    bool was_in = before != DV_OUT;
    if (was_in) {
        struct dv_pace *pace = &job->plan.paces[dv_job_index_of(job, member)];
        pace->stand = DV_AWAY;
        pace->out = true;
        pace->asked = 0; /* nobody waits for what it was asked for */
    }
    dv_plan_unpark(&job->plan);
    pthread_mutex_unlock(&job->mutex);
    if (!was_in)
        return;
    dv_job_keep(job);
    if (atomic_exchange(&member->attended, false)) /* its home is everybody's */
        atomic_fetch_add(&job->unattended, 1);
    if (atomic_fetch_sub(&job->alive, 1) == 1)
        dv_job_stop(job, false, status, error);
    else
        dv_job_recall(job);
    if (job->prepares && before == DV_WANTED) /* else it has accounted for itself, or need not */
        dv_job_account(job, 1);
    dv_job_release(job);
}

/* ---- Keeping ---- */

/* A job object that was used before, or a new one. */
struct dv_job *dv_job_take(struct dv_crew *crew)
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
    job->plan.schedule = crew->schedule; /* also for a call that does not get as far as to choose one */
    pthread_mutex_lock(&dv_pool.mutex);
    job->next_made = crew->made;
    crew->made = job;
    pthread_mutex_unlock(&dv_pool.mutex);
    return job;
}

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
    /* The last one is alone, and need not lock anything. */
    while (job && (atomic_load_explicit(&job->references, memory_order_acquire) == 1 ||
                   atomic_fetch_sub_explicit(&job->references, 1, memory_order_acq_rel) == 1)) {
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
    dv_blocks_free(&job->blocks);
    pthread_mutex_destroy(&job->mutex);
    for (unsigned m = 0; m < job->member_capacity; m++)
        free(job->members[m].records);
    free(job->members);
    free(job->plan.paces);
    free(job->plan.rates);
    free(job->parts);
    free(job->waits_for);
    free(job->copied);
    free(job->error);
    free(job);
}
