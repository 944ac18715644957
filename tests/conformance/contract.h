/* The contract of divvy/backend.h, by groups of checks. Each group may begin no other. */
#ifndef CONFORMANCE_CONTRACT_H
#define CONFORMANCE_CONTRACT_H

#include "drive.h"

/* Everything, on the plugin of this file and on those of its devices that `filter` (a number, or a part of the name;
 * NULL: all) lets pass. Once in a process. */
void contract_check(const char *path, const char *filter);

/* The name between libdivvy_ and .so in a path, into `out`; false if it is none. */
bool contract_name(const char *path, char *out, size_t bytes);

bool contract_has_group(const char *name);
void contract_list(void);

/* Whether `filter` lets device `index` pass. */
bool contract_wants(const char *filter, unsigned index, const char *name);

/* ---- The plugin ---- */

/* The file and its object. False: nothing more can be tried. */
bool check_plugin(const char *path, const char *name);
bool check_probe(void);
void check_facts(const divvy_device_facts *facts, unsigned index);

/* What an ELF file exports beside divvy_plugin: the first such name, "" for none, NULL if the file cannot be read. */
const char *foreign_export(const char *path, char *out, size_t bytes);

/* ---- One device. Those with `opened` find all subjects loaded. They return why there was nothing to check, or NULL. */

const char *check_open(const divvy_device_facts *facts);
const char *check_load(struct opened *opened);
const char *check_sizes(struct opened *opened);
const char *check_offsets(struct opened *opened);
const char *check_empty(struct opened *opened);
const char *check_loops(struct opened *opened);
const char *check_flight(struct opened *opened);
const char *check_jobs(struct opened *opened);
const char *check_all(struct opened *opened);
const char *check_deadline(const divvy_device_facts *facts);
const char *check_leaks(const divvy_device_facts *facts);

/* ---- All devices ---- */

void check_threads(const divvy_device_facts *const *facts, unsigned count);

/* A random number, and one in [low, high]. */
uint64_t any(uint64_t *state);
size_t any_in(uint64_t *state, size_t low, size_t high);

#endif
