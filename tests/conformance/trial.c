#include "trial.h"

#include "../check.h"

#include <math.h>
#include <stdarg.h>

enum { GUARD = 64, POISON = 0xCB };

void trial_told(struct trial *t, bool good, const char *format, ...)
{
    char text[256];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    t->runner->verdict(t->runner->with, good, text);
}

void *trial_output(struct trial *t, size_t count, size_t element_bytes)
{
    struct trial_array *a = &t->arrays[t->array_count++];
    *a = (struct trial_array){.bytes = count * element_bytes, .shift = check_random(&t->random) % 2 * element_bytes};
    size_t room = (2 * GUARD + a->shift + a->bytes + 63) / 64 * 64;
    a->memory = aligned_alloc(64, room);
    memset(a->memory, POISON, room);
    return a->memory + GUARD + a->shift;
}

void trial_keep(struct trial *t)
{
    struct trial_array *a = &t->arrays[t->array_count - 1];
    a->kept = malloc(a->bytes + 1);
    memcpy(a->kept, a->memory + GUARD + a->shift, a->bytes);
}

void trial_give_up(struct trial *t)
{
    struct trial_array *a = &t->arrays[t->array_count - 1];
    free(a->kept);
    a->kept = NULL;
}

float *trial_reals(struct trial *t, size_t count, double low, double high)
{
    float *x = trial_output(t, count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)check_uniform(&t->random, low, high);
    trial_keep(t);
    return x;
}

float *trial_numbers(struct trial *t, size_t count, int limit)
{
    float *x = trial_output(t, count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((int)(check_random(&t->random) % (unsigned)(2 * limit + 1)) - limit);
    trial_keep(t);
    return x;
}

static bool all_poison(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != POISON)
            return false;
    return true;
}

void trial_close(struct trial *t)
{
    for (size_t k = 0; k < t->array_count; k++) {
        struct trial_array *a = &t->arrays[k];
        unsigned char *data = a->memory + GUARD + a->shift;
        bool same = all_poison(a->memory, GUARD + a->shift) && all_poison(data + a->bytes, GUARD);
        trial_told(t, same, "%s wrote around array %zu", t->name, k);
        if (a->kept)
            trial_told(t, memcmp(a->kept, data, a->bytes) == 0, "%s wrote its input %zu", t->name, k);
        free(a->kept);
        free(a->memory);
    }
    t->array_count = 0;
}

void trial_compare(struct trial *t, size_t count, const float *actual, const double *expected, const double *tolerance)
{
    for (size_t i = 0; i < count; i++) {
        double allowed = tolerance ? tolerance[i] : 0.0;
        if (!(fabs((double)actual[i] - expected[i]) <= allowed)) {
            trial_told(t, false, "%s of %zu: element %zu is %.9g, not %.9g within %.2g", t->name, count, i,
                       (double)actual[i], expected[i], allowed);
            return;
        }
    }
    trial_told(t, true, "%s", t->name);
}

void trial_equal(struct trial *t, size_t count, double actual, double expected)
{
    trial_told(t, actual == expected, "%s of %zu is %.17g, not %.17g", t->name, count, actual, expected);
}

void trial_extent(struct trial *t, const divvy_kernel *kernel, size_t count, const void *args, const char *name,
                  size_t elements, size_t radius)
{
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    kernel->extents(args, count, extents);
    for (size_t k = 0; k < kernel->parameter_count; k++)
        if (strcmp(kernel->parameters[k].name, name) == 0) {
            trial_told(t, extents[k].elements == elements && extents[k].radius == radius,
                       "%s: extent of %s is %zu (%zu), not %zu (%zu)", t->name, name, extents[k].elements,
                       extents[k].radius, elements, radius);
            return;
        }
    trial_told(t, false, "%s has no parameter %s", t->name, name);
}

double *trial_doubles(size_t count)
{
    return calloc(count + 1, sizeof(double));
}
