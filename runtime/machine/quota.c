#include "machine/quota.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a hierarchy of groups is mounted, and which of its groups stands there: in a container often not the top. */
struct mount {
    bool found;
    bool second; /* version 2 */
    char top[PATH_MAX];
    char place[PATH_MAX];
};

/* Whether a list such as "rw,cpu,cpuacct" has the item. */
static bool list_has(const char *list, const char *item)
{
    const size_t length = strlen(item);
    for (const char *at = list; *at; at += *at == ',') {
        size_t here = strcspn(at, ",\n");
        if (here == length && memcmp(at, item, length) == 0)
            return true;
        at += here;
        if (*at == '\n')
            break;
    }
    return false;
}

static FILE *open_below(const char *root, const char *path)
{
    char whole[4 * PATH_MAX];
    int length = snprintf(whole, sizeof whole, "%s%s", root, path);
    return length > 0 && (size_t)length < sizeof whole ? fopen(whole, "re") : NULL;
}

static bool is_octal(char digit)
{
    return digit >= '0' && digit <= '7';
}

/* The kernel writes a space in a path as "\040", and so on. */
static void unescape(char *path)
{
    char *out = path;
    for (const char *at = path; *at; out++) {
        if (at[0] == '\\' && is_octal(at[1]) && is_octal(at[2]) && is_octal(at[3])) {
            *out = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
            at += 4;
        } else {
            *out = *at++;
        }
    }
    *out = 0;
}

/* A line of mountinfo: "36 35 0:30 TOP PLACE options [tags] - TYPE source SUPEROPTIONS". */
static bool read_mount(const char *line, bool second, struct mount *out)
{
    char format[64], type[32], super[512];
    const char *tail = strstr(line, " - ");
    snprintf(format, sizeof format, "%%*s %%*s %%*s %%%ds %%%ds", PATH_MAX - 1, PATH_MAX - 1);
    if (!tail || sscanf(line, format, out->top, out->place) != 2 || sscanf(tail, " - %31s %*s %511s", type, super) != 2)
        return false;
    unescape(out->top);
    unescape(out->place);
    out->second = second;
    out->found = second ? strcmp(type, "cgroup2") == 0 : strcmp(type, "cgroup") == 0 && list_has(super, "cpu");
    return out->found;
}

static void find_mount(const char *root, bool second, struct mount *out)
{
    *out = (struct mount){0};
    FILE *file = open_below(root, "/proc/self/mountinfo");
    char *line = NULL;
    size_t size = 0;
    while (file && !out->found && getline(&line, &size, file) > 0)
        read_mount(line, second, out);
    free(line);
    if (file)
        fclose(file);
}

/* The group of this process in that hierarchy, from lines "0::/path" or "4:cpu,cpuacct:/path". */
static bool find_group(const char *root, bool second, char out_group[PATH_MAX])
{
    FILE *file = open_below(root, "/proc/self/cgroup");
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    while (file && !found && getline(&line, &size, file) > 0) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = 0;
        controllers++;
        found = second ? !*controllers : list_has(controllers, "cpu");
        if (found)
            snprintf(out_group, PATH_MAX, "%.*s", (int)strcspn(path, "\n"), path);
    }
    free(line);
    if (file)
        fclose(file);
    return found;
}

static double read_number(const char *root, const char *folder, const char *name)
{
    char path[3 * PATH_MAX];
    double number = -1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = open_below(root, path);
    if (!file)
        return -1;
    if (fscanf(file, "%lf", &number) != 1)
        number = -1;
    fclose(file);
    return number;
}

/* "200000 100000" or "max 100000". */
static double read_second(const char *root, const char *folder)
{
    char path[3 * PATH_MAX];
    double quota = 0, period = 0;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = open_below(root, path);
    if (!file)
        return 0;
    bool limited = fscanf(file, "%lf %lf", &quota, &period) == 2 && quota > 0 && period > 0;
    fclose(file);
    return limited ? quota / period : 0;
}

static double read_first(const char *root, const char *folder)
{
    double quota = read_number(root, folder, "cpu.cfs_quota_us");
    double period = read_number(root, folder, "cpu.cfs_period_us");
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The group's path below the mounted one; "" when it is the mounted one or lies outside. */
static const char *below_top(const char *group, const char *top)
{
    size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);
    if (strncmp(group, top, length) != 0 || (group[length] && group[length] != '/') || strstr(group, ".."))
        return "";
    return strcmp(group + length, "/") == 0 ? "" : group + length;
}

static double read_hierarchy(const char *root, bool second)
{
    struct mount mount;
    char group[PATH_MAX], folder[2 * PATH_MAX];
    find_mount(root, second, &mount);
    if (!mount.found || !find_group(root, second, group))
        return 0;

    double least = 0;
    const size_t shortest = strlen(mount.place);
    snprintf(folder, sizeof folder, "%s%s", mount.place, below_top(group, mount.top));
    for (;;) {
        double granted = second ? read_second(root, folder) : read_first(root, folder);
        if (granted > 0 && (least <= 0 || granted < least))
            least = granted;
        char *parent = strrchr(folder, '/');
        if (!parent || (size_t)(parent - folder) < shortest)
            return least;
        *parent = 0;
    }
}

double dv_quota_read(const char *root)
{
    double first = read_hierarchy(root, false), second = read_hierarchy(root, true);
    if (first <= 0 || second <= 0)
        return first > second ? first : second;
    return first < second ? first : second;
}
