/* The split: whoever takes what from where, every index is given out once. */
#include "schedule/split.h"

#include "check.h"

enum { THREADS = 4, HOMES_MAX = 8 };

/* What one thread has kept, and how much it gave back. */
struct taker {
    struct dv_split *split;
    uint64_t random;
    size_t most; /* indices at once */
    bool returns;
    struct dv_range *kept;
    size_t kept_count, kept_capacity;
    size_t given, returned;
};

static void keep(struct taker *taker, struct dv_range range)
{
    if (taker->kept_count == taker->kept_capacity) {
        taker->kept_capacity = taker->kept_capacity ? 2 * taker->kept_capacity : 256;
        taker->kept = realloc(taker->kept, taker->kept_capacity * sizeof *taker->kept);
        if (!taker->kept)
            abort();
    }
    taker->kept[taker->kept_count++] = range;
}

/* Something, from a random place first and from everywhere then. */
static bool take_any(struct taker *taker, struct dv_range *out_range)
{
    struct dv_split *split = taker->split;
    unsigned scale = (unsigned)(check_random(&taker->random) % 20);
    size_t wanted = (taker->most >> scale) ? 1 + check_random(&taker->random) % (taker->most >> scale) : 1;
    if (dv_split_take_returned(split, wanted, out_range)) {
        CHECK(out_range->attempt > 1);
        CHECK(out_range->count <= (wanted > split->grain ? wanted : split->grain));
        return true;
    }
    unsigned begin = (unsigned)check_random(&taker->random);
    for (unsigned k = 0; k < split->home_count; k++) {
        unsigned home = (begin + k) % split->home_count;
        bool front = check_random(&taker->random) % 2;
        if (front ? dv_split_take_front(split, home, wanted, out_range)
                  : dv_split_take_back(split, home, wanted, out_range)) {
            CHECK(out_range->attempt == 1);
            CHECK(out_range->count <= (wanted > split->grain ? wanted : split->grain));
            return true;
        }
    }
    return false;
}

static void *take_all(void *data)
{
    struct taker *taker = data;
    struct dv_range range;
    while (take_any(taker, &range)) {
        CHECK(range.count > 0);
        taker->given += range.count;
        if (taker->returns && check_random(&taker->random) % 8 == 0 && dv_split_return(taker->split, range))
            taker->returned += range.count;
        else
            keep(taker, range);
    }
    return NULL;
}

static int by_first(const void *a, const void *b)
{
    const struct dv_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* What all have kept covers [0, count) without gap or overlap. */
static void check_cover(struct taker *takers, size_t count)
{
    struct taker all = {0};
    size_t given = 0, returned = 0, next = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        given += takers[t].given;
        returned += takers[t].returned;
        for (size_t k = 0; k < takers[t].kept_count; k++)
            keep(&all, takers[t].kept[k]);
    }
    CHECK_EQ(given - returned, count);
    if (all.kept_count > 0)
        qsort(all.kept, all.kept_count, sizeof *all.kept, by_first);
    bool tight = true;
    for (size_t k = 0; k < all.kept_count; k++) {
        tight = tight && all.kept[k].first == next;
        next = all.kept[k].first + all.kept[k].count;
    }
    CHECK(tight);
    CHECK_EQ(next, count);
    free(all.kept);
}

static void take_from_all_sides(struct dv_split *split, bool returns, uint64_t *random)
{
    struct taker takers[THREADS];
    pthread_t threads[THREADS];
    for (unsigned t = 0; t < THREADS; t++) {
        takers[t] = (struct taker){
            .split = split, .random = check_random(random), .most = split->count / 200 + 1, .returns = returns};
        pthread_create(&threads[t], NULL, take_all, &takers[t]);
    }
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    CHECK_EQ(dv_split_unclaimed(split), 0);
    check_cover(takers, split->count);
    for (unsigned t = 0; t < THREADS; t++)
        free(takers[t].kept);
}

/* Random sizes, some of them 0, that add up to count. */
static void random_sizes(size_t count, unsigned homes, size_t *sizes, uint64_t *random)
{
    size_t left = count;
    for (unsigned h = 0; h + 1 < homes; h++) {
        sizes[h] = check_random(random) % 3 && left ? check_random(random) % (left + 1) : 0;
        left -= sizes[h];
    }
    sizes[homes - 1] = left;
}

/* Aligned, everything that is taken is made of whole steps, but for the end of the job. */
static void test_alignment(uint64_t *random)
{
    struct dv_split split;
    dv_split_init(&split);
    for (unsigned round = 0; round < 200; round++) {
        size_t count = 1 + check_random(random) % 100000, step = 1 + check_random(random) % 3000;
        size_t sizes[HOMES_MAX], taken = 0;
        unsigned homes = 1 + (unsigned)(check_random(random) % HOMES_MAX), returned = 0;
        random_sizes(count, homes, sizes, random);
        CHECK(dv_split_lay_out(&split, count, homes, sizes));
        dv_split_align(&split, step);
        CHECK_EQ(dv_split_unclaimed(&split), count);
        for (unsigned h = 0, idle = 0; idle < 100;) {
            struct dv_range range;
            size_t wanted = 1 + check_random(random) % 9000;
            uint64_t choice = check_random(random);
            h = (unsigned)(check_random(random) % homes);
            bool got = choice % 3 == 0   ? dv_split_take_returned(&split, wanted, &range)
                       : choice % 3 == 1 ? dv_split_take_front(&split, h, wanted, &range)
                                         : dv_split_take_back(&split, h, wanted, &range);
            idle = got ? 0 : idle + (dv_split_unclaimed(&split) == 0);
            if (!got)
                continue;
            size_t end = range.first + range.count;
            CHECK(range.count > 0 && range.first % step == 0 && (end % step == 0 || end == count));
            CHECK(range.count <= wanted || range.count <= step);
            if (returned < 3 && dv_split_return(&split, range)) {
                returned++;
                continue;
            }
            taken += range.count;
        }
        CHECK_EQ(taken, count);
    }
    dv_split_fini(&split);
}

static void test_threads(uint64_t *random)
{
    static const size_t counts[] = {
        0, 1, 2, 63, 1000003, (size_t)1 << 20, UINT32_MAX, (size_t)1 << 32, (size_t)1 << 33, ((size_t)1 << 33) + 12345};
    struct dv_split split;
    dv_split_init(&split);
    for (unsigned round = 0; round < 4; round++) {
        for (unsigned c = 0; c < sizeof counts / sizeof *counts; c++) {
            size_t sizes[HOMES_MAX];
            unsigned homes = 1 + (unsigned)(check_random(random) % HOMES_MAX);
            random_sizes(counts[c], homes, sizes, random);

            /* Every home has the size that was asked for, and all of them hold every index. */
            CHECK(dv_split_lay_out(&split, counts[c], homes, sizes));
            for (unsigned h = 0; h < homes; h++)
                CHECK_EQ(dv_split_left(&split, h), sizes[h]);
            CHECK_EQ(dv_split_unclaimed(&split), counts[c]);

            /* Several threads that take from all sides get every index once; those given back, once more. */
            take_from_all_sides(&split, round % 2, random);

            /* The same homes can be given out again. */
            dv_split_rewind(&split);
            CHECK_EQ(dv_split_unclaimed(&split), counts[c]);
            take_from_all_sides(&split, false, random);
        }
    }
    dv_split_fini(&split);
}

static void check_range(struct dv_range range, size_t first, size_t count, unsigned attempt)
{
    CHECK_EQ(range.first, first);
    CHECK_EQ(range.count, count);
    CHECK_EQ(range.attempt, attempt);
}

static void test_places(void)
{
    struct dv_split split;
    struct dv_range range;
    dv_split_init(&split);
    CHECK(dv_split_lay_out(&split, 100, 3, (size_t[]){60, 0, 40}));

    /* A home is used up from its front and from its back. */
    CHECK(dv_split_take_front(&split, 0, 10, &range));
    check_range(range, 0, 10, 1);
    CHECK(dv_split_take_back(&split, 0, 20, &range));
    check_range(range, 40, 20, 1);
    CHECK_EQ(dv_split_left(&split, 0), 30);
    CHECK(dv_split_take_front(&split, 0, SIZE_MAX, &range));
    check_range(range, 10, 30, 1);
    CHECK(!dv_split_take_front(&split, 0, 1, &range));
    CHECK(!dv_split_take_back(&split, 0, 1, &range));

    /* What was taken from the front last goes back as if it never was; also the cut grain at the end. */
    dv_split_put_front(&split, 0, 30);
    CHECK(dv_split_take_back(&split, 0, 5, &range));
    check_range(range, 35, 5, 1);
    CHECK(dv_split_take_front(&split, 0, SIZE_MAX, &range));
    check_range(range, 10, 25, 1);

    /* An empty home gives nothing; another begins where the one before it ends. */
    CHECK(!dv_split_take_front(&split, 1, 1, &range));
    CHECK(dv_split_take_front(&split, 2, 1, &range));
    check_range(range, 60, 1, 1);

    /* What comes back is given out in parts, and knows how often it was tried. */
    CHECK(!dv_split_take_returned(&split, 1, &range));
    CHECK(dv_split_return(&split, (struct dv_range){.first = 40, .count = 20, .attempt = 1}));
    CHECK_EQ(dv_split_unclaimed(&split), 59);
    CHECK(dv_split_take_returned(&split, 15, &range));
    check_range(range, 40, 15, 2);
    CHECK(dv_split_take_returned(&split, 15, &range));
    check_range(range, 55, 5, 2);
    CHECK(!dv_split_take_returned(&split, 1, &range));

    /* There is room for what devices can fail at, and an end to it. */
    unsigned room = 0;
    while (room < 1000 && dv_split_return(&split, (struct dv_range){.first = room, .count = 1, .attempt = 1}))
        room++;
    CHECK(room >= 2 * 3 && room < 1000);
    dv_split_fini(&split);

    /* Where a step is more than one index, nobody gets more than was asked for unless it is a single step. */
    dv_split_init(&split);
    CHECK(dv_split_lay_out(&split, (size_t)1 << 33, 1, (size_t[]){(size_t)1 << 33}));
    CHECK(split.grain > 1);
    CHECK(dv_split_take_front(&split, 0, 10 * split.grain + 1, &range));
    check_range(range, 0, 10 * split.grain, 1);
    CHECK(dv_split_take_front(&split, 0, 1, &range));
    check_range(range, 10 * split.grain, split.grain, 1);
    dv_split_fini(&split);

    dv_split_init(&split);
    CHECK(dv_split_lay_out(&split, 10, 1, (size_t[]){10}));
    dv_split_align(&split, 4);
    CHECK(dv_split_take_front(&split, 0, SIZE_MAX, &range));
    dv_split_put_front(&split, 0, range.count);
    CHECK_EQ(dv_split_left(&split, 0), 10);
    CHECK(dv_split_take_front(&split, 0, SIZE_MAX, &range));
    check_range(range, 0, 10, 1);
    dv_split_fini(&split);
}

int main(void)
{
    uint64_t random = check_seed();
    test_places();
    test_alignment(&random);
    test_threads(&random);
    return check_summary();
}
