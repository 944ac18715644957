/* The cpu backend: one device per core, which runs the C form of a kernel on the thread that asks. */
#include "forms.h"

#include <stdio.h>

static divvy_status probe(const divvy_host *host)
{
    const char *level;
    divvy_status status = forms_begin(host, &level);
    for (unsigned core = 0; core < host->core_count && status == DIVVY_OK; core++) {
        char name[32], device_class[64];
        snprintf(name, sizeof name, "core %u", core);
        snprintf(device_class, sizeof device_class, "cpu %s", level);
        status = host->add_device(host, &(divvy_device_facts){.size = sizeof(divvy_device_facts),
                                                              .name = name,
                                                              .device_class = device_class,
                                                              .driver = level,
                                                              .address = name,
                                                              .type = DIVVY_CORE,
                                                              .handle = core,
                                                              .units = 1,
                                                              .cores = 1,
                                                              .depth = 1,
                                                              .granule = 1});
    }
    return status;
}

const divvy_backend divvy_plugin = {
    .size = sizeof(divvy_backend),
    .abi = DIVVY_BACKEND_ABI,
    .name = "cpu",
    .sanitizer = DIVVY_SANITIZER,
    .features = DIVVY_BACKEND_EAGER,
    .probe = probe,
    .open = forms_open,
    .close = forms_close,
    .load = forms_load,
    .unload = forms_unload,
    .start = forms_start,
    .finish = forms_finish,
};
