#include "machine/host.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/status.h"
#include "machine/fold.h"

#include <stdlib.h>
#include <string.h>

static const char *check_facts(const divvy_device_facts *facts)
{
    if (facts->size < sizeof *facts)
        return "the facts are shorter than this library's";
    if (!facts->name || !facts->device_class)
        return "name and class must be told";
    if (facts->type < DIVVY_CORE || facts->type > DIVVY_ACCELERATOR)
        return "the type must be one of divvy_device_type";
    if (facts->granule < 1)
        return "the granule must be at least 1";
    if (facts->depth < 1 || facts->depth > 2)
        return "the depth must be 1 or 2";
    return NULL;
}

/* What a driver says of itself is shown on terminals. */
static char *copy_text(const char *text)
{
    char *copy = strdup(text ? text : "");
    if (copy)
        dv_log_clean(copy, "");
    return copy;
}

static bool copy_facts(const divvy_device_facts *facts, divvy_device_facts *out)
{
    *out = *facts;
    out->size = sizeof *out;
    out->name = copy_text(facts->name);
    out->device_class = copy_text(facts->device_class);
    out->driver = copy_text(facts->driver);
    out->address = copy_text(facts->address);
    return out->name && out->device_class && out->driver && out->address;
}

static void free_facts(divvy_device_facts *facts)
{
    free((char *)facts->name);
    free((char *)facts->device_class);
    free((char *)facts->driver);
    free((char *)facts->address);
}

static divvy_status add_device(const divvy_host *host, const divvy_device_facts *facts)
{
    struct dv_plugin *plugin = host->state;
    if (plugin->probe != DV_PROBING)
        return dv_fail(DIVVY_INVALID, "%s: devices are announced while probing only", plugin->name);
    const char *wrong = check_facts(facts);
    if (wrong)
        return dv_fail(DIVVY_INVALID, "%s: a device cannot be added: %s", plugin->name, wrong);
    struct dv_found found = {.plugin = plugin, .index = plugin->device_count};
    struct dv_found *devices = realloc(plugin->devices, (plugin->device_count + 1) * sizeof *devices);
    if (devices)
        plugin->devices = devices;
    if (!devices)
        return dv_fail(DIVVY_NO_MEMORY, "%s: no memory for device %u", plugin->name, plugin->device_count);
    if (!copy_facts(facts, &found.facts)) {
        free_facts(&found.facts);
        return dv_fail(DIVVY_NO_MEMORY, "%s: no memory for device %u", plugin->name, plugin->device_count);
    }
    devices[plugin->device_count++] = found;
    return DIVVY_OK;
}

static const char *name_of(const divvy_host *host)
{
    return ((const struct dv_plugin *)host->state)->name;
}

__attribute__((format(printf, 3, 4))) static void write_log(const divvy_host *host, divvy_log_level level,
                                                            const char *format, ...)
{
    va_list values;
    va_start(values, format);
    dv_log_v(level, name_of(host), format, values);
    va_end(values);
}

__attribute__((format(printf, 3, 4))) static divvy_status fail(const divvy_host *host, divvy_status status,
                                                               const char *format, ...)
{
    va_list values;
    va_start(values, format);
    dv_fail_v(status, name_of(host), format, values);
    va_end(values);
    return status;
}

static const char *option(const divvy_host *host, const char *name)
{
    return dv_backend_option(name_of(host), name);
}

static const char *cache_folder(const divvy_host *host)
{
    (void)host;
    return dv_cache_folder();
}

void dv_host_fill(struct dv_plugin *plugin, unsigned core_count)
{
    plugin->host = (divvy_host){
        .size = sizeof plugin->host,
        .abi = DIVVY_BACKEND_ABI,
        .core_count = core_count,
        .add_device = add_device,
        .log = write_log,
        .fail = fail,
        .option = option,
        .hash = dv_hash,
        .now_ns = dv_now_ns,
        .cache_folder = cache_folder,
        .fold_open = dv_fold_open,
        .fold_close = dv_fold_close,
        .state = plugin,
    };
}
