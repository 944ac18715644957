#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A profile of a thousand fully kept jobs is far below; more would not be read by anybody. */
static const size_t most_bytes = (size_t)1 << 30;

/* Half of what the machine has. */
static size_t most_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 ? (size_t)pages / 2 * (size_t)page_bytes : 4 * most_bytes;
}

static bool too_large(const char *name, char *problem, size_t problem_size)
{
    snprintf(problem, problem_size, "%s is too large: profiles of up to 1 GiB can be read", name);
    return false;
}

static bool fail(const char *name, const char *reason, char *problem, size_t problem_size)
{
    snprintf(problem, problem_size, "cannot read %s: %s", name, reason);
    return false;
}

/* All that comes, of whatever kind the file is. `out_bytes` is to be freed, also after a failure. */
static bool read_stream(FILE *file, const char *name, char **out_bytes, size_t *out_length, char *problem,
                        size_t problem_size)
{
    struct stat about;
    size_t size = 0;

    if (fstat(fileno(file), &about))
        return fail(name, strerror(errno), problem, problem_size);
    if (S_ISDIR(about.st_mode))
        return fail(name, strerror(EISDIR), problem, problem_size);
    if (S_ISREG(about.st_mode) && about.st_size > (off_t)most_bytes)
        return too_large(name, problem, problem_size);
    while (*out_length == size && size <= most_bytes) {
        size = size ? 2 * size : (size_t)1 << 16;
        char *larger = realloc(*out_bytes, size);
        if (!larger)
            return fail(name, "memory ran out", problem, problem_size);
        *out_bytes = larger;
        *out_length += fread(*out_bytes + *out_length, 1, size - *out_length, file);
    }
    if (ferror(file))
        return fail(name, strerror(errno), problem, problem_size);
    return *out_length <= most_bytes || too_large(name, problem, problem_size);
}

bool dv_view_read(const char *path, struct dv_view *out_view, char *problem, size_t problem_size)
{
    bool is_input = strcmp(path, "-") == 0;
    const char *name = is_input ? "the standard input" : path;
    FILE *file = is_input ? stdin : fopen(path, "rb");
    char *bytes = NULL;
    size_t length = 0;

    if (!file)
        return fail(name, strerror(errno), problem, problem_size);
    bool good = read_stream(file, name, &bytes, &length, problem, problem_size);
    if (!is_input)
        fclose(file);
    if (good)
        good = dv_view_parse(bytes, length, most_memory(), name, out_view, problem, problem_size);
    free(bytes);
    return good;
}
