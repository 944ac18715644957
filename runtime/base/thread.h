/* Threads of the library's own. */
#ifndef DV_THREAD_H
#define DV_THREAD_H

#include <pthread.h>

/* Starts a thread that has every signal blocked from its first instruction on, and so have the threads that drivers start
 * from it: the program's handlers run in the program's threads alone. The errno of pthread_create. */
int dv_thread_start(pthread_t *out_thread, void *(*main)(void *argument), void *argument);

#endif
