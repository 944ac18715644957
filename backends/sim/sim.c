#include "sim.h"

#include "../cpu/forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* Read by probe, which comes once, and kept for ever. */
static struct scenario *the_scenario;

/* A core of a scenario takes none of the host's, so it is no core here. */
static divvy_status add(const divvy_host *host, size_t index)
{
    const struct scenario_device *traits = &the_scenario->devices[index];
    char device_class[sizeof traits->device_class + 8], driver[sizeof the_scenario->name + 16];
    snprintf(device_class, sizeof device_class, "sim %s", traits->device_class);
    snprintf(driver, sizeof driver, "scenario %s", the_scenario->name);
    return host->add_device(host,
                            &(divvy_device_facts){.size = sizeof(divvy_device_facts),
                                                  .name = traits->name,
                                                  .device_class = device_class,
                                                  .driver = *the_scenario->name ? driver : "scenario",
                                                  .address = "",
                                                  .type = traits->type == SCENARIO_GPU ? DIVVY_GPU : DIVVY_ACCELERATOR,
                                                  .handle = index,
                                                  .units = 1,
                                                  .staged = traits->staged,
                                                  .depth = traits->depth,
                                                  .granule = traits->granule,
                                                  .memory_bytes = traits->memory_bytes,
                                                  .max_slice_bytes = traits->max_slice_bytes});
}

static divvy_status probe(const divvy_host *host)
{
    const char *path = host->option(host, ""), *level;
    char error[512];
    if (!path)
        return host->fail(host, DIVVY_INVALID, "DIVVY_SIM must name the file of a scenario");
    the_scenario = scenario_read_file(path, error, sizeof error);
    if (!the_scenario)
        return host->fail(host, DIVVY_INVALID, "%s: %s", path, error);
    divvy_status status = forms_begin(host, &level);
    for (size_t index = 0; index < the_scenario->device_count && status == DIVVY_OK; index++)
        status = add(host, index);
    return status;
}

static divvy_status open_device(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                                divvy_rates *out_rates)
{
    struct device *device = calloc(1, sizeof *device);
    uint64_t end;
    if (!device)
        return host->fail(host, DIVVY_NO_MEMORY, "there is no memory for \"%s\"", facts->name);
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* this worker is awake 17 us after its time, not 70 */
    device->host = host;
    device->scenario = the_scenario;
    device->traits = &the_scenario->devices[facts->handle];
    model_init(&device->model, the_scenario, device->traits);
    bool opens = model_open(&device->model, host->now_ns(), &end);
    sim_sleep_until(host, end);
    if (!opens) {
        free(device);
        return host->fail(host, DIVVY_NO_DEVICE, "\"%s\" does not open, as the scenario says", facts->name);
    }
    *out_device = device;
    *out_rates = (divvy_rates){
        .latency_ns = (uint64_t)device->traits->stated.latency_ns,
        .upload_bytes_per_s = (uint64_t)device->traits->stated.upload_bytes_per_s,
        .download_bytes_per_s = (uint64_t)device->traits->stated.download_bytes_per_s,
    };
    return DIVVY_OK;
}

/* Kernels that are still loaded go with the device. */
static void close_device(void *opened)
{
    struct device *device = opened;
    while (device->kernels) {
        struct kernel *next = device->kernels->next;
        free(device->kernels);
        device->kernels = next;
    }
    sim_free_copies(device);
    free(device);
}

static divvy_status load(void *opened, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    struct device *device = opened;
    const divvy_host *host = device->host;
    uint64_t begin = host->now_ns(), end;
    if (kernel->flags & DIVVY_KERNEL_HOST)
        return host->fail(host, DIVVY_UNSUPPORTED, "%s is a host kernel: it runs on cores only", kernel->name);
    bool builds = model_build(&device->model, begin, &end);
    sim_sleep_until(host, end);
    if (!builds)
        return host->fail(host, DIVVY_BUILD_FAILED, "%s does not build for \"%s\", as the scenario says", kernel->name,
                          device->traits->name);
    struct kernel *loaded = calloc(1, sizeof *loaded);
    divvy_loaded form;
    if (!loaded)
        return host->fail(host, DIVVY_NO_MEMORY, "there is no memory for %s", kernel->name);
    forms_load(NULL, kernel, &form);
    *loaded = (struct kernel){
        .next = device->kernels,
        .form = form.kernel,
        .kind = scenario_kernel(device->scenario, kernel->name),
    };
    device->kernels = loaded;
    *out_loaded = (divvy_loaded){
        .kernel = loaded, .fixed_ns = (uint64_t)device->traits->stated.fixed_ns, .build_ns = host->now_ns() - begin};
    return DIVVY_OK;
}

static void unload(void *opened, void *loaded)
{
    struct device *device = opened;
    struct kernel **link = &device->kernels, *kernel = loaded;
    while (*link != kernel)
        link = &(*link)->next;
    *link = kernel->next;
    free(kernel);
}

const divvy_backend divvy_plugin = {
    .size = sizeof(divvy_backend),
    .abi = DIVVY_BACKEND_ABI,
    .name = "sim",
    .sanitizer = DIVVY_SANITIZER,
    .features = DIVVY_BACKEND_BY_NAME,
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .load = load,
    .unload = unload,
    .start = sim_start,
    .finish = sim_finish,
};
