#include "bench_found.h"

#include "base/options.h"
#include "machine/registry.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOUND_MOST = 16, SECONDS = 60 };

/* Writes each device to `file`, one after another. */
static void look(int file)
{
    struct dv_settings settings;
    struct dv_plugin **plugins;
    unsigned plugin_count;
    if (dv_settings_read(&(divvy_options){.backend = "opencl"}, &settings) != DIVVY_OK ||
        dv_registry_load(&settings, &plugins, &plugin_count) != DIVVY_OK)
        return;
    for (unsigned p = 0; p < plugin_count; p++) {
        if (dv_registry_probe(plugins[p], NULL, 0, 0) != DIVVY_OK)
            continue;
        for (unsigned d = 0; d < plugins[p]->device_count; d++) {
            const struct dv_found *device = &plugins[p]->devices[d];
            struct bench_found found = {
                .index = device->index, .units = device->facts.units, .of_cores = device->facts.type == DIVVY_CPU};
            snprintf(found.name, sizeof found.name, "%s", device->facts.name);
            if (write(file, &found, sizeof found) != (ssize_t)sizeof found)
                return;
        }
    }
}

static unsigned receive(int file, struct bench_found *devices)
{
    unsigned count = 0;
    while (count < FOUND_MOST && read(file, &devices[count], sizeof *devices) == (ssize_t)sizeof *devices)
        count++;
    return count;
}

unsigned bench_find_devices(const struct bench_found **out_found)
{
    static struct bench_found devices[FOUND_MOST];
    static unsigned count;
    static bool looked;
    int ends[2];
    *out_found = devices;
    if (looked || pipe(ends) != 0)
        return count;
    looked = true;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        alarm(SECONDS); /* for a driver that hangs */
        look(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    if (child > 0) {
        count = receive(ends[0], devices);
        close(ends[0]);
        waitpid(child, NULL, 0);
    } else {
        close(ends[0]);
    }
    return count;
}
