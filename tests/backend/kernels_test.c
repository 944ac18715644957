/* The shipped kernels through the public functions, on the backend that argv[1] names: results must be those of plain
 * C, however the jobs are cut. Skipped where there is no OpenCL device; kernels of doubles where no device knows them. */
#include "kernels_cases.h"

#include <divvy/descriptor.h>

#include "check.h"

static bool opencl; /* the backend under test, which may lack a device or some of what a core can do */

static bool run(void *with, const divvy_kernel *kernel, size_t count, const void *args, size_t args_size)
{
    divvy_status status = divvy_run_kernel(with, kernel, count, args, args_size);
    /* No device is left where none can: one that does not know doubles, or that is no core. */
    bool nowhere = status == DIVVY_UNSUPPORTED || status == DIVVY_BUILD_FAILED || status == DIVVY_NO_DEVICE;
    bool host = kernel->flags & DIVVY_KERNEL_HOST, doubles = kernel->source && strstr(kernel->source, "double");
    if (nowhere && opencl && (host || doubles)) {
        printf("left out: %s\n", divvy_error());
        return false;
    }
    if (!CHECK_EQ(status, DIVVY_OK))
        fprintf(stderr, "%s over %zu: %s\n", kernel->name, count, divvy_error());
    return status == DIVVY_OK;
}

int main(int argc, char **argv)
{
    const char *backend = argc > 1 ? argv[1] : "cpu";
    opencl = strcmp(backend, "opencl") == 0;
    uint64_t seed = check_seed();

    /* Cut as the library likes, and into partitions of a few indices and of many. */
    static const struct {
        size_t partition, most;
    } cuts[] = {{0, SIZE_MAX}, {5, 701}, {4096, SIZE_MAX}};
    for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++) {
        divvy *dv;
        divvy_status status = divvy_open(&dv, &(divvy_options){.backend = backend, .partition = cuts[k].partition});
        bool lacks = opencl && (status == DIVVY_NO_BACKEND || status == DIVVY_NO_DEVICE ||
                                (status == DIVVY_OK && divvy_device_count(dv) == 0));
        if (lacks) {
            printf("no device of %s: %s\n", backend, divvy_error());
            divvy_close(dv);
            return CHECK_SKIP;
        }
        if (CHECK_EQ(status, DIVVY_OK))
            CHECK_EQ(check_kernels(run, dv, seed + k, cuts[k].most), 0);
        else
            fprintf(stderr, "%s: %s\n", backend, divvy_error());
        divvy_close(dv);
    }
    return check_summary();
}
