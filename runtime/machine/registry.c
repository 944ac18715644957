#include "machine/registry.h"

#include "base/clock.h"
#include "base/ending.h"
#include "base/fork.h"
#include "base/log.h"
#include "base/status.h"
#include "base/thread.h"
#include "machine/fit.h"
#include "machine/host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What is known ---------------------------------------------------------------------------- */

/* A plugin is kept for ever; so is the word whether its refusal was told. */
struct known {
    struct known *next;
    struct dv_plugin plugin;
    bool warned;
};

/* A table of attempts is never moved: a larger one takes over its rows, and the old one stays readable. */
struct attempts {
    struct attempts *older;
    size_t count, room;
    struct dv_attempt rows[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all below, and of dv_plugin.probe */
static pthread_cond_t probed = PTHREAD_COND_INITIALIZER;
static struct known *all_known;
static struct attempts *attempts;

static bool grow_attempts(void)
{
    size_t count = attempts ? attempts->count : 0, room = attempts ? 2 * attempts->room : 32;
    struct attempts *larger = malloc(sizeof *larger + room * sizeof larger->rows[0]);
    if (!larger)
        return false;
    *larger = (struct attempts){.older = attempts, .count = count, .room = room};
    if (attempts)
        memcpy(larger->rows, attempts->rows, count * sizeof larger->rows[0]);
    attempts = larger;
    return true;
}

/* Keeps the first outcome of each path; false if there is one already. */
static bool note_attempt(const char *path, const char *outcome)
{
    for (size_t i = 0; attempts && i < attempts->count; i++)
        if (strcmp(attempts->rows[i].path, path) == 0)
            return false;
    if ((!attempts || attempts->count == attempts->room) && !grow_attempts())
        return true;
    char *kept_path = strdup(path), *kept_outcome = strdup(outcome);
    if (kept_path && kept_outcome) {
        attempts->rows[attempts->count++] = (struct dv_attempt){kept_path, kept_outcome};
        return true;
    }
    free(kept_path);
    free(kept_outcome);
    return true;
}

size_t dv_registry_attempts(const struct dv_attempt **out_attempts)
{
    pthread_mutex_lock(&mutex);
    size_t count = attempts ? attempts->count : 0;
    *out_attempts = attempts ? attempts->rows : NULL;
    pthread_mutex_unlock(&mutex);
    return count;
}

/* ---- Where plugins lie ------------------------------------------------------------------------ */

/* Room for one path; longer ones do not exist for the registry. */
struct path {
    char text[PATH_MAX];
};

static bool is_folder(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && S_ISDIR(facts.st_mode);
}

static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = 0;
}

/* The file that holds this code: the shared library, or the program when it was linked into one. */
static bool own_file(struct path *out, bool *out_is_library)
{
    Dl_info where;
    struct link_map *map = NULL;
    if (!dladdr1(&mutex, &where, (void **)&map, RTLD_DL_LINKMAP) || !map)
        return false;
    *out_is_library = *map->l_name != 0;
    return realpath(*out_is_library ? map->l_name : "/proc/self/exe", out->text) != NULL;
}

/* Whether a file lies inside the tree that it was built in. */
static bool is_in_build_tree(const char *file)
{
    struct path root;
    if (!realpath(DV_BUILD_PLUGIN_DIR, root.text))
        return false;
    cut_last(root.text);
    size_t length = strlen(root.text);
    return strncmp(file, root.text, length) == 0 && file[length] == '/';
}

/* An installed library finds its plugins beside it, an installed program in the library folder of its prefix. Those of
 * the build tree are for what runs from there, unless it was installed inside of it. */
static bool standard_folder(struct path *out)
{
    struct path own;
    bool is_library;
    if (!own_file(&own, &is_library))
        return false;
    const bool in_build_tree = is_in_build_tree(own.text);
    cut_last(own.text);
    if (!is_library)
        cut_last(own.text);
    int length = snprintf(out->text, sizeof out->text, "%s/%s", own.text, is_library ? "divvy" : DV_PLUGIN_DIR);
    if (length < 0 || (size_t)length >= sizeof out->text)
        return false;
    if (*DV_PLUGIN_DIR == '/')
        snprintf(out->text, sizeof out->text, "%s", DV_PLUGIN_DIR);
    if (in_build_tree && !is_folder(out->text))
        snprintf(out->text, sizeof out->text, "%s", DV_BUILD_PLUGIN_DIR);
    return true;
}

/* Paths that a home points to. */
struct home_paths {
    struct path file, library;
};

/* Who may change what is loaded: see dv_home. */
static struct dv_home find_home(struct home_paths *paths)
{
    struct path standard;
    bool is_library;
    if (!own_file(&paths->file, &is_library))
        return (struct dv_home){0};
    const bool installed = !is_library && !is_in_build_tree(paths->file.text) && standard_folder(&standard) &&
                           realpath(standard.text, paths->library.text);
    return (struct dv_home){paths->file.text, installed ? paths->library.text : paths->file.text};
}

/* ---- Loading one file ------------------------------------------------------------------------- */

/* Returns why the file is refused, or NULL, and then sets *out_backend. */
static char *open_file(const char *path, const char *name, const divvy_backend **out_backend)
{
    struct home_paths paths;
    char *refusal = dv_fit_file(path, find_home(&paths));
    if (!refusal)
        refusal = dv_fit_image(path);
    if (refusal)
        return refusal;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object)
        return strdup(dlerror());
    const divvy_backend *backend = dlsym(object, "divvy_plugin");
    if (!backend) {
        if (asprintf(&refusal, "%s exports no divvy_plugin", path) < 0)
            refusal = strdup("it exports no divvy_plugin");
    } else {
        refusal = dv_fit_backend(path, name, backend);
    }
    if (refusal)
        dlclose(object); /* nothing of it has run; one that is accepted stays */
    else
        *out_backend = backend;
    return refusal;
}

static struct known *find_known(const char *path, const char *name)
{
    struct known *known = all_known;
    while (known && (strcmp(known->plugin.path, path) != 0 || strcmp(known->plugin.name, name) != 0))
        known = known->next;
    return known;
}

/* The plugin of this file, loaded or refused when it is first asked for; NULL without memory. */
static struct known *know_file(const char *path, const char *name, unsigned core_count)
{
    struct known *known = find_known(path, name);
    if (known)
        return known;
    known = calloc(1, sizeof *known);
    if (!known)
        return NULL;
    struct dv_plugin *plugin = &known->plugin;
    plugin->path = strdup(path);
    plugin->name = strdup(name);
    if (!plugin->path || !plugin->name) {
        free(plugin->path);
        free(plugin->name);
        free(known);
        return NULL;
    }
    plugin->refusal = open_file(path, name, &plugin->backend);
    dv_host_fill(plugin, core_count);
    known->next = all_known;
    all_known = known;
    note_attempt(path, plugin->refusal ? plugin->refusal : "loaded");
    dv_log(DIVVY_LOG_DEBUG, "registry", "%s: %s", path, plugin->refusal ? plugin->refusal : "loaded");
    return known;
}

/* ---- Searching folders ------------------------------------------------------------------------ */

/* A file that could be a plugin. */
struct candidate {
    char *path; /* with every link followed: one file has one path */
    char *name;
};

/* The files of all folders, the first of each name only, and where they were looked for. */
struct search {
    struct candidate *found;
    unsigned count;
    char *tried;   /* "/a, /b" */
    char *refused; /* "; /a can be written to ..."; NULL: none */
    bool out_of_memory;
};

static int is_plugin(const struct dirent *entry)
{
    static const char head[] = "libdivvy_", tail[] = ".so";
    const size_t length = strlen(entry->d_name), ends = sizeof head + sizeof tail - 2;
    return length > ends && strncmp(entry->d_name, head, sizeof head - 1) == 0 &&
           strcmp(entry->d_name + length - (sizeof tail - 1), tail) == 0;
}

static char *plugin_name(const char *file)
{
    const char *start = file + strlen("libdivvy_");
    return strndup(start, strlen(start) - strlen(".so"));
}

static const struct candidate *find_candidate(const struct search *search, const char *name)
{
    for (unsigned i = 0; i < search->count; i++)
        if (strcmp(search->found[i].name, name) == 0)
            return &search->found[i];
    return NULL;
}

static char *real_path(const char *folder, const char *file)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, file) < 0)
        return NULL;
    char *real = realpath(path, NULL);
    if (!real) /* a link to nowhere: the check of the file will tell */
        return path;
    free(path);
    return real;
}

static void add_candidate(struct search *search, const char *folder, const char *file)
{
    struct candidate fresh = {.path = real_path(folder, file), .name = plugin_name(file)};
    bool hidden = fresh.name && find_candidate(search, fresh.name);
    struct candidate *more = hidden ? NULL : realloc(search->found, (search->count + 1) * sizeof *more);
    if (more)
        search->found = more;
    if (more && fresh.path && fresh.name) {
        more[search->count++] = fresh;
        return;
    }
    if (hidden && fresh.path)
        note_attempt(fresh.path, "hidden by a file of the same name in a folder before");
    search->out_of_memory |= !hidden;
    free(fresh.path);
    free(fresh.name);
}

/* Makes the text longer; without memory it stays. */
static void append(char **text, const char *between, const char *more)
{
    char *longer = NULL;
    if (asprintf(&longer, "%s%s%s", *text ? *text : "", between, more) < 0)
        return;
    free(*text);
    *text = longer;
}

static void search_folder(struct search *search, const char *folder)
{
    struct home_paths paths;
    struct dirent **entries;
    append(&search->tried, search->tried ? ", " : "", folder);
    char *refusal = is_folder(folder) ? dv_fit_folder(folder, find_home(&paths)) : NULL;
    if (refusal) {
        append(&search->refused, "; ", refusal);
        if (note_attempt(folder, refusal))
            dv_log(DIVVY_LOG_WARN, "registry", "%s; no backend is loaded from there", refusal);
        free(refusal);
        return;
    }
    int count = scandir(folder, &entries, is_plugin, alphasort);
    if (count <= 0)
        note_attempt(folder, count < 0 ? strerror(errno) : "no libdivvy_<name>.so in it");
    for (int i = 0; i < count; i++) {
        add_candidate(search, folder, entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static void search_all(struct search *search, const char *plugin_path)
{
    struct path folder;
    for (const char *at = plugin_path; *at; at += *at == ':') {
        size_t length = strcspn(at, ":");
        if (length > 0 && length < sizeof folder.text) {
            memcpy(folder.text, at, length);
            folder.text[length] = 0;
            search_folder(search, folder.text);
        }
        at += length;
    }
    if (standard_folder(&folder))
        search_folder(search, folder.text);
}

static void end_search(struct search *search)
{
    for (unsigned i = 0; i < search->count; i++) {
        free(search->found[i].path);
        free(search->found[i].name);
    }
    free(search->found);
    free(search->tried);
    free(search->refused);
}

/* ---- Choosing --------------------------------------------------------------------------------- */

/* What a call collects. */
struct chosen {
    struct dv_plugin **plugins;
    unsigned count;
    unsigned core_count;
};

static divvy_status choose(struct chosen *chosen, struct dv_plugin *plugin)
{
    for (unsigned i = 0; i < chosen->count; i++)
        if (chosen->plugins[i] == plugin)
            return DIVVY_OK;
    struct dv_plugin **more = realloc(chosen->plugins, (chosen->count + 1) * sizeof *more);
    if (!more)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for backend %s", plugin->name);
    chosen->plugins = more;
    more[chosen->count++] = plugin;
    return DIVVY_OK;
}

static divvy_status choose_named(struct chosen *chosen, const struct search *search, const char *name)
{
    const struct candidate *candidate = find_candidate(search, name);
    if (!candidate)
        return dv_fail(DIVVY_NO_BACKEND, "there is no backend \"%s\": no libdivvy_%s.so in %s%s", name, name,
                       search->tried ? search->tried : "any folder", search->refused ? search->refused : "");
    struct known *known = know_file(candidate->path, candidate->name, chosen->core_count);
    if (!known)
        return dv_fail(DIVVY_NO_MEMORY, "no memory for backend %s", name);
    if (known->plugin.refusal)
        return dv_fail(DIVVY_BAD_PLUGIN, "backend \"%s\" is refused: %s", name, known->plugin.refusal);
    return choose(chosen, &known->plugin);
}

/* "cpu,opencl" */
static divvy_status choose_list(struct chosen *chosen, const struct search *search, const char *list)
{
    for (const char *at = list; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        char *name = strndup(at, length);
        divvy_status status = name ? choose_named(chosen, search, name) : DIVVY_NO_MEMORY;
        free(name);
        DV_TRY(status);
        at += length;
    }
    return DIVVY_OK;
}

/* Whether a list such as "^opencl,^sim" has the name. */
static bool is_left_out(const char *list, const char *name)
{
    const size_t wanted = strlen(name);
    for (const char *at = list; *at; at += *at == ',') {
        at += *at == '^';
        size_t length = strcspn(at, ",");
        if (length == wanted && strncmp(at, name, length) == 0)
            return true;
        at += length;
    }
    return false;
}

static divvy_status choose_found(struct chosen *chosen, const struct search *search, const char *left_out)
{
    for (unsigned i = 0; i < search->count; i++) {
        const struct candidate *candidate = &search->found[i];
        if (is_left_out(left_out, candidate->name))
            continue;
        struct known *known = know_file(candidate->path, candidate->name, chosen->core_count);
        if (!known)
            return dv_fail(DIVVY_NO_MEMORY, "no memory for backend %s", candidate->name);
        if (known->plugin.refusal) {
            if (!known->warned)
                dv_log(DIVVY_LOG_WARN, "registry", "backend \"%s\" is refused: %s", candidate->name,
                       known->plugin.refusal);
            known->warned = true;
        } else if (!(known->plugin.backend->features & DIVVY_BACKEND_BY_NAME)) {
            DV_TRY(choose(chosen, &known->plugin));
        }
    }
    if (chosen->count == 0)
        return dv_fail(DIVVY_NO_BACKEND, "no backend can be used: looked for libdivvy_<name>.so in %s%s",
                       search->tried ? search->tried : "no folder", search->refused ? search->refused : "");
    return DIVVY_OK;
}

divvy_status dv_registry_load(const struct dv_settings *settings, struct dv_plugin ***out_plugins, unsigned *out_count)
{
    *out_plugins = NULL;
    *out_count = 0;
    const struct dv_topology *topology = dv_topology_get();
    if (!topology)
        return DIVVY_INTERNAL;
    struct search search = {0};
    struct chosen chosen = {.core_count = topology->core_count};
    divvy_status status;

    dv_fork_guard(&mutex);
    pthread_mutex_lock(&mutex);
    search_all(&search, settings->plugin_path);
    if (search.out_of_memory)
        status = dv_fail(DIVVY_NO_MEMORY, "no memory to search for backends");
    else if (*settings->backend && *settings->backend != '^')
        status = choose_list(&chosen, &search, settings->backend);
    else
        status = choose_found(&chosen, &search, settings->backend);
    pthread_mutex_unlock(&mutex);

    end_search(&search);
    if (status != DIVVY_OK) {
        free(chosen.plugins);
        return status;
    }
    *out_plugins = chosen.plugins;
    *out_count = chosen.count;
    return DIVVY_OK;
}

/* ---- Probing ---------------------------------------------------------------------------------- */

/* What the loader thread is told, and what it tells. */
struct probing {
    struct dv_plugin *plugin;
    const unsigned *cores;
    unsigned core_count;
    int nice;
    divvy_status status;
    char *error;
};

static void *probe_here(void *argument)
{
    struct probing *probing = argument;
    const struct dv_plugin *plugin = probing->plugin;
    if (probing->core_count > 0 && dv_topology_bind(probing->cores, probing->core_count) != DIVVY_OK)
        dv_log(DIVVY_LOG_INFO, plugin->name, "probing unbound: %s", dv_error_text());
    if (probing->nice != 0)
        dv_thread_give_way(probing->nice);
    dv_error_set("");
    dv_ending_hold();
    probing->status = plugin->backend->probe(&plugin->host);
    dv_ending_release();
    if (probing->status != DIVVY_OK)
        probing->error = strdup(*dv_error_text() ? dv_error_text() : "it does not tell why");
    return NULL;
}

static void run_probe(struct probing *probing)
{
    pthread_t thread;
    const uint64_t start = dv_now_ns();
    int error = dv_thread_start(&thread, probe_here, probing);
    if (error) {
        probing->status = DIVVY_LIMIT;
        if (asprintf(&probing->error, "no thread could be started to probe: %s", strerror(error)) < 0)
            probing->error = NULL;
    } else {
        pthread_join(thread, NULL);
    }
    probing->plugin->probe_ns = dv_now_ns() - start;
}

/* What a plugin told carries its name, which the log puts in front of the line as well. */
static const char *without_name(const struct dv_plugin *plugin, const char *text)
{
    const size_t length = strlen(plugin->name);
    return strncmp(text, plugin->name, length) == 0 && strncmp(text + length, ": ", 2) == 0 ? text + length + 2 : text;
}

/* Under the mutex. */
static void end_probe(struct dv_plugin *plugin, const struct probing *probing)
{
    plugin->probe_status = probing->status;
    plugin->probe_error = probing->error;
    if (probing->status == DIVVY_OK) {
        plugin->probe = DV_PROBED;
        dv_log(DIVVY_LOG_INFO, plugin->name, "%u devices found in %.1f ms", plugin->device_count,
               (double)plugin->probe_ns * 1e-6);
    } else {
        plugin->probe = DV_PROBE_FAILED;
        plugin->device_count = 0; /* what was announced before it failed does not count */
        dv_log(DIVVY_LOG_WARN, plugin->name, "probing failed: %s",
               probing->error ? without_name(plugin, probing->error) : "no memory");
    }
    pthread_cond_broadcast(&probed);
}

void dv_registry_forked(void)
{
    pthread_cond_init(&probed, NULL);
    for (struct known *known = all_known; known; known = known->next) {
        struct dv_plugin *plugin = &known->plugin;
        if (plugin->probe != DV_PROBING)
            continue;
        plugin->probe = DV_UNPROBED; /* who probes has stayed behind, perhaps with the devices half told */
        plugin->devices = NULL;
        plugin->device_count = 0;
    }
}

divvy_status dv_registry_probe(struct dv_plugin *plugin, const unsigned *cores, unsigned core_count, int nice)
{
    if (!plugin->backend)
        return dv_fail(DIVVY_BAD_PLUGIN, "backend \"%s\" is refused: %s", plugin->name, plugin->refusal);
    pthread_mutex_lock(&mutex);
    while (plugin->probe == DV_PROBING)
        pthread_cond_wait(&probed, &mutex);
    if (plugin->probe == DV_UNPROBED) {
        struct probing probing = {.plugin = plugin, .cores = cores, .core_count = core_count, .nice = nice};
        plugin->probe = DV_PROBING;
        plugin->prober = (int)getpid();
        pthread_mutex_unlock(&mutex);
        run_probe(&probing);
        pthread_mutex_lock(&mutex);
        end_probe(plugin, &probing);
    }
    const divvy_status status = plugin->probe_status;
    pthread_mutex_unlock(&mutex);
    if (status != DIVVY_OK)
        dv_error_set(plugin->probe_error ? plugin->probe_error : "no memory to tell why");
    return status;
}

bool dv_registry_is_probed(const struct dv_plugin *plugin)
{
    pthread_mutex_lock(&mutex);
    const bool is_probed = plugin->probe == DV_PROBED;
    pthread_mutex_unlock(&mutex);
    return is_probed;
}
