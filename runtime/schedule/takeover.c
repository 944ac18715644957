/* Duplication: rather than wait for a device that works on copies, idle cores compute its indices again.
 *
 * Only the last to end is worth it, since the job lasts as long as that one. And only all of what it has left: its launch
 * does not end earlier for being asked for less. So the question is whether the cores together, each from when it is free,
 * would be done with that before the device is. A device that should have ended takes half as long again as it has
 * taken, wherever one looks from: the longer it is overdue, the less is expected of it. Beside an overdue device a core has
 * nothing to lose but the end of the piece it is in: it begins at once, with pieces that are short against that time.
 *
 * Pieces come from the back, each a part of the core's share: what nobody has taken over when the device ends after all
 * is accepted from it. */
#include "schedule/schedule.h"

#include <math.h>

#define MARGIN 1.1    /* how much longer the device must be expected to take */
#define OVERDUE 0.5   /* of the time it has taken is what an overdue device takes more */
#define TOLERANCE 2.0 /* uncertainties after which it is */
#define PIECE 0.12    /* of the core's share */
#define LAUNCHES 4.0  /* a piece is worth so many fixed costs of a core, at least */
#define CRUMB 0.03 /* of the time that an overdue device is expected to take still, for a piece that may be in vain */

/* The moment from which on a device is overdue: within its rate's error it may still be on time. */
static double overdue_ns(const struct dv_plan *plan, const struct dv_flight *flight)
{
    double u = dv_plan_uncertainty(plan, flight->device);
    return flight->end_ns + TOLERANCE * u * (flight->end_ns - flight->began_ns);
}

double dv_flight_end_ns(double began_ns, double end_ns, double now)
{
    return now <= end_ns ? end_ns : now + OVERDUE * (now - began_ns);
}

static double expected_end(const struct dv_plan *plan, const struct dv_flight *flight, double now)
{
    double overdue = overdue_ns(plan, flight);
    return now > flight->end_ns && now <= overdue ? overdue : dv_flight_end_ns(flight->began_ns, flight->end_ns, now);
}

/* So many neighbours help with one flight at most: among many devices there are others, and all need not be looked at. */
enum { TEAM = 64 };

static unsigned last_to_end(const struct dv_plan *plan, const struct dv_flight *flights, unsigned count, double now)
{
    unsigned last = 0;
    for (unsigned f = 1; f < count; f++)
        if (expected_end(plan, &flights[f], now) > expected_end(plan, &flights[last], now))
            last = f;
    return last;
}

/* When the cores of d's team, each from when it is free, would have computed `count` indices; HUGE_VAL: never. As in the
 * rule, those who could only begin later do not take part. */
static double helpers_finish(const struct dv_plan *plan, unsigned d, unsigned late, double now, double count)
{
    unsigned teams = (plan->pace_count + TEAM - 1) / TEAM, team = (plan->pace_count + teams - 1) / teams;
    unsigned first = d - d % team, end = first + team < plan->pace_count ? first + team : plan->pace_count;
    double finish = HUGE_VAL;
    for (;;) {
        double speed = 0, head_start = 0;
        for (unsigned c = first; c < end; c++) {
            const struct dv_pace *pace = &plan->paces[c];
            double ns = dv_plan_pace_ns(plan, c), start;
            if (!pace->core || c == late || pace->stand != DV_HERE || ns <= 0 ||
                (start = dv_plan_start_ns(pace, now)) >= finish)
                continue;
            speed += 1 / ns;
            head_start += start / ns;
        }
        double solved = speed > 0 ? (count + head_start) / speed : HUGE_VAL;
        if (!(solved < finish))
            return finish;
        finish = solved;
    }
}

/* How many indices of those left core d takes. */
static size_t piece_of(const struct dv_plan *plan, unsigned d, double now, double finish, double longest_ns,
                       size_t left)
{
    const struct dv_pace *pace = &plan->paces[d];
    double ns = dv_plan_pace_ns(plan, d), share = (finish - dv_plan_start_ns(pace, now)) / ns;
    double wanted = fmin(fmax(PIECE * share, fmin(share, LAUNCHES * pace->fixed_ns / ns)), longest_ns / ns);
    if (!(wanted > 0))
        return 0; /* the others are done before this one has begun */
    return dv_plan_round(plan, d, wanted < (double)left ? (size_t)wanted : left, left);
}

struct dv_takeover dv_take_over(struct dv_plan *plan, unsigned d, uint64_t now_ns, const struct dv_flight *flights,
                                unsigned flight_count)
{
    struct dv_takeover none = {.again_ns = HUGE_VAL};
    if (flight_count == 0)
        return none;
    double now = (double)now_ns;
    unsigned f = last_to_end(plan, flights, flight_count, now);
    const struct dv_flight *flight = &flights[f];
    double finish = helpers_finish(plan, d, flight->device, now, (double)flight->count),
           needed = MARGIN * (finish - now);
    if (finish == HUGE_VAL || dv_plan_pace_ns(plan, d) <= 0 || d == flight->device)
        return none;
    double room = expected_end(plan, flight, now) - now, overdue = overdue_ns(plan, flight), longest = HUGE_VAL;
    if (needed >= room) {
        double least = flight->whole ? needed : fmin(needed, LAUNCHES * plan->paces[d].fixed_ns / CRUMB);
        if (now <= overdue || least > room) {
            none.again_ns = fmax(flight->began_ns + least / OVERDUE, overdue);
            none.again_ns = fmax(none.again_ns, now + plan->paces[d].fixed_ns) + 1;
            return none;
        }
        longest = CRUMB * room;
    }
    size_t count = flight->whole ? flight->count : piece_of(plan, d, now, finish, longest, flight->count);
    if (count > 0 && !flight->whole)
        dv_plan_commit(plan, d, now, count);
    return (struct dv_takeover){.flight = f, .count = count, .again_ns = count ? now : HUGE_VAL};
}
