/* What all schedules share. */
#include "base/status.h"
#include "schedule/schedule.h"

#include <math.h>
#include <string.h>

divvy_status dv_schedule_find(const char *name, const struct dv_schedule **out_schedule)
{
    static const struct dv_schedule *const all[] = {&dv_guarded, &dv_static, &dv_dynamic, &dv_guided};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        if (strcmp(name, all[k]->name) == 0) {
            *out_schedule = all[k];
            return DIVVY_OK;
        }
    }
    return dv_fail(DIVVY_INVALID, "there is no schedule \"%s\": allowed are guarded, static, dynamic, guided", name);
}

void dv_plan_begin(struct dv_plan *plan)
{
    unsigned cores = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        struct dv_pace *pace = &plan->paces[d];
        cores += pace->core && !pace->out;
        DV_UPDATE(pace->served, false);
        DV_UPDATE(pace->learning, plan->rates[pace->rate].ns_per_item == 0);
        DV_UPDATE(pace->correction, 1);
        DV_UPDATE(pace->samples, 0);
        DV_UPDATE(pace->outliers, 0);
        DV_UPDATE(pace->asked, 0);
        DV_UPDATE(pace->free_at_ns, 0);
    }
    DV_UPDATE(plan->core_count, cores);
}

static bool has_home(const struct dv_plan *plan, unsigned d)
{
    return !plan->paces[d].out && (plan->paces[d].core || plan->core_count == 0);
}

void dv_plan_lay_out_cores(const struct dv_plan *plan, size_t *sizes)
{
    unsigned homes = 0, given = 0;
    for (unsigned d = 0; d < plan->pace_count; d++)
        homes += has_home(plan, d);
    size_t step = plan->partition ? plan->partition : 1, left = plan->count;
    size_t steps = plan->count / step + (plan->count % step != 0);
    for (unsigned d = 0; d < plan->pace_count; d++) {
        sizes[d] = 0;
        if (has_home(plan, d)) {
            size_t own = steps / homes + (given < steps % homes);
            sizes[d] = own > left / step ? left : own * step;
            left -= sizes[d];
            given++;
        }
    }
}

size_t dv_plan_round(const struct dv_plan *plan, unsigned d, size_t count, size_t remaining)
{
    const struct dv_pace *pace = &plan->paces[d];
    size_t granule = pace->granule;
    count -= count % granule;
    if (count < granule)
        count = granule;
    if (count > remaining || remaining - count < granule)
        count = remaining;
    return pace->cap && count > pace->cap ? pace->cap : count;
}

double dv_plan_pace_ns(const struct dv_plan *plan, unsigned d)
{
    return plan->rates[plan->paces[d].rate].ns_per_item * plan->paces[d].correction;
}

double dv_plan_uncertainty(const struct dv_plan *plan, unsigned d)
{
    const struct dv_rate *rate = &plan->rates[plan->paces[d].rate];
    if (rate->ns_per_item <= 0)
        return DV_UNKNOWN;
    double u = fmax(rate->uncertainty, DV_KNOWN_BEST);
    return plan->paces[d].samples ? u : fmax(u, DV_UNPROVEN);
}

double dv_plan_start_ns(const struct dv_pace *pace, double now)
{
    return fmax(now, pace->free_at_ns) + pace->fixed_ns + (pace->served ? 0 : pace->upload_ns);
}

void dv_plan_commit(struct dv_plan *plan, unsigned d, double now, size_t count)
{
    struct dv_pace *pace = &plan->paces[d];
    double expected = dv_plan_expect_ns(plan, d, count);
    pace->served = true;
    pace->free_at_ns = fmax(pace->free_at_ns, now) + expected;
    if (pace->asked < 2)
        pace->asked_ns[pace->asked++] = expected;
}

double dv_plan_expect_ns(const struct dv_plan *plan, unsigned d, size_t count)
{
    const struct dv_pace *pace = &plan->paces[d];
    double rate = plan->rates[pace->rate].ns_per_item;
    return rate > 0 ? pace->fixed_ns + rate * pace->correction * (double)count : 0;
}

void dv_plan_unpark(struct dv_plan *plan)
{
    for (unsigned d = 0; plan->schedule->adaptive && d < plan->pace_count; d++)
        if (plan->paces[d].stand == DV_PARKED)
            plan->paces[d].stand = DV_HERE;
}
