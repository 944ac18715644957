#include "record/file.h"

#include "base/status.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static divvy_status cannot_write(const char *what, const char *path, int error)
{
    return dv_fail(DIVVY_IO, "cannot write the %s %s: %s", what, path, strerror(error));
}

static divvy_status no_memory(const char *what)
{
    return dv_fail(DIVVY_NO_MEMORY, "no memory for a %s", what);
}

/* The folder of a path, with its last slash; "./" if it names none. NULL without memory. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash + 1 - path)) : strdup("./");
}

divvy_status dv_file_path(const char *path, const char *what, char **out_path)
{
    divvy_status status = DIVVY_OK;

    *out_path = realpath(path, NULL);
    if (*out_path)
        return DIVVY_OK;
    if (errno != ENOENT)
        return cannot_write(what, path, errno);

    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!*name)
        return dv_fail(DIVVY_IO, "cannot write the %s %s: a path to a file is needed", what, *path ? path : "\"\"");
    char *given = folder_of(path), *folder = given ? realpath(given, NULL) : NULL;
    if (!folder)
        status = cannot_write(what, path, errno);
    else if (asprintf(out_path, "%s/%s", strcmp(folder, "/") ? folder : "", name) < 0)
        status = no_memory(what);
    if (status)
        *out_path = NULL;
    free(folder);
    free(given);
    return status;
}

/* Devices and pipes would be replaced by the finished file. */
static divvy_status check_replaceable(const char *path, const char *what)
{
    struct stat found;

    if (stat(path, &found) == 0 && !S_ISREG(found.st_mode))
        return dv_fail(DIVVY_IO, "cannot write the %s %s: it exists and is not a regular file", what, path);
    return DIVVY_OK;
}

/* The n-th choice of a name beside the final one; false without memory. */
static bool choose_name(struct dv_file *file, unsigned n)
{
    free(file->temporary);
    if (asprintf(&file->temporary, "%s.%ld-%u.part", file->path, (long)getpid(), n) >= 0)
        return true;
    file->temporary = NULL;
    return false;
}

enum { NAMES = 100 };

/* A file without a name in the folder of the path; -1 if the file system has none, or none could be named later. */
static int open_nameless(const char *path)
{
    char *folder = folder_of(path);
    int descriptor = -1;

    if (folder && access("/proc/self/fd", X_OK) == 0)
        descriptor = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    free(folder);
    return descriptor;
}

static int open_named(struct dv_file *file)
{
    int descriptor = -1;

    for (unsigned n = 0; descriptor < 0 && n < NAMES; n++) {
        if (!choose_name(file, n))
            return -1;
        descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor < 0 && errno != EEXIST)
            break;
    }
    return descriptor;
}

void dv_file_leave(struct dv_file *file)
{
    if (file->stream)
        fclose(file->stream);
    free(file->temporary);
    *file = (struct dv_file){0};
}

void dv_file_drop(struct dv_file *file)
{
    if (file->temporary)
        unlink(file->temporary);
    dv_file_leave(file);
}

divvy_status dv_file_open(const char *path, const char *what, struct dv_file *out_file)
{
    struct dv_file file = {.path = path, .what = what};
    divvy_status status = check_replaceable(path, what);
    int descriptor = status ? -1 : open_nameless(path);

    *out_file = (struct dv_file){0};
    if (!status && descriptor < 0) {
        descriptor = open_named(&file);
        if (descriptor < 0) {
            status = file.temporary ? cannot_write(what, path, errno) : no_memory(what);
            free(file.temporary); /* another's, if it is there */
            file.temporary = NULL;
        }
    }
    file.stream = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    if (file.stream) {
        *out_file = file;
        return DIVVY_OK;
    }
    if (descriptor >= 0) {
        status = no_memory(what);
        close(descriptor);
    }
    dv_file_drop(&file);
    return status;
}

/* Gives a nameless file its temporary name. Returns 0 or the errno. */
static int name_it(struct dv_file *file)
{
    char itself[64];

    snprintf(itself, sizeof itself, "/proc/self/fd/%d", fileno(file->stream));
    for (unsigned n = 0; n < NAMES; n++) {
        if (!choose_name(file, n))
            return ENOMEM;
        if (linkat(AT_FDCWD, itself, AT_FDCWD, file->temporary, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    int error = errno;
    free(file->temporary);
    file->temporary = NULL;
    return error;
}

/* The errno of the first step that failed, 0 if the file is whole and in its place; `lasting`: and on the disk. */
static int finish(struct dv_file *file, bool lasting)
{
    int error = 0;

    errno = 0;
    if (fflush(file->stream) || ferror(file->stream))
        error = errno ? errno : EIO;
    /* Some file systems know no fsync. */
    if (!error && lasting && fsync(fileno(file->stream)) && errno != EINVAL && errno != ENOTSUP)
        error = errno;
    if (!error && !file->temporary)
        error = name_it(file);
    if (fclose(file->stream) && !error)
        error = errno;
    file->stream = NULL;
    if (!error && rename(file->temporary, file->path))
        error = errno;
    if (!error) { /* the name is gone */
        free(file->temporary);
        file->temporary = NULL;
    }
    return error;
}

divvy_status dv_file_finish(struct dv_file *file)
{
    int error = finish(file, true);
    return error ? cannot_write(file->what, file->path, error) : DIVVY_OK;
}

divvy_status dv_file_place(struct dv_file *file)
{
    int error = finish(file, false);
    return error ? cannot_write(file->what, file->path, error) : DIVVY_OK;
}

void dv_file_hold_size_signal(struct dv_held_signal *out_held)
{
    sigemptyset(&out_held->signal);
    sigaddset(&out_held->signal, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &out_held->signal, &out_held->before);
}

void dv_file_forget_size_signal(const struct dv_held_signal *held)
{
    if (sigismember(&held->before, SIGXFSZ) == 0)
        sigtimedwait(&held->signal, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}
