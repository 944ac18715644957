#include "schedule/virtual_row.h"

#include <math.h>

/* A staged device is late after ten times the expected time, at least a second; ten seconds if never measured. */
static const double LATE_FACTOR = 10, LATE_LEAST_NS = 1e9, LATE_UNKNOWN_NS = 1e10;

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

uint64_t dv_virtual_whole_ns(double ns)
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
                                                        .queued_ns = dv_virtual_whole_ns(task->queued_ns),
                                                        .start_ns = dv_virtual_whole_ns(task->start_ns),
                                                        .end_ns = dv_virtual_whole_ns(end_ns),
                                                        .jit_ns = dv_virtual_whole_ns(task->course.jit_ns),
                                                        .copy_in_ns = dv_virtual_whole_ns(task->course.copy_in_ns),
                                                        .run_ns = dv_virtual_whole_ns(task->course.run_ns),
                                                        .copy_out_ns = dv_virtual_whole_ns(task->course.copy_out_ns),
                                                        .bytes = (uint64_t)task->course.bytes,
                                                    });
}

void dv_virtual_tell(struct dv_virtual *row, unsigned d, const struct task *task, double end_ns,
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
    dv_virtual_tell(row, d, task, row->now_ns, outcome);
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

/* What devices work on and core `idle` may take over, with when each is expected to end. */
static unsigned gather_flights(struct dv_virtual *row, unsigned idle)
{
    unsigned count = 0;
    for (unsigned f = 0; f < row->flying_count && count + 2 <= DV_FLIGHTS_MAX; f++) {
        unsigned d = row->flying[(idle + f) % row->flying_count];
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
    unsigned count = gather_flights(row, d);
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

void dv_virtual_ask_all(struct dv_virtual *row)
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
    dv_virtual_tell(row, d, task, row->now_ns, DV_ACCEPTED);
    if (task->left) {
        uint64_t busy_ns = dv_virtual_whole_ns(ns);
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
    if (schedule->done &&
        schedule->done(&row->plan, d, (uint64_t)row->now_ns, task->range.count, dv_virtual_whole_ns(ns)))
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
                           dv_virtual_whole_ns(task->course.end_ns - began));
        seat->previous_end_ns = task->course.end_ns;
        seat->oldest = (seat->oldest + 1) % 2;
    }
    seat->previous_end_ns = row->now_ns;
    seat->here = true;
    row->plan.paces[d].stand = DV_HERE;
    row->uses[d].ready_ns = dv_virtual_whole_ns(row->now_ns);
    start(row, d);
}

void dv_virtual_act(struct dv_virtual *row, unsigned d)
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
