/* profile_sample FILE [N]: writes a profile as a real run would, with N jobs of its most frequent kernel. */
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char **values)
{
    if (count < 2 || count > 3) {
        fprintf(stderr, "usage: profile_sample FILE [N]\n");
        return 2;
    }
    divvy_status status = sample_write(values[1], count == 3 ? strtoull(values[2], NULL, 10) : 12);
    if (status)
        fprintf(stderr, "profile_sample: %s\n", divvy_error());
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
