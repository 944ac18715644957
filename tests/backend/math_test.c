/* The functions of <divvy/math.h> on the backend MATH_ON, over floats of every size and sign: within the 3 ulp that
 * OpenCL allows, with its infinities and NaNs. Under fast math the same, for finite numbers. */
#include <divvy.h>

#include "check.h"

#include "fast_math.cl"
#include "math.cl"

#include <float.h>
#include <math.h>
#include <stdbool.h>

enum { COUNT = 1 << 16, ROUNDS = 16 };

struct function {
    const char *name;
    double (*exact)(double);
    const float *values;
};

static float x[COUNT], natural[2 * COUNT], binary[2 * COUNT], decimal[2 * COUNT];

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Every so many floats, beginning elsewhere in each round, so that all rounds together are dense. */
static void fill(unsigned round)
{
    static const float special[] = {0.0f,   -0.0f, INFINITY, -INFINITY, NAN,     1.0f,    -1.0f,
                                    1e-45f, 88.7f, 88.8f,    -87.4f,    -103.9f, -104.1f, FLT_MAX};
    for (uint32_t i = 0; i < COUNT; i++)
        x[i] = float_of(i * 0x10000u + round * 0x1000u + 0x123u);
    memcpy(x, special, sizeof special);
}

/* Where forms have glibc's vectors under fast math instead, see kernels/README.md, that promises 4. */
static double ulps_allowed(bool fast)
{
    const char *on = getenv("MATH_ON"), *level = getenv("DIVVY_CPU_LEVEL");
    bool cores = on && strcmp(on, "cpu") == 0, own = level && strcmp(level, "x86-64-v4") != 0;
#if defined(__clang__) || __GNUC__ < 12
    own = false;
#endif
    return fast && cores && !own ? 4 : 3;
}

/* Devices may take numbers below FLT_MIN for 0. */
static bool right(double exact, float value, double ulps)
{
    float rounded = (float)exact;
    if (isnan(rounded))
        return isnan(value);
    if (isinf(rounded) || isinf(value))
        return value == rounded;
    if (fabs(exact) < (double)FLT_MIN && value == 0.0f)
        return true;
    int exponent;
    frexp(exact, &exponent);
    return fabs((double)value - exact) <= ulps * ldexp(1.0, exponent < -125 ? -149 : exponent - 24);
}

static void check_function(const struct function *f, bool fast)
{
    double ulps = ulps_allowed(fast);
    for (unsigned k = 0; k < 2 * COUNT; k++) {
        double of = (double)x[k / 2], exact = f->exact(of);
        if (fast && (!isfinite(of) || !isfinite((float)exact)))
            continue;
        bool good = right(exact, f->values[k], ulps);
        if (fabs(of) < (double)FLT_MIN && !good)
            good = right(f->exact(of < 0.0 ? -0.0 : 0.0), f->values[k], ulps);
        if (!good) {
            char text[200];
            snprintf(text, sizeof text, "%s%s(%a) is %a, not %a", fast ? "fast " : "", f->name, of,
                     (double)f->values[k], exact);
            check_report(false, __FILE__, __LINE__, text);
            return;
        }
    }
    CHECK(true);
}

static void run(divvy *dv, const divvy_kernel *kernel, const void *args, size_t args_bytes)
{
    if (!CHECK_EQ(divvy_run_kernel(dv, kernel, COUNT, args, args_bytes), DIVVY_OK))
        fprintf(stderr, "    %s\n", divvy_error());
}

static void check_arithmetic(divvy *dv, bool fast)
{
    const divvy_kernel *grown = fast ? &fast_exponentials_kernel : &exponentials_kernel;
    const divvy_kernel *shrunk = fast ? &fast_logarithms_kernel : &logarithms_kernel;
    const struct exponentials_args to_grow = {.x = x, .natural = natural, .binary = binary};
    const struct logarithms_args to_shrink = {.x = x, .natural = natural, .binary = binary, .decimal = decimal};
    const struct function first[] = {{"exp", exp, natural}, {"exp2", exp2, binary}};
    const struct function second[] = {{"log", log, natural}, {"log2", log2, binary}, {"log10", log10, decimal}};
    for (unsigned round = 0; round < ROUNDS; round++) {
        fill(round);
        run(dv, grown, &to_grow, sizeof to_grow);
        for (unsigned k = 0; k < 2; k++)
            check_function(&first[k], fast);
        run(dv, shrunk, &to_shrink, sizeof to_shrink);
        for (unsigned k = 0; k < 3; k++)
            check_function(&second[k], fast);
    }
}

int main(void)
{
    divvy *dv;
    divvy_status status = divvy_open(&dv, &(divvy_options){.backend = getenv("MATH_ON")});
    bool lacks =
        status == DIVVY_NO_BACKEND || status == DIVVY_NO_DEVICE || (status == DIVVY_OK && divvy_device_count(dv) == 0);
    if (!lacks && CHECK_EQ(status, DIVVY_OK)) {
        check_arithmetic(dv, false);
        check_arithmetic(dv, true);
    }
    divvy_close(dv);
    return lacks ? CHECK_SKIP : check_summary();
}
