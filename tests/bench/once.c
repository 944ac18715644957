/* A whole short program, which startup.c starts again and again: one job of about a millisecond.
 *
 *     bench_once plain|divvy BODIES
 *
 * plain: the same kernel, called as the C function that it is. */
#include "bench.h"
#include "work.h"

#include <divvy/descriptor.h>
#include <stdlib.h>
#include <string.h>

/* What this processor can run, roughly: forms stand from the plainest up. */
static size_t best_form(const divvy_kernel *kernel)
{
#if defined(__x86_64__)
    size_t level = __builtin_cpu_supports("avx512vl") ? 2 : __builtin_cpu_supports("avx2") ? 1 : 0;
    return level < kernel->form_count ? level : kernel->form_count - 1;
#else
    return kernel->form_count - 1;
#endif
}

static void call_form(struct bodies *work)
{
    extern const divvy_kernel nbody_kernel;
    divvy_body *body = nbody_kernel.forms[best_form(&nbody_kernel)].body;
    divvy_slice slices[8] = {{.data = &work->softening, .bytes = sizeof work->softening}};
    for (unsigned k = 0; k < 7; k++)
        slices[1 + k] = (divvy_slice){.data = k < 4 ? work->at[k] : work->acceleration[k - 4],
                                      .bytes = work->count * sizeof(float)};
    body(slices, 0, work->count, work->count);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    struct bodies work;
    bodies_make(&work, strtoul(argv[2], NULL, 10));
    if (strcmp(argv[1], "plain") == 0) {
        call_form(&work);
    } else {
        divvy *dv = work_open(NULL, "once");
        bodies_run(dv, &work, "once", "divvy");
        divvy_close(dv);
    }
    bench_require(bodies_done(&work), "once", argv[1]);
    bodies_free(&work);
    return 0;
}
