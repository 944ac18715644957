/* divvy view: a profile in the terminal. Knows its JSON alone. */
#include "view.h"

#include "commands.h"

#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char usage[] = "usage: divvy view FILE [--job ID|NAME] [--all] [--json] [--width N] [--no-color]\n"
                            "\n"
                            "Shows the profile that a program wrote (DIVVY_PROFILE=FILE; - is the standard input):\n"
                            "for each job and device what it computed, how long it took, how near it came to the best\n"
                            "possible time, and when each device was busy.\n"
                            "\n"
                            "  --job ID|NAME  only jobs of this number, name or kernel\n"
                            "  --all          every job, also the fourth and later ones of a kernel\n"
                            "  --json         the computed facts as JSON\n"
                            "  --width N      columns, 40 to 1000 (default: the terminal's, else 80); tables take 80\n"
                            "  --no-color     no colors (default when the output is not a terminal, or with NO_COLOR)\n"
                            "\n"
                            "Exit status: 0 shown, 1 not a profile that can be shown, 2 wrong usage.\n";

enum { LEAST_WIDTH = 40, MOST_WIDTH = 1000, PROBLEM_BYTES = 8192 };

static bool is_unicode(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* One line on stderr. Paths and names may come from elsewhere and hold anything. */
static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
    const struct dv_style style = {.out = stderr, .unicode = is_unicode()};
    char text[PROBLEM_BYTES];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    fputs("divvy view: ", stderr);
    dv_put(&style, text, sizeof text);
    fputc('\n', stderr);
}

static int wrong_usage(const char *what, const char *which)
{
    tell("%s%s; see divvy view --help", what, which);
    return 2;
}

static int terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0)
        return 80;
    return size.ws_col < LEAST_WIDTH ? LEAST_WIDTH : size.ws_col > MOST_WIDTH ? MOST_WIDTH : size.ws_col;
}

static bool terminal_has_color(void)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(refused && *refused) && terminal && strcmp(terminal, "dumb") != 0;
}

/* 0: not a width. */
static int read_width(const char *text)
{
    char *end;
    long width = strtol(text, &end, 10);
    return end != text && *end == 0 && width >= LEAST_WIDTH && width <= MOST_WIDTH ? (int)width : 0;
}

static bool any_chosen(const struct dv_view *view, const struct dv_view_choice *choice)
{
    for (size_t i = 0; i < view->job_count; i++)
        if (dv_view_chosen(choice, &view->jobs[i]))
            return true;
    return !choice->job;
}

static int show(const char *path, const struct dv_view_choice *choice, bool json, const struct dv_style *style)
{
    char problem[PROBLEM_BYTES];
    struct dv_view view;
    int status = 0;

    if (!dv_view_read(path, &view, problem, sizeof problem)) {
        tell("%s", problem);
        return 1;
    }
    if (!any_chosen(&view, choice)) {
        tell("no job of %s has the number, name or kernel \"%s\"", path, choice->job);
        status = 1;
    } else if (!json) {
        dv_view_text(&view, choice, style);
    } else if (!dv_view_json(&view, choice, style->out)) {
        tell("memory ran out");
        status = 1;
    }
    if (fflush(style->out) || ferror(style->out)) {
        tell("the output could not be written");
        status = 1;
    }
    dv_view_free(&view);
    return status;
}

int divvy_view(int argc, char **argv)
{
    enum { HELP = 256, JOB, ALL, JSON, WIDTH, NO_COLOR };
    static const struct option options[] = {
        {"help", no_argument, NULL, HELP},
        {"job", required_argument, NULL, JOB},
        {"all", no_argument, NULL, ALL},
        {"json", no_argument, NULL, JSON},
        {"width", required_argument, NULL, WIDTH},
        {"no-color", no_argument, NULL, NO_COLOR},
        {NULL, 0, NULL, 0},
    };
    struct dv_view_choice choice = {0};
    bool json = false;

    setlocale(LC_CTYPE, "");
    struct dv_style style = {
        .out = stdout,
        .width = terminal_width(),
        .color = terminal_has_color(),
        .unicode = is_unicode(),
    };

    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        switch (option) {
        case 'h':
        case HELP:
            fputs(usage, stdout);
            return 0;
        case JOB:
            choice.job = optarg;
            choice.all = true;
            break;
        case ALL:
            choice.all = true;
            break;
        case JSON:
            json = true;
            break;
        case WIDTH:
            style.width = read_width(optarg);
            if (!style.width)
                return wrong_usage("a width is a number from 40 to 1000, not ", optarg);
            break;
        case NO_COLOR:
            style.color = false;
            break;
        case ':':
            return wrong_usage("a value is missing after ", argv[optind - 1]);
        default:
            return wrong_usage("there is no option ", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        return wrong_usage(argc == optind ? "a file is needed" : "one file is enough: ",
                           argc == optind ? "" : argv[optind + 1]);
    return show(argv[optind], &choice, json, &style);
}
