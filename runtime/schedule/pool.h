/* The pool: every worker of the process and the jobs in flight. The one global.
 *
 * There is a seat for each core that some context uses. A thread that runs partitions on a core holds its seat. Each
 * seat but a context's first has a worker, a thread bound to the core; the first is taken by the thread that waits
 * for a job (a context of one core gets a worker too, at its first divvy_submit). Other devices have a worker each,
 * which drives the device and mostly sleeps. Idle workers spin briefly, then sleep. */
#ifndef DV_POOL_H
#define DV_POOL_H

#include "base/bell.h"
#include "schedule/job.h"
#include "schedule/order.h"

struct dv_seat {
    _Alignas(64) atomic_bool taken;
    atomic_bool has_worker;            /* written under the pool's mutex */
    _Atomic(struct dv_crew *) engaged; /* whose box the worker watches, or will: see relay.h */
    pthread_t thread;
};

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
    atomic_uint seatless;              /* threads that wait and found the seat taken */
    unsigned unit_count, driver_count; /* under mutex, as the arrays */
    struct dv_unit *units[DV_CREW_MAX];
    struct dv_driver *drivers[DV_CREW_MAX];
};

extern struct dv_pool dv_pool;

/* The shared unit of a found device; the same for every crew. Under the pool's mutex. NULL: no memory, or too many. */
struct dv_unit *dv_pool_unit(const struct dv_found *found, unsigned units, int core);

/* A crew begins: makes the workers of its cores. A crew ends: the last one joins all threads, but leaves behind
 * those whose device hangs or builds at the moment `until`. NO_MEMORY, LIMIT. */
divvy_status dv_pool_enter(struct dv_crew *crew);
void dv_pool_leave(uint64_t until);

/* Gives a device that is no core its worker. Under the pool's mutex. */
divvy_status dv_pool_hire(struct dv_crew *crew, struct dv_unit *unit);

/* Makes a worker for a crew's first seat, which otherwise only those who wait take. */
void dv_pool_hire_first(struct dv_crew *crew);

/* Puts a job in flight and calls the workers, unless it is quiet; by the relay if the caller may and holds the crew's
 * first seat. NO_MEMORY, or INVALID where no order is possible: it is not in flight. *out_free: it may run at once. */
divvy_status dv_pool_publish(struct dv_job *job, bool may_relay, bool *out_free);

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

/* Holds a seat; false if somebody else does. */
bool dv_seat_take(int core);

/* Leaves a seat, to its worker if it has one. */
void dv_seat_leave(int core);

/* The member of a job that belongs to a core; NULL if the job does not use that core. */
struct dv_member *dv_job_member_on(struct dv_job *job, int core);

/* Works on what `job` needs from the seat that this thread holds, until it is over. core -1: none, and it takes its
 * crew's first as soon as that is free. */
void dv_pool_wait(struct dv_job *job, int core);

/* fork: what the child must forget. */
void dv_pool_forked(void);

#endif
