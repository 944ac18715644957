/* The functions of <divvy/math.h>. */
#include "math_bodies.h"

DIVVY_KERNEL(exponentials, (in, float, x), (out, float, natural, 2), (out, float, binary, 2)){EXPONENTIALS}

DIVVY_KERNEL(logarithms, (in, float, x), (out, float, natural, 2), (out, float, binary, 2), (out, float, decimal, 2))
{
    LOGARITHMS
}
