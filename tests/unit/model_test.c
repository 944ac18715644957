/* The model of a device: how work is spread over a job, how long launches take, what overlaps, and what goes wrong. */
#include "model.h"

#include "check.h"
#include "cost.h"

#include <math.h>

/* The blocks of the simulated worlds, in C and in JSON. */
#define BLOCK_VALUES 0.05, 1.05, 4.05, 1.05, 0.25, 0.25, 2.05, 1.05, 3.05, 0.55, 0.55, 2.05, 0.15, 1.05, 5.05, 1.05
#define TEXT(...) #__VA_ARGS__
#define BLOCK_TEXT(...) TEXT(__VA_ARGS__)

/* A scenario with these devices and this cost. */
static struct scenario *read_parts(const char *devices, const char *cost)
{
    char text[2048], error[512];
    snprintf(text, sizeof text,
             "{\"divvy_scenario\": 1, \"seed\": 5, \"devices\": [%s], \"kernels\": [{\"cost\": {%s}}]}", devices, cost);
    struct scenario *scenario = scenario_read(text, strlen(text), error, sizeof error);
    if (!scenario) {
        fprintf(stderr, "%s: %s\n", text, error);
        exit(EXIT_FAILURE);
    }
    return scenario;
}

static bool near(double actual, double expected, double allowed)
{
    return fabs(actual - expected) <= allowed * fabs(expected);
}

/* ---- Costs ---- */

/* What stands for the cost at x, written down once more; not scaled. */
static double flat(double x)
{
    (void)x;
    return 1;
}
static double down(double x)
{
    return 2 - 1.9 * x;
}
static double bump(double x)
{
    return 0.05 + 3 * exp(-((x - 0.5) / 0.18) * ((x - 0.5) / 0.18));
}
static double wave(double x)
{
    return 1 + 0.9 * sin(10 * 3.14159265358979323846 * x);
}
static double blocks(double x)
{
    static const double values[] = {BLOCK_VALUES};
    return values[(unsigned)(x * 16)];
}

/* The sum by counting, over one index at a time. */
static double sum(double (*cost)(double x), size_t first, size_t count, size_t total)
{
    double part = 0;
    for (size_t i = first; i < first + count; i++)
        part += cost(((double)i + 0.5) / (double)total);
    return part;
}

static void check_costs(uint64_t seed)
{
    enum { TOTAL = 16384 };
    static const struct {
        const char *text;
        double (*cost)(double x);
    } shapes[] = {
        {"", flat},
        {"\"shape\": \"ramp\", \"from\": 2, \"to\": 0.1", down},
        {"\"shape\": \"bump\"", bump},
        {"\"shape\": \"wave\"", wave},
        {"\"shape\": \"blocks\", \"values\": [" BLOCK_TEXT(BLOCK_VALUES) "]", blocks},
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        struct scenario *scenario = read_parts("{}", shapes[k].text);
        const struct scenario_cost *cost = &scenario_kernel(scenario, "any")->cost;
        double whole = sum(shapes[k].cost, 0, TOTAL, TOTAL);
        for (unsigned turn = 0; turn < 50; turn++) {
            size_t first = check_random(&seed) % TOTAL, count = 1 + check_random(&seed) % (TOTAL - first);
            double expected = sum(shapes[k].cost, first, count, TOTAL) / whole * TOTAL;
            if (!CHECK(fabs(cost_of(cost, first, count, TOTAL) - expected) < 0.01 + 1e-4 * expected))
                fprintf(stderr, "  %s: [%zu, +%zu): %.9g, not %.9g\n", shapes[k].text, first, count,
                        cost_of(cost, first, count, TOTAL), expected);
        }
        scenario_free(scenario);
    }
}

static void check_drawn(void)
{
    /* Of every shape, pieces add up to the whole, whose mean is 1, and no piece is negative. */
    static const char *const shapes[] = {
        "\"shape\": \"random\", \"parts\": 100",
        "\"shape\": \"random\", \"parts\": 65536, \"sigma\": 5",
        "\"shape\": \"heavy_tail\", \"parts\": 33, \"alpha\": 0.5",
        "\"shape\": \"bump\", \"width\": 1e-6, \"base\": 0",
        "\"shape\": \"bump\", \"width\": 1000, \"centre\": -10",
        "\"shape\": \"wave\", \"periods\": 1e6, \"depth\": 1",
        "\"shape\": \"ramp\", \"from\": 0, \"to\": 1e6",
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        struct scenario *scenario = read_parts("{}", shapes[k]);
        const struct scenario_cost *cost = &scenario_kernel(scenario, "any")->cost;
        double total = 0, least = 1;
        for (size_t first = 0; first < 99999; first += 271) {
            double piece = cost_of(cost, first, 271, 99999);
            total += piece;
            least = fmin(least, piece);
        }
        if (!CHECK(near(total, 99999, 1e-6)) || !CHECK(least >= 0))
            fprintf(stderr, "  %s: %.9g, least %g\n", shapes[k], total, least);
        scenario_free(scenario);
    }

    /* Drawn parts are the seed's: the same again, others of another, and uneven. */
    struct scenario *a = read_parts("{}", "\"shape\": \"heavy_tail\", \"parts\": 50, \"seed\": 1");
    struct scenario *b = read_parts("{}", "\"shape\": \"heavy_tail\", \"parts\": 50, \"seed\": 1");
    struct scenario *c = read_parts("{}", "\"shape\": \"heavy_tail\", \"parts\": 50, \"seed\": 2");
    CHECK(memcmp(a->kernels->cost.until, b->kernels->cost.until, 51 * sizeof(double)) == 0);
    CHECK(memcmp(a->kernels->cost.until, c->kernels->cost.until, 51 * sizeof(double)) != 0);
    CHECK(cost_of(&a->kernels->cost, 0, 10, 500) != cost_of(&a->kernels->cost, 10, 10, 500));
    scenario_free(a);
    scenario_free(b);
    scenario_free(c);
}

/* ---- Launches ---- */

/* A device of a scenario of its own that is open since moment 0. */
struct bench {
    struct scenario *scenario;
    struct model model;
    uint64_t open_end;
    bool opened;
};

static struct bench set_up(const char *device)
{
    struct bench bench = {.scenario = read_parts(device, "")};
    model_init(&bench.model, bench.scenario, &bench.scenario->devices[bench.scenario->device_count - 1]);
    bench.opened = model_open(&bench.model, 0, &bench.open_end);
    return bench;
}

/* `count` of 1000 indices, from the moment on. */
static struct model_course launch(struct bench *bench, uint64_t now_ns, size_t count, double bytes)
{
    return model_launch(&bench->model, now_ns,
                        &(struct model_launch){.kernel = scenario_kernel(bench->scenario, "any"),
                                               .count = count,
                                               .total = 1000,
                                               .bytes_in = bytes,
                                               .bytes_out = bytes});
}

static void check_durations(void)
{
    /* Fixed cost and the indices' own; what comes while it is busy waits. */
    struct bench bench = set_up("{\"fixed_ns\": 100, \"ns_per_item\": 7}");
    struct model_course course = launch(&bench, 1000, 10, 0);
    CHECK_EQ(course.outcome, MODEL_DONE);
    CHECK_EQ(course.run_ns, 170);
    CHECK_EQ(course.end_ns, 1170);
    CHECK_EQ(launch(&bench, 1100, 10, 0).end_ns, 1340);
    CHECK_EQ(launch(&bench, 2000, 10, 0).end_ns, 2170);
    model_delay(&bench.model, 5000);
    CHECK_EQ(launch(&bench, 2200, 10, 0).end_ns, 5170);
    scenario_free(bench.scenario);

    /* Copies to it, computing and copies from it overlap; each of them is one after the other. */
    bench = set_up("{\"ns_per_item\": 100, \"latency_ns\": 10, \"upload_bytes_per_s\": 1e9, "
                   "\"download_bytes_per_s\": 5e8}");
    course = launch(&bench, 0, 10, 90);
    CHECK_EQ(course.copy_in_ns, 100);
    CHECK_EQ(course.run_ns, 1000);
    CHECK_EQ(course.copy_out_ns, 190);
    CHECK_EQ(course.end_ns, 100 + 1000 + 190);
    CHECK_EQ(launch(&bench, 50, 10, 90).end_ns, 100 + 1000 + 1000 + 190); /* its copy came beside the run */
    CHECK_EQ(launch(&bench, 60, 1, 9000).end_ns, 200 + 9010 + 100 + 18010);
    CHECK_EQ(launch(&bench, 70, 1, 0).end_ns, 200 + 9010 + 100 + 18010); /* copies nothing, but they stay in order */
    scenario_free(bench.scenario);

    /* The first launch of a kernel takes longer, where the caller says that it is one. */
    bench = set_up("{\"jit_ns\": 500, \"ns_per_item\": 1}");
    struct model_launch first = {.kernel = scenario_kernel(bench.scenario, "any"), .count = 5, .total = 5};
    CHECK_EQ(model_launch(&bench.model, 0, &first).jit_ns, 0);
    first.first_of_kernel = true;
    course = model_launch(&bench.model, 100, &first);
    CHECK_EQ(course.jit_ns, 500);
    CHECK_EQ(course.end_ns, 605);
    scenario_free(bench.scenario);
}

static void check_slowdown(void)
{
    /* From 1000 ns of a job on it takes three times as long: before, across and after that moment. */
    struct bench bench =
        set_up("{\"fixed_ns\": 10, \"ns_per_item\": 1, \"slowdown\": {\"from_ns\": 1000, \"times\": 3}}");
    struct model_launch part = {
        .kernel = scenario_kernel(bench.scenario, "any"), .count = 100, .total = 1000, .job_ns = 50000};
    CHECK_EQ(model_launch(&bench.model, 50000, &part).run_ns, 110);
    CHECK_EQ(model_launch(&bench.model, 50960, &part).run_ns, 10 + 40 + 60 * 3);
    CHECK_EQ(model_launch(&bench.model, 60000, &part).run_ns, 310);
    part.job_ns = 70000;
    CHECK_EQ(model_launch(&bench.model, 70000, &part).run_ns, 110);
    scenario_free(bench.scenario);

    /* The same since it was open. */
    bench = set_up("{\"open_ns\": 500, \"ns_per_item\": 1, \"slowdown\": {\"from_ns\": 1000, \"times\": 2, "
                   "\"since\": \"open\"}}");
    CHECK_EQ(bench.open_end, 500);
    part.kernel = scenario_kernel(bench.scenario, "any");
    part.job_ns = 1000;
    CHECK_EQ(model_launch(&bench.model, 1400, &part).run_ns, 100);
    CHECK_EQ(model_launch(&bench.model, 1500, &part).run_ns, 200);
    scenario_free(bench.scenario);
}

static void check_noise(void)
{
    enum { LAUNCHES = 4000 };
    /* The logarithms spread as stated around the middle, one launch in fifty is eight times as long, and all of it is
     * the seed's, the device's and the launch's number's. */
    struct bench noisy = set_up("{\"ns_per_item\": 1e6, \"noise\": 0.2}"),
                 again = set_up("{\"ns_per_item\": 1e6, \"noise\": 0.2}");
    struct bench second = set_up("{\"copies\": 2, \"ns_per_item\": 1e6, \"noise\": 0.2}");
    double mean = 0, square = 0;
    unsigned same = 0, same_as_second = 0;
    for (unsigned n = 0; n < LAUNCHES; n++) {
        double ns = (double)launch(&noisy, 0, 100, 0).run_ns, logarithm = log(ns / 1e8);
        mean += logarithm / LAUNCHES;
        square += logarithm * logarithm / LAUNCHES;
        same += (double)launch(&again, n, 100, 0).run_ns == ns;
        same_as_second += (double)launch(&second, 0, 100, 0).run_ns == ns;
    }
    CHECK(fabs(mean) < 0.02);
    CHECK(near(sqrt(square), 0.2, 0.05));
    CHECK_EQ(same, LAUNCHES);
    CHECK(same_as_second < 3);
    scenario_free(noisy.scenario);
    scenario_free(again.scenario);
    scenario_free(second.scenario);

    struct bench spiky = set_up("{\"fixed_ns\": 500, \"ns_per_item\": 5, \"spikes\": {\"probability\": 0.02}}");
    unsigned spikes = 0;
    for (unsigned n = 0; n < LAUNCHES; n++) {
        uint64_t ns = launch(&spiky, 0, 100, 0).run_ns;
        spikes += ns == 8000;
        CHECK(ns == 1000 || ns == 8000);
    }
    CHECK(spikes > LAUNCHES / 100 && spikes < LAUNCHES / 25);
    scenario_free(spiky.scenario);
}

/* ---- What goes wrong ---- */

static void check_faults(void)
{
    /* Opening, and building from the second time on. */
    struct bench bench = set_up("{\"open_ns\": 70, \"fail\": {\"on\": \"open\"}}");
    CHECK(!bench.opened);
    CHECK_EQ(bench.open_end, 70);
    scenario_free(bench.scenario);
    bench = set_up("{\"build_ns\": 30, \"fail\": {\"on\": \"build\", \"at\": 2, \"every\": 1}}");
    uint64_t end;
    CHECK(bench.opened);
    CHECK(model_build(&bench.model, 5, &end));
    CHECK_EQ(end, 35);
    CHECK(!model_build(&bench.model, 5, &end));
    CHECK(!model_build(&bench.model, 5, &end));
    scenario_free(bench.scenario);

    /* A launch is refused at once and takes no time; a run fails when its time is over. Both every third time. */
    bench = set_up("{\"ns_per_item\": 1, \"fail\": {\"on\": \"launch\", \"at\": 2, \"every\": 3}}");
    for (unsigned n = 1; n <= 9; n++)
        CHECK_EQ(launch(&bench, 1000 * n, 10, 0).outcome, n % 3 == 2 ? MODEL_REFUSED : MODEL_DONE);
    scenario_free(bench.scenario);
    bench = set_up("{\"ns_per_item\": 1, \"fail\": {\"on\": \"run\", \"at\": 2}}");
    CHECK_EQ(launch(&bench, 0, 10, 0).outcome, MODEL_DONE);
    struct model_course course = launch(&bench, 0, 10, 0);
    CHECK_EQ(course.outcome, MODEL_FAILED);
    CHECK_EQ(course.end_ns, 20);
    CHECK_EQ(launch(&bench, 0, 10, 0).outcome, MODEL_DONE); /* once only */
    scenario_free(bench.scenario);

    /* What hangs never ends, nor does what waits behind it; or it ends after all. */
    bench = set_up("{\"ns_per_item\": 1, \"hang\": {\"at\": 2}}");
    CHECK_EQ(launch(&bench, 0, 10, 0).end_ns, 10);
    CHECK(launch(&bench, 0, 10, 0).end_ns == MODEL_NEVER);
    CHECK(launch(&bench, 100, 10, 50).end_ns == MODEL_NEVER);
    scenario_free(bench.scenario);
    bench = set_up("{\"ns_per_item\": 1, \"hang\": {\"for_ns\": 500}}");
    CHECK_EQ(launch(&bench, 0, 10, 0).end_ns, 510);
    CHECK_EQ(launch(&bench, 0, 10, 0).end_ns, 520);
    scenario_free(bench.scenario);

    /* What is lost stays lost: by number, or by time, then also what it works on. */
    bench = set_up("{\"ns_per_item\": 1, \"lost\": {\"at\": 2}}");
    CHECK_EQ(launch(&bench, 0, 10, 0).outcome, MODEL_DONE);
    CHECK_EQ(launch(&bench, 0, 10, 0).outcome, MODEL_REFUSED);
    CHECK_EQ(launch(&bench, 0, 10, 0).outcome, MODEL_REFUSED);
    CHECK(!model_build(&bench.model, 0, &end));
    scenario_free(bench.scenario);
    bench = set_up("{\"open_ns\": 1000, \"ns_per_item\": 1, \"lost\": {\"from_ns\": 100}}");
    CHECK_EQ(launch(&bench, 1000, 50, 0).outcome, MODEL_DONE);
    course = launch(&bench, 1060, 50, 0);
    CHECK_EQ(course.outcome, MODEL_FAILED);
    CHECK_EQ(course.end_ns, 1100);
    CHECK_EQ(launch(&bench, 1100, 50, 0).outcome, MODEL_REFUSED);
    scenario_free(bench.scenario);
}

static void check_extremes(void)
{
    /* The slowest device that can be written down does not overflow. */
    struct bench bench = set_up("{\"fixed_ns\": 3.2e17, \"ns_per_item\": 3.2e17, \"noise\": 5, \"latency_ns\": 3.2e17, "
                                "\"upload_bytes_per_s\": 1e-9, \"spikes\": {\"probability\": 1, \"times\": 1e6}}");
    uint64_t before = 0;
    for (unsigned n = 0; n < 20; n++) {
        struct model_course course = launch(&bench, UINT64_C(1) << 62, 1000, 1e15);
        CHECK(course.end_ns >= before && course.end_ns > (UINT64_C(1) << 62));
        before = course.end_ns;
    }
    scenario_free(bench.scenario);
}

int main(void)
{
    uint64_t seed = check_seed();
    check_costs(seed);
    check_drawn();
    check_durations();
    check_slowdown();
    check_noise();
    check_faults();
    check_extremes();
    return check_summary();
}
