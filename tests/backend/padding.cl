/* What the parameters read as where an index is computed. */
#include <divvy/kernel.h>

DIVVY_KERNEL(recite, (value, int, padding), (value, double, turns), (out, int, read_padding), (out, double, read_turns))
{
    DIVVY_FOR (i) {
        read_padding[i] = padding;
        read_turns[i] = turns;
    }
}
