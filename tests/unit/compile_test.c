/* divvy compile, run as a program: what it makes, what it says about mistakes, and that it leaves nothing behind. The
 * test needs a C compiler; it tries gcc and clang where they are. */
#include "check.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/compile_test-XXXXXX";
enum { OUTPUT_BYTES = 65536 };
static char *output; /* of the last command */

/* Runs a line of shell in the test's folder, where TMP is for temporary files. Returns its exit status. */
static int shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int shell(const char *format, ...)
{
    char line[4096];
    int length = snprintf(line, sizeof line, "cd %s && { ", folder);
    va_list arguments;
    va_start(arguments, format);
    length += vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
    va_end(arguments);
    snprintf(line + length, sizeof line - (size_t)length, "; } 2>&1");
    FILE *pipe = popen(line, "r");
    size_t bytes = fread(output, 1, OUTPUT_BYTES - 1, pipe);
    output[bytes] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!CHECK(file != NULL))
        return;
    fputs(text, file);
    fclose(file);
}

static bool exists(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

#define COMPILE "TMPDIR=TMP " TOOL " --include-dir " INCLUDE " "

static void check_nothing_left(void)
{
    CHECK_EQ(shell("ls TMP; ls *.o.* 2>/dev/null"), 2);
    CHECK_STR(output, "");
}

static void prepare(void)
{
    output = malloc(OUTPUT_BYTES);
    CHECK(mkdtemp(folder) != NULL);
    CHECK_EQ(shell("mkdir TMP sub"), 0);
    write_file("sub/factor.h", "#define FACTOR 3\n");
    write_file("two.cl", "#include <divvy/kernel.h>\n"
                         "#include \"sub/factor.h\"\n"
                         "#ifndef OFFSET\n"
                         "#define OFFSET 0\n"
                         "#endif\n"
                         "/* a comment, which the OpenCL text has no use for */\n"
                         "DIVVY_KERNEL(triple, (in, int, x), (out, int, y))\n"
                         "{\n"
                         "    DIVVY_FOR (i)\n"
                         "        y[i] = FACTOR * x[i] + OFFSET;\n"
                         "}\n"
                         "DIVVY_KERNEL(count_up, (out, int, y), (sum, int, total))\n"
                         "{\n"
                         "    DIVVY_FOR (i) {\n"
                         "        y[i] = (int)i;\n"
                         "        total[DIVVY_LANE] += 1;\n"
                         "    }\n"
                         "}\n");
    write_file("other.c", "#include \"two.cl\"\n"
                          "const divvy_kernel *elsewhere(void);\n"
                          "const divvy_kernel *elsewhere(void) { return &triple_kernel; }\n");
    /* Prints what the tests below look for. */
    write_file("main.c", "#include <stdio.h>\n"
                         "#include <string.h>\n"
                         "#include \"two.cl\"\n"
                         "const divvy_kernel *elsewhere(void);\n"
                         "int main(void)\n"
                         "{\n"
                         "    int x[3] = {1, 2, 3}, y[3] = {0};\n"
                         "    divvy_slice s[2] = {{.data = x + 1, .base = 1}, {.data = y + 1, .base = 1}};\n"
                         "    triple_kernel.forms[0].body(s, 1, 2, 3);\n"
                         "    printf(\"same %d values %d %d %d flags %u forms %zu first %s text %d %d %d\\n\",\n"
                         "           elsewhere() == &triple_kernel, y[0], y[1], y[2], triple_kernel.flags,\n"
                         "           triple_kernel.form_count, triple_kernel.forms[0].level,\n"
                         "           strstr(triple_kernel.source, \"__kernel void triple_entry(\") != NULL,\n"
                         "           strstr(count_up_kernel.source, \"3 * x[i] + \") != NULL,\n"
                         "           strstr(triple_kernel.source, \"comment\") != NULL);\n"
                         "    return strlen(triple_kernel.source) != triple_kernel.source_bytes;\n"
                         "}\n");
}

/* Compiles two.cl with `options`, links it with two files that include it, and runs the program. */
static void build_and_run(const char *cc, const char *options, const char *c_flags)
{
    CHECK_EQ(shell("CC='%s' " COMPILE "two.cl -o two.o %s", cc, options), 0);
    CHECK_STR(output, "");
    CHECK_EQ(shell("%s -std=c17 -Wall -Wextra -Werror -I " INCLUDE " %s main.c other.c two.o -lm -o two && ./two", cc,
                   c_flags),
             0);
}

/* clang's sanitizers come in a package of their own, which need not be there. */
static int can_sanitize(const char *cc)
{
    write_file("nothing.c", "int main(void) { return 0; }\n");
    return shell("%s -fsanitize=address nothing.c -o nothing", cc) == 0;
}

#if defined(__x86_64__)
#define FORMS "forms 3 first x86-64 "
#else
#define FORMS "forms 1 first baseline "
#endif

/* Several kernels in a file that two units include make one object; flags and definitions reach both languages. */
static void check_good(const char *cc)
{
    build_and_run(cc, "", "");
    CHECK_HAS(output, "same 1 values 0 6 9 flags 0 " FORMS "text 1 1 0");
    build_and_run(cc, "--fast-math -DOFFSET=1 -I. --depfile two.d", "-DOFFSET=1");
    CHECK_HAS(output, "same 1 values 0 7 10 flags 2 " FORMS "text 1 1 0");
    CHECK_EQ(shell("cat two.d"), 0);
    CHECK_HAS(output, "two.o:");
    CHECK_HAS(output, "sub/factor.h");
    CHECK_HAS(output, "divvy/descriptor.h");
    if (can_sanitize(cc)) {
        build_and_run(cc, "--cflags \"-g -O1 '-fsanitize=address' -march=native -flto\"", "-fsanitize=address");
        CHECK_HAS(output, "values 0 6 9 flags 0 ");
    }

    check_nothing_left();

    /* The same file gives the same object, whatever the temporary folder was called. */
    CHECK_EQ(shell("CC='%s' " COMPILE "two.cl -o again.o && CC='%s' " COMPILE "two.cl -o two.o && cmp two.o again.o",
                   cc, cc),
             0);

    /* And with the flags that distributions compile everything with. */
    CHECK_EQ(shell("CC='%s' " COMPILE "two.cl -o again.o --cflags -O2 && cmp two.o again.o", cc), 0);
}

/* gcc is told to make vectors of <divvy/math.h> where kernels call it, and nowhere else. */
static void check_math(const char *cc)
{
    write_file("math.cl",
               "#include <divvy/kernel.h>\n"
               "static inline float grown(float x) { return exp (x); }\n"
               "DIVVY_KERNEL(grow, (in, float, x), (out, float, y)) { DIVVY_FOR (i) y[i] = grown(x[i]); }\n");
    write_file("plain.cl",
               "#include <divvy/kernel.h>\n"
               "static inline float my_exp(float x) { return x; }\n"
               "DIVVY_KERNEL(keep, (in, float, x), (out, float, y)) { DIVVY_FOR (i) y[i] = my_exp(x[i]); }\n");
    CHECK_EQ(shell("CC='%s' " COMPILE "math.cl -o x.o --verbose --fast-math", cc), 0);
    CHECK(strstr(output, "-DDIVVY__MATH") || strstr(output, "-fveclib"));
    CHECK_EQ(shell("CC='%s' " COMPILE "math.cl -o x.o --verbose", cc), 0);
    CHECK(!strstr(output, "-DDIVVY__MATH"));
    CHECK_EQ(shell("CC='%s' " COMPILE "plain.cl -o x.o --verbose --fast-math", cc), 0);
    CHECK(!strstr(output, "-DDIVVY__MATH"));
    CHECK_EQ(shell("rm x.o"), 0);
}

/* A mistake is told with the user's file and line, once, and an older object stays as it was. */
static void check_mistake(const char *cc)
{
    write_file("bad.cl", "#include <divvy/kernel.h>\n"
                         "DIVVY_KERNEL(bad, (in, int, x), (out, int, y))\n"
                         "{\n"
                         "    DIVVY_FOR (i)\n"
                         "        y[i] = x[i] + missing;\n"
                         "}\n");
    write_file("bad.o", "older");
    CHECK_EQ(shell("CC='%s' " COMPILE "bad.cl -o bad.o", cc), 1);
    CHECK_HAS(output, "bad.cl:5:");
    CHECK_HAS(output, "divvy compile: bad.cl did not compile");
    const char *told = strstr(output, "error:");
    CHECK(told && !strstr(told + 1, "error:"));
    CHECK_EQ(shell("cat bad.o"), 0);
    CHECK_STR(output, "older");
    write_file("gone.cl", "#include \"gone.h\"\n");
    CHECK_EQ(shell("CC='%s' " COMPILE "gone.cl -o gone.o", cc), 1);
    CHECK_HAS(output, "gone.cl:1:");
    CHECK(!exists("gone.o"));
    check_nothing_left();
}

static void check_refusals(void)
{
    CHECK_EQ(shell(COMPILE "nowhere.cl -o x.o"), 1);
    CHECK_HAS(output, "cannot read nowhere.cl: No such file");
    CHECK_EQ(shell(COMPILE "two.cl -o nowhere/x.o"), 1);
    CHECK_HAS(output, "cannot write nowhere/x.o: No such file");
    CHECK_EQ(shell(COMPILE "two.cl -o sub"), 1);
    CHECK_HAS(output, "cannot write sub: it is there and not a regular file");
    CHECK_EQ(shell(COMPILE "two.cl -o /dev/null && test -c /dev/null"), 1);
    CHECK_EQ(shell(COMPILE "two.cl -o x.o --depfile nowhere/x.d"), 1);
    CHECK_HAS(output, "cannot write nowhere/x.d");
    CHECK(!exists("x.o"));
    CHECK_EQ(shell("CC=/nowhere/cc " COMPILE "two.cl -o x.o"), 1);
    CHECK_HAS(output, "cannot run /nowhere/cc");
    CHECK_EQ(shell("CC=sub " COMPILE "two.cl -o x.o"), 1);
    CHECK_HAS(output, "cannot run sub");
    CHECK_EQ(shell("CC=' ' " COMPILE "two.cl -o x.o"), 1);
    CHECK_HAS(output, "CC must name a C compiler");
    static const char *const no_compilers[] = {"true", "false", "echo"};
    for (size_t k = 0; k < sizeof no_compilers / sizeof *no_compilers; k++) {
        CHECK_EQ(shell("CC=%s " COMPILE "two.cl -o x.o", no_compilers[k]), 1);
        CHECK_HAS(output, "is not a C compiler that can be used");
    }

    /* The source is a file, and stays. */
    CHECK_EQ(shell(COMPILE "sub -o x.o"), 1);
    CHECK_HAS(output, "cannot read sub: it is not a regular file");
    CHECK_EQ(shell("mkfifo pipe && " COMPILE "pipe -o x.o"), 1);
    CHECK_HAS(output, "cannot read pipe: it is not a regular file");
    CHECK_EQ(shell("cp two.cl same.cl && ln same.cl again.cl && " COMPILE "same.cl -o again.cl"), 2);
    CHECK_HAS(output, "again.cl is the file of kernels");
    CHECK_EQ(shell("cmp same.cl two.cl"), 0);

    /* An object file that cannot be written to its end is told, and not left there. */
    CHECK_EQ(shell("(ulimit -f 8; trap '' XFSZ; " COMPILE "two.cl -o x.o)"), 1);
    CHECK(!exists("x.o"));

    CHECK_EQ(shell("TMPDIR=/nowhere " TOOL " two.cl -o x.o"), 1);
    CHECK_HAS(output, "cannot make a temporary folder /nowhere/");

    CHECK_EQ(shell(COMPILE "two.cl -o x.o --fast-maths"), 2);
    CHECK_HAS(output, "no such option: --fast-maths; see divvy compile --help");
    CHECK_EQ(shell(COMPILE "-o x.o"), 2);
    CHECK_EQ(shell(COMPILE "two.cl"), 2);
    CHECK_EQ(shell(COMPILE "two.cl two.cl -o x.o"), 2);
    CHECK_EQ(shell(COMPILE "two.cl -o"), 2);
    CHECK_HAS(output, "-o needs a value");
    CHECK_EQ(shell(COMPILE "two.cl -o x.o --cflags \"'-g\""), 2);
    CHECK_EQ(shell(COMPILE "--help"), 0);
    CHECK_HAS(output, "usage: divvy compile");
    CHECK(!exists("x.o"));
    check_nothing_left();
}

static void check_verbose(void)
{
    CHECK_EQ(shell(COMPILE "two.cl -o x.o --verbose --keep"), 0);
    CHECK_HAS(output, "-ffp-contract=fast");
    CHECK_HAS(output, "divvy compile: kept TMP/divvy-compile-");
    CHECK(!strstr(output, "native"));
    CHECK_EQ(shell("ls TMP/*/text.cl && rm -r TMP/* x.o"), 0);
}

/* Stopped by a signal while the compiler runs, it dies of it, takes the compiler along and leaves nothing. */
static void check_signal(void)
{
    write_file("slow", "#!/bin/sh\ncase $* in *-dM*) exec cc \"$@\";; esac\necho $$ > $PIDS.$$\nexec sleep 60\n");
    CHECK_EQ(shell("chmod +x slow; CC=./slow PIDS=pid " COMPILE "two.cl -o x.o & tool=$!\n"
                   "until ls pid.* >/dev/null 2>&1; do sleep 0.05; done\n"
                   "kill -TERM $tool; wait $tool; echo status $?\n"
                   "for pid in $(cat pid.*); do kill -0 $pid 2>/dev/null && echo alive; done; true"),
             0);
    CHECK_HAS(output, "status 143\n");
    CHECK(!strstr(output, "alive"));
    CHECK(!exists("x.o"));
    check_nothing_left();
}

int main(void)
{
    static const char *const compilers[] = {"cc", "gcc", "clang"};
    prepare();
    for (size_t k = 0; k < sizeof compilers / sizeof *compilers; k++)
        if (shell("command -v %s", compilers[k]) == 0) {
            check_good(compilers[k]);
            check_math(compilers[k]);
            check_mistake(compilers[k]);
        }
    check_refusals();
    check_verbose();
    check_signal();
    shell("rm -r %s", folder);
    free(output);
    return check_summary();
}
