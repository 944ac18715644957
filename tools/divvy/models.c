/* divvy models: the command line, and what is looked at. */
#include "models.h"

#include "commands.h"

#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "machine/topology.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
    "usage: divvy models list   [KERNEL] [--class TEXT] [--all] [--json]\n"
    "       divvy models show   KERNEL   [--class TEXT] [--all] [--json]\n"
    "       divvy models drop   KERNEL | --class TEXT | --all\n"
    "       divvy models export FILE [KERNEL] [--class TEXT]\n"
    "       divvy models merge  FILE...\n"
    "\n"
    "What programs have learned of kernels and devices, and begin with in their next run. It lies in the\n"
    "folder that DIVVY_MODELS names, by default divvy/models in XDG_CACHE_HOME or ~/.cache.\n"
    "\n"
    "  list    one line for each model: kernel, class of device, size class, rate b and its uncertainty,\n"
    "          samples, age\n"
    "  show    all that is known of a kernel\n"
    "  drop    forgets models; the next run learns them again\n"
    "  export  writes models into a file (\"-\": the standard output)\n"
    "  merge   adds models from files of export (\"-\": the standard input); rates of the same device on\n"
    "          the same machine are averaged by how often they were measured\n"
    "\n"
    "KERNEL is the name of a kernel, or the beginning of the hash of its content.\n"
    "\n"
    "  --class TEXT  only devices whose class contains this\n"
    "  --all         list, show: models of other machines too; drop: everything\n"
    "  --json        list, show: as JSON\n"
    "  --help        show this\n"
    "\n"
    "Exit status: 0, 1 if there is nothing of what was named or a file says no, 2 for wrong usage.\n";

/* ---- Which are meant -------------------------------------------------------------------------- */

bool models_means_kernel(const struct models_choice *choice, const struct dv_store_kernel *kernel)
{
    const char *wanted = choice->kernel;
    return !wanted || strcmp(kernel->name, wanted) == 0 ||
           (strlen(wanted) >= 4 && strncmp(kernel->hash, wanted, strlen(wanted)) == 0);
}

bool models_means_row(const struct models_choice *choice, const struct models_known *known,
                      const struct dv_store_key *key)
{
    return (choice->all || strcmp(key->host, known->host) == 0) &&
           (!choice->device_class || strstr(key->device_class, choice->device_class));
}

size_t models_count(const struct models_choice *choice, const struct models_known *known)
{
    size_t count = 0;
    for (size_t k = 0; k < known->content.kernel_count; k++) {
        const struct dv_store_kernel *kernel = &known->content.kernels[k];
        for (size_t m = 0; models_means_kernel(choice, kernel) && m < kernel->model_count; m++)
            count += models_means_row(choice, known, &kernel->models[m].key);
    }
    return count;
}

/* ---- Looking ---------------------------------------------------------------------------------- */

/* Files that are not believed are told by the log. */
static divvy_status read_all(struct models_known *known)
{
    char(*hashes)[DV_STORE_HASH];
    size_t count;
    if (!dv_store_list(&known->store, &hashes, &count))
        return dv_fail(DIVVY_NO_MEMORY, "no memory for the models");
    struct dv_store_content *content = &known->content;
    content->kernels = calloc(count + 1, sizeof *content->kernels);
    for (size_t k = 0; content->kernels && k < count; k++)
        if (dv_store_read(&known->store, hashes[k], &content->kernels[content->kernel_count]) == DV_STORE_READ)
            content->kernel_count++;
    free(hashes);
    return content->kernels ? DIVVY_OK : dv_fail(DIVVY_NO_MEMORY, "no memory for the models");
}

static divvy_status look(struct models_known *known)
{
    struct dv_settings settings;
    const struct dv_topology *host = dv_topology_get();
    if (!host)
        return DIVVY_INTERNAL;
    DV_TRY(dv_settings_read(&(divvy_options){.profile = ""}, &settings));
    dv_log_set_level(settings.log);
    divvy_status status = dv_store_open(settings.models, NULL, NULL, &known->store);
    dv_settings_free(&settings);
    DV_TRY(status);
    if (!known->store.folder)
        return dv_fail(DIVVY_NOT_FOUND, "DIVVY_MODELS is off: nothing is kept");
    dv_store_digits(host->digest, known->host);
    known->now_s = (uint64_t)time(NULL);
    return read_all(known);
}

/* ---- The command ------------------------------------------------------------------------------ */

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "divvy models: %s%s%s\n%s", what, *what ? " " : "", why, usage);
    return 2;
}

/* Nothing is there of what was named: say what there is. */
static int miss(const struct models_choice *choice, const struct models_known *known)
{
    fprintf(stderr, "divvy models: there is no model%s%s%s%s; kernels with models:", choice->kernel ? " of " : "",
            choice->kernel ? choice->kernel : "", choice->device_class ? " of a class with " : "",
            choice->device_class ? choice->device_class : "");
    for (size_t k = 0; k < known->content.kernel_count; k++) {
        char *name = strdup(known->content.kernels[k].name);
        if (name)
            dv_log_clean(name, "");
        fprintf(stderr, "%s %s", k ? "," : "", name ? name : "?");
        free(name);
    }
    fputs(known->content.kernel_count ? "\n" : " none\n", stderr);
    return 1;
}

static int show(const struct models_choice *choice, const struct models_known *known, bool whole)
{
    if (whole && models_count(choice, known) == 0)
        return miss(choice, known);
    if (choice->json)
        models_print_json(choice, known, whole);
    else if (whole)
        models_print_kernels(choice, known);
    else
        models_print_list(choice, known);
    return 0;
}

static int act(const char *action, struct models_choice *choice, struct models_known *known, char **words, int count)
{
    if (strcmp(action, "merge") == 0)
        return models_merge(known, words, count);
    const char *path = NULL;
    if (strcmp(action, "export") == 0) {
        path = *words++;
        count--;
        choice->all = true;
    }
    choice->kernel = count ? words[0] : NULL;
    if (path)
        return models_count(choice, known) ? models_export(choice, known, path) : miss(choice, known);
    if (strcmp(action, "drop") == 0) {
        choice->all = true;
        return models_count(choice, known) ? models_drop(choice, known) : miss(choice, known);
    }
    return show(choice, known, strcmp(action, "show") == 0);
}

/* Whether an action takes so many words and these options; else the reason. */
static const char *against(const char *action, const struct models_choice *choice, int count)
{
    bool lists = strcmp(action, "list") == 0, shows = strcmp(action, "show") == 0;
    bool drops = strcmp(action, "drop") == 0, exports = strcmp(action, "export") == 0;
    bool merges = strcmp(action, "merge") == 0;
    if (!lists && !shows && !drops && !exports && !merges)
        return "is not list, show, drop, export or merge";
    if (choice->json && !lists && !shows)
        return "prints no facts: it takes no --json";
    if (choice->all && (exports || merges))
        return "takes no --all";
    if (choice->device_class && merges)
        return "takes no --class";
    if ((shows || exports || merges) && count < 1)
        return shows ? "needs the name of a kernel" : "needs a file";
    if (!merges && count > 1 + exports)
        return "takes one kernel";
    if (drops && choice->all ? count || choice->device_class : drops && !count && !choice->device_class)
        return "needs a kernel, --class or --all, but not --all with others";
    return NULL;
}

int divvy_models(int argc, char **argv)
{
    static const struct option options[] = {
        {"class", required_argument, NULL, 'c'},
        {"all", no_argument, NULL, 'a'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct models_choice choice = {0};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            choice.device_class = optarg;
            break;
        case 'a':
            choice.all = true;
            break;
        case 'j':
            choice.json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind == argc)
        return refuse("", "say what to do: list, show, drop, export or merge");
    const char *action = argv[optind++], *reason = against(action, &choice, argc - optind);
    if (reason)
        return refuse(action, reason);
    struct models_known known = {0};
    int status = 1;
    if (look(&known) != DIVVY_OK)
        fprintf(stderr, "divvy models: %s\n", dv_error_text());
    else
        status = act(action, &choice, &known, argv + optind, argc - optind);
    dv_store_free(&known.content);
    dv_store_close(&known.store);
    return status;
}
