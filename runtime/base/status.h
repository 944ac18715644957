/* What went wrong, in a sentence, on this thread. */
#ifndef DV_STATUS_H
#define DV_STATUS_H

#include <divvy.h>
#include <stdarg.h>

/* Returns `expression`'s status to the caller unless it is OK. */
#define DV_TRY(expression)                     \
    do {                                       \
        divvy_status dv_tried_ = (expression); \
        if (dv_tried_ != DIVVY_OK)             \
            return dv_tried_;                  \
    } while (0)

/* Sets this thread's error text, logs it at debug, returns `status`. The function that first knows of a
 * failure calls it; those above pass the status on. */
divvy_status dv_fail(divvy_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));
divvy_status dv_fail_v(divvy_status status, const char *prefix, const char *format, va_list values)
    __attribute__((format(printf, 3, 0)));

/* This thread's error text; never NULL. At most DV_ERROR_BYTES with its zero. */
enum { DV_ERROR_BYTES = 4096 };
const char *dv_error_text(void);

/* Takes over a text from another thread, such as a job's, or brings back an earlier one of this thread. */
void dv_error_set(const char *text);

#endif
