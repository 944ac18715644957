/* acceleration of body i = sum over j of m[j] (r[j] - r[i]) / (|r[j] - r[i]|^2 + softening^2)^(3/2), by direct
 * summation with Plummer softening (Aarseth: Dynamical evolution of clusters of galaxies, 1963).
 *
 * count: bodies. A body is its position x, y, z and, in w, its mass times the gravitational constant. softening: a
 * length, more than 0, which also makes a body's pull on itself 0. w of an acceleration is 0. Fast math. */
#include <divvy/kernel.h>

DIVVY_KERNEL(nbody, (value, float, softening), (all, float4, bodies, DIVVY_TOTAL), (out, float4, acceleration))
{
    DIVVY_FOR (i) {
        float px = bodies[i].x, py = bodies[i].y, pz = bodies[i].z;
        float ax = 0.0f, ay = 0.0f, az = 0.0f;
        for (int j = 0; j < (int)DIVVY_TOTAL; j++) {
            float dx = bodies[j].x - px, dy = bodies[j].y - py, dz = bodies[j].z - pz;
            float inverse = 1.0f / sqrt(dx * dx + dy * dy + dz * dz + softening * softening);
            float pull = bodies[j].w * inverse * inverse * inverse;
            ax += pull * dx;
            ay += pull * dy;
            az += pull * dz;
        }
        acceleration[i].x = ax;
        acceleration[i].y = ay;
        acceleration[i].z = az;
        acceleration[i].w = 0.0f;
    }
}
