#include "quirks.h"

#include <stddef.h>
#include <string.h>

/* Each text is how a name begins; "" is any. */
static const struct {
    const char *platform, *device, *driver_version;
    struct dv_cl_quirks quirks;
} table[] = {
    /* Unmapping what was mapped, without blocking, over the caller's memory is CL_INVALID_VALUE: Mesa 22.3. */
    {"rusticl", "", "", {.staged = true}},
    /* LP_MAX_TGSI_LOOP_ITERATIONS, in every version of Mesa so far. */
    {"rusticl", "llvmpipe", "", {.unsafe = "it ends the loops of a work-item after 65,535 turns in all"}},
    {"Oclgrind", "", "", {.computes_in_flush = true}},
    {"Portable Computing Language", "basic", "", {.computes_in_flush = true}},
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

struct dv_cl_quirks dv_cl_quirks_of(const char *platform, const char *device, const char *driver_version)
{
    struct dv_cl_quirks all = {0};
    for (size_t k = 0; k < sizeof table / sizeof *table; k++) {
        if (!begins(platform, table[k].platform) || !begins(device, table[k].device) ||
            !begins(driver_version, table[k].driver_version))
            continue;
        all.staged = all.staged || table[k].quirks.staged;
        all.computes_in_flush = all.computes_in_flush || table[k].quirks.computes_in_flush;
        all.unsafe = table[k].quirks.unsafe ? table[k].quirks.unsafe : all.unsafe;
    }
    return all;
}
