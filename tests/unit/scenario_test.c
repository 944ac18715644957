/* Scenarios: what a text means, what is refused and with which words, and that the shipped tuning worlds are those of
 * the schedules. */
#include "scenario.h"

#include "check.h"
#include "cost.h"
#include "schedule/worlds.h"

#include <math.h>
#include <stdbool.h>

static char error[512];

static struct scenario *read_text(const char *text)
{
    return scenario_read(text, strlen(text), error, sizeof error);
}

/* The one device of a scenario that has this as its only one. */
static struct scenario *read_device(const char *fields)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"divvy_scenario\": 1, \"devices\": [{%s}]}", fields);
    struct scenario *scenario = read_text(text);
    if (!CHECK(scenario))
        fprintf(stderr, "  %s: %s\n", text, error);
    return scenario;
}

/* ---- What is meant ---- */

static void check_defaults(void)
{
    /* Every field but the first has a default. */
    struct scenario *scenario = read_text("{\"divvy_scenario\": 1}");
    if (CHECK(scenario)) {
        CHECK_STR(scenario->name, "");
        CHECK_EQ(scenario->seed, 0);
        CHECK_EQ(scenario->device_count, 0);
        const struct scenario_kernel *kernel = scenario_kernel(scenario, "saxpy");
        CHECK(kernel->times == 1 && kernel->cost.shape == SCENARIO_FLAT && kernel->count == 131072);
    }
    scenario_free(scenario);

    /* A device is a GPU that works on copies, two partitions at once, and says the truth. */
    scenario = read_device("");
    if (scenario && CHECK_EQ(scenario->device_count, 1)) {
        const struct scenario_device *device = scenario->devices;
        CHECK_STR(device->name, "gpu");
        CHECK_STR(device->device_class, "gpu");
        CHECK(device->type == SCENARIO_GPU && device->staged && device->depth == 2 && device->granule == 1);
        CHECK(device->ns_per_item == 100 && device->fixed_ns == 0 && device->noise == 0);
        CHECK(device->spikes.probability == 0 && device->slowdown.times == 1);
        CHECK(device->fail.at == 0 && device->hang.at == 0 && device->lost.at == 0);
        CHECK(device->stated.fixed_ns == 0 && device->stated.timing == SCENARIO_TRUE);
    }
    scenario_free(scenario);

    /* Cores and processors work in place, unless it is said. */
    scenario = read_device("\"type\": \"cpu\"");
    CHECK(scenario && !scenario->devices->staged && scenario->devices->depth == 1);
    scenario_free(scenario);
    scenario = read_device("\"type\": \"cpu\", \"staged\": true, \"latency_ns\": 5");
    CHECK(scenario && scenario->devices->staged && scenario->devices->depth == 2);
    scenario_free(scenario);
    scenario = read_device("\"staged\": false");
    CHECK(scenario && !scenario->devices->staged && scenario->devices->depth == 1);
    scenario_free(scenario);

    /* What is stated is the truth but for what is given. */
    scenario =
        read_device("\"fixed_ns\": 9, \"latency_ns\": 8, \"stated\": {\"fixed_ns\": 0, \"timing\": \"garbage\"}");
    if (scenario) {
        CHECK(scenario->devices->stated.fixed_ns == 0 && scenario->devices->stated.latency_ns == 8);
        CHECK_EQ(scenario->devices->stated.timing, SCENARIO_GARBAGE);
    }
    scenario_free(scenario);

    /* What fails does so at the first try, and what hangs too. */
    scenario = read_device("\"fail\": {\"on\": \"run\", \"every\": 3}, \"hang\": {}, \"lost\": {\"from_ns\": 7}");
    if (scenario) {
        const struct scenario_device *device = scenario->devices;
        CHECK(device->fail.on == SCENARIO_RUN && device->fail.at == 1 && device->fail.every == 3);
        CHECK(device->hang.at == 1 && device->hang.for_ns == 0 && device->lost.at == 0 && device->lost.from_ns == 7);
    }
    scenario_free(scenario);
}

static void check_lists(void)
{
    /* Copies are devices of their own, numbered, of one class. */
    struct scenario *scenario = read_device("\"name\": \"a\", \"copies\": 3}, {\"name\": \"b\", \"class\": \"c\"");
    if (scenario && CHECK_EQ(scenario->device_count, 4)) {
        CHECK_STR(scenario->devices[0].name, "a 0");
        CHECK_STR(scenario->devices[2].name, "a 2");
        CHECK_STR(scenario->devices[2].device_class, "a");
        CHECK_STR(scenario->devices[3].name, "b");
        CHECK_STR(scenario->devices[3].device_class, "c");
    }
    scenario_free(scenario);

    /* A kernel has its own entry, else that of "*"; comments are passed over at every place. */
    scenario = read_text("{\"note\": [[]], \"divvy_scenario\": 1, \"_x\": {\"y\": 1}, \"kernels\": ["
                         "{\"name\": \"nbody\", \"times\": 3, \"note 1\": 0}, {\"times\": 2, \"cost\": "
                         "{\"shape\": \"blocks\", \"values\": [1, 0, 2.5], \"_\": null}}]}\n ");
    if (CHECK(scenario)) {
        CHECK(scenario_kernel(scenario, "nbody")->times == 3);
        const struct scenario_kernel *any = scenario_kernel(scenario, "other");
        CHECK(any->times == 2 && any->cost.shape == SCENARIO_BLOCKS && any->cost.part_count == 3);
        CHECK(any->cost.until && any->cost.until[1] == 1 && any->cost.until[2] == 1 && any->cost.until[3] == 3.5);
    }
    scenario_free(scenario);
    scenario_free(NULL);
}

/* ---- What is refused ---- */

/* A text and all of what is said of it, or its beginning if it is long. */
static const char *const refused[][2] = {
    {"", "line 1: this is not JSON"},
    {"{\"divvy_scenario\": 1,\n\n}", "line 3: this is not JSON"},
    {"{\"divvy_scenario\": 1} x", "line 1: this is not JSON"},
    {"[1]", "this is no scenario: it has no number \"divvy_scenario\""},
    {"{}", "this is no scenario: it has no number \"divvy_scenario\""},
    {"{\"divvy_scenario\": \"1\"}", "this is no scenario: it has no number \"divvy_scenario\""},
    {"{\"divvy_scenario\": 2, \"more\": 1}", "it is of format 2, known is format 1"},
    {"{\"divvy_scenario\": 1, \"colour\": 1}", "there is no field \"colour\"; there are divvy_scenario, name, seed, "},
    {"{\"divvy_scenario\": 1, \"divvy_scenario\": 1}", "divvy_scenario: it is given twice"},
    {"{\"divvy_scenario\": 1, \"a\\u001b[2J\\n\": 1}", "there is no field \"a?[2J?\"; "},
    {"{\"divvy_scenario\": 1, \"seed\": 0.5}", "seed: 0.5 is not a whole number"},
    {"{\"divvy_scenario\": 1, \"seed\": -1}", "seed: -1 is not between 0 and 9007199254740992"},
    {"{\"divvy_scenario\": 1, \"seed\": \"1\"}", "seed: must be a number"},
    {"{\"divvy_scenario\": 1, \"name\": \"\"}", "name: must have 1 to 63 letters, not 0"},
    {"{\"divvy_scenario\": 1, \"name\": \"a\\tb\"}", "name: must have printable letters of ASCII only"},
    {"{\"divvy_scenario\": 1, \"devices\": {}}", "devices: must be a list of 1 to 4096"},
    {"{\"divvy_scenario\": 1, \"devices\": []}", "devices: must be a list of 1 to 4096"},
    {"{\"divvy_scenario\": 1, \"devices\": [{}, 7]}", "devices[1]: must be an object {...}"},
    {"{\"divvy_scenario\": 1, \"kernels\": [{}, {\"name\": \"*\"}]}",
     "kernels[1]: there is an entry for \"*\" already"},
};

/* The same of the fields of a device, */
static const char *const refused_devices[][2] = {
    {"\"nosie\": 1", "devices[0]: there is no field \"nosie\"; there are name, copies, type, class, "},
    {"\"noise\": 7", "devices[0].noise: 7 is not between 0 and 5"},
    {"\"noise\": 1, \"noise\": 1", "devices[0].noise: it is given twice"},
    {"\"fixed_ns\": -1", "devices[0].fixed_ns: -1 is not between 0 and 3.2e+17"},
    {"\"fixed_ns\": 1e999", "devices[0].fixed_ns: inf is not between 0 and 3.2e+17"},
    {"\"fixed_ns\": null", "devices[0].fixed_ns: must be a number"},
    {"\"fixed_ns\": nan", "line 1: this is not JSON"},
    {"\"copies\": 0", "devices[0].copies: 0 is not between 1 and 4096"},
    {"\"copies\": 4096}, {", "devices[1]: there are more than 4096 devices"},
    {"\"type\": \"tpu\"", "devices[0].type: \"tpu\" is not one of core, cpu, gpu, accelerator"},
    {"\"type\": 1", "devices[0].type: must be one of core, cpu, gpu, accelerator"},
    {"\"staged\": 1", "devices[0].staged: must be true or false"},
    {"\"depth\": 3", "devices[0].depth: 3 is not between 1 and 2"},
    {"\"type\": \"core\", \"depth\": 2", "devices[0]: only a staged device can have two partitions in flight"},
    {"\"staged\": false, \"latency_ns\": 1", "devices[0]: only a staged device copies, and has a latency and "},
    {"\"granule\": 1.5", "devices[0].granule: 1.5 is not a whole number"},
    {"\"memory_bytes\": 1e16", "devices[0].memory_bytes: 10000000000000000 is not between 0 and 9007199254740992"},
    {"\"spikes\": 1", "devices[0].spikes: must be an object {...}"},
    {"\"spikes\": {\"probability\": 1.1}", "devices[0].spikes.probability: 1.1000000000000001 is not between 0 and 1"},
    {"\"slowdown\": {\"since\": \"lunch\"}", "devices[0].slowdown.since: \"lunch\" is not one of job, open"},
    {"\"slowdown\": {\"times\": 0}", "devices[0].slowdown.times: 0 is not between 0.01 and 1000000"},
    {"\"stated\": {\"timing\": \"maybe\"}", "devices[0].stated.timing: \"maybe\" is not one of true, zero, garbage"},
    {"\"fail\": {\"on\": \"monday\"}", "devices[0].fail.on: \"monday\" is not one of open, build, launch, run"},
    {"\"fail\": {\"at\": 0}", "devices[0].fail.at: 0 is not between 1 and 9007199254740992"},
    {"\"hang\": {\"every\": 1}", "devices[0].hang: there is no field \"every\"; there are at, for_ns"},
    {"\"lost\": {}", "devices[0].lost: it needs \"at\", a launch, or \"from_ns\""},
};

/* and of a cost. */
static const char *const refused_costs[][2] = {
    {"\"shape\": \"cube\"", ".shape: \"cube\" is not one of flat, ramp, bump, wave, blocks, random, heavy_tail"},
    {"\"from\": 1", ": there is no field \"from\"; there are shape"},
    {"\"shape\": \"bump\", \"depth\": 1", ": there is no field \"depth\"; there are shape, centre, "},
    {"\"shape\": \"bump\", \"width\": 0", ".width: 0 is not between"},
    {"\"shape\": \"bump\", \"width\": 0.001, \"centre\": 10, \"base\": 0", ": it is 0 everywhere"},
    {"\"shape\": \"ramp\", \"from\": 0, \"to\": 0", ": it is 0 everywhere"},
    {"\"shape\": \"ramp\", \"from\": -1", ".from: -1 is not between 0 and 1000000"},
    {"\"shape\": \"wave\", \"depth\": 2", ".depth: 2 is not between 0 and 1"},
    {"\"shape\": \"blocks\"", ": blocks need values"},
    {"\"shape\": \"blocks\", \"values\": []", ".values: must be a list of 1 to 65536"},
    {"\"shape\": \"blocks\", \"values\": [1, \"2\"]", ".values[1]: must be a number"},
    {"\"shape\": \"blocks\", \"values\": [0, 0]", ": it is 0 everywhere"},
    {"\"shape\": \"blocks\", \"values\": [1], \"values\": [1]", ".values: it is given twice"},
    {"\"shape\": \"random\", \"parts\": 65537", ".parts: 65537 is not between 1 and 65536"},
    {"\"shape\": \"heavy_tail\", \"alpha\": 0", ".alpha: 0 is not between 0.5 and 100"},
};

static void check_refused(const char *form, const char *place, const char *part, const char *expected)
{
    char text[1024], all[512];
    snprintf(text, sizeof text, form, part);
    snprintf(all, sizeof all, "%s%s", place, expected);
    if (!CHECK(!read_text(text)))
        fprintf(stderr, "  not refused: %s\n", text);
    else if (!CHECK(strncmp(error, all, strlen(all)) == 0))
        fprintf(stderr, "  of %s it says \"%s\", not \"%s\"\n", text, error, all);
    CHECK(strchr(error, '\n') == NULL);
}

static void check_mistakes(void)
{
    for (size_t k = 0; k < sizeof refused / sizeof *refused; k++)
        check_refused("%s", "", refused[k][0], refused[k][1]);
    for (size_t k = 0; k < sizeof refused_devices / sizeof *refused_devices; k++)
        check_refused("{\"divvy_scenario\": 1, \"devices\": [{%s}]}", "", refused_devices[k][0], refused_devices[k][1]);
    for (size_t k = 0; k < sizeof refused_costs / sizeof *refused_costs; k++)
        check_refused("{\"divvy_scenario\": 1, \"kernels\": [{\"cost\": {%s}}]}", "kernels[0].cost",
                      refused_costs[k][0], refused_costs[k][1]);
}

static void check_limits(void)
{
    /* A text ends where it is said to, whatever follows, and a zero within is no end. */
    static const char text[] = "{\"divvy_scenario\": 1}{";
    struct scenario *scenario = scenario_read(text, strlen(text) - 1, error, sizeof error);
    CHECK(scenario);
    scenario_free(scenario);
    static const char zero[] = "{\"divvy_scenario\": 1}\0 ";
    CHECK(!scenario_read(zero, sizeof zero - 1, error, sizeof error));

    /* Lists within lists, a million deep, and texts beyond the limit are refused. */
    size_t bytes = SCENARIO_BYTES_MAX + 1;
    char *large = malloc(bytes);
    if (!CHECK(large))
        return;
    memset(large, '[', bytes);
    CHECK(!scenario_read(large, 1000000, error, sizeof error));
    CHECK_HAS(error, "this is not JSON");
    memset(large, ' ', bytes);
    CHECK(!scenario_read(large, bytes, error, sizeof error));
    CHECK_STR(error, "it is larger than 16 MiB");
    free(large);

    /* An error is cut where its room ends, and may have none. */
    char few[8];
    CHECK(!scenario_read("{}", 2, few, sizeof few));
    CHECK_STR(few, "this is");
    CHECK(!scenario_read("{}", 2, NULL, 0));

    /* Files that are not there, or are none. */
    CHECK(!scenario_read_file("/nowhere/at/all.json", error, sizeof error));
    CHECK_STR(error, "No such file or directory");
    CHECK(!scenario_read_file("/", error, sizeof error));
    CHECK_STR(error, "Is a directory");
    CHECK(!scenario_read_file("/dev/zero", error, sizeof error));
    CHECK_STR(error, "it is larger than 16 MiB");
}

/* ---- The shipped ones ---- */

static bool equals(const struct scenario_device *given, const struct dv_world_device *meant)
{
    bool slows = meant->slowdown.times > 0, spikes = meant->spikes.probability > 0;
    return meant->core == (given->type == SCENARIO_CORE) && meant->staged == given->staged &&
           given->depth == meant->depth + !meant->depth && given->fixed_ns == meant->fixed_ns &&
           given->ns_per_item == meant->ns_per_item && given->noise == meant->noise &&
           given->spikes.probability == meant->spikes.probability &&
           (!spikes || given->spikes.times == meant->spikes.times) && given->open_ns == meant->open_ns &&
           given->build_ns == meant->build_ns && given->slowdown.times == (slows ? meant->slowdown.times : 1) &&
           given->slowdown.from_ns == meant->slowdown.from_ns && given->granule == meant->granule;
}

/* The same work lies in every part of the range. */
static bool costs_the_same(const struct scenario_cost *given, const struct dv_world_kernel *meant)
{
    bool same = true;
    for (size_t first = 0; first < meant->count; first += meant->count / 64)
        same = same && fabs(cost_of(given, first, meant->count / 64, meant->count) -
                            dv_world_cost(meant, first, meant->count / 64)) < 1e-6 * (double)meant->count;
    return same;
}

/* Each tuning world is there, device by device. */
static void check_worlds(void)
{
    for (unsigned w = 0; w < DV_TUNING_WORLDS; w++) {
        const struct dv_world *world = &dv_tuning_worlds[w];
        char path[512] = SCENARIOS "/";
        for (const char *at = world->name; *at; at++)
            if (*at != ',')
                strncat(path, *at == ' ' ? "_" : (char[]){*at, 0}, sizeof path - strlen(path) - 1);
        strncat(path, ".json", sizeof path - strlen(path) - 1);
        struct scenario *scenario = scenario_read_file(path, error, sizeof error);
        if (!CHECK(scenario)) {
            fprintf(stderr, "  %s: %s\n", path, error);
            continue;
        }
        const struct scenario_kernel *kernel = scenario_kernel(scenario, "any");
        CHECK_STR(scenario->name, world->name);
        CHECK_EQ(kernel->count, world->kernel.count);
        CHECK(costs_the_same(&kernel->cost, &world->kernel));
        CHECK_EQ(scenario->device_count, world->device_count);
        for (unsigned d = 0; d < world->device_count && d < scenario->device_count; d++)
            if (!CHECK(equals(&scenario->devices[d], &world->devices[d])))
                fprintf(stderr, "  %s: device %u differs\n", world->name, d);
        scenario_free(scenario);
    }
}

int main(void)
{
    check_defaults();
    check_lists();
    check_mistakes();
    check_limits();
    check_worlds();
    return check_summary();
}
