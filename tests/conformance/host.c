#include "host.h"

#include <ctype.h>
#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct host_seen host_seen;

static _Thread_local char error_text[4096];
static _Thread_local unsigned failures;

const char *host_error(void)
{
    return error_text;
}

unsigned host_failures(void)
{
    return failures;
}

/* ---- What the plugin calls -------------------------------------------------------------------------------------- */

/* Strings that are missing are told apart from empty ones later. */
static const char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static divvy_status fail(const divvy_host *host, divvy_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static divvy_status add_device(const divvy_host *host, const divvy_device_facts *facts)
{
    if (!host_seen.probing || host_seen.device_count == HOST_DEVICES_MAX) {
        host_seen.refused++;
        return fail(host, DIVVY_INVALID, "a device cannot be added now");
    }
    if (facts->size != sizeof *facts) {
        host_seen.wrong_sizes++;
        return fail(host, DIVVY_INVALID, "facts of another size");
    }
    divvy_device_facts *copy = &host_seen.devices[host_seen.device_count++];
    *copy = *facts;
    copy->name = copy_of(facts->name);
    copy->driver = copy_of(facts->driver);
    copy->device_class = copy_of(facts->device_class);
    copy->address = copy_of(facts->address);
    return DIVVY_OK;
}

__attribute__((format(printf, 3, 4))) static void write_log(const divvy_host *host, divvy_log_level level,
                                                            const char *format, ...)
{
    (void)host;
    if (host_seen.probing)
        host_seen.lines[level]++;
    if (!host_seen.verbose && level > DIVVY_LOG_WARN)
        return;
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fprintf(stderr, "%s: %s\n", host_seen.backend, text);
}

static divvy_status fail(const divvy_host *host, divvy_status status, const char *format, ...)
{
    (void)host;
    va_list values;
    va_start(values, format);
    vsnprintf(error_text, sizeof error_text, format, values);
    va_end(values);
    failures++;
    return status;
}

static const char *option(const divvy_host *host, const char *name)
{
    (void)host;
    const char *answer = host_seen.option ? host_seen.option(name) : NULL;
    if (answer)
        return answer;
    char variable[128];
    snprintf(variable, sizeof variable, "DIVVY_%s%s%s", host_seen.backend, *name ? "_" : "", name);
    for (char *at = variable; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return getenv(variable);
}

/* Not XXH3, but as good here: two FNV-1a hashes. */
static void hash(const void *data, size_t bytes, uint8_t out_hash[16])
{
    uint64_t a = 0xcbf29ce484222325u, b = 0x9ae16a3b2f90404fu;
    for (size_t k = 0; k < bytes; k++) {
        a = (a ^ ((const uint8_t *)data)[k]) * 0x100000001b3u;
        b = (b ^ ((const uint8_t *)data)[k]) * 0x100000001b3u + (b >> 29);
    }
    memcpy(out_hash, &a, 8);
    memcpy(out_hash + 8, &b, 8);
}

uint64_t host_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static const char *cache_folder(const divvy_host *host)
{
    (void)host;
    return host_seen.cache_folder;
}

/* ---- Folds: written out by hand, since this is what results are held against ----------------------------------- */

#define ELEMENTS(X)                                           \
    X(FLOAT, float, f, INFINITY, -INFINITY)                   \
    X(DOUBLE, double, f, (double)INFINITY, -(double)INFINITY) \
    X(INT, int32_t, i, INT32_MAX, INT32_MIN)                  \
    X(UINT, uint32_t, u, UINT32_MAX, 0)                       \
    X(LONG, int64_t, i, INT64_MAX, INT64_MIN)                 \
    X(ULONG, uint64_t, u, UINT64_MAX, 0)

static void fold_open(const divvy_parameter *parameter, void *lanes, size_t lane_count)
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
            fprintf(stderr, "fold_open: %s is no fold\n", parameter->name);
            abort();
        }
}

static void fold_close(const divvy_parameter *parameter, const void *lanes, size_t lane_count, divvy_partial *partial)
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
            fprintf(stderr, "fold_close: %s is no fold\n", parameter->name);
            abort();
        }
}

divvy_partial host_identity(const divvy_parameter *parameter)
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

void host_join(const divvy_parameter *parameter, divvy_partial *into, const divvy_partial *from)
{
    switch (parameter->element) {
#define JOIN(name, type, member, highest, lowest)                                                               \
    case DIVVY_ELEMENT_##name:                                                                                  \
        if (parameter->kind == DIVVY_KIND_sum)                                                                  \
            into->member += from->member;                                                                       \
        else if (parameter->kind == DIVVY_KIND_min ? from->member < into->member : from->member > into->member) \
            into->member = from->member;                                                                        \
        break;
        ELEMENTS(JOIN)
#undef JOIN
    default:
        break;
    }
}

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

const divvy_host the_host = {
    .size = sizeof(divvy_host),
    .abi = DIVVY_BACKEND_ABI,
    .core_count = 2,
    .add_device = add_device,
    .log = write_log,
    .fail = fail,
    .option = option,
    .hash = hash,
    .now_ns = host_now_ns,
    .cache_folder = cache_folder,
    .fold_open = fold_open,
    .fold_close = fold_close,
};

const divvy_backend *host_load(const char *path, const char **out_why)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        *out_why = dlerror();
        return NULL;
    }
    *out_why = "it exports no divvy_plugin";
    return dlsym(library, "divvy_plugin");
}

divvy_status host_probe(const divvy_backend *backend)
{
    host_seen.probing = true;
    divvy_status status = backend->probe(&the_host);
    host_seen.probing = false;
    return status;
}

/* ---- The runtime's part of a partition --------------------------------------------------------------------------- */

void host_slices(const divvy_kernel *kernel, const void *args, size_t first, size_t count, size_t total,
                 divvy_partial *partials, divvy_slice *slices)
{
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    kernel->extents(args, total, extents);
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        const char *member = (const char *)args + parameter->offset;
        uintptr_t array;
        size_t begin = first, end = first + count;
        slices[k] = (divvy_slice){.data = (void *)(uintptr_t)member, .bytes = parameter->element_bytes};
        if (divvy_kind_is_fold(parameter->kind)) {
            partials[k] = host_identity(parameter);
            slices[k] = (divvy_slice){.data = &partials[k], .bytes = sizeof partials[k]};
        }
        if (parameter->kind == DIVVY_KIND_value || parameter->kind == DIVVY_KIND_result ||
            divvy_kind_is_fold(parameter->kind))
            continue;
        memcpy(&array, member, sizeof array);
        if (parameter->kind == DIVVY_KIND_all)
            begin = 0, end = 1;
        if (parameter->kind == DIVVY_KIND_halo) {
            begin = first > extents[k].radius ? first - extents[k].radius : 0;
            end = total - end > extents[k].radius ? end + extents[k].radius : total;
        }
        size_t row_bytes = extents[k].elements * parameter->element_bytes;
        slices[k].data = (void *)(array + begin * row_bytes);
        slices[k].bytes = (end - begin) * row_bytes;
        slices[k].base = begin * extents[k].elements;
    }
}

void host_accept(const divvy_kernel *kernel, divvy_slice *slices)
{
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (slices[k].result)
            memcpy(slices[k].data, slices[k].result, slices[k].bytes);
}
