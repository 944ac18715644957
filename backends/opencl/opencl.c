/* The OpenCL backend's face: what the runtime calls, each call guarded against the end of the process. */
#include "opencl.h"

#include <stdlib.h>

static divvy_status ending(const divvy_host *host)
{
    return host->fail(host, DIVVY_DEVICE_LOST, "the process is ending");
}

static divvy_status probe(const divvy_host *host)
{
    if (!dv_cl_enter())
        return ending(host);
    struct dv_cl_watch watched; /* drivers register destructors as they load */
    dv_cl_guard_exit(host);
    dv_cl_watch_begin(&watched);
    divvy_status status = dv_cl_probe(host);
    dv_cl_watch_end(&watched);
    dv_cl_leave();
    return status;
}

static divvy_status open_device(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                                divvy_rates *out_rates)
{
    *out_device = NULL;
    *out_rates = (divvy_rates){0};
    const struct dv_cl_found *found = dv_cl_found_at(facts->handle);
    if (!found)
        return host->fail(host, DIVVY_NOT_FOUND, "there is no device %llu", (unsigned long long)facts->handle);
    if (!dv_cl_enter())
        return ending(host);
    struct dv_cl_device *device = NULL;
    divvy_status status = dv_cl_open(host, found, facts->units, &device, out_rates);
    dv_cl_leave();
    *out_device = device;
    return status;
}

static void close_device(void *device)
{
    if (!device || !dv_cl_enter())
        return;
    dv_cl_close(device);
    dv_cl_leave();
}

static divvy_status load(void *opaque, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    struct dv_cl_device *device = opaque;
    *out_loaded = (divvy_loaded){0};
    if (!dv_cl_enter())
        return ending(device->host);
    struct dv_cl_watch watched;
    dv_cl_watch_begin(&watched);
    divvy_status status = dv_cl_load(device, kernel, out_loaded);
    dv_cl_watch_end(&watched);
    dv_cl_leave();
    return status;
}

static void unload(void *device, void *loaded)
{
    if (!loaded || !dv_cl_enter())
        return;
    dv_cl_unload(device, loaded);
    dv_cl_leave();
}

/* A partition in flight counts as a call in progress until it is finished. */
static divvy_status start(void *opaque, divvy_partition *partition)
{
    struct dv_cl_device *device = opaque;
    if (!dv_cl_enter())
        return ending(device->host);
    divvy_status status = dv_cl_start(device, partition);
    if (status != DIVVY_OK)
        dv_cl_leave();
    return status;
}

static divvy_outcome finish(void *opaque, divvy_partition *partition, uint64_t deadline_ns)
{
    struct dv_cl_device *device = opaque;
    if (!dv_cl_alive()) {
        (void)ending(device->host);
        return DIVVY_FAILED;
    }
    divvy_outcome outcome = dv_cl_finish(device, partition, deadline_ns);
    dv_cl_leave();
    return outcome;
}

const divvy_backend divvy_plugin = {
    .size = sizeof(divvy_backend),
    .abi = DIVVY_BACKEND_ABI,
    .name = "opencl",
    .sanitizer = DIVVY_SANITIZER,
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .load = load,
    .unload = unload,
    .start = start,
    .finish = finish,
};
