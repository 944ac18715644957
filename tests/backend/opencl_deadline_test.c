/* Deadlines: a staged device that is late is given up, and nothing of the caller's is touched any more. The environment
 * asks for DIVVY_OPENCL_STAGED. */
#include "opencl_plugin.h"

#include "contract.cl"

enum { COUNT = 64 };

static uint32_t turn(uint32_t state, unsigned turns)
{
    for (unsigned k = 0; k < turns; k++)
        state = state * 1664525u + 1013904223u + (state >> 16);
    return state;
}

static void check_device(const divvy_device_facts *facts)
{
    void *device;
    divvy_rates rates;
    divvy_loaded loaded;
    divvy_slice slices[2][DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    uint32_t *y = malloc(COUNT * sizeof *y);
    bool simulated = strstr(facts->name, "Oclgrind") != NULL;
    bool short_loops = strstr(facts->name, "llvmpipe") != NULL;
    struct slow_args args = {.turns = 2000, .y = y};
    divvy_device_facts whole = *facts;
    whole.units = 0;
    if (!CHECK_EQ(backend->open(&the_host, &whole, &device, &rates), DIVVY_OK) ||
        !CHECK_EQ(backend->load(device, &slow_kernel, &loaded), DIVVY_OK))
        return;

    /* What is over in time is done, however the deadline is set. */
    host_slices(&slow_kernel, &args, 0, COUNT, COUNT, partials, slices[0]);
    divvy_partition quick = {
        .count = COUNT, .total = COUNT, .job = 1, .kernel = &slow_kernel, .loaded = loaded.kernel, .slices = slices[0]};
    memset(y, 0xA5, COUNT * sizeof *y);
    CHECK_EQ(backend->start(device, &quick), DIVVY_OK);
    CHECK_EQ(backend->finish(device, &quick, host_now_ns() + 30000000000u), DIVVY_DONE);
    host_accept(&slow_kernel, slices[0]);
    bool right = true;
    for (unsigned i = 0; i < COUNT; i++)
        right = right && y[i] == turn(i, args.turns);
    CHECK(right);

    /* A partition of seconds with a deadline of 50 ms is late soon after it, and so is the one behind it. Loops that a
     * device cuts short are over sooner; then there is nothing to be late with. */
    args.turns = simulated ? 20000 : 1500000000;
    if (!short_loops) {
        memset(y, 0xA5, COUNT * sizeof *y);
        divvy_partition late[2];
        uint64_t began_ns = host_now_ns(), deadline_ns = began_ns + 50000000;
        for (int k = 0; k < 2; k++) {
            host_slices(&slow_kernel, &args, 0, COUNT, COUNT, partials, slices[k]);
            late[k] = quick;
            late[k].slices = slices[k];
            CHECK_EQ(backend->start(device, &late[k]), DIVVY_OK);
        }
        for (int k = 0; k < 2; k++) {
            CHECK_EQ(backend->finish(device, &late[k], deadline_ns), DIVVY_LATE);
            CHECK_HAS(host_error(), "deadline");
            CHECK(slices[k][1].result == NULL && !late[k].touched);
        }
        CHECK(host_now_ns() >= deadline_ns);
        /* Closing does not wait for it. */
        CHECK_EQ(backend->start(device, &quick), DIVVY_DEVICE_LOST);
        backend->unload(device, loaded.kernel);
        backend->close(device);
        uint64_t took_ns = host_now_ns() - began_ns;
        printf("%s: late and closed after %llu ms\n", facts->name, (unsigned long long)took_ns / 1000000);
        CHECK(took_ns < 10000000000u); /* both take more than twice that */
        /* The caller's array may go at once: nobody writes to it. */
        for (unsigned i = 0; i < COUNT; i++)
            CHECK_EQ(y[i], 0xA5A5A5A5u);
    } else {
        backend->unload(device, loaded.kernel);
        backend->close(device);
    }
    free(y);
}

int main(void)
{
    load_plugin();
    unsigned staged = 0;
    for (unsigned d = 0; d < host_seen.device_count; d++)
        if (host_seen.devices[d].staged &&
            !strstr(host_seen.devices[d].name, "basic")) { /* PoCL's "basic" computes inside start */
            check_device(&host_seen.devices[d]);
            staged++;
        }
    return staged > 0 ? check_summary() : CHECK_SKIP;
}
