#include "schedule/pool.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/thread.h"
#include "schedule/relay.h"
#include "schedule/worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct dv_pool dv_pool;
static pthread_once_t made = PTHREAD_ONCE_INIT;

/* Workers that did not come back, and all they hold: still known, though nobody will ever ask. Under the door. */
static struct dv_driver *left_behind;

/* Crews come and go one at a time, so that one that enters never finds a pool half closed. */
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;

static void make_pool(void)
{
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_ADAPTIVE_NP); /* it is held for less than a sleep takes */
#endif
    pthread_mutex_init(&dv_pool.mutex, &kind);
    pthread_mutexattr_destroy(&kind);
    dv_bell_init(&dv_pool.work);
    dv_bell_init(&dv_pool.over);
}

/* How long an idle thread spins before it sleeps: longer than it takes to wake one, much shorter than anybody would
 * notice on a power meter. */
static const uint64_t SPIN_NS = 30000;

/* Whether a thread has spun for long enough; *until: 0 at first. In the second half it lets others have the core, since
 * what it waits for may be waiting for that. */
static bool is_long_enough(uint64_t *until)
{
    uint64_t now = dv_now_ns();
    if (*until == 0)
        *until = now + SPIN_NS;
    else if (now >= *until - SPIN_NS / 2)
        sched_yield();
    return now >= *until;
}

/* ---- Finding work ---- */

struct dv_member *dv_job_member_on(struct dv_job *job, int core)
{
    int m = job->crew->member_of_core[core];
    return m >= 0 && (unsigned)m < job->member_count ? &job->members[m] : NULL;
}

static struct dv_member *member_with(struct dv_job *job, const struct dv_unit *unit)
{
    for (unsigned m = job->crew->core_count; m < job->member_count; m++)
        if (job->members[m].unit == unit)
            return &job->members[m];
    return NULL;
}

/* Whether a member could do something now. Under the pool's mutex. */
static bool has_work_for(struct dv_job *job, struct dv_member *member)
{
    if (!member || !dv_order_may_run(job) || atomic_load(&job->stopped))
        return false;
    enum dv_standing standing = atomic_load(&member->standing);
    return (standing == DV_WANTED || (standing == DV_READY && !job->prepares)) &&
           atomic_load(&member->idle_at) != atomic_load(&job->recalls);
}

/* The first job in flight that has work for a core (or, with unit, for that device), kept by a reference. `*out_more`:
 * there may be others. */
static struct dv_job *pick(int core, const struct dv_unit *unit, struct dv_member **out_member, bool *out_more)
{
    pthread_mutex_lock(&dv_pool.mutex);
    struct dv_job *job = dv_pool.order.first;
    for (; job; job = job->next) {
        struct dv_member *member = unit ? member_with(job, unit) : dv_job_member_on(job, core);
        if (!atomic_load(&job->quiet) && has_work_for(job, member)) {
            unsigned home = dv_job_index_of(job, member);
            dv_job_prefetch(job, member, home < job->split.home_count ? &job->split.homes[home] : NULL);
            dv_job_keep(job);
            *out_member = member;
            *out_more = job->next != NULL;
            break;
        }
    }
    pthread_mutex_unlock(&dv_pool.mutex);
    return job;
}

/* Of what `needy` needs to end, a job that has work for this core; quiet ones only if they are its own. */
static struct dv_job *pick_needed(struct dv_job *needy, int core, struct dv_member **out_member)
{
    pthread_mutex_lock(&dv_pool.mutex);
    dv_order_mark_needed(&dv_pool.order, needy);
    struct dv_job *job = dv_pool.order.first;
    for (; job; job = job->next) {
        struct dv_member *member = dv_job_member_on(job, core);
        if (job->needed && (job == needy || !atomic_load(&job->quiet)) && has_work_for(job, member)) {
            dv_job_keep(job);
            *out_member = member;
            break;
        }
    }
    pthread_mutex_unlock(&dv_pool.mutex);
    return job;
}

/* ---- Bells ---- */

void dv_pool_announce(void)
{
    dv_bell_ring(&dv_pool.work);
    dv_seat_call_back();
    dv_bell_ring(&dv_pool.over);
}

/* Lowers a moment to an earlier one; 0 is none. */
static void lower(_Atomic uint64_t *moment, uint64_t to)
{
    uint64_t now = atomic_load(moment);
    while ((now == 0 || to < now) && !atomic_compare_exchange_weak(moment, &now, to))
        continue;
}

void dv_pool_set_alarm(struct dv_job *job, uint64_t moment_ns)
{
    lower(&job->alarm_ns, moment_ns);
    lower(&dv_pool.alarm_ns, moment_ns);
}

/* Whoever is idle calls this before it sleeps, and sleeps no longer than until the next alarm. */
static void ring_alarms(void)
{
    uint64_t alarm = atomic_load_explicit(&dv_pool.alarm_ns, memory_order_relaxed), now;
    if (alarm == 0 || (now = dv_now_ns()) < alarm)
        return;
    bool rings = false;
    pthread_mutex_lock(&dv_pool.mutex);
    atomic_store(&dv_pool.alarm_ns, 0);
    for (struct dv_job *job = dv_pool.order.first; job; job = job->next) {
        uint64_t moment = atomic_load(&job->alarm_ns);
        if (moment > now) {
            lower(&dv_pool.alarm_ns, moment);
        } else if (moment) {
            atomic_store(&job->alarm_ns, 0);
            atomic_fetch_add(&job->recalls, 1);
            rings = true;
        }
    }
    pthread_mutex_unlock(&dv_pool.mutex);
    if (rings)
        dv_pool_announce();
}

/* ---- Workers ---- */

/* Whether a visitor took the seat of a worker that spins. */
static bool is_replaced(struct dv_seat *seat)
{
    return seat->box ? dv_relay_is_replaced(seat) : dv_seat_is_taken(seat);
}

/* Until the bell was rung since `seen`, and for as long as there is no reason to sleep: spins, and serves what comes
 * by the relay. A visitor that takes its seat is such a reason. */
static void spin(struct dv_seat *seat, unsigned seen)
{
    uint64_t until = 0;
    for (unsigned turn = 1; dv_bell_epoch(&dv_pool.work) == seen && !is_replaced(seat); turn++) {
        dv_pause();
        if (dv_relay_serve(seat)) {
            turn = until = 0;
            continue;
        }
        if (turn % 64 == 0 && is_long_enough(&until))
            break;
    }
}

/* Works on what there is for a core, from its seat, which is left in the end. */
static void serve(struct dv_seat *seat, int core, unsigned seen)
{
    struct dv_member *member;
    struct dv_job *job;
    bool more = true;
    while (more && (job = pick(core, NULL, &member, &more)) != NULL) {
        dv_relay_engage(seat, job->crew, (unsigned)core);
        dv_relay_serve(seat); /* first, since it may be a part of this job */
        dv_work(job, member, 0);
        dv_job_release(job);
        more = more || dv_bell_epoch(&dv_pool.work) != seen;
    }
    if (seat->box) { /* the same crew may have more, and soon */
        dv_relay_watch(seat);
        spin(seat, seen);
        if (dv_relay_disengage(seat))
            dv_seat_free_up(seat);
    } else {
        dv_seat_free_up(seat);
        spin(seat, seen);
    }
}

static void *seat_main(void *argument)
{
    int core = (int)(intptr_t)argument;
    struct dv_seat *seat = &dv_pool.seats[core];
    for (;;) {
        unsigned seen = dv_bell_epoch(&dv_pool.work), left = dv_bell_epoch(&seat->left);
        if (atomic_load_explicit(&dv_pool.closing, memory_order_acquire))
            return NULL;
        ring_alarms();
        if (!dv_seat_take(seat)) {
            dv_seat_give_way(seat, left);
            continue;
        }
        serve(seat, core, seen);
        if (!dv_seat_is_taken(seat) && dv_bell_epoch(&dv_pool.work) == seen)
            dv_bell_sleep(&dv_pool.work, seen, atomic_load(&dv_pool.alarm_ns));
    }
}

static void *driver_main(void *argument)
{
    struct dv_driver *driver = argument;
    for (;;) {
        unsigned seen = dv_bell_epoch(&dv_pool.work);
        if (atomic_load_explicit(&dv_pool.closing, memory_order_acquire) || atomic_load(&driver->left))
            break;
        struct dv_member *member;
        struct dv_job *job;
        bool more;
        while ((job = pick(-1, driver->unit, &member, &more)) != NULL) {
            dv_work(job, member, 0);
            dv_job_release(job);
        }
        if (dv_bell_epoch(&dv_pool.work) == seen)
            dv_bell_sleep(&dv_pool.work, seen, 0);
    }
    pthread_mutex_lock(&dv_pool.mutex);
    driver->ended = true;
    bool left = atomic_load(&driver->left);
    pthread_mutex_unlock(&dv_pool.mutex);
    if (left) /* its build or its hanging is over after all */
        dv_unit_retire(driver->unit);
    dv_bell_ring(&dv_pool.over);
    return NULL;
}

/* How a thread stands to the workers of cores, one of which it may be. */
enum manner { WORKS, GIVES_WAY, WAITS };

/* What a new thread needs to know before it begins. */
struct birth {
    void *(*main)(void *argument);
    void *argument;
    unsigned cores[DV_CREW_MAX];
    unsigned core_count; /* 0: not bound */
    enum manner manner;
};

static void *be_born(void *argument)
{
    struct birth birth = *(struct birth *)argument;
    free(argument);
    if (birth.core_count && dv_topology_bind(birth.cores, birth.core_count) != DIVVY_OK)
        dv_log(DIVVY_LOG_INFO, "pool", "a worker could not be bound: %s", dv_error_text());
    if (birth.manner == GIVES_WAY)
        dv_thread_give_way(19);
    else if (birth.manner == WAITS)
        dv_thread_be_prompt();
    return birth.main(birth.argument);
}

static divvy_status start_thread(pthread_t *thread, void *(*main)(void *argument), void *argument,
                                 const unsigned *cores, unsigned core_count, enum manner manner)
{
    struct birth *birth = malloc(sizeof *birth);
    if (!birth)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for a worker");
    *birth = (struct birth){.main = main, .argument = argument, .core_count = core_count, .manner = manner};
    memcpy(birth->cores, cores, core_count * sizeof *cores);
    int error = dv_thread_start(thread, be_born, birth);
    if (error) {
        free(birth);
        return dv_fail(DIVVY_LIMIT, "a worker could not be started: %s", strerror(error));
    }
    return DIVVY_OK;
}

/* Under the pool's mutex. */
static divvy_status seat_worker(unsigned core, bool bound)
{
    struct dv_seat *seat = &dv_pool.seats[core];
    if (atomic_load(&seat->has_worker))
        return DIVVY_OK;
    DV_TRY(start_thread(&seat->thread, seat_main, (void *)(intptr_t)core, &core, bound ? 1 : 0, WORKS));
    atomic_store(&seat->is_bound, bound);
    atomic_store(&seat->has_worker, true);
    /* It may be there already, and have found its seat taken by one who did not know of it. */
    dv_bell_ring(&seat->left);
    return DIVVY_OK;
}

divvy_status dv_pool_enter(struct dv_crew *crew)
{
    pthread_once(&made, make_pool);
    pthread_mutex_lock(&door);
    pthread_mutex_lock(&dv_pool.mutex);
    divvy_status status = DIVVY_OK;
    if (!dv_pool.seats) {
        dv_pool.seats = dv_seats_make(crew->host->core_count);
        if (dv_pool.seats)
            dv_pool.seat_count = crew->host->core_count;
        else
            status = dv_fail(DIVVY_NO_MEMORY, "no memory for the pool");
    }
    dv_pool.crews++;
    for (unsigned c = 1; status == DIVVY_OK && c < crew->core_count; c++)
        status = seat_worker(crew->cores[c], crew->bound);
    pthread_mutex_unlock(&dv_pool.mutex);
    pthread_mutex_unlock(&door);
    return status;
}

divvy_status dv_pool_hire_core(unsigned core, bool bound)
{
    if (dv_pool_has_worker((int)core))
        return DIVVY_OK;
    pthread_mutex_lock(&dv_pool.mutex);
    divvy_status status = seat_worker(core, bound);
    pthread_mutex_unlock(&dv_pool.mutex);
    return status;
}

static void hire_first(struct dv_crew *crew)
{
    if (dv_pool_hire_core(crew->cores[0], crew->bound) != DIVVY_OK)
        dv_log(DIVVY_LOG_WARN, "pool", "jobs run only while they are waited for: %s", dv_error_text());
}

void dv_pool_hire_first(struct dv_crew *crew)
{
    if (crew->core_count == 1)
        hire_first(crew);
}

void dv_pool_hire_first_for(const struct dv_job *job, int core)
{
    struct dv_crew *crew = job->crew;
    bool picky = job->plan.part_count > 0 || (unsigned)atomic_load(&job->alive) < job->member_count;
    if (picky && crew->core_count > 0 && core != (int)crew->cores[0] &&
        atomic_load(&job->members[0].standing) != DV_OUT)
        hire_first(crew);
}

struct dv_unit *dv_pool_unit(const struct dv_found *found, unsigned units, int core)
{
    const unsigned wanted = units ? units : core >= 0 ? found->facts.units : 0;
    for (unsigned u = 0; u < dv_pool.unit_count; u++) {
        struct dv_unit *unit = dv_pool.units[u];
        if (unit->found == found && unit->core == core && unit->facts.units == wanted)
            return unit;
    }
    if (dv_pool.unit_count == DV_CREW_MAX)
        return NULL;
    struct dv_unit *unit = dv_unit_make(found, units, core);
    if (unit)
        dv_pool.units[dv_pool.unit_count++] = unit;
    return unit;
}

divvy_status dv_pool_hire(struct dv_crew *crew, struct dv_unit *unit)
{
    for (unsigned d = 0; d < dv_pool.driver_count; d++) {
        if (dv_pool.drivers[d]->unit == unit) {
            dv_pool.drivers[d]->users++;
            return DIVVY_OK;
        }
    }
    struct dv_driver *driver = calloc(1, sizeof *driver);
    if (!driver || dv_pool.driver_count == DV_CREW_MAX) {
        free(driver);
        return dv_fail(DIVVY_NO_MEMORY, "no memory for the worker of %s", unit->id);
    }
    driver->unit = unit;
    driver->users = 1;
    enum manner manner = !unit->facts.on_host                             ? WAITS
                         : crew->core_count > 0 && crew->spare_count == 0 ? GIVES_WAY
                                                                          : WORKS;
    divvy_status status =
        start_thread(&driver->thread, driver_main, driver, crew->spare_cores, crew->spare_count, manner);
    if (status != DIVVY_OK) {
        free(driver);
        return status;
    }
    dv_pool.drivers[dv_pool.driver_count++] = driver;
    return DIVVY_OK;
}

/* Joins a driver, or leaves it behind if its device hangs. True: it has ended. */
static bool dismiss(struct dv_driver *driver, uint64_t until)
{
    bool ended = false;
    for (bool waits = true; !ended && waits;) {
        unsigned seen = dv_bell_epoch(&dv_pool.over);
        pthread_mutex_lock(&dv_pool.mutex);
        ended = driver->ended;
        waits = dv_now_ns() < until && !atomic_load(&driver->unit->building);
        atomic_store(&driver->left, !ended && !waits);
        pthread_mutex_unlock(&dv_pool.mutex);
        if (!ended && waits)
            dv_bell_sleep(&dv_pool.over, seen, until);
    }
    if (ended) {
        pthread_join(driver->thread, NULL);
    } else {
        pthread_detach(driver->thread);
        driver->next_left = left_behind;
        left_behind = driver;
        if (!atomic_load(&driver->unit->building))
            dv_log(DIVVY_LOG_WARN, "pool", "%s hangs: its worker is left behind", driver->unit->id);
    }
    return ended;
}

/* Nobody works any more: joins every thread, closes every device. Those that hang are waited for until then. */
static void empty_pool(uint64_t until)
{
    dv_bell_ring(&dv_pool.work);
    for (unsigned s = 0; s < dv_pool.seat_count; s++) {
        dv_bell_ring(&dv_pool.seats[s].left);
        if (atomic_load(&dv_pool.seats[s].has_worker))
            pthread_join(dv_pool.seats[s].thread, NULL);
        atomic_store(&dv_pool.seats[s].has_worker, false);
    }
    for (unsigned d = 0; d < dv_pool.driver_count; d++) {
        struct dv_driver *driver = dv_pool.drivers[d];
        bool ended = dismiss(driver, until);
        for (unsigned u = 0; !ended && u < dv_pool.unit_count; u++)
            if (dv_pool.units[u] == driver->unit)
                dv_pool.units[u] = NULL; /* its memory stays with the worker that hangs */
        if (ended)
            free(driver);
    }
    for (unsigned u = 0; u < dv_pool.unit_count; u++)
        dv_unit_free(dv_pool.units[u]);
    pthread_mutex_lock(&dv_pool.mutex);
    dv_pool.unit_count = dv_pool.driver_count = 0;
    dv_seats_free(dv_pool.seats, dv_pool.seat_count);
    dv_pool.seats = NULL;
    dv_pool.seat_count = 0;
    atomic_store(&dv_pool.closing, false);
    pthread_mutex_unlock(&dv_pool.mutex);
}

void dv_pool_leave(uint64_t until)
{
    pthread_mutex_lock(&door);
    pthread_mutex_lock(&dv_pool.mutex);
    bool is_last = --dv_pool.crews == 0;
    atomic_store(&dv_pool.closing, is_last);
    pthread_mutex_unlock(&dv_pool.mutex);
    if (is_last)
        empty_pool(until);
    pthread_mutex_unlock(&door);
}

/* ---- Jobs ---- */

/* Under the pool's mutex. */
static bool has_others(const struct dv_job *own)
{
    const struct dv_order *order = &dv_pool.order;
    return order->first && (order->first != own || order->last != own);
}

bool dv_pool_has_others(const struct dv_job *own)
{
    pthread_mutex_lock(&dv_pool.mutex);
    bool others = has_others(own);
    pthread_mutex_unlock(&dv_pool.mutex);
    return others;
}

bool dv_pool_needs(int core, struct dv_job *own)
{
    pthread_mutex_lock(&dv_pool.mutex);
    bool needs = has_others(own) || (own && has_work_for(own, dv_job_member_on(own, core)));
    pthread_mutex_unlock(&dv_pool.mutex);
    return needs;
}

divvy_status dv_pool_publish(struct dv_job *job, bool leads, bool *out_free)
{
    pthread_mutex_lock(&dv_pool.mutex);
    divvy_status status = dv_order_enter(&dv_pool.order, job);
    *out_free = dv_order_may_run(job);
    if (status == DIVVY_OK) {
        atomic_store_explicit(&job->references, 2, memory_order_relaxed); /* nobody else knew it until now */
        job->crew->in_flight++;
    }
    pthread_mutex_unlock(&dv_pool.mutex);
    bool quiet = status != DIVVY_OK || atomic_load_explicit(&job->quiet, memory_order_relaxed);
    bool relayed = !quiet && leads && *out_free && dv_relay_offer(job);
    if (!job->submitted_ns) /* to look at the clock before would have kept the others waiting */
        atomic_store_explicit(&job->submitted_ns, dv_now_ns(), memory_order_relaxed);
    if (quiet)
        return status;
    if (!relayed || atomic_load_explicit(&dv_pool.seatless, memory_order_relaxed))
        dv_pool_announce();
    return DIVVY_OK;
}

void dv_pool_open_up(struct dv_job *job)
{
    if (atomic_load_explicit(&job->quiet, memory_order_relaxed) && atomic_exchange(&job->quiet, false))
        dv_pool_announce();
}

void dv_pool_await(struct dv_job *job, struct dv_job *waiter)
{
    pthread_mutex_lock(&dv_pool.mutex);
    job->awaited_by = waiter;
    pthread_mutex_unlock(&dv_pool.mutex);
    dv_bell_ring(&dv_pool.over);
}

void dv_pool_tell(void)
{
    if (dv_bell_ring(&dv_pool.over))
        sched_yield(); /* whoever wakes may have been put on this core, since it was its before */
}

void dv_pool_retract(struct dv_job *job)
{
    struct dv_crew *crew = job->crew;
    pthread_mutex_lock(&dv_pool.mutex);
    struct dv_job *empties;
    bool freed = dv_order_leave(&dv_pool.order, job, &empties);
    crew->in_flight--;
    pthread_mutex_unlock(&dv_pool.mutex);
    atomic_store_explicit(&job->over, true, memory_order_release);
    if (freed) {
        dv_bell_ring(&dv_pool.work);
        dv_seat_call_back();
    }
    dv_pool_tell();
    while (empties) {
        struct dv_job *empty = empties;
        empties = empty->next_spare;
        dv_job_account(empty, 1);
        dv_job_release(empty);
    }
    dv_job_release(job);
}

void dv_pool_forget(struct dv_unit *unit, const char *error)
{
    /* One job at a time, since leaving out may end a job, which wants the mutex. */
    for (bool found = true; found;) {
        found = false;
        struct dv_job *job;
        struct dv_member *member = NULL;
        pthread_mutex_lock(&dv_pool.mutex);
        for (job = dv_pool.order.first; job && !found; job = found ? job : job->next) {
            member = member_with(job, unit);
            found = member && atomic_load(&member->standing) != DV_OUT;
            if (found) {
                dv_job_keep(job);
                break;
            }
        }
        pthread_mutex_unlock(&dv_pool.mutex);
        if (found) {
            dv_job_leave_out(job, member, DIVVY_DEVICE_LOST, error);
            dv_job_release(job);
        }
    }
}

/* Waits a little: until there is something new, or for as long as there is no reason to sleep. */
static void spin_for(struct dv_job *job, const struct dv_place *place, unsigned seen)
{
    uint64_t until = 0;
    for (unsigned turn = 1;
         !dv_job_is_over(job) && !dv_job_calls(job) && !dv_relay_answered(job) && dv_bell_epoch(&dv_pool.over) == seen;
         turn++) {
        dv_pause();
        if (turn % 64)
            continue;
        if (job->offers && dv_relay_withdraw(job)) /* they sleep, or are busy with something else */
            dv_pool_announce();
        if (is_long_enough(&until) || dv_place_is_in_the_way(place, job->crew))
            break;
    }
}

/* Who left the job alone, since it was being withdrawn, knows nothing of it yet. */
static void collect(struct dv_job *job)
{
    if (dv_relay_collect(job) && !dv_job_is_over(job))
        dv_pool_announce();
}

/* The next alarm, if it comes before that moment; 0 is never. */
static uint64_t sooner(uint64_t moment_ns)
{
    uint64_t alarm = atomic_load(&dv_pool.alarm_ns);
    return alarm && (!moment_ns || alarm < moment_ns) ? alarm : moment_ns;
}

void dv_pool_wait(struct dv_job *job, struct dv_place *place)
{
    bool patient = true; /* look for others' work only after a while */
    const bool visits = place->visits && job->crew->core_count > 0, seatless = visits && !place->leads;
    if (seatless)
        atomic_fetch_add(&dv_pool.seatless, 1);
    while (!dv_job_is_over(job)) {
        unsigned seen = dv_bell_epoch(&dv_pool.over);
        ring_alarms();
        if (visits && place->core < 0 && !job->offers)
            dv_place_sit(place, job->crew);
        if (place->core >= 0 && !patient) {
            struct dv_member *member;
            struct dv_job *needed = pick_needed(job, place->core, &member);
            if (needed) {
                dv_work(needed, member, 0);
                dv_job_release(needed);
                continue;
            }
        }
        if (job->offers) { /* then this thread accounts for the last of it, or others finish the job themselves */
            spin_for(job, place, seen);
            collect(job);
        } else {
            dv_job_begin_closing(job);
            spin_for(job, place, seen);
            if (dv_job_stop_closing(job)) {
                dv_job_finish(job);
                break;
            }
        }
        if (!patient && job->offers) {
            if (dv_relay_withdraw(job)) /* nobody sleeps while something is on offer */
                dv_pool_announce();
            dv_relay_await(job);
            collect(job);
        }
        if (!dv_job_is_over(job) && !patient && dv_bell_epoch(&dv_pool.over) == seen) {
            if (visits)
                dv_place_rise(place, job);
            dv_bell_sleep(&dv_pool.over, seen, sooner(atomic_load(&job->stopped) ? 0 : job->deadline_ns));
        }
        if (job->deadline_ns && !atomic_load(&job->stopped) && dv_now_ns() >= job->deadline_ns)
            dv_job_stop(job, true, DIVVY_TIMED_OUT, "the job's time was over");
        patient = false;
    }
    if (job->offers)
        dv_relay_end(job);
    if (seatless)
        atomic_fetch_sub(&dv_pool.seatless, 1);
}

void dv_pool_forked(void)
{
    unsigned generation = dv_pool.generation + 1;
    memset(&dv_pool, 0, sizeof dv_pool);
    make_pool();
    pthread_mutex_init(&door, NULL);
    dv_pool.generation = generation;
}
