/* A crew: the units that a context works with, and what they have learned. The part of a context that jobs see. */
#ifndef DV_CREW_H
#define DV_CREW_H

#include "base/options.h"
#include "record/profile.h"
#include "record/script.h"
#include "schedule/balance.h"
#include "schedule/model.h"
#include "schedule/unit.h"

struct dv_job;

enum { DV_CREW_MAX = 512, DV_JOIN_MAX = 16 }; /* units of a crew; of them, those that may join a job in flight */

struct dv_crew {
    /* Constant after dv_crew_open. */
    struct dv_settings settings;
    const struct dv_schedule *schedule;
    const char *parameter; /* of the schedule, within the settings; NULL: none */
    const struct dv_topology *host;
    struct dv_filter filter;
    struct dv_plugin **plugins;
    unsigned plugin_count;
    unsigned forked_count; /* behind them: those left out since the parent of this process uses them */
    int *member_of_core;   /* [host->core_count]: index of the unit on that core, or -1 */
    unsigned core_count;   /* units on cores; they come first */
    unsigned *cores;       /* their indices in the topology */
    struct dv_box *boxes;  /* [core_count]: see relay.h */
    bool bound;            /* whether its threads are bound */
    unsigned spare_count;  /* cores left to OpenCL devices */
    unsigned *spare_cores;
    struct dv_profile *profile; /* NULL: none */
    struct dv_models models;
    struct dv_balances balances;

    pthread_mutex_t script_mutex;
    struct dv_script *scripts; /* read so far; they and what was taken of them: under script_mutex */

    /* Written under the pool's mutex, read with it or after a count. */
    atomic_uint unit_count;
    struct dv_unit *units[DV_CREW_MAX];
    unsigned class_of[DV_CREW_MAX]; /* units of one class have the same number */
    unsigned profile_index[DV_CREW_MAX];
    unsigned class_count;
    atomic_uint unprobed; /* backends that wait to be probed */
    atomic_bool probing;
    pthread_mutex_t probe_mutex; /* one probes at a time */
    pthread_t prober;
    bool has_prober, entered;
    atomic_bool probed;             /* the prober has ended, or is about to */
    atomic_bool closing;            /* no unit is added any more; set under the pool's mutex */
    int in_flight;                  /* jobs */
    _Atomic(struct dv_job *) handy; /* a job to be used again, without the mutex */
    struct dv_job *spare;           /* more of them */
    struct dv_job *made;            /* all jobs ever made */
};

/* Chooses devices by the settings, which the crew takes over; probes what a filter names. NO_DEVICE listing what
 * exists, and what the registry says. */
divvy_status dv_crew_open(struct dv_settings *settings, struct dv_crew *out_crew);

/* Waits for the end of its jobs, writes the profile, lets everything go. Also after a failed opening. False: a device
 * hangs inside one of its jobs, whose memory, the crew's included, has to stay. */
bool dv_crew_close(struct dv_crew *crew);

/* Probes what was not probed yet; adds the devices that the filter lets pass, to jobs in flight too. */
divvy_status dv_crew_probe(struct dv_crew *crew);

/* Begins dv_crew_probe beside the running jobs, once. */
void dv_crew_probe_beside(struct dv_crew *crew);

#endif
