#include "sim.h"

#include <stdlib.h>
#include <string.h>

static bool is_read(divvy_kind kind)
{
    return !divvy_kind_is_fold(kind) && kind != DIVVY_KIND_out;
}

static bool is_returned(divvy_kind kind)
{
    return kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout;
}

/* Where the `all` arrays of the partition's job are kept; SIM_DEPTH_MAX: nowhere. */
static unsigned find_shared(const struct device *device, const divvy_partition *partition)
{
    unsigned k = 0;
    while (k < SIM_DEPTH_MAX &&
           (device->shared[k].kernel != partition->kernel || device->shared[k].job != partition->job))
        k++;
    return k;
}

static uint64_t held_by(const struct memory *arrays)
{
    uint64_t bytes = 0;
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        bytes += arrays[k].bytes;
    return bytes;
}

struct needs sim_needs(const struct device *device, const divvy_partition *partition)
{
    unsigned shared = find_shared(device, partition);
    struct needs needs = {0};
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_kind kind = partition->kernel->parameters[k].kind;
        size_t bytes = partition->slices[k].bytes;
        bool there = kind == DIVVY_KIND_all && shared < SIM_DEPTH_MAX;
        if (divvy_kind_is_fold(kind))
            continue;
        needs.largest = bytes > needs.largest ? bytes : needs.largest;
        needs.held += there ? 0 : bytes;
        needs.in += is_read(kind) && !there ? bytes : 0;
        needs.out += is_returned(kind) ? bytes : 0;
    }
    for (unsigned k = 0; k < SIM_DEPTH_MAX; k++) {
        needs.held += device->slots[k].busy ? held_by(device->slots[k].arrays) : 0;
        if (device->shared[k].users > 0 || k == shared)
            needs.held += held_by(device->shared[k].arrays);
    }
    return needs;
}

static bool hold(struct memory *memory, size_t bytes)
{
    if (bytes > memory->capacity) {
        char *data = malloc(bytes);
        if (!data)
            return false;
        free(memory->data);
        memory->data = data;
        memory->capacity = bytes;
    }
    memory->bytes = bytes;
    return true;
}

static bool copy(struct memory *memory, const divvy_slice *slice)
{
    if (!hold(memory, slice->bytes))
        return false;
    if (slice->bytes)
        memcpy(memory->data, slice->data, slice->bytes);
    return true;
}

/* The job's `all` arrays, copied unless they are there; NULL: no memory. */
static struct shared *share(struct device *device, const divvy_partition *partition)
{
    unsigned k = find_shared(device, partition);
    if (k < SIM_DEPTH_MAX)
        return &device->shared[k];
    struct shared *shared = device->shared; /* one is free: a partition in flight uses one at most */
    while (shared->users > 0)
        shared++;
    shared->kernel = NULL;
    for (unsigned p = 0; p < partition->kernel->parameter_count; p++) {
        shared->arrays[p].bytes = 0;
        if (partition->kernel->parameters[p].kind == DIVVY_KIND_all && !copy(&shared->arrays[p], &partition->slices[p]))
            return NULL;
    }
    shared->kernel = partition->kernel;
    shared->job = partition->job;
    return shared;
}

bool sim_copy_in(struct device *device, struct slot *slot, const divvy_partition *partition)
{
    slot->shared = share(device, partition);
    if (!slot->shared)
        return false;
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_kind kind = partition->kernel->parameters[k].kind;
        const divvy_slice *slice = &partition->slices[k];
        struct memory *memory = &slot->arrays[k];
        memory->bytes = 0;
        if (divvy_kind_is_fold(kind) || kind == DIVVY_KIND_all)
            continue;
        if (kind != DIVVY_KIND_out && !copy(memory, slice))
            return false;
        if (kind == DIVVY_KIND_out) {
            if (!hold(memory, slice->bytes))
                return false;
            if (slice->bytes)
                memset(memory->data, 0xa5, slice->bytes); /* what a kernel leaves out would show */
        }
    }
    slot->shared->users++;
    slot->busy = true;
    return true;
}

void sim_redirect(const struct slot *slot, const divvy_partition *partition, divvy_slice *out_slices)
{
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_kind kind = partition->kernel->parameters[k].kind;
        out_slices[k] = partition->slices[k];
        if (kind == DIVVY_KIND_all)
            out_slices[k].data = slot->shared->arrays[k].data;
        else if (!divvy_kind_is_fold(kind))
            out_slices[k].data = slot->arrays[k].data;
    }
}

void sim_release(struct slot *slot)
{
    if (slot->shared)
        slot->shared->users--;
    slot->shared = NULL;
    slot->busy = false;
}

static void free_arrays(struct memory *arrays)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        free(arrays[k].data);
}

void sim_free_copies(struct device *device)
{
    for (unsigned k = 0; k < SIM_DEPTH_MAX; k++) {
        free_arrays(device->slots[k].arrays);
        free_arrays(device->shared[k].arrays);
    }
}
