/* Built programs on disk, so that a second run need not compile. A file is believed only if it holds what was once
 * written for this key, since drivers crash on damaged binaries. */
#include "opencl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BINARY_BYTES_MAX = 64 << 20, PATH_BYTES = 4096 };

/* In front of the binary. */
struct header {
    char magic[8];
    uint8_t key[16];
    uint64_t bytes;
    uint8_t digest[16]; /* of the binary */
};

static const char magic[8] = {'d', 'i', 'v', 'v', 'y', 'c', 'l', '1'};

divvy_status dv_cl_key_of(const divvy_host *host, const char *const *texts, struct dv_cl_key *out_key)
{
    size_t bytes = 0, at = 0;
    for (size_t k = 0; texts[k]; k++)
        bytes += strlen(texts[k]) + 1;
    char *all = malloc(bytes > 0 ? bytes : 1);
    if (!all)
        return host->fail(host, DIVVY_NO_MEMORY, "no memory to hash a kernel");
    for (size_t k = 0; texts[k]; k++) {
        size_t length = strlen(texts[k]) + 1; /* the zero too, so that texts do not flow into each other */
        memcpy(all + at, texts[k], length);
        at += length;
    }
    host->hash(all, bytes, out_key->bytes);
    free(all);
    return DIVVY_OK;
}

/* The folder, or NULL if nothing is to be kept. */
static const char *folder_of(const divvy_host *host)
{
    const char *wanted = host->option(host, "CACHE");
    if (wanted && (strcasecmp(wanted, "off") == 0 || strcmp(wanted, "0") == 0))
        return NULL;
    return host->cache_folder(host);
}

/* "<folder>/opencl-<key>.bin" */
static bool path_of(const char *folder, const struct dv_cl_key *key, char *out_path)
{
    char digits[33];
    for (int k = 0; k < 16; k++)
        snprintf(digits + 2 * k, 3, "%02x", key->bytes[k]);
    return snprintf(out_path, PATH_BYTES, "%s/opencl-%s.bin", folder, digits) < PATH_BYTES;
}

static bool is_sound(const divvy_host *host, const struct header *header, const struct dv_cl_key *key,
                     const void *binary, size_t bytes)
{
    uint8_t digest[16];
    host->hash(binary, bytes, digest);
    return memcmp(header->magic, magic, sizeof magic) == 0 && memcmp(header->key, key->bytes, sizeof key->bytes) == 0 &&
           header->bytes == bytes && memcmp(header->digest, digest, sizeof digest) == 0;
}

/* The rest of an open file behind the header, if it is what the header says. */
static void *read_sound(const divvy_host *host, FILE *file, const struct dv_cl_key *key, size_t *out_bytes)
{
    struct stat about;
    struct header header;
    if (fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size <= (off_t)sizeof header ||
        about.st_size > (off_t)sizeof header + BINARY_BYTES_MAX || fread(&header, sizeof header, 1, file) != 1)
        return NULL;
    size_t bytes = (size_t)about.st_size - sizeof header;
    void *binary = malloc(bytes);
    if (binary && (fread(binary, 1, bytes, file) != bytes || !is_sound(host, &header, key, binary, bytes))) {
        free(binary);
        return NULL;
    }
    *out_bytes = bytes;
    return binary;
}

void *dv_cl_cache_read(const divvy_host *host, const struct dv_cl_key *key, size_t *out_bytes)
{
    char path[PATH_BYTES];
    const char *folder = folder_of(host);
    FILE *file = folder && path_of(folder, key, path) ? fopen(path, "rbe") : NULL;
    if (!file)
        return NULL;
    void *binary = read_sound(host, file, key, out_bytes);
    if (!binary)
        host->log(host, DIVVY_LOG_DEBUG, "%s is damaged and not used", path);
    fclose(file);
    return binary;
}

static bool write_whole(int descriptor, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t written = write(descriptor, at, bytes);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        bytes -= (size_t)written;
    }
    return true;
}

void dv_cl_cache_write(const divvy_host *host, const struct dv_cl_key *key, const void *binary, size_t bytes)
{
    char path[PATH_BYTES], fresh[PATH_BYTES];
    const char *folder = folder_of(host);
    if (!folder || bytes == 0 || bytes > BINARY_BYTES_MAX || !path_of(folder, key, path) ||
        snprintf(fresh, sizeof fresh, "%s/opencl-XXXXXX", folder) >= (int)sizeof fresh)
        return;
    struct header header = {.bytes = bytes};
    memcpy(header.magic, magic, sizeof magic);
    memcpy(header.key, key->bytes, sizeof header.key);
    host->hash(binary, bytes, header.digest);

    /* A reader sees the old file or the new one, never a part. */
    int descriptor = mkostemp(fresh, O_CLOEXEC);
    if (descriptor < 0) {
        host->log(host, DIVVY_LOG_DEBUG, "cannot keep a binary in %s: %s", folder, strerror(errno));
        return;
    }
    bool good = write_whole(descriptor, &header, sizeof header) && write_whole(descriptor, binary, bytes);
    good = close(descriptor) == 0 && good;
    if (!good || rename(fresh, path) != 0) {
        host->log(host, DIVVY_LOG_DEBUG, "cannot write %s: %s", path, strerror(errno));
        unlink(fresh);
    }
}
