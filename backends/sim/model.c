#include "model.h"

#include "cost.h"
#include "random.h"

#include <math.h>

/* Durations longer than a century are as good as that. */
static const double LONGEST_NS = 3.2e18;

static uint64_t whole_ns(double ns)
{
    return ns < LONGEST_NS ? (uint64_t)(ns + 0.5) : (uint64_t)LONGEST_NS;
}

/* The moment `ns` after another; what begins never ends never. */
static uint64_t after(uint64_t moment, uint64_t ns)
{
    return moment <= MODEL_NEVER - ns ? moment + ns : MODEL_NEVER;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ---- What goes wrong -------------------------------------------------------------------------- */

/* Whether the n-th of these steps fails. */
static bool fails(const struct model *model, enum scenario_step step, uint64_t n)
{
    const struct scenario_fail *fail = &model->device->fail;
    if (fail->at == 0 || fail->on != step || n < fail->at)
        return false;
    return n == fail->at || (fail->every && (n - fail->at) % fail->every == 0);
}

/* The moment from which on everything fails. */
static uint64_t lost_ns(const struct model *model)
{
    double from = model->device->lost.from_ns;
    return model->lost ? 0 : from > 0 ? after(model->open_ns, whole_ns(from)) : MODEL_NEVER;
}

/* ---- Before launches -------------------------------------------------------------------------- */

void model_init(struct model *model, const struct scenario *scenario, const struct scenario_device *device)
{
    *model = (struct model){
        .device = device,
        .random = random_stream(scenario->seed, (uint64_t)(device - scenario->devices)),
    };
}

bool model_open(struct model *model, uint64_t now_ns, uint64_t *out_end_ns)
{
    *out_end_ns = model->open_ns = after(now_ns, whole_ns(model->device->open_ns));
    return !fails(model, SCENARIO_OPEN, ++model->opens);
}

bool model_build(struct model *model, uint64_t now_ns, uint64_t *out_end_ns)
{
    *out_end_ns = after(now_ns, whole_ns(model->device->build_ns));
    return !fails(model, SCENARIO_BUILD, ++model->builds) && *out_end_ns < lost_ns(model);
}

/* ---- Launches --------------------------------------------------------------------------------- */

/* How long it works for what takes `ns` at its usual speed, from a moment on. */
static double slowed(const struct model *model, const struct model_launch *launch, uint64_t begin_ns, double ns)
{
    const struct scenario_device *device = model->device;
    if (device->slowdown.times == 1)
        return ns;
    uint64_t since = device->slowdown.since == SCENARIO_SINCE_OPEN ? model->open_ns : launch->job_ns;
    double elapsed = begin_ns > since ? (double)(begin_ns - since) : 0;
    double before = fmin(fmax(device->slowdown.from_ns - elapsed, 0), ns);
    return before + (ns - before) * device->slowdown.times;
}

static double run_ns(const struct model *model, const struct model_launch *launch, uint64_t begin_ns, uint64_t random)
{
    const struct scenario_device *device = model->device;
    double work = cost_of(&launch->kernel->cost, launch->first, launch->count, launch->total);
    double noise = exp(device->noise * random_normal(&random));
    double spike = random_uniform(&random) < device->spikes.probability ? device->spikes.times : 1;
    double body = device->ns_per_item * launch->kernel->times * work * noise;
    return (device->fixed_ns + slowed(model, launch, begin_ns, body)) * spike;
}

static uint64_t copy_ns(const struct scenario_device *device, double bytes, double bytes_per_s)
{
    if (!(bytes > 0))
        return 0;
    return whole_ns(device->latency_ns + (bytes_per_s > 0 ? bytes * 1e9 / bytes_per_s : 0));
}

/* One engine takes the next piece of work when the piece is ready and it is free. */
static uint64_t engage(uint64_t *free_ns, uint64_t ready_ns, uint64_t ns)
{
    *free_ns = after(later(*free_ns, ready_ns), ns);
    return *free_ns;
}

struct model_course model_launch(struct model *model, uint64_t now_ns, const struct model_launch *launch)
{
    const struct scenario_device *device = model->device;
    uint64_t n = ++model->launches, random = random_stream(model->random, n);
    model->lost = model->lost || (device->lost.at && n >= device->lost.at);
    if (now_ns >= lost_ns(model) || fails(model, SCENARIO_LAUNCH, n))
        return (struct model_course){.outcome = MODEL_REFUSED, .end_ns = now_ns};

    struct model_course course = {
        .outcome = fails(model, SCENARIO_RUN, n) ? MODEL_FAILED : MODEL_DONE,
        .copy_in_ns = copy_ns(device, launch->bytes_in, device->upload_bytes_per_s),
        .jit_ns = launch->first_of_kernel ? whole_ns(device->jit_ns) : 0,
        .copy_out_ns = copy_ns(device, launch->bytes_out, device->download_bytes_per_s),
    };
    uint64_t copied = engage(&model->upload_free_ns, now_ns, course.copy_in_ns);
    uint64_t begin = later(copied, model->run_free_ns);
    course.run_ns = whole_ns(run_ns(model, launch, begin, random));
    uint64_t busy = after(course.jit_ns, course.run_ns);
    if (n == device->hang.at)
        busy = device->hang.for_ns > 0 ? after(busy, whole_ns(device->hang.for_ns)) : MODEL_NEVER;
    uint64_t computed = engage(&model->run_free_ns, copied, busy);
    course.end_ns = engage(&model->download_free_ns, computed, course.copy_out_ns);
    if (lost_ns(model) < course.end_ns) { /* while it works on this */
        course.outcome = MODEL_FAILED;
        course.end_ns = lost_ns(model);
    }
    return course;
}

void model_delay(struct model *model, uint64_t now_ns)
{
    if (model->run_free_ns < now_ns)
        model->run_free_ns = now_ns;
}
