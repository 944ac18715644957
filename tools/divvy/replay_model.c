/* What a recorded job tells of its devices and of its kernel.
 *
 * A partition took  fixed + rate of its class * work of its indices,  and both the rates and where the work lies are
 * unknown: each partition alone could be explained by either. Work is taken to be much the same on both sides of a
 * boundary, so that rates compare where partitions of two classes meet; what is then left over is where the work lies. */
#include "replay.h"

#include "machine/registry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A time tells something of the kernel if this part of it is not the fixed cost. */
static const double TELLING = 0.3;
/* Rounds in which the classes' rates are fitted to each other. */
enum { ROUNDS = 200 };

/* A partition, with the time that was spent on its indices alone. */
struct piece {
    double first, count, total_ns, body_ns;
    size_t device;
    unsigned device_class;
};

struct pieces {
    size_t count;
    struct piece *list;
    unsigned class_count, *classes; /* [device of the profile] */
    double *rates;                  /* [class] nanoseconds per item of mean work */
};

static bool refuse(char *problem, size_t size, const char *why)
{
    snprintf(problem, size, "%s", why);
    return false;
}

/* ---- Pieces ---- */

static void number_classes(const struct dv_view *view, struct pieces *pieces)
{
    for (size_t d = 0; d < view->device_count; d++) {
        pieces->classes[d] = pieces->class_count;
        for (size_t before = 0; before < d; before++)
            if (strcmp(view->devices[before].device_class, view->devices[d].device_class) == 0)
                pieces->classes[d] = pieces->classes[before];
        pieces->class_count += pieces->classes[d] == pieces->class_count;
    }
}

static int by_first(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

static void gather(const struct dv_view *view, const struct dv_view_job *job, struct pieces *pieces)
{
    for (size_t k = 0; k < job->partition_count; k++) {
        const struct dv_view_partition *partition = &job->partitions[k];
        if (!partition->accepted || partition->count < 1)
            continue;
        double total = fmax(partition->end_ns - partition->start_ns - partition->jit_ns, 1);
        pieces->list[pieces->count++] =
            (struct piece){.first = partition->first,
                           .count = partition->count,
                           .total_ns = total,
                           .body_ns = fmax(total - view->devices[partition->device].fixed_ns, TELLING * total),
                           .device = partition->device,
                           .device_class = pieces->classes[partition->device]};
    }
    qsort(pieces->list, pieces->count, sizeof *pieces->list, by_first);
}

static bool cover(const struct pieces *pieces, double count)
{
    double end = 0;
    for (size_t k = 0; k < pieces->count; k++) {
        if (pieces->list[k].first != end)
            return false;
        end += pieces->list[k].count;
    }
    return end == count && count > 0;
}

/* ---- Rates ---- */

/* What the whole job tells: right if work lies evenly, and where to begin. */
static void rate_by_totals(struct pieces *pieces)
{
    for (unsigned c = 0; c < pieces->class_count; c++) {
        double body = 0, items = 0;
        for (size_t k = 0; k < pieces->count; k++) {
            const struct piece *piece = &pieces->list[k];
            body += piece->device_class == c ? piece->body_ns : 0;
            items += piece->device_class == c ? piece->count : 0;
        }
        pieces->rates[c] = items > 0 ? body / items : 0;
    }
}

static bool is_telling(const struct piece *piece)
{
    return piece->body_ns > TELLING * piece->total_ns;
}

/* Where two classes meet, each one's rate should be such that the work on both sides is the same: the mean over all
 * boundaries of a class, by logarithms, weighed by the shorter time. */
static void fit_class(struct pieces *pieces, unsigned c)
{
    double sum = 0, weights = 0;
    for (size_t k = 0; k + 1 < pieces->count; k++) {
        const struct piece *own = &pieces->list[k], *other = own + 1;
        if (own->device_class == other->device_class || !is_telling(own) || !is_telling(other))
            continue;
        if (other->device_class == c) {
            own = other;
            other = &pieces->list[k];
        }
        if (own->device_class != c)
            continue;
        double weight = fmin(own->body_ns, other->body_ns);
        double work = other->body_ns / other->count / pieces->rates[other->device_class];
        sum += weight * log(own->body_ns / own->count / work);
        weights += weight;
    }
    if (weights > 0)
        pieces->rates[c] = exp(sum / weights);
}

static void fit_rates(struct pieces *pieces)
{
    rate_by_totals(pieces);
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned c = 0; c < pieces->class_count; c++)
            if (pieces->rates[c] > 0)
                fit_class(pieces, c);
}

/* ---- Work ---- */

static double work_until(const void *context, double x)
{
    const struct replay_cost *cost = context;
    size_t low = 0, high = cost->part_count;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (cost->ends[middle] <= x)
            low = middle;
        else
            high = middle;
    }
    double length = cost->ends[low + 1] - cost->ends[low], within = length > 0 ? (x - cost->ends[low]) / length : 0;
    return cost->until[low] + fmin(fmax(within, 0), 1) * (cost->until[low + 1] - cost->until[low]);
}

/* What each piece took beside the rate of its class; then rates are of mean work. */
static void lay_out_work(const struct pieces *pieces, double count, struct replay_cost *cost)
{
    cost->part_count = pieces->count;
    for (size_t k = 0; k < pieces->count; k++) {
        const struct piece *piece = &pieces->list[k];
        cost->ends[k + 1] = (piece->first + piece->count) / count;
        cost->until[k + 1] = cost->until[k] + piece->body_ns / pieces->rates[piece->device_class];
    }
    double mean = cost->until[cost->part_count] / count;
    for (unsigned c = 0; c < pieces->class_count; c++)
        pieces->rates[c] *= mean;
}

/* ---- Devices ---- */

static double jit_ns(const struct dv_view_job *job, size_t device)
{
    double sum = 0;
    for (size_t k = 0; k < job->partition_count; k++)
        sum += job->partitions[k].device == device ? job->partitions[k].jit_ns : 0;
    return sum;
}

/* A device that was there, and whose speed is known: measured in this job, or by the model then. */
static void add_device(struct replay_model *model, const struct pieces *pieces, const struct dv_view_use *use)
{
    const struct dv_view_device *recorded = &model->view->devices[use->device];
    double rate = pieces->rates[pieces->classes[use->device]];
    rate = rate > 0 ? rate : use->ns_per_item;
    if (!(rate > 0) || use->ready_ns < 0 || use->retired)
        return;
    model->recorded[model->world.device_count] = use->device;
    model->devices[model->world.device_count++] =
        (struct dv_world_device){.device_class = pieces->classes[use->device],
                                 .core = strcmp(recorded->type, "core") == 0,
                                 .staged = recorded->staged,
                                 .depth = 1, /* what overlapped is in its rate */
                                 .granule = recorded->granule < 1e15 ? (size_t)recorded->granule : 0,
                                 .fixed_ns = recorded->fixed_ns,
                                 .ns_per_item = rate,
                                 .open_ns = fmax(use->ready_ns - model->job->start_ns, 0),
                                 .jit_ns = jit_ns(model->job, use->device)};
}

/* Cores first. */
static void add_devices(struct replay_model *model, const struct pieces *pieces)
{
    for (int other = 0; other < 2; other++)
        for (size_t u = 0; u < model->job->use_count; u++)
            if ((strcmp(model->view->devices[model->job->uses[u].device].type, "core") != 0) == other)
                add_device(model, pieces, &model->job->uses[u]);
}

/* The size that all partitions but the last had, if the schedule was one of a fixed size. */
static double fixed_size(const struct dv_view_job *job)
{
    double largest = 0;
    for (size_t k = 0; k < job->partition_count && strcmp(job->schedule, "dynamic") == 0; k++)
        largest = fmax(largest, job->partitions[k].count);
    return largest;
}

static bool came_after_others(const struct dv_view *view, const struct dv_view_job *job)
{
    for (size_t j = 0; j < view->job_count; j++)
        if (view->jobs[j].of == job->of && view->jobs[j].start_ns < job->start_ns)
            return true;
    return false;
}

static bool fill(struct replay_model *model, struct pieces *pieces, char *problem, size_t size)
{
    const struct dv_view_job *job = model->job;
    number_classes(model->view, pieces);
    gather(model->view, job, pieces);
    if (job->partition_count == 0)
        return refuse(problem, size,
                      "the profile did not keep the partitions of this job: record it with a larger "
                      "DIVVY_PROFILE_JOBS, or choose another one with --job");
    if (!cover(pieces, job->count))
        return refuse(problem, size,
                      "the partitions of this job do not cover all of its indices: it failed, or some were not kept; "
                      "choose another one with --job");
    fit_rates(pieces);
    lay_out_work(pieces, job->count, &model->cost);
    add_devices(model, pieces);
    model->world.kernel =
        (struct dv_world_kernel){.count = (size_t)job->count, .cost_until = work_until, .cost = &model->cost};
    model->partition = fixed_size(job);
    model->warm = came_after_others(model->view, job);
    return model->world.device_count > 0 ||
           refuse(problem, size, "of no device of this job is enough known to simulate it");
}

bool replay_estimate(const struct dv_view *view, const struct dv_view_job *job, struct replay_model *model,
                     char *problem, size_t size)
{
    size_t parts = job->partition_count + 1, devices = view->device_count + 1;
    *model = (struct replay_model){.view = view, .job = job};
    struct pieces pieces = {.list = calloc(parts, sizeof *pieces.list),
                            .classes = calloc(devices, sizeof *pieces.classes),
                            .rates = calloc(devices, sizeof *pieces.rates)};
    model->cost.ends = calloc(parts + 1, sizeof *model->cost.ends);
    model->cost.until = calloc(parts + 1, sizeof *model->cost.until);
    model->devices = calloc(devices, sizeof *model->devices);
    model->recorded = calloc(devices, sizeof *model->recorded);
    model->powers = calloc(devices, sizeof *model->powers);
    model->world.name = job->name;
    model->world.devices = model->devices;
    bool done = pieces.list && pieces.classes && pieces.rates && model->cost.ends && model->cost.until &&
                model->devices && model->recorded && model->powers;
    done = done ? fill(model, &pieces, problem, size) : refuse(problem, size, "memory ran out");
    free(pieces.list);
    free(pieces.classes);
    free(pieces.rates);
    if (!done)
        replay_forget(model);
    return done;
}

void replay_forget(struct replay_model *model)
{
    free(model->cost.ends);
    free(model->cost.until);
    free(model->devices);
    free(model->recorded);
    free(model->powers);
    *model = (struct replay_model){0};
}

/* ---- Choosing ---- */

/* "opencl:0/2": its backend and its index. */
static bool passes(const struct dv_filter *filter, const struct dv_view_device *device)
{
    char backend[64];
    const char *colon = strchr(device->id, ':');
    if (!colon || (size_t)(colon - device->id) >= sizeof backend)
        return false;
    memcpy(backend, device->id, (size_t)(colon - device->id));
    backend[colon - device->id] = 0;
    return dv_filter_match(filter, backend, (unsigned)strtoul(colon + 1, NULL, 10), device->name) != NULL;
}

static unsigned keep(struct replay_model *model, const struct dv_filter *filter)
{
    unsigned kept = 0;
    for (unsigned d = 0; d < model->world.device_count; d++) {
        if (!passes(filter, &model->view->devices[model->recorded[d]]))
            continue;
        model->devices[kept] = model->devices[d];
        model->recorded[kept++] = model->recorded[d];
    }
    return kept;
}

bool replay_choose(struct replay_model *model, const char *text, char *problem, size_t size)
{
    struct dv_filter filter;
    if (dv_filter_read(text, &filter) != DIVVY_OK)
        return refuse(problem, size, divvy_error());
    unsigned kept = keep(model, &filter);
    dv_filter_free(&filter);
    if (kept == 0) {
        int used = snprintf(problem, size, "no device of the job passes the filter \"%s\"; there are:", text);
        for (unsigned d = 0; d < model->world.device_count && used > 0 && (size_t)used < size; d++)
            used += snprintf(problem + used, size - (size_t)used, "%s %s", d ? "," : "",
                             model->view->devices[model->recorded[d]].id);
        return false;
    }
    model->world.device_count = kept;
    return true;
}
