/* The memory of a job is used again by the next one, which may be the very same call: what has changed meanwhile is not
 * forgotten. Step by step, since it matters what happens while a job is being made. */
#include "base/options.h"
#include "rules.h"
#include "schedule/crew.h"
#include "schedule/pool.h"

#include "rules.cl"

enum { COUNT = 4000, TURNS = 500 }; /* long enough for a device to come */

static uint expected[COUNT];

/* A crew of one core, and of devices that are a part of the fake ones or may be found later. */
static void open_crew(const char *devices, const char *schedule, struct dv_crew *crew)
{
    struct dv_settings settings;
    fake_behave();
    CHECK_EQ(dv_settings_read(&(divvy_options){.backend = "cpu,fake",
                                               .devices = devices,
                                               .threads = 1,
                                               .plugin_path = FAKE_FOLDER,
                                               .schedule = schedule,
                                               .models = "off",
                                               .log = "error"},
                              &settings),
             DIVVY_OK);
    CHECK_EQ(dv_crew_open(&settings, crew), DIVVY_OK);
}

static struct dv_job *make(struct dv_crew *crew, uint *y)
{
    const struct toil_args args = {.turns = TURNS, .y = y};
    struct dv_job *job = dv_job_make(crew, &toil_kernel, COUNT, &args, sizeof args, NULL, -1);
    CHECK(job && job->status == DIVVY_OK);
    return job;
}

static struct dv_member *device_of(struct dv_job *job)
{
    return &job->members[job->crew->core_count];
}

static void see_through(struct dv_job *job)
{
    bool free;
    CHECK_EQ(dv_pool_publish(job, false, &free), DIVVY_OK);
    dv_pool_wait(job, &(struct dv_place){.core = -1});
    CHECK_EQ(job->status, DIVVY_OK);
    job->future_held = false;
    dv_job_release(job);
}

/* Runs it; each index is computed. */
static void run(struct dv_job *job, uint *y)
{
    memset(y, 0xee, COUNT * sizeof *y);
    dv_pool_hire_first(job->crew);
    see_through(job);
    size_t wrong = 0;
    for (uint i = 0; i < COUNT; i++)
        wrong += y[i] != expected[i];
    CHECK_EQ(wrong, 0);
}

/* A job in whose memory the device has already worked, so that it is there from the start. */
static struct dv_job *make_ready(struct dv_crew *crew, uint *y)
{
    struct dv_job *job = make(crew, y);
    for (int ms = 0; ms < 10000 && atomic_load(&device_of(job)->standing) != DV_READY; ms++) {
        run(job, y);
        sleep_ms(1);
        job = make(crew, y);
    }
    CHECK_EQ(atomic_load(&device_of(job)->standing), DV_READY);
    return job;
}

/* Its device was retired after the job had been made, before it was in flight. */
static void check_retired(void)
{
    struct dv_crew crew;
    uint y[COUNT], other[COUNT];
    open_crew("cpu,fake:0", "dynamic", &crew);
    struct dv_job *job = make_ready(&crew, y);
    fake_at(FAKE_STAGED)->fail_start = 1;
    for (int ms = 0; ms < 10000 && fake_at(FAKE_STAGED)->closed == 0; ms++) {
        run(make(&crew, other), other);
        sleep_ms(1);
    }
    CHECK_EQ(fake_at(FAKE_STAGED)->closed, 1);
    run(job, y);
    CHECK(dv_crew_close(&crew));
}

/* What a device has memory for is told in whole granules each time. */
static void check_cap(void)
{
    struct dv_crew crew;
    uint y[COUNT];
    open_crew("cpu,fake:1", "dynamic", &crew);
    crew.units[1]->facts.max_slice_bytes = 250 * sizeof(uint); /* the device computes in multiples of 64 */
    for (int k = 0; k < 3; k++) {
        struct dv_job *job = make_ready(&crew, y);
        CHECK_EQ(job->plan.paces[1].cap, 192);
        run(job, y);
    }
    CHECK(dv_crew_close(&crew));
}

/* A device that has the kernel by now comes at once, whichever job's memory it is. */
static void check_built_meanwhile(void)
{
    struct dv_crew crew;
    uint y[3][COUNT];
    struct dv_job *jobs[3];
    open_crew("cpu,fake:0", "guarded", &crew);
    for (int again = 0; again < 2; again++) {
        for (unsigned k = 0; k < 3; k++)
            jobs[k] = make(&crew, y[k]);
        for (unsigned k = 0; k < 3; k++) {
            CHECK_EQ(atomic_load(&device_of(jobs[k])->standing) != DV_WAITING, again);
            CHECK_EQ(jobs[k]->latecomers, !again);
            run(jobs[k], y[k]);
        }
        see_through(dv_job_make_preparing(&crew, &toil_kernel));
    }
    CHECK(dv_crew_close(&crew));
}

/* Nobody is waited for once it is known that nobody will come. */
static void check_none_found(void)
{
    struct dv_crew crew;
    uint y[COUNT];
    open_crew(NULL, "guarded", &crew);
    struct dv_job *job = make(&crew, y);
    CHECK(job->latecomers && job->joinable);
    run(job, y);
    atomic_store(&crew.unprobed, 0); /* as if there were no fakes */
    job = make(&crew, y);
    CHECK(!job->latecomers && !job->joinable);
    run(job, y);
    CHECK(dv_crew_close(&crew));
}

int main(void)
{
    limit_time(30);
    for (uint i = 0; i < COUNT; i++) {
        expected[i] = i;
        for (int turn = 0; turn < TURNS; turn++)
            expected[i] = expected[i] * 1664525u + 1013904223u;
    }
    check_retired();
    check_cap();
    check_built_meanwhile();
    check_none_found();
    return check_summary();
}
