/* divvy models list and show: what is known, as text and as JSON. */
#include "models.h"

#include "base/log.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Words ---- */

/* Files may hold anything, and a terminal obeys. At most `columns` bytes, 0: all. */
static void put(const char *text, int columns)
{
    char *copy = strdup(text);
    if (copy)
        dv_log_clean(copy, "");
    const char *shown = copy ? copy : "?";
    int length = (int)strlen(shown), cut = columns && length > columns ? columns : length;
    while (cut < length && cut > 0 && ((unsigned char)shown[cut] & 0xc0) == 0x80) /* not inside a character */
        cut--;
    printf("%.*s%*s", cut, shown, columns > cut ? columns - cut : 0, "");
    free(copy);
}

/* "1.5 us" */
static const char *duration(double ns, char *text, size_t size)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    int unit = 0;
    for (; ns >= 999.5 && unit < 3; unit++)
        ns /= 1000;
    snprintf(text, size, "%.3g %s", ns, units[unit]);
    return text;
}

/* "3 h" */
static const char *age(uint64_t since_s, uint64_t now_s, char *text, size_t size)
{
    uint64_t seconds = now_s > since_s ? now_s - since_s : 0;
    if (seconds < 7200)
        snprintf(text, size, "%d min", (int)(seconds / 60));
    else if (seconds < 172800)
        snprintf(text, size, "%d h", (int)(seconds / 3600));
    else
        snprintf(text, size, "%.0f days", floor((double)seconds / 86400));
    return text;
}

/* What a program that starts now makes of a model. */
static const char *state_of(const struct models_known *known, const struct dv_store_model *model)
{
    if (strcmp(model->key.host, known->host) != 0)
        return "other machine";
    if (model->samples < DV_STORE_BELIEVED)
        return "too few samples";
    if (dv_store_age(model, known->now_s) >= DV_STORE_UNCERTAIN)
        return "too uncertain";
    return model->jobs > 1 ? "running" : "learning";
}

/* ---- Text ---- */

static void print_row(const struct models_known *known, const struct dv_store_model *model)
{
    char fixed[32], rate[32], old[32];
    printf("  2^%-3u%9s%11s%6.0f %%%9llu%6llu%10s  %s\n", model->size_class,
           duration(model->fixed_ns, fixed, sizeof fixed), duration(model->ns_per_item, rate, sizeof rate),
           fmin(100 * dv_store_age(model, known->now_s), 9999), (unsigned long long)model->samples,
           (unsigned long long)model->jobs, age(model->stamp_s, known->now_s, old, sizeof old), state_of(known, model));
}

static const char row_head[] = "  size         a          b      +-  samples  jobs       age  state\n";

void models_print_list(const struct models_choice *choice, const struct models_known *known)
{
    enum { KERNEL = 20, CLASS = 28 };
    if (models_count(choice, known) == 0) {
        printf("no models in ");
        put(known->store.folder, 0);
        printf("%s\n", choice->kernel || choice->device_class ? " that are meant" : "");
        return;
    }
    printf("%-*s  %-*s%s", KERNEL, "kernel", CLASS, "class", row_head);
    for (size_t k = 0; k < known->content.kernel_count; k++) {
        const struct dv_store_kernel *kernel = &known->content.kernels[k];
        for (size_t m = 0; models_means_kernel(choice, kernel) && m < kernel->model_count; m++) {
            if (!models_means_row(choice, known, &kernel->models[m].key))
                continue;
            put(kernel->name, KERNEL);
            fputs("  ", stdout);
            put(kernel->models[m].key.device_class, CLASS);
            print_row(known, &kernel->models[m]);
        }
    }
}

static void print_key(const struct models_known *known, const struct dv_store_key *key)
{
    fputs("\n  ", stdout);
    put(key->device_class, 0);
    fputs("\n    backend ", stdout);
    put(key->backend, 0);
    fputs(", driver ", stdout);
    put(key->driver, 0);
    if (strcmp(key->host, known->host) != 0)
        printf(", machine %s", key->host);
    fputc('\n', stdout);
}

static void print_cost(const struct models_known *known, const struct dv_store_cost *cost)
{
    char probe[32], open[32], build[32], old[32];
    printf("    ready after: finding %s, opening %s, building %s; %s ago\n",
           duration((double)cost->probe_ns, probe, sizeof probe), duration((double)cost->open_ns, open, sizeof open),
           duration((double)cost->build_ns, build, sizeof build), age(cost->stamp_s, known->now_s, old, sizeof old));
}

/* Every key once, where it comes first, with all of its rows. */
static void print_kernel(const struct models_choice *choice, const struct models_known *known,
                         const struct dv_store_kernel *kernel)
{
    for (size_t m = 0; m < kernel->model_count; m++) {
        const struct dv_store_key *key = &kernel->models[m].key;
        bool first = models_means_row(choice, known, key);
        for (size_t before = 0; before < m; before++)
            first = first && !dv_store_key_is(&kernel->models[before].key, key);
        if (!first)
            continue;
        print_key(known, key);
        for (size_t c = 0; c < kernel->cost_count; c++)
            if (dv_store_key_is(&kernel->costs[c].key, key))
                print_cost(known, &kernel->costs[c]);
        printf("  %s", row_head);
        for (size_t row = m; row < kernel->model_count; row++) {
            if (!dv_store_key_is(&kernel->models[row].key, key))
                continue;
            fputs("  ", stdout);
            print_row(known, &kernel->models[row]);
        }
    }
}

void models_print_kernels(const struct models_choice *choice, const struct models_known *known)
{
    for (size_t k = 0; k < known->content.kernel_count; k++) {
        const struct dv_store_kernel *kernel = &known->content.kernels[k];
        if (!models_means_kernel(choice, kernel))
            continue;
        put(kernel->name, 0);
        printf("  %s\n", kernel->hash);
        print_kernel(choice, known, kernel);
        fputc('\n', stdout);
    }
    printf("The time of n items is a + n b; b is known to within +-. A model is running when a second job has proven "
           "it.\n");
}

/* ---- JSON ---- */

static cJSON *key_object(const struct models_known *known, const struct dv_store_key *key)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "backend", key->backend);
    cJSON_AddStringToObject(object, "class", key->device_class);
    cJSON_AddStringToObject(object, "driver", key->driver);
    cJSON_AddStringToObject(object, "machine", key->host);
    cJSON_AddBoolToObject(object, "this_machine", strcmp(key->host, known->host) == 0);
    return object;
}

static cJSON *model_object(const struct models_known *known, const struct dv_store_model *model)
{
    cJSON *object = key_object(known, &model->key);
    cJSON_AddNumberToObject(object, "size_class", model->size_class);
    cJSON_AddNumberToObject(object, "fixed_ns", model->fixed_ns);
    cJSON_AddNumberToObject(object, "ns_per_item", model->ns_per_item);
    cJSON_AddNumberToObject(object, "uncertainty", dv_store_age(model, known->now_s));
    cJSON_AddNumberToObject(object, "samples", (double)model->samples);
    cJSON_AddNumberToObject(object, "jobs", (double)model->jobs);
    cJSON_AddNumberToObject(object, "age_s",
                            known->now_s > model->stamp_s ? (double)(known->now_s - model->stamp_s) : 0);
    cJSON_AddStringToObject(object, "state", state_of(known, model));
    return object;
}

static cJSON *cost_object(const struct models_known *known, const struct dv_store_cost *cost)
{
    cJSON *object = key_object(known, &cost->key);
    cJSON_AddNumberToObject(object, "probe_ns", (double)cost->probe_ns);
    cJSON_AddNumberToObject(object, "open_ns", (double)cost->open_ns);
    cJSON_AddNumberToObject(object, "build_ns", (double)cost->build_ns);
    return object;
}

/* `whole`: with what it takes to be ready. */
static void add_kernel(const struct models_choice *choice, const struct models_known *known,
                       const struct dv_store_kernel *kernel, bool whole, cJSON *kernels)
{
    cJSON *object = cJSON_CreateObject(), *models = cJSON_CreateArray(), *costs = cJSON_CreateArray();
    cJSON_AddStringToObject(object, "kernel", kernel->name);
    cJSON_AddStringToObject(object, "hash", kernel->hash);
    for (size_t m = 0; m < kernel->model_count; m++)
        if (models_means_row(choice, known, &kernel->models[m].key))
            cJSON_AddItemToArray(models, model_object(known, &kernel->models[m]));
    for (size_t c = 0; whole && c < kernel->cost_count; c++)
        if (models_means_row(choice, known, &kernel->costs[c].key))
            cJSON_AddItemToArray(costs, cost_object(known, &kernel->costs[c]));
    cJSON_AddItemToObject(object, "models", models);
    if (whole)
        cJSON_AddItemToObject(object, "costs", costs);
    else
        cJSON_Delete(costs);
    cJSON_AddItemToArray(kernels, object);
}

void models_print_json(const struct models_choice *choice, const struct models_known *known, bool whole)
{
    cJSON *root = cJSON_CreateObject(), *kernels = cJSON_CreateArray();
    cJSON_AddStringToObject(root, "folder", known->store.folder);
    cJSON_AddStringToObject(root, "machine", known->host);
    for (size_t k = 0; k < known->content.kernel_count; k++)
        if (models_means_kernel(choice, &known->content.kernels[k]))
            add_kernel(choice, known, &known->content.kernels[k], whole, kernels);
    cJSON_AddItemToObject(root, "kernels", kernels);
    char *text = cJSON_Print(root);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(root);
}
