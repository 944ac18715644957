/* scenario_reader FILE...: what the reader says of each file, a line each: "ok" or what is wrong with it. */
#include "scenario.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    for (int k = 1; k < argc; k++) {
        char error[512];
        struct scenario *scenario = scenario_read_file(argv[k], error, sizeof error);
        puts(scenario ? "ok" : error);
        scenario_free(scenario);
    }
    return 0;
}
