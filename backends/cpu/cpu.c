/* The cpu backend: one device per core, which runs the C form of a kernel on the thread that asks. */
#include "level.h"

#include <stdio.h>

static const divvy_host *the_host;
static const char *the_level;

static divvy_status probe(const divvy_host *host)
{
    divvy_status status = level_choose(host, &the_level);
    the_host = host;
    for (unsigned core = 0; core < host->core_count && status == DIVVY_OK; core++) {
        char name[32], address[32], class[64];
        snprintf(name, sizeof name, "core %u", core);
        snprintf(address, sizeof address, "core %u", core);
        snprintf(class, sizeof class, "cpu %s", the_level);
        status = host->add_device(host, &(divvy_device_facts){.size = sizeof(divvy_device_facts),
                                                              .name = name,
                                                              .device_class = class,
                                                              .driver = the_level,
                                                              .address = address,
                                                              .type = DIVVY_CORE,
                                                              .handle = core,
                                                              .units = 1,
                                                              .cores = 1,
                                                              .depth = 1,
                                                              .granule = 1});
    }
    return status;
}

static divvy_status open(const divvy_host *host, const divvy_device_facts *facts, void **out_device, divvy_rates *out_rates)
{
    (void)host, (void)facts;
    static char a_core;
    *out_device = &a_core; /* a core keeps nothing */
    *out_rates = (divvy_rates){0};
    return DIVVY_OK;
}

static void close(void *device)
{
    (void)device;
}

static divvy_status load(void *device, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    (void)device;
    /* ISO C has no conversion from functions to objects, but every system with dlopen does. */
    union {
        divvy_body *body;
        void *kernel;
    } form = {.body = level_form(kernel, the_level)};
    *out_loaded = (divvy_loaded){.kernel = form.kernel, .granule = 1, .fixed_ns = 50};
    return DIVVY_OK;
}

static void unload(void *device, void *loaded)
{
    (void)device, (void)loaded;
}

static divvy_status start(void *device, divvy_partition *partition)
{
    (void)device, (void)partition;
    return DIVVY_OK; /* it runs where it is waited for */
}

static divvy_outcome finish(void *device, divvy_partition *partition, uint64_t deadline_ns)
{
    (void)device, (void)deadline_ns;
    union {
        void *kernel;
        divvy_body *body;
    } form = {.kernel = partition->loaded};
    partition->touched = true;
    level_run(the_host, form.body, partition);
    return DIVVY_DONE;
}

const divvy_backend divvy_plugin = {
    .size = sizeof(divvy_backend),
    .abi = DIVVY_BACKEND_ABI,
    .name = "cpu",
    .sanitizer = DIVVY_SANITIZER,
    .features = DIVVY_BACKEND_EAGER,
    .probe = probe,
    .open = open,
    .close = close,
    .load = load,
    .unload = unload,
    .start = start,
    .finish = finish,
};
