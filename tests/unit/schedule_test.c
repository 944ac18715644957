/* Schedules through their hook: what every one keeps to whatever the plan, and what each is known for. */
#include "schedule/schedule.h"

#include "check.h"

#include <math.h>

enum { DEVICES_MAX = 16, PARTS_MAX = 40 };

static const struct dv_schedule *const *const schedules = dv_schedules;
enum { SCHEDULES = 11 };

/* Linked with --wrap=malloc and so on: counts what the schedules allocate. */
static size_t allocations;
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}
void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations++;
    return __real_calloc(count, bytes);
}
void *__wrap_realloc(void *old, size_t bytes)
{
    allocations++;
    return __real_realloc(old, bytes);
}

/* A plan, what its devices are really like, and what they do. */
struct game {
    struct dv_plan plan;
    struct dv_pace paces[DEVICES_MAX];
    struct dv_rate rates[DEVICES_MAX];
    struct dv_part parts[PARTS_MAX];
    size_t part_left[PARTS_MAX];
    double true_ns[DEVICES_MAX];
    size_t working[DEVICES_MAX]; /* indices; 0: idle */
    double since[DEVICES_MAX], until[DEVICES_MAX];
    bool came[DEVICES_MAX], refused[DEVICES_MAX];
    size_t remaining;
    double now;
    uint64_t random;
};

static size_t draw_count(uint64_t *random, double most)
{
    return (size_t)exp(check_uniform(random, 0, log(most)));
}

/* Boundaries somewhere, and each part some device's that takes part. */
static void record_parts(struct game *game, uint64_t *random)
{
    struct dv_plan *plan = &game->plan;
    size_t first = 0;
    plan->parts = game->parts;
    while (first < plan->count) {
        size_t left = plan->count - first, size = 1 + check_random(random) % left;
        unsigned d = (unsigned)(check_random(random) % plan->pace_count), part = plan->part_count++;
        size = part == PARTS_MAX - 1 ? left : size;
        d = game->paces[d].out ? 0 : d;
        game->parts[part] = (struct dv_part){.first = first, .count = size, .next = game->paces[d].first_part};
        game->part_left[part] = size;
        game->paces[d].first_part = part + 1;
        first += size;
    }
}

static void draw(struct game *game, const struct dv_schedule *schedule, uint64_t *random)
{
    static const size_t granules[] = {1, 1, 8, 64, 100, 256};
    *game = (struct game){.random = check_random(random)};
    random = &game->random;
    unsigned devices = 1 + (unsigned)(check_random(random) % DEVICES_MAX);
    unsigned cores = (unsigned)(check_random(random) % (devices + 1));
    game->plan = (struct dv_plan){.schedule = schedule,
                                  .count = draw_count(random, 1e6),
                                  .pace_count = devices,
                                  .paces = game->paces,
                                  .rate_count = devices,
                                  .rates = game->rates,
                                  .latecomers = check_random(random) % 2};
    if (schedule != &dv_guarded && check_random(random) % 2)
        game->plan.partition = draw_count(random, 1e5);
    for (unsigned d = 0; d < devices; d++) {
        struct dv_pace *pace = &game->paces[d];
        *pace = (struct dv_pace){.core = d < cores,
                                 .rate = d < cores ? 0 : d,
                                 .granule = granules[check_random(random) % 6],
                                 .fixed_ns = check_random(random) % 4 ? (double)draw_count(random, 1e8) : 0,
                                 .upload_ns = check_random(random) % 4 ? 0 : (double)draw_count(random, 1e7),
                                 .cap = check_random(random) % 4 ? 0 : draw_count(random, 1e6)};
        pace->out = d > 0 && check_random(random) % 8 == 0;
        if (pace->cap > pace->granule) /* as a job does */
            pace->cap -= pace->cap % pace->granule;
        game->true_ns[d] = exp(check_uniform(random, -3, 12));
        if (check_random(random) % 2) {
            double wrong = exp(check_uniform(random, -2, 2));
            game->rates[pace->rate] = (struct dv_rate){game->true_ns[d] * wrong, check_uniform(random, 0, 1), 1, 0, 0};
        }
    }
    if (schedule == &dv_hguided)
        for (unsigned d = 0; d < devices; d++)
            game->paces[d].power = check_random(random) % 4 ? exp(check_uniform(random, -5, 5)) : 0;
    if (schedule == &dv_iterative && check_random(random) % 2)
        for (unsigned d = 0; d < devices; d++)
            game->paces[d].power = exp(check_uniform(random, -5, 5));
    if (schedule == &dv_replay)
        record_parts(game, random);
    dv_plan_begin(&game->plan);
    game->remaining = game->plan.count;
}

static bool fits_granule(const struct game *game, unsigned d, size_t count)
{
    const struct dv_pace *pace = &game->paces[d];
    return count % pace->granule == 0 || count == game->remaining || count == pace->cap;
}

/* Asks for one device and checks the answer; what it is given comes off what remains. */
static void ask(struct game *game, unsigned d)
{
    const struct dv_schedule *schedule = game->plan.schedule;
    bool was_parked = game->paces[d].stand == DV_PARKED;
    struct dv_ask answer = schedule->next(&game->plan, d, (uint64_t)game->now, game->remaining);
    CHECK(!was_parked || answer.count == 0);
    if (game->paces[d].cap)
        CHECK(answer.count <= game->paces[d].cap);
    if (schedule->adaptive) {
        CHECK(answer.count <= game->remaining);
        CHECK(answer.placed || fits_granule(game, d, answer.count));
    }
    if (answer.placed && CHECK(answer.home < game->plan.part_count)) {
        CHECK(answer.count <= game->part_left[answer.home]);
        game->part_left[answer.home] -= answer.count;
    }
    if (answer.count > game->remaining)
        answer.count = game->remaining;
    game->refused[d] = answer.count == 0;
    if (answer.count == 0)
        return;
    game->remaining -= answer.count;
    game->working[d] = answer.count;
    game->since[d] = game->now;
    game->until[d] = game->now + game->paces[d].fixed_ns +
                     (double)answer.count * game->true_ns[d] * exp(check_uniform(&game->random, -0.5, 0.5));
}

static unsigned first_to_end(const struct game *game)
{
    unsigned first = game->plan.pace_count;
    for (unsigned d = 0; d < game->plan.pace_count; d++)
        if (game->working[d] && (first == game->plan.pace_count || game->until[d] < game->until[first]))
            first = d;
    return first;
}

/* Every idle device that has come and was not refused asks; sometimes another comes. Returns whether anybody works. */
static bool ask_all(struct game *game)
{
    bool works = false;
    for (unsigned d = 0; d < game->plan.pace_count; d++) {
        bool comes = d == 0 || game->plan.parts || check_random(&game->random) % 4 == 0;
        if (!game->came[d] && !game->paces[d].out && comes) {
            game->came[d] = true;
            game->paces[d].stand = DV_HERE;
        }
        if (game->came[d] && !game->refused[d] && !game->working[d] && game->remaining > 0)
            ask(game, d);
        works = works || game->working[d];
    }
    return works;
}

static void finish_first(struct game *game)
{
    unsigned d = first_to_end(game);
    size_t count = game->working[d];
    game->now = game->until[d];
    game->working[d] = 0;
    const struct dv_schedule *schedule = game->plan.schedule;
    if (schedule->done &&
        schedule->done(&game->plan, d, (uint64_t)game->now, count, (uint64_t)(game->now - game->since[d])))
        memset(game->refused, 0, sizeof game->refused);
}

static void play(const struct dv_schedule *schedule, uint64_t *random)
{
    struct game game;
    size_t sizes[DEVICES_MAX], laid_out = 0, partitions = 0;
    draw(&game, schedule, random);

    /* The homes hold every index, and who takes no part has none. */
    schedule->lay_out(&game.plan, sizes);
    for (unsigned d = 0; d < game.plan.pace_count; d++) {
        CHECK(!game.paces[d].out || sizes[d] == 0);
        laid_out += sizes[d];
    }
    CHECK_EQ(laid_out, game.plan.count);

    /* As long as anything remains, somebody works: nobody is refused for ever because of the others. */
    while (game.remaining > 0 || first_to_end(&game) < game.plan.pace_count) {
        if (!CHECK(ask_all(&game)))
            return;
        finish_first(&game);
        if (!CHECK(partitions++ <= 2 * game.plan.count + DEVICES_MAX))
            return;
    }
    for (unsigned r = 0; r < game.plan.rate_count; r++)
        CHECK(isfinite(game.rates[r].ns_per_item) && isfinite(game.rates[r].uncertainty));
}

static void test_every_plan(uint64_t *random)
{
    size_t before = allocations;
    for (unsigned round = 0; round < 200; round++)
        for (unsigned s = 0; s < SCHEDULES; s++)
            play(schedules[s], random);

    /* Schedules allocate nothing. */
    CHECK_EQ(allocations - before, 0);
}

/* ---- One by one ---- */

/* Two cores, and a device that is eight times as fast but has a launch cost. */
static void usual(const struct dv_schedule *schedule, struct game *game)
{
    const struct dv_pace core = {.core = true, .granule = 1, .fixed_ns = 1000};
    const struct dv_pace other = {.rate = 1, .granule = 64, .fixed_ns = 100000};
    *game = (struct game){.paces = {core, core, other}, .remaining = 100000};
    game->plan = (struct dv_plan){.schedule = schedule,
                                  .count = 100000,
                                  .pace_count = 3,
                                  .paces = game->paces,
                                  .rate_count = 2,
                                  .rates = game->rates};
    dv_plan_begin(&game->plan);
    for (unsigned d = 0; d < 3; d++)
        game->paces[d].stand = DV_HERE;
}

static void know(struct game *game, double core_ns, double other_ns, double uncertainty)
{
    game->rates[0] = (struct dv_rate){core_ns, uncertainty, 10, 0, 0};
    game->rates[1] = (struct dv_rate){other_ns, uncertainty, 10, 0, 0};
    for (unsigned d = 0; d < game->plan.pace_count; d++)
        game->paces[d].learning = false;
}

static void test_names(void)
{
    /* Schedules are found by name; a wrong one is told what there is. */
    const struct dv_schedule *found;
    const char *parameter;
    unsigned count = 0;
    for (; schedules[count]; count++) {
        char text[64];
        snprintf(text, sizeof text, "%s%s", schedules[count]->name, schedules[count]->takes ? ":cpu=2" : "");
        CHECK(dv_schedule_read(text, &found, &parameter) == DIVVY_OK && found == schedules[count]);
        CHECK(schedules[count]->takes ? strcmp(parameter, "cpu=2") == 0 : !parameter);
    }
    CHECK_EQ(count, SCHEDULES);
    static const char *const unknown[] = {"fair", "", "guard", "guarded2", ":", ":cpu=1", "awf", "hguide:cpu=1"};
    for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++) {
        CHECK_EQ(dv_schedule_read(unknown[k], &found, &parameter), DIVVY_INVALID);
        CHECK_HAS(divvy_error(), "guarded, static, dynamic, guided, tss, fac2, awf-c, af, hguided:NAME=POWER,..., "
                                 "iterative, replay:FILE");
    }

    /* What stands behind the colon is what the schedule takes. */
    static const char *const wrong[] = {"guarded:", "tss:4", "static:x"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        CHECK_EQ(dv_schedule_read(wrong[k], &found, &parameter), DIVVY_INVALID);
        CHECK_HAS(divvy_error(), "nothing may follow");
    }
    static const char *const powers[] = {
        "hguided",        "hguided:",       "hguided:cpu",       "hguided:cpu=",   "hguided:cpu=0",   "hguided:cpu=-1",
        "hguided:cpu=x",  "hguided:=1",     "hguided:cpu=1,",    "hguided:,cpu=1", "hguided:cpu=nan", "hguided:cpu=inf",
        "hguided:cpu=1x", "hguided:cpu= 1", "hguided:cpu=1e999", "hguided:1"};
    for (size_t k = 0; k < sizeof powers / sizeof *powers; k++) {
        CHECK_EQ(dv_schedule_read(powers[k], &found, &parameter), DIVVY_INVALID);
        CHECK_HAS(divvy_error(), "it takes hguided:NAME=POWER,...");
    }
    CHECK_EQ(dv_schedule_read("replay:", &found, &parameter), DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "it takes replay:FILE");
    CHECK(dv_schedule_read("replay:a:b=c,d", &found, &parameter) == DIVVY_OK && strcmp(parameter, "a:b=c,d") == 0);
}

static void test_powers(void)
{
    /* A device's own power counts before its class's, that before its backend's; who is not named has 1. */
    const char *powers = "cpu=2,opencl:0=8,opencl=3.5,Some GPU (x=y)=6e1,cpu:1=0.25";
    CHECK(dv_schedule_read("hguided:cpu=2,opencl:0=8", &(const struct dv_schedule *){0}, &(const char *){0}) == 0);
    CHECK(dv_power_given(powers, "cpu", "cpu:0", "cpu x86-64") == 2);
    CHECK(dv_power_given(powers, "cpu", "cpu:1", "cpu x86-64") == 0.25);
    CHECK(dv_power_given(powers, "cpu", "cpu:10", "cpu x86-64") == 2);
    CHECK(dv_power_given(powers, "opencl", "opencl:0", "Some GPU (x=y)") == 8);
    CHECK(dv_power_given(powers, "opencl", "opencl:1", "Some GPU (x=y)") == 60);
    CHECK(dv_power_given(powers, "opencl", "opencl:1", "Another GPU") == 3.5);
    CHECK(dv_power_given(powers, "sim", "sim:0", "sim gpu") == 1);

    /* What was measured moves a power half way, by its logarithm; nothing measured, nothing moved. */
    CHECK(fabs(dv_power_measured(0, 100, 50) - 2) < 1e-12);
    CHECK(fabs(dv_power_measured(2, 800, 100) - 4) < 1e-12);
    CHECK(dv_power_measured(2, 0, 0) == 2);
}

static void test_rounding(void)
{
    struct game game;
    usual(&dv_guided, &game);
    struct dv_plan *plan = &game.plan;
    struct dv_pace *pace = &game.paces[2];

    /* Down to granules, at least one, and a rest smaller than one goes along. */
    CHECK_EQ(dv_plan_round(plan, 2, 1000, 5000), 960);
    CHECK_EQ(dv_plan_round(plan, 2, 1, 5000), 64);
    CHECK_EQ(dv_plan_round(plan, 2, 1000, 1023), 1023);
    CHECK_EQ(dv_plan_round(plan, 2, 1000, 1024), 960);
    CHECK_EQ(dv_plan_round(plan, 2, 10, 7), 7);

    /* Memory comes first. */
    pace->cap = 640;
    CHECK_EQ(dv_plan_round(plan, 2, 1000, 5000), 640);
    CHECK_EQ(dv_plan_round(plan, 2, 640, 650), 640);
    pace->cap = 10;
    CHECK_EQ(dv_plan_round(plan, 2, 1000, 5000), 10);
}

static void test_static(void)
{
    struct game game;
    size_t sizes[3];
    usual(&dv_static, &game);

    /* Equal parts as long as anybody is unknown, then by speed; granules are kept. */
    dv_static.lay_out(&game.plan, sizes);
    CHECK(sizes[0] == 33333 && sizes[1] == 33334 && sizes[2] == 33333);
    know(&game, 100, 12.5, 0.1);
    dv_static.lay_out(&game.plan, sizes);
    CHECK(sizes[0] == 10000 && sizes[1] == 10000 && sizes[2] == 80000);
}

static void test_dynamic_and_guided(void)
{
    struct game game;

    /* dynamic: a 64th, up to whole granules, or what was asked for. */
    usual(&dv_dynamic, &game);
    CHECK_EQ(dv_dynamic.next(&game.plan, 0, 0, 100000).count, 1563);
    CHECK_EQ(dv_dynamic.next(&game.plan, 2, 0, 100000).count, 1600);
    game.plan.partition = 1000;
    CHECK_EQ(dv_dynamic.next(&game.plan, 2, 0, 100000).count, 1000);

    /* guided: half of an equal part of what remains, at least what was asked for. */
    usual(&dv_guided, &game);
    CHECK_EQ(dv_guided.next(&game.plan, 0, 0, 60000).count, 10000);
    CHECK_EQ(dv_guided.next(&game.plan, 0, 0, 600).count, 100);
    game.plan.partition = 400;
    CHECK_EQ(dv_guided.next(&game.plan, 0, 0, 600).count, 400);
}

/* The sizes that one device after the other is given, until nothing remains; `known`: what a partition took. */
static void check_sizes(struct game *game, const unsigned *devices, const size_t *expected, unsigned count)
{
    size_t remaining = game->plan.count;
    for (unsigned k = 0; k < count; k++) {
        struct dv_ask ask = game->plan.schedule->next(&game->plan, devices[k], 0, remaining);
        CHECK_EQ(ask.count, expected[k]);
        remaining -= ask.count;
    }
}

static void test_shrinking(void)
{
    struct game game;
    static const unsigned turns[] = {0, 1, 2, 0, 1, 2, 0, 1, 2};

    /* tss: N = 100000 on 3 devices begins with F = 16666, in n = ceil(2 N / (F + 1)) = 12 partitions of which each is
     * (F - 1) / 11 = 1515 smaller; the third device takes granules of 64. */
    usual(&dv_tss, &game);
    check_sizes(&game, turns, (size_t[]){16666, 15151, 13632, 12121, 10606, 9088}, 6);

    /* It never ends before the job does. */
    usual(&dv_tss, &game);
    game.plan.count = 3;
    dv_plan_begin(&game.plan);
    check_sizes(&game, (unsigned[]){0, 1, 0}, (size_t[]){1, 1, 1}, 3);

    /* fac2: batches of three, N / 6 each in the first, then half of that. */
    usual(&dv_fac2, &game);
    check_sizes(&game, turns, (size_t[]){16667, 16667, 16640, 8334, 8334, 8320, 4167, 4167, 4160}, 9);

    /* Whoever takes no part is not counted; who joins is, from its batch on. */
    usual(&dv_fac2, &game);
    game.paces[1].out = true;
    dv_plan_begin(&game.plan);
    check_sizes(&game, (unsigned[]){0, 2, 0}, (size_t[]){25000, 24960, 12500}, 3);
    game.paces[3] = (struct dv_pace){.granule = 1, .stand = DV_HERE};
    dv_plan_join(&game.plan);
    CHECK(game.plan.device_count == 3 && game.plan.pace_count == 4);
    check_sizes(&game, (unsigned[]){2, 3, 0, 2}, (size_t[]){12480, 6250, 6250, 6208}, 4);
}

static void test_weighed(void)
{
    struct game game;

    /* awf-c: R / (2 p), all alike before anything is measured. */
    usual(&dv_awf_c, &game);
    struct dv_plan *plan = &game.plan;
    CHECK_EQ(dv_awf_c.next(plan, 0, 0, 60000).count, 10000);

    /* Two are measured, one four times as fast: weights 0.4 and 1.6, of the third one 1. */
    dv_awf_c.done(plan, 0, 0, 1000, 8000000);
    dv_awf_c.done(plan, 1, 0, 1000, 2000000);
    CHECK_EQ(dv_awf_c.next(plan, 0, 0, 60000).count, 4000);
    CHECK_EQ(dv_awf_c.next(plan, 1, 0, 60000).count, 16000);
    CHECK_EQ(dv_awf_c.next(plan, 2, 0, 60000).count, 9984);

    /* The second partition counts twice: (8000 + 2 * 2000) / 3 = 4000 ns, weights 2 / 3 and 4 / 3. */
    dv_awf_c.done(plan, 0, 0, 1000, 2000000);
    CHECK_EQ(dv_awf_c.next(plan, 0, 0, 60000).count, 6666);
    CHECK_EQ(dv_awf_c.next(plan, 1, 0, 60000).count, 13333);

    /* The next job begins anew. */
    dv_plan_begin(plan);
    CHECK_EQ(dv_awf_c.next(plan, 0, 0, 60000).count, 10000);

    /* af: two partitions of N / (10 p) each, then, where times do not scatter, the share: 1 / 1, 1 / 1 and 8 of 10. */
    usual(&dv_af, &game);
    CHECK_EQ(dv_af.next(plan, 0, 0, 100000).count, 3333);
    for (unsigned d = 0; d < 3; d++) {
        CHECK_EQ(dv_af.next(plan, d, 0, 100000).reason, DV_PROBE);
        dv_af.done(plan, d, 0, 1000, d < 2 ? 1000000 : 125000);
        dv_af.done(plan, d, 0, 2000, d < 2 ? 2000000 : 250000);
    }
    CHECK(labs((long)dv_af.next(plan, 0, 0, 60000).count - 6000) <= 1);
    CHECK(labs((long)dv_af.next(plan, 2, 0, 60000).count - 48000) <= 64);

    /* Partitions of 1000 in 0.5 and 1.5 ms: mean 1000 ns, variance (500^2 * 1000 * 2) / 1 = 5e8, D = 5e5 for one device
     * and 1e6 with the other like it; T = 500: (1e6 + 6e7 - sqrt(1e12 + 4e6 * 3e7)) / 2000 = 25000. */
    usual(&dv_af, &game);
    game.paces[2].out = true;
    dv_plan_begin(plan);
    for (unsigned d = 0; d < 2; d++) {
        dv_af.done(plan, d, 0, 1000, 500000);
        dv_af.done(plan, d, 0, 1000, 1500000);
    }
    CHECK_EQ(dv_af.next(plan, 0, 0, 60000).count, 25000);
}

static void test_hguided(void)
{
    struct game game;

    /* Half of what remains, by powers: 1, 1 and 8; at least a granule; who has none given counts 1. */
    usual(&dv_hguided, &game);
    game.paces[0].power = 1;
    game.paces[2].power = 8;
    CHECK_EQ(dv_hguided.next(&game.plan, 0, 0, 60000).count, 3000);
    CHECK_EQ(dv_hguided.next(&game.plan, 1, 0, 60000).count, 3000);
    CHECK_EQ(dv_hguided.next(&game.plan, 2, 0, 60000).count, 24000);
    CHECK_EQ(dv_hguided.next(&game.plan, 2, 0, 150).count, 64);
    game.paces[1].out = true;
    CHECK_EQ(dv_hguided.next(&game.plan, 0, 0, 60000).count, 3333);
}

static void test_iterative(void)
{
    struct game game;
    size_t sizes[3];

    /* As static as long as one was not measured, then by each device's own power, alike or not. */
    usual(&dv_iterative, &game);
    dv_iterative.lay_out(&game.plan, sizes);
    CHECK(sizes[0] == 33333 && sizes[1] == 33334 && sizes[2] == 33333);
    know(&game, 100, 12.5, 0.1);
    dv_iterative.lay_out(&game.plan, sizes);
    CHECK(sizes[0] == 10000 && sizes[1] == 10000 && sizes[2] == 80000);
    game.paces[0].power = 3;
    game.paces[1].power = 1;
    game.paces[2].power = 4;
    dv_iterative.lay_out(&game.plan, sizes);
    CHECK(sizes[0] == 37500 && sizes[1] == 12500 && sizes[2] == 50000);

    /* Over calls the times become equal, whatever the fixed costs. */
    double times[3] = {0};
    for (unsigned call = 0; call < 12; call++) {
        dv_iterative.lay_out(&game.plan, sizes);
        for (unsigned d = 0; d < 3; d++) {
            times[d] = (d < 2 ? 1e3 : 2e6) + (double)sizes[d] * (d == 0 ? 300 : d == 1 ? 100 : 20);
            game.paces[d].power = dv_power_measured(game.paces[d].power, sizes[d], (uint64_t)times[d]);
        }
    }
    CHECK(fabs(times[0] / times[1] - 1) < 0.01 && fabs(times[2] / times[1] - 1) < 0.01);
}

static void test_replay(void)
{
    /* Each device gets its parts, in its order, and nothing else while their owners are there. */
    static const struct dv_part parts[] = {{0, 100, 4}, {100, 50, 0}, {150, 30, 0}, {180, 20, 0}};
    struct game game;
    usual(&dv_replay, &game);
    struct dv_plan *plan = &game.plan;
    plan->count = 200;
    plan->parts = parts;
    plan->part_count = 4;
    game.paces[0].first_part = 1;
    game.paces[1].first_part = 2;
    game.paces[2].first_part = 3;
    dv_plan_begin(plan);
    struct dv_ask ask = dv_replay.next(plan, 0, 0, 200);
    CHECK(ask.placed && ask.home == 0 && ask.count == 100 && ask.reason == DV_FIXED);
    ask = dv_replay.next(plan, 0, 0, 100);
    CHECK(ask.placed && ask.home == 3 && ask.count == 20);
    CHECK_EQ(dv_replay.next(plan, 0, 0, 80).count, 0);

    /* Where memory holds less, a part is given in pieces. */
    game.paces[2].cap = 20;
    ask = dv_replay.next(plan, 2, 0, 80);
    CHECK(ask.placed && ask.home == 2 && ask.count == 20);
    ask = dv_replay.next(plan, 2, 0, 60);
    CHECK(ask.placed && ask.home == 2 && ask.count == 10);

    /* What a device has left that is gone, and what came back from it, others get. */
    game.paces[1].out = true;
    ask = dv_replay.next(plan, 0, 0, 50 + 30);
    CHECK(ask.placed && ask.home == 1 && ask.count == 50);
    ask = dv_replay.next(plan, 2, 0, 30);
    CHECK(!ask.placed && ask.count == 20);
    ask = dv_replay.next(plan, 0, 0, 10);
    CHECK(!ask.placed && ask.count == 10);
}

static void test_guarded_shares(void)
{
    struct game game;

    /* The better everybody is known, the more is given at once, though never more than the share. */
    size_t before = 0;
    double share = 100000 * 8 / 10.0;
    for (double u = 0.8; u > 0.01; u /= 2) {
        usual(&dv_guarded, &game);
        know(&game, 1000, 125, u);
        for (unsigned d = 0; d < 3; d++)
            game.paces[d].samples = 1; /* proven */
        size_t count = dv_guarded.next(&game.plan, 2, 0, 100000).count;
        CHECK(count >= before && (double)count <= share);
        before = count;
    }
    CHECK((double)before > 0.8 * share);

    /* What was given counts: the next share is what is left of it. */
    usual(&dv_guarded, &game);
    know(&game, 1000, 125, 0.1);
    for (unsigned d = 0; d < 3; d++)
        game.paces[d].samples = 1;
    before = dv_guarded.next(&game.plan, 2, 0, 100000).count;
    game.paces[2].asked = 0;
    size_t rest = dv_guarded.next(&game.plan, 2, 0, 100000 - before).count;
    CHECK(rest > 0 && rest < before);

    /* One that nobody has seen in this job makes all others careful. */
    game.paces[1].samples = 0;
    game.paces[2].free_at_ns = game.paces[2].asked = 0;
    struct dv_ask careful = dv_guarded.next(&game.plan, 2, 0, 100000);
    game.paces[1].samples = 1;
    game.paces[2].free_at_ns = game.paces[2].asked = 0;
    struct dv_ask sure = dv_guarded.next(&game.plan, 2, 0, 100000);
    CHECK(careful.requested < sure.requested);

    /* Cores take small parts of theirs however well they are known: what they have, nobody takes over. */
    struct dv_ask core = dv_guarded.next(&game.plan, 0, 0, 50000);
    CHECK(core.count > 0 && (double)core.count < 0.1 * 50000 / 2);

    /* A second partition follows at once only where copies are worth hiding. */
    usual(&dv_guarded, &game);
    know(&game, 1000, 125, 0.1);
    game.paces[2].samples = 1;
    CHECK(dv_guarded.next(&game.plan, 2, 0, 100000).count > 0);
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 0, 50000).count, 0);
    game.paces[2].copy_ns = 25;
    CHECK(dv_guarded.next(&game.plan, 2, 0, 50000).count > 0);
}

static void test_guarded_parks(void)
{
    struct game game;

    /* A device whose launch alone takes longer than the cores need is parked, and stays so until something changes. */
    usual(&dv_guarded, &game);
    know(&game, 1000, 125, 0.1);
    game.paces[2].fixed_ns = 60e6;
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 0, 100000).count, 0);
    CHECK_EQ(game.paces[2].stand, DV_PARKED);
    game.paces[2].fixed_ns = 1e3;
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 0, 100000).count, 0);
    dv_plan_unpark(&game.plan);
    CHECK(dv_guarded.next(&game.plan, 2, 0, 100000).count > 0);

    /* Unknown and dear, it waits for a core to be known, is told to ask again, and is parked without a launch. */
    usual(&dv_guarded, &game);
    game.paces[2].fixed_ns = 150e6;
    size_t first = dv_guarded.next(&game.plan, 0, 0, 100000).count;
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 0, 100000 - first).count, 0);
    CHECK_EQ(game.paces[2].stand, DV_HERE);
    CHECK(dv_guarded.done(&game.plan, 0, 64000, first, 64000));
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 64000, 100000 - first).count, 0);
    CHECK_EQ(game.paces[2].stand, DV_PARKED);

    /* Alone it is used whatever it costs. */
    usual(&dv_guarded, &game);
    game.paces[0].stand = game.paces[1].stand = DV_AWAY;
    game.paces[2].fixed_ns = 150e6;
    CHECK(dv_guarded.next(&game.plan, 2, 0, 100000).count > 0);
}

static void test_guarded_learns(void)
{
    struct game game;

    /* A first launch that took its fixed cost and little more bounds the rate; a longer one tells it. */
    usual(&dv_guarded, &game);
    know(&game, 1000, 0, 0.1);
    game.paces[2].learning = true;
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 0, 100000).count, 64);
    CHECK(dv_guarded.done(&game.plan, 2, 108000, 64, 108000));
    CHECK(game.paces[2].learning && game.rates[1].ns_per_item >= 0.3 * 108000 / 64);
    struct dv_ask second = dv_guarded.next(&game.plan, 2, 108000, 99936);
    CHECK(second.count > 10 * 64);
    CHECK_EQ(second.reason, DV_PROBE);
    uint64_t ns = 100000 + 125 * second.count;
    CHECK(!dv_guarded.done(&game.plan, 2, 108000 + ns, second.count, ns));
    CHECK(!game.paces[2].learning && fabs(game.rates[1].ns_per_item - 125) < 1);

    /* While it was measured, nobody took more than a launch takes; nor while others may come, more than they take. */
    usual(&dv_guarded, &game);
    know(&game, 100, 0, 0.02);
    CHECK(dv_guarded.next(&game.plan, 0, 0, 100000).count > 100000 / 100);
    game.paces[2].learning = true;
    CHECK(dv_guarded.next(&game.plan, 1, 0, 100000).count <= 100000 / 100);
    know(&game, 1000, 1000, 0.02);
    game.paces[0].asked = game.paces[1].asked = 0;
    CHECK(dv_guarded.next(&game.plan, 1, 0, 100000).count > 1e6 / 1000);
    game.plan.latecomers = true;
    CHECK(dv_guarded.next(&game.plan, 0, 0, 100000).count <= 1e6 / 1000);

    /* Of a device whose partitions others may take over, the first one is large. */
    usual(&dv_guarded, &game);
    game.paces[2].staged = true;
    CHECK_EQ(dv_guarded.next(&game.plan, 2, 0, 100000).count, 1984);

    /* A bound stays one in the next job. */
    usual(&dv_guarded, &game);
    game.rates[1] = (struct dv_rate){1000, 0.7, 0, 0, 0};
    dv_plan_begin(&game.plan);
    CHECK(game.paces[2].learning);

    /* A surprise moves the pace by part of it, and makes the rate less certain. */
    usual(&dv_guarded, &game);
    know(&game, 1000, 125, 0.05);
    dv_guarded.done(&game.plan, 0, 201000, 100, 201000); /* twice the time */
    CHECK(dv_plan_expect_ns(&game.plan, 0, 1000) > 1.5e6 && dv_plan_expect_ns(&game.plan, 0, 1000) < 2e6);
    CHECK(game.rates[0].uncertainty > 0.2);

    /* The next job begins with the mean over all indices, of which those hundred were few, and the other core is still
     * expected to be as fast as before. */
    double before_ns = dv_plan_expect_ns(&game.plan, 0, 1000);
    dv_plan_end(&game.plan);
    CHECK(fabs(dv_plan_expect_ns(&game.plan, 0, 1000) - before_ns) < 1e-3);
    CHECK(game.rates[0].ns_per_item > 1000 && game.rates[0].ns_per_item < 1010);
    CHECK(fabs(dv_plan_expect_ns(&game.plan, 1, 1000) - 1.001e6) < 1);
}

/* What the device of the usual game works on: 1000 indices, for a millisecond from the moment 0 on. */
static struct dv_takeover take_over(struct game *game, size_t left, bool whole, double now)
{
    const struct dv_flight flight = {.device = 2, .count = left, .whole = whole, .end_ns = 1e6};
    return dv_guarded.take_over(&game->plan, 0, (uint64_t)now, &flight, 1);
}

static void test_taking_over(void)
{
    struct game game;

    /* As long as the device is expected to end before the cores would, it is waited for; when it is long overdue they take
     * its work over, from the moment on that they were told, and not before. */
    usual(&dv_guarded, &game);
    know(&game, 1000, 1000, 0.02);
    game.paces[2].samples = 1;
    struct dv_takeover first = take_over(&game, 1000, false, 0.6e6);
    CHECK(first.count == 0 && first.again_ns > 1e6 && first.again_ns < 2e6);
    CHECK_EQ(take_over(&game, 1000, false, first.again_ns - 1e4).count, 0);
    struct dv_takeover then = take_over(&game, 1000, false, first.again_ns + 1);
    CHECK(then.count > 0 && then.count <= 500);

    /* What is left is worth it at once if the cores are fast; the second core then finds less for itself. */
    usual(&dv_guarded, &game);
    know(&game, 100, 1000, 0.02);
    struct dv_takeover one = take_over(&game, 1000, false, 0.1e6);
    CHECK(one.count > 0 && one.count < 1000 && game.paces[0].free_at_ns > 0.1e6);
    const struct dv_flight rest = {.device = 2, .count = 1000 - one.count, .end_ns = 1e6};
    struct dv_takeover two = dv_guarded.take_over(&game.plan, 1, 100000, &rest, 1);
    CHECK(two.count > 0 && two.count <= rest.count);

    /* Of several the last to end is the one that the job waits for. */
    const struct dv_flight flights[] = {{.device = 2, .count = 10, .end_ns = 2e6},
                                        {.device = 2, .count = 1000, .began_ns = 2e6, .end_ns = 3e6},
                                        {.device = 2, .count = 10, .end_ns = 1e6}};
    usual(&dv_guarded, &game);
    know(&game, 100, 1000, 0.02);
    CHECK_EQ(dv_guarded.take_over(&game.plan, 0, 100000, flights, 3).flight, 1);

    /* One that adds to a sum is taken over whole, and claimed as anything else is. */
    usual(&dv_guarded, &game);
    know(&game, 100, 1000, 0.02);
    CHECK_EQ(take_over(&game, 1000, true, 0.1e6).count, 1000);
    CHECK_EQ(game.paces[0].asked, 0);

    /* Nobody knows how fast the cores are, or nothing flies: then never. */
    usual(&dv_guarded, &game);
    CHECK(take_over(&game, 1000, false, 1e9).again_ns == HUGE_VAL);
    know(&game, 100, 1000, 0.02);
    CHECK(dv_guarded.take_over(&game.plan, 0, 0, NULL, 0).again_ns == HUGE_VAL);
}

/* How long one answer takes with many devices: printed, since machines differ. */
static void time_next(void)
{
    struct game game;
    uint64_t random = 7;
    for (unsigned s = 0; s < SCHEDULES; s++) {
        double fastest = HUGE_VAL;
        for (unsigned round = 0; round < 20; round++) {
            do
                draw(&game, schedules[s], &random);
            while (game.plan.pace_count != DEVICES_MAX);
            for (unsigned d = 0; d < DEVICES_MAX; d++) {
                game.paces[d].stand = DV_HERE;
                game.rates[d] = (struct dv_rate){1000 + d, 0.1, 1, 0, 0};
                game.paces[d].fixed_ns = 1000;
            }
            struct timespec begin, end;
            unsigned calls = 2000;
            clock_gettime(CLOCK_MONOTONIC, &begin);
            for (unsigned k = 0; k < calls; k++) {
                schedules[s]->next(&game.plan, k % DEVICES_MAX, k, 1000000);
                if (schedules[s]->done)
                    schedules[s]->done(&game.plan, k % DEVICES_MAX, k, 1000, 1000000);
            }
            clock_gettime(CLOCK_MONOTONIC, &end);
            double ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
            fastest = fmin(fastest, ns / calls);
        }
        printf("%-9s next and done with %d devices: %.0f ns\n", schedules[s]->name, DEVICES_MAX, fastest);
    }
}

int main(void)
{
    uint64_t random = check_seed();
    test_names();
    test_rounding();
    test_static();
    test_dynamic_and_guided();
    test_powers();
    test_shrinking();
    test_weighed();
    test_hguided();
    test_iterative();
    test_replay();
    test_guarded_shares();
    test_guarded_parks();
    test_guarded_learns();
    test_taking_over();
    test_every_plan(&random);
    time_next();
    return check_summary();
}
