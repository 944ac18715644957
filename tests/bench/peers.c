/* The rows of `divvy bench` with more peers, and some rows for those who work on divvy: what tests/bench/run starts. */
#include "plugins.h"
#include "processes.h"
#include "rows.h"

#include "bench_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEERS_MOST = 16 };
static const struct bench_peer *peers[PEERS_MOST + 1];

/* Plain C for the level of instruction sets that this machine's kernels use. */
#if defined(__x86_64__)
extern const struct bench_peer *const bench_serial_x86_64[];
extern const struct bench_peer *const bench_serial_x86_64_v3[];
extern const struct bench_peer *const bench_serial_x86_64_v4[];
static const struct bench_peer *const *serial_peers(void)
{
    if (__builtin_cpu_supports("avx512vl"))
        return bench_serial_x86_64_v4;
    return __builtin_cpu_supports("avx2") ? bench_serial_x86_64_v3 : bench_serial_x86_64;
}
#else
extern const struct bench_peer *const bench_serial_baseline[];
static const struct bench_peer *const *serial_peers(void)
{
    return bench_serial_baseline;
}
#endif

static void setup(struct bench *bench)
{
    static char note[256];
    bench->level = work_level();
    unsigned count = plugins_load(peers, PEERS_MOST - 1);
    peers[count] = serial_peers()[0];
    bench->peers = peers;
    bench->remotes = processes_start_with(bench->cores, bench->quick);
    snprintf(note, sizeof note, "plugins of peers: %u", plugins_count());
    bench->peers_note = note;
}

int main(int argc, char **argv)
{
    static const struct bench_row *const named[] = {BENCH_ROWS,         &row_startup,  &row_profile_empty,
                                                    &row_profile_nbody, &row_paced_20, &row_paced_50,
                                                    &row_paced_200,     &row_hostile,  &row_oclgrind};
    enum { NAMED = sizeof named / sizeof *named };
    static const struct bench_row *rows[NAMED + ROW_REGRETS + 1];
    memcpy(rows, named, sizeof named);
    for (int r = 0; r < ROW_REGRETS; r++)
        rows[NAMED + r] = &row_regret[r];
    /* The device that computes in the thread that drives it, so that a core and a device are one core each. */
    setenv("POCL_DEVICES", "basic", 0);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 0);
    return bench_command("tests/bench/run BUILD-FOLDER", argc, argv, rows, setup);
}
