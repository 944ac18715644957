/* Deadlines, and what comes after a late partition. */
#include "contract.h"

#include "contract.cl"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COUNT = 64 };

/* What a late partition could still touch: closed for good, and kept. */
struct trial {
    struct trial *older;
    struct setting actual[2], expected;
    struct flight flights[2];
};
static struct trial *trials;

static struct trial *trial_open(const struct subject *subject)
{
    struct trial *trial = calloc(1, sizeof *trial);
    trial->older = trials;
    trials = trial;
    setting_open(&trial->expected, subject, COUNT, 0, COUNT, 1);
    setting_compute(&trial->expected, 0, COUNT);
    for (unsigned k = 0; k < 2; k++)
        setting_open(&trial->actual[k], subject, COUNT, 0, COUNT, 1);
    return trial;
}

static void trial_close(struct trial *trial)
{
    setting_close(&trial->expected);
    for (unsigned k = 0; k < 2; k++)
        setting_close(&trial->actual[k]);
    trials = trial->older;
    free(trial);
}

/* What is over in time is done. */
static void try_in_time(struct opened *opened, const struct subject *subject)
{
    struct trial *trial = trial_open(subject);
    if (flight_start(&trial->flights[0], opened, &trial->actual[0], SUBJECT_SLOW, 0, COUNT, drive_job()) &&
        flight_finish(&trial->flights[0], host_now_ns() + bench.deadline, false) == DIVVY_DONE) {
        flight_accept(&trial->flights[0]);
        hold_results(&trial->actual[0], &trial->expected, 0, COUNT, opened->facts->name);
    }
    trial_close(trial);
}

/* With a deadline in the past. Returns whether the device was late, and is to be closed. */
static bool try_past(struct opened *opened, struct trial *trial)
{
    const divvy_device_facts *facts = opened->facts;
    unsigned started = 0, late = 0;
    while (started < facts->depth &&
           flight_start(&trial->flights[started], opened, &trial->actual[started], SUBJECT_SLOW, 0, COUNT, drive_job()))
        started++;
    for (unsigned k = 0; k < started; k++) {
        divvy_outcome outcome = flight_finish(&trial->flights[k], 1, facts->staged);
        hold(facts->staged || outcome != DIVVY_LATE, RULE_deadline, "\"%s\" is not staged, and late", facts->name);
        late += outcome == DIVVY_LATE;
        if (outcome == DIVVY_LATE)
            hold(!trial->flights[k].partition.touched, RULE_late, "a late partition of \"%s\" is touched", facts->name);
        if (outcome != DIVVY_DONE)
            continue;
        flight_accept(&trial->flights[k]);
        hold_results(&trial->actual[k], &trial->expected, 0, COUNT, facts->name);
    }
    return late > 0;
}

/* Nothing may come from a late device any more, for as long as its work may last. */
static void hold_quiet(struct trial *trial, const char *device)
{
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    for (unsigned k = 0; k < 2; k++)
        for (unsigned p = 0; p < DIVVY_PARAMETERS_MAX; p++)
            hold(array_sins(&trial->actual[k].arrays[p]) == 0, RULE_late,
                 "\"%s\" was late, and touched the caller's arrays afterwards", device);
}

const char *check_deadline(const divvy_device_facts *facts)
{
    /* Long enough that a device with a queue is late, short enough for simulators. */
    const unsigned turns = bench.quick ? 500 : 60000;
    const struct subject subject = {&slow_kernel, &(struct slow_args){.turns = turns}, ".i", false};
    struct opened opened;
    if (!drive_open(&opened, facts, 0))
        return NULL;
    drive_load(&opened, SUBJECT_SLOW);
    if (!opened.can[SUBJECT_SLOW]) {
        drive_close(&opened);
        return "its kernel cannot be loaded";
    }
    try_in_time(&opened, &subject);
    struct trial *trial = trial_open(&subject);
    bool late = try_past(&opened, trial);
    drive_close(&opened);
    if (!late) {
        trial_close(trial);
        return facts->staged ? "it was never late" : NULL;
    }
    hold_quiet(trial, facts->name);

    /* Who opens it next finds it well. */
    if (drive_open(&opened, facts, 0)) {
        drive_load(&opened, SUBJECT_SLOW);
        try_in_time(&opened, &subject);
        drive_close(&opened);
    }
    hold_quiet(trial, facts->name);
    return NULL;
}
