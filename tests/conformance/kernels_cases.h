/* The shipped kernels against plain C: one reference for the C forms called directly and for every backend. */
#ifndef KERNELS_CASES_H
#define KERNELS_CASES_H

#include <divvy.h>

/* How kernels are run, and who hears how it went. */
struct kernel_runner {
    /* Runs a kernel over [0, count). False: it cannot run here, and its results are not looked at; a failure is the
     * runner's to report. */
    bool (*run)(void *with, const divvy_kernel *kernel, size_t count, const void *args, size_t args_size);
    /* One check: whether it holds, and what was seen if it does not. */
    void (*verdict)(void *with, bool good, const char *text);
    void *with;
    size_t most; /* indices of one job */
    bool small;  /* small inputs, for simulators */
};

/* Runs every shipped kernel on random inputs of many shapes. */
void check_kernels(const struct kernel_runner *runner, uint64_t seed);

#endif
