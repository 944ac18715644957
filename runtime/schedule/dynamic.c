/* Partitions of one size, to whoever asks: the given one, else a 64th of the job. */
#include "schedule/schedule.h"

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    (void)remaining;
    const struct dv_pace *pace = &plan->paces[d];
    size_t size = plan->partition ? plan->partition : plan->count / 64 + (plan->count % 64 != 0);
    size_t granule = plan->partition ? 1 : pace->granule;
    size_t count = size + (granule - size % granule) % granule;
    if (pace->cap && count > pace->cap)
        count = pace->cap;
    return (struct dv_ask){.count = count, .requested = size, .reason = DV_FIXED};
}

const struct dv_schedule dv_dynamic = {.name = "dynamic", .lay_out = dv_plan_lay_out_cores, .next = next};
