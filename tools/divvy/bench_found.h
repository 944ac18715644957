/* The OpenCL devices of this machine, for the benches. */
#ifndef BENCH_FOUND_H
#define BENCH_FOUND_H

#include <stdbool.h>

struct bench_found {
    unsigned index; /* "opencl:<index>" */
    unsigned units;
    bool of_cores; /* made of the host's cores */
    char name[64];
};

/* Looks once, in a process of its own: drivers' threads inherit what the process that opens them is bound to, and each
 * bench binds differently. Valid for ever. */
unsigned bench_find_devices(const struct bench_found **out_found);

#endif
