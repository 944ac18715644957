/* One partition per device, sized by the model; equal sizes as long as the class of any device has no model. The
 * sizes are the homes', so that next has only to say "all of it". */
#include "schedule/schedule.h"

static void lay_out(const struct dv_plan *plan, size_t *sizes)
{
    double speeds = 0;
    bool known = true;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        double rate = plan->rates[plan->paces[d].rate].ns_per_item;
        known = known && rate > 0;
        speeds += rate > 0 ? 1 / rate : 0;
    }
    /* Cumulative rounding, to whole granules where they fit: the sizes add up exactly. */
    double before = 0;
    size_t given = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        before += known ? 1 / plan->rates[plan->paces[d].rate].ns_per_item / speeds : 1.0 / plan->pace_count;
        size_t end = d + 1 == plan->pace_count ? plan->count : (size_t)(before * (double)plan->count);
        size_t granule = plan->paces[d].granule;
        if (end < plan->count && granule > 1)
            end -= (end - (end > given ? given : end)) % granule;
        if (end < given)
            end = given;
        if (end > plan->count)
            end = plan->count;
        sizes[d] = end - given;
        given = end;
    }
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    (void)remaining;
    size_t cap = plan->paces[d].cap;
    return (struct dv_ask){.count = cap ? cap : plan->count, .requested = plan->count, .reason = DV_SHARE};
}

const struct dv_schedule dv_static = {.name = "static", .lay_out = lay_out, .next = next};
