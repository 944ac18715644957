/* divvy: divide one data-parallel computation over every core and OpenCL device of a machine.
 *
 * The first program (saxpy.cl holds the kernel, see divvy/kernel.h):
 *
 *     #include <divvy.h>
 *     #include "saxpy.cl"
 *
 *     divvy *dv;
 *     divvy_open(&dv, NULL);
 *     if (divvy_run(dv, saxpy, n, .a = 2.0f, .x = x, .y = y))
 *         fprintf(stderr, "%s\n", divvy_error());
 *     divvy_close(dv);
 *
 * Words: a *job* is one call of a kernel over the indices [0, count). It is cut into *partitions*,
 * contiguous ranges of indices, each run by a *device*: a CPU core, an OpenCL device. A *backend* is
 * the plugin that finds devices and runs partitions on them.
 *
 * This header is a staircase: open, run and close suffice for most programs; then come submitting,
 * options of a call, and queries. Requires C17 or C++17; divvy/kernel.h tells what is different in C++. */
#ifndef DIVVY_H
#define DIVVY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIVVY_VERSION_MAJOR 0
#define DIVVY_VERSION_MINOR 1
#define DIVVY_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define DIVVY_API
#else
#define DIVVY_API __attribute__((visibility("default")))
#endif

/* ---- Status ---------------------------------------------------------------------------------- */

/* Every status, its number, and what it says. The numbers are ABI: never changed, only added to. */
#define DIVVY_STATUS_MAP(X)                                                   \
    X(OK, 0, "done")                                                          \
    X(INVALID, -1, "an argument or option makes no sense")                    \
    X(NO_MEMORY, -2, "memory ran out")                                        \
    X(NO_DEVICE, -3, "no device is left that can run this")                   \
    X(NO_BACKEND, -4, "a backend that was asked for could not be found")      \
    X(BAD_PLUGIN, -5, "a file is not a backend that fits this library")       \
    X(BUILD_FAILED, -6, "a kernel did not build")                             \
    X(DEVICE_LOST, -7, "a device failed after it had begun to write")         \
    X(KERNEL_FAILED, -8, "a host kernel reported a failure")                  \
    X(TIMED_OUT, -9, "the job's time was over")                               \
    X(CANCELLED, -10, "the job was cancelled")                                \
    X(DEPENDENCY_FAILED, -11, "a job that this one was ordered after failed") \
    X(NOT_FOUND, -12, "what was named does not exist")                        \
    X(LIMIT, -13, "a limit of the library or of the machine was exceeded")    \
    X(IO, -14, "a file could not be read or written")                         \
    X(UNSUPPORTED, -15, "the device or this build cannot do that")            \
    X(INTERNAL, -16, "a mistake in divvy itself: please report it")

typedef enum divvy_status {
#define DIVVY__STATUS(name, number, text) DIVVY_##name = number,
    DIVVY_STATUS_MAP(DIVVY__STATUS)
#undef DIVVY__STATUS
} divvy_status;

/* The name of a status without its prefix ("NO_DEVICE"); "UNKNOWN" for other numbers. Never NULL. */
DIVVY_API const char *divvy_status_name(divvy_status status);

/* The sentence that tells why the last failing call of this thread failed; "" before the first.
 * Set only by failures, never NULL, valid until the next call of this thread into the library. The
 * text of a job travels to the thread that waits for it. */
DIVVY_API const char *divvy_error(void);

/* ---- Context --------------------------------------------------------------------------------- */

/* A context: options, jobs and a profile of its own over the process-wide pool of workers. Opaque.
 * Any thread may use it. Wherever a `divvy *` is taken, NULL means the process's default context,
 * opened on first use as the environment says and closed by divvy_close(NULL) or at exit. */
typedef struct divvy divvy;

/* How a context is opened. A field left zero means "as the environment says", an empty string "by
 * default", -1 "none" (of threads: all); the variable beside each field tells the values it takes.
 * Strings are copied. */
typedef struct divvy_options {
    const char *backend;     /* DIVVY_BACKEND: "cpu,opencl" or "^opencl" */
    const char *devices;     /* DIVVY_DEVICES: "cpu:0-3,opencl:0,opencl:name~Radeon,opencl:0/2" */
    int threads;             /* DIVVY_THREADS: cores to use; -1 all, -2 all but one */
    const char *bind;        /* DIVVY_BIND: "compact", "scatter", "none" or a list of cores "0,2-5" */
    const char *schedule;    /* DIVVY_SCHEDULE: "guarded", "static", "tss" ...; see divvy_call_options */
    size_t partition;        /* DIVVY_PARTITION: a fixed partition size, in indices */
    const char *profile;     /* DIVVY_PROFILE: where divvy_close writes the profile (%p process, %t time) */
    int profile_jobs;        /* DIVVY_PROFILE_JOBS: first and last jobs per kernel that keep partitions */
    const char *progress;    /* DIVVY_PROGRESS: "auto", "on", "off" */
    const char *log;         /* DIVVY_LOG: "error", "warn", "info", "debug" */
    const char *plugin_path; /* DIVVY_PLUGIN_PATH: folders for backends, separated by ':' */
    int reproducible;        /* DIVVY_REPRODUCIBLE: 1 the same bits in every run, see divvy_call_options */
    const char *models;      /* DIVVY_MODELS: where what is learned is kept between runs: "off" or a folder */
} divvy_options;

/* Opens a context and sets *out_dv, always: after a failure it is a failed context, whose every job
 * reports why the opening failed, so that a program may check once, at the end. `options` may be
 * NULL. Devices are probed now only if a filter names them. Any thread may call.
 * Returns INVALID for a bad option or variable, NO_BACKEND, BAD_PLUGIN, NO_DEVICE when a filter leaves
 * nothing, IO for a profile that could not be written, NO_MEMORY.
 *
 * The macro takes `options` as they come, commas and all: &(divvy_options){.backend = "cpu", .threads = 4}. In C++ they
 * are a variable: divvy_options options{}; options.threads = 4; */
#define divvy_open(out_dv, ...) divvy_open_sized((out_dv), (__VA_ARGS__), sizeof(divvy_options))
DIVVY_API divvy_status divvy_open_sized(divvy **out_dv, const divvy_options *options, size_t options_size);

/* Waits for the jobs in flight, writes the profile and what was learned, lets the devices go. For a device that hangs it
 * waits a stated time (2 s), then leaves it behind with one warning; for one that opens or builds it
 * does not wait: the end of the process does, a minute at most. NULL closes the default context if there is one.
 * Futures of the context must not be waited for afterwards, and no other thread may be inside a call on it. Not from a
 * callback or a kernel. */
DIVVY_API void divvy_close(divvy *dv);

/* ---- Running a kernel ------------------------------------------------------------------------ */

/* A kernel: a hidden constant object called NAME_kernel, made by the build of its file. */
typedef struct divvy_kernel divvy_kernel;

/* The address of a struct that lives until the call in whose arguments it stands has returned. */
#ifdef __cplusplus
extern "C++" {
template <class type> const type *divvy__address(const type &value)
{
    return &value;
}
}
#define DIVVY__STRUCT(name, ...) divvy__address(name{__VA_ARGS__})
#else
#define DIVVY__STRUCT(name, ...) (&(struct name){__VA_ARGS__})
#endif

/* Runs `kernel` over [0, count) on the devices of `dv` and returns when every result is in place.
 *
 * Equal in effect to:  for (i = 0; i < count; i++) body(i, arguments);
 *
 * The arguments are the kernel's own, by name, checked by the compiler; one left out is zero. Options
 * of the call ride along as `.with = { .name = "step 3", .partition = 4096 }`.
 *
 * Arrays are borrowed until the call returns, and it returns only when nothing reads or writes them
 * any more. Distinct arrays may overlap only if neither is written. After an error the contents of the
 * written arrays are unspecified. Folds (sum, min, max) overwrite what their result held. A count of 0
 * is OK: no array is looked at, and folds give their identity.
 *
 * Returns OK; INVALID for a NULL array, an extent of zero, an overlap with a written array, a count
 * whose arrays would exceed the address space; NO_DEVICE; BUILD_FAILED if it builds nowhere;
 * DEVICE_LOST; KERNEL_FAILED; TIMED_OUT; NO_MEMORY; or why the context failed to open. */
#define divvy_run(dv, kernel, count, ...)                                                        \
    divvy_run_kernel((dv), &kernel##_kernel, (count), DIVVY__STRUCT(kernel##_args, __VA_ARGS__), \
                     sizeof(struct kernel##_args))

/* Hands the job over and returns at once, with a future for its end. Submitting never fails: what is
 * wrong is told by divvy_wait, which must be called exactly once for each future. The arguments are
 * copied, the arrays borrowed until divvy_wait returns. Any thread may submit, also a kernel: what a
 * kernel submits must not overlap an array that the job it belongs to writes (INVALID); nor may two kernels wait
 * for jobs that must wait for each other's (INVALID for the later one).
 *
 * Two jobs in flight, of any contexts, that touch the same memory, one of them writing, run in the
 * order of their submission. */
#define divvy_submit(dv, kernel, count, ...)                                                        \
    divvy_submit_kernel((dv), &kernel##_kernel, (count), DIVVY__STRUCT(kernel##_args, __VA_ARGS__), \
                        sizeof(struct kernel##_args))

/* What divvy_submit returns: one job in flight. Never NULL. Opaque. */
typedef struct divvy_future divvy_future;

/* Waits until the job is over, consumes the future and returns the job's status. The thread that
 * waits works: it takes a free seat among the cores, its affinity never changed. A waiting kernel
 * works only on the job it waits for and on what that job needs, so nested calls cannot deadlock.
 * NULL is INVALID. Not from a callback. */
DIVVY_API divvy_status divvy_wait(divvy_future *future);

/* The functions under the macros, for other languages and for kernels found at run time. `args` points
 * to the kernel's argument struct (struct NAME_args), `args_size` is its size. */
DIVVY_API divvy_status divvy_run_kernel(divvy *dv, const divvy_kernel *kernel, size_t count, const void *args,
                                        size_t args_size);
DIVVY_API divvy_future *divvy_submit_kernel(divvy *dv, const divvy_kernel *kernel, size_t count, const void *args,
                                            size_t args_size);

/* Builds `kernel` on every device of `dv`, opening those not yet open, and returns when that is done:
 * what a first call would otherwise do beside its work. Returns BUILD_FAILED if it builds on none. */
#define divvy_prepare(dv, kernel) divvy_prepare_kernel((dv), &kernel##_kernel)
DIVVY_API divvy_status divvy_prepare_kernel(divvy *dv, const divvy_kernel *kernel);

/* Called inside a host kernel (DIVVY_HOST_KERNEL), on its own thread: the partition has failed, the
 * job ends with `status` (KERNEL_FAILED if it is OK) and `text`. The first failure wins; the kernel
 * returns by itself afterwards. `text` is copied. Elsewhere the call has no effect. */
DIVVY_API void divvy_fail(divvy_status status, const char *text);

/* ---- Options of one call --------------------------------------------------------------------- */

/* Schedules, by which partitions are sized:
 *
 *     guarded     (default) learns the devices' speeds and gives each as much of its share as is safe
 *     static      one partition for each device, by what was learned of its class; equal ones before
 *     dynamic     partitions of one size: `partition`, else a 64th of the job
 *     guided      half of an equal part of what remains, at least `partition`
 *     tss, fac2   shrinking sizes: by a constant step; in batches of halves
 *     awf-c, af   shrinking sizes, by what each device took for its partitions of this job so far
 *     hguided:cpu=1,opencl:0=8   guided by powers that are given, to a device by its id, its class or its
 *                 backend; 1 if none is
 *     iterative   one partition for each device, by what each took in the last calls of the same kernel and
 *                 size: for loops over time steps, whose work lies the same in every call
 *     replay:FILE as in the profile FILE: the n-th job of a kernel over a count is divided at the boundaries
 *                 of the n-th one there, each partition to the device that had it. A job that is not there with
 *                 all of its partitions, or whose devices are not all here, is guarded, with one warning. The
 *                 partitions of a device that fails meanwhile are left to the others
 *
 * With a fixed `partition` all but guided are dynamic. */

/* The last member, `with`, of every kernel's arguments. Zero means "as opened", -1 "none".
 *
 * A *reproducible* job gives the same bits for the same data in every run on devices of the same kind, however many
 * there are, whenever they answer or fail, under any schedule and partition size. It is computed in fixed blocks, whose
 * bounds follow from the kernel, its extents and the count, and sums, minima, maxima and results are folded in a fixed
 * tree of blocks; partitions are whole numbers of blocks, sizes that are not are rounded up. Devices of different kinds
 * round differently, so it runs on one kind only: on cores if there is one among its devices, else on those that are
 * like the first. Results that are made of integers alone are the same in every run of any job. */
typedef struct divvy_call_options {
    const char *name;       /* of the job, in the profile; the kernel's name if NULL; copied */
    size_t partition;       /* fixed partition size, in indices */
    size_t first_partition; /* size of each device's first partition, in indices */
    const char *schedule;   /* as DIVVY_SCHEDULE */
    const char *devices;    /* as DIVVY_DEVICES, among the devices of the context */
    uint64_t timeout_ns;    /* after this time no further partition starts: TIMED_OUT; 0 is none */
    /* Told how far the job is: from any thread, but one call at a time per job and with no lock held.
     * It may submit, not wait or close. `done` grows; the last call has done == count. */
    void (*on_progress)(void *progress_arg, size_t done, size_t count);
    void *progress_arg;
    int reproducible; /* 1: the same bits in every run, see above */
} divvy_call_options;

/* ---- Queries --------------------------------------------------------------------------------- */

typedef enum divvy_device_type {
    DIVVY_CORE = 1,        /* a core of the host */
    DIVVY_CPU = 2,         /* a device made of host cores, such as an OpenCL CPU device */
    DIVVY_GPU = 3,         /* a graphics processor */
    DIVVY_ACCELERATOR = 4, /* anything else */
} divvy_device_type;

/* What is known of one device. Strings live as long as the context. */
typedef struct divvy_device {
    const char *id;           /* as filters name it: "cpu:0", "opencl:1" */
    const char *name;         /* as its maker names it */
    const char *backend;      /* "cpu", "opencl" */
    const char *device_class; /* devices of one class are alike and share what is learned */
    const char *driver;       /* driver and version, CPU level: what identifies its speed */
    divvy_device_type type;
    unsigned cores;        /* host cores that it occupies: 1 for a core, 0 for a GPU */
    size_t granule;        /* its partitions' sizes are multiples of this */
    uint64_t memory_bytes; /* 0: the host's */
    bool staged;           /* works on copies */
    bool retired;          /* failed, and left out for good */
} divvy_device;

/* How many devices the context has, after probing every backend that was not probed yet. */
DIVVY_API size_t divvy_device_count(divvy *dv);

/* Fills *out_device (of `device_size` bytes) with device `index` of the context. NOT_FOUND past the end. */
#define divvy_device_at(dv, index, out_device) divvy_device_at_sized((dv), (index), (out_device), sizeof(divvy_device))
DIVVY_API divvy_status divvy_device_at_sized(divvy *dv, size_t index, divvy_device *out_device, size_t device_size);

/* What a bound rests on: every usable device ran at least two partitions of the job; or the stored model
 * of some; or nothing, and there is no bound. */
typedef enum divvy_bound_basis {
    DIVVY_BOUND_UNKNOWN = 0,
    DIVVY_BOUND_MEASURED = 1,
    DIVVY_BOUND_MODEL = 2,
} divvy_bound_basis;

/* One device's part in a job. */
typedef struct divvy_share {
    const char *id; /* of the device */
    size_t items;   /* indices computed and accepted */
    size_t partitions;
    uint64_t busy_ns; /* time inside its partitions */
    double share;     /* items / count */
} divvy_share;

/* A finished job. */
typedef struct divvy_report {
    const char *name, *kernel, *schedule;
    size_t count;
    uint64_t wall_ns;  /* from submission to the last acceptance */
    uint64_t bound_ns; /* the best possible time on these devices; 0: unknown */
    divvy_bound_basis bound_basis;
    double efficiency; /* bound / time reached; 0: unknown */
    divvy_status status;
    size_t share_count;
    const divvy_share *shares; /* one for each device that took part or could have */
} divvy_report;

/* The smallest partition that is worth its fixed cost: one whose items take so long that the fixed cost is at most the
 * part 1 - `efficiency` of that.
 *
 * Equal to:  ceil(fixed_ns / (per_item_ns * (1 - efficiency)))
 *
 * At least 1, and 1 where there is no fixed cost (0 or less) or any of the three is not a number. SIZE_MAX where no
 * partition is large enough: the items take no time (0 or less), the efficiency is 1 or more, the fixed cost is infinite.
 * A pure function: times of a profile, or of your own. Any thread. */
DIVVY_API size_t divvy_partition_for(double fixed_ns, double per_item_ns, double efficiency);

/* The job that this thread last waited for, if it was one of `dv`; else NULL. Belongs to the library and is
 * valid until this thread waits again or the context closes. */
DIVVY_API const divvy_report *divvy_last(divvy *dv);

#ifdef __cplusplus
}
#endif
#endif
