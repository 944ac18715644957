#include "schedule/combine.h"

#include "machine/fold.h"
#include "schedule/worker.h"

#include <stdlib.h>
#include <string.h>

/* The part of an argument that belongs to the indices [first, first + count). Written in place, since copying what was
 * written by parts waits for memory. */
static void cut(const struct dv_argument *argument, const divvy_parameter *parameter, size_t first, size_t count,
                size_t total, divvy_slice *out_slice)
{
    size_t low = first, high = first + count;
    if (parameter->kind == DIVVY_KIND_halo) {
        low -= low < argument->radius ? low : argument->radius;
        high = total - high < argument->radius ? total : high + argument->radius;
    }
    out_slice->data = argument->data + low * argument->stride;
    out_slice->bytes = (high - low) * argument->stride;
    out_slice->base = low * argument->elements;
    out_slice->result = NULL;
}

void dv_task_begin(struct dv_task *task, struct dv_job *job, uint64_t id, const divvy_loaded *loaded)
{
    const divvy_kernel *kernel = job->kernel;
    task->job = job;
    divvy_partition *partition = &task->partition; /* the rest of it is set for each of its ranges */
    partition->total = job->count;
    partition->job = id;
    partition->kernel = kernel;
    partition->loaded = loaded->kernel;
    partition->slices = task->slices;
    partition->slot = NULL;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        task->slices[k] = (divvy_slice){.data = job->arguments[k].data, .bytes = job->arguments[k].bytes};
}

/* Gives every result of a task its memory. False: there is none, and nothing was taken. */
static bool make_results(struct dv_task *task)
{
    const divvy_kernel *kernel = task->partition.kernel;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (kernel->parameters[k].kind == DIVVY_KIND_result)
            task->slices[k].data = NULL; /* so that those not made yet can be dropped */
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        if (parameter->kind != DIVVY_KIND_result)
            continue;
        task->slices[k] = (divvy_slice){.data = calloc(1, parameter->element_bytes), .bytes = parameter->element_bytes};
        if (!task->slices[k].data) {
            dv_task_drop(task);
            return false;
        }
    }
    return true;
}

/* Aims the task at some of the indices of its range. */
static bool aim_at(struct dv_task *task, size_t first, size_t count)
{
    const struct dv_job *job = task->job;
    const divvy_kernel *kernel = job->kernel;
    task->partition.first = first;
    task->partition.count = count;
    task->partition.touched = false;
    task->partition.timing = (divvy_timing){0};
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (job->arguments[k].stride)
            cut(&job->arguments[k], &kernel->parameters[k], first, count, job->count, &task->slices[k]);
    for (unsigned k = 0; job->has_folds && k < kernel->parameter_count; k++) {
        if (divvy_kind_is_fold(kernel->parameters[k].kind)) {
            dv_fold_identity(&kernel->parameters[k], &task->partials[k]);
            task->slices[k] = (divvy_slice){.data = &task->partials[k], .bytes = sizeof task->partials[k]};
        }
    }
    return !job->has_results || make_results(task);
}

/* How many of the next `count` indices are computed by one call of the kernel. */
static size_t at_once(const struct dv_job *job, size_t count)
{
    return job->blocks.size && job->blocks.size < count ? job->blocks.size : count;
}

bool dv_task_aim(struct dv_task *task)
{
    return aim_at(task, task->range.first, at_once(task->job, task->range.count));
}

void dv_task_drop(struct dv_task *task)
{
    const divvy_kernel *kernel = task->partition.kernel;
    for (unsigned k = 0; task->job->has_results && k < kernel->parameter_count; k++) {
        if (kernel->parameters[k].kind == DIVVY_KIND_result) {
            free(task->slices[k].data);
            task->slices[k].data = NULL;
        }
    }
}

/* Whether two results can be merged: they are neighbours, and siblings if the job has blocks. */
static bool belong_together(const struct dv_job *job, const struct dv_result *a, const struct dv_result *b)
{
    const struct dv_result *early = a->first < b->first ? a : b, *late = early == a ? b : a;
    if (job->blocks.size)
        return a->level == b->level && dv_blocks_are_siblings(&job->blocks, early->first, late->first, a->level);
    return early->end == late->first;
}

/* Takes out of the job's list one that can be merged with `result`, if it is there. */
static struct dv_result *unlink_neighbour(struct dv_job *job, const struct dv_result *result)
{
    for (struct dv_result **link = &job->results; *link; link = &(*link)->next) {
        struct dv_result *other = *link;
        if (belong_together(job, other, result)) {
            *link = other->next;
            return other;
        }
    }
    return NULL;
}

static void free_result(struct dv_result *result, const divvy_kernel *kernel)
{
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (kernel->parameters[k].kind == DIVVY_KIND_result)
            free(result->data[k]);
    free(result);
}

/* Merges two neighbours, the earlier one first; returns the merged one, frees the other. */
static struct dv_result *merge_neighbours(struct dv_result *a, struct dv_result *b, const divvy_kernel *kernel)
{
    struct dv_result *early = a->first < b->first ? a : b, *late = early == a ? b : a;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (kernel->parameters[k].kind == DIVVY_KIND_result)
            kernel->parameters[k].merge(early->data[k], late->data[k]);
    early->end = late->end;
    early->level++;
    free_result(late, kernel);
    return early;
}

/* How high a result stands in the tree of blocks before it is merged again. */
static void climb(const struct dv_job *job, struct dv_result *result)
{
    if (job->blocks.size)
        result->level = dv_blocks_level(&job->blocks, result->first, result->level);
}

/* Merges with its neighbours as long as there are any, so that results are folded in index order whatever the order
 * in which they arrive, and only as many are kept as there are gaps. Merging runs without the mutex. */
static bool add_result(struct dv_task *task)
{
    struct dv_job *job = task->job;
    struct dv_result *result = calloc(1, sizeof *result), *neighbour;
    if (!result)
        return false;
    result->first = task->partition.first;
    result->end = task->partition.first + task->partition.count;
    climb(job, result);
    for (unsigned k = 0; k < job->kernel->parameter_count; k++) {
        if (job->kernel->parameters[k].kind == DIVVY_KIND_result) {
            result->data[k] = task->slices[k].data;
            task->slices[k].data = NULL;
        }
    }
    pthread_mutex_lock(&job->mutex);
    while ((neighbour = unlink_neighbour(job, result)) != NULL) {
        pthread_mutex_unlock(&job->mutex);
        result = merge_neighbours(result, neighbour, job->kernel);
        climb(job, result);
        pthread_mutex_lock(&job->mutex);
    }
    result->next = job->results;
    job->results = result;
    pthread_mutex_unlock(&job->mutex);
    return true;
}

/* Keeps the folds and results of the block that the task has computed. */
static bool keep_block(struct dv_task *task)
{
    struct dv_job *job = task->job;
    if (job->has_folds)
        dv_blocks_keep(&job->blocks, job->kernel, task->partition.first, task->partials);
    return !job->has_results || add_result(task);
}

bool dv_task_run(struct dv_task *task, const struct dv_unit *unit)
{
    divvy_partition *partition = &task->partition;
    size_t end = task->range.first + task->range.count;
    for (;;) {
        if (unit->backend->start(unit->device, partition) != DIVVY_OK ||
            unit->backend->finish(unit->device, partition, 0) != DIVVY_DONE)
            return false;
        size_t next = partition->first + partition->count;
        if (next == end || dv_here()->failed)
            return true;
        if (!keep_block(task) || !aim_at(task, next, at_once(task->job, end - next))) {
            dv_job_stop(task->job, true, DIVVY_NO_MEMORY, "no memory for a block's results");
            return false;
        }
    }
}

bool dv_task_accept(struct dv_task *task, struct dv_member *member)
{
    struct dv_job *job = task->job;
    const divvy_kernel *kernel = job->kernel;
    if (member->unit->facts.staged) {
        for (unsigned k = 0; k < kernel->parameter_count; k++)
            if (task->slices[k].result)
                memcpy(task->slices[k].data, task->slices[k].result, task->range.count * job->arguments[k].stride);
    }
    if (job->blocks.size)
        return keep_block(task);
    for (unsigned k = 0; job->has_folds && k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind))
            dv_fold_join(&kernel->parameters[k], &member->partials[k], &task->partials[k]);
    return !job->has_results || add_result(task);
}

/* What the members have collected for parameter `k`. */
static divvy_partial join_members(const struct dv_job *job, unsigned k)
{
    const divvy_parameter *parameter = &job->kernel->parameters[k];
    divvy_partial total;
    dv_fold_identity(parameter, &total);
    for (unsigned m = 0; m < job->member_count; m++)
        if (dv_member_tally(&job->members[m]).items)
            dv_fold_join(parameter, &total, &job->members[m].partials[k]);
    return total;
}

void dv_job_combine(struct dv_job *job)
{
    const divvy_kernel *kernel = job->kernel;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        void *into = job->arguments[k].data;
        if (divvy_kind_is_fold(parameter->kind)) {
            divvy_partial total = job->blocks.size ? dv_blocks_fold(&job->blocks, kernel, k) : join_members(job, k);
            dv_fold_store(parameter, &total, into);
        } else if (parameter->kind == DIVVY_KIND_result) {
            if (job->results)
                memcpy(into, job->results->data[k], parameter->element_bytes);
            else
                memset(into, 0, parameter->element_bytes);
        }
    }
}

void dv_job_drop_results(struct dv_job *job)
{
    while (job->results) {
        struct dv_result *next = job->results->next;
        free_result(job->results, job->kernel);
        job->results = next;
    }
}
