#include "schedule/order.h"

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

/* Whether `job` waits for an ancestor of `child`, perhaps through others. */
static bool waits_for_ancestor(const struct dv_job *job, const struct dv_job *child)
{
    for (unsigned w = 0; child->parent && w < job->waits_count; w++)
        if (is_ancestor(job->waits_for[w], child) || waits_for_ancestor(job->waits_for[w], child))
            return true;
    return false;
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

bool dv_order_enter(struct dv_order *order, struct dv_job *job)
{
    job->waits_count = 0;
    for (struct dv_job *other = order->first; other; other = other->next) {
        if (is_ancestor(other, job) || !conflict(job, other))
            continue;
        bool later = waits_for_ancestor(other, job);
        if (!add_wait(later ? other : job, later ? job : other)) {
            for (struct dv_job *undo = order->first; undo; undo = undo->next)
                drop_wait(undo, job);
            return false;
        }
    }
    job->next = NULL;
    job->previous = order->last;
    *(order->last ? &order->last->next : &order->first) = job;
    order->last = job;
    return true;
}

bool dv_order_leave(struct dv_order *order, struct dv_job *job)
{
    *(job->previous ? &job->previous->next : &order->first) = job->next;
    *(job->next ? &job->next->previous : &order->last) = job->previous;
    bool freed = false;
    for (struct dv_job *other = order->first; other; other = other->next) {
        if (other->waits_count) {
            drop_wait(other, job);
            freed = freed || other->waits_count == 0;
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
        }
    }
}
