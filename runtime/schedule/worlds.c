#include "schedule/worlds.h"

#include "base/random.h"

#include <stdlib.h>

enum { GRANULE = 64 };

/* ---- Costs over the range ---- */

static const double PI = 3.14159265358979323846;

static double bump(const void *cost, double x)
{
    (void)cost;
    const double width = 0.18;
    return 0.05 * x + 1.5 * width * sqrt(PI) * (erf((x - 0.5) / width) + erf(0.5 / width));
}

static double ramp_down(const void *cost, double x)
{
    (void)cost;
    return 2 * x - 0.95 * x * x;
}

static double ramp_up(const void *cost, double x)
{
    (void)cost;
    return 0.1 * x + 0.95 * x * x;
}

static double blocks(const void *cost, double x)
{
    (void)cost;
    static const double values[] = {0, 1, 4, 1, 0.2, 0.2, 2, 1, 3, 0.5, 0.5, 2, 0.1, 1, 5, 1};
    double sum = 0;
    for (unsigned block = 0; block < 16 && x > block / 16.0; block++)
        sum += (0.05 + values[block]) * fmin(x - block / 16.0, 1 / 16.0);
    return sum;
}

static double wave(const void *cost, double x)
{
    (void)cost;
    return x + 0.9 * (1 - cos(10 * PI * x)) / (10 * PI);
}

/* ---- The tuning worlds ---- */

#define CORE(...)                                                                          \
    {                                                                                      \
        .core = true, .granule = GRANULE, .fixed_ns = 2e3, .ns_per_item = 1e3, __VA_ARGS__ \
    }
#define GPU(fixed, ns, ...)                                                                               \
    {                                                                                                     \
        .staged = true, .depth = 2, .granule = GRANULE, .fixed_ns = fixed, .ns_per_item = ns, __VA_ARGS__ \
    }
#define CALM .noise = 0.03
#define DEVICES(name, ...) static const struct dv_world_device name[] = {__VA_ARGS__}

DEVICES(usual, CORE(CALM), CORE(CALM), GPU(300e3, 125, .device_class = 1, CALM));
DEVICES(fast_gpu, CORE(CALM), CORE(CALM), GPU(300e3, 25, .device_class = 1, CALM));
DEVICES(slow_gpu, CORE(CALM), CORE(CALM), GPU(300e3, 2e3, .device_class = 1, CALM));
DEVICES(two_cores, CORE(CALM), CORE(CALM));
DEVICES(eight_cores, CORE(CALM), CORE(CALM), CORE(CALM), CORE(CALM), CORE(CALM), CORE(CALM), CORE(CALM), CORE(CALM),
        GPU(300e3, 125, .device_class = 1, CALM), GPU(500e3, 400, .device_class = 2, CALM));
DEVICES(noisy, CORE(.noise = 0.2), CORE(.noise = 0.2), GPU(300e3, 125, .device_class = 1, .noise = 0.2));
#define SPIKES CALM, .spikes = {0.02, 8}
DEVICES(spikes, CORE(SPIKES), CORE(SPIKES), GPU(300e3, 125, .device_class = 1, SPIKES));
DEVICES(core_slows, CORE(CALM), CORE(CALM, .slowdown = {.from_ns = 5e6, .times = 3}),
        GPU(300e3, 125, .device_class = 1, CALM));
DEVICES(useless_gpu, CORE(CALM), CORE(CALM), GPU(150e6, 125, .device_class = 1, CALM));
DEVICES(jit, CORE(CALM), CORE(CALM), GPU(300e3, 125, .device_class = 1, CALM, .build_ns = 50e6));

#define WORLD(label, list, indices, shape)                                                         \
    {                                                                                              \
        .name = label, .device_count = sizeof(list) / sizeof *(list), .devices = list, .kernel = { \
            .count = indices,                                                                      \
            .cost_until = shape                                                                    \
        }                                                                                          \
    }

const struct dv_world dv_tuning_worlds[DV_TUNING_WORLDS] = {
    WORLD("regular", usual, 131072, NULL),
    WORLD("fast gpu", fast_gpu, 131072, NULL),
    WORLD("slow gpu", slow_gpu, 131072, NULL),
    WORLD("two cores", two_cores, 131072, NULL),
    WORLD("eight cores, two gpus", eight_cores, 524288, NULL),
    WORLD("big", usual, 2097152, NULL),
    WORLD("bump", usual, 131072, bump),
    WORLD("ramp down", usual, 131072, ramp_down),
    WORLD("ramp up", usual, 131072, ramp_up),
    WORLD("noisy", noisy, 131072, NULL),
    WORLD("spikes", spikes, 131072, NULL),
    WORLD("core slows", core_slows, 131072, NULL),
    WORLD("useless gpu", useless_gpu, 131072, NULL),
    WORLD("jit", jit, 131072, NULL),
};

/* ---- Random worlds ---- */

static double log_uniform(uint64_t *random, double low, double high)
{
    return low * exp(dv_random_uniform(random, 0, 1) * log(high / low));
}

/* Half of the least time that a job takes. */
static double half_time_ns(const struct dv_world *world)
{
    struct dv_world_past pasts[DV_RANDOM_DEVICES_MAX];
    for (unsigned d = 0; d < world->device_count; d++)
        pasts[d] = dv_world_open(world, d, 0);
    return dv_world_bound_ns(world, pasts, 0) / 2;
}

struct dv_world dv_world_random(uint64_t *random, struct dv_world_device devices[DV_RANDOM_DEVICES_MAX])
{
    static double (*const shapes[])(const void *, double) = {NULL, bump, ramp_down, ramp_up, blocks, wave};
    static const size_t counts[] = {64 * 512, 64 * 2048, 64 * 8192};
    struct dv_world world = {.name = "random", .devices = devices};
    world.kernel.cost_until = shapes[dv_random(random) % 6];
    world.kernel.count = counts[dv_random(random) % 3];
    unsigned cores = 1 + (unsigned)(dv_random(random) % 8), others = 1 + (unsigned)(dv_random(random) % 3);
    double core_ns = log_uniform(random, 100, 10000), noise = dv_random_uniform(random, 0.02, 0.15);
    double build_ns = dv_random(random) % 2 ? 50e6 : 0;
    world.device_count = cores + others;
    for (unsigned d = 0; d < world.device_count; d++) {
        bool core = d < cores;
        devices[d] = (struct dv_world_device){.device_class = core ? 0 : d - cores + 1,
                                              .core = core,
                                              .staged = !core,
                                              .depth = 2,
                                              .granule = GRANULE,
                                              .fixed_ns = 2e3,
                                              .ns_per_item = core_ns,
                                              .noise = noise};
        if (!core) {
            devices[d].fixed_ns = log_uniform(random, 10e3, 6e6);
            devices[d].ns_per_item = core_ns * log_uniform(random, 0.02, 3);
            devices[d].build_ns = build_ns;
        }
    }
    if (dv_random(random) % 4 == 0) {
        devices[0].slowdown.from_ns = half_time_ns(&world);
        devices[0].slowdown.times = dv_random_uniform(random, 1.5, 4);
    }
    return world;
}

/* ---- The scale study ---- */

const unsigned dv_scales[DV_SCALES] = {2, 8, 32, 128, 512, 2048, 4096};

struct dv_world dv_world_scale(unsigned count, struct dv_world_device *devices)
{
    uint64_t random = count;
    for (unsigned d = 0; d < count; d++) {
        bool core = d < count / 2;
        devices[d] = (struct dv_world_device){.device_class = core ? 0 : d - count / 2 + 1,
                                              .core = core,
                                              .staged = !core,
                                              .depth = core ? 1 : 2,
                                              .granule = core ? 1 : GRANULE,
                                              .fixed_ns = core ? 2e3 : log_uniform(&random, 1e4, 1e6),
                                              .ns_per_item = core ? 1e3 : log_uniform(&random, 1, 1e3),
                                              .noise = 0.05};
    }
    return (struct dv_world){
        .name = "scale", .device_count = count, .devices = devices, .kernel.count = (size_t)count * 200000};
}

/* ---- Summaries ---- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct dv_summary dv_summarise(double *values, size_t count)
{
    double logs = 0;
    for (size_t k = 0; k < count; k++)
        logs += log(fmax(values[k], 1e-9));
    qsort(values, count, sizeof *values, by_size);
    return (struct dv_summary){exp(logs / (double)count), values[count / 2], values[count / 10], values[0]};
}
