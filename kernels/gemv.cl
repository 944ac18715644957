/* y[i] = sum over k of A[i][k] x[k], a matrix times a vector.
 *
 * count: rows of A and elements of y. A row by row, cols elements each. Sums are taken in GEMV_LANES parts. */
#include <divvy/kernel.h>

enum { GEMV_LANES = 64 };

DIVVY_KERNEL(gemv, (value, int, cols), (in, float, A, cols), (all, float, x, cols), (out, float, y))
{
    DIVVY_FOR (i) {
        DIVVY_GLOBAL const float *row = A + i * cols;
        float part[GEMV_LANES];
        DIVVY_FOR_LANES (l, GEMV_LANES)
            part[l] = 0.0f;
        int k = 0;
        for (; k <= cols - GEMV_LANES; k += GEMV_LANES)
            DIVVY_FOR_LANES (l, GEMV_LANES)
                part[l] += row[k + l] * x[k + l];
        for (int l = 0; k + l < cols; l++)
            part[l] += row[k + l] * x[k + l];
        float total = 0.0f;
        DIVVY_FOR_LANES (l, GEMV_LANES / 4)
            part[l] += part[GEMV_LANES / 4 + l] + (part[GEMV_LANES / 2 + l] + part[3 * GEMV_LANES / 4 + l]);
        for (int l = 0; l < GEMV_LANES / 4; l++)
            total += part[l];
        y[i] = total;
    }
}
