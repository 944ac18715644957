/* The binary cache of the opencl backend: built once, found again, never believed when damaged. */
#include "opencl_plugin.h"

#include "contract.cl"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *cache_option; /* DIVVY_OPENCL_CACHE */

static const char *option(const char *name)
{
    return strcmp(name, "CACHE") == 0 ? cache_option : NULL;
}

/* Files in the cache folder; the path of the last. */
static unsigned cached_files(char *out_path, size_t bytes)
{
    unsigned count = 0;
    DIR *folder = opendir(host_seen.cache_folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (entry->d_name[0] != '.') {
            snprintf(out_path, bytes, "%s/%s", host_seen.cache_folder, entry->d_name);
            count++;
        }
    closedir(folder);
    return count;
}

static void remove_files(void)
{
    char path[512];
    while (cached_files(path, sizeof path) > 0)
        unlink(path);
}

/* Loads a kernel, checks that it computes, and says whether it came from the cache. */
static bool load_cached(void *device, const divvy_kernel *kernel)
{
    enum { COUNT = 1000 };
    static float x[COUNT], y[COUNT];
    struct scaled_args args = {.a = 3, .x = x, .y = y};
    divvy_loaded loaded;
    if (!CHECK_EQ(backend->load(device, kernel, &loaded), DIVVY_OK)) {
        fprintf(stderr, "    %s\n", host_error());
        return false;
    }
    for (int i = 0; i < COUNT; i++)
        x[i] = (float)i, y[i] = 1;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    host_slices(kernel, &args, 0, COUNT, COUNT, partials, slices);
    divvy_partition partition = {
        .count = COUNT, .total = COUNT, .job = 1, .kernel = kernel, .loaded = loaded.kernel, .slices = slices};
    CHECK_EQ(backend->start(device, &partition), DIVVY_OK);
    CHECK_EQ(backend->finish(device, &partition, 0), DIVVY_DONE);
    host_accept(kernel, slices);
    bool right = true;
    for (int i = 0; i < COUNT; i++)
        right = right && y[i] == 3.0f * (float)i + 1;
    CHECK(right);
    backend->unload(device, loaded.kernel);
    return loaded.cached;
}

/* Changes one byte of a file. */
static void damage(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 0x5a, file);
    fclose(file);
}

static void check_device(const divvy_device_facts *facts)
{
    void *device;
    divvy_rates rates;
    char path[512];
    divvy_device_facts whole = *facts;
    whole.units = 0;
    if (!CHECK_EQ(backend->open(&the_host, &whole, &device, &rates), DIVVY_OK))
        return;

    /* The first build misses and leaves one file; the second finds it. */
    remove_files();
    CHECK(!load_cached(device, &scaled_kernel));
    CHECK_EQ(cached_files(path, sizeof path), 1);
    CHECK(load_cached(device, &scaled_kernel));

    /* A damaged file is built over, wherever the damage is: magic, key, length, binary, end. */
    static const long places[] = {0, 8, 24, 32, 100, -1};
    for (unsigned k = 0; k < sizeof places / sizeof *places; k++) {
        damage(path, places[k]);
        CHECK(!load_cached(device, &scaled_kernel));
        CHECK(load_cached(device, &scaled_kernel));
    }

    /* So are one that was cut, one that is empty, and one that is a folder (which stays). */
    CHECK_EQ(truncate(path, 200), 0);
    CHECK(!load_cached(device, &scaled_kernel));
    CHECK_EQ(truncate(path, 0), 0);
    CHECK(!load_cached(device, &scaled_kernel));
    CHECK(load_cached(device, &scaled_kernel));
    unlink(path);
    mkdir(path, 0700);
    CHECK(!load_cached(device, &scaled_kernel));
    rmdir(path);

    /* Fast math and another text are other programs. */
    divvy_kernel other = scaled_kernel;
    char *text = malloc(scaled_kernel.source_bytes + 16);
    remove_files();
    CHECK(!load_cached(device, &scaled_kernel));
    other.flags |= DIVVY_KERNEL_FAST_MATH;
    CHECK(!load_cached(device, &other));
    other = scaled_kernel;
    sprintf(text, "%s\n", scaled_kernel.source);
    other.source = text;
    CHECK(!load_cached(device, &other));
    CHECK(load_cached(device, &other));
    CHECK_EQ(cached_files(path, sizeof path), 3);
    free(text);

    /* Switched off, and without a folder, nothing is read or written. */
    remove_files();
    cache_option = "off";
    CHECK(!load_cached(device, &scaled_kernel));
    CHECK(!load_cached(device, &scaled_kernel));
    CHECK_EQ(cached_files(path, sizeof path), 0);
    cache_option = "";
    const char *kept = host_seen.cache_folder;
    host_seen.cache_folder = NULL;
    CHECK(!load_cached(device, &scaled_kernel));
    host_seen.cache_folder = "/no/such/folder";
    CHECK(!load_cached(device, &scaled_kernel));
    host_seen.cache_folder = kept;
    CHECK(!load_cached(device, &scaled_kernel));
    CHECK(load_cached(device, &scaled_kernel));
    backend->close(device);
}

int main(void)
{
    char folder[] = "/tmp/opencl_cache_test.XXXXXX";
    host_seen.cache_folder = mkdtemp(folder);
    if (!CHECK(host_seen.cache_folder != NULL))
        return check_summary();
    host_seen.option = option;
    load_plugin();
    for (unsigned d = 0; d < host_seen.device_count; d++)
        check_device(&host_seen.devices[d]);
    remove_files();
    rmdir(folder);
    if (host_seen.device_count == 0)
        return CHECK_SKIP;
    return check_summary();
}
