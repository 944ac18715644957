/* What a visitor and a worker say to each other in a box, step by step: this thread is both, in the orders that
 * matter. No worker is awake, since no job is published. */
#include "base/options.h"
#include "check.h"
#include "schedule/crew.h"
#include "schedule/relay.h"
#include "schedule/seat.h"

#include <divvy/kernel.h>

#include <stdlib.h>

enum { CORES = 2 };

DIVVY_HOST_KERNEL(count_up, (inout, int, times))
{
    DIVVY_FOR (i)
        times[i]++;
}

/* A crew whose worker of the second core watches its box, and a job of which it is offered its part: with a schedule of
 * one part for each handed to it, else nothing in particular. */
struct stage {
    struct dv_crew crew;
    struct dv_box *box;
    struct dv_seat seat;
    struct dv_job *job;
    int times[CORES];
};

static bool set(struct stage *stage, const char *schedule)
{
    struct dv_settings settings;
    *stage = (struct stage){0};
    if (!CHECK_EQ(dv_settings_read(&(divvy_options){.backend = "cpu", .threads = -1, .schedule = schedule}, &settings),
                  DIVVY_OK) ||
        !CHECK_EQ(dv_crew_open(&settings, &stage->crew), DIVVY_OK) || !CHECK_EQ(stage->crew.core_count, CORES))
        return false;
    stage->box = &stage->crew.boxes[1];
    stage->seat.box = stage->box;
    dv_relay_watch(&stage->seat);
    const struct count_up_args args = {.times = stage->times};
    stage->job =
        dv_job_make(&stage->crew, &count_up_kernel, CORES, &args, sizeof args, NULL, (int)stage->crew.cores[0]);
    return CHECK(stage->job != NULL) && CHECK_EQ(stage->job->status, DIVVY_OK) && CHECK(dv_relay_offer(stage->job)) &&
           CHECK_EQ(stage->job->offers, 1);
}

static void strike(struct stage *stage)
{
    stage->job->future_held = false;
    dv_job_release(stage->job);
    atomic_store(&stage->box->watch, DV_WATCH_NONE);
    CHECK(dv_crew_close(&stage->crew));
}

/* The other core's index is still to be had, or not; the first one's always. */
static void check_left(struct stage *stage, size_t of_worker)
{
    CHECK_EQ(stage->job->offers, 0);
    CHECK_EQ(dv_split_left(&stage->job->split, 0), 1);
    CHECK_EQ(dv_split_left(&stage->job->split, 1), of_worker);
    CHECK_EQ(stage->times[0], 0);
    CHECK_EQ(stage->times[1], 1 - of_worker);
    CHECK_EQ(atomic_load(&stage->job->pending), 1 + of_worker);
}

/* Taken, and answered. */
static void take(void)
{
    struct stage stage;
    if (!set(&stage, "static"))
        return;
    CHECK(!dv_relay_answered(stage.job));
    CHECK(dv_relay_serve(&stage.seat));
    CHECK(!dv_relay_serve(&stage.seat));
    CHECK(dv_relay_answered(stage.job));
    CHECK(!dv_relay_withdraw(stage.job));
    CHECK(!dv_relay_collect(stage.job));
    check_left(&stage, 0);
    CHECK_EQ(stage.job->members[1].relayed.items, 1);
    CHECK(stage.job->members[1].relayed.last_end_ns > 0);
    strike(&stage);
}

/* Offered to a worker that has looked for the last time: it looks once more when it has said that it leaves. */
static void leave(void)
{
    struct stage stage;
    if (!set(&stage, "static"))
        return;
    CHECK(dv_relay_disengage(&stage.seat));
    CHECK(dv_relay_answered(stage.job));
    CHECK(!dv_relay_collect(stage.job));
    check_left(&stage, 0);
    strike(&stage);
}

/* Withdrawn before anybody took it: a worker that comes now leaves it alone, and nobody waits for its answer. */
static void come_too_late(const char *schedule)
{
    struct stage stage;
    if (!set(&stage, schedule))
        return;
    CHECK(dv_relay_withdraw(stage.job));
    check_left(&stage, 1);
    CHECK(dv_relay_serve(&stage.seat));
    CHECK(!dv_relay_answered(stage.job));
    CHECK(!dv_relay_collect(stage.job));
    check_left(&stage, 1);
    strike(&stage);
}

/* The visitor has just said that it withdraws, when the worker takes it: that one leaves it alone, which the visitor
 * must hear of, since nobody has called the worker in any other way. */
static void meet(const char *schedule)
{
    struct stage stage;
    if (!set(&stage, schedule))
        return;
    atomic_store(&stage.box->withdrawn, atomic_load(&stage.box->offer));
    CHECK(dv_relay_serve(&stage.seat));
    CHECK(!dv_relay_withdraw(stage.job));
    CHECK(dv_relay_answered(stage.job));
    CHECK(dv_relay_collect(stage.job));
    check_left(&stage, 1);
    strike(&stage);
}

int main(void)
{
    setenv("HWLOC_SYNTHETIC", "package:1 core:2 pu:1", 1);
    setenv("HWLOC_THISSYSTEM", "0", 1);
    static const char *const schedules[] = {"static", "dynamic"};
    take();
    leave();
    for (unsigned s = 0; s < 2; s++) {
        come_too_late(schedules[s]);
        meet(schedules[s]);
    }
    return check_summary();
}
