/* What a device of a scenario makes of a kernel that is padded, in a process of its own, since a backend is probed once
 * and what was learned would be known the next time. simulated.c starts it and reads the times that it prints.
 *
 *     bench_paced COUNT PADDING CALLS-OF-CORES CALLS BACKENDS
 *
 * First on the cores alone, then on all devices of BACKENDS, each time in a fresh context: divvy_prepare, the calls, every result
 * compared, divvy_close. Prints nanoseconds, one a line: of each call of the cores, of each call with the devices, and
 * of the last divvy_close. Exit status 77: there are no such devices; 1: something was wrong. */
#include <divvy.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "padded.cl"

static size_t count;
static int padding;
static uint *out;

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void require(divvy_status status)
{
    if (status == DIVVY_OK)
        return;
    fprintf(stderr, "bench_paced: %s\n", divvy_error());
    exit(status == DIVVY_NO_DEVICE ? 77 : EXIT_FAILURE);
}

static double run_once(divvy *dv)
{
    memset(out, 0xff, count * sizeof *out);
    double began = now_ns();
    require(divvy_run(dv, padded, count, .padding = padding, .out = out));
    double ns = now_ns() - began;
    for (size_t i = 0; i < count; i++)
        if (out[i] != (uint)i * 2654435761u) {
            fprintf(stderr, "bench_paced: wrong at index %zu of %zu\n", i, count);
            exit(EXIT_FAILURE);
        }
    return ns;
}

/* What divvy_close took. */
static double run_all(const char *backends, unsigned calls, bool told)
{
    divvy *dv;
    require(
        divvy_open(&dv, &(divvy_options){.backend = backends, .devices = backends, .log = "error", .models = "off"}));
    require(divvy_prepare(dv, padded));
    for (unsigned c = 0; c < calls; c++) {
        double ns = run_once(dv);
        if (told)
            printf("%.0f\n", ns);
    }
    double began = now_ns();
    divvy_close(dv);
    return now_ns() - began;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    count = strtoul(argv[1], NULL, 10);
    padding = (int)strtol(argv[2], NULL, 10);
    out = malloc(count * sizeof *out);
    if (count == 0 || !out)
        return EXIT_FAILURE;
    run_all("cpu", 1, false); /* threads are made and pages touched */
    run_all("cpu", (unsigned)strtoul(argv[3], NULL, 10), true);
    double close_ns = run_all(argv[5], (unsigned)strtoul(argv[4], NULL, 10), true);
    printf("%.0f\n", close_ns);
    free(out);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
