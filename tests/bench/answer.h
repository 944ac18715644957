/* The other end of processes.h: a peer that answers. */
#ifndef ANSWER_H
#define ANSWER_H

#include "bench_work.h"

/* A peer at work on one kernel. */
struct answer {
    struct work work;
    unsigned warm_calls;                /* calls before it is ready */
    void (*run)(struct answer *answer); /* one call: arrays in main memory before and after */
};

/* Serves until the input ends; returns the exit status. */
int answer_serve(struct answer *answer);

/* How a kernel of peers.cl is launched. */
struct answer_kernel {
    const char *name, *options;
    size_t items, indices; /* so many work-items for so many indices */
};
/* NULL: there is none of this name. */
const struct answer_kernel *answer_kernel(const char *name);
/* The text of peers.cl; the caller frees it. Ends the program if it cannot be read. */
char *answer_text(void);

#endif
