/* The table: one line for each pair of divvy and a peer. Aligned, and Markdown too. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 7, CELL_BYTES = 96 };

struct line {
    char cells[COLUMNS][CELL_BYTES];
};

struct table {
    struct line *lines;
    size_t count;
};

static struct line *add_line(struct table *table)
{
    struct line *lines = realloc(table->lines, (table->count + 1) * sizeof *lines);
    bench_require(lines != NULL, "the table", "memory");
    table->lines = lines;
    lines[table->count] = (struct line){0};
    return &lines[table->count++];
}

/* Four digits; "12345 ns" rather than "1.234e+04 ns". */
static void write_value(char *cell, double value, const char *unit)
{
    double size = value < 0 ? -value : value;
    int digits = size >= 999.5 ? 0 : size >= 99.95 ? 1 : size >= 9.995 ? 2 : 3;
    snprintf(cell, CELL_BYTES, "%.*f %s", digits, value, unit);
}

static void write_figure(const struct bench_result *result, struct bench_figure *figure, char *value, char *spread)
{
    double median = bench_quantile(&figure->calls, 0.5);
    double low = bench_quantile(&figure->calls, 0.1), high = bench_quantile(&figure->calls, 0.9);
    write_value(value, bench_scaled(&result->scale, median), result->scale.unit);
    snprintf(spread, CELL_BYTES, "± %.0f %%", median > 0 ? 50 * (high - low) / median : 0);
}

static void add_result(struct table *table, const char *row, struct bench_result *result)
{
    struct bench_figure *own = &result->figures[0];
    for (unsigned f = 1; f < result->figure_count || f == 1; f++) {
        struct line *line = add_line(table);
        if (f == 1) {
            snprintf(line->cells[0], CELL_BYTES, "%s%s%s", row, *result->name ? " " : "", result->name);
            write_figure(result, own, line->cells[1], line->cells[2]);
        }
        if (f >= result->figure_count)
            break;
        struct bench_figure *peer = &result->figures[f];
        int length = snprintf(line->cells[3], CELL_BYTES, "%s", peer->name);
        if (peer->on_all_cores >= 0)
            snprintf(line->cells[3] + length, CELL_BYTES - (size_t)length, ", on all cores %.0f %%",
                     100 * peer->on_all_cores);
        else if (peer->is_ideal)
            snprintf(line->cells[3] + length, CELL_BYTES - (size_t)length, ": efficiency %.2f", 1 / peer->ratio);
        write_figure(result, peer, line->cells[4], line->cells[5]);
        snprintf(line->cells[6], CELL_BYTES, "%.2f", peer->ratio);
    }
    if (own->on_all_cores >= 0)
        snprintf(add_line(table)->cells[0], CELL_BYTES, "- divvy on all cores %.1f %%", 100 * own->on_all_cores);
    if (result->disturbed)
        snprintf(add_line(table)->cells[0], CELL_BYTES, "- %u of %u turns disturbed", result->disturbed, result->turns);
}

/* How many columns of a terminal a text in UTF-8 takes. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_line(const struct line *line, const size_t *widths)
{
    for (int c = 0; c < COLUMNS; c++)
        printf("| %s%*s ", line->cells[c], (int)(widths[c] - width_of(line->cells[c])), "");
    puts("|");
}

void bench_print_table(const struct bench_report *reports, unsigned count)
{
    struct table table = {0};
    *add_line(&table) = (struct line){{"row", "divvy", "spread", "peer", "its median", "spread", "ratio"}};
    for (unsigned r = 0; r < count; r++) {
        for (unsigned k = 0; k < reports[r].result_count; k++)
            add_result(&table, reports[r].row->name, &reports[r].results[k]);
    }

    size_t widths[COLUMNS] = {0};
    for (size_t l = 0; l < table.count; l++)
        for (int c = 0; c < COLUMNS; c++) {
            size_t width = width_of(table.lines[l].cells[c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    for (size_t l = 0; l < table.count; l++) {
        print_line(&table.lines[l], widths);
        for (int c = 0; c < COLUMNS && l == 0; c++) {
            printf("|");
            for (size_t k = 0; k < widths[c] + 2; k++)
                putchar('-');
        }
        if (l == 0)
            puts("|");
    }
    free(table.lines);

    for (unsigned r = 0; r < count; r++)
        if (*reports[r].left_out)
            printf("%s%s: left out: %s\n", r == 0 ? "\n" : "", reports[r].row->name, reports[r].left_out);
}
