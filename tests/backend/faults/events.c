#include "layer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { COMMANDS_MAX = 1 << 14, QUEUES_MAX = 256 };

static atomic_long held[FAULTS_OBJECTS];

/* A command whose event somebody holds. */
struct entry {
    cl_event event;
    cl_command_queue queue;
    unsigned references;
    cl_int end;      /* how it ends; CL_COMPLETE: as the driver says; CL_SUBMITTED: never */
    unsigned unsure; /* so often it is still said to run */
    bool seen;       /* somebody was told that it is over */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;
static struct entry entries[COMMANDS_MAX];
static unsigned entry_count;
static cl_command_queue hung[QUEUES_MAX]; /* in-order queues: what comes later waits for what hangs */
static unsigned hung_count;
static unsigned releases;
static atomic_uint_fast64_t unseen;

void faults_hold(enum faults_object object, long count)
{
    atomic_fetch_add(&held[object], count);
}

long faults_held(enum faults_object object)
{
    return atomic_load(&held[object]);
}

uint64_t faults_unseen(void)
{
    return atomic_load(&unseen);
}

/* ---- Under the mutex ---- */

/* The youngest come first. NULL: nobody holds it. */
static struct entry *find(cl_event event)
{
    for (unsigned k = entry_count; k-- > 0;)
        if (entries[k].event == event)
            return &entries[k];
    return NULL;
}

static bool is_hung(cl_command_queue queue)
{
    for (unsigned k = 0; k < hung_count; k++)
        if (hung[k] == queue)
            return true;
    return false;
}

/* ---- Commands ---- */

void faults_note(cl_event event, cl_command_queue queue, cl_int end, unsigned unsure)
{
    pthread_mutex_lock(&mutex);
    if (entry_count == COMMANDS_MAX || hung_count == QUEUES_MAX) {
        fputs("faults: too many events at once\n", stderr);
        abort();
    }
    entries[entry_count++] =
        (struct entry){.event = event, .queue = queue, .references = 1, .end = end, .unsure = unsure};
    if (end == CL_SUBMITTED && !is_hung(queue))
        hung[hung_count++] = queue;
    pthread_mutex_unlock(&mutex);
}

void faults_note_retain(cl_event event)
{
    pthread_mutex_lock(&mutex);
    struct entry *entry = find(event);
    if (entry)
        entry->references++;
    pthread_mutex_unlock(&mutex);
}

void faults_note_release(cl_event event)
{
    pthread_mutex_lock(&mutex);
    struct entry *entry = find(event);
    if (entry && --entry->references == 0) {
        atomic_fetch_add(&unseen, !entry->seen);
        *entry = entries[--entry_count];
    }
    pthread_mutex_unlock(&mutex);
}

cl_int faults_state_of(cl_event event, cl_int state)
{
    pthread_mutex_lock(&mutex);
    struct entry *entry = find(event);
    if (entry && entry->end != CL_COMPLETE)
        state = entry->end;
    else if (entry && entry->unsure > 0 && entry->unsure--)
        state = CL_RUNNING;
    if (entry && state <= CL_COMPLETE)
        entry->seen = true;
    pthread_mutex_unlock(&mutex);
    return state;
}

bool faults_is_strange(cl_event event)
{
    pthread_mutex_lock(&mutex);
    const struct entry *entry = find(event);
    bool strange = entry && entry->end != CL_COMPLETE;
    pthread_mutex_unlock(&mutex);
    return strange;
}

cl_int faults_note_waited(cl_uint count, const cl_event *events)
{
    cl_int code = CL_SUCCESS;
    pthread_mutex_lock(&mutex);
    for (cl_uint k = 0; k < count; k++) {
        struct entry *entry = find(events[k]);
        if (!entry)
            continue;
        entry->seen = true;
        entry->unsure = 0;
        if (entry->end < 0)
            code = CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

void faults_note_finished(cl_command_queue queue)
{
    pthread_mutex_lock(&mutex);
    for (unsigned k = 0; k < entry_count; k++) {
        if (entries[k].queue == queue) {
            entries[k].seen = true;
            entries[k].unsure = 0;
        }
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- Hanging ---- */

bool faults_hangs(cl_command_queue queue, cl_uint count, const cl_event *events)
{
    pthread_mutex_lock(&mutex);
    bool hangs = is_hung(queue);
    for (cl_uint k = 0; k < count && !hangs; k++) {
        const struct entry *entry = find(events[k]);
        hangs = entry && entry->end == CL_SUBMITTED;
    }
    pthread_mutex_unlock(&mutex);
    return hangs;
}

void faults_block(void)
{
    pthread_mutex_lock(&mutex);
    for (unsigned seen = releases; seen == releases;)
        pthread_cond_wait(&released, &mutex);
    pthread_mutex_unlock(&mutex);
}

void faults_release(void)
{
    pthread_mutex_lock(&mutex);
    for (unsigned k = 0; k < entry_count; k++)
        if (entries[k].end == CL_SUBMITTED)
            entries[k].end = CL_COMPLETE;
    hung_count = 0;
    releases++;
    pthread_cond_broadcast(&released);
    pthread_mutex_unlock(&mutex);
}
