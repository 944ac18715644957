/* What stands in front of a kernel's text: how its indices are laid over work-items, and, where each work-item takes a
 * run of them, the functions that compilers for processors leave one at a time.
 *
 * Such compilers make vectors of a plain loop, as C compilers do, if they are told nothing more than what is said here. */
#include "opencl.h"

#include <string.h>

static const char doubles[] = "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n";

/* ---- Loops ---- */

/* Neighbouring work-items take neighbouring indices, all of them one stride further in each turn. */
static const char items[] =
    "#define DIVVY__LOOP(i, first, count) \\\n"
    "    for (ulong i = (first) + get_global_id(0), divvy__stop = (first) + (count); i < divvy__stop; \\\n"
    "         i += get_global_size(0))\n"
    "#define DIVVY__SLOT get_global_id(0)\n"
    "#define DIVVY__LANES(l, lanes) for (int l = 0; l < (lanes); l++)\n"
    "#define DIVVY__RUN(count) ((ulong)1)\n";

/* Each work-item takes a run of neighbouring indices. Lanes are unrolled once they are vectors, without which they stay
 * in memory. */
#define RUN                                                                                     \
    "#define DIVVY__RUN(count) (((count) + get_global_size(0) - 1) / get_global_size(0))\n"     \
    "#define DIVVY__RUN_BEGIN(first, count) ((first) + get_global_id(0) * DIVVY__RUN(count))\n" \
    "#define DIVVY__RUN_END(first, count) \\\n"                                                 \
    "    ((first) + min((ulong)(count), (ulong)(get_global_id(0) + 1) * DIVVY__RUN(count)))\n"  \
    "#ifdef __clang__\n"                                                                        \
    "#define DIVVY__PRAGMA(text) _Pragma(text)\n"                                               \
    "#else\n"                                                                                   \
    "#define DIVVY__PRAGMA(text)\n"                                                             \
    "#endif\n"                                                                                  \
    "#define DIVVY__LANES(l, lanes) \\\n"                                                       \
    "    DIVVY__PRAGMA(\"clang loop vectorize(enable) unroll(enable)\") for (int l = 0; l < (lanes); l++)\n"

/* Two vectors at a time: what one waits for, the other computes. */
static const char runs[] =
    RUN "#define DIVVY__LOOP(i, first, count) \\\n"
        "    DIVVY__PRAGMA(\"clang loop interleave_count(2)\") \\\n"
        "    for (ulong i = DIVVY__RUN_BEGIN(first, count), divvy__stop = DIVVY__RUN_END(first, count); \\\n"
        "         i < divvy__stop; i++)\n"
        "#define DIVVY__SLOT get_global_id(0)\n";

/* The same by blocks of 64 indices, one lane each, which compilers turn into vectors where one accumulator would stay
 * a scalar. */
static const char runs_in_lanes[] =
    RUN "#define DIVVY__LOOP(i, first, count) \\\n"
        "    for (ulong divvy__block = DIVVY__RUN_BEGIN(first, count), divvy__end = DIVVY__RUN_END(first, count); \\\n"
        "         divvy__block < divvy__end; divvy__block += 64) \\\n"
        "        for (ulong i = divvy__block, divvy__lane = get_global_id(0) * 64, \\\n"
        "                   divvy__stop = min(divvy__end, divvy__block + 64); \\\n"
        "             i < divvy__stop; i++, divvy__lane++)\n"
        "#define DIVVY__SLOT divvy__lane\n";
_Static_assert(DIVVY_LANES == 64, "runs_in_lanes says 64");

/* ---- Functions ----
 *
 * exp, exp2, log, log2 and log10 of a float, within the 3 ulp that OpenCL asks for, without a branch or a call, so that a
 * loop around them becomes vectors. Polynomials: Moshier's Cephes. The arithmetic stays as written under fast math too,
 * since reordering would undo what splits a constant in two. Other types have what the compiler has. */

#define TEXT(...) #__VA_ARGS__ "\n"

static const char functions_begin[] =
    "#if defined(__clang__) && __clang_major__ >= 11\n"
    "#define DIVVY__INLINE static inline __attribute__((always_inline, overloadable))\n"
    "#define DIVVY__AS_WRITTEN _Pragma(\"clang fp reassociate(off) contract(fast)\")\n"
    "#define DIVVY__AS_BUILT(type) \\\n"
    "    DIVVY__INLINE type divvy__exp(type x) { return exp(x); } \\\n"
    "    DIVVY__INLINE type divvy__exp2(type x) { return exp2(x); } \\\n"
    "    DIVVY__INLINE type divvy__log(type x) { return log(x); } \\\n"
    "    DIVVY__INLINE type divvy__log2(type x) { return log2(x); } \\\n"
    "    DIVVY__INLINE type divvy__log10(type x) { return log10(x); }\n"
    "DIVVY__AS_BUILT(float2) DIVVY__AS_BUILT(float3) DIVVY__AS_BUILT(float4) DIVVY__AS_BUILT(float8)\n"
    "DIVVY__AS_BUILT(float16)\n"
    "#ifdef cl_khr_fp64\n"
    "DIVVY__AS_BUILT(double) DIVVY__AS_BUILT(double2) DIVVY__AS_BUILT(double3) DIVVY__AS_BUILT(double4)\n"
    "DIVVY__AS_BUILT(double8) DIVVY__AS_BUILT(double16)\n"
    "#endif\n";

/* divvy__grown: e^r 2^n for |r| <= ln(2) / 2. The power of two comes in two factors, since one may be out of range. */
/* clang-format off */
static const char exponentials[] = TEXT(
    DIVVY__INLINE float divvy__grown(float r, int n)
    {
        DIVVY__AS_WRITTEN
        float p = 1.9875691500e-4f * r + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * (r * r) + r + 1.0f;
        int half_n = n >> 1;
        return p * as_float((half_n + 127) << 23) * as_float((n - half_n + 127) << 23);
    }
    DIVVY__INLINE int divvy__nearest(float x)
    {
        DIVVY__AS_WRITTEN
        return (int)(x + (x < 0.0f ? -0.5f : 0.5f));
    }
    DIVVY__INLINE float divvy__exp(float x)
    {
        DIVVY__AS_WRITTEN
        float within = x > -104.0f ? x : -104.0f;
        within = within < 89.0f ? within : 89.0f;
        int n = divvy__nearest(within * 1.44269504088896341f);
        float r = within - (float)n * 0.693359375f;
        r = r + (float)n * 2.12194440e-4f;
        float grown = divvy__grown(r, n);
        return x == x ? grown : x;
    }
    DIVVY__INLINE float divvy__exp2(float x)
    {
        DIVVY__AS_WRITTEN
        float within = x > -151.0f ? x : -151.0f;
        within = within < 129.0f ? within : 129.0f;
        int n = divvy__nearest(within);
        float grown = divvy__grown((within - (float)n) * 0.693147180559945309f, n);
        return x == x ? grown : x;
    }
);

/* divvy__parted: x is 2^exponent (1 + *f) with 1 + *f from sqrt(1/2) to sqrt(2), and ln(1 + *f) is *f + *rest. Returns
 * the exponent. divvy__logarithm: `value`, but where x is no positive number. */
static const char logarithms[] = TEXT(
    DIVVY__INLINE float divvy__parted(float x, float *f, float *rest)
    {
        DIVVY__AS_WRITTEN
        bool tiny = x < 1.17549435e-38f;
        int bits = as_int(tiny ? x * 8388608.0f : x) + (0x3f800000 - 0x3f3504f3);
        float m = as_float((bits & 0x7fffff) + 0x3f3504f3) - 1.0f;
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
        return (float)((bits >> 23) - (tiny ? 127 + 23 : 127));
    }
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
        return divvy__logarithm(x, f + (rest - exponent * 2.12194440e-4f) + exponent * 0.693359375f);
    }
    DIVVY__INLINE float divvy__log2(float x)
    {
        DIVVY__AS_WRITTEN
        float f, rest, exponent = divvy__parted(x, &f, &rest);
        return divvy__logarithm(x, (rest * 0.442695041f + f * 0.442695041f + rest) + f + exponent);
    }
    DIVVY__INLINE float divvy__log10(float x)
    {
        DIVVY__AS_WRITTEN
        float f, rest, exponent = divvy__parted(x, &f, &rest);
        float fraction = f * 0.434294482f + (rest * 0.434294482f + exponent * 4.60503894e-6f);
        return divvy__logarithm(x, fraction + exponent * 0.301025391f);
    }
);
/* clang-format on */

/* Some compilers have macros of these names. */
static const char functions_end[] = "#undef exp\n"
                                    "#undef exp2\n"
                                    "#undef log\n"
                                    "#undef log2\n"
                                    "#undef log10\n"
                                    "#define exp(x) divvy__exp(x)\n"
                                    "#define exp2(x) divvy__exp2(x)\n"
                                    "#define log(x) divvy__log(x)\n"
                                    "#define log2(x) divvy__log2(x)\n"
                                    "#define log10(x) divvy__log10(x)\n"
                                    "#endif\n";

bool dv_cl_has_word(const char *text, const char *word)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
        char before = at > text ? at[-1] : ' ', after = at[strlen(word)];
        if (!strchr(letters, before) && !(after && strchr(letters, after)))
            return true;
    }
    return false;
}

void dv_cl_prelude(const struct dv_cl_device *device, const char *source, bool folds,
                   const char *texts[DV_CL_PRELUDE_TEXTS])
{
    bool in_runs = device->found->loops == DV_CL_RUNS;
    bool functions = in_runs && (dv_cl_has_word(source, "exp") || dv_cl_has_word(source, "log"));
    texts[0] = device->found->doubles ? doubles : "";
    texts[1] = !in_runs ? items : folds ? runs_in_lanes : runs;
    texts[2] = functions ? functions_begin : "";
    texts[3] = functions ? exponentials : "";
    texts[4] = functions ? logarithms : "";
    texts[5] = functions ? functions_end : "";
    texts[6] = "#line 1\n";
}
