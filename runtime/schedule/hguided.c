/* Guided by given powers (HGuided: Nozal, Bosque and Beivide, EngineCL 2020): R P / (2 sum of P) at every request, P the
 * device's power; at least a granule. For those who know their devices; all others have guarded. */
#include "schedule/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- What is given: "cpu=1,opencl:0=8" ---- */

/* One item of the list; *text moves behind it. The name ends at the last '=' of the item. */
struct item {
    const char *name;
    size_t length;
    double power;
};

static bool read_item(const char **text, struct item *out_item)
{
    const char *begin = *text, *end = begin + strcspn(begin, ","), *sign = end;
    while (sign > begin && sign[-1] != '=')
        sign--;
    if (sign - begin < 2 || sign == end || strchr(" \t\n+-", *sign))
        return false;
    char *number_end;
    double power = strtod(sign, &number_end);
    if (number_end != end || !(power > 0) || !isfinite(power))
        return false;
    *out_item = (struct item){begin, (size_t)(sign - 1 - begin), power};
    *text = *end ? end + 1 : end;
    return !*end || end[1];
}

static bool check(const char *powers)
{
    struct item item;
    while (*powers)
        if (!read_item(&powers, &item))
            return false;
    return true;
}

static bool is_named(const struct item *item, const char *name)
{
    return strlen(name) == item->length && memcmp(name, item->name, item->length) == 0;
}

double dv_power_given(const char *powers, const char *backend, const char *id, const char *device_class)
{
    const char *const names[] = {id, device_class, backend};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct item item;
        for (const char *at = powers; *at && read_item(&at, &item);)
            if (is_named(&item, names[k]))
                return item.power;
    }
    return 1;
}

/* ---- */

/* Who was given none, as a device that joins, counts 1. */
static double power_of(const struct dv_pace *pace)
{
    return pace->power > 0 ? pace->power : 1;
}

static struct dv_ask next(struct dv_plan *plan, unsigned d, uint64_t now_ns, size_t remaining)
{
    (void)now_ns;
    double all = 0, own = power_of(&plan->paces[d]);
    for (unsigned other = 0; other < plan->pace_count; other++)
        all += plan->paces[other].out ? 0 : power_of(&plan->paces[other]);
    size_t size = (size_t)((double)remaining * own / (2 * fmax(all, own)));
    enum dv_reason reason = size < plan->paces[d].granule ? DV_FLOOR : DV_SHARE;
    return (struct dv_ask){.count = dv_plan_round(plan, d, size, remaining), .requested = size, .reason = reason};
}

const struct dv_schedule dv_hguided = {.name = "hguided",
                                       .takes = "NAME=POWER,...",
                                       .adaptive = true,
                                       .check = check,
                                       .lay_out = dv_plan_lay_out_cores,
                                       .next = next,
                                       .done = dv_plan_ignore};
