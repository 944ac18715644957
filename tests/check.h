/* The whole test framework: plain main(), one sentence above each block saying what must hold, and CHECK.
 *
 *     int main(void)
 *     {
 *         // An empty filter lets everything pass.
 *         CHECK(dv_filter_names(&empty, "cpu"));
 *         return check_summary();
 *     }
 *
 * A failed check prints its place and what it saw, and the test goes on. Any thread may check. */
#ifndef CHECK_H
#define CHECK_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static atomic_int check_count, check_failures;

/* Exit status by which CTest knows a skipped test. */
enum { CHECK_SKIP = 77 };

static inline int check_report(int good, const char *file, int line, const char *what)
{
    atomic_fetch_add(&check_count, 1);
    if (!good) {
        atomic_fetch_add(&check_failures, 1);
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    }
    return good;
}

#define CHECK(expression) check_report((expression) ? 1 : 0, __FILE__, __LINE__, #expression)

/* Whole numbers, printed when they differ. */
#define CHECK_EQ(actual, expected) check_equal((long long)(actual), (long long)(expected), __FILE__, __LINE__, #actual)
static inline int check_equal(long long actual, long long expected, const char *file, int line, const char *what)
{
    char text[512];
    snprintf(text, sizeof text, "%s is %lld, not %lld", what, actual, expected);
    return check_report(actual == expected, file, line, text);
}

/* Strings. */
#define CHECK_STR(actual, expected) check_string((actual), (expected), __FILE__, __LINE__, #actual)
static inline int check_string(const char *actual, const char *expected, const char *file, int line, const char *what)
{
    char text[1024];
    snprintf(text, sizeof text, "%s is \"%s\", not \"%s\"", what, actual ? actual : "(null)", expected);
    return check_report(actual && strcmp(actual, expected) == 0, file, line, text);
}

/* Part of a message. */
#define CHECK_HAS(text, part) check_has((text), (part), __FILE__, __LINE__, #text)
static inline int check_has(const char *actual, const char *part, const char *file, int line, const char *what)
{
    char text[1024];
    snprintf(text, sizeof text, "%.200s lacks \"%.200s\": \"%.500s\"", what, part, actual ? actual : "(null)");
    return check_report(actual && strstr(actual, part), file, line, text);
}

/* The last line of every test. */
static inline int check_summary(void)
{
    int failures = atomic_load(&check_failures);
    printf("%d checks, %d failed\n", atomic_load(&check_count), failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Fresh random numbers (splitmix64); the seed is printed, and CHECK_SEED=n repeats it. */
static inline uint64_t check_seed(void)
{
    const char *given = getenv("CHECK_SEED");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_nsec ^ ((uint64_t)now.tv_sec << 20);
    printf("CHECK_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}
static inline uint64_t check_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
/* In [low, high). */
static inline double check_uniform(uint64_t *state, double low, double high)
{
    return low + (high - low) * (double)(check_random(state) >> 11) * 0x1p-53;
}

#endif
