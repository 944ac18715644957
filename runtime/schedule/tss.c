/* Trapezoid self-scheduling (Tzen and Ni 1993): partitions shrink by a constant step, from half of an equal part to one
 * index. With F the first and L = 1 the last one there are n = 2 N / (F + L) of them, and the step is
 * (F - L) / (n - 1). */
#include "schedule/schedule.h"

#include <math.h>

static void begin(struct dv_plan *plan)
{
    double count = (double)plan->count, first = fmax(floor(count / (2.0 * fmax(plan->device_count, 1))), 1);
    double partitions = ceil(2 * count / (first + 1));
    plan->size = first;
    plan->step = partitions > 1 ? (first - 1) / (partitions - 1) : 0;
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    size_t size = (size_t)plan->size;
    plan->size = fmax(plan->size - plan->step, 1);
    enum dv_reason reason = size < plan->paces[d].granule ? DV_FLOOR : DV_SHARE;
    return (struct dv_ask){.count = dv_plan_round(plan, d, size, remaining), .requested = size, .reason = reason};
}

const struct dv_schedule dv_tss = {.name = "tss",
                                   .adaptive = true,
                                   .begin = begin,
                                   .lay_out = dv_plan_lay_out_cores,
                                   .next = next,
                                   .done = dv_plan_ignore};
