/* The job that a thread last waited for, remembered for divvy_last. */
#ifndef DV_LAST_H
#define DV_LAST_H

#include "schedule/job.h"

/* Remembers a job that is over. `context` is a number that no other context has. */
void dv_last_remember(uint64_t context, struct dv_job *job);

/* Its report, with the bound; NULL if this thread last waited for none of that context. */
const divvy_report *dv_last_report(uint64_t context);

#endif
