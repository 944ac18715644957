#include "flow/future.h"

#include "base/status.h"
#include "schedule/pool.h"
#include "schedule/relay.h"
#include "schedule/worker.h"

#include <string.h>

/* The place from which this thread may work for a crew: if it runs a kernel its own seat, which it holds anyway. */
static struct dv_place find_place(struct dv_crew *crew)
{
    const struct dv_here *here = dv_here();
    if (!here->unit)
        return dv_place_visit(crew);
    int core = here->unit->core;
    if (crew->core_count && (core < 0 || crew->member_of_core[core] < 0))
        dv_pool_hire_first(crew); /* who works for another context, or for a device, cannot help */
    return (struct dv_place){.core = core};
}

/* The job whose kernel this thread runs, if it does: what it submits is a child. Callbacks are nobody's children. */
static struct dv_job *parent(void)
{
    const struct dv_here *here = dv_here();
    return here->telling ? NULL : here->job;
}

static struct dv_member *attend(struct dv_job *job, int core)
{
    struct dv_member *member = core >= 0 ? dv_job_member_on(job, core) : NULL;
    if (!member || atomic_load(&member->standing) == DV_OUT)
        return NULL;
    if (!atomic_exchange(&member->attended, true))
        atomic_fetch_sub(&job->unattended, 1);
    return member;
}

/* A job of no index that writes nothing is over at once. True: it is over, for this or another reason. */
static bool is_trivial(struct dv_job *job)
{
    if (dv_job_is_over(job))
        return true;
    if (job->count > 0 || job->has_folds || job->has_results || (job->prepares && atomic_load(&job->pending) > 0))
        return false;
    dv_job_finish_empty(job);
    return true;
}

static void publish(struct dv_job *job, bool leads, bool *out_free)
{
    bool empty = job->count == 0 && !job->prepares; /* then one index stands for writing the identities, in order */
    if (empty)
        atomic_store(&job->pending, 1);
    divvy_status status = dv_pool_publish(job, leads, out_free);
    if (status != DIVVY_OK) {
        job->status = status;
        job->error = strdup(dv_error_text());
        *out_free = false;
        atomic_store(&job->over, true);
    } else if (empty && *out_free) {
        *out_free = false;
        dv_job_account(job, 1);
    }
}

struct dv_job *dv_future_submit(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                                size_t args_size)
{
    struct dv_job *job = dv_job_make(crew, kernel, count, args, args_size, parent(), -1);
    if (!job)
        return dv_job_make_failed(DIVVY_NO_MEMORY, "no memory for the job");
    if (is_trivial(job))
        return job;
    dv_pool_hire_first(crew);
    dv_pool_hire_first_for(job, -1);
    bool free;
    publish(job, false, &free);
    return job;
}

/* Publishes the job and sees it through. */
static void see_through(struct dv_job *job, struct dv_place *place, bool may_be_quiet)
{
    struct dv_member *member = place->core >= 0 ? dv_job_member_on(job, place->core) : NULL;
    if (member && atomic_load(&member->standing) == DV_OUT)
        member = NULL;
    if (may_be_quiet && member)
        atomic_store_explicit(&job->quiet, true, memory_order_relaxed);
    dv_pool_hire_first_for(job, place->core);
    bool free;
    publish(job, place->leads && !job->prepares, &free);
    bool at_once = !job->timed && dv_relay_has_called_all(job); /* then it is as good as still the moment of the call */
    if (member && free)
        dv_work(job, member, at_once ? job->submitted_ns : 0);
    if (!dv_job_is_over(job))
        dv_pool_open_up(job);
    dv_pool_wait(job, place);
}

struct dv_job *dv_future_run(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                             size_t args_size)
{
    struct dv_place place = find_place(crew);
    struct dv_job *job = dv_job_make(crew, kernel, count, args, args_size, parent(), place.core);
    if (job && !is_trivial(job))
        see_through(job, &place, job->plan.schedule->quiet);
    dv_place_leave(&place, crew);
    return job ? job : dv_job_make_failed(DIVVY_NO_MEMORY, "no memory for the job");
}

struct dv_job *dv_future_prepare(struct dv_crew *crew, const divvy_kernel *kernel)
{
    struct dv_job *job = dv_job_make_preparing(crew, kernel);
    if (!job)
        return dv_job_make_failed(DIVVY_NO_MEMORY, "no memory for the job");
    if (!is_trivial(job)) {
        struct dv_place place = find_place(crew);
        see_through(job, &place, false);
        dv_place_leave(&place, crew);
    }
    return job;
}

void dv_future_wait(struct dv_job *job)
{
    if (dv_job_is_over(job))
        return;
    struct dv_place place = find_place(job->crew);
    attend(job, place.core);
    if (parent())
        dv_pool_await(job, parent());
    dv_pool_wait(job, &place);
    dv_place_leave(&place, job->crew);
}
