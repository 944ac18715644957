/* A member gets ready: its device is opened, the kernel loaded, and the plan told what its launches cost. */
#ifndef DV_READY_H
#define DV_READY_H

#include "schedule/job.h"

/* False: the member is out. Only the thread that drives its unit calls this, and may for every partition. */
bool dv_ready_make(struct dv_job *job, struct dv_member *member);

/* The device failed for good: new jobs do without it, from before what it could not compute goes to others. */
void dv_ready_condemn(struct dv_job *job, struct dv_unit *unit, const char *error);

/* And the jobs in flight go on without it. */
void dv_ready_retire(struct dv_job *job, struct dv_unit *unit, const char *error);

#endif
