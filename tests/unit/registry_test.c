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
    refused(PLUGINS, "short", "backend of 8 bytes, this library needs");
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
}

/* A file or folder that others may write to is not trusted. */
static void test_writable(void)
{
    char folder[PATH_MAX];
    struct dv_plugin *plugin;
    unsigned count;
    snprintf(folder, sizeof folder, "%s/file", temporary);
    run("mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 666 %1$s/*", folder, "");
    refused(folder, "good", "written to by others");

    snprintf(folder, sizeof folder, "%s/folder", temporary);
    run("mkdir %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/* && chmod 777 %1$s", folder, "");
    CHECK_EQ(load(folder, "good", &plugin, &count), DIVVY_NO_BACKEND);
    CHECK_HAS(divvy_error(), folder);
    CHECK_HAS(outcome_of("/folder"), "written to by others");

    /* With the sticky bit nobody can replace another's file. */
    snprintf(folder, sizeof folder, "%s/sticky", temporary);
    run("mkdir %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 755 %1$s/* && chmod 1777 %1$s", folder, "");
    CHECK_EQ(load(folder, "good", &plugin, &count), DIVVY_OK);

    /* A link does not make a file trusted. */
    snprintf(folder, sizeof folder, "%s/link", temporary);
    run("mkdir -m 755 %1$s && ln -s ../folder/libdivvy_good.so %1$s/", folder, "");
    CHECK_EQ(load(folder, "good", &plugin, &count), DIVVY_BAD_PLUGIN);
    CHECK_HAS(divvy_error(), "/folder can be written to by others");

    /* The group may write only if it is the owner's private one. */
    if (geteuid() != 0)
        return;
    snprintf(folder, sizeof folder, "%s/group", temporary);
    run("mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chgrp 54321 %1$s/* && chmod 664 %1$s/*", folder,
        "");
    refused(folder, "good", "written to by others");

    /* Into a sticky folder anybody may put files: only those of root and of this user count. */
    snprintf(folder, sizeof folder, "%s/foreign", temporary);
    run("mkdir %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chown 54321 %1$s/* && chmod 1777 %1$s", folder, "");
    refused(folder, "good", "by user 54321");

    snprintf(folder, sizeof folder, "%s/private", temporary);
    run("mkdir -m 755 %1$s && cp " PLUGINS "/libdivvy_good.so %1$s/ && chmod 664 %1$s/*", folder, "");
    CHECK_EQ(load(folder, "good", &plugin, &count), DIVVY_OK);
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

int main(int argc, char **argv)
{
    char self[PATH_MAX];
    dv_log_set_level(DIVVY_LOG_ERROR);
    if (argc > 1 && strcmp(argv[1], "where") == 0)
        return print_where();
    umask(022);
    if (!CHECK(mkdtemp(temporary) != NULL) || !CHECK(realpath("/proc/self/exe", self) != NULL))
        return check_summary();
    test_refusals();
    test_writable();
    test_finding();
    test_probing();
    test_standard_folder(self);
    run("rm -rf %1$s", temporary, "");
    return check_summary();
}
