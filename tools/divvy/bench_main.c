/* divvy-bench: what `divvy bench` runs. A program of its own, so that nobody else loads OpenMP. */
#include "bench_work.h"

#include <stdio.h>
#include <string.h>

/* The loops of bench_loops.c for each level of instruction sets. */
#if defined(__x86_64__)
#define LEVELS(F) F(x86_64, "x86-64") F(x86_64_v3, "x86-64-v3") F(x86_64_v4, "x86-64-v4")
#else
#define LEVELS(F) F(baseline, "baseline")
#endif

#define DECLARE_SERIAL(level, name) extern const struct bench_peer *const bench_serial_##level[];
#define DECLARE_OPENMP(level, name) extern const struct bench_peer *const bench_openmp_##level[];
#define SERIAL_ROW(level, name) {name, bench_serial_##level},
#define OPENMP_ROW(level, name) {name, bench_openmp_##level},

struct built_peers {
    const char *level;
    const struct bench_peer *const *peers;
};

LEVELS(DECLARE_SERIAL)
static const struct built_peers serial[] = {LEVELS(SERIAL_ROW){0}};
#ifdef BENCH_OPENMP
LEVELS(DECLARE_OPENMP)
static const struct built_peers openmp[] = {LEVELS(OPENMP_ROW){0}};
static const char peers_note[] = "OpenMP as built by " BENCH_OPENMP;
#else
static const struct built_peers openmp[] = {{0}};
static const char peers_note[] = "built without OpenMP, which is no peer therefore";
#endif

enum { PEERS_MOST = 8 };
static const struct bench_peer *peers[PEERS_MOST + 1];

static void add_peers(const struct built_peers *built, const char *level, unsigned *count)
{
    for (; built->level; built++)
        for (unsigned p = 0; strcmp(built->level, level) == 0 && built->peers[p] && *count < PEERS_MOST; p++)
            peers[(*count)++] = built->peers[p];
}

static void setup(struct bench *bench)
{
    unsigned count = 0;
    bench->level = work_level();
    add_peers(openmp, bench->level, &count);
    add_peers(serial, bench->level, &count);
    bench->peers = peers;
    bench->peers_note = peers_note;
}

int main(int argc, char **argv)
{
    static const struct bench_row *const rows[] = {BENCH_ROWS, NULL};
    return bench_command("divvy bench", argc, argv, rows, setup);
}
