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

static divvy_partial read_lane(const divvy_parameter *parameter, const void *lanes, size_t lane)
{
    switch (parameter->element) {
    case DIVVY_ELEMENT_FLOAT:
        return (divvy_partial){.f = (double)((const float *)lanes)[lane]};
    case DIVVY_ELEMENT_DOUBLE:
        return (divvy_partial){.f = ((const double *)lanes)[lane]};
    case DIVVY_ELEMENT_INT:
        return (divvy_partial){.i = ((const int32_t *)lanes)[lane]};
    case DIVVY_ELEMENT_UINT:
        return (divvy_partial){.u = ((const uint32_t *)lanes)[lane]};
    case DIVVY_ELEMENT_LONG:
        return (divvy_partial){.i = ((const int64_t *)lanes)[lane]};
    default:
        return (divvy_partial){.u = ((const uint64_t *)lanes)[lane]};
    }
}

void dv_fold_open(const divvy_parameter *parameter, void *lanes, size_t lane_count)
{
    divvy_partial identity;
    dv_fold_identity(parameter, &identity);
    for (size_t lane = 0; lane < lane_count; lane++)
        dv_fold_store(parameter, &identity, (char *)lanes + lane * parameter->element_bytes);
}

void dv_fold_close(const divvy_parameter *parameter, const void *lanes, size_t lane_count, divvy_partial *partial)
{
    for (size_t lane = 0; lane < lane_count; lane++) {
        divvy_partial value = read_lane(parameter, lanes, lane);
        dv_fold_join(parameter, partial, &value);
    }
}
