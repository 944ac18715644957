#include "view.h"

#include <string.h>
#include <wchar.h>

void dv_ink(const struct dv_style *style, enum dv_ink ink)
{
    static const char *const codes[] = {
        [DV_PLAIN] = "0",   [DV_BOLD] = "1",  [DV_DIM] = "2",      [DV_RED] = "31",  [DV_GREEN] = "32",
        [DV_YELLOW] = "33", [DV_BLUE] = "34", [DV_MAGENTA] = "35", [DV_CYAN] = "36",
    };
    if (style->color)
        fprintf(style->out, "\033[%sm", codes[ink]);
}

size_t dv_utf8(const char *text, unsigned *out_point)
{
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = (const unsigned char *)text;
    size_t bytes = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    unsigned point = bytes > 1 ? at[0] & (0x7fu >> bytes) : at[0];

    for (size_t i = 1; i < bytes; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    *out_point = point;
    return bytes && point >= least[bytes] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff) ? bytes : 0;
}

/* Characters that move the cursor, change the direction or cannot be seen. */
static bool harmful(unsigned point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c || (point >= 0x200b && point <= 0x200f) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

/* One character as it is to be printed. */
struct glyph {
    size_t bytes; /* taken from the text */
    int columns;
    char text[16];
};

static struct glyph next_glyph(const struct dv_style *style, const char *text)
{
    unsigned point = 0;
    struct glyph glyph = {.bytes = dv_utf8(text, &point)};

    if (glyph.bytes == 0) {
        snprintf(glyph.text, sizeof glyph.text, "\\x%02x", (unsigned char)*text);
        glyph.bytes = 1;
        glyph.columns = 4;
    } else if (harmful(point)) {
        glyph.columns = snprintf(glyph.text, sizeof glyph.text, point < 0x100 ? "\\x%02x" : "\\u%04x", point);
    } else if (point >= 0x80 && !style->unicode) {
        glyph.text[0] = '?';
        glyph.columns = 1;
    } else {
        memcpy(glyph.text, text, glyph.bytes);
        int columns = point < 0x80 ? 1 : wcwidth((wchar_t)point);
        glyph.columns = columns < 0 ? 1 : columns;
    }
    return glyph;
}

enum { MARKS = 1000 };

/* Columns that the text needs, at most `limit` + 1. */
static int columns_of(const struct dv_style *style, const char *text, int limit)
{
    int columns = 0, marks = 0;

    for (struct glyph glyph; *text && columns <= limit; text += glyph.bytes) {
        glyph = next_glyph(style, text);
        columns += glyph.columns;
        /* Marks without a width, that pile up for ever, are as good as something that does not fit. */
        if (glyph.columns == 0 && marks++ == MARKS)
            return limit + 1;
    }
    return columns;
}

int dv_put(const struct dv_style *style, const char *text, int columns)
{
    const char *mark = style->unicode ? "…" : "~";
    bool cut = columns_of(style, text, columns) > columns;
    int room = cut ? columns - 1 : columns, used = 0, marks = 0;

    while (*text) {
        struct glyph glyph = next_glyph(style, text);
        if (used + glyph.columns > room || (glyph.columns == 0 && marks++ == MARKS))
            break;
        if (glyph.columns > 0) /* marks are left out */
            fputs(glyph.text, style->out);
        used += glyph.columns;
        text += glyph.bytes;
    }
    if (cut && columns > 0) {
        fputs(mark, style->out);
        used++;
    }
    return used;
}

void dv_put_padded(const struct dv_style *style, const char *text, int columns)
{
    int used = dv_put(style, text, columns);
    fprintf(style->out, "%*s", columns - used, "");
}

void dv_put_json(FILE *out, const char *json)
{
    while (*json) {
        unsigned point;
        size_t bytes = dv_utf8(json, &point);
        if (bytes && harmful(point) && point != '\n' && point != '\t') /* those stand between strings */
            fprintf(out, "\\u%04x", point);
        else
            fwrite(json, 1, bytes ? bytes : 1, out);
        json += bytes ? bytes : 1;
    }
}

/* Three digits of `value`, in the largest unit that leaves something before the point. */
static struct dv_words scaled(double value, double step, const char *const *units, size_t unit_count)
{
    struct dv_words words;
    size_t unit = 0;

    while (unit + 1 < unit_count && value >= step - 0.5) {
        value /= step;
        unit++;
    }
    int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(words.text, sizeof words.text, "%.*f%s", digits, value, units[unit]);
    return words;
}

struct dv_words dv_duration(double ns)
{
    static const char *const units[] = {" ns", " us", " ms", " s"};
    return scaled(ns, 1000, units, sizeof units / sizeof *units);
}

struct dv_words dv_amount(double count)
{
    static const char *const units[] = {"", " k", " M", " G", " T", " P"};
    return scaled(count, 1000, units, sizeof units / sizeof *units);
}

struct dv_words dv_bytes(double bytes)
{
    static const char *const units[] = {" B", " kB", " MB", " GB", " TB"};
    return scaled(bytes, 1000, units, sizeof units / sizeof *units);
}

struct dv_words dv_memory(double bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB"};
    return scaled(bytes, 1024, units, sizeof units / sizeof *units);
}
