/* What a worker does inside one job: claims partitions, has the backend run them, settles them. */
#ifndef DV_WORKER_H
#define DV_WORKER_H

#include "base/thread.h"
#include "schedule/job.h"

/* Where this thread is: the unit it drives, the job whose kernel it runs, whether it is inside a callback. */
struct dv_here {
    struct dv_unit *unit;
    struct dv_job *job;
    bool nested; /* that kernel runs because another one, further down on this stack, waits */
    bool telling;
    bool failed; /* divvy_fail was called by the kernel that runs */
    divvy_status failure;
    char *failure_text;
};
extern DV_THREAD_LOCAL struct dv_here dv_this_thread;

static inline struct dv_here *dv_here(void)
{
    return &dv_this_thread;
}

/* Works on a job as one of its members until there is nothing for it to do. The thread drives the member's unit, and
 * keeps the job by a reference. `now_ns`: the moment, or 0 to look at the clock if that matters. */
void dv_work(struct dv_job *job, struct dv_member *member, uint64_t now_ns);

/* What a core is handed of a job: what is new in each, so that it need not look. */
struct dv_hand {
    uint64_t id;
    size_t first, count; /* a range that was claimed for it; count 0: none was */
};

/* The same for a core, but somebody else keeps the job and accounts for the indices whose number is returned and which
 * are tallied in *out_tally; unless the job is timed nobody looks at the clock. */
size_t dv_work_relayed(struct dv_job *job, struct dv_member *member, const struct dv_hand *hand,
                       struct dv_tally *out_tally);

#endif
