/* Size: how many indices a device gets next. One file per schedule behind one hook; position is the split's business.
 *
 * A plan is what a schedule knows of one job: pure data that reads no clock and takes no lock, so that the same code
 * serves real devices and simulated time. Times are nanoseconds, rates nanoseconds per item. */
#ifndef DV_SCHEDULE_H
#define DV_SCHEDULE_H

#include "record/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known of a (kernel, class) for jobs of one size class. */
struct dv_rate {
    double ns_per_item; /* b; 0: nothing is known */
    double uncertainty; /* u, the root mean square of the logarithm of measured over expected */
    uint64_t samples;
    double items; /* of this job, that were measured */
    double drift; /* and by what part of it the rate is to change when the job is over */
};

/* Assigns what differs. A call like the one before leaves most of its job as it is: lines of memory that workers have
 * read then stay with them too, and need not be sent anew. */
#define DV_UPDATE(place, value) \
    do {                        \
        if ((place) != (value)) \
            (place) = (value);  \
    } while (0)
#define DV_UPDATE_ATOMIC(place, value)                                       \
    do {                                                                     \
        if (atomic_load_explicit(&(place), memory_order_relaxed) != (value)) \
            atomic_store_explicit(&(place), (value), memory_order_relaxed);  \
    } while (0)

/* What a schedule that weighs each device by its times has seen of one in this job: see awf_c.c and af.c. */
struct dv_seen {
    unsigned partitions;
    double items, ns, squares; /* sums, weighed as the schedule likes */
    double speed;              /* items per nanosecond; 0: unknown */
    double spread;             /* variance over mean of an item's time */
};

/* A partition that was recorded: replay gives it out as it was. */
struct dv_part {
    size_t first, count;
    unsigned next; /* of the same device, one more than its index; 0: none */
};

/* What the guarded share knows of all devices together. */
struct dv_level {
    double speed, head_start; /* sums over those that take part: 1 / b, and the start over b */
    double uncertainty;       /* the worst */
    double probing_ns;        /* how soon one that is being measured should answer */
    unsigned answers_left;    /* until all are looked at again */
};

/* One device during one job, as the schedule sees it. */
struct dv_pace {
    /* Constant during the job. */
    unsigned rate;    /* index of its class's rate */
    bool core;        /* has a home; the others draw from the far end */
    bool staged;      /* works on copies, so that others may take over what it is late with */
    bool out;         /* takes no part in this job: laid out for nothing. Or no more: it was left out */
    double fixed_ns;  /* a */
    double upload_ns; /* of the `all` arrays that it lacks when the job begins */
    double copy_ns;   /* of an index, to it and back: what may be done beside computing */
    size_t granule;
    size_t cap;          /* what its memory holds */
    double power;        /* its speed, as given (hguided) or measured in the last calls (iterative); 0: unknown */
    unsigned first_part; /* of those recorded for it, one more than its index; 0: none */

    /* The schedule's own. */
    enum { DV_AWAY, DV_HERE, DV_PARKED } stand; /* AWAY: not ready, or gone */
    bool served;                                /* has been given something in this job */
    bool learning;                              /* of its rate no more than a bound is known */
    double correction;                          /* s: this job's rate over the model's */
    unsigned samples;                           /* of this job */
    unsigned outliers;                          /* running */
    double free_at_ns;                          /* expected end of what it was given */
    double asked_ns[2];                         /* expected durations of what it works on, oldest first */
    unsigned asked;
    double speed, head_start; /* its part in the level */
    struct dv_seen seen;
    unsigned part;     /* of what was recorded for it, the next one; as first_part */
    size_t part_given; /* indices of that one */
};

struct dv_schedule;

struct dv_plan {
    const struct dv_schedule *schedule;
    size_t count;           /* of the job */
    size_t partition;       /* fixed size; 0: sized by the schedule */
    size_t first_partition; /* 0: as the schedule likes */
    bool latecomers;        /* devices may still come that are away, or not even among the paces */
    unsigned pace_count, core_count, device_count; /* the latter two: of those that take part */
    struct dv_pace *paces;
    unsigned rate_count;
    struct dv_rate *rates;
    unsigned part_count; /* replay: what was recorded, one after another; each is a home */
    const struct dv_part *parts;

    struct dv_decision decision; /* guarded: how the last answer came about */

    /* The schedule's own. */
    struct dv_level level;
    double size, step;    /* tss, fac2: of the next partition, and what the next but one is smaller by */
    unsigned batch_left;  /* fac2: how many more of that size */
    double speed, spread; /* awf-c, af: sums over the devices of which one is known */
    unsigned known_count; /* awf-c, af: those */
    size_t parts_left;    /* replay: indices of parts that were not given out */
};

/* An answer: `count` indices, a multiple of the granule where possible, of an adaptive schedule never more than remain;
 * 0: nothing for this device as things stand. `requested`: what the formula said, before rounding and caps. */
struct dv_ask {
    size_t count, requested;
    enum dv_reason reason;
    bool placed;   /* these and no others: from the front of `home` */
    unsigned home; /* index of a part */
};

/* A partition that a device works on copies of: its results reach the caller only when they are accepted, so cores may
 * compute it again meanwhile. */
struct dv_flight {
    unsigned device;         /* whose: index of its pace */
    size_t count;            /* indices that nobody has taken over yet: pieces are taken from its back */
    bool whole;              /* may only be taken over whole: it adds to a sum, where each index counts once */
    double began_ns, end_ns; /* when its device began, and is expected to end */
};

/* So many flights are looked at, from another one on for each core, so that among many devices each finds work of its own. */
enum { DV_FLIGHTS_MAX = 64 };

/* When a device that began then will end, if it was expected to by end_ns: overdue, it takes half as long again as it has
 * taken. */
double dv_flight_end_ns(double began_ns, double end_ns, double now);

/* `count` indices from the back of a flight, and why. 0: none for now; unless something happens before, it makes sense to
 * ask again at the moment again_ns, HUGE_VAL: never. */
struct dv_takeover {
    unsigned flight;
    size_t count;
    double again_ns;
};

struct dv_schedule {
    const char *name;
    const char *takes;  /* what stands behind its name and a colon, in words; NULL: nothing may */
    bool adaptive;      /* next and done change the plan: calls for one plan come one at a time. Else next is pure */
    bool learns;        /* keeps the rates itself; else they are taken from what all partitions of a job took */
    bool patient;       /* devices open and build beside the running cores, once that can pay; else all at once */
    bool quiet;         /* a job too small to wake anybody for is its caller's alone */
    bool one_each;      /* a device comes for its home, which others touch only if it does not come */
    bool bounded_below; /* a given partition size is the least one; else it is the only one: dynamic */
    bool balances;      /* measures each device's power, for the next call */

    /* Whether that may stand behind the colon. NULL: nothing may, or anything that is not empty. */
    bool (*check)(const char *parameter);

    /* Sets its own fields of a plan. NULL: it has none. */
    void (*begin)(struct dv_plan *plan);

    /* Divides [0, count) into the homes of all devices; sizes[pace_count] adds up to count. */
    void (*lay_out)(const struct dv_plan *plan, size_t *sizes);

    /* What device `d` gets at the moment `now_ns`, when `remaining` (at least 1) indices are not given out yet. */
    struct dv_ask (*next)(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining);

    /* Device `d` has computed `count` indices in `ns`, copies included. True: who was told that there is nothing for it
     * should ask again. NULL unless adaptive: see dv_plan_ignore. */
    bool (*done)(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns);

    /* Nothing is left to give out, and core `d` is idle: what it should compute again since its device will be late.
     * What it is given is over with done, as any partition. NULL: nothing, ever. */
    struct dv_takeover (*take_over)(struct dv_plan *plan, unsigned d, uint64_t now_ns, const struct dv_flight *flights,
                                    unsigned flight_count);
};

/* The take_over of schedules that know rates. */
struct dv_takeover dv_take_over(struct dv_plan *plan, unsigned d, uint64_t now_ns, const struct dv_flight *flights,
                                unsigned flight_count);

extern const struct dv_schedule dv_guarded, dv_static, dv_dynamic, dv_guided, dv_tss, dv_fac2, dv_awf_c, dv_af,
    dv_hguided, dv_iterative, dv_replay;

/* All of them, in the order in which they are told; ends with NULL. */
extern const struct dv_schedule *const dv_schedules[];

/* The schedule that a text asks for, "tss" or "hguided:cpu=1,opencl:0=8", and what stands behind the colon (within the
 * text; NULL: nothing). INVALID with what is allowed. */
divvy_status dv_schedule_read(const char *text, const struct dv_schedule **out_schedule, const char **out_parameter);

/* hguided's: the power that "cpu=1,opencl:0=8" gives to a device, by its id, else its class, else its backend; 1 if it
 * names none of them. */
double dv_power_given(const char *powers, const char *backend, const char *id, const char *device_class);

/* iterative's: a job is over, in which the device computed so much. Its power for the next one. */
double dv_power_measured(double power, size_t items, uint64_t busy_ns);

/* Sets the schedule's own fields of the plan and of every pace, before the first lay_out. */
void dv_plan_begin(struct dv_plan *plan);

/* One more device, whose pace stands behind the others. */
void dv_plan_join(struct dv_plan *plan);

/* The job is over: the rates are what it has taught. */
void dv_plan_end(struct dv_plan *plan);

/* Homes of equal size for the cores, none for the others (equal for all where there is no core), in whole partitions
 * if their size is given: only the last one of the job may be smaller. */
void dv_plan_lay_out_cores(const struct dv_plan *plan, size_t *sizes);

/* A home for every device that takes part, all of it, as speed_of says how fast it is; in whole granules where they fit.
 * Devices that are alike get the same ranges whatever their speed. */
void dv_plan_lay_out_shares(const struct dv_plan *plan, double (*speed_of)(const struct dv_plan *plan, unsigned d),
                            size_t *sizes);

/* For schedules that learn nothing from times: done. */
bool dv_plan_ignore(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t count, uint64_t ns);

/* A device has become so fast, and its items' times spread so: in the plan's sums it takes the place of what was known
 * of it. For awf-c and af. */
void dv_plan_weigh(struct dv_plan *plan, unsigned d, double speed, double spread);

/* `count` in multiples of the device's granule, at least one, within its cap; all that remains if the rest would be
 * smaller than a granule. */
size_t dv_plan_round(const struct dv_plan *plan, unsigned d, size_t count, size_t remaining);

/* Nanoseconds per item on device `d`, as far as this job knows; 0: unknown. */
double dv_plan_pace_ns(const struct dv_plan *plan, unsigned d);

/* How uncertain that is: a rate's own, but no rate is better known than the first; until a device was seen in this job at
 * least the second, and the third where nothing or a bound is known. */
#define DV_KNOWN_BEST 0.02
#define DV_UNPROVEN 0.25
#define DV_UNKNOWN 0.7
double dv_plan_uncertainty(const struct dv_plan *plan, unsigned d);

/* When a device could begin to compute something new. */
double dv_plan_start_ns(const struct dv_pace *pace, double now);

/* Device `d` is given `count` indices at that moment. */
void dv_plan_commit(struct dv_plan *plan, unsigned d, double now, size_t count);

/* The expected duration of `count` indices on device `d`; 0 if nothing is known. */
double dv_plan_expect_ns(const struct dv_plan *plan, unsigned d, size_t count);

/* A device that is there but was told to stay out may help again, since something has changed. */
void dv_plan_unpark(struct dv_plan *plan);

#endif
