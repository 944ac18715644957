/* A small divvy_host for the tests of the opencl backend, and the runtime's part of running a partition: slices, folds,
 * acceptance. */
#ifndef OPENCL_HOST_H
#define OPENCL_HOST_H

#include "check.h"

#include <divvy/backend.h>

#include <dlfcn.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>

enum { DEVICES_MAX = 16 };

static divvy_device_facts devices[DEVICES_MAX];
static unsigned device_count;
static _Thread_local char error_text[900];
static const char *cache_path;   /* what cache_folder answers */
static const char *cache_option; /* DIVVY_OPENCL_CACHE */

static divvy_status host_add_device(const divvy_host *host, const divvy_device_facts *facts)
{
    (void)host;
    if (!CHECK(device_count < DEVICES_MAX))
        return DIVVY_LIMIT;
    divvy_device_facts *copy = &devices[device_count++];
    *copy = *facts;
    copy->name = strdup(facts->name);
    copy->driver = strdup(facts->driver);
    copy->device_class = strdup(facts->device_class);
    copy->address = strdup(facts->address);
    return DIVVY_OK;
}

__attribute__((format(printf, 3, 4))) static void host_log(const divvy_host *host, divvy_log_level level,
                                                           const char *format, ...)
{
    (void)host;
    if (level > (getenv("CHECK_DEBUG") ? DIVVY_LOG_DEBUG : DIVVY_LOG_WARN))
        return;
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fprintf(stderr, "opencl: %s\n", text);
}

__attribute__((format(printf, 3, 4))) static divvy_status host_fail(const divvy_host *host, divvy_status status,
                                                                    const char *format, ...)
{
    (void)host;
    va_list values;
    va_start(values, format);
    vsnprintf(error_text, sizeof error_text, format, values);
    va_end(values);
    return status;
}

static const char *host_option(const divvy_host *host, const char *name)
{
    (void)host;
    char variable[64];
    if (strcmp(name, "CACHE") == 0 && cache_option)
        return cache_option;
    snprintf(variable, sizeof variable, "DIVVY_OPENCL_%s", name);
    return getenv(variable);
}

/* Not XXH3, but as good here: two FNV-1a hashes. */
static void host_hash(const void *data, size_t bytes, uint8_t out_hash[16])
{
    uint64_t a = 0xcbf29ce484222325u, b = 0x9ae16a3b2f90404fu;
    for (size_t k = 0; k < bytes; k++) {
        a = (a ^ ((const uint8_t *)data)[k]) * 0x100000001b3u;
        b = (b ^ ((const uint8_t *)data)[k]) * 0x100000001b3u + (b >> 29);
    }
    memcpy(out_hash, &a, 8);
    memcpy(out_hash + 8, &b, 8);
}

static uint64_t host_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const char *host_cache_folder(const divvy_host *host)
{
    (void)host;
    return cache_path;
}

/* The identity of each fold and element, and folding one element into a partial: written out by hand, since this is
 * what the results are held against. */
#define ELEMENTS(X)                                           \
    X(FLOAT, float, f, INFINITY, -INFINITY)                   \
    X(DOUBLE, double, f, (double)INFINITY, -(double)INFINITY) \
    X(INT, int32_t, i, INT32_MAX, INT32_MIN)                  \
    X(UINT, uint32_t, u, UINT32_MAX, 0)                       \
    X(LONG, int64_t, i, INT64_MAX, INT64_MIN)                 \
    X(ULONG, uint64_t, u, UINT64_MAX, 0)

static void host_fold_open(const divvy_parameter *parameter, void *lanes, size_t lane_count)
{
    for (size_t k = 0; k < lane_count; k++)
        switch (parameter->element) {
#define FILL(name, type, member, highest, lowest)                                    \
    case DIVVY_ELEMENT_##name:                                                       \
        ((type *)lanes)[k] = (type)(parameter->kind == DIVVY_KIND_sum   ? 0          \
                                    : parameter->kind == DIVVY_KIND_min ? (highest)  \
                                                                        : (lowest)); \
        break;
            ELEMENTS(FILL)
#undef FILL
        default:
            CHECK(!"a fold of an unknown element");
        }
}

static void host_fold_close(const divvy_parameter *parameter, const void *lanes, size_t lane_count,
                            divvy_partial *partial)
{
    for (size_t k = 0; k < lane_count; k++)
        switch (parameter->element) {
#define FOLD(name, type, member, highest, lowest)                                                     \
    case DIVVY_ELEMENT_##name: {                                                                      \
        type lane = ((const type *)lanes)[k];                                                         \
        if (parameter->kind == DIVVY_KIND_sum)                                                        \
            partial->member += lane;                                                                  \
        else if (parameter->kind == DIVVY_KIND_min ? lane < partial->member : lane > partial->member) \
            partial->member = lane;                                                                   \
        break;                                                                                        \
    }
            ELEMENTS(FOLD)
#undef FOLD
        default:
            CHECK(!"a fold of an unknown element");
        }
}

static inline divvy_partial identity_of(const divvy_parameter *parameter)
{
    divvy_partial partial = {0};
    if (parameter->kind != DIVVY_KIND_sum)
        switch (parameter->element) {
#define IDENTITY(name, type, member, highest, lowest)                              \
    case DIVVY_ELEMENT_##name:                                                     \
        partial.member = parameter->kind == DIVVY_KIND_min ? (highest) : (lowest); \
        break;
            ELEMENTS(IDENTITY)
#undef IDENTITY
        default:
            break;
        }
    return partial;
}

static const divvy_host host = {
    .size = sizeof(divvy_host),
    .abi = DIVVY_BACKEND_ABI,
    .core_count = 2,
    .add_device = host_add_device,
    .log = host_log,
    .fail = host_fail,
    .option = host_option,
    .hash = host_hash,
    .now_ns = host_now_ns,
    .cache_folder = host_cache_folder,
    .fold_open = host_fold_open,
    .fold_close = host_fold_close,
};

/* The plugin as the registry would load it; probed. */
static const divvy_backend *backend;

static void load_plugin(void)
{
    void *library = dlopen(OPENCL_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        exit(EXIT_FAILURE);
    }
    backend = dlsym(library, "divvy_plugin");
    if (!backend)
        exit(EXIT_FAILURE);
    CHECK_EQ(backend->probe(&host), DIVVY_OK);
}

/* What the runtime makes of arguments for the indices [first, first + count). Folds are left to the caller. */
static inline void fill_slices(const divvy_kernel *kernel, const void *args, size_t first, size_t count, size_t total,
                               divvy_slice *slices)
{
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    kernel->extents(args, total, extents);
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        const char *member = (const char *)args + parameter->offset;
        char *array = NULL;
        size_t begin = first, end = first + count;
        slices[k] = (divvy_slice){.data = (void *)(uintptr_t)member, .bytes = parameter->element_bytes};
        if (parameter->kind == DIVVY_KIND_value || divvy_kind_is_fold(parameter->kind))
            continue;
        memcpy(&array, member, sizeof array);
        if (parameter->kind == DIVVY_KIND_all)
            begin = 0, end = 1;
        if (parameter->kind == DIVVY_KIND_halo) {
            begin = first > extents[k].radius ? first - extents[k].radius : 0;
            end = end + extents[k].radius < total ? end + extents[k].radius : total;
        }
        size_t row_bytes = extents[k].elements * parameter->element_bytes;
        slices[k].data = array + begin * row_bytes;
        slices[k].bytes = (end - begin) * row_bytes;
        slices[k].base = begin * extents[k].elements;
    }
}

/* Acceptance: what a staged device computed goes to the caller's arrays. */
static inline void accept_results(const divvy_kernel *kernel, divvy_slice *slices)
{
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (slices[k].result)
            memcpy(slices[k].data, slices[k].result, slices[k].bytes);
}

#endif
