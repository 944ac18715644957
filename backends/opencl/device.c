/* Opens and closes a device, and measures how fast data gets to it. */
#include "opencl.h"

#include <stdlib.h>
#include <string.h>

enum { NOTHING_BYTES = 256, TRANSFER_BYTES = 1 << 20, LATENCY_ROUNDS = 5, TRANSFER_ROUNDS = 3 };

static divvy_status divide(const divvy_host *host, const struct dv_cl_found *found, unsigned units,
                           cl_device_id *out_id)
{
    const cl_device_partition_property size = (cl_device_partition_property)units;
    const cl_device_partition_property by_counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, size,
                                                      CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
    const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, size, 0};
    cl_int code = CL_DEVICE_PARTITION_FAILED;
    cl_device_id parts[256];
    cl_uint count = 0;
    if (dv_cl_offers(found->id, CL_DEVICE_PARTITION_BY_COUNTS))
        code = clCreateSubDevices(found->id, by_counts, 1, parts, &count);
    if (code != CL_SUCCESS && dv_cl_offers(found->id, CL_DEVICE_PARTITION_EQUALLY) && found->units / units <= 256)
        code = clCreateSubDevices(found->id, equally, 256, parts, &count);
    if (code != CL_SUCCESS || count == 0)
        return host->fail(host, DIVVY_UNSUPPORTED, "\"%s\" cannot be opened with %u of its %u compute units: %s",
                          found->name, units, found->units, dv_cl_code_name(code));
    for (cl_uint k = 1; k < count; k++)
        clReleaseDevice(parts[k]);
    *out_id = parts[0];
    return DIVVY_OK;
}

/* Sub-devices are made once and kept: PoCL frees one that is released while a thread of its own still lets go of the
 * last event, though a queue holds it. */
struct part {
    struct part *next;
    const struct dv_cl_found *of;
    unsigned units;
    cl_device_id id;
};

static struct part *parts_made;
static pthread_mutex_t parts_mutex = PTHREAD_MUTEX_INITIALIZER;

static divvy_status find_or_make_part(const divvy_host *host, const struct dv_cl_found *found, unsigned units,
                                      cl_device_id *out_id)
{
    struct part *part = parts_made;
    while (part && (part->of != found || part->units != units))
        part = part->next;
    if (!part) {
        part = calloc(1, sizeof *part);
        if (!part)
            return host->fail(host, DIVVY_NO_MEMORY, "no memory to divide \"%s\"", found->name);
        *part = (struct part){.next = parts_made, .of = found, .units = units};
        divvy_status status = divide(host, found, units, &part->id);
        if (status != DIVVY_OK) {
            free(part);
            return status;
        }
        parts_made = part;
    }
    *out_id = part->id;
    return DIVVY_OK;
}

/* The part of a device that has `units` compute units; of 0, all of it. */
static divvy_status choose_part(const divvy_host *host, const struct dv_cl_found *found, unsigned units,
                                cl_device_id *out_id)
{
    *out_id = found->id;
    if (units == 0 || units == found->units)
        return DIVVY_OK;
    if (units > found->units)
        return host->fail(host, DIVVY_LIMIT, "\"%s\" has %u compute units, and %u were asked for", found->name,
                          found->units, units);
    pthread_mutex_lock(&parts_mutex);
    divvy_status status = find_or_make_part(host, found, units, out_id);
    pthread_mutex_unlock(&parts_mutex);
    return status;
}

static divvy_status make_queues(struct dv_cl_device *device)
{
    cl_command_queue_properties properties = device->found->profiled ? CL_QUEUE_PROFILING_ENABLE : 0;
    for (unsigned k = 0; k < device->slot_count; k++) {
        cl_int code;
        device->slots[k].queue = clCreateCommandQueue(device->context, device->id, properties, &code);
        DV_CL_TRY(dv_cl_check(device, code, "making", "a queue"));
    }
    return DIVVY_OK;
}

static divvy_status make_context(struct dv_cl_device *device)
{
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->found->platform, 0};
    cl_int code;
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    DV_CL_TRY(dv_cl_check(device, code, "making", "a context"));
    device->nothing = clCreateBuffer(device->context, CL_MEM_READ_WRITE, NOTHING_BYTES, NULL, &code);
    return dv_cl_check(device, code, "making", "a buffer");
}

/* ---- Rates ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static cl_int timed_copy(const struct dv_cl_device *device, cl_mem buffer, void *host, size_t bytes, bool upload,
                         uint64_t *best_ns)
{
    cl_command_queue queue = device->slots[0].queue;
    uint64_t before_ns = device->host->now_ns();
    cl_int code = upload ? clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, bytes, host, 0, NULL, NULL)
                         : clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, bytes, host, 0, NULL, NULL);
    *best_ns = least(*best_ns, device->host->now_ns() - before_ns + 1);
    return code;
}

/* Best of a few copies between pinned memory and the device: some milliseconds at most. */
static divvy_status measure_rates(struct dv_cl_device *device, divvy_rates *out_rates)
{
    cl_int code;
    cl_mem pinned = NULL, buffer = NULL;
    void *host = NULL;
    uint64_t latency_ns = UINT64_MAX, upload_ns = UINT64_MAX, download_ns = UINT64_MAX;

    buffer = clCreateBuffer(device->context, CL_MEM_READ_WRITE, TRANSFER_BYTES, NULL, &code);
    if (code == CL_SUCCESS)
        pinned =
            clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, TRANSFER_BYTES, NULL, &code);
    if (code == CL_SUCCESS)
        host = clEnqueueMapBuffer(device->slots[0].queue, pinned, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                  TRANSFER_BYTES, 0, NULL, NULL, &code);
    if (code == CL_SUCCESS)
        memset(host, 0, TRANSFER_BYTES);
    for (int k = 0; k < LATENCY_ROUNDS && code == CL_SUCCESS; k++)
        code = timed_copy(device, buffer, host, 4, true, &latency_ns);
    for (int k = 0; k < TRANSFER_ROUNDS && code == CL_SUCCESS; k++)
        code = timed_copy(device, buffer, host, TRANSFER_BYTES, true, &upload_ns);
    for (int k = 0; k < TRANSFER_ROUNDS && code == CL_SUCCESS; k++)
        code = timed_copy(device, buffer, host, TRANSFER_BYTES, false, &download_ns);
    if (host && code == CL_SUCCESS)
        code = clEnqueueUnmapMemObject(device->slots[0].queue, pinned, host, 0, NULL, NULL);
    if (host && code == CL_SUCCESS)
        code = clFinish(device->slots[0].queue);
    if (pinned)
        clReleaseMemObject(pinned);
    if (buffer)
        clReleaseMemObject(buffer);

    DV_CL_TRY(dv_cl_check(device, code, "measuring", "transfers"));
    out_rates->latency_ns = latency_ns;
    out_rates->upload_bytes_per_s = (uint64_t)(1e9 * TRANSFER_BYTES / (double)upload_ns);
    out_rates->download_bytes_per_s = (uint64_t)(1e9 * TRANSFER_BYTES / (double)download_ns);
    return DIVVY_OK;
}

/* ---- Open and close ---- */

static divvy_status open_parts(struct dv_cl_device *device, unsigned units, divvy_rates *out_rates)
{
    DV_CL_TRY(choose_part(device->host, device->found, units, &device->id));
    DV_CL_TRY(make_context(device));
    DV_CL_TRY(make_queues(device));
    return device->found->staged ? measure_rates(device, out_rates) : DIVVY_OK;
}

divvy_status dv_cl_open(const divvy_host *host, const struct dv_cl_found *found, unsigned units,
                        struct dv_cl_device **out_device, divvy_rates *out_rates)
{
    struct dv_cl_device *device = calloc(1, sizeof *device);
    if (!device)
        return host->fail(host, DIVVY_NO_MEMORY, "no memory to open \"%s\"", found->name);
    device->host = host;
    device->found = found;
    device->units = units > 0 ? units : found->units;
    device->slot_count = found->depth;
    divvy_status status = open_parts(device, units, out_rates);
    if (status != DIVVY_OK) {
        dv_cl_close(device);
        return status;
    }
    if (found->unsafe)
        host->log(host, DIVVY_LOG_WARN, "the results of \"%s\" may be wrong: %s", found->name, found->unsafe);
    *out_device = device;
    return DIVVY_OK;
}

/* Devices that hang, and all they hold: still known, though nobody will ever ask. */
static struct dv_cl_device *left_behind;
static pthread_mutex_t left_mutex = PTHREAD_MUTEX_INITIALIZER;

static void leave_behind(struct dv_cl_device *device)
{
    device->host->log(device->host, DIVVY_LOG_WARN, "\"%s\" still hangs: its buffers are left behind",
                      device->found->name);
    pthread_mutex_lock(&left_mutex);
    device->next_left = left_behind;
    left_behind = device;
    pthread_mutex_unlock(&left_mutex);
}

void dv_cl_close(struct dv_cl_device *device)
{
    if (device->hung) {
        leave_behind(device);
        return;
    }
    dv_cl_free_arrays(device);
    for (unsigned k = 0; k < device->slot_count; k++)
        if (device->slots[k].queue)
            clReleaseCommandQueue(device->slots[k].queue);
    if (device->nothing)
        clReleaseMemObject(device->nothing);
    if (device->context)
        clReleaseContext(device->context);
    free(device);
}
