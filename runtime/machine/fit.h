/* Whether a file may be loaded as a backend, and whether what it exports fits this library. Each answers NULL for yes,
 * else the reason in one sentence, which the caller frees. Any thread. */
#ifndef DV_FIT_H
#define DV_FIT_H

#include <divvy/backend.h>

/* A folder to which only its owner may write. The owner's private group (whose number is the owner's) is the owner;
 * with the sticky bit, a folder of root or of this user is safe too. */
char *dv_fit_folder(const char *path);

/* A file to which only its owner may write, in a folder that fits; in one with the sticky bit, where anybody may put
 * files, it belongs to root or to this user. `path` is without links. */
char *dv_fit_file(const char *path);

/* The sanitizer of the file, told by the symbols that it wants, must be this library's: a sanitizer's runtime
 * that comes too late ends the process, so this is asked before loading. Other than ELF files pass. */
char *dv_fit_sanitizer(const char *path);

/* The object exported by the file at `path`, named libdivvy_<name>.so. */
char *dv_fit_backend(const char *path, const char *name, const divvy_backend *backend);

#endif
