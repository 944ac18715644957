/* Factoring by two (Flynn Hummel, Schonberg and Flynn 1992): in batches of one partition per device, each batch half of
 * what the one before left; the size in batch j is (N / p) / 2^(j + 1). */
#include "schedule/schedule.h"

#include <math.h>

static void begin(struct dv_plan *plan)
{
    plan->size = (double)plan->count / fmax(plan->device_count, 1);
    plan->batch_left = 0;
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    if (plan->batch_left == 0) {
        plan->size = fmax(plan->size / 2, 1);
        plan->batch_left = plan->device_count;
    }
    plan->batch_left--;
    size_t size = (size_t)ceil(plan->size);
    enum dv_reason reason = size < plan->paces[d].granule ? DV_FLOOR : DV_SHARE;
    return (struct dv_ask){.count = dv_plan_round(plan, d, size, remaining), .requested = size, .reason = reason};
}

const struct dv_schedule dv_fac2 = {.name = "fac2",
                                    .adaptive = true,
                                    .begin = begin,
                                    .lay_out = dv_plan_lay_out_cores,
                                    .next = next,
                                    .done = dv_plan_ignore};
