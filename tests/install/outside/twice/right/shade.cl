#include <divvy/kernel.h>

DIVVY_KERNEL(shade, (inout, int, x))
{
    DIVVY_FOR (i)
        x[i] += 2;
}
