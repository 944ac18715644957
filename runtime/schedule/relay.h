/* The relay: how a job reaches a worker that still spins, by as few lines of memory as can be.
 *
 * A worker that has just worked for a crew keeps its seat for a while and watches its box there: it is engaged. The
 * visitor that leads the crew, and nobody else, puts jobs into the boxes; the worker takes the job out, works on it, and
 * answers with what it has done; the visitor accounts for it. Nobody else hears of it: no mutex, no reference, no bell.
 * What is new in each job lies in the box, under `static` the worker's partition too; all else is in the worker's cache
 * since last time. What a worker does not take in time is withdrawn, and everybody is called the ordinary way. A visitor
 * that wants the seat of a worker which has nothing to do but watch takes the box from it, and with that the seat.
 *
 *     caller   offer ----------------------> collect -> account       or  withdraw -> announce
 *                   \                       /
 *     worker         take -> work -> answer
 */
#ifndef DV_RELAY_H
#define DV_RELAY_H

#include "schedule/job.h"

struct dv_seat;

/* What the worker of a box does: something else; work that did not come by the relay; nothing but watch. */
enum dv_watch { DV_WATCH_NONE, DV_WATCH_LATER, DV_WATCH_NOW };

/* One worker's box in one crew. A worker that takes an offer says so, and then looks whether it was withdrawn; a visitor
 * that withdraws one says so, and then looks whether it was taken. Either may find that both were at it: then the worker
 * leaves the job alone and answers that, and the visitor calls it the ordinary way. */
struct dv_box {
    /* Mostly written by the visitor, all in one line. */
    _Alignas(128) atomic_uint offer; /* its number */
    atomic_uint withdrawn;           /* number of the last offer that was, or of the one before */
    _Atomic enum dv_watch watch;
    atomic_bool awaited;                /* the visitor sleeps until there is an answer */
    _Atomic(struct dv_job *) job;       /* of the offer, as what follows */
    _Atomic(struct dv_member *) member; /* of the job, this worker's */
    _Atomic uint64_t id;                /* see dv_hand */
    _Atomic size_t first, count;

    /* Written by the worker; read by the visitor only when it withdraws. */
    _Alignas(128) atomic_uint taken; /* number of the last offer that was, or that was declined */

    /* Written by the worker, all in one line and all at once: the visitor, who looks at it, takes it away each time. */
    _Alignas(128) atomic_uint answer; /* number of the last offer that was answered */
    bool declined;                    /* left alone */
    size_t accountable;               /* indices that it leaves to the visitor to account for */
    struct dv_tally tally;
};
_Static_assert(sizeof(struct dv_tally) + 2 * sizeof(size_t) <= 64, "an answer is one line of memory");

/* Makes the boxes of a crew, one for each of its cores. NO_MEMORY. */
divvy_status dv_relay_open(struct dv_crew *crew);

/* Returns when no worker watches the crew's boxes any more, and frees them. Its jobs must have ended. */
void dv_relay_close(struct dv_crew *crew);

/* Visitor: will write a job, which was used before, and offer it; what workers have taken of it comes back meanwhile. */
void dv_relay_recover(const struct dv_job *job);

/* Visitor: offers a job that may run to every engaged worker. True: they are all that the job can use. */
bool dv_relay_offer(struct dv_job *job);

/* Visitor: whether every other member is on offer. */
bool dv_relay_has_called_all(const struct dv_job *job);

/* Visitor: whether there is an answer to collect. */
bool dv_relay_answered(const struct dv_job *job);

/* Visitor: accounts for what was answered since the last time. True: somebody answered that it has left the job alone. */
bool dv_relay_collect(struct dv_job *job);

/* Visitor: takes back what no worker has taken yet. True: something was. */
bool dv_relay_withdraw(struct dv_job *job);

/* Visitor: from now on, answers ring dv_pool.over. */
void dv_relay_await(struct dv_job *job);

/* Visitor: the job is over; waits until no worker is inside it by the relay. */
void dv_relay_end(struct dv_job *job);

/* Visitor: takes the seat of a worker that watches the crew's box there, and no other; nothing may be on offer. */
bool dv_relay_replace(struct dv_crew *crew, unsigned core);

/* Worker: will watch its box of a crew, which must have a job in flight, once it has worked on that. */
void dv_relay_engage(struct dv_seat *seat, struct dv_crew *crew, unsigned core);

/* Worker: has nothing else to do any more. */
void dv_relay_watch(struct dv_seat *seat);

/* Worker: takes what is offered, if it is engaged, and works on it. False: nothing is. */
bool dv_relay_serve(struct dv_seat *seat);

/* Worker: whether a visitor has the seat by now. */
bool dv_relay_is_replaced(const struct dv_seat *seat);

/* Worker: stops watching. False: a visitor has the seat. */
bool dv_relay_disengage(struct dv_seat *seat);

#endif
