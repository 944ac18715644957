#include "view.h"

#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

/* Members that could not be added for want of memory. */
struct result {
    bool no_memory;
};

static void keep(struct result *result, const void *added)
{
    if (!added)
        result->no_memory = true;
}

static void add_number(struct result *result, cJSON *object, const char *name, double value)
{
    keep(result, cJSON_AddNumberToObject(object, name, value));
}

/* 0 stands for unknown. */
static void add_known(struct result *result, cJSON *object, const char *name, double value)
{
    keep(result, value > 0 ? cJSON_AddNumberToObject(object, name, value) : cJSON_AddNullToObject(object, name));
}

/* Bytes of a damaged profile that are not UTF-8 become '?'. */
static void add_text(struct result *result, cJSON *object, const char *name, const char *text)
{
    char *clean = strdup(text);
    keep(result, clean);
    if (!clean)
        return;
    for (char *at = clean; *at;) {
        unsigned point;
        size_t bytes = dv_utf8(at, &point);
        if (!bytes)
            *at = '?';
        at += bytes ? bytes : 1;
    }
    keep(result, cJSON_AddStringToObject(object, name, clean));
    free(clean);
}

static cJSON *append_object(struct result *result, cJSON *array)
{
    cJSON *object = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(array, object)) {
        cJSON_Delete(object);
        object = NULL;
    }
    keep(result, object);
    return object;
}

static cJSON *add_array(struct result *result, cJSON *object, const char *name)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);
    keep(result, array);
    return array;
}

static void add_job(struct result *result, cJSON *jobs, const struct dv_view *view, const struct dv_view_job *job)
{
    cJSON *object = append_object(result, jobs);

    add_number(result, object, "id", job->id);
    add_text(result, object, "name", job->name);
    add_text(result, object, "kernel", job->kernel);
    add_number(result, object, "count", job->count);
    add_text(result, object, "schedule", job->schedule);
    add_known(result, object, "block", job->block);
    add_text(result, object, "status", job->status);
    add_number(result, object, "time_ns", job->time_ns);
    add_known(result, object, "bound_ns", job->bound_ns);
    add_text(result, object, "bound_basis", job->bound_basis);
    add_known(result, object, "efficiency", dv_view_efficiency(job->bound_ns, job->time_ns));

    cJSON *losses = cJSON_AddObjectToObject(object, "losses_ns");
    keep(result, losses);
    for (int k = 0; k < DV_LOSSES; k++)
        add_number(result, losses, dv_view_losses[k], job->losses_ns[k]);

    cJSON *devices = add_array(result, object, "devices");
    for (size_t i = 0; i < job->use_count; i++) {
        const struct dv_view_use *use = &job->uses[i];
        cJSON *device = append_object(result, devices);
        add_text(result, device, "device", view->devices[use->device].id);
        add_number(result, device, "partitions", use->partitions);
        add_number(result, device, "items", use->items);
        add_number(result, device, "busy_ns", use->busy_ns);
        add_number(result, device, "share", dv_view_share(use->items, job->count));
        add_known(result, device, "items_per_s", dv_view_rate(use->items, use->busy_ns));
    }
}

static void add_kernel(struct result *result, cJSON *kernels, const struct dv_view_kernel *kernel)
{
    cJSON *object = append_object(result, kernels);

    add_text(result, object, "kernel", kernel->name);
    add_number(result, object, "jobs", kernel->jobs);
    add_number(result, object, "failed", kernel->failed);
    add_number(result, object, "items", kernel->items);
    add_number(result, object, "time_ns", kernel->time_ns);
    add_number(result, object, "min_ns", kernel->min_ns);
    add_number(result, object, "max_ns", kernel->max_ns);
    add_known(result, object, "efficiency", dv_view_efficiency(kernel->bound_ns, kernel->bounded_time_ns));
}

bool dv_view_json(const struct dv_view *view, const struct dv_view_choice *choice, FILE *out)
{
    struct result result = {false};
    cJSON *object = cJSON_CreateObject(), *jobs, *kernels;

    keep(&result, object);
    add_text(&result, object, "program", view->program);
    add_number(&result, object, "wall_ns", view->wall_ns);
    jobs = add_array(&result, object, "jobs");
    for (size_t i = 0; i < view->job_count; i++)
        if (dv_view_chosen(choice, &view->jobs[i]))
            add_job(&result, jobs, view, &view->jobs[i]);
    kernels = add_array(&result, object, "kernels");
    for (size_t i = 0; i < view->kernel_count; i++)
        add_kernel(&result, kernels, &view->kernels[i]);

    char *text = cJSON_Print(object);
    keep(&result, text);
    if (!result.no_memory) {
        dv_put_json(out, text);
        fputc('\n', out);
    }
    cJSON_free(text);
    cJSON_Delete(object);
    return !result.no_memory;
}
