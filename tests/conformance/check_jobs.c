/* Partitions in flight, jobs that follow each other, what they share; several devices at once. */
#include "contract.h"

#include "contract.cl"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

uint64_t any(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t any_in(uint64_t *state, size_t low, size_t high)
{
    return low + any(state) % (high - low + 1);
}

/* ---- Two in flight -------------------------------------------------------------------------------------------------- */

/* Two partitions of one kernel and size, with contents of their own, and what each must give. */
struct pair {
    struct setting actual[2], expected[2];
    struct flight flights[2];
};

static const char *result_of(struct flight *flight)
{
    return flight->slices[2].result ? flight->slices[2].result : flight->slices[2].data;
}

static void finish_pair(struct opened *opened, struct pair *pair, size_t bytes)
{
    const char *wanted[] = {pair->expected[0].arrays[2].data, pair->expected[1].arrays[2].data};
    if (flight_finish(&pair->flights[0], 0, false) != DIVVY_DONE)
        return;
    bool swapped = memcmp(result_of(&pair->flights[0]), wanted[1], bytes) == 0;
    hold(!swapped, RULE_order, "the first of two partitions in flight on \"%s\" gave the results of the second",
         opened->facts->name);
    bool right = memcmp(result_of(&pair->flights[0]), wanted[0], bytes) == 0;
    hold(right || swapped, RULE_results, "the first of two partitions in flight on \"%s\" is wrong",
         opened->facts->name);
    if (flight_finish(&pair->flights[1], 0, false) != DIVVY_DONE)
        return;
    hold(!right || memcmp(result_of(&pair->flights[0]), wanted[0], bytes) == 0, RULE_kept,
         "the results of the first of two partitions in flight on \"%s\" changed when the second was finished",
         opened->facts->name);
    hold(memcmp(result_of(&pair->flights[1]), wanted[1], bytes) == 0, swapped ? RULE_order : RULE_results,
         "the second of two partitions in flight on \"%s\" is wrong", opened->facts->name);
}

static void try_pair(struct opened *opened, size_t count, uint64_t seed)
{
    struct pair *pair = calloc(1, sizeof *pair);
    unsigned started = 0;
    for (unsigned k = 0; k < 2; k++) {
        setting_open(&pair->actual[k], &subjects[SUBJECT_SCALED], count, 0, count, seed + k);
        setting_open(&pair->expected[k], &subjects[SUBJECT_SCALED], count, 0, count, seed + k);
        setting_compute(&pair->expected[k], 0, count);
    }
    while (started < 2 &&
           flight_start(&pair->flights[started], opened, &pair->actual[started], SUBJECT_SCALED, 0, count, drive_job()))
        started++;
    if (started == 2)
        finish_pair(opened, pair, count * sizeof(float));
    for (unsigned k = 0; k < 2; k++) {
        setting_close(&pair->actual[k]);
        setting_close(&pair->expected[k]);
    }
    free(pair);
}

const char *check_flight(struct opened *opened)
{
    uint64_t seed = group_seed();
    if (opened->facts->depth < 2)
        return "one partition at a time";
    size_t most = bench_most(opened->facts, &subjects[SUBJECT_SCALED]);
    for (int round = 0; round < 10; round++)
        try_pair(opened, any_in(&seed, 50 < most ? 50 : most, round < 2 ? most : (most < 1000 ? most : 1000)),
                 any(&seed));
    return NULL;
}

/* ---- Jobs one after another ------------------------------------------------------------------------------------------ */

/* A job that is cut into random partitions. */
struct job {
    struct setting actual, expected;
    unsigned s;
    uint64_t number;
    size_t at, done; /* indices started, and accepted */
};

static void job_open(struct job *job, struct opened *opened, uint64_t *seed)
{
    do
        job->s = (unsigned)any_in(seed, 0, SUBJECTS - 1);
    while (!opened->can[job->s]);
    const struct subject *subject = &subjects[job->s];
    size_t total = any_in(seed, 1, bench_most(opened->facts, subject)), same = any(seed);
    setting_open(&job->actual, subject, total, 0, total, same);
    setting_open(&job->expected, subject, total, 0, total, same);
    job->number = drive_job();
    job->at = job->done = 0;
}

static void job_close(struct job *job, const char *device)
{
    hold_results(&job->actual, &job->expected, 0, job->actual.total, device);
    setting_close(&job->actual);
    setting_close(&job->expected);
}

/* Random jobs, cut at random, with as many partitions in flight as the device takes, of two jobs at times. */
struct stream {
    struct opened *opened;
    struct job jobs[3]; /* the newest, and those that still have partitions in flight */
    struct flight flights[2];
    struct job *flying[2];
    unsigned begun, started, finished; /* jobs, partitions, partitions */
    uint64_t seed;
};

static bool stream_start(struct stream *stream)
{
    struct job *job = &stream->jobs[(stream->begun - 1) % 3];
    size_t left = job->actual.total - job->at;
    size_t count = any(&stream->seed) % 4 == 0 ? left : any_in(&stream->seed, 1, left < 2000 ? left : left / 2);
    setting_compute(&job->expected, job->at, count);
    stream->flying[stream->started % 2] = job;
    if (!flight_start(&stream->flights[stream->started % 2], stream->opened, &job->actual, job->s, job->at, count,
                      job->number))
        return false;
    job->at += count;
    stream->started++;
    return true;
}

static bool stream_finish(struct stream *stream)
{
    struct flight *flight = &stream->flights[stream->finished % 2];
    struct job *job = stream->flying[stream->finished % 2];
    if (flight_finish(flight, 0, false) != DIVVY_DONE)
        return false;
    flight_accept(flight);
    stream->finished++;
    job->done += flight->partition.count;
    if (job->done == job->actual.total)
        job_close(job, stream->opened->facts->name);
    return true;
}

const char *check_jobs(struct opened *opened)
{
    const unsigned jobs = bench.quick ? 12 : 80;
    struct stream *stream = calloc(1, sizeof *stream);
    bool good = true, loaded = false;
    stream->opened = opened;
    stream->seed = group_seed();
    for (unsigned s = 0; s < SUBJECTS; s++)
        loaded = loaded || opened->can[s];
    while (good && loaded) {
        const struct job *newest = stream->begun > 0 ? &stream->jobs[(stream->begun - 1) % 3] : NULL;
        bool exhausted = !newest || newest->at == newest->actual.total;
        unsigned flying = stream->started - stream->finished;
        if (exhausted && stream->begun == jobs && flying == 0)
            break;
        if (flying == opened->facts->depth || (exhausted && stream->begun == jobs)) {
            good = stream_finish(stream);
            continue;
        }
        if (exhausted)
            job_open(&stream->jobs[stream->begun++ % 3], opened, &stream->seed);
        good = stream_start(stream);
    }
    free(stream); /* after a failure arrays stay behind: partitions may be in flight */
    return loaded ? NULL : "no kernel could be loaded";
}

/* ---- `all` arguments ---------------------------------------------------------------------------------------------------- */

/* One job on a table whose contents are those of the job: each partition must see them. */
static bool gather(struct opened *opened, struct setting *setting, size_t total, unsigned number)
{
    const int *keys = (const int *)(const void *)setting->arrays[1].data;
    float *table = (float *)(void *)setting->arrays[2].data, *found = (float *)(void *)setting->arrays[3].data;
    struct flight flights[2];
    const int entries = number % 3 == 2 ? 500 : 1000; /* the same address, and fewer entries */
    memcpy(setting->args + offsetof(struct gather_args, entries), &entries, sizeof entries);
    for (int k = 0; k < 1000; k++)
        table[k] = (float)(number * 1000 + (unsigned)k);
    const uint64_t job = drive_job();
    const size_t half = total / 2;
    const unsigned depth = opened->facts->depth;
    unsigned finished = 0;
    for (unsigned started = 0; started < 2; started++) {
        if (!flight_start(&flights[started], opened, setting, SUBJECT_GATHER, started * half, half, job))
            return false;
        if (started + 1 - finished < depth && started == 0)
            continue;
        while (finished <= started) {
            if (flight_finish(&flights[finished], 0, false) != DIVVY_DONE)
                return false;
            flight_accept(&flights[finished++]);
        }
    }
    for (size_t i = 0; i < 2 * half; i++)
        if (found[i] != (float)(number * 1000 + (unsigned)(keys[i] % entries)))
            return false;
    return true;
}

const char *check_all(struct opened *opened)
{
    enum { TOTAL = 500 };
    struct setting setting;
    uint64_t seed = group_seed();
    if (!opened->can[SUBJECT_GATHER])
        return "gather cannot be loaded";
    setting_open(&setting, &subjects[SUBJECT_GATHER], TOTAL, 0, TOTAL, seed);
    int *keys = (int *)(void *)setting.arrays[1].data;
    for (int i = 0; i < TOTAL; i++)
        keys[i] = (int)any_in(&seed, 0, 999);
    for (unsigned job = 0; job < 40; job++) {
        bool right = gather(opened, &setting, TOTAL, job);
        if (!hold(right, RULE_all, "gather on \"%s\" does not see the table of its job, the %u-th at that address",
                  opened->facts->name, job + 1))
            break;
        if (job % 4 == 3) /* another kernel in between */
            drive_partition(opened, SUBJECT_MANY, 2, 90, 100, any(&seed));
    }
    setting_close(&setting);
    return NULL;
}

/* ---- Several devices at once --------------------------------------------------------------------------------------------- */

struct user {
    const divvy_device_facts *facts;
    unsigned number;
};

static void *use(void *argument)
{
    const struct user *user = argument;
    struct opened opened;
    if (!drive_open(&opened, user->facts, 0))
        return NULL;
    drive_load_all(&opened);
    for (unsigned round = 0; round < (bench.quick ? 1 : 6); round++)
        for (unsigned s = 0; s < SUBJECTS; s++) {
            size_t most = bench_most(user->facts, &subjects[s]);
            drive_partition(&opened, s, round, most < 1000 ? most : 1000, 2000 + round, user->number);
        }
    drive_close(&opened);
    return NULL;
}

void check_threads(const divvy_device_facts *const *facts, unsigned count)
{
    enum { USERS_MAX = 8 };
    struct user users[USERS_MAX];
    pthread_t threads[USERS_MAX];
    unsigned wanted = count < 2 ? 2 : count < USERS_MAX ? count : USERS_MAX; /* a single one twice */
    for (unsigned k = 0; k < wanted; k++) {
        users[k] = (struct user){.facts = facts[k % count], .number = k};
        if (pthread_create(&threads[k], NULL, use, &users[k]) != 0)
            wanted = k;
    }
    for (unsigned k = 0; k < wanted; k++)
        pthread_join(threads[k], NULL);
}
