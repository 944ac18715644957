#include "machine/registry.h"

#include "base/status.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static divvy_status refuse(const char *text)
{
    return dv_fail(DIVVY_INVALID,
                   "devices is \"%s\"; it takes a list such as cpu, cpu:0, cpu:0-3, opencl:name~text or opencl:0/2 "
                   "(a sub-device of 2 units), separated by commas",
                   text);
}

/* Digits only, up to `end`. */
static bool read_number(const char *text, const char *end, unsigned *out)
{
    unsigned long number = 0;
    if (text == end)
        return false;
    for (; text < end; text++) {
        if (!isdigit((unsigned char)*text))
            return false;
        number = number * 10 + (unsigned long)(*text - '0');
        if (number > UINT_MAX)
            return false;
    }
    *out = (unsigned)number;
    return true;
}

static bool copy_part(const char *text, const char *end, char *out, size_t size)
{
    size_t length = (size_t)(end - text);
    if (length == 0 || length >= size)
        return false;
    memcpy(out, text, length);
    out[length] = 0;
    return true;
}

static const char *find(const char *text, const char *end, char wanted)
{
    const char *found = memchr(text, wanted, (size_t)(end - text));
    return found ? found : end;
}

/* "/2" at the end of an item is a number of units; a '/' within a name is not. Moves *end before it. */
static bool read_units(const char *text, const char **end, struct dv_filter_item *out)
{
    const char *slash = *end;
    while (slash > text && slash[-1] != '/')
        slash--;
    if (slash == text)
        return true;
    if (!read_number(slash, *end, &out->units))
        return out->by == DV_FILTER_NAME;
    *end = slash - 1;
    return out->units > 0;
}

/* What follows the colon. */
static bool read_choice(const char *text, const char *end, struct dv_filter_item *out)
{
    static const char by_name[] = "name~";
    const size_t length = sizeof by_name - 1;
    const bool named = (size_t)(end - text) > length && memcmp(text, by_name, length) == 0;
    out->by = named ? DV_FILTER_NAME : DV_FILTER_RANGE;
    if (!read_units(text, &end, out))
        return false;
    if (named)
        return copy_part(text + length, end, out->name, sizeof out->name);
    const char *dash = find(text, end, '-');
    if (!read_number(text, dash, &out->low))
        return false;
    out->high = out->low;
    return dash == end || (read_number(dash + 1, end, &out->high) && out->low <= out->high);
}

static bool read_item(const char *text, const char *end, struct dv_filter_item *out)
{
    *out = (struct dv_filter_item){.by = DV_FILTER_ALL};
    snprintf(out->text, sizeof out->text, "%.*s", (int)(end - text), text);
    const char *colon = find(text, end, ':');
    if (!copy_part(text, colon, out->backend, sizeof out->backend))
        return false;
    if (out->backend[strspn(out->backend, "abcdefghijklmnopqrstuvwxyz0123456789_-")])
        return false;
    return colon == end || read_choice(colon + 1, end, out);
}

divvy_status dv_filter_read(const char *text, struct dv_filter *out_filter)
{
    *out_filter = (struct dv_filter){0};
    if (!*text)
        return DIVVY_OK;
    unsigned count = 1;
    for (const char *at = text; *at; at++)
        count += *at == ',';
    struct dv_filter filter = {.count = count, .items = calloc(count, sizeof *filter.items)};
    if (!filter.items)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for a devices filter of %u items", count);

    const char *at = text;
    for (unsigned i = 0; i < count; i++) {
        const char *end = at + strcspn(at, ",");
        if (!read_item(at, end, &filter.items[i])) {
            dv_filter_free(&filter);
            return refuse(text);
        }
        at = end + 1;
    }
    *out_filter = filter;
    return DIVVY_OK;
}

void dv_filter_free(struct dv_filter *filter)
{
    if (!filter)
        return;
    free(filter->items);
    *filter = (struct dv_filter){0};
}

bool dv_filter_names(const struct dv_filter *filter, const char *backend)
{
    if (filter->count == 0)
        return true;
    for (unsigned i = 0; i < filter->count; i++)
        if (strcmp(filter->items[i].backend, backend) == 0)
            return true;
    return false;
}

bool dv_filter_means(const struct dv_filter_item *item, const char *backend, unsigned index, const char *name)
{
    if (strcmp(item->backend, backend) != 0)
        return false;
    return item->by == DV_FILTER_ALL || (item->by == DV_FILTER_RANGE && item->low <= index && index <= item->high) ||
           (item->by == DV_FILTER_NAME && strcasestr(name, item->name));
}

const struct dv_filter_item *dv_filter_match(const struct dv_filter *filter, const char *backend, unsigned index,
                                             const char *name)
{
    static const struct dv_filter_item everything = {.by = DV_FILTER_ALL};
    if (filter->count == 0)
        return &everything;
    for (unsigned i = 0; i < filter->count; i++)
        if (dv_filter_means(&filter->items[i], backend, index, name))
            return &filter->items[i];
    return NULL;
}
