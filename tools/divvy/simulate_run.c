/* Every schedule in every world, with several seeds; and what that amounts to. */
#include "simulate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The powers that were given to a world's devices, by their names and classes; cores are "core", others "device". */
static bool give_powers(const struct simulate_case *one, const char *given, double *powers)
{
    for (unsigned d = 0; d < one->world.device_count; d++) {
        const char *kind = one->devices[d].core ? "core" : "device";
        powers[d] = dv_power_given(given, kind, one->device_names ? one->device_names[d] : "",
                                   one->class_names ? one->class_names[d] : "");
    }
    return true;
}

/* Adds one efficiency to sums of them and of their squares. */
struct sum {
    double all, squares, bounds, decisions, cpu_ns;
    unsigned failed;
};

static void count_in(struct sum *sum, const struct dv_virtual_job *job, double cpu_ns)
{
    sum->all += job->efficiency;
    sum->squares += job->efficiency * job->efficiency;
    sum->bounds += job->bound_ns;
    sum->failed += !job->done;
    sum->decisions += (double)(job->decisions + job->pieces);
    sum->cpu_ns += cpu_ns;
}

static struct simulate_score score_of(const struct sum *sum, unsigned seeds)
{
    double mean = sum->all / seeds, variance = sum->squares / seeds - mean * mean;
    return (struct simulate_score){mean, seeds > 1 ? sqrt(fmax(variance, 0) * seeds / (seeds - 1)) : 0, sum->failed};
}

static bool run_row(const struct dv_world *world, const struct dv_virtual_options *options, unsigned jobs,
                    struct sum *cold, struct sum *warm)
{
    struct dv_virtual *row = dv_virtual_open(world, options);
    for (unsigned job = 0; row && job < jobs; job++) {
        clock_t begin = clock();
        struct dv_virtual_job done = dv_virtual_run(row);
        double cpu_ns = (double)(clock() - begin) * 1e9 / CLOCKS_PER_SEC;
        if (job == 0)
            count_in(cold, &done, cpu_ns);
        if (job + 1 == jobs)
            count_in(warm, &done, cpu_ns);
    }
    dv_virtual_close(row);
    return row != NULL;
}

static bool run_case(const struct simulate_case *one, const struct simulate_plan *plan,
                     const struct simulate_schedule *schedule, struct simulate_result *out_result)
{
    double *powers = schedule->powers ? calloc(one->world.device_count, sizeof *powers) : NULL;
    bool done = !schedule->powers || (powers && give_powers(one, schedule->powers, powers));
    struct sum cold = {0}, warm = {0};
    struct dv_virtual_options options = {.schedule = schedule->schedule, .powers = powers};
    for (unsigned s = 0; done && s < plan->seeds; s++) {
        options.seed = (plan->seed ? plan->seed : one->seed) + s;
        done = run_row(&one->world, &options, plan->jobs, &cold, &warm);
    }
    free(powers);
    *out_result =
        (struct simulate_result){score_of(&cold, plan->seeds), score_of(&warm, plan->seeds), cold.bounds / plan->seeds,
                                 warm.decisions / plan->seeds, warm.decisions > 0 ? warm.cpu_ns / warm.decisions : 0};
    return done;
}

bool simulate_all(const struct simulate_cases *cases, const struct simulate_plan *plan, struct simulate_result *results)
{
    bool done = true;
    for (size_t c = 0; c < cases->count; c++)
        for (unsigned s = 0; s < plan->schedule_count; s++)
            done = done && run_case(&cases->list[c], plan, &plan->schedules[s], &results[c * plan->schedule_count + s]);
    return done;
}

bool simulate_summarise(const struct simulate_cases *cases, const struct simulate_plan *plan,
                        const struct simulate_result *results, unsigned schedule, struct simulate_summary *out_summary)
{
    double *values = calloc(2 * cases->count, sizeof *values);
    if (!values)
        return false;
    for (size_t c = 0; c < cases->count; c++) {
        const struct simulate_result *result = &results[c * plan->schedule_count + schedule];
        values[c] = result->cold.mean;
        values[cases->count + c] = result->warm.mean;
    }
    *out_summary = (struct simulate_summary){dv_summarise(values, cases->count),
                                             dv_summarise(values + cases->count, cases->count)};
    free(values);
    return true;
}
