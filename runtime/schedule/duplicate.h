/* Duplicates: what a device that works on copies is late with is computed again by idle cores, in the caller's arrays. The
 * schedule says whether and how much; here is what happens to the partition.
 *
 * Pieces are taken from its back, so that of the device's results, once they come, the front is still of use. A partition
 * of which nothing is left is abandoned: the job does not wait for it any more. One that adds to a sum is abandoned at
 * once, and all of it given out again, since each index must count once. */
#ifndef DV_DUPLICATE_H
#define DV_DUPLICATE_H

#include "schedule/job.h"

/* Nothing of the job is left to give out, and core `m` is idle. True: the task has got a range. False: there is nothing for
 * now, and an alarm is set if asking again later makes sense; or a partition was given back, to be claimed as usual. Under
 * the job's mutex. */
bool dv_duplicate_claim(struct dv_job *job, unsigned m, uint64_t now_ns, struct dv_task *task);

/* The job did not wait for what a device has now computed in `busy_ns`; that is worth knowing for the next one. */
void dv_duplicate_learn(struct dv_job *job, const struct dv_member *member, const struct dv_task *task,
                        uint64_t busy_ns);

#endif
