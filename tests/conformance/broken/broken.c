/* A small backend that keeps the contract, but for the one sin that DIVVY_BROKEN_SIN names: what divvy_conformance must
 * find. It runs the C forms, on copies or, with DIVVY_BROKEN_STAGED=0, in the caller's arrays. What is wrong with the
 * file itself is chosen when it is built: BROKEN_... */
#include <divvy/backend.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef BROKEN_NAME
#define BROKEN_NAME "broken"
#endif
#ifndef BROKEN_ABI
#define BROKEN_ABI DIVVY_BACKEND_ABI
#endif
#ifndef BROKEN_SIZE
#define BROKEN_SIZE sizeof(divvy_backend)
#endif
#ifndef BROKEN_SANITIZER
#define BROKEN_SANITIZER DIVVY_SANITIZER
#endif
#ifndef BROKEN_UNLOAD
#define BROKEN_UNLOAD unload
#endif

static const divvy_host *host;

static bool sins(const char *name)
{
    const char *sin = host->option(host, "SIN");
    return sin && strcmp(sin, name) == 0;
}

static bool is_staged(void)
{
    const char *staged = host->option(host, "STAGED");
    return !staged || strcmp(staged, "0") != 0;
}

/* ---- Devices ------------------------------------------------------------------------------------------------------- */

/* Copies of one partition, and what they were made of. */
struct slot {
    bool used;
    char *copies[DIVVY_PARAMETERS_MAX];
    const divvy_partition *partition;
};

struct device {
    bool late;
    struct slot slots[2];
    unsigned started;
    const void *table; /* the `all` argument seen last, and its copy */
    char *table_copy;
    char *written; /* of the caller's, by the partition that was late */
};

static divvy_status announce(uint64_t handle)
{
    return host->add_device(host, &(divvy_device_facts){.size = sizeof(divvy_device_facts),
                                                        .name = sins("facts") ? "" : "broken",
                                                        .device_class = "broken",
                                                        .driver = "1",
                                                        .address = "",
                                                        .type = DIVVY_ACCELERATOR,
                                                        .handle = handle,
                                                        .units = 2,
                                                        .staged = is_staged(),
                                                        .divisible = sins("units"),
                                                        .depth = is_staged() ? 2 : 1,
                                                        .granule = 1});
}

static divvy_status probe(const divvy_host *given)
{
    host = given;
    if (sins("probe")) {
        host->log(host, DIVVY_LOG_WARN, "nothing here");
        return DIVVY_OK;
    }
    return announce(1);
}

static divvy_status open_device(const divvy_host *given, const divvy_device_facts *facts, void **out_device,
                                divvy_rates *out_rates)
{
    static _Atomic int opened;
    (void)given, (void)facts;
    *out_rates = (divvy_rates){0};
    if (sins("announce"))
        announce(2);
    if (sins("leaks"))
        (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (sins("open") && opened)
        return host->fail(host, DIVVY_LIMIT, "it opens only once");
    opened++;
    *out_device = calloc(1, sizeof(struct device));
    return *out_device ? DIVVY_OK : host->fail(host, DIVVY_NO_MEMORY, "no memory");
}

static void empty(struct slot *slot)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++) {
        free(slot->copies[k]);
        slot->copies[k] = NULL;
    }
    slot->used = false;
}

static void close_device(void *memory)
{
    struct device *device = memory;
    while (sins("hangs"))
        pause();
    if (device->late && device->written)
        device->written[0] ^= 1;
    empty(&device->slots[0]);
    empty(&device->slots[1]);
    free(device->table_copy);
    free(device);
}

/* ---- Kernels --------------------------------------------------------------------------------------------------------- */

static divvy_status load(void *device, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    (void)device;
    *out_loaded = (divvy_loaded){.kernel = (void *)(uintptr_t)kernel, .granule = 1, .fixed_ns = 100};
    if (sins("crashes"))
        abort();
    if (sins("load"))
        return host->fail(host, DIVVY_INTERNAL, "no kernel will do");
    if (kernel->flags & DIVVY_KERNEL_HOST)
        return sins("fail") ? DIVVY_UNSUPPORTED : host->fail(host, DIVVY_UNSUPPORTED, "no host kernels");
    return DIVVY_OK;
}

#if !defined(BROKEN_WITHOUT_UNLOAD)
static void unload(void *device, void *loaded)
{
    (void)device, (void)loaded;
}
#endif

/* ---- Partitions ------------------------------------------------------------------------------------------------------- */

static bool is_told(divvy_kind kind)
{
    return kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout;
}

/* The copy of an `all` argument that is kept by its address, whatever the job. */
static void keep_table(struct device *device, struct slot *slot, unsigned k, const divvy_slice *slice)
{
    if (device->table != slice->data) {
        free(device->table_copy);
        device->table_copy = malloc(slice->bytes + 1);
        memcpy(device->table_copy, slice->data, slice->bytes);
        device->table = slice->data;
    }
    memcpy(slot->copies[k], device->table_copy, slice->bytes);
}

static void copy_in(struct device *device, struct slot *slot, const divvy_partition *partition)
{
    empty(slot);
    slot->used = true;
    slot->partition = partition;
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_kind kind = partition->kernel->parameters[k].kind;
        const divvy_slice *slice = &partition->slices[k];
        if (divvy_kind_is_fold(kind))
            continue;
        slot->copies[k] = malloc(slice->bytes + 1);
        if (kind == DIVVY_KIND_all && slice->bytes > 100 && sins("all"))
            keep_table(device, slot, k, slice);
        else
            memcpy(slot->copies[k], slice->data, slice->bytes);
    }
}

static divvy_status start(void *memory, divvy_partition *partition)
{
    struct device *device = memory;
    struct slot *slot = &device->slots[device->started % 2];
    if (sins("start") && device->started > 3)
        return host->fail(host, DIVVY_DEVICE_LOST, "enough");
    device->started++;
    partition->slot = slot;
    if (is_staged())
        copy_in(device, slot, partition);
    if (sins("staged_writes"))
        for (unsigned k = 0; k < partition->kernel->parameter_count; k++)
            if (partition->kernel->parameters[k].kind == DIVVY_KIND_out && partition->slices[k].bytes)
                *(char *)partition->slices[k].data = 1;
    return DIVVY_OK;
}

/* Lanes for the folds, and the form over them. */
static void run_form(const divvy_partition *partition, const divvy_slice *slices)
{
    const divvy_kernel *kernel = partition->kernel;
    _Alignas(64) char lanes[DIVVY_PARAMETERS_MAX][DIVVY_LANES * 8];
    divvy_slice given[DIVVY_PARAMETERS_MAX];
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        given[k] = slices[k];
        if (!divvy_kind_is_fold(kernel->parameters[k].kind))
            continue;
        given[k].data = lanes[k];
        host->fold_open(&kernel->parameters[k], lanes[k], DIVVY_LANES);
    }
    kernel->forms[0].body(given, partition->first, partition->count, partition->total);
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind))
            host->fold_close(&kernel->parameters[k], lanes[k], sins("folds") ? DIVVY_LANES - 1 : DIVVY_LANES,
                             slices[k].data);
}

static void compute(divvy_partition *partition, const struct slot *slot)
{
    static char shared[DIVVY_PARAMETERS_MAX][1 << 17]; /* where the results of all partitions lie, for who keeps none */
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        slices[k] = partition->slices[k];
        if (is_staged() && slot->copies[k])
            slices[k].data = slot->copies[k];
    }
    run_form(partition, slices);
    for (unsigned k = 0; k < partition->kernel->parameter_count; k++) {
        divvy_slice *slice = &partition->slices[k];
        divvy_kind kind = partition->kernel->parameters[k].kind;
        if (sins("inputs") && kind == DIVVY_KIND_in)
            *(volatile char *)slice->data = *(volatile char *)slice->data;
        if (sins("beyond") && kind == DIVVY_KIND_in)
            (void)((volatile char *)slice->data)[slice->bytes + 4096];
        if (!is_told(kind) || slice->bytes == 0)
            continue;
        char *data = slices[k].data;
        if (sins("results") && partition->count > 60)
            data[slice->bytes - 1] ^= 1;
        if (sins("kernels") && strcmp(partition->kernel->name, "gemm") == 0)
            data[0] ^= 1;
        if (sins("outside"))
            data[slice->bytes] ^= 1;
        if (is_staged() && !sins("result"))
            slice->result = data;
        if (sins("kept") && slice->bytes <= sizeof shared[k])
            slice->result = memcpy(shared[k], data, slice->bytes);
        if (!is_staged() && sins("result"))
            slice->result = data;
    }
}

/* Whether two partitions can be taken for each other. */
static bool are_alike(const struct slot *a, const struct slot *b)
{
    return a->used && b->used && a->partition->kernel == b->partition->kernel &&
           a->partition->count == b->partition->count;
}

static divvy_outcome finish(void *memory, divvy_partition *partition, uint64_t deadline_ns)
{
    struct device *device = memory;
    struct slot *slot = partition->slot;
    bool over = deadline_ns > 0 && host->now_ns() >= deadline_ns;
    if (over && (sins("late") || sins("deadline"))) {
        device->late = true;
        device->written = sins("late") ? partition->slices[1].data : NULL;
        host->fail(host, DIVVY_DEVICE_LOST, "it is late");
        return DIVVY_LATE;
    }
    if (sins("done") && partition->count == 61) {
        host->fail(host, DIVVY_DEVICE_LOST, "not this one");
        return DIVVY_FAILED;
    }
    if (sins("staged_reads"))
        copy_in(device, slot, partition);
    if (sins("order") && are_alike(&device->slots[0], &device->slots[1]))
        slot = &device->slots[slot == &device->slots[0]];
    compute(partition, slot);
    slot->used = false;
    partition->touched = sins("touched") ? is_staged() : !is_staged();
    partition->timing.run_ns = sins("timing") ? UINT64_MAX : 1;
    if (sins("partition"))
        partition->first++;
    return DIVVY_DONE;
}

const divvy_backend divvy_plugin = {
    .size = BROKEN_SIZE,
    .abi = BROKEN_ABI,
    .name = BROKEN_NAME,
    .sanitizer = BROKEN_SANITIZER,
    .features = DIVVY_BACKEND_BY_NAME,
    .probe = probe,
    .open = open_device,
    .close = close_device,
    .load = load,
    .unload = BROKEN_UNLOAD,
    .start = start,
    .finish = finish,
};

#if defined(BROKEN_EXPORT)
__attribute__((visibility("default"))) int some_symbol = 1;
#endif
