/* What a test can make the fake backend do. The plugin exports `fake_orders`, one for each of its devices; a test finds
 * them with dlsym and changes them at any time. Zeros mean a device that works well and fast. */
#ifndef FAKE_H
#define FAKE_H

#include <stdatomic.h>
#include <stdint.h>

/* The devices, always these: */
enum {
    FAKE_STAGED, /* works on copies, two partitions at once */
    FAKE_SINGLE, /* works on copies, one partition at once, in multiples of 64 indices */
    FAKE_DIRECT, /* works in the caller's arrays */
    FAKE_SMALL,  /* works on copies, no slice larger than 64 KiB */
    FAKE_CORES,  /* made of one of the host's cores, as an OpenCL CPU device is; works in place */
    FAKE_DEVICES,
};

/* How a process ends that ends while the backend is being probed, or a device opened or a kernel built. */
enum { FAKE_ENDED_INSIDE = 88 };

struct fake_order {
    atomic_int fail_probe;  /* of the first device: probing fails */
    atomic_int fail_open;   /* opening fails */
    atomic_int fail_load;   /* no kernel builds */
    atomic_int fail_start;  /* the n-th start from now on fails */
    atomic_int fail_finish; /* the n-th finish from now on fails, after all was computed */
    atomic_int late;        /* the n-th finish from now on is late */
    atomic_int hang;        /* the n-th finish from now on returns only when this is 0 again */

    /* These may be changed in the middle, to 0 to end it. */
    _Atomic uint64_t slow_ns;      /* each partition takes this much longer */
    _Atomic uint64_t open_slow_ns; /* opening and building take this much longer */
    _Atomic uint64_t
        copy_slow_ns; /* a staged device takes this much longer to copy what it reads, after it has begun */
    _Atomic uint64_t probe_slow_ns; /* of the first device: probing takes this much longer */

    /* What the device has done. */
    atomic_int probed;  /* of the first device: probing has begun */
    atomic_int opening; /* opens that have begun */
    atomic_int loading; /* builds that have begun */
    atomic_int nice;    /* of the thread that started its last partition */
    atomic_int opened, closed, loaded, started, finished, copied;
    _Atomic uint64_t items;
};

#endif
