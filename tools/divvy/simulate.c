/* divvy simulate: how near schedules come to the best possible time, in simulated time. */
#include "simulate.h"

#include "commands.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: divvy simulate --list | SCENARIO... [--random N] [--schedule S]... [--seeds N] [--seed S]\n"
    "                      [--jobs N] [--kernel NAME] [--json]\n"
    "\n"
    "Runs schedules in simulated time against devices whose every property is known, and tells how near\n"
    "each comes to the time that none can beat: in the first job, when nothing is learned, and in the\n"
    "last one of a row. A scenario is a file, or the name of a shipped one; tuning are the 14 that the\n"
    "schedules are tuned on, hostile those with devices that fail, hang or lie, scale 2 to 4096\n"
    "devices up to 1000 times as fast as a core, with the processor time of a decision.\n"
    "\n"
    "  --list           names the shipped scenarios\n"
    "  --random N       N worlds drawn at random, on which nothing was tuned\n"
    "  --schedule S     only this schedule, or these: a,b,c; hguided alone has the true powers, else\n"
    "                   hguided:NAME=POWER,... with names or classes of devices, or core and device\n"
    "  --seeds N        so many rows for each world (default: 20; of random ones and scale 1)\n"
    "  --seed S         the first seed (default: the scenario's own; of random worlds 2024)\n"
    "  --jobs N         jobs in a row (default: 7)\n"
    "  --kernel NAME    the kernel of the scenario (default: the one for all others)\n"
    "  --json           the figures as JSON\n"
    "\n"
    "The same seed gives the same figures, wherever it runs, but for processor time.\n"
    "Exit status: 0 done, 1 not a scenario that can be read, 2 wrong usage.\n";

enum { RANDOM_SEED = 2024, SEEDS = 20, JOBS = 7, MOST = 100000 };

struct request {
    struct simulate_plan plan;
    unsigned random_count;
    const char *kernel;
    bool json;
};

static int wrong_usage(const char *what, const char *which)
{
    fprintf(stderr, "divvy simulate: %s%s; see divvy simulate --help\n", what, which);
    return 2;
}

/* ---- Options ---- */

static bool read_count(const char *text, unsigned *out_count)
{
    char *end;
    errno = 0;
    unsigned long count = strtoul(text, &end, 10);
    *out_count = (unsigned)count;
    return *text >= '0' && *text <= '9' && *end == 0 && !errno && count > 0 && count <= MOST;
}

static bool read_seed(const char *text, uint64_t *out_seed)
{
    char *end;
    errno = 0;
    *out_seed = strtoull(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == 0 && !errno && *out_seed > 0;
}

/* Returns an exit status; -1: go on. */
static int read_options(int argc, char **argv, struct request *request)
{
    enum { HELP = 256, RANDOM, SCHEDULE, SEEDS_, SEED, JOBS_, KERNEL, JSON, LIST };
    static const struct option options[] = {
        {"help", no_argument, NULL, HELP},
        {"random", required_argument, NULL, RANDOM},
        {"schedule", required_argument, NULL, SCHEDULE},
        {"seeds", required_argument, NULL, SEEDS_},
        {"seed", required_argument, NULL, SEED},
        {"jobs", required_argument, NULL, JOBS_},
        {"kernel", required_argument, NULL, KERNEL},
        {"json", no_argument, NULL, JSON},
        {"list", no_argument, NULL, LIST},
        {NULL, 0, NULL, 0},
    };
    struct simulate_plan *plan = &request->plan;
    int status;
    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        switch (option) {
        case 'h':
        case HELP:
            fputs(usage, stdout);
            return 0;
        case LIST:
            simulate_list(stdout);
            return 0;
        case RANDOM:
            if (!read_count(optarg, &request->random_count))
                return wrong_usage("--random takes a number from 1 to 100000, not ", optarg);
            break;
        case SCHEDULE:
            if ((status = simulate_read_schedules("simulate", optarg, plan)) != 0)
                return status;
            break;
        case SEEDS_:
            if (!read_count(optarg, &plan->seeds))
                return wrong_usage("--seeds takes a number from 1 to 100000, not ", optarg);
            break;
        case SEED:
            if (!read_seed(optarg, &plan->seed))
                return wrong_usage("--seed takes a whole number above 0, not ", optarg);
            break;
        case JOBS_:
            if (!read_count(optarg, &plan->jobs))
                return wrong_usage("--jobs takes a number from 1 to 100000, not ", optarg);
            break;
        case KERNEL:
            request->kernel = optarg;
            break;
        case JSON:
            request->json = true;
            break;
        case ':':
            return wrong_usage("a value is missing after ", argv[optind - 1]);
        default:
            return wrong_usage("there is no option ", argv[optind - 1]);
        }
    }
    if (optind == argc && request->random_count == 0)
        return wrong_usage("a scenario is needed, or --random", "");
    if (optind < argc && request->random_count)
        return wrong_usage("random worlds are not mixed with scenarios: ", argv[optind]);
    return -1;
}

/* ---- */

static int fail(const char *problem)
{
    fprintf(stderr, "divvy simulate: %s\n", problem);
    return 1;
}

/* Random worlds have their noise's seed drawn with them. */
static bool gather(struct simulate_cases *cases, struct request *request, char **words, int count, char *problem,
                   size_t size)
{
    struct simulate_plan *plan = &request->plan;
    bool done = true;
    if (request->random_count) {
        done = simulate_add_random(cases, request->random_count, plan->seed ? plan->seed : RANDOM_SEED, problem, size);
        plan->seed = 0;
    }
    for (int w = 0; w < count && done; w++)
        done = simulate_add(cases, words[w], request->kernel, problem, size);
    return done;
}

static int simulate(const struct simulate_cases *cases, const struct request *request)
{
    const struct simulate_plan *plan = &request->plan;
    struct simulate_result *results = calloc(cases->count * plan->schedule_count, sizeof *results);
    bool done = results && simulate_all(cases, plan, results) &&
                (request->json ? simulate_print_json(cases, plan, results, stdout)
                               : simulate_print_text(cases, plan, results, request->random_count == 0, stdout));
    free(results);
    return done ? 0 : fail("memory ran out");
}

int divvy_simulate(int argc, char **argv)
{
    struct request request = {.kernel = "*"};
    struct simulate_cases cases = {0};
    char problem[1024];
    int status = read_options(argc, argv, &request);
    if (status >= 0)
        return status;
    struct simulate_plan *plan = &request.plan;
    if (plan->schedule_count == 0)
        simulate_take_all(plan);
    plan->jobs = plan->jobs ? plan->jobs : JOBS;
    bool gathered = gather(&cases, &request, argv + optind, argc - optind, problem, sizeof problem);
    plan->seeds = plan->seeds ? plan->seeds : request.random_count || cases.scaled ? 1 : SEEDS;
    status = gathered ? simulate(&cases, &request) : fail(problem);
    simulate_forget(&cases);
    return status;
}
