/* The worlds that the schedules are tuned on, and random ones that nothing is tuned on. */
#ifndef DV_WORLDS_H
#define DV_WORLDS_H

#include "schedule/world.h"

enum { DV_TUNING_WORLDS = 14, DV_RANDOM_DEVICES_MAX = 11 };

/* Two cores and a GPU, each with something else about it; tools/scenarios has them as files. */
extern const struct dv_world dv_tuning_worlds[DV_TUNING_WORLDS];

/* 1 to 8 cores, 1 to 3 devices of any speed and fixed cost, any cost over the range. Moves *random on; `devices` is room
 * for the world's. */
struct dv_world dv_world_random(uint64_t *random, struct dv_world_device devices[DV_RANDOM_DEVICES_MAX]);

enum { DV_SCALES = 7 };

/* How many devices the worlds of the scale study have: 2 to 4096. */
extern const unsigned dv_scales[DV_SCALES];

/* Half cores, half others up to 1000 times as fast, each of a class of its own. `devices` is room for `count`. */
struct dv_world dv_world_scale(unsigned count, struct dv_world_device *devices);

/* How good many efficiencies are together. */
struct dv_summary {
    double mean;                 /* geometric */
    double median, tenth, worst; /* tenth: the best of the worst tenth */
};

/* Sorts the values. */
struct dv_summary dv_summarise(double *values, size_t count);

#endif
