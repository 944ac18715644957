#include "schedule/progress.h"

#include "base/clock.h"
#include "base/log.h"
#include "schedule/worker.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The line begins to show when a job has lasted this long, and moves on this often. */
static const uint64_t PATIENCE_NS = 1000000000, STEP_NS = 100000000;

/* What the terminal line remembers; one line at a time per process is enough. */
static _Atomic uint64_t last_line_ns;

static void draw_line(void *progress_arg, size_t done, size_t count)
{
    struct dv_job *job = progress_arg;
    uint64_t now = dv_now_ns(), last = atomic_load(&last_line_ns);
    bool shown = last > job->submitted_ns;
    if (count == 0 || (now - job->submitted_ns < PATIENCE_NS && !shown))
        return;
    if (done < count && now - last < STEP_NS)
        return;
    atomic_store(&last_line_ns, now);
    double part = (double)done / (double)count, seconds = (double)(now - job->submitted_ns) / 1e9;
    char bar[31] = "..............................";
    for (int k = 0; k < (int)(part * 30); k++)
        bar[k] = '#';
    char name[sizeof job->name];
    memcpy(name, job->name, sizeof name);
    dv_log_clean(name, "");
    fprintf(stderr, "\r%s [%s] %3.0f %%  %.0f s, %.0f s left %s", name, bar, part * 100, seconds,
            part > 0 ? seconds * (1 - part) / part : 0, done == count ? "\n" : "");
}

void dv_progress_attach(struct dv_job *job)
{
    enum dv_progress wanted = job->crew->settings.progress;
    if (job->on_progress || job->parent || wanted == DV_PROGRESS_OFF)
        return;
    static atomic_int terminal; /* 1 no, 2 yes */
    if (wanted == DV_PROGRESS_AUTO && atomic_load(&terminal) == 0)
        atomic_store(&terminal, isatty(STDERR_FILENO) ? 2 : 1);
    if (wanted == DV_PROGRESS_ON || atomic_load(&terminal) == 2) {
        job->on_progress = draw_line;
        job->progress_arg = job;
    }
}

static void call(struct dv_job *job, size_t done)
{
    struct dv_here *here = dv_here();
    bool before = here->telling;
    here->telling = true;
    job->on_progress(job->progress_arg, done, job->count);
    here->telling = before;
}

void dv_progress_tell(struct dv_job *job)
{
    if (!job->on_progress || atomic_exchange(&job->telling, true))
        return;
    size_t pending = atomic_load(&job->pending), done = pending < job->count ? job->count - pending : 0;
    if (done > atomic_load(&job->told) && done < job->count && !atomic_load(&job->stopped)) {
        atomic_store(&job->told, done);
        call(job, done);
    }
    atomic_store(&job->telling, false);
}

void dv_progress_end(struct dv_job *job)
{
    if (!job->on_progress)
        return;
    while (atomic_exchange(&job->telling, true))
        sched_yield();
    if (job->status == DIVVY_OK)
        call(job, job->count);
    atomic_store(&job->telling, false);
}
