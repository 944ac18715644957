/* The same as JSON: every figure with the quantiles of its calls, and the machine. */
#include "bench.h"

#include "base/status.h"
#include "machine/topology.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <sys/utsname.h>

static void add_machine(cJSON *root, const struct bench *bench)
{
    const struct dv_topology *host = dv_topology_get();
    cJSON *machine = cJSON_AddObjectToObject(root, "machine");
    cJSON_AddStringToObject(machine, "model", host ? host->model : "");
    cJSON_AddNumberToObject(machine, "cores", bench->cores);
    cJSON_AddStringToObject(machine, "level", bench->level);
    struct utsname system;
    if (uname(&system) == 0) {
        cJSON_AddStringToObject(machine, "system", system.sysname);
        cJSON_AddStringToObject(machine, "release", system.release);
        cJSON_AddStringToObject(machine, "architecture", system.machine);
    }
    if (!host)
        return;
    cJSON_AddNumberToObject(machine, "machine_cores", host->machine_cores);
    cJSON_AddNumberToObject(machine, "machine_threads", host->machine_threads);
    cJSON_AddNumberToObject(machine, "numa_nodes", host->numa_count);
    cJSON_AddNumberToObject(machine, "quota_cores", host->quota);
    cJSON_AddNumberToObject(machine, "memory_bytes", (double)host->memory_bytes);
    cJSON_AddNumberToObject(machine, "l1_bytes", (double)host->l1_bytes);
    cJSON_AddNumberToObject(machine, "l2_bytes", (double)host->l2_bytes);
    cJSON_AddNumberToObject(machine, "l3_bytes", (double)host->l3_bytes);
}

static cJSON *figure_of(const struct bench_result *result, struct bench_figure *figure)
{
    static const struct {
        const char *name;
        double part;
    } quantiles[] = {{"min", 0}, {"p10", 0.1}, {"p25", 0.25}, {"median", 0.5}, {"p75", 0.75}, {"p90", 0.9}, {"max", 1}};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", figure->name);
    cJSON_AddNumberToObject(object, "calls", (double)figure->calls.count);
    cJSON_AddNumberToObject(object, "rounds", (double)figure->rounds.count);
    for (size_t q = 0; q < sizeof quantiles / sizeof *quantiles; q++) {
        /* The smallest rate is the longest time's. */
        double part = result->scale.is_rate ? 1 - quantiles[q].part : quantiles[q].part;
        cJSON_AddNumberToObject(object, quantiles[q].name,
                                bench_scaled(&result->scale, bench_quantile(&figure->calls, part)));
    }
    if (figure->on_all_cores >= 0)
        cJSON_AddNumberToObject(object, "on_all_cores", figure->on_all_cores);
    if (figure != result->figures)
        cJSON_AddNumberToObject(object, figure->is_ideal ? "efficiency" : "ratio",
                                figure->is_ideal ? 1 / figure->ratio : figure->ratio);
    return object;
}

static cJSON *result_of(struct bench_result *result)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", result->name);
    cJSON_AddStringToObject(object, "unit", result->scale.unit);
    cJSON_AddStringToObject(object, "better", result->scale.is_rate ? "more" : "less");
    cJSON_AddNumberToObject(object, "turns", result->turns);
    cJSON_AddNumberToObject(object, "disturbed", result->disturbed);
    cJSON_AddItemToObject(object, "divvy", figure_of(result, &result->figures[0]));
    cJSON *peers = cJSON_AddArrayToObject(object, "peers");
    for (unsigned f = 1; f < result->figure_count; f++)
        cJSON_AddItemToArray(peers, figure_of(result, &result->figures[f]));
    return object;
}

int bench_print_json(const struct bench *bench, const struct bench_report *reports, unsigned count)
{
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", DIVVY_VERSION_MAJOR, DIVVY_VERSION_MINOR, DIVVY_VERSION_PATCH);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "divvy_bench", 1);
    cJSON_AddStringToObject(root, "version", version);
    cJSON_AddBoolToObject(root, "quick", bench->quick);
    cJSON_AddStringToObject(root, "peers", bench->peers_note);
    add_machine(root, bench);
    cJSON *rows = cJSON_AddArrayToObject(root, "rows");
    for (unsigned r = 0; r < count; r++) {
        cJSON *row = cJSON_CreateObject();
        cJSON_AddStringToObject(row, "row", reports[r].row->name);
        cJSON_AddStringToObject(row, "what", reports[r].row->what);
        cJSON *results = cJSON_AddArrayToObject(row, "results");
        for (unsigned k = 0; k < reports[r].result_count; k++)
            cJSON_AddItemToArray(results, result_of(&reports[r].results[k]));
        if (*reports[r].left_out)
            cJSON_AddStringToObject(row, "left_out", reports[r].left_out);
        cJSON_AddItemToArray(rows, row);
    }
    char *text = cJSON_Print(root);
    int status = text && puts(text) >= 0 ? 0 : 1;
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}
