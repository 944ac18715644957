#include "schedule/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a rate loses in certainty when it is lent to another size class. */
static const double LENT_UNCERTAINTY = 0.25;

void dv_models_init(struct dv_models *models)
{
    *models = (struct dv_models){0};
    pthread_mutex_init(&models->mutex, NULL);
}

void dv_models_fini(struct dv_models *models)
{
    for (size_t m = 0; m < models->count; m++)
        free(models->models[m].device_class);
    free(models->models);
    free(models->rents);
    pthread_mutex_destroy(&models->mutex);
}

static unsigned size_class_of(size_t count)
{
    unsigned bucket = 0;
    while (count >>= 1)
        bucket++;
    return bucket;
}

static struct dv_model *find_nearest(struct dv_models *models, const divvy_kernel *kernel, const char *device_class,
                                     unsigned size_class)
{
    struct dv_model *nearest = NULL;
    for (size_t m = 0; m < models->count; m++) {
        struct dv_model *model = &models->models[m];
        if (model->kernel != kernel || strcmp(model->device_class, device_class) != 0)
            continue;
        int distance = abs((int)model->size_class - (int)size_class);
        if (!nearest || distance < abs((int)nearest->size_class - (int)size_class))
            nearest = model;
    }
    return nearest;
}

struct dv_rate dv_models_find(struct dv_models *models, const divvy_kernel *kernel, const char *device_class,
                              size_t count)
{
    struct dv_rate rate = {0};
    unsigned size_class = size_class_of(count);
    pthread_mutex_lock(&models->mutex);
    const struct dv_model *model = find_nearest(models, kernel, device_class, size_class);
    if (model) {
        rate = model->rate;
        if (model->size_class != size_class)
            rate.uncertainty = fmax(rate.uncertainty, LENT_UNCERTAINTY);
    }
    pthread_mutex_unlock(&models->mutex);
    return rate;
}

static struct dv_model *add(struct dv_models *models, const divvy_kernel *kernel, const char *device_class,
                            unsigned size_class)
{
    if (models->count == models->capacity) {
        size_t capacity = models->capacity ? 2 * models->capacity : 16;
        struct dv_model *grown = realloc(models->models, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        models->models = grown;
        models->capacity = capacity;
    }
    char *name = strdup(device_class);
    if (!name)
        return NULL;
    struct dv_model *model = &models->models[models->count++];
    *model = (struct dv_model){.kernel = kernel, .device_class = name, .size_class = size_class};
    return model;
}

void dv_models_keep(struct dv_models *models, const divvy_kernel *kernel, const char *device_class, size_t count,
                    double fixed_ns, const struct dv_rate *rate)
{
    if (!(rate->ns_per_item > 0))
        return;
    unsigned size_class = size_class_of(count);
    pthread_mutex_lock(&models->mutex);
    struct dv_model *model = find_nearest(models, kernel, device_class, size_class);
    if (!model || model->size_class != size_class)
        model = add(models, kernel, device_class, size_class);
    if (model) {
        model->fixed_ns = fixed_ns;
        model->rate = *rate;
        model->jobs++;
        atomic_fetch_add_explicit(&models->version, 1, memory_order_release);
    }
    pthread_mutex_unlock(&models->mutex);
}

uint64_t dv_models_pay_rent(struct dv_models *models, const divvy_kernel *kernel, uint64_t core_ns)
{
    pthread_mutex_lock(&models->mutex);
    size_t r = 0;
    while (r < models->rent_count && models->rents[r].kernel != kernel)
        r++;
    if (r == models->rent_capacity) {
        size_t capacity = r ? 2 * r : 16;
        struct dv_rent *grown = realloc(models->rents, capacity * sizeof *grown);
        if (grown) {
            models->rents = grown;
            models->rent_capacity = capacity;
        }
    }
    uint64_t paid = core_ns;
    if (r < models->rent_capacity) {
        if (r == models->rent_count)
            models->rents[models->rent_count++] = (struct dv_rent){.kernel = kernel};
        paid = models->rents[r].core_ns += core_ns;
    }
    pthread_mutex_unlock(&models->mutex);
    return paid;
}

void dv_models_record(struct dv_models *models, struct dv_profile *profile)
{
    pthread_mutex_lock(&models->mutex);
    for (size_t m = 0; m < models->count; m++) {
        const struct dv_model *model = &models->models[m];
        /* The size at which fixed costs are a twentieth. */
        double partition = ceil(model->fixed_ns / (model->rate.ns_per_item * 0.05));
        dv_profile_add_model(profile, &(struct dv_model_record){
                                          .kernel = model->kernel->name,
                                          .device_class = model->device_class,
                                          .size_class = model->size_class,
                                          .fixed_ns = model->fixed_ns,
                                          .ns_per_item = model->rate.ns_per_item,
                                          .uncertainty = model->rate.uncertainty,
                                          .samples = model->rate.samples,
                                          .running = model->jobs > 1,
                                          .partition = partition < 1 ? 1 : (uint64_t)partition,
                                      });
    }
    pthread_mutex_unlock(&models->mutex);
}
