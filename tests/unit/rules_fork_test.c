/* fork: what the parent has opened is of no use in the child, which opens anew; the parent notices nothing. */
#include "rules.h"

#include "rules.cl"

#include <sys/wait.h>

static bool works(divvy *dv)
{
    enum { COUNT = 20000 };
    static int hits[COUNT];
    long total, least, most;
    memset(hits, 0, sizeof hits);
    bool right = divvy_run(dv, mark, COUNT, .hits = hits, .total = &total, .least = &least, .most = &most) == DIVVY_OK;
    for (int i = 0; i < COUNT; i++)
        right = right && hits[i] == 1;
    return right && total == (long)COUNT * (COUNT - 1) / 2;
}

/* What the child finds, told by its exit status through check_summary. */
static int be_child(divvy *dv, divvy_future *future)
{
    limit_time(30);
    uint y[10];
    // Every call on what was opened before is refused, with the reason; nothing hangs.
    STATUS(DIVVY_INVALID, divvy_run(dv, toil, 10, .turns = 1, .y = y));
    CHECK_HAS(divvy_error(), "opened before fork");
    STATUS(DIVVY_INVALID, divvy_wait(divvy_submit(dv, toil, 10, .turns = 1, .y = y)));
    CHECK_HAS(divvy_error(), "opened before fork");
    STATUS(DIVVY_INVALID, divvy_prepare(dv, toil));
    STATUS(DIVVY_INVALID, divvy_device_at(dv, 0, &(divvy_device){0}));
    CHECK_EQ(divvy_device_count(dv), 0);
    CHECK(divvy_last(dv) == NULL);
    STATUS(DIVVY_INVALID, divvy_wait(future));
    CHECK_HAS(divvy_error(), "opened before fork");
    // The default context is a new one here, and new contexts open.
    CHECK(works(NULL));
    CHECK(works(NULL));
    divvy *fresh = OPEN(.backend = "cpu", .threads = 2);
    CHECK(works(fresh));
    // Closing the old one in the middle does no harm.
    divvy_close(dv);
    CHECK(works(fresh));
    divvy_close(fresh);
    CHECK(works(NULL));
    divvy_close(NULL);
    return check_summary();
}

int main(void)
{
#if defined(__SANITIZE_THREAD__)
    return CHECK_SKIP; // ThreadSanitizer knows no threads in the child of a process with threads
#endif
    limit_time(60);
    setenv("DIVVY_BACKEND", "cpu", 1);
    CHECK(works(NULL));
    divvy *dv = OPEN(.backend = "cpu,fake", .devices = "cpu,fake:0");
    CHECK(works(dv));
    static uint y[2000000];
    for (int k = 0; k < 3; k++) {
        divvy_future *future = divvy_submit(dv, toil, 2000000, .turns = 20, .y = y);
        pid_t child = fork();
        if (child == 0)
            _exit(be_child(dv, future));
        int status = -1;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        STATUS(DIVVY_OK, divvy_wait(future));
        CHECK_EQ(y[0] != 0, 1);
        CHECK(works(dv));
        CHECK(works(NULL));
    }
    divvy_close(dv);
    return check_summary();
}
