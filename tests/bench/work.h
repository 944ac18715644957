/* The two computations that are heavy enough to divide, with their inputs and what must come out. */
#ifndef WORK_H
#define WORK_H

#include <divvy/kernel.h>

#include <divvy.h>

#include <stdbool.h>
#include <stddef.h>

struct bodies {
    size_t count;
    float softening;
    float *at[4], *acceleration[3]; /* x, y, z, mass; x, y, z */
};
void bodies_make(struct bodies *work, size_t count);
void bodies_free(struct bodies *work);
void bodies_run(divvy *dv, struct bodies *work, const char *row, const char *name);
/* Whether every result was written since they were spoilt. */
bool bodies_done(const struct bodies *work);
/* Against sums in double of every 61st body; spoils the results, so that the next check needs new ones. */
void bodies_check(struct bodies *work, const char *row, const char *name);

struct options {
    size_t count;
    float rate, volatility;
    float *spot, *strike, *years, *call, *put;
};
void options_make(struct options *work, size_t count);
void options_free(struct options *work);
void options_run(divvy *dv, struct options *work, const char *row, const char *name);
/* Against the formula in double with the error function, every 101st option. */
void options_check(struct options *work, const char *row, const char *name);

/* A context for one row; the program ends if it does not open. */
divvy *work_open(const divvy_options *options, const char *name);

#endif
