/* What the kernels of math.cl and fast_math.cl compute: every function of <divvy/math.h>. In OpenCL a vector goes the
 * same way, since its type chooses another function there. */
#ifndef MATH_BODIES_H
#define MATH_BODIES_H

#include <divvy/kernel.h>

#if defined(__OPENCL_VERSION__)
#define OF_VECTOR(f, v) f((float4)(v)).y
#else
#define OF_VECTOR(f, v) f(v)
#endif

#define EXPONENTIALS                               \
    DIVVY_FOR (i) {                                \
        natural[2 * i] = exp(x[i]);                \
        natural[2 * i + 1] = OF_VECTOR(exp, x[i]); \
        binary[2 * i] = exp2(x[i]);                \
        binary[2 * i + 1] = OF_VECTOR(exp2, x[i]); \
    }

#define LOGARITHMS                                   \
    DIVVY_FOR (i) {                                  \
        natural[2 * i] = log(x[i]);                  \
        natural[2 * i + 1] = OF_VECTOR(log, x[i]);   \
        binary[2 * i] = log2(x[i]);                  \
        binary[2 * i + 1] = OF_VECTOR(log2, x[i]);   \
        decimal[2 * i] = log10(x[i]);                \
        decimal[2 * i + 1] = OF_VECTOR(log10, x[i]); \
    }

#endif
