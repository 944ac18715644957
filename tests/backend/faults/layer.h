/* What the files of the layer share.
 *
 *     layer.c    stands in for each function of the drivers
 *     plan.c     says which call fails, and how
 *     events.c   knows the commands, those that are said to fail or hang among them, and what is held */
#ifndef FAULTS_LAYER_H
#define FAULTS_LAYER_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl_icd.h>

#include "faults.h"

/* What is to become of a call. */
struct fault {
    bool struck;
    enum faults_kind kind;
    cl_int code;
    uint64_t number; /* of the faults so far: for kinds that come in several forms */
};

/* The next call of a kind: whether it fails, and how. `events`: it gives an event. Does not return while it blocks. */
struct fault faults_strike(enum faults_call call, bool events);

bool faults_plan(const char *text);

/* How often the next command is to be called running though it is over. */
unsigned faults_unsure(void);

uint64_t faults_calls(void);
uint64_t faults_injected(void);
uint64_t faults_injected_in_all(enum faults_call call, enum faults_kind kind);
uint64_t faults_calls_in_all(enum faults_call call, enum faults_kind kind);

/* ---- events.c ---- */

/* References that come and go. */
void faults_hold(enum faults_object object, long count);
long faults_held(enum faults_object object);

/* Somebody has got the event of a command of this queue. It ends in this way: CL_COMPLETE is as the driver says,
 * CL_SUBMITTED never, and then no command behind it does. The first `unsure` times that somebody asks, it still runs. */
void faults_note(cl_event event, cl_command_queue queue, cl_int end, unsigned unsure);
void faults_note_retain(cl_event event);
void faults_note_release(cl_event event);

/* What is to be said of a command whose state is `state`. */
cl_int faults_state_of(cl_event event, cl_int state);

/* Whether it does not end as the driver says. */
bool faults_is_strange(cl_event event);

/* These commands, or those of the queue, were waited for. What such a wait returns. */
cl_int faults_note_waited(cl_uint count, const cl_event *events);
void faults_note_finished(cl_command_queue queue);

/* Commands whose last event was let go though nobody had been told that they are over. */
uint64_t faults_unseen(void);

/* Whether a queue hangs, or one of these events does. */
bool faults_hangs(cl_command_queue queue, cl_uint count, const cl_event *events);

/* Waits until all is let go. */
void faults_block(void);
void faults_release(void);

#endif
