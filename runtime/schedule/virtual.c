#include "schedule/virtual.h"

#include "schedule/contest.h"
#include "schedule/split.h"

#include <math.h>
#include <stdlib.h>

/* A staged device is late after ten times the expected time, at least a second; ten seconds if never measured. */
static const double LATE_FACTOR = 10, LATE_LEAST_NS = 1e9, LATE_UNKNOWN_NS = 1e10;
/* Shorter times tell nothing of a kernel. */
static const double LEARN_LEAST_NS = 2e4;

/* ---- The row ---- */

/* A partition that a device has begun, or is about to. */
struct task {
    struct dv_range range;
    size_t left; /* what nobody has taken over */
    size_t requested;
    enum dv_reason reason;
    double queued_ns, start_ns, deadline_ns;
    struct dv_world_course course;
};

/* A device and its worker. */
struct seat {
    bool retired;
    bool here; /* its worker looks for work of this job */
    struct task tasks[2];
    unsigned oldest, queued;
    double previous_end_ns;
    unsigned flying; /* where it stands in the list of those that fly */
};

struct dv_virtual {
    const struct dv_world *world;
    struct dv_virtual_options options;
    struct dv_plan plan;
    struct dv_split split;
    size_t *sizes;
    struct seat *seats;
    struct dv_world_past *pasts;
    struct dv_use *uses;
    struct sum {
        double busy_ns, items;
    } * sums;                 /* of each class */
    struct dv_contest events; /* who does something next, and when */
    struct dv_contest homes;  /* where most is left, as negative sizes */
    unsigned far_home;        /* beyond it nothing is left */
    unsigned *flying;         /* staged devices with something in flight */
    unsigned flying_count;
    struct dv_flight *flights;
    struct task **flown; /* the task of each flight */
    size_t unclaimed, accepted;
    bool recalls; /* those who found nothing to do shall look again */
    double now_ns, job_ns;
    struct dv_virtual_job job;
};

static void set_event(struct dv_virtual *row, unsigned d, double at_ns)
{
    dv_contest_set(&row->events, d, at_ns);
}

/* A worker looks at its oldest partition when that has ended, or is late. */
static void await_oldest(struct dv_virtual *row, unsigned d)
{
    struct seat *seat = &row->seats[d];
    const struct task *task = &seat->tasks[seat->oldest];
    set_event(row, d, seat->queued ? fmin(task->course.end_ns, task->deadline_ns) : HUGE_VAL);
}

/* ---- Telling ---- */

static uint64_t whole_ns(double ns)
{
    return ns < 1.8e19 ? (uint64_t)fmax(ns, 0) : UINT64_MAX;
}

static void tell(struct dv_virtual *row, unsigned d, const struct task *task, size_t first, size_t count, double end_ns,
                 enum dv_outcome outcome)
{
    if (!row->options.on_partition || count == 0)
        return;
    row->options.on_partition(row->options.context, &(struct dv_partition_record){
                                                        .device = d,
                                                        .attempt = task->range.attempt,
                                                        .outcome = outcome,
                                                        .reason = task->reason,
                                                        .first = first,
                                                        .count = count,
                                                        .requested = task->requested,
                                                        .queued_ns = whole_ns(task->queued_ns),
                                                        .start_ns = whole_ns(task->start_ns),
                                                        .end_ns = whole_ns(end_ns),
                                                        .jit_ns = whole_ns(task->course.jit_ns),
                                                        .copy_in_ns = whole_ns(task->course.copy_in_ns),
                                                        .run_ns = whole_ns(task->course.run_ns),
                                                        .copy_out_ns = whole_ns(task->course.copy_out_ns),
                                                        .bytes = (uint64_t)task->course.bytes,
                                                    });
}

static void tell_all(struct dv_virtual *row, unsigned d, const struct task *task, double end_ns,
                     enum dv_outcome outcome)
{
    tell(row, d, task, task->range.first, task->left, end_ns, outcome);
    tell(row, d, task, task->range.first + task->left, task->range.count - task->left, end_ns, DV_DROPPED);
}

/* ---- Claiming: positions as real workers take them ---- */

static bool took_from(struct dv_virtual *row, unsigned home, bool took)
{
    if (took)
        dv_contest_set(&row->homes, home, -(double)dv_split_left(&row->split, home));
    return took;
}

static bool take_of(struct dv_virtual *row, unsigned home, bool front, size_t wanted, struct dv_range *out_range)
{
    return took_from(row, home,
                     front ? dv_split_take_front(&row->split, home, wanted, out_range)
                           : dv_split_take_back(&row->split, home, wanted, out_range));
}

static bool steal_most(struct dv_virtual *row, size_t wanted, struct dv_range *out_range)
{
    unsigned victim = dv_contest_first(&row->homes);
    return take_of(row, victim, !row->plan.paces[victim].core, wanted, out_range);
}

static bool steal_farthest(struct dv_virtual *row, size_t wanted, struct dv_range *out_range)
{
    for (;; row->far_home--) {
        if (take_of(row, row->far_home, false, wanted, out_range))
            return true;
        if (row->far_home == 0)
            return false;
    }
}

static bool take(struct dv_virtual *row, unsigned d, size_t wanted, struct dv_range *out_range)
{
    bool may_steal = !row->plan.schedule->one_each;
    bool core = row->plan.paces[d].core;
    return dv_split_take_returned(&row->split, wanted, out_range) || take_of(row, d, core, wanted, out_range) ||
           (may_steal && (core ? steal_most(row, wanted, out_range) : steal_farthest(row, wanted, out_range)));
}

static bool claim(struct dv_virtual *row, unsigned d, struct task *task)
{
    if (row->unclaimed == 0)
        return false;
    row->job.decisions++;
    struct dv_ask ask = row->plan.schedule->next(&row->plan, d, (uint64_t)row->now_ns, row->unclaimed);
    if (ask.count && row->uses[d].partitions + row->seats[d].queued == 0 && row->options.first_partition) {
        size_t wish = row->options.first_partition, cap = row->plan.paces[d].cap;
        ask = (struct dv_ask){.count = cap && cap < wish ? cap : wish, .requested = wish, .reason = DV_FIXED};
    }
    if (ask.count == 0 || !take(row, d, ask.count, &task->range))
        return false;
    row->unclaimed -= task->range.count;
    row->job.partitions++;
    row->job.probes += ask.reason == DV_PROBE;
    task->reason = ask.reason;
    task->requested = ask.requested;
    return true;
}

/* ---- Failing ---- */

/* What was laid out for it is everybody's. */
static void leave_out(struct dv_virtual *row, unsigned d)
{
    struct dv_range home;
    if (take_of(row, d, true, SIZE_MAX, &home)) {
        home.attempt = 0;
        dv_split_return(&row->split, home);
    }
    row->seats[d].retired = true;
    row->seats[d].here = false;
    row->pasts[d].ready_ns = HUGE_VAL;
    row->plan.paces[d].out = true;
    row->plan.paces[d].stand = DV_AWAY;
    dv_plan_unpark(&row->plan);
    row->recalls = true;
}

static void put_back(struct dv_virtual *row, struct task *task)
{
    struct dv_range range = task->range;
    range.count = task->left;
    if (task->left && dv_split_return(&row->split, range))
        row->unclaimed += task->left;
    task->left = 0;
    row->recalls = true;
}

static void fail(struct dv_virtual *row, unsigned d, struct task *task, enum dv_outcome outcome)
{
    tell_all(row, d, task, row->now_ns, outcome);
    leave_out(row, d);
    put_back(row, task);
}

/* ---- Taking over ---- */

static void fly(struct dv_virtual *row, unsigned d)
{
    row->seats[d].flying = row->flying_count;
    row->flying[row->flying_count++] = d;
}

static void land(struct dv_virtual *row, unsigned d)
{
    unsigned last = row->flying[--row->flying_count];
    row->flying[row->seats[d].flying] = last;
    row->seats[last].flying = row->seats[d].flying;
}

/* What devices work on and cores may take over, with when each is expected to end. */
static unsigned gather_flights(struct dv_virtual *row)
{
    unsigned count = 0;
    for (unsigned f = 0; f < row->flying_count; f++) {
        unsigned d = row->flying[f];
        struct seat *seat = &row->seats[d];
        double begin = seat->previous_end_ns;
        for (unsigned k = 0; k < seat->queued; k++) {
            struct task *task = &seat->tasks[(seat->oldest + k) % 2];
            begin = fmax(begin, task->start_ns);
            double end = begin + dv_plan_expect_ns(&row->plan, d, task->range.count);
            if (task->left > 0) {
                row->flown[count] = task;
                row->flights[count++] = (struct dv_flight){.device = d,
                                                           .count = task->left,
                                                           .whole = row->world->kernel.sums,
                                                           .began_ns = begin,
                                                           .end_ns = end};
            }
            begin = dv_flight_end_ns(begin, end, row->now_ns);
        }
    }
    return count;
}

/* A device of whose work nothing is wanted any more takes no part until it is done with it. */
static void give_up(struct dv_virtual *row, unsigned d)
{
    const struct seat *seat = &row->seats[d];
    size_t left = 0;
    for (unsigned k = 0; k < seat->queued; k++)
        left += seat->tasks[(seat->oldest + k) % 2].left;
    if (left == 0)
        row->plan.paces[d].stand = DV_AWAY;
}

/* Core `d` is idle. True: it has a piece of what a device works on. */
static bool take_over(struct dv_virtual *row, unsigned d, struct task *piece)
{
    const struct dv_schedule *schedule = row->plan.schedule;
    if (!schedule->take_over || row->unclaimed > 0 || row->flying_count == 0 || row->seats[d].queued > 0)
        return false;
    unsigned count = gather_flights(row);
    struct dv_takeover answer = schedule->take_over(&row->plan, d, (uint64_t)row->now_ns, row->flights, count);
    if (answer.count == 0) {
        set_event(row, d, answer.again_ns);
        return false;
    }
    struct task *task = row->flown[answer.flight];
    unsigned device = row->flights[answer.flight].device;
    row->job.pieces++;
    if (row->flights[answer.flight].whole) {
        put_back(row, task);
        give_up(row, device);
        return false;
    }
    task->left -= answer.count;
    give_up(row, device);
    piece->range = (struct dv_range){task->range.first + task->left, answer.count, task->range.attempt + 1};
    piece->reason = DV_DUPLICATE;
    piece->requested = answer.count;
    return true;
}

/* ---- Working ---- */

static double deadline_ns(const struct dv_virtual *row, unsigned d, const struct task *task)
{
    double expected = dv_plan_expect_ns(&row->plan, d, task->range.count);
    return row->now_ns + fmax(expected > 0 ? LATE_FACTOR * expected : LATE_UNKNOWN_NS, LATE_LEAST_NS);
}

/* The worker waits for its oldest partition from now on. */
static void wait_for_oldest(struct dv_virtual *row, unsigned d)
{
    struct seat *seat = &row->seats[d];
    struct task *task = &seat->tasks[seat->oldest];
    if (seat->queued)
        task->deadline_ns = !row->world->devices[d].staged ? HUGE_VAL
                            : seat->retired                ? row->now_ns + LATE_LEAST_NS
                                                           : deadline_ns(row, d, task);
    await_oldest(row, d);
}

/* Claims and launches one more. */
static bool start_one(struct dv_virtual *row, unsigned d)
{
    struct seat *seat = &row->seats[d];
    struct task *task = &seat->tasks[(seat->oldest + seat->queued) % 2];
    if (!claim(row, d, task) && !(row->plan.paces[d].core && take_over(row, d, task)))
        return false;
    task->left = task->range.count;
    task->queued_ns = task->start_ns = row->now_ns;
    task->deadline_ns = HUGE_VAL;
    task->course =
        dv_world_launch(row->world, d, &row->pasts[d], row->job_ns, row->now_ns, task->range.first, task->range.count);
    if (task->course.outcome == DV_WORLD_REFUSED) {
        fail(row, d, task, DV_FAILED);
        return false;
    }
    if (seat->queued++ == 0) {
        if (row->world->devices[d].staged)
            fly(row, d);
        wait_for_oldest(row, d);
    }
    return true;
}

static void start(struct dv_virtual *row, unsigned d)
{
    const struct seat *seat = &row->seats[d];
    unsigned depth = row->world->devices[d].depth > 1 ? 2 : 1;
    while (seat->here && seat->queued < depth && row->accepted < row->world->kernel.count && start_one(row, d))
        continue;
}

/* Those who found nothing to do look again. */
static void ask_all(struct dv_virtual *row)
{
    row->recalls = false;
    for (unsigned d = 0; d < row->world->device_count; d++)
        if (row->seats[d].here && row->seats[d].queued == 0)
            start(row, d);
}

/* Device `d` has done what it was given; what others have computed meanwhile is theirs. */
static void accept(struct dv_virtual *row, unsigned d, struct task *task)
{
    struct seat *seat = &row->seats[d];
    struct dv_use *use = &row->uses[d];
    double ns = row->now_ns - fmax(task->start_ns, seat->previous_end_ns);
    task->start_ns = row->now_ns - ns;
    tell_all(row, d, task, row->now_ns, DV_ACCEPTED);
    if (task->left) {
        uint64_t busy_ns = whole_ns(ns);
        use->min_ns = use->partitions && use->min_ns < busy_ns ? use->min_ns : busy_ns;
        use->max_ns = use->max_ns > busy_ns ? use->max_ns : busy_ns;
        use->partitions++;
        use->items += task->left;
        use->busy_ns += busy_ns;
    }
    row->accepted += task->left;
    task->left = 0;
    if (!seat->retired && row->plan.paces[d].stand == DV_AWAY) /* given up, and done with it */
        row->plan.paces[d].stand = DV_HERE;
    const struct dv_schedule *schedule = row->plan.schedule;
    if (schedule->done && schedule->done(&row->plan, d, (uint64_t)row->now_ns, task->range.count, whole_ns(ns)))
        row->recalls = true;
    seat->previous_end_ns = row->now_ns;
    wait_for_oldest(row, d);
    start(row, d);
}

/* The oldest partition has ended, or is late. */
static void end_oldest(struct dv_virtual *row, unsigned d)
{
    struct seat *seat = &row->seats[d];
    struct task *task = &seat->tasks[seat->oldest], ended = *task;
    bool late = task->course.end_ns > row->now_ns;
    seat->oldest = (seat->oldest + 1) % 2;
    if (--seat->queued == 0 && row->world->devices[d].staged)
        land(row, d);
    if (!late && task->course.outcome == DV_WORLD_DONE) {
        accept(row, d, &ended);
    } else {
        fail(row, d, &ended, late ? DV_LATE : DV_FAILED);
        wait_for_oldest(row, d);
    }
}

/* Device `d` is ready, or has ended what was left of a job before, or should have. */
static void come(struct dv_virtual *row, unsigned d)
{
    struct seat *seat = &row->seats[d];
    const struct dv_schedule *schedule = row->plan.schedule;
    set_event(row, d, HUGE_VAL);
    for (; seat->queued > 0; seat->queued--) {
        const struct task *task = &seat->tasks[seat->oldest];
        if (task->course.outcome != DV_WORLD_DONE || task->course.end_ns > row->now_ns) {
            seat->queued = 0;
            leave_out(row, d);
            return;
        }
        double began = fmax(task->start_ns, seat->previous_end_ns); /* the job did not wait, but it is worth knowing */
        if (schedule->done)
            schedule->done(&row->plan, d, (uint64_t)row->now_ns, task->range.count,
                           whole_ns(task->course.end_ns - began));
        seat->previous_end_ns = task->course.end_ns;
        seat->oldest = (seat->oldest + 1) % 2;
    }
    seat->previous_end_ns = row->now_ns;
    seat->here = true;
    row->plan.paces[d].stand = DV_HERE;
    row->uses[d].ready_ns = whole_ns(row->now_ns);
    start(row, d);
}

static void act(struct dv_virtual *row, unsigned d)
{
    struct seat *seat = &row->seats[d];
    if (!seat->here && !seat->retired) {
        come(row, d);
    } else if (seat->queued) {
        end_oldest(row, d);
    } else { /* it was to ask again */
        set_event(row, d, HUGE_VAL);
        start(row, d);
    }
}

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
            tell_all(row, d, task, fmin(task->course.end_ns, task->deadline_ns), DV_DROPPED);
        }
        use->fixed_ns = whole_ns(plan->paces[d].fixed_ns);
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
        act(row, d);
        while (row->recalls)
            ask_all(row);
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
    row->flights = calloc(2 * (size_t)devices, sizeof *row->flights);
    row->flown = calloc(2 * (size_t)devices, sizeof *row->flown);
    bool contests = dv_contest_init(&row->events, devices) && dv_contest_init(&row->homes, devices);
    row->plan.rate_count = classes;
    return contests && row->plan.paces && row->plan.rates && row->sums && row->sizes && row->seats && row->pasts &&
           row->uses && row->flying && row->flights && row->flown;
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
    free(row->flights);
    free(row->flown);
    dv_contest_fini(&row->events);
    dv_contest_fini(&row->homes);
    free(row);
}

struct dv_rate *dv_virtual_rates(struct dv_virtual *row, unsigned *out_count)
{
    *out_count = row->plan.rate_count;
    return row->plan.rates;
}
