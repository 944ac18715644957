/* divvy info, as text. */
#include "info.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* "0-3,6" */
static void print_list(const unsigned *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned first = i;
        while (i + 1 < count && numbers[i + 1] == numbers[i] + 1)
            i++;
        printf(i > first ? "%s%u-%u" : "%s%u", first ? "," : "", numbers[first], numbers[i]);
    }
}

static bool are_alike(const struct dv_core *a, const struct dv_core *b)
{
    return a->package == b->package && a->numa == b->numa && a->kind == b->kind && a->threads == b->threads;
}

/* One line for neighbours that are alike. */
static void print_cores(const struct dv_topology *host)
{
    for (unsigned i = 0; i < host->core_count; i++) {
        const struct dv_core *core = &host->cores[i];
        char range[32];
        unsigned last = i;
        while (last + 1 < host->core_count && are_alike(core, &host->cores[last + 1]))
            last++;
        snprintf(range, sizeof range, last > i ? "%u-%u" : "%u", i, last);
        printf("  core %-6s package %u, NUMA node %u, ", range, core->package, core->numa);
        if (host->kind_count > 1)
            printf("kind %u%s, ", core->kind, core->kind + 1 == host->kind_count ? " (the fastest)" : "");
        printf("%u hardware thread%s%s\n", core->threads, plural(core->threads), last > i ? " each" : "");
        i = last;
    }
}

/* Who would work here. */
static void print_workers(const struct dv_crew *crew)
{
    printf("  workers    ");
    if (crew->core_count == 0)
        printf("none");
    else
        printf("on core%s ", plural(crew->core_count));
    print_list(crew->cores, crew->core_count);
    if (crew->core_count)
        printf(crew->bound ? ", bound" : ", not bound");
    if (crew->spare_count) {
        printf("; left to other devices: ");
        print_list(crew->spare_cores, crew->spare_count);
    }
    printf("\n");
}

static void print_host(const struct dv_topology *host)
{
    char text[32];
    unsigned standard = 0;
    dv_topology_thread_count(0, &standard);
    printf("host%s\n", host->synthetic ? " (invented, by HWLOC_SYNTHETIC or HWLOC_XMLFILE)" : "");
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
    print_cores(host);
}

static void print_device(const struct findings *findings, const struct dv_found *found)
{
    const divvy_device_facts *facts = &found->facts;
    const struct dv_unit *unit = info_unit(findings, found);
    char id[64], memory[32];
    snprintf(id, sizeof id, "%s:%u", found->plugin->name, found->index);
    printf("  %-10s %s", unit ? unit->id : id, facts->name);
    if (!unit)
        printf(" (%s)", info_unused_because(findings, found));
    printf("\n             %s, %u unit%s, memory %s, %s, granule %zu\n", info_type_name(facts->type), facts->units,
           plural(facts->units),
           facts->memory_bytes ? readable_bytes(facts->memory_bytes, memory, sizeof memory) : "of the host",
           facts->staged ? "staged" : "not staged", facts->granule);
    printf("             class %s, driver %s%s%s\n", unit ? unit->device_class : facts->device_class, facts->driver,
           *facts->address ? ", at " : "", facts->address);
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
        const struct dv_plugin *plugin = info_plugin_at(findings, attempts[i].path);
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

int info_print_text(const struct findings *findings)
{
    if (findings->host)
        print_host(findings->host);
    if (findings->has_crew)
        print_workers(&findings->crew);
    print_devices(findings);
    print_backends(findings);
    if (findings->error) {
        printf("\nerror: ");
        put(findings->error);
        printf("\n");
    }
    return 0;
}

int info_print_variables(void)
{
    for (size_t i = 0; i < dv_variable_count(); i++) {
        const struct dv_variable variable = dv_variable_at(i);
        printf("%-18s ", variable.name);
        put(variable.value ? variable.value : variable.standard);
        printf(" (%s)\n%-18s %s\n", variable.value ? "environment" : "default", "", variable.help);
    }
    return 0;
}
