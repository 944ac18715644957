/* What the tests of the rules share: contexts with fake devices, and a clock. */
#ifndef RULES_H
#define RULES_H

#include <divvy.h>

#include "backend/fake/fake.h"
#include "check.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

static inline uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Time that all threads of this process have computed. */
static inline uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void sleep_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0)
        continue;
}

/* A context, which must open. */
static inline divvy *open_context(const divvy_options *options)
{
    divvy_options known = *options;
    known.plugin_path = FAKE_FOLDER;
    known.log = known.log ? known.log : "error";
    divvy *dv;
    if (!CHECK_EQ(divvy_open(&dv, &known), DIVVY_OK))
        fprintf(stderr, "  %s\n", divvy_error());
    return dv;
}
#define OPEN(...) open_context(&(divvy_options){__VA_ARGS__})

/* A call that must have this status. */
#define STATUS(expected, ...)                                                         \
    do {                                                                              \
        divvy_status status_ = (__VA_ARGS__);                                         \
        if (!CHECK_EQ(status_, (expected)))                                           \
            fprintf(stderr, "  %s: %s\n", divvy_status_name(status_), divvy_error()); \
    } while (0)

/* What the fake devices are told to do. */
static inline struct fake_order *fake_at(unsigned device)
{
    static struct fake_order *orders;
    if (!orders) {
        void *plugin = dlopen(FAKE_FOLDER "/libdivvy_fake.so", RTLD_NOW | RTLD_LOCAL);
        orders = plugin ? dlsym(plugin, "fake_orders") : NULL;
    }
    if (!orders) {
        fprintf(stderr, "no fake backend: %s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    return &orders[device];
}

static inline void fake_behave(void)
{
    for (unsigned d = 0; d < FAKE_DEVICES; d++)
        memset(fake_at(d), 0, sizeof(struct fake_order));
}

/* Ends a test that hangs, which no rule allows. */
static inline void limit_time(unsigned seconds)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(seconds);
}

#endif
