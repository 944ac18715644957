/* The pool: every worker of the process and the jobs in flight. The one global.
 *
 * Each core that some context uses has a worker, a thread bound to it, but for a context's first one: there works the
 * thread that waits for a job (see seat.h, also for when it gets one; a context of one core has one from its first
 * divvy_submit on). Other devices have a worker each, which drives the device and mostly sleeps. Idle workers spin
 * briefly, then sleep. */
#ifndef DV_POOL_H
#define DV_POOL_H

#include "base/bell.h"
#include "schedule/job.h"
#include "schedule/order.h"
#include "schedule/seat.h"

/* A worker of a device that is no core. */
struct dv_driver {
    struct dv_unit *unit;
    unsigned users; /* crews */
    pthread_t thread;
    bool ended;                  /* under the mutex */
    atomic_bool left;            /* nobody waits for it any more: written under the mutex */
    struct dv_driver *next_left; /* of those that were left behind */
};

struct dv_pool {
    _Alignas(64) pthread_mutex_t mutex;
    struct dv_order order; /* under mutex, as what follows */
    unsigned crews;
    unsigned generation;              /* counts forks */
    _Alignas(64) struct dv_bell work; /* there may be something to do */
    atomic_bool closing;
    struct dv_bell over;       /* a job is over, or there may be something to do for those who wait */
    _Atomic uint64_t alarm_ns; /* the earliest of the jobs' alarms, or before; 0: none */
    unsigned seat_count;
    struct dv_seat *seats;             /* one for each core of the topology, made by the first crew, never moved */
    atomic_uint seatless;              /* threads that wait and found no seat */
    atomic_uint gave_way;              /* workers that sleep since a visitor has their seat */
    unsigned unit_count, driver_count; /* under mutex, as the arrays */
    struct dv_unit *units[DV_CREW_MAX];
    struct dv_driver *drivers[DV_CREW_MAX];
};

extern struct dv_pool dv_pool;

/* The shared unit of a found device; the same for every crew. Under the pool's mutex. NULL: no memory, or too many. */
struct dv_unit *dv_pool_unit(const struct dv_found *found, unsigned units, int core);

/* A crew begins: makes the workers of its cores. A crew ends, also if it could not begin: the last one joins all threads,
 * but leaves behind those whose device hangs or builds at the moment `until`. NO_MEMORY, LIMIT. */
divvy_status dv_pool_enter(struct dv_crew *crew);
void dv_pool_leave(uint64_t until);

/* Gives a device that is no core its worker. Under the pool's mutex. */
divvy_status dv_pool_hire(struct dv_crew *crew, struct dv_unit *unit);

/* Makes a worker for a crew's first seat, for jobs that nobody waits for: unless it has other workers. */
void dv_pool_hire_first(struct dv_crew *crew);

/* The same for a job of which something can be done on the first core alone: a filter or a recording says so. `core`:
 * where the caller sits; -1: nowhere. */
void dv_pool_hire_first_for(const struct dv_job *job, int core);

/* Makes a worker for a core that has none. NO_MEMORY, LIMIT. */
divvy_status dv_pool_hire_core(unsigned core, bool bound);

/* Puts a job in flight and calls the workers, unless it is quiet; by the relay if the caller leads. NO_MEMORY, or INVALID where no order is possible: it is not in flight. *out_free: it may run at once. */
divvy_status dv_pool_publish(struct dv_job *job, bool leads, bool *out_free);

/* A quiet job becomes everybody's. */
void dv_pool_open_up(struct dv_job *job);

/* At that moment those who found nothing in a job shall look again, unless something happens before. */
void dv_pool_set_alarm(struct dv_job *job, uint64_t moment_ns);

/* Rings for those who wait for a job to be over. */
void dv_pool_tell(void);

/* A job is over: takes it out of flight, wakes who waits. */
void dv_pool_retract(struct dv_job *job);

/* Every member of a unit that was retired is left out of its jobs. */
void dv_pool_forget(struct dv_unit *unit, const char *error);

/* Whether the seat of a core has a worker of its own. */
static inline bool dv_pool_has_worker(int core)
{
    return atomic_load_explicit(&dv_pool.seats[core].has_worker, memory_order_acquire);
}

/* There is something to do: calls workers, those that gave way too, and whoever waits. */
void dv_pool_announce(void);

/* A kernel of `waiter` waits for the job from now on: whoever needs the one needs the other. */
void dv_pool_await(struct dv_job *job, struct dv_job *waiter);

/* Whether any job but `own` (or NULL) is in flight. */
bool dv_pool_has_others(const struct dv_job *own);

/* Whether the worker of a core may be needed: any job but `own` (or NULL) is in flight, or that one has work for it. */
bool dv_pool_needs(int core, struct dv_job *own);

/* The member of a job that belongs to a core; NULL if the job does not use that core. */
struct dv_member *dv_job_member_on(struct dv_job *job, int core);

/* Works on what `job` needs from this thread's place, until it is over. A visitor without a seat takes one as soon as it
 * can, and leaves it when it falls asleep. */
void dv_pool_wait(struct dv_job *job, struct dv_place *place);

/* fork: what the child must forget. */
void dv_pool_forked(void);

#endif
