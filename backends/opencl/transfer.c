/* Brings a partition's arguments to the device and its results back.
 *
 * Staged devices get copies: the caller's array is copied into pinned memory at once, so that the caller is never read
 * or written behind the runtime's back, and from there to a buffer of the device. Zero-copy devices get a buffer over
 * the caller's memory, exactly of the slice, for one partition. */
#include "opencl.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096 };

static bool is_read(divvy_kind kind)
{
    return kind == DIVVY_KIND_in || kind == DIVVY_KIND_inout || kind == DIVVY_KIND_halo || divvy_kind_is_fold(kind);
}

void dv_cl_note(struct dv_cl_slot *slot, cl_event event, enum dv_cl_step step, const char *name)
{
    slot->commands[slot->command_count++] = (struct dv_cl_command){.event = event, .step = step, .name = name};
}

/* What a parameter's buffer holds: the slice, or the lanes of a fold. */
static size_t bytes_of(const struct dv_cl_slot *slot, const divvy_partition *partition, unsigned k)
{
    const divvy_parameter *parameter = &partition->kernel->parameters[k];
    return divvy_kind_is_fold(parameter->kind) ? slot->lanes * parameter->element_bytes : partition->slices[k].bytes;
}

/* ---- Buffers that grow ---- */

/* Twice the old size, so that growing partitions seldom allocate; what the device cannot give stays out. */
static size_t grown(const struct dv_cl_device *device, size_t old_bytes, size_t bytes)
{
    size_t wanted = bytes > 2 * old_bytes ? bytes : 2 * old_bytes;
    wanted = (wanted + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    uint64_t limit = device->found->max_slice_bytes;
    return limit > 0 && wanted > limit ? bytes : wanted;
}

static divvy_status grow_device(struct dv_cl_device *device, cl_mem *buffer, size_t *buffer_bytes, size_t bytes,
                                const char *name)
{
    if (*buffer && *buffer_bytes >= bytes)
        return DIVVY_OK;
    size_t wanted = grown(device, *buffer_bytes, bytes);
    if (*buffer)
        clReleaseMemObject(*buffer);
    *buffer_bytes = 0;
    cl_int code;
    *buffer = clCreateBuffer(device->context, CL_MEM_READ_WRITE, wanted, NULL, &code);
    DV_CL_TRY(dv_cl_check(device, code, "making the buffer of", name));
    *buffer_bytes = wanted;
    return DIVVY_OK;
}

static void release_pinned(struct dv_cl_slot *slot, struct dv_cl_array *array)
{
    if (array->pinned && array->host)
        clEnqueueUnmapMemObject(slot->queue, array->pinned, array->host, 0, NULL, NULL);
    if (array->pinned)
        clReleaseMemObject(array->pinned);
    else
        free(array->host);
    array->pinned = NULL;
    array->host = NULL;
    array->host_bytes = 0;
}

/* Memory of the driver's choice, mapped for good: the fastest way to copy, and the backend's own. */
static divvy_status grow_pinned(struct dv_cl_device *device, struct dv_cl_slot *slot, struct dv_cl_array *array,
                                size_t bytes, const char *name)
{
    if (array->host && array->host_bytes >= bytes)
        return DIVVY_OK;
    size_t wanted = grown(device, array->host_bytes, bytes);
    release_pinned(slot, array);
    cl_int code;
    array->pinned = clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, wanted, NULL, &code);
    DV_CL_TRY(dv_cl_check(device, code, "making the pinned buffer of", name));
    array->host = clEnqueueMapBuffer(slot->queue, array->pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, wanted, 0,
                                     NULL, NULL, &code);
    DV_CL_TRY(dv_cl_check(device, code, "mapping the pinned buffer of", name));
    array->host_bytes = wanted;
    return DIVVY_OK;
}

/* Plain memory for the lanes of a zero-copy device. */
static divvy_status grow_lanes(struct dv_cl_device *device, struct dv_cl_array *array, size_t bytes, const char *name)
{
    if (array->host_bytes >= bytes)
        return DIVVY_OK;
    size_t wanted = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    free(array->host);
    array->host_bytes = 0;
    array->host = aligned_alloc(PAGE_BYTES, wanted);
    if (!array->host)
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "no memory for the lanes of %s", name);
    array->host_bytes = wanted;
    return DIVVY_OK;
}

/* ---- Staged ---- */

/* Copies the caller's part into pinned memory and queues its upload. */
static divvy_status upload(struct dv_cl_device *device, struct dv_cl_slot *slot, struct dv_cl_array *array,
                           cl_mem buffer, const void *data, size_t bytes, const char *name, cl_event *out_event)
{
    uint64_t before_ns = device->host->now_ns();
    if (data)
        memcpy(array->host, data, bytes);
    slot->copied_ns += device->host->now_ns() - before_ns;
    cl_int code = clEnqueueWriteBuffer(slot->queue, buffer, CL_FALSE, 0, bytes, array->host, 0, NULL, out_event);
    DV_CL_TRY(dv_cl_check(device, code, "uploading", name));
    dv_cl_note(slot, *out_event, DV_CL_COPY_IN, name);
    slot->bytes_in += bytes;
    return DIVVY_OK;
}

static divvy_status bring_copy(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition,
                               unsigned k, cl_mem *out_buffer)
{
    const divvy_parameter *parameter = &partition->kernel->parameters[k];
    struct dv_cl_array *array = &slot->arrays[k];
    size_t bytes = bytes_of(slot, partition, k);
    DV_CL_TRY(grow_device(device, &array->device, &array->device_bytes, bytes, parameter->name));
    DV_CL_TRY(grow_pinned(device, slot, array, bytes, parameter->name));
    *out_buffer = array->device;
    if (!is_read(parameter->kind))
        return DIVVY_OK;
    const void *data = partition->slices[k].data;
    if (divvy_kind_is_fold(parameter->kind)) {
        device->host->fold_open(parameter, array->host, slot->lanes);
        data = NULL;
    }
    cl_event event;
    return upload(device, slot, array, array->device, data, bytes, parameter->name, &event);
}

static bool holds(const struct dv_cl_shared *entry, uint64_t job, const divvy_slice *slice)
{
    return entry->valid && entry->job == job && entry->data == slice->data && entry->bytes == slice->bytes;
}

/* The entry that holds this array already, or the one to put it in: the longest unused. */
static struct dv_cl_shared *find_shared(struct dv_cl_device *device, uint64_t job, const divvy_slice *slice)
{
    struct dv_cl_shared *best = NULL;
    for (unsigned k = 0; k < DV_CL_SHARED_MAX; k++) {
        struct dv_cl_shared *entry = &device->shared[k];
        if (holds(entry, job, slice))
            return entry;
        if (entry->users == 0 && (!best || entry->used_ns < best->used_ns))
            best = entry;
    }
    return best; /* there is one: two slots use at most two entries for each parameter */
}

static void forget(struct dv_cl_shared *entry)
{
    entry->valid = false;
    if (entry->uploaded)
        clReleaseEvent(entry->uploaded);
    entry->uploaded = NULL;
}

/* An `all` array goes up with the first partition of its job; the second slot's launch waits for that. */
static divvy_status bring_shared(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition,
                                 unsigned k, cl_mem *out_buffer)
{
    const char *name = partition->kernel->parameters[k].name;
    const divvy_slice *slice = &partition->slices[k];
    struct dv_cl_shared *entry = find_shared(device, partition->job, slice);
    if (!holds(entry, partition->job, slice)) {
        struct dv_cl_array *array = &slot->arrays[k];
        forget(entry);
        DV_CL_TRY(grow_device(device, &entry->device, &entry->device_bytes, slice->bytes, name));
        DV_CL_TRY(grow_pinned(device, slot, array, slice->bytes, name));
        DV_CL_TRY(upload(device, slot, array, entry->device, slice->data, slice->bytes, name, &entry->uploaded));
        cl_int code = clRetainEvent(entry->uploaded);
        if (code != CL_SUCCESS)
            entry->uploaded = NULL;
        DV_CL_TRY(dv_cl_check(device, code, "keeping the upload of", name));
        entry->valid = true;
        entry->job = partition->job;
        entry->data = slice->data;
        entry->bytes = slice->bytes;
    }
    slot->waits[slot->wait_count++] = entry->uploaded;
    slot->shared[k] = entry;
    entry->users++;
    entry->used_ns = device->host->now_ns();
    *out_buffer = entry->device;
    return DIVVY_OK;
}

/* ---- Zero-copy ---- */

static bool overlap(const divvy_slice *a, const divvy_slice *b)
{
    const char *first = a->data, *second = b->data;
    return first < second + b->bytes && second < first + a->bytes;
}

/* Whether an earlier parameter's buffer lies over the same memory: OpenCL leaves that undefined, so that this one
 * needs a copy. Only arrays that are read can overlap. */
static bool is_covered(const divvy_partition *partition, unsigned k)
{
    for (unsigned other = 0; other < k; other++) {
        divvy_kind kind = partition->kernel->parameters[other].kind;
        bool array = kind != DIVVY_KIND_value && !divvy_kind_is_fold(kind);
        if (array && overlap(&partition->slices[other], &partition->slices[k]))
            return true;
    }
    return false;
}

static divvy_status bring_in_place(struct dv_cl_device *device, struct dv_cl_slot *slot,
                                   const divvy_partition *partition, unsigned k, cl_mem *out_buffer)
{
    const divvy_parameter *parameter = &partition->kernel->parameters[k];
    struct dv_cl_array *array = &slot->arrays[k];
    size_t bytes = bytes_of(slot, partition, k);
    void *data = partition->slices[k].data;
    cl_mem_flags flags = CL_MEM_USE_HOST_PTR;
    if (divvy_kind_is_fold(parameter->kind)) {
        DV_CL_TRY(grow_lanes(device, array, bytes, parameter->name));
        device->host->fold_open(parameter, array->host, slot->lanes);
        data = array->host;
    } else if (is_covered(partition, k)) {
        flags = CL_MEM_COPY_HOST_PTR;
    }
    flags |= divvy_kind_is_written(parameter->kind) ? CL_MEM_READ_WRITE : CL_MEM_READ_ONLY;
    cl_int code;
    array->device = clCreateBuffer(device->context, flags, bytes, data, &code);
    *out_buffer = array->device;
    return dv_cl_check(device, code, "making the buffer of", parameter->name);
}

/* Mapping is what puts results into the caller's memory, by the specification; on devices that worked there already
 * it costs little. */
static divvy_status map_and_unmap(struct dv_cl_device *device, struct dv_cl_slot *slot, cl_mem buffer, size_t bytes,
                                  const char *name)
{
    cl_int code;
    cl_event event;
    void *mapped = clEnqueueMapBuffer(slot->queue, buffer, CL_FALSE, CL_MAP_READ, 0, bytes, 0, NULL, &event, &code);
    DV_CL_TRY(dv_cl_check(device, code, "mapping", name));
    dv_cl_note(slot, event, DV_CL_COPY_OUT, name);
    code = clEnqueueUnmapMemObject(slot->queue, buffer, mapped, 0, NULL, &event);
    DV_CL_TRY(dv_cl_check(device, code, "unmapping", name));
    dv_cl_note(slot, event, DV_CL_COPY_OUT, name);
    return DIVVY_OK;
}

/* ---- Both ---- */

divvy_status dv_cl_bring(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition,
                         unsigned k, cl_mem *out_buffer)
{
    const divvy_parameter *parameter = &partition->kernel->parameters[k];
    size_t bytes = bytes_of(slot, partition, k);
    uint64_t limit = device->found->max_slice_bytes;
    *out_buffer = device->nothing;
    if (bytes == 0)
        return DIVVY_OK;
    if (limit > 0 && bytes > limit)
        return device->host->fail(device->host, DIVVY_NO_MEMORY,
                                  "%s of %s needs %zu bytes at once, and \"%s\" gives at most %llu", parameter->name,
                                  partition->kernel->name, bytes, device->found->name, (unsigned long long)limit);
    if (!device->found->staged)
        return bring_in_place(device, slot, partition, k, out_buffer);
    return parameter->kind == DIVVY_KIND_all ? bring_shared(device, slot, partition, k, out_buffer)
                                             : bring_copy(device, slot, partition, k, out_buffer);
}

divvy_status dv_cl_fetch(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition,
                         unsigned k)
{
    const divvy_parameter *parameter = &partition->kernel->parameters[k];
    struct dv_cl_array *array = &slot->arrays[k];
    size_t bytes = bytes_of(slot, partition, k);
    if (!divvy_kind_is_written(parameter->kind) || bytes == 0)
        return DIVVY_OK;
    if (!device->found->staged)
        return map_and_unmap(device, slot, array->device, bytes, parameter->name);
    cl_event event;
    cl_int code = clEnqueueReadBuffer(slot->queue, array->device, CL_FALSE, 0, bytes, array->host, 0, NULL, &event);
    DV_CL_TRY(dv_cl_check(device, code, "downloading", parameter->name));
    dv_cl_note(slot, event, DV_CL_COPY_OUT, parameter->name);
    slot->bytes_out += bytes;
    return DIVVY_OK;
}

void dv_cl_settle(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition)
{
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &partition->kernel->parameters[k];
        divvy_slice *slice = &partition->slices[k];
        if (divvy_kind_is_fold(parameter->kind))
            device->host->fold_close(parameter, slot->arrays[k].host, slot->lanes, slice->data);
        else if (divvy_kind_is_written(parameter->kind))
            slice->result = device->found->staged && slice->bytes > 0 ? slot->arrays[k].host : NULL;
    }
}

void dv_cl_clear(struct dv_cl_device *device, struct dv_cl_slot *slot)
{
    for (unsigned k = 0; k < slot->command_count; k++)
        clReleaseEvent(slot->commands[k].event);
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++) {
        if (slot->shared[k])
            slot->shared[k]->users--;
        slot->shared[k] = NULL;
        if (!device->found->staged && slot->arrays[k].device) {
            clReleaseMemObject(slot->arrays[k].device);
            slot->arrays[k].device = NULL;
        }
    }
    slot->command_count = 0;
    slot->wait_count = 0;
    slot->busy = false;
}

bool dv_cl_trusts_shared(const struct dv_cl_slot *slot)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        if (slot->shared[k] && !slot->shared[k]->valid)
            return false;
    return true;
}

void dv_cl_distrust_shared(struct dv_cl_slot *slot)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        if (slot->shared[k])
            slot->shared[k]->valid = false;
}

void dv_cl_forget_shared(struct dv_cl_device *device)
{
    for (unsigned k = 0; k < DV_CL_SHARED_MAX; k++)
        forget(&device->shared[k]);
}

void dv_cl_free_arrays(struct dv_cl_device *device)
{
    dv_cl_forget_shared(device);
    for (unsigned k = 0; k < DV_CL_SHARED_MAX; k++)
        if (device->shared[k].device)
            clReleaseMemObject(device->shared[k].device);
    for (unsigned s = 0; s < device->slot_count; s++) {
        struct dv_cl_slot *slot = &device->slots[s];
        for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++) {
            if (slot->arrays[k].device)
                clReleaseMemObject(slot->arrays[k].device);
            release_pinned(slot, &slot->arrays[k]);
        }
        if (slot->queue)
            clFinish(slot->queue);
    }
}
