/* One side: SIDE runs its own kernel over the numbers. */
#include <divvy.h>

#include "shade.cl"

divvy_status SIDE(int *x, size_t count);

divvy_status SIDE(int *x, size_t count)
{
    return divvy_run(NULL, shade, count, .x = x);
}
