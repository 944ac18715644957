/* What a context has learned: a rate for each (kernel, class, size class). */
#ifndef DV_MODEL_H
#define DV_MODEL_H

#include "record/profile.h"
#include "schedule/schedule.h"

#include <pthread.h>
#include <stdatomic.h>

struct dv_model {
    const divvy_kernel *kernel;
    char *device_class;
    unsigned size_class; /* floor(log2(count)) */
    double fixed_ns;
    struct dv_rate rate;
    uint64_t jobs; /* in which it was verified */
};

/* Any thread. */
struct dv_models {
    atomic_uint version; /* moves on with every change */
    pthread_mutex_t mutex;
    struct dv_model *models; /* under mutex */
    size_t count, capacity;
    struct dv_rent {
        const divvy_kernel *kernel;
        uint64_t core_ns;
    } * rents; /* under mutex */
    size_t rent_count, rent_capacity;
};

static inline unsigned dv_models_version(struct dv_models *models)
{
    return atomic_load_explicit(&models->version, memory_order_acquire);
}

void dv_models_init(struct dv_models *models);
void dv_models_fini(struct dv_models *models);

/* What is known for jobs of `count` indices; where nothing is known of that size class, the nearest one's rate, less
 * certain. All zero if there is none. */
struct dv_rate dv_models_find(struct dv_models *models, const divvy_kernel *kernel, const char *device_class,
                              size_t count);

/* Keeps what a job has learned. Without memory it is forgotten, which costs no more than learning again. */
void dv_models_keep(struct dv_models *models, const divvy_kernel *kernel, const char *device_class, size_t count,
                    double fixed_ns, const struct dv_rate *rate);

/* Adds to the time that cores have spent on a kernel, over all jobs, and returns all of it: the rent paid so far for
 * not having a device. */
uint64_t dv_models_pay_rent(struct dv_models *models, const divvy_kernel *kernel, uint64_t core_ns);

/* Hands every model to a profile. */
void dv_models_record(struct dv_models *models, struct dv_profile *profile);

#endif
