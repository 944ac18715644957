/* Guided self-scheduling with half shares: remaining / (2 devices), at least the given partition or a granule
 * (Polychronopoulos and Kuck 1987 take remaining / devices; halves leave room when the first part is the heavy one). */
#include "schedule/schedule.h"

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    size_t size = remaining / (2 * (size_t)plan->device_count);
    size_t least = plan->partition ? plan->partition : plan->paces[d].granule;
    enum dv_reason reason = DV_SHARE;
    if (size < least) {
        size = least;
        reason = DV_FLOOR;
    }
    return (struct dv_ask){.count = dv_plan_round(plan, d, size, remaining), .requested = size, .reason = reason};
}

const struct dv_schedule dv_guided = {.name = "guided",
                                      .adaptive = true,
                                      .bounded_below = true,
                                      .lay_out = dv_plan_lay_out_cores,
                                      .next = next,
                                      .done = dv_plan_ignore};
