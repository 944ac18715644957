#include <divvy/kernel.h>

/* y[i] = a * x[i] + y[i] */
DIVVY_KERNEL(saxpy, (value, float, a), (in, float, x), (inout, float, y))
{
    DIVVY_FOR (i)
        y[i] = a * x[i] + y[i];
}
