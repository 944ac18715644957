/* The guarded share: every device gets the part of its fair share that the least known device allows.
 *
 * The share of a device is what it would take if all devices finished together: the T at which
 *
 *     sum over devices j of  max(0, T - start_j) / (b_j s_j)  =  remaining
 *
 * with start_j the moment when j can begin something new, gives share_d = (T - start_d) / (b_d s_d). Taking all of it
 * would be right if every rate were exact. The guard phi = 1 / (1 + 8 U), U the worst known rate's uncertainty, keeps
 * back what can still repair the error. Nor is a share cut so small that launching costs more than could go wrong: in
 * a partition of length t the error is about U t, so one of 2 a / U is worth its launch. A device that even one
 * granule would make the job wait for is parked.
 *
 * Rates are learned by classes, corrected per device and job. The fixed cost a comes from a microbenchmark, never from
 * these times, since partitions shrink while cost varies with position, and both would be confused. A launch that
 * took little longer than a says nothing about the rate but how slow the device cannot be. That bound is as good as a
 * rate to begin with, since the next partition can only be over sooner than planned; so a device is measured in two or
 * three launches, none of which is an experiment only.
 *
 * Every number here was chosen in simulated worlds, see schedule/worlds.h: show their table with each change. */
#include "schedule/schedule.h"

#include <math.h>

#define GUARD 8.0             /* phi = 1 / (1 + GUARD U) */
#define GUARD_LEAST 0.08      /* and at least this */
#define FLOOR 2.0             /* what may go wrong in a partition that is not cut smaller, in fixed costs */
#define TELLING 0.3           /* a time is fitted if this part of it is not the fixed cost */
#define TELLING_FIRST 8.0     /* the first of a class, which is the shortest: if it is so many fixed costs long */
#define FIRST_CORE 64         /* indices: less than a core's fixed cost for anything but heavy bodies */
#define LAUNCH_BLINDLY_NS 1e6 /* a launch that costs less needs no comparison with others */
#define LATECOMER_NS 1e6      /* cores' partitions while devices may come: 2 us of claiming in it are nothing */

/* The moment at which all that take part finish together, `remaining` done; `without` is left out (pace_count:
 * nobody). Devices that could only begin later do not take part: leaving them out moves the moment, so it is solved
 * again until the set holds. HUGE_VAL if nobody is known. */
static double finish_together(const struct dv_plan *plan, double now, double remaining, unsigned without)
{
    double finish = HUGE_VAL;
    for (;;) {
        double speed = 0, head_start = 0;
        for (unsigned d = 0; d < plan->pace_count; d++) {
            const struct dv_pace *pace = &plan->paces[d];
            double ns = dv_plan_pace_ns(plan, d), start;
            if (d == without || pace->stand != DV_HERE || ns <= 0 || (start = dv_plan_start_ns(pace, now)) >= finish)
                continue;
            speed += 1 / ns;
            head_start += start / ns;
        }
        double solved = speed > 0 ? (remaining + head_start) / speed : HUGE_VAL;
        if (!(solved < finish))
            return finish < HUGE_VAL ? finish : solved;
        finish = solved;
    }
}

/* The largest uncertainty of those that take part. */
static double worst_uncertainty(const struct dv_plan *plan)
{
    double worst = 0;
    for (unsigned d = 0; d < plan->pace_count; d++)
        if (plan->paces[d].stand == DV_HERE)
            worst = fmax(worst, dv_plan_uncertainty(plan, d));
    return worst;
}

static struct dv_ask give(struct dv_plan *plan, unsigned d, double now, double wanted, size_t remaining,
                          enum dv_reason reason)
{
    size_t requested = wanted < 1 ? 1 : wanted < (double)remaining ? (size_t)wanted : remaining;
    size_t count = dv_plan_round(plan, d, requested, remaining);
    dv_plan_commit(plan, d, now, count);
    return (struct dv_ask){.count = count, .requested = requested, .reason = reason};
}

static bool others_work(const struct dv_plan *plan, unsigned d)
{
    for (unsigned other = 0; other < plan->pace_count; other++)
        if (other != d && plan->paces[other].asked > 0)
            return true;
    return false;
}

/* Nothing is known of this device but its fixed cost. Where that is high, somebody should be known to compare with:
 * then a launch that the job would have to wait for is not begun. */
static struct dv_ask begin(struct dv_plan *plan, unsigned d, double now, bool comparable, size_t remaining)
{
    struct dv_pace *pace = &plan->paces[d];
    if (pace->asked > 0 || (!comparable && pace->fixed_ns > LAUNCH_BLINDLY_NS && others_work(plan, d)))
        return (struct dv_ask){.count = 0};
    bool small = pace->core && pace->granule < FIRST_CORE;
    return give(plan, d, now, small ? FIRST_CORE : (double)pace->granule, remaining, DV_PROBE);
}

/* How long d may be given something to do while others are not known yet: one that is being measured answers about a
 * launch later, or, when it takes longer, after as long again as it has taken; and who comes late should find something
 * left. */
static double patience_ns(const struct dv_plan *plan, unsigned d, double now)
{
    double least = plan->latecomers && plan->paces[d].core ? LATECOMER_NS : HUGE_VAL;
    for (unsigned other = 0; other < plan->pace_count; other++) {
        const struct dv_pace *pace = &plan->paces[other];
        if (other != d && pace->stand == DV_HERE && pace->learning && !pace->core)
            least = fmin(least, fmax(pace->fixed_ns, pace->asked ? now - pace->free_at_ns : 0));
    }
    return least;
}

/* The guarded part of the share of a device whose rate is known, or bounded. */
static struct dv_ask share(struct dv_plan *plan, unsigned d, double now, size_t remaining)
{
    const struct dv_pace *pace = &plan->paces[d];
    double ns = dv_plan_pace_ns(plan, d), launch = pace->fixed_ns / ns, uncertainty = worst_uncertainty(plan);
    double finish = finish_together(plan, now, (double)remaining, plan->pace_count);
    double fair = fmax((finish - dv_plan_start_ns(pace, now)) / ns, 0);
    double guard = fmax(1 / (1 + GUARD * uncertainty), GUARD_LEAST), guarded = fair * guard;
    double low = fmin(fair, launch * FLOOR / uncertainty), wanted = fmax(guarded, low);
    enum dv_reason reason = pace->learning ? DV_PROBE : guarded >= low ? DV_SHARE : DV_FLOOR;
    if (fair - wanted < low / 2) {
        wanted = fair;
        reason = DV_TAIL;
    }
    wanted = fmin(wanted, patience_ns(plan, d, now) / ns);
    if (pace->core) /* nor does it pay to take less than what the taking costs */
        wanted = fmax(wanted, launch);
    plan->decision = (struct dv_decision){.share = fair, .guard = guard, .floor = low};
    return give(plan, d, now, wanted, remaining, reason);
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    struct dv_pace *pace = &plan->paces[d];
    double now = (double)now_ns, ns = dv_plan_pace_ns(plan, d), without = HUGE_VAL;
    plan->decision = (struct dv_decision){0};
    if (pace->stand == DV_PARKED)
        return (struct dv_ask){.count = 0};
    if (!pace->core) {
        without = finish_together(plan, now, (double)remaining, d);
        if (dv_plan_start_ns(pace, now) + fmin((double)pace->granule, (double)remaining) * ns >= without) {
            pace->stand = DV_PARKED;
            return (struct dv_ask){.count = 0};
        }
    }
    return ns > 0 ? share(plan, d, now, remaining) : begin(plan, d, now, without < HUGE_VAL, remaining);
}

/* The first thing measured of a class, or a better one of a class of which only a bound is known. */
static void learn(struct dv_plan *plan, unsigned d, double ns_per_item, bool telling)
{
    struct dv_rate *rate = &plan->rates[plan->paces[d].rate];
    rate->ns_per_item = ns_per_item;
    rate->uncertainty = telling ? DV_UNPROVEN : DV_UNKNOWN;
    for (unsigned mate = 0; mate < plan->pace_count; mate++) { /* one of a class learns for all */
        if (plan->paces[mate].rate == plan->paces[d].rate) {
            plan->paces[mate].learning = !telling;
            plan->paces[mate].correction = 1;
        }
    }
}

/* Correct this job's pace, limiting what one surprising sample may do; then the uncertainty and, slowly, the rate. */
static void correct(struct dv_plan *plan, struct dv_pace *pace, double body_ns, size_t count)
{
    struct dv_rate *rate = &plan->rates[pace->rate];
    double surprise = log(body_ns / (double)count / (rate->ns_per_item * pace->correction));
    double limit = fmax(2 * rate->uncertainty, 0.25);
    if (pace->samples == 0) {
        pace->correction *= exp(0.8 * fmin(fmax(surprise, -1), 1));
    } else if (fabs(surprise) <= limit || pace->outliers > 0) {
        pace->correction *= exp(0.3 * surprise);
    } else {
        pace->correction *= exp(0.3 * copysign(limit / 2, surprise));
    }
    pace->outliers = fabs(surprise) > limit ? pace->outliers + 1 : 0;
    double u = rate->uncertainty;
    rate->uncertainty = sqrt(0.7 * u * u + 0.3 * fmin(surprise * surprise, 1));
    double shift = 0.1 * fmin(fmax(log(pace->correction), -0.5), 0.5);
    rate->ns_per_item *= exp(shift);
    for (unsigned d = 0; d < plan->pace_count; d++) /* what the others of the class expect stays as it was */
        if (plan->paces[d].rate == pace->rate)
            plan->paces[d].correction *= exp(-shift);
}

/* A time that is not telling is still a bound; it counts where less is known. */
static bool done(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns)
{
    struct dv_pace *pace = &plan->paces[d];
    struct dv_rate *rate = &plan->rates[pace->rate];
    double total = fmax((double)ns, 1), body = total - fmin(pace->fixed_ns, 0.9 * total);
    bool news = rate->ns_per_item <= 0;
    bool telling = body >= TELLING * total && (!news || total >= TELLING_FIRST * pace->fixed_ns);
    double bound = fmax(body, TELLING * total) / (double)count;
    if (pace->asked > 0) {
        pace->asked--;
        pace->asked_ns[0] = pace->asked_ns[1];
    }
    if (news || (pace->learning && (telling || bound < dv_plan_pace_ns(plan, d)))) {
        learn(plan, d, bound, telling);
    } else if (telling) {
        correct(plan, pace, body, count);
    } else if (bound < dv_plan_pace_ns(plan, d)) {
        pace->correction = bound / rate->ns_per_item;
    }
    pace->samples += telling;
    rate->samples += telling;
    pace->free_at_ns = (double)now_ns + (pace->asked > 0 ? pace->asked_ns[0] : 0);
    return news;
}

/* Equal homes for the cores; the far end, as much as their expected share, for the others. */
static void lay_out(const struct dv_plan *plan, size_t *sizes)
{
    double speed = 0;
    for (unsigned d = 0; d < plan->pace_count; d++)
        speed += dv_plan_pace_ns(plan, d) > 0 && !plan->paces[d].out ? 1 / dv_plan_pace_ns(plan, d) : 0;
    dv_plan_lay_out_cores(plan, sizes);
    if (plan->core_count == 0 || speed <= 0)
        return;
    size_t far = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        if (!plan->paces[d].core && !plan->paces[d].out && dv_plan_pace_ns(plan, d) > 0) {
            sizes[d] = (size_t)((double)plan->count * (1 / dv_plan_pace_ns(plan, d) / speed));
            far += sizes[d];
        }
    }
    size_t near = plan->count > far ? plan->count - far : 0, given = 0;
    for (unsigned d = 0; far > 0 && d < plan->pace_count; d++) {
        if (plan->paces[d].core && !plan->paces[d].out) {
            sizes[d] = near / plan->core_count + (given < near % plan->core_count);
            given++;
        }
    }
}

const struct dv_schedule dv_guarded = {.name = "guarded",
                                       .adaptive = true,
                                       .learns = true,
                                       .patient = true,
                                       .quiet = true,
                                       .lay_out = lay_out,
                                       .next = next,
                                       .done = done,
                                       .take_over = dv_take_over};
