/* The end of the process. Libraries of drivers destroy in the end what they make as they load and build, which must not
 * happen under a thread that is still making it. */
#ifndef DV_ENDING_H
#define DV_ENDING_H

/* From now on the end of the calling thread waits like dv_ending_wait if it is the main one, whose return from main ends
 * the process. Other threads: nothing happens; a process that they end is the backend's to look after. */
void dv_ending_guard(void);

/* Around what must not be interrupted by the end of the process. Any thread. */
void dv_ending_hold(void);
void dv_ending_release(void);

/* Returns when nobody holds; half a minute after it was called first in any case, since a driver may hang. */
void dv_ending_wait(void);

/* fork: the child has none of the threads that held. */
void dv_ending_forked(void);

#endif
