/* Many lives among faults drawn by chance, and then every fault that chance has left out.
 *
 *     faults_stress_test [--seed S] [--faults N] [--only CALL]
 *
 * --only injects into one function alone, at a call and in a way drawn from the seed. */
#include "life.h"

enum { PLAN_BYTES = 256 };

/* Where lives are led. */
struct place {
    const char *devices, *schedule;
    bool cold;          /* kernels are built from source */
    const char *before; /* what stands in front of each plan, or "" */
};

static const struct place places[] = {
    {"opencl:0", "dynamic", false, ""},
    {"cpu,opencl:0", "static", false, ""},
    {"opencl", "dynamic", false, "slow=3,"},
    {"cpu,opencl", "dynamic", false, "slow=7,"},
    {"cpu,opencl:0", "guided", false, "slow=2,"},
    {"opencl", "guarded", false, ""},
    {"cpu,opencl:1/1", "static", false, ""},
    {"cpu,opencl:0", "static", true, ""},
    {"cpu,opencl:0", "dynamic", true, "clBuildProgram:every 1=CL_BUILD_PROGRAM_FAILURE,"},
};
enum { PLACES = sizeof places / sizeof *places, WARM_PLACES = PLACES - 2, DIVIDED = WARM_PLACES - 1 };

static struct after live_at(const struct place *place, const char *plan, bool prepares)
{
    char whole[PLAN_BYTES];
    snprintf(whole, sizeof whole, "%s%s", place->before, plan);
    setenv("DIVVY_OPENCL_CACHE", place->cold ? "off" : "on", 1);
    return life_live(&(struct life){.devices = place->devices,
                                    .schedule = place->schedule,
                                    .plan = whole,
                                    .prepares = prepares,
                                    .may_leave = true});
}

static const char *what_of(enum faults_kind kind, uint64_t drawn)
{
    static const char *const codes[] = {"CL_OUT_OF_RESOURCES", "CL_MEM_OBJECT_ALLOCATION_FAILURE", "CL_INVALID_VALUE",
                                        "CL_DEVICE_NOT_AVAILABLE", "CL_UNKNOWN"};
    return kind == FAULTS_CODE ? codes[drawn % (sizeof codes / sizeof *codes)] : faults_kind_name(kind);
}

/* By chance: often one fault, sometimes dozens. */
static void draw_plan(uint64_t *seed, const char *only, char *plan)
{
    static const unsigned rates[] = {20, 100, 300, 1000, 2000};
    if (!only) {
        snprintf(plan, PLAN_BYTES, "seed=%llu,rate=%u", (unsigned long long)(check_random(seed) >> 1),
                 rates[check_random(seed) % (sizeof rates / sizeof *rates)]);
        return;
    }
    static const enum faults_kind kinds[] = {FAULTS_CODE, FAULTS_EVENT, FAULTS_TIMES, FAULTS_SHORT, FAULTS_LOST};
    enum faults_kind kind = kinds[check_random(seed) % (sizeof kinds / sizeof *kinds)];
    snprintf(plan, PLAN_BYTES, "%s:%u=%s", only, 1 + (unsigned)(check_random(seed) % 50),
             what_of(kind, check_random(seed)));
}

/* At the first call of a life. */
static void strike(enum faults_call call, enum faults_kind kind, const struct place *place)
{
    char plan[PLAN_BYTES];
    snprintf(plan, sizeof plan, "%s:1=%s", faults_call_name(call), what_of(kind, call));
    live_at(place, plan, true);
}

/* Whatever was not hit, until it is. */
static void aim(enum faults_call call, enum faults_kind kind)
{
    for (unsigned p = 0; p < PLACES && life_lacks(call, kind); p++)
        strike(call, kind, &places[p]);
}

int main(int argc, char **argv)
{
    uint64_t seed = 0, wanted = FAULTS_WANTED, injected = 0, lives = 0, failed = 0, refused = 0, left = 0;
    const char *only = NULL;
    bool seeded = false;
    for (int a = 1; a + 1 < argc; a += 2) {
        seeded = seeded || strcmp(argv[a], "--seed") == 0;
        if (strcmp(argv[a], "--seed") == 0)
            seed = strtoull(argv[a + 1], NULL, 0);
        else if (strcmp(argv[a], "--faults") == 0)
            wanted = strtoull(argv[a + 1], NULL, 0);
        else if (strcmp(argv[a], "--only") == 0)
            only = argv[a + 1];
        else
            return 2;
    }
    seed = seeded ? seed : check_seed();
    printf("seed %llu\n", (unsigned long long)seed);
    life_begin();

    /* A device is divided once, unless that fails: hence first of all, and in the end one of two ways succeeds. */
    strike(FAULTS_clCreateSubDevices, FAULTS_LOST, &places[DIVIDED]);
    strike(FAULTS_clCreateSubDevices, FAULTS_CODE, &places[DIVIDED]);

    /* Without faults everything is right; whatever of it can be told to fail is then known. */
    for (unsigned p = 0; p < PLACES; p++)
        live_at(&places[p], "slow=2", true);

    while (injected < wanted) {
        char plan[PLAN_BYTES];
        draw_plan(&seed, only, plan);
        struct after after = live_at(&places[check_random(&seed) % WARM_PLACES], plan, check_random(&seed) % 4 == 0);
        injected += after.injected;
        failed += after.failed;
        refused += after.refused;
        left += after.left_behind;
        lives++;
    }
    const unsigned kinds =
        1u << FAULTS_CODE | 1u << FAULTS_EVENT | 1u << FAULTS_TIMES | 1u << FAULTS_SHORT | 1u << FAULTS_LOST;
    for (int c = 0; c < FAULTS_CALLS && !only; c++)
        for (int k = 0; k < FAULTS_KINDS; k++)
            if (kinds & 1u << k)
                aim(c, k);
    printf("%llu lives, %llu devices failed, %llu jobs refused, %llu devices left behind\n", (unsigned long long)lives,
           (unsigned long long)failed, (unsigned long long)refused, (unsigned long long)left);
    life_report(only ? 0 : kinds);
    return life_end();
}
