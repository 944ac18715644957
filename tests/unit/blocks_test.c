/* The blocks of reproducible jobs: how large they are, and in which tree what they give comes together. */
#include "schedule/blocks.h"

#include "check.h"
#include "machine/fold.h"
#include "schedule/job.h"

#include <math.h>

static const divvy_parameter parameters[] = {
    {.name = "x", .kind = DIVVY_KIND_in},
    {.name = "total", .kind = DIVVY_KIND_sum, .element = DIVVY_ELEMENT_DOUBLE, .element_bytes = sizeof(double)},
    {.name = "y", .kind = DIVVY_KIND_in},
    {.name = "most", .kind = DIVVY_KIND_max, .element = DIVVY_ELEMENT_INT, .element_bytes = sizeof(int)},
};
static const divvy_kernel kernel = {.parameters = parameters, .parameter_count = 4};

/* ---- Sizes ---- */

static size_t size_of(size_t count, size_t stride, bool on_cores)
{
    static struct dv_job job = {.kernel = &kernel};
    job.count = count;
    job.arguments[0].stride = stride;
    return dv_blocks_size(&job, on_cores);
}

static void test_sizes(void)
{
    static const size_t counts[] = {1,       2,        63,        64,        65,         1000,
                                    1000003, 16777216, 100000007, 999999937, 1000000000, (size_t)1 << 40};
    static const size_t strides[] = {0, 1, 4, 8, 100, 4000, 400000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
            for (int on_cores = 0; on_cores < 2; on_cores++) {
                size_t count = counts[c], size = size_of(count, strides[s], on_cores);
                size_t blocks = count / size + (count % size != 0);

                // Blocks are whole passes of the lanes, unless there is one alone; and never very many.
                CHECK(blocks == 1 ? size == count : size % DIVVY_LANES == 0);
                CHECK(blocks <= (on_cores ? 4096 : 256));

                // Where an index has few bytes a block has many indices, up to what the backend folds at once.
                CHECK(strides[s] > 4 || blocks == 1 || size >= 1024);
                CHECK(!on_cores || count > (size_t)16384 * 4096 || size <= 16384);
            }

    // Long rows are work enough for small blocks.
    CHECK_EQ(size_of(1000, 400000, true), DIVVY_LANES);

    // A job of no index has a size too.
    CHECK_EQ(size_of(0, 4, true), 1);

    // Large results want large blocks.
    static const divvy_parameter with_result[] = {{.kind = DIVVY_KIND_in},
                                                  {.kind = DIVVY_KIND_result, .element_bytes = 2048}};
    static const divvy_kernel host = {.parameters = with_result, .parameter_count = 2};
    static struct dv_job job = {.kernel = &host, .count = 1000000};
    job.arguments[0].stride = 1;
    CHECK(dv_blocks_size(&job, true) >= 32768);

    // Sizes are rounded up to whole blocks, but for the whole job.
    const struct dv_blocks blocks = {.size = 1024};
    CHECK_EQ(dv_blocks_round(&blocks, 0, 5000), 0);
    CHECK_EQ(dv_blocks_round(&blocks, 1, 5000), 1024);
    CHECK_EQ(dv_blocks_round(&blocks, 1024, 5000), 1024);
    CHECK_EQ(dv_blocks_round(&blocks, 1025, 5000), 2048);
    CHECK_EQ(dv_blocks_round(&blocks, SIZE_MAX, 5000), SIZE_MAX);
}

/* ---- The tree ---- */

struct node {
    size_t first;
    unsigned level;
    double value;
};

/* Puts blocks together as results are: in the order in which they arrive, siblings only. */
static double merge_as_they_come(const struct dv_blocks *blocks, const double *values, uint64_t *random)
{
    struct node nodes[200];
    size_t order[200], waiting = 0;
    for (size_t b = 0; b < blocks->count; b++) {
        size_t other = check_random(random) % (b + 1);
        order[b] = order[other];
        order[other] = b;
    }
    for (size_t b = 0; b < blocks->count; b++) {
        struct node node = {.first = order[b] * blocks->size, .value = values[order[b]]};
        node.level = dv_blocks_level(blocks, node.first, 0);
        for (size_t k = 0; k < waiting;) {
            struct node *other = &nodes[k];
            bool before = other->first < node.first;
            if (other->level != node.level || !dv_blocks_are_siblings(blocks, before ? other->first : node.first,
                                                                      before ? node.first : other->first, node.level)) {
                k++;
                continue;
            }
            node.value = before ? other->value + node.value : node.value + other->value;
            node.first = before ? other->first : node.first;
            node.level = dv_blocks_level(blocks, node.first, node.level + 1);
            *other = nodes[--waiting];
            k = 0;
        }
        nodes[waiting++] = node;
    }
    CHECK_EQ(waiting, 1);
    CHECK_EQ(nodes[0].first, 0);
    return nodes[0].value;
}

static void test_tree(uint64_t *random)
{
    struct dv_blocks blocks = {.size = 64};
    for (size_t count = 1; count < 200; count++) {
        double values[200], most = -1;
        CHECK(dv_blocks_begin(&blocks, &kernel, (count - 1) * 64 + 1 + check_random(random) % 64));
        CHECK_EQ(blocks.count, count);
        for (size_t b = 0; b < count; b++) {
            values[b] = ldexp(check_uniform(random, -1, 1), (int)(check_random(random) % 60));
            int64_t whole = (int64_t)(check_random(random) % 1000);
            most = fmax(most, (double)whole);
            divvy_partial partials[4] = {[1] = {.f = values[b]}, [3] = {.i = whole}};
            dv_blocks_keep(&blocks, &kernel, b * 64, partials);
        }

        // Folds and results have one tree, whatever comes first.
        double folded = dv_blocks_fold(&blocks, &kernel, 1).f;
        for (unsigned turn = 0; turn < 5; turn++) {
            double merged = merge_as_they_come(&blocks, values, random);
            CHECK(memcmp(&merged, &folded, sizeof merged) == 0);
        }
        CHECK_EQ(dv_blocks_fold(&blocks, &kernel, 3).i, most);
    }

    // It is the one of pairs: of five, ((0 1) (2 3)) 4.
    static const double five[] = {1e16, 1, -1e16, 1, 1};
    CHECK(dv_blocks_begin(&blocks, &kernel, 5 * 64));
    for (size_t b = 0; b < 5; b++)
        dv_blocks_keep(&blocks, &kernel, b * 64, (divvy_partial[4]){[1] = {.f = five[b]}});
    CHECK(dv_blocks_fold(&blocks, &kernel, 1).f == ((five[0] + five[1]) + (five[2] + five[3])) + five[4]);

    // Without a block there is the identity.
    CHECK(dv_blocks_begin(&blocks, &kernel, 0));
    CHECK_EQ(dv_blocks_fold(&blocks, &kernel, 3).i, INT32_MIN);
    dv_blocks_free(&blocks);
}

int main(void)
{
    uint64_t random = check_seed();
    test_sizes();
    test_tree(&random);
    return check_summary();
}
