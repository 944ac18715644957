#include "schedule/contest.h"

#include <stdlib.h>

static void play(struct dv_contest *contest, unsigned match)
{
    unsigned a = contest->winners[2 * match], b = contest->winners[2 * match + 1];
    bool first = contest->keys[a] < contest->keys[b] || (contest->keys[a] == contest->keys[b] && a < b);
    contest->winners[match] = first ? a : b;
}

bool dv_contest_init(struct dv_contest *contest, unsigned entrants)
{
    *contest = (struct dv_contest){.entrants = entrants,
                                   .keys = calloc(entrants, sizeof *contest->keys),
                                   .winners = calloc(2 * (size_t)entrants, sizeof *contest->winners)};
    if (!contest->keys || !contest->winners)
        return false;
    dv_contest_begin(contest);
    return true;
}

void dv_contest_fini(struct dv_contest *contest)
{
    free(contest->keys);
    free(contest->winners);
}

void dv_contest_begin(struct dv_contest *contest)
{
    for (unsigned e = 0; e < contest->entrants; e++)
        contest->winners[contest->entrants + e] = e;
    for (unsigned match = contest->entrants; match-- > 1;)
        play(contest, match);
}

void dv_contest_set(struct dv_contest *contest, unsigned entrant, double key)
{
    contest->keys[entrant] = key;
    for (unsigned match = (contest->entrants + entrant) / 2; match > 0; match /= 2)
        play(contest, match);
}
