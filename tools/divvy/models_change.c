/* divvy models drop, export and merge: what changes models, or carries them elsewhere. */
#include "models.h"

#include "base/status.h"
#include "record/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(void)
{
    fprintf(stderr, "divvy models: %s\n", dv_error_text());
    return 1;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* ---- drop ---- */

struct dropping {
    const struct models_choice *choice;
    const struct models_known *known;
    size_t dropped;
};

/* Takes out what is meant; costs go with the models of their device. */
static bool drop_rows(struct dv_store_kernel *kernel, void *edit_arg)
{
    struct dropping *dropping = edit_arg;
    size_t kept = 0;
    for (size_t m = 0; m < kernel->model_count; m++) {
        if (models_means_row(dropping->choice, dropping->known, &kernel->models[m].key)) {
            dv_store_key_free(&kernel->models[m].key);
            dropping->dropped++;
        } else {
            kernel->models[kept++] = kernel->models[m];
        }
    }
    kernel->model_count = kept;
    kept = 0;
    for (size_t c = 0; c < kernel->cost_count; c++) {
        if (models_means_row(dropping->choice, dropping->known, &kernel->costs[c].key))
            dv_store_key_free(&kernel->costs[c].key);
        else
            kernel->costs[kept++] = kernel->costs[c];
    }
    kernel->cost_count = kept;
    return true;
}

int models_drop(const struct models_choice *choice, struct models_known *known)
{
    struct dropping dropping = {.choice = choice, .known = known};
    divvy_status status = DIVVY_OK;
    int lock = dv_store_lock(&known->store);
    if (lock < 0)
        return fail();
    for (size_t k = 0; k < known->content.kernel_count && status == DIVVY_OK; k++)
        if (models_means_kernel(choice, &known->content.kernels[k]))
            status = dv_store_edit(&known->store, known->content.kernels[k].hash, drop_rows, &dropping);
    dv_store_unlock(lock);
    if (status != DIVVY_OK)
        return fail();
    printf("%zu model%s dropped\n", dropping.dropped, plural(dropping.dropped));
    return 0;
}

/* ---- export ---- */

/* What is meant of a kernel, as rows that borrow all they point to. False: no memory. */
static bool borrow(const struct models_choice *choice, const struct models_known *known,
                   const struct dv_store_kernel *kernel, struct dv_store_kernel *out)
{
    *out = *kernel;
    out->model_count = out->cost_count = 0;
    out->models = calloc(kernel->model_count + 1, sizeof *out->models);
    out->costs = calloc(kernel->cost_count + 1, sizeof *out->costs);
    for (size_t m = 0; out->models && m < kernel->model_count; m++)
        if (models_means_row(choice, known, &kernel->models[m].key))
            out->models[out->model_count++] = kernel->models[m];
    for (size_t c = 0; out->costs && c < kernel->cost_count; c++)
        if (models_means_row(choice, known, &kernel->costs[c].key))
            out->costs[out->cost_count++] = kernel->costs[c];
    return out->models && out->costs;
}

static divvy_status gather(const struct models_choice *choice, const struct models_known *known,
                           struct dv_store_content *out)
{
    out->kernels = calloc(known->content.kernel_count + 1, sizeof *out->kernels);
    bool all = out->kernels != NULL;
    for (size_t k = 0; all && k < known->content.kernel_count; k++)
        if (models_means_kernel(choice, &known->content.kernels[k]))
            all = borrow(choice, known, &known->content.kernels[k], &out->kernels[out->kernel_count++]);
    return all ? DIVVY_OK : dv_fail(DIVVY_NO_MEMORY, "no memory for the models");
}

static divvy_status write_file(const char *path, const struct dv_store_content *content)
{
    struct dv_file file;
    DV_TRY(dv_file_open(path, "models", &file));
    divvy_status status = dv_store_print(content, file.stream);
    if (status == DIVVY_OK)
        status = dv_file_finish(&file);
    dv_file_drop(&file);
    return status;
}

int models_export(const struct models_choice *choice, const struct models_known *known, const char *path)
{
    struct dv_store_content content = {0};
    divvy_status status = gather(choice, known, &content);
    bool standard = strcmp(path, "-") == 0;
    if (status == DIVVY_OK)
        status = standard ? dv_store_print(&content, stdout) : write_file(path, &content);
    size_t models = 0, kernels = content.kernel_count;
    for (size_t k = 0; k < kernels; k++) {
        models += content.kernels[k].model_count;
        free(content.kernels[k].models);
        free(content.kernels[k].costs);
    }
    free(content.kernels);
    if (status != DIVVY_OK)
        return fail();
    if (!standard)
        printf("%zu model%s of %zu kernel%s written to %s\n", models, plural(models), kernels, plural(kernels), path);
    return 0;
}

/* ---- merge ---- */

static bool merge_rows(struct dv_store_kernel *kernel, void *edit_arg)
{
    return dv_store_merge(kernel, edit_arg);
}

static divvy_status merge_content(struct models_known *known, const struct dv_store_content *content)
{
    divvy_status status = DIVVY_OK;
    int lock = dv_store_lock(&known->store);
    if (lock < 0)
        return DIVVY_IO;
    for (size_t k = 0; k < content->kernel_count && status == DIVVY_OK; k++)
        status = dv_store_edit(&known->store, content->kernels[k].hash, merge_rows, &content->kernels[k]);
    dv_store_unlock(lock);
    return status;
}

static int merge_file(struct models_known *known, const char *path)
{
    struct dv_store_content content;
    divvy_status status = dv_store_import(path, &content);
    if (status == DIVVY_OK)
        status = merge_content(known, &content);
    size_t models = 0, here = 0;
    for (size_t k = 0; k < content.kernel_count; k++) {
        models += content.kernels[k].model_count;
        for (size_t m = 0; m < content.kernels[k].model_count; m++)
            here += strcmp(content.kernels[k].models[m].key.host, known->host) == 0;
    }
    if (status == DIVVY_OK)
        printf("%zu model%s of %zu kernel%s merged from %s, %zu of this machine\n", models, plural(models),
               content.kernel_count, plural(content.kernel_count), path, here);
    dv_store_free(&content);
    return status == DIVVY_OK ? 0 : fail();
}

int models_merge(struct models_known *known, char **paths, int count)
{
    int status = 0;
    for (int k = 0; k < count; k++)
        status |= merge_file(known, paths[k]);
    return status;
}
