/* Arrays that notice who touches them: each has pages of its own, one of its ends lies at a page that cannot be
 * touched, the other is followed by bytes that must stay as they are, and it can be closed to reading and writing. A
 * forbidden access does not end the process: it is noted, and let through. */
#ifndef CONFORMANCE_ARRAYS_H
#define CONFORMANCE_ARRAYS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* What was done that must not be done. Bits. */
enum {
    ARRAY_READ = 1 << 0,   /* while it was closed */
    ARRAY_WRITE = 1 << 1,  /* while it was closed, or open for reading only */
    ARRAY_BEYOND = 1 << 2, /* the pages before or after it */
};

struct array {
    char *map; /* NULL: none */
    size_t map_bytes;
    char *body; /* the array and the bytes around it: whole pages */
    size_t body_bytes;
    char *data; /* at one end of the body */
    size_t bytes;
    atomic_int prot; /* what the body allows, as of mprotect */
    atomic_int sins; /* ARRAY_... */
};

enum array_access { ARRAY_OPEN, ARRAY_READABLE, ARRAY_CLOSED };

/* Watches accesses from now on. Before a plugin is loaded, and again after it may have installed a handler. */
void arrays_watch(void);

/* An array of bytes, all poison; at the end of its pages if `at_end`, else at their beginning. At most 1024 at a time;
 * ends the process without memory. */
void array_open(struct array *array, size_t bytes, bool at_end);

/* Frees it; NULL map: nothing. */
void array_close(struct array *array);

void array_allow(struct array *array, enum array_access access);

/* The sins since the last call. */
int array_sins(struct array *array);

#endif
