/* Filters that name what is not there: others may match and the work is done, but it is told, once for each name, and never
 * of what is there. */
#include "rules.h"

#include "rules.cl"

/* Opens and runs a job; what was said meanwhile, to be freed. */
static char *said_by(const divvy_options *options, const char *devices_of_call, int calls)
{
    static uint y[100];
    begin_hearing();
    divvy *dv = open_context(options);
    for (int k = 0; k < calls; k++)
        STATUS(DIVVY_OK, divvy_run(dv, toil, 100, .turns = 1, .y = y, .with = {.devices = devices_of_call}));
    divvy_close(dv);
    return heard();
}

static char *said_of(const char *devices, const char *log)
{
    return said_by(&(divvy_options){.backend = "cpu,fake", .devices = devices, .log = log}, NULL, 1);
}

static void check_said(char *text, size_t lines, const char *part)
{
    if (!CHECK_EQ(occurrences(text, "\n"), lines))
        fprintf(stderr, "  %s", text);
    CHECK_HAS(text, part);
    free(text);
}

static void check_opening(void)
{
    // Each item that means nothing has a line with what there is; a second context says nothing new.
    static const char filter[] = "cpu,fake:0,fake:77,fake:name~Quantum/2,gpu:0-3";
    char *text = said_of(filter, "warn");
    CHECK_HAS(text, "divvy: devices: there is no \"fake:77\", which the filter \"cpu,fake:0,fake:77,");
    CHECK_HAS(text, "there is no \"fake:name~Quantum/2\", ");
    CHECK_HAS(text, "there is no \"gpu:0-3\", ");
    CHECK_HAS(text, "it may name cpu:0 (");
    CHECK_HAS(text, "fake:4 (");
    check_said(text, 3, "");
    check_said(said_of(filter, "warn"), 0, "");
    check_said(said_of("fake:77,cpu", "warn"), 1, "there is no \"fake:77\"");

    // Who did not want to hear of it has not been told.
    check_said(said_of("cpu,fake:78", "error"), 0, "");
    check_said(said_of("cpu,fake:78", "warn"), 1, "there is no \"fake:78\"");

    // What is there is not missing: shadowed by another item, in a range that goes beyond it, or without a seat.
    check_said(said_of("cpu,cpu:0,fake:0-99,fake:name~DIRECT,fake:3/1", "warn"), 0, "");
    check_said(
        said_by(&(divvy_options){.backend = "cpu,fake", .devices = "cpu:0-511,fake:1", .threads = 1, .log = "warn"},
                NULL, 1),
        0, "");
}

/* A backend is not probed to tell what it has. */
static void check_unprobed(void)
{
    const int before = atomic_load(&fake_at(0)->probed);
    check_said(said_of("cpu,cpu:666", "warn"), 1, "there is no \"cpu:666\"");
    CHECK_EQ(fake_at(0)->probed, before);
}

static void check_calls(void)
{
    const divvy_options all = {.backend = "cpu,fake", .log = "warn"},
                        some = {.backend = "cpu,fake", .devices = "cpu,fake:0", .log = "warn"};
    // A call that names a backend has it probed, and only then is it known what is missing.
    check_said(said_by(&all, "cpu,fake:2", 3), 0, "");
    check_said(said_by(&all, "fake:1,fake:9,cpu", 100), 1,
               "there is no \"fake:9\" in this context, whose devices are cpu:0 (");
    // It chooses among the devices of the context.
    char *text = said_by(&some, "cpu,fake:1", 2);
    CHECK(!strstr(text, "fake:2 ("));
    check_said(text, 1, "there is no \"fake:1\" in this context");
    check_said(said_by(&some, "cpu,fake:0", 2), 0, "");
}

/* One that has failed is there, and what became of it is told elsewhere. */
static void check_retired(void)
{
    fake_at(FAKE_SINGLE)->fail_open = 1;
    char *text =
        said_by(&(divvy_options){.backend = "cpu,fake", .devices = "cpu,fake:1", .log = "warn", .schedule = "static"},
                "cpu,fake:1", 3);
    CHECK_HAS(text, "fake:1");
    CHECK(!strstr(text, "there is no"));
    free(text);
    text = said_of("cpu,fake:1", "warn");
    CHECK(!strstr(text, "there is no"));
    free(text);
    fake_behave();
}

int main(void)
{
    limit_time(120);
    check_unprobed();
    check_opening();
    check_calls();
    check_retired();
    return check_summary();
}
