#include "schedule/unit.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dv_unit *dv_unit_make(const struct dv_found *found, unsigned units, int core)
{
    struct dv_unit *unit = calloc(1, sizeof *unit);
    if (!unit)
        return NULL;
    unit->found = found;
    unit->backend = found->plugin->backend;
    unit->host = &found->plugin->host;
    unit->facts = found->facts;
    unit->core = core;
    snprintf(unit->id, sizeof unit->id, "%s:%u", found->plugin->name, found->index);
    if (units) {
        unit->facts.units = units;
        unit->facts.cores = found->facts.cores ? units : 0;
        snprintf(unit->id, sizeof unit->id, "%s:%u/%u", found->plugin->name, found->index, units);
    } else if (found->facts.type != DIVVY_CORE) {
        unit->facts.units = 0; /* the whole device */
    }
    const struct dv_topology *host = core >= 0 ? dv_topology_get() : NULL;
    if (host && host->kind_count > 1)
        snprintf(unit->device_class, sizeof unit->device_class, "%s kind %u", found->facts.device_class,
                 host->cores[core].kind);
    else if (units)
        snprintf(unit->device_class, sizeof unit->device_class, "%s /%u", found->facts.device_class, units);
    else
        snprintf(unit->device_class, sizeof unit->device_class, "%s", found->facts.device_class);
    return unit;
}

static void unload_all(struct dv_unit *unit)
{
    for (unsigned k = 0; k < unit->load_count; k++) {
        struct dv_load *load = &unit->loads[k];
        if (load->status == DIVVY_OK && unit->device)
            unit->backend->unload(unit->device, load->loaded.kernel);
        free(load->error);
    }
    free(unit->loads);
    unit->loads = NULL;
    unit->load_count = unit->load_capacity = 0;
}

void dv_unit_free(struct dv_unit *unit)
{
    if (!unit)
        return;
    unload_all(unit);
    if (unit->device)
        unit->backend->close(unit->device);
    free(unit);
}

divvy_status dv_unit_open(struct dv_unit *unit)
{
    switch (atomic_load_explicit(&unit->state, memory_order_acquire)) {
    case DV_UNIT_OPEN:
        return DIVVY_OK;
    case DV_UNIT_RETIRED:
        return dv_fail(DIVVY_NO_DEVICE, "%s was retired%s%s", unit->id, *unit->why ? ": " : "", unit->why);
    case DV_UNIT_CLOSED:
        break;
    }
    uint64_t begin = dv_now_ns();
    DV_TRY(unit->backend->open(unit->host, &unit->facts, &unit->device, &unit->rates));
    atomic_store(&unit->open_ns, dv_now_ns() - begin);
    atomic_store_explicit(&unit->state, DV_UNIT_OPEN, memory_order_release);
    return DIVVY_OK;
}

static uint64_t mark_of(const divvy_kernel *kernel)
{
    return UINT64_C(1) << ((uint64_t)(uintptr_t)kernel * UINT64_C(0x9e3779b97f4a7c15) >> 58);
}

bool dv_unit_has(struct dv_unit *unit, const divvy_kernel *kernel)
{
    return (atomic_load_explicit(&unit->loaded_marks, memory_order_relaxed) & mark_of(kernel)) != 0;
}

const struct dv_load *dv_unit_find(const struct dv_unit *unit, const divvy_kernel *kernel)
{
    for (unsigned k = 0; k < unit->load_count; k++)
        if (unit->loads[k].kernel == kernel)
            return &unit->loads[k];
    return NULL;
}

const struct dv_load *dv_unit_load(struct dv_unit *unit, const divvy_kernel *kernel)
{
    if (unit->load_count == unit->load_capacity) {
        unsigned capacity = unit->load_capacity ? 2 * unit->load_capacity : 8;
        struct dv_load *loads = realloc(unit->loads, capacity * sizeof *loads);
        if (!loads)
            return NULL;
        unit->loads = loads;
        unit->load_capacity = capacity;
    }
    struct dv_load *load = &unit->loads[unit->load_count++];
    *load = (struct dv_load){.kernel = kernel};
    uint64_t begin = dv_now_ns();
    load->status = unit->backend->load(unit->device, kernel, &load->loaded);
    if (load->status != DIVVY_OK)
        load->error = strdup(dv_error_text());
    else if (load->loaded.granule == 0)
        load->loaded.granule = unit->facts.granule ? unit->facts.granule : 1;
    atomic_store(&unit->build_ns, dv_now_ns() - begin);
    atomic_fetch_or(&unit->loaded_marks, mark_of(kernel));
    return load;
}

void dv_unit_condemn(struct dv_unit *unit, const char *why)
{
    snprintf(unit->why, sizeof unit->why, "%s", why);
    atomic_store_explicit(&unit->state, DV_UNIT_RETIRED, memory_order_release);
}

void dv_unit_retire(struct dv_unit *unit)
{
    atomic_store_explicit(&unit->state, DV_UNIT_RETIRED, memory_order_release);
    unload_all(unit);
    void *device = unit->device;
    unit->device = NULL;
    if (device)
        unit->backend->close(device);
}
