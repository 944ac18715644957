/* Simulated time: what comes of a job is a function of the world and the seed, as real jobs would have it. */
#include "schedule/virtual.h"
#include "schedule/worlds.h"

#include "check.h"

#include <math.h>

enum { DEVICES_MAX = 24 };

/* Every partition of a job, as told, and what of the range they cover. */
struct log {
    size_t count;
    unsigned char *times; /* how often each index was accepted */
    unsigned outcomes[DV_DROPPED + 1], reasons[DV_DUPLICATE + 1];
    uint64_t digest;
    double last_end_ns;
    struct dv_use last; /* of the last device, in the last job */
};

static void note(void *context, const struct dv_partition_record *partition)
{
    struct log *log = context;
    log->outcomes[partition->outcome]++;
    log->reasons[partition->reason]++;
    CHECK(partition->start_ns <= partition->end_ns && partition->queued_ns <= partition->start_ns);
    CHECK(partition->first + partition->count <= log->count && partition->attempt >= 1);
    for (uint64_t i = partition->first; i < partition->first + partition->count; i++)
        log->times[i] += partition->outcome == DV_ACCEPTED;
    const uint64_t parts[] = {partition->device, partition->first, partition->count, partition->start_ns,
                              partition->end_ns};
    for (unsigned k = 0; k < sizeof parts / sizeof *parts; k++)
        log->digest = (log->digest ^ parts[k]) * UINT64_C(0x100000001b3);
    if (partition->outcome == DV_ACCEPTED)
        log->last_end_ns = fmax(log->last_end_ns, (double)partition->end_ns);
}

/* Runs jobs in a row and checks that each accepts every index exactly once. The last job. */
static struct dv_virtual_job play(const struct dv_world *world, const struct dv_schedule *schedule, uint64_t seed,
                                  unsigned jobs, struct log *log)
{
    struct dv_virtual_job job = {0};
    log->count = world->kernel.count;
    log->times = malloc(log->count);
    struct dv_virtual_options options = {.schedule = schedule, .seed = seed, .on_partition = note, .context = log};
    struct dv_virtual *row = dv_virtual_open(world, &options);
    for (unsigned k = 0; k < jobs; k++) {
        memset(log->times, 0, log->count);
        size_t items = 0, wrong = 0;
        job = dv_virtual_run(row);
        for (unsigned d = 0; d < world->device_count; d++)
            items += job.uses[d].items;
        for (size_t i = 0; i < log->count; i++)
            wrong += log->times[i] != 1;
        CHECK(!job.done || (items == log->count && wrong == 0));
        CHECK(!job.done || fabs(job.end_ns - log->last_end_ns) < 2);
    }
    log->last = job.uses[world->device_count - 1];
    job.uses = NULL;
    free(log->times);
    dv_virtual_close(row);
    return job;
}

#define CORE                                                             \
    {                                                                    \
        .core = true, .granule = 64, .fixed_ns = 2e3, .ns_per_item = 1e3 \
    }
#define GPU(...)                                                                                                       \
    {                                                                                                                  \
        .device_class = 1, .staged = true, .depth = 2, .granule = 64, .fixed_ns = 3e5, .ns_per_item = 125, __VA_ARGS__ \
    }

static struct dv_world world_of(const struct dv_world_device *devices, unsigned count)
{
    return (struct dv_world){.name = "test", .device_count = count, .devices = devices, .kernel.count = 131072};
}

/* The same seed gives the same job to the last partition, another one another. */
static void test_determinism(void)
{
    struct log first = {0}, again = {0}, other = {0};
    play(&dv_tuning_worlds[9], &dv_guarded, 7, 3, &first);
    play(&dv_tuning_worlds[9], &dv_guarded, 7, 3, &again);
    play(&dv_tuning_worlds[9], &dv_guarded, 8, 3, &other);
    CHECK(first.digest == again.digest && first.digest != other.digest);
}

/* What is known in advance: two cores share evenly, and the bound is what can be worked out by hand. */
static void test_times(void)
{
    struct log log = {0};
    const struct dv_world_device cores[] = {CORE, CORE};
    struct dv_world world = world_of(cores, 2);
    struct dv_virtual_job job = play(&world, &dv_static, 1, 1, &log);
    CHECK(fabs(job.end_ns - (2e3 + 65536e3)) < 1);
    CHECK(fabs(job.bound_ns - job.end_ns) < 1 && fabs(job.efficiency - 1) < 1e-6);

    /* One that works in place is as fast as its rate; from a moment on three times slower. */
    const struct dv_world_device alone[] = {
        {.core = true, .ns_per_item = 100, .slowdown = {.from_ns = 1e6, .times = 3}}};
    world = world_of(alone, 1);
    world.kernel.count = 20000;
    log = (struct log){0};
    job = play(&world, &dv_static, 1, 1, &log);
    CHECK(fabs(job.end_ns - 4e6) < 1 && fabs(job.bound_ns - 4e6) < 1);

    /* Copies: with one partition in flight they are paid one after another, with two they hide behind computing. */
    struct dv_world_device copier[] = {
        {.staged = true, .depth = 1, .ns_per_item = 100, .upload_bytes_per_s = 1e9, .download_bytes_per_s = 1e9}};
    world = world_of(copier, 1);
    world.kernel.count = 64 * 1000;
    world.kernel.bytes_in = 40;
    world.kernel.bytes_out = 60;
    log = (struct log){0};
    job = play(&world, &dv_dynamic, 1, 1, &log);
    CHECK(fabs(job.end_ns - 64000 * 200.0) < 100);
    copier->depth = 2;
    log = (struct log){0};
    job = play(&world, &dv_dynamic, 1, 1, &log);
    CHECK(job.end_ns < 64000 * 100.0 + 1000 * 100.0 + 10 && job.end_ns > 64000 * 100.0);

    /* What its memory does not hold is not asked of it. */
    copier->memory_bytes = 100000;
    world.kernel.bytes_all = 25000;
    log = (struct log){0};
    job = play(&world, &dv_static, 1, 1, &log);
    CHECK_EQ(log.last.partitions, 64000 / 250);
}

/* Whatever fails, hangs or is lost, the others do its work, and it takes no more part. */
static void test_failures(void)
{
    enum { HANGS = 5 };
    static const struct {
        struct dv_world_device gpu;
        enum dv_outcome outcome;
        bool retired;
    } cases[] = {
        {GPU(.fail = {.on = DV_WORLD_RUN, .at = 2}), DV_FAILED, true},
        {GPU(.fail = {.on = DV_WORLD_LAUNCH, .at = 1}), DV_FAILED, true},
        {GPU(.fail = {.on = DV_WORLD_BUILD, .at = 1}), DV_ACCEPTED, true},
        {GPU(.lost = {.at = 3}), DV_FAILED, true},
        {GPU(.lost = {.from_ns = 5e6}), DV_FAILED, true},
        {GPU(.hang = {.at = 1}), DV_DROPPED, false},
        {GPU(.hang = {.at = 2, .for_ns = 1e5}), DV_ACCEPTED, false},
        {GPU(.noise = 0.1), DV_ACCEPTED, false},
    };
    for (unsigned k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct log log = {0};
        const struct dv_world_device devices[] = {CORE, CORE, cases[k].gpu};
        struct dv_world world = world_of(devices, 3);
        struct dv_virtual_job job = play(&world, &dv_guarded, 3, 4, &log);
        CHECK(job.done && log.outcomes[cases[k].outcome] > 0);
        CHECK_EQ(log.last.retired, cases[k].retired);
        CHECK(k == HANGS || cases[k].retired ? log.last.items == 0 : log.last.items > 0);
    }

    /* Where nobody is left, the job is not done, and nothing is waited for. */
    struct log log = {0};
    const struct dv_world_device lonely[] = {GPU(.fail = {.on = DV_WORLD_RUN, .at = 2})};
    struct dv_world world = world_of(lonely, 1);
    struct dv_virtual_job job = play(&world, &dv_guarded, 3, 2, &log);
    CHECK(!job.done && job.efficiency == 0);
}

static struct dv_world_device draw_device(uint64_t *random, bool core)
{
    static const size_t granules[] = {0, 1, 8, 64, 100};
    struct dv_world_device device = {.device_class = (unsigned)(check_random(random) % 4),
                                     .core = core,
                                     .staged = !core && check_random(random) % 4,
                                     .granule = granules[check_random(random) % 5],
                                     .fixed_ns = exp(check_uniform(random, 0, 14)),
                                     .ns_per_item = exp(check_uniform(random, 0, 9)),
                                     .noise = check_random(random) % 2 ? 0 : 0.2,
                                     .spikes = {check_random(random) % 4 ? 0 : 0.05, 8}};
    device.depth = device.staged ? 1 + (unsigned)(check_random(random) % 2) : 1;
    if (core)
        return device;
    device.build_ns = check_random(random) % 2 ? 0 : 1e7;
    device.jit_ns = check_random(random) % 4 ? 0 : 1e7;
    if (device.staged) {
        device.latency_ns = check_random(random) % 2 ? 0 : 1e4;
        device.upload_bytes_per_s = check_random(random) % 2 ? 0 : 1e9;
        device.download_bytes_per_s = check_random(random) % 2 ? 0 : 1e9;
        device.memory_bytes = check_random(random) % 4 ? 0 : 100000;
    }
    switch (check_random(random) % 8) {
    case 0:
        device.fail = (struct dv_world_fail){(enum dv_world_step)(check_random(random) % 4),
                                             1 + check_random(random) % 5, check_random(random) % 4};
        break;
    case 1: /* one that works in place and hangs keeps its job for ever */
        device.hang.at = device.staged ? 1 + check_random(random) % 5 : 0;
        device.hang.for_ns = check_random(random) % 2 ? 0 : 1e8;
        break;
    case 2:
        device.lost.at = 1 + check_random(random) % 5;
        break;
    case 3:
        device.lost.from_ns = 1e7;
        break;
    default:
        break;
    }
    return device;
}

/* In any world, by any schedule, every index is accepted exactly once, as long as there is a core. */
static void test_every_world(uint64_t *random)
{
    static const struct dv_schedule *const schedules[] = {&dv_guarded, &dv_static, &dv_dynamic, &dv_guided};
    unsigned duplicates = 0;
    for (unsigned round = 0; round < 400; round++) {
        struct dv_world_device devices[DEVICES_MAX];
        unsigned count = 1 + (unsigned)(check_random(random) % DEVICES_MAX);
        unsigned cores = 1 + (unsigned)(check_random(random) % count);
        for (unsigned d = 0; d < count; d++)
            devices[d] = draw_device(random, d < cores);
        struct dv_world world = world_of(devices, count);
        world.kernel.count = 1 + (size_t)exp(check_uniform(random, 0, 11));
        world.kernel.bytes_in = check_random(random) % 2 ? 0 : 16;
        world.kernel.bytes_out = check_random(random) % 2 ? 0 : 16;
        world.kernel.bytes_all = check_random(random) % 2 ? 0 : 10000;
        world.kernel.sums = check_random(random) % 4 == 0;
        for (unsigned s = 0; s < 4; s++) {
            struct log log = {0};
            uint64_t seed = check_random(random);
            CHECK(play(&world, schedules[s], seed, 3, &log).done);
            duplicates += log.reasons[DV_DUPLICATE];
        }
    }
    printf("%u pieces computed again\n", duplicates);
}

int main(void)
{
    uint64_t random = check_seed();
    test_determinism();
    test_times();
    test_failures();
    test_every_world(&random);
    return check_summary();
}
