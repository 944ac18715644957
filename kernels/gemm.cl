/* C[i][j] = sum over k of A[i][k] B[k][j], a matrix times a matrix.
 *
 * count: rows of A and C. A has inner columns, B inner rows and cols columns, C cols columns, all row by row.
 *
 * Goes by blocks of B, GEMM_DEPTH rows by GEMM_LANES columns, so that the block in use stays near the core for all
 * rows of a partition and the sums of a row stay in registers. A thread that takes many rows copies the block first:
 * its rows lie far apart in B, and if cols is a power of two, caches have room for few of them. */
#include <divvy/kernel.h>

enum { GEMM_LANES = 64, GEMM_DEPTH = 128, GEMM_COPY = 6 };

/* Adds `depth` products to each of `lanes` elements of a row of C, or begins them. */
static inline void gemm_block(DIVVY_GLOBAL const float *row, DIVVY_GLOBAL const float *B, int depth, int cols,
                              bool begin, DIVVY_GLOBAL float *out, int lanes)
{
    float sum[GEMM_LANES];
    DIVVY_FOR_LANES (l, lanes)
        sum[l] = begin ? 0.0f : out[l];
    for (int k = 0; k < depth; k++)
        DIVVY_FOR_LANES (l, lanes)
            sum[l] += row[k] * B[(ulong)k * cols + l];
    DIVVY_FOR_LANES (l, lanes)
        out[l] = sum[l];
}

/* The same with a copy of the block, GEMM_LANES columns wide. */
static inline void gemm_copied(DIVVY_GLOBAL const float *row, const float *copy, int depth, bool begin,
                               DIVVY_GLOBAL float *out)
{
    float sum[GEMM_LANES];
    DIVVY_FOR_LANES (l, GEMM_LANES)
        sum[l] = begin ? 0.0f : out[l];
    for (int k = 0; k < depth; k++)
        DIVVY_FOR_LANES (l, GEMM_LANES)
            sum[l] += row[k] * copy[k * GEMM_LANES + l];
    DIVVY_FOR_LANES (l, GEMM_LANES)
        out[l] = sum[l];
}

DIVVY_KERNEL(gemm, (value, int, inner), (value, int, cols), (in, float, A, inner), (all, float, B, (size_t)inner *cols),
             (out, float, C, cols))
{
    float copy[GEMM_DEPTH * GEMM_LANES];
    for (int first = 0; first < cols; first += GEMM_LANES)
        for (int k = 0; k < inner; k += GEMM_DEPTH) {
            int depth = inner - k < GEMM_DEPTH ? inner - k : GEMM_DEPTH;
            int lanes = cols - first < GEMM_LANES ? cols - first : GEMM_LANES;
            bool copied = DIVVY_RUN >= GEMM_COPY && lanes == GEMM_LANES;
            DIVVY_GLOBAL const float *block = B + (ulong)k * cols + first;
            if (copied)
                for (int d = 0; d < depth; d++)
                    DIVVY_FOR_LANES (l, GEMM_LANES)
                        copy[d * GEMM_LANES + l] = block[(ulong)d * cols + l];
            DIVVY_FOR (i) {
                DIVVY_GLOBAL const float *row = A + i * inner + k;
                DIVVY_GLOBAL float *out = C + i * cols + first;
                if (copied)
                    gemm_copied(row, copy, depth, k == 0, out);
                else if (lanes == GEMM_LANES)
                    gemm_block(row, block, depth, cols, k == 0, out, GEMM_LANES);
                else
                    gemm_block(row, block, depth, cols, k == 0, out, lanes);
            }
        }
}
