#include "sample.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { CORES = 4, GPU = CORES, DEVICES, US = 1000, MOST_PARTITIONS = 400 };

static const struct dv_core cores[CORES] = {
    {.cpu = 0, .kind = 1, .threads = 2},
    {.cpu = 2, .kind = 1, .threads = 2},
    {.cpu = 4, .threads = 1},
    {.cpu = 5, .threads = 1},
};

const struct dv_topology sample_host = {
    .core_count = CORES,
    .cores = cores,
    .kind_count = 2,
    .model = "AMD Ryzen 7 8845HS w/ Radeon 780M Graphics",
    .machine_cores = 8,
    .machine_threads = 16,
    .numa_count = 1,
    .quota = 3.5,
    .memory_bytes = (uint64_t)32 << 30,
    .l1_bytes = 32 << 10,
    .l2_bytes = 1 << 20,
    .l3_bytes = 16 << 20,
};

divvy_device_facts sample_facts(unsigned device)
{
    if (device == GPU)
        return (divvy_device_facts){.size = sizeof(divvy_device_facts),
                                    .name = "AMD Radeon 780M Graphics",
                                    .device_class = "AMD Radeon 780M Graphics",
                                    .driver = "rusticl 24.1.2",
                                    .address = "0000:c4:00.0",
                                    .type = DIVVY_GPU,
                                    .units = 12,
                                    .staged = true,
                                    .depth = 2,
                                    .granule = 64,
                                    .memory_bytes = (uint64_t)4 << 30};
    return (divvy_device_facts){.size = sizeof(divvy_device_facts),
                                .name = "AMD Ryzen 7 8845HS",
                                .device_class = device < 2 ? "core kind 1" : "core kind 0",
                                .driver = "x86-64-v4",
                                .address = device % 2 ? "1" : "0",
                                .type = DIVVY_CORE,
                                .units = 1,
                                .cores = 1,
                                .depth = 1,
                                .granule = 16};
}

/* A job played on the five devices: whoever is free first takes the next partition. */
struct play {
    struct dv_job_record job;
    struct dv_use uses[DEVICES];
    struct dv_partition_record partitions[MOST_PARTITIONS];
    uint64_t free_ns[DEVICES];
};

static void play_partition(struct play *play, unsigned device, uint64_t first, uint64_t count, enum dv_reason reason)
{
    struct dv_use *use = &play->uses[device];
    uint64_t run_ns = (uint64_t)((double)count * use->ns_per_item), copy_ns = device == GPU ? count / 3 : 0;
    uint64_t jit_ns = device == GPU && use->partitions == 0 ? 180 * US : 0;
    uint64_t start_ns = play->free_ns[device];
    uint64_t end_ns = start_ns + use->fixed_ns + jit_ns + copy_ns + run_ns + copy_ns / 2;

    play->partitions[play->job.partition_count++] = (struct dv_partition_record){
        .device = device,
        .attempt = 1,
        .outcome = DV_ACCEPTED,
        .reason = reason,
        .first = first,
        .count = count,
        .requested = count - count % 7,
        .queued_ns = start_ns - 300,
        .start_ns = start_ns,
        .end_ns = end_ns,
        .jit_ns = jit_ns,
        .copy_in_ns = copy_ns,
        .run_ns = run_ns,
        .copy_out_ns = copy_ns / 2,
        .bytes = device == GPU ? count * 12 : 0,
    };
    uint64_t duration_ns = end_ns - start_ns;
    use->busy_ns += duration_ns;
    use->items += count;
    if (use->partitions++ == 0 || duration_ns < use->min_ns)
        use->min_ns = duration_ns;
    if (duration_ns > use->max_ns)
        use->max_ns = duration_ns;
    play->free_ns[device] = end_ns + 400;
    if (end_ns > play->job.end_ns)
        play->job.end_ns = end_ns;
}

static unsigned first_free(const struct play *play)
{
    unsigned best = 0;
    for (unsigned i = 1; i < DEVICES; i++)
        if (play->uses[i].ready_ns && !play->uses[i].parked && play->free_ns[i] < play->free_ns[best])
            best = i;
    return best;
}

/* Plays a job of `count` items that begins at `start_ns`; the GPU is ready `late_ns` after that, parked if never. */
static void play_job(struct dv_profile *profile, struct dv_job_record job, uint64_t gpu_late_ns, double ns_per_item)
{
    static const double slowness[DEVICES] = {1, 1, 1.7, 1.7, 0.12};
    struct play *play = calloc(1, sizeof *play);

    play->job = job;
    play->job.end_ns = job.start_ns;
    play->job.use_count = DEVICES;
    play->job.uses = play->uses;
    play->job.partitions = play->partitions;
    for (unsigned i = 0; i < DEVICES; i++) {
        uint64_t late_ns = i == GPU ? gpu_late_ns : 2 * US;
        play->uses[i] = (struct dv_use){.device = i,
                                        .device_class = i / 2,
                                        .fixed_ns = i == GPU ? 31 * US : 400,
                                        .ready_ns = job.start_ns + late_ns,
                                        .parked = late_ns == UINT64_MAX,
                                        .build_ns = i == GPU && late_ns < UINT64_MAX ? late_ns : 0,
                                        .ns_per_item = slowness[i] * ns_per_item};
        if (play->uses[i].parked)
            play->uses[i].ready_ns = 1;
        play->free_ns[i] = play->uses[i].ready_ns;
    }
    for (uint64_t first = 0; first < job.count;) {
        unsigned device = first_free(play);
        uint64_t left = job.count - first, size = left / (device == GPU ? 3 : 24) + 64;
        bool last = size >= left || play->job.partition_count == MOST_PARTITIONS - 1;
        enum dv_reason reason = play->uses[device].partitions == 0 ? DV_PROBE : left < 4096 ? DV_TAIL : DV_SHARE;
        play_partition(play, device, first, last ? left : size, reason);
        first += last ? left : size;
    }
    dv_bound(&play->job);
    dv_profile_add_job(profile, &play->job);
    free(play);
}

static void play_failure(struct dv_profile *profile, uint64_t start_ns)
{
    struct dv_partition_record partition = {.attempt = 1,
                                            .outcome = DV_FAILED,
                                            .reason = DV_FIXED,
                                            .count = 1000,
                                            .requested = 1000,
                                            .queued_ns = start_ns,
                                            .start_ns = start_ns + 10,
                                            .end_ns = start_ns + 90000};
    struct dv_use use = {.device = 1, .ready_ns = 1, .retired = true};
    struct dv_job_record job = {.id = 9000,
                                .name = "broken input",
                                .kernel = "parse_rows",
                                .schedule = "dynamic",
                                .count = 1000,
                                .start_ns = start_ns,
                                .end_ns = start_ns + 100000,
                                .status = DIVVY_KERNEL_FAILED,
                                .error = "row 17: a number is needed, not \"abc\"",
                                .use_count = 1,
                                .uses = &use,
                                .partition_count = 1,
                                .partitions = &partition};
    dv_bound(&job);
    dv_profile_add_job(profile, &job);
    dv_profile_add_event(profile, "retired", 1, 9000, "cpu:1 is left out: %s", job.error);
}

divvy_status sample_write(const char *path, size_t repeats)
{
    static const char *const ids[DEVICES] = {"cpu:0", "cpu:1", "cpu:2", "cpu:3", "opencl:0"};
    struct dv_profile *profile;
    divvy_status status = dv_profile_open(path, 4, &sample_host, &profile);
    if (status)
        return status;

    for (unsigned i = 0; i < DEVICES; i++) {
        divvy_device_facts facts = sample_facts(i);
        dv_profile_add_device(profile, ids[i], i == GPU ? "opencl" : "cpu", &facts, i == GPU ? -1 : (int)cores[i].cpu);
    }
    dv_profile_set_rates(
        profile, GPU,
        &(divvy_rates){.latency_ns = 14 * US, .upload_bytes_per_s = 11200000000, .download_bytes_per_s = 9800000000});
    uint64_t now_ns = dv_now_ns() + 40 * US;
    play_job(profile,
             (struct dv_job_record){.id = 1,
                                    .name = "first frame",
                                    .kernel = "mandelbrot",
                                    .count = 262144,
                                    .block = 1024,
                                    .schedule = "guarded",
                                    .start_ns = now_ns,
                                    .split_ns = 21 * US,
                                    .combine_ns = 6 * US,
                                    .error = ""},
             9000 * US, 240);
    dv_profile_add_event(profile, "built", GPU, 1, "mandelbrot built for opencl:0 in 9.0 ms");
    for (size_t i = 0; i < repeats; i++)
        play_job(profile,
                 (struct dv_job_record){.id = 2 + i,
                                        .name = "step",
                                        .kernel = "saxpy",
                                        .count = 4194304,
                                        .schedule = "guarded",
                                        .start_ns = now_ns + (i + 9) * 2500 * US,
                                        .split_ns = 9 * US,
                                        .combine_ns = 2 * US,
                                        .error = ""},
                 i < 1 ? UINT64_MAX : 1, 1.1);
    dv_profile_add_event(profile, "parked", GPU, 2, "opencl:0 cannot help: 31 us before its first item");
    play_failure(profile, now_ns + (repeats + 10) * 2500 * US);
    dv_profile_add_model(profile, &(struct dv_model_record){.kernel = "saxpy",
                                                            .device_class = "core kind 1",
                                                            .size_class = 22,
                                                            .fixed_ns = 400,
                                                            .ns_per_item = 1.1,
                                                            .uncertainty = 0.02,
                                                            .samples = 96,
                                                            .running = true,
                                                            .partition = 87381});
    dv_profile_add_model(profile, &(struct dv_model_record){.kernel = "mandelbrot",
                                                            .device_class = "AMD Radeon 780M Graphics",
                                                            .size_class = 18,
                                                            .fixed_ns = 31000,
                                                            .ns_per_item = 28.8,
                                                            .uncertainty = 0.31,
                                                            .samples = 3,
                                                            .partition = 21845});
    return dv_profile_close(profile);
}
