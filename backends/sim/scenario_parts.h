/* The parts that scenario.c puts together: readers of its two lists, for tables of fields. `out` is the scenario. */
#ifndef SCENARIO_PARTS_H
#define SCENARIO_PARTS_H

#include "fields.h"
#include "scenario.h"

/* The largest factor, cost and number of bytes that may be given. */
#define SCENARIO_TIMES_MAX 1e6
#define SCENARIO_RATE_MAX 1e15

bool scenario_read_devices(struct reader *reader, const struct place *place, const cJSON *json, void *out);
bool scenario_read_kernels(struct reader *reader, const struct place *place, const cJSON *json, void *out);

/* What stands for a kernel that no entry names. */
extern const struct scenario_kernel scenario_plain_kernel;

#endif
