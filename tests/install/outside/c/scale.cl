#include <divvy/kernel.h>

#include "factor.h"

/* y[i] = 3 x[i] */
DIVVY_KERNEL(scale, (in, float, x), (out, float, y))
{
    DIVVY_FOR (i)
        y[i] = FACTOR * x[i];
}
