/* divvy replay: what if? A recorded job under another schedule, or on fewer devices, in simulated time. */
#include "replay.h"

#include "commands.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: divvy replay PROFILE [--schedule S]... [--devices FILTER] [--job ID|NAME] [--json]\n"
    "\n"
    "Takes a recorded job, estimates from its partitions how fast each device was and where the work lay,\n"
    "and runs it again in simulated time: as it was, which tells how true the estimate is, and under other\n"
    "schedules or on fewer devices.\n"
    "\n"
    "  --schedule S      only this schedule, or these: a,b,c; hguided alone has the true powers\n"
    "  --devices FILTER  only these devices, as DIVVY_DEVICES takes them: cpu:0,opencl\n"
    "  --job ID|NAME     the job of this number, or the longest one of this name or kernel (default: the\n"
    "                    longest of all that kept their partitions)\n"
    "  --json            the figures as JSON\n"
    "\n"
    "Exit status: 0 done, 1 not a profile or job that can be simulated, 2 wrong usage.\n";

enum { PROBLEM_BYTES = 8192, ROW_OF_JOBS = 3 };

struct request {
    struct simulate_plan plan; /* its schedules */
    const char *devices, *job;
    bool json;
};

/* One line on stderr. Paths and names may come from elsewhere and hold anything. */
static int fail(int status, const char *problem)
{
    const struct dv_style style = {.out = stderr, .unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0};
    fputs("divvy replay: ", stderr);
    dv_put(&style, problem, PROBLEM_BYTES);
    fputs(status == 2 ? "; see divvy replay --help\n" : "\n", stderr);
    return status;
}

static int wrong_usage(const char *what, const char *which)
{
    char problem[PROBLEM_BYTES];
    snprintf(problem, sizeof problem, "%s%s", what, which);
    return fail(2, problem);
}

/* Returns an exit status; -1: go on. */
static int read_options(int argc, char **argv, struct request *request)
{
    enum { HELP = 256, SCHEDULE, DEVICES, JOB, JSON };
    static const struct option options[] = {
        {"help", no_argument, NULL, HELP},
        {"schedule", required_argument, NULL, SCHEDULE},
        {"devices", required_argument, NULL, DEVICES},
        {"job", required_argument, NULL, JOB},
        {"json", no_argument, NULL, JSON},
        {NULL, 0, NULL, 0},
    };
    int status;
    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        switch (option) {
        case 'h':
        case HELP:
            fputs(usage, stdout);
            return 0;
        case SCHEDULE:
            if ((status = simulate_read_schedules("replay", optarg, &request->plan)) != 0)
                return status;
            break;
        case DEVICES:
            request->devices = optarg;
            break;
        case JOB:
            request->job = optarg;
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
    if (argc - optind != 1)
        return wrong_usage(argc == optind ? "a profile is needed" : "one profile is enough: ",
                           argc == optind ? "" : argv[optind + 1]);
    return -1;
}

/* The longest job that is asked for; one that kept its partitions before any that did not. */
static const struct dv_view_job *choose_job(const struct dv_view *view, const char *wanted)
{
    const struct dv_view_choice choice = {.job = wanted};
    const struct dv_view_job *best = NULL;
    for (size_t j = 0; j < view->job_count; j++) {
        const struct dv_view_job *job = &view->jobs[j];
        if (!dv_view_chosen(&choice, job))
            continue;
        bool kept = job->partition_count > 0, best_kept = best && best->partition_count > 0;
        if (!best || kept > best_kept || (kept == best_kept && job->time_ns > best->time_ns))
            best = job;
    }
    return best;
}

/* ---- Running ---- */

static bool keep_result(const struct dv_virtual_job *job, const struct replay_model *model,
                        struct replay_result *out_result)
{
    out_result->time_ns = job->end_ns - job->start_ns;
    out_result->bound_ns = job->bound_ns;
    out_result->efficiency = job->efficiency;
    out_result->shares = calloc(model->world.device_count, sizeof *out_result->shares);
    for (unsigned d = 0; out_result->shares && d < model->world.device_count; d++)
        out_result->shares[d] = (double)job->uses[d].items / (double)model->world.kernel.count;
    return job->done && out_result->shares;
}

static void give_powers(const struct replay_model *model, const char *given)
{
    for (unsigned d = 0; d < model->world.device_count; d++) {
        const struct dv_view_device *device = &model->view->devices[model->recorded[d]];
        char backend[64];
        snprintf(backend, sizeof backend, "%.*s", (int)strcspn(device->id, ":"), device->id);
        model->powers[d] = dv_power_given(given, backend, device->id, device->device_class);
    }
}

bool replay_run(const struct replay_model *model, const struct simulate_schedule *schedule,
                struct replay_result *out_result)
{
    *out_result = (struct replay_result){.schedule = *schedule};
    if (schedule->powers)
        give_powers(model, schedule->powers);
    bool fixed = schedule->schedule == &dv_dynamic && strcmp(model->job->schedule, "dynamic") == 0;
    struct dv_virtual *row =
        dv_virtual_open(&model->world, &(struct dv_virtual_options){.schedule = schedule->schedule,
                                                                    .seed = 1,
                                                                    .partition = fixed ? (size_t)model->partition : 0,
                                                                    .powers = schedule->powers ? model->powers : NULL});
    bool done = row != NULL;
    for (unsigned job = model->warm ? 1 : ROW_OF_JOBS; done && job <= ROW_OF_JOBS; job++) {
        struct dv_virtual_job ran = dv_virtual_run(row);
        done = job < ROW_OF_JOBS ? ran.done : keep_result(&ran, model, out_result);
    }
    dv_virtual_close(row);
    return done;
}

/* The schedule that the job was recorded under, as far as it can be simulated. */
static bool find_recorded(const char *name, struct simulate_schedule *out_schedule)
{
    *out_schedule = (struct simulate_schedule){0};
    for (unsigned k = 0; dv_schedules[k]; k++)
        if (dv_schedules[k] != &dv_replay && strcmp(dv_schedules[k]->name, name) == 0)
            out_schedule->schedule = dv_schedules[k];
    return out_schedule->schedule != NULL;
}

static int run_all(struct replay_model *model, const struct request *request, char *problem)
{
    const struct simulate_plan *plan = &request->plan;
    struct simulate_schedule recorded;
    struct replay_result again = {0}, *results = calloc(plan->schedule_count, sizeof *results);
    bool has_again = find_recorded(model->job->schedule, &recorded) && replay_run(model, &recorded, &again);
    bool done = results != NULL;
    if (done && request->devices && !replay_choose(model, request->devices, problem, PROBLEM_BYTES)) {
        free(again.shares);
        free(results);
        return fail(1, problem);
    }
    for (unsigned s = 0; done && s < plan->schedule_count; s++)
        done = replay_run(model, &plan->schedules[s], &results[s]);
    if (done && request->json)
        done = replay_print_json(model, has_again ? &again : NULL, results, plan->schedule_count, stdout);
    else if (done)
        replay_print_text(model, has_again ? &again : NULL, results, plan->schedule_count, stdout);
    for (unsigned s = 0; results && s < plan->schedule_count; s++)
        free(results[s].shares);
    free(results);
    free(again.shares);
    return done ? 0 : fail(1, "memory ran out");
}

static int replay(const struct dv_view *view, const struct request *request, char *problem)
{
    const struct dv_view_job *job = choose_job(view, request->job);
    struct replay_model model;
    if (!job) {
        snprintf(problem, PROBLEM_BYTES, "the profile has no job%s%s",
                 request->job ? " of the number, name or kernel " : "", request->job ? request->job : "");
        return fail(1, problem);
    }
    if (!replay_estimate(view, job, &model, problem, PROBLEM_BYTES))
        return fail(1, problem);
    int status = run_all(&model, request, problem);
    replay_forget(&model);
    return status;
}

int divvy_replay(int argc, char **argv)
{
    struct request request = {0};
    char problem[PROBLEM_BYTES];
    struct dv_view view;
    setlocale(LC_CTYPE, "");
    int status = read_options(argc, argv, &request);
    if (status >= 0)
        return status;
    if (request.plan.schedule_count == 0)
        simulate_take_all(&request.plan);
    if (!dv_view_read(argv[optind], &view, problem, sizeof problem))
        return fail(1, problem);
    status = replay(&view, &request, problem);
    dv_view_free(&view);
    return status;
}
