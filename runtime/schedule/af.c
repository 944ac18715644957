/* Adaptive factoring (Banicescu and Liu 2000): what mean mu and deviation sigma of an item's time on each device allow
 * to give out without risk. With D the sum over devices of sigma^2 / mu and T that of 1 / mu, inverted, a device gets
 *
 *     (D + 2 T R - sqrt(D^2 + 4 D T R)) / (2 mu)
 *
 * which for sigma = 0 is its share of what remains. Only whole partitions are timed here, so sigma is estimated from how
 * their means scatter: the mean of n items has the variance sigma^2 / n. Two partitions are the least from which that
 * can be told; until then a device gets a tenth of an equal part, and those not yet measured count as the others do. */
#include "schedule/schedule.h"

#include <math.h>

#define PILOTS 2      /* partitions by which a device is measured first */
#define PILOT_OF 10.0 /* what part of an equal one they are */

static void begin(struct dv_plan *plan)
{
    plan->speed = plan->spread = 0;
    plan->known_count = 0;
    for (unsigned d = 0; d < plan->pace_count; d++)
        plan->paces[d].seen = (struct dv_seen){0};
}

static double share(const struct dv_plan *plan, const struct dv_seen *seen, double remaining)
{
    double all = fmax((double)plan->device_count / plan->known_count, 1);
    double spread = plan->spread * all, together = remaining / (plan->speed * all); /* D, T R */
    double root = sqrt(spread * spread + 4 * spread * together);
    return (spread + 2 * together - root) / 2 * seen->speed;
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    const struct dv_pace *pace = &plan->paces[d];
    bool pilot = pace->seen.partitions < PILOTS;
    double wanted = pilot ? (double)plan->count / (PILOT_OF * fmax(plan->device_count, 1))
                          : share(plan, &pace->seen, (double)remaining);
    size_t size = wanted < 1 ? 1 : wanted < (double)remaining ? (size_t)wanted : remaining;
    enum dv_reason reason = pilot ? DV_PROBE : size < pace->granule ? DV_FLOOR : DV_SHARE;
    return (struct dv_ask){.count = dv_plan_round(plan, d, size, remaining), .requested = size, .reason = reason};
}

static bool done(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns)
{
    (void)now_ns;
    struct dv_seen *seen = &plan->paces[d].seen;
    double items = (double)count, took = fmax((double)ns, 1);
    seen->partitions++;
    seen->items += items;
    seen->ns += took;
    seen->squares += took * took / items;
    double mean = seen->ns / seen->items;
    double variance = seen->partitions > 1 ? fmax(seen->squares - seen->ns * mean, 0) / (seen->partitions - 1) : 0;
    dv_plan_weigh(plan, d, 1 / mean, variance / mean);
    return false;
}

const struct dv_schedule dv_af = {
    .name = "af", .adaptive = true, .begin = begin, .lay_out = dv_plan_lay_out_cores, .next = next, .done = done};
