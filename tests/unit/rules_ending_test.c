/* The process ends while a driver is being loaded, or builds, and nobody waits for it any more: the end does. Each case is
 * a child, which ends by itself. */
#include "fork.h"
#include "rules.h"

#include "rules.cl"

#include <sys/wait.h>

enum { COUNT = 200000 };

static const uint64_t A_WHILE_NS = 1000000000;

/* Work that is worth looking for help. */
static void work_a_little(divvy *dv)
{
    static int hits[COUNT];
    long total, least, most;
    divvy_status status = divvy_run(dv, mark, COUNT, .turns = 20000, .hits = hits, .total = &total, .least = &least,
                                    .most = &most, .with = {.timeout_ns = 30000000});
    CHECK(status == DIVVY_OK || status == DIVVY_TIMED_OUT);
}

static void end_while_probing(void)
{
    fake_at(0)->probe_slow_ns = A_WHILE_NS;
    divvy *dv = OPEN(.backend = "cpu,fake");
    for (int k = 0; k < 1000 && !fake_at(0)->probed; k++)
        work_a_little(dv);
    CHECK_EQ(fake_at(0)->probed, 1);
    divvy_close(dv);
}

static void end_while_building(void)
{
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0", .schedule = "dynamic");
    STATUS(DIVVY_OK, divvy_prepare(dv, toil));
    fake_at(0)->open_slow_ns = A_WHILE_NS;
    int builds = fake_at(0)->loading;
    for (int k = 0; k < 1000 && fake_at(0)->loading == builds; k++)
        work_a_little(dv);
    CHECK_EQ(fake_at(0)->loading, builds + 1);
    divvy_close(dv);
}

/* Nobody closes the default context. */
static void end_in_default(void)
{
    setenv("DIVVY_BACKEND", "cpu,fake", 1);
    setenv("DIVVY_PLUGIN_PATH", FAKE_FOLDER, 1);
    fake_at(0)->probe_slow_ns = A_WHILE_NS;
    for (int k = 0; k < 1000 && !fake_at(0)->probed; k++)
        work_a_little(NULL);
    CHECK_EQ(fake_at(0)->probed, 1);
}

static void check_end(void (*end)(void))
{
    pid_t child = check_fork();
    if (child == 0) {
        limit_time(20);
        end();
        exit(check_summary());
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

int main(void)
{
    check_end(end_while_probing);
    check_end(end_while_building);
    check_end(end_in_default);
    return check_summary();
}
