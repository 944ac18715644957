/* Finds devices and states their facts. */
#include "opencl.h"
#include "quirks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PLATFORMS_MAX = 32, DEVICES_MAX = 64, LOCAL_AIM = 64 };

/* Numbers from extensions whose headers are not everywhere. */
enum {
    PCI_BUS_INFO_KHR = 0x410F,
    TOPOLOGY_AMD = 0x4037,
    PCI_BUS_ID_NV = 0x4008,
    PCI_SLOT_ID_NV = 0x4009,
    PCI_DOMAIN_ID_NV = 0x400A,
};

static struct dv_cl_found found[DEVICES_MAX];
static unsigned found_count;

const struct dv_cl_found *dv_cl_found_at(uint64_t handle)
{
    return handle >= 1 && handle <= found_count ? &found[handle - 1] : NULL;
}

/* ---- Questions to drivers. An unanswered one is "" or 0. ---- */

static char *trimmed(char *text)
{
    size_t begin = strspn(text, " \t"), length = strlen(text + begin);
    while (length > 0 && strchr(" \t\n", text[begin + length - 1]))
        length--;
    memmove(text, text + begin, length);
    text[length] = 0;
    return text;
}

/* To be freed; NULL only without memory. */
static char *device_text(cl_device_id id, cl_device_info what)
{
    size_t bytes = 0;
    if (clGetDeviceInfo(id, what, 0, NULL, &bytes) != CL_SUCCESS)
        bytes = 0;
    char *text = calloc(bytes + 1, 1);
    if (text && bytes > 0 && clGetDeviceInfo(id, what, bytes, text, NULL) != CL_SUCCESS)
        text[0] = 0;
    return text ? trimmed(text) : NULL;
}

static char *platform_text(cl_platform_id id, cl_platform_info what)
{
    size_t bytes = 0;
    if (clGetPlatformInfo(id, what, 0, NULL, &bytes) != CL_SUCCESS)
        bytes = 0;
    char *text = calloc(bytes + 1, 1);
    if (text && bytes > 0 && clGetPlatformInfo(id, what, bytes, text, NULL) != CL_SUCCESS)
        text[0] = 0;
    return text ? trimmed(text) : NULL;
}

#define ANSWER(type, name, what)                                                                \
    static type name(cl_device_id id)                                                           \
    {                                                                                           \
        type value = 0;                                                                         \
        return clGetDeviceInfo(id, what, sizeof value, &value, NULL) == CL_SUCCESS ? value : 0; \
    }
ANSWER(cl_device_type, type_bits, CL_DEVICE_TYPE)
ANSWER(cl_uint, unit_count, CL_DEVICE_MAX_COMPUTE_UNITS)
ANSWER(cl_bool, unified_memory, CL_DEVICE_HOST_UNIFIED_MEMORY)
ANSWER(cl_bool, little_endian, CL_DEVICE_ENDIAN_LITTLE)
ANSWER(cl_bool, available, CL_DEVICE_AVAILABLE)
ANSWER(cl_bool, has_compiler, CL_DEVICE_COMPILER_AVAILABLE)
ANSWER(cl_ulong, memory_bytes, CL_DEVICE_GLOBAL_MEM_SIZE)
ANSWER(cl_ulong, max_alloc_bytes, CL_DEVICE_MAX_MEM_ALLOC_SIZE)
ANSWER(cl_uint, vector_width, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT)
ANSWER(cl_command_queue_properties, queue_properties, CL_DEVICE_QUEUE_PROPERTIES)
#undef ANSWER

static divvy_device_type device_type(cl_device_id id)
{
    cl_device_type bits = type_bits(id);
    if (bits & CL_DEVICE_TYPE_GPU)
        return DIVVY_GPU;
    if (bits & CL_DEVICE_TYPE_ACCELERATOR)
        return DIVVY_ACCELERATOR;
    return bits & CL_DEVICE_TYPE_CPU ? DIVVY_CPU : DIVVY_ACCELERATOR;
}

bool dv_cl_offers(cl_device_id id, cl_device_partition_property wanted)
{
    cl_device_partition_property kinds[16] = {0};
    size_t bytes = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_PARTITION_PROPERTIES, sizeof kinds, kinds, &bytes) != CL_SUCCESS)
        return false;
    for (size_t k = 0; k < bytes / sizeof *kinds && k < sizeof kinds / sizeof *kinds; k++)
        if (kinds[k] == wanted)
            return true;
    return false;
}

static bool can_partition(cl_device_id id)
{
    return dv_cl_offers(id, CL_DEVICE_PARTITION_BY_COUNTS) || dv_cl_offers(id, CL_DEVICE_PARTITION_EQUALLY);
}

/* Where the device sits: what tells two equal cards apart, and the same card between platforms. */
static char *device_address(cl_device_id id, unsigned platform, unsigned index)
{
    char text[64];
    struct {
        cl_uint domain, bus, device, function;
    } pci;
    struct {
        cl_uint type;
        cl_char unused[17], bus, device, function;
    } amd;
    cl_uint bus, slot, domain = 0;
    if (clGetDeviceInfo(id, PCI_BUS_INFO_KHR, sizeof pci, &pci, NULL) == CL_SUCCESS) {
        snprintf(text, sizeof text, "%04x:%02x:%02x.%x", pci.domain, pci.bus, pci.device, pci.function);
    } else if (clGetDeviceInfo(id, TOPOLOGY_AMD, sizeof amd, &amd, NULL) == CL_SUCCESS && amd.type == 1) {
        snprintf(text, sizeof text, "0000:%02x:%02x.%x", (unsigned)amd.bus & 0xff, (unsigned)amd.device & 0xff,
                 (unsigned)amd.function & 0xff);
    } else if (clGetDeviceInfo(id, PCI_BUS_ID_NV, sizeof bus, &bus, NULL) == CL_SUCCESS &&
               clGetDeviceInfo(id, PCI_SLOT_ID_NV, sizeof slot, &slot, NULL) == CL_SUCCESS) {
        if (clGetDeviceInfo(id, PCI_DOMAIN_ID_NV, sizeof domain, &domain, NULL) != CL_SUCCESS)
            domain = 0;
        snprintf(text, sizeof text, "%04x:%02x:%02x.%x", domain, bus, slot >> 3, slot & 7);
    } else {
        snprintf(text, sizeof text, "%u:%u", platform, index);
    }
    return strdup(text);
}

/* ---- Facts ---- */

/* Why a device cannot be used, or NULL. */
static const char *unfit(cl_device_id id, const char *version)
{
    const uint16_t one = 1;
    unsigned major = 0, minor = 0;
    if (!available(id))
        return "it is not available";
    if (!has_compiler(id))
        return "it has no compiler";
    if (sscanf(version, "OpenCL %u.%u", &major, &minor) != 2 || major * 10 + minor < 12)
        return "its version is below OpenCL 1.2";
    if ((little_endian(id) != CL_FALSE) != (*(const uint8_t *)&one == 1))
        return "its byte order is not the host's";
    return NULL;
}

/* Processors whose compiler knows vector registers get runs; those that run work-items in step get items. */
static enum dv_cl_loops choose_loops(const divvy_host *host, const struct dv_cl_found *device)
{
    const char *wanted = host->option(host, "LOOPS");
    if (wanted && strcasecmp(wanted, "items") == 0)
        return DV_CL_ITEMS;
    if (wanted && strcasecmp(wanted, "runs") == 0)
        return DV_CL_RUNS;
    return device->type == DIVVY_CPU && vector_width(device->id) > 1 ? DV_CL_RUNS : DV_CL_ITEMS;
}

/* Whether an option of the backend is set. */
static bool is_on(const divvy_host *host, const char *option)
{
    const char *value = host->option(host, option);
    return value && value[0] && strcmp(value, "0") != 0;
}

/* Only processors that share the host's memory work in the caller's arrays: others may cache or copy at will. */
static bool choose_staged(const divvy_host *host, const struct dv_cl_found *device, bool cannot_share)
{
    return is_on(host, "STAGED") || cannot_share || device->type != DIVVY_CPU || !unified_memory(device->id);
}

/* To be freed; NULL without memory. */
__attribute__((format(printf, 1, 2))) static char *written(const char *format, ...)
{
    char *text = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&text, format, values);
    va_end(values);
    return length < 0 ? NULL : text;
}

static void forget(struct dv_cl_found *device)
{
    free(device->name);
    free(device->driver);
    free(device->class_name);
    free(device->address);
    *device = (struct dv_cl_found){0};
}

/* Fills in a device. False without memory. */
static bool describe(const divvy_host *host, cl_platform_id platform, cl_device_id id, unsigned platform_index,
                     unsigned index, const char *version, struct dv_cl_found *device)
{
    *device = (struct dv_cl_found){.platform = platform, .id = id};
    char *platform_name = platform_text(platform, CL_PLATFORM_NAME);
    char *platform_version = platform_text(platform, CL_PLATFORM_VERSION);
    char *driver_version = device_text(id, CL_DRIVER_VERSION);
    char *extensions = device_text(id, CL_DEVICE_EXTENSIONS);
    device->name = device_text(id, CL_DEVICE_NAME);
    device->address = device_address(id, platform_index, index);
    device->type = device_type(id);
    const cl_uint units = unit_count(id), width = vector_width(id); /* the driver may answer differently next time */
    device->units = units > 0 ? units : 1;
    bool complete =
        platform_name && platform_version && driver_version && extensions && device->name && device->address;
    if (complete) {
        device->driver = written("%s, %s, %s, driver %s", platform_name, platform_version, version, driver_version);
        complete = device->driver != NULL;
    }
    if (complete) {
        device->class_name = written("%s, %s, %u units", device->name, device->driver, device->units);
        complete = device->class_name != NULL;
    }
    if (complete) {
        struct dv_cl_quirks quirks = dv_cl_quirks_of(platform_name, device->name, driver_version);
        device->staged = choose_staged(host, device, quirks.staged);
        device->on_host = device->type == DIVVY_CPU || quirks.computes_in_flush;
        device->launches_late = device->staged && quirks.computes_in_flush;
        device->depth = device->staged && !device->launches_late ? 2 : 1;
        device->unsafe = quirks.unsafe;
        device->loops = choose_loops(host, device);
        device->divisible = device->units > 1 && can_partition(id);
        device->profiled = (queue_properties(id) & CL_QUEUE_PROFILING_ENABLE) != 0;
        device->doubles = strstr(extensions, "cl_khr_fp64") != NULL;
        device->granule = device->loops == DV_CL_ITEMS ? LOCAL_AIM : width > 0 ? width : 1;
        device->memory_bytes = device->staged ? memory_bytes(id) : 0;
        device->max_slice_bytes = max_alloc_bytes(id);
    }
    free(platform_name);
    free(platform_version);
    free(driver_version);
    free(extensions);
    if (!complete)
        forget(device);
    return complete;
}

/* Units mislead: llvmpipe has eight on two cores. */
static unsigned cores_of(const divvy_host *host, const struct dv_cl_found *device)
{
    if (device->type != DIVVY_CPU)
        return 0;
    return host->core_count > 0 && host->core_count < device->units ? host->core_count : device->units;
}

static divvy_status announce(const divvy_host *host, const struct dv_cl_found *device, uint64_t handle)
{
    return host->add_device(host, &(divvy_device_facts){
                                      .size = sizeof(divvy_device_facts),
                                      .name = device->name,
                                      .device_class = device->class_name,
                                      .driver = device->driver,
                                      .address = device->address,
                                      .type = device->type,
                                      .handle = handle,
                                      .units = device->units,
                                      .cores = cores_of(host, device),
                                      .staged = device->staged,
                                      .divisible = device->divisible,
                                      .on_host = device->on_host,
                                      .depth = device->depth,
                                      .granule = device->granule,
                                      .memory_bytes = device->memory_bytes,
                                      .max_slice_bytes = device->max_slice_bytes,
                                  });
}

/* ---- The walk over platforms ---- */

/* Whether DIVVY_OPENCL_PLATFORMS, a list of parts of names, lets a platform pass. */
static bool is_wanted(const divvy_host *host, const char *name)
{
    const char *list = host->option(host, "PLATFORMS");
    if (!list || !list[0])
        return true;
    char part[128];
    for (const char *at = list; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        size_t kept = length < sizeof part ? length : sizeof part - 1;
        memcpy(part, at, kept);
        part[kept] = 0;
        if (trimmed(part)[0] && strcasestr(name, part))
            return true;
        at += length;
    }
    return false;
}

/* Wrong results are worse than none. */
static void refuse(const divvy_host *host, struct dv_cl_found *device)
{
    host->log(host, DIVVY_LOG_INFO,
              "\"%s\" is left out, since its results may be wrong: %s; DIVVY_OPENCL_UNSAFE=1 takes it nevertheless",
              device->name, device->unsafe);
    forget(device);
}

static divvy_status add_device(const divvy_host *host, cl_platform_id platform, cl_device_id id,
                               unsigned platform_index, unsigned index)
{
    char *version = device_text(id, CL_DEVICE_VERSION);
    if (!version)
        return host->fail(host, DIVVY_NO_MEMORY, "no memory to describe a device");
    const char *reason = found_count < DEVICES_MAX ? unfit(id, version) : "there are too many";
    divvy_status status = DIVVY_OK;
    if (reason)
        host->log(host, DIVVY_LOG_DEBUG, "device %u:%u is left out: %s", platform_index, index, reason);
    else if (!describe(host, platform, id, platform_index, index, version, &found[found_count]))
        status = host->fail(host, DIVVY_NO_MEMORY, "no memory to describe a device");
    else if (found[found_count].unsafe && !is_on(host, "UNSAFE"))
        refuse(host, &found[found_count]);
    else
        status = announce(host, &found[found_count], found_count + 1);
    if (status == DIVVY_OK && !reason && found[found_count].name)
        found_count++;
    free(version);
    return status;
}

static divvy_status walk_platform(const divvy_host *host, cl_platform_id platform, unsigned platform_index)
{
    cl_device_id ids[DEVICES_MAX];
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, ids, &count);
    if (code != CL_SUCCESS) {
        host->log(host, DIVVY_LOG_DEBUG, "platform %u has no device: %s", platform_index, dv_cl_code_name(code));
        return DIVVY_OK;
    }
    divvy_status status = DIVVY_OK;
    for (cl_uint k = 0; k < count && k < DEVICES_MAX && status == DIVVY_OK; k++)
        status = add_device(host, platform, ids[k], platform_index, k);
    return status;
}

/* INVALID for a value that an option does not know. */
static divvy_status check_options(const divvy_host *host)
{
    static const struct {
        const char *name, *values[4];
    } options[] = {{"STAGED", {"0", "1"}},
                   {"UNSAFE", {"0", "1"}},
                   {"LOOPS", {"items", "runs"}},
                   {"CACHE", {"on", "off", "1", "0"}}};
    for (size_t k = 0; k < sizeof options / sizeof *options; k++) {
        const char *value = host->option(host, options[k].name);
        bool known = !value || !value[0];
        char allowed[64] = "";
        for (size_t v = 0; v < 4 && options[k].values[v]; v++) {
            known = known || strcasecmp(value, options[k].values[v]) == 0;
            snprintf(allowed + strlen(allowed), sizeof allowed - strlen(allowed), "%s%s", v ? ", " : "",
                     options[k].values[v]);
        }
        if (!known)
            return host->fail(host, DIVVY_INVALID, "DIVVY_OPENCL_%s is \"%s\": allowed are %s", options[k].name, value,
                              allowed);
    }
    return DIVVY_OK;
}

divvy_status dv_cl_probe(const divvy_host *host)
{
    DV_CL_TRY(check_options(host));
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint count = 0;
    cl_int code = clGetPlatformIDs(PLATFORMS_MAX, platforms, &count);
    if (code != CL_SUCCESS || count == 0) {
        host->log(host, DIVVY_LOG_DEBUG, "there is no platform: %s", dv_cl_code_name(code));
        return DIVVY_OK;
    }
    divvy_status status = DIVVY_OK;
    for (cl_uint k = 0; k < count && k < PLATFORMS_MAX && status == DIVVY_OK; k++) {
        char *name = platform_text(platforms[k], CL_PLATFORM_NAME);
        if (!name)
            status = host->fail(host, DIVVY_NO_MEMORY, "no memory to describe a platform");
        else if (!is_wanted(host, name))
            host->log(host, DIVVY_LOG_DEBUG, "platform \"%s\" is left out by DIVVY_OPENCL_PLATFORMS", name);
        else
            status = walk_platform(host, platforms[k], k);
        free(name);
    }
    return status;
}
