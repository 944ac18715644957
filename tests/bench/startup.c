/* How long a whole program takes whose one job is a millisecond long: on whatever the machine has, on the cores alone,
 * serially, and without the library. */
#include "rows.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

struct way {
    const char *how, *backend; /* backend NULL: the default */
    const char *bodies;
};

static void run(void *context)
{
    const struct way *way = context;
    char *argv[] = {(char *)(uintptr_t)ONCE, (char *)(uintptr_t)way->how, (char *)(uintptr_t)way->bodies, NULL};
    if (way->backend)
        setenv("DIVVY_BACKEND", way->backend, 1);
    else
        unsetenv("DIVVY_BACKEND");
    pid_t child;
    int status = -1;
    bench_require(posix_spawn(&child, ONCE, NULL, NULL, argv, environ) == 0, "startup", "starting a program");
    bench_require(waitpid(child, &status, 0) == child && status == 0, "startup", way->how); /* it checks itself */
    unsetenv("DIVVY_BACKEND");
}

static void measure(struct bench *bench)
{
    const char *bodies = bench->quick ? "128" : "2048";
    struct way ways[] = {
        {"divvy", NULL, bodies}, {"divvy", "cpu", bodies}, {"divvy", "serial", bodies}, {"plain", NULL, bodies}};
    struct bench_contender contenders[] = {
        {.name = "all devices", .run = run, .context = &ways[0]},
        {.name = "cores alone", .run = run, .context = &ways[1]},
        {.name = "serially", .run = run, .context = &ways[2]},
        {.name = "without divvy", .run = run, .context = &ways[3]},
    };
    bench_compare(bench, "", (struct bench_scale){.unit = "ms", .per = 1e6}, contenders, 4);
}

const struct bench_row row_startup = {"startup", "a whole program with one job of a millisecond", measure};
