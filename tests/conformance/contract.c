/* The groups of checks, and the walk over the devices: each on a thread of its own, as its worker would be. */
#include "contract.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name, *what;
    const char *(*check)(struct opened *opened);
    const char *(*check_facts)(const divvy_device_facts *facts);
} groups[] = {
    {"open", "open and close, again and again, several at once, parts of a device", NULL, check_open},
    {"load", "build and unload, twice, and kernels that cannot be built", check_load, NULL},
    {"sizes", "partitions of every kind of parameter, of 1 index, primes, around the granule, large", check_sizes,
     NULL},
    {"offsets", "the same beyond 2^31 and 2^32", check_offsets, NULL},
    {"empty", "arrays of no length, one array as two arguments", check_empty, NULL},
    {"loops", "more than 65,536 turns of a loop in one index", check_loops, NULL},
    {"flight", "two partitions in flight", check_flight, NULL},
    {"jobs", "random jobs, cut at random, as many in flight as the device takes", check_jobs, NULL},
    {"all", "`all` arguments whose contents change from job to job", check_all, NULL},
    {"deadline", "deadlines in time and past, and what comes after", NULL, check_deadline},
    {"leaks", "files and threads that stay", NULL, check_leaks},
};
enum { GROUPS = sizeof groups / sizeof *groups };

/* Those of the whole backend. */
static const struct {
    const char *name, *what;
} whole[] = {{"plugin", "the file and its divvy_plugin"},
             {"probe", "what it finds, and what it says"},
             {"facts", "what it states of a device"},
             {"threads", "several devices at once, or one opened twice"}};

bool contract_has_group(const char *name)
{
    for (unsigned k = 0; k < GROUPS; k++)
        if (strcmp(groups[k].name, name) == 0)
            return true;
    for (unsigned k = 0; k < sizeof whole / sizeof *whole; k++)
        if (strcmp(whole[k].name, name) == 0)
            return true;
    return false;
}

void contract_list(void)
{
    for (unsigned k = 0; k < 3; k++)
        printf("    %-14s %s\n", whole[k].name, whole[k].what);
    for (unsigned k = 0; k < GROUPS; k++)
        printf("    %-14s %s\n", groups[k].name, groups[k].what);
    printf("    %-14s %s\n", whole[3].name, whole[3].what);
}

bool contract_name(const char *path, char *out, size_t bytes)
{
    const char *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
    size_t length = strlen(file);
    if (strncmp(file, "libdivvy_", 9) != 0 || length < 13 || strcmp(file + length - 3, ".so") != 0)
        return false;
    return snprintf(out, bytes, "%.*s", (int)(length - 12), file + 9) < (int)bytes;
}

bool contract_wants(const char *filter, unsigned index, const char *name)
{
    if (!filter)
        return true;
    if (isdigit((unsigned char)filter[0]) && filter[strspn(filter, "0123456789")] == 0)
        return strtoul(filter, NULL, 10) == index;
    return strcasestr(name, filter) != NULL;
}

/* ---- One device ---------------------------------------------------------------------------------------------------------- */

struct tried {
    const divvy_device_facts *facts;
    char label[160];
};

static void *try_device(void *argument)
{
    const struct tried *tried = argument;
    struct opened opened;
    bool is_open = false;
    arrays_watch(); /* probing may have brought a driver that took the signals */
    for (unsigned k = 0; k < GROUPS; k++) {
        if (!group_begin(groups[k].name, tried->label))
            continue;
        if (groups[k].check_facts) {
            group_end(groups[k].check_facts(tried->facts));
            continue;
        }
        if (!is_open) {
            is_open = drive_open(&opened, tried->facts, 0);
            if (is_open && groups[k].check != check_load)
                drive_load_all(&opened);
        }
        group_end(is_open ? groups[k].check(&opened) : "it did not open");
    }
    if (is_open)
        drive_close(&opened);
    return NULL;
}

void contract_check(const char *path, const char *filter)
{
    static char name[64];
    const divvy_device_facts *wanted[HOST_DEVICES_MAX];
    unsigned count = 0;
    contract_name(path, name, sizeof name);
    host_seen.backend = name;
    arrays_watch();

    bool fits = true;
    if (group_begin("plugin", "")) {
        fits = check_plugin(path, name);
        group_end(NULL);
    } else {
        const char *why;
        fits = (bench.backend = host_load(path, &why)) != NULL;
    }
    if (!fits)
        return;
    if (group_begin("probe", "")) {
        fits = check_probe();
        group_end(fits ? NULL : "there is no device");
    } else {
        fits = host_probe(bench.backend) == DIVVY_OK;
    }
    for (unsigned d = 0; fits && d < host_seen.device_count; d++) {
        struct tried tried = {.facts = &host_seen.devices[d]};
        const char *called = tried.facts->name ? tried.facts->name : "";
        if (!contract_wants(filter, d, called))
            continue;
        pthread_t thread;
        snprintf(tried.label, sizeof tried.label, "%s:%u %s", name, d, called);
        report_device(tried.label);
        if (group_begin("facts", tried.label)) {
            check_facts(tried.facts, d);
            group_end(NULL);
        }
        wanted[count++] = tried.facts;
        if (pthread_create(&thread, NULL, try_device, &tried) == 0)
            pthread_join(thread, NULL);
    }
    if (count > 0 && group_begin("threads", "")) {
        check_threads(wanted, count);
        hold(host_seen.refused == 0, RULE_announce, "%u devices were announced outside of probe, or beyond %d",
             host_seen.refused, HOST_DEVICES_MAX);
        group_end(NULL);
    }
}
