/* Measuring two or more ways to do one thing in the same minutes.
 *
 * A row of the table has several contenders. They take turns, round after round, each turn one call to get warm and a
 * few that are timed, so that a bad minute of the machine hits them all; a turn that began or ended while something else
 * ran on the machine is taken again, within limits. The table says for each the median, the quiet
 * time (what the best tenth of its calls took) and how these compare with the fastest of the references. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the caller of a contender stands: where the system puts it, on the first core, or where OpenMP bound it when it
 * was loaded. */
enum bench_caller { BENCH_FREE, BENCH_FIRST_CORE, BENCH_OPENMP };

struct bench_contender {
    const char *name;
    void (*run)(void *context); /* one timed call */
    void *context;
    enum bench_caller caller;
    bool reference;     /* others are compared with the fastest of these */
    unsigned settle_ms; /* how long its idle threads may go on spinning after its turn */
};

struct bench_row {
    const char *name;
    const char *unit;
    double per;      /* a time: nanoseconds per unit. A rate: units times nanoseconds in one call */
    double minus_ns; /* a time: taken off each call first, before `per` divides it */
    double scale;    /* a time: multiplies the nanoseconds before; 0 is 1 */
    bool is_rate;
    unsigned rounds, calls; /* timed calls in a turn */
};

/* One contender's times, in nanoseconds. */
struct bench_series {
    double *ns;
    size_t count, capacity;
};

/* Reads --smoke, --rounds N and --patience SECONDS, finds the cores, fixes the OpenMP environment. First call of main. */
void bench_begin(int argc, char **argv);
bool bench_smoke(void);
/* As many rounds as the command line wants, else `usual`. */
unsigned bench_rounds(unsigned usual);

/* Measures a row and prints a line for each contender. */
void bench_measure(const struct bench_row *row, const struct bench_contender *contenders, unsigned count);

/* The same, of times that the program took itself. */
void bench_add(struct bench_series *series, double ns);
void bench_forget(struct bench_series *series);
double bench_median(struct bench_series *series);
double bench_quiet(struct bench_series *series);
void bench_print(const char *row, const char *name, double median, const char *unit, double quiet, double ratio,
                 double quiet_ratio);
/* A figure that has no quiet and no ratio. */
void bench_print_one(const char *row, const char *name, double value, const char *unit);

/* Ends the program if something is wrong: a number from wrong results is worth nothing. */
void bench_require(bool right, const char *row, const char *name);

/* Whether nothing else runs on this machine now; and waits for that, as long as the program's patience (half a minute
 * in all, --patience SECONDS) lasts. */
bool bench_is_calm(void);
bool bench_await_calm(void);

double bench_now_ns(void);
void bench_sleep_ms(unsigned ms);
void bench_take_place(enum bench_caller caller);

/* The machine's cores that this process may use, one processor for each. */
unsigned bench_core_count(void);
void bench_pin(unsigned core);

/* The mask of processors as it is now is the one OpenMP gave this thread; before OpenMP was loaded it was free. */
void bench_remember_openmp(void);

void *bench_alloc(size_t bytes);
/* In [low, high), the same on every run. */
float bench_random(uint64_t *state, float low, float high);

#endif
