/* The fake backend: devices for tests. They run the C form of a kernel, on copies as a device with memory of its own
 * would or in the caller's arrays, and fail as they are told to: see fake.h. */
#include "fake.h"

#include "../../../backends/cpu/forms.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern __attribute__((visibility("default"))) struct fake_order fake_orders[FAKE_DEVICES];
struct fake_order fake_orders[FAKE_DEVICES];

/* The copies of one partition. */
struct slot {
    char *data[DIVVY_PARAMETERS_MAX];
    bool used;
};

struct device {
    const divvy_host *host;
    struct fake_order *order;
    bool staged;
    struct slot slots[2];
};

static const divvy_device_facts the_facts[FAKE_DEVICES] = {
    {.name = "fake staged", .device_class = "fake staged", .staged = true, .depth = 2, .granule = 1},
    {.name = "fake single", .device_class = "fake single", .staged = true, .depth = 1, .granule = 64},
    {.name = "fake direct", .device_class = "fake direct", .depth = 1, .granule = 1},
    {.name = "fake small",
     .device_class = "fake small",
     .staged = true,
     .depth = 2,
     .granule = 1,
     .memory_bytes = 1 << 20,
     .max_slice_bytes = 1 << 16},
    {.name = "fake cores",
     .device_class = "fake cores",
     .depth = 1,
     .granule = 1,
     .type = DIVVY_CPU,
     .cores = 1,
     .on_host = true},
};

static void pass(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    if (ns)
        while (nanosleep(&left, &left) != 0)
            continue;
}

/* For as long as it is told, which may change meanwhile. */
static void linger(const _Atomic uint64_t *ns)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const uint64_t begin = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    uint64_t passed = 0;
    for (uint64_t all; passed < (all = atomic_load(ns));) {
        pass(all - passed < 10000000 ? all - passed : 10000000);
        clock_gettime(CLOCK_MONOTONIC, &now);
        passed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - begin;
    }
}

/* ---- The end of the process ---- */

static atomic_int inside; /* calls that probe, open or build */

/* A driver would destroy here what those calls need. */
static void look_inside(void)
{
    if (atomic_load(&inside) > 0) {
        fputs("fake: the process ends inside a driver\n", stderr);
        _exit(FAKE_ENDED_INSIDE);
    }
}

/* As libraries do, the first one registers what is destroyed in the end. */
static void linger_inside(const _Atomic uint64_t *ns)
{
    static atomic_bool registered;
    atomic_fetch_add(&inside, 1);
    if (!atomic_exchange(&registered, true))
        atexit(look_inside);
    linger(ns);
    atomic_fetch_sub(&inside, 1);
}

static divvy_status probe(const divvy_host *host)
{
    const char *level;
    atomic_fetch_add(&fake_orders[0].probed, 1);
    linger_inside(&fake_orders[0].probe_slow_ns);
    if (atomic_load(&fake_orders[0].fail_probe))
        return host->fail(host, DIVVY_IO, "the fake backend was told not to be probed");
    divvy_status chosen = forms_begin(host, &level);
    if (chosen != DIVVY_OK)
        return chosen;
    for (unsigned d = 0; d < FAKE_DEVICES; d++) {
        divvy_device_facts facts = the_facts[d];
        facts.size = sizeof facts;
        facts.driver = "fake 1";
        facts.address = "";
        facts.type = facts.type ? facts.type : DIVVY_ACCELERATOR;
        facts.handle = d;
        facts.units = 1;
        divvy_status status = host->add_device(host, &facts);
        if (status != DIVVY_OK)
            return status;
    }
    return DIVVY_OK;
}

/* Whether an order to do something at the n-th time is for this time. */
static bool is_due(atomic_int *order)
{
    int n = atomic_load(order);
    while (n > 0)
        if (atomic_compare_exchange_weak(order, &n, n - 1))
            return n == 1;
    return false;
}

static divvy_status open_device(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                                divvy_rates *out_rates)
{
    struct fake_order *order = &fake_orders[facts->handle];
    atomic_fetch_add(&order->opening, 1);
    linger_inside(&order->open_slow_ns);
    if (atomic_load(&order->fail_open))
        return host->fail(host, DIVVY_NO_DEVICE, "the fake device was told not to open");
    struct device *device = calloc(1, sizeof *device);
    if (!device)
        return host->fail(host, DIVVY_NO_MEMORY, "no memory for a fake device");
    device->host = host;
    device->order = order;
    device->staged = facts->staged;
    atomic_fetch_add(&order->opened, 1);
    *out_device = device;
    *out_rates =
        (divvy_rates){.latency_ns = 1000, .upload_bytes_per_s = 10000000000u, .download_bytes_per_s = 10000000000u};
    return DIVVY_OK;
}

static void empty(struct slot *slot)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++) {
        free(slot->data[k]);
        slot->data[k] = NULL;
    }
    slot->used = false;
}

static void close_device(void *memory)
{
    struct device *device = memory;
    atomic_fetch_add(&device->order->closed, 1);
    empty(&device->slots[0]);
    empty(&device->slots[1]);
    free(device);
}

static divvy_status load(void *memory, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    struct device *device = memory;
    atomic_fetch_add(&device->order->loading, 1);
    linger_inside(&device->order->open_slow_ns);
    if (kernel->flags & DIVVY_KERNEL_HOST)
        return device->host->fail(device->host, DIVVY_UNSUPPORTED, "%s is a host kernel", kernel->name);
    if (atomic_load(&device->order->fail_load))
        return device->host->fail(device->host, DIVVY_BUILD_FAILED, "the fake device was told not to build %s",
                                  kernel->name);
    atomic_fetch_add(&device->order->loaded, 1);
    divvy_status status = forms_load(NULL, kernel, out_loaded);
    out_loaded->granule = 0; /* as the device */
    out_loaded->fixed_ns = 1000;
    return status;
}

static void unload(void *device, void *loaded)
{
    (void)device, (void)loaded;
}

static bool is_written(divvy_kind kind)
{
    return kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout;
}

/* Copies what the partition reads. Results of the partition before are good until here. */
static bool copy_in(struct slot *slot, const divvy_partition *partition)
{
    empty(slot);
    slot->used = true;
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_kind kind = partition->kernel->parameters[k].kind;
        const divvy_slice *slice = &partition->slices[k];
        if (kind == DIVVY_KIND_sum || kind == DIVVY_KIND_min || kind == DIVVY_KIND_max)
            continue;
        slot->data[k] = malloc(slice->bytes ? slice->bytes : 1);
        if (!slot->data[k])
            return false;
        if (kind == DIVVY_KIND_out)
            memset(slot->data[k], 0xa5, slice->bytes); /* what the kernel leaves out would show */
        else
            memcpy(slot->data[k], slice->data, slice->bytes);
    }
    return true;
}

static divvy_status start(void *memory, divvy_partition *partition)
{
    struct device *device = memory;
    atomic_fetch_add(&device->order->started, 1);
    atomic_store(&device->order->nice, getpriority(PRIO_PROCESS, 0));
    if (is_due(&device->order->fail_start))
        return device->host->fail(device->host, DIVVY_DEVICE_LOST, "the fake device was told not to start");
    if (!device->staged)
        return DIVVY_OK;
    struct slot *slot = &device->slots[device->slots[0].used];
    linger(&device->order->copy_slow_ns);
    bool copied = copy_in(slot, partition);
    atomic_fetch_add(&device->order->copied, 1);
    if (!copied) {
        empty(slot);
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "no memory for copies");
    }
    partition->slot = slot;
    return DIVVY_OK;
}

/* Runs the C form, on the copies if there are any. */
static void compute(struct device *device, divvy_partition *partition)
{
    const divvy_kernel *kernel = partition->kernel;
    divvy_partition inner = *partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    struct slot *slot = partition->slot;
    inner.slices = slices;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        slices[k] = partition->slices[k];
        if (slot && slot->data[k])
            slices[k].data = slot->data[k];
    }
    forms_finish(NULL, &inner, 0);
    partition->touched = !device->staged;
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (slot && is_written(kernel->parameters[k].kind))
            partition->slices[k].result = slot->data[k];
}

/* Gives the slot free; its copies stay until the next start. */
static void release(divvy_partition *partition)
{
    struct slot *slot = partition->slot;
    if (slot)
        slot->used = false;
    partition->slot = NULL;
}

static divvy_outcome finish(void *memory, divvy_partition *partition, uint64_t deadline_ns)
{
    struct device *device = memory;
    struct fake_order *order = device->order;
    divvy_outcome outcome = DIVVY_DONE;
    atomic_fetch_add(&order->finished, 1);
    if (is_due(&order->late)) {
        uint64_t now = device->host->now_ns();
        pass(deadline_ns > now ? deadline_ns - now : 0);
        release(partition);
        return DIVVY_LATE;
    }
    bool hangs = is_due(&order->hang);
    if (hangs)
        atomic_store(&order->hang, -1);
    while (hangs && atomic_load(&order->hang))
        pass(1000000);
    uint64_t begin = device->host->now_ns();
    linger(&order->slow_ns);
    compute(device, partition);
    if (is_due(&order->fail_finish)) {
        device->host->fail(device->host, DIVVY_DEVICE_LOST, "the fake device was told to fail");
        outcome = DIVVY_FAILED;
    } else {
        atomic_fetch_add(&order->items, partition->count);
    }
    partition->timing.run_ns = device->host->now_ns() - begin;
    release(partition);
    return outcome;
}

const divvy_backend divvy_plugin = {
    .size = sizeof(divvy_backend),
    .abi = DIVVY_BACKEND_ABI,
    .name = "fake",
    .sanitizer = DIVVY_SANITIZER,
    .features = DIVVY_BACKEND_BY_NAME,
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .load = load,
    .unload = unload,
    .start = start,
    .finish = finish,
};
