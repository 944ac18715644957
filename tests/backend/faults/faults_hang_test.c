/* Devices that hang, in their queues and inside their calls: jobs go on without them or wait, as divvy.h says, and a
 * context that closes never waits for long. */
#include "life.h"

#include <pthread.h>
#include <unistd.h>

enum { PLAN_BYTES = 256 };

static const struct faults_layer *layer;
static const struct life beside = {.devices = "cpu,opencl:0", .schedule = "static", .may_leave = true};
static const struct life alone = {.devices = "opencl:0", .schedule = "dynamic", .may_leave = true};

/* What a partition that was never measured is given, and some more for a slow machine. */
static const uint64_t GIVEN_UP_NS = 30000000000u;

/* How many calls that can fail in this way a life makes when nothing does: the last is one of the last job. */
static void count_calls(const struct life *life, enum faults_kind kind, uint64_t *counts)
{
    for (int c = 0; c < FAULTS_CALLS; c++)
        counts[c] = layer->calls_in_all(c, kind);
    CHECK_EQ(life_live(life).failed, 0);
    for (int c = 0; c < FAULTS_CALLS; c++)
        counts[c] = layer->calls_in_all(c, kind) - counts[c];
}

static void tell(const struct life *life, const struct after *after)
{
    printf("%-14s %-52s %5.0f ms, closed in %5.0f ms, %u failed, %u refused%s\n", life->devices, life->plan,
           (double)after->wall_ns / 1e6, (double)after->close_ns / 1e6, after->failed, after->refused,
           after->left_behind ? ", left behind" : "");
    CHECK(after->injected > 0);
    CHECK(after->close_ns < GIVEN_UP_NS);
}

static struct after live_with(struct life life, const char *plan)
{
    life.plan = plan;
    struct after after = life_live(&life);
    tell(&life, &after);
    return after;
}

/* A command that never ends is given up after its deadline, its device is lost, its work is done by the others. */
static void check_hanging(void)
{
    static const enum faults_call commands[] = {FAULTS_clEnqueueWriteBuffer, FAULTS_clEnqueueNDRangeKernel,
                                                FAULTS_clEnqueueReadBuffer};
    uint64_t counts[FAULTS_CALLS];
    char plan[PLAN_BYTES];
    count_calls(&beside, FAULTS_HANG, counts);
    for (unsigned k = 0; k < sizeof commands / sizeof *commands; k++) {
        snprintf(plan, sizeof plan, "%s:%llu=hang", faults_call_name(commands[k]),
                 (unsigned long long)counts[commands[k]]);
        struct after after = live_with(beside, plan);
        CHECK(after.failed == 1 && after.refused == 0 && after.left_behind && after.wall_ns < GIVEN_UP_NS);
    }
    /* Nor does it hang its worker when another call fails right behind it. */
    snprintf(plan, sizeof plan, "clEnqueueWriteBuffer:%llu=hang,clEnqueueNDRangeKernel:%llu=CL_OUT_OF_RESOURCES",
             (unsigned long long)counts[FAULTS_clEnqueueWriteBuffer],
             (unsigned long long)counts[FAULTS_clEnqueueNDRangeKernel]);
    struct after after = live_with(beside, plan);
    CHECK(after.failed == 1 && after.refused == 0 && after.left_behind && after.wall_ns < GIVEN_UP_NS);

    /* With two partitions in flight, and nobody else to compute: the job fails, in time. */
    count_calls(&alone, FAULTS_HANG, counts);
    snprintf(plan, sizeof plan, "clEnqueueNDRangeKernel:%llu=hang",
             (unsigned long long)counts[FAULTS_clEnqueueNDRangeKernel] - 3);
    after = live_with(alone, plan);
    CHECK(after.failed == 1 && after.refused == 1 && after.left_behind && after.wall_ns < GIVEN_UP_NS);
}

/* A build that takes for ever, be it in the compiler or in the first launch, is left to itself, and what it has opened
 * is closed when it is over after all. */
static void check_building(void)
{
    static const char *const plans[] = {"clBuildProgram:1=block", "clEnqueueNDRangeKernel:1=hang",
                                        "clCreateKernel:1=block"};
    for (unsigned k = 0; k < sizeof plans / sizeof *plans; k++) {
        struct life guided = beside;
        guided.schedule = "guided";
        guided.plan = plans[k];
        struct after after = {0};
        for (int tries = 0; tries < 100 && after.injected == 0; tries++) /* the cores may be done before it begins */
            after = life_live(&guided);
        tell(&guided, &after);
        CHECK(after.refused == 0);
    }
}

static atomic_bool life_is_over;

static void *release_now_and_then(void *argument)
{
    (void)argument;
    while (!atomic_load(&life_is_over)) {
        usleep(100000);
        layer->release();
    }
    return NULL;
}

/* A call that returns late is waited for: it may be reading the caller's arrays. */
static void check_slow_call(void)
{
    static const char *const calls[] = {"clEnqueueNDRangeKernel", "clFlush", "clSetKernelArg"};
    for (unsigned k = 0; k < sizeof calls / sizeof *calls; k++) {
        uint64_t counts[FAULTS_CALLS];
        char plan[PLAN_BYTES];
        pthread_t releaser;
        count_calls(&beside, FAULTS_BLOCK, counts);
        for (int c = 0; c < FAULTS_CALLS; c++)
            if (strcmp(calls[k], faults_call_name(c)) == 0)
                snprintf(plan, sizeof plan, "%s:%llu=block", calls[k], (unsigned long long)counts[c]);
        atomic_store(&life_is_over, false);
        if (!CHECK(pthread_create(&releaser, NULL, release_now_and_then, NULL) == 0))
            return;
        struct life helped = beside;
        helped.helpers = 1;
        struct after after = live_with(helped, plan);
        atomic_store(&life_is_over, true);
        pthread_join(releaser, NULL);
        CHECK(after.failed == 0 && after.refused == 0 && !after.left_behind);
    }
}

int main(void)
{
    layer = life_begin();
    alarm(800);
    CHECK_EQ(life_live(&beside).failed, 0); /* the kernels are built */
    CHECK_EQ(life_live(&alone).failed, 0);
    if (life_is_staged())
        check_hanging(); /* what works in place cannot be given up */
    else
        check_slow_call();
    check_building();
    int lived = life_end();
    return check_summary() || lived;
}
