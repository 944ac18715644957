#include "schedule/absent.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* "cpu:0, cpu:1, fake:0 (staged)" */
struct list {
    char text[1024];
    size_t used;
};

static void add(struct list *list, const char *backend, unsigned index, const char *name)
{
    if (list->used >= sizeof list->text - 1)
        return;
    int wrote = snprintf(list->text + list->used, sizeof list->text - list->used, "%s%s:%u (%s)",
                         list->used ? ", " : "", backend, index, name);
    list->used += wrote > 0 ? (size_t)wrote : 0;
}

static bool is_asked(const struct dv_crew *crew, const struct dv_plugin *plugin)
{
    return dv_filter_names(&crew->filter, plugin->name);
}

/* ---- Opening ---- */

/* Whether it is certain that the item means no device: everything that it could mean is known. */
static bool means_nothing(const struct dv_crew *crew, const struct dv_filter_item *item)
{
    for (unsigned p = 0; p < crew->plugin_count + crew->forked_count; p++) {
        const struct dv_plugin *plugin = crew->plugins[p];
        if (strcmp(plugin->name, item->backend) != 0)
            continue;
        if (p >= crew->plugin_count || !dv_registry_is_probed(plugin))
            return false;
        for (unsigned d = 0; d < plugin->device_count; d++)
            if (dv_filter_means(item, plugin->name, d, plugin->devices[d].facts.name))
                return false;
    }
    return true;
}

void dv_absent_here(const struct dv_crew *crew)
{
    for (unsigned k = 0; k < crew->filter.count; k++) {
        if (!means_nothing(crew, &crew->filter.items[k]))
            continue;
        struct list there = {0};
        for (unsigned p = 0; p < crew->plugin_count; p++) {
            const struct dv_plugin *plugin = crew->plugins[p];
            for (unsigned d = 0; is_asked(crew, plugin) && dv_registry_is_probed(plugin) && d < plugin->device_count;
                 d++)
                add(&there, plugin->name, d, plugin->devices[d].facts.name);
        }
        dv_log_once(DIVVY_LOG_WARN, "devices", "there is no \"%s\", which the filter \"%s\" names; it may name %s",
                    crew->filter.items[k].text, crew->settings.devices, there.text);
    }
}

/* ---- A call ---- */

void dv_absent_in_crew(const struct dv_crew *crew, unsigned unit_count, const struct dv_filter *filter)
{
    for (unsigned k = 0; k < filter->count; k++) {
        struct list there = {0};
        bool found = false;
        for (unsigned u = 0; u < unit_count && !found; u++) {
            const struct dv_found *device = crew->units[u]->found;
            found = dv_filter_means(&filter->items[k], device->plugin->name, device->index, device->facts.name);
            add(&there, device->plugin->name, device->index, device->facts.name);
        }
        if (!found)
            dv_log_once(DIVVY_LOG_WARN, "devices", "there is no \"%s\" in this context, whose devices are %s",
                        filter->items[k].text, there.text);
    }
}
