/* Children of tests. */
#ifndef FORK_H
#define FORK_H

#include "check.h"

#include <sys/stat.h>
#include <unistd.h>

/* Threads of this process, without the one that thread sanitizers may have. One that was joined may be seen for a moment. */
static inline long check_threads(void)
{
    struct stat tasks = {0};
    stat("/proc/self/task", &tasks);
#if defined(__SANITIZE_THREAD__)
    return (long)tasks.st_nlink - 3;
#elif defined(__has_feature)
    return (long)tasks.st_nlink - 2 - __has_feature(thread_sanitizer);
#else
    return (long)tasks.st_nlink - 2;
#endif
}

/* fork, before there are other threads, which is a check: one that was inside the allocator of a sanitizer, which takes no
 * care at fork, would leave it locked for ever in the child. The child begins with no failures. */
static inline pid_t check_fork(void)
{
    for (int ms = 0; ms < 1000 && check_threads() > 1; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    CHECK(check_threads() <= 1);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        atomic_store(&check_failures, 0);
    return child;
}

#endif
