#include "scenario_parts.h"

#include <stdio.h>
#include <stdlib.h>

/* Ten years, which no time exceeds. */
#define TIME_MAX 3.2e17

/* A device of which it is not known yet what stands where nothing was given. */
struct draft {
    struct scenario_device device;
    size_t copies;
    int staged; /* NOT_GIVEN, 0 or 1 */
};

enum { NOT_GIVEN = -1 };

#define ROW(label, member, kind, ...) FIELD_ROW(label, struct draft, member, kind, __VA_ARGS__)
#define NUMBER(label, member, least, most) FIELD_NUMBER_ROW(label, struct draft, member, least, most)
#define TIME(label, member) NUMBER(label, member, 0, TIME_MAX)
#define RATE(label, member) NUMBER(label, member, 0, SCENARIO_RATE_MAX)
#define WHOLE(label, member, least) ROW(label, member, FIELD_WHOLE, .low = (least), .high = FIELD_WHOLE_MAX)
#define WORD(label, member, choices) FIELD_WORD_ROW(label, struct draft, member, choices)

/* As in the enums of the header. */
static const char *const types[] = {"core", "cpu", "gpu", "accelerator", NULL};
static const char *const sinces[] = {"job", "open", NULL};
static const char *const timings[] = {"true", "zero", "garbage", NULL};
static const char *const steps[] = {"open", "build", "launch", "run", NULL};

/* ---- What goes wrong -------------------------------------------------------------------------- */

static bool read_fail(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    static const struct field table[] = {
        WORD("on", device.fail.on, steps), WHOLE("at", device.fail.at, 1), WHOLE("every", device.fail.every, 0), {0}};
    ((struct draft *)out)->device.fail.at = 1;
    return fields_read(reader, place, json, table, out);
}

static bool read_hang(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    static const struct field table[] = {WHOLE("at", device.hang.at, 1), TIME("for_ns", device.hang.for_ns), {0}};
    ((struct draft *)out)->device.hang.at = 1;
    return fields_read(reader, place, json, table, out);
}

static bool read_lost(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    static const struct field table[] = {WHOLE("at", device.lost.at, 1), TIME("from_ns", device.lost.from_ns), {0}};
    const struct scenario_device *device = &((struct draft *)out)->device;
    return fields_read(reader, place, json, table, out) &&
           (device->lost.at || device->lost.from_ns > 0 ||
            fields_fail(reader, place, "it needs \"at\", a launch, or \"from_ns\""));
}

/* ---- Devices ---------------------------------------------------------------------------------- */

static const struct field spikes[] = {NUMBER("probability", device.spikes.probability, 0, 1),
                                      NUMBER("times", device.spikes.times, 1, SCENARIO_TIMES_MAX),
                                      {0}};
static const struct field slowdown[] = {TIME("from_ns", device.slowdown.from_ns),
                                        NUMBER("times", device.slowdown.times, 0.01, SCENARIO_TIMES_MAX),
                                        WORD("since", device.slowdown.since, sinces),
                                        {0}};
static const struct field stated[] = {TIME("fixed_ns", device.stated.fixed_ns),
                                      TIME("latency_ns", device.stated.latency_ns),
                                      RATE("upload_bytes_per_s", device.stated.upload_bytes_per_s),
                                      RATE("download_bytes_per_s", device.stated.download_bytes_per_s),
                                      WORD("timing", device.stated.timing, timings),
                                      {0}};

static const struct field device_fields[] = {
    ROW("name", device.name, FIELD_NAME, .high = SCENARIO_NAME_MAX),
    ROW("copies", copies, FIELD_SIZE, .low = 1, .high = SCENARIO_DEVICES_MAX),
    WORD("type", device.type, types),
    ROW("class", device.device_class, FIELD_NAME, .high = SCENARIO_NAME_MAX),
    TIME("fixed_ns", device.fixed_ns),
    TIME("ns_per_item", device.ns_per_item),
    NUMBER("noise", device.noise, 0, 5),
    FIELD_OBJECT_ROW("spikes", spikes),
    FIELD_OBJECT_ROW("slowdown", slowdown),
    TIME("open_ns", device.open_ns),
    TIME("build_ns", device.build_ns),
    TIME("jit_ns", device.jit_ns),
    ROW("staged", staged, FIELD_FLAG, .low = 0),
    ROW("depth", device.depth, FIELD_COUNT, .low = 1, .high = 2),
    ROW("granule", device.granule, FIELD_SIZE, .low = 1, .high = FIELD_WHOLE_MAX),
    WHOLE("memory_bytes", device.memory_bytes, 0),
    WHOLE("max_slice_bytes", device.max_slice_bytes, 0),
    TIME("latency_ns", device.latency_ns),
    RATE("upload_bytes_per_s", device.upload_bytes_per_s),
    RATE("download_bytes_per_s", device.download_bytes_per_s),
    FIELD_OBJECT_ROW("stated", stated),
    FIELD_BY_ROW("fail", read_fail),
    FIELD_BY_ROW("hang", read_hang),
    FIELD_BY_ROW("lost", read_lost),
    {0}};

static const struct draft plain = {
    .copies = 1,
    .staged = NOT_GIVEN,
    .device = {.type = SCENARIO_GPU,
               .ns_per_item = 100,
               .granule = 1,
               .spikes.times = 8,
               .slowdown.times = 1,
               .stated = {.fixed_ns = NOT_GIVEN,
                          .latency_ns = NOT_GIVEN,
                          .upload_bytes_per_s = NOT_GIVEN,
                          .download_bytes_per_s = NOT_GIVEN}},
};

static void state_truth(double *stated_value, double truth)
{
    if (*stated_value < 0)
        *stated_value = truth;
}

/* What follows from what was given. */
static bool complete(struct reader *reader, const struct place *place, struct draft *draft)
{
    struct scenario_device *device = &draft->device;
    bool copies = device->latency_ns > 0 || device->upload_bytes_per_s > 0 || device->download_bytes_per_s > 0;
    device->staged = draft->staged == NOT_GIVEN ? device->type == SCENARIO_GPU || device->type == SCENARIO_ACCELERATOR
                                                : draft->staged == 1;
    if (!device->staged && device->depth == 2)
        return fields_fail(reader, place, "only a staged device can have two partitions in flight");
    if (!device->staged && copies)
        return fields_fail(reader, place, "only a staged device copies, and has a latency and bytes per second");
    if (device->depth == 0)
        device->depth = device->staged ? 2 : 1;
    if (!*device->name)
        snprintf(device->name, sizeof device->name, "%s", types[device->type]);
    if (!*device->device_class)
        snprintf(device->device_class, sizeof device->device_class, "%.*s", SCENARIO_NAME_MAX, device->name);
    state_truth(&device->stated.fixed_ns, device->fixed_ns);
    state_truth(&device->stated.latency_ns, device->latency_ns);
    state_truth(&device->stated.upload_bytes_per_s, device->upload_bytes_per_s);
    state_truth(&device->stated.download_bytes_per_s, device->download_bytes_per_s);
    return true;
}

static bool add_copies(struct scenario *scenario, const struct draft *draft)
{
    size_t count = scenario->device_count + draft->copies;
    struct scenario_device *devices = realloc(scenario->devices, count * sizeof *devices);
    if (!devices)
        return false;
    scenario->devices = devices;
    for (size_t copy = 0; copy < draft->copies; copy++) {
        struct scenario_device *device = &devices[scenario->device_count++];
        *device = draft->device;
        if (draft->copies > 1)
            snprintf(device->name, sizeof device->name, "%.*s %zu", SCENARIO_NAME_MAX, draft->device.name, copy);
    }
    return true;
}

bool scenario_read_devices(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    struct scenario *scenario = out;
    size_t index = 0;
    if (fields_list_length(reader, place, json, SCENARIO_DEVICES_MAX) == 0)
        return false;
    const cJSON *element;
    cJSON_ArrayForEach (element, json) {
        struct place at = {.outer = place, .index = index++};
        struct draft draft = plain;
        if (!fields_read(reader, &at, element, device_fields, &draft) || !complete(reader, &at, &draft))
            return false;
        if (scenario->device_count + draft.copies > SCENARIO_DEVICES_MAX)
            return fields_fail(reader, &at, "there are more than %d devices", SCENARIO_DEVICES_MAX);
        if (!add_copies(scenario, &draft))
            return fields_fail(reader, &at, "there is no memory for it");
    }
    return true;
}
