/* A unit: one device in use, with the kernels that are loaded on it. Units are process-wide and shared by the
 * contexts that chose them; one thread at a time drives a unit: its worker. */
#ifndef DV_UNIT_H
#define DV_UNIT_H

#include "machine/registry.h"

#include <stdatomic.h>

enum dv_unit_state { DV_UNIT_CLOSED, DV_UNIT_OPEN, DV_UNIT_RETIRED };

/* A kernel on a unit: loaded, or why not. */
struct dv_load {
    const divvy_kernel *kernel;
    divvy_status status;
    char *error; /* of a failure; else NULL */
    divvy_loaded loaded;
};

struct dv_unit {
    /* Constant after dv_unit_make. */
    const struct dv_found *found;
    const divvy_backend *backend;
    const divvy_host *host;
    divvy_device_facts facts; /* as found; `units` and `cores` as chosen */
    char id[64];
    char device_class[192];
    int core; /* its core's index in the topology, for units that seats drive; else -1 */

    /* The worker's. */
    void *device;
    struct dv_load *loads;
    unsigned load_count, load_capacity;

    /* Any thread. */
    _Atomic enum dv_unit_state state;
    atomic_bool warned;            /* its failure has been told */
    atomic_bool busy;              /* its worker computes for some job, or for one that does not wait for it any more */
    atomic_bool building;          /* its worker opens it or builds, which nobody waits for */
    _Atomic uint64_t open_ns;      /* what opening cost; 0: not known */
    _Atomic uint64_t build_ns;     /* what the last build cost; 0: not known */
    _Atomic uint64_t loaded_marks; /* a bit by hash of each kernel that was loaded: a hint */
    divvy_rates rates;             /* written before state becomes OPEN */
    char why[256];                 /* it was retired; written before state becomes RETIRED */
};

/* A unit for `units` of the compute units of a found device (0: all of them). `core`: see there. NULL without
 * memory. */
struct dv_unit *dv_unit_make(const struct dv_found *found, unsigned units, int core);

/* Unloads, closes, frees. The worker has ended. */
void dv_unit_free(struct dv_unit *unit);

/* Opens the device unless it is open. Its worker only. */
divvy_status dv_unit_open(struct dv_unit *unit);

/* The kernel on this unit if it was loaded, or could not be. NULL: nobody has tried. Its worker only; the pointer is
 * valid until the next load. */
const struct dv_load *dv_unit_find(const struct dv_unit *unit, const divvy_kernel *kernel);

/* Loads a kernel that is not there yet; a failure is remembered, and not to be tried again. NULL only without memory.
 * Its worker only; the pointer is valid until the next load. */
const struct dv_load *dv_unit_load(struct dv_unit *unit, const divvy_kernel *kernel);

/* Nobody begins anything there any more, and whoever tries is told `why`. Its worker only. */
void dv_unit_condemn(struct dv_unit *unit, const char *why);

/* Leaves the device out for good: closes it. Its worker only. */
void dv_unit_retire(struct dv_unit *unit);

/* Whether the kernel was probably loaded there before, so that its device can take part at once. Any thread. */
bool dv_unit_has(struct dv_unit *unit, const divvy_kernel *kernel);

static inline bool dv_unit_is_retired(struct dv_unit *unit)
{
    return atomic_load_explicit(&unit->state, memory_order_acquire) == DV_UNIT_RETIRED;
}

#endif
