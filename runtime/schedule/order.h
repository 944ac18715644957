/* Which of the jobs in flight may run: two that touch the same memory, one of them writing, run in the order of their
 * submission. All functions want the pool's mutex. */
#ifndef DV_ORDER_H
#define DV_ORDER_H

#include "schedule/job.h"

struct dv_order {
    struct dv_job *first, *last;
};

/* Puts a job in flight, behind every job it must wait for. A child goes before jobs that wait for an ancestor of it,
 * since the ancestor may wait for the child. INVALID if such a job runs already, so that each would wait for the other;
 * NO_MEMORY. */
divvy_status dv_order_enter(struct dv_order *order, struct dv_job *job);

/* Takes a job out of flight. True if that set another one free. *out_empties: of those set free, the jobs of no index,
 * which nobody works on: linked by next_spare, kept by a reference, to be accounted for. */
bool dv_order_leave(struct dv_order *order, struct dv_job *job, struct dv_job **out_empties);

static inline bool dv_order_may_run(const struct dv_job *job)
{
    return job->waits_count == 0;
}

/* Marks the jobs that `job` needs to end: itself, those it waits for, the children of all these, and what their kernels
 * wait for. */
void dv_order_mark_needed(struct dv_order *order, struct dv_job *job);

/* Whether a job touches an array that an ancestor of it writes, or writes one that an ancestor touches. Needs no
 * mutex: ancestors are in flight as long as their kernel runs. */
bool dv_order_clashes_with_ancestor(const struct dv_job *job);

#endif
