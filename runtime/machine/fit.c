#include "machine/fit.h"

#include "base/trust.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2))) static char *reason(const char *format, ...)
{
    char *text = NULL;
    va_list values;
    va_start(values, format);
    if (vasprintf(&text, format, values) < 0)
        text = NULL;
    va_end(values);
    return text ? text : strdup("no memory to tell why");
}

/* ---- Who may write ---------------------------------------------------------------------------- */

/* Whether a path without links lies in a folder. */
static bool is_inside(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || strcmp(folder, "/") == 0);
}

/* "/a/b" to "/a" to "/"; false at the end. */
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return false;
    slash[slash == path] = 0;
    return true;
}

/* A folder without links, and those above it, up to the first in which the library lies as well: who can exchange what is
 * in that one can exchange the library. Changes `folder`. */
static char *look_at_folders(char *folder, struct dv_home home)
{
    char *refusal = dv_trust_look(folder, home.file, DV_TRUST_ITSELF);
    while (!refusal && go_up(folder) && !(home.library && is_inside(home.library, folder)))
        refusal = dv_trust_look(folder, home.file, DV_TRUST_ABOVE);
    return refusal;
}

char *dv_fit_folder(const char *path, struct dv_home home)
{
    char *folder = realpath(path, NULL);
    char *refusal = folder ? look_at_folders(folder, home) : reason("%s: %s", path, strerror(errno));
    free(folder);
    return refusal;
}

char *dv_fit_file(const char *path, struct dv_home home)
{
    char *folder = realpath(path, NULL);
    char *refusal =
        folder ? dv_trust_look(folder, home.file, DV_TRUST_ITSELF) : reason("%s: %s", path, strerror(errno));
    if (folder && !refusal && go_up(folder))
        refusal = look_at_folders(folder, home);
    free(folder);
    return refusal;
}

/* ---- What the file holds ---------------------------------------------------------------------- */

/* A file in memory. */
struct image {
    const unsigned char *bytes;
    size_t size;
};

static bool holds(const struct image *image, size_t offset, size_t bytes)
{
    return offset <= image->size && bytes <= image->size - offset;
}

static bool is_elf(const struct image *image)
{
    return holds(image, 0, sizeof(ElfW(Ehdr))) && memcmp(image->bytes, ELFMAG, SELFMAG) == 0;
}

/* Up to where the segments that are loaded reach; 0 if it does not tell. */
static uint64_t end_of_segments(const struct image *image)
{
    ElfW(Ehdr) head;
    uint64_t end = 0;
    memcpy(&head, image->bytes, sizeof head);
    if (head.e_phentsize != sizeof(ElfW(Phdr)) || !holds(image, head.e_phoff, head.e_phnum * sizeof(ElfW(Phdr))))
        return 0;
    for (unsigned i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) segment;
        memcpy(&segment, image->bytes + head.e_phoff + i * sizeof segment, sizeof segment);
        uint64_t last;
        if (__builtin_add_overflow((uint64_t)segment.p_offset, (uint64_t)segment.p_filesz, &last))
            last = UINT64_MAX;
        if (segment.p_type == PT_LOAD && last > end)
            end = last;
    }
    return end;
}

/* The names of the dynamic symbols: of the string table that belongs to the section of that type. */
static struct image symbol_names(const struct image *image)
{
    const struct image none = {0};
    ElfW(Ehdr) head;
    memcpy(&head, image->bytes, sizeof head);
    if (head.e_shentsize != sizeof(ElfW(Shdr)) || !holds(image, head.e_shoff, head.e_shnum * sizeof(ElfW(Shdr))))
        return none;
    for (unsigned i = 0; i < head.e_shnum; i++) {
        ElfW(Shdr) symbols, names;
        memcpy(&symbols, image->bytes + head.e_shoff + i * sizeof symbols, sizeof symbols);
        if (symbols.sh_type != SHT_DYNSYM || symbols.sh_link >= head.e_shnum)
            continue;
        memcpy(&names, image->bytes + head.e_shoff + symbols.sh_link * sizeof names, sizeof names);
        if (holds(image, names.sh_offset, names.sh_size))
            return (struct image){image->bytes + names.sh_offset, names.sh_size};
    }
    return none;
}

static bool has_name(const struct image *names, const char *name)
{
    return names->bytes && memmem(names->bytes, names->size, name, strlen(name));
}

/* Loading maps what is not there, and touching that ends the process. */
static char *look_for_end(const char *path, const struct image *image)
{
    const uint64_t end = end_of_segments(image);
    if (end <= image->size)
        return NULL;
    return reason("%s is cut off: it has %zu bytes of at least %" PRIu64, path, image->size, end);
}

/* A sanitizer's runtime that comes too late ends the process. */
static char *look_for_sanitizer(const char *path, const struct image *image)
{
    const struct image names = symbol_names(image);
    const char *found = has_name(&names, "__asan_init")   ? "address"
                        : has_name(&names, "__tsan_init") ? "thread"
                                                          : "none";
    if (strcmp(found, DIVVY_SANITIZER) == 0 || strcmp(found, "none") == 0)
        return NULL; /* one without instrumented code tells its sanitizer itself */
    return reason("%s is built with sanitizer %s, this library with %s", path, found, DIVVY_SANITIZER);
}

char *dv_fit_image(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat facts;
    if (file < 0 || fstat(file, &facts) != 0) {
        char *why = reason("%s: %s", path, strerror(errno));
        if (file >= 0)
            close(file);
        return why;
    }
    struct image image = {.size = (size_t)facts.st_size};
    void *mapped = image.size ? mmap(NULL, image.size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    close(file);
    if (mapped == MAP_FAILED)
        return NULL; /* dlopen will tell better */
    image.bytes = mapped;
    char *refusal = NULL;
    if (is_elf(&image)) {
        refusal = look_for_end(path, &image);
        if (!refusal)
            refusal = look_for_sanitizer(path, &image);
    }
    munmap(mapped, image.size);
    return refusal;
}

/* ---- The object ------------------------------------------------------------------------------- */

static const char *missing_function(const divvy_backend *backend)
{
    return !backend->probe    ? "probe"
           : !backend->open   ? "open"
           : !backend->close  ? "close"
           : !backend->load   ? "load"
           : !backend->unload ? "unload"
           : !backend->start  ? "start"
           : !backend->finish ? "finish"
                              : NULL;
}

char *dv_fit_backend(const char *path, const char *name, const divvy_backend *backend)
{
    /* Size and version come first in every version; nothing else is read before they fit. */
    if (backend->abi != DIVVY_BACKEND_ABI)
        return reason("%s is made for backend interface %u, this library has %u", path, (unsigned)backend->abi,
                      (unsigned)DIVVY_BACKEND_ABI);
    if (backend->size < sizeof *backend)
        return reason("%s exports a backend of %u bytes, this library needs %zu", path, (unsigned)backend->size,
                      sizeof *backend);
    if (!backend->name || strcmp(backend->name, name) != 0)
        return reason("%s calls itself \"%s\", its file \"%s\"", path, backend->name ? backend->name : "", name);
    if (!backend->sanitizer || strcmp(backend->sanitizer, DIVVY_SANITIZER) != 0)
        return reason("%s is built with sanitizer %s, this library with %s", path,
                      backend->sanitizer ? backend->sanitizer : "unknown", DIVVY_SANITIZER);
    if (missing_function(backend))
        return reason("%s lacks the function %s", path, missing_function(backend));
    return NULL;
}
