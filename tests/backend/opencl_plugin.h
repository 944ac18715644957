/* The opencl plugin, loaded and probed by the host of the conformance suite. */
#ifndef OPENCL_PLUGIN_H
#define OPENCL_PLUGIN_H

#include "../check.h"
#include "../conformance/host.h"

static const divvy_backend *backend;

static inline void load_plugin(void)
{
    const char *why;
    host_seen.backend = "opencl";
    host_seen.verbose = getenv("CHECK_DEBUG") != NULL;
    backend = host_load(OPENCL_PLUGIN, &why);
    if (!backend) {
        fprintf(stderr, "%s\n", why);
        exit(EXIT_FAILURE);
    }
    CHECK_EQ(host_probe(backend), DIVVY_OK);
}

#endif
