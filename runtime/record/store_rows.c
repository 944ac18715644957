/* The store's rows: whose they are, how they age, and what becomes of two that know of the same thing. */
#include "record/store.h"

#include "base/hash.h"
#include "record/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Keys ---- */

void dv_store_digits(const uint8_t bytes[16], char *out_digits)
{
    for (int k = 0; k < 16; k++)
        snprintf(out_digits + 2 * (size_t)k, 3, "%02x", bytes[k]);
}

/* All that makes a kernel what it is, with zeros between, so that texts do not flow into each other. */
static void describe(const divvy_kernel *kernel, FILE *out)
{
    fprintf(out, "%s%c%u%c", kernel->name, 0, (unsigned)kernel->flags, 0);
    for (uint32_t k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        fprintf(out, "%s%c%d %d %zu%c", parameter->name, 0, (int)parameter->kind, (int)parameter->element,
                parameter->element_bytes, 0);
    }
    if (kernel->source) {
        fwrite(kernel->source, 1, kernel->source_bytes, out);
    } else {
        char program[4096];
        ssize_t length = readlink("/proc/self/exe", program, sizeof program);
        fwrite(program, 1, length > 0 ? (size_t)length : 0, out);
    }
}

void dv_store_hash(const divvy_kernel *kernel, char *out_hash)
{
    char *words = NULL;
    size_t bytes = 0;
    uint8_t hash[16];
    FILE *out = open_memstream(&words, &bytes);
    if (out) {
        describe(kernel, out);
        fclose(out);
    }
    dv_hash(words ? words : "", words ? bytes : 0, hash);
    dv_store_digits(hash, out_hash);
    free(words);
}

bool dv_store_key_is(const struct dv_store_key *key, const struct dv_store_key *other)
{
    return strcmp(key->host, other->host) == 0 && strcmp(key->device_class, other->device_class) == 0 &&
           strcmp(key->driver, other->driver) == 0 && strcmp(key->backend, other->backend) == 0;
}

static bool fits(const char *text)
{
    return text && strlen(text) <= DV_STORE_TEXT_MAX;
}

bool dv_store_key_make(const char *host, const char *backend, const char *device_class, const char *driver,
                       struct dv_store_key *out_key)
{
    snprintf(out_key->host, sizeof out_key->host, "%s", host);
    out_key->backend = dv_json_clean(backend);
    out_key->device_class = dv_json_clean(device_class);
    out_key->driver = dv_json_clean(driver);
    bool made = fits(out_key->backend) && fits(out_key->device_class) && fits(out_key->driver);
    if (!made)
        dv_store_key_free(out_key);
    return made;
}

void dv_store_key_free(struct dv_store_key *key)
{
    free(key->backend);
    free(key->device_class);
    free(key->driver);
    key->backend = key->device_class = key->driver = NULL;
}

static bool copy_key(const struct dv_store_key *key, struct dv_store_key *out_key)
{
    return dv_store_key_make(key->host, key->backend, key->device_class, key->driver, out_key);
}

/* ---- Ageing ---- */

/* A device that is parked because of what was stored is never measured again: each run makes that less certain, until
 * after the fifth it is tried. */
static const double PARKED = 0.25, DOUBT = 1.25;

double dv_store_age(const struct dv_store_model *model, uint64_t now_s)
{
    double days = now_s > model->stamp_s ? floor((double)(now_s - model->stamp_s) / 86400) : 0;
    double aged = model->uncertainty * exp(fmin(days, 10000) * log(1.1));
    return fmax(model->uncertainty, fmin(aged, DV_STORE_UNCERTAIN));
}

/* ---- Merging ---- */

/* Counts in files stay whole numbers of JSON. */
static uint64_t add_up(uint64_t count, uint64_t more)
{
    static const uint64_t most = UINT64_C(1) << 53;
    return count < most && more < most - count ? count + more : most;
}

/* The mean of two rates by their weights, as factors; how far each is from it is uncertainty too. */
static void mix(struct dv_store_model *into, double weight, const struct dv_store_model *from, double from_weight)
{
    double all = weight + from_weight, apart = log(from->ns_per_item / into->ns_per_item);
    double shift = from_weight / all * apart, other = apart - shift;
    double u = into->uncertainty, v = from->uncertainty;
    into->uncertainty = sqrt((weight * (u * u + shift * shift) + from_weight * (v * v + other * other)) / all);
    into->ns_per_item *= exp(shift);
}

/* The same row, which came back: it tells nothing new. */
static bool is_same(const struct dv_store_model *model, const struct dv_store_model *other)
{
    return other->known_samples == 0 && model->stamp_s == other->stamp_s && model->samples == other->samples &&
           model->ns_per_item == other->ns_per_item;
}

static void merge_model(struct dv_store_model *into, const struct dv_store_model *from)
{
    bool others = into->samples > from->known_samples; /* wrote meanwhile */
    if (from->doubted && !others)
        into->uncertainty = fmax(into->uncertainty, fmin(fmax(into->uncertainty, PARKED) * DOUBT, DV_STORE_UNCERTAIN));
    if (from->samples == 0 || is_same(into, from))
        return;
    if (into->samples < DV_STORE_BELIEVED && from->samples >= DV_STORE_BELIEVED)
        others = false;
    if (others) {
        mix(into, (double)(into->samples - from->known_samples), from, (double)from->samples);
    } else {
        into->ns_per_item = from->ns_per_item;
        into->uncertainty = from->uncertainty;
    }
    if (from->anew && !others)
        into->samples = into->jobs = 0;
    if (from->stamp_s >= into->stamp_s) {
        into->fixed_ns = from->fixed_ns;
        into->stamp_s = from->stamp_s;
    }
    into->samples = add_up(into->samples, from->samples);
    into->jobs = add_up(into->jobs, from->jobs);
}

static bool reserve(void **rows, size_t count, size_t more, size_t row_bytes)
{
    void *grown = realloc(*rows, (count + more + 1) * row_bytes);
    if (grown)
        *rows = grown;
    return grown != NULL;
}

static bool merge_models(struct dv_store_kernel *into, const struct dv_store_kernel *from)
{
    if (!reserve((void **)&into->models, into->model_count, from->model_count, sizeof *into->models))
        return false;
    for (size_t f = 0; f < from->model_count; f++) {
        const struct dv_store_model *model = &from->models[f];
        size_t m = 0;
        while (m < into->model_count &&
               (into->models[m].size_class != model->size_class || !dv_store_key_is(&into->models[m].key, &model->key)))
            m++;
        if (m < into->model_count) {
            merge_model(&into->models[m], model);
        } else if (model->samples > 0) { /* else it was dropped meanwhile */
            struct dv_store_model *fresh = &into->models[m];
            *fresh = *model;
            if (!copy_key(&model->key, &fresh->key))
                return false;
            fresh->known_samples = 0;
            fresh->anew = fresh->doubted = false;
            into->model_count++;
        }
    }
    return true;
}

/* What is known is kept where the other does not know; else the later counts. */
static void merge_cost(struct dv_store_cost *into, const struct dv_store_cost *from)
{
    bool later = from->stamp_s >= into->stamp_s;
    into->probe_ns = from->probe_ns && (later || !into->probe_ns) ? from->probe_ns : into->probe_ns;
    into->open_ns = from->open_ns && (later || !into->open_ns) ? from->open_ns : into->open_ns;
    into->build_ns = from->build_ns && (later || !into->build_ns) ? from->build_ns : into->build_ns;
    into->stamp_s = later ? from->stamp_s : into->stamp_s;
}

static bool merge_costs(struct dv_store_kernel *into, const struct dv_store_kernel *from)
{
    if (!reserve((void **)&into->costs, into->cost_count, from->cost_count, sizeof *into->costs))
        return false;
    for (size_t f = 0; f < from->cost_count; f++) {
        size_t c = 0;
        while (c < into->cost_count && !dv_store_key_is(&into->costs[c].key, &from->costs[f].key))
            c++;
        if (c < into->cost_count) {
            merge_cost(&into->costs[c], &from->costs[f]);
        } else {
            into->costs[c] = from->costs[f];
            if (!copy_key(&from->costs[f].key, &into->costs[c].key))
                return false;
            into->cost_count++;
        }
    }
    return true;
}

static int latest_model_first(const void *a, const void *b)
{
    const struct dv_store_model *x = a, *y = b;
    return x->stamp_s > y->stamp_s ? -1 : x->stamp_s < y->stamp_s;
}

static int latest_cost_first(const void *a, const void *b)
{
    const struct dv_store_cost *x = a, *y = b;
    return x->stamp_s > y->stamp_s ? -1 : x->stamp_s < y->stamp_s;
}

/* A file does not grow for ever: machines and drivers come and go. */
static void drop_oldest(struct dv_store_kernel *kernel)
{
    if (kernel->model_count > DV_STORE_ROWS_MAX) {
        qsort(kernel->models, kernel->model_count, sizeof *kernel->models, latest_model_first);
        while (kernel->model_count > DV_STORE_ROWS_MAX)
            dv_store_key_free(&kernel->models[--kernel->model_count].key);
    }
    if (kernel->cost_count > DV_STORE_ROWS_MAX) {
        qsort(kernel->costs, kernel->cost_count, sizeof *kernel->costs, latest_cost_first);
        while (kernel->cost_count > DV_STORE_ROWS_MAX)
            dv_store_key_free(&kernel->costs[--kernel->cost_count].key);
    }
}

bool dv_store_merge(struct dv_store_kernel *into, const struct dv_store_kernel *from)
{
    if (!into->name)
        into->name = dv_json_clean(from->name);
    bool merged = into->name && merge_models(into, from) && merge_costs(into, from);
    drop_oldest(into);
    return merged;
}
