/* exp, exp2, log, log2 and log10 of a float, within the 3 ulp that OpenCL asks for, without a branch or a call, so that
 * compilers for processors make vectors of loops around them. In both languages, for kernels that include
 * <divvy/kernel.h>: in C where the build of the file says that the compiler makes better vectors of these than its
 * library has (DIVVY__MATH), in OpenCL where the opencl backend puts this text in front of theirs.
 *
 * Polynomials: Moshier's Cephes. The arithmetic stays as written under fast math too, since reordering would undo what
 * splits a constant in two. There are as few conditions as can be: where compilers make branches of them there are no
 * vectors. Other types have what the compiler has. */
#ifndef DIVVY_MATH_H
#define DIVVY_MATH_H
#if defined(__OPENCL_VERSION__) || (defined(DIVVY__MATH) && __GNUC__ >= 12)

#if defined(__OPENCL_VERSION__)
#define DIVVY__INLINE static inline __attribute__((always_inline, overloadable))
#define DIVVY__AS_WRITTEN _Pragma("clang fp reassociate(off) contract(fast)")
#define DIVVY__KEPT(x) (x)
#define DIVVY__LEAST(a, b) ((a) < (b) ? (a) : (b))
#define DIVVY__MOST(a, b) ((a) > (b) ? (a) : (b))
#define divvy__as_int(x) as_int(x)
#define divvy__as_float(bits) as_float(bits)
#else
#define DIVVY__INLINE static inline __attribute__((always_inline, unused))
#define DIVVY__AS_WRITTEN
#define DIVVY__KEPT(x) __builtin_assoc_barrier(x)
#define DIVVY__LEAST(a, b) __builtin_fminf(a, b)
#define DIVVY__MOST(a, b) __builtin_fmaxf(a, b)
DIVVY__INLINE int divvy__as_int(float x)
{
    int bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

DIVVY__INLINE float divvy__as_float(int bits)
{
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}
#endif

/* e^r 2^n for |r| <= ln(2) / 2. The power of two comes in two factors, since one may be out of range. */
DIVVY__INLINE float divvy__grown(float r, int n)
{
    DIVVY__AS_WRITTEN
    float p = 1.9875691500e-4f * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = DIVVY__KEPT(p * (r * r) + r) + 1.0f;
    int half_n = n >> 1;
    return DIVVY__KEPT(p * divvy__as_float((half_n + 127) << 23)) * divvy__as_float((n - half_n + 127) << 23);
}

/* For |x| < 2^21: beyond 2^23 floats are whole numbers, and their bits count them. */
DIVVY__INLINE int divvy__nearest(float x)
{
    DIVVY__AS_WRITTEN
    return divvy__as_int(x + 12582912.0f) - 0x4b400000;
}

DIVVY__INLINE float divvy__exp(float x)
{
    DIVVY__AS_WRITTEN
    float within = DIVVY__LEAST(DIVVY__MOST(x, -104.0f), 89.0f);
    int n = divvy__nearest(within * 1.44269504088896341f);
    float r = DIVVY__KEPT(within - (float)n * 0.693359375f);
    r = r + (float)n * 2.12194440e-4f;
    float grown = divvy__grown(r, n);
    return x == x ? grown : x;
}

DIVVY__INLINE float divvy__exp2(float x)
{
    DIVVY__AS_WRITTEN
    float within = DIVVY__LEAST(DIVVY__MOST(x, -151.0f), 129.0f);
    int n = divvy__nearest(within);
    float grown = divvy__grown(DIVVY__KEPT(within - (float)n) * 0.693147180559945309f, n);
    return x == x ? grown : x;
}

/* x is 2^exponent (1 + *f) with 1 + *f from sqrt(1/2) to sqrt(2), and ln(1 + *f) is *f + *rest. Returns the exponent. */
DIVVY__INLINE float divvy__parted(float x, float *f, float *rest)
{
    DIVVY__AS_WRITTEN
    int raised = 23 * (x < 1.17549435e-38f);
    int bits = divvy__as_int(x * divvy__as_float((127 + raised) << 23)) + (0x3f800000 - 0x3f3504f3);
    float m = divvy__as_float((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
    float p = 7.0376836292e-2f * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    *f = m;
    *rest = p * m * (m * m) - 0.5f * (m * m);
    return (float)((bits >> 23) - 127 - raised);
}

/* `value`, but where x is no positive number. */
DIVVY__INLINE float divvy__logarithm(float x, float value)
{
    value = x < INFINITY ? value : x;
    value = x == 0.0f ? -INFINITY : value;
    return x < 0.0f ? NAN : value;
}

DIVVY__INLINE float divvy__log(float x)
{
    DIVVY__AS_WRITTEN
    float f, rest, exponent = divvy__parted(x, &f, &rest);
    float low = DIVVY__KEPT(rest - exponent * 2.12194440e-4f);
    return divvy__logarithm(x, DIVVY__KEPT(f + low) + exponent * 0.693359375f);
}

DIVVY__INLINE float divvy__log2(float x)
{
    DIVVY__AS_WRITTEN
    float f, rest, exponent = divvy__parted(x, &f, &rest);
    float low = DIVVY__KEPT(rest * 0.442695041f + f * 0.442695041f + rest);
    return divvy__logarithm(x, DIVVY__KEPT(low + f) + exponent);
}

DIVVY__INLINE float divvy__log10(float x)
{
    DIVVY__AS_WRITTEN
    float f, rest, exponent = divvy__parted(x, &f, &rest);
    float low = DIVVY__KEPT(rest * 0.434294482f + exponent * 4.60503894e-6f);
    return divvy__logarithm(x, DIVVY__KEPT(f * 0.434294482f + low) + exponent * 0.301025391f);
}

#if defined(__OPENCL_VERSION__)
#define DIVVY__AS_BUILT(type)               \
    DIVVY__INLINE type divvy__exp(type x)   \
    {                                       \
        return exp(x);                      \
    }                                       \
    DIVVY__INLINE type divvy__exp2(type x)  \
    {                                       \
        return exp2(x);                     \
    }                                       \
    DIVVY__INLINE type divvy__log(type x)   \
    {                                       \
        return log(x);                      \
    }                                       \
    DIVVY__INLINE type divvy__log2(type x)  \
    {                                       \
        return log2(x);                     \
    }                                       \
    DIVVY__INLINE type divvy__log10(type x) \
    {                                       \
        return log10(x);                    \
    }
DIVVY__AS_BUILT(float2)
DIVVY__AS_BUILT(float3)
DIVVY__AS_BUILT(float4)
DIVVY__AS_BUILT(float8)
DIVVY__AS_BUILT(float16)
#ifdef cl_khr_fp64
DIVVY__AS_BUILT(double)
DIVVY__AS_BUILT(double2)
DIVVY__AS_BUILT(double3)
DIVVY__AS_BUILT(double4)
DIVVY__AS_BUILT(double8)
DIVVY__AS_BUILT(double16)
#endif
#define DIVVY__OF(function, x) divvy__##function(x)
#else
#define DIVVY__OF(function, x) \
    _Generic((x), float : divvy__##function, long double : function##l, default : function)(x)
#endif

/* Some compilers have macros of these names, and <tgmath.h> has. */
#undef exp
#undef exp2
#undef log
#undef log2
#undef log10
#define exp(x) DIVVY__OF(exp, x)
#define exp2(x) DIVVY__OF(exp2, x)
#define log(x) DIVVY__OF(log, x)
#define log2(x) DIVVY__OF(log2, x)
#define log10(x) DIVVY__OF(log10, x)

#endif
#endif
