#include "bench_team.h"

#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static const double SPIN_NS = 200e3;

struct mate {
    _Alignas(64) atomic_uint done; /* the number of the last piece of work that it did */
    unsigned core;
    pthread_t thread;
};

static struct {
    unsigned cores;
    struct mate *mates;
    size_t count;
    bench_part *part; /* NULL: go home */
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    _Alignas(64) atomic_uint number; /* of the work; written under the mutex */
    atomic_uint sleepers;
} team = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void do_part(unsigned core)
{
    size_t first = team.count * core / team.cores;
    team.part(team.context, first, team.count * (core + 1) / team.cores - first);
}

static void await_work(unsigned seen)
{
    double begin = bench_now_ns();
    while (atomic_load_explicit(&team.number, memory_order_acquire) == seen && bench_now_ns() - begin < SPIN_NS)
        for (unsigned turn = 0; turn < 64 && atomic_load_explicit(&team.number, memory_order_relaxed) == seen; turn++)
            atomic_signal_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&team.number, memory_order_acquire) != seen)
        return;
    pthread_mutex_lock(&team.mutex);
    atomic_fetch_add(&team.sleepers, 1);
    while (atomic_load(&team.number) == seen)
        pthread_cond_wait(&team.wake, &team.mutex);
    atomic_fetch_sub(&team.sleepers, 1);
    pthread_mutex_unlock(&team.mutex);
}

static void *mate_main(void *argument)
{
    struct mate *mate = argument;
    bench_pin(mate->core);
    for (unsigned seen = 0;; seen++) {
        await_work(seen);
        if (!team.part)
            return NULL;
        do_part(mate->core);
        atomic_store_explicit(&mate->done, seen + 1, memory_order_release);
    }
}

static unsigned publish(size_t count, bench_part *part, void *context)
{
    team.count = count;
    team.part = part;
    team.context = context;
    unsigned number = atomic_fetch_add(&team.number, 1) + 1;
    if (atomic_load(&team.sleepers)) {
        pthread_mutex_lock(&team.mutex);
        pthread_cond_broadcast(&team.wake);
        pthread_mutex_unlock(&team.mutex);
    }
    return number;
}

void bench_team_start(unsigned cores)
{
    if (team.cores)
        return;
    team.cores = cores;
    team.mates = aligned_alloc(64, cores * sizeof *team.mates);
    bench_require(team.mates != NULL, "the team", "memory");
    for (unsigned core = 1; core < cores; core++) {
        team.mates[core] = (struct mate){.core = core};
        bench_require(pthread_create(&team.mates[core].thread, NULL, mate_main, &team.mates[core]) == 0, "the team",
                      "starting a thread");
    }
}

void bench_team_run(size_t count, bench_part *part, void *context)
{
    unsigned number = publish(count, part, context);
    do_part(0);
    for (unsigned core = 1; core < team.cores; core++)
        while (atomic_load_explicit(&team.mates[core].done, memory_order_acquire) != number)
            atomic_signal_fence(memory_order_seq_cst);
}

void bench_team_end(void)
{
    if (!team.cores)
        return;
    publish(0, NULL, NULL);
    for (unsigned core = 1; core < team.cores; core++)
        pthread_join(team.mates[core].thread, NULL);
    free(team.mates);
    team.cores = 0;
}
