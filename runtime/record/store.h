/* What was learned, from one run to the next: a folder with one file of JSON for each kernel.
 *
 * A file is a cache: one that is missing, damaged or of another version is a miss. Nobody waits for one, and many
 * processes may use a folder at once: files are replaced as a whole, under a lock that all of them take to write. */
#ifndef DV_STORE_H
#define DV_STORE_H

#include <divvy/descriptor.h>

#include <stdio.h>

enum {
    DV_STORE_VERSION = 1,
    DV_STORE_FILE_MAX = 2 << 20,    /* bytes of a file that is read or written */
    DV_STORE_EXPORT_MAX = 32 << 20, /* of one that holds many kernels */
    DV_STORE_ROWS_MAX = 512,        /* of a kernel: the oldest go */
    DV_STORE_TEXT_MAX = 511,        /* bytes of a name */
    DV_STORE_BELIEVED = 3,          /* samples: one that went wrong is found out by others */
    DV_STORE_HASH = 33,             /* 128 bits in hexadecimal digits, with the final zero */
};

/* Whose time it was. Each machine has its own rows, so that several may share a folder. */
struct dv_store_key {
    char host[DV_STORE_HASH]; /* the topology's digest */
    char *backend, *device_class, *driver;
};

/* The rate of one class in jobs of one size class. */
struct dv_store_model {
    struct dv_store_key key;
    unsigned size_class; /* log2 bucket of the count */
    double fixed_ns, ns_per_item, uncertainty;
    uint64_t samples, jobs; /* partitions that were measured; jobs in which there were any */
    uint64_t stamp_s;       /* when it was last measured, since 1970 */

    /* Not in files, of a row that is news to one: the samples of the row that it continues, which then are not among its
     * own; whether it rather replaces that, which was not believed; whether nothing could be measured, since the device
     * was parked in every job. */
    uint64_t known_samples;
    bool anew, doubted;
};

/* What it took to make a device of one class ready. 0: not known. */
struct dv_store_cost {
    struct dv_store_key key;
    uint64_t probe_ns, open_ns, build_ns; /* of the backend, the device, the kernel */
    uint64_t stamp_s;
};

struct dv_store_kernel {
    char hash[DV_STORE_HASH]; /* of its content: see dv_store_hash */
    char *name;
    size_t model_count, cost_count;
    struct dv_store_model *models;
    struct dv_store_cost *costs;
};

/* What a file holds: one kernel in a folder, any number in one that was exported. */
struct dv_store_content {
    size_t kernel_count;
    struct dv_store_kernel *kernels;
};

/* ---- Text (store_text.c): no file is touched ---- */

enum dv_store_found {
    DV_STORE_NOTHING, /* there is no file */
    DV_STORE_READ,
    DV_STORE_DAMAGED,
    DV_STORE_OTHER_VERSION,
};

/* Any bytes. READ, or why not, in one line of `error`; then *out_content is empty. */
enum dv_store_found dv_store_parse(const char *text, size_t bytes, struct dv_store_content *out_content, char *error,
                                   size_t error_bytes);

/* NO_MEMORY; errors of the file stay in the file. */
divvy_status dv_store_print(const struct dv_store_content *content, FILE *file);

void dv_store_free(struct dv_store_content *content);
void dv_store_kernel_free(struct dv_store_kernel *kernel);

/* ---- Rows (store_rows.c) ---- */

/* A kernel is what its text is: name, parameters, flags such as fast math, source; of a host kernel, which has no source,
 * the program that it is part of. */
void dv_store_hash(const divvy_kernel *kernel, char *out_hash);

/* The digits of 16 bytes. */
void dv_store_digits(const uint8_t bytes[16], char *out_digits);

bool dv_store_key_is(const struct dv_store_key *key, const struct dv_store_key *other);

/* A key of copies that a file can hold. False: no memory, or a text is too long to be kept. */
bool dv_store_key_make(const char *host, const char *backend, const char *device_class, const char *driver,
                       struct dv_store_key *out_key);
void dv_store_key_free(struct dv_store_key *key);

/* How uncertain a model is by now: a tenth more for each day on which nobody measured it, as long as that is below
 * DV_STORE_UNCERTAIN, from which on it is as good as none. */
#define DV_STORE_UNCERTAIN 0.7
double dv_store_age(const struct dv_store_model *model, uint64_t now_s);

/* Adds the rows of `from` to those of the same kernel. Where both have one, means are weighted by the samples that are
 * new to each other, and disagreement makes uncertain. The oldest rows go if they are too many. False: no memory; then
 * some rows may be missing. */
bool dv_store_merge(struct dv_store_kernel *into, const struct dv_store_kernel *from);

/* ---- Folders (store.c) ---- */

struct dv_store {
    char *folder;       /* "": the default one, not looked for yet. NULL: nothing is kept */
    bool looked, sound; /* whether it may be believed; looked at when first needed */
    void (*told)(void *told_arg, const char *text);
    void *told_arg;
};

/* `setting`: "off", "" for the default folder, or a folder, which stays the same when the program changes its own. Looks
 * at nothing yet. `told`, if not NULL, hears of each file that is not believed; so does the log. NO_MEMORY. */
divvy_status dv_store_open(const char *setting, void (*told)(void *told_arg, const char *text), void *told_arg,
                           struct dv_store *out_store);
void dv_store_close(struct dv_store *store);

/* The folder if there is one that can be believed, else NULL. `make`: it is made. */
const char *dv_store_folder(struct dv_store *store, bool make);

/* The kernel with this hash. NOTHING without a word; for what is rejected one warning. */
enum dv_store_found dv_store_read(struct dv_store *store, const char *hash, struct dv_store_kernel *out_kernel);

/* The hashes of all kernels there are, in order; free() them. False: no memory. */
bool dv_store_list(struct dv_store *store, char (**out_hashes)[DV_STORE_HASH], size_t *out_count);

/* Holds the folder's lock, for as long as the descriptor is not given back; waits a second at most. -1: with the error
 * text. */
int dv_store_lock(struct dv_store *store);
void dv_store_unlock(int lock);

/* Under the lock: replaces the file of a kernel by what `edit` makes of it, which finds it empty but for the hash where
 * there is none; a kernel without rows is removed. A file of another version is left alone. IO, NO_MEMORY, INVALID. */
divvy_status dv_store_edit(struct dv_store *store, const char *hash,
                           bool (*edit)(struct dv_store_kernel *kernel, void *edit_arg), void *edit_arg);

/* A file that was exported, "-": the standard input. IO, INVALID. */
divvy_status dv_store_import(const char *path, struct dv_store_content *out_content);

#endif
