/* The host: which cores this process may use, and how to bind threads to them. The only home of hwloc. */
#ifndef DV_TOPOLOGY_H
#define DV_TOPOLOGY_H

#include <divvy.h>
#include <stdbool.h>

/* One physical core that this process may use. With SMT only its first allowed hardware thread counts. */
struct dv_core {
    unsigned cpu;  /* the operating system's number of that hardware thread */
    unsigned numa; /* index of its NUMA node */
    unsigned kind; /* cores of one kind are alike; 0 saves most energy, the fastest kind is last */
    unsigned package;
    unsigned threads; /* hardware threads of the core that are allowed */
};

/* Constant after discovery; valid for ever. */
struct dv_topology {
    unsigned core_count; /* at least 1; in the order of neighbourhood */
    const struct dv_core *cores;
    unsigned kind_count;
    const char *model;      /* the processor's name, "" if unknown */
    unsigned machine_cores; /* cores of the machine, allowed or not */
    unsigned machine_threads;
    unsigned numa_count;
    double quota; /* cores' worth of time that the control group grants; 0: no limit */
    uint64_t memory_bytes;
    uint64_t l1_bytes, l2_bytes, l3_bytes; /* of the first core's caches */
    bool synthetic;                        /* invented (HWLOC_SYNTHETIC): binding has no effect */
    uint8_t digest[16]; /* of what decides how fast the machine is: processor, cores, threads, kinds, caches, nodes. Not
                           of what this process may use of it, which changes from run to run */
};

/* Discovers once per process; NULL (with the error text) only if that fails. Any thread. core_count is
 * within affinity mask and cpuset; the quota, rounded up, limits default_cores. */
const struct dv_topology *dv_topology_get(void);

/* How many cores to use for DIVVY_THREADS = threads: 0 is every allowed core within the quota, -1 all, -n all but
 * n - 1 (at least 1); more than there are is LIMIT. */
divvy_status dv_topology_thread_count(int threads, unsigned *out_count);

/* Which cores to use, in the order of seats, for DIVVY_BIND = bind ("", "compact", "scatter", "none" or a list of
 * core indices "0,2-5"): fills out_cores[count]. A list must name at least `count` cores. INVALID with what is
 * allowed. *out_bound: whether threads are to be bound. */
divvy_status dv_topology_place(const char *bind, unsigned count, unsigned *out_cores, bool *out_bound);

/* Binds the calling thread to these cores (indices into cores) and reads the binding back. UNSUPPORTED if the
 * thread does not sit where it was told: an info line, not an error, to callers. A synthetic machine is OK. */
divvy_status dv_topology_bind(const unsigned *cores, unsigned count);

/* The core that the calling thread runs on now; -1: none of those that may be used, or the machine is invented. After
 * dv_topology_get; costs next to nothing. */
int dv_topology_here(void);

#endif
