/* What the runtime offers to a plugin. */
#ifndef DV_HOST_H
#define DV_HOST_H

#include "machine/registry.h"

/* Fills plugin->host. Devices that are announced land in plugin->devices, while plugin->probe is DV_PROBING. */
void dv_host_fill(struct dv_plugin *plugin, unsigned core_count);

#endif
