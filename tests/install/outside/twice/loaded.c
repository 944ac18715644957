/* loaded LEFT RIGHT: both sides are loaded so that all that they show is seen by what is loaded later. */
#include <dlfcn.h>
#include <stdio.h>

enum { COUNT = 10000 };
typedef int shade(int *x, size_t count);

static int run(const char *path, const char *name, int expected)
{
    static int x[COUNT];
    for (int i = 0; i < COUNT; i++)
        x[i] = 0;
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    shade *function = library ? (shade *)dlsym(library, name) : NULL;
    if (!function) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    int status = function(x, COUNT);
    for (int i = 0; i < COUNT && !status; i++)
        status = x[i] != expected;
    if (status)
        fprintf(stderr, "%s: %d in place of %d\n", name, x[0], expected);
    return status;
}

int main(int argc, char **argv)
{
    return argc != 3 || run(argv[1], "left_shade", 1) || run(argv[2], "right_shade", 2);
}
