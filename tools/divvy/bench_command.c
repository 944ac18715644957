/* The command line of the benches, and the rows that it names. */
#include "bench.h"
#include "bench_team.h"

#include <fnmatch.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void print_usage(FILE *out, const char *program)
{
    fprintf(out,
            "usage: %s [--quick] [--rounds N] [--patience SECONDS] [--json] [ROW...]\n"
            "\n"
            "Measures divvy on this machine beside its peers: what a job and a partition cost, bandwidths, computing,\n"
            "more cores and more devices. Every result is compared with plain C before its time is told. ROW is the "
            "name of\n"
            "a row or a pattern (\"saxpy-*\"); all rows if there is none.\n"
            "\n"
            "  --list      name the rows\n"
            "  --quick     next to nothing to do: shows that it works, says nothing about speed\n"
            "  --rounds    exactly so many rounds for each result, 1 to 10000; default: some seconds' worth\n"
            "  --patience  how long a row may wait for a quiet machine in all, 0 to 3600 seconds; default 2\n"
            "  --json      as JSON\n"
            "  --help      show this\n"
            "\n"
            "Ratios are divvy's time over the peer's, medians over the rounds: below 1 divvy is faster. The spread is\n"
            "half of what lies between the best and the worst tenth of the calls.\n"
            "\n"
            "Exit status: 0, 1 if a result was wrong, 2 for wrong usage.\n",
            program);
}

static int list(const struct bench_row *const *rows)
{
    for (; *rows; rows++)
        printf("%-24s %s\n", (*rows)->name, (*rows)->what);
    return 0;
}

static bool is_wanted(const struct bench_row *row, char **names, int count)
{
    for (int k = 0; k < count; k++)
        if (fnmatch(names[k], row->name, 0) == 0)
            return true;
    return count == 0;
}

static bool all_known(const char *program, const struct bench_row *const *rows, char **names, int count)
{
    for (int k = 0; k < count; k++) {
        bool known = false;
        for (const struct bench_row *const *row = rows; *row && !known; row++)
            known = is_wanted(*row, &names[k], 1);
        if (known)
            continue;
        fprintf(stderr, "%s: there is no row \"%s\"; there are:", program, names[k]);
        for (const struct bench_row *const *row = rows; *row; row++)
            fprintf(stderr, "%s %s", row == rows ? "" : ",", (*row)->name);
        fputs("\n", stderr);
        return false;
    }
    return true;
}

static void forget(struct bench_report *report)
{
    for (unsigned r = 0; r < report->result_count; r++) {
        for (unsigned f = 0; f < report->results[r].figure_count; f++) {
            bench_forget(&report->results[r].figures[f].calls);
            bench_forget(&report->results[r].figures[f].rounds);
        }
        free(report->results[r].figures);
    }
    free(report->results);
}

static void stay(unsigned core)
{
    (void)core;
}

/* Peers make their threads while nobody is bound: they learn from the caller's mask how many cores there are. */
static void start_peers(const struct bench *bench)
{
    for (const struct bench_peer *const *peer = bench->peers; *peer; peer++)
        if ((*peer)->take_places)
            (*peer)->take_places(bench->cores, stay);
}

static int measure(struct bench *bench, const struct bench_row *const *rows, char **names, int count, bool json)
{
    unsigned row_count = 0, done = 0;
    while (rows[row_count])
        row_count++;
    struct bench_report *reports = calloc(row_count, sizeof *reports);
    bench_require(reports != NULL, "the rows", "memory");
    bool told = isatty(STDERR_FILENO);
    for (unsigned r = 0; r < row_count; r++) {
        if (!is_wanted(rows[r], names, count))
            continue;
        if (told)
            fprintf(stderr, "\r%-24s\033[K", rows[r]->name);
        bench->report = &reports[done++];
        bench->report->row = rows[r];
        bench->patience_ns = bench->row_patience_ns;
        rows[r]->measure(bench);
    }
    if (told)
        fputs("\r\033[K", stderr);
    bench_team_end();

    int status = 0;
    if (json) {
        status = bench_print_json(bench, reports, done);
    } else {
        printf("%u cores, kernels for %s; %s%s\n\n", bench->cores, bench->level, bench->peers_note,
               bench->quick ? "; quick: says nothing about speed" : "");
        bench_print_table(reports, done);
    }
    for (unsigned r = 0; r < done; r++)
        forget(&reports[r]);
    free(reports);
    return status;
}

/* A number between two, or an end with a word of what is allowed. */
static bool read_number(const char *program, const char *option, double low, double high, double *out_number)
{
    char *end;
    *out_number = strtod(optarg, &end);
    if (end != optarg && *end == '\0' && *out_number >= low && *out_number <= high)
        return true;
    fprintf(stderr, "%s: %s takes a number from %g to %g, not \"%s\"\n", program, option, low, high, optarg);
    return false;
}

int bench_command(const char *program, int argc, char **argv, const struct bench_row *const *rows,
                  void (*setup)(struct bench *bench))
{
    static const struct option options[] = {
        {"list", no_argument, NULL, 'l'},
        {"quick", no_argument, NULL, 'q'},
        {"rounds", required_argument, NULL, 'r'},
        {"patience", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    struct bench bench = {.peers_note = ""};
    bool json = false;
    double rounds = 0, patience = 2;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            return list(rows);
        case 'q':
            bench.quick = true;
            break;
        case 'r':
            if (!read_number(program, "--rounds", 1, 10000, &rounds))
                return 2;
            break;
        case 'p':
            if (!read_number(program, "--patience", 0, 3600, &patience))
                return 2;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            print_usage(stdout, program);
            return 0;
        default:
            print_usage(stderr, program);
            return 2;
        }
    }
    if (!all_known(program, rows, argv + optind, argc - optind))
        return 2;
    bench.rounds = (unsigned)rounds;
    bench.row_patience_ns = bench.quick ? 0 : patience * 1e9;
    bench_find_cores(&bench);
    setup(&bench);
    start_peers(&bench);
    return measure(&bench, rows, argv + optind, argc - optind, json);
}
