#include "schedule/balance.h"

#include "schedule/job.h"

#include <stdlib.h>
#include <string.h>

void dv_balances_init(struct dv_balances *balances)
{
    *balances = (struct dv_balances){0};
    pthread_mutex_init(&balances->mutex, NULL);
}

void dv_balances_fini(struct dv_balances *balances)
{
    for (size_t b = 0; b < balances->count; b++)
        free(balances->balances[b].powers);
    free(balances->balances);
    pthread_mutex_destroy(&balances->mutex);
}

static unsigned size_class_of(size_t count)
{
    unsigned bucket = 0;
    while (count >>= 1)
        bucket++;
    return bucket;
}

static struct dv_balance *find(struct dv_balances *balances, const struct dv_job *job)
{
    for (size_t b = 0; b < balances->count; b++)
        if (balances->balances[b].kernel == job->kernel &&
            balances->balances[b].size_class == size_class_of(job->count))
            return &balances->balances[b];
    return NULL;
}

static struct dv_balance *add(struct dv_balances *balances, const struct dv_job *job)
{
    struct dv_balance *grown = realloc(balances->balances, (balances->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    balances->balances = grown;
    struct dv_balance *balance = &grown[balances->count++];
    *balance = (struct dv_balance){.kernel = job->kernel, .size_class = size_class_of(job->count)};
    return balance;
}

static bool reach(struct dv_balance *balance, unsigned count)
{
    if (count <= balance->count)
        return true;
    double *grown = realloc(balance->powers, count * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + balance->count, 0, (count - balance->count) * sizeof *grown);
    balance->powers = grown;
    balance->count = count;
    return true;
}

void dv_balances_find(struct dv_balances *balances, struct dv_job *job)
{
    pthread_mutex_lock(&balances->mutex);
    const struct dv_balance *balance = find(balances, job);
    for (unsigned m = 0; m < job->member_count; m++)
        job->plan.paces[m].power = balance && m < balance->count ? balance->powers[m] : 0;
    pthread_mutex_unlock(&balances->mutex);
}

void dv_balances_keep(struct dv_balances *balances, const struct dv_job *job)
{
    pthread_mutex_lock(&balances->mutex);
    struct dv_balance *balance = find(balances, job);
    if (!balance)
        balance = add(balances, job);
    const unsigned count = balance && reach(balance, job->member_count) ? balance->count : 0;
    for (unsigned m = 0; m < count && m < job->member_count; m++) {
        struct dv_tally tally = dv_member_tally(&job->members[m]);
        balance->powers[m] = dv_power_measured(balance->powers[m], tally.items, tally.busy_ns);
    }
    pthread_mutex_unlock(&balances->mutex);
}
