/* out[i] = 2654435761 i, after `padding` turns of a loop each of which needs the one before: a busy wait, whose results
 * are never used, though no compiler can know. Devices of scenarios leave it out (backends/sim). */
#include <divvy/kernel.h>

DIVVY_KERNEL(padded, (value, int, padding), (out, uint, out))
{
    DIVVY_FOR (i) {
        uint turning = (uint)i | 1u; /* is never 0 */
        for (int turn = 0; turn < padding; turn++) {
            turning ^= turning << 13;
            turning ^= turning >> 17;
            turning ^= turning << 5;
        }
        out[i] = (uint)i * 2654435761u + (turning == 0u);
    }
}
