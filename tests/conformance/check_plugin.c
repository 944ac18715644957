/* The file, its object, what probe finds, and the facts of devices. */
#include "contract.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

bool check_plugin(const char *path, const char *name)
{
    char foreign[256];
    const char *why = NULL, *exported = foreign_export(path, foreign, sizeof foreign);
    if (exported)
        hold(!exported[0], RULE_exports, "%s exports %s too", path, exported);
    bench.backend = host_load(path, &why);
    const divvy_backend *backend = bench.backend;
    if (!hold(backend != NULL, RULE_loads, "%s: %s", path, why))
        return false;
    /* Size and version come first in every version; nothing else is read before they fit. */
    if (!hold(backend->abi == DIVVY_BACKEND_ABI, RULE_abi, "abi is %u, not %d", (unsigned)backend->abi,
              DIVVY_BACKEND_ABI) ||
        !hold(backend->size == sizeof *backend, RULE_size, "size is %u, not %zu", (unsigned)backend->size,
              sizeof *backend))
        return false;
    hold(backend->name && strcmp(backend->name, name) == 0, RULE_name, "name is \"%s\", the file's is \"%s\"",
         backend->name ? backend->name : "(NULL)", name);
    const char *sanitizer = backend->sanitizer ? backend->sanitizer : "(NULL)";
    hold(strcmp(sanitizer, DIVVY_SANITIZER) == 0, RULE_sanitizer, "sanitizer is \"%s\", this program's is \"%s\"",
         sanitizer, DIVVY_SANITIZER);
    const struct {
        const char *name;
        bool there;
    } functions[] = {{"probe", backend->probe},  {"open", backend->open},     {"close", backend->close},
                     {"load", backend->load},    {"unload", backend->unload}, {"start", backend->start},
                     {"finish", backend->finish}};
    bool complete = true;
    for (unsigned k = 0; k < sizeof functions / sizeof *functions; k++)
        complete = hold(functions[k].there, RULE_functions, "%s is NULL", functions[k].name) && complete;
    return complete;
}

/* ---- Probe ------------------------------------------------------------------------------------------------------- */

/* What a process writes to its two outputs while this is on goes here. */
struct capture {
    int file, saved[2];
};

static void capture_begin(struct capture *capture)
{
    fflush(NULL);
    capture->file = memfd_create("divvy_conformance", MFD_CLOEXEC);
    for (int k = 0; k < 2; k++) {
        capture->saved[k] = fcntl(k + 1, F_DUPFD_CLOEXEC, 3);
        dup2(capture->file, k + 1);
    }
}

/* What was written, cut to fit. It is passed on. */
static void capture_end(struct capture *capture, char *text, size_t bytes)
{
    char block[4096];
    fflush(NULL);
    for (int k = 0; k < 2; k++) {
        dup2(capture->saved[k], k + 1);
        close(capture->saved[k]);
    }
    ssize_t kept = pread(capture->file, text, bytes - 1, 0);
    text[kept > 0 ? kept : 0] = 0;
    lseek(capture->file, 0, SEEK_SET);
    for (ssize_t got; (got = read(capture->file, block, sizeof block)) > 0;)
        fwrite(block, (size_t)got, 1, stderr);
    close(capture->file);
}

bool check_probe(void)
{
    struct capture capture;
    char text[256];
    unsigned before = host_failures();
    capture_begin(&capture);
    divvy_status status = host_probe(bench.backend);
    capture_end(&capture, text, sizeof text);
    if (status != DIVVY_OK)
        hold_told(before, status, "probe");
    if (status == DIVVY_UNSUPPORTED) /* by the machine: an option asks for what it does not have */
        return false;
    hold(status == DIVVY_OK, RULE_probe, "probe returned %s: %s", divvy_status_name(status), host_error());
    hold(host_seen.wrong_sizes == 0, RULE_facts, "%u times the size of the facts was not %zu", host_seen.wrong_sizes,
         sizeof(divvy_device_facts));
    if (host_seen.device_count == 0) {
        unsigned lines = host_seen.lines[DIVVY_LOG_ERROR] + host_seen.lines[DIVVY_LOG_WARN];
        hold(lines == 0, RULE_probe, "there is no device, and probe logged %u errors and warnings", lines);
        hold(text[0] == 0, RULE_probe, "there is no device, and probe wrote \"%s\"", text);
    }
    return status == DIVVY_OK && host_seen.device_count > 0;
}

/* ---- Facts -------------------------------------------------------------------------------------------------------- */

static void check_cores(const divvy_device_facts *facts)
{
    switch (facts->type) {
    case DIVVY_CORE:
        hold(facts->cores == 1, RULE_facts, "\"%s\" is a core and has cores = %u", facts->name, facts->cores);
        hold(!facts->staged, RULE_facts, "\"%s\" is a core and staged", facts->name);
        break;
    case DIVVY_CPU:
        hold(facts->cores >= 1 && facts->cores <= facts->units, RULE_facts,
             "\"%s\" is made of cores and has cores = %u, units = %u", facts->name, facts->cores, facts->units);
        break;
    case DIVVY_GPU:
        hold(facts->cores == 0, RULE_facts, "\"%s\" is a GPU and has cores = %u", facts->name, facts->cores);
        break;
    case DIVVY_ACCELERATOR:
        break; /* may be made of anything */
    default:
        hold(false, RULE_facts, "\"%s\" has type %d", facts->name, (int)facts->type);
    }
    if (bench.backend->features & DIVVY_BACKEND_EAGER)
        hold(facts->type == DIVVY_CORE, RULE_facts,
             "\"%s\" is run by the cores' workers (DIVVY_BACKEND_EAGER), and is no core", facts->name);
}

void check_facts(const divvy_device_facts *facts, unsigned index)
{
    bool complete = facts->name && facts->name[0] && facts->device_class && facts->device_class[0] && facts->driver &&
                    facts->address;
    if (!hold(complete, RULE_facts, "device %u lacks name, class, driver or address", index))
        return;
    check_cores(facts);
    hold(facts->units >= 1, RULE_facts, "\"%s\" has no unit", facts->name);
    hold(!facts->divisible || facts->units > 1, RULE_facts, "\"%s\" is divisible and has one unit", facts->name);
    hold(facts->granule >= 1, RULE_facts, "the granule of \"%s\" is 0", facts->name);
    hold(facts->depth == 1 || facts->depth == 2, RULE_facts, "the depth of \"%s\" is %u", facts->name, facts->depth);
    hold(facts->memory_bytes == 0 || facts->max_slice_bytes <= facts->memory_bytes, RULE_facts,
         "\"%s\" has %llu bytes of memory and slices of up to %llu", facts->name,
         (unsigned long long)facts->memory_bytes, (unsigned long long)facts->max_slice_bytes);
    for (unsigned other = 0; other < index; other++)
        hold(host_seen.devices[other].handle != facts->handle, RULE_facts, "devices %u and %u have one handle", other,
             index);
}
