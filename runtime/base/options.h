/* What a context is opened with: fields of divvy_options, else the environment, else the default. The
 * table in options.c is the only place of the library that reads the environment. */
#ifndef DV_OPTIONS_H
#define DV_OPTIONS_H

#include <divvy.h>
#include <divvy/backend.h>

/* Resolved and checked. Strings belong to the settings and are never NULL but where said. */
struct dv_settings {
    char *backend;    /* "" for the default: all found */
    char *devices;    /* "" for no filter; checked by dv_filter_read */
    int threads;      /* 0 default, -1 all, -2 all but one, n */
    char *bind;       /* "" for the default; checked by dv_topology_place */
    char *schedule;   /* a name, and what it takes: judged by dv_schedule_read */
    size_t partition; /* 0: sized by the schedule */
    char *profile;    /* NULL: none; %p and %t already replaced */
    size_t profile_jobs;
    enum dv_progress { DV_PROGRESS_AUTO, DV_PROGRESS_ON, DV_PROGRESS_OFF } progress;
    divvy_log_level log;
    char *plugin_path; /* "" for none */
    bool reproducible;
    char *models; /* "" for the default folder, "off", or a folder */
};

/* Resolves `options` (NULL: none given). Warns once per process and name about unknown DIVVY_* variables, with
 * the nearest known name. INVALID with what is allowed for a bad value; the value "help" prints the choices
 * to stderr and is INVALID too. On failure nothing needs freeing. */
divvy_status dv_settings_read(const divvy_options *options, struct dv_settings *out_settings);
void dv_settings_free(struct dv_settings *settings);

/* The value of DIVVY_<BACKEND>_<NAME> from the environment, of DIVVY_<BACKEND> for the name "", or NULL: a backend's own
 * options. */
const char *dv_backend_option(const char *backend, const char *name);

/* The folder for things kept between runs, "<XDG_CACHE_HOME or ~/.cache>/divvy", made (0700) when first asked
 * for; NULL if it cannot be made or is not the user's own. Valid for ever. */
const char *dv_cache_folder(void);

/* One row per variable, for `divvy info --env` and documents. */
struct dv_variable {
    const char *name;     /* "DIVVY_BACKEND" */
    const char *standard; /* its default, in words */
    const char *help;     /* what it does and which values it takes */
    const char *value;    /* from the environment, or NULL */
};
size_t dv_variable_count(void);
struct dv_variable dv_variable_at(size_t index);

#endif
