/* What fork must not cut in half. */
#ifndef DV_FORK_H
#define DV_FORK_H

#include <pthread.h>

/* From now on this mutex is held while the process forks, so that a child finds it free, and what it guards whole. For
 * mutexes of the whole process which are held for short and never while another of them is taken. Once for each, before
 * it is locked; again does nothing. Any thread. */
void dv_fork_guard(pthread_mutex_t *mutex);

#endif
