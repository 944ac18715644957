/* Files that must not be another user's: what is loaded as code, or handed to drivers that believe it. */
#ifndef DV_TRUST_H
#define DV_TRUST_H

/* A file or folder itself, or a folder on the way to it, where the sticky bit keeps others from exchanging what is not
 * theirs. */
enum dv_trust { DV_TRUST_ITSELF, DV_TRUST_ABOVE };

/* NULL if a file or folder belongs to root, to this user or to the owner of the file `own` (NULL: nobody else), and
 * nobody else may write to it; else why not, in one sentence with its mode, to be freed. The owner's private group,
 * whose number is the owner's, is the owner. Links are followed. Any thread. */
char *dv_trust_look(const char *path, const char *own, enum dv_trust as);

#endif
