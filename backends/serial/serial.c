/* The serial backend: one device, the thread that waits; everything in one partition. For debugging, and to compare
 * with. Loaded only when it is named. */
#include "../cpu/level.h"

static const divvy_host *the_host;
static const char *the_level;

static divvy_status probe(const divvy_host *host)
{
    the_host = host;
    divvy_status status = level_choose(host, &the_level);
    if (status != DIVVY_OK)
        return status;
    return host->add_device(host, &(divvy_device_facts){.size = sizeof(divvy_device_facts),
                                                        .name = "the calling thread",
                                                        .device_class = "serial",
                                                        .driver = the_level,
                                                        .address = "",
                                                        .type = DIVVY_CORE,
                                                        .units = 1,
                                                        .cores = 1,
                                                        .depth = 1,
                                                        .granule = 1});
}

static divvy_status open(const divvy_host *host, const divvy_device_facts *facts, void **out_device, divvy_rates *out_rates)
{
    (void)host, (void)facts;
    static char thread;
    *out_device = &thread; /* there is nothing to keep */
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
    .name = "serial",
    .sanitizer = DIVVY_SANITIZER,
    .features = DIVVY_BACKEND_EAGER | DIVVY_BACKEND_BY_NAME,
    .probe = probe,
    .open = open,
    .close = close,
    .load = load,
    .unload = unload,
    .start = start,
    .finish = finish,
};
