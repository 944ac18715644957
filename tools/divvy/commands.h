/* The subcommands of `divvy`, one file each. Each takes its own name as argv[0] and returns the exit status: 0 done,
 * 1 it says no, 2 wrong usage. */
#ifndef COMMANDS_H
#define COMMANDS_H

int divvy_info(int argc, char **argv);
int divvy_view(int argc, char **argv);
int divvy_compile(int argc, char **argv);
int divvy_models(int argc, char **argv);
int divvy_bench(int argc, char **argv);
int divvy_simulate(int argc, char **argv);
int divvy_replay(int argc, char **argv);

#endif
