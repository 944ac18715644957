#include "base/fork.h"

#include <stdbool.h>

enum { GUARDED_MAX = 8 };

static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER; /* of what follows; held during fork as well */
static pthread_mutex_t *guarded[GUARDED_MAX];
static unsigned guarded_count;

static void hold_all(void)
{
    pthread_mutex_lock(&list_mutex);
    for (unsigned g = 0; g < guarded_count; g++)
        pthread_mutex_lock(guarded[g]);
}

static void let_go_all(void)
{
    for (unsigned g = guarded_count; g-- > 0;)
        pthread_mutex_unlock(guarded[g]);
    pthread_mutex_unlock(&list_mutex);
}

static void watch_forks(void)
{
    pthread_atfork(hold_all, let_go_all, let_go_all);
}

void dv_fork_guard(pthread_mutex_t *mutex)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&list_mutex);
    bool known = false;
    for (unsigned g = 0; g < guarded_count; g++)
        known = known || guarded[g] == mutex;
    if (!known && guarded_count < GUARDED_MAX)
        guarded[guarded_count++] = mutex;
    pthread_mutex_unlock(&list_mutex);
}
