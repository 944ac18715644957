/* smallest = the smallest x[i]; infinity for none.
 *
 * count: elements of x. A NaN is passed over. On OpenCL only where the device knows double. */
#include <divvy/kernel.h>

DIVVY_KERNEL(min_double, (in, double, x), (min, double, smallest))
{
    DIVVY_FOR (i)
        smallest[DIVVY_LANE] = x[i] < smallest[DIVVY_LANE] ? x[i] : smallest[DIVVY_LANE];
}
