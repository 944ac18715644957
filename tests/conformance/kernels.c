#include "kernels.h"

#include "contract.h"
#include "kernels_cases.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOWHERE, WHOLE, CUT, RANDOM };

/* How the jobs of a group run. */
static const struct {
    const char *name, *what;
    bool together; /* with the cores */
    int cut;
} groups[] = {
    {"whole", "the shipped kernels on one device, cut as the library likes", false, WHOLE},
    {"pieces", "on one device, in partitions of 5 indices", false, CUT},
    {"random", "on one device, in partitions of a random size", false, RANDOM},
    {"together", "on one device and the cores, each a share", true, WHOLE},
    {"mixed", "on one device and the cores, in partitions of a random size", true, RANDOM},
};
enum { GROUPS = sizeof groups / sizeof *groups };

bool kernels_has_group(const char *name)
{
    for (unsigned k = 0; k < GROUPS; k++)
        if (strcmp(groups[k].name, name) == 0)
            return true;
    return false;
}

void kernels_list(void)
{
    for (unsigned k = 0; k < GROUPS; k++)
        printf("    %-14s %s\n", groups[k].name, groups[k].what);
}

struct session {
    divvy *dv;
    const char *device; /* "opencl:0" */
    bool core;          /* it is one, and runs whatever a core runs */
    bool together;
    size_t items; /* that the device computed */
};

/* What only cores can do: a device of another type may leave it out. */
static bool is_for_cores(const divvy_kernel *kernel)
{
    return (kernel->flags & DIVVY_KERNEL_HOST) || (kernel->source && strstr(kernel->source, "double"));
}

static bool run(void *with, const divvy_kernel *kernel, size_t count, const void *args, size_t args_size)
{
    struct session *session = with;
    if (session->together)
        divvy_prepare_kernel(session->dv, kernel); /* so that the device is there before the cores have done it all */
    divvy_status status = divvy_run_kernel(session->dv, kernel, count, args, args_size);
    bool nowhere = status == DIVVY_UNSUPPORTED || status == DIVVY_BUILD_FAILED || status == DIVVY_NO_DEVICE;
    if (nowhere && !session->core && !session->together && is_for_cores(kernel))
        return false;
    hold(status == DIVVY_OK, RULE_kernels, "%s over %zu indices on %s: %s", kernel->name, count, session->device,
         status == DIVVY_OK ? "" : divvy_error());
    const divvy_report *last = divvy_last(session->dv);
    for (size_t k = 0; last && status == DIVVY_OK && k < last->share_count; k++)
        if (strcmp(last->shares[k].id, session->device) == 0)
            session->items += last->shares[k].items;
    return status == DIVVY_OK;
}

static void verdict(void *with, bool good, const char *text)
{
    const struct session *session = with;
    hold(good, RULE_kernels, "%s (on %s)", text, session->device);
}

static void check_group(const struct kernels_wish *wish, unsigned g, const divvy_device *device, char *folder)
{
    char backends[128], devices[160];
    uint64_t seed = group_seed();
    const size_t most = wish->quick ? 257 : groups[g].cut == CUT ? 701 : SIZE_MAX;
    snprintf(backends, sizeof backends, "%s%s", wish->name, groups[g].together ? ",cpu" : "");
    snprintf(devices, sizeof devices, "%s%s", device->id, groups[g].together ? ",cpu" : "");
    const divvy_options options = {
        .backend = backends,
        .devices = devices,
        .plugin_path = folder,
        .schedule = !groups[g].together      ? NULL
                    : groups[g].cut == WHOLE ? "static"
                                             : "dynamic",
        .partition = groups[g].cut == CUT      ? 5
                     : groups[g].cut == RANDOM ? any_in(&seed, wish->quick ? 20 : 300, wish->quick ? 120 : 9000)
                                               : 0,
    };
    struct session session = {.device = device->id, .core = device->type == DIVVY_CORE, .together = groups[g].together};
    const struct kernel_runner runner = {
        .run = run, .verdict = verdict, .with = &session, .most = most, .small = wish->quick};
    divvy_status status = divvy_open_sized(&session.dv, &options, sizeof options);
    if (hold(status == DIVVY_OK, RULE_kernels, "a context with %s does not open: %s", devices,
             status == DIVVY_OK ? "" : divvy_error())) {
        check_kernels(&runner, seed);
        if (groups[g].cut == WHOLE)
            hold(session.items > 0, RULE_shares, "%s did not compute one index", device->id);
    }
    divvy_close(session.dv);
}

void kernels_check(const struct kernels_wish *wish)
{
    divvy *dv;
    char folder[4096];
    const char *slash = strrchr(wish->path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - wish->path) : 1, slash ? wish->path : ".");
    const divvy_options options = {.backend = wish->name, .plugin_path = folder};
    divvy_status status = divvy_open_sized(&dv, &options, sizeof options);
    size_t count = status == DIVVY_OK ? divvy_device_count(dv) : 0;
    bool had = report_devices() > 0;
    for (size_t d = 0; d < count; d++) {
        divvy_device device = {0};
        char label[160];
        if (divvy_device_at(dv, d, &device) != DIVVY_OK || !contract_wants(wish->filter, (unsigned)d, device.name))
            continue;
        snprintf(label, sizeof label, "%s %s", device.id, device.name);
        if (!had)
            report_device(label);
        for (unsigned g = 0; g < GROUPS; g++) {
            /* Cores are themselves what there is to be together with. */
            bool skipped = groups[g].together && device.type == DIVVY_CORE;
            if (skipped || !group_begin(groups[g].name, label))
                continue;
            check_group(wish, g, &device, folder);
            group_end(NULL);
        }
    }
    if (status != DIVVY_OK && status != DIVVY_NO_DEVICE && group_begin("whole", "")) {
        hold(false, RULE_kernels, "a context with %s does not open: %s", wish->name, divvy_error());
        group_end(NULL);
    }
    divvy_close(dv);
}
