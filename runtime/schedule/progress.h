/* Telling how far a job is: to the caller's on_progress, or as a line on the terminal. */
#ifndef DV_PROGRESS_H
#define DV_PROGRESS_H

#include "schedule/job.h"

/* Gives a job that has no on_progress the terminal line, if the context wants one. At the making of a job. */
void dv_progress_attach(struct dv_job *job);

/* Tells, if somebody wants to hear it and nobody is telling already. Any thread, no lock held. */
void dv_progress_tell(struct dv_job *job);

/* Waits for a telling in progress, then tells the end of a job that is OK. */
void dv_progress_end(struct dv_job *job);

#endif
