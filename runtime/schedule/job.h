/* A job: one call of a kernel, from its arguments to its end.
 *
 * Every index is accounted for exactly once: accepted when its partition was computed and its results are in place,
 * or cancelled when the job was stopped. `pending` counts those not yet accounted for; whoever brings it to zero
 * finishes the job. A job is kept by references: one of its future, one while it is in flight, one of each worker
 * inside it and of each partition that a staged device works on. */
#ifndef DV_JOB_H
#define DV_JOB_H

#include "record/record.h"
#include "schedule/blocks.h"
#include "schedule/crew.h"
#include "schedule/schedule.h"
#include "schedule/split.h"
#include "schedule/unit.h"

#include <pthread.h>
#include <stdatomic.h>

/* One argument of the whole job. */
struct dv_argument {
    char *data;      /* the caller's array or result; of a value: into the copied arguments */
    size_t elements; /* extent: per index, or in all */
    size_t radius;
    size_t stride; /* bytes per index; 0 for what does not depend on the index */
    size_t bytes;  /* in all */
};

/* A partition on its way through a device. */
struct dv_task {
    divvy_partition partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    struct dv_range range;
    struct dv_ask ask;
    struct dv_decision decision;
    uint64_t queued_ns, start_ns;
    struct dv_job *job;
    atomic_int fate; /* DV_TASK_... : who settles it. Staged devices only */
};
enum { DV_TASK_STARTING, DV_TASK_RUNNING, DV_TASK_SETTLED, DV_TASK_ABANDONED };

enum dv_standing {
    DV_OUT,     /* left out: by a filter, after a failure */
    DV_WAITING, /* may come if that will pay */
    DV_WANTED,  /* shall open and build now */
    DV_READY,
};

/* What was computed, added up. */
struct dv_tally {
    uint64_t partitions, items, busy_ns, min_ns, max_ns;
    uint64_t last_end_ns; /* the moment when the last one ended; 0: nobody looked */
};

/* One device's part in a job. */
struct dv_member {
    /* Constant from submission, or from joining. */
    _Alignas(64) struct dv_unit *unit;

    /* The worker's. */
    divvy_loaded loaded;
    struct dv_tally tally;
    uint64_t ready_ns, build_ns; /* ready_ns 0: since the job began, if it is ready */
    uint64_t jit_ns, wasted_ns;  /* of accepted partitions; of others */
    _Atomic uint64_t split_ns, combine_ns;

    /* Any thread. */
    _Atomic enum dv_standing standing;
    atomic_uint idle_at;  /* found nothing when the job's recalls stood here */
    atomic_bool attended; /* somebody will serve this member: its static home is its own */

    /* The worker's again: what comes here is not for every partition. */
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    struct dv_partition_record *records;
    size_t record_count, record_capacity;

    /* Under the job's mutex. */
    struct dv_task *flying[2]; /* on a staged device */
    uint64_t landed_ns;        /* when the last of those was over */
    unsigned dropped_count;
    struct dv_partition_record dropped[2]; /* of those abandoned, since others did them; the first ones suffice */

    /* Of the thread that sees the job through: see relay.h. */
    _Alignas(64) struct dv_tally relayed;
    bool offered;
    int use; /* where dv_job_record put it; -1: nowhere */
};

/* The results of a range of a host kernel, waiting for their neighbours. */
struct dv_result {
    struct dv_result *next;
    size_t first, end;
    unsigned level; /* in the tree of blocks, if there are any */
    void *data[DIVVY_PARAMETERS_MAX];
};

/* Who finishes a job: the worker that accounts for the last index, unless a thread spins for the end of it, whose
 * cache has all that finishing needs. */
enum dv_closer { DV_CLOSER_LAST, DV_CLOSER_WAITER, DV_CLOSER_CALLED };

/* What makes a call the same as the one before. */
struct dv_last_call {
    const divvy_kernel *kernel;
    size_t count;
    const struct dv_schedule *schedule;
    size_t partition;
    size_t block;
    size_t bytes, whole_bytes; /* of all arrays; of those that every partition reads: launches cost what these take */
};

struct dv_job {
    /* Constant after dv_job_make, and mostly the same for the next call: see DV_UPDATE. */
    struct dv_crew *crew;
    const divvy_kernel *kernel;
    size_t count;
    size_t bytes, whole_bytes; /* of all arrays, of those that every partition reads */
    bool has_folds, has_results, writes_in_place;
    bool timed;            /* somebody wants to know of each partition how long it took, not only of all together */
    struct dv_job *parent; /* whose kernel submitted it; kept by a reference */
    void (*on_progress)(void *progress_arg, size_t done, size_t count);
    void *progress_arg;
    struct dv_argument arguments[DIVVY_PARAMETERS_MAX];
    char name[64];
    size_t partition, first_partition;
    bool reproducible;       /* computed in blocks, by devices of one kind */
    struct dv_blocks blocks; /* its partials: each of whoever accepts its block, in the end of whoever finishes */
    struct dv_part *parts;   /* of a replay: what the plan points to */
    bool prepares;           /* only loads its kernel: every member accounts for one index */
    bool keeps_records;
    bool latecomers;               /* some member may still come, or a backend is not probed yet */
    bool joinable;                 /* a device that is found now may join; once in flight, under mutex */
    struct dv_last_call last_call; /* for whoever uses the object again; zero: nothing */
    unsigned models_version;       /* that its rates are of */
    bool repeatable;               /* the very same call may have it again as it is */
    int seated_core;               /* whose seat its maker held; -1: none */
    char *copied;                  /* of the arguments */
    size_t copied_bytes, copied_capacity;
    unsigned member_capacity;
    atomic_uint member_count; /* grows when a device joins in the middle: under the pool's mutex */
    struct dv_member *members;

    struct dv_split split;

    /* Constant after dv_job_make, and new in each. */
    _Alignas(64) uint64_t id;
    _Atomic uint64_t submitted_ns; /* 0: whoever publishes it has not looked at the clock yet */
    uint64_t deadline_ns;          /* 0: none */
    uint64_t repeats;              /* number of the job that was the very same call, just before; 0: none */

    _Alignas(64) atomic_size_t pending; /* what workers write, on a line of its own */
    atomic_int references;
    _Atomic enum dv_closer closer;
    atomic_bool telling; /* somebody is inside on_progress */
    atomic_size_t told;
    atomic_bool over; /* finished: everything is in place */
    unsigned offers;  /* members that are offered the job: of the thread that sees it through */

    _Alignas(64) atomic_uint recalls; /* moves on when those who found nothing should look again */
    atomic_int alive;                 /* members that are not out */
    atomic_int unattended;            /* of those, the ones that nobody serves for now */
    atomic_bool quiet;                /* the caller alone works on it, for now */
    _Atomic uint64_t alarm_ns;        /* the moment when those who found nothing should look again; 0: none */
    atomic_bool stopped;

    /* Under mutex. */
    pthread_mutex_t mutex;
    struct dv_plan plan;
    size_t unclaimed; /* for adaptive schedules */
    bool turned_away; /* some device was told that there is nothing for it as things stand */
    bool eager;       /* some core would help devices out */
    divvy_status status;
    char *error;   /* NULL: none */
    bool abandons; /* staged devices are not waited for */
    struct dv_result *results;

    /* Under the pool's mutex. */
    struct dv_job *previous, *next; /* in flight, in the order of submission */
    struct dv_job *awaited_by;      /* whose kernel waits for its future; NULL: none's does */
    struct dv_job **waits_for;      /* jobs that must end first */
    unsigned waits_count, waits_capacity;
    bool needed; /* a mark of dv_order_needed */
    struct dv_job *next_spare, *next_made;
    bool future_held;
    uint64_t context; /* the number of the context whose future it is */

    uint64_t end_ns; /* set before over */
};

static inline void dv_tally_add(struct dv_tally *into, const struct dv_tally *from)
{
    if (from->partitions == 0)
        return;
    bool first = into->partitions == 0;
    into->partitions += from->partitions;
    into->items += from->items;
    into->busy_ns += from->busy_ns;
    if (first || from->min_ns < into->min_ns)
        into->min_ns = from->min_ns;
    if (from->max_ns > into->max_ns)
        into->max_ns = from->max_ns;
    if (from->last_end_ns > into->last_end_ns)
        into->last_end_ns = from->last_end_ns;
}

/* All that a member has done, once the job is over. */
struct dv_tally dv_member_tally(const struct dv_member *member);

/* What a worker that comes from elsewhere touches first is fetched all at once, since one line after the other would
 * take longer than a small partition. `home`: its own, or NULL. */
static inline void dv_job_prefetch(const struct dv_job *job, const struct dv_member *member,
                                   const struct dv_home *home);

/* Makes a job from a call: checks and copies the arguments, lays out the split. Never NULL for a call that can be
 * reported: a call that is wrong is a job that is over, with its status and error. NULL: no memory. The caller
 * holds the future's reference, and the seat of `core` if that is not -1. Does not publish it. */
struct dv_job *dv_job_make(struct dv_crew *crew, const divvy_kernel *kernel, size_t count, const void *args,
                           size_t args_size, struct dv_job *parent, int core);

/* A job that loads `kernel` on every device and computes nothing. NULL: no memory. */
struct dv_job *dv_job_make_preparing(struct dv_crew *crew, const divvy_kernel *kernel);

/* Accounts for `count` indices; finishes the job if they were the last. */
void dv_job_account(struct dv_job *job, size_t count);

/* A thread begins to spin for the end of a job, or stops to. While it spins it must look at dv_job_calls and then finish
 * the job; so must it when stopping says true. */
static inline void dv_job_begin_closing(struct dv_job *job);
static inline bool dv_job_stop_closing(struct dv_job *job);
static inline bool dv_job_calls(struct dv_job *job);
void dv_job_finish(struct dv_job *job);

/* Ends a job of no index, which never was in flight: its folds get their identities. */
void dv_job_finish_empty(struct dv_job *job);

/* Ends the job early: the first failure's status and text stay. Nothing more is given out; what runs on the host ends
 * by itself; what a staged device works on is abandoned if `abandon`. Any thread. */
void dv_job_stop(struct dv_job *job, bool abandon, divvy_status status, const char *error);

/* Gives a range back that could not be computed; cancels it if the job was stopped. */
void dv_job_put_back(struct dv_job *job, struct dv_range range);

/* Those who found nothing to do shall look again. */
void dv_job_recall(struct dv_job *job);

/* A member is left out of this job from now on. Stops the job with the given error if it was the last. A job that
 * prepares has then heard of it. */
void dv_job_leave_out(struct dv_job *job, struct dv_member *member, divvy_status status, const char *error);

/* Sets up member `m` for `unit`; the job's mutex or sole ownership is held. core: whose seat the caller holds, or -1. */
void dv_job_seat_member(struct dv_job *job, unsigned m, struct dv_unit *unit, enum dv_standing standing, int core);

/* Which of the job's members, and of its plan's paces, it is. */
static inline unsigned dv_job_index_of(const struct dv_job *job, const struct dv_member *member)
{
    return (unsigned)(member - job->members);
}

/* The granule of the job's partitions on a device whose own is `granule`. */
static inline size_t dv_job_granule(const struct dv_job *job, size_t granule)
{
    return job->blocks.size ? job->blocks.size : granule;
}

/* The largest partition that a device may get, in whole granules if one fits; 0: any. */
static inline size_t dv_job_cap(size_t cap, size_t granule)
{
    return granule > 1 && cap > granule ? cap - cap % granule : cap;
}

static inline bool dv_job_is_over(struct dv_job *job)
{
    return atomic_load_explicit(&job->over, memory_order_acquire);
}

static inline void dv_job_prefetch(const struct dv_job *job, const struct dv_member *member, const struct dv_home *home)
{
    __builtin_prefetch(job);
    __builtin_prefetch(job->arguments);
    __builtin_prefetch(&job->arguments[2]);
    __builtin_prefetch(&job->plan);
    __builtin_prefetch(&job->recalls);
    __builtin_prefetch(&job->id);
    for (size_t line = 0; line < offsetof(struct dv_member, partials); line += 64)
        __builtin_prefetch((const char *)member + line);
    if (home)
        __builtin_prefetch(home, 1);
}

static inline void dv_job_begin_closing(struct dv_job *job)
{
    enum dv_closer nobody = DV_CLOSER_LAST;
    atomic_compare_exchange_strong(&job->closer, &nobody, DV_CLOSER_WAITER);
}

static inline bool dv_job_stop_closing(struct dv_job *job)
{
    enum dv_closer waiter = DV_CLOSER_WAITER;
    return !atomic_compare_exchange_strong(&job->closer, &waiter, DV_CLOSER_LAST) && waiter == DV_CLOSER_CALLED;
}

static inline bool dv_job_calls(struct dv_job *job)
{
    return atomic_load_explicit(&job->closer, memory_order_acquire) == DV_CLOSER_CALLED;
}

void dv_job_keep(struct dv_job *job);
void dv_job_release(struct dv_job *job);

/* Frees the memory of a job for good. */
void dv_job_free(struct dv_job *job);

/* An object for a job: one that was used before, or a new one. NULL: no memory. */
struct dv_job *dv_job_take(struct dv_crew *crew);

/* INVALID for NULL, for a kernel of another version, for arguments that are too short. */
divvy_status dv_job_check_kernel(const divvy_kernel *kernel, size_t args_size);

/* NO_MEMORY, with its sentence. */
divvy_status dv_job_fail_memory(const divvy_kernel *kernel);

/* A job that is over and tells why, for a context that did not open. Never NULL. */
struct dv_job *dv_job_make_failed(divvy_status status, const char *error);

/* Fills a record of a job that is over or about to be, with `uses`, an array of member_count of the caller's; units[]
 * too, if not NULL. Partitions are left out. */
void dv_job_record(struct dv_job *job, struct dv_job_record *out_record, struct dv_use *uses, struct dv_unit **units);

/* Brings a record of the job that this one repeats up to this one. */
void dv_job_record_again(const struct dv_job *job, struct dv_job_record *record);

/* Hands a job that is about to be over to the profile, with its bound. */
void dv_job_profile(struct dv_job *job);

#endif
