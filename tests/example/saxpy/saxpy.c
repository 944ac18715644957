/* The first program: one kernel, one call, on every device that helps. Then it looks whether the result is right. */
#include <divvy.h>
#include "saxpy.cl"

#include <stdio.h>

enum { N = 1 << 20 };

static float x[N], y[N];

/* How many elements are not what a loop would have made of them. All values are whole, so there is no rounding. */
static size_t count_wrong(void)
{
    size_t wrong = 0;
    for (size_t i = 0; i < N; i++)
        wrong += y[i] != 2.0f * (float)i + 1.0f;
    return wrong;
}

int main(void)
{
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)i;
        y[i] = 1.0f;
    }

    divvy *dv;
    bool failed = divvy_open(&dv, NULL) || divvy_run(dv, saxpy, N, .a = 2.0f, .x = x, .y = y);
    if (failed)
        fprintf(stderr, "saxpy: %s\n", divvy_error());
    divvy_close(dv);
    if (failed)
        return 1;

    size_t wrong = count_wrong();
    printf("saxpy: %zu of %d elements are wrong\n", wrong, N);
    return wrong > 0;
}
