/* acceleration of body i = sum over j of mass[j] (r[j] - r[i]) / (|r[j] - r[i]|^2 + softening^2)^(3/2), by direct
 * summation with Plummer softening (Aarseth: Dynamical evolution of clusters of galaxies, 1963).
 *
 * count: bodies, each a position x, y, z and a mass times the gravitational constant. softening: a length, more than 0,
 * which also makes a body's pull on itself 0. Arrays of one coordinate each, since compilers make no good vectors of
 * structs: of float4 this takes gcc 1.4, clang 1.7 and PoCL 8 times as long. Fast math. */
#include <divvy/kernel.h>

DIVVY_KERNEL(nbody, (value, float, softening), (all, float, x, DIVVY_TOTAL), (all, float, y, DIVVY_TOTAL),
             (all, float, z, DIVVY_TOTAL), (all, float, mass, DIVVY_TOTAL), (out, float, ax), (out, float, ay),
             (out, float, az))
{
    DIVVY_FOR (i) {
        float px = x[i], py = y[i], pz = z[i];
        float pull_x = 0.0f, pull_y = 0.0f, pull_z = 0.0f;
        for (int j = 0; j < (int)DIVVY_TOTAL; j++) {
            float dx = x[j] - px, dy = y[j] - py, dz = z[j] - pz;
            float inverse = 1.0f / sqrt(dx * dx + dy * dy + dz * dz + softening * softening);
            float pull = mass[j] * inverse * inverse * inverse;
            pull_x += pull * dx;
            pull_y += pull * dy;
            pull_z += pull * dz;
        }
        ax[i] = pull_x;
        ay[i] = pull_y;
        az[i] = pull_z;
    }
}
