/* largest = the largest x[i]; -infinity for none.
 *
 * count: elements of x. A NaN is passed over. On OpenCL only where the device knows double. */
#include <divvy/kernel.h>

DIVVY_KERNEL(max_double, (in, double, x), (max, double, largest))
{
    DIVVY_FOR (i)
        largest[DIVVY_LANE] = x[i] > largest[DIVVY_LANE] ? x[i] : largest[DIVVY_LANE];
}
