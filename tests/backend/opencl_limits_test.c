/* What the opencl backend refuses, in which words, and what it does only once: beyond what every backend must do. */
#include "opencl_plugin.h"

#include "contract.cl"

static const uint64_t patience_ns = 60000000000u;

/* One partition over all of a job. */
struct trip {
    divvy_partition partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
};

static void trip_open(struct trip *trip, const divvy_kernel *kernel, void *loaded, const void *args, size_t first,
                      size_t count, size_t total, uint64_t job)
{
    host_slices(kernel, args, first, count, total, trip->partials, trip->slices);
    trip->partition = (divvy_partition){.first = first,
                                        .count = count,
                                        .total = total,
                                        .job = job,
                                        .kernel = kernel,
                                        .loaded = loaded,
                                        .slices = trip->slices};
}

static divvy_outcome trip_finish(void *device, struct trip *trip)
{
    divvy_outcome outcome = backend->finish(device, &trip->partition, host_now_ns() + patience_ns);
    host_accept(trip->partition.kernel, trip->slices);
    return outcome;
}

/* A text that does not build fails with the compiler's words and the names of kernel and device; so do one that lacks
 * the entry and one whose entry takes other arguments than the table says. */
static void check_texts(void *device, const divvy_device_facts *facts)
{
    divvy_loaded loaded;
    divvy_kernel broken = slow_kernel;
    broken.name = "broken";
    broken.source = "__kernel void broken_entry(__global int *y) { y[0] = no_such_thing; }";
    broken.source_bytes = strlen(broken.source);
    CHECK_EQ(backend->load(device, &broken, &loaded), DIVVY_BUILD_FAILED);
    CHECK_HAS(host_error(), "building broken for");
    CHECK_HAS(host_error(), facts->name);
    CHECK_HAS(host_error(), "no_such_thing");
    CHECK(loaded.kernel == NULL);
    broken.source = "__kernel void other_entry(__global int *y) { y[0] = 1; }";
    CHECK_EQ(backend->load(device, &broken, &loaded), DIVVY_BUILD_FAILED);
    CHECK_HAS(host_error(), "broken_entry");
    broken.source = "__kernel void broken_entry(__global int *y) { y[0] = 1; }";
    CHECK_EQ(backend->load(device, &broken, &loaded), DIVVY_BUILD_FAILED);
    CHECK_HAS(host_error(), "its table says");
    broken.source = NULL;
    broken.flags = DIVVY_KERNEL_HOST;
    CHECK_EQ(backend->load(device, &broken, &loaded), DIVVY_UNSUPPORTED);
}

/* More partitions than the device takes are refused, and those in flight are not harmed; so are slices beyond the
 * largest allocation, before anything is read. */
static void check_limits(void *device, const divvy_device_facts *facts, void *loaded)
{
    enum { COUNT = 100 };
    static float x[COUNT], y[3][COUNT], twice = 2;
    struct trip trips[3];
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)i;
    for (unsigned k = 0; k <= facts->depth; k++) {
        struct scaled_args args = {.a = 2, .x = x, .y = y[k]};
        for (int i = 0; i < COUNT; i++)
            y[k][i] = (float)k;
        trip_open(&trips[k], &scaled_kernel, loaded, &args, 0, COUNT, COUNT, 10 + k);
        trips[k].slices[0].data = &twice; /* the arguments do not outlive this turn */
        CHECK_EQ(backend->start(device, &trips[k].partition), k < facts->depth ? DIVVY_OK : DIVVY_LIMIT);
    }
    for (unsigned k = 0; k < facts->depth; k++) {
        CHECK_EQ(trip_finish(device, &trips[k]), DIVVY_DONE);
        CHECK(y[k][COUNT - 1] == 2.0f * (COUNT - 1) + (float)k);
    }
    if (facts->max_slice_bytes > 0) {
        struct scaled_args args = {.a = 2, .x = x, .y = y[0]};
        trip_open(&trips[0], &scaled_kernel, loaded, &args, 0, COUNT, COUNT, 20);
        trips[0].slices[1].bytes = facts->max_slice_bytes + 4;
        CHECK_EQ(backend->start(device, &trips[0].partition), DIVVY_NO_MEMORY);
        CHECK_HAS(host_error(), "x of scaled");
    }
}

/* An `all` argument goes up once per job, and nothing goes up to a device that works in place. */
static void check_bytes(void *device, const divvy_device_facts *facts, void *loaded)
{
    enum { TOTAL = 500, ENTRIES = 100 };
    static int key[TOTAL];
    static float table[ENTRIES], found[TOTAL];
    struct gather_args args = {.entries = ENTRIES, .key = key, .table = table, .found = found};
    for (uint64_t job = 30; job < 33; job++) {
        uint64_t bytes_in = 0, bytes_out = 0;
        for (size_t first = 0; first < TOTAL; first += TOTAL / 2) {
            struct trip trip;
            trip_open(&trip, &gather_kernel, loaded, &args, first, TOTAL / 2, TOTAL, job);
            CHECK_EQ(backend->start(device, &trip.partition), DIVVY_OK);
            CHECK_EQ(trip_finish(device, &trip), DIVVY_DONE);
            bytes_in += trip.partition.timing.bytes_in;
            bytes_out += trip.partition.timing.bytes_out;
            CHECK(trip.partition.timing.run_ns > 0);
        }
        CHECK_EQ(bytes_in, facts->staged ? sizeof key + sizeof table : 0);
        CHECK_EQ(bytes_out, facts->staged ? sizeof found : 0);
    }
}

/* A file is built once for all of its kernels that are loaded together; without a cache, again after the last of them
 * has gone. */
static void check_sharing(void *device)
{
    divvy_loaded first, second;
    for (unsigned round = 0; round < 2; round++) {
        if (!CHECK_EQ(backend->load(device, &scaled_kernel, &first), DIVVY_OK))
            return;
        CHECK(!first.cached);
        if (CHECK_EQ(backend->load(device, &gather_kernel, &second), DIVVY_OK)) {
            CHECK(second.cached);
            backend->unload(device, first.kernel);
            if (CHECK_EQ(backend->load(device, &scaled_kernel, &first), DIVVY_OK))
                CHECK(first.cached);
            backend->unload(device, second.kernel);
        }
        backend->unload(device, first.kernel);
    }
}

/* A part of a device that is too large, or of one that has no parts, is refused in words. */
static void check_parts(const divvy_device_facts *facts)
{
    divvy_device_facts wanted = *facts;
    divvy_rates rates;
    void *device;
    wanted.units = facts->units + 1;
    CHECK_EQ(backend->open(&the_host, &wanted, &device, &rates), DIVVY_LIMIT);
    CHECK_HAS(host_error(), "compute units");
    CHECK(device == NULL);
    if (!facts->divisible && facts->units > 1) {
        wanted.units = 1;
        CHECK_EQ(backend->open(&the_host, &wanted, &device, &rates), DIVVY_UNSUPPORTED);
        CHECK_HAS(host_error(), "cannot be opened with 1 of its");
    }
}

static void check_device(const divvy_device_facts *facts)
{
    void *device;
    divvy_rates rates;
    divvy_loaded scaled, gather;
    divvy_device_facts whole = *facts;
    whole.units = 0;
    printf("%s\n", facts->name);
    CHECK_EQ(facts->depth, facts->staged ? 2 : 1);
    CHECK(facts->staged || facts->type == DIVVY_CPU);
    if (!CHECK_EQ(backend->open(&the_host, &whole, &device, &rates), DIVVY_OK))
        return;
    if (facts->staged)
        CHECK(rates.latency_ns > 0 && rates.upload_bytes_per_s > 0 && rates.download_bytes_per_s > 0);
    check_texts(device, facts);
    check_sharing(device);
    if (CHECK_EQ(backend->load(device, &scaled_kernel, &scaled), DIVVY_OK)) {
        CHECK(scaled.fixed_ns > 0 && scaled.build_ns > 0);
        check_limits(device, facts, scaled.kernel);
        backend->unload(device, scaled.kernel);
    }
    if (CHECK_EQ(backend->load(device, &gather_kernel, &gather), DIVVY_OK)) {
        check_bytes(device, facts, gather.kernel);
        backend->unload(device, gather.kernel);
    }
    backend->close(device);
    check_parts(facts);
}

int main(void)
{
    load_plugin();
    for (unsigned d = 0; d < host_seen.device_count; d++)
        check_device(&host_seen.devices[d]);
    return host_seen.device_count > 0 ? check_summary() : CHECK_SKIP;
}
