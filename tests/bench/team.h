/* The least that divides work over all cores: one bound thread for each but the first, which is the caller's; they spin
 * for a fifth of a millisecond and then sleep. What a library is compared with. */
#ifndef TEAM_H
#define TEAM_H

#include <stddef.h>

typedef void team_part(void *context, size_t first, size_t count);

void team_start(unsigned cores);
/* One contiguous part for each core; returns when all are done. The caller is on the first core. */
void team_run(size_t count, team_part *part, void *context);
void team_end(void);

#endif
