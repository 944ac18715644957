/* What the files of the OpenCL backend share: devices found, devices open, kernels loaded, and partitions in flight.
 * The only place that knows CL/cl.h.
 *
 *     platform.c   finds devices and states their facts, over quirks.c
 *     device.c     opens and closes one, measures its rates
 *     prelude.c    what stands in front of a kernel's text
 *     program.c    builds a kernel, over cache.c
 *     transfer.c   brings a partition's arguments to the device and its results back
 *     launch.c     starts and finishes partitions
 *     exit.c       keeps the process from ending in the middle of a driver call
 *
 * After platform.c has run, what it found is constant. Everything of an open device belongs to its worker. */
#ifndef DV_OPENCL_H
#define DV_OPENCL_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <divvy/backend.h>

#include <pthread.h>
#include <stdatomic.h>

/* Returns `expression`'s status to the caller unless it is OK. */
#define DV_CL_TRY(expression)                  \
    do {                                       \
        divvy_status dv_tried_ = (expression); \
        if (dv_tried_ != DIVVY_OK)             \
            return dv_tried_;                  \
    } while (0)

/* How the indices of a partition are laid over work-items. */
enum dv_cl_loops {
    DV_CL_ITEMS, /* neighbouring work-items take neighbouring indices: for devices that run them in step */
    DV_CL_RUNS,  /* each work-item takes one contiguous run: for processors, whose compilers vectorise the loop */
};

/* A device as found. Constant. */
struct dv_cl_found {
    cl_platform_id platform;
    cl_device_id id;
    char *name;
    char *driver; /* all versions that matter */
    char *class_name;
    char *address;
    divvy_device_type type;
    unsigned units;
    bool staged;
    bool on_host;       /* computes on the host's cores */
    bool launches_late; /* in finish, alone: its driver computes meanwhile, while others may do without it */
    unsigned depth;     /* partitions between start and finish */
    bool divisible;
    bool profiled;      /* claims to time its commands */
    bool doubles;       /* has cl_khr_fp64 */
    const char *unsafe; /* how its results may be wrong without a word, or NULL: see quirks.h */
    enum dv_cl_loops loops;
    size_t granule;
    uint64_t memory_bytes;
    uint64_t max_slice_bytes;
};

/* The buffers of one parameter in one slot; they grow and stay. */
struct dv_cl_array {
    cl_mem device; /* zero-copy devices: over the caller's memory, for one partition only */
    size_t device_bytes;
    cl_mem pinned; /* staged devices: what `host` is mapped from */
    void *host;    /* staged: what is uploaded from and downloaded to. Otherwise: lanes of a fold */
    size_t host_bytes;
};

enum dv_cl_step { DV_CL_COPY_IN, DV_CL_RUN, DV_CL_COPY_OUT };

/* One command of a partition. */
struct dv_cl_command {
    cl_event event;
    enum dv_cl_step step;
    const char *name; /* of the parameter or the kernel */
};

enum { DV_CL_COMMANDS_MAX = 3 * DIVVY_PARAMETERS_MAX + 1 };

/* Room for one partition in flight: an in-order queue and its buffers, so that the copies of one partition overlap the
 * computing of another. */
struct dv_cl_slot {
    cl_command_queue queue;
    bool busy;
    struct dv_cl_array arrays[DIVVY_PARAMETERS_MAX];
    unsigned command_count;
    struct dv_cl_command commands[DV_CL_COMMANDS_MAX];
    unsigned wait_count; /* uploads by the other slot that the launch must wait for */
    cl_event waits[DIVVY_PARAMETERS_MAX];
    struct dv_cl_shared *shared[DIVVY_PARAMETERS_MAX]; /* per parameter, or NULL */
    size_t items, lanes;                               /* work-items; elements of each fold */
    uint64_t started_ns, copied_ns;                    /* when start began; time that the host spent copying in it */
    uint64_t bytes_in, bytes_out;
};

/* An `all` array that was uploaded for a job. */
struct dv_cl_shared {
    bool valid;
    uint64_t job;
    const void *data; /* where the caller has it */
    size_t bytes;
    cl_mem device;
    size_t device_bytes;
    cl_event uploaded;
    unsigned users;   /* slots in flight */
    uint64_t used_ns; /* last */
};

enum { DV_CL_SHARED_MAX = 2 * DIVVY_PARAMETERS_MAX + 8 };

/* An open device: its worker's alone. */
struct dv_cl_device {
    const divvy_host *host;
    const struct dv_cl_found *found;
    cl_device_id id; /* the found one, or a sub-device of it */
    unsigned units;
    cl_context context;
    cl_mem nothing;                 /* stands for arrays of no bytes */
    bool hung;                      /* a partition was late: nothing that it may use is ever released */
    void *tried;                    /* the memory of a launch over no index that hangs */
    struct dv_cl_device *next_left; /* of those that were left behind */
    unsigned slot_count, next_slot;
    struct dv_cl_slot slots[2];
    struct dv_cl_shared shared[DV_CL_SHARED_MAX];
    struct dv_cl_kernel *kernels; /* all that are loaded */
};

/* What a built program depends on, as a hash. */
struct dv_cl_key {
    uint8_t bytes[16];
};

/* A loaded kernel. */
struct dv_cl_kernel {
    struct dv_cl_kernel *next;
    const divvy_kernel *kernel;
    struct dv_cl_key key;
    cl_program program; /* kernels of one file share it */
    cl_kernel entry;
    size_t local;
    bool folds;
};

/* ---- errors.c ---- */

/* The name of an OpenCL code: "CL_OUT_OF_RESOURCES". */
const char *dv_cl_code_name(cl_int code);

/* OK for CL_SUCCESS, else fails: "<doing> <object> on "<device>": <code>". NO_MEMORY when memory or resources ran
 * out, DEVICE_LOST otherwise. */
divvy_status dv_cl_check(const struct dv_cl_device *device, cl_int code, const char *doing, const char *object);

/* ---- platform.c ---- */

/* Finds every device and announces it. Once. */
divvy_status dv_cl_probe(const divvy_host *host);

/* The device behind divvy_device_facts.handle, or NULL. */
const struct dv_cl_found *dv_cl_found_at(uint64_t handle);

/* Whether a device can be divided in this way. */
bool dv_cl_offers(cl_device_id id, cl_device_partition_property wanted);

/* ---- device.c ---- */

divvy_status dv_cl_open(const divvy_host *host, const struct dv_cl_found *found, unsigned units,
                        struct dv_cl_device **out_device, divvy_rates *out_rates);
void dv_cl_close(struct dv_cl_device *device);

/* ---- prelude.c ---- */

enum { DV_CL_PRELUDE_TEXTS = 6 };

/* The texts to put in front of a kernel's for this device, in order; some may be empty. `folds`: the kernel has any. */
void dv_cl_prelude(const struct dv_cl_device *device, const char *source, bool folds,
                   const char *texts[DV_CL_PRELUDE_TEXTS]);

/* Whether a word stands in a text that has no comments; digits may follow. */
bool dv_cl_has_word(const char *text, const char *word);

/* ---- program.c ---- */

divvy_status dv_cl_load(struct dv_cl_device *device, const divvy_kernel *kernel, divvy_loaded *out_loaded);
void dv_cl_unload(struct dv_cl_device *device, struct dv_cl_kernel *loaded);

/* ---- cache.c ---- */

/* The hash of all these texts; the list ends with NULL. NO_MEMORY. */
divvy_status dv_cl_key_of(const divvy_host *host, const char *const *texts, struct dv_cl_key *out_key);

/* The binary kept under `key`, to be freed; NULL if there is none, or if the file is not what was once written. */
void *dv_cl_cache_read(const divvy_host *host, const struct dv_cl_key *key, size_t *out_bytes);

/* Keeps a binary. A failure is a debug line. */
void dv_cl_cache_write(const divvy_host *host, const struct dv_cl_key *key, const void *binary, size_t bytes);

/* ---- transfer.c ---- */

/* Makes the buffer of parameter `k` hold what the kernel is to find there, and gives it in *out_buffer. When a
 * staged device returns, the caller's array has been read. */
divvy_status dv_cl_bring(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition,
                         unsigned k, cl_mem *out_buffer);

/* Queues what brings the results of parameter `k` back. */
divvy_status dv_cl_fetch(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition,
                         unsigned k);

/* After the commands have succeeded: tells results, folds lanes. */
void dv_cl_settle(struct dv_cl_device *device, struct dv_cl_slot *slot, const divvy_partition *partition);

/* Lets go of what belonged to one partition only. The slot's commands must be over. */
void dv_cl_clear(struct dv_cl_device *device, struct dv_cl_slot *slot);

/* A partition has failed: what it uploaded for others is not to be used. */
void dv_cl_distrust_shared(struct dv_cl_slot *slot);

/* Whether what the slot has used of others' uploads may be trusted still. */
bool dv_cl_trusts_shared(const struct dv_cl_slot *slot);

/* Forgets every `all` array. Nothing may be in flight. */
void dv_cl_forget_shared(struct dv_cl_device *device);

/* Frees all buffers of the device. Nothing may be in flight. */
void dv_cl_free_arrays(struct dv_cl_device *device);

/* Remembers a command of the slot. `event` may be kept. */
void dv_cl_note(struct dv_cl_slot *slot, cl_event event, enum dv_cl_step step, const char *name);

/* ---- launch.c ---- */

/* The work-group size for a kernel: constant, since some drivers compile for each. */
divvy_status dv_cl_choose_local(const struct dv_cl_device *device, cl_kernel entry, const char *name,
                                size_t *out_local);

divvy_status dv_cl_start(struct dv_cl_device *device, divvy_partition *partition);
divvy_outcome dv_cl_finish(struct dv_cl_device *device, divvy_partition *partition, uint64_t deadline_ns);

/* Launches a kernel over no index, by the way that partitions go; how long it took. A staged device is given up after
 * `patience_ns`; 0: never. */
divvy_status dv_cl_try(struct dv_cl_device *device, struct dv_cl_kernel *loaded, uint64_t patience_ns,
                       uint64_t *out_ns);

/* ---- exit.c ---- */

/* From now on the end of the process waits, for a few seconds at most, half a minute for builds and probing, until no
 * call is in progress and no partition in flight. */
void dv_cl_guard_exit(const divvy_host *host);

/* Around probing, and each build: the same for what drivers and compilers meanwhile leave to be destructed at the end. */
struct dv_cl_watch {
    atomic_bool over;
    bool watched;
    pthread_t thread;
};
void dv_cl_watch_begin(struct dv_cl_watch *watched);
void dv_cl_watch_end(struct dv_cl_watch *watched);

/* Around each call into the drivers. False: the process is ending, and the drivers must not be called. */
bool dv_cl_enter(void);
void dv_cl_leave(void);

/* Whether the drivers may still be called by one who has entered. */
bool dv_cl_alive(void);

#endif
