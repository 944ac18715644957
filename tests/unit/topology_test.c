#include "base/status.h"
#include "machine/quota.h"
#include "machine/topology.h"

#include "check.h"
#include "fork.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Invented machines: one process each, since discovery happens once per process ------------ */

static void on_machine(const char *synthetic, void (*test)(unsigned), unsigned argument)
{
    pid_t child = check_fork();
    if (child == 0) {
        unsetenv("HWLOC_SYNTHETIC");
        if (synthetic) /* in words, or as a file */
            setenv(strstr(synthetic, ".xml") ? "HWLOC_XMLFILE" : "HWLOC_SYNTHETIC", synthetic, 1);
        test(argument);
        exit(atomic_load(&check_failures) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    int status = -1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (!CHECK_EQ(status, 0))
        fprintf(stderr, "  on machine \"%s\"\n", synthetic ? synthetic : "as it is");
}

static unsigned cores_for(int threads)
{
    unsigned count = 0;
    CHECK_EQ(dv_topology_thread_count(threads, &count), DIVVY_OK);
    return count;
}

/* Any number of cores is seen, counted and placed, each core once. */
static void test_size(unsigned count)
{
    const struct dv_topology *host = dv_topology_get();
    if (!CHECK(host != NULL))
        return;
    CHECK(host->synthetic);
    CHECK_EQ(host->core_count, count);
    CHECK_EQ(host->machine_cores, count);
    CHECK_EQ(host->machine_threads, count);
    CHECK_EQ(cores_for(0), count);
    CHECK_EQ(cores_for(-1), count);
    CHECK_EQ(cores_for(-2), count > 1 ? count - 1 : 1);
    CHECK_EQ(cores_for(-1000), 1);
    CHECK_EQ(cores_for(1), 1);
    CHECK_EQ(cores_for((int)count), count);
    unsigned none;
    CHECK_EQ(dv_topology_thread_count((int)count + 1, &none), DIVVY_LIMIT);
    CHECK_HAS(divvy_error(), "may use");

    static const char *const binds[] = {"", "compact", "scatter", "none"};
    for (int b = 0; b < 4; b++) {
        unsigned cores[512], seen[512] = {0};
        bool bound;
        CHECK_EQ(dv_topology_place(binds[b], count, cores, &bound), DIVVY_OK);
        CHECK_EQ(bound, b != 3);
        for (unsigned i = 0; i < count; i++)
            seen[cores[i]]++;
        for (unsigned i = 0; i < count; i++)
            CHECK_EQ(seen[i], 1);
        CHECK_EQ(dv_topology_place(binds[b], count + 1, cores, &bound), DIVVY_LIMIT);
        CHECK_EQ(dv_topology_bind(cores, 1), DIVVY_OK);
    }
    CHECK_EQ(dv_topology_here(), -1);
}

static void check_placed(const char *bind, unsigned count, const unsigned *expected, bool expected_bound)
{
    unsigned cores[64];
    bool bound;
    CHECK_EQ(dv_topology_place(bind, count, cores, &bound), DIVVY_OK);
    CHECK_EQ(bound, expected_bound);
    for (unsigned i = 0; i < count; i++)
        if (!CHECK_EQ(cores[i], expected[i]))
            fprintf(stderr, "  bind \"%s\", seat %u\n", bind, i);
}

/* Two packages of four cores with two hardware threads, a NUMA node each: a core is counted by its first thread. */
static void test_packages(unsigned unused)
{
    (void)unused;
    const struct dv_topology *host = dv_topology_get();
    if (!CHECK(host != NULL))
        return;
    CHECK_EQ(host->core_count, 8);
    CHECK_EQ(host->machine_threads, 16);
    CHECK_EQ(host->numa_count, 2);
    CHECK_EQ(host->kind_count, 1);
    for (unsigned i = 0; i < 8; i++) {
        CHECK_EQ(host->cores[i].cpu, 2 * i);
        CHECK_EQ(host->cores[i].threads, 2);
        CHECK_EQ(host->cores[i].package, i / 4);
        CHECK_EQ(host->cores[i].numa, i / 4);
    }
    CHECK_EQ(host->l2_bytes, 1 << 20);
    CHECK_EQ(host->l3_bytes, 32 << 20);
    CHECK(host->quota <= 0);
    CHECK_EQ(host->memory_bytes, 2LL << 33);

    /* Compact seats are neighbours, scattered ones take turns between the packages. */
    check_placed("compact", 5, (unsigned[]){0, 1, 2, 3, 4}, true);
    check_placed("scatter", 5, (unsigned[]){0, 4, 1, 5, 2}, true);
    check_placed("none", 2, (unsigned[]){0, 1}, false);

    /* By default threads are bound only if all cores are used. */
    check_placed("", 2, (unsigned[]){0, 1}, false);
    check_placed("", 8, (unsigned[]){0, 1, 2, 3, 4, 5, 6, 7}, true);

    /* A list gives the seats in its order, a core named twice once; it must be long enough and name cores. */
    check_placed("7,2-4,0", 5, (unsigned[]){7, 2, 3, 4, 0}, true);
    check_placed("3,3,1", 2, (unsigned[]){3, 1}, true);
    static const char *const wrong[] = {
        "8", "0,", ",0", "0-8", "3-1", "x", "0,,1", "-1", "0 1", "Compact", "0-", "1-2-3", "99999999999999999999"};
    unsigned cores[8];
    bool bound;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (!CHECK_EQ(dv_topology_place(wrong[i], 1, cores, &bound), DIVVY_INVALID))
            fprintf(stderr, "  bind \"%s\"\n", wrong[i]);
        CHECK_HAS(divvy_error(), wrong[i]);
        CHECK_HAS(divvy_error(), "compact, scatter, none or a list");
    }
    CHECK_EQ(dv_topology_place("0,1", 3, cores, &bound), DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "3 are to be used");
}

/* NUMA nodes inside of one package are scattered over as well. */
static void test_numa(unsigned unused)
{
    (void)unused;
    CHECK_EQ(dv_topology_get()->numa_count, 2);
    check_placed("scatter", 4, (unsigned[]){0, 2, 1, 3}, true);
}

/* A core belongs to its kind, the fastest last; what the cpuset forbids does not exist, a core that has lost one of its
 * hardware threads stays one. */
static void test_kinds(unsigned unused)
{
    (void)unused;
    static const struct dv_core expected[] = {
        {.cpu = 1, .threads = 1},
        {.cpu = 2, .threads = 1},
        {.cpu = 3, .threads = 1},
        {.cpu = 5, .threads = 1, .kind = 1},
        {.cpu = 6, .threads = 2, .kind = 1},
    };
    const struct dv_topology *host = dv_topology_get();
    if (!CHECK(host != NULL) || !CHECK_EQ(host->core_count, 5))
        return;
    CHECK_STR(host->model, "Hybrid of the tests");
    CHECK(host->synthetic);
    CHECK_EQ(host->kind_count, 2);
    CHECK_EQ(host->machine_cores, 6);
    CHECK_EQ(host->machine_threads, 8);
    for (unsigned i = 0; i < 5; i++) {
        CHECK_EQ(host->cores[i].cpu, expected[i].cpu);
        CHECK_EQ(host->cores[i].threads, expected[i].threads);
        CHECK_EQ(host->cores[i].kind, expected[i].kind);
    }
    check_placed("compact", 3, (unsigned[]){3, 4, 0}, true);
    check_placed("", 2, (unsigned[]){3, 4}, false);
    /* Numbers count the allowed cores. */
    unsigned cores[8];
    bool bound;
    CHECK_EQ(dv_topology_place("5", 1, cores, &bound), DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "from 0 to 4");
}

/* ---- The quota -------------------------------------------------------------------------------- */

static double pretended_quota = -1; /* what this process's control groups grant; negative: look */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
double __real_dv_quota_read(const char *below);
double __wrap_dv_quota_read(const char *below);
double __wrap_dv_quota_read(const char *below)
{
    return *below || pretended_quota < 0 ? __real_dv_quota_read(below) : pretended_quota;
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* By default as many cores as the quota is worth, rounded up, and never none; -1 is all of them all the same. */
static void test_quota(unsigned percent)
{
    pretended_quota = percent / 100.0;
    const struct dv_topology *host = dv_topology_get();
    if (!CHECK(host != NULL))
        return;
    unsigned granted = percent == 0 ? host->core_count : (percent + 99) / 100;
    CHECK(fabs(host->quota - percent / 100.0) < 1e-9);
    CHECK_EQ(cores_for(0), granted < host->core_count ? granted : host->core_count);
    CHECK_EQ(cores_for(-1), host->core_count);
    CHECK_EQ(cores_for((int)host->core_count), host->core_count);
    CHECK_EQ(cores_for(-2), host->core_count > 1 ? host->core_count - 1 : 1);
    /* Bound by default only where all allowed cores are used. */
    unsigned cores[4096];
    bool bound;
    CHECK_EQ(dv_topology_place("", cores_for(0), cores, &bound), DIVVY_OK);
    CHECK_EQ(bound, cores_for(0) == host->core_count);
}

/* ---- The machine as it is --------------------------------------------------------------------- */

static void *bind_and_look(void *core)
{
    unsigned index = *(unsigned *)core;
    divvy_status status = dv_topology_bind(&index, 1);
    if (status == DIVVY_UNSUPPORTED) /* some sandboxes forbid it */
        return NULL;
    CHECK_EQ(status, DIVVY_OK);
    CHECK_EQ(dv_topology_here(), index);
    CHECK_EQ(sched_getcpu(), dv_topology_get()->cores[index].cpu);
    return NULL;
}

/* A thread that was bound to a core runs there, and the others stay free. */
static void test_binding(unsigned unused)
{
    (void)unused;
    const struct dv_topology *host = dv_topology_get();
    if (!CHECK(host != NULL))
        return;
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    CHECK(!host->synthetic && host->core_count >= 1 && host->machine_cores >= host->core_count);
    CHECK(host == dv_topology_get());
    for (unsigned i = 0; i < host->core_count && i < 8; i++) {
        pthread_t thread;
        CHECK(CPU_ISSET(host->cores[i].cpu, &before));
        if (CHECK_EQ(pthread_create(&thread, NULL, bind_and_look, &i), 0))
            pthread_join(thread, NULL);
    }
    sched_getaffinity(0, sizeof after, &after);
    CHECK(CPU_EQUAL(&before, &after));
}

/* The affinity mask that a process was started with decides which cores may be used. */
static int test_mask(int cpu)
{
    const struct dv_topology *host = dv_topology_get();
    if (CHECK(host != NULL)) {
        CHECK_EQ(host->core_count, 1);
        CHECK_EQ(host->cores[0].cpu, cpu);
        CHECK_EQ(host->cores[0].threads, 1);
        CHECK(host->machine_cores >= 1);
        /* Cores outside the mask can neither be had nor be named. */
        unsigned core;
        bool bound;
        CHECK_EQ(dv_topology_thread_count(2, &core), DIVVY_LIMIT);
        CHECK_EQ(dv_topology_place("1", 1, &core, &bound), DIVVY_INVALID);
        CHECK_EQ(dv_topology_place("0", 1, &core, &bound), DIVVY_OK);
        CHECK_EQ(dv_topology_bind(&core, 1), DIVVY_OK);
    }
    return check_summary();
}

/* Starts this program again, on the last hardware thread alone. */
static void with_mask(unsigned unused)
{
    (void)unused;
    cpu_set_t mask, one;
    char cpu[16];
    sched_getaffinity(0, sizeof mask, &mask);
    int last = CPU_SETSIZE - 1;
    while (!CPU_ISSET(last, &mask))
        last--;
    CPU_ZERO(&one);
    CPU_SET(last, &one);
    snprintf(cpu, sizeof cpu, "%d", last);
    if (CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0))
        execl("/proc/self/exe", "topology_test", "mask", cpu, (char *)NULL);
    CHECK(!"started again");
}

/* ---- Control groups: trees of files ----------------------------------------------------------- */

static char root[] = "/tmp/topology_test.XXXXXX";

static void write_file(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = strchr(whole + strlen(root) + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        mkdir(whole, 0755);
        *at = '/';
    }
    FILE *file = fopen(whole, "w");
    if (CHECK(file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
}

static void fresh_tree(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s && mkdir -p %s", root, root);
    CHECK_EQ(system(command), 0);
}

#define CHECK_QUOTA(expected) CHECK(fabs(dv_quota_read(root) - (expected)) < 1e-9)

static const char mount_v2[] = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
static const char mount_v1[] = "22 20 0:5 / /proc rw - proc proc rw\n"
                               "33 30 0:28 / /sys/fs/cgroup/cpuset rw shared:9 - cgroup cgroup rw,cpuset\n"
                               "34 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n";

static void test_second_version(void)
{
    /* No files at all mean no limit. */
    fresh_tree();
    CHECK_QUOTA(0);

    /* The quota of the group itself, and "max" is none. */
    write_file("/proc/self/mountinfo", mount_v2);
    write_file("/proc/self/cgroup", "0::/app.slice/job\n");
    CHECK_QUOTA(0);
    write_file("/sys/fs/cgroup/app.slice/job/cpu.max", "max 100000\n");
    CHECK_QUOTA(0);
    write_file("/sys/fs/cgroup/app.slice/job/cpu.max", "250000 100000\n");
    CHECK_QUOTA(2.5);

    /* The least of the groups above counts, up to the mounted one. */
    write_file("/sys/fs/cgroup/app.slice/cpu.max", "75000 50000\n");
    CHECK_QUOTA(1.5);
    write_file("/sys/fs/cgroup/cpu.max", "50000 100000\n");
    CHECK_QUOTA(0.5);
    write_file("/sys/fs/cpu.max", "1000 100000\n");
    CHECK_QUOTA(0.5);

    /* In a container the path of the host names what is mounted here, or nothing here. */
    fresh_tree();
    write_file("/proc/self/mountinfo", "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    write_file("/proc/self/cgroup", "0::/docker/abc/inner\n");
    write_file("/sys/fs/cgroup/cpu.max", "400000 100000\n");
    write_file("/sys/fs/cgroup/inner/cpu.max", "300000 100000\n");
    CHECK_QUOTA(3);
    write_file("/proc/self/cgroup", "0::/docker/abcdef\n");
    CHECK_QUOTA(4);
    write_file("/proc/self/cgroup", "0::/../../elsewhere\n");
    CHECK_QUOTA(4);

    /* In a namespace of its own the process sees the top of its part, and not what lies above. */
    fresh_tree();
    write_file("/proc/self/mountinfo", mount_v2);
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    CHECK_QUOTA(1.5);
    write_file("/proc/self/mountinfo", "30 23 0:26 /../.. /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    CHECK_QUOTA(1.5);

    /* Deep groups: the least of all, wherever it is. */
    write_file("/proc/self/mountinfo", mount_v2);
    write_file("/proc/self/cgroup", "0::/a/b/c/d/e/f\n");
    write_file("/sys/fs/cgroup/cpu.max", "max 100000\n");
    write_file("/sys/fs/cgroup/a/cpu.max", "800000 100000\n");
    write_file("/sys/fs/cgroup/a/b/c/cpu.max", "3000 20000\n");
    write_file("/sys/fs/cgroup/a/b/c/d/e/f/cpu.max", "700000 100000\n");
    CHECK_QUOTA(0.15);

    /* A mount whose path has a space, which the kernel writes as an octal number; a file without an end of line. */
    fresh_tree();
    write_file("/proc/self/mountinfo", "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw\n");
    write_file("/proc/self/cgroup", "0::/job");
    write_file("/my groups/job/cpu.max", "120000 100000");
    CHECK_QUOTA(1.2);

    /* Damaged files are as good as none. */
    fresh_tree();
    write_file("/proc/self/mountinfo", mount_v2);
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/cpu.max", "garbage\n");
    CHECK_QUOTA(0);
    write_file("/sys/fs/cgroup/cpu.max", "100000 0\n");
    CHECK_QUOTA(0);
    write_file("/proc/self/mountinfo", "a line - without fields\n\n - \n");
    write_file("/proc/self/cgroup", "nothing\n");
    CHECK_QUOTA(0);
}

static void test_first_version(void)
{
    /* Version 1: the hierarchy of the controller cpu, and -1 is no limit. */
    fresh_tree();
    write_file("/proc/self/mountinfo", mount_v1);
    write_file("/proc/self/cgroup", "5:cpuset:/\n4:cpu,cpuacct:/user/job\n1:name=systemd:/user\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/job/cpu.cfs_quota_us", "-1\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/job/cpu.cfs_period_us", "100000\n");
    CHECK_QUOTA(0);
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/job/cpu.cfs_quota_us", "150000\n");
    CHECK_QUOTA(1.5);
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us", "100000\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us", "100000\n");
    CHECK_QUOTA(1);

    /* Without a period there is no limit; another one is as good as the usual one. */
    fresh_tree();
    write_file("/proc/self/mountinfo", mount_v1);
    write_file("/proc/self/cgroup", "4:cpu,cpuacct:/\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "30000\n");
    CHECK_QUOTA(0);
    write_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "40000\n");
    CHECK_QUOTA(0.75);
    write_file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "0\n");
    CHECK_QUOTA(0);

    /* In a container, where the group of the host is what is mounted. */
    write_file("/proc/self/mountinfo", "34 30 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpuacct,cpu\n");
    write_file("/proc/self/cgroup", "4:cpuacct,cpu:/docker/abc\n");
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n");
    write_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK_QUOTA(2.5);

    /* Both versions at once: the lesser counts. */
    fresh_tree();
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_quota_us", "100000\n");
    write_file("/sys/fs/cgroup/cpu,cpuacct/user/cpu.cfs_period_us", "100000\n");
    char both[1024];
    snprintf(both, sizeof both, "%s%s", mount_v1, "40 30 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    write_file("/proc/self/mountinfo", both);
    write_file("/proc/self/cgroup", "4:cpu,cpuacct:/user/job\n0::/user\n");
    write_file("/sys/fs/cgroup/unified/user/cpu.max", "50000 100000\n");
    CHECK_QUOTA(0.5);
    write_file("/sys/fs/cgroup/unified/user/cpu.max", "900000 100000\n");
    CHECK_QUOTA(1);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "mask") == 0)
        return test_mask(atoi(argv[2]));
    static const unsigned sizes[] = {1, 2, 3, 7, 16, 64, 255, 256};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char machine[64];
        snprintf(machine, sizeof machine, "pack:1 core:%u pu:1", sizes[i]);
        on_machine(machine, test_size, sizes[i]);
    }
    on_machine("pack:2 [numa] core:128 pu:1", test_size, 256);
    on_machine("pu:6", test_size, 6);
    on_machine("pack:2 [numa(memory=8589934592)] l3:1(size=33554432) l2:4(size=1048576) core:1 pu:2", test_packages, 0);
    on_machine("pack:1 numa:2 core:2 pu:1", test_numa, 0);
    on_machine(HYBRID_MACHINE, test_kinds, 0);
    static const unsigned percents[] = {0, 1, 50, 100, 101, 150, 200, 100000};
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
        on_machine(NULL, test_quota, percents[i]);
    on_machine(NULL, test_binding, 0);
    on_machine(NULL, with_mask, 0);

    if (CHECK(mkdtemp(root) != NULL)) {
        test_second_version();
        test_first_version();
        fresh_tree();
        rmdir(root);
    }
    return check_summary();
}
