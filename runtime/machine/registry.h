/* Backends and the devices that they found. Loads plugins (the only dlopen), checks that they fit, probes them.
 * All of it is process-wide and never unloaded; contexts choose among it by names. */
#ifndef DV_REGISTRY_H
#define DV_REGISTRY_H

#include "base/options.h"
#include "machine/topology.h"

#include <divvy/backend.h>

/* A plugin that was found, accepted or not. Constant but for `probe`. */
struct dv_plugin {
    char *path;
    char *name;                   /* from the file's name: libdivvy_<name>.so */
    const divvy_backend *backend; /* NULL: refused */
    char *refusal;                /* why, one sentence; NULL if accepted */
    divvy_host host;              /* what it was given */
    enum dv_probe { DV_UNPROBED, DV_PROBING, DV_PROBED, DV_PROBE_FAILED } probe; /* under the registry's mutex */
    int prober; /* the process that probed it; 0: none */
    divvy_status probe_status;
    char *probe_error;
    uint64_t probe_ns;     /* how long it took */
    unsigned device_count; /* after probing: its devices, in the order of announcement */
    struct dv_found *devices;
};

/* A device as announced. Constant. */
struct dv_found {
    struct dv_plugin *plugin;
    unsigned index;           /* within the plugin: "opencl:<index>" */
    divvy_device_facts facts; /* strings belong to the registry */
};

/* Searches the folders of settings->plugin_path, then the folder of plugins beside the library (or the build
 * tree's, when it runs from there), and loads what settings->backend asks for, in its order; by default all found
 * but those that must be named. Fills out_plugins (free() it). NO_BACKEND naming every path tried, BAD_PLUGIN with
 * the refusal, if a named one is missing or refused; unnamed ones that are refused draw one warning. A file is
 * loaded once per process, however many contexts ask. */
divvy_status dv_registry_load(const struct dv_settings *settings, struct dv_plugin ***out_plugins, unsigned *out_count);

/* Probes a plugin unless that was done: in a short-lived thread with every signal blocked, bound to `cores`
 * (count 0: not bound), with niceness `nice`, since some drivers' threads inherit all of that. Waits for the end.
 * Returns the status of the probe, also of an earlier one. Any thread; several at once are one. */
divvy_status dv_registry_probe(struct dv_plugin *plugin, const unsigned *cores, unsigned core_count, int nice);

/* Whether it was, with success: then its devices are there to be read. Any thread. */
bool dv_registry_is_probed(const struct dv_plugin *plugin);

/* fork: what the child must forget. */
void dv_registry_forked(void);

/* Every path tried so far and what became of it, for `divvy info`. Rows are valid for ever. */
struct dv_attempt {
    const char *path;
    const char *outcome; /* "loaded", or why not */
};
size_t dv_registry_attempts(const struct dv_attempt **out_attempts);

/* ---- Filters: "cpu:0-3,opencl:0,opencl:name~Radeon,opencl:0/2" ---- */

/* One item of a filter. */
struct dv_filter_item {
    char text[128]; /* as it was written, to be told */
    char backend[32];
    enum { DV_FILTER_ALL, DV_FILTER_RANGE, DV_FILTER_NAME } by;
    unsigned low, high; /* RANGE, inclusive */
    char name[64];      /* NAME: a part of the device's name, case ignored */
    unsigned units;     /* 0: whole */
};
struct dv_filter {
    unsigned count; /* 0: everything passes */
    struct dv_filter_item *items;
};

/* INVALID with what is allowed. */
divvy_status dv_filter_read(const char *text, struct dv_filter *out_filter);
void dv_filter_free(struct dv_filter *filter);

/* Whether the filter names anything of this backend. True for an empty filter. */
bool dv_filter_names(const struct dv_filter *filter, const char *backend);

/* Whether the item means this device. */
bool dv_filter_means(const struct dv_filter_item *item, const char *backend, unsigned index, const char *name);

/* The item that lets this device pass, or NULL; for an empty filter a static item of all. */
const struct dv_filter_item *dv_filter_match(const struct dv_filter *filter, const char *backend, unsigned index,
                                             const char *name);

#endif
