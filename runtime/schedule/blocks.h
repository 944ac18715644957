/* Fixed blocks: what makes a job reproducible.
 *
 * In which order floating-point numbers are added, and where a compiler's vectors end and its scalar rest begins, depends
 * on where a partition is cut, hence on timing. A reproducible job is computed in blocks instead, whose bounds follow
 * from the kernel, its extents and the count alone. Partitions are whole numbers of blocks, the kernel is called for one
 * block at a time, and what the blocks give, folds and results, is put together in a fixed tree of neighbours:
 *
 *     ((0 1) (2 3)) ((4 5) 6)
 *
 * So the bits depend on the data and on the kind of device that computes them, and on nothing else. */
#ifndef DV_BLOCKS_H
#define DV_BLOCKS_H

#include <divvy/descriptor.h>

struct dv_job;

struct dv_blocks {
    size_t size;  /* indices per block, a multiple of DIVVY_LANES if there are several; 0: the job has no blocks */
    size_t count; /* of the whole job */
    size_t folds; /* of the kernel */
    divvy_partial *partials; /* of each block, one for each fold; each written once, by whoever accepts the block */
    size_t capacity;
};

/* How many indices a block of this job has on cores, or on other devices. Its arguments are resolved. */
size_t dv_blocks_size(const struct dv_job *job, bool on_cores);

/* Room for the partials of a job whose blocks have their size. NO_MEMORY is told by false. */
bool dv_blocks_begin(struct dv_blocks *blocks, const divvy_kernel *kernel, size_t count);
void dv_blocks_free(struct dv_blocks *blocks);

/* A size in whole blocks: the next larger one, unless it is the whole job. */
size_t dv_blocks_round(const struct dv_blocks *blocks, size_t size, size_t count);

/* Keeps the folds of the block that begins at `first`; `partials` has one for each parameter. */
void dv_blocks_keep(struct dv_blocks *blocks, const divvy_kernel *kernel, size_t first, const divvy_partial *partials);

/* Folds what all blocks gave for parameter `k`. Once: the partials are used up. */
divvy_partial dv_blocks_fold(struct dv_blocks *blocks, const divvy_kernel *kernel, unsigned k);

/* The lowest level, from `level` on, at which the subtree that begins at index `first` has a sibling, or is all there
 * is: block b is a subtree of level 0. */
unsigned dv_blocks_level(const struct dv_blocks *blocks, size_t first, unsigned level);

/* Whether two subtrees of one level, the earlier one first, are siblings. */
bool dv_blocks_are_siblings(const struct dv_blocks *blocks, size_t early, size_t late, unsigned level);

#endif
