/* What was simulated, as tables of 80 columns and as JSON. */
#include "simulate.h"

#include <cjson/cJSON.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tables ---- */

enum { COLUMNS = 4 }; /* schedules beside each other */

static void print_part(const struct simulate_cases *cases, const struct simulate_plan *plan,
                       const struct simulate_result *results, unsigned first, bool warm, FILE *out)
{
    unsigned end = first + COLUMNS < plan->schedule_count ? first + COLUMNS : plan->schedule_count;
    fprintf(out, "%-22s", warm ? "last job" : "first job");
    for (unsigned s = first; s < end; s++) {
        char title[256];
        simulate_title(&plan->schedules[s], title, sizeof title);
        fprintf(out, "  %.*s%*s", 12, title, s + 1 < end ? 12 - (int)strnlen(title, 12) : 0, "");
    }
    fputc('\n', out);
    for (size_t c = 0; c < cases->count; c++) {
        fprintf(out, "%-22.22s", cases->list[c].name);
        for (unsigned s = first; s < end; s++) {
            const struct simulate_result *result = &results[c * plan->schedule_count + s];
            const struct simulate_score *score = warm ? &result->warm : &result->cold;
            fprintf(out, "  %.3f ±%.3f", score->mean, score->spread);
        }
        fputc('\n', out);
    }
    fputc('\n', out);
}

static void print_decisions(const struct simulate_cases *cases, const struct simulate_plan *plan,
                            const struct simulate_result *results, unsigned first, FILE *out)
{
    unsigned end = first + COLUMNS < plan->schedule_count ? first + COLUMNS : plan->schedule_count;
    fprintf(out, "decisions, ns of one\n");
    for (size_t c = 0; c < cases->count; c++) {
        fprintf(out, "%-22.22s", cases->list[c].name);
        for (unsigned s = first; s < end; s++) {
            const struct simulate_result *result = &results[c * plan->schedule_count + s];
            fprintf(out, " %6.0f %6.0f", result->decisions, result->decision_ns);
        }
        fputc('\n', out);
    }
    fputc('\n', out);
}

static void print_failures(const struct simulate_cases *cases, const struct simulate_plan *plan,
                           const struct simulate_result *results, FILE *out)
{
    bool any = false;
    for (size_t c = 0; c < cases->count; c++) {
        for (unsigned s = 0; s < plan->schedule_count; s++) {
            const struct simulate_result *result = &results[c * plan->schedule_count + s];
            char title[256];
            simulate_title(&plan->schedules[s], title, sizeof title);
            if (result->cold.failed + result->warm.failed)
                fprintf(out, "%s, %s: %u first and %u last jobs of %u ended without a device\n", cases->list[c].name,
                        title, result->cold.failed, result->warm.failed, plan->seeds);
            any = any || result->cold.failed + result->warm.failed;
        }
    }
    if (any)
        fputc('\n', out);
}

bool simulate_print_text(const struct simulate_cases *cases, const struct simulate_plan *plan,
                         const struct simulate_result *results, bool each, FILE *out)
{
    fprintf(out, "%zu world%s, %u seed%s each, rows of %u job%s: the bound over the time reached\n\n", cases->count,
            cases->count == 1 ? "" : "s", plan->seeds, plan->seeds == 1 ? "" : "s", plan->jobs,
            plan->jobs == 1 ? "" : "s");
    for (unsigned first = 0; each && first < plan->schedule_count; first += COLUMNS) {
        print_part(cases, plan, results, first, false, out);
        if (plan->jobs > 1)
            print_part(cases, plan, results, first, true, out);
        if (cases->scaled)
            print_decisions(cases, plan, results, first, out);
    }
    print_failures(cases, plan, results, out);
    fprintf(out, "%14s     first job%s\n", "", plan->jobs > 1 ? "                       last job" : "");
    fprintf(out, "%-14s", "all worlds");
    for (int warm = 0; warm < (plan->jobs > 1 ? 2 : 1); warm++)
        fputs("     mean  worst   10 % median", out);
    fputc('\n', out);
    for (unsigned s = 0; s < plan->schedule_count; s++) {
        struct simulate_summary summary;
        char title[256];
        if (!simulate_summarise(cases, plan, results, s, &summary))
            return false;
        simulate_title(&plan->schedules[s], title, sizeof title);
        fprintf(out, "%-14.14s", title);
        for (int warm = 0; warm < (plan->jobs > 1 ? 2 : 1); warm++) {
            const struct dv_summary *part = warm ? &summary.warm : &summary.cold;
            fprintf(out, "    %5.3f  %5.3f  %5.3f  %5.3f", part->mean, part->worst, part->tenth, part->median);
        }
        fputc('\n', out);
    }
    return true;
}

/* ---- JSON ---- */

/* Six digits are what they are good for, and are the same everywhere. */
static void add_number(cJSON *object, const char *name, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", number);
    cJSON_AddNumberToObject(object, name, strtod(text, NULL));
}

static void add_count(cJSON *object, const char *name, size_t count)
{
    cJSON_AddNumberToObject(object, name, (double)count);
}

static void add_score(cJSON *object, const char *name, const struct simulate_score *score)
{
    cJSON *part = cJSON_AddObjectToObject(object, name);
    add_number(part, "mean", score->mean);
    add_number(part, "spread", score->spread);
    add_count(part, "failed", score->failed);
}

static void add_summary(cJSON *object, const char *name, const struct dv_summary *summary)
{
    cJSON *part = cJSON_AddObjectToObject(object, name);
    add_number(part, "mean", summary->mean);
    add_number(part, "worst", summary->worst);
    add_number(part, "tenth", summary->tenth);
    add_number(part, "median", summary->median);
}

static cJSON *add_row(cJSON *array, const struct simulate_schedule *schedule)
{
    char title[256];
    cJSON *row = cJSON_CreateObject();
    simulate_title(schedule, title, sizeof title);
    cJSON_AddStringToObject(row, "schedule", title);
    cJSON_AddItemToArray(array, row);
    return row;
}

static void add_case(cJSON *array, const struct simulate_case *one, bool scaled, const struct simulate_plan *plan,
                     const struct simulate_result *results)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(array, object);
    cJSON_AddStringToObject(object, "name", one->name);
    add_count(object, "count", one->world.kernel.count);
    unsigned cores = 0;
    for (unsigned d = 0; d < one->world.device_count; d++)
        cores += one->devices[d].core;
    add_count(object, "cores", cores);
    add_count(object, "devices", one->world.device_count);
    add_number(object, "bound_ns", results->bound_ns);
    cJSON *rows = cJSON_AddArrayToObject(object, "schedules");
    for (unsigned s = 0; s < plan->schedule_count; s++) {
        cJSON *row = add_row(rows, &plan->schedules[s]);
        add_score(row, "cold", &results[s].cold);
        add_score(row, "warm", &results[s].warm);
        add_number(row, "decisions", results[s].decisions);
        if (scaled)
            add_number(row, "decision_ns", results[s].decision_ns);
    }
}

bool simulate_print_json(const struct simulate_cases *cases, const struct simulate_plan *plan,
                         const struct simulate_result *results, FILE *out)
{
    cJSON *root = cJSON_CreateObject();
    add_count(root, "divvy_simulation", 1);
    add_count(root, "seeds", plan->seeds);
    add_count(root, "jobs", plan->jobs);
    cJSON *rows = cJSON_AddArrayToObject(root, "schedules"), *array = cJSON_AddArrayToObject(root, "scenarios");
    bool done = rows && array;
    for (unsigned s = 0; done && s < plan->schedule_count; s++) {
        struct simulate_summary summary;
        done = simulate_summarise(cases, plan, results, s, &summary);
        cJSON *row = done ? add_row(rows, &plan->schedules[s]) : NULL;
        if (row) {
            add_summary(row, "cold", &summary.cold);
            add_summary(row, "warm", &summary.warm);
        }
    }
    for (size_t c = 0; done && c < cases->count; c++)
        add_case(array, &cases->list[c], cases->scaled, plan, &results[c * plan->schedule_count]);
    char *text = done ? cJSON_Print(root) : NULL;
    if (text)
        fprintf(out, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(root);
    return text != NULL;
}
