/* A fuzz target: one function that takes any bytes, and ends the process when what it tests does something that it never
 * may. Linked with libFuzzer, or with replay.c. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Called once, before the first input. Both return 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold for every input. */
#define MUST(expression)                                                                    \
    do {                                                                                    \
        if (!(expression)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #expression); \
            abort();                                                                        \
        }                                                                                   \
    } while (0)

#endif
