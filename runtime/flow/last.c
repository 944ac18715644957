#include "flow/last.h"

#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

struct last {
    struct dv_kept kept;
    uint64_t context; /* 0: nothing remembered */
    struct dv_job_record record;
    char name[64];
    unsigned capacity;
    struct dv_use *uses;
    struct dv_unit **units;
    divvy_share *shares;
    divvy_report report;
};

static DV_THREAD_LOCAL struct last *mine;

static void drop_arrays(struct last *last)
{
    free(last->uses);
    free(last->units);
    free(last->shares);
}

static void forget(struct dv_kept *kept)
{
    mine = NULL;
    drop_arrays((struct last *)kept);
    free(kept);
}

static bool reserve(struct last *last, unsigned count)
{
    if (count <= last->capacity)
        return true;
    drop_arrays(last);
    last->uses = calloc(count, sizeof *last->uses);
    last->units = calloc(count, sizeof(struct dv_unit *));
    last->shares = calloc(count, sizeof *last->shares);
    last->capacity = last->uses && last->units && last->shares ? count : 0;
    return last->capacity > 0;
}

static struct last *get(void)
{
    if (!mine && (mine = calloc(1, sizeof *mine)) != NULL) {
        mine->kept.forget = forget;
        dv_thread_keep(&mine->kept);
    }
    return mine;
}

void dv_last_remember(uint64_t context, struct dv_job *job)
{
    struct last *last = get();
    if (!last)
        return;
    if (job->repeats && last->context == context && last->record.id == job->repeats) {
        dv_job_record_again(job, &last->record);
        return;
    }
    last->context = 0;
    if (!job->kernel || job->prepares || !reserve(last, job->member_count ? job->member_count : 1))
        return;
    dv_job_record(job, &last->record, last->uses, last->units);
    memcpy(last->name, job->name, sizeof last->name);
    last->context = context;
}

const divvy_report *dv_last_report(uint64_t context)
{
    struct last *last = get();
    if (!last || last->context != context)
        return NULL;
    struct dv_job_record *record = &last->record;
    dv_bound(record);
    for (size_t u = 0; u < record->use_count; u++) {
        const struct dv_use *use = &record->uses[u];
        last->shares[u] = (divvy_share){
            .id = last->units[u]->id,
            .items = use->items,
            .partitions = use->partitions,
            .busy_ns = use->busy_ns,
            .share = record->count ? (double)use->items / (double)record->count : 0,
        };
    }
    last->report = (divvy_report){
        .name = last->name,
        .kernel = record->kernel,
        .schedule = record->schedule,
        .count = record->count,
        .wall_ns = record->end_ns - record->start_ns,
        .bound_ns = record->bound_ns,
        .bound_basis = record->bound_basis,
        .efficiency = record->efficiency,
        .status = record->status,
        .share_count = record->use_count,
        .shares = last->shares,
    };
    return &last->report;
}
