/* The life of a context among faults: it is opened, runs jobs of several kernels and is closed; then everything that
 * divvy.h promises is checked. */
#ifndef LIFE_H
#define LIFE_H

#include "check.h"
#include "faults.h"

#include <divvy.h>

struct life {
    const char *devices;  /* the filter */
    const char *schedule; /* each device gets a part under "static"; "dynamic" hands out partitions of a fixed size */
    const char *plan;     /* NULL: nothing fails */
    bool prepares;        /* before the first job */
    bool may_leave;       /* faults are such that a device may hang for all that anybody can know */
    unsigned helpers;     /* threads of the test that run beside it */
};

/* What came of it. */
struct after {
    uint64_t calls, injected;
    unsigned failed;  /* devices */
    unsigned refused; /* jobs */
    bool left_behind; /* something was, since a device hangs or cannot be asked */
    uint64_t wall_ns, close_ns;
};

/* The layer; ends the test if it or a device that takes part is not there. Once, first: sets the environment. */
const struct faults_layer *life_begin(void);

/* Whether the devices work on copies. */
bool life_is_staged(void);

/* Leads one. What hangs is let go when the context has closed. */
struct after life_live(const struct life *life);

/* Prints what was injected, by call and kind, and checks that each call that was made often since life_begin was hit
 * in each way that `kinds` (bits) asks for. */
void life_report(unsigned kinds);

/* Whether a call was made since life_begin as often as there are kinds, and was never hit in a way in which it can
 * fail. */
bool life_lacks(enum faults_call call, enum faults_kind kind);

/* Removes what the lives have left on disk; the exit status, as far as lives were checked. */
int life_end(void);

#endif
