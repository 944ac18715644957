#include "check.h"
#include "sample.h"

#include "commands.h"
#include "view.h"

#include <cjson/cJSON.h>

#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Everything happens in an empty folder of its own. */
static char folder[] = "/tmp/divvy_view_test_XXXXXX";

static char *read_bytes(const char *path, size_t *out_length)
{
    FILE *file = fopen(path, "rb");
    *out_length = 0;
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    size_t length = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(length + 1);
    *out_length = fread(bytes, 1, length, file);
    bytes[*out_length] = 0;
    fclose(file);
    return bytes;
}

static void write_bytes(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, length, file) == length);
    if (file)
        fclose(file);
}

/* What a command said: its exit status, and its output until the next call. */
static int exit_status;
static char *said_out, *said_err;

/* Runs the viewer in this process with its output in files. The words end with NULL. */
static void view(const char *first, ...)
{
    char *words[16] = {(char *)"view", (char *)first};
    int count = first ? 2 : 1;
    size_t length;
    va_list more;

    va_start(more, first);
    while (first && count < 15 && (words[count] = va_arg(more, char *)))
        count++;
    va_end(more);

    fflush(NULL);
    int kept_out = dup(1), kept_err = dup(2);
    int out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600), err = open("err", O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(out, 1);
    dup2(err, 2);
    exit_status = divvy_view(count, words);
    fflush(NULL);
    dup2(kept_out, 1);
    dup2(kept_err, 2);
    close(kept_out);
    close(kept_err);
    close(out);
    close(err);
    free(said_out);
    free(said_err);
    said_out = read_bytes("out", &length);
    said_err = read_bytes("err", &length);
}

/* Views these bytes in one of the ways, in turn: it must end with 0 or 1, and a refusal with one sentence. */
static void view_damaged(const char *bytes, size_t length)
{
    static const char *const ways[] = {"--all", "--json", "--width=99"};
    static unsigned turn;
    write_bytes("damaged", bytes, length);
    view("damaged", ways[turn++ % 3], NULL);
    CHECK(exit_status == 0 || exit_status == 1);
    CHECK((exit_status == 1) == (said_err[0] != 0));
}

static void view_text(const char *text)
{
    for (int way = 0; way < 3; way++)
        view_damaged(text, strlen(text));
}

/* Lines are counted in characters, not bytes. */
static size_t longest_line(const char *text)
{
    size_t longest = 0, length = 0;
    for (; *text; text++) {
        length = *text == '\n' ? 0 : length + ((*text & 0xc0) != 0x80);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static void check_facts(void)
{
    view("good", "--json", NULL);
    CHECK_EQ(exit_status, 0);
    cJSON *facts = cJSON_Parse(said_out);
    const cJSON *jobs = cJSON_GetObjectItem(facts, "jobs"), *job, *device;
    CHECK_EQ(cJSON_GetArraySize(jobs), 8);
    cJSON_ArrayForEach (job, jobs) {
        double items = 0, share = 0, count = cJSON_GetNumberValue(cJSON_GetObjectItem(job, "count"));
        bool failed = strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(job, "status")), "OK") != 0;
        cJSON_ArrayForEach (device, cJSON_GetObjectItem(job, "devices")) {
            items += cJSON_GetNumberValue(cJSON_GetObjectItem(device, "items"));
            share += cJSON_GetNumberValue(cJSON_GetObjectItem(device, "share"));
        }
        CHECK(items == (failed ? 0 : count));
        CHECK(failed ? share == 0 : share > 0.999999 && share < 1.000001);
        const cJSON *efficiency = cJSON_GetObjectItem(job, "efficiency");
        CHECK(failed ? cJSON_IsNull(efficiency) : efficiency->valuedouble > 0.1 && efficiency->valuedouble <= 1);
    }
    cJSON_Delete(facts);
}

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
    fflush(NULL);
    pid_t writer = fork();
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
    enum { ITEMS = 1000000 };
    char *text = malloc(2 * ITEMS + 100), problem[256];
    size_t length = (size_t)sprintf(text, "{\"divvy_profile\":1,\"jobs\":[0");
    struct dv_view read;

    for (int i = 1; i < ITEMS; i++)
        length += (size_t)sprintf(text + length, ",0");
    length += (size_t)sprintf(text + length, "]}");
    CHECK(dv_view_parse(text, length, (size_t)1 << 30, "many", &read, problem, sizeof problem));
    CHECK_EQ(read.job_count, ITEMS);
    dv_view_free(&read);
    static const size_t too_little[] = {0, 1000, 10000000, 100000000, 300000000};
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

int main(void)
{
    size_t length = 0;
    uint64_t random = check_seed();

    setenv("LC_ALL", "C", 1);
    if (!mkdtemp(folder) || chdir(folder) || sample_write("good", 6))
        return EXIT_FAILURE;

    /* A good profile is shown: host, devices, jobs, totals, events, models; the fourth job of a kernel is not. */
    view("good", NULL);
    CHECK_EQ(exit_status, 0);
    CHECK_STR(said_err, "");
    CHECK_HAS(said_out, "AMD Ryzen 7 8845HS");
    CHECK_HAS(said_out, "opencl:0    gpu");
    CHECK_HAS(said_out, "mandelbrot \"first frame\", job 1, 262 k items, guarded, done");
    CHECK_HAS(said_out, "bound");
    CHECK_HAS(said_out, "row 17: a number is needed");
    CHECK_HAS(said_out, "KERNEL_FAILED");
    CHECK_HAS(said_out, "copies in");
    CHECK_HAS(said_out, "parked");
    CHECK_HAS(said_out, "2^22");
    CHECK_HAS(said_out, "3 more jobs");
    CHECK(!strstr(said_out, "job 6"));
    view("good", "--all", NULL);
    CHECK_HAS(said_out, "job 6");
    CHECK(!strstr(said_out, "more jobs"));

    /* Plain ASCII in a plain locale, no line wider than asked for, block characters in UTF-8. */
    for (const char *at = said_out; *at; at++)
        if ((unsigned char)*at >= 0x80 || (*at < 0x20 && *at != '\n')) {
            CHECK(!"a character that is not ASCII");
            break;
        }
    CHECK(longest_line(said_out) <= 80);
    view("good", "--width", "120", NULL);
    CHECK(longest_line(said_out) <= 120);
    if (setenv("LC_ALL", "C.UTF-8", 1) == 0 && setlocale(LC_ALL, "")) {
        view("good", NULL);
        CHECK_HAS(said_out, "\u2588");
        CHECK_HAS(said_out, "\u00b7");
        CHECK(longest_line(said_out) <= 80);
    }
    setenv("LC_ALL", "C", 1);

    /* Long names leave room for the rest of the line. */
    view_text(
        "{\"divvy_profile\":1,\"jobs\":[{\"id\":123,\"kernel\":\"a_kernel_with_a_name_that_goes_on_and_on_and_on\","
        "\"name\":\"a job whose name tells everything that can be told of it\",\"count\":123456789,"
        "\"schedule\":\"hguided:cpu=1,opencl:0=8\",\"status\":\"DEPENDENCY_FAILED\"}]}");
    view("damaged", NULL);
    CHECK(longest_line(said_out) <= 80);
    CHECK_HAS(said_out, "a_kernel_with");
    CHECK_HAS(said_out, "123 M items");

    /* One job by number, name or kernel; one that is not there is refused. */
    view("good", "--job", "9000", NULL);
    CHECK_HAS(said_out, "parse_rows");
    CHECK(!strstr(said_out, "mandelbrot \""));
    view("good", "--job", "first frame", NULL);
    CHECK_HAS(said_out, "job 1,");
    view("good", "--job", "saxpy", NULL);
    CHECK_HAS(said_out, "job 6");
    view("good", "--job", "nothing", NULL);
    CHECK_EQ(exit_status, 1);
    CHECK_HAS(said_err, "\"nothing\"");

    /* The facts add up. */
    check_facts();

    /* Wrong usage is 2, with a hint. */
    view(NULL);
    CHECK_EQ(exit_status, 2);
    view("good", "other", NULL);
    CHECK_EQ(exit_status, 2);
    view("good", "--colour", NULL);
    CHECK_EQ(exit_status, 2);
    CHECK_HAS(said_err, "--colour");
    view("good", "--width", "12", NULL);
    CHECK_EQ(exit_status, 2);
    view("good", "--job", NULL);
    CHECK_EQ(exit_status, 2);
    CHECK_HAS(said_err, "--help");
    view("--help", NULL);
    CHECK_EQ(exit_status, 0);
    CHECK_HAS(said_out, "usage: divvy view FILE");

    /* What is no profile of format 1 is refused with a reason. */
    view("missing", NULL);
    CHECK_EQ(exit_status, 1);
    CHECK_HAS(said_err, "No such file");
    view(folder, NULL);
    CHECK_EQ(exit_status, 1);
    CHECK_HAS(said_err, "directory");
    view_text("");
    CHECK_HAS(said_err, "is empty");
    view_text(" \n");
    CHECK_HAS(said_err, "breaks off");
    view_text("{\"jobs\":[]}");
    CHECK_HAS(said_err, "not a divvy profile");
    view_text("[1, 2]");
    CHECK_EQ(exit_status, 1);
    view_text("{\"divvy_profile\":2}");
    CHECK_HAS(said_err, "format 2");

    /* Missing and unknown fields are tolerated. */
    view_text("{\"divvy_profile\":1}");
    CHECK_EQ(exit_status, 0);
    view_text("{\"divvy_profile\":1,\"news\":{\"a\":[1]},\"jobs\":[{\"id\":1,\"colour\":\"blue\"}]}");
    CHECK_EQ(exit_status, 0);

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

    check_sources();
    check_hostile_words();
    check_hostile_names();
    check_memory();

    /* Depth and length: nested far too deep, and a name of a million characters. */
    char *large = malloc(2000100);
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
    free(large);

    /* Truncated at any place, or with random bytes changed: never a crash, exit 0 or 1. */
    char *good = read_bytes("good", &length), *copy = malloc(length + 1);
    for (int i = 0; i < 250; i++) {
        view_damaged(good, check_random(&random) % length);
        CHECK_EQ(exit_status, 1);
    }
    int shown = 0;
    for (int i = 0; i < 250; i++) {
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

    /* Output that cannot be written is told. */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        char view_word[] = "view", file[] = "good", *words[] = {view_word, file, NULL};
        dup2(open("/dev/full", O_WRONLY), 1);
        _exit(divvy_view(2, words));
    }
    int end = 0;
    waitpid(child, &end, 0);
    CHECK_EQ(WEXITSTATUS(end), 1);

    free(said_out);
    free(said_err);
    CHECK_EQ(unlink("good") | unlink("out") | unlink("err") | unlink("damaged"), 0);
    CHECK_EQ(rmdir(folder), 0);
    return check_summary();
}
