/* Partitions on every OpenCL device: each result must equal the C form's to the byte, and nothing else may change. */
#include "opencl_host.h"

#include "opencl_doubles.cl"
#include "opencl_kernels.cl"

#include <pthread.h>

enum { GUARD = 256, POISON = 0xA5 };

/* A kernel with its values, and what its arrays hold: one letter a parameter, '.' for those that have no array. */
struct subject {
    const divvy_kernel *kernel;
    const void *args;
    const char *letters;
};

static const struct subject subjects[] = {
    {&saxpy_kernel, &(struct saxpy_args){.a = 2}, ".ff"},
    {&spread_kernel, &(struct spread_args){.cols = 3}, ".ff"},
    {&gather_kernel, &(struct gather_args){.entries = 1000}, ".iff"},
    {&around_kernel, &(struct around_args){.width = 5, .radius = 2}, "..ff"},
    {&places_kernel,
     &(struct places_args){.c = -3, .h = -300, .l = 1L << 40, .d = 77, .s = {.wide = 1, .high = 2, .scale = 3}},
     ".....lc"},
    {&sums_kernel, &(struct sums_args){.i32 = NULL}, "i....."},
    {&extremes_kernel, &(struct extremes_args){.i_low = NULL}, "if.........."},
    {&divided_kernel, &(struct divided_args){.by = 8}, ".iii"},
    {&slow_kernel, &(struct slow_args){.turns = 10}, ".i"},
    {&doubled_kernel, &(struct doubled_args){.by = 0.25}, ".fd"},
    {&folded_kernel, &(struct folded_args){.low = NULL}, "i..."},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

/* One set of arguments with arrays of its own, guarded on both sides. */
struct setting {
    const divvy_kernel *kernel;
    size_t total;
    char args[1024];
    char *arrays[DIVVY_PARAMETERS_MAX]; /* with their guards */
    size_t bytes[DIVVY_PARAMETERS_MAX]; /* without */
    divvy_partial partials[DIVVY_PARAMETERS_MAX];
};

static void write_element(char letter, char *at, int number)
{
    switch (letter) {
    case 'f':
        memcpy(at, &(float){(float)number}, sizeof(float));
        break;
    case 'i':
        memcpy(at, &(int){number}, sizeof(int));
        break;
    case 'l':
        memcpy(at, &(long){number}, sizeof(long));
        break;
    default:
        *at = (char)number;
    }
}

/* The same for the same seed. */
static void setting_open(struct setting *setting, const struct subject *subject, size_t total, uint64_t seed)
{
    const divvy_kernel *kernel = subject->kernel;
    divvy_extent extents[DIVVY_PARAMETERS_MAX];
    *setting = (struct setting){.kernel = kernel, .total = total};
    memcpy(setting->args, subject->args, kernel->args_size);
    kernel->extents(setting->args, total, extents);
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &kernel->parameters[k];
        setting->partials[k] = identity_of(parameter);
        if (subject->letters[k] == '.')
            continue;
        size_t elements = extents[k].elements * (parameter->kind == DIVVY_KIND_all ? 1 : total);
        setting->bytes[k] = elements * parameter->element_bytes;
        setting->arrays[k] = malloc(setting->bytes[k] + 2 * GUARD);
        memset(setting->arrays[k], POISON, setting->bytes[k] + 2 * GUARD);
        char *data = setting->arrays[k] + GUARD;
        memcpy(setting->args + parameter->offset, &data, sizeof data);
        for (size_t e = 0; e < elements && parameter->kind != DIVVY_KIND_out; e++)
            write_element(subject->letters[k], data + e * parameter->element_bytes, (int)(check_random(&seed) % 9));
    }
}

static void setting_close(struct setting *setting)
{
    for (unsigned k = 0; k < DIVVY_PARAMETERS_MAX; k++)
        free(setting->arrays[k]);
}

/* The C form on a partition: the runtime's work for a core. */
static void compute_reference(struct setting *setting, size_t first, size_t count)
{
    const divvy_kernel *kernel = setting->kernel;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    static _Thread_local uint64_t lanes[DIVVY_PARAMETERS_MAX][DIVVY_LANES];
    fill_slices(kernel, setting->args, first, count, setting->total, slices);
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind)) {
            slices[k].data = lanes[k];
            host_fold_open(&kernel->parameters[k], lanes[k], DIVVY_LANES);
        }
    kernel->forms[0].body(slices, first, count, setting->total);
    for (unsigned k = 0; k < kernel->parameter_count; k++)
        if (divvy_kind_is_fold(kernel->parameters[k].kind))
            host_fold_close(&kernel->parameters[k], lanes[k], DIVVY_LANES, &setting->partials[k]);
}

static void partition_open(divvy_partition *partition, divvy_slice *slices, struct setting *setting, void *loaded,
                           size_t first, size_t count, uint64_t job)
{
    fill_slices(setting->kernel, setting->args, first, count, setting->total, slices);
    for (unsigned k = 0; k < setting->kernel->parameter_count; k++)
        if (divvy_kind_is_fold(setting->kernel->parameters[k].kind))
            slices[k].data = &setting->partials[k];
    *partition = (divvy_partition){.first = first,
                                   .count = count,
                                   .total = setting->total,
                                   .job = job,
                                   .kernel = setting->kernel,
                                   .loaded = loaded,
                                   .slices = slices};
}

static void check_same(const struct setting *actual, const struct setting *expected, const char *device)
{
    for (unsigned k = 0; k < actual->kernel->parameter_count; k++) {
        const divvy_parameter *parameter = &actual->kernel->parameters[k];
        bool same = memcmp(&actual->partials[k], &expected->partials[k], sizeof(divvy_partial)) == 0;
        if (actual->arrays[k])
            same = same && memcmp(actual->arrays[k], expected->arrays[k], actual->bytes[k] + 2 * GUARD) == 0;
        if (!CHECK(same))
            fprintf(stderr, "    %s of %s with %zu indices on %s (partial %g %lld, not %g %lld)\n", parameter->name,
                    actual->kernel->name, actual->total, device, actual->partials[k].f,
                    (long long)actual->partials[k].i, expected->partials[k].f, (long long)expected->partials[k].i);
    }
}

/* Flips every bit of the arrays that a kernel reads, and of those it writes; the second time restores them. */
static void disturb(struct setting *setting)
{
    for (unsigned k = 0; k < setting->kernel->parameter_count; k++)
        for (size_t b = 0; b < setting->bytes[k]; b++)
            setting->arrays[k][GUARD + b] ^= (char)0xff;
}

struct open_device {
    const divvy_device_facts *facts;
    void *device;
    divvy_loaded loaded[SUBJECTS];
};

static bool device_open(struct open_device *open, const divvy_device_facts *facts, unsigned units)
{
    divvy_device_facts wanted = *facts;
    divvy_rates rates;
    wanted.units = units;
    *open = (struct open_device){.facts = facts};
    error_text[0] = 0;
    if (!CHECK_EQ(backend->open(&host, &wanted, &open->device, &rates), DIVVY_OK)) {
        fprintf(stderr, "    %s\n", error_text);
        return false;
    }
    if (facts->staged)
        CHECK(rates.latency_ns > 0 && rates.upload_bytes_per_s > 0 && rates.download_bytes_per_s > 0);
    for (unsigned s = 0; s < SUBJECTS; s++) {
        divvy_status status = backend->load(open->device, subjects[s].kernel, &open->loaded[s]);
        bool doubles = subjects[s].kernel == &doubled_kernel || subjects[s].kernel == &folded_kernel;
        if (status == DIVVY_UNSUPPORTED && doubles)
            CHECK_HAS(error_text, "uses double, which"); /* a device without double precision says so */
        else if (!CHECK_EQ(status, DIVVY_OK))
            fprintf(stderr, "    %s\n", error_text);
        else
            CHECK(open->loaded[s].kernel && open->loaded[s].fixed_ns > 0 && open->loaded[s].build_ns > 0);
    }
    return true;
}

static void device_close(struct open_device *open)
{
    for (unsigned s = 0; s < SUBJECTS; s++)
        backend->unload(open->device, open->loaded[s].kernel);
    backend->close(open->device);
}

static uint64_t next_job(void)
{
    static _Atomic uint64_t job;
    return ++job;
}

/* One partition, with everything that the contract promises of it. */
static void check_partition(const struct open_device *open, unsigned s, size_t first, size_t count, size_t total)
{
    struct setting actual, expected;
    divvy_partition partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    if (!open->loaded[s].kernel)
        return;
    setting_open(&actual, &subjects[s], total, 17 * first + count);
    setting_open(&expected, &subjects[s], total, 17 * first + count);
    compute_reference(&expected, first, count);
    partition_open(&partition, slices, &actual, open->loaded[s].kernel, first, count, next_job());

    bool staged = open->facts->staged;
    if (!CHECK_EQ(backend->start(open->device, &partition), DIVVY_OK)) {
        fprintf(stderr, "    %s\n", error_text);
    } else {
        if (staged)
            disturb(&actual); /* the caller's arrays are not looked at any more */
        CHECK_EQ(backend->finish(open->device, &partition, 0), DIVVY_DONE);
        CHECK_EQ(partition.touched, !staged);
        if (staged)
            disturb(&actual);
        for (unsigned k = 0; k < actual.kernel->parameter_count; k++) {
            divvy_kind kind = actual.kernel->parameters[k].kind;
            CHECK_EQ(slices[k].result != NULL, staged && (kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout));
        }
        accept_results(actual.kernel, slices);
        check_same(&actual, &expected, open->facts->name);
        CHECK(partition.timing.run_ns > 0 && partition.timing.run_ns < 60000000000u);
    }
    setting_close(&actual);
    setting_close(&expected);
}

/* Simulators take their time. */
static size_t largest(const divvy_device_facts *facts)
{
    return strstr(facts->name, "Oclgrind") ? 2000 : 300007;
}

static void check_all_sizes(const struct open_device *open)
{
    static const struct {
        size_t first, count, total;
    } ranges[] = {{0, 1, 1},         {0, 1, 2},           {1, 1, 3},         {0, 2, 2},
                  {5, 63, 100},      {0, 64, 64},         {64, 65, 200},     {13, 997, 1024},
                  {1000, 997, 1997}, {0, 100003, 100003}, {7, 65537, 70001}, {3, 300000, 300007}};
    for (unsigned s = 0; s < SUBJECTS; s++)
        for (unsigned r = 0; r < sizeof ranges / sizeof *ranges; r++)
            if (ranges[r].total <= largest(open->facts))
                check_partition(open, s, ranges[r].first, ranges[r].count, ranges[r].total);
}

/* Partitions of one job, as many in flight as the device takes, in pieces of all sizes. */
static void check_in_flight(const struct open_device *open, unsigned s, size_t total)
{
    struct setting actual, expected;
    divvy_partition partitions[2];
    divvy_slice slices[2][DIVVY_PARAMETERS_MAX];
    uint64_t job = next_job();
    setting_open(&actual, &subjects[s], total, total);
    setting_open(&expected, &subjects[s], total, total);
    size_t at = 0, size = 1;
    unsigned started = 0, finished = 0;
    while (at < total || finished < started) {
        if (at < total && started - finished < open->facts->depth) {
            size_t count = size < total - at ? size : total - at;
            divvy_partition *next = &partitions[started % 2];
            compute_reference(&expected, at, count);
            partition_open(next, slices[started % 2], &actual, open->loaded[s].kernel, at, count, job);
            if (!CHECK_EQ(backend->start(open->device, next), DIVVY_OK))
                break;
            at += count, size = size * 3 / 2 + 1, started++;
        } else {
            divvy_partition *oldest = &partitions[finished % 2];
            if (!CHECK_EQ(backend->finish(open->device, oldest, host_now_ns() + 60000000000u), DIVVY_DONE))
                break;
            accept_results(actual.kernel, oldest->slices);
            finished++;
        }
    }
    check_same(&actual, &expected, open->facts->name);
    setting_close(&actual);
    setting_close(&expected);
}

/* The contents of an `all` array at one address change from job to job. */
static void check_shared(const struct open_device *open)
{
    enum { TOTAL = 500, ENTRIES = 100, JOBS = 40 };
    struct setting setting;
    const struct subject subject = {&gather_kernel, &(struct gather_args){.entries = ENTRIES}, ".iff"};
    setting_open(&setting, &subject, TOTAL, 3);
    const int *key = (const int *)(setting.arrays[1] + GUARD);
    float *table = (float *)(setting.arrays[2] + GUARD), *found = (float *)(setting.arrays[3] + GUARD);
    for (int job = 0; job < JOBS; job++) {
        uint64_t number = next_job();
        for (int k = 0; k < ENTRIES; k++)
            table[k] = (float)(job * ENTRIES + k);
        uint64_t bytes_in = 0;
        for (size_t first = 0; first < TOTAL; first += TOTAL / 2) {
            divvy_partition partition;
            divvy_slice slices[DIVVY_PARAMETERS_MAX];
            partition_open(&partition, slices, &setting, open->loaded[2].kernel, first, TOTAL / 2, number);
            CHECK_EQ(backend->start(open->device, &partition), DIVVY_OK);
            CHECK_EQ(backend->finish(open->device, &partition, 0), DIVVY_DONE);
            accept_results(setting.kernel, slices);
            bytes_in += partition.timing.bytes_in;
        }
        bool right = true;
        for (int i = 0; i < TOTAL; i++)
            right = right && found[i] == (float)(job * ENTRIES + key[i] % ENTRIES);
        CHECK(right);
        /* It goes up once per job. */
        CHECK_EQ(bytes_in, open->facts->staged ? TOTAL * sizeof(int) + ENTRIES * sizeof(float) : 0);
    }
    setting_close(&setting);
}

/* Arrays that are only read may be one and the same. */
static void check_same_array_twice(const struct open_device *open)
{
    enum { TOTAL = 777 };
    struct setting setting;
    setting_open(&setting, &subjects[2], TOTAL, 5);
    float *table = (float *)(setting.arrays[2] + GUARD), *found = (float *)(setting.arrays[3] + GUARD);
    int *key = malloc(1000 * sizeof *key);
    for (int k = 0; k < 1000; k++)
        key[k] = k;
    memcpy(setting.args + offsetof(struct gather_args, key), &key, sizeof key);
    memcpy(setting.args + offsetof(struct gather_args, table), &key, sizeof key);
    divvy_partition partition;
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    partition_open(&partition, slices, &setting, open->loaded[2].kernel, 0, TOTAL, next_job());
    CHECK_EQ(backend->start(open->device, &partition), DIVVY_OK);
    CHECK_EQ(backend->finish(open->device, &partition, 0), DIVVY_DONE);
    accept_results(setting.kernel, slices);
    bool right = true;
    for (int i = 0; i < TOTAL; i++)
        right = right && memcmp(&found[i], &key[i], sizeof(float)) == 0;
    CHECK(right);
    (void)table;
    free(key);
    setting_close(&setting);
}

static void check_device(const struct open_device *open)
{
    check_all_sizes(open);
    for (unsigned s = 0; s < SUBJECTS; s++)
        if (open->loaded[s].kernel)
            check_in_flight(open, s, largest(open->facts) / 3);
    check_shared(open);
    check_same_array_twice(open);
}

/* ---- Failures ---- */

static void check_refusals(const struct open_device *open)
{
    divvy_loaded loaded;
    divvy_kernel broken = slow_kernel;

    /* A text that does not build fails with the compiler's words and the names of kernel and device. */
    broken.name = "broken";
    broken.source = "__kernel void broken_entry(__global int *y) { y[0] = no_such_thing; }";
    broken.source_bytes = strlen(broken.source);
    CHECK_EQ(backend->load(open->device, &broken, &loaded), DIVVY_BUILD_FAILED);
    CHECK_HAS(error_text, "building broken for");
    CHECK_HAS(error_text, open->facts->name);
    CHECK_HAS(error_text, "no_such_thing");
    CHECK(loaded.kernel == NULL);

    /* So does one that lacks the entry. */
    broken.source = "__kernel void other_entry(__global int *y) { y[0] = 1; }";
    CHECK_EQ(backend->load(open->device, &broken, &loaded), DIVVY_BUILD_FAILED);
    CHECK_HAS(error_text, "broken_entry");

    /* And one whose entry takes other arguments than the table says. */
    broken.source = "__kernel void broken_entry(__global int *y) { y[0] = 1; }";
    CHECK_EQ(backend->load(open->device, &broken, &loaded), DIVVY_BUILD_FAILED);
    CHECK_HAS(error_text, "its table says");

    /* Host kernels run elsewhere. */
    broken.source = NULL;
    broken.flags = DIVVY_KERNEL_HOST;
    CHECK_EQ(backend->load(open->device, &broken, &loaded), DIVVY_UNSUPPORTED);

    /* More partitions than the device takes are refused, and those in flight are not harmed. */
    struct setting settings[3];
    divvy_partition partitions[3];
    divvy_slice slices[3][DIVVY_PARAMETERS_MAX];
    unsigned depth = open->facts->depth;
    for (unsigned k = 0; k <= depth; k++) {
        setting_open(&settings[k], &subjects[0], 100, k);
        partition_open(&partitions[k], slices[k], &settings[k], open->loaded[0].kernel, 0, 100, next_job());
        CHECK_EQ(backend->start(open->device, &partitions[k]), k < depth ? DIVVY_OK : DIVVY_LIMIT);
    }
    for (unsigned k = 0; k < depth; k++)
        CHECK_EQ(backend->finish(open->device, &partitions[k], 0), DIVVY_DONE);
    for (unsigned k = 0; k <= depth; k++)
        setting_close(&settings[k]);

    /* So are slices beyond the largest allocation, before anything is read. */
    if (open->facts->max_slice_bytes > 0) {
        struct setting setting;
        setting_open(&setting, &subjects[0], 100, 1);
        partition_open(&partitions[0], slices[0], &setting, open->loaded[0].kernel, 0, 100, next_job());
        slices[0][1].bytes = open->facts->max_slice_bytes + 4;
        CHECK_EQ(backend->start(open->device, &partitions[0]), DIVVY_NO_MEMORY);
        CHECK_HAS(error_text, "x of saxpy");
        setting_close(&setting);
    }
    check_partition(open, 0, 3, 500, 600); /* the device still works */
}

static void check_facts(const divvy_device_facts *facts)
{
    printf("%s: %s, %s, %s, %s, %u units, %u cores, granule %zu, depth %u%s%s\n", facts->address, facts->name,
           facts->driver, facts->device_class,
           facts->type == DIVVY_CPU   ? "cpu"
           : facts->type == DIVVY_GPU ? "gpu"
                                      : "accelerator",
           facts->units, facts->cores, facts->granule, facts->depth, facts->staged ? ", staged" : "",
           facts->divisible ? ", divisible" : "");
    CHECK_EQ(facts->size, sizeof *facts);
    CHECK(facts->name[0] && facts->driver[0] && facts->device_class[0] && facts->address[0]);
    CHECK(facts->units >= 1 && facts->granule >= 1);
    CHECK(facts->cores <= facts->units && facts->cores <= host.core_count);
    CHECK_EQ(facts->cores >= 1, facts->type == DIVVY_CPU);
    CHECK_EQ(facts->depth, facts->staged ? 2 : 1);
    CHECK(facts->staged || facts->type == DIVVY_CPU);
}

/* Sub-devices compute what the whole does; too many units are refused in words. */
static void check_parts(const divvy_device_facts *facts)
{
    struct open_device part;
    divvy_device_facts wanted = *facts;
    divvy_rates rates;
    void *device;
    wanted.units = facts->units + 1;
    CHECK_EQ(backend->open(&host, &wanted, &device, &rates), DIVVY_LIMIT);
    CHECK_HAS(error_text, "compute units");
    CHECK(device == NULL);
    if (facts->divisible) {
        if (device_open(&part, facts, 1)) {
            check_partition(&part, 0, 11, 5000, 6000);
            check_partition(&part, 5, 11, 5000, 6000);
            device_close(&part);
        }
    } else if (facts->units > 1) {
        wanted.units = 1;
        CHECK_EQ(backend->open(&host, &wanted, &device, &rates), DIVVY_UNSUPPORTED);
        CHECK_HAS(error_text, "cannot be opened with 1 of its");
    }
}

static void *drive(void *facts)
{
    struct open_device open;
    if (device_open(&open, facts, 0)) {
        for (int round = 0; round < 20; round++)
            for (unsigned s = 0; s < SUBJECTS; s++)
                check_partition(&open, s, (size_t)round, 1000, 1100);
        device_close(&open);
    }
    return NULL;
}

int main(void)
{
    load_plugin();
    if (device_count == 0) {
        fprintf(stderr, "there is no OpenCL device\n");
        return CHECK_SKIP;
    }
    for (unsigned d = 0; d < device_count; d++) {
        struct open_device open;
        uint64_t before_ns = host_now_ns();
        check_facts(&devices[d]);
        if (device_open(&open, &devices[d], 0)) {
            printf("open and load %llu us, saxpy: build %llu us, jit %llu us, fixed %llu ns\n",
                   (unsigned long long)(host_now_ns() - before_ns) / 1000,
                   (unsigned long long)open.loaded[0].build_ns / 1000, (unsigned long long)open.loaded[0].jit_ns / 1000,
                   (unsigned long long)open.loaded[0].fixed_ns);
            check_device(&open);
            check_refusals(&open);
            device_close(&open);
        }
        check_parts(&devices[d]);
    }

    /* Devices run side by side, each from a thread of its own; a single one twice. The simulator Oclgrind cannot. */
    pthread_t threads[2];
    if (strstr(devices[0].name, "Oclgrind"))
        return check_summary();
    for (unsigned t = 0; t < 2; t++)
        pthread_create(&threads[t], NULL, drive, &devices[t % device_count]);
    for (unsigned t = 0; t < 2; t++)
        pthread_join(threads[t], NULL);
    return check_summary();
}
