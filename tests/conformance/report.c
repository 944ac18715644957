#include "report.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { GROUPS_MAX = 2048, BREACHES_MAX = 256, DEVICES_MAX = 64, TOLD_PER_RULE = 3 };

struct group {
    char name[32], device[128], skipped[160];
    atomic_uint checks, failures;
    unsigned told[RULE_COUNT];
    uint64_t began_ns, took_ns;
    bool ended;
};

struct breach {
    enum rule rule;
    unsigned group;
    char text[600];
};

/* Shared by the processes of a run; one of them writes at a time. */
struct report {
    bool quiet;
    uint64_t seed;
    char left_out[1024], only[512];
    bool rules_out[RULE_COUNT];
    atomic_uint group_count, breach_count, device_count;
    atomic_uint_fast64_t progress;
    char devices[DEVICES_MAX][128];
    struct group groups[GROUPS_MAX];
    struct breach breaches[BREACHES_MAX];
};

static struct report *report;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of what is told and printed */

static const struct {
    const char *name, *text;
} rules[] = {
#define CONFORMANCE_RULE(name, text) {#name, text},
    CONFORMANCE_RULES(CONFORMANCE_RULE)
#undef CONFORMANCE_RULE
};

void report_rules(void)
{
    for (unsigned k = 0; k < RULE_COUNT; k++)
        printf("    %-14s %s\n", rules[k].name, rules[k].text);
}

static bool is_in(const char *list, const char *name)
{
    const size_t wanted = strlen(name);
    for (const char *at = list; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        if (length == wanted && strncmp(at, name, length) == 0)
            return true;
        at += length;
    }
    return false;
}

/* Whether each name of the list is a rule or a group. */
static bool are_known(const char *list, bool (*is_group)(const char *name))
{
    char name[64];
    for (const char *at = list; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        bool known = is_group(name);
        for (unsigned k = 0; k < RULE_COUNT; k++)
            known = known || strcmp(rules[k].name, name) == 0;
        if (!known) {
            fprintf(stderr, "divvy_conformance: there is no rule and no group \"%s\": see --list\n", name);
            return false;
        }
        at += length;
    }
    return true;
}

bool report_open(bool quiet, uint64_t seed, const char *names, bool (*is_group)(const char *name))
{
    if (!are_known(names, is_group))
        return false;
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (report == MAP_FAILED) {
        perror("divvy_conformance");
        exit(2);
    }
    report->quiet = quiet;
    report->seed = seed;
    snprintf(report->left_out, sizeof report->left_out, "%s", names);
    for (unsigned k = 0; k < RULE_COUNT; k++)
        report->rules_out[k] = is_in(names, rules[k].name);
    return true;
}

void report_only(const char *names)
{
    snprintf(report->only, sizeof report->only, "%s", names);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct group *last_group(void)
{
    unsigned count = atomic_load(&report->group_count);
    return count > 0 ? &report->groups[count - 1] : NULL;
}

bool group_begin(const char *name, const char *device)
{
    if (is_in(report->left_out, name) || (report->only[0] && !is_in(report->only, name)))
        return false;
    if (atomic_load(&report->group_count) == GROUPS_MAX) {
        fprintf(stderr, "divvy_conformance: more than %d groups: name a device\n", GROUPS_MAX);
        exit(2);
    }
    struct group *group = &report->groups[atomic_load(&report->group_count)];
    snprintf(group->name, sizeof group->name, "%s", name);
    snprintf(group->device, sizeof group->device, "%s", device);
    group->began_ns = now_ns();
    atomic_fetch_add(&report->group_count, 1);
    atomic_fetch_add(&report->progress, 1);
    return true;
}

void group_end(const char *skipped)
{
    struct group *group = last_group();
    group->took_ns = now_ns() - group->began_ns;
    group->ended = true;
    snprintf(group->skipped, sizeof group->skipped, "%s", skipped ? skipped : "");
    if (report->quiet)
        return;
    unsigned checks = atomic_load(&group->checks), failures = atomic_load(&group->failures);
    printf("%-5s %-12s %-44.44s %8u checks %7.2f s",
           failures             ? "FAIL"
           : skipped && !checks ? "skip"
                                : "ok",
           group->name, group->device, checks, (double)group->took_ns / 1e9);
    if (failures)
        printf(", %u failed", failures);
    if (skipped)
        printf(", %s", skipped);
    putchar('\n');
    fflush(stdout);
}

uint64_t group_seed(void)
{
    uint64_t seed = report->seed;
    for (const char *at = last_group()->name; *at; at++)
        seed = (seed ^ (unsigned char)*at) * 0x100000001b3u;
    return seed;
}

static void tell(struct group *group, enum rule rule, const char *text)
{
    pthread_mutex_lock(&mutex);
    if (group->told[rule]++ < TOLD_PER_RULE && atomic_load(&report->breach_count) < BREACHES_MAX) {
        struct breach *breach = &report->breaches[atomic_load(&report->breach_count)];
        breach->rule = rule;
        breach->group = (unsigned)(group - report->groups);
        snprintf(breach->text, sizeof breach->text, "%s", text);
        atomic_fetch_add(&report->breach_count, 1);
        if (!report->quiet)
            printf("      broken: %s: %s\n              %s (seed %" PRIu64 ")\n", rules[rule].name, rules[rule].text,
                   text, report->seed);
        fflush(stdout);
    }
    pthread_mutex_unlock(&mutex);
}

bool hold(bool good, enum rule rule, const char *format, ...)
{
    struct group *group = last_group();
    atomic_fetch_add(&report->progress, 1);
    if (report->rules_out[rule])
        return good;
    atomic_fetch_add(&group->checks, 1);
    if (good)
        return true;
    char text[600];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    atomic_fetch_add(&group->failures, 1);
    tell(group, rule, text);
    return false;
}

void group_broken(const char *format, ...)
{
    char text[600];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (!last_group() || last_group()->ended) {
        report_only("");
        group_begin("end", "");
    }
    hold(false, RULE_alive, "%s", text);
    group_end(NULL);
}

uint64_t report_progress(void)
{
    return atomic_load(&report->progress);
}

void report_device(const char *name)
{
    unsigned k = atomic_load(&report->device_count);
    if (k == DEVICES_MAX)
        return;
    snprintf(report->devices[k], sizeof report->devices[k], "%s", name);
    atomic_store(&report->device_count, k + 1);
}

unsigned report_devices(void)
{
    return atomic_load(&report->device_count);
}

static unsigned total(bool failures)
{
    unsigned sum = 0;
    for (unsigned k = 0; k < atomic_load(&report->group_count); k++)
        sum += atomic_load(failures ? &report->groups[k].failures : &report->groups[k].checks);
    return sum;
}

bool report_passed(void)
{
    return total(true) == 0;
}

void report_summary(const char *plugin)
{
    printf("%s: %u devices, %u groups, %u checks, %u failed, seed %" PRIu64 "\n", plugin, report_devices(),
           atomic_load(&report->group_count), total(false), total(true), report->seed);
    bool broken[RULE_COUNT] = {false};
    for (unsigned k = 0; k < atomic_load(&report->breach_count); k++)
        broken[report->breaches[k].rule] = true;
    for (unsigned k = 0; k < RULE_COUNT; k++)
        if (broken[k])
            printf("rule broken: %s: %s\n", rules[k].name, rules[k].text);
    if (report->left_out[0])
        printf("left out: %s\n", report->left_out);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20 || c >= 0x7f) /* as Latin-1: names of devices are all that can hold such */
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_member(const char *name, const char *text)
{
    print_text(name);
    printf(": ");
    print_text(text);
}

void report_json(const char *plugin)
{
    printf("{\"divvy_conformance\": 1, ");
    print_member("plugin", plugin);
    printf(", \"seed\": %" PRIu64 ", \"passed\": %s, \"checks\": %u, \"failed\": %u, ", report->seed,
           report_passed() ? "true" : "false", total(false), total(true));
    print_member("left_out", report->left_out);
    printf(", \"devices\": [");
    for (unsigned k = 0; k < report_devices(); k++) {
        printf(k ? ", " : "");
        print_text(report->devices[k]);
    }
    printf("], \"groups\": [");
    for (unsigned k = 0; k < atomic_load(&report->group_count); k++) {
        const struct group *group = &report->groups[k];
        printf("%s\n  {", k ? "," : "");
        print_member("name", group->name);
        printf(", ");
        print_member("device", group->device);
        printf(", \"checks\": %u, \"failed\": %u, \"ns\": %" PRIu64 ", ", atomic_load(&group->checks),
               atomic_load(&group->failures), group->took_ns);
        print_member("skipped", group->skipped);
        printf("}");
    }
    printf("], \"broken\": [");
    for (unsigned k = 0; k < atomic_load(&report->breach_count); k++) {
        const struct breach *breach = &report->breaches[k];
        printf("%s\n  {", k ? "," : "");
        print_member("rule", rules[breach->rule].name);
        printf(", ");
        print_member("text", rules[breach->rule].text);
        printf(", ");
        print_member("group", report->groups[breach->group].name);
        printf(", ");
        print_member("device", report->groups[breach->group].device);
        printf(", ");
        print_member("what", breach->text);
        printf("}");
    }
    printf("]}\n");
}
