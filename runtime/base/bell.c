#include "base/bell.h"

#include <time.h>

void dv_bell_init(struct dv_bell *bell)
{
    atomic_init(&bell->epoch, 1);
    atomic_init(&bell->sleepers, 0);
    pthread_mutex_init(&bell->mutex, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&bell->rung, &clock);
    pthread_condattr_destroy(&clock);
}

void dv_bell_fini(struct dv_bell *bell)
{
    pthread_cond_destroy(&bell->rung);
    pthread_mutex_destroy(&bell->mutex);
}

bool dv_bell_ring(struct dv_bell *bell)
{
    /* Sequentially consistent on both sides: either the sleeper sees the new epoch, or we see the sleeper. */
    atomic_fetch_add(&bell->epoch, 1);
    if (atomic_load(&bell->sleepers) == 0)
        return false;
    pthread_mutex_lock(&bell->mutex);
    pthread_cond_broadcast(&bell->rung);
    pthread_mutex_unlock(&bell->mutex);
    return true;
}

void dv_bell_sleep(struct dv_bell *bell, unsigned seen, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};
    pthread_mutex_lock(&bell->mutex);
    atomic_fetch_add(&bell->sleepers, 1);
    int timed_out = 0;
    while (atomic_load(&bell->epoch) == seen && !timed_out) {
        if (deadline_ns)
            timed_out = pthread_cond_timedwait(&bell->rung, &bell->mutex, &until);
        else
            pthread_cond_wait(&bell->rung, &bell->mutex);
    }
    atomic_fetch_sub(&bell->sleepers, 1);
    pthread_mutex_unlock(&bell->mutex);
}
