/* The end of the process. Drivers free their compilers and thread pools in destructors, which run while other threads
 * may still build or launch: those crash. So the process waits for them, and what comes later is turned away.
 *
 * What exit() runs first is what was registered last, and drivers make objects with destructors all through their loading
 * and their first build. Hence both are watched by a thread that registers the wait anew every millisecond. Where the
 * process ends with the main thread, and that has opened a context, the runtime waits for them before all that. */
#include "opencl.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A build ends by itself, on a busy machine after a while; a device may hang. */
enum { PATIENCE_MS = 5000, BUILD_PATIENCE_MS = 30000, GUARDS_MAX = 1 << 15, PAUSE_NS = 1000000 };

static atomic_uint calls;  /* in progress, and partitions in flight */
static atomic_uint builds; /* among them */
static atomic_bool ending; /* no further call begins */
static atomic_bool ended;  /* none may go on either */
static pid_t guarded;      /* a child of fork has none of the threads */
static atomic_uint guards; /* times that the wait was registered */
static const divvy_host *log_host;

/* Registered many times, it waits once. */
static void wait_for_calls(void)
{
    if (atomic_load(&ended))
        return;
    if (getpid() != guarded) {
        atomic_store(&ending, true);
        atomic_store(&ended, true);
        return;
    }
    atomic_store(&ending, true);
    for (uint64_t begin = log_host->now_ns(), waited_ms = 0;
         atomic_load(&calls) > 0 && waited_ms < (atomic_load(&builds) ? BUILD_PATIENCE_MS : PATIENCE_MS);
         waited_ms = (log_host->now_ns() - begin) / 1000000)
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    atomic_store(&ended, true);
    if (atomic_load(&calls) > 0)
        log_host->log(log_host, DIVVY_LOG_DEBUG, "the process ends while a device is still at work");
}

static void guard_again(void)
{
    if (!atomic_load(&ending) && atomic_fetch_add(&guards, 1) < GUARDS_MAX && atexit(wait_for_calls) != 0)
        log_host->log(log_host, DIVVY_LOG_DEBUG, "the end of the process will not wait for builds");
}

void dv_cl_guard_exit(const divvy_host *host)
{
    guarded = getpid();
    log_host = host;
    guard_again();
}

static void *watch(void *opaque)
{
    struct dv_cl_watch *watched = opaque;
    while (!atomic_load(&watched->over)) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        guard_again();
    }
    return NULL;
}

void dv_cl_watch_begin(struct dv_cl_watch *watched)
{
    atomic_fetch_add(&builds, 1);
    atomic_init(&watched->over, false);
    watched->watched = pthread_create(&watched->thread, NULL, watch, watched) == 0;
}

void dv_cl_watch_end(struct dv_cl_watch *watched)
{
    atomic_store(&watched->over, true);
    if (watched->watched)
        pthread_join(watched->thread, NULL);
    guard_again();
    atomic_fetch_sub(&builds, 1);
}

bool dv_cl_enter(void)
{
    atomic_fetch_add(&calls, 1);
    if (!atomic_load(&ending))
        return true;
    atomic_fetch_sub(&calls, 1);
    return false;
}

void dv_cl_leave(void)
{
    atomic_fetch_sub(&calls, 1);
}

bool dv_cl_alive(void)
{
    return !atomic_load(&ended);
}
