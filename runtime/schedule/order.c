#include "schedule/order.h"

#include "base/status.h"

#include <stdlib.h>

static bool overlap(const struct dv_argument *a, const struct dv_argument *b)
{
    return (uintptr_t)a->data < (uintptr_t)b->data + b->bytes && (uintptr_t)b->data < (uintptr_t)a->data + a->bytes;
}

/* Whether two jobs touch the same memory, one of them writing. */
static bool conflict(const struct dv_job *a, const struct dv_job *b)
{
    for (unsigned i = 0; i < a->kernel->parameter_count; i++) {
        divvy_kind kind = a->kernel->parameters[i].kind;
        if (kind == DIVVY_KIND_value)
            continue;
        for (unsigned k = 0; k < b->kernel->parameter_count; k++) {
            divvy_kind other = b->kernel->parameters[k].kind;
            if (other != DIVVY_KIND_value && (divvy_kind_is_written(kind) || divvy_kind_is_written(other)) &&
                overlap(&a->arguments[i], &b->arguments[k]))
                return true;
        }
    }
    return false;
}

static bool is_ancestor(const struct dv_job *ancestor, const struct dv_job *job)
{
    while ((job = job->parent) != NULL)
        if (job == ancestor)
            return true;
    return false;
}

bool dv_order_clashes_with_ancestor(const struct dv_job *job)
{
    for (const struct dv_job *ancestor = job->parent; ancestor; ancestor = ancestor->parent)
        if (conflict(job, ancestor))
            return true;
    return false;
}

/* Marks the jobs that cannot end before `child` does: its ancestors, whose kernels may wait for it, those that wait for
 * a marked one, in the order or inside a kernel, and those with a marked child. */
static void mark_needing(struct dv_order *order, const struct dv_job *child)
{
    for (struct dv_job *job = order->first; job; job = job->next)
        job->needed = is_ancestor(job, child);
    for (bool grown = true; grown;) {
        grown = false;
        for (struct dv_job *job = order->first; job; job = job->next) {
            bool needs = job->needed;
            for (unsigned w = 0; !needs && w < job->waits_count; w++)
                needs = job->waits_for[w]->needed;
            grown = grown || needs != job->needed;
            job->needed = needs;
            for (struct dv_job *above = job->parent; needs && above; above = above->parent) {
                grown = grown || !above->needed;
                above->needed = true;
            }
            if (needs && job->awaited_by && !job->awaited_by->needed)
                job->awaited_by->needed = grown = true;
        }
    }
}

static bool add_wait(struct dv_job *job, struct dv_job *earlier)
{
    if (job->waits_count == job->waits_capacity) {
        unsigned capacity = job->waits_capacity ? 2 * job->waits_capacity : 4;
        struct dv_job **waits = realloc(job->waits_for, capacity * sizeof(struct dv_job *));
        if (!waits)
            return false;
        job->waits_for = waits;
        job->waits_capacity = capacity;
    }
    job->waits_for[job->waits_count++] = earlier;
    return true;
}

static void drop_wait(struct dv_job *job, const struct dv_job *earlier)
{
    for (unsigned w = 0; w < job->waits_count; w++) {
        if (job->waits_for[w] == earlier) {
            job->waits_for[w] = job->waits_for[--job->waits_count];
            return;
        }
    }
}

static divvy_status find_place(struct dv_order *order, struct dv_job *job)
{
    job->waits_count = 0;
    if (job->parent)
        mark_needing(order, job);
    for (struct dv_job *other = order->first; other; other = other->next) {
        if (is_ancestor(other, job) || !conflict(job, other))
            continue;
        bool passed = job->parent && other->needed; /* it waits for an ancestor, which may wait for the child */
        if (passed && dv_order_may_run(other))
            return dv_fail(DIVVY_INVALID,
                           "%s: submitted inside %s, it touches what %s writes, whose own child waits for "
                           "%s",
                           job->kernel->name, job->parent->kernel->name, other->kernel->name,
                           job->parent->kernel->name);
        if (!add_wait(passed ? other : job, passed ? job : other))
            return dv_fail(DIVVY_NO_MEMORY, "%s: no memory to order it after other jobs", job->kernel->name);
    }
    return DIVVY_OK;
}

divvy_status dv_order_enter(struct dv_order *order, struct dv_job *job)
{
    divvy_status status = find_place(order, job);
    if (status != DIVVY_OK) {
        for (struct dv_job *undo = order->first; undo; undo = undo->next)
            drop_wait(undo, job);
        return status;
    }
    job->next = NULL;
    job->previous = order->last;
    *(order->last ? &order->last->next : &order->first) = job;
    order->last = job;
    return DIVVY_OK;
}

bool dv_order_leave(struct dv_order *order, struct dv_job *job, struct dv_job **out_empties)
{
    *out_empties = NULL;
    *(job->previous ? &job->previous->next : &order->first) = job->next;
    *(job->next ? &job->next->previous : &order->last) = job->previous;
    bool freed = false;
    for (struct dv_job *other = order->first; other; other = other->next) {
        if (other->waits_count == 0)
            continue;
        drop_wait(other, job);
        freed = freed || other->waits_count == 0;
        if (other->waits_count == 0 && other->count == 0 && !other->prepares) {
            dv_job_keep(other);
            other->next_spare = *out_empties;
            *out_empties = other;
        }
    }
    return freed;
}

void dv_order_mark_needed(struct dv_order *order, struct dv_job *job)
{
    for (struct dv_job *other = order->first; other; other = other->next)
        other->needed = other == job;
    for (bool grown = true; grown;) {
        grown = false;
        for (struct dv_job *other = order->first; other; other = other->next) {
            for (unsigned w = 0; other->needed && w < other->waits_count; w++) {
                grown = grown || !other->waits_for[w]->needed;
                other->waits_for[w]->needed = true;
            }
            for (struct dv_job *ancestor = other->parent; ancestor && !other->needed; ancestor = ancestor->parent)
                if (ancestor->needed)
                    other->needed = grown = true;
            if (!other->needed && other->awaited_by && other->awaited_by->needed)
                other->needed = grown = true;
        }
    }
}
