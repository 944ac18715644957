/* The shipped kernels against plain C: one reference for the C forms called directly and for every backend. */
#ifndef KERNELS_CASES_H
#define KERNELS_CASES_H

#include <divvy.h>

#include <stdbool.h>

/* How a kernel is run over [0, count). False: it cannot run here, and its results are not looked at; a failure is the
 * runner's to report. */
typedef bool kernel_runner(void *with, const divvy_kernel *kernel, size_t count, const void *args, size_t args_size);

/* Runs every shipped kernel on random inputs of many shapes, over at most `most` indices. Returns how many checks
 * failed. */
int check_kernels(kernel_runner *run, void *with, uint64_t seed, size_t most);

#endif
