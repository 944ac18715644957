/* What was checked, and which rules of divvy/backend.h were broken. Checks come in groups, one line each; what is
 * counted lies in memory that the processes of one run share, so that nothing is lost when a plugin ends its own.
 *
 * Any thread may check; groups are begun and ended by one thread at a time. */
#ifndef CONFORMANCE_REPORT_H
#define CONFORMANCE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every rule: the name by which it can be left out, and what it says. */
#define CONFORMANCE_RULES(X)                                                                                       \
    X(loads, "the file can be loaded and exports divvy_plugin")                                                    \
    X(size, "size is sizeof(divvy_backend)")                                                                       \
    X(abi, "abi is DIVVY_BACKEND_ABI")                                                                             \
    X(name, "name is what stands between libdivvy_ and .so")                                                       \
    X(sanitizer, "sanitizer is DIVVY_SANITIZER, and that of the process")                                          \
    X(functions, "no function may be NULL")                                                                        \
    X(exports, "a plugin exports divvy_plugin, and nothing else")                                                  \
    X(probe, "probe announces every device, and is silent and OK when there is none")                              \
    X(announce, "devices are announced in probe only")                                                             \
    X(facts, "the facts of a device are complete and agree with each other")                                       \
    X(fail, "after a failure a function has called host->fail, on the thread that asked, with a text")             \
    X(open, "a device opens, again and again, and several at once")                                                \
    X(units, "facts->units is 0 for the whole device, else a sub-device of so many, if the device is divisible")   \
    X(load, "a kernel builds, or is BUILD_FAILED with a log, or UNSUPPORTED by this device")                       \
    X(start, "start queues a partition")                                                                           \
    X(done, "finish says DIVVY_DONE of a partition that was computed")                                             \
    X(results, "results are those of the kernel's C form")                                                         \
    X(outside, "nothing is written outside of the partition")                                                      \
    X(inputs, "arrays that are only read may lie in memory that cannot be written")                                \
    X(beyond, "no byte beyond the caller's arrays is read or written")                                             \
    X(staged_reads, "a staged device reads the caller's arrays in start only")                                     \
    X(staged_writes, "a staged device never writes the caller's arrays")                                           \
    X(result, "divvy_slice.result tells the results of staged devices, and of no others")                          \
    X(kept, "results are valid until the next start on the device")                                                \
    X(touched, "touched is set by devices that write the caller's arrays, and by no others")                       \
    X(order, "two partitions in flight are finished in the order of their start")                                  \
    X(all, "`all` arguments are the same in all partitions of one job, and of that job only")                      \
    X(folds, "folds are folded into the partial of their slice, from the identity on")                             \
    X(partition, "a partition is the runtime's: a backend sets touched, timing, slot and slices[].result")         \
    X(timing, "durations are no longer than the time between start and the end of finish")                         \
    X(deadline, "a device that is not staged waits, whatever the deadline")                                        \
    X(late, "after DIVVY_LATE nothing of the caller's is touched any more, and another open finds a sound device") \
    X(threads, "calls for different devices come from different threads at the same time")                         \
    X(leaks, "close frees everything: files and threads do not grow in number")                                    \
    X(alive, "a backend never ends the process, and answers; close returns even if the device hangs")              \
    X(kernels, "the shipped kernels give what plain C gives, alone and together with cores, however they are cut") \
    X(shares, "a device takes part in a job that is divided among all")

enum rule {
#define CONFORMANCE_RULE(name, text) RULE_##name,
    CONFORMANCE_RULES(CONFORMANCE_RULE)
#undef CONFORMANCE_RULE
        RULE_COUNT,
};

/* Before any other process is forked. `names`, a list with commas, are rules and groups that are left out. False if
 * one is unknown to both this and `is_group`; it is told. */
bool report_open(bool quiet, uint64_t seed, const char *names, bool (*is_group)(const char *name));

/* From now on only groups of this list, with a comma on both sides of each; "": all. */
void report_only(const char *names);

/* Begins a group of checks on a device ("" for those of the whole backend). False: it is left out, by name. */
bool group_begin(const char *name, const char *device);

/* Ends it with its line. `skipped`: why there was nothing to check, or NULL. */
void group_end(const char *skipped);

/* One check: says which rule is broken, with what, if it does not hold. Returns `good`. */
bool hold(bool good, enum rule rule, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Random numbers of the group that is begun: the same for the same seed. */
uint64_t group_seed(void);

/* From another process: the group that was begun last has not ended because of `format`. */
void group_broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How far the checks are: for the one who watches whether they go on. */
uint64_t report_progress(void);

/* Devices that were checked, by name, for the summary. */
void report_device(const char *name);
unsigned report_devices(void);
bool report_passed(void);

/* The closing line, or all of it as JSON. */
void report_summary(const char *plugin);
void report_json(const char *plugin);

/* The rules, one line each. */
void report_rules(void);

#endif
