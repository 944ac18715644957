/* What a context has learned: a rate for each (kernel, class, size class), and what it takes to make a device ready. Kept
 * from one run to the next in the store (record/store.h), which is read when a kernel is met for the first time and
 * written when the context closes. */
#ifndef DV_MODEL_H
#define DV_MODEL_H

#include "record/profile.h"
#include "record/store.h"
#include "schedule/schedule.h"
#include "schedule/unit.h"

#include <pthread.h>
#include <stdatomic.h>

struct dv_model {
    const divvy_kernel *kernel;
    struct dv_store_key key;
    unsigned size_class; /* floor(log2(count)) */
    double fixed_ns;
    struct dv_rate rate;
    uint64_t jobs;                      /* in which it was verified, in earlier runs too */
    uint64_t known_samples, known_jobs; /* the earlier runs', also of what was not believed */
    bool stored;                        /* known from an earlier run */
    bool anew;                          /* that was not believed: its rate is of this run alone */
    bool used;                          /* asked for */
    bool fresh;                         /* measured in this context */
    bool doubted;                       /* stored, and its device was parked, so that it could not be measured */
    bool untrusted;                     /* the next job shall try its device as if nothing were known */
    unsigned parked, patience;          /* jobs that did without it, running; so many until it is tried; 0: as usual */
};

/* A kernel that was met. */
struct dv_known {
    const divvy_kernel *kernel;
    char *name;
    char hash[DV_STORE_HASH];
    uint64_t core_ns; /* the rent: what cores have spent on it */
    struct dv_store_cost *costs;
    size_t cost_count;
    bool costs_news; /* some were measured in this context */
};

/* Any thread. The mutex is held while the store is read; under it none but the profile's is taken. */
struct dv_models {
    atomic_uint version; /* moves on with every change */
    pthread_mutex_t mutex;
    struct dv_store store;      /* under mutex */
    struct dv_profile *profile; /* hears of files that were not believed */
    char host[DV_STORE_HASH];   /* this machine's digest */
    struct dv_model *models;    /* under mutex, as what follows */
    size_t count, capacity;
    struct dv_known *known;
    size_t known_count, known_capacity;
};

static inline unsigned dv_models_version(struct dv_models *models)
{
    return atomic_load_explicit(&models->version, memory_order_acquire);
}

void dv_models_init(struct dv_models *models);
void dv_models_fini(struct dv_models *models);

/* From now on what was learned in earlier runs is found, and what is learned kept. `setting`: see dv_store_open.
 * NO_MEMORY. */
divvy_status dv_models_keep_in(struct dv_models *models, const char *setting, const struct dv_topology *host,
                               struct dv_profile *profile);

/* Writes what is new into the store, if there is one. Not in a child process. */
void dv_models_save(struct dv_models *models);

/* What is known for jobs of `count` indices; where nothing is known of that size class, the nearest one's rate, less
 * certain. All zero if there is none. */
struct dv_rate dv_models_find(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit,
                              size_t count);

/* Keeps what a job has learned. `drift`: the mean logarithm of how much slower than the rate says the devices were in
 * the end. Without memory it is forgotten, which costs no more than learning again. */
void dv_models_keep(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit, size_t count,
                    double fixed_ns, const struct dv_rate *rate, double drift);

/* A job did without this device because of its rate. In the next run that is less certain; and in this one, after some jobs
 * in a row, one begins as if nothing were known: or a device that was slow once would never be found to be fast. Each time
 * in vain doubles the number of jobs until the next. */
void dv_models_doubt(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit, size_t count);

/* Another time, of a job as a whole: it moves the rate by what one time that is wrong may move it. */
void dv_rate_observe(struct dv_rate *rate, double ns_per_item);

/* Adds to the time that cores have spent on a kernel, over all jobs, and returns all of it: the rent paid so far for
 * not having a device. */
uint64_t dv_models_pay_rent(struct dv_models *models, const divvy_kernel *kernel, uint64_t core_ns);

/* What it takes to open a unit and to build the kernel there, as measured here or in an earlier run; 0: not known. */
struct dv_store_cost dv_models_cost(struct dv_models *models, const divvy_kernel *kernel, const struct dv_unit *unit);

/* The least that it took to probe a backend, open a device and build the kernel there; 0: not known. */
uint64_t dv_models_cost_through(struct dv_models *models, const divvy_kernel *kernel, const char *backend);

/* A unit was made ready for a kernel; `cached`: what was built came from a cache. */
void dv_models_keep_cost(struct dv_models *models, const divvy_kernel *kernel, struct dv_unit *unit, bool cached);

/* See divvy_partition_for. */
size_t dv_partition_for(double fixed_ns, double per_item_ns, double efficiency);

/* Hands every model that was used to a profile. */
void dv_models_record(struct dv_models *models, struct dv_profile *profile);

#endif
