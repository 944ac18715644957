/* Whether the benches would notice a wrong result: every computation, right and wrong. */
#include "check.h"

#include "bench_work.h"

#include <string.h>

static const char *const names[] = {"saxpy",      "triad",     "nbody",     "black_scholes",
                                    "mandelbrot", "sum_float", "sum_double"};

static bool has_fold(const struct work *work)
{
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++)
        if (divvy_kind_is_fold(work->kind->kernel->parameters[p].kind))
            return true;
    return false;
}

/* What was spoilt is wrong, what the library computed is right, and again after both have come in turn. */
static void test_library(struct work *work, divvy *dv)
{
    const divvy_kernel *kernel = work->kind->kernel;
    for (int k = 0; k < 3; k++) {
        work_spoil(work);
        CHECK(!work->kind->is_right(work));
        if (work->kind->advance)
            work->kind->advance(work);
        CHECK_EQ(divvy_run_kernel(dv, kernel, work->count, work->args, kernel->args_size), DIVVY_OK);
        CHECK(work->kind->is_right(work));
    }
}

/* The form in two parts is right; with the last index left out it is not. A sum that is off by a little is wrong. */
static void test_missing(struct work *work)
{
    if (has_fold(work)) {
        double *total = work_array(work, 1);
        float *float_total = work_array(work, 1);
        if (work_array_bytes(work, 1, work->count) == sizeof *total)
            *total *= 1 + 1e-9;
        else
            *float_total *= 1 + 1e-4f;
        CHECK(!work->kind->is_right(work));
        return;
    }
    divvy_body *body = work_form(work->kind, work_level());
    size_t half = work->count / 2 + 1;
    work_spoil(work);
    work_run_form(work, body, 0, half);
    work_run_form(work, body, half, work->count - half - 1);
    CHECK(!work->kind->is_right(work));
    work_run_form(work, body, work->count - 1, 1);
    CHECK(work->kind->is_right(work));
}

int main(void)
{
    struct bench bench = {.quick = true};
    bench_find_cores(&bench);
    divvy *dv = work_open("guarded", 0);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct work work;
        work_make(&work, work_kind(names[k]), work_kind(names[k])->quick_count, 0);
        test_library(&work, dv);
        test_missing(&work);
        work_free(&work);
    }
    CHECK(work_kind("nothing") == NULL);
    divvy_close(dv);
    return check_summary();
}
