/* What the cases of the shipped kernels share: arrays with guards, inputs that must stay, and comparing. */
#ifndef CONFORMANCE_TRIAL_H
#define CONFORMANCE_TRIAL_H

#include "kernels_cases.h"

#include <divvy/descriptor.h>

#include <float.h>

enum { TRIAL_ARRAYS_MAX = 8 };

struct trial_array {
    unsigned char *memory; /* guard bytes, the array, guard bytes */
    size_t bytes;
    size_t shift;        /* what the array begins beyond a multiple of 64 */
    unsigned char *kept; /* what an input holds, to be compared; NULL for arrays that are written */
};

struct trial {
    const struct kernel_runner *runner;
    const char *name;
    uint64_t random;
    struct trial_array arrays[TRIAL_ARRAYS_MAX];
    size_t array_count;
};

/* An array that is not aligned to more than its element, filled with nonsense. */
void *trial_output(struct trial *t, size_t count, size_t element_bytes);

/* From here on the array made last must not change; trial_give_up: it may again. */
void trial_keep(struct trial *t);
void trial_give_up(struct trial *t);

/* Inputs: random numbers, and whole ones from -limit to limit, as floats. */
float *trial_reals(struct trial *t, size_t count, double low, double high);
float *trial_numbers(struct trial *t, size_t count, int limit);

/* Checks the guards and inputs, and frees all arrays. */
void trial_close(struct trial *t);

/* One verdict, in words. */
void trial_told(struct trial *t, bool good, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Tells the first element that is off by more than its tolerance; NULL: equal. */
void trial_compare(struct trial *t, size_t count, const float *actual, const double *expected, const double *tolerance);
void trial_equal(struct trial *t, size_t count, double actual, double expected);

/* The extent of parameter `name` must be `elements`, with `radius` rows around it. */
void trial_extent(struct trial *t, const divvy_kernel *kernel, size_t count, const void *args, const char *name,
                  size_t elements, size_t radius);

/* Runs a kernel; compares an extent. */
#define RUN(t, kernel, count, args) \
    ((t)->name = #kernel, (t)->runner->run((t)->runner->with, &kernel##_kernel, (count), &(args), sizeof(args)))
#define EXTENT(t, kernel, count, args, parameter, elements, radius) \
    ((t)->name = #kernel, trial_extent((t), &kernel##_kernel, (count), &(args), (parameter), (elements), (radius)))

/* `count` zeros, to be freed. */
double *trial_doubles(size_t count);

/* The distance of floats at 1: twice the rounding error of one operation. */
static const double eps = FLT_EPSILON;

/* ---- kernels_rows.c: those that work on rows ---- */

void check_gemv(struct trial *t, size_t rows, size_t cols);
void check_gemm(struct trial *t, size_t rows, size_t inner, size_t cols);
void check_convolve(struct trial *t, size_t height, size_t width, int radius);
void check_nlm(struct trial *t, size_t height, size_t width, size_t channels, int patch, int search);

#endif
