/* One partition per device, sized by the model; equal sizes as long as the class of any device has no model. The
 * sizes are the homes', so that next has only to say "all of it". */
#include "schedule/schedule.h"

/* The speeds of those that take part: by the model if it knows all of them, else all alike. */
static double speed_of(const struct dv_plan *plan, unsigned d, bool known)
{
    if (plan->paces[d].out)
        return 0;
    return known ? 1 / plan->rates[plan->paces[d].rate].ns_per_item : 1;
}

static bool are_known(const struct dv_plan *plan)
{
    bool known = true;
    for (unsigned d = 0; d < plan->pace_count; d++)
        known = known && (plan->paces[d].out || plan->rates[plan->paces[d].rate].ns_per_item > 0);
    return known;
}

/* Cumulative rounding, to whole granules where they fit: the sizes add up exactly. To the nearest, so that devices which
 * are alike get the same ranges whether their speed is known or not. */
static void lay_out(const struct dv_plan *plan, size_t *sizes)
{
    bool known = are_known(plan);
    double all = 0, before = 0;
    unsigned last = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        all += speed_of(plan, d, known);
        last = plan->paces[d].out ? last : d;
    }
    size_t given = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        before += speed_of(plan, d, known);
        size_t end = d >= last ? plan->count : (size_t)(before / all * (double)plan->count + 0.5);
        if (end > plan->count)
            end = plan->count;
        if (end < given || plan->paces[d].out)
            end = given;
        if (end < plan->count)
            end -= (end - given) % plan->paces[d].granule;
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
