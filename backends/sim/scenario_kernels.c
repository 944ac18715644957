#include "scenario_parts.h"

#include "cost.h"

#include <stdlib.h>
#include <string.h>

#define COST struct scenario_cost
#define KERNEL struct scenario_kernel
#define NUMBER FIELD_NUMBER_ROW

/* ---- Costs ------------------------------------------------------------------------------------ */

/* What is kept of the values is their sums. */
static bool read_values(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    static const struct field value = {.form = FIELD_NUMBER, .low = 0, .high = SCENARIO_TIMES_MAX};
    COST *cost = out;
    size_t part = 0;
    cost->part_count = fields_list_length(reader, place, json, SCENARIO_PARTS_MAX);
    if (cost->part_count == 0)
        return false;
    cost->until = calloc(cost->part_count + 1, sizeof *cost->until);
    if (!cost->until)
        return fields_fail(reader, place, "there is no memory for it");
    const cJSON *element;
    cJSON_ArrayForEach (element, json) {
        struct place at = {.outer = place, .index = part};
        double number = 0;
        if (!fields_read_one(reader, &at, element, &value, &number))
            return false;
        cost->until[part + 1] = cost->until[part] + number;
        part++;
    }
    return true;
}

static const char *const shapes[] = {"flat", "ramp", "bump", "wave", "blocks", "random", "heavy_tail", NULL};

#define SHAPE FIELD_WORD_ROW("shape", COST, shape, shapes)
#define DRAWN                                                                               \
    FIELD_ROW("parts", COST, part_count, FIELD_SIZE, .low = 1, .high = SCENARIO_PARTS_MAX), \
        FIELD_ROW("seed", COST, seed, FIELD_WHOLE, .low = 0, .high = FIELD_WHOLE_MAX)

static const struct field flat[] = {SHAPE, {0}};
static const struct field ramp[] = {
    SHAPE, NUMBER("from", COST, from, 0, SCENARIO_TIMES_MAX), NUMBER("to", COST, to, 0, SCENARIO_TIMES_MAX), {0}};
static const struct field bump[] = {SHAPE,
                                    NUMBER("centre", COST, centre, -10, 10),
                                    NUMBER("width", COST, width, 1e-6, 1e3),
                                    NUMBER("height", COST, height, 0, SCENARIO_TIMES_MAX),
                                    NUMBER("base", COST, base, 0, SCENARIO_TIMES_MAX),
                                    {0}};
static const struct field wave[] = {
    SHAPE, NUMBER("periods", COST, periods, 1e-3, 1e6), NUMBER("depth", COST, depth, 0, 1), {0}};
static const struct field blocks[] = {SHAPE, FIELD_BY_ROW("values", read_values), {0}};
static const struct field drawn_normal[] = {SHAPE, DRAWN, NUMBER("sigma", COST, sigma, 0, 5), {0}};
static const struct field drawn_tail[] = {SHAPE, DRAWN, NUMBER("alpha", COST, alpha, 0.5, 100), {0}};

/* As in enum scenario_shape. */
static const struct field *const tables[] = {flat, ramp, bump, wave, blocks, drawn_normal, drawn_tail};

static const COST plain_cost = {.from = 0.1,
                                .to = 2,
                                .centre = 0.5,
                                .width = 0.18,
                                .height = 3,
                                .base = 0.05,
                                .periods = 5,
                                .depth = 0.9,
                                .sigma = 1,
                                .alpha = 1.5,
                                .part_count = 1024};

/* The shape decides which fields there are. `out` is the kernel. */
static bool read_cost(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    static const struct field shape = SHAPE;
    COST *cost = &((KERNEL *)out)->cost;
    const struct place at = {.outer = place, .name = shape.name};
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(json, shape.name);
    if (given && !fields_read_one(reader, &at, given, &shape, &cost->shape))
        return false;
    if (!fields_read(reader, place, json, tables[cost->shape], cost))
        return false;
    if (cost->shape == SCENARIO_BLOCKS && !cost->until)
        return fields_fail(reader, place, "blocks need values");
    if (!cost_draw(cost))
        return fields_fail(reader, place, "there is no memory for it");
    return cost_is_positive(cost) || fields_fail(reader, place, "it is 0 everywhere");
}

/* ---- Kernels ---------------------------------------------------------------------------------- */

static const struct field kernel_fields[] = {
    FIELD_ROW("name", KERNEL, name, FIELD_NAME, .high = SCENARIO_NAME_MAX),
    NUMBER("times", KERNEL, times, 1e-6, SCENARIO_TIMES_MAX),
    FIELD_BY_ROW("cost", read_cost),
    FIELD_ROW("count", KERNEL, count, FIELD_SIZE, .low = 1, .high = FIELD_WHOLE_MAX),
    NUMBER("bytes_in", KERNEL, bytes_in, 0, SCENARIO_RATE_MAX),
    NUMBER("bytes_out", KERNEL, bytes_out, 0, SCENARIO_RATE_MAX),
    FIELD_ROW("bytes_all", KERNEL, bytes_all, FIELD_WHOLE, .high = SCENARIO_RATE_MAX),
    {0}};

const KERNEL scenario_plain_kernel = {.name = "*", .times = 1, .cost = {.shape = SCENARIO_FLAT}, .count = 131072};

static bool is_taken(const struct scenario *scenario, const KERNEL *kernel)
{
    for (const KERNEL *other = scenario->kernels; other < kernel; other++)
        if (strcmp(other->name, kernel->name) == 0)
            return true;
    return false;
}

bool scenario_read_kernels(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    struct scenario *scenario = out;
    size_t count = fields_list_length(reader, place, json, SCENARIO_KERNELS_MAX);
    if (count == 0)
        return false;
    scenario->kernels = calloc(count, sizeof *scenario->kernels);
    if (!scenario->kernels)
        return fields_fail(reader, place, "there is no memory for it");
    const cJSON *element;
    cJSON_ArrayForEach (element, json) {
        struct place at = {.outer = place, .index = scenario->kernel_count};
        KERNEL *kernel = &scenario->kernels[scenario->kernel_count++];
        *kernel = scenario_plain_kernel;
        kernel->cost = plain_cost;
        if (!fields_read(reader, &at, element, kernel_fields, kernel))
            return false;
        if (is_taken(scenario, kernel))
            return fields_fail(reader, &at, "there is an entry for \"%s\" already", kernel->name);
    }
    return true;
}
