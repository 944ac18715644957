/* smallest = the smallest x[i]; INT_MAX for none.
 *
 * count: elements of x. */
#include <divvy/kernel.h>

DIVVY_KERNEL(min_int, (in, int, x), (min, int, smallest))
{
    DIVVY_FOR (i)
        smallest[DIVVY_LANE] = x[i] < smallest[DIVVY_LANE] ? x[i] : smallest[DIVVY_LANE];
}
