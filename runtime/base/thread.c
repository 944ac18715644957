#include "base/thread.h"

#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int dv_thread_start(pthread_t *out_thread, void *(*main)(void *argument), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(out_thread, NULL, main, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void dv_thread_give_way(int nice)
{
#ifdef __linux__
    setpriority(PRIO_PROCESS, (id_t)gettid(), nice); /* POSIX has it of the whole process */
#else
    (void)nice;
#endif
}

void dv_thread_be_prompt(void)
{
#if defined __linux__ && defined SYS_sched_setattr
    /* The kernel's struct sched_attr, whose header does not go with <sched.h>. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime_ns, deadline_ns, period_ns;
    } attributes = {.size = sizeof attributes,
                    .flags = 0x08, /* SCHED_FLAG_KEEP_POLICY */
                    .nice = getpriority(PRIO_PROCESS, (id_t)gettid()),
                    .runtime_ns = 100000}; /* the shortest that there is */
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
#endif
}
