#include "base/status.h"

#include "base/log.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct error {
    struct dv_kept kept;
    char text[DV_ERROR_BYTES]; /* long enough for the end of a build log */
};

static DV_THREAD_LOCAL struct error *error; /* made by the first one */

static void forget(struct dv_kept *kept)
{
    error = NULL;
    free(kept);
}

static bool reserve_text(void)
{
    if (!error && (error = calloc(1, sizeof *error)) != NULL) {
        error->kept.forget = forget;
        dv_thread_keep(&error->kept);
    }
    return error != NULL;
}

divvy_status dv_fail_v(divvy_status status, const char *prefix, const char *format, va_list values)
{
    char text[DV_ERROR_BYTES];
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
    return error ? error->text : "";
}

void dv_error_set(const char *text)
{
    if (!reserve_text())
        return;
    size_t length = strnlen(text, DV_ERROR_BYTES - 1);
    memmove(error->text, text, length);
    error->text[length] = 0;
    dv_log_clean(error->text, "\n\t");
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
    return dv_error_text();
}
