#include "base/thread.h"

#include <signal.h>
#include <stdbool.h>
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

static pthread_key_t key;
static bool has_key;
static pthread_once_t key_made = PTHREAD_ONCE_INIT;

static void forget_all(void *first)
{
    for (struct dv_kept *kept = first, *next; kept; kept = next) {
        next = kept->next;
        kept->forget(kept);
    }
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, forget_all) == 0;
}

void dv_thread_keep(struct dv_kept *kept)
{
    pthread_once(&key_made, make_key);
    if (!has_key)
        return;
    kept->next = pthread_getspecific(key);
    pthread_setspecific(key, kept);
}
