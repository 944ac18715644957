#include "record/script.h"

#include "base/status.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Profiles of this format are read, none that are larger. Larger whole numbers than this are not exact in JSON's. */
enum { FORMAT = 1 };
static const long long LARGEST_BYTES = 1LL << 30;
static const double LARGEST_NUMBER = 9007199254740992.0;

/* ---- Numbers ---- */

/* A whole number that is exact; false if it is missing or none. */
static bool whole(const cJSON *object, const char *name, uint64_t *out)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0) || value->valuedouble > LARGEST_NUMBER)
        return false;
    *out = (uint64_t)value->valuedouble;
    return (double)*out == value->valuedouble;
}

static bool is(const cJSON *object, const char *name, const char *expected)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text && strcmp(text, expected) == 0;
}

/* ---- Jobs ---- */

static bool read_part(const struct dv_script *script, const cJSON *json, struct dv_script_part *out_part)
{
    uint64_t first, count, device, start_ns;
    if (!whole(json, "first", &first) || !whole(json, "count", &count) || !whole(json, "device", &device) ||
        !whole(json, "start_ns", &start_ns) || device >= script->device_count || count == 0)
        return false;
    *out_part = (struct dv_script_part){(size_t)first, (size_t)count, (unsigned)device, start_ns};
    return true;
}

static int by_first(const void *left, const void *right)
{
    const struct dv_script_part *a = left, *b = right;
    return a->first < b->first ? -1 : a->first > b->first;
}

static bool cover(const struct dv_script_job *job)
{
    size_t end = 0;
    for (size_t k = 0; k < job->part_count; k++) {
        if (job->parts[k].first != end || job->parts[k].count > job->count - end)
            return false;
        end += job->parts[k].count;
    }
    return end == job->count;
}

/* Those that were accepted, or none at all if anything is wrong with them. False: no memory. */
static bool read_parts(const struct dv_script *script, const cJSON *json, struct dv_script_job *job)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(json, "partitions"), *item;
    int count = cJSON_IsArray(array) ? cJSON_GetArraySize(array) : 0;
    if (count == 0)
        return true;
    job->parts = calloc((size_t)count, sizeof *job->parts);
    if (!job->parts)
        return false;
    bool sound = true;
    cJSON_ArrayForEach (item, array)
        if (is(item, "outcome", "accepted"))
            sound = sound && read_part(script, item, &job->parts[job->part_count++]);
    qsort(job->parts, job->part_count, sizeof *job->parts, by_first);
    if (!sound || !cover(job))
        job->part_count = 0;
    return true;
}

static bool read_job(struct dv_script *script, const cJSON *json)
{
    struct dv_script_job *job = &script->jobs[script->job_count++];
    const char *kernel = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "kernel"));
    uint64_t count = 0;
    job->kernel = strdup(kernel && whole(json, "count", &count) ? kernel : "");
    job->count = (size_t)count;
    return job->kernel && read_parts(script, json, job);
}

/* ---- The profile ---- */

static bool read_devices(struct dv_script *script, const cJSON *array)
{
    const cJSON *item;
    script->devices = calloc((size_t)cJSON_GetArraySize(array) + 1, sizeof *script->devices);
    if (!script->devices)
        return false;
    cJSON_ArrayForEach (item, array) {
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "id"));
        if (!(script->devices[script->device_count] = strdup(id ? id : "")))
            return false;
        script->device_count++;
    }
    return true;
}

/* Between the first and the last jobs of a kernel there may be some that were only summed: how many jobs of a count there
 * were before the last ones is not known then, so that these cannot be told apart any more. */
static void forget_after_gaps(struct dv_script *script, const cJSON *profile)
{
    const cJSON *sums = cJSON_GetObjectItemCaseSensitive(profile, "jobs_summed"), *sum;
    const cJSON *jobs = cJSON_GetObjectItemCaseSensitive(profile, "jobs"), *item;
    cJSON_ArrayForEach (sum, sums) {
        uint64_t gap_ns, start_ns;
        size_t j = 0;
        if (!whole(sum, "first_ns", &gap_ns))
            continue;
        cJSON_ArrayForEach (item, jobs) {
            struct dv_script_job *job = &script->jobs[j++];
            if (job->kernel && is(sum, "kernel", job->kernel) &&
                (!whole(item, "start_ns", &start_ns) || start_ns >= gap_ns))
                job->part_count = 0;
        }
    }
}

static divvy_status read_profile(struct dv_script *script, const cJSON *profile)
{
    uint64_t format;
    const cJSON *devices = cJSON_GetObjectItemCaseSensitive(profile, "devices");
    const cJSON *jobs = cJSON_GetObjectItemCaseSensitive(profile, "jobs"), *item;
    if (!whole(profile, "divvy_profile", &format))
        return dv_fail(DIVVY_INVALID, "%s is not a profile of divvy", script->path);
    if (format != FORMAT)
        return dv_fail(DIVVY_INVALID, "%s is a profile of format %llu, this library reads %d", script->path,
                       (unsigned long long)format, FORMAT);
    if (!cJSON_IsArray(devices) || !cJSON_IsArray(jobs))
        return dv_fail(DIVVY_INVALID, "%s is a damaged profile: it lacks devices or jobs", script->path);
    script->jobs = calloc((size_t)cJSON_GetArraySize(jobs) + 1, sizeof *script->jobs);
    bool done = script->jobs && read_devices(script, devices);
    cJSON_ArrayForEach (item, jobs)
        done = done && read_job(script, item);
    if (!done)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for the jobs of %s", script->path);
    forget_after_gaps(script, profile);
    return DIVVY_OK;
}

/* ---- The file ---- */

static divvy_status read_all(const char *path, FILE *file, char **out_text, size_t *out_length)
{
    struct stat facts;
    if (fstat(fileno(file), &facts) != 0)
        return dv_fail(DIVVY_IO, "cannot read %s: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return dv_fail(DIVVY_IO, "cannot read %s: it is not a regular file", path);
    if (facts.st_size > LARGEST_BYTES)
        return dv_fail(DIVVY_LIMIT, "%s has more than the %lld bytes that are read", path, LARGEST_BYTES);
    char *text = malloc((size_t)facts.st_size + 1);
    if (!text)
        return dv_fail(DIVVY_NO_MEMORY, "no memory to read %s", path);
    *out_length = fread(text, 1, (size_t)facts.st_size, file);
    if (ferror(file)) {
        free(text);
        return dv_fail(DIVVY_IO, "cannot read %s: %s", path, strerror(errno));
    }
    *out_text = text;
    return DIVVY_OK;
}

static divvy_status read_text(const char *path, char **out_text, size_t *out_length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return dv_fail(DIVVY_IO, "cannot read %s: %s", path, strerror(errno));
    divvy_status status = read_all(path, file, out_text, out_length);
    fclose(file);
    return status;
}

divvy_status dv_script_read(const char *path, struct dv_script **out_script)
{
    char *text = NULL;
    size_t length = 0;
    DV_TRY(read_text(path, &text, &length));
    struct dv_script *script = calloc(1, sizeof *script);
    if (script)
        script->path = strdup(path);
    cJSON *profile = script && script->path ? cJSON_ParseWithLength(text, length) : NULL;
    free(text);
    divvy_status status = DIVVY_OK;
    if (!script || !script->path)
        status = dv_fail(DIVVY_NO_MEMORY, "no memory to read %s", path);
    else if (!profile)
        status = dv_fail(DIVVY_INVALID, "%s is not a profile of divvy, or only part of one", path);
    else
        status = read_profile(script, profile);
    cJSON_Delete(profile);
    if (status == DIVVY_OK)
        *out_script = script;
    else
        dv_script_free(script);
    return status;
}

void dv_script_free(struct dv_script *script)
{
    if (!script)
        return;
    for (size_t j = 0; j < script->job_count; j++) {
        free(script->jobs[j].kernel);
        free(script->jobs[j].parts);
    }
    for (size_t d = 0; d < script->device_count; d++)
        free(script->devices[d]);
    free(script->jobs);
    free(script->devices);
    free(script->path);
    free(script);
}

const struct dv_script_job *dv_script_take(struct dv_script *script, const char *kernel, size_t count)
{
    while (script->first_open < script->job_count && script->jobs[script->first_open].taken)
        script->first_open++;
    for (size_t j = script->first_open; j < script->job_count; j++) {
        struct dv_script_job *job = &script->jobs[j];
        if (!job->taken && job->count == count && strcmp(job->kernel, kernel) == 0) {
            job->taken = true;
            return job;
        }
    }
    return NULL;
}
