/* divvy compile: turns a file of kernels into one object file.
 *
 * The host's C compiler does all of it: it expands the OpenCL text, compiles the file as C once for each
 * instruction-set level, then once more for the table that carries the text, and joins the objects. Everything lies in
 * a temporary folder until the object is whole. Commands are run without a shell. */
#include "commands.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char help[] =
    "usage: divvy compile FILE.cl -o FILE.o [options]\n"
    "\n"
    "Compiles a file of kernels, with $CC (default cc), into an object file to link with the program: the C form\n"
    "for each instruction-set level of the processor family, and the OpenCL text.\n"
    "\n"
    "  -o FILE             the object file\n"
    "  --fast-math         let the compiler reorder and approximate floating-point arithmetic\n"
    "  -I DIR, -D NAME[=X] handed to the preprocessor, for both languages\n"
    "  --cflags \"FLAGS\"    further flags for the C compiler, such as \"-g -fsanitize=address\"\n"
    "  --include-dir DIR   where divvy.h lies, if not in ../include beside this program or in the system\n"
    "  --depfile FILE      write the files that the object depends on, as a make rule\n"
    "  --keep              keep the temporary folder and tell its name\n"
    "  --verbose           tell the commands\n"
    "  --help              this text\n";

enum { DONE = 0, FAILED = 1, WRONG_USAGE = 2, GO_ON = -1 };

/* A list of words that ends with NULL, as exec takes it. The words themselves belong to `struct compilation`. */
struct words {
    char **word;
    size_t count, room;
};

/* An instruction-set level of divvy/kernel.h: its name there and the compiler's. */
struct level {
    const char *name, *march;
};
static const struct level x86_levels[] = {{"x86_64", "x86-64"}, {"x86_64_v3", "x86-64-v3"}, {"x86_64_v4", "x86-64-v4"}};
static const struct level other_levels[] = {{"baseline", NULL}};
enum { LEVELS_MAX = 3 };

/* One run of the compiler; what it prints is kept in FOLDER/NAME.log until somebody wants it. */
struct step {
    const char *name;
    struct words command;
    pid_t process; /* 0: not running */
    bool good;
};

struct compilation {
    /* What the command line says. */
    const char *source, *object, *include_dir, *depfile;
    bool fast_math, keep, verbose;
    struct words cc, cflags, forwarded;

    /* What the compiler says of itself. */
    bool clang;
    const struct level *levels;
    size_t level_count;

    const char *opencl; /* the kernels as OpenCL C, once they are expanded */
    size_t opencl_bytes;

    char *folder;       /* temporary; NULL before it is made */
    char *partial;      /* the object file under its temporary name, beside the final one; NULL when there is none */
    struct words owned; /* every string made on the way */
};

/* ---- Words --------------------------------------------------------------------------------------- */

static void out_of_memory(void)
{
    fputs("divvy compile: memory ran out\n", stderr);
    exit(EXIT_FAILURE);
}

static void add(struct words *words, const char *word)
{
    if (words->count + 2 > words->room) {
        words->room = words->room ? 2 * words->room : 32;
        words->word = realloc(words->word, words->room * sizeof *words->word);
        if (!words->word)
            out_of_memory();
    }
    words->word[words->count++] = (char *)word;
    words->word[words->count] = NULL;
}

static void add_all(struct words *words, const struct words *more)
{
    for (size_t i = 0; i < more->count; i++)
        add(words, more->word[i]);
}

/* Formats a string that lives as long as the compilation. */
static char *text(struct compilation *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static char *text(struct compilation *c, const char *format, ...)
{
    char *made;
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&made, format, arguments) < 0)
        out_of_memory();
    va_end(arguments);
    add(&c->owned, made);
    return made;
}

/* Splits as a shell would, quotes and backslashes too, but expands nothing. False: a quote is not closed. */
static bool add_split(struct compilation *c, struct words *words, const char *line)
{
    char *out = text(c, "%s", line);
    const char *in = line;
    for (;;) {
        while (isspace((unsigned char)*in))
            in++;
        if (!*in)
            return true;
        char quote = 0, *word = out;
        for (; *in && (quote || !isspace((unsigned char)*in)); in++) {
            if (quote ? *in == quote : *in == '"' || *in == '\'')
                quote = quote ? 0 : *in;
            else if (*in == '\\' && quote != '\'' && in[1])
                *out++ = *++in;
            else
                *out++ = *in;
        }
        if (quote)
            return false;
        if (*in)
            in++;
        *out++ = 0;
        add(words, word);
    }
}

static int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int complain(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("divvy compile: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs(status == WRONG_USAGE ? "; see divvy compile --help\n" : "\n", stderr);
    va_end(arguments);
    return status;
}

/* ---- The command line ---------------------------------------------------------------------------- */

/* If argv[*at] is the option `name`, its value: the rest of a short option or of --name=value, or the next word.
 * *out_value is NULL if nothing follows. */
static bool takes(const char *name, int argc, char **argv, int *at, const char **out_value)
{
    size_t length = strlen(name);
    const char *word = argv[*at];
    bool is_long = name[1] == '-';
    if (strncmp(word, name, length) != 0 || (is_long && word[length] && word[length] != '='))
        return false;
    if (word[length])
        *out_value = word + length + (is_long ? 1 : 0);
    else
        *out_value = *at + 1 < argc ? argv[++*at] : NULL;
    return true;
}

static int read_word(struct compilation *c, int argc, char **argv, int *at)
{
    static const char *const with_value[] = {"-o", "-I", "-D", "--cflags", "--include-dir", "--depfile"};
    const char *word = argv[*at], *value = NULL, *option = NULL;

    if (strcmp(word, "--fast-math") == 0)
        c->fast_math = true;
    else if (strcmp(word, "--keep") == 0)
        c->keep = true;
    else if (strcmp(word, "--verbose") == 0)
        c->verbose = true;
    else if (word[0] != '-') {
        if (c->source)
            return complain(WRONG_USAGE, "one file of kernels at a time: %s or %s", c->source, word);
        c->source = word;
    } else {
        for (size_t i = 0; i < sizeof with_value / sizeof *with_value && !option; i++)
            if (takes(with_value[i], argc, argv, at, &value))
                option = with_value[i];
        if (!option)
            return complain(WRONG_USAGE, "no such option: %s", word);
        if (!value)
            return complain(WRONG_USAGE, "%s needs a value", option);
        if (strcmp(option, "-o") == 0)
            c->object = value;
        else if (strcmp(option, "--include-dir") == 0)
            c->include_dir = value;
        else if (strcmp(option, "--depfile") == 0)
            c->depfile = value;
        else if (strcmp(option, "--cflags") == 0) {
            if (!add_split(c, &c->cflags, value))
                return complain(WRONG_USAGE, "--cflags has a quote that is not closed: %s", value);
        } else
            add(&c->forwarded, text(c, "%s%s", option, value));
    }
    return GO_ON;
}

/* The headers of an installed divvy lie beside the folder of this program. */
static const char *installed_headers(struct compilation *c)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return NULL;
    program[length] = 0;
    char *slash = strrchr(program, '/');
    *slash = 0;
    const char *folder = text(c, "%s/../include", program);
    return access(text(c, "%s/divvy/kernel.h", folder), R_OK) == 0 ? folder : NULL;
}

/* The file is read several times, and is not to be replaced by its object. */
static int check_source(struct compilation *c)
{
    struct stat source, object;
    if (stat(c->source, &source) != 0 || access(c->source, R_OK) != 0)
        return complain(FAILED, "cannot read %s: %s", c->source, strerror(errno));
    if (!S_ISREG(source.st_mode))
        return complain(FAILED, "cannot read %s: it is not a regular file", c->source);
    if (stat(c->object, &object) == 0 && object.st_dev == source.st_dev && object.st_ino == source.st_ino)
        return complain(WRONG_USAGE, "%s is the file of kernels, and cannot be the object file too", c->object);
    return GO_ON;
}

static int read_arguments(struct compilation *c, int argc, char **argv)
{
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0) {
            fputs(help, stdout);
            return DONE;
        }
        int status = read_word(c, argc, argv, &at);
        if (status != GO_ON)
            return status;
    }
    if (!c->source)
        return complain(WRONG_USAGE, "no file of kernels was named");
    if (!c->object)
        return complain(WRONG_USAGE, "-o must tell where the object file goes");
    const char *cc = getenv("CC");
    if (!add_split(c, &c->cc, cc && *cc ? cc : "cc") || c->cc.count == 0)
        return complain(FAILED, "CC must name a C compiler, not: %s", cc);
    if (!c->include_dir)
        c->include_dir = installed_headers(c);
    return check_source(c);
}

/* ---- Signals and the temporary folder ------------------------------------------------------------ */

static int stopped_by; /* the signal that ended the work; 0: none */

/* What is waited for, blocked all the time so that none is missed: the signals that stop the program, but those that
 * the caller has it ignore, and the one that tells of a step's end. Steps run with the mask of the caller. */
static sigset_t watched, mask_before;

static void watch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(&watched);
    sigaddset(&watched, SIGCHLD);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction action;
        if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
            sigaddset(&watched, signals[i]);
    }
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, &watched, &mask_before);
}

static int open_folder(struct compilation *c)
{
    const char *parent = getenv("TMPDIR");
    char *folder = text(c, "%s/divvy-compile-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(folder))
        return complain(FAILED, "cannot make a temporary folder %s: %s", folder, strerror(errno));
    c->folder = folder;
    return GO_ON;
}

static void close_folder(struct compilation *c)
{
    if (!c->folder)
        return;
    if (c->keep) {
        fprintf(stderr, "divvy compile: kept %s\n", c->folder);
        return;
    }
    DIR *folder = opendir(c->folder);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(c->folder);
}

static const char *in_folder(struct compilation *c, const char *name, const char *suffix)
{
    return text(c, "%s/%s%s", c->folder, name, suffix);
}

/* ---- Steps --------------------------------------------------------------------------------------- */

static void tell(const struct words *command)
{
    for (size_t i = 0; i < command->count; i++)
        fprintf(stderr, i ? " %s" : "%s", command->word[i]);
    fputc('\n', stderr);
}

static bool start_step(struct compilation *c, struct step *step)
{
    const char *log = in_folder(c, step->name, ".log");
    posix_spawn_file_actions_t files;
    if (c->verbose)
        tell(&step->command);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &mask_before);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(&step->process, step->command.word[0], &files, &attributes, step->command.word, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error) {
        step->process = 0;
        complain(FAILED, "cannot run %s: %s; CC may name another C compiler", step->command.word[0], strerror(error));
    }
    return !error;
}

/* Waits for one step, and stops all of them if a signal comes first. */
static void finish_step(struct step *step, const struct step *all, size_t count)
{
    int result = 0;
    pid_t ended = 0;
    while (step->process && (ended = waitpid(step->process, &result, WNOHANG)) == 0) {
        int signal = sigwaitinfo(&watched, NULL);
        if (signal <= 0 || signal == SIGCHLD)
            continue;
        stopped_by = signal;
        for (size_t i = 0; i < count; i++)
            if (all[i].process)
                kill(all[i].process, SIGTERM);
    }
    step->good = ended > 0 && WIFEXITED(result) && WEXITSTATUS(result) == 0;
    step->process = 0;
}

/* What the compiler had to say, word for word: it names the user's file and line. */
static void show(struct compilation *c, const struct step *step)
{
    char block[4096];
    FILE *log = fopen(in_folder(c, step->name, ".log"), "r");
    for (size_t n; log && (n = fread(block, 1, sizeof block, log)) > 0;)
        fwrite(block, 1, n, stderr);
    if (log)
        fclose(log);
}

/* Runs steps side by side. Of several that fail the first one speaks, since the others would repeat it; if all are good
 * the first one may have warnings. */
static int run_steps(struct compilation *c, struct step *steps, size_t count)
{
    bool started = true;
    for (size_t i = 0; i < count && started; i++)
        started = start_step(c, &steps[i]);
    const struct step *failed = NULL;
    for (size_t i = 0; i < count; i++) {
        finish_step(&steps[i], steps, count);
        if (!steps[i].good && !failed)
            failed = &steps[i];
    }
    if (!started || stopped_by)
        return FAILED;
    show(c, failed ? failed : &steps[0]);
    return failed ? complain(FAILED, "%s did not compile", c->source) : GO_ON;
}

/* Begins a command: the compiler, what the caller added, and colours where they can be seen. */
static void begin(struct compilation *c, struct words *command)
{
    add_all(command, &c->cc);
    if (isatty(STDERR_FILENO))
        add(command, "-fdiagnostics-color=always");
}

static void add_preprocessor(struct compilation *c, struct words *command)
{
    add_all(command, &c->forwarded);
    if (c->include_dir)
        add(command, text(c, "-I%s", c->include_dir));
}

static void add_depfile(struct compilation *c, struct words *command, const char *name)
{
    if (!c->depfile)
        return;
    add(command, "-MD");
    add(command, "-MF");
    add(command, in_folder(c, name, ".d"));
    add(command, "-MQ");
    add(command, c->object);
}

/* ---- The compilation ----------------------------------------------------------------------------- */

static char *read_file(struct compilation *c, const char *path, size_t *out_bytes)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    if (!file || fstat(fileno(file), &facts) != 0) {
        if (file)
            fclose(file);
        complain(FAILED, "cannot read %s: %s", path, strerror(errno));
        return NULL;
    }
    char *bytes = calloc((size_t)facts.st_size + 1, 1);
    if (!bytes)
        out_of_memory();
    add(&c->owned, bytes);
    *out_bytes = fread(bytes, 1, (size_t)facts.st_size, file);
    fclose(file);
    return bytes;
}

/* Asks the compiler for its macros: they tell the processor family and whether it is clang. */
static int ask_compiler(struct compilation *c)
{
    struct step asked = {.name = "macros"};
    static const char *const question[] = {"-dM", "-E", "-x", "c", "/dev/null"};
    add_all(&asked.command, &c->cc);
    add_all(&asked.command, &c->cflags);
    for (size_t i = 0; i < sizeof question / sizeof *question; i++)
        add(&asked.command, question[i]);
    bool started = start_step(c, &asked);
    finish_step(&asked, &asked, 1);
    free(asked.command.word);
    if (!started || stopped_by)
        return FAILED;
    if (!asked.good) {
        show(c, &asked);
        return complain(FAILED, "%s is not a C compiler that can be used", c->cc.word[0]);
    }
    size_t bytes;
    const char *macros = read_file(c, in_folder(c, "macros", ".log"), &bytes);
    if (!macros)
        return FAILED;
    if (!strstr(macros, "#define __STDC__ "))
        return complain(FAILED, "%s is not a C compiler that can be used", c->cc.word[0]);
    bool x86 = strstr(macros, "#define __x86_64__ ") != NULL;
    c->clang = strstr(macros, "#define __clang__ ") != NULL;
    c->levels = x86 ? x86_levels : other_levels;
    c->level_count = x86 ? sizeof x86_levels / sizeof *x86_levels : 1;
    return GO_ON;
}

/* Expands the kernels as OpenCL C. The caller's flags stay out: they are for C. */
static void plan_text(struct compilation *c, struct step *step)
{
    static const char *const flags[] = {"-E",
                                        "-P",
                                        "-undef",
                                        "-nostdinc",
                                        "-D__OPENCL_VERSION__=120",
                                        "-D__OPENCL_C_VERSION__=120",
                                        "-D__ENDIAN_LITTLE__=1"};
    step->name = "text";
    begin(c, &step->command);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        add(&step->command, flags[i]);
    add_preprocessor(c, &step->command);
    add_depfile(c, &step->command, "text");
    add(&step->command, "-x");
    add(&step->command, "c");
    add(&step->command, c->source);
    add(&step->command, "-o");
    add(&step->command, in_folder(c, "text", ".cl"));
}

/* What serves <divvy/math.h> under gcc: two vectors in turn, so that one is computed while the other waits for its
 * polynomials; and no reordering, which the header forbids but gcc forgets once it has made vectors. */
static const char *const math_flags[] = {"-DDIVVY__MATH",
                                         "-funroll-loops",
                                         "--param=max-unroll-times=2",
                                         "--param=max-unrolled-insns=2000",
                                         "--param=max-average-unrolled-insns=2000",
                                         "-fschedule-insns",
                                         "-fsched-pressure",
                                         "-fno-tree-reassoc"};

/* Whether a text calls a function of <divvy/math.h>. */
static bool calls_math(const char *text)
{
    static const char *const names[] = {"exp", "exp2", "log", "log2", "log10"};
    bool found = false;
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (const char *at = strstr(text, names[n]); at && !found; at = strstr(at + 1, names[n])) {
            const char *behind = at + strlen(names[n]);
            bool whole = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
            found = whole && behind[strspn(behind, " \n")] == '(';
        }
    return found;
}

/* The flags that make a kernel fast and its results trustworthy; kernels/README.md has the measurements. The caller's
 * flags may change the optimisation, but neither the arithmetic, which is part of what a kernel is, nor the level. */
static void add_flags(struct compilation *c, struct words *command, const struct level *level)
{
    add(command, "-std=c17");
    add(command, "-O3");
    /* Distributions say -O2 everywhere: loops would take twice as long. */
    for (size_t i = 0; i < c->cflags.count; i++)
        if (strcmp(c->cflags.word[i], "-O2") != 0)
            add(command, c->cflags.word[i]);
    add(command, "-fPIC");
    add(command, "-fno-lto");
    add(command, c->fast_math ? "-ffast-math" : "-fno-fast-math");
    add(command, "-fno-math-errno");
    add(command, "-fno-trapping-math");
    add(command, "-ffp-contract=fast");
    if (level->march)
        add(command, text(c, "-march=%s", level->march));
    bool widest = strcmp(level->name, "x86_64_v4") == 0;
    if (widest)
        add(command, "-mprefer-vector-width=512");
    if (!c->clang) { /* gcc jams loops over lanes, or makes calls of memcpy of them, which keep the lanes in memory */
        add(command, "-fno-loop-unroll-and-jam");
        add(command, "-fno-tree-loop-distribute-patterns");
    }
    if (!c->clang && widest && c->fast_math) /* its estimate of a root has more operations than the root takes time */
        add(command, "-mrecip=!vec-sqrt");
    if (c->fast_math && c->clang && c->level_count > 1)
        add(command, "-fveclib=libmvec");
    if (c->fast_math && !c->clang && !widest && calls_math(c->opencl)) /* at 512 bits glibc's are as good */
        for (size_t i = 0; i < sizeof math_flags / sizeof *math_flags; i++)
            add(command, math_flags[i]);
    add_preprocessor(c, command);
}

static void plan_level(struct compilation *c, struct step *step, const struct level *level)
{
    step->name = level->name;
    begin(c, &step->command);
    add_flags(c, &step->command, level);
    add(&step->command, text(c, "-DDIVVY__LEVEL=%s", level->name));
    if (level == c->levels)
        add_depfile(c, &step->command, level->name);
    add(&step->command, "-x");
    add(&step->command, "c");
    add(&step->command, "-c");
    add(&step->command, c->source);
    add(&step->command, "-o");
    add(&step->command, in_folder(c, level->name, ".o"));
}

static void plan_table(struct compilation *c, struct step *step)
{
    step->name = "table";
    begin(c, &step->command);
    add_flags(c, &step->command, &c->levels[0]);
    add(&step->command, "-DDIVVY__TABLE");
    add(&step->command, c->fast_math ? "-DDIVVY__TABLE_FLAGS=DIVVY_KERNEL_FAST_MATH" : "-DDIVVY__TABLE_FLAGS=0");
    add(&step->command, "-include");
    add(&step->command, in_folder(c, "text", ".h"));
    add(&step->command, "-x");
    add(&step->command, "c");
    add(&step->command, "-c");
    add(&step->command, c->source);
    add(&step->command, "-o");
    add(&step->command, in_folder(c, "table", ".o"));
}

static void plan_join(struct compilation *c, struct step *step)
{
    step->name = "join";
    begin(c, &step->command);
    add(&step->command, "-r");
    add(&step->command, "-nostdlib");
    for (size_t i = 0; i < c->level_count; i++)
        add(&step->command, in_folder(c, c->levels[i].name, ".o"));
    add(&step->command, in_folder(c, "table", ".o"));
    add(&step->command, "-o");
    add(&step->command, c->partial);
}

/* Runs planned steps and lets their commands go. */
static int carry_out(struct compilation *c, struct step *steps, size_t count)
{
    int status = run_steps(c, steps, count);
    for (size_t i = 0; i < count; i++)
        free(steps[i].command.word);
    return status;
}

static int compile_forms(struct compilation *c)
{
    struct step steps[LEVELS_MAX] = {0}, expand = {0};
    plan_text(c, &expand);
    int status = carry_out(c, &expand, 1);
    if (status != GO_ON)
        return status;
    c->opencl = read_file(c, in_folder(c, "text", ".cl"), &c->opencl_bytes);
    if (!c->opencl)
        return FAILED;
    for (size_t i = 0; i < c->level_count; i++)
        plan_level(c, &steps[i], &c->levels[i]);
    return carry_out(c, steps, c->level_count);
}

/* Writes the OpenCL text as a C array: a string literal would be too long for some compilers. */
static int write_text(struct compilation *c)
{
    const char *path = in_folder(c, "text", ".h");
    FILE *header = fopen(path, "w");
    if (!header)
        return complain(FAILED, "cannot write %s: %s", path, strerror(errno));
    fputs("static const char divvy__source[] = {", header);
    for (size_t i = 0; i < c->opencl_bytes; i++)
        fprintf(header, "%d,%s", (signed char)c->opencl[i], i % 32 == 31 ? "\n" : "");
    fputs("0};\n", header);
    bool good = !ferror(header);
    good = fclose(header) == 0 && good;
    return good ? GO_ON : complain(FAILED, "cannot write %s: %s", path, strerror(errno));
}

static int compile_table(struct compilation *c)
{
    struct step step = {0};
    plan_table(c, &step);
    return carry_out(c, &step, 1);
}

static int join(struct compilation *c)
{
    struct step step = {0};
    plan_join(c, &step);
    return carry_out(c, &step, 1);
}

/* ---- Outputs: made under another name and renamed, so that nobody sees half of one ---------------- */

/* Takes the temporary name early: a wrong place for the object is told before the work. */
static int reserve_object(struct compilation *c)
{
    struct stat facts;
    if (stat(c->object, &facts) == 0 && !S_ISREG(facts.st_mode))
        return complain(FAILED, "cannot write %s: it is there and not a regular file", c->object);
    char *partial = text(c, "%s.%ld", c->object, (long)getpid());
    int file = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        return complain(FAILED, "cannot write %s: %s", c->object, strerror(errno));
    close(file);
    c->partial = partial;
    return GO_ON;
}

static int deliver(const char *made, const char *wanted)
{
    if (rename(made, wanted) == 0)
        return GO_ON;
    return complain(FAILED, "cannot write %s: %s", wanted, strerror(errno));
}

/* The rules of both languages, one after the other: they may include different files. */
static int write_depfile(struct compilation *c)
{
    if (!c->depfile)
        return GO_ON;
    size_t text_bytes, c_bytes;
    const char *of_text = read_file(c, in_folder(c, "text", ".d"), &text_bytes);
    const char *of_c = of_text ? read_file(c, in_folder(c, c->levels[0].name, ".d"), &c_bytes) : NULL;
    if (!of_c)
        return FAILED;
    char *partial = text(c, "%s.%ld", c->depfile, (long)getpid());
    FILE *file = fopen(partial, "w");
    if (!file)
        return complain(FAILED, "cannot write %s: %s", c->depfile, strerror(errno));
    fwrite(of_text, 1, text_bytes, file);
    fwrite(of_c, 1, c_bytes, file);
    bool good = !ferror(file);
    good = fclose(file) == 0 && good;
    int status =
        good ? deliver(partial, c->depfile) : complain(FAILED, "cannot write %s: %s", c->depfile, strerror(errno));
    if (status != GO_ON)
        unlink(partial);
    return status;
}

static int deliver_object(struct compilation *c)
{
    int status = stopped_by ? FAILED : deliver(c->partial, c->object);
    if (status == GO_ON)
        c->partial = NULL;
    return status;
}

static void leave(struct compilation *c)
{
    if (c->partial)
        unlink(c->partial);
    close_folder(c);
    for (size_t i = 0; i < c->owned.count; i++)
        free(c->owned.word[i]);
    free(c->owned.word);
    free(c->cc.word);
    free(c->cflags.word);
    free(c->forwarded.word);
    if (stopped_by)
        raise(stopped_by);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

int divvy_compile(int argc, char **argv)
{
    static int (*const stages[])(struct compilation *) = {open_folder,   ask_compiler,  reserve_object,
                                                          compile_forms, write_text,    compile_table,
                                                          join,          write_depfile, deliver_object};
    struct compilation c = {0};
    watch_signals();
    int status = read_arguments(&c, argc, argv);
    for (size_t i = 0; status == GO_ON && i < sizeof stages / sizeof *stages; i++)
        status = stopped_by ? FAILED : stages[i](&c);
    leave(&c);
    return status == GO_ON ? DONE : status;
}
