/* One partition at a time: sizes, places, contents. */
#include "contract.h"

#include "contract.cl"

#include <string.h>

static const size_t odd_first[] = {0, 1, 13, 1000003};

const char *check_sizes(struct opened *opened)
{
    uint64_t seed = group_seed();
    for (unsigned s = 0; s < SUBJECTS; s++) {
        size_t granule = opened->loaded[s].granule ? opened->loaded[s].granule : opened->facts->granule;
        size_t most = bench_most(opened->facts, &subjects[s]);
        const size_t counts[] = {1, 2, 61, granule - 1, granule, granule + 1, any_in(&seed, 1, most), most};
        for (unsigned f = 0; f < sizeof odd_first / sizeof *odd_first; f++)
            for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
                size_t count = counts[c] < most ? counts[c] : most;
                if (count > 0) /* the whole job, or some of it */
                    drive_partition(opened, s, odd_first[f], count, odd_first[f] + count + (c % 2 ? 0 : 9), any(&seed));
            }
    }
    return NULL;
}

/* Indices beyond 31, 32 and more bits; of the arrays only what the partition may see exists. */
const char *check_offsets(struct opened *opened)
{
    static const size_t first[] = {((size_t)1 << 31) - 50, ((size_t)1 << 32) - 3, ((size_t)1 << 32) + 5,
                                   ((size_t)3 << 33) + 1};
    uint64_t seed = group_seed();
    for (unsigned s = 0; s < SUBJECTS; s++) {
        if (s == SUBJECT_DIVIDED)
            continue; /* it computes with the index as an int */
        size_t most = bench_most(opened->facts, &subjects[s]);
        for (unsigned f = 0; f < sizeof first / sizeof *first; f++) {
            size_t count = most < 1021 ? most : 1021;
            drive_partition(opened, s, first[f], count, first[f] + count, any(&seed));
            drive_partition(opened, s, first[f], 1, first[f] + 4099, any(&seed));
        }
    }
    return NULL;
}

/* The sizes of slices may be 0, and arrays that are only read may be one and the same. */
const char *check_empty(struct opened *opened)
{
    uint64_t seed = group_seed();
    for (size_t count = 1; count < 200; count += 66)
        drive_partition(opened, SUBJECT_DIVIDED, 5, count, 1000, any(&seed));
    if (!opened->can[SUBJECT_GATHER])
        return NULL;

    /* key and table are one array: found[i] is what stands at key[i] as an int, in a float. */
    enum { TOTAL = 777 };
    struct setting setting;
    struct flight flight;
    int keys[1000];
    setting_open(&setting, &subjects[SUBJECT_GATHER], TOTAL, 0, TOTAL, any(&seed));
    struct array *table = &setting.arrays[2], *found = &setting.arrays[3];
    for (int k = 0; k < 1000; k++)
        keys[k] = (k * 577) % 1000;
    memcpy(table->data, keys, sizeof keys);
    memcpy(setting.args + offsetof(struct gather_args, key), &table->data, sizeof table->data);
    if (flight_start(&flight, opened, &setting, SUBJECT_GATHER, 0, TOTAL, drive_job()) &&
        flight_finish(&flight, 0, false) == DIVVY_DONE) {
        flight_accept(&flight);
        bool right = true;
        for (int i = 0; i < TOTAL; i++)
            right = right && memcmp(found->data + (size_t)i * sizeof(float), &keys[keys[i]], sizeof(float)) == 0;
        hold(right, RULE_results, "gather on \"%s\", where key and table are one array, is wrong", opened->facts->name);
    }
    setting_close(&setting);
    return NULL;
}

/* Loops inside of one index that are longer than 16 bits count. */
const char *check_loops(struct opened *opened)
{
    if (!opened->can[SUBJECT_SLOW])
        return NULL;
    const unsigned turns = bench.quick ? 70000 : 300000;
    const struct subject subject = {&slow_kernel, &(struct slow_args){.turns = turns}, ".i", false};
    const size_t count = bench.quick ? 2 : 17;
    struct setting actual, expected;
    struct flight flight;
    setting_open(&actual, &subject, 100, 0, 100, 1);
    setting_open(&expected, &subject, 100, 0, 100, 1);
    setting_compute(&expected, 3, count);
    if (flight_start(&flight, opened, &actual, SUBJECT_SLOW, 3, count, drive_job()) &&
        flight_finish(&flight, 0, false) == DIVVY_DONE) {
        flight_accept(&flight);
        bool right = memcmp(actual.arrays[1].data, expected.arrays[1].data, expected.arrays[1].bytes) == 0;
        hold(right, RULE_results, "a kernel on \"%s\" whose loop has %u turns gives wrong results", opened->facts->name,
             turns);
    }
    setting_close(&actual);
    setting_close(&expected);
    return NULL;
}
