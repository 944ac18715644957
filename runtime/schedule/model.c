#include "schedule/model.h"

#include "base/log.h"
#include "base/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PATIENCE_JOBS = 16 };

/* What a rate loses in certainty when it is lent to another size class. */
static const double LENT_UNCERTAINTY = 0.25;
/* A rate from which all devices of the class have come so far away in a job, as a logarithm, was wrong; less is what this
 * job was like. */
static const double SETTLED = 0.5;
/* Of a job as a whole: uncertainty to begin with, and that from which on the last time was a surprise. */
static const double OBSERVED_UNCERTAINTY = 0.25, SURPRISED = 0.5;

void dv_models_init(struct dv_models *models)
{
    *models = (struct dv_models){0};
    pthread_mutex_init(&models->mutex, NULL);
}

void dv_models_fini(struct dv_models *models)
{
    for (size_t m = 0; m < models->count; m++)
        dv_store_key_free(&models->models[m].key);
    for (size_t k = 0; k < models->known_count; k++) {
        for (size_t c = 0; c < models->known[k].cost_count; c++)
            dv_store_key_free(&models->known[k].costs[c].key);
        free(models->known[k].costs);
        free(models->known[k].name);
    }
    free(models->models);
    free(models->known);
    dv_store_close(&models->store);
    pthread_mutex_destroy(&models->mutex);
}

/* Room for one more row; false without memory. */
static bool make_room(void **rows, size_t count, size_t *capacity, size_t row_bytes)
{
    if (count < *capacity)
        return true;
    size_t wanted = *capacity ? 2 * *capacity : 16;
    void *grown = realloc(*rows, wanted * row_bytes);
    if (!grown)
        return false;
    *rows = grown;
    *capacity = wanted;
    return true;
}

/* ---- Earlier runs ---- */

static void tell_profile(void *told_arg, const char *text)
{
    struct dv_models *models = told_arg;
    if (models->profile)
        dv_profile_add_event(models->profile, "model rejected", -1, 0, "%s", text);
}

divvy_status dv_models_keep_in(struct dv_models *models, const char *setting, const struct dv_topology *host,
                               struct dv_profile *profile)
{
    models->profile = profile;
    dv_store_digits(host->digest, models->host);
    return dv_store_open(setting, tell_profile, models, &models->store);
}

/* One more model of this machine, unless it rests on too little: then what is measured now is a second opinion. One that
 * is too uncertain to be believed has no rate here; what is measured now replaces it. */
static void take_stored(struct dv_models *models, const divvy_kernel *kernel, struct dv_store_model *row)
{
    double uncertainty = dv_store_age(row, (uint64_t)time(NULL));
    if (strcmp(row->key.host, models->host) != 0 || row->samples < DV_STORE_BELIEVED ||
        !make_room((void **)&models->models, models->count, &models->capacity, sizeof *models->models))
        return;
    struct dv_model *model = &models->models[models->count++];
    *model = (struct dv_model){
        .kernel = kernel,
        .key = row->key,
        .size_class = row->size_class,
        .fixed_ns = row->fixed_ns,
        .known_samples = row->samples,
        .known_jobs = row->jobs,
        .stored = true,
        .anew = uncertainty >= DV_STORE_UNCERTAIN,
    };
    if (!model->anew) {
        model->jobs = row->jobs;
        model->rate =
            (struct dv_rate){.ns_per_item = row->ns_per_item, .uncertainty = uncertainty, .samples = row->samples};
    }
    row->key = (struct dv_store_key){0}; /* it is the model's now */
}

static void read_store(struct dv_models *models, struct dv_known *known)
{
    struct dv_store_kernel stored;
    dv_store_hash(known->kernel, known->hash);
    if (dv_store_read(&models->store, known->hash, &stored) != DV_STORE_READ)
        return;
    for (size_t m = 0; m < stored.model_count; m++)
        take_stored(models, known->kernel, &stored.models[m]);
    known->costs = stored.costs;
    known->cost_count = stored.cost_count;
    stored.costs = NULL;
    stored.cost_count = 0;
    dv_store_kernel_free(&stored);
}

/* What is known of a kernel; at the first meeting that is what earlier runs have left. NULL without memory. */
static struct dv_known *know(struct dv_models *models, const divvy_kernel *kernel)
{
    for (size_t k = 0; k < models->known_count; k++)
        if (models->known[k].kernel == kernel)
            return &models->known[k];
    char *name = strdup(kernel->name);
    if (!name ||
        !make_room((void **)&models->known, models->known_count, &models->known_capacity, sizeof *models->known)) {
        free(name);
        return NULL;
    }
    struct dv_known *known = &models->known[models->known_count++];
    *known = (struct dv_known){.kernel = kernel, .name = name};
    if (models->store.folder)
        read_store(models, known);
    return known;
}

/* ---- Rates ---- */

static unsigned size_class_of(size_t count)
{
    unsigned bucket = 0;
    while (count >>= 1)
        bucket++;
    return bucket;
}

/* Whether times of a key are times of a unit. */
static bool is_of(const struct dv_store_key *key, const struct dv_unit *unit)
{
    return strcmp(key->device_class, unit->device_class) == 0 && strcmp(key->backend, unit->found->plugin->name) == 0 &&
           strcmp(key->driver, unit->facts.driver) == 0;
}

/* The model of a size class; else, if `lends`, the nearest one that has a rate. */
static struct dv_model *find(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit,
                             unsigned size_class, bool lends)
{
    struct dv_model *nearest = NULL;
    know(models, kernel);
    for (size_t m = 0; m < models->count; m++) {
        struct dv_model *model = &models->models[m];
        if (model->kernel != kernel || !is_of(&model->key, unit) ||
            (lends ? !(model->rate.ns_per_item > 0) : model->size_class != size_class))
            continue;
        int distance = abs((int)model->size_class - (int)size_class);
        if (!nearest || distance < abs((int)nearest->size_class - (int)size_class))
            nearest = model;
    }
    return nearest;
}

struct dv_rate dv_models_find(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit,
                              size_t count)
{
    struct dv_rate rate = {0};
    unsigned size_class = size_class_of(count);
    pthread_mutex_lock(&models->mutex);
    struct dv_model *model = find(models, kernel, unit, size_class, true);
    if (model && !model->untrusted) {
        rate = model->rate;
        model->used = true;
        if (model->size_class != size_class) {
            rate.uncertainty = fmax(rate.uncertainty, LENT_UNCERTAINTY);
            rate.samples = 0; /* of this size class */
        }
    }
    pthread_mutex_unlock(&models->mutex);
    return rate;
}

static struct dv_model *add(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit,
                            unsigned size_class)
{
    struct dv_store_key key;
    if (!make_room((void **)&models->models, models->count, &models->capacity, sizeof *models->models) ||
        !dv_store_key_make(models->host, unit->found->plugin->name, unit->device_class, unit->facts.driver, &key))
        return NULL;
    struct dv_model *model = &models->models[models->count++];
    *model = (struct dv_model){.kernel = kernel, .key = key, .size_class = size_class};
    return model;
}

/* By how much, as a logarithm, one time may make a rate slower: what is expected of it, unless the one before was a
 * surprise too. */
static double limit_of(double uncertainty)
{
    return uncertainty > SURPRISED ? HUGE_VAL : fmax(2 * uncertainty, 0.25);
}

/* Where a job leaves a rate that it knew. Times err upwards, since something may come in between: few of them make it slower
 * by no more than is expected of one. */
static double settle(const struct dv_rate *known, const struct dv_rate *rate, double drift)
{
    double shift = log(rate->ns_per_item / known->ns_per_item) + (fabs(drift) > SETTLED ? drift : 0);
    if (rate->samples < known->samples + DV_STORE_BELIEVED)
        shift = fmin(shift, limit_of(known->uncertainty) / 2);
    return known->ns_per_item * exp(shift);
}

/* How many jobs in a row do without a device before one tries it again. */
static unsigned patience_of(const struct dv_model *model)
{
    return model->patience ? model->patience : PATIENCE_JOBS;
}

static unsigned longer(unsigned patience)
{
    return patience < 1u << 20 ? 2 * patience : patience;
}

void dv_models_keep(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit, size_t count,
                    double fixed_ns, const struct dv_rate *rate, double drift)
{
    if (!(rate->ns_per_item > 0))
        return;
    unsigned size_class = size_class_of(count);
    pthread_mutex_lock(&models->mutex);
    struct dv_model *model = find(models, kernel, unit, size_class, false);
    if (!model)
        model = add(models, kernel, unit, size_class);
    if (model) {
        model->fixed_ns = fixed_ns;
        const struct dv_rate known = model->rate.ns_per_item > 0 && !model->untrusted
                                         ? model->rate
                                         : (struct dv_rate){.ns_per_item = rate->ns_per_item};
        model->rate = *rate;
        model->rate.ns_per_item = settle(&known, rate, drift);
        model->rate.items = 0;
        model->jobs++;
        model->used = model->fresh = true;
        model->doubted = false;
        model->patience = model->untrusted ? longer(patience_of(model)) : model->parked ? model->patience : 0;
        model->untrusted = false;
        model->parked = 0;
        atomic_fetch_add_explicit(&models->version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&models->mutex);
}

void dv_models_doubt(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit, size_t count)
{
    pthread_mutex_lock(&models->mutex);
    struct dv_model *model = find(models, kernel, unit, size_class_of(count), false);
    if (model && model->stored && !model->fresh)
        model->doubted = true;
    model = find(models, kernel, unit, size_class_of(count), true);
    if (model && ++model->parked >= patience_of(model)) {
        model->untrusted = true;
        atomic_fetch_add_explicit(&models->version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&models->mutex);
}

/* Times err upwards: something came in between. So a shorter one is believed more than a longer one, unless the one before
 * was a surprise too. The first of all is worth no more than the second. */
void dv_rate_observe(struct dv_rate *rate, double ns_per_item)
{
    rate->samples++;
    if (!(rate->ns_per_item > 0)) {
        rate->ns_per_item = ns_per_item;
        rate->uncertainty = OBSERVED_UNCERTAINTY;
        return;
    }
    double u = rate->uncertainty, surprise = log(ns_per_item / rate->ns_per_item);
    double trust = surprise < 0 && rate->samples == 2 ? 1 : 0.5;
    rate->ns_per_item *= exp(trust * fmin(surprise, limit_of(u)));
    rate->uncertainty = sqrt(0.7 * u * u + 0.3 * fmin(surprise * surprise, 1));
}

/* ---- What it takes to be ready ---- */

uint64_t dv_models_pay_rent(struct dv_models *models, const divvy_kernel *kernel, uint64_t core_ns)
{
    pthread_mutex_lock(&models->mutex);
    struct dv_known *known = know(models, kernel);
    uint64_t paid = known ? known->core_ns += core_ns : core_ns;
    pthread_mutex_unlock(&models->mutex);
    return paid;
}

static struct dv_store_cost *find_cost(struct dv_models *models, struct dv_known *known, const struct dv_unit *unit)
{
    for (size_t c = 0; known && c < known->cost_count; c++)
        if (is_of(&known->costs[c].key, unit) && strcmp(known->costs[c].key.host, models->host) == 0)
            return &known->costs[c];
    return NULL;
}

struct dv_store_cost dv_models_cost(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit)
{
    struct dv_store_cost cost = {0};
    pthread_mutex_lock(&models->mutex);
    const struct dv_store_cost *found = find_cost(models, know(models, kernel), unit);
    if (found)
        cost = *found;
    pthread_mutex_unlock(&models->mutex);
    cost.key = (struct dv_store_key){0};
    return cost;
}

uint64_t dv_models_cost_through(struct dv_models *models, const divvy_kernel *kernel, const char *backend)
{
    uint64_t least_ns = 0;
    pthread_mutex_lock(&models->mutex);
    const struct dv_known *known = know(models, kernel);
    for (size_t c = 0; known && c < known->cost_count; c++) {
        const struct dv_store_cost *cost = &known->costs[c];
        uint64_t ns = cost->probe_ns + cost->open_ns + cost->build_ns;
        if (cost->build_ns && strcmp(cost->key.backend, backend) == 0 && strcmp(cost->key.host, models->host) == 0 &&
            (!least_ns || ns < least_ns))
            least_ns = ns;
    }
    pthread_mutex_unlock(&models->mutex);
    return least_ns;
}

/* The row of a unit, made if need be. NULL without memory. */
static struct dv_store_cost *cost_of(struct dv_models *models, struct dv_known *known, const struct dv_unit *unit)
{
    struct dv_store_cost *cost = find_cost(models, known, unit);
    if (cost || !known)
        return cost;
    struct dv_store_cost *grown = realloc(known->costs, (known->cost_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    known->costs = grown;
    cost = &grown[known->cost_count];
    *cost = (struct dv_store_cost){0};
    if (!dv_store_key_make(models->host, unit->found->plugin->name, unit->device_class, unit->facts.driver, &cost->key))
        return NULL;
    known->cost_count++;
    return cost;
}

/* What was built for the first time may come from a cache the next time, which takes a fraction of that: it counts when
 * it was built for the second time. */
void dv_models_keep_cost(struct dv_models *models, const divvy_kernel *kernel, struct dv_unit *unit, bool cached)
{
    pthread_mutex_lock(&models->mutex);
    struct dv_known *known = know(models, kernel);
    struct dv_store_cost *cost = cost_of(models, known, unit);
    if (cost) {
        cost->probe_ns = unit->found->plugin->probe_ns;
        cost->open_ns = atomic_load(&unit->open_ns);
        if (cached || cost->stamp_s)
            cost->build_ns = atomic_load(&unit->build_ns);
        cost->stamp_s = (uint64_t)time(NULL);
        known->costs_news = true;
    }
    pthread_mutex_unlock(&models->mutex);
}

/* ---- For the next run ---- */

/* What is new of one kernel, as rows that borrow all they point to. False: nothing, or no memory. */
static bool gather(const struct dv_models *models, const struct dv_known *known, struct dv_store_kernel *out_kernel)
{
    *out_kernel = (struct dv_store_kernel){.name = known->name};
    memcpy(out_kernel->hash, known->hash, sizeof known->hash);
    out_kernel->models = calloc(models->count + 1, sizeof *out_kernel->models);
    for (size_t m = 0; out_kernel->models && m < models->count; m++) {
        const struct dv_model *model = &models->models[m];
        if (model->kernel != known->kernel || !(model->fresh || model->doubted))
            continue;
        uint64_t earlier = model->anew ? 0 : model->known_samples, all = model->fresh ? model->rate.samples : earlier;
        out_kernel->models[out_kernel->model_count++] = (struct dv_store_model){
            .key = model->key,
            .size_class = model->size_class,
            .fixed_ns = model->fixed_ns,
            .ns_per_item = model->rate.ns_per_item,
            .uncertainty = model->rate.uncertainty,
            .samples = all > earlier ? all - earlier : 0,
            .jobs = model->jobs - (model->anew ? 0 : model->known_jobs),
            .stamp_s = (uint64_t)time(NULL),
            .known_samples = model->known_samples,
            .anew = model->anew,
            .doubted = model->doubted,
        };
    }
    if (known->costs_news) {
        out_kernel->costs = known->costs;
        out_kernel->cost_count = known->cost_count;
    }
    return out_kernel->models && out_kernel->model_count + out_kernel->cost_count > 0;
}

static bool merge(struct dv_store_kernel *kernel, void *news)
{
    return dv_store_merge(kernel, news);
}

/* The lock is taken when the first kernel has something new. */
static bool save_kernel(struct dv_models *models, const struct dv_known *known, int *lock)
{
    struct dv_store_kernel news;
    bool may_go_on = true;
    if (gather(models, known, &news)) {
        if (*lock < 0)
            *lock = dv_store_lock(&models->store);
        may_go_on = *lock >= 0;
        divvy_status status = may_go_on ? dv_store_edit(&models->store, known->hash, merge, &news) : DIVVY_OK;
        if (!may_go_on)
            dv_log(DIVVY_LOG_INFO, "models", "nothing is kept: %s", dv_error_text());
        else if (status != DIVVY_OK)
            dv_log(status == DIVVY_INVALID ? DIVVY_LOG_INFO : DIVVY_LOG_WARN, "models", "%s", dv_error_text());
    }
    free(news.models);
    return may_go_on;
}

void dv_models_save(struct dv_models *models)
{
    int lock = -1;
    char before[DV_ERROR_BYTES];
    memcpy(before, dv_error_text(), strlen(dv_error_text()) + 1);
    pthread_mutex_lock(&models->mutex);
    for (size_t k = 0; models->store.folder && k < models->known_count; k++)
        if (!save_kernel(models, &models->known[k], &lock))
            break;
    pthread_mutex_unlock(&models->mutex);
    if (lock >= 0)
        dv_store_unlock(lock);
    dv_error_set(before);
}

/* ---- Telling ---- */

size_t dv_partition_for(double fixed_ns, double per_item_ns, double efficiency)
{
    if (isnan(fixed_ns) || isnan(per_item_ns) || isnan(efficiency) || fixed_ns <= 0)
        return 1;
    if (per_item_ns <= 0 || efficiency >= 1 || isinf(fixed_ns))
        return SIZE_MAX;
    double count = ceil(fixed_ns / (per_item_ns * (1 - efficiency)));
    return count < 1 ? 1 : count < (double)SIZE_MAX ? (size_t)count : SIZE_MAX;
}

void dv_models_record(struct dv_models *models, struct dv_profile *profile)
{
    pthread_mutex_lock(&models->mutex);
    for (size_t m = 0; m < models->count; m++) {
        const struct dv_model *model = &models->models[m];
        if (!model->used)
            continue;
        dv_profile_add_model(profile, &(struct dv_model_record){
                                          .kernel = model->kernel->name,
                                          .device_class = model->key.device_class,
                                          .size_class = model->size_class,
                                          .fixed_ns = model->fixed_ns,
                                          .ns_per_item = model->rate.ns_per_item,
                                          .uncertainty = model->rate.uncertainty,
                                          .samples = model->rate.samples,
                                          .running = model->jobs > 1,
                                          .stored = model->stored,
                                          .partition = dv_partition_for(model->fixed_ns, model->rate.ns_per_item, 0.95),
                                      });
    }
    pthread_mutex_unlock(&models->mutex);
}
