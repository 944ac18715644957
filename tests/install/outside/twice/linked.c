/* Linked with both sides, with a kernel of its own: each must have run its own. */
#include <divvy.h>

#include "shade.cl"

#include <stdio.h>

enum { COUNT = 10000 };

divvy_status left_shade(int *x, size_t count);
divvy_status right_shade(int *x, size_t count);

int main(void)
{
    static int left[COUNT], right[COUNT], own[COUNT];
    if (left_shade(left, COUNT) || right_shade(right, COUNT) || divvy_run(NULL, shade, COUNT, .x = own)) {
        fprintf(stderr, "%s\n", divvy_error());
        return 1;
    }
    for (int i = 0; i < COUNT; i++)
        if (left[i] != 1 || right[i] != 2 || own[i] != 100) {
            fprintf(stderr, "left %d, right %d, own %d\n", left[i], right[i], own[i]);
            return 1;
        }
    return 0;
}
