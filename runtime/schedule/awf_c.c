/* Adaptive weighted factoring, variant C (Cariño and Banicescu 2008): w R / (2 p) at every request, with weights from
 * this job's times. A device's time per item is that of its partitions k = 1, 2 ..., each counted k times, so that the
 * latest ones weigh most; its weight is its speed over the mean speed of those that were measured, 1 before. */
#include "schedule/schedule.h"

#include <math.h>

static void begin(struct dv_plan *plan)
{
    plan->speed = plan->spread = 0;
    plan->known_count = 0;
    for (unsigned d = 0; d < plan->pace_count; d++)
        plan->paces[d].seen = (struct dv_seen){0};
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    const struct dv_pace *pace = &plan->paces[d];
    double weight = pace->seen.speed > 0 ? pace->seen.speed * plan->known_count / plan->speed : 1;
    double wanted = weight * (double)remaining / (2.0 * fmax(plan->device_count, 1));
    size_t size = wanted < (double)remaining ? (size_t)wanted : remaining;
    enum dv_reason reason = pace->seen.partitions == 0       ? DV_PROBE
                            : wanted < (double)pace->granule ? DV_FLOOR
                                                             : DV_SHARE;
    return (struct dv_ask){.count = dv_plan_round(plan, d, size, remaining), .requested = size, .reason = reason};
}

static bool done(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns)
{
    (void)now_ns;
    struct dv_seen *seen = &plan->paces[d].seen;
    double weight = ++seen->partitions;
    seen->items += weight * (double)count;
    seen->ns += weight * fmax((double)ns, 1);
    dv_plan_weigh(plan, d, seen->items / seen->ns, 0);
    return false;
}

const struct dv_schedule dv_awf_c = {
    .name = "awf-c", .adaptive = true, .begin = begin, .lay_out = dv_plan_lay_out_cores, .next = next, .done = done};
