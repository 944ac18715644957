/* The kinds of work: inputs, what must come out, and how a peer is asked for it. */
#include "bench_work.h"

#include <divvy/kernel.h>

#include <math.h>
#include <string.h>

#include "black_scholes.cl"
#include "mandelbrot.cl"
#include "nbody.cl"
#include "saxpy.cl"
#include "sum_double.cl"
#include "sum_float.cl"
#include "triad.cl"

/* Random bits that depend on the two numbers alone, so that threads may share the filling. */
static uint64_t random_bits(uint64_t seed, uint64_t index)
{
    uint64_t z = seed * UINT64_C(0xd1342543de82ef95) + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static float random_float(uint64_t seed, uint64_t index, float low, float high)
{
    return low + (high - low) * (float)(random_bits(seed, index) >> 40) * 0x1p-24f;
}

/* A whole number of 256ths, 4 at most: sums and products of two are exact. Made of what compilers turn into vectors,
 * since there are many. */
static float random_fraction(uint32_t seed, size_t index)
{
    uint32_t bits = (uint32_t)index * UINT32_C(0x9e3779b9) + seed;
    bits = (bits ^ (bits >> 15)) * UINT32_C(0x85ebca6b);
    return (float)(int)(1 + (bits >> 22)) / 256;
}

/* Whether every output is a number: not what work_spoil left. */
static bool all_numbers(const float *const *arrays, size_t array_count, size_t count)
{
    for (size_t a = 0; a < array_count; a++)
        for (size_t i = 0; i < count; i++)
            if (isnan(arrays[a][i]))
                return false;
    return true;
}

/* ---- saxpy and triad ---------------------------------------------------------------------------- */

static void saxpy_values(struct work *work)
{
    ((struct saxpy_args *)work->args)->a = 0.5f;
}

static void saxpy_fill(void *context, size_t first, size_t count)
{
    const struct saxpy_args *args = ((struct work *)context)->args;
    for (size_t i = first; i < first + count; i++) {
        ((float *)(uintptr_t)args->x)[i] = random_fraction(1, i);
        args->y[i] = random_fraction(2, i);
    }
}

/* There and back again, so that y stays what it is. */
static void saxpy_advance(struct work *work)
{
    struct saxpy_args *args = work->args;
    args->a = -args->a;
}

static bool saxpy_is_right(const struct work *work)
{
    const struct saxpy_args *args = work->args;
    size_t wrong = 0;
    for (size_t i = 0; i < work->count; i++)
        wrong += args->y[i] != args->a * random_fraction(1, i) + random_fraction(2, i);
    return wrong == 0;
}

static void triad_values(struct work *work)
{
    ((struct triad_args *)work->args)->a = 0.5f;
}

static void triad_fill(void *context, size_t first, size_t count)
{
    const struct triad_args *args = ((struct work *)context)->args;
    for (size_t i = first; i < first + count; i++) {
        ((float *)(uintptr_t)args->x)[i] = random_fraction(3, i);
        ((float *)(uintptr_t)args->y)[i] = random_fraction(4, i);
        args->z[i] = 0;
    }
}

static bool triad_is_right(const struct work *work)
{
    const struct triad_args *args = work->args;
    size_t wrong = 0;
    for (size_t i = 0; i < work->count; i++)
        wrong += args->z[i] != random_fraction(3, i) + args->a * random_fraction(4, i);
    return wrong == 0;
}

/* ---- n-body ------------------------------------------------------------------------------------- */

static void nbody_values(struct work *work)
{
    ((struct nbody_args *)work->args)->softening = 0.1f;
}

static void nbody_fill(void *context, size_t first, size_t count)
{
    const struct nbody_args *args = ((struct work *)context)->args;
    const float *at[] = {args->x, args->y, args->z, args->mass};
    for (int c = 0; c < 4; c++)
        for (size_t i = first; i < first + count; i++)
            ((float *)(uintptr_t)at[c])[i] = random_float(5 + (uint64_t)c, i, c < 3 ? 0 : 0.5f, c < 3 ? 1 : 1.5f);
}

/* Sums in double for every 61st body. */
static bool nbody_is_right(const struct work *work)
{
    const struct nbody_args *args = work->args;
    const float *at[] = {args->x, args->y, args->z}, *acceleration[] = {args->ax, args->ay, args->az};
    for (size_t i = 0; i < work->count; i += 61) {
        double pull[3] = {0}, length = 0;
        for (size_t j = 0; j < work->count; j++) {
            double d[3], square = (double)args->softening * args->softening;
            for (int c = 0; c < 3; c++) {
                d[c] = (double)at[c][j] - at[c][i];
                square += d[c] * d[c];
            }
            for (int c = 0; c < 3; c++)
                pull[c] += args->mass[j] * d[c] / (square * sqrt(square));
        }
        for (int c = 0; c < 3; c++)
            length += pull[c] * pull[c];
        for (int c = 0; c < 3; c++)
            if (!(fabs(acceleration[c][i] - pull[c]) <= 1e-3 * sqrt(length) + 1e-3))
                return false;
    }
    return all_numbers(acceleration, 3, work->count);
}

static void nbody_run_peer(struct work *work, const struct bench_peer *peer)
{
    const struct nbody_args *args = work->args;
    peer->nbody(work->count, args->softening, (const float *[]){args->x, args->y, args->z, args->mass},
                (float *[]){args->ax, args->ay, args->az});
}

/* ---- Black-Scholes ------------------------------------------------------------------------------ */

static void black_scholes_values(struct work *work)
{
    struct black_scholes_args *args = work->args;
    args->rate = 0.02f;
    args->volatility = 0.3f;
}

static void black_scholes_fill(void *context, size_t first, size_t count)
{
    const struct black_scholes_args *args = ((struct work *)context)->args;
    for (size_t i = first; i < first + count; i++) {
        ((float *)(uintptr_t)args->spot)[i] = random_float(9, i, 5, 30);
        ((float *)(uintptr_t)args->strike)[i] = random_float(10, i, 1, 100);
        ((float *)(uintptr_t)args->years)[i] = random_float(11, i, 0.25f, 10);
        args->call[i] = args->put[i] = 0;
    }
}

static double normal(double d)
{
    return 0.5 * erfc(-d * M_SQRT1_2);
}

/* By the formula in double with the error function, every 101st option. */
static bool black_scholes_is_right(const struct work *work)
{
    const struct black_scholes_args *args = work->args;
    for (size_t i = 0; i < work->count; i += 101) {
        double years = args->years[i], volatility = args->volatility, spread = volatility * sqrt(years);
        double drift = (args->rate + volatility * volatility / 2) * years;
        double d1 = (log((double)args->spot[i] / args->strike[i]) + drift) / spread;
        double n1 = normal(d1), n2 = normal(d1 - spread), due = args->strike[i] * exp(-args->rate * years);
        if (!(fabs(args->call[i] - (args->spot[i] * n1 - due * n2)) <= 2e-4) ||
            !(fabs(args->put[i] - (due * (1 - n2) - args->spot[i] * (1 - n1))) <= 2e-4))
            return false;
    }
    return all_numbers((const float *[]){args->call, args->put}, 2, work->count);
}

static void black_scholes_run_peer(struct work *work, const struct bench_peer *peer)
{
    const struct black_scholes_args *args = work->args;
    peer->black_scholes(work->count, args->rate, args->volatility, args->spot, args->strike, args->years, args->call,
                        args->put);
}

/* ---- Mandelbrot --------------------------------------------------------------------------------- */

/* Rows of 1024 points, of which the upper ones take much longer than the lower. */
enum { MANDELBROT_WIDTH = 1024, MANDELBROT_LIMIT = 1000 };

static void mandelbrot_values(struct work *work)
{
    struct mandelbrot_args *args = work->args;
    size_t height = work->count * MANDELBROT_STRIP / MANDELBROT_WIDTH;
    args->width = MANDELBROT_WIDTH;
    args->left = -2.0f;
    args->top = 0.25f;
    args->pixel = 1.5f / (float)(height ? height : 1);
    args->limit = MANDELBROT_LIMIT;
}

static void mandelbrot_fill(void *context, size_t first, size_t count)
{
    const struct mandelbrot_args *args = ((struct work *)context)->args;
    memset(args->counts + first * MANDELBROT_STRIP, 0, count * MANDELBROT_STRIP * sizeof *args->counts);
}

static int escape(const struct mandelbrot_args *args, size_t point)
{
    size_t column = point % (size_t)args->width, row = point / (size_t)args->width;
    float cx = args->left + (float)column * args->pixel, cy = args->top - (float)row * args->pixel;
    float x = 0, y = 0;
    int steps = 0;
    for (; steps < args->limit && x * x + y * y <= 4; steps++) {
        float next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
    }
    return steps;
}

/* Every 13th point. Where a point lies near the edge of the set, rounding decides; that may befall one in fifty. */
static bool mandelbrot_is_right(const struct work *work)
{
    const struct mandelbrot_args *args = work->args;
    size_t points = work->count * MANDELBROT_STRIP, looked = 0, others = 0;
    for (size_t p = 0; p < points; p++)
        if (args->counts[p] < 1 || args->counts[p] > args->limit)
            return false;
    for (size_t p = 0; p < points; p += 13, looked++)
        others += args->counts[p] != escape(args, p);
    return others * 50 <= looked;
}

static void mandelbrot_run_peer(struct work *work, const struct bench_peer *peer)
{
    const struct mandelbrot_args *args = work->args;
    peer->mandelbrot(args->width, (int)(work->count * MANDELBROT_STRIP / MANDELBROT_WIDTH), args->left, args->top,
                     args->pixel, args->limit, args->counts);
}

/* ---- Sums --------------------------------------------------------------------------------------- */

static void no_values(struct work *work)
{
    (void)work;
}

static void sum_float_fill(void *context, size_t first, size_t count)
{
    const struct sum_float_args *args = ((struct work *)context)->args;
    for (size_t i = first; i < first + count; i++)
        ((float *)(uintptr_t)args->x)[i] = random_float(12, i, 0, 1);
}

static void sum_double_fill(void *context, size_t first, size_t count)
{
    const struct sum_double_args *args = ((struct work *)context)->args;
    for (size_t i = first; i < first + count; i++)
        ((double *)(uintptr_t)args->x)[i] = random_float(13, i, 0, 1);
}

static bool sum_float_is_right(const struct work *work)
{
    const struct sum_float_args *args = work->args;
    double total = 0;
    for (size_t i = 0; i < work->count; i++)
        total += args->x[i];
    return fabs(*args->total - total) <= 1e-5 * total;
}

static bool sum_double_is_right(const struct work *work)
{
    const struct sum_double_args *args = work->args;
    double total = 0;
    for (size_t i = 0; i < work->count; i++)
        total += args->x[i];
    return fabs(*args->total - total) <= 1e-10 * total;
}

static void sum_float_run_peer(struct work *work, const struct bench_peer *peer)
{
    const struct sum_float_args *args = work->args;
    *args->total = (float)peer->sum_float(work->count, args->x);
}

static void sum_double_run_peer(struct work *work, const struct bench_peer *peer)
{
    const struct sum_double_args *args = work->args;
    *args->total = peer->sum_double(work->count, args->x);
}

/* ---- All of them -------------------------------------------------------------------------------- */

static const struct work_kind kinds[] = {
    {.name = "saxpy",
     .kernel = &saxpy_kernel,
     .count = 16 << 20,
     .device_count = 32 << 20,
     .quick_count = 16 << 10,
     .grain = 64 << 10,
     .bytes = 12,
     .set_values = saxpy_values,
     .fill = saxpy_fill,
     .advance = saxpy_advance,
     .is_right = saxpy_is_right},
    {.name = "triad",
     .kernel = &triad_kernel,
     .count = 16 << 20,
     .device_count = 32 << 20,
     .quick_count = 16 << 10,
     .grain = 64 << 10,
     .bytes = 12,
     .set_values = triad_values,
     .fill = triad_fill,
     .is_right = triad_is_right},
    {.name = "nbody",
     .kernel = &nbody_kernel,
     .count = 8192,
     .device_count = 16384,
     .quick_count = 256,
     .grain = 64,
     .set_values = nbody_values,
     .fill = nbody_fill,
     .is_right = nbody_is_right,
     .run_peer = nbody_run_peer,
     .peer_member = offsetof(struct bench_peer, nbody),
     .quadratic = true},
    {.name = "black_scholes",
     .kernel = &black_scholes_kernel,
     .count = 4 << 20,
     .device_count = 12 << 20,
     .quick_count = 8 << 10,
     .grain = 16 << 10,
     .set_values = black_scholes_values,
     .fill = black_scholes_fill,
     .is_right = black_scholes_is_right,
     .run_peer = black_scholes_run_peer,
     .peer_member = offsetof(struct bench_peer, black_scholes)},
    {.name = "mandelbrot",
     .kernel = &mandelbrot_kernel,
     .count = 256 * MANDELBROT_WIDTH / MANDELBROT_STRIP,
     .device_count = 2048 * MANDELBROT_WIDTH / MANDELBROT_STRIP,
     .quick_count = 8 * MANDELBROT_WIDTH / MANDELBROT_STRIP,
     .grain = MANDELBROT_WIDTH / MANDELBROT_STRIP,
     .set_values = mandelbrot_values,
     .fill = mandelbrot_fill,
     .is_right = mandelbrot_is_right,
     .run_peer = mandelbrot_run_peer,
     .peer_member = offsetof(struct bench_peer, mandelbrot)},
    {.name = "sum_float",
     .kernel = &sum_float_kernel,
     .count = 64 << 20,
     .quick_count = 64 << 10,
     .bytes = 4,
     .set_values = no_values,
     .fill = sum_float_fill,
     .is_right = sum_float_is_right,
     .run_peer = sum_float_run_peer,
     .peer_member = offsetof(struct bench_peer, sum_float)},
    {.name = "sum_double",
     .kernel = &sum_double_kernel,
     .count = 64 << 20,
     .quick_count = 64 << 10,
     .bytes = 8,
     .set_values = no_values,
     .fill = sum_double_fill,
     .is_right = sum_double_is_right,
     .run_peer = sum_double_run_peer,
     .peer_member = offsetof(struct bench_peer, sum_double)},
};

const struct work_kind *work_kind(const char *name)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (strcmp(kinds[k].name, name) == 0)
            return &kinds[k];
    return NULL;
}

bool work_kind_known(const struct work_kind *kind, const struct bench_peer *peer)
{
    void (*loops)(void) = NULL;
    if (kind->run_peer)
        memcpy(&loops, (const char *)peer + kind->peer_member, sizeof loops);
    return loops != NULL;
}
