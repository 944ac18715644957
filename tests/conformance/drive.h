/* Drives a device through divvy/backend.h, and holds every call to what the contract says of all of them. */
#ifndef CONFORMANCE_DRIVE_H
#define CONFORMANCE_DRIVE_H

#include "host.h"
#include "report.h"
#include "setting.h"

/* What is tested, and how hard. */
struct bench {
    const divvy_backend *backend;
    bool quick;        /* small sizes, for simulators */
    uint64_t deadline; /* of partitions that should be over in time: ns from their start */
};
extern struct bench bench;

/* Sizes of the tests of one device: about so many indices. */
size_t bench_most(const divvy_device_facts *facts, const struct subject *subject);

/* After a call on this thread that returned a failure: the rule `fail`. `before` is host_failures() before it. */
void hold_told(unsigned before, divvy_status status, const char *call);

struct opened {
    const divvy_device_facts *facts;
    void *device;
    divvy_loaded loaded[SUBJECTS];
    bool can[SUBJECTS];
};

/* Opens a device with `units` units. False: it failed, which breaks the rule `open`. */
bool drive_open(struct opened *opened, const divvy_device_facts *facts, unsigned units);

/* Loads one subject; it may be unsupported. */
void drive_load(struct opened *opened, unsigned s);
void drive_load_all(struct opened *opened);

/* Unloads what was loaded, and closes. */
void drive_close(struct opened *opened);

/* One partition between its start and its acceptance. */
struct flight {
    struct opened *opened;
    struct setting *setting;
    divvy_partition partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX], given[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    uint64_t started_ns;
};

/* A number for a job. */
uint64_t drive_job(void);

/* Starts a partition of a setting; closes the arrays of a staged device. False: it failed, and the rule is broken. */
bool flight_start(struct flight *flight, struct opened *opened, struct setting *setting, unsigned s, size_t first,
                  size_t count, uint64_t job);

/* Finishes it. Unless `may_be_late`, anything but DIVVY_DONE breaks a rule. */
divvy_outcome flight_finish(struct flight *flight, uint64_t deadline_ns, bool may_be_late);

/* Accepts the results: arrays and partials of the setting. */
void flight_accept(struct flight *flight);

/* What the setting must hold after partitions that make up [first, first + count) were accepted. */
void hold_results(struct setting *actual, struct setting *expected, size_t first, size_t count, const char *device);

/* All of it for one partition of a job of its own. */
void drive_partition(struct opened *opened, unsigned s, size_t first, size_t count, size_t total, uint64_t seed);

#endif
