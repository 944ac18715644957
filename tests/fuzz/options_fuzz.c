/* Variables and options: lines NAME=VALUE become the environment, lines name=value the fields of divvy_options. What
 * is accepted as a filter or as a list of cores makes sense; what is refused is refused with a sentence. */
#include "fuzz.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "machine/registry.h"
#include "machine/topology.h"

#include <string.h>

enum { TEXT = 4096 };

extern char **environ;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    setenv("HWLOC_SYNTHETIC", "package:2 core:4 pu:2", 1);
    dv_log_set_level(DIVVY_LOG_ERROR);
    MUST(dv_topology_get());
    return 0;
}

static void forget_environment(void)
{
    for (char **at = environ; *at;) {
        char name[TEXT];
        size_t length = strcspn(*at, "=");
        if (strncmp(*at, "DIVVY_", 6) != 0 || length >= sizeof name) {
            at++;
            continue;
        }
        memcpy(name, *at, length);
        name[length] = 0;
        unsetenv(name);
    }
}

static void take_line(char *line, divvy_options *options)
{
    const struct {
        const char *name;
        const char **field;
    } fields[] = {{"backend", &options->backend}, {"devices", &options->devices},
                  {"bind", &options->bind},       {"schedule", &options->schedule},
                  {"profile", &options->profile}, {"progress", &options->progress},
                  {"log", &options->log},         {"plugin_path", &options->plugin_path}};
    char *value = strchr(line, '=');
    if (!value)
        return;
    *value++ = 0;
    if (strncmp(line, "DIVVY_", 6) == 0)
        setenv(line, value, 1);
    for (size_t k = 0; k < sizeof fields / sizeof *fields; k++)
        if (strcmp(line, fields[k].name) == 0)
            *fields[k].field = value;
    if (strcmp(line, "threads") == 0)
        options->threads = (int)strtol(value, NULL, 0);
    if (strcmp(line, "profile_jobs") == 0)
        options->profile_jobs = (int)strtol(value, NULL, 0);
    if (strcmp(line, "partition") == 0)
        options->partition = (size_t)strtoull(value, NULL, 0);
}

static void try_filter(const char *text)
{
    struct dv_filter filter;
    if (dv_filter_read(text, &filter) != DIVVY_OK) {
        MUST(*divvy_error());
        return;
    }
    MUST((filter.count == 0) == (*text == 0));
    for (unsigned k = 0; k < filter.count; k++) {
        const struct dv_filter_item *item = &filter.items[k];
        MUST(*item->backend && strlen(item->backend) < sizeof item->backend);
        MUST(dv_filter_names(&filter, item->backend));
        MUST(item->by != DV_FILTER_RANGE || item->low <= item->high);
        MUST(item->by != DV_FILTER_NAME || (*item->name && strlen(item->name) < sizeof item->name));
        MUST(dv_filter_match(&filter, item->backend, item->low, item->name));
    }
    dv_filter_match(&filter, "opencl", 0, "AMD Radeon 780M");
    dv_filter_free(&filter);
}

static void try_cores(const char *bind, int threads)
{
    enum { CORES = 8 };
    unsigned cores[CORES], count = 0;
    bool bound;
    if (dv_topology_thread_count(threads, &count) != DIVVY_OK || dv_topology_place(bind, count, cores, &bound)) {
        MUST(*divvy_error());
        return;
    }
    MUST(count >= 1 && count <= CORES);
    for (unsigned i = 0; i < count; i++) {
        MUST(cores[i] < CORES);
        for (unsigned k = 0; k < i; k++)
            MUST(cores[i] != cores[k]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[TEXT + 1], *rest = text;
    divvy_options options = {0};
    struct dv_settings settings;
    if (size > TEXT)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    forget_environment();
    for (char *line; (line = strsep(&rest, "\n"));)
        take_line(line, &options);

    dv_error_set("");
    if (dv_settings_read(&options, &settings) != DIVVY_OK) {
        MUST(strlen(divvy_error()) > 0 && !settings.backend);
        return 0;
    }
    MUST(settings.backend && settings.devices && settings.bind && settings.schedule && settings.plugin_path);
    try_filter(settings.devices);
    try_cores(settings.bind, settings.threads);
    dv_settings_free(&settings);
    return 0;
}
