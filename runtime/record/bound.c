#include "record/record.h"

#include <math.h>

/* Time of a use that was spent on items: its busy time without what does not depend on them, which may have been measured
 * too high, so at least a tenth of it. */
static double body_ns(const struct dv_use *use)
{
    double busy_ns = (double)use->busy_ns;
    double rest_ns =
        busy_ns - (double)use->partitions * (double)use->fixed_ns - (double)use->jit_ns - (double)use->copies_ns;
    return rest_ns > busy_ns / 10 ? rest_ns : busy_ns / 10;
}

/* Items per nanosecond of a class, as this job measured it, else as its model says; 0: unknown. */
static double class_speed(const struct dv_job_record *job, unsigned device_class)
{
    double class_ns = 0, items = 0, model_ns = 0;

    for (size_t i = 0; i < job->use_count; i++) {
        const struct dv_use *use = &job->uses[i];
        if (use->device_class != device_class)
            continue;
        class_ns += body_ns(use);
        items += (double)use->items;
        if (use->ns_per_item > 0)
            model_ns = use->ns_per_item;
    }
    if (items > 0 && class_ns > 0)
        return items / class_ns;
    return model_ns > 0 ? 1 / model_ns : 0;
}

/* The speed of use `i`, given that of the one before it: classes lie together, so each is summed up once. */
static double next_speed(const struct dv_job_record *job, size_t i, double speed)
{
    if (i > 0 && job->uses[i].device_class == job->uses[i - 1].device_class)
        return speed;
    return class_speed(job, job->uses[i].device_class);
}

/* A device counts from the moment its kernel is ready; where it never was, it counts from never. */
static bool usable(const struct dv_use *use)
{
    return !use->retired && (use->ready_ns != 0 || use->partitions > 0);
}

/* When a device was ready, in nanoseconds from the start of the job; and when it could have begun with items. */
static double ready_ns(const struct dv_job_record *job, const struct dv_use *use)
{
    return use->ready_ns > job->start_ns ? (double)(use->ready_ns - job->start_ns) : 0;
}

static double begin_ns(const struct dv_job_record *job, const struct dv_use *use)
{
    return ready_ns(job, use) + (double)use->fixed_ns;
}

/* The T at which the capacities max(0, T - begin) * speed add up to `work`. Their sum is convex and made of straight
 * lines, so solving the line of the devices that have begun by the last guess, from all of them down, never passes
 * the solution and meets it exactly after at most one step for each device. Infinite without a usable device. */
static double solve(const struct dv_job_record *job, double work)
{
    double finish_ns = INFINITY;

    for (;;) {
        double power = 0, missed = 0, speed = 0;
        for (size_t i = 0; i < job->use_count; i++) {
            speed = next_speed(job, i, speed);
            double begin = begin_ns(job, &job->uses[i]);
            if (!usable(&job->uses[i]) || begin >= finish_ns)
                continue;
            power += speed;
            missed += speed * begin;
        }
        if (power == 0 || (work + missed) / power >= finish_ns)
            return finish_ns;
        finish_ns = (work + missed) / power;
    }
}

/* Where a device's time went from when it could have begun with items, if not into items. The parts add up to all of it. */
static struct dv_losses losses_of(const struct dv_job_record *job, const struct dv_use *use)
{
    double busy_ns = (double)use->busy_ns, fixed_ns = (double)use->fixed_ns;
    double rest_ns = (double)(job->end_ns - job->start_ns) - ready_ns(job, use) - busy_ns - (double)use->wasted_ns;
    struct dv_losses losses = {
        .copies_ns = (double)use->copies_ns,
        .jit_ns = (double)use->jit_ns,
        .repeated_ns = (double)use->wasted_ns,
    };
    if (use->partitions > 0)
        losses.launch_ns = busy_ns - body_ns(use) - losses.jit_ns - losses.copies_ns - fixed_ns;
    else
        rest_ns -= fixed_ns;
    if (use->last_end_ns && use->last_end_ns < job->end_ns)
        losses.imbalance_ns = (double)(job->end_ns - use->last_end_ns);
    losses.waiting_ns = rest_ns - losses.imbalance_ns;
    return losses;
}

/* Each device's losses by its part in the speed of those that the bound counts on. */
static void add_losses(struct dv_job_record *job, double finish_ns)
{
    double power = 0, speed = 0;
    for (size_t i = 0; i < job->use_count; i++) {
        speed = next_speed(job, i, speed);
        if (usable(&job->uses[i]) && begin_ns(job, &job->uses[i]) < finish_ns)
            power += speed;
    }
    struct dv_losses *all = &job->losses;
    for (size_t i = 0; i < job->use_count; i++) {
        const struct dv_use *use = &job->uses[i];
        speed = next_speed(job, i, speed);
        double weight = speed / power;
        if (!usable(use) || begin_ns(job, use) >= finish_ns) {
            all->waiting_ns -= weight * body_ns(use);
            continue;
        }
        struct dv_losses losses = losses_of(job, use);
        all->launch_ns += weight * losses.launch_ns;
        all->copies_ns += weight * losses.copies_ns;
        all->jit_ns += weight * losses.jit_ns;
        all->repeated_ns += weight * losses.repeated_ns;
        all->waiting_ns += weight * losses.waiting_ns;
        all->imbalance_ns += weight * losses.imbalance_ns;
    }
}

void dv_bound(struct dv_job_record *job)
{
    double work = 0, speed = 0;
    bool measured = true;

    job->bound_ns = 0;
    job->bound_basis = DIVVY_BOUND_UNKNOWN;
    job->efficiency = 0;
    job->losses = (struct dv_losses){0};

    for (size_t i = 0; i < job->use_count; i++) {
        const struct dv_use *use = &job->uses[i];
        speed = next_speed(job, i, speed);
        if (usable(use) && speed == 0)
            return;
        if (usable(use) && use->partitions < 2)
            measured = false;
        work += body_ns(use) * speed;
    }
    if (work <= 0 || job->end_ns <= job->start_ns)
        return;

    double finish_ns = solve(job, work);
    if (!isfinite(finish_ns))
        return;

    /* What was reached was possible, whatever the rounding of fixed costs says. */
    uint64_t reached_ns = job->end_ns - job->start_ns;
    job->bound_ns = finish_ns < (double)reached_ns ? (uint64_t)ceil(finish_ns) : reached_ns;
    job->bound_basis = measured ? DIVVY_BOUND_MEASURED : DIVVY_BOUND_MODEL;
    job->efficiency = (double)job->bound_ns / (double)reached_ns;
    if (job->bound_ns < reached_ns)
        add_losses(job, finish_ns);
}
