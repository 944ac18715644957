/* C[i][j] = sum over k of A[i][k] B[k][j], a matrix times a matrix.
 *
 * count: rows of A and C. A has inner columns, B inner rows and cols columns, C cols columns, all row by row.
 *
 * Goes by blocks of B, GEMM_DEPTH rows by GEMM_LANES columns, so that the block in use stays near the core for all
 * rows of a partition and the sums of a row stay in registers. */
#include <divvy/kernel.h>

enum { GEMM_LANES = 64, GEMM_DEPTH = 128 };

/* Adds `depth` products to each of GEMM_LANES elements of a row of C, or begins them. */
static inline void gemm_block(DIVVY_GLOBAL const float *row, DIVVY_GLOBAL const float *B, int depth, int cols,
                              bool begin, DIVVY_GLOBAL float *out)
{
    float sum[GEMM_LANES];
    for (int l = 0; l < GEMM_LANES; l++)
        sum[l] = begin ? 0.0f : out[l];
    for (int k = 0; k < depth; k++)
        for (int l = 0; l < GEMM_LANES; l++)
            sum[l] += row[k] * B[(ulong)k * cols + l];
    for (int l = 0; l < GEMM_LANES; l++)
        out[l] = sum[l];
}

/* The same for the columns that fill no block. */
static inline void gemm_rest(DIVVY_GLOBAL const float *row, DIVVY_GLOBAL const float *B, int depth, int cols,
                             bool begin, DIVVY_GLOBAL float *out, int lanes)
{
    float sum[GEMM_LANES];
    for (int l = 0; l < lanes; l++)
        sum[l] = begin ? 0.0f : out[l];
    for (int k = 0; k < depth; k++)
        for (int l = 0; l < lanes; l++)
            sum[l] += row[k] * B[(ulong)k * cols + l];
    for (int l = 0; l < lanes; l++)
        out[l] = sum[l];
}

DIVVY_KERNEL(gemm, (value, int, inner), (value, int, cols), (in, float, A, inner), (all, float, B, (size_t)inner *cols),
             (out, float, C, cols))
{
    for (int first = 0; first < cols; first += GEMM_LANES)
        for (int k = 0; k < inner; k += GEMM_DEPTH) {
            int depth = inner - k < GEMM_DEPTH ? inner - k : GEMM_DEPTH;
            int lanes = cols - first < GEMM_LANES ? cols - first : GEMM_LANES;
            DIVVY_GLOBAL const float *block = B + (ulong)k * cols + first;
            DIVVY_FOR (i) {
                if (lanes == GEMM_LANES)
                    gemm_block(A + i * inner + k, block, depth, cols, k == 0, C + i * cols + first);
                else
                    gemm_rest(A + i * inner + k, block, depth, cols, k == 0, C + i * cols + first, lanes);
            }
        }
}
