#include "schedule/relay.h"

#include "base/clock.h"
#include "base/status.h"
#include "schedule/claim.h"
#include "schedule/pool.h"
#include "schedule/worker.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- The crew ---- */

divvy_status dv_relay_open(struct dv_crew *crew)
{
    if (crew->core_count == 0)
        return DIVVY_OK;
    crew->boxes = aligned_alloc(_Alignof(struct dv_box), crew->core_count * sizeof *crew->boxes);
    if (!crew->boxes)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for the workers' boxes");
    memset(crew->boxes, 0, crew->core_count * sizeof *crew->boxes);
    return DIVVY_OK;
}

void dv_relay_close(struct dv_crew *crew)
{
    for (unsigned c = 0; crew->boxes && c < crew->core_count; c++) {
        struct dv_seat *seat = &dv_pool.seats[crew->cores[c]];
        while (atomic_load_explicit(&seat->engaged, memory_order_acquire) == crew) {
            dv_bell_ring(&dv_pool.work); /* those who watch a box listen for it too */
            sched_yield();
        }
    }
    free(crew->boxes);
    crew->boxes = NULL;
}

/* ---- The visitor ---- */

void dv_relay_recover(const struct dv_job *job)
{
    __builtin_prefetch(&job->id, 1);
    for (unsigned m = 0; m < job->crew->core_count && m < job->split.home_count; m++)
        __builtin_prefetch(&job->split.homes[m], 1);
}

static bool may_be_offered(const struct dv_job *job, unsigned m)
{
    return atomic_load_explicit(&job->crew->boxes[m].watch, memory_order_relaxed) != DV_WATCH_NONE &&
           atomic_load_explicit(&job->members[m].standing, memory_order_relaxed) != DV_OUT;
}

bool dv_relay_offer(struct dv_job *job)
{
    struct dv_crew *crew = job->crew;
    for (unsigned m = 0; m < crew->core_count; m++) {
        if (!may_be_offered(job, m))
            continue;
        struct dv_box *box = &crew->boxes[m];
        struct dv_range range = {0};
        dv_claim_home(job, m, &range);
        atomic_store_explicit(&box->job, job, memory_order_relaxed);
        atomic_store_explicit(&box->member, &job->members[m], memory_order_relaxed);
        atomic_store_explicit(&box->id, job->id, memory_order_relaxed);
        atomic_store_explicit(&box->first, range.first, memory_order_relaxed);
        atomic_store_explicit(&box->count, range.count, memory_order_relaxed);
        atomic_store_explicit(&box->awaited, false, memory_order_relaxed);
        unsigned last = atomic_load_explicit(&box->offer, memory_order_relaxed);
        atomic_store_explicit(&box->withdrawn, last, memory_order_relaxed);
        atomic_store_explicit(&box->offer, last + 1, memory_order_release);
        job->members[m].offered = true;
        job->offers++;
    }
    return dv_relay_has_called_all(job);
}

bool dv_relay_has_called_all(const struct dv_job *job)
{
    return job->offers + 1 == job->member_count;
}

/* Whether the worker has answered the offer that stands in its box. */
static bool has_answered(const struct dv_box *box)
{
    unsigned offer = atomic_load_explicit(&box->offer, memory_order_relaxed);
    return atomic_load(&box->answer) == offer; /* in one order with `awaited` */
}

bool dv_relay_answered(const struct dv_job *job)
{
    bool answered = false;
    for (unsigned m = 0; job->offers && !answered && m < job->crew->core_count; m++)
        answered = job->members[m].offered && has_answered(&job->crew->boxes[m]);
    return answered;
}

static void settle(struct dv_job *job, struct dv_member *member)
{
    member->offered = false;
    job->offers--;
}

/* The worker did not touch the job. */
static void take_back(struct dv_job *job, unsigned m)
{
    size_t count = atomic_load_explicit(&job->crew->boxes[m].count, memory_order_relaxed);
    if (count > 0)
        dv_claim_undo(job, m, count);
}

/* Unless the job is timed, a worker looks at the clock only when it is through: it was called at once. */
static void receive(const struct dv_job *job, struct dv_member *member, const struct dv_tally *tally)
{
    member->relayed = *tally;
    if (!job->timed && tally->partitions > 0)
        member->relayed.busy_ns = tally->last_end_ns > job->submitted_ns ? tally->last_end_ns - job->submitted_ns : 0;
}

bool dv_relay_collect(struct dv_job *job)
{
    size_t computed = 0;
    bool declined = false;
    for (unsigned m = 0; job->offers && m < job->crew->core_count; m++) {
        struct dv_member *member = &job->members[m];
        const struct dv_box *box = &job->crew->boxes[m];
        if (!member->offered || !has_answered(box))
            continue;
        settle(job, member);
        if (box->declined) {
            take_back(job, m);
            declined = true;
            continue;
        }
        if (box->accountable) /* else somebody may be finishing the job now */
            receive(job, member, &box->tally);
        computed += box->accountable;
    }
    dv_job_account(job, computed);
    return declined;
}

bool dv_relay_withdraw(struct dv_job *job)
{
    bool withdrawn = false;
    for (unsigned m = 0; job->offers && m < job->crew->core_count; m++) {
        struct dv_member *member = &job->members[m];
        struct dv_box *box = &job->crew->boxes[m];
        unsigned offer = atomic_load_explicit(&box->offer, memory_order_relaxed);
        if (!member->offered || atomic_load_explicit(&box->withdrawn, memory_order_relaxed) == offer)
            continue;
        atomic_exchange(&box->withdrawn, offer);
        if (atomic_load(&box->taken) == offer)
            continue; /* there will be an answer */
        settle(job, member);
        take_back(job, m);
        withdrawn = true;
    }
    return withdrawn;
}

void dv_relay_await(struct dv_job *job)
{
    for (unsigned m = 0; job->offers && m < job->crew->core_count; m++)
        if (job->members[m].offered)
            atomic_exchange(&job->crew->boxes[m].awaited, true);
}

void dv_relay_end(struct dv_job *job)
{
    dv_relay_withdraw(job);
    for (unsigned turn = 1; job->offers > 0; turn++) {
        dv_relay_collect(job);
        dv_pause();
        if (turn % 1024 == 0)
            sched_yield(); /* the worker is on its way out, if it has a core */
    }
}

bool dv_relay_replace(struct dv_crew *crew, unsigned core)
{
    int m = crew->member_of_core[core];
    enum dv_watch idle = DV_WATCH_NOW;
    return m >= 0 && atomic_compare_exchange_strong(&crew->boxes[m].watch, &idle, DV_WATCH_NONE);
}

/* ---- The worker ---- */

void dv_relay_engage(struct dv_seat *seat, struct dv_crew *crew, unsigned core)
{
    struct dv_box *box = &crew->boxes[crew->member_of_core[core]];
    if (seat->box == box)
        return;
    if (seat->box)
        atomic_store_explicit(&seat->box->watch, DV_WATCH_NONE, memory_order_relaxed);
    seat->box = box;
    atomic_store_explicit(&box->watch, DV_WATCH_LATER, memory_order_relaxed);
    atomic_store_explicit(&seat->engaged, crew, memory_order_release);
}

void dv_relay_watch(struct dv_seat *seat)
{
    atomic_store_explicit(&seat->box->watch, DV_WATCH_NOW, memory_order_release);
}

bool dv_relay_is_replaced(const struct dv_seat *seat)
{
    return atomic_load_explicit(&seat->box->watch, memory_order_relaxed) == DV_WATCH_NONE;
}

bool dv_relay_disengage(struct dv_seat *seat)
{
    enum dv_watch idle = DV_WATCH_NOW;
    bool stayed = atomic_compare_exchange_strong(&seat->box->watch, &idle, DV_WATCH_NONE);
    if (stayed)
        dv_relay_serve(seat); /* what was offered since it looked */
    seat->box = NULL;
    atomic_store_explicit(&seat->engaged, NULL, memory_order_release);
    return stayed;
}

bool dv_relay_serve(struct dv_seat *seat)
{
    struct dv_box *box = seat->box;
    if (!box)
        return false;
    unsigned offer = atomic_load_explicit(&box->offer, memory_order_acquire);
    if (offer == atomic_load_explicit(&box->taken, memory_order_relaxed))
        return false;
    /* If it was withdrawn, or another one comes meanwhile, this is not used. */
    struct dv_job *job = atomic_load_explicit(&box->job, memory_order_relaxed);
    struct dv_member *member = atomic_load_explicit(&box->member, memory_order_relaxed);
    const struct dv_hand hand = {.id = atomic_load_explicit(&box->id, memory_order_relaxed),
                                 .first = atomic_load_explicit(&box->first, memory_order_relaxed),
                                 .count = atomic_load_explicit(&box->count, memory_order_relaxed)};
    __builtin_prefetch(job->arguments);
    atomic_exchange(&box->taken, offer);
    bool declined = atomic_load(&box->withdrawn) != offer - 1;
    struct dv_tally tally = {0};
    size_t accountable = declined ? 0 : dv_work_relayed(job, member, &hand, &tally);
    if (tally.partitions && !job->timed) /* of its begin the visitor knows enough: see receive */
        tally.last_end_ns = dv_now_ns();
    box->declined = declined;
    box->accountable = accountable;
    box->tally = tally;
    atomic_exchange(&box->answer, offer);
    if (atomic_load(&box->awaited))
        dv_pool_tell();
    return true;
}
