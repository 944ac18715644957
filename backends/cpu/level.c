#include "level.h"

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
    "x86-64", "x86-64-v3", "x86-64-v4",
#else
    "baseline",
#endif
};
enum { LEVEL_COUNT = sizeof levels / sizeof *levels };

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

divvy_status level_choose(const divvy_host *host, const char **out_level)
{
    unsigned best = supported();
    const char *forced = host->option(host, "LEVEL");
    *out_level = levels[best];
    if (!forced || !*forced)
        return DIVVY_OK;
    for (unsigned k = 0; k < LEVEL_COUNT; k++) {
        if (strcmp(forced, levels[k]) != 0)
            continue;
        *out_level = levels[k];
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

divvy_body *level_form(const divvy_kernel *kernel, const char *level)
{
    const divvy_form *best = &kernel->forms[0];
    for (size_t f = 1; f < kernel->form_count; f++)
        if (rank_of(kernel->forms[f].level) <= rank_of(level) && rank_of(kernel->forms[f].level) > rank_of(best->level))
            best = &kernel->forms[f];
    return best->body;
}

static bool is_fold(divvy_kind kind)
{
    return kind == DIVVY_KIND_sum || kind == DIVVY_KIND_min || kind == DIVVY_KIND_max;
}

void level_run(const divvy_host *host, divvy_body *body, const divvy_partition *partition)
{
    const divvy_kernel *kernel = partition->kernel;
    unsigned folds = 0;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        folds += is_fold(kernel->parameters[k].kind);
    if (folds == 0) {
        body(partition->slices, partition->first, partition->count, partition->total);
        return;
    }
    _Alignas(64) char lanes[DIVVY_PARAMETERS_MAX][DIVVY_LANES * ELEMENT_MAX];
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        slices[k] = partition->slices[k];
        if (is_fold(kernel->parameters[k].kind))
            slices[k] = (divvy_slice){.data = lanes[k], .bytes = DIVVY_LANES * kernel->parameters[k].element_bytes};
    }
    for (size_t done = 0; done < partition->count; done += FOLD_BLOCK) {
        size_t left = partition->count - done, count = left < FOLD_BLOCK ? left : FOLD_BLOCK;
        for (unsigned k = 0; k < kernel->parameter_count; k++)
            if (is_fold(kernel->parameters[k].kind))
                host->fold_open(&kernel->parameters[k], lanes[k], DIVVY_LANES);
        body(slices, partition->first + done, count, partition->total);
        for (unsigned k = 0; k < kernel->parameter_count; k++)
            if (is_fold(kernel->parameters[k].kind))
                host->fold_close(&kernel->parameters[k], lanes[k], DIVVY_LANES, partition->slices[k].data);
    }
}
