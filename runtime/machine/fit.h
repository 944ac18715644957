/* Whether a file may be loaded as a backend, and whether what it exports fits this library. Each answers NULL for yes,
 * else the reason in one sentence, which the caller frees. Any thread. */
#ifndef DV_FIT_H
#define DV_FIT_H

#include <divvy/backend.h>

/* A file or folder that only its owner may write to. The owner's private group (whose number is the owner's) is the
 * owner; a folder with the sticky bit is safe if it belongs to root or to this user. */
char *dv_fit_owner(const char *path);

/* The sanitizer of the file, told by the symbols that it wants, must be this library's: a sanitizer's runtime
 * that comes too late ends the process, so this is asked before loading. Other than ELF files pass. */
char *dv_fit_sanitizer(const char *path);

/* The object exported by the file at `path`, named libdivvy_<name>.so. */
char *dv_fit_backend(const char *path, const char *name, const divvy_backend *backend);

#endif
