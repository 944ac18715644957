/* The shipped kernels through the library, on one backend alone and together with the cores. */
#ifndef CONFORMANCE_KERNELS_H
#define CONFORMANCE_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

struct kernels_wish {
    const char *path;   /* of the plugin */
    const char *name;   /* of the backend */
    const char *filter; /* of its devices, or NULL */
    bool quick;
    uint64_t seed;
};

void kernels_check(const struct kernels_wish *wish);

bool kernels_has_group(const char *name);
void kernels_list(void);

#endif
