/* Scenarios: any bytes as one. What is refused is refused in one line; with what is read a device can be run, whose
 * times are never before those they follow. */
#include "fuzz.h"

#include "cost.h"
#include "model.h"
#include "scenario.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

static bool is_factor(double number)
{
    return isfinite(number) && number >= 0;
}

static void run_device(const struct scenario *scenario, const struct scenario_device *device)
{
    struct model model;
    uint64_t now_ns = 1000, end_ns;
    MUST(memchr(device->name, 0, sizeof device->name) && memchr(device->device_class, 0, sizeof device->device_class));
    MUST(device->granule >= 1 && (device->depth == 1 || (device->depth == 2 && device->staged)));
    MUST(is_factor(device->fixed_ns) && is_factor(device->ns_per_item) && is_factor(device->noise));
    model_init(&model, scenario, device);
    bool good = model_open(&model, now_ns, &end_ns);
    MUST(end_ns >= now_ns);
    now_ns = end_ns;
    good = good && end_ns != MODEL_NEVER && model_build(&model, now_ns, &end_ns);
    MUST(end_ns >= now_ns);
    for (size_t k = 0; good && k < 8; k++) {
        const size_t size = k < 7 ? (size_t)1 << (7 * k) : SIZE_MAX / 2;
        const struct model_launch launch = {.kernel = scenario_kernel(scenario, k % 2 ? "saxpy" : "other"),
                                            .first = size,
                                            .count = size,
                                            .total = 2 * size,
                                            .bytes_in = 1e6,
                                            .bytes_out = 1e6,
                                            .first_of_kernel = k == 0};
        struct model_course course = model_launch(&model, end_ns, &launch);
        MUST(course.outcome == MODEL_REFUSED || course.end_ns >= end_ns);
        if (course.end_ns == MODEL_NEVER)
            break;
        if (course.outcome != MODEL_REFUSED)
            end_ns = course.end_ns;
        model_delay(&model, end_ns);
    }
}

static void try_cost(const struct scenario_kernel *kernel)
{
    MUST(memchr(kernel->name, 0, sizeof kernel->name) && is_factor(kernel->times));
    double all = cost_of(&kernel->cost, 0, 1000, 1000), front = cost_of(&kernel->cost, 0, 300, 1000);
    MUST(fabs(all - 1000) < 1 && front >= 0 && front <= all * 1.000001);
    MUST(is_factor(cost_of(&kernel->cost, SIZE_MAX - 1, 1, SIZE_MAX)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256] = "";
    struct scenario *scenario = scenario_read((const char *)data, size, error, sizeof error);
    if (!scenario) {
        MUST(*error && !strchr(error, '\n'));
        return 0;
    }
    MUST(scenario->device_count <= SCENARIO_DEVICES_MAX);
    MUST(scenario->kernel_count <= SCENARIO_KERNELS_MAX);
    for (size_t d = 0; d < scenario->device_count && d < 16; d++)
        run_device(scenario, &scenario->devices[d]);
    for (size_t k = 0; k < scenario->kernel_count; k++)
        try_cost(&scenario->kernels[k]);
    scenario_free(scenario);
    return 0;
}
