/* Recorded boundaries: every partition as it was, to the device that had it, each device in its own order of then. What
 * floating-point results depend on besides the input, who computed what and where it was cut, is then the same again.
 *
 * Only what cannot be had any more is done otherwise: the parts of a device that fails meanwhile go to whoever is done
 * with its own, and so does what came back. */
#include "schedule/schedule.h"

static void begin(struct dv_plan *plan)
{
    plan->parts_left = plan->count;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        plan->paces[d].part = plan->paces[d].first_part;
        plan->paces[d].part_given = 0;
    }
}

/* The first device that is gone and has left something, d itself before all; pace_count: there is none. */
static unsigned whose(const struct dv_plan *plan, unsigned d)
{
    if (plan->paces[d].part)
        return d;
    unsigned other = 0;
    while (other < plan->pace_count && !(plan->paces[other].out && plan->paces[other].part))
        other++;
    return other;
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    unsigned owner = whose(plan, d);
    size_t cap = plan->paces[d].cap;
    if (owner == plan->pace_count) { /* what exceeds the parts came back from somebody */
        size_t back = remaining > plan->parts_left ? remaining - plan->parts_left : 0;
        return (struct dv_ask){.count = cap && back > cap ? cap : back, .requested = back, .reason = DV_TAIL};
    }
    struct dv_pace *pace = &plan->paces[owner];
    const struct dv_part *part = &plan->parts[pace->part - 1];
    size_t rest = part->count - pace->part_given, count = cap && rest > cap ? cap : rest;
    struct dv_ask ask = {
        .count = count, .requested = part->count, .reason = DV_FIXED, .placed = true, .home = pace->part - 1};
    plan->parts_left -= count;
    pace->part_given += count;
    if (pace->part_given == part->count) {
        pace->part = part->next;
        pace->part_given = 0;
    }
    return ask;
}

const struct dv_schedule dv_replay = {.name = "replay",
                                      .takes = "FILE",
                                      .adaptive = true,
                                      .begin = begin,
                                      .lay_out = dv_plan_lay_out_cores,
                                      .next = next,
                                      .done = dv_plan_ignore};
