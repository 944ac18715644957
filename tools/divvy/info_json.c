/* divvy info, as JSON. */
#include "info.h"
#include "view.h"

#include <cjson/cJSON.h>
#include <stdio.h>

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
    cJSON *cores = cJSON_AddArrayToObject(object, "core_list");
    for (unsigned i = 0; i < host->core_count; i++) {
        const struct dv_core *core = &host->cores[i];
        cJSON *row = cJSON_CreateObject();
        add_number(row, "cpu", core->cpu);
        add_number(row, "hardware_threads", core->threads);
        add_number(row, "kind", core->kind);
        add_number(row, "numa_node", core->numa);
        add_number(row, "package", core->package);
        cJSON_AddItemToArray(cores, row);
    }
}

static void add_list(cJSON *object, const char *name, const unsigned *numbers, unsigned count)
{
    cJSON *list = cJSON_AddArrayToObject(object, name);
    for (unsigned i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(numbers[i]));
}

static void add_workers(cJSON *root, const struct dv_crew *crew)
{
    cJSON *object = cJSON_AddObjectToObject(root, "workers");
    add_list(object, "cores", crew->cores, crew->core_count);
    cJSON_AddBoolToObject(object, "bound", crew->core_count && crew->bound);
    add_list(object, "cores_left_to_others", crew->spare_cores, crew->spare_count);
}

static void add_device(cJSON *devices, const struct findings *findings, const struct dv_found *found)
{
    const divvy_device_facts *facts = &found->facts;
    const struct dv_unit *unit = info_unit(findings, found);
    char id[64];
    snprintf(id, sizeof id, "%s:%u", found->plugin->name, found->index);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", unit ? unit->id : id);
    cJSON_AddStringToObject(object, "name", facts->name);
    cJSON_AddStringToObject(object, "backend", found->plugin->name);
    cJSON_AddStringToObject(object, "class", unit ? unit->device_class : facts->device_class);
    cJSON_AddStringToObject(object, "driver", facts->driver);
    cJSON_AddStringToObject(object, "address", facts->address);
    cJSON_AddStringToObject(object, "type", info_type_name(facts->type));
    add_number(object, "units", facts->units);
    add_number(object, "cores", facts->cores);
    add_number(object, "granule", (double)facts->granule);
    add_number(object, "memory_bytes", (double)facts->memory_bytes);
    cJSON_AddBoolToObject(object, "staged", facts->staged);
    cJSON_AddBoolToObject(object, "divisible", facts->divisible);
    cJSON_AddBoolToObject(object, "used", unit != NULL);
    if (!unit)
        cJSON_AddStringToObject(object, "unused_because", info_unused_because(findings, found));
    cJSON_AddItemToArray(devices, object);
}

static void add_attempt(cJSON *backends, const struct findings *findings, const struct dv_attempt *attempt)
{
    const struct dv_plugin *plugin = info_plugin_at(findings, attempt->path);
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

int info_print_json(const struct findings *findings)
{
    cJSON *root = cJSON_CreateObject();
    if (findings->host)
        add_host(root, findings->host);
    if (findings->has_crew)
        add_workers(root, &findings->crew);
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

int info_print_variables_json(void)
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
