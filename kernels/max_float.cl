/* largest = the largest x[i]; -infinity for none.
 *
 * count: elements of x. A NaN is passed over. */
#include <divvy/kernel.h>

DIVVY_KERNEL(max_float, (in, float, x), (max, float, largest))
{
    DIVVY_FOR (i)
        largest[DIVVY_LANE] = x[i] > largest[DIVVY_LANE] ? x[i] : largest[DIVVY_LANE];
}
