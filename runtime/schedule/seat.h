/* Seats: who works on which core.
 *
 * There is a seat for each core that some context uses; who runs partitions on a core holds its seat. It belongs to the
 * core's worker. A visitor, a thread of the program that waits for a job, takes the seat of the core where it stands, so
 * that the two do not take turns there: the worker sleeps until the visitor has left. Where no bound worker is in the
 * way it takes its crew's first, which has a worker only once a visitor sat elsewhere, or slept while there were other jobs.
 * Nobody's affinity is changed.
 *
 * Of the crews that have the same first seat, one visitor sits at a time, and leads: others would keep each other's
 * workers from their jobs. For the same reason a visitor that falls asleep leaves its seat meanwhile. */
#ifndef DV_SEAT_H
#define DV_SEAT_H

#include "base/bell.h"

#include <pthread.h>

struct dv_box;
struct dv_crew;
struct dv_job;

/* Of a seat: somebody sits there; some visitor leads the crews whose first it is. */
enum { DV_SEAT_TAKEN = 1, DV_SEAT_LED = 2 };

struct dv_seat {
    _Alignas(64) atomic_uint held;     /* DV_SEAT_... in one word, since most visitors want both */
    atomic_bool has_worker;            /* written under the pool's mutex, as the next */
    atomic_bool is_bound;              /* that worker, to the core */
    _Atomic(struct dv_crew *) engaged; /* whose box the worker watches, or will: see relay.h */
    pthread_t thread;
    struct dv_bell left;             /* the worker sleeps here while a visitor has its seat */
    _Alignas(64) struct dv_box *box; /* that it watches: the worker's own, which visitors do not write beside */
};

/* From where a thread waits for a job. */
struct dv_place {
    int core;    /* whose seat it holds; -1: none */
    bool visits; /* else it is a worker inside a kernel, which keeps its seat */
    bool leads;  /* a visitor that may take seats, and use the relay */
};

/* Seats of `count` cores. NULL: no memory. Free when no worker is left. */
struct dv_seat *dv_seats_make(unsigned count);
void dv_seats_free(struct dv_seat *seats, unsigned count);

/* A worker takes its seat; false if a visitor has it. */
bool dv_seat_take(struct dv_seat *seat);

/* And leaves it. */
void dv_seat_free_up(struct dv_seat *seat);

/* A worker whose seat was taken by a visitor sleeps until that one leaves and there is something to do, or there may be.
 * `seen`: the epoch of `left` before it found out. */
void dv_seat_give_way(struct dv_seat *seat, unsigned seen);

static inline bool dv_seat_is_taken(const struct dv_seat *seat)
{
    return (atomic_load_explicit(&seat->held, memory_order_relaxed) & DV_SEAT_TAKEN) != 0;
}

/* Wakes the workers that gave way and whose seats are free by now. */
void dv_seat_call_back(void);

/* The place of a visitor, which takes a seat if it can. */
struct dv_place dv_place_visit(struct dv_crew *crew);

/* A visitor without a seat tries to take one. None of its jobs may be on offer: see relay.h. */
void dv_place_sit(struct dv_place *place, struct dv_crew *crew);

/* A visitor that will sleep until its job calls leaves the seat, but not the lead, to its worker; as one does who cannot
 * have the seat since its leader sleeps. There is a worker from then on if there are other jobs. */
void dv_place_rise(struct dv_place *place, struct dv_job *job);

/* The visit is over. */
void dv_place_leave(struct dv_place *place, const struct dv_crew *crew);

/* Whether this thread runs on the core of a bound worker of its crew whose seat it does not hold: that one cannot work
 * before this one sleeps. Once woken it will find itself on a core that is free. */
bool dv_place_is_in_the_way(const struct dv_place *place, const struct dv_crew *crew);

#endif
