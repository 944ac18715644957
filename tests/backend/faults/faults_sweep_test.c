/* For the calls that the opencl backend makes in the life of a context, one by one: exactly that one fails, with a code,
 * by its event, with nonsense for times, with a short answer, and for good.
 *
 *     faults_sweep_test [STEP]    1: every call; else every so many-th, since most of a life repeats itself */
#include "life.h"

enum { CALLS_MAX = 20000 };

/* The n-th call fails, for n = 1, 2 ... until no call is left. `step`: only every so many-th. */
static void sweep(struct life life, const char *what, unsigned first, unsigned step)
{
    uint64_t lives = 0, refused = 0, failed = 0, longest = 0;
    for (unsigned n = first; n < CALLS_MAX; n += step) {
        char plan[64];
        snprintf(plan, sizeof plan, "slow=2,*:%u=%s", n, what);
        life.plan = plan;
        life.may_leave = strcmp(what, "lost") == 0;
        struct after after = life_live(&life);
        lives++;
        refused += after.refused;
        failed += after.failed;
        longest = after.calls > longest ? after.calls : longest;
        if (after.injected == 0)
            break;
    }
    printf("%-14s %-8s %-20s %5llu lives, %5llu devices failed, %5llu jobs refused, up to %llu calls\n", life.devices,
           life.schedule, what, (unsigned long long)lives, (unsigned long long)failed, (unsigned long long)refused,
           (unsigned long long)longest);
}

int main(int argc, char **argv)
{
    static const char *const whats[] = {"CL_OUT_OF_RESOURCES", "CL_INVALID_VALUE", "event", "times", "short", "lost"};
    const struct life alone = {.devices = "opencl:0", .schedule = "dynamic"};
    const struct life beside = {.devices = "cpu,opencl:0", .schedule = "static"};
    const unsigned step = argc > 1 ? (unsigned)atoi(argv[1]) : SWEEP_STEP;
    life_begin();

    /* Without faults everything is right, twice: first the kernels are built, then they come from the cache. */
    for (int k = 0; k < 2; k++) {
        CHECK_EQ(life_live(&alone).refused, 0);
        CHECK_EQ(life_live(&beside).failed, 0);
    }
    for (unsigned w = 0; w < sizeof whats / sizeof *whats; w++) {
        bool few = strcmp(whats[w], "event") == 0; /* a tenth of the calls, and each of them matters */
        sweep(alone, whats[w], few ? 1 : 1 + w % step, few ? 1 : step);
        sweep(beside, whats[w], few ? 1 : 1 + w % step, few ? 1 : step);
    }
    life_report(0);
    int lived = life_end();
    return check_summary() || lived;
}
