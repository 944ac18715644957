/* divvy models: what was learned in earlier runs. The parts of the command. */
#ifndef MODELS_H
#define MODELS_H

#include "record/store.h"

/* Which rows are meant. */
struct models_choice {
    const char *kernel;       /* its name, or the beginning of its hash; NULL: any */
    const char *device_class; /* a part of it; NULL: any */
    bool all;                 /* rows of other machines too */
    bool json;
};

/* What is known here: everything that the folder holds. */
struct models_known {
    struct dv_store store;
    char host[DV_STORE_HASH]; /* this machine */
    uint64_t now_s;
    struct dv_store_content content;
};

bool models_means_kernel(const struct models_choice *choice, const struct dv_store_kernel *kernel);
bool models_means_row(const struct models_choice *choice, const struct models_known *known,
                      const struct dv_store_key *key);

/* How many models are meant. */
size_t models_count(const struct models_choice *choice, const struct models_known *known);

/* As text or JSON, to the standard output. */
void models_print_list(const struct models_choice *choice, const struct models_known *known);
void models_print_kernels(const struct models_choice *choice, const struct models_known *known);
void models_print_json(const struct models_choice *choice, const struct models_known *known, bool whole);

/* The exit status; what was done is told. */
int models_drop(const struct models_choice *choice, struct models_known *known);
int models_export(const struct models_choice *choice, const struct models_known *known, const char *path);
int models_merge(struct models_known *known, char **paths, int count);

#endif
