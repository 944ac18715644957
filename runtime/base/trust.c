#include "base/trust.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 1, 2))) static char *reason(const char *format, ...)
{
    char *text = NULL;
    va_list values;
    va_start(values, format);
    if (vasprintf(&text, format, values) < 0)
        text = NULL;
    va_end(values);
    return text ? text : strdup("no memory to tell why");
}

static bool others_may_write(const struct stat *facts)
{
    return (facts->st_mode & S_IWOTH) || ((facts->st_mode & S_IWGRP) && facts->st_gid != facts->st_uid);
}

static bool owner_is_trusted(const struct stat *facts, const char *own)
{
    struct stat own_facts;
    return facts->st_uid == 0 || facts->st_uid == geteuid() ||
           (own && stat(own, &own_facts) == 0 && own_facts.st_uid == facts->st_uid);
}

char *dv_trust_look(const char *path, const char *own, enum dv_trust as)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return reason("%s: %s", path, strerror(errno));
    const unsigned mode = (unsigned)facts.st_mode & 07777;
    if (!owner_is_trusted(&facts, own))
        return reason("%s (mode %04o) belongs to user %u, who is neither root nor the user of this program", path, mode,
                      (unsigned)facts.st_uid);
    if (others_may_write(&facts) && !(as == DV_TRUST_ABOVE && (facts.st_mode & S_ISVTX)))
        return reason("%s (mode %04o) can be written to by others than its owner; chmod go-w makes it safe", path,
                      mode);
    return NULL;
}
