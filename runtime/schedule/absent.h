/* What a filter names and nobody has: a misspelt number, a card that was taken out. Others may match, and the job runs on
 * those; that it does is told. */
#ifndef DV_ABSENT_H
#define DV_ABSENT_H

#include "schedule/crew.h"

/* Warns of each item of the crew's own filter that means no device of this machine, once per process. After all that the
 * filter names was probed: of a backend that was not, or was left out after a fork, nothing is said. */
void dv_absent_here(const struct dv_crew *crew);

/* The same of a call's filter, which chooses among the first `unit_count` units of the crew. */
void dv_absent_in_crew(const struct dv_crew *crew, unsigned unit_count, const struct dv_filter *filter);

#endif
