/* Measuring itself: series, ratios, rates, rounds, and what becomes of a contender that computes nonsense. */
#include "check.h"
#include "fork.h"

#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A contender that says what its calls took: each round's in turn. */
struct fake {
    const double *ns;
    unsigned turns, calls; /* taken, asked for in all */
    bool wrong;
};

static bool fake_turn(void *context, unsigned calls, double *out_ns)
{
    struct fake *fake = context;
    for (unsigned c = 0; c < calls; c++)
        out_ns[c] = fake->ns[fake->turns];
    fake->turns++;
    fake->calls += calls;
    return true;
}

static void fake_run(void *context)
{
    ((struct fake *)context)->turns++;
}

static bool fake_is_right(void *context)
{
    return !((struct fake *)context)->wrong;
}

static const struct bench_row row = {"row", "of the test", NULL};

static struct bench quick(struct bench_report *report, unsigned rounds)
{
    *report = (struct bench_report){.row = &row};
    return (struct bench){.quick = true, .rounds = rounds, .report = report};
}

static void forget(struct bench_report *report)
{
    for (unsigned r = 0; r < report->result_count; r++) {
        for (unsigned f = 0; f < report->results[r].figure_count; f++) {
            bench_forget(&report->results[r].figures[f].calls);
            bench_forget(&report->results[r].figures[f].rounds);
        }
        free(report->results[r].figures);
    }
    free(report->results);
}

/* Quantiles are those of the sorted values, whatever their order was. */
static void test_quantiles(void)
{
    struct bench_series series = {0};
    for (int k = 0; k < 101; k++)
        bench_add(&series, k * 37 % 101);
    CHECK_EQ((int)bench_quantile(&series, 0), 0);
    CHECK_EQ((int)bench_quantile(&series, 0.1), 10);
    CHECK_EQ((int)bench_quantile(&series, 0.5), 50);
    CHECK_EQ((int)bench_quantile(&series, 1), 100);
    bench_forget(&series);
    bench_add(&series, 7);
    CHECK_EQ((int)bench_quantile(&series, 0.9), 7);
    bench_forget(&series);
}

/* 1000 bytes in 500 ns are 2 GB/s; 1500 ns are 1.5 us. */
static void test_scales(void)
{
    CHECK(bench_scaled(&(struct bench_scale){"GB/s", 1000, true}, 500) == 2);
    CHECK(bench_scaled(&(struct bench_scale){"us", 1000, false}, 1500) == 1.5);
}

/* What is told of a peer is the median of the rounds' ratios, not the ratio of medians: a bad round that hits both is
 * none. The first number is the check's before the rounds, the last the one after them. */
static void test_ratio_is_by_round(void)
{
    struct bench_report report;
    struct bench bench = quick(&report, 5);
    struct fake own = {.ns = (double[]){1, 200, 20, 2000, 30, 40, 1}};
    struct fake peer = {.ns = (double[]){1, 100, 10, 1000, 60, 80, 1}};
    struct bench_contender contenders[] = {{.name = "own", .turn = fake_turn, .context = &own},
                                           {.name = "peer", .turn = fake_turn, .context = &peer, .divide = 2}};
    const struct bench_result *result =
        bench_compare(&bench, "result", (struct bench_scale){.unit = "ns", .per = 1}, contenders, 2);
    CHECK_EQ(result->figure_count, 2u);
    CHECK(result->figures[1].ratio == 4); /* 2, but for the division */
    CHECK_EQ(result->figures[0].calls.count, (size_t)5);
    CHECK_EQ(result->figures[1].rounds.count, (size_t)5);
    CHECK(bench_quantile(&report.results[0].figures[0].calls, 0.5) == 40);
    CHECK(bench_quantile(&report.results[0].figures[1].calls, 1) == 500);
    CHECK_EQ(own.turns, 7u);
    CHECK_EQ(result->turns, 10u);
    CHECK_EQ(result->disturbed, 0u);
    forget(&report);
}

/* A call to get warm stands before each timed one, and one call is checked before and after. */
static void test_warm(void)
{
    struct bench_report report;
    struct bench bench = quick(&report, 3);
    struct fake fake = {0};
    struct bench_contender contender = {.name = "own", .run = fake_run, .is_right = fake_is_right, .context = &fake};
    bench_compare(&bench, "", (struct bench_scale){.unit = "ns", .per = 1}, &contender, 1);
    CHECK_EQ(fake.turns, 1u + 3 * 2 + 1);
    CHECK_EQ(report.results[0].figures[0].calls.count, (size_t)3);
    forget(&report);
}

/* A wrong result ends the program with 1, and nothing is told of it. */
static void test_wrong_result_ends(void)
{
    int status = 0;
    pid_t child = check_fork();
    if (child == 0) {
        struct bench_report report;
        struct bench bench = quick(&report, 1);
        struct fake fake = {.wrong = true};
        struct bench_contender contender = {
            .name = "own", .run = fake_run, .is_right = fake_is_right, .context = &fake};
        fclose(stderr);
        bench_compare(&bench, "", (struct bench_scale){.unit = "ns", .per = 1}, &contender, 1);
        _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    struct bench bench = {.quick = true};
    bench_find_cores(&bench);
    test_quantiles();
    test_scales();
    test_ratio_is_by_round();
    test_warm();
    test_wrong_result_ends();
    return check_summary();
}
