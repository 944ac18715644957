#include "schedule/world.h"

#include "base/random.h"

/* ---- The kernel ---- */

double dv_world_cost(const struct dv_world_kernel *kernel, size_t first, size_t count)
{
    if (!kernel->cost_until)
        return (double)count;
    double all = (double)kernel->count, begin = (double)first / all, end = (double)(first + count) / all;
    double share = (kernel->cost_until(kernel->cost, end) - kernel->cost_until(kernel->cost, begin)) /
                   kernel->cost_until(kernel->cost, 1);
    return share > 0 ? share * all : 0;
}

static double copy_ns(const struct dv_world_device *device, double bytes, double bytes_per_s)
{
    if (!device->staged || !(bytes > 0))
        return 0;
    return device->latency_ns + (bytes_per_s > 0 ? bytes * 1e9 / bytes_per_s : 0);
}

static double capped(double cap, double bytes, double bytes_per_item)
{
    return bytes_per_item > 0 ? fmin(cap, fmax(floor(bytes / bytes_per_item), 1)) : cap;
}

/* As a job reckons: three quarters of the memory, shared by the partitions in flight. */
size_t dv_world_cap(const struct dv_world *world, unsigned d)
{
    const struct dv_world_device *device = &world->devices[d];
    const struct dv_world_kernel *kernel = &world->kernel;
    double cap = HUGE_VAL, slice = (double)device->max_slice_bytes;
    if (device->max_slice_bytes)
        cap = capped(capped(cap, slice, kernel->bytes_in), slice, kernel->bytes_out);
    if (device->memory_bytes) {
        double room = fmax((double)device->memory_bytes * 0.75 - (double)kernel->bytes_all, 0);
        cap = capped(cap, room / (device->depth > 1 ? 2 : 1), kernel->bytes_in + kernel->bytes_out);
    }
    return cap < (double)kernel->count ? (size_t)cap : 0;
}

/* ---- What goes wrong ---- */

static bool fails(const struct dv_world_device *device, enum dv_world_step step, uint64_t n)
{
    const struct dv_world_fail *fail = &device->fail;
    if (fail->at == 0 || fail->on != step || n < fail->at)
        return false;
    return n == fail->at || (fail->every && (n - fail->at) % fail->every == 0);
}

/* The moment from which on everything fails. */
static double lost_ns(const struct dv_world_device *device, const struct dv_world_past *past)
{
    double from = device->lost.from_ns;
    return past->lost ? 0 : from > 0 ? device->open_ns + from : HUGE_VAL;
}

/* ---- Launches ---- */

struct dv_world_past dv_world_open(const struct dv_world *world, unsigned d, uint64_t seed)
{
    const struct dv_world_device *device = &world->devices[d];
    struct dv_world_past past = {.random = dv_random_stream(seed, d), .ready_ns = device->open_ns + device->build_ns};
    if (fails(device, DV_WORLD_OPEN, 1) || fails(device, DV_WORLD_BUILD, 1) || past.ready_ns >= lost_ns(device, &past))
        past.ready_ns = HUGE_VAL;
    return past;
}

static double slow_from_ns(const struct dv_world_device *device, double job_ns)
{
    if (!(device->slowdown.times > 0) || device->slowdown.times == 1)
        return HUGE_VAL;
    return device->slowdown.from_ns + (device->slowdown.since_open ? device->open_ns : job_ns);
}

/* How long it works for what takes `ns` at its usual speed, from a moment on. */
static double slowed(const struct dv_world_device *device, double job_ns, double begin_ns, double ns)
{
    double before = fmin(fmax(slow_from_ns(device, job_ns) - begin_ns, 0), ns);
    return before + (ns > before ? (ns - before) * device->slowdown.times : 0);
}

static double run_ns(const struct dv_world *world, unsigned d, double job_ns, double begin_ns, double cost,
                     uint64_t random)
{
    const struct dv_world_device *device = &world->devices[d];
    double noise = device->noise > 0 ? exp(device->noise * dv_random_normal(&random)) : 1;
    double spike = dv_random_uniform(&random, 0, 1) < device->spikes.probability ? device->spikes.times : 1;
    return (device->fixed_ns + slowed(device, job_ns, begin_ns, device->ns_per_item * cost * noise)) * spike;
}

/* One engine takes the next piece of work when the piece is ready and it is free. */
static double engage(double *free_ns, double ready_ns, double ns)
{
    return *free_ns = fmax(*free_ns, ready_ns) + ns;
}

struct dv_world_course dv_world_launch(const struct dv_world *world, unsigned d, struct dv_world_past *past,
                                       double job_ns, double now_ns, size_t first, size_t count)
{
    const struct dv_world_device *device = &world->devices[d];
    const struct dv_world_kernel *kernel = &world->kernel;
    uint64_t n = ++past->launches;
    past->lost = past->lost || (device->lost.at && n >= device->lost.at);
    if (now_ns >= lost_ns(device, past) || fails(device, DV_WORLD_LAUNCH, n))
        return (struct dv_world_course){.outcome = DV_WORLD_REFUSED, .end_ns = now_ns};

    double in = kernel->bytes_in * (double)count + (past->has_all ? 0 : (double)kernel->bytes_all);
    double out = kernel->bytes_out * (double)count;
    past->has_all = true;
    struct dv_world_course course = {.outcome = fails(device, DV_WORLD_RUN, n) ? DV_WORLD_FAILED : DV_WORLD_DONE,
                                     .copy_in_ns = copy_ns(device, in, device->upload_bytes_per_s),
                                     .jit_ns = n == 1 ? device->jit_ns : 0,
                                     .copy_out_ns = copy_ns(device, out, device->download_bytes_per_s),
                                     .bytes = device->staged ? in + out : 0};
    double copied = engage(&past->upload_free_ns, now_ns, course.copy_in_ns);
    double begin = fmax(copied, past->run_free_ns), cost = dv_world_cost(kernel, first, count);
    course.run_ns = run_ns(world, d, job_ns, begin, cost, dv_random_stream(past->random, n));
    double hangs = n != device->hang.at ? 0 : device->hang.for_ns > 0 ? device->hang.for_ns : HUGE_VAL;
    double computed = engage(&past->run_free_ns, copied, course.jit_ns + course.run_ns + hangs);
    course.end_ns = engage(&past->download_free_ns, computed, course.copy_out_ns);
    if (lost_ns(device, past) < course.end_ns) { /* while it works on this */
        course.outcome = DV_WORLD_FAILED;
        course.end_ns = lost_ns(device, past);
    }
    return course;
}

/* ---- The bound ---- */

/* A device during one job, as straight lines: it works from begin_ns to end_ns, slower from slow_ns on. */
struct ability {
    double begin_ns, slow_ns, end_ns;
    double ns_per_item, slow_ns_per_item;
};

static double item_ns(const struct dv_world *world, const struct dv_world_device *device, double times)
{
    const struct dv_world_kernel *kernel = &world->kernel;
    double run = device->ns_per_item * times;
    double in = copy_ns(device, kernel->bytes_in, device->upload_bytes_per_s);
    double out = copy_ns(device, kernel->bytes_out, device->download_bytes_per_s);
    in = fmax(in - device->latency_ns, 0);
    out = fmax(out - device->latency_ns, 0);
    return fmax(device->depth > 1 ? fmax(run, fmax(in, out)) : run + in + out, 1e-6);
}

/* What its next launch would be: one that never gives a result? */
static bool is_useless(const struct dv_world_device *device, const struct dv_world_past *past)
{
    uint64_t n = past->launches + 1;
    return past->ready_ns == HUGE_VAL || past->lost || (device->lost.at && n >= device->lost.at) ||
           fails(device, DV_WORLD_LAUNCH, n) || fails(device, DV_WORLD_RUN, n) ||
           (n == device->hang.at && !(device->hang.for_ns > 0));
}

static struct ability ability_of(const struct dv_world *world, unsigned d, const struct dv_world_past *past,
                                 double job_ns)
{
    const struct dv_world_device *device = &world->devices[d];
    const struct dv_world_kernel *kernel = &world->kernel;
    double begin = is_useless(device, past) ? HUGE_VAL : fmax(job_ns, fmax(past->ready_ns, past->run_free_ns));
    begin += device->fixed_ns + (past->launches ? 0 : device->jit_ns);
    begin += copy_ns(device, (double)kernel->bytes_all, device->upload_bytes_per_s);
    return (struct ability){.begin_ns = begin,
                            .slow_ns = slow_from_ns(device, job_ns),
                            .end_ns = lost_ns(device, past),
                            .ns_per_item = item_ns(world, device, 1),
                            .slow_ns_per_item = item_ns(world, device, device->slowdown.times)};
}

static double items_until(const struct ability *able, double moment_ns)
{
    double end = fmin(moment_ns, able->end_ns), turn = fmin(end, able->slow_ns);
    double fast = fmax(turn - able->begin_ns, 0), slow = fmax(end - fmax(able->slow_ns, able->begin_ns), 0);
    return fast / able->ns_per_item + (slow > 0 ? slow / able->slow_ns_per_item : 0);
}

double dv_world_bound_ns(const struct dv_world *world, const struct dv_world_past *pasts, double job_ns)
{
    double low = 0, high = 1;
    for (bool enough = false; !enough || high - low > low * 1e-9;) {
        double middle = enough ? (low + high) / 2 : high, items = 0;
        for (unsigned d = 0; d < world->device_count; d++) {
            struct ability able = ability_of(world, d, &pasts[d], job_ns);
            items += items_until(&able, job_ns + middle);
        }
        bool fits = items >= (double)world->kernel.count;
        if (fits)
            high = middle;
        else
            low = middle;
        if (!enough && !fits)
            high *= 4;
        enough = enough || fits;
        if (high > 1e20)
            return HUGE_VAL;
    }
    return high;
}
