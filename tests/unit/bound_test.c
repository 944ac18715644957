#include "check.h"

#include "record/record.h"

#include <math.h>

enum { START = 5000, MS = 1000000 };

static struct dv_job_record job_of(size_t use_count, struct dv_use *uses, uint64_t wall_ns)
{
    struct dv_job_record job = {
        .start_ns = START, .end_ns = START + wall_ns, .use_count = use_count, .uses = uses, .error = ""};
    dv_bound(&job);
    return job;
}

static int near(double actual, double expected)
{
    return fabs(actual - expected) <= 1e-4 * expected;
}

/* The same equation solved the slow way: halving an interval. */
static double solve_by_halving(const struct dv_use *uses, const double *speeds, size_t count, double work)
{
    double low = 0, high = 1e15;
    for (int step = 0; step < 200; step++) {
        double middle = (low + high) / 2, done = 0;
        for (size_t i = 0; i < count; i++)
            if (!uses[i].retired)
                done += speeds[i] * fmax(0, middle - ((double)uses[i].ready_ns - START) - (double)uses[i].fixed_ns);
        *(done < work ? &low : &high) = middle;
    }
    return high;
}

static void compare_with_halving(uint64_t *random)
{
    enum { CLASSES = 3 };
    struct dv_use uses[12] = {0};
    double speeds[12], class_ns[CLASSES], work = 0;
    size_t count = 1 + check_random(random) % 12;

    for (int i = 0; i < CLASSES; i++)
        class_ns[i] = check_uniform(random, 0.5, 500);
    for (size_t i = 0; i < count; i++) {
        unsigned class = (unsigned)(check_random(random) % CLASSES);
        uint64_t items = 1000 + check_random(random) % 100000;
        uint64_t partitions = 1 + check_random(random) % 9, fixed_ns = check_random(random) % 1000;
        uint64_t busy_ns = partitions * fixed_ns + (uint64_t)((double)items * class_ns[class]);
        uses[i] = (struct dv_use){.device_class = class,
                                  .partitions = partitions,
                                  .items = items,
                                  .busy_ns = busy_ns,
                                  .fixed_ns = fixed_ns,
                                  .ready_ns = START + check_random(random) % 3 * MS,
                                  .ns_per_item = class_ns[class],
                                  .retired = i > 0 && check_random(random) % 5 == 0};
        speeds[i] = 1 / class_ns[class];
        work += (double)items;
    }
    struct dv_job_record job = job_of(count, uses, (uint64_t)1000 * MS);
    double expected = solve_by_halving(uses, speeds, count, work);
    if (expected < 1000.0 * MS)
        CHECK(fabs((double)job.bound_ns - expected) < 3 + 1e-3 * expected);
    else
        CHECK_EQ(job.bound_ns, (uint64_t)1000 * MS);
}

/* The bound and what was lost add up to the time reached, whatever the devices did. */
static void add_up(uint64_t *random)
{
    struct dv_use uses[12] = {0};
    size_t count = 1 + check_random(random) % 12;
    uint64_t wall_ns = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t fixed_ns = check_random(random) % 3000, partitions = check_random(random) % 20;
        uint64_t busy_ns = partitions * (fixed_ns + check_random(random) % MS),
                 late = check_random(random) % 4 ? 0 : MS;
        uint64_t wasted_ns = check_random(random) % 5 ? 0 : check_random(random) % MS;
        uint64_t ends_ns = late + busy_ns + wasted_ns + check_random(random) % MS;
        uses[i] = (struct dv_use){.device_class = (unsigned)(i / 3),
                                  .partitions = partitions,
                                  .items = partitions * 1000,
                                  .busy_ns = busy_ns,
                                  .jit_ns = busy_ns / (1 + check_random(random) % 50),
                                  .copies_ns = busy_ns / 100,
                                  .wasted_ns = wasted_ns,
                                  .fixed_ns = fixed_ns,
                                  .ready_ns = START + late,
                                  .last_end_ns = partitions ? START + ends_ns : 0,
                                  .ns_per_item = 100,
                                  .retired = check_random(random) % 6 == 0};
        wall_ns = ends_ns > wall_ns ? ends_ns : wall_ns;
    }
    struct dv_job_record job = job_of(count, uses, wall_ns + 1);
    const struct dv_losses *losses = &job.losses;
    double lost = losses->launch_ns + losses->copies_ns + losses->jit_ns + losses->repeated_ns + losses->waiting_ns +
                  losses->imbalance_ns;
    if (job.bound_basis != DIVVY_BOUND_UNKNOWN)
        CHECK(fabs((double)job.bound_ns + lost - (double)(job.end_ns - job.start_ns)) < 2);
}

/* Two devices alike: one has 8 ms of work, the other 4 and then nothing; one millisecond is lost to launches. */
static void tell_losses(void)
{
    struct dv_use uses[] = {
        {.partitions = 3,
         .items = 800,
         .busy_ns = 8 * MS,
         .fixed_ns = MS / 2,
         .ready_ns = 1,
         .last_end_ns = START + 8 * MS},
        {.partitions = 1,
         .items = 500,
         .busy_ns = 4 * MS,
         .fixed_ns = MS / 2,
         .ready_ns = 1,
         .last_end_ns = START + 4 * MS},
    };
    struct dv_job_record job = job_of(2, uses, 8 * MS);
    CHECK(near((double)job.bound_ns, 5.5 * MS));
    CHECK(near(job.losses.launch_ns, 0.5 * MS)); // two launches more than one each, half of the speed
    CHECK(near(job.losses.imbalance_ns, 2 * MS));
    CHECK(fabs(job.losses.waiting_ns) < 2 && job.losses.copies_ns == 0 && job.losses.jit_ns == 0);

    /* What others have computed as well, and what every partition reads. */
    uses[1] = (struct dv_use){.partitions = 1,
                              .items = 300,
                              .busy_ns = 4 * MS,
                              .wasted_ns = 3 * MS,
                              .copies_ns = MS,
                              .fixed_ns = MS / 2,
                              .ready_ns = 1,
                              .last_end_ns = START + 7 * MS};
    job = job_of(2, uses, 8 * MS);
    CHECK(near(job.losses.repeated_ns, 1.5 * MS) && near(job.losses.copies_ns, 0.5 * MS));
    CHECK(near(job.losses.imbalance_ns, 0.5 * MS));
}

int main(void)
{
    uint64_t random = check_seed();

    /* A ramp cut in halves on two equal devices: the items are equal, the work is 1 to 3, so that two thirds of the
     * time would have been enough. Items per second would say one half. */
    struct dv_use ramp[] = {
        {.device = 0, .partitions = 2, .items = 500, .busy_ns = 1 * MS, .ready_ns = 1},
        {.device = 1, .partitions = 2, .items = 500, .busy_ns = 3 * MS, .ready_ns = 1},
    };
    struct dv_job_record job = job_of(2, ramp, 3 * MS);
    CHECK_EQ(job.bound_ns, 2 * MS);
    CHECK_EQ(job.bound_basis, DIVVY_BOUND_MEASURED);
    CHECK(near(job.efficiency, 2.0 / 3));

    /* Devices of two classes that are both busy all the time are at the bound, however different. */
    struct dv_use two[] = {
        {.device_class = 0, .partitions = 3, .items = 100, .busy_ns = MS, .ready_ns = 1},
        {.device_class = 7, .partitions = 2, .items = 45000, .busy_ns = MS, .ready_ns = 1},
    };
    job = job_of(2, two, MS);
    CHECK_EQ(job.bound_ns, MS);
    CHECK(near(job.efficiency, 1));

    /* One partition is not a measurement. */
    two[1].partitions = 1;
    CHECK_EQ(job_of(2, two, MS).bound_basis, DIVVY_BOUND_MODEL);

    /* A parked device stays in the bound by its model: twice as fast as the core, it would have left a third. */
    struct dv_use parked[] = {
        {.device_class = 0, .partitions = 4, .items = 1000, .busy_ns = 3 * MS, .ready_ns = 1},
        {.device_class = 1, .ready_ns = 1, .ns_per_item = 1500, .parked = true},
    };
    job = job_of(2, parked, 3 * MS);
    CHECK_EQ(job.bound_ns, MS);
    CHECK_EQ(job.bound_basis, DIVVY_BOUND_MODEL);

    /* One that is rightly parked, since its fixed cost is longer than the job, does not change the bound. */
    parked[1].fixed_ns = 10 * MS;
    CHECK_EQ(job_of(2, parked, 3 * MS).bound_ns, 3 * MS);

    /* An untried device without a model makes the bound unknown. */
    parked[1] = (struct dv_use){.device_class = 1, .ready_ns = 1};
    job = job_of(2, parked, 3 * MS);
    CHECK_EQ(job.bound_basis, DIVVY_BOUND_UNKNOWN);
    CHECK_EQ(job.bound_ns, 0);
    CHECK(job.efficiency == 0);

    /* An untried device of a class that ran is as fast as its fellows. */
    parked[1].device_class = 0;
    job = job_of(2, parked, 3 * MS);
    CHECK_EQ(job.bound_ns, 3 * MS / 2);
    CHECK_EQ(job.bound_basis, DIVVY_BOUND_MODEL);

    /* A device whose kernel never became ready counts from never, whatever is known of it. */
    parked[1] = (struct dv_use){.device_class = 1, .ns_per_item = 1};
    job = job_of(2, parked, 3 * MS);
    CHECK_EQ(job.bound_ns, 3 * MS);
    CHECK_EQ(job.bound_basis, DIVVY_BOUND_MEASURED);

    /* A device counts from the moment its kernel is ready: 4 ms of work, the second after 2 ms, so 3 ms. */
    struct dv_use late[] = {
        {.partitions = 2, .items = 7, .busy_ns = 3500000, .ready_ns = 1},
        {.partitions = 2, .items = 1, .busy_ns = 500000, .ready_ns = START + 2 * MS},
    };
    CHECK_EQ(job_of(2, late, 3500000).bound_ns, 3 * MS);

    /* A device that was ready only after the work was over does not count. */
    late[1] = (struct dv_use){.ready_ns = START + 9 * MS};
    CHECK_EQ(job_of(2, late, 3500000).bound_ns, 3500000);

    /* One device pays its fixed cost once at best. */
    struct dv_use alone[] = {{.partitions = 10, .items = 10, .busy_ns = 2 * MS, .fixed_ns = 100000, .ready_ns = 1}};
    CHECK_EQ(job_of(1, alone, 2 * MS).bound_ns, 1100000);

    /* A fixed cost that was measured too high leaves a tenth of the busy time as work. */
    alone[0].fixed_ns = 200000;
    CHECK_EQ(job_of(1, alone, 2 * MS).bound_ns, 400000);

    /* The bound never exceeds the time that was reached. */
    alone[0].fixed_ns = 50 * MS;
    job = job_of(1, alone, 2 * MS);
    CHECK_EQ(job.bound_ns, 2 * MS);
    CHECK(job.efficiency == 1);

    /* Without work, without time, without devices there is no bound. */
    struct dv_use nothing[] = {{.ready_ns = 1, .ns_per_item = 3}, {.device_class = 1, .ready_ns = 1, .ns_per_item = 4}};
    CHECK_EQ(job_of(2, nothing, MS).bound_basis, DIVVY_BOUND_UNKNOWN);
    CHECK_EQ(job_of(1, ramp, 0).bound_basis, DIVVY_BOUND_UNKNOWN);
    CHECK_EQ(job_of(0, NULL, MS).bound_basis, DIVVY_BOUND_UNKNOWN);

    /* What a retired device did is work; what it could have done is not counted. */
    struct dv_use retired[] = {
        {.partitions = 2, .items = 30, .busy_ns = 3 * MS, .ready_ns = 1},
        {.partitions = 2, .items = 10, .busy_ns = 1 * MS, .ready_ns = 1, .retired = true},
    };
    job = job_of(2, retired, 5 * MS);
    CHECK_EQ(job.bound_ns, 4 * MS);
    CHECK_EQ(job.bound_basis, DIVVY_BOUND_MEASURED);
    retired[0].retired = true;
    CHECK_EQ(job_of(2, retired, 5 * MS).bound_basis, DIVVY_BOUND_UNKNOWN);

    /* The bound solves its equation: random devices, classes, fixed costs and starts against halving. */
    for (int i = 0; i < 2000; i++)
        compare_with_halving(&random);
    tell_losses();
    for (int k = 0; k < 2000; k++)
        add_up(&random);
    return check_summary();
}
