/* Which of a kernel's forms this processor runs. Shared by the backends that run C forms. */
#ifndef LEVEL_H
#define LEVEL_H

#include <divvy/backend.h>

/* The best level that the processor supports, or the one that DIVVY_<BACKEND>_LEVEL names: UNSUPPORTED if the
 * processor lacks it, INVALID with the known ones if there is none of that name. */
divvy_status level_choose(const divvy_host *host, const char **out_level);

/* The best form of a kernel that is not above `level`; never NULL. */
divvy_body *level_form(const divvy_kernel *kernel, const char *level);

/* Runs the C form over a partition: folds in lanes, block by block, so that sums of many elements keep the precision
 * of the partial. */
void level_run(const divvy_host *host, divvy_body *body, const divvy_partition *partition);

#endif
