/* smallest = the smallest x[i]; infinity for none.
 *
 * count: elements of x. A NaN is passed over. */
#include <divvy/kernel.h>

DIVVY_KERNEL(min_float, (in, float, x), (min, float, smallest))
{
    DIVVY_FOR (i)
        smallest[DIVVY_LANE] = x[i] < smallest[DIVVY_LANE] ? x[i] : smallest[DIVVY_LANE];
}
