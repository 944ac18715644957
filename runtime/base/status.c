#include "base/status.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* Long enough for the end of a build log. */
static _Thread_local char error_text[DV_ERROR_BYTES];

divvy_status dv_fail_v(divvy_status status, const char *prefix, const char *format, va_list values)
{
    char text[sizeof error_text];
    int used = prefix ? snprintf(text, sizeof text, "%s: ", prefix) : 0;
    vsnprintf(text + used, sizeof text - (size_t)used, format, values);
    dv_error_set(text);
    dv_log(DIVVY_LOG_DEBUG, "status", "%s: %s", divvy_status_name(status), text);
    return status;
}

divvy_status dv_fail(divvy_status status, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    dv_fail_v(status, NULL, format, values);
    va_end(values);
    return status;
}

const char *dv_error_text(void)
{
    return error_text;
}

void dv_error_set(const char *text)
{
    size_t length = strnlen(text, sizeof error_text - 1);
    memmove(error_text, text, length);
    error_text[length] = 0;
    dv_log_clean(error_text, "\n\t");
}

const char *divvy_status_name(divvy_status status)
{
    switch (status) {
#define NAME(name, number, text) \
    case DIVVY_##name:           \
        return #name;
        DIVVY_STATUS_MAP(NAME)
#undef NAME
    }
    return "UNKNOWN";
}

const char *divvy_error(void)
{
    return error_text;
}
