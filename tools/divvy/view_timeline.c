#include "view.h"

#include <math.h>
#include <stdlib.h>

/* The time of a job in columns, a row per device: what a device did most in a column is what the column shows. */

enum { LABEL = 14 }; /* columns before the first of time */

enum activity { RUN, COPY_IN, COPY_OUT, JIT, FAILED, BUILD, ACTIVITIES };

struct cell {
    double part[ACTIVITIES]; /* of the column, 0 to 1 */
    bool ends;               /* a partition long enough to be seen ends here */
};

struct look {
    const char *unicode, *ascii;
    enum dv_ink ink;
    const char *word;
};

static const struct look looks[ACTIVITIES] = {
    [RUN] = {"█", "#", DV_GREEN, "runs"},
    [COPY_IN] = {"▒", ">", DV_YELLOW, "copies in"},
    [COPY_OUT] = {"░", "<", DV_YELLOW, "copies out"},
    [JIT] = {"▓", "j", DV_MAGENTA, "compiles"},
    [FAILED] = {"x", "x", DV_RED, "not accepted"},
    [BUILD] = {"~", "~", DV_MAGENTA, "builds"},
};

/* A column that runs for a part of its time only, in eighths. */
static const char *const eighths[] = {"▁", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/* Adds [from, to), in columns, to the cells. */
static void fill(struct cell *cells, int columns, enum activity activity, double from, double to)
{
    from = fmin(fmax(from, 0), columns);
    to = fmin(to, columns);
    for (int i = (int)from; i < columns && i < to; i++)
        cells[i].part[activity] += fmin(to, i + 1.0) - fmax(from, i);
}

/* The order within a partition: compiling, copying in, running, copying out. */
static void fill_partition(struct cell *cells, int columns, const struct dv_view_partition *partition, double start,
                           double scale)
{
    double from = (partition->start_ns - start) * scale, to = (partition->end_ns - start) * scale;

    if (!partition->accepted) {
        fill(cells, columns, FAILED, from, to);
        return;
    }
    double compiled = fmin(from + partition->jit_ns * scale, to);
    double arrived = fmin(compiled + partition->copy_in_ns * scale, to);
    double computed = fmax(to - partition->copy_out_ns * scale, arrived);
    fill(cells, columns, JIT, from, compiled);
    fill(cells, columns, COPY_IN, compiled, arrived);
    fill(cells, columns, RUN, arrived, computed);
    fill(cells, columns, COPY_OUT, computed, to);
    if (to - from >= 3 && to >= 1 && to <= columns)
        cells[(int)ceil(to) - 1].ends = true;
}

static enum activity strongest(const struct cell *cell)
{
    enum activity best = RUN;
    for (int i = 0; i < ACTIVITIES; i++)
        if (cell->part[i] > cell->part[best])
            best = (enum activity)i;
    return best;
}

static void put_cell(const struct dv_style *style, const struct cell *cell, bool *seen)
{
    enum activity activity = strongest(cell);
    double part = fmin(cell->part[activity], 1), busy = 0;

    for (int i = 0; i < ACTIVITIES; i++)
        busy += cell->part[i];
    if (busy < 0.04) {
        dv_ink(style, DV_DIM);
        fputs(style->unicode ? "·" : ".", style->out);
        dv_ink(style, DV_PLAIN);
        return;
    }
    seen[activity] = true;
    dv_ink(style, looks[activity].ink);
    if (activity != RUN)
        fputs(style->unicode ? looks[activity].unicode : looks[activity].ascii, style->out);
    else if (!style->unicode)
        fputs(cell->ends ? "|" : part >= 0.75 ? "#" : part >= 0.35 ? "=" : "-", style->out);
    else if (part >= 0.9)
        fputs(cell->ends ? "▉" : "█", style->out);
    else
        fputs(eighths[(int)lround(part * 8)], style->out);
    dv_ink(style, DV_PLAIN);
}

static const struct dv_view_partition *first_of(const struct dv_view_job *job, size_t device)
{
    size_t low = 0, high = job->partition_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (job->partitions[middle].device < device)
            low = middle + 1;
        else
            high = middle;
    }
    return job->partitions + low;
}

static void put_row(const struct dv_view *view, const struct dv_view_job *job, const struct dv_view_use *use,
                    struct cell *cells, int columns, const struct dv_style *style, bool *seen)
{
    double scale = columns / job->time_ns;

    for (int i = 0; i < columns; i++)
        cells[i] = (struct cell){0};
    if (use->ready_ns > job->start_ns && use->build_ns > 0)
        fill(cells, columns, BUILD, (use->ready_ns - use->build_ns - job->start_ns) * scale,
             (use->ready_ns - job->start_ns) * scale);
    const struct dv_view_partition *end = job->partitions + job->partition_count;
    for (const struct dv_view_partition *at = first_of(job, use->device); at < end && at->device == use->device; at++)
        fill_partition(cells, columns, at, job->start_ns, scale);

    fputs("  ", style->out);
    dv_put_padded(style, view->devices[use->device].id, LABEL - 3);
    fputc(' ', style->out);
    for (int i = 0; i < columns; i++)
        put_cell(style, &cells[i], seen);
    fputc('\n', style->out);
}

/* The largest of 1, 2, 5, 10 ... steps that gives marks at least `apart` columns from each other. */
static double mark_step(double time_ns, int columns, int apart)
{
    double least = time_ns * apart / columns, power = pow(10, floor(log10(least)));
    return least <= power ? power : least <= 2 * power ? 2 * power : least <= 5 * power ? 5 * power : 10 * power;
}

static void put_axis(const struct dv_view_job *job, int columns, const struct dv_style *style)
{
    static const struct {
        double ns;
        const char *name;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
    double step = mark_step(job->time_ns, columns, 12);
    size_t unit = 0;
    int used = 0;

    while (unit < 3 && step * 2 < units[unit].ns)
        unit++;
    dv_ink(style, DV_DIM);
    fprintf(style->out, "%*s", LABEL, "");
    for (int mark = 0; mark < columns; mark++) {
        char label[32];
        int at = (int)lround(mark * step / job->time_ns * columns);
        int length = snprintf(label, sizeof label, "%s%.6g %s", style->unicode ? "└" : "'",
                              mark * step / units[unit].ns, units[unit].name);
        int label_columns = length - (style->unicode ? 2 : 0);
        if (at + label_columns > columns)
            break;
        fprintf(style->out, "%*s%s", at - used, "", label);
        used = at + label_columns;
    }
    dv_ink(style, DV_PLAIN);
    fputc('\n', style->out);
}

static void put_legend(const struct dv_style *style, const bool *seen)
{
    fprintf(style->out, "%*s", LABEL, "");
    for (int i = 0; i < ACTIVITIES; i++) {
        if (!seen[i])
            continue;
        dv_ink(style, looks[i].ink);
        fputs(style->unicode ? looks[i].unicode : looks[i].ascii, style->out);
        dv_ink(style, DV_DIM);
        fprintf(style->out, " %s   ", looks[i].word);
        dv_ink(style, DV_PLAIN);
    }
    dv_ink(style, DV_DIM);
    fprintf(style->out, "%s idle\n", style->unicode ? "·" : ".");
    dv_ink(style, DV_PLAIN);
}

void dv_view_timeline(const struct dv_view *view, const struct dv_view_job *job, const struct dv_style *style)
{
    int columns = style->width - LABEL;
    bool seen[ACTIVITIES] = {false};
    struct cell *cells = columns > 0 && job->time_ns > 0 ? calloc((size_t)columns, sizeof *cells) : NULL;

    if (!cells || job->partition_count == 0) {
        free(cells);
        return;
    }
    fputc('\n', style->out);
    for (size_t i = 0; i < job->use_count; i++)
        put_row(view, job, &job->uses[i], cells, columns, style, seen);
    put_axis(job, columns, style);
    put_legend(style, seen);
    free(cells);
}
