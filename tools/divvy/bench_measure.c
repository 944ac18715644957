/* Turns, rounds and what they gave. */
#include "bench.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 4, CALLS_MOST = 10, ROUNDS_LEAST = 3, ROUNDS_MOST = 60, ROUNDS_QUICK = 2 };
static const double TURN_NS = 10e6, RESULT_NS = 3e9;

_Noreturn void bench_wrong(const char *row, const char *name)
{
    fprintf(stderr, "%s, %s: wrong\n", row, name);
    exit(EXIT_FAILURE);
}

/* ---- Series ------------------------------------------------------------------------------------- */

void bench_add(struct bench_series *series, double value)
{
    if (series->count == series->capacity) {
        size_t capacity = series->capacity ? 2 * series->capacity : 64;
        double *values = realloc(series->values, capacity * sizeof *values);
        bench_require(values != NULL, "the series", "memory");
        series->values = values;
        series->capacity = capacity;
    }
    series->values[series->count++] = value;
}

void bench_forget(struct bench_series *series)
{
    free(series->values);
    *series = (struct bench_series){0};
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(struct bench_series *series, double part)
{
    if (series->count == 0)
        return 0;
    qsort(series->values, series->count, sizeof *series->values, by_size);
    return series->values[(size_t)(part * (double)(series->count - 1) + 0.5)];
}

double bench_scaled(const struct bench_scale *scale, double ns)
{
    return scale->is_rate ? scale->per / ns : ns / scale->per;
}

/* ---- Results ------------------------------------------------------------------------------------ */

struct bench_result *bench_begin(struct bench *bench, const char *name, struct bench_scale scale, unsigned figures)
{
    struct bench_report *report = bench->report;
    struct bench_result *results = realloc(report->results, (report->result_count + 1) * sizeof *results);
    bench_require(results != NULL, report->row->name, "memory");
    report->results = results;
    struct bench_result *result = &results[report->result_count++];
    *result = (struct bench_result){.scale = scale, .figure_count = figures};
    snprintf(result->name, sizeof result->name, "%s", name);
    result->figures = calloc(figures, sizeof *result->figures);
    bench_require(result->figures != NULL, report->row->name, "memory");
    for (unsigned f = 0; f < figures; f++)
        result->figures[f].on_all_cores = -1;
    return result;
}

void bench_end(struct bench_result *result)
{
    const struct bench_series *own = &result->figures[0].rounds;
    for (unsigned f = 1; f < result->figure_count; f++) {
        struct bench_series ratios = {0};
        for (size_t r = 0; r < own->count; r++)
            bench_add(&ratios, own->values[r] / result->figures[f].rounds.values[r]);
        result->figures[f].ratio = bench_quantile(&ratios, 0.5);
        bench_forget(&ratios);
    }
}

bool bench_wants_round(const struct bench *bench, unsigned done, double began_ns)
{
    if (bench->rounds)
        return done < bench->rounds;
    if (bench->quick)
        return done < ROUNDS_QUICK;
    return done < ROUNDS_LEAST || (done < ROUNDS_MOST && bench_now_ns() - began_ns < RESULT_NS);
}

void bench_leave_out(struct bench *bench, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(bench->report->left_out, sizeof bench->report->left_out, format, values);
    va_end(values);
}

/* ---- Comparing ---------------------------------------------------------------------------------- */

static void take_place(const struct bench_contender *contender)
{
    if (contender->on_first_core)
        bench_pin(0);
    if (contender->before)
        contender->before(contender->context);
}

static void settle(const struct bench *bench, const struct bench_contender *contender)
{
    bench_unpin();
    if (!bench->quick)
        bench_sleep_ms(contender->settle_ms + 1);
}

/* Adds the times of some calls. Whether nothing else ran. */
static bool take_turn(struct bench *bench, const struct bench_contender *contender, unsigned calls, double *out_ns)
{
    bool calm = bench_await_calm(bench);
    if (contender->turn) {
        bench_require(contender->turn(contender->context, calls, out_ns), bench->report->row->name, contender->name);
    } else {
        take_place(contender);
        contender->run(contender->context);
        for (unsigned c = 0; c < calls; c++) {
            double began = bench_now_ns();
            contender->run(contender->context);
            out_ns[c] = bench_now_ns() - began;
        }
    }
    settle(bench, contender);
    return bench_is_calm(bench) && calm;
}

static void take_calm_turn(struct bench *bench, const struct bench_contender *contender, unsigned calls,
                           struct bench_result *result, struct bench_figure *figure)
{
    double ns[CALLS_MOST];
    bool calm = take_turn(bench, contender, calls, ns);
    for (unsigned k = 1; !calm && k < TRIES && bench->patience_ns > 0; k++)
        calm = take_turn(bench, contender, calls, ns);
    result->turns++;
    result->disturbed += !calm;

    struct bench_series round = {0};
    for (unsigned c = 0; c < calls; c++) {
        double shown = contender->divide != 0 ? ns[c] / contender->divide : ns[c];
        bench_add(&figure->calls, shown);
        bench_add(&round, shown);
    }
    bench_add(&figure->rounds, bench_quantile(&round, 0.5));
    bench_forget(&round);
}

/* One call from spoilt outputs, and whether it mended them all. What it took, in nanoseconds. */
static double check(const struct bench *bench, const struct bench_contender *contender)
{
    double ns = 0;
    if (contender->turn) {
        bench_require(contender->turn(contender->context, 1, &ns), bench->report->row->name, contender->name);
        return ns;
    }
    if (contender->spoil)
        contender->spoil(contender->context);
    take_place(contender);
    double began = bench_now_ns();
    contender->run(contender->context);
    ns = bench_now_ns() - began;
    bench_require(!contender->is_right || contender->is_right(contender->context), bench->report->row->name,
                  contender->name);
    settle(bench, contender);
    return ns;
}

static unsigned calls_of(const struct bench *bench, double ns)
{
    double calls = TURN_NS / ns;
    return bench->quick || calls < 1 ? 1 : calls > CALLS_MOST ? CALLS_MOST : (unsigned)calls;
}

const struct bench_result *bench_compare(struct bench *bench, const char *name, struct bench_scale scale,
                                         struct bench_contender *contenders, unsigned count)
{
    struct bench_result *result = bench_begin(bench, name, scale, count);
    unsigned *calls = calloc(count, sizeof *calls);
    bench_require(calls != NULL, name, "memory");
    for (unsigned c = 0; c < count; c++) {
        memcpy(result->figures[c].name, contenders[c].name, sizeof contenders[c].name);
        result->figures[c].is_ideal = contenders[c].is_ideal;
        calls[c] = calls_of(bench, check(bench, &contenders[c]));
    }

    double began = bench_now_ns();
    for (unsigned round = 0; bench_wants_round(bench, round, began); round++)
        for (unsigned k = 0; k < count; k++) {
            unsigned c = (k + round) % count;
            take_calm_turn(bench, &contenders[c], calls[c], result, &result->figures[c]);
        }

    for (unsigned c = 0; c < count; c++) {
        check(bench, &contenders[c]);
        if (contenders[c].on_all_cores)
            result->figures[c].on_all_cores = contenders[c].on_all_cores(contenders[c].context);
    }
    free(calls);
    bench_end(result);
    return result;
}
