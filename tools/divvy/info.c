/* divvy info: what divvy sees of this machine, and why. */
#include "info.h"

#include "commands.h"

#include "base/log.h"
#include "base/status.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Looking ---------------------------------------------------------------------------------- */

/* Opens what a program would work with, but for the profile. */
static divvy_status open_crew(struct findings *findings)
{
    struct dv_settings settings;
    DV_TRY(dv_settings_read(&(divvy_options){.profile = ""}, &settings));
    divvy_status status = dv_crew_open(&settings, &findings->crew);
    if (status == DIVVY_OK && dv_crew_probe(&findings->crew) != DIVVY_OK)
        dv_log(DIVVY_LOG_INFO, "info", "a backend could not be probed: %s", dv_error_text());
    findings->has_crew = status == DIVVY_OK;
    if (!findings->has_crew) {
        char *why = strdup(dv_error_text());
        dv_crew_close(&findings->crew);
        dv_error_set(why ? why : "no memory to tell why");
        free(why);
    }
    return status;
}

/* Also those that a filter leaves out. One that fails to probe is told in its row; the others go on. */
static void probe_all(struct findings *findings)
{
    for (unsigned i = 0; i < findings->plugin_count; i++)
        dv_registry_probe(findings->plugins[i], NULL, 0, 0);
}

static divvy_status look(struct findings *findings)
{
    findings->host = dv_topology_get();
    DV_TRY(dv_settings_read(NULL, &findings->settings));
    dv_log_set_level(findings->settings.log);
    DV_TRY(dv_filter_read(findings->settings.devices, &findings->filter));
    DV_TRY(dv_registry_load(&findings->settings, &findings->plugins, &findings->plugin_count));
    return open_crew(findings);
}

static void forget(struct findings *findings)
{
    if (findings->has_crew)
        dv_crew_close(&findings->crew);
    free(findings->plugins);
    free(findings->error);
    dv_filter_free(&findings->filter);
    dv_settings_free(&findings->settings);
}

const struct dv_unit *info_unit(const struct findings *findings, const struct dv_found *found)
{
    const struct dv_crew *crew = &findings->crew;
    for (unsigned u = 0; findings->has_crew && u < atomic_load(&crew->unit_count); u++)
        if (crew->units[u]->found == found)
            return crew->units[u];
    return NULL;
}

const char *info_unused_because(const struct findings *findings, const struct dv_found *found)
{
    const struct dv_plugin *plugin = found->plugin;
    if (!dv_filter_match(&findings->filter, plugin->name, found->index, found->facts.name))
        return "left out by DIVVY_DEVICES";
    if (!findings->has_crew)
        return "divvy could not be opened";
    if (plugin->backend->features & DIVVY_BACKEND_EAGER)
        return "not among the cores to use";
    if (found->facts.cores > 0)
        return "made of cores that are used already; DIVVY_DEVICES may name it";
    return "not used";
}

const char *info_type_name(divvy_device_type type)
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

const struct dv_plugin *info_plugin_at(const struct findings *findings, const char *path)
{
    for (unsigned i = 0; i < findings->plugin_count; i++)
        if (strcmp(findings->plugins[i]->path, path) == 0)
            return findings->plugins[i];
    return NULL;
}

/* ---- The command ------------------------------------------------------------------------------ */

static const char usage[] =
    "usage: divvy info [--env] [--json]\n"
    "\n"
    "Shows the cores, caches, NUMA nodes, memory and quota of this machine, every device and whether a\n"
    "program would use it, and every path on which backends were looked for with what became of it.\n"
    "Obeys the variables of the library.\n"
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
    probe_all(&findings);
    int status = findings.error ? 1 : 0;
    status |= json ? info_print_json(&findings) : info_print_text(&findings);
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
        return json ? info_print_variables_json() : info_print_variables();
    return show_findings(json);
}
