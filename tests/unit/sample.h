/* A profile as a real run would write it: a host of four cores and a GPU, jobs that learn, fail and repeat. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "machine/topology.h"
#include "record/profile.h"

extern const struct dv_topology sample_host;

/* Writes it to `path`. Returns what dv_profile_close returned. `repeats`: jobs of its most frequent kernel. */
divvy_status sample_write(const char *path, size_t repeats);

/* The device facts used in it: 0 to 3 are cores, 4 a GPU. */
divvy_device_facts sample_facts(unsigned device);

#endif
