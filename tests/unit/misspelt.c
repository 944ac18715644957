/* A call with an argument that the kernel does not have: it must not compile. See CMakeLists.txt. */
#include <divvy.h>

#include "saxpy.cl"

divvy_status misspelt(divvy *dv, const float *x, float *y);

divvy_status misspelt(divvy *dv, const float *x, float *y)
{
    return divvy_run(dv, saxpy, 100, .a = 2.0f, .x = x, .yy = y);
}
