/* What `iterative` keeps from call to call: each device's power for a kernel and a size of jobs. */
#ifndef DV_BALANCE_H
#define DV_BALANCE_H

#include <divvy.h>

#include <pthread.h>
#include <stddef.h>

struct dv_job;

/* Any thread. */
struct dv_balances {
    pthread_mutex_t mutex;
    struct dv_balance {
        const divvy_kernel *kernel;
        unsigned size_class; /* floor(log2(count)) */
        unsigned count;
        double *powers; /* by member */
    } * balances;       /* under mutex */
    size_t count;
};

void dv_balances_init(struct dv_balances *balances);
void dv_balances_fini(struct dv_balances *balances);

/* Tells a job's plan what earlier ones measured. */
void dv_balances_find(struct dv_balances *balances, struct dv_job *job);

/* Keeps what a job that is over has measured. Without memory it is forgotten. */
void dv_balances_keep(struct dv_balances *balances, const struct dv_job *job);

#endif
