/* A layer between the OpenCL loader and the drivers (cl_loader_layers: OPENCL_LAYERS=libdivvy_faults.so) that makes calls
 * fail, hang or lie, by plan or by seed. A plan comes from OPENCL_FAULTS when the layer is loaded, or from a program that
 * opens the same file and asks it for `faults_layer`. A plan is a list, separated by commas, of
 *
 *     CALL:N=WHAT        the Nth call from now on, once; CALL is an OpenCL function, or * for any
 *     CALL:every N=WHAT  each Nth call
 *     seed=S, rate=R     on average one call in R, in a way drawn from S: codes, events, times, short answers, and
 *                        now and then the loss of the device
 *     slow=N             each Nth command is said to run on when it is over, until it was asked for three times or
 *                        waited for: a device that works while its caller does something else. Not a fault
 *
 * where WHAT is
 *
 *     CL_...    this code, the driver not being asked. What is released is released nevertheless
 *     event     the command is queued; its event ends with CL_OUT_OF_RESOURCES, and nothing useful was done
 *     hang      the command is queued; its event never ends, nor do those behind it
 *     block     the call itself does not return
 *     times     nonsense instead of a moment
 *     short     success, and an answer of no bytes; of clCreateProgramWithBinary: a program, and a refusal
 *     lost      from here on every call fails with CL_DEVICE_NOT_AVAILABLE, until the next plan
 *
 * A call counts for an entry only if it can fail in that way: see faults_applies. What hangs or blocks is let go by
 * `release`. The layer knows the calls that the opencl backend makes (calls.h) and ends the process at any other. */
#ifndef FAULTS_H
#define FAULTS_H

#include "calls.h"

#include <stdbool.h>
#include <stdint.h>

enum faults_kind {
    FAULTS_CODE,
    FAULTS_EVENT,
    FAULTS_HANG,
    FAULTS_BLOCK,
    FAULTS_TIMES,
    FAULTS_SHORT,
    FAULTS_LOST,
    FAULTS_KINDS
};

enum faults_call {
#define NUMBER(name, can) FAULTS_##name,
    FAULTS_CALLS_MAP(NUMBER)
#undef NUMBER
        FAULTS_CALLS
};

enum faults_object {
    FAULTS_CONTEXT,
    FAULTS_QUEUE,
    FAULTS_BUFFER,
    FAULTS_PROGRAM,
    FAULTS_KERNEL,
    FAULTS_EVENTS,
    FAULTS_SUBDEVICE,
    FAULTS_OBJECTS
};

/* Whether a call can fail in a way. */
static inline bool faults_applies(enum faults_call call, enum faults_kind kind)
{
#define CAN(name, can) (can),
    static const unsigned char abilities[] = {FAULTS_CALLS_MAP(CAN)};
#undef CAN
    switch (kind) {
    case FAULTS_EVENT:
    case FAULTS_HANG:
        return (abilities[call] & FAULTS_HAS_EVENT) != 0;
    case FAULTS_TIMES:
        return (abilities[call] & FAULTS_HAS_TIMES) != 0;
    case FAULTS_SHORT:
        return (abilities[call] & FAULTS_HAS_ANSWER) != 0;
    default:
        return true;
    }
}

static inline const char *faults_call_name(enum faults_call call)
{
#define NAME(name, can) #name,
    static const char *const names[] = {FAULTS_CALLS_MAP(NAME)};
#undef NAME
    return names[call];
}

static inline const char *faults_kind_name(enum faults_kind kind)
{
    static const char *const names[] = {"code", "event", "hang", "block", "times", "short", "lost"};
    return names[kind];
}

/* What the layer exports, as one constant object called faults_layer. Any thread. */
struct faults_layer {
    /* From now on this, counted from now; NULL: nothing fails. False, and nothing fails, if it is not a plan. */
    bool (*plan)(const char *text);

    /* Ends what hangs and what blocks. */
    void (*release)(void);

    /* Calls since the last plan, and among them those that were made to fail; what fails because the device is lost
     * counts once. */
    uint64_t (*calls)(void);
    uint64_t (*injected)(void);

    /* Calls made to fail since the layer was loaded. */
    uint64_t (*injected_in_all)(enum faults_call call, enum faults_kind kind);

    /* Calls since the layer was loaded that could have failed in this way: not all commands give an event. */
    uint64_t (*calls_in_all)(enum faults_call call, enum faults_kind kind);

    /* References held on objects of a kind: 0 when everything was let go. */
    long (*held)(enum faults_object object);

    /* Commands whose event was let go though nobody was told that they are over: they might still run. */
    uint64_t (*unseen)(void);
};

#endif
