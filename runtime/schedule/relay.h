/* The relay: how a job reaches a worker that still spins, by as few lines of memory as can be.
 *
 * A worker that has just worked for a crew keeps its seat for a while and watches its box there: it is engaged. The
 * thread that holds the crew's first seat, and nobody else, puts jobs into the boxes; the worker takes the job out,
 * works on it, and answers with what it has done; that thread accounts for it. Nobody else hears of it: no mutex, no
 * reference, no bell. What a worker does not take in time is withdrawn, and everybody is called the ordinary way.
 *
 *     caller   offer ----------------------> collect -> account       or  withdraw -> announce
 *                   \                       /
 *     worker         take -> work -> answer
 */
#ifndef DV_RELAY_H
#define DV_RELAY_H

#include "schedule/job.h"

struct dv_seat;

/* One worker's box in one crew. */
struct dv_box {
    /* Written by the caller, but for the worker's mark. */
    _Alignas(128) atomic_uint offer;    /* number of the offer, twice; odd: taken, or withdrawn */
    atomic_bool awaited;                /* the caller sleeps until there is an answer */
    _Atomic(struct dv_job *) job;       /* of the offer */
    _Atomic(struct dv_member *) member; /* of the job, this worker's */
    _Atomic(struct dv_home *) home;

    /* Written by the worker. */
    _Alignas(128) atomic_uint answer; /* number of the last offer that was answered, twice */
    size_t accountable;               /* indices that it leaves to the caller to account for */
    uint64_t end_ns;                  /* when it had done them */
    struct dv_tally tally;
};

/* Makes the boxes of a crew, one for each of its cores. NO_MEMORY. */
divvy_status dv_relay_open(struct dv_crew *crew);

/* Returns when no worker watches the crew's boxes any more, and frees them. Its jobs must have ended. */
void dv_relay_close(struct dv_crew *crew);

/* Caller: will write a job, which was used before, and offer it; what workers have taken of it comes back meanwhile. */
void dv_relay_recover(const struct dv_job *job);

/* Caller: offers a job that may run to every engaged worker. True: they are all that the job can use. */
bool dv_relay_offer(struct dv_job *job);

/* Caller: whether there is an answer to collect. */
bool dv_relay_answered(const struct dv_job *job);

/* Caller: accounts for what was answered since the last time. */
void dv_relay_collect(struct dv_job *job);

/* Caller: takes back what no worker has taken yet. True: something was. */
bool dv_relay_withdraw(struct dv_job *job);

/* Caller: from now on, answers ring dv_pool.over. */
void dv_relay_await(struct dv_job *job);

/* Caller: the job is over; waits until no worker is inside it by the relay. */
void dv_relay_end(struct dv_job *job);

/* Worker: begins to watch its box of a crew, which must have a job in flight. */
void dv_relay_engage(struct dv_seat *seat, struct dv_crew *crew);

/* Worker: whether it watches a box. */
bool dv_relay_is_engaged(struct dv_seat *seat);

/* Worker: takes what is offered and works on it. False: nothing is. */
bool dv_relay_serve(struct dv_seat *seat, int core);

/* Worker: stops watching. */
void dv_relay_disengage(struct dv_seat *seat);

#endif
