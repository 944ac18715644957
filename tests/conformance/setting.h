/* Kernels with arguments: what partitions are tried on, and what must come out. */
#ifndef CONFORMANCE_SETTING_H
#define CONFORMANCE_SETTING_H

#include "arrays.h"

#include <divvy/descriptor.h>

/* A kernel with its values, and what its arrays hold: one letter a parameter, '.' for those that have no array. */
struct subject {
    const divvy_kernel *kernel;
    const void *args;
    const char *letters;
    bool doubles; /* needs double precision */
};

enum {
    SUBJECT_SCALED,
    SUBJECT_SPREAD,
    SUBJECT_GATHER,
    SUBJECT_AROUND,
    SUBJECT_PLACES,
    SUBJECT_SUMS,
    SUBJECT_EXTREMES,
    SUBJECT_RARE,
    SUBJECT_DIVIDED,
    SUBJECT_MANY,
    SUBJECT_SLOW,
    SUBJECT_DOUBLED,
    SUBJECT_FOLDED,
    SUBJECTS,
};
extern const struct subject subjects[SUBJECTS];

/* The most indices that one partition of a subject may have, given what a device can allocate, and at most `most`. */
size_t subject_most(const struct subject *subject, uint64_t max_slice_bytes, uint64_t memory_bytes, size_t most);

/* Arguments of a job of `total` indices, of whose arrays the rows [low, high) exist. The same for the same seed. */
struct setting {
    const struct subject *subject;
    const divvy_kernel *kernel;
    size_t total, low, high;
    unsigned in_flight; /* partitions */
    _Alignas(16) char args[1024];
    struct array arrays[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
};
void setting_open(struct setting *setting, const struct subject *subject, size_t total, size_t low, size_t high,
                  uint64_t seed);
void setting_close(struct setting *setting);

/* What a partition of the job may see of its arrays must lie in [low, high): the rows around it, for halos. */
void setting_window(const struct subject *subject, size_t first, size_t count, size_t total, size_t *out_low,
                    size_t *out_high);

/* Runs the C form on a partition, the way the runtime would. */
void setting_compute(struct setting *setting, size_t first, size_t count);

/* All arrays; arrays that kernels only read stay readable at most if `in_place`. */
void setting_allow(struct setting *setting, enum array_access access);
void setting_allow_in_place(struct setting *setting);

/* Writes the values of another seed into the arrays that are read. */
void setting_refill(struct setting *setting, uint64_t seed);

#endif
