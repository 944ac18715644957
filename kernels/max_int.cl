/* largest = the largest x[i]; INT_MIN for none.
 *
 * count: elements of x. */
#include <divvy/kernel.h>

DIVVY_KERNEL(max_int, (in, int, x), (max, int, largest))
{
    DIVVY_FOR (i)
        largest[DIVVY_LANE] = x[i] > largest[DIVVY_LANE] ? x[i] : largest[DIVVY_LANE];
}
