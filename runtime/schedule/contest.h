/* Who is first: the least of many keys, any of which may change. One change costs the logarithm of their number. */
#ifndef DV_CONTEST_H
#define DV_CONTEST_H

#include <stdbool.h>

/* A tournament: winners[1] has the least key of all, winners[k] of the two below it; of equals the first. */
struct dv_contest {
    unsigned entrants;
    double *keys;
    unsigned *winners; /* from index `entrants` on, the entrants themselves */
};

/* All keys 0. False: no memory. fini frees, also what was not made. */
bool dv_contest_init(struct dv_contest *contest, unsigned entrants);
void dv_contest_fini(struct dv_contest *contest);

/* After all keys were set anew. */
void dv_contest_begin(struct dv_contest *contest);

void dv_contest_set(struct dv_contest *contest, unsigned entrant, double key);

static inline unsigned dv_contest_first(const struct dv_contest *contest)
{
    return contest->winners[1];
}

#endif
