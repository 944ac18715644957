/* Folds: how the sum, minimum or maximum of a job comes together. Lanes have the parameter's element type; partials
 * are wider (double, 64 bits), so that sums of many partitions keep their precision. Parameters are of the kinds sum,
 * min and max with an element other than OTHER. Any thread. */
#ifndef DV_FOLD_H
#define DV_FOLD_H

#include <divvy/descriptor.h>

/* Fills `lane_count` elements with the identity: 0 for sums, else the value that no other one can lose against. */
void dv_fold_open(const divvy_parameter *parameter, void *lanes, size_t lane_count);

/* Folds the lanes into *partial. */
void dv_fold_close(const divvy_parameter *parameter, const void *lanes, size_t lane_count, divvy_partial *partial);

void dv_fold_identity(const divvy_parameter *parameter, divvy_partial *out_partial);

/* Floats: a NaN is kept by sums and ignored by min and max. Integer sums wrap around. */
void dv_fold_join(const divvy_parameter *parameter, divvy_partial *into, const divvy_partial *from);

/* Writes one element: the partial converted to the parameter's type. */
void dv_fold_store(const divvy_parameter *parameter, const divvy_partial *partial, void *out);

#endif
