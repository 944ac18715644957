#include "forms.h"

#include <stdbool.h>
#include <string.h>

/* Indices between two foldings of the lanes: small enough that a lane of floats adds few numbers, large enough that
 * folding costs nothing. A multiple of DIVVY_LANES. */
enum { FOLD_BLOCK = 16384 };

/* Bytes of the largest element of a fold. */
enum { ELEMENT_MAX = 8 };

/* From the plainest on; a processor that supports one supports those before it. */
static const char *const levels[] = {
#if defined(__x86_64__)
    "x86-64",
    "x86-64-v3",
    "x86-64-v4",
#else
    "baseline",
#endif
};
enum { LEVEL_COUNT = sizeof levels / sizeof *levels };

/* Set by forms_begin, constant afterwards. */
static const divvy_host *the_host;
static const char *the_level;

static unsigned supported(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2"))
        return 0;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
        !__builtin_cpu_supports("avx512vl"))
        return 1;
    return 2;
#else
    return 0;
#endif
}

divvy_status forms_begin(const divvy_host *host, const char **out_level)
{
    unsigned best = supported();
    const char *forced = host->option(host, "LEVEL");
    the_host = host;
    the_level = *out_level = levels[best];
    if (!forced || !*forced)
        return DIVVY_OK;
    for (unsigned k = 0; k < LEVEL_COUNT; k++) {
        if (strcmp(forced, levels[k]) != 0)
            continue;
        the_level = *out_level = levels[k];
        return k <= best ? DIVVY_OK
                         : host->fail(host, DIVVY_UNSUPPORTED, "this processor has no level %s: %s is the best it has",
                                      forced, levels[best]);
    }
    char known[128] = "";
    for (unsigned k = 0; k < LEVEL_COUNT; k++) {
        strncat(known, k ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, levels[k], sizeof known - strlen(known) - 1);
    }
    return host->fail(host, DIVVY_INVALID, "there is no level \"%s\": allowed are %s", forced, known);
}

static int rank_of(const char *level)
{
    for (int k = 0; k < LEVEL_COUNT; k++)
        if (strcmp(level, levels[k]) == 0)
            return k;
    return -1; /* "host": below all of them */
}

/* The best form of a kernel that is not above the level. */
static divvy_body *form_of(const divvy_kernel *kernel)
{
    const divvy_form *best = &kernel->forms[0];
    for (size_t f = 1; f < kernel->form_count; f++)
        if (rank_of(kernel->forms[f].level) <= rank_of(the_level) &&
            rank_of(kernel->forms[f].level) > rank_of(best->level))
            best = &kernel->forms[f];
    return best->body;
}

/* Calls the body block by block, with lanes for its folds; the lanes are folded after each block. */
static void run_folds(divvy_body *body, const divvy_partition *partition)
{
    const divvy_parameter *parameters = partition->kernel->parameters;
    unsigned count = partition->kernel->parameter_count;
    _Alignas(64) char lanes[DIVVY_PARAMETERS_MAX][DIVVY_LANES * ELEMENT_MAX];
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    for (unsigned k = 0; k < count; k++) {
        slices[k] = partition->slices[k];
        if (divvy_kind_is_fold(parameters[k].kind))
            slices[k] = (divvy_slice){.data = lanes[k], .bytes = DIVVY_LANES * parameters[k].element_bytes};
    }
    for (size_t done = 0; done < partition->count; done += FOLD_BLOCK) {
        size_t left = partition->count - done;
        for (unsigned k = 0; k < count; k++)
            if (divvy_kind_is_fold(parameters[k].kind))
                the_host->fold_open(&parameters[k], lanes[k], DIVVY_LANES);
        body(slices, partition->first + done, left < FOLD_BLOCK ? left : FOLD_BLOCK, partition->total);
        for (unsigned k = 0; k < count; k++)
            if (divvy_kind_is_fold(parameters[k].kind))
                the_host->fold_close(&parameters[k], lanes[k], DIVVY_LANES, partition->slices[k].data);
    }
}

/* ISO C has no conversion from functions to objects, but every system with dlopen does. */
union form {
    divvy_body *body;
    void *loaded;
};

divvy_status forms_open(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                        divvy_rates *out_rates)
{
    (void)host, (void)facts;
    static char thread;
    *out_device = &thread;
    *out_rates = (divvy_rates){0};
    return DIVVY_OK;
}

void forms_close(void *device)
{
    (void)device;
}

divvy_status forms_load(void *device, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    (void)device;
    *out_loaded = (divvy_loaded){.kernel = (union form){.body = form_of(kernel)}.loaded, .granule = 1, .fixed_ns = 50};
    return DIVVY_OK;
}

void forms_unload(void *device, void *loaded)
{
    (void)device, (void)loaded;
}

divvy_status forms_start(void *device, divvy_partition *partition)
{
    (void)device, (void)partition;
    return DIVVY_OK; /* it runs where it is waited for */
}

divvy_outcome forms_finish(void *device, divvy_partition *partition, uint64_t deadline_ns)
{
    (void)device, (void)deadline_ns;
    divvy_body *body = (union form){.loaded = partition->loaded}.body;
    partition->touched = true;
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        if (divvy_kind_is_fold(partition->kernel->parameters[k].kind)) {
            run_folds(body, partition);
            return DIVVY_DONE;
        }
    }
    body(partition->slices, partition->first, partition->count, partition->total);
    return DIVVY_DONE;
}
