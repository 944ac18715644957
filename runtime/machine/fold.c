#include "machine/fold.h"

#include <math.h>
#include <string.h>

/* Which member of a partial an element type uses. */
enum width { FLOATING, SIGNED, UNSIGNED };

static enum width width_of(divvy_element element)
{
    switch (element) {
    case DIVVY_ELEMENT_FLOAT:
    case DIVVY_ELEMENT_DOUBLE:
        return FLOATING;
    case DIVVY_ELEMENT_INT:
    case DIVVY_ELEMENT_LONG:
        return SIGNED;
    default:
        return UNSIGNED;
    }
}

static int64_t signed_identity(divvy_element element, divvy_kind kind)
{
    const bool narrow = element == DIVVY_ELEMENT_INT;
    if (kind == DIVVY_KIND_min)
        return narrow ? INT32_MAX : INT64_MAX;
    return narrow ? INT32_MIN : INT64_MIN;
}

void dv_fold_identity(const divvy_parameter *parameter, divvy_partial *out_partial)
{
    memset(out_partial, 0, sizeof *out_partial); /* of sums, and of unsigned maxima */
    if (parameter->kind == DIVVY_KIND_sum)
        return;
    const bool least = parameter->kind == DIVVY_KIND_min;
    switch (width_of(parameter->element)) {
    case FLOATING:
        out_partial->f = least ? INFINITY : -INFINITY;
        return;
    case SIGNED:
        out_partial->i = signed_identity(parameter->element, parameter->kind);
        return;
    case UNSIGNED:
        if (least)
            out_partial->u = parameter->element == DIVVY_ELEMENT_UINT ? UINT32_MAX : UINT64_MAX;
        return;
    }
}

void dv_fold_join(const divvy_parameter *parameter, divvy_partial *into, const divvy_partial *from)
{
    const enum width width = width_of(parameter->element);
    switch (parameter->kind) {
    case DIVVY_KIND_sum:
        if (width == FLOATING)
            into->f += from->f;
        else /* as unsigned: wrapping is defined, and the bits are the same */
            into->u += from->u;
        return;
    case DIVVY_KIND_min:
        if (width == FLOATING ? from->f < into->f : width == SIGNED ? from->i < into->i : from->u < into->u)
            *into = *from;
        return;
    default:
        if (width == FLOATING ? from->f > into->f : width == SIGNED ? from->i > into->i : from->u > into->u)
            *into = *from;
        return;
    }
}

void dv_fold_store(const divvy_parameter *parameter, const divvy_partial *partial, void *out)
{
    switch (parameter->element) {
    case DIVVY_ELEMENT_FLOAT:
        memcpy(out, &(float){(float)partial->f}, sizeof(float));
        return;
    case DIVVY_ELEMENT_DOUBLE:
        memcpy(out, &partial->f, sizeof(double));
        return;
    case DIVVY_ELEMENT_INT:
    case DIVVY_ELEMENT_UINT: /* the low half of the sum: what 32-bit arithmetic gives */
        memcpy(out, &(uint32_t){(uint32_t)partial->u}, sizeof(uint32_t));
        return;
    default:
        memcpy(out, &partial->u, sizeof(uint64_t));
        return;
    }
}

/* Each of these is a plain loop once what does not change in it was decided before, which is the compiler's part: a block
 * of a reproducible job is folded in the time of some hundred indices. The order is that of the lanes. */

static double close_floating(const divvy_parameter *parameter, const void *lanes, size_t lane_count, double total)
{
    const bool narrow = parameter->element == DIVVY_ELEMENT_FLOAT;
    const divvy_kind kind = parameter->kind;
    for (size_t lane = 0; lane < lane_count; lane++) {
        double value = narrow ? (double)((const float *)lanes)[lane] : ((const double *)lanes)[lane];
        if (kind == DIVVY_KIND_sum)
            total += value;
        else if (kind == DIVVY_KIND_min ? value < total : value > total)
            total = value;
    }
    return total;
}

static int64_t close_signed(const divvy_parameter *parameter, const void *lanes, size_t lane_count, int64_t total)
{
    const bool narrow = parameter->element == DIVVY_ELEMENT_INT;
    const divvy_kind kind = parameter->kind;
    for (size_t lane = 0; lane < lane_count; lane++) {
        int64_t value = narrow ? ((const int32_t *)lanes)[lane] : ((const int64_t *)lanes)[lane];
        if (kind == DIVVY_KIND_sum)
            total = (int64_t)((uint64_t)total + (uint64_t)value);
        else if (kind == DIVVY_KIND_min ? value < total : value > total)
            total = value;
    }
    return total;
}

static uint64_t close_unsigned(const divvy_parameter *parameter, const void *lanes, size_t lane_count, uint64_t total)
{
    const bool narrow = parameter->element == DIVVY_ELEMENT_UINT;
    const divvy_kind kind = parameter->kind;
    for (size_t lane = 0; lane < lane_count; lane++) {
        uint64_t value = narrow ? ((const uint32_t *)lanes)[lane] : ((const uint64_t *)lanes)[lane];
        if (kind == DIVVY_KIND_sum)
            total += value;
        else if (kind == DIVVY_KIND_min ? value < total : value > total)
            total = value;
    }
    return total;
}

void dv_fold_open(const divvy_parameter *parameter, void *lanes, size_t lane_count)
{
    divvy_partial identity;
    uint64_t element = 0; /* its bytes as they lie in memory */
    const bool narrow = parameter->element_bytes == sizeof(uint32_t);
    dv_fold_identity(parameter, &identity);
    dv_fold_store(parameter, &identity, &element);
    for (size_t lane = 0; narrow && lane < lane_count; lane++)
        memcpy((uint32_t *)lanes + lane, &element, sizeof(uint32_t));
    for (size_t lane = 0; !narrow && lane < lane_count; lane++)
        memcpy((uint64_t *)lanes + lane, &element, sizeof(uint64_t));
}

void dv_fold_close(const divvy_parameter *parameter, const void *lanes, size_t lane_count, divvy_partial *partial)
{
    switch (width_of(parameter->element)) {
    case FLOATING:
        partial->f = close_floating(parameter, lanes, lane_count, partial->f);
        return;
    case SIGNED:
        partial->i = close_signed(parameter, lanes, lane_count, partial->i);
        return;
    case UNSIGNED:
        partial->u = close_unsigned(parameter, lanes, lane_count, partial->u);
        return;
    }
}
