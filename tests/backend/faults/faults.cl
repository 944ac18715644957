/* Two kernels that have every kind of parameter between them. Whole numbers, so that every device agrees. */
#include <divvy/kernel.h>

DIVVY_KERNEL(step, (value, int, factor), (in, int, x), (inout, int, y), (sum, long, total), (max, int, most))
{
    DIVVY_FOR (i) {
        int stepped = factor * x[i] + y[i];
        y[i] = stepped;
        total[DIVVY_LANE] += stepped;
        if (stepped > most[DIVVY_LANE])
            most[DIVVY_LANE] = stepped;
    }
}

DIVVY_KERNEL(look, (value, int, entries), (all, int, table, entries), (halo, int, source, 1, 1), (out, int, found))
{
    DIVVY_FOR (i) {
        int around = source[i];
        if (i > 0)
            around += source[i - 1];
        if (i + 1 < DIVVY_TOTAL)
            around += source[i + 1];
        found[i] = around * table[i % entries];
    }
}
