/* The C form of every shipped kernel, at every level that this processor has, called directly: over partitions cut
 * anywhere, on slices that hold no byte more than the partition may touch, as a device with memory of its own would
 * have them. Results must be those of plain C. */
#include "kernels_cases.h"

#include <divvy/descriptor.h>

#include "check.h"

#include <limits.h>
#include <math.h>

struct forms {
    const char *level; /* host kernels have only one */
    uint64_t random;
};

static bool processor_has(const char *level)
{
#if defined(__x86_64__)
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
              __builtin_cpu_supports("bmi2");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl");
    return strcmp(level, "x86-64") == 0 || (strcmp(level, "x86-64-v3") == 0 && v3) ||
           (strcmp(level, "x86-64-v4") == 0 && v4);
#else
    return strcmp(level, "baseline") == 0;
#endif
}

static const divvy_form *form_of(const divvy_kernel *kernel, const char *level)
{
    for (size_t k = 0; k < kernel->form_count; k++)
        if (strcmp(kernel->forms[k].level, level) == 0 || kernel->flags & DIVVY_KERNEL_HOST)
            return &kernel->forms[k];
    return NULL;
}

/* ---- Folds, for the element types of the shipped kernels ---------------------------------------------------- */

static void fill_lanes(const divvy_parameter *parameter, void *lanes)
{
    bool min = parameter->kind == DIVVY_KIND_min, sum = parameter->kind == DIVVY_KIND_sum;
    for (int k = 0; k < DIVVY_LANES; k++)
        switch (parameter->element) {
        case DIVVY_ELEMENT_FLOAT:
            ((float *)lanes)[k] = sum ? 0.0f : min ? INFINITY : -INFINITY;
            break;
        case DIVVY_ELEMENT_DOUBLE:
            ((double *)lanes)[k] = sum ? 0.0 : min ? (double)INFINITY : -(double)INFINITY;
            break;
        case DIVVY_ELEMENT_INT:
            ((int *)lanes)[k] = sum ? 0 : min ? INT_MAX : INT_MIN;
            break;
        case DIVVY_ELEMENT_LONG:
            ((int64_t *)lanes)[k] = sum ? 0 : min ? INT64_MAX : INT64_MIN;
            break;
        default:
            CHECK(!"a fold that this test knows");
        }
}

#define FOLD(type)                                                                \
    for (int k = 0; k < DIVVY_LANES; k++) {                                       \
        type *into = result, lane = ((const type *)lanes)[k];                     \
        if (parameter->kind == DIVVY_KIND_sum)                                    \
            *into += lane;                                                        \
        else if (parameter->kind == DIVVY_KIND_min ? lane < *into : lane > *into) \
            *into = lane;                                                         \
    }                                                                             \
    break

static void fold_lanes(const divvy_parameter *parameter, const void *lanes, void *result)
{
    switch (parameter->element) {
    case DIVVY_ELEMENT_FLOAT:
        FOLD(float);
    case DIVVY_ELEMENT_DOUBLE:
        FOLD(double);
    case DIVVY_ELEMENT_INT:
        FOLD(int);
    case DIVVY_ELEMENT_LONG:
        FOLD(int64_t);
    default:
        break;
    }
}

/* ---- One partition --------------------------------------------------------------------------------------------- */

struct range {
    size_t first, count, total;
};

/* Where a parameter's slice begins and ends in the whole array, in elements. */
static void reach(const divvy_parameter *parameter, divvy_extent extent, struct range range, size_t *out_begin,
                  size_t *out_end)
{
    size_t first = range.first, end = range.first + range.count;
    if (parameter->kind == DIVVY_KIND_all) {
        *out_begin = 0;
        *out_end = extent.elements;
        return;
    }
    if (parameter->kind == DIVVY_KIND_halo) {
        first = first > extent.radius ? first - extent.radius : 0;
        end = range.total - end > extent.radius ? end + extent.radius : range.total;
    }
    *out_begin = first * extent.elements;
    *out_end = end * extent.elements;
}

static bool is_array(divvy_kind kind)
{
    return kind == DIVVY_KIND_in || kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout || kind == DIVVY_KIND_all ||
           kind == DIVVY_KIND_halo;
}

static divvy_slice open_slice(const divvy_parameter *parameter, divvy_extent extent, struct range range, char *member)
{
    if (parameter->kind == DIVVY_KIND_value)
        return (divvy_slice){.data = member, .bytes = parameter->element_bytes};
    if (!is_array(parameter->kind)) {
        bool result = parameter->kind == DIVVY_KIND_result;
        divvy_slice slice = {.bytes = (result ? 1 : DIVVY_LANES) * parameter->element_bytes};
        slice.data = calloc(1, slice.bytes);
        if (!result)
            fill_lanes(parameter, slice.data);
        return slice;
    }
    size_t begin, end;
    reach(parameter, extent, range, &begin, &end);
    divvy_slice slice = {.bytes = (end - begin) * parameter->element_bytes};
    slice.base = parameter->kind == DIVVY_KIND_all ? 0 : begin;
    slice.data = malloc(slice.bytes);
    memcpy(slice.data, *(char **)member + begin * parameter->element_bytes, slice.bytes);
    return slice;
}

static void close_slice(const divvy_parameter *parameter, divvy_slice slice, char *member)
{
    char *array = is_array(parameter->kind) ? *(char **)member + slice.base * parameter->element_bytes : NULL;
    switch (parameter->kind) {
    case DIVVY_KIND_value:
        return;
    case DIVVY_KIND_out:
    case DIVVY_KIND_inout:
        memcpy(array, slice.data, slice.bytes);
        break;
    case DIVVY_KIND_sum:
    case DIVVY_KIND_min:
    case DIVVY_KIND_max:
        fold_lanes(parameter, slice.data, *(void **)member);
        break;
    case DIVVY_KIND_result:
        parameter->merge(*(void **)member, slice.data);
        break;
    default:
        CHECK(memcmp(array, slice.data, slice.bytes) == 0);
    }
    free(slice.data);
}

static void run_partition(const divvy_kernel *kernel, divvy_body *body, char *args, struct range range)
{
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    kernel->extents(args, range.total, extents);
    for (size_t k = 0; k < kernel->parameter_count; k++)
        slices[k] = open_slice(&kernel->parameters[k], extents[k], range, args + kernel->parameters[k].offset);
    body(slices, range.first, range.count, range.total);
    for (size_t k = 0; k < kernel->parameter_count; k++)
        close_slice(&kernel->parameters[k], slices[k], args + kernel->parameters[k].offset);
}

/* Results begin as the identity of their fold. */
static void open_results(const divvy_kernel *kernel, char *args)
{
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        char lanes[DIVVY_LANES * sizeof(double)];
        if (parameter->kind == DIVVY_KIND_result) {
            memset(*(void **)(args + parameter->offset), 0, parameter->element_bytes);
        } else if (!is_array(parameter->kind) && parameter->kind != DIVVY_KIND_value) {
            fill_lanes(parameter, lanes);
            memcpy(*(void **)(args + parameter->offset), lanes, parameter->element_bytes);
        }
    }
}

static bool run(void *with, const divvy_kernel *kernel, size_t count, const void *args, size_t args_size)
{
    struct forms *forms = with;
    const divvy_form *form = form_of(kernel, forms->level);
    char *copy = malloc(args_size);
    CHECK_EQ(args_size, kernel->args_size);
    if (!CHECK(form != NULL)) {
        free(copy);
        return false;
    }
    memcpy(copy, args, args_size);
    open_results(kernel, copy);
    for (size_t first = 0; first < count;) {
        size_t left = count - first, most = check_random(&forms->random) % 4 ? left : left / 3 + 1;
        size_t part = 1 + check_random(&forms->random) % most;
        run_partition(kernel, form->body, copy, (struct range){first, part, count});
        first += part;
    }
    free(copy);
    return true;
}

static void verdict(void *with, bool good, const char *text)
{
    (void)with;
    check_report(good, __FILE__, __LINE__, text);
}

int main(void)
{
    static const char *const levels[] = {"x86-64", "x86-64-v3", "x86-64-v4", "baseline"};
    uint64_t seed = check_seed();
    int tried = 0;
    for (size_t k = 0; k < sizeof levels / sizeof *levels; k++)
        if (processor_has(levels[k])) {
            struct forms forms = {.level = levels[k], .random = seed + 1};
            printf("%s\n", levels[k]);
            check_kernels(&(struct kernel_runner){.run = run, .verdict = verdict, .with = &forms, .most = SIZE_MAX},
                          seed);
            tried++;
        }
    CHECK(tried > 0);
    return check_summary();
}
