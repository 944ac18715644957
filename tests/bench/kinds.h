/* More kinds of work than divvy bench has: every shipped kernel that takes a while. */
#ifndef KINDS_H
#define KINDS_H

#include "bench_work.h"

/* Of this name, here or in divvy bench; NULL: none. */
const struct work_kind *kinds_find(const char *name);

#endif
