/* The invariants under stress: whatever the counts, granules, devices, schedules and kernels, and whichever devices fail,
 * hang or are lost: every index is accepted exactly once, and results are those of a serial run.
 *
 * Trials come from the seed, one after the other, for some seconds. One that fails is made smaller as long as it fails,
 * and printed with its own seed: PROPERTY_SEED=n runs that trial alone, many times over. */
#include "property_trial.h"

#include "rules.h"

#include "property.cl"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const uint64_t trials_ns = UINT64_C(8000000000), shrinking_ns = UINT64_C(60000000000);
enum { LEAST_TRIALS = 20, REPEATS = 4, ALONE = 100 };

/* ---- Making smaller ---- */

/* The k-th way of making a trial smaller; false when there are no more. What it leaves as it is, is no smaller one. */
static bool reduce(struct trial *trial, unsigned k)
{
    enum { PER_JOB = 8, PER_DEVICE = 5 };
    if (k < TRIAL_JOBS * PER_JOB) {
        unsigned j = k / PER_JOB;
        struct trial_job *job = &trial->jobs[j];
        if (j >= trial->job_count)
            return true;
        switch (k % PER_JOB) {
        case 0:
            if (trial->job_count > 1) {
                memmove(job, job + 1, (trial->job_count - j - 1) * sizeof *job);
                memset(&trial->jobs[--trial->job_count], 0, sizeof *job);
            }
            break;
        case 1:
            job->count /= 2;
            break;
        case 2:
            job->count -= job->count > 0;
            break;
        case 3:
            job->partition = 0;
            break;
        case 4:
            job->first_partition = 0;
            break;
        case 5:
            job->reproducible = false;
            break;
        case 6:
            job->partition /= 2;
            break;
        default:
            job->schedule = 0;
        }
        return true;
    }
    k -= TRIAL_JOBS * PER_JOB;
    if (k < (TRIAL_SIMS + TRIAL_FAKES) * PER_DEVICE) {
        unsigned d = k / PER_DEVICE;
        struct trial_device *device = d < TRIAL_SIMS ? &trial->sims[d] : &trial->fakes[d - TRIAL_SIMS];
        if (!device->present)
            return true;
        switch (k % PER_DEVICE) {
        case 0:
            device->present = false;
            break;
        case 1:
            device->fault = FAULT_NONE;
            break;
        case 2:
            device->at = 1;
            break;
        case 3:
            device->granule = device->depth = 1;
            break;
        default:
            device->fixed_ns = device->slice_kib = 0;
            device->ns_per_item = 0;
        }
        return true;
    }
    k -= (TRIAL_SIMS + TRIAL_FAKES) * PER_DEVICE;
    if (k == 0)
        trial->cores -= trial->cores > 1;
    else if (k == 1)
        trial->together = false;
    return k < 2;
}

/* The smallest trial that still does not hold, before the deadline. */
static struct trial shrink(struct trial trial, bool (*holds)(const struct trial *), uint64_t deadline_ns)
{
    for (bool smaller = true; smaller && wall_ns() < deadline_ns;) {
        struct trial less = trial;
        smaller = false;
        for (unsigned k = 0; reduce(&less, k) && wall_ns() < deadline_ns; less = trial, k++)
            while (memcmp(&less, &trial, sizeof less) != 0 && !holds(&less)) {
                trial = less;
                smaller = true;
                reduce(&less, k);
            }
    }
    return trial;
}

/* Holds as long as no job has a thousand indices while some device hangs. */
static bool holds_by_name(const struct trial *trial)
{
    bool large = false, hangs = false;
    for (unsigned j = 0; j < trial->job_count; j++)
        large = large || trial->jobs[j].count >= 1000;
    for (unsigned d = 0; d < TRIAL_SIMS; d++)
        hangs = hangs || (trial->sims[d].present && trial->sims[d].fault == FAULT_HANG);
    return !large || !hangs;
}

/* Of a trial that fails nothing is left but what it fails for. */
static void try_shrinking(uint64_t random)
{
    struct trial trial = trial_make(random);
    trial.jobs[trial.job_count - 1].count = 30000;
    trial.sims[1].present = true;
    trial.sims[1].fault = FAULT_HANG;
    struct trial least = shrink(trial, holds_by_name, UINT64_MAX);
    CHECK_EQ(least.job_count, 1);
    CHECK_EQ(least.jobs[0].count, 1000);
    CHECK_EQ(least.jobs[0].partition + least.jobs[0].first_partition, 0);
    unsigned devices = 0;
    for (unsigned d = 0; d < TRIAL_SIMS; d++)
        devices += least.sims[d].present;
    for (unsigned d = 0; d < TRIAL_FAKES; d++)
        devices += least.fakes[d].present;
    CHECK_EQ(devices, 1);
    CHECK(least.cores <= 1);
}

/* ---- Trials ---- */

static bool holds_often(const struct trial *trial)
{
    bool holds = true;
    for (unsigned turn = 0; holds && turn < REPEATS; turn++)
        holds = trial_holds(trial, true);
    return holds;
}

static void tell(uint64_t seed, struct trial trial)
{
    fprintf(stderr, "PROPERTY_SEED=%llu does not hold:\n", (unsigned long long)seed);
    trial_print(stderr, &trial);
    struct trial least = shrink(trial, holds_often, wall_ns() + shrinking_ns);
    fprintf(stderr, "smallest:\n");
    trial_print(stderr, &least);
    for (unsigned turn = 0; turn < REPEATS && trial_holds(&least, false); turn++)
        continue;
}

static void try_many(uint64_t random)
{
    const uint64_t begin_ns = wall_ns();
    unsigned trials = 0;
    bool holds = true;
    for (; holds && (trials < LEAST_TRIALS || wall_ns() - begin_ns < trials_ns); trials++) {
        uint64_t seed = check_random(&random);
        struct trial trial = trial_make(seed);
        holds = CHECK(trial_holds(&trial, true));
        if (!holds)
            tell(seed, trial);
    }
    printf("%u trials\n", trials);
}

static void try_one(uint64_t seed)
{
    struct trial trial = trial_make(seed);
    bool holds = true;
    trial_print(stderr, &trial);
    for (unsigned turn = 0; holds && turn < ALONE; turn++)
        holds = CHECK(trial_holds(&trial, false));
    if (!holds)
        tell(seed, trial);
}

/* ---- Few and many ---- */

static void try_count(divvy *dv, size_t n, const divvy_call_options *with)
{
    uint64_t total = 1;
    int64_t ones = 1;
    int least = 1, most = 1;
    STATUS(DIVVY_OK, divvy_run(dv, tally, n, .step = 3, .total = &total, .ones = &ones, .least = &least, .most = &most,
                               .with = *with));
    CHECK_EQ(total, n * (n - 1) / 2);
    CHECK_EQ(ones, 3 * (int64_t)n);
    CHECK_EQ(least, 0);
    CHECK_EQ(most, n - 1);
}

/* A job of a thousand million indices and one of a single index are alike. */
static void try_extremes(void)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    size_t counts[] = {1, SANITIZED ? 1000000 : 1000000000};
    for (size_t c = 0; c < 2; c++)
        for (unsigned k = 0; k < 3; k++)
            try_count(dv, counts[c], &(divvy_call_options){.schedule = trial_schedules[k], .reproducible = k == 2});
    divvy_close(dv);
}

int main(void)
{
    limit_time(280);
    if (getenv("PROPERTY_SEED")) {
        try_one(strtoull(getenv("PROPERTY_SEED"), NULL, 0));
        return check_summary();
    }
    uint64_t seed = check_seed();
    try_shrinking(seed);
    try_many(seed);
    try_extremes(); /* the last: children come of a process that has not used the library */
    return check_summary();
}
