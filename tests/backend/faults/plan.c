#include "layer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 64, ENTRY_BYTES = 128, ANY_CALL = -1 };

/* One entry of a plan. */
struct entry {
    int call;
    enum faults_kind kind;
    cl_int code;
    uint64_t nth, every; /* one of the two */
    uint64_t seen;
};

static struct {
    struct entry entries[ENTRIES_MAX];
    unsigned count;
    uint64_t seed, rate; /* rate 0: nothing by chance */
    uint64_t slow;       /* every so many-th command is over only when asked again; 0: none */
    bool lost;
} plan;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool armed; /* some plan: else no lock is taken */

static atomic_uint_fast64_t calls, injected, commands;
static atomic_uint_fast64_t faults; /* since the layer was loaded */
static atomic_uint_fast64_t calls_of[FAULTS_CALLS], with_event[FAULTS_CALLS], injected_at[FAULTS_CALLS][FAULTS_KINDS];

/* Codes that drivers were seen to give, one of them unknown to the headers. */
static const struct {
    const char *name;
    cl_int code;
} codes[] = {
#define CODE(name)  \
    {               \
#name, name \
    }
    CODE(CL_OUT_OF_RESOURCES),      CODE(CL_MEM_OBJECT_ALLOCATION_FAILURE),
    CODE(CL_OUT_OF_HOST_MEMORY),    CODE(CL_DEVICE_NOT_AVAILABLE),
    CODE(CL_BUILD_PROGRAM_FAILURE), CODE(CL_INVALID_BINARY),
    CODE(CL_INVALID_VALUE),         CODE(CL_INVALID_OPERATION),
    CODE(CL_INVALID_COMMAND_QUEUE), CODE(CL_INVALID_MEM_OBJECT),
    CODE(CL_MAP_FAILURE),
#undef CODE
    {"CL_UNKNOWN", -9999},
};
enum { CODES = sizeof codes / sizeof *codes };

/* ---- Reading a plan ---- */

static bool read_call(const char *name, int *out_call)
{
    *out_call = ANY_CALL;
    if (strcmp(name, "*") == 0)
        return true;
    for (int c = 0; c < FAULTS_CALLS; c++)
        if (strcmp(name, faults_call_name(c)) == 0)
            *out_call = c;
    return *out_call != ANY_CALL;
}

static bool read_what(const char *what, struct entry *entry)
{
    for (int k = FAULTS_EVENT; k < FAULTS_KINDS; k++) {
        if (strcmp(what, faults_kind_name(k)) == 0) {
            entry->kind = k;
            return true;
        }
    }
    entry->kind = FAULTS_CODE;
    for (int c = 0; c < CODES; c++)
        if (strcmp(what, codes[c].name) == 0)
            entry->code = codes[c].code;
    return entry->code != CL_SUCCESS;
}

static bool read_number(const char *text, uint64_t *out_number)
{
    char *end;
    *out_number = strtoull(text, &end, 0);
    return end > text && *end == 0;
}

static bool read_entry(char *text)
{
    char *what = strchr(text, '='), *when;
    if (!what)
        return false;
    *what++ = 0;
    if (strcmp(text, "seed") == 0)
        return read_number(what, &plan.seed);
    if (strcmp(text, "rate") == 0)
        return read_number(what, &plan.rate);
    if (strcmp(text, "slow") == 0)
        return read_number(what, &plan.slow);
    struct entry entry = {0};
    when = strchr(text, ':');
    if (!when || plan.count == ENTRIES_MAX)
        return false;
    *when++ = 0;
    bool again = strncmp(when, "every ", 6) == 0;
    if (!read_call(text, &entry.call) || !read_what(what, &entry) ||
        !read_number(again ? when + 6 : when, again ? &entry.every : &entry.nth) || entry.every + entry.nth == 0)
        return false;
    plan.entries[plan.count++] = entry;
    return true;
}

static bool read_plan(const char *text)
{
    for (const char *at = text; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        char entry[ENTRY_BYTES];
        if (length >= sizeof entry)
            return false;
        memcpy(entry, at, length);
        entry[length] = 0;
        if (!read_entry(entry))
            return false;
        at += length;
    }
    return true;
}

bool faults_plan(const char *text)
{
    pthread_mutex_lock(&mutex);
    memset(&plan, 0, sizeof plan);
    bool good = !text || read_plan(text);
    if (!good)
        memset(&plan, 0, sizeof plan);
    atomic_store(&calls, 0);
    atomic_store(&injected, 0);
    atomic_store(&armed, plan.count > 0 || plan.rate > 0 || plan.slow > 0);
    pthread_mutex_unlock(&mutex);
    return good;
}

/* ---- Which call fails ---- */

static uint64_t draw(void)
{
    uint64_t z = (plan.seed += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool can(enum faults_call call, enum faults_kind kind, bool events)
{
    return faults_applies(call, kind) && (events || (kind != FAULTS_EVENT && kind != FAULTS_HANG));
}

/* By chance: half of the kinds that a call has beside a code, else a code; one in sixteen loses the device. Nothing
 * that hangs: whoever wants that says where. */
static bool draw_fault(enum faults_call call, bool events, struct fault *fault)
{
    static const enum faults_kind kinds[] = {FAULTS_EVENT, FAULTS_TIMES, FAULTS_SHORT};
    if (plan.rate == 0 || draw() % plan.rate != 0)
        return false;
    enum faults_kind drawn = kinds[draw() % 3];
    fault->kind = draw() % 16 == 0 ? FAULTS_LOST : can(call, drawn, events) ? drawn : FAULTS_CODE;
    fault->code = codes[draw() % CODES].code;
    return true;
}

/* Whether an entry's turn has come. */
static bool is_due(struct entry *entry, enum faults_call call, bool events)
{
    if ((entry->call != ANY_CALL && entry->call != (int)call) || !can(call, entry->kind, events))
        return false;
    entry->seen++;
    return entry->every ? entry->seen % entry->every == 0 : entry->seen == entry->nth;
}

/* Under the mutex. */
static struct fault choose(enum faults_call call, bool events)
{
    struct fault fault = {0};
    if (plan.lost)
        return (struct fault){.struck = true, .kind = FAULTS_CODE, .code = CL_DEVICE_NOT_AVAILABLE};
    for (unsigned k = 0; k < plan.count; k++) {
        if (is_due(&plan.entries[k], call, events) && !fault.struck) {
            fault.kind = plan.entries[k].kind;
            fault.code = plan.entries[k].code;
            fault.struck = true;
        }
    }
    fault.struck = fault.struck || draw_fault(call, events, &fault);
    if (!fault.struck)
        return fault;
    atomic_fetch_add(&injected_at[call][fault.kind], 1);
    atomic_fetch_add(&injected, 1);
    fault.number = atomic_fetch_add(&faults, 1);
    if (fault.kind == FAULTS_EVENT)
        fault.code = CL_OUT_OF_RESOURCES;
    if (fault.kind == FAULTS_LOST) {
        plan.lost = true;
        fault.kind = FAULTS_CODE;
        fault.code = CL_DEVICE_NOT_AVAILABLE;
    }
    return fault;
}

struct fault faults_strike(enum faults_call call, bool events)
{
    struct fault fault = {0};
    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&calls_of[call], 1);
    atomic_fetch_add(&with_event[call], events);
    if (!atomic_load(&armed))
        return fault;
    pthread_mutex_lock(&mutex);
    fault = choose(call, events);
    pthread_mutex_unlock(&mutex);
    if (fault.struck && fault.kind == FAULTS_BLOCK) {
        faults_block();
        fault.struck = false;
    }
    return fault;
}

unsigned faults_unsure(void)
{
    enum { TIMES = 3 };
    if (!atomic_load(&armed))
        return 0;
    pthread_mutex_lock(&mutex);
    bool slow = plan.slow > 0 && atomic_fetch_add(&commands, 1) % plan.slow == 0;
    pthread_mutex_unlock(&mutex);
    return slow ? TIMES : 0;
}

/* ---- What was counted ---- */

uint64_t faults_calls(void)
{
    return atomic_load(&calls);
}

uint64_t faults_injected(void)
{
    return atomic_load(&injected);
}

uint64_t faults_injected_in_all(enum faults_call call, enum faults_kind kind)
{
    return atomic_load(&injected_at[call][kind]);
}

uint64_t faults_calls_in_all(enum faults_call call, enum faults_kind kind)
{
    if (!faults_applies(call, kind))
        return 0;
    return atomic_load(kind == FAULTS_EVENT || kind == FAULTS_HANG ? &with_event[call] : &calls_of[call]);
}
