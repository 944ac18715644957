#include "schedule/wish.h"

#include "base/log.h"
#include "base/status.h"
#include "schedule/member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading ---- */

/* The script of this path, read now if it was not before. Under the crew's script_mutex. */
static divvy_status find_script(struct dv_crew *crew, const char *path, struct dv_script **out_script)
{
    for (struct dv_script *script = crew->scripts; script; script = script->next) {
        if (strcmp(script->path, path) == 0) {
            *out_script = script;
            return DIVVY_OK;
        }
    }
    DV_TRY(dv_script_read(path, out_script));
    (*out_script)->next = crew->scripts;
    crew->scripts = *out_script;
    return DIVVY_OK;
}

static divvy_status open_script(struct dv_crew *crew, const char *path)
{
    struct dv_script *script;
    pthread_mutex_lock(&crew->script_mutex);
    divvy_status status = find_script(crew, path, &script);
    pthread_mutex_unlock(&crew->script_mutex);
    return status;
}

divvy_status dv_wish_read(struct dv_crew *crew, const char *text, const struct dv_schedule **out_schedule,
                          const char **out_parameter)
{
    DV_TRY(dv_schedule_read(text, out_schedule, out_parameter));
    return *out_schedule == &dv_replay ? open_script(crew, *out_parameter) : DIVVY_OK;
}

void dv_wishes_forget(struct dv_crew *crew)
{
    for (struct dv_script *script = crew->scripts, *next; script; script = next) {
        next = script->next;
        dv_script_free(script);
    }
    crew->scripts = NULL;
}

/* ---- Granting ---- */

static void give_powers(struct dv_job *job, const char *powers)
{
    for (unsigned m = 0; m < job->member_count; m++) {
        const struct dv_unit *unit = job->members[m].unit;
        job->plan.paces[m].power = dv_power_given(powers, unit->found->plugin->name, unit->id, unit->device_class);
    }
}

/* The member that is the script's device; member_count if none takes part that is. */
static unsigned cast(const struct dv_job *job, const char *id)
{
    unsigned m = 0;
    while (m < job->member_count && (job->plan.paces[m].out || strcmp(job->members[m].unit->id, id) != 0))
        m++;
    return m;
}

/* What is to be told of parts while they are handed to members. */
struct entry {
    uint64_t start_ns;
    unsigned part;
};

static int by_start(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->start_ns != b->start_ns)
        return a->start_ns < b->start_ns ? -1 : 1;
    return a->part < b->part ? -1 : a->part > b->part;
}

/* Strings the parts together, each device's in the order of their start; entries is room for one each. Returns the
 * device of the script that is missing, or device_count. */
static size_t hand_out(struct dv_job *job, const struct dv_script *script, const struct dv_script_job *recorded,
                       struct dv_part *parts, struct entry *entries)
{
    for (size_t k = 0; k < recorded->part_count; k++) {
        parts[k] = (struct dv_part){.first = recorded->parts[k].first, .count = recorded->parts[k].count};
        entries[k] = (struct entry){recorded->parts[k].start_ns, (unsigned)k};
    }
    qsort(entries, recorded->part_count, sizeof *entries, by_start);
    for (size_t k = recorded->part_count; k-- > 0;) {
        unsigned part = entries[k].part, device = recorded->parts[part].device;
        unsigned m = cast(job, script->devices[device]);
        if (m == job->member_count)
            return device;
        parts[part].next = job->plan.paces[m].first_part;
        job->plan.paces[m].first_part = part + 1;
    }
    return script->device_count;
}

/* Whether partitions are whole numbers of the job's blocks, if it has any. */
static bool fits_blocks(const struct dv_job *job, const struct dv_script_job *recorded)
{
    bool fits = true;
    for (size_t k = 0; job->blocks.size && k < recorded->part_count; k++)
        fits = fits && recorded->parts[k].first % job->blocks.size == 0;
    return fits;
}

/* DIVVY_NOT_FOUND: it cannot be done as it was recorded, for which there is a sentence. */
static divvy_status follow(struct dv_job *job, struct dv_script *script)
{
    const struct dv_script_job *recorded = dv_script_take(script, job->kernel->name, job->count);
    if (!recorded || recorded->part_count == 0 || recorded->part_count >= UINT32_MAX)
        return dv_fail(DIVVY_NOT_FOUND, "%s has no%s job of %s over %zu indices%s", script->path,
                       recorded ? "" : " further", job->kernel->name, job->count,
                       recorded ? " that kept all of its partitions" : "");
    if (!fits_blocks(job, recorded))
        return dv_fail(DIVVY_NOT_FOUND, "%s has a job of %s over %zu indices that was cut inside of the blocks of %zu",
                       script->path, job->kernel->name, job->count, job->blocks.size);
    struct dv_part *parts = malloc(recorded->part_count * sizeof *parts);
    struct entry *entries = malloc(recorded->part_count * sizeof *entries);
    size_t missing = script->device_count;
    if (parts && entries)
        missing = hand_out(job, script, recorded, parts, entries);
    free(entries);
    if (!parts || !entries || missing < script->device_count) {
        free(parts);
        return missing < script->device_count
                   ? dv_fail(DIVVY_NOT_FOUND, "%s is in %s, but not among the devices of this job",
                             script->devices[missing], script->path)
                   : dv_job_fail_memory(job->kernel);
    }
    free(job->parts);
    job->plan.parts = job->parts = parts;
    job->plan.part_count = (unsigned)recorded->part_count;
    return DIVVY_OK;
}

static divvy_status replay(struct dv_job *job, const char *path)
{
    struct dv_script *script;
    pthread_mutex_lock(&job->crew->script_mutex);
    divvy_status status = find_script(job->crew, path, &script);
    if (status == DIVVY_OK)
        status = follow(job, script);
    if (status == DIVVY_NOT_FOUND && !script->warned) {
        script->warned = true;
        dv_log(DIVVY_LOG_WARN, "replay", "%s: it is divided by guarded, as are others of which this is true",
               dv_error_text());
    }
    pthread_mutex_unlock(&job->crew->script_mutex);
    return status;
}

divvy_status dv_wish_grant(struct dv_job *job, const char *parameter, const char *devices, int core)
{
    struct dv_plan *plan = &job->plan;
    divvy_status status = DIVVY_OK;
    if (plan->schedule == &dv_hguided)
        give_powers(job, parameter);
    else if (plan->schedule == &dv_replay)
        status = job->count ? replay(job, parameter) : DIVVY_NOT_FOUND;
    if (status != DIVVY_NOT_FOUND)
        return status;
    plan->schedule = &dv_guarded;
    return dv_members_seat(job, devices, core);
}
