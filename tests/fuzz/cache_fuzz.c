/* The opencl backend's cache of built programs: any bytes as a file of the cache. What is believed is what was once
 * written. The first byte chooses between the bytes as they are and the bytes behind a header that fits them. */
#include "fuzz.h"

#include "opencl.h"

#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/cache_fuzz_XXXXXX";
static const struct dv_cl_key key; /* zeros */

static const char *option(const divvy_host *host, const char *name)
{
    (void)host, (void)name;
    return NULL;
}

static const char *cache_folder(const divvy_host *host)
{
    (void)host;
    return folder;
}

/* Good enough to tell bytes from others. */
static void hash(const void *data, size_t bytes, uint8_t out[16])
{
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < bytes; i++)
        sum = (sum ^ ((const uint8_t *)data)[i]) * 1099511628211u;
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(sum >> (i % 8 * 8));
}

static void say_nothing(const divvy_host *host, divvy_log_level level, const char *format, ...)
{
    (void)host, (void)level, (void)format;
}

static const divvy_host host = {
    .size = sizeof host, .option = option, .cache_folder = cache_folder, .hash = hash, .log = say_nothing};

static char *path_of_key(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/opencl-%032d.bin", folder, 0);
    return path;
}

static void remove_folder(void)
{
    unlink(path_of_key());
    rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    MUST(mkdtemp(folder));
    atexit(remove_folder);
    return 0;
}

static void write_file(const uint8_t *data, size_t size)
{
    FILE *file = fopen(path_of_key(), "wb");
    MUST(file && fwrite(data, 1, size, file) == size);
    MUST(fclose(file) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes = 0;
    if (size == 0)
        return 0;
    bool whole = data[0] & 1;
    data++, size--;
    if (whole)
        dv_cl_cache_write(&host, &key, data, size);
    else
        write_file(data, size);
    uint8_t *binary = dv_cl_cache_read(&host, &key, &bytes);
    MUST(!whole || size == 0 || (binary && bytes == size && memcmp(binary, data, size) == 0));
    if (binary && !whole) { /* its sum is behind a header of 48 bytes, and right */
        uint8_t sum[16];
        hash(binary, bytes, sum);
        MUST(size == 48 + bytes && memcmp(data + 32, sum, 16) == 0 && memcmp(data + 48, binary, bytes) == 0);
    }
    if (binary) { /* a file that is believed is one that would be written again */
        unlink(path_of_key());
        dv_cl_cache_write(&host, &key, binary, bytes);
        size_t again_bytes = 0;
        uint8_t *again = dv_cl_cache_read(&host, &key, &again_bytes);
        MUST(again && again_bytes == bytes && memcmp(again, binary, bytes) == 0);
        free(again);
    }
    free(binary);
    unlink(path_of_key());
    return 0;
}
