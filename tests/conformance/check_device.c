/* Opening, building, closing. */
#include "contract.h"

#include "contract.cl"

#include <dirent.h>
#include <string.h>
#include <time.h>

/* ---- Open and close ------------------------------------------------------------------------------------------------ */

static void try_units(const divvy_device_facts *facts)
{
    struct opened part;
    if (!facts->divisible)
        return;
    if (drive_open(&part, facts, 1)) {
        drive_load(&part, SUBJECT_GATHER);
        drive_partition(&part, SUBJECT_GATHER, 11, 500, 600, 1);
        drive_close(&part);
    }
    divvy_device_facts wanted = *facts;
    divvy_rates rates;
    void *device = NULL;
    wanted.units = facts->units + 1;
    unsigned before = host_failures();
    divvy_status status = bench.backend->open(&the_host, &wanted, &device, &rates);
    if (hold(status != DIVVY_OK, RULE_units, "\"%s\" has %u units and opens with %u", facts->name, facts->units,
             wanted.units))
        hold_told(before, status, "open");
    else
        bench.backend->close(device);
}

const char *check_open(const divvy_device_facts *facts)
{
    struct opened first, second;
    for (int round = 0; round < 3; round++) {
        if (!drive_open(&first, facts, 0))
            return NULL;
        if (round > 0) /* one that nothing was loaded on closes too */
            drive_load(&first, SUBJECT_SCALED);
        drive_partition(&first, SUBJECT_SCALED, 3, 100, 200, 1);
        drive_close(&first);
    }

    /* Two at once do not know of each other. */
    if (!drive_open(&first, facts, 0))
        return NULL;
    if (drive_open(&second, facts, 0)) {
        drive_load(&first, SUBJECT_GATHER);
        drive_load(&second, SUBJECT_GATHER);
        for (unsigned round = 0; round < 4; round++)
            drive_partition(round % 2 ? &first : &second, SUBJECT_GATHER, round, 100, 200, round);
        drive_close(&first);
        drive_partition(&second, SUBJECT_GATHER, 7, 100, 200, 5);
        drive_close(&second);
    } else {
        drive_close(&first);
    }
    try_units(facts);
    return NULL;
}

/* ---- Kernels that cannot be built ------------------------------------------------------------------------------------ */

struct tally {
    int count;
};
static void merge(struct tally *into, const struct tally *from)
{
    into->count += from->count;
}
DIVVY_HOST_KERNEL(tallied, (in, int, x), (out, int, y), (result, struct tally, t, merge))
{
    DIVVY_FOR (i) {
        y[i] = 2 * x[i];
        t->count++;
    }
}

/* A host kernel on a core. */
static void run_host_kernel(struct opened *opened, void *loaded)
{
    enum { COUNT = 100 };
    int x[COUNT], y[COUNT];
    struct tally tally = {0};
    struct tallied_args args = {.x = x, .y = y, .t = &tally};
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    for (int i = 0; i < COUNT; i++)
        x[i] = i, y[i] = -1;
    host_slices(&tallied_kernel, &args, 10, 80, COUNT, partials, slices);
    slices[2].data = &tally;
    divvy_partition partition = {.first = 10,
                                 .count = 80,
                                 .total = COUNT,
                                 .job = drive_job(),
                                 .kernel = &tallied_kernel,
                                 .loaded = loaded,
                                 .slices = slices};
    bool done = bench.backend->start(opened->device, &partition) == DIVVY_OK &&
                bench.backend->finish(opened->device, &partition, 0) == DIVVY_DONE;
    hold(done, RULE_done, "the host kernel that \"%s\" has loaded fails: %s", opened->facts->name, host_error());
    bool right = done && tally.count == 80;
    for (int i = 0; i < COUNT && done; i++)
        right = right && y[i] == (i >= 10 && i < 90 ? 2 * i : -1);
    hold(right, RULE_results, "the host kernel on \"%s\" computes something else", opened->facts->name);
}

/* Loads what need not be loadable; if it is, it must be right. */
static void try_kernel(struct opened *opened, const divvy_kernel *kernel, bool must, const char *what)
{
    divvy_loaded loaded = {0};
    unsigned before = host_failures();
    divvy_status status = bench.backend->load(opened->device, kernel, &loaded);
    if (status != DIVVY_OK) {
        hold_told(before, status, "load");
        hold(!must && (status == DIVVY_UNSUPPORTED || status == DIVVY_BUILD_FAILED), RULE_load,
             "load of %s for \"%s\" returned %s: %s", what, opened->facts->name, divvy_status_name(status),
             host_error());
    } else {
        hold(true, RULE_load, "load of %s", what);
        if (kernel->flags & DIVVY_KERNEL_HOST) {
            run_host_kernel(opened, loaded.kernel);
        } else {
            struct opened other = *opened;
            other.loaded[SUBJECT_SCALED] = loaded;
            other.can[SUBJECT_SCALED] = true;
            drive_partition(&other, SUBJECT_SCALED, 1, 50, 60, 1);
        }
        bench.backend->unload(opened->device, loaded.kernel);
    }
    drive_partition(opened, SUBJECT_SCALED, 1, 50, 60, 2); /* what was loaded before still works */
}

static void try_text(struct opened *opened, const char *text, const char *what)
{
    divvy_kernel broken = scaled_kernel;
    broken.source = text;
    broken.source_bytes = strlen(text);
    try_kernel(opened, &broken, false, what);
}

const char *check_load(struct opened *opened)
{
    drive_load_all(opened);
    /* The same kernel twice, and without one of them. */
    struct opened again = *opened;
    drive_load(&again, SUBJECT_SCALED);
    if (again.can[SUBJECT_SCALED]) {
        drive_partition(&again, SUBJECT_SCALED, 0, 77, 80, 3);
        drive_partition(opened, SUBJECT_SCALED, 0, 77, 80, 3);
        bench.backend->unload(again.device, again.loaded[SUBJECT_SCALED].kernel);
    }
    drive_partition(opened, SUBJECT_SCALED, 0, 77, 80, 4);

    try_kernel(opened, &tallied_kernel, opened->facts->type == DIVVY_CORE, "a host kernel");
    try_text(opened, "__kernel void scaled_entry(__global int *y) { y[0] = no_such_thing; }", "a text that is wrong");
    try_text(opened, "__kernel void other_entry(__global int *y) { y[0] = 1; }", "a text without the entry");
    try_text(opened, "__kernel void scaled_entry(__global int *y) { y[0] = 1; }", "an entry of another form");
    return NULL;
}

/* ---- Leaks -------------------------------------------------------------------------------------------------------------- */

static unsigned entries_of(const char *folder)
{
    unsigned count = 0;
    DIR *stream = opendir(folder);
    while (stream && readdir(stream))
        count++;
    if (stream)
        closedir(stream);
    return count;
}

static void live(const divvy_device_facts *facts)
{
    struct opened opened;
    if (!drive_open(&opened, facts, 0))
        return;
    drive_load(&opened, SUBJECT_GATHER);
    drive_partition(&opened, SUBJECT_GATHER, 0, 500, 500, 1);
    drive_close(&opened);
}

/* Drivers may keep what they like once; what grows with every life of a device is lost. */
const char *check_leaks(const divvy_device_facts *facts)
{
    enum { ROUNDS = 6 };
    static const char files[] = "/proc/self/fd", threads[] = "/proc/self/task";
    live(facts);
    live(facts);
    unsigned files_before = entries_of(files), threads_before = entries_of(threads), files_after = 0, threads_after = 0;
    if (files_before == 0)
        return "there is no /proc";
    for (int round = 0; round < ROUNDS; round++)
        live(facts);
    for (int wait = 0; wait < 100; wait++) { /* threads need a moment to end */
        files_after = entries_of(files);
        threads_after = entries_of(threads);
        if (files_after < files_before + ROUNDS && threads_after < threads_before + ROUNDS)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    hold(files_after < files_before + ROUNDS, RULE_leaks, "%d lives of \"%s\" left %u files open", ROUNDS, facts->name,
         files_after - files_before);
    hold(threads_after < threads_before + ROUNDS, RULE_leaks, "%d lives of \"%s\" left %u threads", ROUNDS, facts->name,
         threads_after - threads_before);
    return NULL;
}
