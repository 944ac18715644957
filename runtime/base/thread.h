/* Threads of the library's own. */
#ifndef DV_THREAD_H
#define DV_THREAD_H

#include <pthread.h>

/* A few bytes of each thread that every call touches: found without a call. glibc keeps room for them where a library is
 * loaded late (dlopen) as long as all of the library's fit, so nothing large may be one of a thread; elsewhere it might
 * not load at all. */
#ifdef __GLIBC__
#define DV_THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define DV_THREAD_LOCAL _Thread_local
#endif

/* What a thread keeps until it ends: the first member of an object, which `forget` frees. It may be kept anew by what
 * still runs then. Where the system has no room to remember it, it stays. */
struct dv_kept {
    struct dv_kept *next;
    void (*forget)(struct dv_kept *kept);
};

/* From now on the calling thread keeps this. */
void dv_thread_keep(struct dv_kept *kept);

/* Starts a thread that has every signal blocked from its first instruction on, and so have the threads that drivers start
 * from it: the program's handlers run in the program's threads alone. The errno of pthread_create. */
int dv_thread_start(pthread_t *out_thread, void *(*main)(void *argument), void *argument);

/* Of the calling thread alone, and of the threads that it starts; neither can be taken back, and where the system does not
 * allow it nothing happens. Leaves the cores to others: `nice` as setpriority(2) has it. */
void dv_thread_give_way(int nice);

/* Asks for short time slices: whoever sleeps most of the time is then soon on a core when it is woken, though others
 * compute on all of them. Linux from 6.12 on (sched_setattr(2): sched_runtime of SCHED_OTHER). */
void dv_thread_be_prompt(void);

#endif
