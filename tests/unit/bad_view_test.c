/* divvy view and profiles that are damaged, hostile, or no files: it ends with 0 or 1, says why, and the terminal obeys
 * nothing that stands in them. */
#include "fork.h"
#include "view_run.h"

#include "view.h"

#include <cjson/cJSON.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Where a profile may come from, and what is no file to read all of. */
static void check_sources(void)
{
    int kept_in = dup(0);

    /* "-" is the standard input. */
    dup2(open("good", O_RDONLY), 0);
    view("-", NULL);
    CHECK_EQ(exit_status, 0);
    CHECK_HAS(said_out, "mandelbrot");
    dup2(open("/dev/null", O_RDONLY), 0);
    view("-", NULL);
    CHECK_EQ(exit_status, 1);
    CHECK_HAS(said_err, "the standard input is empty");
    dup2(kept_in, 0);
    close(kept_in);

    /* A pipe is read to its end. */
    CHECK_EQ(mkfifo("pipe", 0600), 0);
    pid_t writer = check_fork();
    if (writer == 0)
        _exit(system("cat good >pipe") != 0);
    view("pipe", NULL);
    waitpid(writer, NULL, 0);
    CHECK_EQ(exit_status, 0);
    CHECK_HAS(said_out, "mandelbrot");
    CHECK_EQ(unlink("pipe"), 0);

    /* A file that is too large is refused before it is read: this one holds nothing but its size. */
    write_bytes("damaged", "", 0);
    CHECK_EQ(truncate("damaged", ((off_t)1 << 40) + 1), 0);
    view("damaged", NULL);
    CHECK_EQ(exit_status, 1);
    CHECK_HAS(said_err, "damaged is too large");
    struct rusage used;
    CHECK(getrusage(RUSAGE_SELF, &used) == 0 && used.ru_maxrss < 512 * 1024); /* KiB */
    CHECK_EQ(unlink("damaged"), 0);
}

/* What is said of a path that cannot be read has no escape sequence either. */
static void check_hostile_words(void)
{
    view("a\033[2Jb\n", NULL);
    CHECK_HAS(said_err, "a\\x1b[2Jb\\x0a");
    view("good", "--job", "\033[2J", NULL);
    CHECK_HAS(said_err, "\\x1b[2J");
    view("--\033[2J", NULL);
    CHECK_HAS(said_err, "\\x1b[2J");
}

/* Names of devices, in the text and in the JSON; what a string of JSON may hold, but no terminal. */
static void check_hostile_names(void)
{
    static const char text[] =
        "{\"divvy_profile\":1,\"program\":\"\\u001b]0;title\\u0007\",\"started\":\"\\u001b[1m\","
        "\"host\":{\"name\":\"\\u001b[2m\",\"model\":\"\\u001b[3m\"},\"devices\":[{\"id\":\"cpu:\\u001b[4m\\u009b5m\","
        "\"name\":\"a\\nb\\u007f\",\"type\":\"\\u001b\",\"identity\":\"\\r\"}],\"jobs\":[{\"id\":1,\"kernel\":"
        "\"k\\u202e\","
        "\"schedule\":\"\\u001b\",\"status\":\"\\u001b\",\"error\":\"\\u001b\",\"bound_ns\":1,\"bound_basis\":"
        "\"\\u001b\","
        "\"end_ns\":9,\"summary\":{\"devices\":[{\"device\":0,\"partitions\":1,\"items\":1}]},\"partitions\":[{"
        "\"device\":0,"
        "\"end_ns\":9,\"outcome\":\"accepted\"}]},{\"id\":2,\"kernel\":\"k\\u202e\"}],\"models\":[{\"kernel\":"
        "\"\\u001b\","
        "\"class\":\"\\u001b\",\"state\":\"\\u001b\"}],\"events\":[{\"what\":\"\\u001b\",\"device\":0,\"text\":"
        "\"\\u001b\"},"
        "{\"job\":1,\"what\":\"\\u001b\",\"device\":0,\"text\":\"\\u001b\"}]}";

    write_bytes("damaged", text, strlen(text));
    setenv("LC_ALL", "C.UTF-8", 1);
    for (int way = 0; way < 2; way++) {
        view("damaged", way ? "--json" : NULL, NULL);
        CHECK_EQ(exit_status, 0);
        CHECK_HAS(said_out, way ? "cpu:\\u001b[4m\\u009b5m" : "cpu:\\x1b");
        for (const char *at = said_out; *at; at++)
            if (((unsigned char)*at < 0x20 && *at != '\n' && *at != '\t') || *at == 0x7f) {
                CHECK(!"a control character");
                break;
            }
        CHECK(!strstr(said_out, "\xc2\x9b") && !strstr(said_out, "\u202e"));
    }
    cJSON *facts = cJSON_Parse(said_out); /* the escapes are JSON's, and mean the same */
    const cJSON *job = cJSON_GetArrayItem(cJSON_GetObjectItem(facts, "jobs"), 0);
    CHECK_STR(cJSON_GetStringValue(cJSON_GetObjectItem(job, "kernel")), "k\u202e");
    cJSON_Delete(facts);
    setenv("LC_ALL", "C", 1);
}

/* Little in the file can be much in memory: it is given up at what it may take. A key given twice counts once. */
static void check_memory(void)
{
    enum { ITEMS = 50000 };
    char *text = malloc(2 * ITEMS + 100), problem[256];
    size_t length = (size_t)sprintf(text, "{\"divvy_profile\":1,\"jobs\":[0");
    struct dv_view read;

    for (int i = 1; i < ITEMS; i++)
        length += (size_t)sprintf(text + length, ",0");
    length += (size_t)sprintf(text + length, "]}");
    CHECK(dv_view_parse(text, length, (size_t)1 << 26, "many", &read, problem, sizeof problem));
    CHECK_EQ(read.job_count, ITEMS);
    dv_view_free(&read);
    static const size_t too_little[] = {0, 1000, 500000, 5000000, 15000000};
    for (size_t i = 0; i < sizeof too_little / sizeof *too_little; i++) {
        CHECK(!dv_view_parse(text, length, too_little[i], "many", &read, problem, sizeof problem));
        CHECK_HAS(problem, "more memory than");
    }
    free(text);

    static const char twice[] = "{\"divvy_profile\":1,\"divvy_profile\":2,\"program\":\"a\",\"program\":\"b\"}";
    CHECK(dv_view_parse(twice, strlen(twice), 100000, "twice", &read, problem, sizeof problem));
    CHECK_STR(read.program, "a");
    dv_view_free(&read);
}

static void check_wrong_values(void)
{
    /* Wrong types, wrong numbers, devices that do not exist. */
    view_text("{\"divvy_profile\":1,\"jobs\":{\"a\":1},\"devices\":\"none\",\"events\":7,\"models\":null,\"host\":[]}");
    view_text("{\"divvy_profile\":1,\"devices\":[{},7,[],null],\"jobs\":[1,\"two\",[3],null,{\"start_ns\":-5,"
              "\"end_ns\":1e400,\"count\":-1e300,\"bound_ns\":1e-300,\"summary\":{\"devices\":[{\"device\":-1},"
              "{\"device\":1e99},{\"device\":0,\"items\":1e308,\"busy_ns\":1e-308,\"partitions\":1e308},5]},"
              "\"partitions\":[{\"device\":0,\"start_ns\":1e300,\"end_ns\":2e300,\"jit_ns\":1e308},{\"device\":3}]}]}");
    CHECK_EQ(exit_status, 0);

    /* Control characters of a hostile name do not reach the terminal. */
    view_text(
        "{\"divvy_profile\":1,\"jobs\":[{\"kernel\":\"\\u001b[2Jboo\\n\\u0007\\u202e\",\"name\":\"\\u009b1m\xff\"}]}");
    view("damaged", NULL);
    CHECK_HAS(said_out, "\\x1b[2Jboo\\x0a\\x07");
    CHECK_HAS(said_out, "\\xff");
    CHECK(!strchr(said_out, '\033'));
    setenv("LC_ALL", "C.UTF-8", 1);
    view("damaged", NULL);
    CHECK(!strchr(said_out, '\033') && !strstr(said_out, "\u202e") && !strstr(said_out, "\xc2\x9b"));
    setenv("LC_ALL", "C", 1);
}

static void check_depth_and_length(void)
{
    /* Depth and length: nested far too deep, and a name of a million characters. */
    static char large[2000100];
    memset(large, '[', 1000000);
    view_damaged(large, 1000000);
    CHECK_EQ(exit_status, 1);
    int head = sprintf(large, "{\"divvy_profile\":1,\"jobs\":[{\"kernel\":\"");
    memset(large + head, 'x', 1000000);
    strcpy(large + head + 1000000, "\"}]}");
    view_damaged(large, strlen(large));
    CHECK_EQ(exit_status, 0);
    view("damaged", NULL);
    CHECK(longest_line(said_out) <= 80);
}

/* The good profile, damaged in many ways. */
static void check_damage(void)
{
    size_t length = 0;
    uint64_t random = check_seed();

    /* Truncated at any place, or with random bytes changed: never a crash, exit 0 or 1. */
    char *good = read_bytes("good", &length), *copy = malloc(length + 1);
    for (int i = 0; i < 100; i++) {
        view_damaged(good, check_random(&random) % length);
        CHECK_EQ(exit_status, 1);
    }
    int shown = 0;
    for (int i = 0; i < 100; i++) {
        memcpy(copy, good, length);
        for (uint64_t flips = 1 + check_random(&random) % (i % 2 ? 1 : 40); flips > 0; flips--)
            copy[check_random(&random) % length] ^= (char)(1 << check_random(&random) % 8);
        view_damaged(copy, length);
        shown += exit_status == 0;
    }
    CHECK(shown > 0);

    /* Numbers changed into others, so that the JSON stays whole: every one of these is shown. */
    for (int i = 0; i < 100; i++) {
        memcpy(copy, good, length);
        for (size_t at = strcspn(good, ",") + 1; at + 1 < length; at++)
            if (copy[at] >= '1' && copy[at] <= '9' && check_random(&random) % 20 == 0)
                copy[at] = (char)('1' + check_random(&random) % 9);
        view_damaged(copy, length);
        CHECK_EQ(exit_status, 0);
    }
    free(copy);
    free(good);
}

int main(void)
{
    if (!view_begin())
        return EXIT_FAILURE;
    check_sources();
    check_hostile_words();
    check_hostile_names();
    check_memory();
    check_wrong_values();
    check_depth_and_length();
    check_damage();
    view_end();
    return check_summary();
}
