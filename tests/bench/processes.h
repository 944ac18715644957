/* Peers in processes of their own: StarPU, once for each of its schedulers, and plain OpenCL. They make the same
 * inputs themselves, check what they compute, and time it; between their turns they are stopped.
 *
 * A process is started with the kernel, the count and the number of cores. It writes a line "ready" when it has
 * computed once and that was right, or ends with 77 if it cannot take part. It then reads lines, each a number of
 * calls: it makes one call to get warm and so many that it times, and writes a line with each time in nanoseconds. At
 * the end of its input it computes once more, and ends with 0 if that was right. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "bench.h"

/* Those that were built, for this number of cores; ends with a name NULL. If `quick`, each program once. */
const struct bench_remote *processes_start_with(unsigned cores, bool quick);

#endif
