/* total = sum of x[i].
 *
 * count: elements of x. The total has 64 bits and is the same in every run. */
#include <divvy/kernel.h>

DIVVY_KERNEL(sum_int, (in, int, x), (sum, int64_t, total))
{
    DIVVY_FOR (i)
        total[DIVVY_LANE] += x[i];
}
