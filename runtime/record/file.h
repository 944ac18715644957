/* A file that is there whole or not at all: written without a name, or under another one, and given its own when all of
 * it is on the disk. */
#ifndef DV_FILE_H
#define DV_FILE_H

#include <divvy.h>

#include <signal.h>
#include <stdio.h>

struct dv_file {
    const char *path; /* from the root; belongs to the caller */
    const char *what; /* "profile": what errors call it; belongs to the caller */
    char *temporary;  /* the name until it is finished; NULL: none, and nothing is left behind if the program dies */
    FILE *stream;     /* to write to; its errors are told by dv_file_finish */
};

/* The path from the root, links followed, so that a program may change its folder meanwhile and that two spellings of
 * one path are the same. To be freed. IO, NO_MEMORY. */
divvy_status dv_file_path(const char *path, const char *what, char **out_path);

/* Opens a file to write, so that a place that cannot be written to is told now. `path` is from dv_file_path, and must
 * outlive the file. IO, NO_MEMORY. */
divvy_status dv_file_open(const char *path, const char *what, struct dv_file *out_file);

/* Puts it into its place if all of it could be written; IO else. What was there before stays unless this succeeds. */
divvy_status dv_file_finish(struct dv_file *file);

/* The same without waiting for the disk: for what may be lost when the machine fails. */
divvy_status dv_file_place(struct dv_file *file);

/* Removes it, if it was not finished, and frees everything. A file of zeros is fine. */
void dv_file_drop(struct dv_file *file);

/* In a child process: frees everything; the file is the parent's. */
void dv_file_leave(struct dv_file *file);

/* A limit on the size of files is an error like a full disk, and does not end the program: held while something is
 * written by this thread. */
struct dv_held_signal {
    sigset_t signal, before;
};
void dv_file_hold_size_signal(struct dv_held_signal *out_held);
void dv_file_forget_size_signal(const struct dv_held_signal *held);

#endif
