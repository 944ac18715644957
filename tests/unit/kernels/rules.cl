/* Small kernels for the tests of the rules: each tells which indices it has seen. */
#include <divvy/kernel.h>

/* hits[i] counts how often index i was computed, however the job was cut. It takes as long as `turns` says: each turn
 * flips the lowest bit of x. */
DIVVY_KERNEL(mark, (value, int, turns), (inout, int, hits), (sum, long, total), (min, long, least), (max, long, most))
{
    DIVVY_FOR (i) {
        uint x = (uint)i;
        for (int k = 0; k < turns; k++)
            x = x * 1664525u + 1013904223u;
        hits[i] += 1 + (int)((x ^ (uint)i ^ (uint)turns) & 1u);
        total[DIVVY_LANE] += (long)i;
        if ((long)i < least[DIVVY_LANE])
            least[DIVVY_LANE] = (long)i;
        if ((long)i > most[DIVVY_LANE])
            most[DIVVY_LANE] = (long)i;
    }
}

/* The rows around row i, where there are any, and a table. */
DIVVY_KERNEL(blend, (value, int, width), (value, int, entries), (halo, int, source, width, 1),
             (all, int, table, entries), (out, int, blended, width))
{
    DIVVY_FOR (i) {
        for (int k = 0; k < width; k++) {
            int sum = source[i * width + k];
            if (i > 0)
                sum += source[(i - 1) * width + k];
            if (i + 1 < DIVVY_TOTAL)
                sum += source[(i + 1) * width + k];
            blended[i * width + k] = sum * table[i % entries];
        }
    }
}

/* x depends on every step before. */
DIVVY_KERNEL(step_on, (value, int, factor), (value, int, added), (inout, uint, x))
{
    DIVVY_FOR (i)
        x[i] = x[i] * (uint)factor + (uint)added;
}

/* y reads x, which others may read at the same time. */
DIVVY_KERNEL(mix_in, (value, int, factor), (in, uint, x), (inout, uint, y))
{
    DIVVY_FOR (i)
        y[i] = y[i] * (uint)factor + x[i];
}

/* Takes long for each index, and says the same again: repeating it changes nothing. */
DIVVY_KERNEL(toil, (value, int, turns), (out, uint, y))
{
    DIVVY_FOR (i) {
        uint x = (uint)i;
        for (int k = 0; k < turns; k++)
            x = x * 1664525u + 1013904223u;
        y[i] = x;
    }
}

/* One more, after some time. */
DIVVY_KERNEL(lengthen, (value, int, turns), (inout, uint, y))
{
    DIVVY_FOR (i) {
        uint x = (uint)i;
        for (int k = 0; k < turns; k++)
            x = x * 1664525u + 1013904223u;
        y[i] += 1 + (uint)((x ^ (uint)i ^ (uint)turns) & 1u);
    }
}
