/* Submitting and waiting: what turns calls into jobs in flight. A future is its job. */
#ifndef DV_FUTURE_H
#define DV_FUTURE_H

#include "schedule/crew.h"
#include "schedule/job.h"

/* The job of a call, in flight; never NULL. A call that is wrong is a job that is over. */
struct dv_job *dv_future_submit(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                                size_t args_size);

/* The same, waited for at once: the calling thread takes a seat before anybody else hears of the job. */
struct dv_job *dv_future_run(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                             size_t args_size);

/* Loads a kernel on every unit of the crew; over when it returns. */
struct dv_job *dv_future_prepare(struct dv_crew *crew, const divvy_kernel *kernel);

/* Works and waits until the job is over. The future's reference stays with the caller. */
void dv_future_wait(struct dv_job *job);

#endif
