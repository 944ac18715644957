#include "schedule/blocks.h"

#include "machine/fold.h"
#include "schedule/job.h"

#include <stdlib.h>

/* A 256th of the job balances dozens of devices. Beginning a block and folding its lanes takes a core about 0.1 us, so it
 * should have 4 KiB of arrays to work on, and some more where a result is large; of kernels that read less, 1024 indices.
 * Nor need it have more than 16384 indices, which the backend folds at once. */
enum {
    PARTS = 256,
    LEAST_BYTES = 4096,
    BYTES_PER_RESULT_BYTE = 16,
    LEAST_INDICES = 1024,
    ENOUGH_INDICES = 16384,
    PARTS_MAX = 4096, /* what is kept of each block adds up */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As many indices as are worth beginning a block for. */
static size_t least_size(const struct dv_job *job)
{
    size_t per_index = 0, result_bytes = 0;
    for (unsigned k = 0; k < job->kernel->parameter_count; k++) {
        per_index += job->arguments[k].stride;
        if (job->kernel->parameters[k].kind == DIVVY_KIND_result)
            result_bytes += job->kernel->parameters[k].element_bytes;
    }
    if (per_index == 0)
        return LEAST_INDICES;
    size_t by_bytes = larger((LEAST_BYTES + BYTES_PER_RESULT_BYTE * result_bytes) / per_index, 1);
    return result_bytes ? by_bytes : smaller(by_bytes, LEAST_INDICES);
}

/* Launching a block costs other devices more than it costs a core: there they are few, however many indices there are. */
size_t dv_blocks_size(const struct dv_job *job, bool on_cores)
{
    size_t least = least_size(job), size = larger(job->count / PARTS, least);
    if (on_cores)
        size = larger(smaller(size, larger(least, ENOUGH_INDICES)), job->count / PARTS_MAX);
    size = (size + DIVVY_LANES - 1) / DIVVY_LANES * DIVVY_LANES;
    return size < job->count ? size : larger(job->count, 1);
}

bool dv_blocks_begin(struct dv_blocks *blocks, const divvy_kernel *kernel, size_t count)
{
    blocks->count = count / blocks->size + (count % blocks->size != 0);
    blocks->folds = 0;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        blocks->folds += divvy_kind_is_fold(kernel->parameters[k].kind);
    size_t needed = blocks->count * blocks->folds;
    if (needed <= blocks->capacity)
        return true;
    dv_blocks_free(blocks);
    blocks->partials = malloc(needed * sizeof *blocks->partials);
    blocks->capacity = blocks->partials ? needed : 0;
    return blocks->partials != NULL;
}

void dv_blocks_free(struct dv_blocks *blocks)
{
    free(blocks->partials);
    blocks->partials = NULL;
    blocks->capacity = 0;
}

size_t dv_blocks_round(const struct dv_blocks *blocks, size_t size, size_t count)
{
    size_t beyond = size % blocks->size;
    return beyond && size < count ? size + (blocks->size - beyond) : size;
}

void dv_blocks_keep(struct dv_blocks *blocks, const divvy_kernel *kernel, size_t first, const divvy_partial *partials)
{
    divvy_partial *kept = blocks->partials + first / blocks->size * blocks->folds;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind))
            *kept++ = partials[k];
}

divvy_partial dv_blocks_fold(struct dv_blocks *blocks, const divvy_kernel *kernel, unsigned k)
{
    const divvy_parameter *parameter = &kernel->parameters[k];
    size_t step = blocks->folds, fold = 0;
    for (unsigned before = 0; before < k; before++)
        fold += divvy_kind_is_fold(kernel->parameters[before].kind);
    divvy_partial *of = blocks->partials + fold, total;
    for (size_t left = blocks->count; left > 1; left = left / 2 + left % 2) {
        for (size_t pair = 0; pair < left / 2; pair++) {
            divvy_partial joined = of[2 * pair * step];
            dv_fold_join(parameter, &joined, &of[(2 * pair + 1) * step]);
            of[pair * step] = joined;
        }
        if (left % 2)
            of[left / 2 * step] = of[(left - 1) * step];
    }
    dv_fold_identity(parameter, &total);
    if (blocks->count)
        dv_fold_join(parameter, &total, of);
    return total;
}

unsigned dv_blocks_level(const struct dv_blocks *blocks, size_t first, unsigned level)
{
    size_t at = first / blocks->size >> level, last = (blocks->count - 1) >> level;
    for (; at == last && at > 0 && at % 2 == 0; at /= 2, last /= 2)
        level++;
    return level;
}

bool dv_blocks_are_siblings(const struct dv_blocks *blocks, size_t early, size_t late, unsigned level)
{
    size_t a = early / blocks->size >> level, b = late / blocks->size >> level;
    return a % 2 == 0 && b == a + 1;
}
