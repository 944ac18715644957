/* divvy view: what is shown of a profile, and what is refused as none. */
#include "fork.h"
#include "view_run.h"

#include <cjson/cJSON.h>

#include <locale.h>
#include <sys/wait.h>

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

int main(void)
{
    if (!view_begin())
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
    CHECK_HAS(said_out, "reproducible, in blocks of 1024");
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
    view(view_folder, NULL);
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

    /* Output that cannot be written is told. */
    pid_t child = check_fork();
    if (child == 0) {
        char view_word[] = "view", file[] = "good", *words[] = {view_word, file, NULL};
        dup2(open("/dev/full", O_WRONLY), 1);
        _exit(divvy_view(2, words));
    }
    int end = 0;
    waitpid(child, &end, 0);
    CHECK_EQ(WEXITSTATUS(end), 1);

    view_end();
    return check_summary();
}
