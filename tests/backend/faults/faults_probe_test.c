/* Finding devices among faults. Devices are found once in a process: hence each fault has a process of its own, this
 * program again. A device may be missing or known badly; whatever is computed is right, and whoever is refused is told
 * why. */
#include "check.h"
#include "faults.h"

#include "faults.cl"

#include <divvy.h>

#include <dlfcn.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 1000, CALLS_MAX = 500, PATIENCE_S = 100 };

extern char **environ;

/* ---- One process ---- */

static bool look_is_right(divvy *dv, const char *schedule)
{
    static int table[10], source[COUNT], found[COUNT];
    for (int i = 0; i < COUNT; i++) {
        source[i] = i;
        table[i % 10] = 1 + i % 10;
        found[i] = -1;
    }
    if (divvy_run(dv, look, COUNT, .entries = 10, .table = table, .source = source, .found = found,
                  .with = {.schedule = schedule}))
        return CHECK(divvy_error()[0] != 0) && false;
    bool right = true;
    for (int i = 0; i < COUNT; i++)
        right = right && found[i] == (i + (i > 0 ? i - 1 : 0) + (i + 1 < COUNT ? i + 1 : 0)) * (1 + i % 10);
    CHECK(right);
    return right;
}

/* Prints how many calls were made to find the devices, and how many were injected. */
static int probe(void)
{
    divvy *beside, *alone;
    divvy_device device;
    bool opened = divvy_open(&beside, &(divvy_options){.backend = "cpu,opencl", .devices = "cpu,opencl"}) == DIVVY_OK;
    if (!opened)
        CHECK(divvy_error()[0] != 0);
    void *library = dlopen(FAULTS_LAYER, RTLD_NOW | RTLD_NOLOAD);
    const struct faults_layer *layer = library ? dlsym(library, "faults_layer") : NULL;
    if (!layer)
        return CHECK_SKIP;
    printf("%llu %llu\n", (unsigned long long)layer->calls(), (unsigned long long)layer->injected());
    layer->plan(NULL);
    for (size_t k = 0; opened && divvy_device_at(beside, k, &device) == DIVVY_OK; k++)
        CHECK(device.granule > 0 && device.name && device.driver && device.type);
    if (opened)
        CHECK(look_is_right(beside, "static"));
    divvy_close(beside);
    if (divvy_open(&alone, &(divvy_options){.backend = "opencl"}) == DIVVY_OK)
        CHECK(look_is_right(alone, NULL));
    else
        CHECK(divvy_error()[0] != 0);
    divvy_close(alone);
    for (int k = 0; k < FAULTS_OBJECTS; k++)
        CHECK_EQ(layer->held(k), 0);
    return atomic_load(&check_failures) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- Many ---- */

/* This program with a plan; its exit status. */
static int run(const char *program, const char *plan, unsigned *out_calls, unsigned *out_injected)
{
    int pipes[2], status = -1;
    pid_t child;
    posix_spawn_file_actions_t actions;
    char text[256] = "", *const arguments[] = {(char[]){"faults_probe_test"}, (char[]){"probe"}, NULL};
    setenv("OPENCL_FAULTS", plan, 1);
    if (!CHECK(pipe(pipes) == 0))
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipes[0]);
    if (!CHECK(posix_spawn(&child, program, &actions, NULL, arguments, environ) == 0))
        return -1;
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    FILE *output = fdopen(pipes[0], "r");
    *out_calls = *out_injected = 0;
    if (output && fgets(text, sizeof text, output))
        CHECK_EQ(sscanf(text, "%u %u", out_calls, out_injected), 2);
    waitpid(child, &status, 0);
    if (output)
        fclose(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv)
{
    static const char *const whats[] = {"CL_OUT_OF_HOST_MEMORY", "short", "lost"};
    alarm(PATIENCE_S);
    setenv("OPENCL_LAYERS", FAULTS_LAYER, 1);
    setenv("POCL_DEVICES", "basic", 0);
    setenv("DIVVY_LOG", "error", 0);
    if (argc > 1)
        return probe();

    unsigned calls, injected, all;
    int status = run(argv[0], "", &all, &injected);
    if (status == CHECK_SKIP || (status == 0 && all < 10)) {
        printf("skipped: no layer, or no device\n");
        return CHECK_SKIP;
    }
    CHECK(status == 0 && all < CALLS_MAX);
    for (unsigned w = 0; w < sizeof whats / sizeof *whats; w++)
        for (unsigned n = 1 + w % PROBE_STEP; n <= all; n += PROBE_STEP) {
            char plan[64];
            snprintf(plan, sizeof plan, "*:%u=%s", n, whats[w]);
            if (!CHECK_EQ(run(argv[0], plan, &calls, &injected), 0))
                fprintf(stderr, "  with %s\n", plan);
            CHECK(injected == 1 || calls < n);
        }
    printf("%u calls find the devices\n", all);
    return check_summary();
}
