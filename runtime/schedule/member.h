/* The members of a job: which devices take part, and how the indices are laid out for them. Before the job is in
 * flight; its maker only. */
#ifndef DV_MEMBER_H
#define DV_MEMBER_H

#include "schedule/job.h"

/* Members and rates from nothing, for every unit of the crew; `devices` is a filter or NULL. NO_DEVICE, INVALID,
 * NO_MEMORY. */
divvy_status dv_members_seat(struct dv_job *job, const char *devices, int core);

/* Whether the object's last job was the same call on the same devices, so that its members may stay: what most calls
 * in a loop are. */
bool dv_members_repeat(const struct dv_job *job, const struct dv_last_call *call);

/* The members of a call that repeats: what they have counted is forgotten, and what others have learned is heard. */
void dv_members_seat_again(struct dv_job *job, int core);

/* Of the very same call: they only forget what they have counted. */
void dv_members_rewind(struct dv_job *job);

/* Homes for all members, as the schedule sizes them. False: no memory. */
bool dv_members_lay_out(struct dv_job *job);

#endif
