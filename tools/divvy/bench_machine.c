/* What the measuring needs of the machine: cores, time, calm, memory. */
#include "bench.h"

#include "base/clock.h"
#include "machine/topology.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static unsigned *places; /* indices into the topology's cores */
static cpu_set_t free_mask;

void bench_find_cores(struct bench *bench)
{
    bool bound;
    bench_require(sched_getaffinity(0, sizeof free_mask, &free_mask) == 0, "the machine", "where this process may run");
    bench_require(dv_topology_thread_count(0, &bench->cores) == DIVVY_OK, "the machine", divvy_error());
    places = calloc(bench->cores, sizeof *places);
    bench_require(places && dv_topology_place("", bench->cores, places, &bound) == DIVVY_OK, "the machine",
                  "which cores to use");
}

void bench_pin(unsigned core)
{
    bench_require(dv_topology_bind(&places[core], 1) == DIVVY_OK, "the machine", "binding a thread");
}

void bench_unpin(void)
{
    sched_setaffinity(0, sizeof free_mask, &free_mask);
}

void bench_take_places(const struct bench_peer *peer, unsigned threads)
{
    if (peer && peer->take_places)
        bench_require(peer->take_places(threads, bench_pin) == threads, peer->name, "a thread for each core");
}

double bench_now_ns(void)
{
    return (double)dv_now_ns();
}

void bench_sleep_ms(unsigned ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

/* A number in a file of the system, after a word at the beginning of its line; `otherwise` where there is none. */
static double told_by(const char *path, const char *format, double otherwise)
{
    char line[256];
    double value = otherwise;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, format, &value) == 1)
            break;
    if (file)
        fclose(file);
    return value;
}

uint64_t bench_memory_bytes(void)
{
    return (uint64_t)(told_by("/proc/meminfo", "MemAvailable: %lf kB", 0) * 1024);
}

bool bench_is_calm(const struct bench *bench)
{
    /* The thread that looks is one of those that run. */
    for (unsigned look = 0; look < 4 && !bench->quick; look++) {
        if (told_by("/proc/stat", "procs_running %lf", 1) > 1)
            return false;
        bench_sleep_ms(1);
    }
    return true;
}

bool bench_await_calm(struct bench *bench)
{
    double began = bench_now_ns();
    bool calm;
    while (!(calm = bench_is_calm(bench)) && bench_now_ns() - began < bench->patience_ns)
        bench_sleep_ms(5);
    bench->patience_ns -= bench_now_ns() - began;
    return calm;
}

void *bench_alloc(size_t bytes)
{
    void *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    bench_require(memory != NULL, "the arrays", "memory");
    return memory;
}
