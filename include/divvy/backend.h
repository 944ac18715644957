/* How a backend is written: a plugin that finds devices and runs partitions on them.
 *
 * A backend is one `const divvy_backend` called divvy_plugin in a shared object libdivvy_<name>.so, found in
 * the library's plugin folder or on DIVVY_PLUGIN_PATH. It links nothing of the runtime: what it needs
 * arrives as a divvy_host. There are no callbacks and no events: concurrency is the runtime's business.
 *
 * Who calls what:
 *
 *     probe          the runtime's loader thread, once per process
 *     everything     the worker of that device, and no other thread; calls for different devices come
 *     else           from different threads at the same time
 *
 * The life of a device is  open { load { start finish }* unload }* close  with at most `depth` partitions
 * between start and finish, finished in the order of their start. Plugins are never unloaded. */
#ifndef DIVVY_BACKEND_H
#define DIVVY_BACKEND_H

#include <divvy/descriptor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. A plugin of another version is refused. */
#define DIVVY_BACKEND_ABI 1

/* Which sanitizer this file is compiled with: what a process mixes must agree. */
#if defined(__SANITIZE_THREAD__)
#define DIVVY_SANITIZER "thread"
#elif defined(__SANITIZE_ADDRESS__)
#define DIVVY_SANITIZER "address"
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define DIVVY_SANITIZER "thread"
#elif __has_feature(address_sanitizer)
#define DIVVY_SANITIZER "address"
#endif
#endif
#ifndef DIVVY_SANITIZER
#define DIVVY_SANITIZER "none"
#endif

typedef enum divvy_log_level {
    DIVVY_LOG_ERROR,
    DIVVY_LOG_WARN,
    DIVVY_LOG_INFO,
    DIVVY_LOG_DEBUG,
} divvy_log_level;

/* What a backend states of a device when it finds it. Strings are copied by the runtime. */
typedef struct divvy_device_facts {
    uint32_t size;            /* sizeof(divvy_device_facts) */
    const char *name;         /* as its maker names it */
    const char *device_class; /* devices of one class are alike and share what is learned */
    const char *driver;       /* driver and version, or level: what identifies its speed */
    const char *address;      /* where it sits (PCI address, core), or "" */
    divvy_device_type type;
    uint64_t handle;          /* the backend's own mark for it, given back to open */
    unsigned units;           /* compute units; in open: 0 the whole device, else a sub-device of so many */
    unsigned cores;           /* host cores that it computes on: 1 for a core, its units for a CPU-type
                                 device, 0 for a GPU */
    bool staged;              /* works on copies: reads the caller's arrays in start only, never writes
                                 them; results are told by divvy_slice.result */
    bool divisible;           /* can be opened with fewer units */
    bool on_host;             /* computes on the host's cores, by what its worker calls or starts: that worker
                                 gives way to those of cores */
    unsigned depth;           /* partitions it takes between start and finish: 1 or 2 */
    size_t granule;           /* of partitions, if a kernel does not say otherwise; at least 1 */
    uint64_t memory_bytes;    /* 0: the host's */
    uint64_t max_slice_bytes; /* the largest single allocation; 0: no limit */
} divvy_device_facts;

/* What a device knows after it was opened: measured by a microbenchmark. 0: unknown. */
typedef struct divvy_rates {
    uint64_t latency_ns; /* of the smallest transfer */
    uint64_t upload_bytes_per_s;
    uint64_t download_bytes_per_s;
} divvy_rates;

/* What a kernel is on a device once it is loaded. */
typedef struct divvy_loaded {
    void *kernel;      /* the backend's own, for divvy_partition.loaded and unload */
    size_t granule;    /* of its partitions; 0: as the device */
    uint64_t fixed_ns; /* what a launch costs whatever its size: a of the schedule; measured by launches over
                          no index at all where that is possible */
    uint64_t build_ns; /* spent building */
    uint64_t jit_ns;   /* spent in the first launch beyond an ordinary one */
    bool cached;       /* the build came from a cache */
} divvy_loaded;

/* Where the time of one partition went, as far as the device can tell; 0: unknown. */
typedef struct divvy_timing {
    uint64_t queued_ns; /* durations, all of them */
    uint64_t jit_ns;
    uint64_t copy_in_ns;
    uint64_t run_ns;
    uint64_t copy_out_ns;
    uint64_t bytes_in; /* copied to the device */
    uint64_t bytes_out;
} divvy_timing;

/* One partition. Belongs to the runtime, which keeps it until finish has returned. */
typedef struct divvy_partition {
    size_t first, count; /* the indices [first, first + count); count is at least 1 */
    size_t total;        /* indices of the whole job */
    uint64_t job;        /* its number: `all` arguments are the same in all partitions of one job */
    const divvy_kernel *kernel;
    void *loaded;        /* divvy_loaded.kernel */
    divvy_slice *slices; /* one for each parameter */
    bool touched;        /* set by the backend as soon as the caller's arrays may have been written */
    divvy_timing timing; /* filled by finish */
    void *slot;          /* the backend's own between start and finish */
} divvy_partition;

typedef enum divvy_outcome {
    DIVVY_DONE,   /* computed; results are in place or told by divvy_slice.result */
    DIVVY_FAILED, /* not computed; the reason was given to divvy_host.fail */
    DIVVY_LATE,   /* not over at the deadline, and given up: only staged devices may say so. What the
                     partition uses on the device stays with the backend; nothing of the caller's is touched
                     any more. The runtime retires the device and closes it. */
} divvy_outcome;

/* What the runtime offers. Any thread may call; valid for the life of the process. */
typedef struct divvy_host divvy_host;
struct divvy_host {
    uint32_t size; /* sizeof(divvy_host) in the runtime */
    uint32_t abi;  /* DIVVY_BACKEND_ABI in the runtime */

    unsigned core_count; /* cores that this process may use */

    /* Announces a device; in probe only. NO_MEMORY, INVALID. */
    divvy_status (*add_device)(const divvy_host *host, const divvy_device_facts *facts);

    /* One line, lower case, without the backend's name and without a newline. */
    void (*log)(const divvy_host *host, divvy_log_level level, const char *format, ...)
#if defined(__GNUC__)
        __attribute__((format(printf, 3, 4)))
#endif
        ;

    /* Sets this thread's error text, which the runtime passes on, and returns `status`. */
    divvy_status (*fail)(const divvy_host *host, divvy_status status, const char *format, ...)
#if defined(__GNUC__)
        __attribute__((format(printf, 3, 4)))
#endif
        ;

    /* The value of DIVVY_<BACKEND>_<name>, or of DIVVY_<BACKEND> if the name is ""; NULL if it is not set. */
    const char *(*option)(const divvy_host *host, const char *name);

    /* 128 bits of XXH3 over the bytes. */
    void (*hash)(const void *data, size_t bytes, uint8_t out_hash[16]);

    /* Nanoseconds of the clock that every time in divvy is of. */
    uint64_t (*now_ns)(void);

    /* A private folder where things may be kept between runs, made when first asked for; NULL if there is
     * none. Valid for ever. */
    const char *(*cache_folder)(const divvy_host *host);

    /* Folds: fill `lanes` elements with the identity of a parameter (sum, min, max); fold them into the
     * partial of its slice. */
    void (*fold_open)(const divvy_parameter *parameter, void *lanes, size_t lane_count);
    void (*fold_close)(const divvy_parameter *parameter, const void *lanes, size_t lane_count, divvy_partial *partial);

    void *state; /* the runtime's own */
};

/* A backend. No function may be NULL. After a failure a function has called host->fail. */
typedef struct divvy_backend {
    uint32_t size; /* sizeof(divvy_backend) */
    uint32_t abi;  /* DIVVY_BACKEND_ABI */
    const char *name;
    const char *sanitizer; /* DIVVY_SANITIZER */
    uint32_t features;     /* DIVVY_BACKEND_... */

    /* Announces every device there is. Silent and OK when there is none. Keeps `host`. */
    divvy_status (*probe)(const divvy_host *host);

    /* Opens the device with facts->handle, measures its rates. Several may be open at once. */
    divvy_status (*open)(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                         divvy_rates *out_rates);

    /* Frees everything but what a late partition still uses. Returns even if the device hangs. */
    void (*close)(void *device);

    /* Builds a kernel. BUILD_FAILED with the build log; UNSUPPORTED for kernels it cannot run. */
    divvy_status (*load)(void *device, const divvy_kernel *kernel, divvy_loaded *out_loaded);
    void (*unload)(void *device, void *loaded);

    /* Queues a partition; may also run it. On failure nothing was queued, and finish is not called. When
     * a staged device returns, the caller's arrays have been read: nothing but finish follows. */
    divvy_status (*start)(void *device, divvy_partition *partition);

    /* Waits until the partition is over, or until host->now_ns() reaches the deadline (0: none), for
     * devices that can give up. */
    divvy_outcome (*finish)(void *device, divvy_partition *partition, uint64_t deadline_ns);
} divvy_backend;

enum {
    DIVVY_BACKEND_BY_NAME = 1 << 0, /* loaded only when DIVVY_BACKEND names it */
    DIVVY_BACKEND_EAGER = 1 << 1,   /* cheap: probed at once, its devices need no thread of their own: they
                                       are run by the cores' workers, one device each */
};

/* What a plugin exports, and nothing else. */
#if defined(__GNUC__)
extern __attribute__((visibility("default"))) const divvy_backend divvy_plugin;
#else
extern const divvy_backend divvy_plugin;
#endif

#ifdef __cplusplus
}
#endif
#endif
