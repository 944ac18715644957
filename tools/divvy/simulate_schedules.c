/* Which schedules are asked for. */
#include "simulate.h"

#include <string.h>

static bool is_named(const struct dv_schedule *schedule, const char *text, size_t length)
{
    return strlen(schedule->name) == length && memcmp(schedule->name, text, length) == 0;
}

static int refuse(const char *command, const char *text)
{
    fprintf(stderr, "divvy %s: there is no schedule \"%s\" to simulate; there are:", command, text);
    for (unsigned k = 0; dv_schedules[k]; k++)
        if (dv_schedules[k] != &dv_replay)
            fprintf(stderr, "%s %s", k ? "," : "", dv_schedules[k]->name);
    fputs(", hguided:NAME=POWER,...\n", stderr);
    return 2;
}

int simulate_read_schedules(const char *command, const char *text, struct simulate_plan *plan)
{
    const struct dv_schedule *schedule;
    const char *parameter;
    bool takes = strchr(text, ':') != NULL;
    if (takes && (dv_schedule_read(text, &schedule, &parameter) != DIVVY_OK || schedule == &dv_replay))
        return refuse(command, text);
    for (const char *at = text; *at || at == text;) {
        size_t length = takes ? strcspn(at, ":") : strcspn(at, ",");
        unsigned k = 0;
        while (dv_schedules[k] && (dv_schedules[k] == &dv_replay || !is_named(dv_schedules[k], at, length)))
            k++;
        if (!dv_schedules[k] || plan->schedule_count == SIMULATE_SCHEDULES_MAX)
            return refuse(command, text);
        plan->schedules[plan->schedule_count++] =
            (struct simulate_schedule){dv_schedules[k], takes ? at + length + 1 : NULL};
        if (takes)
            break;
        at += length + (at[length] == ',' && at[length + 1]);
        if (*at == ',')
            return refuse(command, text);
    }
    return 0;
}

void simulate_take_all(struct simulate_plan *plan)
{
    for (unsigned k = 0; dv_schedules[k]; k++)
        if (dv_schedules[k] != &dv_replay)
            plan->schedules[plan->schedule_count++] = (struct simulate_schedule){dv_schedules[k], NULL};
}

void simulate_title(const struct simulate_schedule *schedule, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s", schedule->schedule->name, schedule->powers ? ":" : "",
             schedule->powers ? schedule->powers : "");
}
