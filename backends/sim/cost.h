/* How much of a job's work lies in a range of its indices. Any thread. */
#ifndef COST_H
#define COST_H

#include "scenario.h"

/* The sum of the costs of the indices [first, first + count) of `total`, whose mean is 1: equals `count` where the cost
 * is flat. Takes the same time for any range. */
double cost_of(const struct scenario_cost *cost, size_t first, size_t count, size_t total);

/* The integral of the cost over [0, x], not scaled: x is a position in the job, from 0 to 1. */
double cost_until(const struct scenario_cost *cost, double x);

/* For the reader: draws the parts of the shapes that are drawn. False: no memory. */
bool cost_draw(struct scenario_cost *cost);

/* For the reader: whether there is anything to scale. */
bool cost_is_positive(const struct scenario_cost *cost);

#endif
