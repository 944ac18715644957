#include "schedule/virtual_row.h"

#include <math.h>
#include <stdlib.h>

/* Shorter times tell nothing of a kernel. */
static const double LEARN_LEAST_NS = 2e4;

/* ---- Jobs ---- */

/* When a device that may still be at something comes, or is given up for good; HUGE_VAL: it is out. */
static double arrival_ns(const struct dv_virtual *row, unsigned d)
{
    const struct seat *seat = &row->seats[d];
    double at = row->pasts[d].ready_ns;
    for (unsigned k = 0; k < seat->queued; k++) {
        const struct task *task = &seat->tasks[(seat->oldest + k) % 2];
        double deadline = k ? HUGE_VAL : task->deadline_ns;
        at = fmax(at, fmin(task->course.end_ns, deadline));
    }
    return at;
}

static bool begin_job(struct dv_virtual *row)
{
    const struct dv_world *world = row->world;
    struct dv_plan *plan = &row->plan;
    plan->latecomers = false;
    for (unsigned d = 0; d < world->device_count; d++) {
        struct seat *seat = &row->seats[d];
        struct dv_pace *pace = &plan->paces[d];
        double at = arrival_ns(row, d);
        seat->here = false;
        seat->previous_end_ns = seat->queued ? seat->previous_end_ns : row->now_ns;
        row->pasts[d].has_all = false;
        pace->out = seat->retired = at == HUGE_VAL;
        pace->stand = at <= row->now_ns ? DV_HERE : DV_AWAY; /* expected, before it has asked */
        plan->latecomers |= !pace->out && at > row->now_ns;
        row->events.keys[d] = fmax(at, row->now_ns);
        row->uses[d] = (struct dv_use){.device = d, .device_class = pace->rate};
    }
    dv_contest_begin(&row->events);
    dv_plan_begin(plan);
    plan->schedule->lay_out(plan, row->sizes);
    for (unsigned d = 0; d < world->device_count; d++)
        row->homes.keys[d] = -(double)row->sizes[d];
    dv_contest_begin(&row->homes);
    row->far_home = world->device_count - 1;
    row->flying_count = 0;
    row->accepted = 0;
    row->unclaimed = world->kernel.count;
    row->job_ns = row->now_ns;
    row->job = (struct dv_virtual_job){
        .start_ns = row->now_ns, .bound_ns = dv_world_bound_ns(world, row->pasts, row->now_ns), .uses = row->uses};
    return dv_split_lay_out(&row->split, world->kernel.count, world->device_count, row->sizes);
}

/* What is still in flight is nobody's any more. */
static void end_job(struct dv_virtual *row)
{
    struct dv_plan *plan = &row->plan;
    dv_plan_end(plan);
    for (unsigned d = 0; d < row->world->device_count; d++) {
        struct seat *seat = &row->seats[d];
        struct dv_use *use = &row->uses[d];
        for (unsigned k = 0; k < seat->queued; k++) {
            struct task *task = &seat->tasks[(seat->oldest + k) % 2];
            dv_virtual_tell(row, d, task, fmin(task->course.end_ns, task->deadline_ns), DV_DROPPED);
        }
        use->fixed_ns = dv_virtual_whole_ns(plan->paces[d].fixed_ns);
        use->ns_per_item = plan->rates[plan->paces[d].rate].ns_per_item * plan->paces[d].correction;
        use->parked = plan->paces[d].stand == DV_PARKED;
        use->retired = seat->retired;
    }
}

/* What schedules that learn nothing themselves leave to the next job: the time of each class per index. */
static void learn_from_uses(struct dv_virtual *row)
{
    struct dv_plan *plan = &row->plan;
    for (unsigned r = 0; r < plan->rate_count; r++)
        row->sums[r] = (struct sum){0};
    for (unsigned d = 0; d < plan->pace_count; d++) {
        row->sums[plan->paces[d].rate].busy_ns += (double)row->uses[d].busy_ns;
        row->sums[plan->paces[d].rate].items += (double)row->uses[d].items;
    }
    for (unsigned r = 0; r < plan->rate_count; r++)
        if (row->sums[r].busy_ns > LEARN_LEAST_NS && row->sums[r].items > 0)
            plan->rates[r] = (struct dv_rate){.ns_per_item = row->sums[r].busy_ns / row->sums[r].items,
                                              .uncertainty = 0.25,
                                              .samples = plan->rates[r].samples + 1};
}

static void balance(struct dv_virtual *row)
{
    for (unsigned d = 0; d < row->plan.pace_count; d++) {
        struct dv_pace *pace = &row->plan.paces[d];
        pace->power = dv_power_measured(pace->power, row->uses[d].items, row->uses[d].busy_ns);
    }
}

struct dv_virtual_job dv_virtual_run(struct dv_virtual *row)
{
    size_t count = row->world->kernel.count;
    if (!begin_job(row))
        return row->job;
    while (row->accepted < count) {
        unsigned d = dv_contest_first(&row->events);
        if (row->events.keys[d] == HUGE_VAL)
            break;
        row->now_ns = row->events.keys[d];
        dv_virtual_act(row, d);
        while (row->recalls)
            dv_virtual_ask_all(row);
    }
    end_job(row);
    double ns = row->now_ns - row->job.start_ns;
    row->job.end_ns = row->now_ns;
    row->job.done = row->accepted == count;
    row->job.efficiency = row->job.done && ns > 0 ? row->job.bound_ns / ns : 0;
    if (!row->plan.schedule->learns)
        learn_from_uses(row);
    if (row->plan.schedule->balances)
        balance(row);
    return row->job;
}

/* ---- Rows ---- */

static unsigned class_count(const struct dv_world *world)
{
    unsigned count = 0;
    for (unsigned d = 0; d < world->device_count; d++)
        if (world->devices[d].device_class >= count)
            count = world->devices[d].device_class + 1;
    return count;
}

static bool make(struct dv_virtual *row)
{
    unsigned devices = row->world->device_count, classes = class_count(row->world);
    dv_split_init(&row->split);
    row->plan.paces = calloc(devices, sizeof *row->plan.paces);
    row->plan.rates = calloc(classes, sizeof *row->plan.rates);
    row->sums = calloc(classes, sizeof *row->sums);
    row->sizes = calloc(devices, sizeof *row->sizes);
    row->seats = calloc(devices, sizeof *row->seats);
    row->pasts = calloc(devices, sizeof *row->pasts);
    row->uses = calloc(devices, sizeof *row->uses);
    row->flying = calloc(devices, sizeof *row->flying);
    bool contests = dv_contest_init(&row->events, devices) && dv_contest_init(&row->homes, devices);
    row->plan.rate_count = classes;
    return contests && row->plan.paces && row->plan.rates && row->sums && row->sizes && row->seats && row->pasts &&
           row->uses && row->flying;
}

/* What the schedule is told of a device: what this says of itself. The latency of copies is part of a launch's fixed cost
 * where they do not overlap computing. */
static struct dv_pace pace_of(const struct dv_world *world, unsigned d)
{
    const struct dv_world_device *device = &world->devices[d];
    const struct dv_world_kernel *kernel = &world->kernel;
    double fixed = device->lies ? device->stated.fixed_ns : device->fixed_ns;
    double latency = device->lies ? device->stated.latency_ns : device->latency_ns;
    double rate = device->lies ? device->stated.upload_bytes_per_s : device->upload_bytes_per_s;
    if (device->depth < 2)
        fixed += latency * ((kernel->bytes_in > 0) + (kernel->bytes_out > 0));
    double back = device->lies ? device->stated.download_bytes_per_s : device->download_bytes_per_s;
    struct dv_pace pace = {.rate = device->device_class,
                           .core = device->core,
                           .staged = device->staged,
                           .fixed_ns = fixed,
                           .granule = device->granule ? device->granule : 1,
                           .cap = dv_world_cap(world, d)};
    if (device->staged)
        pace.copy_ns = (rate > 0 ? kernel->bytes_in * 1e9 / rate : 0) + (back > 0 ? kernel->bytes_out * 1e9 / back : 0);
    if (device->staged && kernel->bytes_all)
        pace.upload_ns = latency + (rate > 0 ? (double)kernel->bytes_all * 1e9 / rate : 0);
    if (pace.cap > pace.granule)
        pace.cap -= pace.cap % pace.granule;
    return pace;
}

struct dv_virtual *dv_virtual_open(const struct dv_world *world, const struct dv_virtual_options *options)
{
    struct dv_virtual *row = calloc(1, sizeof *row);
    if (!row)
        return NULL;
    row->world = world;
    row->options = *options;
    if (!make(row)) {
        dv_virtual_close(row);
        return NULL;
    }
    row->plan.schedule = options->schedule;
    row->plan.count = world->kernel.count;
    row->plan.partition = options->partition;
    row->plan.first_partition = options->first_partition;
    row->plan.pace_count = world->device_count;
    for (unsigned d = 0; d < world->device_count; d++) {
        row->plan.paces[d] = pace_of(world, d);
        if (!options->schedule->balances)
            row->plan.paces[d].power = options->powers ? options->powers[d] : 1 / world->devices[d].ns_per_item;
        row->pasts[d] = dv_world_open(world, d, options->seed);
    }
    return row;
}

void dv_virtual_close(struct dv_virtual *row)
{
    if (!row)
        return;
    dv_split_fini(&row->split);
    free(row->plan.paces);
    free(row->plan.rates);
    free(row->sums);
    free(row->sizes);
    free(row->seats);
    free(row->pasts);
    free(row->uses);
    free(row->flying);
    dv_contest_fini(&row->events);
    dv_contest_fini(&row->homes);
    free(row);
}

struct dv_rate *dv_virtual_rates(struct dv_virtual *row, unsigned *out_count)
{
    *out_count = row->plan.rate_count;
    return row->plan.rates;
}
