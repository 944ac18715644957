/* The functions of <divvy/math.h> under fast math. */
#include "math_bodies.h"

DIVVY_KERNEL(fast_exponentials, (in, float, x), (out, float, natural, 2), (out, float, binary, 2)){EXPONENTIALS}

DIVVY_KERNEL(fast_logarithms, (in, float, x), (out, float, natural, 2), (out, float, binary, 2),
             (out, float, decimal, 2))
{
    LOGARITHMS
}
