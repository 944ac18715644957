/* divvy info: what divvy sees of this machine, and why. */
#include "commands.h"
#include "view.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "machine/registry.h"

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is told. */
struct findings {
    const struct dv_topology *host; /* NULL: unknown */
    struct dv_settings settings;
    struct dv_filter filter;
    struct dv_plugin **plugins;
    unsigned plugin_count;
    unsigned used_count; /* devices that the filter lets pass */
    char *error;         /* why a program could not open divvy here, or NULL */
};

/* ---- Looking ---------------------------------------------------------------------------------- */

static bool passes(const struct findings *findings, const struct dv_found *found)
{
    return dv_filter_match(&findings->filter, found->plugin->name, found->index, found->facts.name) != NULL;
}

/* A backend that fails to probe is told in its row; the others go on. */
static void probe_all(struct findings *findings)
{
    for (unsigned i = 0; i < findings->plugin_count; i++) {
        struct dv_plugin *plugin = findings->plugins[i];
        if (dv_registry_probe(plugin, NULL, 0, 0) != DIVVY_OK)
            continue;
        for (unsigned k = 0; k < plugin->device_count; k++)
            findings->used_count += passes(findings, &plugin->devices[k]);
    }
}

static divvy_status look(struct findings *findings)
{
    findings->host = dv_topology_get();
    DV_TRY(dv_settings_read(NULL, &findings->settings));
    dv_log_set_level(findings->settings.log);
    DV_TRY(dv_filter_read(findings->settings.devices, &findings->filter));
    DV_TRY(dv_registry_load(&findings->settings, &findings->plugins, &findings->plugin_count));
    probe_all(findings);
    if (findings->used_count == 0)
        return dv_fail(DIVVY_NO_DEVICE,
                       *findings->settings.devices ? "DIVVY_DEVICES leaves no device" : "no backend found a device");
    return DIVVY_OK;
}

static void forget(struct findings *findings)
{
    free(findings->plugins);
    free(findings->error);
    dv_filter_free(&findings->filter);
    dv_settings_free(&findings->settings);
}

static const char *type_name(divvy_device_type type)
{
    switch (type) {
    case DIVVY_CORE:
        return "core";
    case DIVVY_CPU:
        return "cpu";
    case DIVVY_GPU:
        return "gpu";
    case DIVVY_ACCELERATOR:
        return "accelerator";
    }
    return "unknown";
}

/* The plugin of this file, if it is one of those in use. */
static const struct dv_plugin *plugin_at(const struct findings *findings, const char *path)
{
    for (unsigned i = 0; i < findings->plugin_count; i++)
        if (strcmp(findings->plugins[i]->path, path) == 0)
            return findings->plugins[i];
    return NULL;
}

/* ---- As text ---------------------------------------------------------------------------------- */

/* Paths, reasons and values may hold anything; devices' texts were cleaned when they were announced. */
static void put(const char *text)
{
    char *copy = strdup(text);
    if (copy)
        dv_log_clean(copy, "");
    fputs(copy ? copy : "?", stdout);
    free(copy);
}

/* "32 KiB", "1.5 GiB" */
static const char *readable_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double number = (double)bytes;
    unsigned unit = 0;
    while (number >= 1024 && unit < 5) {
        number /= 1024;
        unit++;
    }
    snprintf(text, size, number < 10 && number != (double)(unsigned)number ? "%.1f %s" : "%.0f %s", number,
             units[unit]);
    return text;
}

static const char *plural(unsigned count)
{
    return count == 1 ? "" : "s";
}

static void print_caches(const struct dv_topology *host)
{
    const uint64_t bytes[] = {host->l1_bytes, host->l2_bytes, host->l3_bytes};
    char text[32];
    const char *comma = "";
    printf("  caches     ");
    for (unsigned level = 0; level < 3; level++) {
        if (bytes[level] == 0)
            continue;
        printf("%sL%u %s", comma, level + 1, readable_bytes(bytes[level], text, sizeof text));
        comma = ", ";
    }
    printf("%s\n", *comma ? "" : "unknown");
}

static void print_host(const struct dv_topology *host)
{
    char text[32];
    unsigned standard = 0;
    dv_topology_thread_count(0, &standard);
    printf("host%s\n", host->synthetic ? " (invented by HWLOC_SYNTHETIC)" : "");
    printf("  processor  ");
    put(*host->model ? host->model : "unknown");
    printf("\n");
    printf("  cores      %u allowed of %u, %u hardware thread%s, %u kind%s\n", host->core_count, host->machine_cores,
           host->machine_threads, plural(host->machine_threads), host->kind_count, plural(host->kind_count));
    printf("  default    %u core%s\n", standard, plural(standard));
    print_caches(host);
    printf("  memory     %s on %u NUMA node%s\n", readable_bytes(host->memory_bytes, text, sizeof text),
           host->numa_count, plural(host->numa_count));
    if (host->quota > 0)
        printf("  quota      %.2f cores' worth of time\n", host->quota);
    else
        printf("  quota      none\n");
}

static void print_device(const struct findings *findings, const struct dv_found *found)
{
    const divvy_device_facts *facts = &found->facts;
    char id[64], memory[32];
    snprintf(id, sizeof id, "%s:%u", found->plugin->name, found->index);
    printf("  %-10s %s%s\n", id, facts->name, passes(findings, found) ? "" : " (left out by DIVVY_DEVICES)");
    printf("             %s, %u unit%s, memory %s, %s, granule %zu\n", type_name(facts->type), facts->units,
           plural(facts->units),
           facts->memory_bytes ? readable_bytes(facts->memory_bytes, memory, sizeof memory) : "of the host",
           facts->staged ? "staged" : "not staged", facts->granule);
    printf("             class %s, driver %s%s%s\n", facts->device_class, facts->driver, *facts->address ? ", at " : "",
           facts->address);
}

static void print_devices(const struct findings *findings)
{
    printf("\ndevices\n");
    unsigned count = 0;
    for (unsigned i = 0; i < findings->plugin_count; i++)
        for (unsigned k = 0; k < findings->plugins[i]->device_count; k++, count++)
            print_device(findings, &findings->plugins[i]->devices[k]);
    if (count == 0)
        printf("  none\n");
}

/* Refusals name their file, since they stand alone elsewhere; below the path they need not. */
static const char *without_path(const struct dv_attempt *attempt)
{
    size_t length = strlen(attempt->path);
    if (strncmp(attempt->outcome, attempt->path, length) != 0)
        return attempt->outcome;
    return attempt->outcome + length + strspn(attempt->outcome + length, ": ");
}

static void print_backends(const struct findings *findings)
{
    const struct dv_attempt *attempts;
    size_t count = dv_registry_attempts(&attempts);
    printf("\nbackends\n");
    for (size_t i = 0; i < count; i++) {
        const struct dv_plugin *plugin = plugin_at(findings, attempts[i].path);
        printf("  ");
        put(attempts[i].path);
        printf("\n             ");
        put(without_path(&attempts[i]));
        if (plugin && plugin->probe_status == DIVVY_OK) {
            printf(", %u device%s, probed in %.1f ms\n", plugin->device_count, plural(plugin->device_count),
                   (double)plugin->probe_ns * 1e-6);
        } else if (plugin) {
            printf(", probing failed: ");
            put(plugin->probe_error ? plugin->probe_error : "no memory");
            printf("\n");
        } else {
            printf("%s\n", strcmp(attempts[i].outcome, "loaded") == 0 ? ", used only when DIVVY_BACKEND names it" : "");
        }
    }
    if (count == 0)
        printf("  none looked for\n");
}

static void print_text(const struct findings *findings)
{
    if (findings->host)
        print_host(findings->host);
    print_devices(findings);
    print_backends(findings);
    if (findings->error) {
        printf("\nerror: ");
        put(findings->error);
        printf("\n");
    }
}

/* ---- As JSON ---------------------------------------------------------------------------------- */

static void add_number(cJSON *object, const char *name, double number)
{
    cJSON_AddNumberToObject(object, name, number);
}

static void add_host(cJSON *root, const struct dv_topology *host)
{
    unsigned standard = 0;
    dv_topology_thread_count(0, &standard);
    cJSON *object = cJSON_AddObjectToObject(root, "host");
    cJSON_AddStringToObject(object, "model", host->model);
    add_number(object, "cores", host->core_count);
    add_number(object, "default_cores", standard);
    add_number(object, "machine_cores", host->machine_cores);
    add_number(object, "machine_threads", host->machine_threads);
    add_number(object, "core_kinds", host->kind_count);
    add_number(object, "numa_nodes", host->numa_count);
    add_number(object, "quota_cores", host->quota);
    add_number(object, "memory_bytes", (double)host->memory_bytes);
    add_number(object, "l1_bytes", (double)host->l1_bytes);
    add_number(object, "l2_bytes", (double)host->l2_bytes);
    add_number(object, "l3_bytes", (double)host->l3_bytes);
    cJSON_AddBoolToObject(object, "synthetic", host->synthetic);
}

static void add_device(cJSON *devices, const struct findings *findings, const struct dv_found *found)
{
    const divvy_device_facts *facts = &found->facts;
    char id[64];
    snprintf(id, sizeof id, "%s:%u", found->plugin->name, found->index);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", id);
    cJSON_AddStringToObject(object, "name", facts->name);
    cJSON_AddStringToObject(object, "backend", found->plugin->name);
    cJSON_AddStringToObject(object, "class", facts->device_class);
    cJSON_AddStringToObject(object, "driver", facts->driver);
    cJSON_AddStringToObject(object, "address", facts->address);
    cJSON_AddStringToObject(object, "type", type_name(facts->type));
    add_number(object, "units", facts->units);
    add_number(object, "cores", facts->cores);
    add_number(object, "granule", (double)facts->granule);
    add_number(object, "memory_bytes", (double)facts->memory_bytes);
    cJSON_AddBoolToObject(object, "staged", facts->staged);
    cJSON_AddBoolToObject(object, "divisible", facts->divisible);
    cJSON_AddBoolToObject(object, "used", passes(findings, found));
    cJSON_AddItemToArray(devices, object);
}

static void add_attempt(cJSON *backends, const struct findings *findings, const struct dv_attempt *attempt)
{
    const struct dv_plugin *plugin = plugin_at(findings, attempt->path);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "path", attempt->path);
    cJSON_AddStringToObject(object, "outcome", attempt->outcome);
    cJSON_AddBoolToObject(object, "used", plugin != NULL);
    if (plugin) {
        cJSON_AddStringToObject(object, "name", plugin->name);
        add_number(object, "devices", plugin->device_count);
        add_number(object, "probe_ns", (double)plugin->probe_ns);
        if (plugin->probe_error)
            cJSON_AddStringToObject(object, "probe_error", plugin->probe_error);
    }
    cJSON_AddItemToArray(backends, object);
}

static int print_tree(cJSON *root)
{
    char *text = cJSON_Print(root);
    int status = text ? 0 : 1;
    if (text)
        dv_put_json(stdout, text);
    fputs("\n", stdout);
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}

static int print_json(const struct findings *findings)
{
    cJSON *root = cJSON_CreateObject();
    if (findings->host)
        add_host(root, findings->host);
    cJSON *devices = cJSON_AddArrayToObject(root, "devices");
    for (unsigned i = 0; i < findings->plugin_count; i++)
        for (unsigned k = 0; k < findings->plugins[i]->device_count; k++)
            add_device(devices, findings, &findings->plugins[i]->devices[k]);
    cJSON *backends = cJSON_AddArrayToObject(root, "backends");
    const struct dv_attempt *attempts;
    size_t count = dv_registry_attempts(&attempts);
    for (size_t i = 0; i < count; i++)
        add_attempt(backends, findings, &attempts[i]);
    if (findings->error)
        cJSON_AddStringToObject(root, "error", findings->error);
    return print_tree(root);
}

/* ---- The variables ---------------------------------------------------------------------------- */

static int print_variables(void)
{
    for (size_t i = 0; i < dv_variable_count(); i++) {
        const struct dv_variable variable = dv_variable_at(i);
        printf("%-18s ", variable.name);
        put(variable.value ? variable.value : variable.standard);
        printf(" (%s)\n%-18s %s\n", variable.value ? "environment" : "default", "", variable.help);
    }
    return 0;
}

static int print_variables_json(void)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *variables = cJSON_AddArrayToObject(root, "variables");
    for (size_t i = 0; i < dv_variable_count(); i++) {
        const struct dv_variable variable = dv_variable_at(i);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", variable.name);
        if (variable.value)
            cJSON_AddStringToObject(object, "value", variable.value);
        else
            cJSON_AddNullToObject(object, "value");
        cJSON_AddStringToObject(object, "origin", variable.value ? "environment" : "default");
        cJSON_AddStringToObject(object, "default", variable.standard);
        cJSON_AddStringToObject(object, "help", variable.help);
        cJSON_AddItemToArray(variables, object);
    }
    return print_tree(root);
}

/* ---- The command ------------------------------------------------------------------------------ */

static const char usage[] =
    "usage: divvy info [--env] [--json]\n"
    "\n"
    "Shows the cores, caches, NUMA nodes, memory and quota of this machine, every device, and every path\n"
    "on which backends were looked for with what became of it. Obeys the variables of the library.\n"
    "\n"
    "  --env   show the environment variables instead, with their values and origin\n"
    "  --json  as JSON\n"
    "  --help  show this\n"
    "\n"
    "Exit status: 0, 1 if a program could not open divvy here, 2 for wrong usage.\n";

static int show_findings(bool json)
{
    struct findings findings = {0};
    if (look(&findings) != DIVVY_OK)
        findings.error = strdup(dv_error_text());
    int status = findings.error ? 1 : 0;
    if (json)
        status |= print_json(&findings);
    else
        print_text(&findings);
    forget(&findings);
    return status;
}

int divvy_info(int argc, char **argv)
{
    static const struct option options[] = {
        {"env", no_argument, NULL, 'e'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    bool env = false, json = false;
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'e':
            env = true;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "divvy info: \"%s\" is not expected here\n%s", argv[optind], usage);
        return 2;
    }
    if (env)
        return json ? print_variables_json() : print_variables();
    return show_findings(json);
}
