/* A bell that threads wait for: the place where idle threads sleep, apart from the work. A waiter reads the
 * epoch, looks for work, and if there is none waits for the epoch to move on; whoever makes work rings. */
#ifndef DV_BELL_H
#define DV_BELL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct dv_bell {
    _Alignas(64) atomic_uint epoch;
    atomic_uint sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t rung;
};

void dv_bell_init(struct dv_bell *bell);
void dv_bell_fini(struct dv_bell *bell);

/* Wakes every sleeper; false if there is none, which is cheap. */
bool dv_bell_ring(struct dv_bell *bell);

/* Sleeps until the epoch is not `seen` any more, or until the deadline (0: none) has passed. */
void dv_bell_sleep(struct dv_bell *bell, unsigned seen, uint64_t deadline_ns);

static inline unsigned dv_bell_epoch(struct dv_bell *bell)
{
    return atomic_load_explicit(&bell->epoch, memory_order_acquire);
}

/* One turn of a spinning wait. */
static inline void dv_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
