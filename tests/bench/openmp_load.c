#include "bench.h"
#include "openmp.h"

#include <dlfcn.h>
#include <stdio.h>

const struct openmp *const *openmp_load(unsigned threads)
{
    static const char *const paths[] = {OPENMP_PLUGINS NULL};
    static const struct openmp *loaded[sizeof paths / sizeof *paths];
    unsigned count = 0;
    for (unsigned p = 0; paths[p]; p++) {
        void *plugin = dlopen(paths[p], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) {
            fprintf(stderr, "left out: %s\n", dlerror());
            continue;
        }
        loaded[count] = dlsym(plugin, OPENMP_SYMBOL);
        bench_require(loaded[count] != NULL, paths[p], OPENMP_SYMBOL);
        int met = loaded[count]->use_threads((int)threads);
        bench_require(met == (int)threads, loaded[count]->name, "one thread for each core");
        bench_remember_openmp();
        count++;
    }
    return loaded;
}
