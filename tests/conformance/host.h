/* A divvy_host of the tests' own, written without the runtime, and the runtime's part of running a partition: slices
 * and acceptance. One plugin per process. */
#ifndef CONFORMANCE_HOST_H
#define CONFORMANCE_HOST_H

#include <divvy/backend.h>

enum { HOST_DEVICES_MAX = 64 };

extern const divvy_host the_host;

/* What the plugin has done with it, and what it answers. */
struct host_seen {
    const char *backend; /* its name, for options */
    const char *cache_folder;
    const char *(*option)(const char *name); /* asked first; may be NULL */
    bool verbose;                            /* log lines to stderr, all of them */
    bool probing;
    unsigned refused;                    /* devices announced when not probing, or too many */
    unsigned wrong_sizes;                /* facts of another size */
    unsigned lines[DIVVY_LOG_DEBUG + 1]; /* log lines per level, in probe */
    unsigned device_count;
    divvy_device_facts devices[HOST_DEVICES_MAX];
};
extern struct host_seen host_seen;

/* This thread's error text, and how often fail was called on it. */
const char *host_error(void);
unsigned host_failures(void);

uint64_t host_now_ns(void);

/* Loads libdivvy_NAME.so. NULL: it cannot be loaded, or exports no divvy_plugin; *out_why says so. */
const divvy_backend *host_load(const char *path, const char **out_why);

/* Lets the backend announce its devices. Once. */
divvy_status host_probe(const divvy_backend *backend);

/* What the runtime makes of arguments for the indices [first, first + count). `result` slices are left to the caller;
 * folds get their place in `partials`, set to the identity. */
void host_slices(const divvy_kernel *kernel, const void *args, size_t first, size_t count, size_t total,
                 divvy_partial *partials, divvy_slice *slices);

/* Acceptance: what a staged device computed goes to the caller's arrays. */
void host_accept(const divvy_kernel *kernel, divvy_slice *slices);

/* The partial of a fold over no index. */
divvy_partial host_identity(const divvy_parameter *parameter);

/* Folds one partial into another. */
void host_join(const divvy_parameter *parameter, divvy_partial *into, const divvy_partial *from);

#endif
