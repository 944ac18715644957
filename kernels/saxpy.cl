/* y[i] = a x[i] + y[i], as in the BLAS (Lawson, Hanson, Kincaid, Krogh: Basic Linear Algebra Subprograms for Fortran
 * usage, 1979).
 *
 * count: elements of x and y. Moves 12 bytes per index. */
#include <divvy/kernel.h>

DIVVY_KERNEL(saxpy, (value, float, a), (in, float, x), (inout, float, y))
{
    DIVVY_FOR (i)
        y[i] = a * x[i] + y[i];
}
