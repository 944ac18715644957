/* The divvy command: finds the subcommand and hands over. */
#include "commands.h"

#include <divvy.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name, *does;
    int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
    {"info", "shows cores, devices, backends and variables", divvy_info},
    {"view", "shows the profile of a run", divvy_view},
    {"compile", "compiles a file of kernels into an object file", divvy_compile},
    {"simulate", "runs schedules against simulated devices", divvy_simulate},
    {"replay", "runs a recorded job again in simulated time", divvy_replay},
    {"models", "shows and changes what was learned in earlier runs", divvy_models},
    {"bench", "measures divvy on this machine beside its peers", divvy_bench},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static void print_usage(FILE *out)
{
    fputs("usage: divvy COMMAND ...\n\n", out);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].does);
    fputs("\n"
          "divvy help COMMAND tells what a command takes; divvy --version the version.\n"
          "Exit status: 0 done, 1 it says no, 2 wrong usage.\n",
          out);
}

static const struct command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];

    fprintf(stderr, "divvy: there is no command \"%s\"; there are:", name);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(stderr, "%s %s", i ? "," : "", commands[i].name);
    fputs("\n", stderr);
    return NULL;
}

static int help(const char *name)
{
    char ask[] = "--help", *words[] = {NULL, ask, NULL};
    const struct command *command = find(name);

    if (!command)
        return 2;
    words[0] = (char *)command->name;
    return command->run(2, words);
}

/* What was said must have arrived. */
static int finish(int status)
{
    if (status != 0 || (fflush(stdout) == 0 && !ferror(stdout)))
        return status;
    fputs("divvy: the output could not be written\n", stderr);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return 2;
    }
    bool asks_help = strcmp(argv[1], "help") == 0;
    if (asks_help && argc == 3)
        return help(argv[2]);
    if (asks_help && argc > 3) {
        fprintf(stderr, "divvy: help takes one command\n");
        return 2;
    }
    if (asks_help || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("divvy %d.%d.%d\n", DIVVY_VERSION_MAJOR, DIVVY_VERSION_MINOR, DIVVY_VERSION_PATCH);
        return 0;
    }
    const struct command *command = find(argv[1]);
    return command ? finish(command->run(argc - 1, argv + 1)) : 2;
}
