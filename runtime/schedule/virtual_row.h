/* Inside of simulated time: a row of jobs, and the workers of its devices. virtual.c begins and ends jobs, virtual_work.c is
 * what happens in between. */
#ifndef DV_VIRTUAL_ROW_H
#define DV_VIRTUAL_ROW_H

#include "schedule/contest.h"
#include "schedule/split.h"
#include "schedule/virtual.h"

/* A partition that a device has begun, or is about to. */
struct task {
    struct dv_range range;
    size_t left; /* what nobody has taken over */
    size_t requested;
    enum dv_reason reason;
    double queued_ns, start_ns, deadline_ns;
    struct dv_world_course course;
};

/* A device and its worker. */
struct seat {
    bool retired;
    bool here; /* its worker looks for work of this job */
    struct task tasks[2];
    unsigned oldest, queued;
    double previous_end_ns;
    unsigned flying; /* where it stands in the list of those that fly */
};

struct dv_virtual {
    const struct dv_world *world;
    struct dv_virtual_options options;
    struct dv_plan plan;
    struct dv_split split;
    size_t *sizes;
    struct seat *seats;
    struct dv_world_past *pasts;
    struct dv_use *uses;
    struct sum {
        double busy_ns, items;
    } * sums;                 /* of each class */
    struct dv_contest events; /* who does something next, and when */
    struct dv_contest homes;  /* where most is left, as negative sizes */
    unsigned far_home;        /* beyond it nothing is left */
    unsigned *flying;         /* staged devices with something in flight */
    unsigned flying_count;
    struct dv_flight flights[DV_FLIGHTS_MAX];
    struct task *flown[DV_FLIGHTS_MAX]; /* the task of each flight */
    size_t unclaimed, accepted;
    bool recalls; /* those who found nothing to do shall look again */
    double now_ns, job_ns;
    struct dv_virtual_job job;
};

/* Device `d` does what it was to do at this moment: comes, ends a partition, asks again. */
void dv_virtual_act(struct dv_virtual *row, unsigned d);

/* Those who found nothing to do look again. */
void dv_virtual_ask_all(struct dv_virtual *row);

/* Tells of a partition that has become `outcome`, but for what others have taken over of it. */
void dv_virtual_tell(struct dv_virtual *row, unsigned d, const struct task *task, double end_ns,
                     enum dv_outcome outcome);

/* A moment or duration as records have it. */
uint64_t dv_virtual_whole_ns(double ns);

#endif
