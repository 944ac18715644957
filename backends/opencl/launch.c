/* Starts partitions and finishes them. */
#include "opencl.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LOCAL_AIM = 64,     /* work-items in a group, if the device does not say otherwise */
    RUNS_PER_UNIT = 16, /* of several: enough to even out irregular kernels, few enough to keep runs long */
    FOLD_ITEMS_PER_UNIT = 256,
    FOLD_INDICES_PER_ITEM = 1024, /* bounds the loops of large partitions; lanes are then a thousandth of the data */
    POLL_MIN_NS = 10000,
    POLL_MAX_NS = 1000000,
    QUESTIONS_MAX = 3,       /* that a driver may leave unanswered */
    QUIESCE_NS = 1000000000, /* how long a partition that failed is waited for */
};

static const size_t items_max = (size_t)1 << 31; /* per launch; the loop's stride does the rest */

/* ---- How a partition is laid over work-items ---- */

static size_t at_most(size_t value, size_t limit)
{
    return value < limit ? value : limit;
}

static size_t rounded_up(size_t value, size_t step)
{
    return value > 0 ? (value + step - 1) / step * step : step;
}

divvy_status dv_cl_choose_local(const struct dv_cl_device *device, cl_kernel entry, const char *name, size_t *out_local)
{
    size_t limit = 1, multiple = 1, sizes[16] = {1};
    if (device->found->loops == DV_CL_RUNS) {
        *out_local = 1;
        return DIVVY_OK;
    }
    cl_int code = clGetKernelWorkGroupInfo(entry, device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof limit, &limit, NULL);
    DV_CL_TRY(dv_cl_check(device, code, "asking for the work-group size of", name));
    code = clGetDeviceInfo(device->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof sizes, sizes, NULL);
    DV_CL_TRY(dv_cl_check(device, code, "asking for the largest work-group for", name));
    code = clGetKernelWorkGroupInfo(entry, device->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof multiple,
                                    &multiple, NULL);
    if (code != CL_SUCCESS || multiple == 0)
        multiple = 1;
    limit = at_most(limit, sizes[0]);
    size_t aim = rounded_up(LOCAL_AIM, multiple);
    if (aim > limit)
        aim = limit >= multiple ? limit / multiple * multiple : limit;
    *out_local = aim > 0 ? aim : 1;
    return DIVVY_OK;
}

/* How many work-items a partition of `count` indices gets, and how many lanes its folds have. */
static size_t item_count(const struct dv_cl_device *device, const struct dv_cl_kernel *loaded, size_t count)
{
    if (device->found->loops == DV_CL_RUNS)
        return device->units > 1 ? at_most(count > 0 ? count : 1, (size_t)device->units * RUNS_PER_UNIT) : 1;
    size_t items = rounded_up(at_most(count, items_max), loaded->local);
    if (!loaded->folds)
        return items;
    size_t enough = count / FOLD_INDICES_PER_ITEM;
    size_t least = (size_t)device->units * FOLD_ITEMS_PER_UNIT;
    return at_most(items, rounded_up(enough > least ? enough : least, loaded->local));
}

static size_t lane_count(const struct dv_cl_device *device, const struct dv_cl_kernel *loaded, size_t items)
{
    if (!loaded->folds)
        return 0;
    return device->found->loops == DV_CL_RUNS ? items * DIVVY_LANES : items;
}

/* ---- Waiting ---- */

static cl_int state_of(cl_event event, cl_int *out_state)
{
    *out_state = CL_QUEUED;
    return clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof *out_state, out_state, NULL);
}

/* What can be asked and is over, well or not. */
static bool is_over(cl_event event)
{
    cl_int state;
    return state_of(event, &state) == CL_SUCCESS && state <= CL_COMPLETE;
}

/* Waits until an event is over, well or not, or cannot be asked; false at the deadline. */
static bool wait_for(const struct dv_cl_device *device, cl_event event, uint64_t deadline_ns)
{
    if (is_over(event))
        return true;
    if (!device->found->staged)
        deadline_ns = 0;
    if (deadline_ns == 0 && clWaitForEvents(1, &event) == CL_SUCCESS)
        return true;
    const uint64_t began_ns = device->host->now_ns();
    cl_int state;
    for (int unanswered = 0; unanswered < QUESTIONS_MAX;) {
        if (state_of(event, &state) != CL_SUCCESS)
            unanswered++;
        else if (state <= CL_COMPLETE)
            return true;
        uint64_t now_ns = device->host->now_ns();
        if (deadline_ns > 0 && now_ns >= deadline_ns)
            return false;
        uint64_t pause_ns = (now_ns - began_ns) / 16; /* late by a sixteenth at most, but for the clock's grain */
        pause_ns = pause_ns < POLL_MIN_NS ? POLL_MIN_NS : pause_ns > POLL_MAX_NS ? POLL_MAX_NS : pause_ns;
        if (deadline_ns > 0 && pause_ns > deadline_ns - now_ns)
            pause_ns = deadline_ns - now_ns;
        nanosleep(&(struct timespec){.tv_nsec = (long)pause_ns}, NULL);
    }
    return true;
}

/* Waits for all commands of a slot; false at the deadline. The queue is in order, so that the last one tells, but some
 * drivers mark the others a moment later. */
static bool wait_for_all(const struct dv_cl_device *device, const struct dv_cl_slot *slot, uint64_t deadline_ns)
{
    for (unsigned k = slot->command_count; k-- > 0;)
        if (!wait_for(device, slot->commands[k].event, deadline_ns))
            return false;
    return true;
}

/* Waits until nothing of a slot runs any more, whatever became of it; false if that cannot be known. */
static bool quiesce(const struct dv_cl_device *device, const struct dv_cl_slot *slot)
{
    bool staged = device->found->staged; /* then clFinish might wait for ever, else it is the surest way */
    if (!staged && clFinish(slot->queue) == CL_SUCCESS)
        return true;
    (void)clFlush(slot->queue);
    bool over = wait_for_all(device, slot, staged ? device->host->now_ns() + QUIESCE_NS : 0);
    for (unsigned k = 0; k < slot->command_count; k++)
        over = over && is_over(slot->commands[k].event);
    return over;
}

/* ---- Start ---- */

static divvy_status set_argument(struct dv_cl_device *device, const struct dv_cl_kernel *loaded, unsigned *at,
                                 size_t bytes, const void *value, const char *name)
{
    cl_int code = clSetKernelArg(loaded->entry, *at, bytes, value);
    ++*at;
    return dv_cl_check(device, code, "setting", name);
}

static bool has_base(divvy_kind kind)
{
    return kind == DIVVY_KIND_in || kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout || kind == DIVVY_KIND_halo;
}

static divvy_status set_parameter(struct dv_cl_device *device, struct dv_cl_slot *slot,
                                  const struct dv_cl_kernel *loaded, const divvy_partition *partition, unsigned k,
                                  unsigned *at)
{
    const divvy_parameter *parameter = &loaded->kernel->parameters[k];
    const divvy_slice *slice = &partition->slices[k];
    if (parameter->kind == DIVVY_KIND_value)
        return set_argument(device, loaded, at, parameter->element_bytes, slice->data, parameter->name);
    cl_mem buffer = NULL;
    DV_CL_TRY(dv_cl_bring(device, slot, partition, k, &buffer));
    DV_CL_TRY(set_argument(device, loaded, at, sizeof buffer, &buffer, parameter->name));
    if (!has_base(parameter->kind))
        return DIVVY_OK;
    cl_ulong base = slice->base;
    return set_argument(device, loaded, at, sizeof base, &base, parameter->name);
}

static divvy_status set_arguments(struct dv_cl_device *device, struct dv_cl_slot *slot,
                                  const struct dv_cl_kernel *loaded, const divvy_partition *partition)
{
    const cl_ulong range[] = {partition->first, partition->count, partition->total};
    unsigned at = 0;
    for (unsigned k = 0; k < loaded->kernel->parameter_count; k++)
        DV_CL_TRY(set_parameter(device, slot, loaded, partition, k, &at));
    for (unsigned k = 0; k < 3; k++)
        DV_CL_TRY(set_argument(device, loaded, &at, sizeof range[k], &range[k], "the range"));
    return DIVVY_OK;
}

/* What comes after the uploads: to compute, and to bring back what came of it. */
static divvy_status launch(struct dv_cl_device *device, struct dv_cl_slot *slot, divvy_partition *partition)
{
    const struct dv_cl_kernel *loaded = partition->loaded;
    const char *name = loaded->kernel->name;
    cl_event event;
    cl_int code = clEnqueueNDRangeKernel(slot->queue, loaded->entry, 1, NULL, &slot->items, &loaded->local,
                                         slot->wait_count, slot->wait_count > 0 ? slot->waits : NULL, &event);
    DV_CL_TRY(dv_cl_check(device, code, "launching", name));
    dv_cl_note(slot, event, DV_CL_RUN, name);
    if (!device->found->staged)
        partition->touched = true;
    for (unsigned k = 0; k < loaded->kernel->parameter_count; k++)
        DV_CL_TRY(dv_cl_fetch(device, slot, partition, k));
    return dv_cl_check(device, clFlush(slot->queue), "starting", name);
}

static divvy_status queue_partition(struct dv_cl_device *device, struct dv_cl_slot *slot, divvy_partition *partition)
{
    const struct dv_cl_kernel *loaded = partition->loaded;
    slot->items = item_count(device, loaded, partition->count);
    slot->lanes = lane_count(device, loaded, slot->items);
    DV_CL_TRY(set_arguments(device, slot, loaded, partition));
    return device->found->launches_late ? DIVVY_OK : launch(device, slot, partition);
}

/* A partition that could not be queued: what of it was must not outlive this call. */
static void withdraw(struct dv_cl_device *device, struct dv_cl_slot *slot)
{
    device->hung = !quiesce(device, slot);
    dv_cl_distrust_shared(slot);
    if (!device->hung)
        dv_cl_clear(device, slot);
}

divvy_status dv_cl_start(struct dv_cl_device *device, divvy_partition *partition)
{
    struct dv_cl_slot *slot = &device->slots[device->next_slot];
    if (device->hung)
        return device->host->fail(device->host, DIVVY_DEVICE_LOST, "\"%s\" hangs", device->found->name);
    if (slot->busy)
        return device->host->fail(device->host, DIVVY_LIMIT, "\"%s\" takes %u partitions at a time",
                                  device->found->name, device->slot_count);
    slot->started_ns = device->host->now_ns();
    slot->copied_ns = slot->bytes_in = slot->bytes_out = 0;
    divvy_status status = queue_partition(device, slot, partition);
    if (status != DIVVY_OK) {
        withdraw(device, slot);
        return status;
    }
    slot->busy = true;
    partition->slot = slot;
    device->next_slot = (device->next_slot + 1) % device->slot_count;
    return DIVVY_OK;
}

/* ---- Finish ---- */

/* Whether each command has succeeded; the first that has not is told. */
static bool all_succeeded(struct dv_cl_device *device, const struct dv_cl_slot *slot)
{
    static const char *const doing[] = {"uploading", "running", "downloading"};
    for (unsigned k = 0; k < slot->command_count; k++) {
        const struct dv_cl_command *command = &slot->commands[k];
        cl_int state, code = state_of(command->event, &state);
        if (code == CL_SUCCESS && state == CL_COMPLETE)
            continue;
        bool over = quiesce(device, slot); /* if waiting failed it may still run */
        code = state_of(command->event, &state);
        if (code == CL_SUCCESS && state == CL_COMPLETE)
            continue;
        device->hung = device->hung || !over;
        code = code != CL_SUCCESS ? code : state;
        (void)device->host->fail(device->host, DIVVY_DEVICE_LOST, "%s %s on \"%s\": %s (%d)", doing[command->step],
                                 command->name, device->found->name, dv_cl_code_name(code), code);
        return false;
    }
    return true;
}

static cl_ulong time_of(cl_event event, cl_profiling_info what)
{
    cl_ulong time_ns = 0;
    return clGetEventProfilingInfo(event, what, sizeof time_ns, &time_ns, NULL) == CL_SUCCESS ? time_ns : 0;
}

/* How long a command was queued and how long it ran, if the driver's clock can be believed. */
static bool times_of(const struct dv_cl_command *command, uint64_t wall_ns, uint64_t *out_queued_ns,
                     uint64_t *out_run_ns)
{
    cl_ulong queued = time_of(command->event, CL_PROFILING_COMMAND_QUEUED);
    cl_ulong start = time_of(command->event, CL_PROFILING_COMMAND_START);
    cl_ulong end = time_of(command->event, CL_PROFILING_COMMAND_END);
    *out_queued_ns = start - queued;
    *out_run_ns = end - start;
    return start > 0 && end > start && queued <= start && *out_run_ns <= wall_ns && *out_queued_ns <= wall_ns;
}

/* From the events if all of them are plausible (some drivers answer zeros, or starts before submissions), else from the
 * host's clock, which knows the whole only. */
static divvy_timing timing_of(const struct dv_cl_device *device, const struct dv_cl_slot *slot)
{
    uint64_t wall_ns = device->host->now_ns() - slot->started_ns, spent_ns = 0;
    divvy_timing timing = {.copy_in_ns = slot->copied_ns, .bytes_in = slot->bytes_in, .bytes_out = slot->bytes_out};
    bool plausible = device->found->profiled;
    for (unsigned k = 0; k < slot->command_count && plausible; k++) {
        const struct dv_cl_command *command = &slot->commands[k];
        uint64_t queued_ns, run_ns;
        bool in_place = !device->found->staged && command->step == DV_CL_COPY_OUT; /* may well take no time at all */
        if (in_place)
            continue;
        plausible = times_of(command, wall_ns, &queued_ns, &run_ns);
        if (!plausible)
            break;
        if (k == 0)
            timing.queued_ns = queued_ns;
        uint64_t *step_ns = command->step == DV_CL_COPY_IN ? &timing.copy_in_ns
                            : command->step == DV_CL_RUN   ? &timing.run_ns
                                                           : &timing.copy_out_ns;
        *step_ns += run_ns;
        spent_ns += run_ns;
    }
    if (plausible && spent_ns <= wall_ns)
        return timing;
    return (divvy_timing){.copy_in_ns = slot->copied_ns,
                          .run_ns = wall_ns - slot->copied_ns,
                          .bytes_in = slot->bytes_in,
                          .bytes_out = slot->bytes_out};
}

divvy_outcome dv_cl_finish(struct dv_cl_device *device, divvy_partition *partition, uint64_t deadline_ns)
{
    struct dv_cl_slot *slot = partition->slot;
    if (!slot)
        return DIVVY_FAILED; /* it was not started */
    if (device->found->launches_late && launch(device, slot, partition) != DIVVY_OK) {
        withdraw(device, slot);
        return DIVVY_FAILED;
    }
    if (!wait_for_all(device, slot, deadline_ns)) {
        device->hung = true;
        (void)device->host->fail(device->host, DIVVY_DEVICE_LOST, "running %s on \"%s\": not over at the deadline",
                                 partition->kernel->name, device->found->name);
        return DIVVY_LATE;
    }
    bool good = all_succeeded(device, slot);
    if (good && !dv_cl_trusts_shared(slot)) {
        good = false; /* some drivers launch what waits for a command that has failed */
        (void)device->host->fail(device->host, DIVVY_DEVICE_LOST, "running %s on \"%s\": an upload had failed",
                                 partition->kernel->name, device->found->name);
    }
    if (good) {
        dv_cl_settle(device, slot, partition);
        partition->timing = timing_of(device, slot);
    } else {
        dv_cl_distrust_shared(slot);
    }
    if (!device->hung)
        dv_cl_clear(device, slot);
    return good ? DIVVY_DONE : DIVVY_FAILED;
}

/* ---- The launch over no index ---- */

enum { TRIAL_BYTES = 4096 };

divvy_status dv_cl_try(struct dv_cl_device *device, struct dv_cl_kernel *loaded, uint64_t patience_ns, uint64_t *out_ns)
{
    const divvy_kernel *kernel = loaded->kernel;
    divvy_slice slices[DIVVY_PARAMETERS_MAX] = {0};
    divvy_partial partials[DIVVY_PARAMETERS_MAX] = {0};
    size_t bytes = TRIAL_BYTES;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        bytes = kernel->parameters[k].element_bytes > bytes ? kernel->parameters[k].element_bytes : bytes;
    char *memory = calloc(kernel->parameter_count + 1, bytes);
    if (!memory)
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "no memory to try %s", kernel->name);
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        slices[k].data = divvy_kind_is_fold(kernel->parameters[k].kind) ? (void *)&partials[k] : memory + k * bytes;
        slices[k].bytes = kernel->parameters[k].element_bytes;
    }
    divvy_partition partition = {.total = 1, .job = UINT64_MAX, .kernel = kernel, .loaded = loaded, .slices = slices};
    uint64_t before_ns = device->host->now_ns();
    divvy_status status = dv_cl_start(device, &partition);
    if (status == DIVVY_OK &&
        dv_cl_finish(device, &partition, patience_ns > 0 ? before_ns + patience_ns : 0) != DIVVY_DONE)
        status = DIVVY_DEVICE_LOST;
    *out_ns = device->host->now_ns() - before_ns;
    if (device->hung) {
        device->tried = memory; /* it may still be used */
        return status;
    }
    dv_cl_forget_shared(device);
    free(memory);
    return status;
}
