/* The serial backend: one device, the thread that waits. For debugging, and to compare with. Loaded only when it is
 * named. */
#include "../cpu/forms.h"

static divvy_status probe(const divvy_host *host)
{
    const char *level;
    divvy_status status = forms_begin(host, &level);
    if (status != DIVVY_OK)
        return status;
    return host->add_device(host, &(divvy_device_facts){.size = sizeof(divvy_device_facts),
                                                        .name = "the calling thread",
                                                        .device_class = "serial",
                                                        .driver = level,
                                                        .address = "",
                                                        .type = DIVVY_CORE,
                                                        .units = 1,
                                                        .cores = 1,
                                                        .depth = 1,
                                                        .granule = 1});
}

const divvy_backend divvy_plugin = {
    .size = sizeof(divvy_backend),
    .abi = DIVVY_BACKEND_ABI,
    .name = "serial",
    .sanitizer = DIVVY_SANITIZER,
    .features = DIVVY_BACKEND_EAGER | DIVVY_BACKEND_BY_NAME,
    .probe = probe,
    .open = forms_open,
    .close = forms_close,
    .load = forms_load,
    .unload = forms_unload,
    .start = forms_start,
    .finish = forms_finish,
};
