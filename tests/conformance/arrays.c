#include "arrays.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { ARRAYS_MAX = 1024, GUARD = 64, POISON = 0xA5 };

static struct array *_Atomic arrays[ARRAYS_MAX]; /* those that are open, in any order */
static size_t page;

/* Whether the access was a write, where the processor tells. */
static bool is_write(const void *context)
{
#if defined(__x86_64__)
    return ((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2;
#else
    (void)context;
    return true;
#endif
}

/* Notes the access and lets it through. False: it was none of ours. */
static bool note(struct array *array, char *at, const void *context)
{
    if (at < array->map || at >= array->map + array->map_bytes)
        return false;
    if (at < array->body || at >= array->body + array->body_bytes) {
        atomic_fetch_or(&array->sins, ARRAY_BEYOND);
        return mprotect(at < array->body ? array->map : array->body + array->body_bytes, page,
                        PROT_READ | PROT_WRITE) == 0;
    }
    /* Two threads may meet the same page: the second finds it open, and tries again. */
    int prot = atomic_exchange(&array->prot, PROT_READ | PROT_WRITE);
    if (prot != (PROT_READ | PROT_WRITE))
        atomic_fetch_or(&array->sins, prot == PROT_READ || is_write(context) ? ARRAY_WRITE : ARRAY_READ);
    return mprotect(array->body, array->body_bytes, PROT_READ | PROT_WRITE) == 0;
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    for (unsigned k = 0; k < ARRAYS_MAX; k++) {
        struct array *array = atomic_load(&arrays[k]);
        if (array && note(array, info->si_addr, context))
            return;
    }
    signal(number, SIG_DFL); /* a crash of its own: it comes again, and ends the process */
}

void arrays_watch(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = on_fault;
    page = (size_t)sysconf(_SC_PAGESIZE);
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

static void enlist(struct array *array)
{
    for (unsigned k = 0; k < ARRAYS_MAX; k++) {
        struct array *none = NULL;
        if (atomic_compare_exchange_strong(&arrays[k], &none, array))
            return;
    }
    fprintf(stderr, "divvy_conformance: more than %d arrays\n", ARRAYS_MAX);
    abort();
}

void array_open(struct array *array, size_t bytes, bool at_end)
{
    size_t body = (bytes + GUARD + page - 1) / page * page;
    char *map = mmap(NULL, body + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED || mprotect(map + page, body, PROT_READ | PROT_WRITE) != 0) {
        perror("divvy_conformance: an array");
        exit(2);
    }
    *array = (struct array){.map = map,
                            .map_bytes = body + 2 * page,
                            .body = map + page,
                            .body_bytes = body,
                            .data = at_end ? map + page + body - bytes : map + page,
                            .bytes = bytes,
                            .prot = PROT_READ | PROT_WRITE};
    memset(array->body, POISON, body);
    enlist(array);
}

void array_close(struct array *array)
{
    if (!array->map)
        return;
    for (unsigned k = 0; k < ARRAYS_MAX; k++) {
        struct array *own = array;
        if (atomic_compare_exchange_strong(&arrays[k], &own, NULL))
            break;
    }
    munmap(array->map, array->map_bytes);
    array->map = NULL;
}

void array_allow(struct array *array, enum array_access access)
{
    int prot = access == ARRAY_OPEN ? PROT_READ | PROT_WRITE : access == ARRAY_READABLE ? PROT_READ : PROT_NONE;
    if (!array->map || atomic_exchange(&array->prot, prot) == prot)
        return;
    mprotect(array->body, array->body_bytes, prot);
}

int array_sins(struct array *array)
{
    return array->map ? atomic_exchange(&array->sins, 0) : 0;
}
