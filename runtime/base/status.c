#include "base/status.h"

#include "base/log.h"
#include "base/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_key_t key;
static bool has_key; /* else the text stays when its thread ends */
static pthread_once_t key_made = PTHREAD_ONCE_INIT;
static DV_THREAD_LOCAL char *error_text; /* DV_ERROR_BYTES, made by the first error; the key is there to free it */

/* Others' destructors may still come to errors. */
static void forget(void *text)
{
    error_text = NULL;
    free(text);
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, forget) == 0;
}

static bool reserve_text(void)
{
    if (!error_text) {
        pthread_once(&key_made, make_key);
        error_text = calloc(1, DV_ERROR_BYTES);
        if (has_key)
            pthread_setspecific(key, error_text);
    }
    return error_text != NULL;
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
    return error_text ? error_text : "";
}

void dv_error_set(const char *text)
{
    if (!reserve_text())
        return;
    size_t length = strnlen(text, DV_ERROR_BYTES - 1);
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
    return dv_error_text();
}
