/* Schedules in simulated worlds: how near they come to the time that no schedule can beat. */
#include "worlds.h"

#include "check.h"

#include <math.h>

enum { SEEDS = 20, WARM_AFTER = 6, HOLD_OUT = 250 };

static const struct dv_schedule *const schedules[] = {&dv_guarded, &dv_static, &dv_dynamic, &dv_guided};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

struct score {
    double cold, warm; /* efficiency of the first job, and of the one after six */
};

/* Mean over seeds. */
static struct score score(const struct world *world, const struct dv_schedule *schedule, unsigned seeds, uint64_t seed)
{
    struct score mean = {0, 0};
    for (unsigned s = 0; s < seeds; s++) {
        double efficiencies[WARM_AFTER + 1];
        world_run(world, schedule, seed + s, WARM_AFTER + 1, efficiencies);
        for (unsigned job = 0; job <= WARM_AFTER; job++)
            CHECK(efficiencies[job] > 0); /* every index is computed once */
        mean.cold += efficiencies[0] / seeds;
        mean.warm += efficiencies[WARM_AFTER] / seeds;
    }
    return mean;
}

struct summary {
    double mean, median, tenth, worst; /* geometric mean; tenth: of the worst tenth the best */
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static struct summary summarise(double *values, size_t count)
{
    double logs = 0;
    for (size_t k = 0; k < count; k++)
        logs += log(fmax(values[k], 1e-9));
    qsort(values, count, sizeof *values, by_size);
    return (struct summary){exp(logs / (double)count), values[count / 2], values[count / 10], values[0]};
}

static void tune(struct summary *out_cold, struct summary *out_warm)
{
    double colds[SCHEDULES][32], warms[SCHEDULES][32];
    printf("%-22s", "cold / warm");
    for (unsigned s = 0; s < SCHEDULES; s++)
        printf("  %13s", schedules[s]->name);
    for (unsigned w = 0; w < tuning_world_count; w++) {
        printf("\n%-22s", tuning_worlds[w].name);
        for (unsigned s = 0; s < SCHEDULES; s++) {
            struct score got = score(&tuning_worlds[w], schedules[s], SEEDS, 1);
            colds[s][w] = got.cold;
            warms[s][w] = got.warm;
            printf("  %5.3f / %5.3f", got.cold, got.warm);
        }
    }
    printf("\n%-22s", "geometric mean");
    for (unsigned s = 0; s < SCHEDULES; s++) {
        out_cold[s] = summarise(colds[s], tuning_world_count);
        out_warm[s] = summarise(warms[s], tuning_world_count);
        printf("  %5.3f / %5.3f", out_cold[s].mean, out_warm[s].mean);
    }
    printf("\n%-22s", "worst");
    for (unsigned s = 0; s < SCHEDULES; s++)
        printf("  %5.3f / %5.3f", out_cold[s].worst, out_warm[s].worst);
    printf("\n");
}

static void hold_out(uint64_t seed, struct summary *out_cold, struct summary *out_warm)
{
    static double colds[SCHEDULES][HOLD_OUT], warms[SCHEDULES][HOLD_OUT];
    uint64_t random = seed;
    for (unsigned w = 0; w < HOLD_OUT; w++) {
        struct world world = world_random(&random);
        uint64_t noise = check_random(&random);
        for (unsigned s = 0; s < SCHEDULES; s++) {
            struct score got = score(&world, schedules[s], 1, noise);
            colds[s][w] = got.cold;
            warms[s][w] = got.warm;
        }
    }
    printf("%d random worlds (%llu)  mean  median   10 %%  worst\n", HOLD_OUT, (unsigned long long)seed);
    for (unsigned s = 0; s < SCHEDULES; s++) {
        out_cold[s] = summarise(colds[s], HOLD_OUT);
        out_warm[s] = summarise(warms[s], HOLD_OUT);
        printf("  %-10s cold          %.3f   %.3f  %.3f  %.3f\n", schedules[s]->name, out_cold[s].mean,
               out_cold[s].median, out_cold[s].tenth, out_cold[s].worst);
        printf("  %-10s warm          %.3f   %.3f  %.3f  %.3f\n", schedules[s]->name, out_warm[s].mean,
               out_warm[s].median, out_warm[s].tenth, out_warm[s].worst);
    }
}

int main(void)
{
    struct summary cold[SCHEDULES], warm[SCHEDULES];
    tune(cold, warm);
    hold_out(2024, cold, warm);
    if (getenv("CHECK_SEED"))
        hold_out(check_seed(), cold, warm);
    return check_summary();
}
