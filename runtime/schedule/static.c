/* One partition per device, sized by the model; equal sizes as long as the class of any device has no model. The
 * sizes are the homes', so that next has only to say "all of it". */
#include "schedule/schedule.h"

static double by_model(const struct dv_plan *plan, unsigned d)
{
    return 1 / plan->rates[plan->paces[d].rate].ns_per_item;
}

static double alike(const struct dv_plan *plan, unsigned d)
{
    (void)plan, (void)d;
    return 1;
}

static void lay_out(const struct dv_plan *plan, size_t *sizes)
{
    bool known = true;
    for (unsigned d = 0; d < plan->pace_count; d++)
        known = known && (plan->paces[d].out || plan->rates[plan->paces[d].rate].ns_per_item > 0);
    dv_plan_lay_out_shares(plan, known ? by_model : alike, sizes);
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    (void)remaining;
    size_t cap = plan->paces[d].cap;
    return (struct dv_ask){.count = cap ? cap : plan->count, .requested = plan->count, .reason = DV_SHARE};
}

const struct dv_schedule dv_static = {.name = "static", .one_each = true, .lay_out = lay_out, .next = next};
