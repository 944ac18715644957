#include "base/options.h"

#include "base/fork.h"
#include "base/log.h"
#include "base/status.h"
#include "base/trust.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* ---- The table -------------------------------------------------------------------------------- */

/* How a field of divvy_options is turned into the text that a variable would hold. */
enum field { FIELD_NONE, FIELD_TEXT, FIELD_INT, FIELD_SIZE };

/* One variable. `parse` fills the field of the settings and is NULL for what a backend reads by itself. */
struct row {
    const char *name;
    const char *standard; /* the default, in words */
    const char *help;     /* what it does, which values it takes */
    const char *value;    /* the default, as it would be written */
    bool (*parse)(const struct row *row, const char *text, void *out);
    size_t out; /* offset in dv_settings */
    enum field field;
    size_t in;                  /* offset in divvy_options */
    const char *const *choices; /* for parse_choice, parse_schedule: ends with NULL */
};

static bool parse_text(const struct row *row, const char *text, void *out);
static bool parse_backends(const struct row *row, const char *text, void *out);
static bool parse_threads(const struct row *row, const char *text, void *out);
static bool parse_schedule(const struct row *row, const char *text, void *out);
static bool parse_choice(const struct row *row, const char *text, void *out);
static bool parse_size(const struct row *row, const char *text, void *out);
static bool parse_jobs(const struct row *row, const char *text, void *out);
static bool parse_profile(const struct row *row, const char *text, void *out);
static bool parse_switch(const struct row *row, const char *text, void *out);

static const char *const schedules[] = {"guarded", "static", "dynamic",  "guided",    "tss",     "fac2",
                                        "awf-c",   "af",     "hguided:", "iterative", "replay:", NULL};
static const char *const progress_choices[] = {"auto", "on", "off", NULL};        /* as enum dv_progress */
static const char *const log_levels[] = {"error", "warn", "info", "debug", NULL}; /* as divvy_log_level */

_Static_assert(sizeof(enum dv_progress) == sizeof(int) && sizeof(divvy_log_level) == sizeof(int),
               "parse_choice writes an int");

#define INTO(member) offsetof(struct dv_settings, member)
#define FROM(kind, member) FIELD_##kind, offsetof(divvy_options, member)

static const struct row rows[] = {
    {"DIVVY_BACKEND", "all found but those that must be named",
     "plugins to load, in order: cpu,opencl; ^opencl leaves one out", "", parse_backends, INTO(backend),
     FROM(TEXT, backend), NULL},
    {"DIVVY_DEVICES", "every device found",
     "devices to use: cpu, cpu:0, cpu:0-3, opencl:name~text, opencl:0/2 (a sub-device of 2 units), "
     "separated by commas",
     "", parse_text, INTO(devices), FROM(TEXT, devices), NULL},
    {"DIVVY_THREADS", "every physical core allowed by mask, cpuset and quota",
     "cores to use: a number, -1 all, -2 all but one", "0", parse_threads, INTO(threads), FROM(INT, threads), NULL},
    {"DIVVY_BIND", "compact when all allowed cores are used, else none",
     "how workers are bound to cores: compact, scatter, none or a list of cores 0,2-5", "", parse_text, INTO(bind),
     FROM(TEXT, bind), NULL},
    {"DIVVY_SCHEDULE", "guarded",
     "how partitions are sized: guarded, static, dynamic, guided, tss, fac2, awf-c, af, iterative, "
     "hguided:NAME=POWER,... (NAME: a backend, device or class) or replay:FILE (a profile)",
     "guarded", parse_schedule, INTO(schedule), FROM(TEXT, schedule), schedules},
    {"DIVVY_PARTITION", "sized by the schedule", "a fixed partition size, in indices", "0", parse_size, INTO(partition),
     FROM(SIZE, partition), NULL},
    {"DIVVY_REPRODUCIBLE", "0",
     "1: the same bits in every run, on one kind of device, by folding fixed blocks in a fixed order; 0: as fast as it "
     "can",
     "0", parse_switch, INTO(reproducible), FROM(INT, reproducible), NULL},
    {"DIVVY_PROFILE", "none", "a path for the profile; %p is the process, %t the time, %% a percent sign", "",
     parse_profile, INTO(profile), FROM(TEXT, profile), NULL},
    {"DIVVY_PROFILE_JOBS", "16",
     "how many first and last jobs of each kernel keep their partitions: 0 or more; -1 is none", "16", parse_jobs,
     INTO(profile_jobs), FROM(INT, profile_jobs), NULL},
    {"DIVVY_PROGRESS", "auto", "progress on stderr: auto (on a terminal only), on or off", "auto", parse_choice,
     INTO(progress), FROM(TEXT, progress), progress_choices},
    {"DIVVY_LOG", "warn", "what is told on stderr: error, warn, info or debug", "warn", parse_choice, INTO(log),
     FROM(TEXT, log), log_levels},
    {"DIVVY_PLUGIN_PATH", "none", "folders searched for backends before the library's own, separated by ':'", "",
     parse_text, INTO(plugin_path), FROM(TEXT, plugin_path), NULL},
    {"DIVVY_MODELS", "models in the folder divvy of XDG_CACHE_HOME, else of ~/.cache",
     "where what is learned of kernels and devices is kept between runs: off, or a folder", "", parse_text,
     INTO(models), FROM(TEXT, models), NULL},
    {"DIVVY_CPU_LEVEL", "the best that the processor has",
     "instruction-set level of the cpu backend: x86-64, x86-64-v3 or x86-64-v4; elsewhere baseline", NULL, NULL, 0,
     FIELD_NONE, 0, NULL},
    {"DIVVY_SIM", "none", "the scenario of the sim backend: a path", NULL, NULL, 0, FIELD_NONE, 0, NULL},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* An empty variable is as good as none; a program with privileges of its own listens to no one's. */
static const char *environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

size_t dv_variable_count(void)
{
    return ROWS;
}

struct dv_variable dv_variable_at(size_t index)
{
    const struct row *row = &rows[index];
    return (struct dv_variable){row->name, row->standard, row->help, environment(row->name)};
}

/* ---- Parsers: true if the text is a value of the row, which is then in *out -------------------- */

static bool parse_text(const struct row *row, const char *text, void *out)
{
    (void)row;
    *(char **)out = strdup(text);
    return true;
}

/* Names of lower-case letters, digits, '_' and '-'; either none or all of them preceded by '^'. */
static bool parse_backends(const struct row *row, const char *text, void *out)
{
    const bool leaves_out = *text == '^';
    for (const char *at = text; *at;) {
        if ((*at == '^') != leaves_out)
            return false;
        at += leaves_out;
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_-");
        at += length;
        if (length == 0 || (*at && *at != ',') || (*at == ',' && !at[1]))
            return false;
        at += *at == ',';
    }
    return parse_text(row, text, out);
}

static bool parse_threads(const struct row *row, const char *text, void *out)
{
    (void)row;
    char *end;
    errno = 0;
    long threads = strtol(text, &end, 10);
    if (end == text || *end || errno || threads < INT_MIN || threads > INT_MAX || isspace((unsigned char)*text))
        return false;
    *(int *)out = (int)threads;
    return true;
}

static bool parse_size(const struct row *row, const char *text, void *out)
{
    (void)row;
    char *end;
    errno = 0;
    unsigned long long size = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || size > SIZE_MAX)
        return false;
    *(size_t *)out = (size_t)size;
    return true;
}

/* -1 is none: a field of the options cannot say 0, which is "as the environment says". */
static bool parse_jobs(const struct row *row, const char *text, void *out)
{
    return parse_size(row, strcmp(text, "-1") == 0 ? "0" : text, out);
}

/* -1 of the options is the 0 of the variable. */
static bool parse_switch(const struct row *row, const char *text, void *out)
{
    (void)row;
    bool on = strcmp(text, "1") == 0;
    *(bool *)out = on;
    return on || strcmp(text, "0") == 0 || strcmp(text, "-1") == 0;
}

static int find_choice(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0)
            return i;
    return -1;
}

static bool parse_choice(const struct row *row, const char *text, void *out)
{
    int found = find_choice(row->choices, text);
    if (found < 0)
        return false;
    memcpy(out, &found, sizeof found);
    return true;
}

/* A name; behind one that ends with a colon something must follow, which is for the schedule to judge. */
static bool parse_schedule(const struct row *row, const char *text, void *out)
{
    const char *colon = strchr(text, ':');
    bool known = false;
    for (size_t i = 0; row->choices[i]; i++)
        known = known || (colon && colon[1] ? strlen(row->choices[i]) == (size_t)(colon + 1 - text) &&
                                                  strncmp(row->choices[i], text, (size_t)(colon + 1 - text)) == 0
                                            : strcmp(row->choices[i], text) == 0 && !colon);
    return known && parse_text(row, text, out);
}

/* What stands for %<mark> in a profile's path; NULL if nothing does. */
static const char *profile_mark(char mark, char *buffer, size_t size)
{
    if (mark == 'p') {
        snprintf(buffer, size, "%ld", (long)getpid());
    } else if (mark == 't') {
        struct tm local;
        time_t now = time(NULL);
        localtime_r(&now, &local);
        strftime(buffer, size, "%Y%m%d-%H%M%S", &local);
    } else if (mark == '%') {
        snprintf(buffer, size, "%%");
    } else {
        return NULL;
    }
    return buffer;
}

static bool parse_profile(const struct row *row, const char *text, void *out)
{
    if (!*text) {
        *(char **)out = NULL;
        return true;
    }
    char path[PATH_MAX], mark[32];
    size_t used = 0;
    for (const char *at = text; *at; at++) {
        const char *piece = *at == '%' ? profile_mark(*++at, mark, sizeof mark) : (char[]){*at, 0};
        if (!piece || used + strlen(piece) >= sizeof path)
            return false;
        memcpy(path + used, piece, strlen(piece));
        used += strlen(piece);
    }
    path[used] = 0;
    return parse_text(row, path, out);
}

/* ---- Unknown names ---------------------------------------------------------------------------- */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many letters must be changed, added or left out to make one name of the other. */
static size_t distance(const char *from, const char *to)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1], length = strnlen(to, LONGEST);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; from[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t changed = diagonal + (from[i - 1] != to[j - 1]);
            diagonal = row[j];
            row[j] = smallest(changed, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[length];
}

static const char *nearest_name(const char *name)
{
    size_t best = 0;
    for (size_t i = 1; i < ROWS; i++)
        if (distance(name, rows[i].name) < distance(name, rows[best].name))
            best = i;
    return rows[best].name;
}

/* A letter of a backend's name as it stands in the names of its variables. */
static char variable_letter(char letter)
{
    return letter == '-' ? '_' : (char)toupper((unsigned char)letter);
}

/* Whether `name` is DIVVY_<BACKEND>_... for one of the backends in a list such as "cpu,^opencl". */
static bool belongs_to_backend(const char *name, const char *backends)
{
    const char *own = name + strlen("DIVVY_");
    for (const char *at = backends; *at; at += *at == ',') {
        at += *at == '^';
        size_t length = strcspn(at, ","), same = 0;
        while (same < length && own[same] == variable_letter(at[same]))
            same++;
        if (same == length && length > 0 && own[length] == '_')
            return true;
        at += length;
    }
    return false;
}

static bool is_known(const char *name, const char *backends)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].name, name) == 0)
            return true;
    return belongs_to_backend(name, DV_BACKENDS) || belongs_to_backend(name, backends);
}

/* Remembers the name for the life of the process; false if it was there already. */
static bool remember(const char *name)
{
    static struct warned {
        struct warned *next;
        char name[64];
    } * warned;
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    dv_fork_guard(&mutex);
    pthread_mutex_lock(&mutex);
    struct warned *seen = warned;
    while (seen && strncmp(seen->name, name, sizeof seen->name - 1) != 0)
        seen = seen->next;
    struct warned *fresh = seen ? NULL : calloc(1, sizeof *fresh);
    if (fresh) {
        strncpy(fresh->name, name, sizeof fresh->name - 1);
        fresh->next = warned;
        warned = fresh;
    }
    pthread_mutex_unlock(&mutex);
    return fresh != NULL;
}

/* `backends` are those named by the settings: an own backend's variables are known as well. */
static void warn_of_unknown(const char *backends)
{
    for (char **entry = environ; entry && *entry; entry++) {
        const char *end = strchr(*entry, '=');
        if (strncmp(*entry, "DIVVY_", strlen("DIVVY_")) != 0 || !end)
            continue;
        char *name = strndup(*entry, (size_t)(end - *entry));
        if (name && !is_known(name, backends) && remember(name)) {
            dv_log_clean(name, "");
            dv_log(DIVVY_LOG_WARN, "options", "%s is unknown and has no effect; did you mean %s?", name,
                   nearest_name(name));
        }
        free(name);
    }
}

/* ---- Settings --------------------------------------------------------------------------------- */

/* The text that the caller gave for a row, or NULL. Numbers are written to `buffer`. */
static const char *given_text(const struct row *row, const divvy_options *options, char *buffer, size_t size)
{
    if (!options || row->field == FIELD_NONE)
        return NULL;
    const void *field = (const char *)options + row->in;
    if (row->field == FIELD_TEXT)
        return *(const char *const *)field;
    long long number = row->field == FIELD_INT ? *(const int *)field : (long long)*(const size_t *)field;
    if (number == 0)
        return NULL;
    if (row->field == FIELD_INT)
        snprintf(buffer, size, "%lld", number);
    else
        snprintf(buffer, size, "%zu", *(const size_t *)field);
    return buffer;
}

static divvy_status read_row(const struct row *row, const divvy_options *options, struct dv_settings *settings)
{
    char number[32];
    const char *text = given_text(row, options, number, sizeof number);
    const char *origin = text ? "the option for " : "";
    if (!text)
        text = environment(row->name);
    if (!text || !*text)
        text = row->value ? row->value : "";
    if (strcmp(text, "help") == 0) {
        fprintf(stderr, "%s: %s (default: %s)\n", row->name, row->help, row->standard);
        return dv_fail(DIVVY_INVALID, "%s%s asked for help: %s", origin, row->name, row->help);
    }
    if (row->parse && !row->parse(row, text, (char *)settings + row->out))
        return dv_fail(DIVVY_INVALID, "%s%s is \"%s\"; it takes %s", origin, row->name, text, row->help);
    return DIVVY_OK;
}

static bool has_all_texts(const struct dv_settings *settings)
{
    return settings->backend && settings->devices && settings->bind && settings->schedule && settings->plugin_path &&
           settings->models;
}

divvy_status dv_settings_read(const divvy_options *options, struct dv_settings *out_settings)
{
    struct dv_settings settings = {0};
    divvy_status status = DIVVY_OK;
    for (size_t i = 0; i < ROWS && status == DIVVY_OK; i++)
        status = read_row(&rows[i], options, &settings);
    if (status == DIVVY_OK && !has_all_texts(&settings))
        status = dv_fail(DIVVY_NO_MEMORY, "no memory for the settings");
    if (status != DIVVY_OK) {
        dv_settings_free(&settings);
        memset(out_settings, 0, sizeof *out_settings);
        return status;
    }
    if (settings.log >= DIVVY_LOG_WARN) /* the process's level may not be set yet */
        warn_of_unknown(settings.backend);
    *out_settings = settings;
    return DIVVY_OK;
}

void dv_settings_free(struct dv_settings *settings)
{
    if (!settings)
        return;
    free(settings->backend);
    free(settings->devices);
    free(settings->bind);
    free(settings->schedule);
    free(settings->profile);
    free(settings->plugin_path);
    free(settings->models);
    memset(settings, 0, sizeof *settings);
}

const char *dv_backend_option(const char *backend, const char *name)
{
    char variable[128];
    int length = snprintf(variable, sizeof variable, "DIVVY_%s%s%s", backend, *name ? "_" : "", name);
    if (length < 0 || (size_t)length >= sizeof variable)
        return NULL;
    for (char *at = variable; *at; at++)
        *at = variable_letter(*at);
    return environment(variable);
}

/* ---- The folder for things kept between runs -------------------------------------------------- */

static char cache_folder[PATH_MAX]; /* "" if there is none */

/* False if the path does not fit. */
static bool extend(char *path, size_t size, const char *piece)
{
    size_t used = strlen(path);
    int added = snprintf(path + used, size - used, "%s", piece);
    return added >= 0 && (size_t)added < size - used;
}

/* Makes a folder unless it is there. What lies in it is loaded as code by some drivers: it must not be another's. */
static bool make_folder(const char *path, enum dv_trust as)
{
    struct stat facts = {0};
    char *refusal = NULL;
    bool there = mkdir(path, 0700) == 0 || errno == EEXIST;
    if (there && as == DV_TRUST_ITSELF) /* not even a link, which another could have put into a folder of all */
        there = lstat(path, &facts) == 0;
    else if (there)
        there = stat(path, &facts) == 0;
    if (!there || !S_ISDIR(facts.st_mode))
        dv_log(DIVVY_LOG_INFO, "options", "nothing is kept between runs: %s: %s", path,
               there ? "it is not a folder" : strerror(errno));
    else if ((refusal = dv_trust_look(path, NULL, as)) != NULL)
        dv_log(DIVVY_LOG_WARN, "options", "nothing is kept between runs: %s", refusal);
    free(refusal);
    return there && S_ISDIR(facts.st_mode) && !refusal;
}

static void make_cache_folder(void)
{
    char path[PATH_MAX] = "";
    const char *base = environment("XDG_CACHE_HOME"), *home = environment("HOME");
    bool fits;
    if (base && *base == '/')
        fits = extend(path, sizeof path, base);
    else if (home && *home == '/')
        fits = extend(path, sizeof path, home) && extend(path, sizeof path, "/.cache");
    else
        return;
    if (!fits)
        return;
    if (make_folder(path, DV_TRUST_ABOVE) && extend(path, sizeof path, "/divvy") && make_folder(path, DV_TRUST_ITSELF))
        memcpy(cache_folder, path, strlen(path) + 1);
}

const char *dv_cache_folder(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_cache_folder);
    return *cache_folder ? cache_folder : NULL;
}
