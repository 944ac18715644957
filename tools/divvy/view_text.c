#include "view.h"

#include <math.h>
#include <string.h>

enum {
    SHOWN_PER_KERNEL = 3, /* jobs of one kernel before it gets boring */
    ID = 11,              /* columns of a device's id */
};

static void heading(const struct dv_style *style, const char *text)
{
    dv_ink(style, DV_BOLD);
    fprintf(style->out, "%s\n", text);
    dv_ink(style, DV_PLAIN);
}

static void dim_line(const struct dv_style *style, const char *text)
{
    dv_ink(style, DV_DIM);
    fputs(text, style->out);
    dv_ink(style, DV_PLAIN);
    fputc('\n', style->out);
}

/* ---- The run ---- */

static void put_head(const struct dv_view *view, const struct dv_style *style)
{
    const char *slash = strrchr(view->program, '/'), *dot = style->unicode ? " · " : ", ";

    dv_ink(style, DV_BOLD);
    dv_put(style, slash ? slash + 1 : view->program, style->width / 2);
    dv_ink(style, DV_PLAIN);
    fprintf(style->out, " ran for %s", dv_duration(view->wall_ns).text);
    if (*view->host) {
        fputs(" on ", style->out);
        dv_put(style, view->host, style->width / 4);
    }
    if (*view->started) {
        /* 2024-05-06T07:08:09.123456Z without what nobody reads. */
        char moment[32];
        int day = (int)strcspn(view->started, "T"), second = (int)strcspn(view->started, ".Z");
        if (day == 10 && second == 19)
            snprintf(moment, sizeof moment, "%.10s %.8s UTC", view->started, view->started + 11);
        else
            snprintf(moment, sizeof moment, "%.23s", view->started);
        fputs(dot, style->out);
        dv_put(style, moment, 23);
    }
    fputc('\n', style->out);

    dv_put(style, *view->model ? view->model : "unknown processor", style->width / 2);
    fprintf(style->out, "%s%.0f", dot, view->cores);
    if (view->machine_cores > 0)
        fprintf(style->out, " of %.0f", view->machine_cores);
    fputs(view->machine_cores == 1 || view->cores == 1 ? " core" : " cores", style->out);
    if (view->quota > 0)
        fprintf(style->out, "%squota %.3g", dot, view->quota);
    if (view->numa > 1)
        fprintf(style->out, "%s%.0f NUMA nodes", dot, view->numa);
    if (view->memory_bytes > 0)
        fprintf(style->out, "%s%s", dot, dv_memory(view->memory_bytes).text);
    fputs("\n\n", style->out);
}

static void put_devices(const struct dv_view *view, const struct dv_style *style)
{
    int name = style->width - ID - 37;

    heading(style, "Devices");
    for (size_t i = 0; i < view->device_count; i++) {
        const struct dv_view_device *device = &view->devices[i];
        fputs("  ", style->out);
        dv_put_padded(style, device->id, ID);
        fputc(' ', style->out);
        dv_ink(style, DV_DIM);
        dv_put_padded(style, device->type, 5);
        dv_ink(style, DV_PLAIN);
        fputc(' ', style->out);
        dv_put_padded(style, device->name, name > 12 ? name : 12);
        fputc(' ', style->out);
        dv_put_padded(style, device->identity, 15);
        fprintf(style->out, " a %s", dv_duration(device->fixed_ns).text);
        fputc('\n', style->out);
        if (!device->staged && device->upload_bytes_per_s == 0)
            continue;
        fprintf(style->out, "  %*s ", ID, "");
        dv_ink(style, DV_DIM);
        fputs(device->staged ? "works on copies" : "works in place", style->out);
        if (device->upload_bytes_per_s > 0)
            fprintf(style->out, "   up %s/s   down %s/s", dv_bytes(device->upload_bytes_per_s).text,
                    dv_bytes(device->download_bytes_per_s).text);
        dv_ink(style, DV_PLAIN);
        fputc('\n', style->out);
    }
    fputc('\n', style->out);
}

/* ---- One job ---- */

static void put_bar(const struct dv_style *style, double part, int columns)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    int filled = (int)lround(fmin(part, 1) * columns * 8);

    dv_ink(style, part >= 0.9 ? DV_GREEN : part >= 0.7 ? DV_YELLOW : DV_RED);
    for (int i = 0; i < filled / 8; i++)
        fputs(style->unicode ? "█" : "#", style->out);
    if (style->unicode)
        fputs(eighths[filled % 8], style->out);
    dv_ink(style, DV_PLAIN);
}

static void put_job_head(const struct dv_view_job *job, const struct dv_style *style)
{
    const char *dot = style->unicode ? " · " : ", ";
    bool done = strcmp(job->status, "OK") == 0;

    char facts[96];
    int used =
        snprintf(facts, sizeof facts, "%sjob %.0f%s%s items%s", dot, job->id, dot, dv_amount(job->count).text, dot);
    int schedule = (int)strnlen(job->schedule, 16), outcome = (int)strnlen(job->status, 18);
    int room = style->width - used - schedule - outcome - 6;

    dv_ink(style, DV_BOLD);
    room -= dv_put(style, job->kernel, room > 40 ? room / 2 : room > 12 ? room : 12);
    dv_ink(style, DV_PLAIN);
    if (strcmp(job->name, job->kernel) != 0 && room > 0) {
        fputs(" \"", style->out);
        dv_put(style, job->name, room);
        fputc('"', style->out);
    }
    fputs(facts, style->out);
    dv_put(style, job->schedule, schedule);
    fputs(dot, style->out);
    dv_ink(style, done ? DV_GREEN : DV_RED);
    dv_put(style, done ? "done" : job->status, outcome > 4 ? outcome : 4);
    dv_ink(style, DV_PLAIN);
    fputc('\n', style->out);

    fprintf(style->out, "  time %s", dv_duration(job->time_ns).text);
    if (job->bound_ns > 0) {
        double efficiency = dv_view_efficiency(job->bound_ns, job->time_ns);
        fprintf(style->out, "   bound %s (", dv_duration(job->bound_ns).text);
        dv_put(style, job->bound_basis, 10);
        fprintf(style->out, ")   efficiency %.2f ", efficiency);
        put_bar(style, efficiency, style->width > 76 ? 16 : 4);
    } else {
        fputs("   bound unknown", style->out);
    }
    fputc('\n', style->out);
    if (job->block > 0)
        fprintf(style->out, "  reproducible, in blocks of %.0f\n", job->block);
    if (*job->error) {
        fputs("  ", style->out);
        dv_ink(style, DV_RED);
        dv_put(style, job->error, style->width - 2);
        dv_ink(style, DV_PLAIN);
        fputc('\n', style->out);
    }
}

/* Idle time where the terminal is wide enough for it. */
static bool wide(const struct dv_style *style)
{
    return style->width >= 92;
}

static void put_use(const struct dv_view_use *use, const char *id, const struct dv_view_job *job, double idle_ns,
                    const struct dv_style *style)
{
    const char *note = use->retired ? "retired" : use->parked ? "parked" : "";

    fputs("  ", style->out);
    dv_put_padded(style, id, ID);
    fprintf(style->out, "%6s%8s%6.1f %%%9s", dv_amount(use->partitions).text, dv_amount(use->items).text,
            100 * fmin(dv_view_share(use->items, job->count), 9.99), dv_duration(use->busy_ns).text);
    if (wide(style))
        fprintf(style->out, "%9s", dv_duration(idle_ns).text);
    if (use->partitions > 0)
        fprintf(style->out, "%9s%9s%9s%9s", dv_amount(dv_view_rate(use->items, use->busy_ns)).text,
                dv_duration(use->min_ns).text, dv_duration(use->avg_ns).text, dv_duration(use->max_ns).text);
    if (*note) {
        dv_ink(style, use->retired ? DV_RED : DV_YELLOW);
        fprintf(style->out, "%s%9s", use->partitions > 0 ? "\n  " : "", note);
        dv_ink(style, DV_PLAIN);
    }
    fputc('\n', style->out);
}

/* Those that a reader would see in the job's time. */
static void put_losses(const struct dv_view_job *job, const struct dv_style *style)
{
    const char *before = "  beyond the bound: ";
    for (int k = 0; k < DV_LOSSES; k++) {
        if (job->losses_ns[k] < job->time_ns / 1000)
            continue;
        fprintf(style->out, "%s%s %s", before, dv_view_losses[k], dv_duration(job->losses_ns[k]).text);
        before = ", ";
    }
    if (before[0] == ',')
        fputc('\n', style->out);
}

static void put_uses(const struct dv_view *view, const struct dv_view_job *job, const struct dv_style *style)
{
    struct dv_view_use all = {0};
    double all_idle_ns = 0;

    if (job->use_count == 0)
        return;
    dv_ink(style, DV_DIM);
    fprintf(style->out, "  %-*s%6s%8s%8s%9s", ID, "device", "parts", "items", "share", "busy");
    if (wide(style))
        fprintf(style->out, "%9s", "idle");
    fprintf(style->out, "%9s%9s%9s%9s", "items/s", "shortest", "average", "longest");
    dim_line(style, "");
    for (size_t i = 0; i < job->use_count; i++) {
        const struct dv_view_use *use = &job->uses[i];
        double idle_ns = fmax(job->time_ns - use->busy_ns, 0);
        put_use(use, view->devices[use->device].id, job, idle_ns, style);
        all_idle_ns += idle_ns;
        if (use->partitions > 0 && (all.partitions == 0 || use->min_ns < all.min_ns))
            all.min_ns = use->min_ns;
        all.max_ns = fmax(all.max_ns, use->max_ns);
        all.partitions += use->partitions;
        all.items += use->items;
        all.busy_ns += use->busy_ns;
        all.build_ns += use->build_ns;
    }
    all.avg_ns = dv_view_share(all.busy_ns, all.partitions);
    if (job->use_count > 1)
        put_use(&all, "in all", job, all_idle_ns, style);

    dv_ink(style, DV_DIM);
    put_losses(job, style);
    fprintf(style->out, "  overhead: split %s, combine %s", dv_duration(job->split_ns).text,
            dv_duration(job->combine_ns).text);
    if (all.build_ns > 0)
        fprintf(style->out, ", built beside it %s", dv_duration(all.build_ns).text);
    if (all.max_ns > 0)
        fprintf(style->out, "\n  longest partition %s: cut like this, at most %.3g devices could be busy",
                dv_duration(all.max_ns).text, all.busy_ns / all.max_ns);
    dim_line(style, "");
}

static void put_event(const struct dv_view_event *event, double since_ns, const struct dv_style *style)
{
    int used = 21;

    fprintf(style->out, "  %9s ", dv_duration(fmax(event->time_ns - since_ns, 0)).text);
    dv_ink(style, DV_CYAN);
    dv_put_padded(style, event->what, 8);
    dv_ink(style, DV_PLAIN);
    fputc(' ', style->out);
    if (event->device && !strstr(event->text, event->device->id)) {
        used += 2 + dv_put(style, event->device->id, ID);
        fputs(": ", style->out);
    }
    dv_put(style, event->text, style->width - used);
    fputc('\n', style->out);
}

/* Events are in the order of jobs. */
static void put_events_of(const struct dv_view *view, double job, double since_ns, const struct dv_style *style)
{
    size_t low = 0, high = view->event_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view->events[middle].job < job)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < view->event_count && view->events[low].job == job)
        fputc('\n', style->out);
    for (; low < view->event_count && view->events[low].job == job; low++)
        put_event(&view->events[low], since_ns, style);
}

static void put_job(const struct dv_view *view, const struct dv_view_job *job, const struct dv_style *style)
{
    put_job_head(job, style);
    fputc('\n', style->out);
    put_uses(view, job, style);
    dv_view_timeline(view, job, style);
    if (job->partitions_left_out > 0)
        fprintf(style->out, "  %.0f partitions are not in the profile\n", job->partitions_left_out);
    if (job->id > 0)
        put_events_of(view, job->id, job->start_ns, style);
    fputc('\n', style->out);
}

/* ---- All jobs, models, events ---- */

static void put_kernels(const struct dv_view *view, const struct dv_style *style)
{
    bool repeated = false;

    for (size_t i = 0; i < view->kernel_count; i++)
        repeated |= view->kernels[i].jobs > 1;
    if (!repeated)
        return;
    heading(style, "Kernels, all jobs");
    dv_ink(style, DV_DIM);
    fprintf(style->out, "  %-15s%7s%7s%7s%9s%9s%9s%9s", "kernel", "jobs", "shown", "failed", "average", "shortest",
            "longest", "in all");
    dim_line(style, "  eff.");
    for (size_t i = 0; i < view->kernel_count; i++) {
        const struct dv_view_kernel *kernel = &view->kernels[i];
        fputs("  ", style->out);
        dv_put_padded(style, kernel->name, 15);
        fprintf(style->out, "%7.7s%7zu%7.7s%9s%9s%9s%9s", dv_amount(kernel->jobs).text, kernel->shown,
                dv_amount(kernel->failed).text, dv_duration(dv_view_share(kernel->time_ns, kernel->jobs)).text,
                dv_duration(kernel->min_ns).text, dv_duration(kernel->max_ns).text, dv_duration(kernel->time_ns).text);
        if (kernel->bound_ns > 0)
            fprintf(style->out, "  %.2f", dv_view_efficiency(kernel->bound_ns, kernel->bounded_time_ns));
        else
            fputs("     -", style->out);
        fputc('\n', style->out);
    }
    fputc('\n', style->out);
}

static void put_models(const struct dv_view *view, const struct dv_style *style)
{
    int class_columns = style->width - 67;

    if (view->model_count == 0)
        return;
    heading(style, "Models: time of n items = a + n b; from `least` items on a is under 5 %");
    if (class_columns < 12)
        class_columns = 12;
    dv_ink(style, DV_DIM);
    fprintf(style->out, "  %-14s%-*s%5s%9s%11s%8s%8s", "kernel", class_columns, " class", "size", "a", "b", "+-",
            "least");
    dim_line(style, "  state");
    for (size_t i = 0; i < view->model_count; i++) {
        const struct dv_view_model *model = &view->models[i];
        char size[16], rate[32];
        snprintf(size, sizeof size, "2^%.0f", fmin(model->size_class, 99));
        snprintf(rate, sizeof rate, "%.3g ns", model->ns_per_item);
        fputs("  ", style->out);
        dv_put_padded(style, model->kernel, 14);
        fputc(' ', style->out);
        dv_put_padded(style, model->device_class, class_columns - 1);
        fprintf(style->out, "%5s%9s%11s%6.0f %%%8s  ", size, dv_duration(model->fixed_ns).text, rate,
                fmin(100 * model->uncertainty, 9999), dv_amount(model->partition).text);
        dv_put(style, model->state, 8);
        fputc('\n', style->out);
    }
    fputc('\n', style->out);
}

static void put_other_events(const struct dv_view *view, const struct dv_style *style)
{
    bool any = view->event_count > 0 && view->events[0].job == 0;

    if (any) {
        heading(style, "Events");
        for (size_t i = 0; i < view->event_count && view->events[i].job == 0; i++)
            put_event(&view->events[i], 0, style);
    }
    if (view->events_left_out > 0)
        fprintf(style->out, "  %.0f later events are not in the profile\n", view->events_left_out);
    if (any || view->events_left_out > 0)
        fputc('\n', style->out);
}

void dv_view_text(struct dv_view *view, const struct dv_view_choice *choice, const struct dv_style *style)
{
    size_t hidden = 0;

    put_head(view, style);
    put_devices(view, style);
    for (size_t i = 0; i < view->job_count; i++) {
        struct dv_view_job *job = &view->jobs[i];
        if (!dv_view_chosen(choice, job))
            continue;
        if (!choice->all && job->of->shown >= SHOWN_PER_KERNEL) {
            hidden++;
            continue;
        }
        job->of->shown++;
        put_job(view, job, style);
    }
    if (view->job_count == 0)
        dim_line(style, "No job is in this profile.\n");
    if (hidden > 0)
        fprintf(style->out, "%zu more jobs like these are not shown: --all shows them.\n\n", hidden);
    if (choice->job)
        return;
    put_kernels(view, style);
    put_models(view, style);
    put_other_events(view, style);
}
