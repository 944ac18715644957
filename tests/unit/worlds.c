#include "worlds.h"

#include "check.h"
#include "schedule/split.h"

#include <math.h>

/* ---- The tuning worlds ---- */

#define CORE                                                             \
    {                                                                    \
        .core = true, .fixed_ns = 2e3, .ns_per_item = 1e3, .noise = 0.03 \
    }
#define GPU(fixed, ns)                                      \
    {                                                       \
        .fixed_ns = fixed, .ns_per_item = ns, .noise = 0.03 \
    }
#define WORLD(label, shape, indices, number, ...)                                                          \
    {                                                                                                      \
        .name = label, .cost = shape, .count = indices, .device_count = number, .devices = { __VA_ARGS__ } \
    }
#define USUAL CORE, CORE, GPU(300e3, 125)

/* Two cores and a GPU eight times as fast, with something added to the description of each. */
#define CHANGED(...)                                                      \
    {.core = true, .fixed_ns = 2e3, .ns_per_item = 1e3, __VA_ARGS__},     \
        {.core = true, .fixed_ns = 2e3, .ns_per_item = 1e3, __VA_ARGS__}, \
    {                                                                     \
        .fixed_ns = 300e3, .ns_per_item = 125, __VA_ARGS__                \
    }

const struct world tuning_worlds[] = {
    WORLD("regular", COST_FLAT, 131072, 3, USUAL),
    WORLD("fast gpu", COST_FLAT, 131072, 3, CORE, CORE, GPU(300e3, 25)),
    WORLD("slow gpu", COST_FLAT, 131072, 3, CORE, CORE, GPU(300e3, 2e3)),
    WORLD("two cores", COST_FLAT, 131072, 2, CORE, CORE),
    WORLD("eight cores, two gpus", COST_FLAT, 524288, 10, CORE, CORE, CORE, CORE, CORE, CORE, CORE, CORE,
          GPU(300e3, 125), GPU(500e3, 400)),
    WORLD("big", COST_FLAT, 2097152, 3, USUAL),
    WORLD("bump", COST_BUMP, 131072, 3, USUAL),
    WORLD("ramp down", COST_DOWN, 131072, 3, USUAL),
    WORLD("ramp up", COST_UP, 131072, 3, USUAL),
    WORLD("noisy", COST_FLAT, 131072, 3, CHANGED(.noise = 0.2)),
    WORLD("spikes", COST_FLAT, 131072, 3, CHANGED(.noise = 0.03, .spikes = 0.02)),
    WORLD("core slows", COST_FLAT, 131072, 3, CORE,
          {.core = true, .fixed_ns = 2e3, .ns_per_item = 1e3, .noise = 0.03, .slows_at_ns = 5e6, .slows_by = 3},
          GPU(300e3, 125)),
    WORLD("useless gpu", COST_FLAT, 131072, 3, CORE, CORE, GPU(150e6, 125)),
    WORLD("jit", COST_FLAT, 131072, 3, CORE, CORE,
          {.fixed_ns = 300e3, .ns_per_item = 125, .noise = 0.03, .ready_ns = 50e6}),
};
const unsigned tuning_world_count = sizeof tuning_worlds / sizeof *tuning_worlds;

/* ---- Random worlds ---- */

static double log_uniform(uint64_t *random, double low, double high)
{
    return low * exp(check_uniform(random, 0, 1) * log(high / low));
}

struct world world_random(uint64_t *random)
{
    static const size_t counts[] = {64 * 512, 64 * 2048, 64 * 8192};
    struct world world = {.name = "random",
                          .cost = (enum world_cost)(check_random(random) % 6),
                          .count = counts[check_random(random) % 3]};
    unsigned cores = 1 + (unsigned)(check_random(random) % 8), others = 1 + (unsigned)(check_random(random) % 3);
    double core_ns = log_uniform(random, 100, 10000), noise = check_uniform(random, 0.02, 0.15);
    double ready_ns = check_random(random) % 2 ? 50e6 : 0;
    world.device_count = cores + others;
    for (unsigned d = 0; d < world.device_count; d++) {
        struct world_device *device = &world.devices[d];
        *device = (struct world_device){.core = d < cores, .fixed_ns = 2e3, .ns_per_item = core_ns, .noise = noise};
        if (!device->core) {
            device->fixed_ns = log_uniform(random, 10e3, 6e6);
            device->ns_per_item = core_ns * log_uniform(random, 0.02, 3);
            device->ready_ns = ready_ns;
        }
    }
    if (check_random(random) % 4 == 0) {
        world.devices[0].slows_at_ns = world_bound_ns(&world, 0) / 2;
        world.devices[0].slows_by = check_uniform(random, 1.5, 4);
    }
    return world;
}

/* ---- Costs ---- */

/* The integral over [0, x] of the cost at x, not normalised. */
static double cost_until(enum world_cost cost, double x)
{
    static const double blocks[] = {0, 1, 4, 1, 0.2, 0.2, 2, 1, 3, 0.5, 0.5, 2, 0.1, 1, 5, 1};
    const double pi = 3.14159265358979323846, width = 0.18;
    switch (cost) {
    case COST_BUMP:
        return 0.05 * x + 1.5 * width * sqrt(pi) * (erf((x - 0.5) / width) + erf(0.5 / width));
    case COST_DOWN:
        return 2 * x - 0.95 * x * x;
    case COST_UP:
        return 0.1 * x + 0.95 * x * x;
    case COST_BLOCKS: {
        double sum = 0;
        for (unsigned block = 0; block < 16 && x > block / 16.0; block++)
            sum += (0.05 + blocks[block]) * fmin(x - block / 16.0, 1 / 16.0);
        return sum;
    }
    case COST_WAVE:
        return x + 0.9 * (1 - cos(10 * pi * x)) / (10 * pi);
    default:
        return x;
    }
}

static double cost_of(const struct world *world, const struct dv_range *range)
{
    double count = (double)world->count, first = (double)range->first, end = first + (double)range->count;
    return count * (cost_until(world->cost, end / count) - cost_until(world->cost, first / count)) /
           cost_until(world->cost, 1);
}

/* ---- Devices ---- */

/* How long a device works for what takes `ns` at its nominal speed, from a moment of the job on. */
static double stretched(const struct world_device *device, double from_ns, double ns)
{
    if (device->slows_at_ns <= 0)
        return ns;
    double before = fmin(fmax(device->slows_at_ns - from_ns, 0), ns);
    return before + (ns - before) * device->slows_by;
}

/* How many indices of mean cost it computes until a moment of the job. */
static double capacity(const struct world_device *device, double elapsed_ns, double until_ns)
{
    double from = fmax(device->ready_ns - elapsed_ns, 0) + device->fixed_ns;
    double end = device->slows_at_ns > 0 ? fmin(until_ns, device->slows_at_ns) : until_ns;
    double late = fmax(until_ns - fmax(end, from), 0);
    double worked = fmax(end - from, 0) + (device->slows_at_ns > 0 ? late / device->slows_by : 0);
    return worked / device->ns_per_item;
}

double world_bound_ns(const struct world *world, double elapsed_ns)
{
    double low = 0, high = 1e18;
    for (unsigned step = 0; step < 120; step++) {
        double middle = (low + high) / 2, work = 0;
        for (unsigned d = 0; d < world->device_count; d++)
            work += capacity(&world->devices[d], elapsed_ns, middle);
        if (work < (double)world->count)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static double normal(uint64_t *random)
{
    double u = check_uniform(random, 1e-12, 1), v = check_uniform(random, 0, 6.28318530717958647692);
    return sqrt(-2 * log(u)) * cos(v);
}

static double run_ns(const struct world *world, unsigned d, double now, const struct dv_range *range, uint64_t *random)
{
    const struct world_device *device = &world->devices[d];
    double noise = exp(device->noise * normal(random));
    double spike = check_uniform(random, 0, 1) < device->spikes ? 8 : 1;
    double body = stretched(device, now, device->ns_per_item * cost_of(world, range) * noise);
    return (device->fixed_ns + body) * spike;
}

/* ---- One job ---- */

static struct world_tally tally;

struct world_tally world_tally(void)
{
    struct world_tally told = tally;
    tally = (struct world_tally){0};
    return told;
}

/* What a device does: at `at_ns` it becomes ready, or ends the partition it works on. */
struct seat {
    enum { SEAT_COMES, SEAT_WORKS, SEAT_IDLE } state;
    double at_ns;
    uint64_t began_ns;
    size_t count;
    uint64_t busy_ns; /* of the whole job */
    size_t items;
};

struct match {
    const struct world *world;
    struct dv_plan plan;
    struct dv_pace paces[WORLD_DEVICES_MAX];
    struct dv_rate rates[WORLD_DEVICES_MAX]; /* one for all cores, then one for each device */
    struct dv_split split;
    struct seat seats[WORLD_DEVICES_MAX];
    size_t unclaimed, computed;
    uint64_t random;
};

/* Positions as the workers of a real job take them. */
static bool steal_most(struct match *match, unsigned thief, size_t wanted, struct dv_range *out_range)
{
    unsigned victim = 0;
    size_t most = 0;
    for (unsigned h = 0; h < match->plan.pace_count; h++) {
        size_t left = h != thief ? dv_split_left(&match->split, h) : 0;
        if (left > most) {
            most = left;
            victim = h;
        }
    }
    return most > 0 && (match->paces[victim].core ? dv_split_take_back(&match->split, victim, wanted, out_range)
                                                  : dv_split_take_front(&match->split, victim, wanted, out_range));
}

static bool take(struct match *match, unsigned d, size_t wanted, struct dv_range *out_range)
{
    bool may_steal = match->plan.schedule != &dv_static;
    if (match->paces[d].core)
        return dv_split_take_front(&match->split, d, wanted, out_range) ||
               (may_steal && steal_most(match, d, wanted, out_range));
    if (dv_split_take_back(&match->split, d, wanted, out_range))
        return true;
    for (unsigned h = match->plan.pace_count; may_steal && h-- > 0;)
        if (h != d && dv_split_take_back(&match->split, h, wanted, out_range))
            return true;
    return false;
}

static void ask(struct match *match, unsigned d, double now)
{
    struct seat *seat = &match->seats[d];
    struct dv_range range;
    seat->state = SEAT_IDLE;
    tally.asks++;
    if (match->unclaimed == 0)
        return;
    struct dv_ask answer = match->plan.schedule->next(&match->plan, d, (uint64_t)now, match->unclaimed);
    if (answer.count == 0 || !take(match, d, answer.count, &range))
        return;
    match->unclaimed -= range.count;
    tally.partitions++;
    tally.probes += answer.reason == DV_PROBE;
    seat->state = SEAT_WORKS;
    seat->began_ns = (uint64_t)now;
    seat->count = range.count;
    seat->at_ns = now + run_ns(match->world, d, now, &range, &match->random);
}

static void arrive(struct match *match, unsigned d)
{
    struct seat *seat = &match->seats[d];
    double now = seat->at_ns;
    bool recall = false;
    if (seat->state == SEAT_COMES) {
        match->paces[d].stand = DV_HERE;
    } else {
        uint64_t ns = (uint64_t)now - seat->began_ns;
        match->computed += seat->count;
        seat->items += seat->count;
        seat->busy_ns += ns;
        if (match->plan.schedule->done)
            recall = match->plan.schedule->done(&match->plan, d, (uint64_t)now, seat->count, ns);
    }
    ask(match, d, now);
    for (unsigned other = 0; recall && other < match->plan.pace_count; other++)
        if (match->seats[other].state == SEAT_IDLE)
            ask(match, other, now);
}

/* Who comes or ends next; pace_count: nobody. */
static unsigned next_seat(const struct match *match)
{
    unsigned next = match->plan.pace_count;
    for (unsigned d = 0; d < match->plan.pace_count; d++)
        if (match->seats[d].state != SEAT_IDLE &&
            (next == match->plan.pace_count || match->seats[d].at_ns < match->seats[next].at_ns))
            next = d;
    return next;
}

/* Runs one job; its duration, or 0 if not every index was computed once. */
static double run_job(struct match *match, double elapsed_ns)
{
    const struct world *world = match->world;
    size_t sizes[WORLD_DEVICES_MAX];
    dv_plan_begin(&match->plan);
    match->plan.schedule->lay_out(&match->plan, sizes);
    dv_split_lay_out(&match->split, world->count, world->device_count, sizes);
    match->unclaimed = world->count;
    match->computed = 0;
    match->plan.latecomers = false;
    for (unsigned d = 0; d < world->device_count; d++) {
        match->seats[d] = (struct seat){SEAT_COMES, .at_ns = fmax(world->devices[d].ready_ns - elapsed_ns, 0)};
        if (match->seats[d].at_ns == 0) /* expected, before it has asked */
            match->paces[d].stand = DV_HERE;
        else
            match->plan.latecomers = true;
    }
    double end = 0;
    while (match->computed < world->count) {
        unsigned d = next_seat(match);
        if (d == world->device_count)
            return 0;
        end = match->seats[d].at_ns;
        arrive(match, d);
    }
    return match->computed == world->count ? end : 0;
}

/* What schedules that learn nothing themselves leave to the next job: the time of each class per index. */
static void learn_from_tallies(struct match *match)
{
    for (unsigned r = 0; r < match->plan.rate_count; r++) {
        uint64_t busy_ns = 0;
        size_t items = 0;
        for (unsigned d = 0; d < match->plan.pace_count; d++) {
            busy_ns += match->paces[d].rate == r ? match->seats[d].busy_ns : 0;
            items += match->paces[d].rate == r ? match->seats[d].items : 0;
        }
        if (items > 0)
            match->rates[r] = (struct dv_rate){.ns_per_item = (double)busy_ns / (double)items,
                                               .uncertainty = 0.25,
                                               .samples = match->rates[r].samples + 1};
    }
}

void world_run(const struct world *world, const struct dv_schedule *schedule, uint64_t seed, unsigned job_count,
               double *out_efficiencies)
{
    struct match match = {.world = world, .random = seed};
    match.plan = (struct dv_plan){.schedule = schedule,
                                  .count = world->count,
                                  .pace_count = world->device_count,
                                  .paces = match.paces,
                                  .rate_count = 1,
                                  .rates = match.rates};
    for (unsigned d = 0; d < world->device_count; d++) {
        const struct world_device *device = &world->devices[d];
        match.paces[d] = (struct dv_pace){.rate = device->core ? 0 : match.plan.rate_count++,
                                          .core = device->core,
                                          .fixed_ns = device->fixed_ns,
                                          .granule = WORLD_GRANULE};
        if (world->misstated > 0 && !device->core)
            match.paces[d].fixed_ns *= world->misstated;
    }
    dv_split_init(&match.split);
    double elapsed_ns = 0;
    for (unsigned job = 0; job < job_count; job++) {
        for (unsigned r = 1; r < match.plan.rate_count && world->stale > 0 && job + 1 == job_count; r++)
            match.rates[r].ns_per_item *= world->stale;
        double bound_ns = world_bound_ns(world, elapsed_ns), ns = run_job(&match, elapsed_ns);
        out_efficiencies[job] = ns > 0 ? bound_ns / ns : 0;
        elapsed_ns += ns;
        if (schedule != &dv_guarded)
            learn_from_tallies(&match);
    }
    dv_split_fini(&match.split);
}
