/* app FOLDER [BACKEND]: runs kernels, and looks whether its backends were those of FOLDER. */
#include <divvy.h>

#include "histogram.h"
#include "saxpy.cl"
#include "scale.cl"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 100000 };
static float x[COUNT], y[COUNT], z[COUNT];
static int failures;

divvy_status scale_twice(divvy *dv, size_t count, const float *x, float *y);

static void check(bool good, const char *what)
{
    if (!good)
        fprintf(stderr, "%s; divvy says: %s\n", what, divvy_error());
    failures += !good;
}

/* The plugins that this process has loaded: at least one, and all of `folder`. */
static void check_plugins(const char *folder)
{
    char line[8192], *real = realpath(folder, NULL);
    FILE *maps = fopen("/proc/self/maps", "r");
    int found = 0;
    check(real && maps, "the folder of plugins or the list of what is loaded cannot be read");
    while (real && maps && fgets(line, sizeof line, maps)) {
        char *path = strchr(line, '/'), *plugin = strstr(line, "/libdivvy_");
        if (!path || !plugin)
            continue;
        *plugin = 0;
        check(strcmp(path, real) == 0, path);
        found++;
    }
    check(found > 0, "no plugin is loaded");
    if (maps)
        fclose(maps);
    free(real);
}

int main(int argc, char **argv)
{
    struct histogram bins;
    divvy *dv;

    for (int i = 0; i < COUNT; i++)
        x[i] = (float)(i % 100);
    check(argc > 1, "where are the plugins?");
    check(divvy_open(&dv, &(divvy_options){.backend = argc > 2 ? argv[2] : NULL}) == DIVVY_OK, "open");
    check(divvy_run(dv, scale, COUNT, .x = x, .y = y) == DIVVY_OK, "scale");
    check(divvy_run(dv, saxpy, COUNT, .a = 2.0f, .x = x, .y = y) == DIVVY_OK, "saxpy");
    check(scale_twice(dv, COUNT, x, z) == DIVVY_INVALID, "an array was read and written and nobody minded");
    check(divvy_run(dv, scale, COUNT, .x = y, .y = z) == DIVVY_OK, "scale");
    check(divvy_run(dv, histogram, COUNT, .low = 0, .high = 256, .x = x, .counts = &bins) == DIVVY_OK, "histogram");
    for (int i = 0; i < COUNT; i++)
        if (z[i] != 15 * x[i]) {
            check(false, "a number is wrong");
            break;
        }
    check(bins.bins[99] == COUNT / 100, "the histogram is wrong");
    for (size_t i = 0; argc > 2 && i < divvy_device_count(dv); i++) {
        divvy_device device;
        check(divvy_device_at(dv, i, &device) == DIVVY_OK && strcmp(device.backend, argv[2]) == 0, "another backend");
    }
    if (argc > 1)
        check_plugins(argv[1]);
    divvy_close(dv);

    check(divvy_open(&dv, &(divvy_options){.backend = "no-such"}) == DIVVY_NO_BACKEND, "a backend that is not there");
    divvy_close(dv);
    return failures != 0;
}
