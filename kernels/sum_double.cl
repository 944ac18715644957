/* total = sum of x[i].
 *
 * count: elements of x. On OpenCL only where the device knows double. */
#include <divvy/kernel.h>

DIVVY_KERNEL(sum_double, (in, double, x), (sum, double, total))
{
    DIVVY_FOR (i)
        total[DIVVY_LANE] += x[i];
}
