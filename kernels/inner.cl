/* total = sum of x[i] y[i], the inner product of two vectors.
 *
 * count: elements of x and y. Each lane adds in float, the lanes in double. */
#include <divvy/kernel.h>

DIVVY_KERNEL(inner, (in, float, x), (in, float, y), (sum, float, total))
{
    DIVVY_FOR (i)
        total[DIVVY_LANE] += x[i] * y[i];
}
