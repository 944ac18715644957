/* The store's files as text: JSON in, which is believed only if all of it makes sense, and JSON out. */
#include "record/store.h"

#include "base/status.h"

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* JSON's numbers are doubles: whole ones are exact up to here. */
#define WHOLE_MAX 9007199254740992.0
/* What numbers of a row may be. */
#define REAL_MAX 1e18
#define RATE_LEAST 1e-9
#define UNCERTAINTY_MAX 1000.0

/* ---- In ---- */

/* Where the first mistake is told. */
struct reading {
    char *error;
    size_t error_bytes;
    bool failed;
};

static bool fail(struct reading *reading, const char *what, const char *why)
{
    if (!reading->failed)
        snprintf(reading->error, reading->error_bytes, "%s %s", what, why);
    reading->failed = true;
    return false;
}

static double number(struct reading *reading, const cJSON *object, const char *name, double least, double most)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (cJSON_IsNumber(item) && item->valuedouble >= least && item->valuedouble <= most)
        return item->valuedouble;
    fail(reading, name, item ? "is not a number within its range" : "is missing");
    return least;
}

static uint64_t whole(struct reading *reading, const cJSON *object, const char *name)
{
    double value = number(reading, object, name, 0, WHOLE_MAX);
    if (value != floor(value))
        fail(reading, name, "is not a whole number");
    return (uint64_t)value;
}

/* A copy; NULL after a mistake. */
static char *text(struct reading *reading, const cJSON *object, const char *name)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    if (!value || strlen(value) > DV_STORE_TEXT_MAX) {
        fail(reading, name, value ? "is too long" : "is not a text");
        return NULL;
    }
    char *copy = strdup(value);
    if (!copy)
        fail(reading, name, "does not fit into memory");
    return copy;
}

static void digits(struct reading *reading, const cJSON *object, const char *name, char *out)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    if (value && strlen(value) == DV_STORE_HASH - 1 && strspn(value, "0123456789abcdef") == DV_STORE_HASH - 1)
        memcpy(out, value, DV_STORE_HASH);
    else
        fail(reading, name, "is not 32 hexadecimal digits");
}

static void read_key(struct reading *reading, const cJSON *object, struct dv_store_key *key)
{
    digits(reading, object, "host", key->host);
    key->backend = text(reading, object, "backend");
    key->device_class = text(reading, object, "class");
    key->driver = text(reading, object, "driver");
}

static void read_model(struct reading *reading, const cJSON *object, struct dv_store_model *model)
{
    read_key(reading, object, &model->key);
    model->size_class = (unsigned)number(reading, object, "size_class", 0, 63);
    model->fixed_ns = number(reading, object, "fixed_ns", 0, REAL_MAX);
    model->ns_per_item = number(reading, object, "ns_per_item", RATE_LEAST, REAL_MAX);
    model->uncertainty = number(reading, object, "uncertainty", 0, UNCERTAINTY_MAX);
    model->samples = whole(reading, object, "samples");
    model->jobs = whole(reading, object, "jobs");
    model->stamp_s = whole(reading, object, "stamp");
}

static void read_cost(struct reading *reading, const cJSON *object, struct dv_store_cost *cost)
{
    read_key(reading, object, &cost->key);
    cost->probe_ns = whole(reading, object, "probe_ns");
    cost->open_ns = whole(reading, object, "open_ns");
    cost->build_ns = whole(reading, object, "build_ns");
    cost->stamp_s = whole(reading, object, "stamp");
}

/* The rows of a list, zeroed, of a size that the text itself limits. NULL after a mistake. */
static void *rows(struct reading *reading, const cJSON *object, const char *name, size_t row_bytes, const cJSON **out)
{
    *out = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsArray(*out)) {
        fail(reading, name, "is not a list");
        return NULL;
    }
    void *memory = calloc((size_t)cJSON_GetArraySize(*out) + 1, row_bytes);
    if (!memory)
        fail(reading, name, "does not fit into memory");
    return memory;
}

static void read_kernel(struct reading *reading, const cJSON *object, struct dv_store_kernel *kernel)
{
    const cJSON *list, *row;
    digits(reading, object, "hash", kernel->hash);
    kernel->name = text(reading, object, "kernel");
    kernel->models = rows(reading, object, "models", sizeof *kernel->models, &list);
    for (row = kernel->models ? list->child : NULL; row && !reading->failed; row = row->next)
        read_model(reading, row, &kernel->models[kernel->model_count++]);
    kernel->costs = rows(reading, object, "costs", sizeof *kernel->costs, &list);
    for (row = kernel->costs ? list->child : NULL; row && !reading->failed; row = row->next)
        read_cost(reading, row, &kernel->costs[kernel->cost_count++]);
}

static enum dv_store_found read_root(struct reading *reading, const cJSON *root, struct dv_store_content *content)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(root, "divvy_models"), *list, *row;
    if (!cJSON_IsNumber(version)) {
        fail(reading, "it", "holds no models of divvy");
        return DV_STORE_DAMAGED;
    }
    if (version->valuedouble != DV_STORE_VERSION) {
        snprintf(reading->error, reading->error_bytes, "it is of version %g; this divvy knows version %d",
                 version->valuedouble, DV_STORE_VERSION);
        reading->failed = true;
        return DV_STORE_OTHER_VERSION;
    }
    content->kernels = rows(reading, root, "kernels", sizeof *content->kernels, &list);
    for (row = content->kernels ? list->child : NULL; row && !reading->failed; row = row->next)
        read_kernel(reading, row, &content->kernels[content->kernel_count++]);
    return reading->failed ? DV_STORE_DAMAGED : DV_STORE_READ;
}

enum dv_store_found dv_store_parse(const char *text, size_t bytes, struct dv_store_content *out_content, char *error,
                                   size_t error_bytes)
{
    struct reading reading = {.error_bytes = error_bytes};
    reading.error = error;
    *out_content = (struct dv_store_content){0};
    cJSON *root = cJSON_ParseWithLength(text, bytes);
    if (!root) {
        fail(&reading, "it", "is not JSON");
        return DV_STORE_DAMAGED;
    }
    enum dv_store_found found = read_root(&reading, root, out_content);
    cJSON_Delete(root);
    if (found != DV_STORE_READ)
        dv_store_free(out_content);
    return found;
}

/* ---- Out ---- */

/* One row on a line of its own, which is freed. */
static bool put(FILE *file, const char *before, cJSON *row, bool whole_row)
{
    char *line = whole_row ? cJSON_PrintUnformatted(row) : NULL;
    if (line)
        fprintf(file, "%s%s", before, line);
    cJSON_free(line);
    cJSON_Delete(row);
    return line != NULL;
}

static bool add_whole(cJSON *row, const char *name, uint64_t value)
{
    return cJSON_AddNumberToObject(row, name, fmin((double)value, WHOLE_MAX)) != NULL;
}

/* Within what is read again. */
static bool add_real(cJSON *row, const char *name, double value, double least, double most)
{
    return cJSON_AddNumberToObject(row, name, fmin(fmax(value, least), most)) != NULL;
}

static bool add_text(cJSON *row, const char *name, const char *value)
{
    return cJSON_AddStringToObject(row, name, value) != NULL;
}

static bool add_key(cJSON *row, const struct dv_store_key *key)
{
    return add_text(row, "host", key->host) && add_text(row, "backend", key->backend) &&
           add_text(row, "class", key->device_class) && add_text(row, "driver", key->driver);
}

static bool put_model(FILE *file, const char *before, const struct dv_store_model *model)
{
    cJSON *row = cJSON_CreateObject();
    return put(file, before, row,
               row && add_key(row, &model->key) && add_whole(row, "size_class", model->size_class) &&
                   add_real(row, "fixed_ns", model->fixed_ns, 0, REAL_MAX) &&
                   add_real(row, "ns_per_item", model->ns_per_item, RATE_LEAST, REAL_MAX) &&
                   add_real(row, "uncertainty", model->uncertainty, 0, UNCERTAINTY_MAX) &&
                   add_whole(row, "samples", model->samples) && add_whole(row, "jobs", model->jobs) &&
                   add_whole(row, "stamp", model->stamp_s));
}

static bool put_cost(FILE *file, const char *before, const struct dv_store_cost *cost)
{
    cJSON *row = cJSON_CreateObject();
    return put(file, before, row,
               row && add_key(row, &cost->key) && add_whole(row, "probe_ns", cost->probe_ns) &&
                   add_whole(row, "open_ns", cost->open_ns) && add_whole(row, "build_ns", cost->build_ns) &&
                   add_whole(row, "stamp", cost->stamp_s));
}

static bool put_kernel(FILE *file, const struct dv_store_kernel *kernel)
{
    cJSON *name = cJSON_CreateString(kernel->name);
    fprintf(file, "{\"hash\":\"%s\",", kernel->hash);
    bool whole_kernel = put(file, "\"kernel\":", name, name != NULL);
    fputs(",\n\"models\":[", file);
    for (size_t m = 0; m < kernel->model_count; m++)
        whole_kernel = put_model(file, m ? ",\n" : "\n", &kernel->models[m]) && whole_kernel;
    fputs("],\n\"costs\":[", file);
    for (size_t c = 0; c < kernel->cost_count; c++)
        whole_kernel = put_cost(file, c ? ",\n" : "\n", &kernel->costs[c]) && whole_kernel;
    fputs("]}", file);
    return whole_kernel;
}

divvy_status dv_store_print(const struct dv_store_content *content, FILE *file)
{
    bool all = true;
    fprintf(file, "{\"divvy_models\":%d,\n\"kernels\":[", DV_STORE_VERSION);
    for (size_t k = 0; k < content->kernel_count; k++) {
        fputs(k ? ",\n" : "\n", file);
        all = put_kernel(file, &content->kernels[k]) && all;
    }
    fputs("]}\n", file);
    return all ? DIVVY_OK : dv_fail(DIVVY_NO_MEMORY, "memory ran out while models were written");
}

/* ---- Freeing ---- */

void dv_store_kernel_free(struct dv_store_kernel *kernel)
{
    for (size_t m = 0; m < kernel->model_count; m++)
        dv_store_key_free(&kernel->models[m].key);
    for (size_t c = 0; c < kernel->cost_count; c++)
        dv_store_key_free(&kernel->costs[c].key);
    free(kernel->models);
    free(kernel->costs);
    free(kernel->name);
    *kernel = (struct dv_store_kernel){0};
}

void dv_store_free(struct dv_store_content *content)
{
    for (size_t k = 0; k < content->kernel_count; k++)
        dv_store_kernel_free(&content->kernels[k]);
    free(content->kernels);
    *content = (struct dv_store_content){0};
}
