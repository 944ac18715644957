/* What the schedule promises on the machines of tests/bench (simulated.c), without a clock: near the bound beside devices
 * of unlike speed, and beside a device that is no good hardly longer than on the cores alone. */
#include "check.h"

#include "schedule/virtual.h"

#include <math.h>

enum { CORES_MOST = 8, SEEDS = 20, CALLS = 10, SIXTH = 5 };
static const double INDEX_NS = 1000;

/* A row of calls: what each took, and its efficiency. */
struct calls {
    double ns[CALLS], efficiency[CALLS];
};

static struct calls run(const struct dv_world *world, uint64_t seed)
{
    struct calls calls;
    struct dv_virtual_options options = {.schedule = &dv_guarded, .seed = seed};
    struct dv_virtual *row = dv_virtual_open(world, &options);
    for (int c = 0; c < CALLS; c++) {
        struct dv_virtual_job job = dv_virtual_run(row);
        CHECK(job.done);
        calls.ns[c] = job.end_ns - job.start_ns;
        calls.efficiency[c] = job.efficiency;
    }
    dv_virtual_close(row);
    return calls;
}

static unsigned add_cores(struct dv_world_device *devices, unsigned cores)
{
    for (unsigned c = 0; c < cores; c++)
        devices[c] = (struct dv_world_device){.core = true, .fixed_ns = 1550, .ns_per_item = INDEX_NS, .noise = 0.01};
    return cores;
}

/* ---- Three devices of unlike speed -------------------------------------------------------------- */

/* Efficiencies of the first call and the sixth, means over seeds. */
static void pace(unsigned cores, double job_ms, double *out_first, double *out_sixth)
{
    struct dv_world_device devices[CORES_MOST + 3];
    static const double times[] = {8, 3, 0.5}, fixed_ns[] = {300e3, 100e3, 500e3};
    unsigned count = add_cores(devices, cores);
    double speed = cores;
    for (unsigned g = 0; g < 3; g++) {
        devices[count++] = (struct dv_world_device){.device_class = 1 + g,
                                                    .staged = true,
                                                    .depth = 2,
                                                    .granule = 64,
                                                    .fixed_ns = fixed_ns[g],
                                                    .ns_per_item = INDEX_NS / times[g]};
        speed += times[g];
    }
    struct dv_world world = {.name = "paced",
                             .device_count = count,
                             .devices = devices,
                             .kernel.count = (size_t)(job_ms * 1e6 / INDEX_NS * speed)};
    double first = 0, sixth = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct calls calls = run(&world, seed);
        first += calls.efficiency[0] / SEEDS;
        sixth += calls.efficiency[SIXTH] / SEEDS;
    }
    printf("%u cores and three devices, %3.0f ms: %.3f, sixth call %.3f\n", cores, job_ms, first, sixth);
    *out_first = first;
    *out_sixth = sixth;
}

/* A first call of 20 ms is over before all devices are known well. */
static void test_paced(void)
{
    static const struct {
        double ms, first;
    } sizes[] = {{20, 0.90}, {50, 0.92}, {200, 0.95}};
    for (unsigned cores = 2; cores <= CORES_MOST; cores *= 2)
        for (int s = 0; s < 3; s++) {
            double first, sixth;
            pace(cores, sizes[s].ms, &first, &sixth);
            CHECK(first > sizes[s].first && sixth > 0.94);
        }
}

/* ---- A device that is no good ------------------------------------------------------------------- */

#define FAST .fixed_ns = 3e5, .ns_per_item = 125
static const struct {
    const char *name;
    struct dv_world_device device;
} hostile[] = {
    {"450x slower", {.fixed_ns = 2e6, .ns_per_item = 450e3}},
    {"hangs at once", {FAST, .hang = {.at = 1}}},
    {"hangs at the third", {FAST, .hang = {.at = 3}}},
    {"fails at the first", {FAST, .fail = {DV_WORLD_RUN, 1, 0}}},
    {"fails every third", {FAST, .fail = {DV_WORLD_RUN, 3, 3}}},
    {"refuses every third", {FAST, .fail = {DV_WORLD_LAUNCH, 3, 3}}},
    {"slow and lies", {.fixed_ns = 5e6, .ns_per_item = 8000, .lies = true, .stated = {.fixed_ns = 3000}}},
    {"lost midway", {FAST, .lost = {.at = 4}}},
    {"does not open", {FAST, .fail = {DV_WORLD_OPEN, 1, 0}}},
};

/* Time beside it / time without, the first call and ten in a row; the worst of the seeds. */
static void suffer(unsigned cores, int h)
{
    struct dv_world_device devices[CORES_MOST + 1];
    add_cores(devices, cores);
    devices[cores] = hostile[h].device;
    devices[cores].device_class = 1;
    devices[cores].staged = true;
    devices[cores].depth = 2;
    devices[cores].granule = 64;
    struct dv_world with = {.name = hostile[h].name,
                            .device_count = cores + 1,
                            .devices = devices,
                            .kernel.count = (size_t)(100e6 / INDEX_NS * cores)};
    struct dv_world without = with;
    without.device_count = cores;
    double first = 0, ten = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct calls beside = run(&with, seed), alone = run(&without, seed);
        double beside_ns = 0, alone_ns = 0;
        for (int c = 0; c < CALLS; c++) {
            beside_ns += beside.ns[c];
            alone_ns += alone.ns[c];
        }
        first = fmax(first, beside.ns[0] / alone.ns[0]);
        ten = fmax(ten, beside_ns / alone_ns);
    }
    printf("%u cores and one that %s: %.3f, ten calls %.3f\n", cores, hostile[h].name, first, ten);
    if (!CHECK(first < 1.05 && ten < 1.05))
        fprintf(stderr, "  %s\n", hostile[h].name);
}

static void test_hostile(void)
{
    for (unsigned cores = 1; cores <= CORES_MOST; cores *= 2)
        for (int h = 0; h < (int)(sizeof hostile / sizeof *hostile); h++)
            suffer(cores, h);
}

int main(void)
{
    test_paced();
    test_hostile();
    return check_summary();
}
