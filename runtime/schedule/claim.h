/* A worker's next partition: how many indices the schedule gives it, and which. */
#ifndef DV_CLAIM_H
#define DV_CLAIM_H

#include "schedule/job.h"

/* One partition for a member, which has done what `tally` says; false if there is nothing for it now. */
bool dv_claim(struct dv_job *job, struct dv_member *member, const struct dv_tally *tally, uint64_t now_ns,
              struct dv_task *task);

/* For a worker that is handed a job: all of its home, if it may have that at once and nobody wants to know how long it
 * takes. */
bool dv_claim_home(struct dv_job *job, unsigned m, struct dv_range *out_range);

/* And if it did not begin: the home is as it was. */
void dv_claim_undo(struct dv_job *job, unsigned m, size_t count);

/* Whether there is nothing more for whoever had that: known without looking, where each device sees to its one part. */
bool dv_claim_is_through(struct dv_job *job);

#endif
