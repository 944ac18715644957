/* What all schedules share. */
#include "base/status.h"
#include "schedule/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct dv_schedule *const dv_schedules[] = {&dv_guarded, &dv_static,    &dv_dynamic, &dv_guided,
                                                  &dv_tss,     &dv_fac2,      &dv_awf_c,   &dv_af,
                                                  &dv_hguided, &dv_iterative, &dv_replay,  NULL};

/* "guarded, static, ..., hguided:NAME=POWER,..., replay:FILE". */
static void name_all(char *names, size_t size)
{
    size_t used = 0;
    names[0] = 0;
    for (size_t k = 0; dv_schedules[k] && used < size - 1; k++) {
        const char *takes = dv_schedules[k]->takes;
        int wrote = snprintf(names + used, size - used, "%s%s%s%s", used ? ", " : "", dv_schedules[k]->name,
                             takes ? ":" : "", takes ? takes : "");
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static const struct dv_schedule *find(const char *name, size_t length)
{
    for (size_t k = 0; dv_schedules[k]; k++)
        if (strlen(dv_schedules[k]->name) == length && memcmp(dv_schedules[k]->name, name, length) == 0)
            return dv_schedules[k];
    return NULL;
}

divvy_status dv_schedule_read(const char *text, const struct dv_schedule **out_schedule, const char **out_parameter)
{
    size_t length = strcspn(text, ":");
    const char *parameter = text[length] ? text + length + 1 : NULL;
    const struct dv_schedule *schedule = find(text, length);
    if (!schedule) {
        char names[256];
        name_all(names, sizeof names);
        return dv_fail(DIVVY_INVALID, "there is no schedule \"%s\": allowed are %s", text, names);
    }
    if (!schedule->takes && parameter)
        return dv_fail(DIVVY_INVALID, "the schedule is \"%s\", but nothing may follow %s", text, schedule->name);
    if (schedule->takes && (!parameter || !*parameter || (schedule->check && !schedule->check(parameter))))
        return dv_fail(DIVVY_INVALID, "the schedule is \"%s\"; it takes %s:%s", text, schedule->name, schedule->takes);
    *out_schedule = schedule;
    *out_parameter = parameter;
    return DIVVY_OK;
}

void dv_plan_begin(struct dv_plan *plan)
{
    unsigned cores = 0, devices = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        struct dv_pace *pace = &plan->paces[d];
        devices += !pace->out;
        cores += pace->core && !pace->out;
        DV_UPDATE(pace->served, false);
        DV_UPDATE(pace->learning, plan->rates[pace->rate].samples == 0);
        DV_UPDATE(pace->correction, 1);
        DV_UPDATE(pace->samples, 0);
        DV_UPDATE(pace->outliers, 0);
        DV_UPDATE(pace->asked, 0);
        DV_UPDATE(pace->free_at_ns, 0);
    }
    for (unsigned r = 0; r < plan->rate_count; r++) {
        DV_UPDATE(plan->rates[r].items, 0);
        DV_UPDATE(plan->rates[r].drift, 0);
    }
    DV_UPDATE(plan->level.answers_left, 0);
    DV_UPDATE(plan->core_count, cores);
    DV_UPDATE(plan->device_count, devices);
    if (plan->schedule->begin)
        plan->schedule->begin(plan);
}

void dv_plan_end(struct dv_plan *plan)
{
    for (unsigned d = 0; d < plan->pace_count; d++) /* what was expected of each stays as it was */
        plan->paces[d].correction /= 1 + plan->rates[plan->paces[d].rate].drift;
    for (unsigned r = 0; r < plan->rate_count; r++) {
        plan->rates[r].ns_per_item *= 1 + plan->rates[r].drift;
        plan->rates[r].drift = 0;
    }
}

void dv_plan_join(struct dv_plan *plan)
{
    const struct dv_pace *pace = &plan->paces[plan->pace_count++];
    plan->device_count += !pace->out;
    plan->core_count += pace->core && !pace->out;
}

bool dv_plan_ignore(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns)
{
    (void)plan, (void)d, (void)now_ns, (void)count, (void)ns;
    return false;
}

void dv_plan_weigh(struct dv_plan *plan, unsigned d, double speed, double spread)
{
    struct dv_seen *seen = &plan->paces[d].seen;
    plan->known_count += seen->speed == 0;
    plan->speed += speed - seen->speed;
    plan->spread += spread - seen->spread;
    seen->speed = speed;
    seen->spread = spread;
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

/* Cumulative rounding, to the nearest index: the sizes add up exactly. */
void dv_plan_lay_out_shares(const struct dv_plan *plan, double (*speed_of)(const struct dv_plan *plan, unsigned d),
                            size_t *sizes)
{
    double all = 0, before = 0;
    unsigned last = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        all += plan->paces[d].out ? 0 : speed_of(plan, d);
        last = plan->paces[d].out ? last : d;
    }
    size_t given = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        before += plan->paces[d].out ? 0 : speed_of(plan, d);
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
    plan->decision.end_ns = expected > 0 ? pace->free_at_ns : 0;
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
