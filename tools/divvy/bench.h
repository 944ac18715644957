/* Measuring divvy beside its peers in the same minutes.
 *
 * A *row* is a question and has one result or more. A *result* has *figures*: the first is divvy's, the others are
 * those of its peers. Contenders take turns, round after round: one call to get warm, then some that are timed, so
 * that a bad minute of the machine hits them all. A turn that begins or ends while something else runs is taken again,
 * within limits. What is told of a peer is the median of the ratios of the rounds.
 *
 * Outputs are spoilt, computed and compared with plain C before the first round and after the last; a wrong one
 * ends the program, since its time is worth nothing. */
#ifndef BENCH_H
#define BENCH_H

#include "bench_peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_NAME_BYTES = 64 };

/* Numbers, in the order in which they came until a quantile is asked for. */
struct bench_series {
    double *values;
    size_t count, capacity;
};
void bench_add(struct bench_series *series, double value);
void bench_forget(struct bench_series *series);
/* The value that `part` of all lie below, 0 to 1; 0 if there is none. Sorts. */
double bench_quantile(struct bench_series *series, double part);

/* How times become what is shown. */
struct bench_scale {
    const char *unit;
    double per;   /* a time: nanoseconds per unit. A rate: units times nanoseconds in one call */
    bool is_rate; /* more is better */
};
double bench_scaled(const struct bench_scale *scale, double ns);

struct bench_figure {
    char name[BENCH_NAME_BYTES];
    struct bench_series calls;  /* every timed call, in nanoseconds */
    struct bench_series rounds; /* one for each round: its typical call */
    double ratio;               /* a peer's: the median over the rounds of divvy's time / its own */
    double on_all_cores;        /* the share of its jobs in which every core took part; negative: not counted */
    bool is_ideal;              /* no peer, but the best that could be: 1 / ratio is an efficiency */
};

struct bench_result {
    char name[BENCH_NAME_BYTES]; /* "" where a row has only one */
    struct bench_scale scale;
    struct bench_figure *figures; /* divvy's first */
    unsigned figure_count;
    unsigned turns, disturbed; /* of these, while something else ran */
};

struct bench;

/* One question, and how it is answered: by bench_compare, or by results of its own. */
struct bench_row {
    const char *name, *what;
    void (*measure)(struct bench *bench);
};

/* What came out of a row. */
struct bench_report {
    const struct bench_row *row;
    struct bench_result *results;
    unsigned result_count;
    char left_out[256]; /* why there is nothing, or nothing more; "" if all is there */
};

/* A peer in processes of its own, which times itself. */
struct bench_remote {
    const char *name;
    bool beside_device; /* uses a core and an OpenCL device on the others; else all cores */
    /* Starts it on a job of this kernel; NULL where it does not do that. */
    void *(*start)(const struct bench_remote *remote, const char *kernel, size_t count);
    /* One call to get warm, then `calls` whose times it tells. False: it failed, and said why. */
    bool (*turn)(void *hand, unsigned calls, double *out_ns);
    void (*stop)(void *hand);
};

struct bench {
    bool quick;
    unsigned rounds;    /* exactly so many; 0: as many as time allows */
    double patience_ns; /* for waiting until nothing else runs, in a row; what is left of it */
    double row_patience_ns;
    unsigned cores;                        /* that divvy uses by default */
    const char *level;                     /* instruction set that its kernels use here */
    const struct bench_peer *const *peers; /* ends with NULL */
    const char *peers_note;                /* which OpenMP, or why there is none */
    const struct bench_remote *remotes;    /* ends with a name NULL; NULL: none */
    struct bench_report *report;           /* of the row at hand */
};

/* One way to do what a result is about. */
struct bench_contender {
    char name[BENCH_NAME_BYTES];
    void (*before)(void *context); /* at the beginning of a turn; may be NULL */
    void (*run)(void *context);    /* one timed call */
    /* Instead of these two: times itself. */
    bool (*turn)(void *context, unsigned calls, double *out_ns);
    void (*spoil)(void *context);    /* outputs, before a call that is checked; may be NULL. May bind and unbind */
    bool (*is_right)(void *context); /* what that call computed; may be NULL */
    void *context;
    bool on_first_core;                          /* its caller is bound there; else it stands where it likes */
    unsigned settle_ms;                          /* how long its idle threads may spin after its turn */
    double (*on_all_cores)(const void *context); /* see the figure; may be NULL */
    bool is_ideal;                               /* see the figure */
    double divide;                               /* its times are divided by this; 0 is 1 */
};

/* Measures a result of the row at hand: contenders[0] is divvy's. The result is valid until the next one. */
const struct bench_result *bench_compare(struct bench *bench, const char *name, struct bench_scale scale,
                                         struct bench_contender *contenders, unsigned count);

/* For rows that measure by themselves: a new result of the row at hand, valid until the next one; its end, which
 * computes the ratios; and whether another round should follow those `done`, the first of which began at `began_ns`. */
struct bench_result *bench_begin(struct bench *bench, const char *name, struct bench_scale scale, unsigned figures);
void bench_end(struct bench_result *result);
bool bench_wants_round(const struct bench *bench, unsigned done, double began_ns);
void bench_leave_out(struct bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the program if something is wrong. */
_Noreturn void bench_wrong(const char *row, const char *name);
static inline void bench_require(bool right, const char *row, const char *name)
{
    if (!right)
        bench_wrong(row, name);
}

/* The command line, the rows that it names one after another, and what they gave. `setup` gives the peers. Returns the
 * exit status. */
int bench_command(const char *program, int argc, char **argv, const struct bench_row *const *rows,
                  void (*setup)(struct bench *bench));
void bench_print_table(const struct bench_report *reports, unsigned count);
int bench_print_json(const struct bench *bench, const struct bench_report *reports, unsigned count);

/* ---- The machine -------------------------------------------------------------------------------- */

void bench_find_cores(struct bench *bench);
void bench_pin(unsigned core); /* binds the calling thread to one of the cores that divvy uses by default */
void bench_unpin(void);        /* the main thread, to where it was in the beginning */
/* Has a peer make its threads, each bound to one of these cores. Nothing for a peer NULL, or one without threads. */
void bench_take_places(const struct bench_peer *peer, unsigned threads);
double bench_now_ns(void);
void bench_sleep_ms(unsigned ms);
/* Whether nothing else runs on this machine now; and waits for that while the row's patience lasts. */
bool bench_is_calm(const struct bench *bench);
bool bench_await_calm(struct bench *bench);
/* Pages of memory; the program ends if there is none. */
void *bench_alloc(size_t bytes);
/* Memory that can be had without pushing anything out, in bytes; 0: unknown. */
uint64_t bench_memory_bytes(void);

/* ---- The rows ------------------------------------------------------------------------------------ */

extern const struct bench_row bench_empty_static, bench_empty_guarded, bench_chunks;
extern const struct bench_row bench_saxpy_64, bench_triad_64, bench_saxpy_512, bench_triad_512;
extern const struct bench_row bench_scaling_nbody, bench_scaling_triad;
extern const struct bench_row bench_nbody, bench_black_scholes, bench_mandelbrot, bench_sum_float, bench_sum_double,
    bench_reproducible;
extern const struct bench_row bench_devices_nbody, bench_devices_black_scholes, bench_devices_mandelbrot,
    bench_devices_saxpy;

/* All of them, in the order in which they are told. */
#define BENCH_ROWS                                                                                                \
    &bench_empty_static, &bench_empty_guarded, &bench_chunks, &bench_saxpy_64, &bench_triad_64, &bench_saxpy_512, \
        &bench_triad_512, &bench_scaling_nbody, &bench_scaling_triad, &bench_nbody, &bench_black_scholes,         \
        &bench_mandelbrot, &bench_sum_float, &bench_sum_double, &bench_reproducible, &bench_devices_nbody,        \
        &bench_devices_black_scholes, &bench_devices_mandelbrot, &bench_devices_saxpy

#endif
