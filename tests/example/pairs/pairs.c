/* Counts the pairs of neighbouring letters in a text, on every core, and prints the most frequent ones.
 *
 *     pairs FILE [--top n] [--repeat n]
 *
 * A host kernel: plain C, with a result for each partition, merged in the order of the text. A pair may begin in one
 * partition and end in the next, hence the halo of one character. The counts are compared with those of a plain
 * loop; exit status 1 if any differs. */
#include <divvy.h>
#include <divvy/kernel.h>

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The letters a to z, and one more for whatever is no letter: so that counting needs no question. */
enum { LETTERS = 26, KINDS = LETTERS + 1 };

struct pairs {
    uint64_t count[KINDS][KINDS];
};

static void merge_pairs(struct pairs *into, const struct pairs *from)
{
    for (int first = 0; first < KINDS; first++)
        for (int second = 0; second < KINDS; second++)
            into->count[first][second] += from->count[first][second];
}

DIVVY_HOST_KERNEL(count_pairs, (all, unsigned char, kind, 256), (halo, char, text, 1, 1),
                  (result, struct pairs, found, merge_pairs))
{
    DIVVY_FOR (i) {
        if (i + 1 < DIVVY_TOTAL)
            found->count[kind[(unsigned char)text[i]]][kind[(unsigned char)text[i + 1]]]++;
    }
}

/* What each character is: 0 to 25 for a letter, whichever its case, LETTERS for the rest. */
static void fill_kinds(unsigned char kind[256])
{
    memset(kind, LETTERS, 256);
    for (int letter = 0; letter < LETTERS; letter++)
        kind['a' + letter] = kind['A' + letter] = (unsigned char)letter;
}

/* The same counts by the shortest possible loop, which shares nothing with the kernel. */
static void count_serially(const char *text, size_t length, uint64_t count[LETTERS][LETTERS])
{
    for (size_t i = 1; i < length; i++) {
        int first = tolower((unsigned char)text[i - 1]), second = tolower((unsigned char)text[i]);
        if (first >= 'a' && first <= 'z' && second >= 'a' && second <= 'z')
            count[first - 'a'][second - 'a']++;
    }
}

static int count_differences(const struct pairs *pairs, uint64_t expected[LETTERS][LETTERS])
{
    int differences = 0;
    for (int first = 0; first < LETTERS; first++)
        for (int second = 0; second < LETTERS; second++)
            differences += pairs->count[first][second] != expected[first][second];
    return differences;
}

/* Prints the `top` most frequent pairs of letters, and takes them out of `pairs` on the way. */
static void print_top(struct pairs *pairs, long top)
{
    for (long place = 0; place < top; place++) {
        int best = 0;
        for (int pair = 1; pair < LETTERS * LETTERS; pair++)
            if (pairs->count[pair / LETTERS][pair % LETTERS] > pairs->count[best / LETTERS][best % LETTERS])
                best = pair;
        uint64_t *found = &pairs->count[best / LETTERS][best % LETTERS];
        if (*found == 0)
            break;
        printf("  %c%c %9llu\n", 'a' + best / LETTERS, 'a' + best % LETTERS, (unsigned long long)*found);
        *found = 0;
    }
}

/* The whole file, NULL with a message if it cannot be read. The caller frees. */
static char *read_text(const char *path, size_t *out_length)
{
    char *text = NULL;
    size_t length = 0, space = 0, got = 0;
    FILE *file = fopen(path, "rb");
    do {
        length += got;
        if (length == space) {
            space = space ? 2 * space : 1 << 16;
            char *larger = realloc(text, space);
            if (!larger)
                break;
            text = larger;
        }
    } while (file && (got = fread(text + length, 1, space - length, file)) > 0);

    bool whole = file && feof(file);
    if (!whole)
        perror(path);
    if (file)
        fclose(file);
    if (!whole) {
        free(text);
        return NULL;
    }
    *out_length = length;
    return text;
}

/* Counts `repeat` times, each time from nothing. False with a message if a job fails. */
static bool count_on_cores(const char *text, size_t length, long repeat, struct pairs *out_pairs)
{
    unsigned char kind[256];
    fill_kinds(kind);

    divvy *dv;
    divvy_status status = divvy_open(&dv, NULL);
    for (long turn = 0; turn < repeat && !status; turn++)
        status = divvy_run(dv, count_pairs, length, .kind = kind, .text = text, .found = out_pairs);
    if (status) {
        fprintf(stderr, "pairs: %s\n", divvy_error());
    } else {
        const divvy_report *last = divvy_last(dv);
        printf("%zu characters in %.2f ms:", length, (double)last->wall_ns * 1e-6);
        for (size_t s = 0; s < last->share_count; s++)
            if (last->shares[s].items)
                printf(" %s %.0f%%", last->shares[s].id, 100 * last->shares[s].share);
        printf("\n");
    }
    divvy_close(dv);
    return !status;
}

static int explain_usage(void)
{
    fputs("usage: pairs FILE [--top n] [--repeat n]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"top", required_argument, NULL, 't'}, {"repeat", required_argument, NULL, 'r'}, {0}};
    long top = 10, repeat = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return explain_usage();
        char *end;
        *(option == 't' ? &top : &repeat) = strtol(optarg, &end, 10);
        if (*end || top < 0 || top > LETTERS * LETTERS || repeat < 1)
            return explain_usage();
    }
    if (optind != argc - 1)
        return explain_usage();

    size_t length;
    char *text = read_text(argv[optind], &length);
    if (!text)
        return 1;

    static struct pairs pairs;
    static uint64_t expected[LETTERS][LETTERS];
    bool counted = count_on_cores(text, length, repeat, &pairs);
    count_serially(text, length, expected);
    free(text);
    if (!counted)
        return 1;

    int differences = count_differences(&pairs, expected);
    print_top(&pairs, top);
    printf("%d of %d counts differ from those of a plain loop\n", differences, LETTERS * LETTERS);
    return differences > 0;
}
