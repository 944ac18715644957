/* divvy_partition_for: the smallest partition that is worth its fixed cost, and an answer for whatever is asked. */
#include <divvy.h>

#include "check.h"

#include <float.h>
#include <math.h>

/* What the answer means: its items take long enough, and with one item fewer they would not. */
static void check_meaning(double fixed_ns, double per_item_ns, double efficiency)
{
    size_t count = divvy_partition_for(fixed_ns, per_item_ns, efficiency);
    double allowed = per_item_ns * (1 - efficiency);
    CHECK(count >= 1);
    CHECK((double)count * allowed >= fixed_ns * (1 - 1e-12));
    CHECK(count == 1 || (double)(count - 1) * allowed < fixed_ns * (1 + 1e-12));
}

int main(void)
{
    /* What Parfun, who measures the same for processes, gives for these. */
    CHECK_EQ(divvy_partition_for(40369422.16, 573750.56, 0.95), 1408);

    /* Whole answers, at and around them. */
    CHECK_EQ(divvy_partition_for(100, 1, 0), 100);
    CHECK_EQ(divvy_partition_for(100.5, 1, 0), 101);
    CHECK_EQ(divvy_partition_for(100, 1, 0.5), 200);
    CHECK_EQ(divvy_partition_for(100, 1000, 0.5), 1);
    CHECK_EQ(divvy_partition_for(100, 1, -1), 50);

    uint64_t random = check_seed();
    for (int k = 0; k < 100000; k++)
        check_meaning(exp(check_uniform(&random, -5, 25)), exp(check_uniform(&random, -5, 15)),
                      check_uniform(&random, -0.5, 0.999));

    /* Without a fixed cost one index is enough; a cost below nothing is none. */
    CHECK_EQ(divvy_partition_for(0, 5, 0.95), 1);
    CHECK_EQ(divvy_partition_for(-0.0, 0, 0.95), 1);
    CHECK_EQ(divvy_partition_for(-7, 5, 0.95), 1);
    CHECK_EQ(divvy_partition_for(-INFINITY, 5, 0.95), 1);
    CHECK_EQ(divvy_partition_for(0, 0, 2), 1);
    CHECK_EQ(divvy_partition_for(7, INFINITY, 0.95), 1);
    CHECK_EQ(divvy_partition_for(7, 5, -INFINITY), 1);

    /* Nothing makes up for it where items take no time, where none may be lost, where it is without end or too much. */
    CHECK(divvy_partition_for(7, 0, 0.95) == SIZE_MAX);
    CHECK(divvy_partition_for(7, -5, 0.95) == SIZE_MAX);
    CHECK(divvy_partition_for(7, 5, 1) == SIZE_MAX);
    CHECK(divvy_partition_for(7, 5, 1.5) == SIZE_MAX);
    CHECK(divvy_partition_for(7, 5, INFINITY) == SIZE_MAX);
    CHECK(divvy_partition_for(INFINITY, 5, 0.95) == SIZE_MAX);
    CHECK(divvy_partition_for(INFINITY, INFINITY, 0.95) == SIZE_MAX);
    CHECK(divvy_partition_for(DBL_MAX, DBL_MIN, 0.95) == SIZE_MAX);
    CHECK(divvy_partition_for(1e30, 1, 0) == SIZE_MAX);
    CHECK(divvy_partition_for(0x1p64, 1, 0) == SIZE_MAX);
    CHECK_EQ(divvy_partition_for(0x1p62, 1, 0), (size_t)1 << 62);

    /* What is no number tells nothing. */
    CHECK_EQ(divvy_partition_for(NAN, 5, 0.95), 1);
    CHECK_EQ(divvy_partition_for(7, NAN, 0.95), 1);
    CHECK_EQ(divvy_partition_for(7, 5, NAN), 1);
    return check_summary();
}
