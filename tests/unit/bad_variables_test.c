/* Variables with values that make no sense, in a whole program: it is told at opening which one is wrong and what is
 * allowed, every call says the same, and nothing is computed or written. */
#include "fork.h"
#include "rules.h"

#include "rules.cl"

#include <fcntl.h>
#include <sys/wait.h>

enum { COUNT = 1000, SAID = 1 << 16 };

static char *said;

/* What one program does: opens as the environment says and runs a job. It ends with the status of opening. */
static int open_and_run(void)
{
    static uint y[COUNT];
    divvy *dv;
    divvy_status opened = divvy_open(&dv, NULL);
    memset(y, 0x5a, sizeof y);
    if (opened != DIVVY_OK)
        fprintf(stderr, "error: %s\n", divvy_error());
    bool touched = false;
    divvy_status ran = divvy_run(dv, toil, COUNT, .turns = 1, .y = y);
    for (int i = 0; i < COUNT; i++)
        touched = touched || y[i] != 0x5a5a5a5a;
    divvy_close(dv);
    return ran == opened && touched == (opened == DIVVY_OK) ? -(int)opened : 100;
}

/* Runs it in a process of its own, with one variable; what it wrote is in `said`. */
static int run_with(const char *name, const char *value)
{
    int ends[2], end = 0;
    size_t length = 0;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = check_fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv(name, value, 1);
        exit(open_and_run());
    }
    close(ends[1]);
    for (ssize_t more; (more = read(ends[0], said + length, SAID - 1 - length)) > 0;)
        length += (size_t)more;
    said[length] = 0;
    close(ends[0]);
    waitpid(child, &end, 0);
    return WIFEXITED(end) ? -WEXITSTATUS(end) : -1000;
}

static void check_bad(const char *name, const char *value, divvy_status status, const char *part)
{
    if (!CHECK_EQ(run_with(name, value), status))
        fprintf(stderr, "  %s=%s: %s\n", name, value, said);
    CHECK_HAS(said, part);
    CHECK(!strchr(said, '\033'));
}

int main(void)
{
    limit_time(200);
    said = malloc(SAID);
    setenv("DIVVY_BACKEND", "cpu", 1);
    CHECK_EQ(run_with("DIVVY_LOG", "warn"), DIVVY_OK);
    CHECK_STR(said, "");

    /* Each variable, and what its message must say beside the value. */
    static const struct {
        const char *name, *value;
        divvy_status status;
        const char *part;
    } bad[] = {
        {"DIVVY_BACKEND", "cpu;opencl", DIVVY_INVALID, "it takes plugins to load, in order: cpu,opencl"},
        {"DIVVY_BACKEND", "no-such", DIVVY_NO_BACKEND, "no backend \"no-such\": no libdivvy_no-such.so in /"},
        {"DIVVY_BACKEND", "^cpu,^opencl,^serial,^sim", DIVVY_NO_BACKEND, "no backend can be used"},
        {"DIVVY_DEVICES", "cpu:", DIVVY_INVALID, "it takes a list such as cpu, cpu:0, cpu:0-3"},
        {"DIVVY_DEVICES", "cpu:99999", DIVVY_NO_DEVICE, "there are: cpu:0"},
        {"DIVVY_DEVICES", "nothing", DIVVY_NO_DEVICE, "there are: cpu:0"},
        {"DIVVY_THREADS", "many", DIVVY_INVALID, "-2 all but one"},
        {"DIVVY_THREADS", "99999", DIVVY_LIMIT, "this process may use"},
        {"DIVVY_BIND", "sideways", DIVVY_INVALID, "compact, scatter, none or a list of cores from 0 to"},
        {"DIVVY_BIND", "99999", DIVVY_INVALID, "a list of cores from 0 to"},
        {"DIVVY_SCHEDULE", "gaurded", DIVVY_INVALID, "guarded, static, dynamic, guided, tss, fac2, awf-c, af"},
        {"DIVVY_PARTITION", "-5", DIVVY_INVALID, "a fixed partition size"},
        {"DIVVY_REPRODUCIBLE", "maybe", DIVVY_INVALID, "1: the same bits in every run"},
        {"DIVVY_PROFILE", "%q", DIVVY_INVALID, "%p is the process"},
        {"DIVVY_PROFILE", "/nowhere/run.json", DIVVY_IO, "/nowhere/run.json: No such file"},
        {"DIVVY_PROFILE_JOBS", "-7", DIVVY_INVALID, "0 or more"},
        {"DIVVY_PROGRESS", "perhaps", DIVVY_INVALID, "auto (on a terminal only), on or off"},
        {"DIVVY_LOG", "loud", DIVVY_INVALID, "error, warn, info or debug"},
        {"DIVVY_CPU_LEVEL", "z80", DIVVY_INVALID, "there is no level \"z80\": allowed are "},
        {"DIVVY_SCHEDULE", "\033[2J", DIVVY_INVALID, "\"?[2J\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_bad(bad[i].name, bad[i].value, bad[i].status, bad[i].part);

    /* "help" tells what each takes, and is no value. */
    static const char *const names[] = {
        "DIVVY_BACKEND",     "DIVVY_DEVICES",   "DIVVY_THREADS",      "DIVVY_BIND",     "DIVVY_SCHEDULE",
        "DIVVY_PARTITION",   "DIVVY_PROFILE",   "DIVVY_PROFILE_JOBS", "DIVVY_PROGRESS", "DIVVY_LOG",
        "DIVVY_PLUGIN_PATH", "DIVVY_CPU_LEVEL", "DIVVY_REPRODUCIBLE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_bad(names[i], "help", DIVVY_INVALID, names[i]);
        CHECK_HAS(said, "(default: ");
    }

    /* A folder of plugins that is not there is no failure while the own folder has some; a misspelt name draws one
     * warning. */
    check_bad("DIVVY_PLUGIN_PATH", "/nowhere", DIVVY_OK, "");
    CHECK_STR(said, "");
    check_bad("DIVVY_PROFIL", "x", DIVVY_OK, "did you mean DIVVY_PROFILE?");
    CHECK(strchr(said, '\n') == strrchr(said, '\n'));
    free(said);
    return check_summary();
}
