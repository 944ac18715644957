#include "base/log.h"
#include "base/options.h"
#include "base/status.h"

#include "check.h"
#include "fork.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* ---- What is written to stderr ---------------------------------------------------------------- */

static char captured[8192];
static int real_stderr, file_stderr;

static void capture(void)
{
    char path[] = "/tmp/options_test.XXXXXX";
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    file_stderr = mkstemp(path);
    unlink(path);
    dup2(file_stderr, STDERR_FILENO);
}

/* Not inlined: the compiler need not know how long the text may be. */
__attribute__((noinline)) static const char *release(void)
{
    fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    ssize_t length = pread(file_stderr, captured, sizeof captured - 1, 0);
    captured[length > 0 ? length : 0] = 0;
    close(file_stderr);
    return captured;
}

/* ---- Helpers ---------------------------------------------------------------------------------- */

static void forget_environment(void)
{
    for (size_t i = 0; i < dv_variable_count(); i++)
        unsetenv(dv_variable_at(i).name);
}

static divvy_status read_with(const char *name, const char *value, struct dv_settings *out)
{
    forget_environment();
    setenv(name, value, 1);
    divvy_status status = dv_settings_read(NULL, out);
    unsetenv(name);
    return status;
}

static void good(const char *name, const char *value)
{
    struct dv_settings settings;
    if (!CHECK_EQ(read_with(name, value, &settings), DIVVY_OK))
        fprintf(stderr, "  %s=%s: %s\n", name, value, divvy_error());
    dv_settings_free(&settings);
}

/* The message names the variable, the value and what is allowed. */
static void bad(const char *name, const char *value, const char *allowed)
{
    struct dv_settings settings;
    if (!CHECK_EQ(read_with(name, value, &settings), DIVVY_INVALID))
        fprintf(stderr, "  %s=%s\n", name, value);
    CHECK_HAS(divvy_error(), name);
    CHECK_HAS(divvy_error(), value);
    CHECK_HAS(divvy_error(), allowed);
    CHECK(!settings.backend && !settings.schedule);
    dv_settings_free(&settings);
}

/* ---- Tests ------------------------------------------------------------------------------------ */

static void test_defaults(void)
{
    /* With nothing set, the settings are the defaults, and empty variables are as good as none. */
    for (int empty = 0; empty < 2; empty++) {
        struct dv_settings settings;
        forget_environment();
        for (size_t i = 0; empty && i < dv_variable_count(); i++)
            setenv(dv_variable_at(i).name, "", 1);
        CHECK_EQ(dv_settings_read(NULL, &settings), DIVVY_OK);
        CHECK_STR(settings.backend, "");
        CHECK_STR(settings.devices, "");
        CHECK_EQ(settings.threads, 0);
        CHECK_STR(settings.bind, "");
        CHECK_STR(settings.schedule, "guarded");
        CHECK_EQ(settings.partition, 0);
        CHECK(settings.profile == NULL);
        CHECK_EQ(settings.profile_jobs, 16);
        CHECK_EQ(settings.progress, DV_PROGRESS_AUTO);
        CHECK_EQ(settings.log, DIVVY_LOG_WARN);
        CHECK_STR(settings.plugin_path, "");
        dv_settings_free(&settings);
    }
}

static void test_environment(void)
{
    /* Each variable lands in its field. */
    struct dv_settings settings;
    forget_environment();
    setenv("DIVVY_BACKEND", "cpu,opencl", 1);
    setenv("DIVVY_DEVICES", "cpu:0-3", 1);
    setenv("DIVVY_THREADS", "-2", 1);
    setenv("DIVVY_BIND", "0,2-5", 1);
    setenv("DIVVY_SCHEDULE", "dynamic", 1);
    setenv("DIVVY_PARTITION", "4096", 1);
    setenv("DIVVY_REPRODUCIBLE", "1", 1);
    setenv("DIVVY_PROFILE", "/tmp/p.json", 1);
    setenv("DIVVY_PROFILE_JOBS", "0", 1);
    setenv("DIVVY_PROGRESS", "off", 1);
    setenv("DIVVY_LOG", "debug", 1);
    setenv("DIVVY_PLUGIN_PATH", "/a:/b", 1);
    CHECK_EQ(dv_settings_read(NULL, &settings), DIVVY_OK);
    CHECK_STR(settings.backend, "cpu,opencl");
    CHECK_STR(settings.devices, "cpu:0-3");
    CHECK_EQ(settings.threads, -2);
    CHECK_STR(settings.bind, "0,2-5");
    CHECK_STR(settings.schedule, "dynamic");
    CHECK_EQ(settings.partition, 4096);
    CHECK(settings.reproducible);
    CHECK_STR(settings.profile, "/tmp/p.json");
    CHECK_EQ(settings.profile_jobs, 0);
    CHECK_EQ(settings.progress, DV_PROGRESS_OFF);
    CHECK_EQ(settings.log, DIVVY_LOG_DEBUG);
    CHECK_STR(settings.plugin_path, "/a:/b");
    dv_settings_free(&settings);

    /* A field of divvy_options wins over its variable; those left zero do not; "" is the default. */
    const divvy_options options = {
        .backend = "serial", .threads = 3, .partition = 7, .profile = "", .log = "error", .profile_jobs = 2};
    CHECK_EQ(dv_settings_read(&options, &settings), DIVVY_OK);
    CHECK_STR(settings.backend, "serial");
    CHECK_EQ(settings.threads, 3);
    CHECK_EQ(settings.partition, 7);
    CHECK(settings.profile == NULL);
    CHECK_EQ(settings.log, DIVVY_LOG_ERROR);
    CHECK_EQ(settings.profile_jobs, 2);
    CHECK_STR(settings.schedule, "dynamic");
    dv_settings_free(&settings);

    /* A good option hides a bad variable; a bad option is refused like one. */
    setenv("DIVVY_SCHEDULE", "nonsense", 1);
    CHECK_EQ(dv_settings_read(&(divvy_options){.schedule = "static"}, &settings), DIVVY_OK);
    dv_settings_free(&settings);
    forget_environment();
    CHECK_EQ(dv_settings_read(&(divvy_options){.schedule = "nonsense"}, &settings), DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "guarded, static, dynamic, guided, tss, fac2, awf-c, af, iterative");
    CHECK_EQ(dv_settings_read(&(divvy_options){.profile_jobs = -2}, &settings), DIVVY_INVALID);

    /* -1 is none, whatever the variable says. */
    setenv("DIVVY_REPRODUCIBLE", "1", 1);
    CHECK_EQ(dv_settings_read(&(divvy_options){.reproducible = -1}, &settings), DIVVY_OK);
    CHECK(!settings.reproducible);
    dv_settings_free(&settings);
    unsetenv("DIVVY_REPRODUCIBLE");
    CHECK_EQ(dv_settings_read(&(divvy_options){.reproducible = 1}, &settings), DIVVY_OK);
    CHECK(settings.reproducible);
    dv_settings_free(&settings);
    setenv("DIVVY_PROFILE_JOBS", "5", 1);
    CHECK_EQ(dv_settings_read(&(divvy_options){.profile_jobs = -1}, &settings), DIVVY_OK);
    CHECK_EQ(settings.profile_jobs, 0);
    dv_settings_free(&settings);
    forget_environment();
}

static void test_values(void)
{
    /* Good values are taken. */
    static const char *const taken[][2] = {
        {"DIVVY_BACKEND", "cpu"},
        {"DIVVY_BACKEND", "^opencl"},
        {"DIVVY_BACKEND", "^opencl,^sim"},
        {"DIVVY_BACKEND", "my-own_2"},
        {"DIVVY_THREADS", "1"},
        {"DIVVY_THREADS", "-1"},
        {"DIVVY_THREADS", "0"},
        {"DIVVY_SCHEDULE", "guarded"},
        {"DIVVY_SCHEDULE", "static"},
        {"DIVVY_SCHEDULE", "awf-c"},
        {"DIVVY_SCHEDULE", "hguided:cpu=1,opencl:0=8"},
        {"DIVVY_SCHEDULE", "guided"},
        {"DIVVY_PARTITION", "18446744073709551615"},
        {"DIVVY_REPRODUCIBLE", "0"},
        {"DIVVY_REPRODUCIBLE", "1"},
        {"DIVVY_PROGRESS", "auto"},
        {"DIVVY_PROGRESS", "on"},
        {"DIVVY_LOG", "error"},
        {"DIVVY_LOG", "warn"},
        {"DIVVY_LOG", "info"},
        {"DIVVY_PROFILE_JOBS", "100"},
        {"DIVVY_CPU_LEVEL", "x86-64"},
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        good(taken[i][0], taken[i][1]);

    /* Bad ones are refused by a message with what is allowed. */
    static const char *const refused[][3] = {
        {"DIVVY_BACKEND", "cpu,", "^opencl"},
        {"DIVVY_BACKEND", ",cpu", "^opencl"},
        {"DIVVY_BACKEND", "CPU", "cpu"},
        {"DIVVY_BACKEND", "cpu,^opencl", "^opencl"},
        {"DIVVY_BACKEND", "^opencl,cpu", "^opencl"},
        {"DIVVY_BACKEND", "^", "^opencl"},
        {"DIVVY_BACKEND", "../x", "cpu,opencl"},
        {"DIVVY_BACKEND", "a b", "cpu"},
        {"DIVVY_THREADS", "two", "-2 all but one"},
        {"DIVVY_THREADS", "2x", "-1 all"},
        {"DIVVY_THREADS", " 2", "-1 all"},
        {"DIVVY_THREADS", "99999999999", "-1 all"},
        {"DIVVY_SCHEDULE", "Guarded", "guarded, static"},
        {"DIVVY_SCHEDULE", "tss:", "guided"},
        {"DIVVY_SCHEDULE", "static:4", "guided"},
        {"DIVVY_SCHEDULE", "hguided", "hguided:NAME=POWER"},
        {"DIVVY_SCHEDULE", "hguided:", "hguided:NAME=POWER"},
        {"DIVVY_SCHEDULE", ":x", "guided"},
        {"DIVVY_SCHEDULE", "replay", "replay:FILE"},
        {"DIVVY_PARTITION", "-1", "size"},
        {"DIVVY_PARTITION", "1k", "size"},
        {"DIVVY_PARTITION", "18446744073709551616", "size"},
        {"DIVVY_REPRODUCIBLE", "yes", "1: "},
        {"DIVVY_REPRODUCIBLE", "2", "0: "},
        {"DIVVY_PROFILE", "a%", "%p"},
        {"DIVVY_PROFILE", "a%d", "%p"},
        {"DIVVY_PROFILE_JOBS", "-2", "0 or more"},
        {"DIVVY_PROGRESS", "yes", "auto"},
        {"DIVVY_LOG", "warning", "error, warn, info or debug"},
        {"DIVVY_LOG", "2", "debug"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        bad(refused[i][0], refused[i][1], refused[i][2]);

    /* "help" prints the variable's row to stderr and is INVALID, for every variable. */
    for (size_t i = 0; i < dv_variable_count(); i++) {
        const struct dv_variable variable = dv_variable_at(i);
        if (strcmp(variable.name, "DIVVY_CPU_LEVEL") == 0 || strcmp(variable.name, "DIVVY_SIM") == 0)
            continue;
        struct dv_settings settings;
        capture();
        divvy_status status = read_with(variable.name, "help", &settings);
        const char *told = release();
        CHECK_EQ(status, DIVVY_INVALID);
        CHECK_HAS(told, variable.name);
        CHECK_HAS(told, variable.help);
        CHECK_HAS(divvy_error(), variable.help);
    }
}

static void test_profile_path(void)
{
    /* %p is the process, %% a percent sign, %t some time in digits; other letters stay. */
    struct dv_settings settings;
    char expected[64];
    CHECK_EQ(read_with("DIVVY_PROFILE", "run-%p-%%-pt.json", &settings), DIVVY_OK);
    snprintf(expected, sizeof expected, "run-%ld-%%-pt.json", (long)getpid());
    CHECK_STR(settings.profile, expected);
    dv_settings_free(&settings);
    CHECK_EQ(read_with("DIVVY_PROFILE", "%t", &settings), DIVVY_OK);
    int year = 0, clock = 0;
    CHECK_EQ(sscanf(settings.profile, "%8d-%6d", &year, &clock), 2);
    CHECK(year > 20240101 && strlen(settings.profile) == 15);
    dv_settings_free(&settings);
}

static void test_unknown_names(void)
{
    /* An unknown name draws one warning with the nearest known name, once per process. */
    static const char *const misspelt[][2] = {
        {"DIVVY_SHEDULE", "DIVVY_SCHEDULE?"},         {"DIVVY_DEVICE", "DIVVY_DEVICES?"},
        {"DIVVY_TREADS", "DIVVY_THREADS?"},           {"DIVVY_LOGS", "DIVVY_LOG?"},
        {"DIVVY_PROFILE_JOB", "DIVVY_PROFILE_JOBS?"},
    };
    for (size_t i = 0; i < sizeof misspelt / sizeof *misspelt; i++) {
        struct dv_settings settings;
        capture();
        CHECK_EQ(read_with(misspelt[i][0], "1", &settings), DIVVY_OK);
        dv_settings_free(&settings);
        const char *told = release();
        CHECK_HAS(told, misspelt[i][0]);
        CHECK_HAS(told, misspelt[i][1]);
        CHECK(strchr(told, '\n') == strrchr(told, '\n'));
        capture();
        read_with(misspelt[i][0], "1", &settings);
        dv_settings_free(&settings);
        CHECK_STR(release(), "");
    }

    /* A backend's own names pass in silence: of those shipped, and of those that DIVVY_BACKEND names. */
    struct dv_settings settings;
    capture();
    setenv("DIVVY_OPENCL_ANYTHING", "1", 1);
    setenv("DIVVY_SIM_SEED", "1", 1);
    setenv("DIVVY_MY_OWN_KNOB", "1", 1);
    CHECK_EQ(read_with("DIVVY_BACKEND", "cpu,my-own", &settings), DIVVY_OK);
    dv_settings_free(&settings);
    CHECK_STR(release(), "");
    capture();
    CHECK_EQ(read_with("DIVVY_LOG", "error", &settings), DIVVY_OK);
    dv_settings_free(&settings);
    CHECK_STR(release(), "");
    capture();
    CHECK_EQ(read_with("DIVVY_LOG", "warn", &settings), DIVVY_OK);
    dv_settings_free(&settings);
    CHECK_HAS(release(), "DIVVY_MY_OWN_KNOB");

    /* A backend reads its own by name, in capitals, and the one that is called as itself by no name. */
    setenv("DIVVY_SIM", "a.json", 1);
    CHECK_STR(dv_backend_option("sim", ""), "a.json");
    unsetenv("DIVVY_SIM");
    CHECK(dv_backend_option("sim", "") == NULL);
    CHECK_STR(dv_backend_option("opencl", "ANYTHING"), "1");
    CHECK_STR(dv_backend_option("my-own", "knob"), "1");
    CHECK(dv_backend_option("opencl", "NOTHING") == NULL);
    unsetenv("DIVVY_OPENCL_ANYTHING");
    unsetenv("DIVVY_SIM_SEED");
    unsetenv("DIVVY_MY_OWN_KNOB");
}

static void test_table(void)
{
    /* The table tells the value of a variable that is set, and names none twice. */
    forget_environment();
    setenv("DIVVY_THREADS", "5", 1);
    for (size_t i = 0; i < dv_variable_count(); i++) {
        const struct dv_variable variable = dv_variable_at(i);
        CHECK(*variable.standard && *variable.help);
        if (strcmp(variable.name, "DIVVY_THREADS") == 0)
            CHECK_STR(variable.value, "5");
        else
            CHECK(variable.value == NULL);
        for (size_t k = 0; k < i; k++)
            CHECK(strcmp(variable.name, dv_variable_at(k).name) != 0);
    }
    forget_environment();
}

static void test_log(void)
{
    /* A line names its area, ends once, and is written only at its level. */
    capture();
    dv_log(DIVVY_LOG_WARN, "test", "%d apples\n", 3);
    dv_log(DIVVY_LOG_INFO, "test", "not told");
    CHECK_STR(release(), "divvy: test: 3 apples\n");
    dv_log_set_level(DIVVY_LOG_INFO);
    CHECK(dv_log_enabled(DIVVY_LOG_INFO) && !dv_log_enabled(DIVVY_LOG_DEBUG));
    char longer[6000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    capture();
    dv_log(DIVVY_LOG_INFO, "test", "%s", longer);
    size_t length = strlen(release());
    CHECK(length > 4000 && length <= 4096 && captured[length - 1] == '\n');
    dv_log_set_level(DIVVY_LOG_WARN);
}

/* Control characters of a value or a name do not reach a terminal. */
static void test_control_characters(void)
{
    struct dv_settings settings;
    CHECK_EQ(read_with("DIVVY_LOG", "\033[2J\x7f\xc2\x9b\xc3\xa9", &settings), DIVVY_INVALID);
    CHECK_HAS(divvy_error(), "\"?[2J???\xc3\xa9\"");
    capture();
    CHECK_EQ(read_with("DIVVY_\033[2J\n", "1", &settings), DIVVY_OK);
    dv_settings_free(&settings);
    CHECK_HAS(release(), "DIVVY_?[2J? is unknown");
    capture();
    dv_log(DIVVY_LOG_WARN, "test", "a\tb\nc\033d");
    CHECK_STR(release(), "divvy: test: a\tb\nc?d\n");
}

/* In a child, since a process asks once: what is told of the cache below `base`. "": it was found good. */
__attribute__((noinline)) static const char *told_of_cache(const char *base)
{
    setenv("XDG_CACHE_HOME", base, 1);
    capture();
    pid_t child = check_fork();
    if (child == 0)
        _exit(dv_cache_folder() != NULL);
    int end = 0;
    waitpid(child, &end, 0);
    const char *told = release();
    CHECK(WIFEXITED(end) && WEXITSTATUS(end) == (*told == 0));
    return told;
}

static void test_cache_folder(void)
{
    char base[] = "/tmp/options_test.XXXXXX", expected[64];
    struct stat facts;
    if (!CHECK(mkdtemp(base) != NULL))
        return;
    snprintf(expected, sizeof expected, "%s/divvy", base);

    /* A folder of others, or to which they may write, is not used: one warning names it and its mode. */
    dv_log_set_level(DIVVY_LOG_INFO);
    static const mode_t modes[] = {0777, 0702, 01777};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char mode[16];
        snprintf(mode, sizeof mode, "(mode %04o)", (unsigned)modes[i]);
        CHECK_EQ(mkdir(expected, 0700) | chmod(expected, modes[i]), 0);
        const char *told = told_of_cache(base);
        CHECK_HAS(told, expected);
        CHECK_HAS(told, mode);
        CHECK(strchr(told, '\n') == strrchr(told, '\n'));
        CHECK_EQ(rmdir(expected), 0);
    }
    if (geteuid() == 0) {
        CHECK_EQ(mkdir(expected, 0700) | chown(expected, 54321, 54321), 0);
        CHECK_HAS(told_of_cache(base), "belongs to user 54321");
        CHECK_EQ(rmdir(expected), 0);
    }

    /* Nor one that others could exchange; into a folder with the sticky bit it may be put. */
    CHECK_EQ(chmod(base, 0777), 0);
    CHECK_HAS(told_of_cache(base), "(mode 0777) can be written to by others");
    CHECK(access(expected, F_OK) != 0);
    CHECK_EQ(chmod(base, 01777), 0);
    CHECK_STR(told_of_cache(base), "");
    CHECK_EQ(rmdir(expected), 0);
    CHECK_EQ(chmod(base, 0700), 0);

    /* What is no folder is left alone, and so is a link. */
    CHECK_EQ(symlink("/tmp", expected), 0);
    CHECK_HAS(told_of_cache(base), "not a folder");
    CHECK_EQ(unlink(expected), 0);
    CHECK_HAS(told_of_cache("/dev/null"), "/dev/null");
    CHECK_HAS(told_of_cache("/nowhere/at/all"), "/nowhere/at/all: No such file");
    dv_log_set_level(DIVVY_LOG_WARN);

    /* The folder is made for the user alone, below XDG_CACHE_HOME, whatever the mask. */
    setenv("XDG_CACHE_HOME", base, 1);
    umask(0);
    CHECK_STR(dv_cache_folder(), expected);
    umask(022);
    CHECK(stat(expected, &facts) == 0 && (facts.st_mode & 0777) == 0700);
    CHECK(dv_cache_folder() == dv_cache_folder());
    rmdir(expected);
    rmdir(base);
}

int main(void)
{
    test_defaults();
    test_environment();
    test_values();
    test_profile_path();
    test_unknown_names();
    test_table();
    test_log();
    test_control_characters();
    test_cache_folder();
    return check_summary();
}
