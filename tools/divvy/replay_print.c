/* What came of a recorded job, as text and as JSON. */
#include "replay.h"

#include <cjson/cJSON.h>

#include <stdlib.h>

/* ---- Text ---- */

static const char *id_of(const struct replay_model *model, unsigned d)
{
    return model->view->devices[model->recorded[d]].id;
}

static double recorded_share(const struct replay_model *model, unsigned d)
{
    const struct dv_view_job *job = model->job;
    for (size_t u = 0; u < job->use_count; u++)
        if (job->uses[u].device == model->recorded[d])
            return dv_view_share(job->uses[u].items, job->count);
    return 0;
}

static void put_row(const struct dv_style *style, const char *label, double time_ns, double efficiency, double ratio)
{
    dv_put_padded(style, label, 34);
    fprintf(style->out, "  %10s", dv_duration(time_ns).text);
    if (efficiency > 0)
        fprintf(style->out, "  %10.3f", efficiency);
    else
        fprintf(style->out, "  %10s", "-");
    if (ratio > 0)
        fprintf(style->out, "  %10.3f", ratio);
    fputc('\n', style->out);
}

static void put_devices(const struct dv_style *style, const struct replay_model *model)
{
    dv_put_padded(style, "device", 34);
    fprintf(style->out, "  %10s  %10s  %10s\n", "fixed", "per index", "recorded");
    for (unsigned d = 0; d < model->world.device_count; d++) {
        const struct dv_world_device *device = &model->devices[d];
        dv_put_padded(style, id_of(model, d), 34);
        fprintf(style->out, "  %10s  %10s  %8.1f %%\n", dv_duration(device->fixed_ns).text,
                dv_duration(device->ns_per_item).text, 100 * recorded_share(model, d));
    }
}

void replay_print_text(const struct replay_model *model, const struct replay_result *again,
                       const struct replay_result *results, unsigned count, FILE *out)
{
    const struct dv_view_job *job = model->job;
    const struct dv_style style = {.out = out, .width = 80};
    char title[256];
    fprintf(out, "job %.0f \"", job->id);
    dv_put(&style, job->name, 20);
    fputs("\", ", out);
    dv_put(&style, job->kernel, 20);
    fprintf(out, " over %.0f indices, %s\n\n", job->count, model->warm ? "not its first" : "its first");
    put_devices(&style, model);
    fprintf(out, "\n%-34s  %10s  %10s  %10s\n", "schedule", "time", "efficiency", "/ recorded");
    snprintf(title, sizeof title, "recorded: %s", job->schedule);
    put_row(&style, title, job->time_ns, dv_view_efficiency(job->bound_ns, job->time_ns), 1);
    snprintf(title, sizeof title, "the same, simulated");
    if (again)
        put_row(&style, title, again->time_ns, again->efficiency, dv_view_share(again->time_ns, job->time_ns));
    fputc('\n', out);
    for (unsigned s = 0; s < count; s++) {
        simulate_title(&results[s].schedule, title, sizeof title);
        put_row(&style, title, results[s].time_ns, results[s].efficiency,
                dv_view_share(results[s].time_ns, job->time_ns));
    }
}

/* ---- JSON ---- */

/* Six digits are what they are good for. */
static void add_number(cJSON *object, const char *name, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", number);
    cJSON_AddNumberToObject(object, name, strtod(text, NULL));
}

static void add_job(cJSON *root, const struct replay_model *model)
{
    const struct dv_view_job *job = model->job;
    cJSON *object = cJSON_AddObjectToObject(root, "job");
    cJSON_AddNumberToObject(object, "id", job->id);
    cJSON_AddStringToObject(object, "name", job->name);
    cJSON_AddStringToObject(object, "kernel", job->kernel);
    cJSON_AddStringToObject(object, "schedule", job->schedule);
    cJSON_AddNumberToObject(object, "count", job->count);
    cJSON_AddNumberToObject(object, "time_ns", job->time_ns);
    if (job->bound_ns > 0)
        add_number(object, "efficiency", dv_view_efficiency(job->bound_ns, job->time_ns));
    else
        cJSON_AddNullToObject(object, "efficiency");
    cJSON_AddBoolToObject(object, "first_of_kernel", !model->warm);
}

static void add_result(cJSON *array, const struct replay_model *model, const struct replay_result *result, bool shares)
{
    char title[256];
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToArray(array, object);
    simulate_title(&result->schedule, title, sizeof title);
    cJSON_AddStringToObject(object, "schedule", title);
    add_number(object, "time_ns", result->time_ns);
    add_number(object, "bound_ns", result->bound_ns);
    add_number(object, "efficiency", result->efficiency);
    add_number(object, "over_recorded", dv_view_share(result->time_ns, model->job->time_ns));
    cJSON *list = shares ? cJSON_AddArrayToObject(object, "shares") : NULL;
    for (unsigned d = 0; list && d < model->world.device_count; d++) {
        cJSON *share = cJSON_CreateObject();
        cJSON_AddStringToObject(share, "device", id_of(model, d));
        add_number(share, "share", result->shares[d]);
        cJSON_AddItemToArray(list, share);
    }
}

bool replay_print_json(const struct replay_model *model, const struct replay_result *again,
                       const struct replay_result *results, unsigned count, FILE *out)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "divvy_replay", 1);
    add_job(root, model);
    cJSON *devices = cJSON_AddArrayToObject(root, "devices");
    for (unsigned d = 0; d < model->world.device_count; d++) {
        cJSON *device = cJSON_CreateObject();
        cJSON_AddStringToObject(device, "id", id_of(model, d));
        cJSON_AddStringToObject(device, "class", model->view->devices[model->recorded[d]].device_class);
        add_number(device, "fixed_ns", model->devices[d].fixed_ns);
        add_number(device, "ns_per_item", model->devices[d].ns_per_item);
        add_number(device, "recorded_share", recorded_share(model, d));
        cJSON_AddItemToArray(devices, device);
    }
    cJSON *same = cJSON_AddArrayToObject(root, "again"), *list = cJSON_AddArrayToObject(root, "schedules");
    if (again)
        add_result(same, model, again, false);
    for (unsigned s = 0; s < count; s++)
        add_result(list, model, &results[s], true);
    char *text = cJSON_Print(root);
    if (text)
        dv_put_json(out, text);
    if (text)
        fputc('\n', out);
    cJSON_free(text);
    cJSON_Delete(root);
    return text != NULL;
}
