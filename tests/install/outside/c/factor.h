/* Included by the kernel. */
#define FACTOR 3.0f
