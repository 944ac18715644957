#include "noise.h"

#include <math.h>
#include <stdint.h>

/* A whole number scrambled into one that looks random (the finalizer of splitmix64), as a fraction in (0, 1]. */
static double fraction(uint64_t number)
{
    uint64_t z = number * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (double)((z >> 11) + 1) * 0x1p-53;
}

/* The normal deviate number `index` (Box and Muller, 1958). */
static double normal(uint64_t index)
{
    const double turn = 6.283185307179586;
    return sqrt(-2.0 * log(fraction(2 * index + 1))) * cos(turn * fraction(2 * index + 2));
}

void noise_add(struct picture *picture, float sigma)
{
    for (size_t i = 0; i < picture_size(picture); i++) {
        double noisy = round((double)picture->values[i] + (double)sigma * normal(i));
        picture->values[i] = (float)fmin(fmax(noisy, 0.0), 255.0);
    }
}
