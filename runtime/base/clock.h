/* The one clock: monotonic nanoseconds since some fixed point. Never 0. */
#ifndef DV_CLOCK_H
#define DV_CLOCK_H

#include <stdint.h>

uint64_t dv_now_ns(void);

#endif
