#include "base/log.h"

#include "base/hash.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int most_talkative = DIVVY_LOG_WARN;

void dv_log_set_level(divvy_log_level level)
{
    atomic_store_explicit(&most_talkative, level, memory_order_relaxed);
}

bool dv_log_enabled(divvy_log_level level)
{
    return (int)level <= atomic_load_explicit(&most_talkative, memory_order_relaxed);
}

/* One write() a line, so that the lines of several threads and processes do not mix. */
static void write_whole(const char *line, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDERR_FILENO, line, length);
        if (written <= 0)
            return;
        line += written;
        length -= (size_t)written;
    }
}

void dv_log_clean(char *text, const char *kept)
{
    for (unsigned char *at = (unsigned char *)text; *at; at++) {
        if ((*at < 0x20 || *at == 0x7f) && !strchr(kept, *at))
            *at = '?';
        else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
            at[0] = at[1] = '?';
    }
}

void dv_log_v(divvy_log_level level, const char *area, const char *format, va_list values)
{
    if (!dv_log_enabled(level))
        return;
    char line[4096];
    const size_t room = sizeof line - 1; /* the last byte is for the newline */
    int head = snprintf(line, room, "divvy: %s: ", area);
    size_t used = head < 0 ? 0 : (size_t)head < room ? (size_t)head : room - 1;
    vsnprintf(line + used, room - used, format, values);
    dv_log_clean(line, "\n\t");
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == '\n')
        length--;
    line[length++] = '\n';
    write_whole(line, length);
}

void dv_log(divvy_log_level level, const char *area, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    dv_log_v(level, area, format, values);
    va_end(values);
}

/* Remembers the words for the life of the process, without a lock that a fork could cut; false if they were there already,
 * or there is no room. */
static bool remember(const char *words)
{
    static _Atomic uint64_t told[64]; /* hashes; 0: free */
    union {
        uint8_t bytes[16];
        uint64_t word;
    } hash;
    dv_hash(words, strlen(words), hash.bytes);
    const uint64_t mark = hash.word | 1;
    for (size_t k = 0; k < sizeof told / sizeof *told; k++) {
        uint64_t seen = 0;
        if (atomic_compare_exchange_strong(&told[k], &seen, mark))
            return true;
        if (seen == mark)
            return false;
    }
    return false;
}

void dv_log_once(divvy_log_level level, const char *area, const char *format, ...)
{
    if (!dv_log_enabled(level))
        return;
    char words[4096];
    va_list values;
    va_start(values, format);
    vsnprintf(words, sizeof words, format, values);
    va_end(values);
    if (remember(words))
        dv_log(level, area, "%s", words);
}
