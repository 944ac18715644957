/* `divvy compile` on its own: what the build of divvy uses before the library is there. */
#include "commands.h"

int main(int argc, char **argv)
{
    return divvy_compile(argc, argv);
}
