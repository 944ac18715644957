/* The ways in which C++ calls a kernel, and defines one of the host. */
#include <divvy.h>

#include "saxpy.cl"
#include "scale.cl"

#include <cctype>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

static int failures;

static void check(bool good, const char *what)
{
    if (!good)
        std::fprintf(stderr, "%s; divvy says: %s\n", what, divvy_error());
    failures += !good;
}

/* A kernel of the host in C++: the words of a text, by a fold and by a result of each partition. */
struct letters {
    long upper, lower;
};

static void add(letters *into, const letters *from)
{
    into->upper += from->upper;
    into->lower += from->lower;
}

DIVVY_HOST_KERNEL(count_letters, (value, int, step), (in, char, text), (all, long, weights, 2), (sum, long, total),
                  (result, letters, found, add))
{
    DIVVY_FOR (i) {
        try {
            if (!std::isalpha(static_cast<unsigned char>(text[i])))
                throw std::runtime_error("no letter");
            found->upper += std::isupper(text[i]) ? step : 0;
            found->lower += std::islower(text[i]) ? step : 0;
            total[DIVVY_LANE] += weights[0] + weights[1];
        } catch (const std::exception &error) {
            divvy_fail(DIVVY_IO, error.what());
        }
    }
}

int main()
{
    std::vector<float> x(10000, 4.0f), y(x.size()), z(x.size());
    int total = 0;
    divvy *dv;
    divvy_options options{};
    options.threads = -1;
    check(divvy_open(&dv, &options) == DIVVY_OK, "open");

    /* By the struct and the function under the macro. */
    scale_args args;
    check(args.a == 0 && !args.x && !args.with.name && !args.with.partition, "arguments do not begin as zero");
    args.a = 0.5f;
    args.x = x.data();
    args.y = y.data();
    args.total = &total;
    args.with.partition = 1000;
    check(divvy_run_kernel(dv, &scale_kernel, x.size(), &args, sizeof args) == DIVVY_OK, "divvy_run_kernel");
    check(y.front() == 1 && y.back() == 1 && total == 10000, "scale is wrong");
    check(divvy_wait(divvy_submit_kernel(dv, &scale_kernel, x.size(), &args, sizeof args)) == DIVVY_OK, "submit");

    check(divvy_partition_for(100, 1, 0.5) == 200, "divvy_partition_for");

    /* By position. */
    check(divvy_prepare(dv, saxpy) == DIVVY_OK, "divvy_prepare");
    check(divvy_run(dv, saxpy, x.size(), 2.0f, x.data(), y.data()) == DIVVY_OK, "divvy_run");
    divvy_future *future = divvy_submit(dv, scale, x.size(), 1.0f, x.data(), z.data(), &total);
    check(divvy_wait(future) == DIVVY_OK, "divvy_submit");
    check(y.front() == 9 && y.back() == 9 && z.front() == 2 && z.back() == 2, "saxpy or scale is wrong");

#if __cplusplus >= 202002L
    /* By name. */
    check(divvy_run(dv, saxpy, x.size(), .a = 1.0f, .x = x.data(), .y = z.data()) == DIVVY_OK, "by name");
    check(z.front() == 6 && z.back() == 6, "saxpy by name is wrong");
#endif

    std::string text(1000, 'a');
    text += std::string(500, 'B');
    const long weights[] = {1, 2};
    long weight = 0;
    letters found;
    check(divvy_run(dv, count_letters, text.size(), 2, text.data(), weights, &weight, &found) == DIVVY_OK, "host");
    check(found.lower == 2000 && found.upper == 1000 && weight == 4500, "the host kernel is wrong");
    text[1200] = '?';
    check(divvy_run(dv, count_letters, text.size(), 2, text.data(), weights, &weight, &found) == DIVVY_IO, "failing");
    check(std::string(divvy_error()).find("no letter") != std::string::npos, "the reason is lost");

    divvy_close(dv);
    return failures != 0;
}
