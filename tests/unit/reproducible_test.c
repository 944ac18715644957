/* What is reproducible has the same bits in every run: on any number of cores, under any schedule, with partitions of
 * any size, whatever takes how long, wherever the arrays lie, and when devices fail. What is not, is as it was.
 *
 * The data are made so that nearly every order of adding them gives other bits. */
#include "rules.h"

#include "black_scholes.cl"
#include "inner.cl"
#include "max_double.cl"
#include "max_float.cl"
#include "min_double.cl"
#include "min_float.cl"
#include "rules.cl"
#include "sum_double.cl"
#include "sum_float.cl"
#include "sum_int.cl"

#include <math.h>

/* ---- A host kernel that takes its time, and whose results depend on the order in which they are merged ---- */

static atomic_uint_fast64_t delays; /* the seed of what a partition sleeps; 0: it does not */

static void delay(void)
{
    uint64_t state = atomic_fetch_add(&delays, 1);
    if (state > 0 && check_random(&state) % 4 == 0)
        nanosleep(&(struct timespec){.tv_nsec = (long)(check_random(&state) % 300000)}, NULL);
}

struct drift {
    float sum, alternating;
    double product;
};

static void drift_merge(struct drift *into, const struct drift *from)
{
    into->sum += from->sum;
    into->alternating = from->alternating - into->alternating * 0.7f;
    into->product = into->product * 1.25 + from->product;
}

DIVVY_HOST_KERNEL(drift, (in, float, x), (out, float, y), (sum, float, total), (result, struct drift, d, drift_merge))
{
    delay();
    DIVVY_FOR (i) {
        y[i] = x[i] * 0.3f + (float)DIVVY_FIRST;
        total[DIVVY_LANE] += x[i] * 1.1f;
        d->sum += x[i];
        d->alternating = x[i] - d->alternating * 0.9f;
        d->product += (double)x[i] * 1e-3;
    }
}

/* ---- Data, and what is computed of them ---- */

/* Sanitizers take a hundred times as long. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { LARGE = 150001, MEDIUM = 30011 };
#else
enum { LARGE = 1000003, MEDIUM = 262147 };
#endif
enum { MOST = LARGE + 64, SHIFTS = 3 };

static float *reals, *others, *zeros, *priced[2];
static double *doubles;
static int *ints;

/* Of all sizes and both signs. */
static double rough(uint64_t *random)
{
    return ldexp(check_uniform(random, -1, 1), (int)(check_random(random) % 30) - 15);
}

/* Zeros of both signs, some NaN, and larger numbers: the smallest is a zero. */
static float hardly(uint64_t *random)
{
    static const float some[] = {0.0f, -0.0f, NAN, 1.0f};
    return some[check_random(random) % 4];
}

static void make_data(uint64_t random)
{
    reals = malloc(MOST * sizeof *reals);
    others = malloc(MOST * sizeof *others);
    zeros = malloc(MOST * sizeof *zeros);
    doubles = malloc(MOST * sizeof *doubles);
    ints = malloc(MOST * sizeof *ints);
    for (int k = 0; k < 2; k++)
        priced[k] = malloc(MOST * sizeof *priced[k]);
    for (size_t i = 0; i < MOST; i++) {
        reals[i] = (float)rough(&random);
        others[i] = (float)rough(&random);
        zeros[i] = hardly(&random);
        doubles[i] = rough(&random);
        ints[i] = (int)check_random(&random);
    }
}

/* No member leaves a gap: they are compared as bytes. */
struct outcome {
    float inner, sum, smallest, largest, drifted;
    float calls, puts; /* of the prices, as a number that tells any change */
    float spare;
    double sum_double, smallest_double, largest_double;
    struct drift drift;
    int64_t sum_int;
};

static float digest(const float *x, size_t count)
{
    uint32_t sum = 2166136261u, bits;
    for (size_t i = 0; i < count; i++) {
        memcpy(&bits, &x[i], sizeof bits);
        sum = (sum ^ bits) * 16777619u;
    }
    return (float)(sum >> 8);
}

/* Positive numbers for prices, near those of the data. */
static float *positive(const float *x, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++)
        to[i] = 1.0f + fabsf(x[i]);
    return to;
}

static void price(divvy *dv, size_t n, size_t shift, const divvy_call_options *with, struct outcome *o)
{
    static float *spot, *strike;
    spot = spot ? spot : malloc(MOST * sizeof *spot);
    strike = strike ? strike : malloc(MOST * sizeof *strike);
    STATUS(DIVVY_OK, divvy_run(dv, black_scholes, n, .rate = 0.03f, .volatility = 0.2f,
                               .spot = positive(reals + shift, n, spot + shift),
                               .strike = positive(others + shift, n, strike + shift), .years = spot + shift,
                               .call = priced[0] + shift, .put = priced[1] + shift, .with = *with));
    o->calls = digest(priced[0] + shift, n);
    o->puts = digest(priced[1] + shift, n);
}

/* The same numbers at another place. */
static void move_data(size_t count, size_t from, size_t to)
{
    memmove(reals + to, reals + from, count * sizeof *reals);
    memmove(others + to, others + from, count * sizeof *others);
    memmove(zeros + to, zeros + from, count * sizeof *zeros);
    memmove(doubles + to, doubles + from, count * sizeof *doubles);
}

/* Everything, of the first n numbers from `at` on. */
static struct outcome compute(divvy *dv, size_t n, size_t at, bool on_cores, const divvy_call_options *with)
{
    struct outcome o;
    memset(&o, 0, sizeof o);
    const float *x = reals + at, *y = others + at, *z = zeros + at;
    const double *w = doubles + at;
    STATUS(DIVVY_OK, divvy_run(dv, inner, n, .x = x, .y = y, .total = &o.inner, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, n, .x = x, .total = &o.sum, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, sum_double, n, .x = w, .total = &o.sum_double, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, sum_int, n, .x = ints, .total = &o.sum_int, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, min_float, n, .x = z, .smallest = &o.smallest, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, max_float, n, .x = z, .largest = &o.largest, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, min_double, n, .x = w, .smallest = &o.smallest_double, .with = *with));
    STATUS(DIVVY_OK, divvy_run(dv, max_double, n, .x = w, .largest = &o.largest_double, .with = *with));
    price(dv, n, at, with, &o);
    if (on_cores)
        STATUS(DIVVY_OK,
               divvy_run(dv, drift, n, .x = x, .y = priced[0], .total = &o.drifted, .d = &o.drift, .with = *with));
    return o;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* ---- Cores ---- */

static const size_t counts[] = {0, 1, 2, 63, 64, 65, 1021, 1025, 4099, 9001, MEDIUM, LARGE};
enum { COUNTS = sizeof counts / sizeof *counts };
static const char *const schedules[] = {"guarded", "static", "dynamic", "guided",    "tss",
                                        "fac2",    "awf-c",  "af",      "iterative", "hguided:cpu:0=3,sim:0=2"};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

static struct outcome expected[COUNTS];

static void compare(divvy *dv, size_t c, size_t at, const divvy_call_options *with, const char *what)
{
    struct outcome o = compute(dv, counts[c], at, true, with);
    if (!CHECK(same(&o, &expected[c])))
        fprintf(stderr,
                "  %zu indices, %s, schedule %s, partition %zu: inner %a %a, sum %a %a, double %a %a, drift %a %a\n",
                counts[c], what, with->schedule ? with->schedule : "-", with->partition, (double)o.inner,
                (double)expected[c].inner, (double)o.sum, (double)expected[c].sum, o.sum_double, expected[c].sum_double,
                (double)o.drift.sum, (double)expected[c].drift.sum);
}

/* The numbers from one core, alone and at once. They must be right, and as near as doubles are. */
static void expect(void)
{
    divvy *dv = OPEN(.backend = "cpu", .threads = 1, .bind = "none");
    for (size_t c = 0; c < COUNTS; c++) {
        expected[c] = compute(dv, counts[c], 0, true, &(divvy_call_options){.reproducible = 1});
        long double sum = 0, size = 0;
        int64_t whole = 0;
        for (size_t i = 0; i < counts[c]; i++) {
            sum += (long double)doubles[i];
            size += fabsl((long double)doubles[i]);
            whole += ints[i];
        }
        CHECK_EQ(expected[c].sum_int, whole);
        CHECK(fabsl((long double)expected[c].sum_double - sum) <= 1e-14L * size);
        CHECK(counts[c] < 64 || expected[c].smallest == 0.0f);
    }
    divvy_close(dv);
}

static void try_cores(uint64_t random)
{
    static const size_t partitions[] = {0, 1, 100, 1000, 4097, 100000, SIZE_MAX - 1};
    for (int threads = 1; threads <= 4; threads *= 2) {
        divvy *dv;
        begin_hearing();
        divvy_status status =
            divvy_open(&dv, &(divvy_options){.backend = "cpu", .threads = threads, .bind = "none", .reproducible = 1});
        free(heard());
        if (status == DIVVY_LIMIT) { /* this machine has not so many */
            divvy_close(dv);
            return;
        }
        atomic_store(&delays, threads > 1 ? check_random(&random) >> 1 : 0);
        for (size_t c = 0; c < COUNTS; c++) {
            for (unsigned k = 0; k < SCHEDULES; k++)
                compare(dv, c, 0, &(divvy_call_options){.schedule = schedules[k]}, "as it comes");
            size_t partition = partitions[check_random(&random) % 7], first = check_random(&random) % 5000;
            compare(dv, c, 0, &(divvy_call_options){.partition = partition, .first_partition = first}, "fixed sizes");
        }
        atomic_store(&delays, 0);
        divvy_close(dv);
    }
}

/* Wherever the arrays lie: vectors need not be aligned. */
static void try_places(void)
{
    divvy *dv = OPEN(.backend = "cpu", .reproducible = 1);
    for (size_t at = 1; at <= SHIFTS; at++) {
        move_data(counts[COUNTS - 1], at - 1, at);
        compare(dv, COUNTS - 1, at, &(divvy_call_options){0}, "elsewhere");
    }
    move_data(counts[COUNTS - 1], SHIFTS, 0);
    divvy_close(dv);
}

/* ---- What is said of it ---- */

static size_t partitions_of_last(divvy *dv)
{
    const divvy_report *report = divvy_last(dv);
    size_t partitions = 0;
    for (size_t k = 0; report && k < report->share_count; k++)
        partitions += report->shares[k].partitions;
    return partitions;
}

static void try_options(void)
{
    float sum;
    divvy_call_options one = {.partition = 1};

    // Sizes are rounded up to whole blocks. The call's word is the last one, the context's the one before.
    divvy *dv = OPEN(.backend = "cpu", .threads = 1, .bind = "none", .reproducible = 1);
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, 5000, .x = reals, .total = &sum, .with = one));
    CHECK_EQ(partitions_of_last(dv), 5);
    one.partition = 1025;
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, 5000, .x = reals, .total = &sum, .with = one));
    CHECK_EQ(partitions_of_last(dv), 3);
    one = (divvy_call_options){.partition = 1, .reproducible = -1};
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, 5000, .x = reals, .total = &sum, .with = one));
    CHECK_EQ(partitions_of_last(dv), 5000);
    divvy_close(dv);

    setenv("DIVVY_REPRODUCIBLE", "1", 1);
    one = (divvy_call_options){.partition = 1};
    dv = OPEN(.backend = "cpu", .threads = 1, .bind = "none");
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, 5000, .x = reals, .total = &sum, .with = one));
    CHECK_EQ(partitions_of_last(dv), 5);
    divvy_close(dv);
    dv = OPEN(.backend = "cpu", .threads = 1, .bind = "none", .reproducible = -1);
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, 5000, .x = reals, .total = &sum, .with = one));
    CHECK_EQ(partitions_of_last(dv), 5000);
    divvy_close(dv);
    unsetenv("DIVVY_REPRODUCIBLE");
}

/* Runs a sum on one core, as a profile at `path` tells. */
static float sum_into(const char *path, const char *schedule, int reproducible, size_t partition)
{
    float sum = 0;
    divvy *dv =
        OPEN(.backend = "cpu", .threads = 1, .bind = "none", .profile = path, .schedule = schedule, .log = "warn");
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, MEDIUM, .x = reals, .total = &sum,
                               .with = {.reproducible = reproducible, .partition = partition}));
    divvy_close(dv);
    return sum;
}

/* What was recorded is replayed where it was cut between blocks, and told where it was not. */
static void try_replay(void)
{
    char path[] = "/tmp/divvyreplayXXXXXX", schedule[64];
    close(mkstemp(path));
    snprintf(schedule, sizeof schedule, "replay:%s", path);
    for (int recorded = 1; recorded >= -1; recorded -= 2) {
        float first = sum_into(path, "dynamic", recorded, 5000), expected_sum = expected[COUNTS - 2].sum;
        CHECK(recorded < 0 || first == expected_sum);
        begin_hearing();
        float again = sum_into(NULL, schedule, 1, 0);
        char *said = heard();
        CHECK(again == expected_sum);
        CHECK_EQ(strstr(said, "cut inside of the blocks") != NULL, recorded < 0);
        free(said);
    }
    unlink(path);
}

/* ---- Other devices ---- */

static size_t items_of(divvy *dv, const char *backend)
{
    const divvy_report *report = divvy_last(dv);
    size_t items = 0;
    for (size_t k = 0; report && k < report->share_count; k++)
        items += strncmp(report->shares[k].id, backend, strlen(backend)) == 0 ? report->shares[k].items : 0;
    return items;
}

/* Beside cores no other device takes part; without one only those like the first do. */
static void try_kinds(void)
{
    float sum;
    size_t n = counts[COUNTS - 1];
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake", .schedule = "dynamic");
    CHECK(divvy_device_count(dv) > 1);
    STATUS(DIVVY_OK, divvy_run(dv, sum_float, n, .x = reals, .total = &sum, .with = {.reproducible = 1}));
    CHECK_EQ(items_of(dv, "cpu"), n);
    compare(dv, COUNTS - 1, 0, &(divvy_call_options){.reproducible = 1}, "beside other devices");
    STATUS(DIVVY_OK, divvy_run(dv, mark, n, .turns = 0, .hits = ints, .total = &(int64_t){0}, .least = &(int64_t){0},
                               .most = &(int64_t){0}, .with = {.devices = "fake:2,fake:3", .reproducible = 1}));
    CHECK_EQ(items_of(dv, "fake:2"), n);

    // A failure must not change what is right: no other kind steps in.
    atomic_store(&fake_at(FAKE_DIRECT)->fail_finish, 2);
    begin_hearing();
    divvy_status status =
        divvy_run(dv, toil, n, .turns = 0, .y = (uint *)ints, .with = {.devices = "fake:2,fake:3", .reproducible = 1});
    free(heard());
    CHECK_EQ(status, DIVVY_DEVICE_LOST);
    fake_behave();
    status =
        divvy_run(dv, toil, n, .turns = 0, .y = (uint *)ints, .with = {.devices = "fake:2,fake:3", .reproducible = 1});
    CHECK_EQ(status, DIVVY_NO_DEVICE);

    // Nor does a device that has no memory for a block.
    status = divvy_run(dv, blend, 200, .width = 100000, .entries = 1, .source = ints, .table = ints,
                       .blended = ints + 1, .with = {.devices = "fake:3", .reproducible = 1});
    CHECK_EQ(status, DIVVY_INVALID); /* they overlap */
    int *wide = calloc(2 * 20000000, sizeof *wide);
    status = divvy_run(dv, blend, 200, .width = 100000, .entries = 1, .source = wide, .table = ints,
                       .blended = wide + 20000000, .with = {.devices = "fake:3", .reproducible = 1});
    CHECK_EQ(status, DIVVY_NO_DEVICE);
    CHECK_HAS(divvy_error(), "no memory for a block");
    free(wide);
    divvy_close(dv);
}

/* Devices of one kind, some of which fail while they work, others hang: what is left computes the same bits. Another
 * kind is not asked. */
static void try_failures(void)
{
    char path[] = "/tmp/divvyreproXXXXXX";
    int file = mkstemp(path);
    const char *text =
        "{\"divvy_scenario\": 1, \"name\": \"some fail\", \"devices\": ["
        "{\"class\": \"gpu\", \"fixed_ns\": 2000, \"ns_per_item\": 1, \"noise\": 0.5},"
        "{\"class\": \"gpu\", \"fixed_ns\": 1000, \"ns_per_item\": 0.5, \"fail\": {\"on\": \"run\", \"at\": 30}},"
        "{\"class\": \"gpu\", \"fixed_ns\": 1000, \"ns_per_item\": 0.5, \"hang\": {\"at\": 60}},"
        "{\"class\": \"gpu\", \"fixed_ns\": 1000, \"ns_per_item\": 0.5, \"lost\": {\"at\": 90}},"
        "{\"class\": \"tpu\", \"type\": \"accelerator\", \"ns_per_item\": 0}]}";
    CHECK_EQ(write(file, text, strlen(text)), (long long)strlen(text));
    close(file);
    setenv("DIVVY_SIM", path, 1);
    divvy *dv = OPEN(.backend = "sim", .reproducible = 1);
    begin_hearing();
    struct outcome alone[COUNTS];
    divvy_call_options first = {.devices = "sim:0"};
    for (size_t c = 0; c < COUNTS; c++)
        alone[c] = compute(dv, counts[c], 0, false, &first);
    size_t used = 0;
    for (unsigned turn = 0; turn < 4; turn++)
        for (size_t c = 0; c < COUNTS; c++) {
            struct outcome o = compute(dv, counts[c], 0, false,
                                       &(divvy_call_options){.schedule = schedules[(turn + 3 * c) % SCHEDULES]});
            CHECK(same(&o, &alone[c]));
            used += items_of(dv, "sim:1") + items_of(dv, "sim:2") + items_of(dv, "sim:3");
            CHECK_EQ(items_of(dv, "sim:4"), 0);
        }
    CHECK(used > 0);
    char *said = heard();
    unsigned retired = 0;
    for (size_t d = 0; d < divvy_device_count(dv); d++) {
        divvy_device device;
        CHECK_EQ(divvy_device_at(dv, d, &device), DIVVY_OK);
        retired += device.retired;
    }
    if (!CHECK_EQ(retired, 3))
        fprintf(stderr, "%s", said);
    free(said);
    divvy_close(dv);
    unlink(path);
}

/* A backend of choice: the schedule and the size of the partitions make no difference. */
static int try_backend(const char *backend)
{
    static const size_t partitions[] = {0, 10000, 333333};
    divvy *dv;
    divvy_status status = divvy_open(&dv, &(divvy_options){.backend = backend, .reproducible = 1});
    bool there = status == DIVVY_OK && divvy_device_count(dv) > 0;
    if (there) {
        struct outcome first[COUNTS];
        for (size_t c = 0; c < COUNTS; c += 3)
            first[c] = compute(dv, counts[c], 0, false, &(divvy_call_options){0});
        for (size_t c = 0; c < COUNTS; c += 3)
            for (unsigned k = 0; k < 3 * SCHEDULES; k++) {
                const divvy_call_options with = {.schedule = schedules[k % SCHEDULES],
                                                 .partition = partitions[k / SCHEDULES]};
                struct outcome o = compute(dv, counts[c], 0, false, &with);
                CHECK(same(&o, &first[c]));
            }
    }
    divvy_close(dv);
    return there ? check_summary() : CHECK_SKIP;
}

int main(void)
{
    uint64_t seed = check_seed();
    limit_time(240);
    if (getenv("REPRODUCIBLE_ON")) {
        make_data(seed);
        return try_backend(getenv("REPRODUCIBLE_ON"));
    }
    divvy *dv;
    begin_hearing();
    bool lacking = divvy_open(&dv, &(divvy_options){.backend = "cpu"}) == DIVVY_UNSUPPORTED;
    divvy_close(dv);
    free(heard());
    if (lacking) /* the level that the environment asks for */
        return CHECK_SKIP;
    make_data(seed);
    expect();
    try_cores(seed + 1);
    try_places();
    try_options();
    try_replay();
    try_kinds();
    try_failures();
    return check_summary();
}
