/* A profile that cannot be written: what the job computed is unharmed, one warning tells, and nothing is left behind,
 * neither half a profile nor a temporary file, nor by a program that dies. */
#include "fork.h"
#include "rules.h"

#include "rules.cl"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[] = "/tmp/bad_profile_XXXXXX", path[64];

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static bool is_right(divvy *dv)
{
    enum { COUNT = 20000 };
    static uint y[COUNT];
    memset(y, 0, sizeof y);
    divvy_status status = divvy_run(dv, toil, COUNT, .turns = 3, .y = y);
    size_t wrong = status != DIVVY_OK;
    for (uint i = 0; i < COUNT; i++) {
        uint x = i;
        for (int k = 0; k < 3; k++)
            x = x * 1664525u + 1013904223u;
        wrong += y[i] != x;
    }
    return wrong == 0;
}

/* Runs a function in a child; what it wrote to stderr. */
static int child_end;
static char *in_child(int (*run)(void))
{
    char log[96];
    snprintf(log, sizeof log, "%s.log", folder);
    pid_t child = check_fork();
    if (child == 0) {
        dup2(open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
        exit(run());
    }
    waitpid(child, &child_end, 0);
    FILE *file = fopen(log, "r");
    char *text = calloc(1, 1 << 16);
    text[fread(text, 1, (1 << 16) - 1, file)] = 0;
    fclose(file);
    unlink(log);
    return text;
}

static int lines(const char *text)
{
    int count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

/* ---- The disk is full: a limit on the size of files stands for it ---- */

static int run_on_full_disk(void)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 1000, .rlim_max = 1000});
    divvy *dv = OPEN(.backend = "cpu", .profile = path, .log = "warn");
    bool right = is_right(dv) && is_right(dv);
    divvy_close(dv);
    sigset_t pending;
    sigpending(&pending);
    return right && sigismember(&pending, SIGXFSZ) == 0 ? 0 : 1;
}

static void check_full_disk(void)
{
    /* The signal of the limit does not end the program, whether it is ignored or not. */
    for (int ignored = 0; ignored < 2; ignored++) {
        signal(SIGXFSZ, ignored ? SIG_IGN : SIG_DFL);
        char *said = in_child(run_on_full_disk);
        CHECK_EQ(child_end, 0);
        CHECK_HAS(said, "cannot write the profile");
        CHECK_HAS(said, path);
        CHECK_HAS(said, "File too large");
        CHECK_EQ(lines(said), 1);
        CHECK_EQ(files_in_folder(), 0);
        free(said);
    }
    signal(SIGXFSZ, SIG_DFL);

    /* The profile of an earlier run stays as it was. */
    divvy *dv = OPEN(.backend = "cpu", .profile = path, .log = "warn");
    CHECK(is_right(dv));
    divvy_close(dv);
    struct stat before, after;
    CHECK_EQ(stat(path, &before), 0);
    free(in_child(run_on_full_disk));
    CHECK_EQ(child_end, 0);
    CHECK_EQ(stat(path, &after), 0);
    CHECK(before.st_ino == after.st_ino && before.st_size == after.st_size && before.st_size > 1000);
    CHECK_EQ(files_in_folder(), 1);
    CHECK_EQ(unlink(path), 0);
}

/* ---- A program that dies ---- */

static int die_in_the_middle(void)
{
    divvy *dv = OPEN(.backend = "cpu", .profile = path);
    is_right(dv);
    raise(SIGKILL);
    return 0;
}

static void check_death(void)
{
    free(in_child(die_in_the_middle));
    CHECK(WIFSIGNALED(child_end));
    int nameless = open(folder, O_TMPFILE | O_WRONLY, 0600);
    if (nameless < 0) { /* a file system on which the file has a name from the beginning */
        CHECK_EQ(files_in_folder(), 1);
        return;
    }
    close(nameless);
    CHECK_EQ(files_in_folder(), 0);
}

/* ---- Places that cannot be written to ---- */

static void check_places(void)
{
    char pipe[96], locked[96];
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    CHECK_EQ(mkfifo(pipe, 0600), 0);
    const char *const places[] = {"/nowhere/run.json", "/proc/run.json", "/dev/null/x", pipe, folder};
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        divvy *dv;
        STATUS(DIVVY_IO, divvy_open(&dv, &(divvy_options){.backend = "cpu", .profile = places[k]}));
        CHECK_HAS(divvy_error(), "cannot write the profile");
        CHECK_HAS(divvy_error(), places[k]);
        divvy_close(dv);
    }
    CHECK_EQ(unlink(pipe), 0);
    if (geteuid() == 0) /* may write anywhere */
        return;
    snprintf(locked, sizeof locked, "%s/locked/run.json", folder);
    locked[strlen(locked) - strlen("/run.json")] = 0;
    CHECK_EQ(mkdir(locked, 0500), 0);
    locked[strlen(locked)] = '/';
    divvy *dv;
    STATUS(DIVVY_IO, divvy_open(&dv, &(divvy_options){.backend = "cpu", .profile = locked}));
    CHECK_HAS(divvy_error(), "Permission denied");
    divvy_close(dv);
    locked[strlen(locked) - strlen("/run.json")] = 0;
    CHECK_EQ(rmdir(locked), 0);
}

int main(void)
{
    limit_time(120);
    if (!CHECK(mkdtemp(folder) != NULL))
        return check_summary();
    snprintf(path, sizeof path, "%s/run.json", folder);
    check_full_disk();
    check_death();
    check_places();
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
    return check_summary();
}
