/* A plugin for registry_test, in several wrongs: PLUGIN_NAME, PLUGIN_ABI, PLUGIN_SIZE, PLUGIN_SANITIZER and
 * PLUGIN_FEATURES tell what it says of itself, PLUGIN_START its function start, PLUGIN_STATUS how its probe ends.
 * PLUGIN_SYMBOL is the object's name; PLUGIN_HOSTILE has its device's driver say what terminals obey. It announces one
 * device, whose texts tell in what kind of thread it was probed. */
#ifndef PLUGIN_SYMBOL
#define PLUGIN_SYMBOL divvy_plugin
#endif
#include <divvy/backend.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef PLUGIN_ABI
#define PLUGIN_ABI DIVVY_BACKEND_ABI
#endif
#ifndef PLUGIN_SIZE
#define PLUGIN_SIZE sizeof(divvy_backend)
#endif
#ifndef PLUGIN_SANITIZER
#define PLUGIN_SANITIZER DIVVY_SANITIZER
#endif
#ifndef PLUGIN_FEATURES
#define PLUGIN_FEATURES 0
#endif
#ifndef PLUGIN_START
#define PLUGIN_START start
#endif
#ifdef PLUGIN_HOSTILE
#define PLUGIN_DRIVER "a\033[2Jb\n\302\2335m"
#else
#define PLUGIN_DRIVER "1"
#endif
#ifndef PLUGIN_STATUS
#define PLUGIN_STATUS DIVVY_OK
#endif

static const divvy_host *kept;

static divvy_status add(const divvy_host *host, divvy_device_facts facts)
{
    return host->add_device(host, &facts);
}

static int blocked_signals(void)
{
    sigset_t mask;
    int blocked = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < 32; number++)
        blocked += number != SIGKILL && number != SIGSTOP && sigismember(&mask, number) == 1;
    return blocked;
}

/* Everything that the host offers works; what makes no sense is refused. */
static int host_failures(const divvy_host *host, const divvy_device_facts *good)
{
    int failures = 0;
    divvy_device_facts facts = *good;
    facts.name = NULL;
    failures += add(host, facts) != DIVVY_INVALID;
    facts = *good;
    facts.granule = 0;
    failures += add(host, facts) != DIVVY_INVALID;
    facts = *good;
    facts.depth = 3;
    failures += add(host, facts) != DIVVY_INVALID;
    facts = *good;
    facts.size = 8;
    failures += add(host, facts) != DIVVY_INVALID;

    uint8_t one[16], other[16];
    host->hash("abc", 3, one);
    host->hash("abd", 3, other);
    failures += memcmp(one, other, 16) == 0;
    failures += host->now_ns() == 0 || host->core_count < 1 || host->abi != DIVVY_BACKEND_ABI;
    const char *value = host->option(host, "KNOB");
    failures += !value || strcmp(value, "7") != 0;
    const divvy_parameter sum = {.kind = DIVVY_KIND_sum, .element = DIVVY_ELEMENT_INT, .element_bytes = 4};
    int lanes[4];
    divvy_partial partial = {.i = 1};
    host->fold_open(&sum, lanes, 4);
    lanes[2] += 5;
    host->fold_close(&sum, lanes, 4, &partial);
    failures += partial.i != 6;
    host->log(host, DIVVY_LOG_DEBUG, "probed %d", 1);
    return failures;
}

static divvy_status probe(const divvy_host *host)
{
    char name[64], address[32];
    cpu_set_t cores;
    kept = host;
    sched_getaffinity(0, sizeof cores, &cores);
    snprintf(name, sizeof name, "blocked %d nice %d", blocked_signals(), getpriority(PRIO_PROCESS, (id_t)gettid()));
    snprintf(address, sizeof address, "%d cores", CPU_COUNT(&cores));
    divvy_device_facts facts = {
        .size = sizeof facts,
        .name = name,
        .device_class = "test",
        .driver = PLUGIN_DRIVER,
        .address = address,
        .type = DIVVY_GPU,
        .units = 4,
        .depth = 1,
        .granule = 8,
        .handle = 42,
    };
    int failures = host_failures(host, &facts);
    if (failures)
        return host->fail(host, DIVVY_INTERNAL, "%d services of the host failed", failures);
    facts.units = 4;
    divvy_status status = add(host, facts);
    if (status == DIVVY_OK && PLUGIN_STATUS != DIVVY_OK)
        return host->fail(host, PLUGIN_STATUS, "the %s is on fire", "bus");
    return status;
}

/* Too late to announce a device: the registry must say so. */
static divvy_status open(const divvy_host *host, const divvy_device_facts *facts, void **out_device,
                         divvy_rates *out_rates)
{
    (void)out_rates;
    *out_device = NULL;
    return add(host, *facts);
}

static void close_device(void *device)
{
    (void)device;
}

static divvy_status load(void *device, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    (void)device, (void)kernel, (void)out_loaded;
    return kept->fail(kept, DIVVY_UNSUPPORTED, "it runs no kernels");
}

static void unload(void *device, void *loaded)
{
    (void)device, (void)loaded;
}

__attribute__((unused)) static divvy_status start(void *device, divvy_partition *partition)
{
    (void)device, (void)partition;
    return kept->fail(kept, DIVVY_UNSUPPORTED, "it runs no kernels");
}

static divvy_outcome finish(void *device, divvy_partition *partition, uint64_t deadline_ns)
{
    (void)device, (void)partition, (void)deadline_ns;
    return DIVVY_FAILED;
}

extern __attribute__((visibility("default"))) const divvy_backend PLUGIN_SYMBOL;

const divvy_backend PLUGIN_SYMBOL = {
    .size = PLUGIN_SIZE,
    .abi = PLUGIN_ABI,
    .name = PLUGIN_NAME,
    .sanitizer = PLUGIN_SANITIZER,
    .features = PLUGIN_FEATURES,
    .probe = probe,
    .open = open,
    .close = close_device,
    .load = load,
    .unload = unload,
    .start = PLUGIN_START,
    .finish = finish,
};
