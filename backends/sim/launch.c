#include "sim.h"

#include "../cpu/forms.h"
#include "random.h"

#include <string.h>
#include <time.h>

/* ---- Time ------------------------------------------------------------------------------------- */

/* In pieces, since the host's clock need not be the system's; never early. */
void sim_sleep_until(const divvy_host *host, uint64_t moment_ns)
{
    static const uint64_t piece_ns = UINT64_C(3600000000000);
    for (uint64_t now = host->now_ns(); now < moment_ns; now = host->now_ns()) {
        uint64_t ns = moment_ns - now < piece_ns ? moment_ns - now : piece_ns;
        struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &left, NULL);
    }
}

/* ---- Starting --------------------------------------------------------------------------------- */

static struct slot *free_slot(struct device *device)
{
    for (unsigned k = 0; k < device->traits->depth; k++)
        if (!device->slots[k].busy)
            return &device->slots[k];
    return NULL;
}

static divvy_status check_memory(const struct device *device, const struct needs *needs)
{
    const struct scenario_device *traits = device->traits;
    if (traits->max_slice_bytes && needs->largest > traits->max_slice_bytes)
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "\"%s\" allocates %llu bytes at most, not %zu",
                                  traits->name, (unsigned long long)traits->max_slice_bytes, needs->largest);
    if (traits->memory_bytes && needs->held > traits->memory_bytes)
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "\"%s\" has %llu bytes of memory, not %llu",
                                  traits->name, (unsigned long long)traits->memory_bytes,
                                  (unsigned long long)needs->held);
    return DIVVY_OK;
}

/* When the partition's job was first seen here. */
static uint64_t begin_of_job(struct device *device, const divvy_partition *partition, uint64_t now_ns)
{
    if (device->job_ns == 0 || device->job != partition->job) {
        device->job = partition->job;
        device->job_ns = now_ns;
    }
    return device->job_ns;
}

divvy_status sim_start(void *opened, divvy_partition *partition)
{
    struct device *device = opened;
    struct kernel *kernel = partition->loaded;
    bool staged = device->traits->staged;
    struct slot *slot = free_slot(device);
    if (!slot)
        return device->host->fail(device->host, DIVVY_LIMIT, "\"%s\" takes %u partitions at once", device->traits->name,
                                  device->traits->depth);
    struct needs needs = sim_needs(device, partition);
    divvy_status status = check_memory(device, &needs);
    if (status != DIVVY_OK)
        return status;

    uint64_t now = device->host->now_ns();
    const struct model_launch launch = {
        .kernel = kernel->kind,
        .first = partition->first,
        .count = partition->count,
        .total = partition->total,
        .bytes_in = staged ? (double)needs.in : 0,
        .bytes_out = staged ? (double)needs.out : 0,
        .first_of_kernel = !kernel->launched,
        .job_ns = begin_of_job(device, partition, now),
    };
    slot->course = model_launch(&device->model, now, &launch);
    if (slot->course.outcome == MODEL_REFUSED)
        return device->host->fail(device->host, DIVVY_DEVICE_LOST, "\"%s\" refuses launch %llu, as the scenario says",
                                  device->traits->name, (unsigned long long)device->model.launches);
    kernel->launched = true;
    slot->launch = device->model.launches;
    slot->start_ns = now;
    slot->bytes_in = staged ? needs.in : 0;
    slot->bytes_out = staged ? needs.out : 0;
    slot->shared = NULL;
    if (staged && !sim_copy_in(device, slot, partition))
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "there is no memory for the copies of \"%s\"",
                                  device->traits->name);
    slot->busy = true;
    partition->slot = slot;
    return DIVVY_OK;
}

/* ---- Finishing -------------------------------------------------------------------------------- */

/* Numbers named `padding` are for cores to pass the time, which a device of a scenario does asleep: it reads 0. */
static void leave_out_padding(const divvy_kernel *kernel, divvy_slice *slices)
{
    static uint64_t no_padding;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (kernel->parameters[k].kind == DIVVY_KIND_value && slices[k].bytes <= sizeof no_padding &&
            strcmp(kernel->parameters[k].name, "padding") == 0)
            slices[k].data = &no_padding;
}

static void compute(const struct device *device, const struct slot *slot, divvy_partition *partition)
{
    const struct kernel *kernel = partition->loaded;
    divvy_partition inner = *partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    if (device->traits->staged) {
        sim_redirect(slot, partition, slices);
    } else {
        memcpy(slices, partition->slices, partition->kernel->parameter_count * sizeof *slices);
        partition->touched = true;
    }
    leave_out_padding(partition->kernel, slices);
    inner.loaded = kernel->form;
    inner.slices = slices;
    forms_finish(NULL, &inner, 0);
}

/* Where the results lie. */
static void tell_results(const struct slot *slot, divvy_partition *partition)
{
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_kind kind = partition->kernel->parameters[k].kind;
        if (kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout)
            partition->slices[k].result = slot->arrays[k].data;
    }
}

static divvy_timing garbage(uint64_t random)
{
    return (divvy_timing){.queued_ns = random_next(&random),
                          .jit_ns = random_next(&random),
                          .copy_in_ns = random_next(&random),
                          .run_ns = random_next(&random),
                          .copy_out_ns = random_next(&random),
                          .bytes_in = random_next(&random),
                          .bytes_out = random_next(&random)};
}

/* What the device says of where the time went. What computing took beyond the model counts as computing. */
static divvy_timing timing_of(const struct device *device, const struct slot *slot, uint64_t now_ns)
{
    const struct model_course *course = &slot->course;
    uint64_t modelled = course->copy_in_ns + course->jit_ns + course->run_ns + course->copy_out_ns;
    uint64_t spent = now_ns - slot->start_ns;
    uint64_t overrun = now_ns - (course->end_ns < now_ns ? course->end_ns : now_ns);
    if (device->traits->stated.timing == SCENARIO_ZERO)
        return (divvy_timing){0};
    if (device->traits->stated.timing == SCENARIO_GARBAGE)
        return garbage(random_stream(device->model.random, ~slot->launch));
    return (divvy_timing){.queued_ns = spent > modelled + overrun ? spent - modelled - overrun : 0,
                          .jit_ns = course->jit_ns,
                          .copy_in_ns = course->copy_in_ns,
                          .run_ns = course->run_ns + overrun,
                          .copy_out_ns = course->copy_out_ns,
                          .bytes_in = slot->bytes_in,
                          .bytes_out = slot->bytes_out};
}

/* Only devices that work on copies can be given up: the others may still write. */
divvy_outcome sim_finish(void *opened, divvy_partition *partition, uint64_t deadline_ns)
{
    struct device *device = opened;
    const divvy_host *host = device->host;
    struct slot *slot = partition->slot;
    bool staged = device->traits->staged, fails = slot->course.outcome == MODEL_FAILED;
    if (staged && deadline_ns && slot->course.end_ns > deadline_ns) {
        sim_sleep_until(host, deadline_ns);
        sim_release(slot);
        host->fail(host, DIVVY_DEVICE_LOST, "\"%s\" was not over with a partition at its deadline",
                   device->traits->name);
        return DIVVY_LATE;
    }
    if (!staged || !fails)
        compute(device, slot, partition);
    sim_sleep_until(host, slot->course.end_ns);
    uint64_t now = host->now_ns();
    model_delay(&device->model, now);
    if (fails)
        host->fail(host, DIVVY_DEVICE_LOST, "\"%s\" fails, as the scenario says", device->traits->name);
    else if (staged)
        tell_results(slot, partition);
    partition->timing = timing_of(device, slot, now);
    sim_release(slot);
    return fails ? DIVVY_FAILED : DIVVY_DONE;
}
