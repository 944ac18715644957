#include "cost.h"

#include "random.h"

#include <math.h>
#include <stdlib.h>

static const double PI = 3.14159265358979323846;

bool cost_draw(struct scenario_cost *cost)
{
    if (cost->shape != SCENARIO_RANDOM && cost->shape != SCENARIO_HEAVY_TAIL)
        return true;
    cost->until = calloc(cost->part_count + 1, sizeof *cost->until);
    if (!cost->until)
        return false;
    uint64_t random = cost->seed;
    for (size_t part = 0; part < cost->part_count; part++) {
        double drawn = cost->shape == SCENARIO_RANDOM ? exp(cost->sigma * random_normal(&random))
                                                      : pow(random_uniform(&random), -1 / cost->alpha);
        cost->until[part + 1] = cost->until[part] + drawn;
    }
    return true;
}

double cost_until(const struct scenario_cost *cost, double x)
{
    switch (cost->shape) {
    case SCENARIO_FLAT:
        return x;
    case SCENARIO_RAMP:
        return cost->from * x + (cost->to - cost->from) / 2 * x * x;
    case SCENARIO_BUMP:
        return cost->base * x + cost->height * cost->width * sqrt(PI) / 2 *
                                    (erf((x - cost->centre) / cost->width) + erf(cost->centre / cost->width));
    case SCENARIO_WAVE: {
        double turn = 2 * PI * cost->periods;
        return x + cost->depth * (1 - cos(turn * x)) / turn;
    }
    case SCENARIO_BLOCKS:
    case SCENARIO_RANDOM:
    case SCENARIO_HEAVY_TAIL: {
        double at = x * (double)cost->part_count;
        size_t part = (size_t)at < cost->part_count ? (size_t)at : cost->part_count - 1;
        double within = at - (double)part;
        return cost->until[part] + within * (cost->until[part + 1] - cost->until[part]);
    }
    }
    return x;
}

bool cost_is_positive(const struct scenario_cost *cost)
{
    return cost_until(cost, 1) > 0;
}

double cost_of(const struct scenario_cost *cost, size_t first, size_t count, size_t total)
{
    double all = (double)total, begin = (double)first / all, end = (double)(first + count) / all;
    double share = (cost_until(cost, end) - cost_until(cost, begin)) / cost_until(cost, 1);
    return share > 0 ? share * all : 0;
}
