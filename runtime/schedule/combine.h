/* Putting results together: what a partition gets to work on, and how its results reach the caller. */
#ifndef DV_COMBINE_H
#define DV_COMBINE_H

#include "schedule/job.h"

/* Fills in what all partitions of a job have in common on one device. */
void dv_task_begin(struct dv_task *task, struct dv_job *job, uint64_t id, const divvy_loaded *loaded);

/* And then what comes from the task's range, or from the first of its blocks: addresses, bytes, bases of slices;
 * partials with identities. False: no memory. */
bool dv_task_aim(struct dv_task *task);

/* Has a core run a task that was aimed, one block after the other if there are any. All but the last are settled then.
 * False: the device has failed, or the job was stopped since memory ran out. */
bool dv_task_run(struct dv_task *task, const struct dv_unit *unit);

/* Accepts a computed task: copies staged results into the caller's arrays, joins its folds into the member's, hands
 * its host results to the job. False: no memory. */
bool dv_task_accept(struct dv_task *task, struct dv_member *member);

/* Drops what a task has collected. */
void dv_task_drop(struct dv_task *task);

/* Writes the folds and results of a job whose every index was accepted; for a job of no index, the identities. */
void dv_job_combine(struct dv_job *job);

/* Forgets results that were not combined. */
void dv_job_drop_results(struct dv_job *job);

#endif
