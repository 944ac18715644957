/* Kernels in double precision: a file of their own, since devices without it cannot build any of its kernels. */
#include <divvy/kernel.h>

DIVVY_KERNEL(doubled, (value, double, by), (in, float, x), (out, double, y))
{
    DIVVY_FOR (i)
        y[i] = x[i] * by;
}

DIVVY_KERNEL(folded, (in, int, x), (sum, double, total), (min, double, low), (max, double, high))
{
    DIVVY_FOR (i) {
        total[DIVVY_LANE] += x[i];
        low[DIVVY_LANE] = x[i] < low[DIVVY_LANE] ? x[i] : low[DIVVY_LANE];
        high[DIVVY_LANE] = x[i] > high[DIVVY_LANE] ? x[i] : high[DIVVY_LANE];
    }
}
