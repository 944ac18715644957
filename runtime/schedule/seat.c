#include "schedule/seat.h"

#include "schedule/pool.h"
#include "schedule/relay.h"

#include <stdlib.h>
#include <string.h>

struct dv_seat *dv_seats_make(unsigned count)
{
    struct dv_seat *seats = aligned_alloc(_Alignof(struct dv_seat), count * sizeof *seats);
    if (!seats)
        return NULL;
    memset(seats, 0, count * sizeof *seats);
    for (unsigned s = 0; s < count; s++)
        dv_bell_init(&seats[s].left);
    return seats;
}

void dv_seats_free(struct dv_seat *seats, unsigned count)
{
    for (unsigned s = 0; seats && s < count; s++)
        dv_bell_fini(&seats[s].left);
    free(seats);
}

/* Takes all of `what`, or nothing if some of it is somebody else's. */
static bool take(struct dv_seat *seat, unsigned what)
{
    unsigned held = atomic_load(&seat->held);
    while (!(held & what))
        if (atomic_compare_exchange_weak(&seat->held, &held, held | what))
            return true;
    return false;
}

static void drop(struct dv_seat *seat, unsigned what)
{
    atomic_fetch_and(&seat->held, ~what);
}

bool dv_seat_take(struct dv_seat *seat)
{
    return take(seat, DV_SEAT_TAKEN);
}

void dv_seat_free_up(struct dv_seat *seat)
{
    drop(seat, DV_SEAT_TAKEN);
}

/* ---- Workers that give way ----
 *
 * No call is lost: a visitor first leaves, then looks whether there is anything to do; whoever publishes a job, or has
 * more to do for one, looks afterwards who gave way, and whether that seat is free. A worker counts as one before it
 * looks at its seat for the last time. */

void dv_seat_give_way(struct dv_seat *seat, unsigned seen)
{
    atomic_fetch_add(&dv_pool.gave_way, 1);
    if (atomic_load(&seat->held) & DV_SEAT_TAKEN)
        dv_bell_sleep(&seat->left, seen, 0);
    atomic_fetch_sub(&dv_pool.gave_way, 1);
}

void dv_seat_call_back(void)
{
    for (unsigned s = 0; atomic_load(&dv_pool.gave_way) > 0 && s < dv_pool.seat_count; s++)
        if (!(atomic_load(&dv_pool.seats[s].held) & DV_SEAT_TAKEN))
            dv_bell_ring(&dv_pool.seats[s].left);
}

/* After its seat was left, if there is anything to do; `own`: the visitor's job, if it still waits for that. */
static void call_worker(struct dv_seat *seat, struct dv_job *own)
{
    if (atomic_load(&seat->has_worker) && dv_pool_needs((int)(seat - dv_pool.seats), own))
        dv_bell_ring(&seat->left);
}

/* ---- Visitors ---- */

static struct dv_seat *first_seat(const struct dv_crew *crew)
{
    return &dv_pool.seats[crew->cores[0]];
}

/* The core of this crew on which the calling thread and a bound worker get into each other's way; -1: there is none. */
static int shared_core(const struct dv_crew *crew)
{
    int here = crew->core_count > 1 ? dv_topology_here() : -1;
    bool shared = here >= 0 && crew->member_of_core[here] >= 0 &&
                  atomic_load_explicit(&dv_pool.seats[here].is_bound, memory_order_relaxed);
    return shared ? here : -1;
}

/* Where a visitor should sit. */
static unsigned choose(const struct dv_crew *crew)
{
    unsigned first = crew->cores[0];
    int shared = shared_core(crew);
    if (shared < 0 || (unsigned)shared == first)
        return first;
    return dv_pool_hire_core(first, true) == DIVVY_OK ? (unsigned)shared : first;
}

void dv_place_sit(struct dv_place *place, struct dv_crew *crew)
{
    struct dv_seat *first = first_seat(crew);
    unsigned core = choose(crew);
    bool leads = place->leads, sits = !leads && core == crew->cores[0] && take(first, DV_SEAT_LED | DV_SEAT_TAKEN);
    if (!sits && (leads || take(first, DV_SEAT_LED))) {
        sits = dv_seat_take(&dv_pool.seats[core]) || dv_relay_replace(crew, core);
        if (!sits && !leads)
            drop(first, DV_SEAT_LED);
    }
    if (sits)
        *place = (struct dv_place){.core = (int)core, .visits = true, .leads = true};
}

struct dv_place dv_place_visit(struct dv_crew *crew)
{
    struct dv_place place = {.core = -1, .visits = true};
    if (crew->core_count > 0)
        dv_place_sit(&place, crew);
    return place;
}

/* Leaves the seat, but not the lead. */
static struct dv_seat *rise(struct dv_place *place)
{
    struct dv_seat *seat = &dv_pool.seats[place->core];
    place->core = -1;
    drop(seat, DV_SEAT_TAKEN);
    return seat;
}

void dv_place_rise(struct dv_place *place, struct dv_job *job)
{
    const struct dv_crew *crew = job->crew;
    bool sits = place->core >= 0;
    if (!sits && (place->leads || dv_seat_is_taken(first_seat(crew))))
        return;
    struct dv_seat *seat = sits ? rise(place) : first_seat(crew);
    if (atomic_load(&seat->has_worker))
        call_worker(seat, job);
    else if (dv_pool_has_others(job))
        dv_pool_hire_core((unsigned)(seat - dv_pool.seats), crew->bound);
}

void dv_place_leave(struct dv_place *place, const struct dv_crew *crew)
{
    if (!place->leads)
        return;
    struct dv_seat *first = first_seat(crew);
    if (place->core == (int)crew->cores[0]) {
        drop(first, DV_SEAT_LED | DV_SEAT_TAKEN);
        call_worker(first, NULL);
    } else {
        if (place->core >= 0)
            call_worker(rise(place), NULL);
        drop(first, DV_SEAT_LED);
    }
    if (atomic_load(&dv_pool.seatless))
        dv_bell_ring(&dv_pool.over);
    *place = (struct dv_place){.core = -1, .visits = true};
}

bool dv_place_is_in_the_way(const struct dv_place *place, const struct dv_crew *crew)
{
    int core = shared_core(crew);
    return core >= 0 && core != place->core;
}
