/* Rows for those who work on divvy. */
#ifndef ROWS_H
#define ROWS_H

#include "bench.h"

extern const struct bench_row row_startup, row_profile_empty, row_profile_nbody;
extern const struct bench_row row_paced_20, row_paced_50, row_paced_200, row_hostile, row_oclgrind;

enum { ROW_REGRETS = 11 };
extern const struct bench_row row_regret[ROW_REGRETS];

#endif
