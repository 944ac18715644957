/* The guarded share: every device gets the part of its fair share that the least known device allows.
 *
 * The share of a device is what it would take if all devices finished together: the T at which
 *
 *     sum over devices j of  max(0, T - start_j) / (b_j s_j)  =  remaining
 *
 * with start_j the moment when j can begin something new, gives share_d = (T - start_d) / (b_d s_d). Taking all of it
 * would be right if every rate were exact. The guard phi = 1 / (1 + 8 U), U the worst known rate's uncertainty, keeps
 * back what can still repair the error. Nor is a share cut so small that launching costs more than could go wrong: in
 * a partition of length t the error is about U t, so one of 4 a / U is worth its launch. A device that even one
 * granule would make the job wait for is parked.
 *
 * What a staged device is late with is taken over by idle cores, see takeover.c. So its partitions may be large, the first
 * one too, while those of cores, which nobody takes over and whose launches cost next to nothing, remain small.
 *
 * Rates are learned by classes, corrected per device and job. The fixed cost a comes from a microbenchmark, and these
 * times tell only how high it cannot be, since partitions shrink while cost varies with position, and both would be
 * confused. A launch that took little longer than a says nothing about the rate but how slow the device cannot be. That
 * bound is as good as a rate to begin with, since the next partition can only be over sooner than planned; so a device is
 * measured in two or three launches, none of which is an experiment only.
 *
 * Every number here was chosen in simulated worlds, see schedule/worlds.h: show their table with each change. */
#include "schedule/schedule.h"

#include <math.h>

#define GUARD 8.0         /* phi = 1 / (1 + GUARD U) */
#define GUARD_LEAST 0.08  /* and at least this */
#define GUARD_CORE 0.06   /* at most, for a core: its launches are cheap, and nobody takes over what it has */
#define FLOOR 4.0         /* what may go wrong in a partition that is not cut smaller, in fixed costs */
#define TELLING 0.3       /* a time is fitted if this part of it is not the fixed cost */
#define TELLING_FIRST 8.0 /* the first of a class, which is the shortest: if it is so many fixed costs long */
#define FIRST_CORE 64     /* indices: less than a core's fixed cost for anything but heavy bodies */
#define FIRST_PART 64.0 /* and of those no more than such a part of an equal share, since all others may wait for it */
#define FIRST_STAGED 0.06 /* of an equal part of the job, where others may take over what that takes too long with */
#define FAR_UNKNOWN 20.0  /* times as fast as all cores is what the far end is laid out for */
#define OVERLAP 0.1       /* of the time of an index: copies that are worth hiding */
#define PRIOR 0.2         /* of a job's indices is what a class's rate counts for when the job begins */
#define SEEN_MOST 2.0     /* and one partition moves it by no more than this factor */
#define AWAITED 0.3       /* of the time until a device answers others may work on one partition */
#define SURVEYED 16       /* of many devices so many are looked at for each answer */
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

/* ---- Many devices ---- */

/* Device d's part in the sums, from now on: what it is if all finish at that moment. */
static void weigh(struct dv_plan *plan, unsigned d, double now, double finish)
{
    struct dv_pace *pace = &plan->paces[d];
    struct dv_level *level = &plan->level;
    double ns = dv_plan_pace_ns(plan, d), start = dv_plan_start_ns(pace, now);
    bool joins = pace->stand == DV_HERE && ns > 0 && start < finish;
    level->speed -= pace->speed;
    level->head_start -= pace->head_start;
    pace->speed = joins ? 1 / ns : 0;
    pace->head_start = joins ? start / ns : 0;
    level->speed += pace->speed;
    level->head_start += pace->head_start;
}

static bool are_many(const struct dv_plan *plan)
{
    return plan->pace_count >= 2 * SURVEYED;
}

/* How long the others may go on before they look again for the answer of a device that is being measured: about a launch;
 * where a bound tells when it answers at the latest, a part of what is left till then; if it takes longer than expected,
 * as long again as it is late. */
static double probing_ns(const struct dv_pace *pace, double now)
{
    double late = pace->asked > 0 ? now - pace->free_at_ns : 0;
    return fmax(pace->fixed_ns, late > 0 ? late : -AWAITED * late);
}

/* Looks at every device. */
static void survey(struct dv_plan *plan, double now, double remaining)
{
    double finish = are_many(plan) ? finish_together(plan, now, remaining, plan->pace_count) : 0;
    plan->level = (struct dv_level){.probing_ns = HUGE_VAL, .answers_left = plan->pace_count / SURVEYED};
    for (unsigned d = 0; d < plan->pace_count; d++) {
        struct dv_pace *pace = &plan->paces[d];
        pace->speed = pace->head_start = 0;
        if (pace->stand != DV_HERE)
            continue;
        if (finish > 0)
            weigh(plan, d, now, finish);
        plan->level.uncertainty = fmax(plan->level.uncertainty, dv_plan_uncertainty(plan, d));
        if (pace->learning && !pace->core)
            plan->level.probing_ns = fmin(plan->level.probing_ns, probing_ns(pace, now));
    }
}

/* When the others would finish together, and when all would, device d among them. With few devices all are looked at for
 * every answer. Of many an answer changes one, so that it is enough to keep the sums up to date, and to look at all now
 * and then: what an answer costs does not depend on their number. */
static double finish_of_others(struct dv_plan *plan, unsigned d, double now, double remaining)
{
    if (!are_many(plan))
        return finish_together(plan, now, remaining, d);
    weigh(plan, d, now, 0);
    double others = plan->level.speed > 0 ? (remaining + plan->level.head_start) / plan->level.speed : HUGE_VAL;
    weigh(plan, d, now, others);
    return others;
}

static double finish_of_all(struct dv_plan *plan, double now, double remaining)
{
    if (!are_many(plan))
        return finish_together(plan, now, remaining, plan->pace_count);
    return (remaining + plan->level.head_start) / plan->level.speed;
}

static struct dv_ask give(struct dv_plan *plan, unsigned d, double now, double wanted, size_t remaining,
                          enum dv_reason reason)
{
    size_t requested = wanted < 1 ? 1 : wanted < (double)remaining ? (size_t)wanted : remaining;
    size_t count = dv_plan_round(plan, d, requested, remaining);
    dv_plan_commit(plan, d, now, count);
    if (are_many(plan))
        finish_of_others(plan, d, now, (double)(remaining - count));
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
    double equal = (double)plan->count / plan->pace_count;
    double first = pace->core ? fmin(FIRST_CORE, equal / FIRST_PART) : pace->staged ? FIRST_STAGED * equal : 0;
    return give(plan, d, now, fmax(first, (double)pace->granule), remaining, DV_PROBE);
}

/* How long d may be given something to do while others are not known yet; and who comes late should find something left. */
static double patience_ns(const struct dv_plan *plan, unsigned d)
{
    const struct dv_pace *pace = &plan->paces[d];
    double least = plan->latecomers && pace->core ? LATECOMER_NS : HUGE_VAL;
    return pace->learning && !pace->core ? least : fmin(least, plan->level.probing_ns);
}

/* The guarded part of the share of a device whose rate is known, or bounded. */
static struct dv_ask share(struct dv_plan *plan, unsigned d, double now, size_t remaining)
{
    const struct dv_pace *pace = &plan->paces[d];
    double ns = dv_plan_pace_ns(plan, d), launch = pace->fixed_ns / ns, uncertainty = plan->level.uncertainty;
    double finish = finish_of_all(plan, now, (double)remaining);
    double fair = fmax((finish - dv_plan_start_ns(pace, now)) / ns, 0);
    double guard = fmax(1 / (1 + GUARD * uncertainty), GUARD_LEAST);
    guard = pace->core ? fmin(guard, GUARD_CORE) : guard;
    double guarded = fair * guard;
    double low = fmin(fair, launch * FLOOR / uncertainty), wanted = fmax(guarded, low);
    enum dv_reason reason = pace->learning ? DV_PROBE : guarded >= low ? DV_SHARE : DV_FLOOR;
    if (fair - wanted < low / 2) {
        wanted = fair;
        reason = DV_TAIL;
    }
    wanted = fmin(wanted, patience_ns(plan, d) / ns);
    if (pace->core) /* nor does it pay to take less than what the taking costs */
        wanted = fmax(wanted, launch);
    plan->decision = (struct dv_decision){.share = fair, .guard = guard, .floor = low};
    return give(plan, d, now, wanted, remaining, reason);
}

/* Whether a second partition should follow while the first is computed: where copies take long enough to be worth
 * hiding. It is as good as begun, and who knows little of a device should wait for what the first one tells. */
static bool overlaps(const struct dv_plan *plan, unsigned d)
{
    const struct dv_pace *pace = &plan->paces[d];
    return pace->samples > 0 && pace->copy_ns >= OVERLAP * dv_plan_pace_ns(plan, d);
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    struct dv_pace *pace = &plan->paces[d];
    double now = (double)now_ns, ns = dv_plan_pace_ns(plan, d), without = HUGE_VAL;
    plan->decision = (struct dv_decision){0};
    if (pace->stand == DV_PARKED || (pace->asked > 0 && !overlaps(plan, d)))
        return (struct dv_ask){.count = 0};
    if (plan->level.answers_left == 0)
        survey(plan, now, (double)remaining);
    plan->level.answers_left -= plan->level.answers_left > 0;
    if (!pace->core || are_many(plan))
        without = finish_of_others(plan, d, now, (double)remaining);
    if (!pace->core) {
        if (dv_plan_start_ns(pace, now) + fmin((double)pace->granule, (double)remaining) * ns >= without) {
            pace->stand = DV_PARKED;
            weigh(plan, d, now, 0);
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
    rate->drift = 0;
    rate->uncertainty = telling ? DV_UNPROVEN : DV_UNKNOWN;
    for (unsigned mate = 0; mate < plan->pace_count; mate++) { /* one of a class learns for all */
        if (plan->paces[mate].rate == plan->paces[d].rate) {
            plan->paces[mate].learning = !telling;
            plan->paces[mate].correction = 1;
        }
    }
}

/* Correct this job's pace, limiting what one surprising sample may do; then the uncertainty and the rate. The pace follows
 * what came last, which is likely to be like what comes next; the rate is the mean over all indices of the job, since the
 * next job begins elsewhere. */
static void correct(struct dv_plan *plan, struct dv_pace *pace, double body_ns, size_t count)
{
    struct dv_rate *rate = &plan->rates[pace->rate];
    double surprise = log(body_ns / (double)count / (rate->ns_per_item * pace->correction));
    double limit = fmax(2 * rate->uncertainty, 0.25);
    if (pace->samples == 0) {
        pace->correction *= exp(0.8 * fmin(fmax(surprise, -2), 2));
    } else if (fabs(surprise) <= limit || pace->outliers > 0) {
        pace->correction *= exp(0.3 * surprise);
    } else {
        pace->correction *= exp(0.3 * copysign(limit / 2, surprise));
    }
    pace->outliers = fabs(surprise) > limit ? pace->outliers + 1 : 0;
    double u = rate->uncertainty;
    rate->uncertainty = sqrt(0.7 * u * u + 0.3 * fmin(surprise * surprise, 1));
    rate->items += (double)count;
    double mean_ns = rate->ns_per_item * (1 + rate->drift), seen = body_ns / (double)count / mean_ns;
    seen = fmin(fmax(seen, 1 / SEEN_MOST), SEEN_MOST);
    rate->drift += (seen - 1) * (1 + rate->drift) * (double)count / (rate->items + PRIOR * (double)plan->count);
}

/* A time that is not telling is still a bound; it counts where less is known. */
static bool done(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns)
{
    struct dv_pace *pace = &plan->paces[d];
    struct dv_rate *rate = &plan->rates[pace->rate];
    double total = fmax((double)ns, 1);
    pace->fixed_ns = fmin(pace->fixed_ns, total); /* it cannot be more */
    double body = total - fmin(pace->fixed_ns, 0.9 * total);
    bool news = rate->ns_per_item <= 0;
    bool telling = body >= TELLING * total && (!news || total >= TELLING_FIRST * pace->fixed_ns);
    double bound = fmax(body, TELLING * total) / (double)count;
    if (pace->asked > 0) {
        pace->asked--;
        pace->asked_ns[0] = pace->asked_ns[1];
    }
    if (news || (pace->learning && (telling || bound < dv_plan_pace_ns(plan, d)))) {
        learn(plan, d, bound, telling);
    } else if (telling || bound < dv_plan_pace_ns(plan, d)) {
        correct(plan, pace, fmax(body, TELLING * total), count);
    }
    pace->samples += telling;
    rate->samples += telling;
    pace->free_at_ns = (double)now_ns + (pace->asked > 0 ? pace->asked_ns[0] : 0);
    return news;
}

/* What a device is laid out for, in items per nanosecond; one that is there but not known yet for several times as much
 * as the cores together: what they find there is no further from them, but ranges across homes cannot be given at once. */
static double speed_of(const struct dv_plan *plan, unsigned d, double cores)
{
    const struct dv_pace *pace = &plan->paces[d];
    double ns = dv_plan_pace_ns(plan, d);
    if (pace->out)
        return 0;
    return ns > 0 ? 1 / ns : pace->stand == DV_HERE ? FAR_UNKNOWN * cores : 0;
}

/* Equal homes for the cores; the far end, as much as their expected share, for the others. */
static void lay_out(const struct dv_plan *plan, size_t *sizes)
{
    double cores = 0, others = 0;
    dv_plan_lay_out_cores(plan, sizes);
    if (plan->core_count == 0)
        return;
    for (unsigned d = 0; d < plan->pace_count; d++)
        if (plan->paces[d].core && !plan->paces[d].out && dv_plan_pace_ns(plan, d) > 0)
            cores += 1 / dv_plan_pace_ns(plan, d);
    cores = cores > 0 ? cores : 1;
    for (unsigned d = 0; d < plan->pace_count; d++)
        others += plan->paces[d].core ? 0 : speed_of(plan, d, cores);
    size_t far = 0, given = 0;
    for (unsigned d = 0; d < plan->pace_count; d++) {
        if (!plan->paces[d].core) {
            sizes[d] = (size_t)((double)plan->count * speed_of(plan, d, cores) / (cores + others));
            far += sizes[d];
        }
    }
    size_t near = plan->count > far ? plan->count - far : 0;
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
