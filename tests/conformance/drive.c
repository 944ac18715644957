#include "drive.h"

#include <stdatomic.h>
#include <string.h>

struct bench bench;

static const char *name_of(const struct flight *flight)
{
    return flight->setting->kernel->name;
}

size_t bench_most(const divvy_device_facts *facts, const struct subject *subject)
{
    return subject_most(subject, facts->max_slice_bytes, facts->memory_bytes, bench.quick ? 997 : 100003);
}

uint64_t drive_job(void)
{
    static _Atomic uint64_t job;
    return ++job;
}

void hold_told(unsigned before, divvy_status status, const char *call)
{
    hold(host_failures() > before && host_error()[0], RULE_fail, "%s returned %s and %s", call,
         divvy_status_name(status), host_failures() > before ? "the text is empty" : "fail was not called");
}

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

bool drive_open(struct opened *opened, const divvy_device_facts *facts, unsigned units)
{
    divvy_device_facts wanted = *facts;
    divvy_rates rates = {0};
    *opened = (struct opened){.facts = facts};
    wanted.units = units;
    unsigned before = host_failures();
    divvy_status status = bench.backend->open(&the_host, &wanted, &opened->device, &rates);
    if (hold(status == DIVVY_OK, RULE_open, "open of \"%s\" with %u units returned %s: %s", facts->name, units,
             divvy_status_name(status), status == DIVVY_OK ? "" : host_error()))
        return true;
    hold_told(before, status, "open");
    return false;
}

void drive_load(struct opened *opened, unsigned s)
{
    const struct subject *subject = &subjects[s];
    divvy_loaded *loaded = &opened->loaded[s];
    unsigned before = host_failures();
    uint64_t began_ns = host_now_ns();
    *loaded = (divvy_loaded){0};
    divvy_status status = bench.backend->load(opened->device, subject->kernel, loaded);
    uint64_t wall_ns = host_now_ns() - began_ns;
    opened->can[s] = status == DIVVY_OK;
    if (status != DIVVY_OK)
        hold_told(before, status, "load");
    bool allowed = status == DIVVY_OK || (subject->doubles && status == DIVVY_UNSUPPORTED);
    hold(allowed, RULE_load, "load of %s for \"%s\" returned %s: %s", subject->kernel->name, opened->facts->name,
         divvy_status_name(status), status == DIVVY_OK ? "" : host_error());
    hold(loaded->build_ns <= wall_ns && loaded->jit_ns <= wall_ns, RULE_timing,
         "load of %s took %llu ns and told build_ns %llu, jit_ns %llu", subject->kernel->name,
         (unsigned long long)wall_ns, (unsigned long long)loaded->build_ns, (unsigned long long)loaded->jit_ns);
}

void drive_load_all(struct opened *opened)
{
    for (unsigned s = 0; s < SUBJECTS; s++)
        drive_load(opened, s);
}

void drive_close(struct opened *opened)
{
    for (unsigned s = 0; s < SUBJECTS; s++)
        if (opened->can[s])
            bench.backend->unload(opened->device, opened->loaded[s].kernel);
    bench.backend->close(opened->device);
}

/* ---- What was done to the arrays --------------------------------------------------------------------------------- */

/* `when`: what the device was doing meanwhile. */
static void hold_sins(struct flight *flight, const char *when)
{
    const bool staged = flight->opened->facts->staged;
    for (unsigned k = 0; k < flight->setting->kernel->parameter_count; k++) {
        const char *parameter = flight->setting->kernel->parameters[k].name;
        struct array *array = &flight->setting->arrays[k];
        if (!array->map)
            continue;
        int sins = array_sins(array);
        hold(!(sins & ARRAY_BEYOND), RULE_beyond, "%s of %s: pages beyond it were touched %s", parameter,
             name_of(flight), when);
        hold(!(sins & ARRAY_READ), RULE_staged_reads, "%s of %s was read %s", parameter, name_of(flight), when);
        hold(!(sins & ARRAY_WRITE), staged ? RULE_staged_writes : RULE_inputs, "%s of %s was written %s", parameter,
             name_of(flight), when);
    }
}

static bool is_told(divvy_kind kind)
{
    return kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout;
}

static bool writes_arrays(const struct flight *flight)
{
    for (unsigned k = 0; k < flight->setting->kernel->parameter_count; k++)
        if (is_told(flight->setting->kernel->parameters[k].kind) && flight->slices[k].bytes > 0)
            return true;
    return false;
}

/* ---- Partitions ---------------------------------------------------------------------------------------------------- */

bool flight_start(struct flight *flight, struct opened *opened, struct setting *setting, unsigned s, size_t first,
                  size_t count, uint64_t job)
{
    const divvy_kernel *kernel = setting->kernel;
    flight->opened = opened;
    flight->setting = setting;
    host_slices(kernel, setting->args, first, count, setting->total, flight->partials, flight->slices);
    memcpy(flight->given, flight->slices, sizeof flight->given);
    flight->partition = (divvy_partition){.first = first,
                                          .count = count,
                                          .total = setting->total,
                                          .job = job,
                                          .kernel = kernel,
                                          .loaded = opened->loaded[s].kernel,
                                          .slices = flight->slices};
    if (opened->facts->staged)
        setting_allow(setting, ARRAY_READABLE);
    else
        setting_allow_in_place(setting);
    unsigned before = host_failures();
    flight->started_ns = host_now_ns();
    divvy_status status = bench.backend->start(opened->device, &flight->partition);
    if (status != DIVVY_OK)
        hold_told(before, status, "start");
    if (!hold(status == DIVVY_OK, RULE_start, "start of %s [%zu, +%zu) of %zu on \"%s\" returned %s: %s", kernel->name,
              first, count, setting->total, opened->facts->name, divvy_status_name(status), host_error())) {
        if (setting->in_flight == 0)
            setting_allow(setting, ARRAY_OPEN);
        return false;
    }
    setting->in_flight++;
    if (opened->facts->staged) {
        hold_sins(flight, "in start");
        setting_allow(setting, ARRAY_CLOSED);
    }
    return true;
}

static void hold_partition(const struct flight *flight, size_t first, size_t count, size_t total)
{
    const divvy_partition *partition = &flight->partition;
    bool same = partition->first == first && partition->count == count && partition->total == total &&
                partition->kernel == flight->setting->kernel && partition->slices == flight->slices;
    for (unsigned k = 0; k < flight->setting->kernel->parameter_count; k++)
        same = same && flight->slices[k].data == flight->given[k].data &&
               flight->slices[k].bytes == flight->given[k].bytes && flight->slices[k].base == flight->given[k].base;
    hold(same, RULE_partition, "a partition of %s came back with another range, kernel or slices", name_of(flight));
}

static void hold_timing(const struct flight *flight, uint64_t wall_ns)
{
    const divvy_timing *timing = &flight->partition.timing;
    const struct {
        const char *name;
        uint64_t ns;
    } durations[] = {{"queued_ns", timing->queued_ns},
                     {"jit_ns", timing->jit_ns},
                     {"copy_in_ns", timing->copy_in_ns},
                     {"run_ns", timing->run_ns},
                     {"copy_out_ns", timing->copy_out_ns}};
    for (unsigned k = 0; k < sizeof durations / sizeof *durations; k++)
        hold(durations[k].ns <= wall_ns, RULE_timing, "a partition of %s took %llu ns, and its %s is %llu",
             name_of(flight), (unsigned long long)wall_ns, durations[k].name, (unsigned long long)durations[k].ns);
}

static void hold_done(const struct flight *flight)
{
    const bool staged = flight->opened->facts->staged;
    for (unsigned k = 0; k < flight->setting->kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &flight->setting->kernel->parameters[k];
        const bool told = staged && is_told(parameter->kind) && flight->slices[k].bytes > 0;
        hold((flight->slices[k].result != NULL) == told, RULE_result, "%s of %s, on a device that is %s, has %s result",
             parameter->name, name_of(flight), staged ? "staged" : "not staged", told ? "no" : "a");
    }
    if (staged || writes_arrays(flight))
        hold(flight->partition.touched == !staged, RULE_touched, "a partition of %s, on a device that is %s, is %s",
             name_of(flight), staged ? "staged" : "not staged", flight->partition.touched ? "touched" : "not touched");
}

divvy_outcome flight_finish(struct flight *flight, uint64_t deadline_ns, bool may_be_late)
{
    const divvy_device_facts *facts = flight->opened->facts;
    const size_t first = flight->partition.first, count = flight->partition.count, total = flight->partition.total;
    unsigned before = host_failures();
    divvy_outcome outcome = bench.backend->finish(flight->opened->device, &flight->partition, deadline_ns);
    uint64_t wall_ns = host_now_ns() - flight->started_ns;
    flight->setting->in_flight--;
    hold_sins(flight, facts->staged ? "between start and the end of finish" : "by a partition");
    hold_partition(flight, first, count, total);
    if (outcome == DIVVY_DONE) {
        hold_done(flight);
        hold_timing(flight, wall_ns);
    } else {
        hold_told(before, DIVVY_DEVICE_LOST, outcome == DIVVY_LATE ? "a late finish" : "a failed finish");
    }
    if (outcome == DIVVY_LATE && may_be_late)
        return outcome;
    hold(outcome == DIVVY_DONE, RULE_done, "a partition of %s, [%zu, +%zu) of %zu on \"%s\", is %s: %s",
         name_of(flight), first, count, total, facts->name, outcome == DIVVY_LATE ? "late" : "failed",
         outcome == DIVVY_DONE ? "" : host_error());
    if (!facts->staged || flight->setting->in_flight == 0)
        setting_allow(flight->setting, ARRAY_OPEN);
    return outcome;
}

void flight_accept(struct flight *flight)
{
    struct setting *setting = flight->setting;
    setting_allow(setting, ARRAY_OPEN);
    host_accept(setting->kernel, flight->slices);
    if (setting->in_flight > 0 && flight->opened->facts->staged)
        setting_allow(setting, ARRAY_CLOSED);
    else if (setting->in_flight > 0)
        setting_allow_in_place(setting);
    for (unsigned k = 0; k < setting->kernel->parameter_count; k++)
        if (divvy_kind_is_fold(setting->kernel->parameters[k].kind))
            host_join(&setting->kernel->parameters[k], &setting->partials[k], &flight->partials[k]);
}

/* ---- Results --------------------------------------------------------------------------------------------------------- */

/* The first byte of an array's pages that differs; its length if none does. */
static size_t first_difference(const struct array *a, const struct array *b)
{
    size_t at = 0;
    if (memcmp(a->body, b->body, a->body_bytes) == 0)
        return a->body_bytes;
    while (a->body[at] == b->body[at])
        at++;
    return at;
}

static void hold_array(const struct setting *actual, const struct setting *expected, unsigned k, size_t first,
                       size_t count, const char *device)
{
    const divvy_parameter *parameter = &actual->kernel->parameters[k];
    const struct array *array = &actual->arrays[k];
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    actual->kernel->extents(actual->args, actual->total, extents);
    size_t row_bytes = extents[k].elements * parameter->element_bytes;
    size_t begin = (size_t)(array->data - array->body), own = begin + (first - actual->low) * row_bytes;
    size_t at = first_difference(array, &expected->arrays[k]);
    if (is_told(parameter->kind)) {
        bool inside = at >= own && at < own + count * row_bytes;
        hold(!inside, RULE_results, "%s of %s on \"%s\": index %zu of [%zu, +%zu) of %zu is wrong", parameter->name,
             actual->kernel->name, device, row_bytes ? actual->low + (at - begin) / row_bytes : 0, first, count,
             actual->total);
        hold(inside || at == array->body_bytes, RULE_outside, "%s of %s on \"%s\": byte %td from the partition's %s",
             parameter->name, actual->kernel->name, device,
             at < own ? (ptrdiff_t)(own - at) : (ptrdiff_t)(at - own - count * row_bytes), at < own ? "begin" : "end");
    } else {
        hold(at == array->body_bytes, RULE_outside, "%s of %s on \"%s\", which is only read, was changed",
             parameter->name, actual->kernel->name, device);
    }
}

void hold_results(struct setting *actual, struct setting *expected, size_t first, size_t count, const char *device)
{
    for (unsigned k = 0; k < actual->kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &actual->kernel->parameters[k];
        const divvy_partial *a = &actual->partials[k], *b = &expected->partials[k];
        if (actual->arrays[k].map)
            hold_array(actual, expected, k, first, count, device);
        if (divvy_kind_is_fold(parameter->kind))
            hold(memcmp(a, b, sizeof *a) == 0, RULE_folds,
                 "%s of %s over %zu indices on \"%s\" is %g (%lld), not %g (%lld)", parameter->name,
                 actual->kernel->name, count, device, a->f, (long long)a->i, b->f, (long long)b->i);
    }
}

void drive_partition(struct opened *opened, unsigned s, size_t first, size_t count, size_t total, uint64_t seed)
{
    struct setting actual, expected;
    struct flight flight;
    size_t low, high;
    if (!opened->can[s])
        return;
    setting_window(&subjects[s], first, count, total, &low, &high);
    setting_open(&actual, &subjects[s], total, low, high, seed);
    setting_open(&expected, &subjects[s], total, low, high, seed);
    setting_compute(&expected, first, count);
    if (flight_start(&flight, opened, &actual, s, first, count, drive_job()) &&
        flight_finish(&flight, 0, false) == DIVVY_DONE) {
        flight_accept(&flight);
        hold_results(&actual, &expected, first, count, opened->facts->name);
    }
    setting_close(&actual);
    setting_close(&expected);
}
