/* The least that divides work over all cores: one bound thread for each but the first, which is the caller's; they spin
 * for a fifth of a millisecond and then sleep. What a library is compared with. */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include "bench_peer.h"

/* Once; later calls find it there. */
void bench_team_start(unsigned cores);
/* One contiguous part for each core; returns when all are done. The caller is on the first core. */
void bench_team_run(size_t count, bench_part *part, void *context);
void bench_team_end(void);

#endif
