/* How long a whole program takes whose one job is a millisecond long: on the cores alone, on whatever the machine has,
 * serially, and without the library. */
#include "bench.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

struct way {
    const char *program, *how, *backend; /* backend NULL: the default */
};

static void run(void *context)
{
    const struct way *way = context;
    char bodies[16];
    snprintf(bodies, sizeof bodies, "%d", bench_smoke() ? 100 : 2048);
    char *argv[] = {(char *)(uintptr_t)way->program, (char *)(uintptr_t)way->how, bodies, NULL};
    if (way->backend)
        setenv("DIVVY_BACKEND", way->backend, 1);
    else
        unsetenv("DIVVY_BACKEND");
    pid_t child;
    int status = -1;
    bench_require(posix_spawn(&child, way->program, NULL, NULL, argv, environ) == 0, "1 ms program", "starting it");
    bench_require(waitpid(child, &status, 0) == child && status == 0, "1 ms program", way->how);
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    struct way ways[] = {
        {ONCE, "divvy", "cpu"}, {ONCE, "divvy", NULL}, {ONCE, "divvy", "serial"}, {ONCE, "plain", NULL}};
    struct bench_contender contenders[] = {
        {.name = "divvy, cores alone", .run = run, .context = &ways[0], .reference = true},
        {.name = "divvy, all devices", .run = run, .context = &ways[1]},
        {.name = "divvy, serial", .run = run, .context = &ways[2]},
        {.name = "without divvy", .run = run, .context = &ways[3]},
    };
    bench_measure(
        &(struct bench_row){.name = "1 ms program", .unit = "ms", .per = 1e6, .rounds = bench_rounds(60), .calls = 2},
        contenders, 4);
    return 0;
}
