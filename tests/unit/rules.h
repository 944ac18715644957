/* What the tests of the rules share: contexts with fake devices, a clock, and what was said on stderr. */
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

/* What a file holds, which is removed. The caller frees it. */
static inline char *read_away(const char *path)
{
    FILE *file = fopen(path, "r");
    long bytes = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    char *text = calloc(1, (size_t)bytes + 1);
    if (file) {
        rewind(file);
        text[fread(text, 1, (size_t)bytes, file)] = 0;
        fclose(file);
    }
    unlink(path);
    return text;
}

/* From now on stderr is kept, until it is heard. */
struct hearing {
    int stderr_before;
    char path[32];
};

static inline struct hearing *the_hearing(void)
{
    static struct hearing hearing;
    return &hearing;
}

static inline void begin_hearing(void)
{
    struct hearing *hearing = the_hearing();
    fflush(stderr);
    int file = mkstemp(strcpy(hearing->path, "/tmp/ruleslogXXXXXX"));
    hearing->stderr_before = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
}

/* What was said since. The caller frees it. */
static inline char *heard(void)
{
    struct hearing *hearing = the_hearing();
    fflush(stderr);
    dup2(hearing->stderr_before, STDERR_FILENO);
    close(hearing->stderr_before);
    return read_away(hearing->path);
}

static inline size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
        count++;
    return count;
}

/* Ends a test that hangs, which no rule allows: one that takes so long on a quiet machine, much longer on a busy one. */
static inline void limit_time(unsigned seconds)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(5 * seconds);
}

#endif
