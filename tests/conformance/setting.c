#include "setting.h"

#include "host.h"

#include "contract.cl"
#include "doubles.cl"

#include <string.h>

const struct subject subjects[SUBJECTS] = {
    [SUBJECT_SCALED] = {.kernel = &scaled_kernel, .args = &(struct scaled_args){.a = 2}, .letters = ".ff"},
    [SUBJECT_SPREAD] = {.kernel = &spread_kernel, .args = &(struct spread_args){.cols = 3}, .letters = ".ff"},
    [SUBJECT_GATHER] = {.kernel = &gather_kernel, .args = &(struct gather_args){.entries = 1000}, .letters = ".iff"},
    [SUBJECT_AROUND] = {.kernel = &around_kernel,
                        .args = &(struct around_args){.width = 5, .radius = 2},
                        .letters = "..ff"},
    [SUBJECT_PLACES] = {.kernel = &places_kernel,
                        .args =
                            &(struct places_args){
                                .c = -3, .h = -300, .l = 1L << 40, .d = 77, .s = {.wide = 1, .high = 2, .scale = 3}},
                        .letters = ".....lc"},
    [SUBJECT_SUMS] = {.kernel = &sums_kernel, .args = &(struct sums_args){.i32 = NULL}, .letters = "i....."},
    [SUBJECT_EXTREMES] = {.kernel = &extremes_kernel,
                          .args = &(struct extremes_args){.i_low = NULL},
                          .letters = "if.........."},
    [SUBJECT_RARE] = {.kernel = &rare_kernel, .args = &(struct rare_args){.low = NULL}, .letters = "i..."},
    [SUBJECT_DIVIDED] = {.kernel = &divided_kernel, .args = &(struct divided_args){.by = 8}, .letters = ".iii"},
    [SUBJECT_MANY] = {.kernel = &many_kernel,
                      .args = &(struct many_args){.a = 5, .b = 6},
                      .letters = "..icfliciicfli.."},
    [SUBJECT_SLOW] = {.kernel = &slow_kernel, .args = &(struct slow_args){.turns = 10}, .letters = ".i"},
    [SUBJECT_DOUBLED] = {.kernel = &doubled_kernel,
                         .args = &(struct doubled_args){.by = 0.25},
                         .letters = ".fd",
                         .doubles = true},
    [SUBJECT_FOLDED] = {.kernel = &folded_kernel,
                        .args = &(struct folded_args){.low = NULL},
                        .letters = "i...",
                        .doubles = true},
};

/* ---- Shapes ------------------------------------------------------------------------------------------------------ */

static bool has_rows(divvy_kind kind)
{
    return kind == DIVVY_KIND_in || kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout || kind == DIVVY_KIND_halo;
}

static bool is_only_read(divvy_kind kind)
{
    return kind == DIVVY_KIND_in || kind == DIVVY_KIND_all || kind == DIVVY_KIND_halo;
}

size_t subject_most(const struct subject *subject, uint64_t max_slice_bytes, uint64_t memory_bytes, size_t most)
{
    const divvy_kernel *kernel = subject->kernel;
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    uint64_t row_bytes = 0;
    kernel->extents(subject->args, 1, extents);
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        uint64_t bytes = extents[k].elements * kernel->parameters[k].element_bytes;
        if (!has_rows(kernel->parameters[k].kind) || bytes == 0)
            continue;
        uint64_t fit = max_slice_bytes > 0 ? max_slice_bytes / bytes : UINT64_MAX;
        fit = fit > 2 * extents[k].radius ? fit - 2 * extents[k].radius : 1;
        most = fit < most ? (size_t)fit : most;
        row_bytes += bytes;
    }
    /* Two partitions in flight, and room for what the device itself needs. */
    if (memory_bytes > 0 && row_bytes > 0 && memory_bytes / 8 / row_bytes < most)
        most = (size_t)(memory_bytes / 8 / row_bytes);
    return most > 0 ? most : 1;
}

void setting_window(const struct subject *subject, size_t first, size_t count, size_t total, size_t *out_low,
                    size_t *out_high)
{
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    size_t pad = 3; /* rows on both sides, in which writes would show */
    subject->kernel->extents(subject->args, total, extents);
    for (unsigned k = 0; k < subject->kernel->parameter_count; k++)
        pad = extents[k].radius > pad ? extents[k].radius : pad;
    *out_low = first > pad ? first - pad : 0;
    *out_high = total - (first + count) > pad ? first + count + pad : total;
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

static uint64_t random_of(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void write_element(char letter, char *at, int number)
{
    switch (letter) {
    case 'f':
        memcpy(at, &(float){(float)number}, sizeof(float));
        break;
    case 'i':
        memcpy(at, &(int){number}, sizeof(int));
        break;
    case 'l':
        memcpy(at, &(long){number}, sizeof(long));
        break;
    default:
        *at = (char)number;
    }
}

static void fill(struct setting *setting, bool only_inputs, uint64_t seed)
{
    for (unsigned k = 0; k < setting->kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &setting->kernel->parameters[k];
        struct array *array = &setting->arrays[k];
        bool filled = only_inputs ? is_only_read(parameter->kind) : parameter->kind != DIVVY_KIND_out;
        if (!array->map || !filled)
            continue;
        for (size_t at = 0; at < array->bytes; at += parameter->element_bytes)
            write_element(setting->subject->letters[k], array->data + at, (int)(random_of(&seed) % 9));
    }
}

void setting_refill(struct setting *setting, uint64_t seed)
{
    fill(setting, true, seed);
}

void setting_open(struct setting *setting, const struct subject *subject, size_t total, size_t low, size_t high,
                  uint64_t seed)
{
    const divvy_kernel *kernel = subject->kernel;
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    *setting = (struct setting){.subject = subject, .kernel = kernel, .total = total, .low = low, .high = high};
    memcpy(setting->args, subject->args, kernel->args_size);
    kernel->extents(setting->args, total, extents);
    bool at_end = random_of(&seed) % 2;
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        if (divvy_kind_is_fold(parameter->kind))
            setting->partials[k] = host_identity(parameter);
        if (subject->letters[k] == '.')
            continue;
        bool rows = has_rows(parameter->kind);
        size_t row_bytes = extents[k].elements * parameter->element_bytes;
        array_open(&setting->arrays[k], rows ? row_bytes * (high - low) : row_bytes, at_end);
        uintptr_t origin = (uintptr_t)setting->arrays[k].data - (rows ? low * row_bytes : 0);
        memcpy(setting->args + parameter->offset, &origin, sizeof origin);
    }
    fill(setting, false, seed);
}

void setting_close(struct setting *setting)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        array_close(&setting->arrays[k]);
}

void setting_allow(struct setting *setting, enum array_access access)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        array_allow(&setting->arrays[k], access);
}

void setting_allow_in_place(struct setting *setting)
{
    for (unsigned k = 0; k < setting->kernel->parameter_count; k++)
        array_allow(&setting->arrays[k],
                    is_only_read(setting->kernel->parameters[k].kind) ? ARRAY_READABLE : ARRAY_OPEN);
}

void setting_compute(struct setting *setting, size_t first, size_t count)
{
    const divvy_kernel *kernel = setting->kernel;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
    static _Thread_local uint64_t lanes[DIVVY_PARAMETERS_MAX][DIVVY_LANES];
    host_slices(kernel, setting->args, first, count, setting->total, partials, slices);
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind)) {
            slices[k].data = lanes[k];
            the_host.fold_open(&kernel->parameters[k], lanes[k], DIVVY_LANES);
        }
    kernel->forms[0].body(slices, first, count, setting->total);
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind)) {
            the_host.fold_close(&kernel->parameters[k], lanes[k], DIVVY_LANES, &partials[k]);
            host_join(&kernel->parameters[k], &setting->partials[k], &partials[k]);
        }
}
