/* What is read of a file before it is loaded as a backend: any bytes as that file. */
#include "fuzz.h"

#include "machine/fit.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int file = memfd_create("plugin", MFD_CLOEXEC);
    MUST(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    free(dv_fit_image(path));
    close(file);
    return 0;
}
