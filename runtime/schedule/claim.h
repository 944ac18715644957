/* A worker's next partition: how many indices the schedule gives it, and which. */
#ifndef DV_CLAIM_H
#define DV_CLAIM_H

#include "schedule/job.h"

/* One partition for a member, which has done what `tally` says; false if there is nothing for it now. */
bool dv_claim(struct dv_job *job, struct dv_member *member, const struct dv_tally *tally, uint64_t now_ns,
              struct dv_task *task);

#endif
