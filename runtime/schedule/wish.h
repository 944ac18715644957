/* What stands behind the colon of a schedule: powers, a file of recorded boundaries. */
#ifndef DV_WISH_H
#define DV_WISH_H

#include "schedule/job.h"

/* The schedule that a text asks for, and its parameter, which stays within the text. Files are read once per crew, and
 * all devices are looked for where a parameter may name them. INVALID with what is allowed; IO, NO_MEMORY. */
divvy_status dv_wish_read(struct dv_crew *crew, const char *text, const struct dv_schedule **out_schedule,
                          const char **out_parameter);

/* The members of a job are seated: tells its plan the parameter. Replay becomes guarded where the job or one of its
 * devices is not there, with one warning per file; the members are then seated anew. As dv_members_seat. */
divvy_status dv_wish_grant(struct dv_job *job, const char *parameter, const char *devices, int core);

/* Frees what was read. */
void dv_wishes_forget(struct dv_crew *crew);

#endif
