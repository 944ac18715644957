/* total = sum of x[i].
 *
 * count: elements of x. Each lane adds in float, the lanes in double. */
#include <divvy/kernel.h>

DIVVY_KERNEL(sum_float, (in, float, x), (sum, float, total))
{
    DIVVY_FOR (i)
        total[DIVVY_LANE] += x[i];
}
