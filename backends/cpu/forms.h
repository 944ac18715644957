/* Running the C forms of kernels on the thread that asks: what the backends cpu and serial share. Each of them has its
 * own copy, since each is a plugin. */
#ifndef FORMS_H
#define FORMS_H

#include <divvy/backend.h>

/* First of all: chooses the best level that the processor supports, or the one that DIVVY_<BACKEND>_LEVEL names.
 * UNSUPPORTED if the processor lacks it, INVALID with the known ones if there is none of that name. */
divvy_status forms_begin(const divvy_host *host, const char **out_level);

/* The functions of a backend whose devices are threads. They keep nothing, so that any number of devices may share
 * them. */
divvy_status forms_open(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                        divvy_rates *out_rates);
void forms_close(void *device);
divvy_status forms_load(void *device, const divvy_kernel *kernel, divvy_loaded *out_loaded);
void forms_unload(void *device, void *loaded);
divvy_status forms_start(void *device, divvy_partition *partition);
divvy_outcome forms_finish(void *device, divvy_partition *partition, uint64_t deadline_ns);

#endif
