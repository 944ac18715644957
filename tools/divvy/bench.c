/* divvy bench: hands over to divvy-bench, which lies in the same folder. */
#include "commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* OpenMP's own variables would bind or limit the program before its first line, and with it divvy. */
static void forget_openmp(void)
{
    static const char *const names[] = {"OMP_PROC_BIND",   "OMP_PLACES",        "OMP_NUM_THREADS", "OMP_THREAD_LIMIT",
                                        "OMP_DYNAMIC",     "GOMP_CPU_AFFINITY", "KMP_AFFINITY",    "KMP_HW_SUBSET",
                                        "OMP_WAIT_POLICY", "GOMP_SPINCOUNT",    "KMP_BLOCKTIME"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        unsetenv(names[k]);
}

int divvy_bench(int argc, char **argv)
{
    (void)argc;
    static const char name[] = "divvy-bench";
    char program[PATH_MAX + sizeof name];
    if (!realpath("/proc/self/exe", program)) {
        fprintf(stderr, "divvy bench: /proc/self/exe: %s\n", strerror(errno));
        return 1;
    }
    memcpy(strrchr(program, '/') + 1, name, sizeof name);
    forget_openmp();
    execv(program, argv);
    fprintf(stderr, "divvy bench: %s: %s\n", program, strerror(errno));
    return 1;
}
