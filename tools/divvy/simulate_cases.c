/* What is simulated: scenarios, from files or among the shipped ones, and random worlds. */
#include "simulate.h"

#include "base/random.h"
#include "cost.h"
#include "scenario.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A scenario becomes a world ---- */

static double cost_until_of(const void *cost, double x)
{
    return cost_until(cost, x);
}

static struct dv_world_device device_of(const struct scenario_device *given, double times)
{
    static const enum dv_world_step steps[] = {[SCENARIO_OPEN] = DV_WORLD_OPEN,
                                               [SCENARIO_BUILD] = DV_WORLD_BUILD,
                                               [SCENARIO_LAUNCH] = DV_WORLD_LAUNCH,
                                               [SCENARIO_RUN] = DV_WORLD_RUN};
    return (struct dv_world_device){
        .core = given->type == SCENARIO_CORE,
        .staged = given->staged,
        .depth = given->depth,
        .granule = given->granule,
        .memory_bytes = given->memory_bytes,
        .max_slice_bytes = given->max_slice_bytes,
        .fixed_ns = given->fixed_ns,
        .ns_per_item = given->ns_per_item * times,
        .noise = given->noise,
        .spikes = {given->spikes.probability, given->spikes.times},
        .slowdown = {given->slowdown.from_ns, given->slowdown.times, given->slowdown.since == SCENARIO_SINCE_OPEN},
        .open_ns = given->open_ns,
        .build_ns = given->build_ns,
        .jit_ns = given->jit_ns,
        .latency_ns = given->latency_ns,
        .upload_bytes_per_s = given->upload_bytes_per_s,
        .download_bytes_per_s = given->download_bytes_per_s,
        .lies = true, /* it says what is stated, which is the truth if nothing else was given */
        .stated = {given->stated.fixed_ns, given->stated.latency_ns, given->stated.upload_bytes_per_s,
                   given->stated.download_bytes_per_s},
        .fail = {steps[given->fail.on], given->fail.at, given->fail.every},
        .hang = {given->hang.at, given->hang.for_ns},
        .lost = {given->lost.at, given->lost.from_ns},
    };
}

/* A number for each class, in the order in which they come. */
static unsigned class_of(const struct simulate_case *one, unsigned d)
{
    for (unsigned before = 0; before < d; before++)
        if (strcmp(one->class_names[before], one->class_names[d]) == 0)
            return one->devices[before].device_class;
    unsigned next = 0;
    for (unsigned before = 0; before < d; before++)
        if (one->devices[before].device_class >= next)
            next = one->devices[before].device_class + 1;
    return next;
}

static void add_device(struct simulate_case *one, const struct scenario_device *given, double times)
{
    unsigned d = one->world.device_count++;
    one->devices[d] = device_of(given, times);
    snprintf(one->device_names[d], sizeof one->device_names[d], "%s", given->name);
    snprintf(one->class_names[d], sizeof one->class_names[d], "%s", given->device_class);
    one->devices[d].device_class = class_of(one, d);
}

/* Cores come first in a world. */
static bool convert(struct simulate_case *one, const char *kernel_name)
{
    const struct scenario *scenario = one->scenario;
    const struct scenario_kernel *kernel = scenario_kernel(scenario, kernel_name);
    one->devices = calloc(scenario->device_count, sizeof *one->devices);
    one->device_names = calloc(scenario->device_count, sizeof *one->device_names);
    one->class_names = calloc(scenario->device_count, sizeof *one->class_names);
    if (!one->devices || !one->device_names || !one->class_names)
        return false;
    for (int other = 0; other < 2; other++)
        for (size_t d = 0; d < scenario->device_count; d++)
            if ((scenario->devices[d].type != SCENARIO_CORE) == other)
                add_device(one, &scenario->devices[d], kernel->times);
    snprintf(one->name, sizeof one->name, "%s", scenario->name);
    one->seed = scenario->seed;
    one->world.name = one->name;
    one->world.devices = one->devices;
    one->world.kernel = (struct dv_world_kernel){.count = kernel->count,
                                                 .bytes_in = kernel->bytes_in,
                                                 .bytes_out = kernel->bytes_out,
                                                 .bytes_all = kernel->bytes_all};
    if (kernel->cost.shape != SCENARIO_FLAT) {
        one->world.kernel.cost_until = cost_until_of;
        one->world.kernel.cost = &kernel->cost;
    }
    return true;
}

/* ---- Cases ---- */

/* One more; NULL: no memory. What points into the list is set only when it is whole. */
static struct simulate_case *add_case(struct simulate_cases *cases)
{
    struct simulate_case *grown = realloc(cases->list, (cases->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    cases->list = grown;
    for (size_t c = 0; c < cases->count; c++)
        grown[c].world.name = grown[c].name;
    grown[cases->count] = (struct simulate_case){0};
    return &grown[cases->count++];
}

static bool add_file(struct simulate_cases *cases, const char *path, const char *kernel, char *problem, size_t size)
{
    char error[512];
    struct simulate_case *one = add_case(cases);
    if (one)
        one->scenario = scenario_read_file(path, error, sizeof error);
    if (one && !one->scenario) {
        snprintf(problem, size, "%s: %s", path, error);
        return false;
    }
    if (!one || !convert(one, kernel)) {
        snprintf(problem, size, "memory ran out");
        return false;
    }
    return true;
}

void simulate_forget(struct simulate_cases *cases)
{
    for (size_t c = 0; c < cases->count; c++) {
        free(cases->list[c].devices);
        free(cases->list[c].device_names);
        free(cases->list[c].class_names);
        scenario_free(cases->list[c].scenario);
    }
    free(cases->list);
    *cases = (struct simulate_cases){0};
}

/* ---- The shipped ones ---- */

/* Files of the folder of scenarios; the first are those of runtime/schedule/worlds.h. */
static const char *const tuning[] = {"regular", "fast_gpu",   "slow_gpu",    "two_cores", "eight_cores_two_gpus",
                                     "big",     "bump",       "ramp_down",   "ramp_up",   "noisy",
                                     "spikes",  "core_slows", "useless_gpu", "jit",       NULL};
static const char *const hostile[] = {"slow450", "hangs",        "fails_every_third", "lost", "lies",
                                      "rough",   "small_memory", "will_not_start",    NULL};

/* Beside this program, where it is installed and in the build tree alike. */
static bool shipped_path(const char *name, char *path, size_t size)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return false;
    program[length] = 0;
    *strrchr(program, '/') = 0;
    int wrote = snprintf(path, size, "%s/%s/%s.json", program, DIVVY_SCENARIOS, name);
    return wrote > 0 && (size_t)wrote < size;
}

static bool is_among(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

static bool add_shipped(struct simulate_cases *cases, const char *name, const char *kernel, char *problem, size_t size)
{
    char path[PATH_MAX];
    if (!shipped_path(name, path, sizeof path)) {
        snprintf(problem, size, "the folder of scenarios is not known");
        return false;
    }
    return add_file(cases, path, kernel, problem, size);
}

static bool add_kind(struct simulate_cases *cases, const char *const *names, const char *kernel, char *problem,
                     size_t size)
{
    for (; *names; names++)
        if (!add_shipped(cases, *names, kernel, problem, size))
            return false;
    return true;
}

static void name_shipped(const char *word, char *problem, size_t size)
{
    int used = snprintf(problem, size,
                        "there is no scenario \"%s\": it is tuning, hostile, scale, a file with a '/' or '.' in its "
                        "name, or one of",
                        word);
    for (int kind = 0; kind < 2; kind++)
        for (const char *const *name = kind ? hostile : tuning; *name && used > 0 && (size_t)used < size; name++)
            used += snprintf(problem + used, size - (size_t)used, "%s %s", name == tuning ? "" : ",", *name);
}

void simulate_list(FILE *out)
{
    for (const char *const *name = tuning; *name; name++)
        fprintf(out, "%-22s  tuning\n", *name);
    for (const char *const *name = hostile; *name; name++)
        fprintf(out, "%-22s  hostile\n", *name);
}

/* ---- The scale study ---- */

static bool add_scales(struct simulate_cases *cases, char *problem, size_t size)
{
    cases->scaled = true;
    for (unsigned k = 0; k < DV_SCALES; k++) {
        struct simulate_case *one = add_case(cases);
        if (one)
            one->devices = calloc(dv_scales[k], sizeof *one->devices);
        if (!one || !one->devices) {
            snprintf(problem, size, "memory ran out");
            return false;
        }
        snprintf(one->name, sizeof one->name, "%u devices", dv_scales[k]);
        one->world = dv_world_scale(dv_scales[k], one->devices);
        one->world.name = one->name;
        one->seed = 1;
    }
    return true;
}

bool simulate_add(struct simulate_cases *cases, const char *word, const char *kernel, char *problem, size_t size)
{
    if (strpbrk(word, "/."))
        return add_file(cases, word, kernel, problem, size);
    if (strcmp(word, "tuning") == 0)
        return add_kind(cases, tuning, kernel, problem, size);
    if (strcmp(word, "hostile") == 0)
        return add_kind(cases, hostile, kernel, problem, size);
    if (strcmp(word, "scale") == 0)
        return add_scales(cases, problem, size);
    if (is_among(word, tuning) || is_among(word, hostile))
        return add_shipped(cases, word, kernel, problem, size);
    name_shipped(word, problem, size);
    return false;
}

/* ---- Random ones ---- */

bool simulate_add_random(struct simulate_cases *cases, unsigned count, uint64_t seed, char *problem, size_t size)
{
    uint64_t random = seed;
    for (unsigned w = 0; w < count; w++) {
        struct simulate_case *one = add_case(cases);
        if (one)
            one->devices = calloc(DV_RANDOM_DEVICES_MAX, sizeof *one->devices);
        if (!one || !one->devices) {
            snprintf(problem, size, "memory ran out");
            return false;
        }
        snprintf(one->name, sizeof one->name, "random %u", w);
        one->world = dv_world_random(&random, one->devices);
        one->world.name = one->name;
        one->seed = dv_random(&random);
    }
    return true;
}
