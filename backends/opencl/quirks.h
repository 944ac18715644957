/* What drivers do other than they should, known by platform, device and version. README.md tells of those that need no
 * more than care. */
#ifndef DV_OPENCL_QUIRKS_H
#define DV_OPENCL_QUIRKS_H

#include <stdbool.h>

struct dv_cl_quirks {
    bool staged;            /* cannot work in the caller's memory */
    bool computes_in_flush; /* and returns from it when that is over */
    const char *unsafe;     /* how its results may be wrong without a word; NULL: not known to be */
};

/* All that apply to a device. */
struct dv_cl_quirks dv_cl_quirks_of(const char *platform, const char *device, const char *driver_version);

#endif
