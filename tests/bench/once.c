/* A whole short program, which startup.c starts again and again: one job of about a millisecond.
 *
 *     bench_once plain|divvy BODIES
 *
 * plain: the same kernel, called as the C function that it is. A user's program: it links the library, and nothing
 * of the benches. */
#include <divvy/descriptor.h>
#include <divvy/kernel.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nbody.cl"

static float *array(size_t count)
{
    float *values = aligned_alloc(4096, (count * sizeof *values + 4095) / 4096 * 4096);
    if (!values)
        exit(1);
    return values;
}

/* What this processor can run, roughly: forms stand from the plainest up. */
static size_t best_form(void)
{
#if defined(__x86_64__)
    size_t level = __builtin_cpu_supports("avx512vl") ? 2 : __builtin_cpu_supports("avx2") ? 1 : 0;
    return level < nbody_kernel.form_count ? level : nbody_kernel.form_count - 1;
#else
    return nbody_kernel.form_count - 1;
#endif
}

static void call_form(struct nbody_args *args, size_t count)
{
    divvy_slice slices[8];
    for (unsigned p = 0; p < 8; p++) {
        void *at = (char *)args + nbody_kernel.parameters[p].offset;
        slices[p] = (divvy_slice){.data = at, .bytes = sizeof(float)};
        if (nbody_kernel.parameters[p].kind == DIVVY_KIND_value)
            continue;
        memcpy(&slices[p].data, at, sizeof slices[p].data);
        slices[p].bytes = count * sizeof(float);
    }
    nbody_kernel.forms[best_form()].body(slices, 0, count, count);
}

/* The pulls of all bodies on each other cancel: what is left, against what there was. */
static int is_right(const struct nbody_args *args, size_t count)
{
    double left = 0, all = 0;
    for (size_t i = 0; i < count; i++) {
        left += (double)args->mass[i] * args->ax[i];
        all += fabs((double)args->mass[i] * args->ax[i]);
    }
    return all > 0 && fabs(left) < 1e-4 * all;
}

int main(int argc, char **argv)
{
    size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (count == 0)
        return 2;
    float *at[4], *pull[3];
    for (int c = 0; c < 4; c++) {
        at[c] = array(count);
        for (size_t i = 0; i < count; i++)
            at[c][i] = c == 3 ? 1.0f : (float)((i + 1) * (size_t)(c * 97 + 31) % 1009) / 1009;
    }
    for (int c = 0; c < 3; c++)
        pull[c] = memset(array(count), 0xff, count * sizeof(float));
    struct nbody_args args = {.softening = 0.1f,
                              .x = at[0],
                              .y = at[1],
                              .z = at[2],
                              .mass = at[3],
                              .ax = pull[0],
                              .ay = pull[1],
                              .az = pull[2]};
    if (strcmp(argv[1], "plain") == 0) {
        call_form(&args, count);
    } else {
        divvy *dv;
        divvy_open(&dv, &(divvy_options){.models = "off"});
        if (divvy_run_kernel(dv, &nbody_kernel, count, &args, sizeof args) != DIVVY_OK) {
            fprintf(stderr, "%s\n", divvy_error());
            return 1;
        }
        divvy_close(dv);
    }
    return !is_right(&args, count);
}
