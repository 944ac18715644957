/* exit() runs what was registered last first, and drivers register their destructors as they load: a handler of ours
 * would come too late. Before all handlers it ends what the thread that calls it keeps for itself, as C++'s thread_local
 * objects (Itanium C++ ABI, where libc has it); one of these is ours. */
#include "base/ending.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_NS = 1000000 };
static const uint64_t PATIENCE_NS = 30000000000;

static atomic_uint holding;

#ifdef __linux__
/* NOLINTBEGIN(bugprone-reserved-identifier) */
extern int __cxa_thread_atexit_impl(void (*end)(void *), void *object, void *library) __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));
/* NOLINTEND(bugprone-reserved-identifier) */

static void wait_at_end(void *unused)
{
    (void)unused;
    dv_ending_wait();
}

void dv_ending_guard(void)
{
    static atomic_int guarded; /* the process that is: a child of fork has a main thread of its own */
    const int process = (int)getpid();
    bool main_thread = (int)gettid() == process;
    if (main_thread && __cxa_thread_atexit_impl && atomic_exchange(&guarded, process) != process)
        __cxa_thread_atexit_impl(wait_at_end, NULL, &__dso_handle);
}
#else
void dv_ending_guard(void)
{
}
#endif

void dv_ending_hold(void)
{
    atomic_fetch_add(&holding, 1);
}

void dv_ending_release(void)
{
    atomic_fetch_sub(&holding, 1);
}

void dv_ending_wait(void)
{
    static _Atomic uint64_t until_ns; /* however often it is waited for */
    uint64_t none = 0;
    atomic_compare_exchange_strong(&until_ns, &none, dv_now_ns() + PATIENCE_NS);
    while (atomic_load(&holding) > 0 && dv_now_ns() < atomic_load(&until_ns))
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

void dv_ending_forked(void)
{
    atomic_store(&holding, 0);
}
