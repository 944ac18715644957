/* A scenario: devices and kernels whose every property is known, read from a JSON text. The sim backend paces real
 * threads by it; a simulator may run it in virtual time. Needs the C library and cJSON alone.
 *
 *     {"divvy_scenario": 1,
 *      "name": "one lame gpu",
 *      "devices": [{"type": "core", "copies": 2, "fixed_ns": 2000, "ns_per_item": 1000, "noise": 0.03},
 *                  {"type": "gpu", "fixed_ns": 300000, "ns_per_item": 2000, "hang": {"at": 3}}],
 *      "kernels": [{"name": "*", "cost": {"shape": "ramp", "from": 0.1, "to": 2}}]}
 *
 * Every field but the first has a default. A field that is not known is refused by its name, as is a number out of its
 * range; names that begin with "_" or "note" are comments. tools/scenario.schema.json says the same to machines, and
 * backends/sim/README.md to people. Times are nanoseconds, probabilities from 0 to 1, "times" are factors. */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCENARIO_FORMAT = 1,
    SCENARIO_BYTES_MAX = 16 << 20, /* of the text */
    SCENARIO_DEVICES_MAX = 4096,   /* copies counted */
    SCENARIO_KERNELS_MAX = 1024,
    SCENARIO_PARTS_MAX = 65536, /* of a cost in parts */
    SCENARIO_NAME_MAX = 63,     /* bytes */
};

/* How the cost of an index depends on where it stands: x is its position in the job, from 0 to 1. Scaled so that the
 * mean is 1. The last three are constant over each of `part_count` parts of equal length. */
enum scenario_shape {
    SCENARIO_FLAT,       /* 1 */
    SCENARIO_RAMP,       /* from + (to - from) x */
    SCENARIO_BUMP,       /* base + height exp(-((x - centre) / width)^2) */
    SCENARIO_WAVE,       /* 1 + depth sin(2 pi periods x) */
    SCENARIO_BLOCKS,     /* values[part] */
    SCENARIO_RANDOM,     /* lognormal: exp(sigma z) */
    SCENARIO_HEAVY_TAIL, /* Pareto: u^(-1 / alpha) */
};

struct scenario_cost {
    enum scenario_shape shape;
    double from, to;
    double centre, width, height, base;
    double periods, depth;
    double sigma, alpha;
    uint64_t seed;
    size_t part_count;
    double *until; /* part_count + 1 sums of the parts before each, not scaled; NULL for the other shapes */
};

/* A kernel, or all that no other entry names. */
struct scenario_kernel {
    char name[SCENARIO_NAME_MAX + 1]; /* "*": any */
    double times;                     /* what every device's time per index is multiplied by */
    struct scenario_cost cost;

    /* For a simulator, which has no arrays. */
    size_t count;               /* indices of a job */
    double bytes_in, bytes_out; /* copied per index to and from a device that works on copies */
    uint64_t bytes_all;         /* copied to it once per job */
};

enum scenario_type { SCENARIO_CORE, SCENARIO_CPU, SCENARIO_GPU, SCENARIO_ACCELERATOR };

/* What fails when it is tried for the at-th time, and then again every `every` times; at 0: nothing. */
struct scenario_fail {
    enum scenario_step {
        SCENARIO_OPEN,
        SCENARIO_BUILD,
        SCENARIO_LAUNCH, /* it is refused at once */
        SCENARIO_RUN,    /* it fails when its time is over */
    } on;
    uint64_t at, every; /* every 0: once */
};

struct scenario_device {
    char name[SCENARIO_NAME_MAX + 24];        /* copies are told apart by a number: "gpu 0" */
    char device_class[SCENARIO_NAME_MAX + 1]; /* of all copies; the name, if not given */
    enum scenario_type type;

    /* Facts. */
    bool staged;    /* works on copies; default: all but core and cpu */
    unsigned depth; /* partitions in flight, 1 or 2; 2 only if staged, and then the default */
    size_t granule;
    uint64_t memory_bytes, max_slice_bytes; /* 0: no limit */

    /* The time of a launch: fixed_ns + ns_per_item * cost of its indices * lognormal noise, all of it times a spike. */
    double fixed_ns, ns_per_item;
    double noise; /* standard deviation of the logarithm */
    struct {
        double probability, times;
    } spikes;
    struct { /* from that moment on, it takes so many times as long; times 1: never */
        double from_ns, times;
        enum scenario_since { SCENARIO_SINCE_JOB, SCENARIO_SINCE_OPEN } since; /* the job began, it was opened */
    } slowdown;

    /* Before the first launch, and in the first launch of each kernel. */
    double open_ns, build_ns, jit_ns;

    /* Copies, beside computing; 0: they take no time. Staged devices only. */
    double latency_ns, upload_bytes_per_s, download_bytes_per_s;

    /* What it says of itself: the truth, if not given. */
    struct {
        double fixed_ns, latency_ns, upload_bytes_per_s, download_bytes_per_s;
        enum scenario_timing { SCENARIO_TRUE, SCENARIO_ZERO, SCENARIO_GARBAGE } timing; /* of its partitions */
    } stated;

    struct scenario_fail fail;
    struct {
        uint64_t at;   /* the launch that does not end, from 1 on; 0: none */
        double for_ns; /* but after so long; 0: never */
    } hang;
    struct {            /* from then on everything fails */
        uint64_t at;    /* the first launch to fail, from 1 on; 0: not so */
        double from_ns; /* since it was opened; 0: not so */
    } lost;
};

struct scenario {
    char name[SCENARIO_NAME_MAX + 1];
    uint64_t seed;
    size_t device_count;
    struct scenario_device *devices; /* copies one by one, in the order of the text */
    size_t kernel_count;
    struct scenario_kernel *kernels;
};

/* Reads a text of `bytes` bytes; it need not end with a zero. NULL if it is no scenario, and `error` then holds one
 * line that names the place: "devices[2].noise: 7 is not between 0 and 5". Any thread. */
struct scenario *scenario_read(const char *text, size_t bytes, char *error, size_t error_bytes);

/* The same from a file. */
struct scenario *scenario_read_file(const char *path, char *error, size_t error_bytes);

/* NULL is fine. */
void scenario_free(struct scenario *scenario);

/* The entry for a kernel of that name: its own, else that of "*", else one that is plain. Valid as long as the
 * scenario. */
const struct scenario_kernel *scenario_kernel(const struct scenario *scenario, const char *name);

#endif
