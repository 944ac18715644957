/* The process around the opencl backend: silent where there is no OpenCL, and no crash when the process ends in the
 * middle of a build. Each case is a child of its own; this process never loads a driver. */
#include "fork.h"
#include "opencl_plugin.h"

#include "contract.cl"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

/* Without any driver the probe is OK and finds nothing, and says nothing. */
static int without_drivers(void)
{
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    load_plugin();
    CHECK_EQ(host_seen.device_count, 0);
    return check_summary();
}

/* A filter that no platform passes leaves nothing either. */
static int without_wanted_platforms(void)
{
    setenv("DIVVY_OPENCL_PLATFORMS", "no such platform,,another", 1);
    load_plugin();
    CHECK_EQ(host_seen.device_count, 0);
    return check_summary();
}

/* What is known to compute wrongly is not there unless it is asked for; nobody hears of it but at level info. */
static int without_unsafe_devices(void)
{
    setenv("RUSTICL_ENABLE", "llvmpipe", 1);
    setenv("DIVVY_OPENCL_PLATFORMS", "rusticl", 1);
    load_plugin();
    for (unsigned d = 0; d < host_seen.device_count; d++)
        CHECK(!strstr(host_seen.devices[d].name, "llvmpipe"));
    CHECK_EQ(host_seen.lines[DIVVY_LOG_ERROR] + host_seen.lines[DIVVY_LOG_WARN], 0);
    return check_summary();
}

static _Atomic int opened;

static void *build_for_ever(void *unused)
{
    void *device;
    divvy_rates rates;
    (void)unused;
    if (backend->open(&the_host, &host_seen.devices[0], &device, &rates) != DIVVY_OK)
        _exit(3);
    for (opened = 1;;) {
        divvy_loaded loaded;
        if (backend->load(device, &scaled_kernel, &loaded) == DIVVY_OK)
            backend->unload(device, loaded.kernel);
    }
    return NULL;
}

/* The end comes at some moment of a build in another thread. */
static int end_while_building(unsigned delay_us)
{
    pthread_t thread;
    load_plugin();
    if (host_seen.device_count == 0)
        return CHECK_SKIP;
    pthread_create(&thread, NULL, build_for_ever, NULL);
    while (!opened)
        usleep(100);
    usleep(delay_us);
    return EXIT_SUCCESS;
}

enum { CASES = 11 };

int main(void)
{
    unsigned skipped = 0;
    for (unsigned number = 0; number < CASES; number++) {
        pid_t child = check_fork();
        if (child == 0) {
            setenv("DIVVY_OPENCL_CACHE", "off", 1); /* every build is a long one */
            setenv("POCL_KERNEL_CACHE", "0", 1);
            exit(number == 0   ? without_drivers()
                 : number == 1 ? without_wanted_platforms()
                 : number == 2 ? without_unsafe_devices()
                               : end_while_building((number - 3) * 123456));
        }
        int state = 0;
        CHECK_EQ(waitpid(child, &state, 0), child);
        if (WIFEXITED(state) && WEXITSTATUS(state) == CHECK_SKIP)
            skipped++;
        else if (!CHECK(WIFEXITED(state) && WEXITSTATUS(state) == 0))
            fprintf(stderr, "    case %u: %s %d\n", number, WIFEXITED(state) ? "status" : "signal",
                    WIFEXITED(state) ? WEXITSTATUS(state) : WTERMSIG(state));
    }
    printf("%u cases skipped\n", skipped);
    return check_summary();
}
