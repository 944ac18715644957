#include "machine/fold.h"

#include "check.h"

#include <math.h>

static divvy_parameter parameter(divvy_kind kind, divvy_element element, size_t bytes)
{
    return (divvy_parameter){.name = "total", .kind = kind, .element = element, .element_bytes = bytes};
}

/* What the fold of no index at all gives, as the caller gets it. */
#define IDENTITY(kind, element, type) identity_##type(DIVVY_KIND_##kind, DIVVY_ELEMENT_##element)
#define DEFINE_IDENTITY(name, type)                                       \
    static type identity_##name(divvy_kind kind, divvy_element element)   \
    {                                                                     \
        const divvy_parameter p = parameter(kind, element, sizeof(type)); \
        divvy_partial partial;                                            \
        type value;                                                       \
        dv_fold_identity(&p, &partial);                                   \
        dv_fold_store(&p, &partial, &value);                              \
        return value;                                                     \
    }
typedef unsigned int uint;
typedef long long longer;
typedef unsigned long long ulonger;
DEFINE_IDENTITY(float, float)
DEFINE_IDENTITY(double, double)
DEFINE_IDENTITY(int, int)
DEFINE_IDENTITY(uint, uint)
DEFINE_IDENTITY(longer, longer)
DEFINE_IDENTITY(ulonger, ulonger)

/* Opens lanes, puts the values into some of them, closes them into a fresh partial and stores it. */
static void fold(const divvy_parameter *p, const void *values, size_t count, void *out)
{
    enum { LANES = 8 };
    double room[LANES];
    divvy_partial partial;
    dv_fold_open(p, room, LANES);
    memcpy((char *)room + p->element_bytes, values, count * p->element_bytes);
    dv_fold_identity(p, &partial);
    dv_fold_close(p, room, LANES, &partial);
    dv_fold_store(p, &partial, out);
}

static void test_identities(void)
{
    /* The identity of a sum is 0, of a minimum the largest value, of a maximum the lowest. */
    CHECK(IDENTITY(sum, FLOAT, float) == 0 && IDENTITY(sum, DOUBLE, double) == 0);
    CHECK(IDENTITY(min, FLOAT, float) == INFINITY && IDENTITY(max, FLOAT, float) == -INFINITY);
    CHECK(IDENTITY(min, DOUBLE, double) == INFINITY && IDENTITY(max, DOUBLE, double) == -INFINITY);
    CHECK_EQ(IDENTITY(sum, INT, int), 0);
    CHECK_EQ(IDENTITY(min, INT, int), INT32_MAX);
    CHECK_EQ(IDENTITY(max, INT, int), INT32_MIN);
    CHECK_EQ(IDENTITY(min, UINT, uint), UINT32_MAX);
    CHECK_EQ(IDENTITY(max, UINT, uint), 0);
    CHECK_EQ(IDENTITY(min, LONG, longer), INT64_MAX);
    CHECK_EQ(IDENTITY(max, LONG, longer), INT64_MIN);
    CHECK(IDENTITY(min, ULONG, ulonger) == UINT64_MAX && IDENTITY(max, ULONG, ulonger) == 0);
    CHECK_EQ(IDENTITY(sum, ULONG, ulonger), 0);
}

static void test_lanes(void)
{
    /* Lanes that no index touched do not count; the others fold in their own type. */
    divvy_parameter p = parameter(DIVVY_KIND_sum, DIVVY_ELEMENT_FLOAT, 4);
    float f;
    fold(&p, (float[]){1.5f, 2, -0.5f}, 3, &f);
    CHECK(f == 3);
    p.kind = DIVVY_KIND_min;
    fold(&p, (float[]){3, -7, NAN}, 3, &f);
    CHECK(f == -7);
    p.kind = DIVVY_KIND_max;
    fold(&p, (float[]){-3, NAN, -7}, 3, &f);
    CHECK(f == -3);

    double d;
    p = parameter(DIVVY_KIND_sum, DIVVY_ELEMENT_DOUBLE, 8);
    fold(&p, (double[]){0.25, NAN}, 2, &d);
    CHECK(isnan(d));

    int32_t i;
    p = parameter(DIVVY_KIND_min, DIVVY_ELEMENT_INT, 4);
    fold(&p, (int32_t[]){5, -9, 2}, 3, &i);
    CHECK_EQ(i, -9);
    p.kind = DIVVY_KIND_max;
    fold(&p, (int32_t[]){-5, -9, -2}, 3, &i);
    CHECK_EQ(i, -2);
    p.kind = DIVVY_KIND_sum;
    fold(&p, (int32_t[]){-5, -9, 2}, 3, &i);
    CHECK_EQ(i, -12);

    uint32_t u;
    p = parameter(DIVVY_KIND_max, DIVVY_ELEMENT_UINT, 4);
    fold(&p, (uint32_t[]){1, 4000000000u}, 2, &u);
    CHECK_EQ(u, 4000000000u);
    p.kind = DIVVY_KIND_min;
    fold(&p, (uint32_t[]){4000000000u, 3999999999u}, 2, &u);
    CHECK_EQ(u, 3999999999u);

    int64_t l;
    p = parameter(DIVVY_KIND_sum, DIVVY_ELEMENT_LONG, 8);
    fold(&p, (int64_t[]){INT64_MAX, -1, 1}, 3, &l);
    CHECK_EQ(l, INT64_MAX);
    p.kind = DIVVY_KIND_max;
    fold(&p, (int64_t[]){INT64_MIN, INT64_MIN + 1}, 2, &l);
    CHECK_EQ(l, INT64_MIN + 1);

    uint64_t ul;
    p = parameter(DIVVY_KIND_max, DIVVY_ELEMENT_ULONG, 8);
    fold(&p, (uint64_t[]){1, UINT64_MAX - 1}, 2, &ul);
    CHECK(ul == UINT64_MAX - 1);
}

static void test_width(void)
{
    /* Partials are wider than their elements: ten million small numbers are added without loss. */
    divvy_parameter p = parameter(DIVVY_KIND_sum, DIVVY_ELEMENT_FLOAT, 4);
    divvy_partial total, one;
    dv_fold_identity(&p, &total);
    for (int i = 0; i < 1000; i++) {
        const float lanes[] = {16777216.0f, 1.0f};
        dv_fold_identity(&p, &one);
        dv_fold_close(&p, lanes, 2, &one);
        dv_fold_join(&p, &total, &one);
    }
    CHECK(total.f == 1000.0 * 16777217.0);

    /* A sum of 32-bit integers that leaves their range and comes back is right. */
    p = parameter(DIVVY_KIND_sum, DIVVY_ELEMENT_INT, 4);
    int32_t stored;
    fold(&p, (int32_t[]){INT32_MAX, INT32_MAX, -INT32_MAX}, 3, &stored);
    CHECK_EQ(stored, INT32_MAX);

    /* Joining keeps what the partial held before. */
    p.kind = DIVVY_KIND_min;
    divvy_partial least = {.i = -4};
    dv_fold_close(&p, (int32_t[]){3, -2}, 2, &least);
    CHECK_EQ(least.i, -4);

    /* Integer sums wrap around instead of being undefined. */
    p = parameter(DIVVY_KIND_sum, DIVVY_ELEMENT_LONG, 8);
    int64_t wrapped;
    fold(&p, (int64_t[]){INT64_MAX, 1}, 2, &wrapped);
    CHECK_EQ(wrapped, INT64_MIN);
}

int main(void)
{
    test_identities();
    test_lanes();
    test_width();
    return check_summary();
}
