/* Lines to stderr: "divvy: opencl: what happened". */
#ifndef DV_LOG_H
#define DV_LOG_H

#include <divvy/backend.h>
#include <stdarg.h>
#include <stdbool.h>

/* The most talkative level that is written; DIVVY_LOG_WARN until set. Process-wide, any thread. */
void dv_log_set_level(divvy_log_level level);
bool dv_log_enabled(divvy_log_level level);

/* One whole line, written at once. `area` names who speaks: "cpu", "schedule". */
void dv_log(divvy_log_level level, const char *area, const char *format, ...) __attribute__((format(printf, 3, 4)));
void dv_log_v(divvy_log_level level, const char *area, const char *format, va_list values)
    __attribute__((format(printf, 3, 0)));

/* The same, unless this process, or the one that it was forked from, has written the same words before. Of different ones the
 * first 64 are written. */
void dv_log_once(divvy_log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Replaces the control characters of a text by '?', those of two bytes in UTF-8 too, but for those in `kept`: names and
 * reasons may come from drivers, files and other programs, and a terminal obeys. Lines of the log and errors are cleaned
 * of all but newlines and tabs. */
void dv_log_clean(char *text, const char *kept);

#endif
