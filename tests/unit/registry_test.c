#include "base/log.h"
#include "base/status.h"
#include "machine/registry.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char temporary[] = "/tmp/registry_test.XXXXXX";

/* Runs a shell command with %1$s and %2$s replaced. */
static void run(const char *format, const char *a, const char *b)
{
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, format, a, b);
    if (!CHECK_EQ(system(command), 0))
        fprintf(stderr, "  %s\n", command);
}

/* Loads what `backend` names from `folder`; *out_plugin is the first of it. */
static divvy_status load(const char *folder, const char *backend, struct dv_plugin **out_plugin, unsigned *out_count)
{
    struct dv_settings settings;
    struct dv_plugin **plugins;
    CHECK_EQ(dv_settings_read(&(divvy_options){.plugin_path = folder, .backend = backend}, &settings), DIVVY_OK);
    divvy_status status = dv_registry_load(&settings, &plugins, out_count);
    *out_plugin = status == DIVVY_OK && *out_count ? plugins[0] : NULL;
    free(plugins);
    dv_settings_free(&settings);
    return status;
}

/* Whether a path with this part was tried with that outcome. */
static bool was_tried(const char *part, const char *outcome)
{
    const struct dv_attempt *attempts;
    size_t count = dv_registry_attempts(&attempts);
    for (size_t i = 0; i < count; i++)
        if (strstr(attempts[i].path, part) && strstr(attempts[i].outcome, outcome))
            return true;
    return false;
}

static const char *outcome_of(const char *path)
{
    const struct dv_attempt *attempts;
    size_t count = dv_registry_attempts(&attempts);
    for (size_t i = 0; i < count; i++)
        if (strstr(attempts[i].path, path))
            return attempts[i].outcome;
    return "(not tried)";
}

/* ---- Refusals --------------------------------------------------------------------------------- */

/* A plugin that is named and does not fit is BAD_PLUGIN, with its file and the reason. */
static void refused(const char *folder, const char *name, const char *reason)
{
    struct dv_plugin *plugin;
    unsigned count;
    char file[64];
    snprintf(file, sizeof file, "libdivvy_%s.so", name);
    CHECK_EQ(load(folder, name, &plugin, &count), DIVVY_BAD_PLUGIN);
    CHECK_EQ(count, 0);
    CHECK_HAS(divvy_error(), file);
    CHECK_HAS(divvy_error(), reason);
    CHECK(was_tried(file, reason));
}

static void test_refusals(void)
{
    char text[PATH_MAX];
    refused(PLUGINS, "abi", "interface 99, this library has 1");
    snprintf(text, sizeof text, "backend of 8 bytes, this library needs %zu", sizeof(divvy_backend));
    refused(PLUGINS, "short", text);
    refused(PLUGINS, "symbol", "exports no divvy_plugin");
    refused(PLUGINS, "renamed", "calls itself \"good\", its file \"renamed\"");
    refused(PLUGINS, "sanitizer", "sanitizer other, this library with " DIVVY_SANITIZER);
    refused(PLUGINS, "null", "lacks the function start");
#ifdef HAS_ASAN_PLUGIN
    refused(PLUGINS, "asan", "sanitizer address, this library with none");
#endif

    /* A file that is no shared object. */
    snprintf(text, sizeof text, "%s/text", temporary);
    run("mkdir %1$s && echo words > %1$s/libdivvy_text.so", text, "");
    refused(text, "text", "libdivvy_text.so");

    /* Nor is what was cut off, is empty, leads to nowhere, or is a folder. */
    run("cd %1$s && head -c 3000 " PLUGINS "/libdivvy_good.so > libdivvy_cut.so && : > libdivvy_empty.so && "
        "mkdir libdivvy_folder.so && ln -s nowhere libdivvy_lost.so",
        text, "");
    refused(text, "cut", "is cut off: it has 3000 bytes of at least");
    refused(text, "empty", "libdivvy_empty.so");
    refused(text, "folder", "libdivvy_folder.so");
    refused(text, "lost", strerror(ENOENT));
}

/* A plugin that nobody named draws one warning if it is refused, however often it is found. */
static void test_warnings(void)
{
    static const char *const names[] = {"abi", "short", "symbol", "renamed", "sanitizer", "null"};
    char folder[PATH_MAX], told_path[PATH_MAX];
    enum { TOLD_MAX = 16000 };
    char *told = calloc(1, TOLD_MAX);
    struct dv_plugin *plugin;
    unsigned count;
    snprintf(folder, sizeof folder, "%s/all", temporary);
    snprintf(told_path, sizeof told_path, "%s/told", temporary);
    run("mkdir -m 755 %1$s && cp " PLUGINS "/*.so %1$s/ && chmod 755 %1$s/*", folder, "");
    fflush(stderr);
    int before = dup(STDERR_FILENO), file = open(told_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(file, STDERR_FILENO);
    dv_log_set_level(DIVVY_LOG_WARN);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(load(folder, "", &plugin, &count), DIVVY_OK);
    dv_log_set_level(DIVVY_LOG_ERROR);
    dup2(before, STDERR_FILENO);
    close(before);
    CHECK(pread(file, told, TOLD_MAX - 1, 0) > 0);
    close(file);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char part[80];
        snprintf(part, sizeof part, "backend \"%s\" is refused: ", names[i]);
        const char *first = strstr(told, part);
        CHECK_HAS(told, part);
        CHECK(!first || !strstr(first + 1, part));
        CHECK(!first || strncmp(first + strlen(part), folder, strlen(folder)) == 0); /* the file, then the reason */
    }
    free(told);
}

/* Loads the good plugin from a folder of the temporary one, made by a command in which %1$s is the folder. */
static divvy_status load_good(const char *name, const char *command)
{
    char folder[PATH_MAX];
    struct dv_plugin *plugin;
    unsigned count;
    snprintf(folder, sizeof folder, "%s/%s", temporary, name);
    run(command, folder, "");
    return load(folder, "good", &plugin, &count);
}

/* What others may write to is not trusted, and the error says what and how; a folder draws one warning, too. */
static void test_writable(void)
{
    static const char *const file_modes[] = {"666", "757", "602", "777"};
    char name[64], command[256];
    for (size_t k = 0; k < sizeof file_modes / sizeof *file_modes; k++) {
        snprintf(name, sizeof name, "file_%s", file_modes[k]);
        snprintf(command, sizeof command,
                 "mkdir -m 755 %%1$s && cp " PLUGINS "/libdivvy_good.so %%1$s/ && chmod %s %%1$s/*", file_modes[k]);
        CHECK_EQ(load_good(name, command), DIVVY_BAD_PLUGIN);
        CHECK_HAS(divvy_error(), "libdivvy_good.so (mode 0");
        CHECK_HAS(divvy_error(), file_modes[k]);
        CHECK_HAS(divvy_error(), "can be written to by others");
    }
    /* The sticky bit does not help: others could still put files there. */
    static const char *const folder_modes[] = {"777", "1777", "703"};
    for (size_t k = 0; k < sizeof folder_modes / sizeof *folder_modes; k++) {
        snprintf(name, sizeof name, "folder_%s", folder_modes[k]);
        snprintf(command, sizeof command,
                 "mkdir %%1$s && cp " PLUGINS "/libdivvy_good.so %%1$s/ && chmod 755 %%1$s/* && chmod %s %%1$s",
                 folder_modes[k]);
        CHECK_EQ(load_good(name, command), DIVVY_NO_BACKEND);
        CHECK_HAS(divvy_error(), name);
        CHECK_HAS(divvy_error(), "can be written to by others");
        CHECK_HAS(outcome_of(name), folder_modes[k]);
    }

    /* A link does not make a file trusted, nor a folder. */
    CHECK_EQ(load_good("link", "mkdir -m 755 %1$s && ln -s ../folder_777/libdivvy_good.so %1$s/"), DIVVY_BAD_PLUGIN);
    CHECK_HAS(divvy_error(), "/folder_777 (mode 0777) can be written to by others");
    CHECK_EQ(load_good("link_folder", "ln -s folder_777 %1$s"), DIVVY_NO_BACKEND);
    CHECK_HAS(divvy_error(), "/folder_777 (mode 0777) can be written to by others");

    /* Who may write to a folder above can exchange the one below, unless the sticky bit keeps what is not his. */
    CHECK_EQ(load_good("above_777/plugins", "mkdir -p %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/*"
                                            " && chmod 777 %1$s/.."),
             DIVVY_NO_BACKEND);
    CHECK_HAS(divvy_error(), "/above_777 (mode 0777) can be written to by others");
    CHECK_EQ(load_good("above_1777/plugins", "mkdir -p %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 "
                                             "%1$s/* && chmod 1777 %1$s/.."),
             DIVVY_OK);
}

/* Runs this program's copy, which loads the good plugin from `folder` and is good if it could. */
static int copy_loads(const char *copy, const char *folder)
{
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, "%s load %s", copy, folder);
    int end = system(command);
    return WIFEXITED(end) && WEXITSTATUS(end) == 0;
}

/* An installed program judges as the library of its installation does, beside which the backends lie: a folder in which the
 * library lies may be anybody's, since there it could be exchanged as well, and no other. */
static void test_installed(const char *self)
{
    char prefix[64], copy[128], folder[PATH_MAX], other[128];
    snprintf(prefix, sizeof prefix, "%s/installed", temporary);
    snprintf(copy, sizeof copy, "%s/bin/copy", prefix);
    snprintf(folder, sizeof folder, "%s/%s", prefix, PLUGIN_DIR);
    snprintf(other, sizeof other, "%s/other/plugins", prefix);
    run("mkdir -p %1$s %2$s", folder, other);
    run("mkdir %1$s/bin && cp %2$s %1$s/bin/copy", prefix, self);
    run("cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/*", other, "");
    CHECK(copy_loads(copy, other));
    run("chmod 777 %1$s/..", other, "");
    CHECK(!copy_loads(copy, other));
    run("mv %2$s/* %1$s/", folder, other);
    CHECK(copy_loads(copy, folder));
    run("chmod 777 %1$s/..", folder, "");
    CHECK(copy_loads(copy, folder));
    run("chmod 777 %1$s", folder, "");
    CHECK(!copy_loads(copy, folder));
}

/* Who owns it: takes a superuser, who can give files away. */
static void test_owner(const char *self)
{
    char folder[PATH_MAX], copy[PATH_MAX];
    if (geteuid() != 0)
        return;
    /* The group may write only if it is the owner's private one. */
    CHECK_EQ(load_good("group", "mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chgrp 54321 %1$s/* && "
                                "chmod 664 %1$s/*"),
             DIVVY_BAD_PLUGIN);
    CHECK_HAS(divvy_error(), "can be written to by others");
    CHECK_EQ(load_good("private", "mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 664 %1$s/*"),
             DIVVY_OK);

    /* Another user's file or folder is not trusted, whatever its mode. */
    CHECK_EQ(load_good("foreign_file",
                       "mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/* && "
                       "chown 54321 %1$s/*"),
             DIVVY_BAD_PLUGIN);
    CHECK_HAS(divvy_error(), "libdivvy_good.so (mode 0755) belongs to user 54321");
    CHECK_EQ(load_good("foreign",
                       "mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/* && chown "
                       "54321 %1$s"),
             DIVVY_NO_BACKEND);
    CHECK_HAS(divvy_error(), "/foreign (mode 0755) belongs to user 54321");

    /* But the owner of the library, here of the program that it is part of, is: it could be exchanged as well. So a user's
     * build tree can be used by root. */
    snprintf(folder, sizeof folder, "%s/tree/plugins", temporary);
    snprintf(copy, sizeof copy, "%s/tree/copy", temporary);
    run("mkdir -p %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/*", folder, "");
    run("cp %1$s %2$s", self, copy);
    run("chown -R 54321 %1$s/..", folder, "");
    CHECK(copy_loads(copy, folder));
    run("chown 54322 %1$s/*", folder, "");
    CHECK(!copy_loads(copy, folder));
    run("chown 54321 %1$s/* && chown 0 %2$s", folder, copy);
    CHECK(!copy_loads(copy, folder));
    run("chown -R 0 %1$s/..", folder, "");
    CHECK(copy_loads(copy, folder));

    /* And a folder in which the library lies too may be anybody's: there it could be exchanged as well. */
    run("chmod 777 %1$s/..", folder, "");
    CHECK(copy_loads(copy, folder));
    run("mv %2$s %1$s/../../copy", folder, copy);
    snprintf(copy, sizeof copy, "%s/copy", temporary);
    CHECK(!copy_loads(copy, folder));
}

/* ---- Finding ---------------------------------------------------------------------------------- */

static bool has(struct dv_plugin **plugins, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(plugins[i]->name, name) == 0)
            return true;
    return false;
}

static void test_finding(void)
{
    struct dv_plugin *plugin, *again;
    unsigned count;

    /* What is named is loaded in that order, once per process, a name given twice once. */
    CHECK_EQ(load(PLUGINS, "good,byname,good", &plugin, &count), DIVVY_OK);
    CHECK_EQ(count, 2);
    CHECK(plugin && strcmp(plugin->name, "good") == 0 && plugin->backend && !plugin->refusal);
    CHECK_EQ(load(PLUGINS "/../plugins:/nowhere", "good", &again, &count), DIVVY_OK);
    CHECK(plugin == again);

    /* What is missing is NO_BACKEND with every folder that was searched. */
    CHECK_EQ(load("/nowhere:" PLUGINS, "good,absent", &plugin, &count), DIVVY_NO_BACKEND);
    CHECK_HAS(divvy_error(), "libdivvy_absent.so");
    CHECK_HAS(divvy_error(), "/nowhere, " PLUGINS);
    CHECK_EQ(count, 0);
    CHECK_STR(outcome_of("/nowhere"), strerror(ENOENT));

    /* By default all that are found and fit come, but not those that must be named; ^ leaves one out. */
    struct dv_settings settings;
    struct dv_plugin **plugins;
    static const char *const backends[] = {"", "^good"};
    for (int i = 0; i < 2; i++) {
        const divvy_options options = {.plugin_path = PLUGINS, .backend = backends[i]};
        CHECK_EQ(dv_settings_read(&options, &settings), DIVVY_OK);
        CHECK_EQ(dv_registry_load(&settings, &plugins, &count), DIVVY_OK);
        CHECK_EQ(has(plugins, count, "good"), i == 0);
        CHECK(has(plugins, count, "second") && has(plugins, count, "failing"));
        CHECK(!has(plugins, count, "byname") && !has(plugins, count, "abi"));
        free(plugins);
        dv_settings_free(&settings);
    }
}

/* ---- Probing ---------------------------------------------------------------------------------- */

static void *probe(void *plugin)
{
    return dv_registry_probe(plugin, NULL, 0, 0) == DIVVY_OK ? NULL : plugin;
}

static void test_probing(void)
{
    struct dv_plugin *plugin, *second, *failing;
    unsigned count;
    setenv("DIVVY_GOOD_KNOB", "7", 1);
    setenv("DIVVY_SECOND_KNOB", "7", 1);
    setenv("DIVVY_FAILING_KNOB", "7", 1);
    CHECK_EQ(load(PLUGINS, "good", &plugin, &count), DIVVY_OK);
    CHECK_EQ(load(PLUGINS, "second", &second, &count), DIVVY_OK);
    CHECK_EQ(load(PLUGINS, "failing", &failing, &count), DIVVY_OK);
    if (!CHECK(plugin && second && failing))
        return;

    /* A plugin is probed once, in a thread with every signal blocked, with the niceness and the cores asked for. */
    const unsigned core = 0;
    CHECK_EQ(plugin->probe, DV_UNPROBED);
    if (!CHECK_EQ(dv_registry_probe(plugin, &core, 1, 5), DIVVY_OK))
        fprintf(stderr, "  %s\n", divvy_error());
    CHECK_EQ(plugin->probe, DV_PROBED);
    CHECK_EQ(plugin->device_count, 1);
    CHECK_EQ(dv_registry_probe(plugin, NULL, 0, 0), DIVVY_OK);
    CHECK_EQ(plugin->device_count, 1);
    CHECK_STR(plugin->devices[0].facts.name, "blocked 29 nice 5");
    CHECK_STR(plugin->devices[0].facts.address, "1 cores");
    CHECK_EQ(plugin->devices[0].facts.handle, 42);
    CHECK(plugin->devices[0].plugin == plugin && plugin->devices[0].index == 0);
    CHECK(plugin->probe_ns > 0);

    /* After the probe no device can be announced any more. */
    void *device;
    divvy_rates rates;
    CHECK_EQ(plugin->backend->open(&plugin->host, &plugin->devices[0].facts, &device, &rates), DIVVY_INVALID);
    CHECK_EQ(plugin->device_count, 1);

    /* What a driver says of itself is one line, and no terminal obeys it. */
    setenv("DIVVY_HOSTILE_KNOB", "7", 1);
    struct dv_plugin *hostile;
    CHECK_EQ(load(PLUGINS, "hostile", &hostile, &count), DIVVY_OK);
    CHECK_EQ(dv_registry_probe(hostile, NULL, 0, 0), DIVVY_OK);
    CHECK_STR(hostile->devices[0].facts.driver, "a?[2Jb???5m");

    /* Several threads that probe at once are one. */
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, probe, second), 0);
    for (int i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK(!failed);
    }
    CHECK_EQ(second->device_count, 1);

    /* A failed probe has no devices and tells why, also to those who ask later and on other threads. */
    for (int i = 0; i < 2; i++) {
        dv_error_set("");
        CHECK_EQ(dv_registry_probe(failing, NULL, 0, 0), DIVVY_IO);
        CHECK_STR(divvy_error(), "failing: the bus is on fire");
    }
    CHECK_EQ(failing->device_count, 0);
    CHECK_EQ(failing->probe, DV_PROBE_FAILED);
}

/* ---- Beside the library ----------------------------------------------------------------------- */

/* What runs in the build tree finds the backends built there; a copy elsewhere looks in its own prefix only. */
static void test_standard_folder(const char *self)
{
    char text[8192] = "", program[PATH_MAX];
    CHECK(strcmp(outcome_of(BUILD_PLUGINS), "(not tried)") != 0);
    snprintf(program, sizeof program, "%s/bin", temporary);
    run("mkdir %2$s && cp %1$s %2$s/copy", self, program);
    snprintf(program, sizeof program, "%s/bin/copy where", temporary);
    FILE *copy = popen(program, "r");
    if (!CHECK(copy != NULL))
        return;
    text[fread(text, 1, sizeof text - 1, copy)] = 0;
    CHECK_EQ(pclose(copy), 0);
    snprintf(program, sizeof program, "%s/" PLUGIN_DIR "\n", temporary);
    CHECK_HAS(text, program);
    CHECK(!strstr(text, BUILD_PLUGINS));
}

static int print_where(void)
{
    struct dv_plugin *plugin;
    unsigned count;
    load("", "absent", &plugin, &count);
    const struct dv_attempt *attempts;
    size_t tried = dv_registry_attempts(&attempts);
    for (size_t i = 0; i < tried; i++)
        puts(attempts[i].path);
    return EXIT_SUCCESS;
}

static int load_from(const char *folder)
{
    struct dv_plugin *plugin;
    unsigned count;
    return load(folder, "good", &plugin, &count) == DIVVY_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    char self[PATH_MAX];
    dv_log_set_level(DIVVY_LOG_ERROR);
    if (argc > 2 && strcmp(argv[1], "load") == 0)
        return load_from(argv[2]);
    if (argc > 1 && strcmp(argv[1], "where") == 0)
        return print_where();
    umask(022);
    if (!CHECK(mkdtemp(temporary) != NULL) || !CHECK(realpath("/proc/self/exe", self) != NULL))
        return check_summary();
    test_refusals();
    test_warnings();
    test_writable();
    if (*PLUGIN_DIR != '/')
        test_installed(self);
    test_owner(self);
    test_finding();
    test_probing();
    test_standard_folder(self);
    run("rm -rf %1$s", temporary, "");
    return check_summary();
}
