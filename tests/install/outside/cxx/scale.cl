#include <divvy/kernel.h>

/* y[i] = a sqrt(x[i]), and how many there were */
DIVVY_KERNEL(scale, (value, float, a), (in, float, x), (out, float, y), (sum, int, total))
{
    DIVVY_FOR (i) {
        y[i] = a * sqrt(x[i]);
        total[DIVVY_LANE] += 1;
    }
}
