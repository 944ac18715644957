/* divvy_conformance: holds a backend to the contract of divvy/backend.h, then runs the shipped kernels on it. */
#include "contract.h"
#include "kernels.h"
#include "report.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PASSED = 0, FAILED = 1, USAGE = 2, NO_DEVICE = 77 };

static const char help[] =
    "Usage: divvy_conformance [options] BACKEND|libdivvy_NAME.so [DEVICE]\n"
    "\n"
    "Holds a backend to the contract of divvy/backend.h, and runs the shipped kernels on it: alone, and together with\n"
    "the cores. Every device is tried, or those that DEVICE names: a number, or a part of the device's name.\n"
    "\n"
    "  --plugin-path DIRS   look for libdivvy_BACKEND.so there first (separated by ':'; then DIVVY_PLUGIN_PATH, then\n"
    "                       where divvy is installed)\n"
    "  --only PART          contract, kernels, or one group of checks; may be given again\n"
    "  --without NAMES      leave out these rules or groups (separated by ',')\n"
    "  --quick              small sizes, for simulators\n"
    "  --seed N             repeat the random part of a run\n"
    "  --patience SECONDS   how long a backend may stay silent in one call (default 120)\n"
    "  --json               the report as one JSON object\n"
    "  --list               the groups of checks, and the rules that they hold a backend to\n"
    "  --verbose            all log lines of the backend, to stderr\n"
    "  --help\n"
    "\n"
    "Each group of checks has a line: how it went, its device, the number of checks, the time. A check that fails\n"
    "names the rule that is broken and what was seen. The plugin runs in processes of their own, so that one that\n"
    "crashes or hangs is reported like any other.\n"
    "\n"
    "Build a plugin and this program with the same sanitizer. A backend's own variables (DIVVY_<BACKEND>_...) apply.\n"
    "\n"
    "Exit status: 0 all rules hold, 1 some are broken, 2 wrong usage, 77 there is no device to try.\n";

struct wish {
    const char *plugin_path, *backend, *device, *without;
    char only[512]; /* ",contract,sizes" */
    bool quick, json, verbose;
    unsigned patience_s;
    uint64_t seed;
    char path[PATH_MAX], name[64];
};

/* ---- What is asked for ----------------------------------------------------------------------------------------------- */

static bool is_group(const char *name)
{
    return contract_has_group(name) || kernels_has_group(name);
}

static void list(void)
{
    printf("Groups of the part `contract`:\n");
    contract_list();
    printf("Groups of the part `kernels`:\n");
    kernels_list();
    printf("Rules:\n");
    report_rules();
}

static bool is_only(const struct wish *wish, const char *name)
{
    char wanted[80];
    snprintf(wanted, sizeof wanted, ",%s,", name);
    return strstr(wish->only, wanted) != NULL;
}

/* Whether something of a part is wanted. */
static bool wants_part(const struct wish *wish, const char *part, bool (*has_group)(const char *name))
{
    char name[64];
    if (!wish->only[0] || is_only(wish, part))
        return true;
    for (const char *at = wish->only + 1; *at; at += strcspn(at, ",") + 1) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, ","), at);
        if (has_group(name))
            return true;
    }
    return false;
}

static bool add_only(struct wish *wish, const char *name)
{
    size_t length = strlen(wish->only);
    if (strcmp(name, "contract") != 0 && strcmp(name, "kernels") != 0 && !is_group(name)) {
        fprintf(stderr, "divvy_conformance: there is no part and no group \"%s\": see --list\n", name);
        return false;
    }
    snprintf(wish->only + length, sizeof wish->only - length, "%s%s,", length ? "" : ",", name);
    return true;
}

static bool read_number(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == 0 && text[0] != '-';
}

/* -1: go on; else the exit status. */
static int read_wish(int argc, char **argv, struct wish *wish)
{
    static const struct option options[] = {{"plugin-path", required_argument, NULL, 'p'},
                                            {"only", required_argument, NULL, 'o'},
                                            {"without", required_argument, NULL, 'w'},
                                            {"quick", no_argument, NULL, 'q'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"patience", required_argument, NULL, 't'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"list", no_argument, NULL, 'l'},
                                            {"verbose", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct timespec now;
    uint64_t number;
    clock_gettime(CLOCK_REALTIME, &now);
    *wish = (struct wish){.without = "", .patience_s = 120, .seed = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 8};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p':
            wish->plugin_path = optarg;
            break;
        case 'o':
            if (!add_only(wish, optarg))
                return USAGE;
            break;
        case 'w':
            wish->without = optarg;
            break;
        case 'q':
            wish->quick = true;
            break;
        case 'j':
            wish->json = true;
            break;
        case 'v':
            wish->verbose = true;
            break;
        case 's':
        case 't':
            if (!read_number(optarg, &number) || (c == 't' && (number == 0 || number > 86400))) {
                fprintf(stderr, "divvy_conformance: \"%s\" is no such number\n", optarg);
                return USAGE;
            }
            if (c == 's')
                wish->seed = number;
            else
                wish->patience_s = (unsigned)number;
            break;
        case 'l':
            list();
            return PASSED;
        case 'h':
            fputs(help, stdout);
            return PASSED;
        default:
            fputs("divvy_conformance --help tells more\n", stderr);
            return USAGE;
        }
    }
    if (argc - optind < 1 || argc - optind > 2) {
        fputs(help, stderr);
        return USAGE;
    }
    wish->backend = argv[optind];
    wish->device = argv[optind + 1];
    return -1;
}

/* ---- The file ---------------------------------------------------------------------------------------------------------- */

static bool is_file(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISREG(facts.st_mode);
}

/* In one of the folders of a list. */
static bool find_in(struct wish *wish, const char *folders)
{
    for (const char *at = folders; at && *at; at += *at == ':') {
        int length = (int)strcspn(at, ":");
        if (length > 0 &&
            snprintf(wish->path, sizeof wish->path, "%.*s/libdivvy_%s.so", length, at, wish->backend) <
                (int)sizeof wish->path &&
            is_file(wish->path))
            return true;
        at += length;
    }
    return false;
}

/* Beside this program: where it is installed, and where it was built. */
static bool find_here(struct wish *wish)
{
    char own[PATH_MAX], folders[2 * PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    own[length > 0 ? length : 0] = 0;
    char *slash = strrchr(own, '/');
    if (!slash)
        return false;
    *slash = 0;
    snprintf(folders, sizeof folders, "%s/../" PLUGIN_DIR ":%s/../../backends", own, own);
    return find_in(wish, folders);
}

static bool find_plugin(struct wish *wish)
{
    char found[PATH_MAX];
    if (strchr(wish->backend, '/') || strstr(wish->backend, ".so"))
        snprintf(wish->path, sizeof wish->path, "%s", wish->backend);
    else if (!find_in(wish, wish->plugin_path) && !find_in(wish, getenv("DIVVY_PLUGIN_PATH")) && !find_here(wish))
        wish->path[0] = 0;
    if (!realpath(wish->path, found)) {
        fprintf(stderr, "divvy_conformance: there is no %s%s%s\n", wish->path[0] ? wish->path : "libdivvy_",
                wish->path[0] ? "" : wish->backend, wish->path[0] ? "" : ".so in any folder");
        return false;
    }
    if (!contract_name(found, wish->name, sizeof wish->name)) {
        fprintf(stderr, "divvy_conformance: %s is not called libdivvy_NAME.so\n", found);
        return false;
    }
    memcpy(wish->path, found, strlen(found) + 1);
    return true;
}

/* ---- The parts, each in a process of its own ---------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts, (void)kind, (void)where;
    return remove(path);
}

static void run_contract(const struct wish *wish)
{
    const char *parent = getenv("TMPDIR");
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s/divvy_conformance.XXXXXX", parent && parent[0] ? parent : "/tmp");
    host_seen.cache_folder = mkdtemp(folder);
    host_seen.verbose = wish->verbose;
    bench.quick = wish->quick;
    bench.deadline = (uint64_t)wish->patience_s * 1000000000u;
    contract_check(wish->path, wish->device);
    if (host_seen.cache_folder)
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void run_kernels(const struct wish *wish)
{
    kernels_check(&(struct kernels_wish){
        .path = wish->path, .name = wish->name, .filter = wish->device, .quick = wish->quick, .seed = wish->seed});
}

/* Waits for a part. One that says nothing for too long is ended. */
static void watch(pid_t child, unsigned patience_s)
{
    int state = 0;
    uint64_t seen = report_progress();
    unsigned waited_ms = 0;
    while (waitpid(child, &state, WNOHANG) == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        waited_ms = report_progress() == seen ? waited_ms + 5 : 0;
        seen = report_progress();
        if (waited_ms < patience_s * 1000)
            continue;
        kill(child, SIGKILL);
        waitpid(child, &state, 0);
        group_broken("no answer for %u s", patience_s);
        return;
    }
    if (WIFSIGNALED(state))
        group_broken("the process died of signal %d (%s)", WTERMSIG(state), strsignal(WTERMSIG(state)));
    else if (WEXITSTATUS(state) != 0)
        group_broken("the process ended with status %d", WEXITSTATUS(state));
}

static void run_part(const struct wish *wish, void (*part)(const struct wish *wish))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        part(wish);
        exit(EXIT_SUCCESS);
    }
    if (child > 0)
        watch(child, wish->patience_s);
    else
        group_broken("no process could be made: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    static struct wish wish;
    int status = read_wish(argc, argv, &wish);
    if (status >= 0)
        return status;
    if (!find_plugin(&wish) || !report_open(wish.json, wish.seed, wish.without, is_group))
        return USAGE;
    if (wants_part(&wish, "contract", contract_has_group)) {
        report_only(is_only(&wish, "contract") ? "" : wish.only);
        run_part(&wish, run_contract);
    }
    if (report_passed() && wants_part(&wish, "kernels", kernels_has_group)) {
        report_only(is_only(&wish, "kernels") ? "" : wish.only);
        run_part(&wish, run_kernels);
    }
    if (wish.json)
        report_json(wish.path);
    else
        report_summary(wish.path);
    return !report_passed() ? FAILED : report_devices() == 0 ? NO_DEVICE : PASSED;
}
