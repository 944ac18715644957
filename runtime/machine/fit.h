/* Whether a file may be loaded as a backend, and whether what it exports fits this library. Each answers NULL for yes,
 * else the reason in one sentence, which the caller frees. Any thread. */
#ifndef DV_FIT_H
#define DV_FIT_H

#include <divvy/backend.h>

/* Whose word counts: `file` is that of this library or of the program that it is part of, and `library` lies where the
 * library does: the same file, or for an installed program what would be beside its library. So the command judges as the
 * library of its installation. Without links; NULL: unknown. */
struct dv_home {
    const char *file, *library;
};

/* A folder to which nobody may write but root, this user, and the owner of the home's file: a user's build tree may be used
 * by root. It belongs to one of them, and neither its group nor others may write to it, sticky bit or not; a private group,
 * whose number is the owner's, is the owner. The folders above it are the same, up to the first in which the library lies
 * too, but there the sticky bit will do. */
char *dv_fit_folder(const char *path, struct dv_home home);

/* A file of which all that holds as well, links followed. */
char *dv_fit_file(const char *path, struct dv_home home);

/* What loading cannot refuse, since it would end the process: a file that was cut off, and one whose sanitizer, told by the
 * symbols that it wants, is not this library's. Other than ELF files pass: loading tells better. */
char *dv_fit_image(const char *path);

/* The object exported by the file at `path`, named libdivvy_<name>.so. */
char *dv_fit_backend(const char *path, const char *name, const divvy_backend *backend);

#endif
