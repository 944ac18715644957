/* One partition per device, sized by what each device itself did in the last calls of the same kernel and size (as
 * libGPGPU balances its queues): for loops over time steps, whose work lies the same in every call. Where it lies matters
 * as much as how much of it there is, so that the measure is a device's own speed on its own range, fixed cost and all.
 * The first call is a static one. */
#include "schedule/schedule.h"

#include <math.h>

/* How far a measurement moves a power, by its logarithm: half way, since the range that it was measured on moves too. Full
 * steps never settle where work lies unevenly (0.78 instead of 0.90 on the tuning worlds, warm). */
#define STEP 0.5

double dv_power_measured(double power, size_t items, uint64_t busy_ns)
{
    if (items == 0 || busy_ns == 0)
        return power;
    double measured = (double)items / (double)busy_ns;
    return power > 0 ? power * pow(measured / power, STEP) : measured;
}

static double by_power(const struct dv_plan *plan, unsigned d)
{
    return plan->paces[d].power;
}

static void lay_out(const struct dv_plan *plan, size_t *sizes)
{
    bool measured = true;
    for (unsigned d = 0; d < plan->pace_count; d++)
        measured = measured && (plan->paces[d].out || plan->paces[d].power > 0);
    if (measured)
        dv_plan_lay_out_shares(plan, by_power, sizes);
    else
        dv_static.lay_out(plan, sizes);
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    return dv_static.next(plan, d, now_ns, remaining);
}

const struct dv_schedule dv_iterative = {
    .name = "iterative", .one_each = true, .balances = true, .lay_out = lay_out, .next = next};
