/* What `divvy info` has found, and the two ways in which it is told. */
#ifndef INFO_H
#define INFO_H

#include "schedule/crew.h"

#include <stdbool.h>

struct findings {
    const struct dv_topology *host; /* NULL: unknown */
    struct dv_settings settings;
    struct dv_filter filter;
    struct dv_plugin **plugins;
    unsigned plugin_count;
    struct dv_crew crew; /* what a program would work with */
    bool has_crew;
    char *error; /* why a program could not open divvy here, or NULL */
};

/* The unit that a program would use of this device, or NULL. */
const struct dv_unit *info_unit(const struct findings *findings, const struct dv_found *found);

/* Why it would use none. */
const char *info_unused_because(const struct findings *findings, const struct dv_found *found);

const char *info_type_name(divvy_device_type type);

/* The plugin of this file, if it is one of those in use. */
const struct dv_plugin *info_plugin_at(const struct findings *findings, const char *path);

/* Each returns an exit status. */
int info_print_text(const struct findings *findings);
int info_print_json(const struct findings *findings);
int info_print_variables(void);
int info_print_variables_json(void);

#endif
