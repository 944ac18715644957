/* What property_test needs beyond rules.cl. */
#include <divvy/kernel.h>

/* No array at all: as many indices as one likes. */
DIVVY_KERNEL(tally, (value, int, step), (sum, ulong, total), (sum, long, ones), (min, int, least), (max, int, most))
{
    DIVVY_FOR (i) {
        int at = (int)i;
        total[DIVVY_LANE] += (ulong)i;
        ones[DIVVY_LANE] += step;
        least[DIVVY_LANE] = at < least[DIVVY_LANE] ? at : least[DIVVY_LANE];
        most[DIVVY_LANE] = at > most[DIVVY_LANE] ? at : most[DIVVY_LANE];
    }
}
