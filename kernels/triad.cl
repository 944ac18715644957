/* z[i] = x[i] + a y[i], the fourth kernel of STREAM (McCalpin: Memory bandwidth and machine balance, 1995).
 *
 * count: elements of x, y and z. Moves 12 bytes per index. */
#include <divvy/kernel.h>

DIVVY_KERNEL(triad, (value, float, a), (in, float, x), (in, float, y), (out, float, z))
{
    DIVVY_FOR (i)
        z[i] = x[i] + a * y[i];
}
