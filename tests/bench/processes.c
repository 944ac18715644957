#include "processes.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What a peer is started with. */
struct program {
    struct bench_remote remote;
    const char *path, *argument;
    bool again; /* the program of the one above */
};

struct hand {
    pid_t process;
    FILE *to, *from;
    const char *name;
};

static unsigned used_cores;

static void *start(const struct bench_remote *remote, const char *kernel, size_t count);

static bool turn(void *context, unsigned calls, double *out_ns)
{
    struct hand *hand = context;
    unsigned told = 0;
    kill(hand->process, SIGCONT);
    fprintf(hand->to, "%u\n", calls);
    fflush(hand->to);
    while (told < calls && fscanf(hand->from, "%lf", &out_ns[told]) == 1)
        told++;
    kill(hand->process, SIGSTOP); /* its threads might spin */
    return told == calls;
}

static int end(struct hand *hand)
{
    int status = -1;
    kill(hand->process, SIGCONT);
    fclose(hand->to);
    waitpid(hand->process, &status, 0);
    fclose(hand->from);
    free(hand);
    return status;
}

static void stop(void *context)
{
    const char *name = ((struct hand *)context)->name;
    bench_require(end(context) == 0, name, "its end");
}

static const struct program programs[] = {
#ifdef BENCH_POCL
    {{"PoCL alone", false, start, turn, stop}, BENCH_POCL, "pthread", false},
#endif
#ifdef BENCH_STARPU
    {{"StarPU eager", true, start, turn, stop}, BENCH_STARPU, "eager", false},
    {{"StarPU ws", true, start, turn, stop}, BENCH_STARPU, "ws", true},
    {{"StarPU lws", true, start, turn, stop}, BENCH_STARPU, "lws", true},
    {{"StarPU dmda", true, start, turn, stop}, BENCH_STARPU, "dmda", true},
#endif
    {{0}, NULL, NULL, false},
};

enum { PROGRAMS = sizeof programs / sizeof *programs };

static const struct program *program_of(const struct bench_remote *remote)
{
    for (unsigned p = 0; p < PROGRAMS - 1; p++)
        if (strcmp(programs[p].remote.name, remote->name) == 0)
            return &programs[p];
    return NULL;
}

/* A process whose input and output are pipes of ours, which it alone inherits. */
static bool spawn(struct hand *hand, char *const *argv)
{
    int in[2], out[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) != 0)
        return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    bool started = posix_spawn(&hand->process, argv[0], &actions, NULL, argv, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    hand->to = fdopen(in[1], "w");
    hand->from = fdopen(out[0], "r");
    return started && hand->to && hand->from;
}

static void *start(const struct bench_remote *remote, const char *kernel, size_t count)
{
    const struct program *program = program_of(remote);
    struct hand *hand = calloc(1, sizeof *hand);
    char count_text[24], cores_text[12], line[16] = "";
    snprintf(count_text, sizeof count_text, "%zu", count);
    snprintf(cores_text, sizeof cores_text, "%u", used_cores);
    char *argv[] = {(char *)(uintptr_t)program->path,
                    (char *)(uintptr_t)program->argument,
                    (char *)(uintptr_t)kernel,
                    count_text,
                    cores_text,
                    NULL};
    bench_require(hand && spawn(hand, argv), remote->name, "starting it");
    hand->name = remote->name;
    if (fgets(line, sizeof line, hand->from) && strcmp(line, "ready\n") == 0) {
        kill(hand->process, SIGSTOP);
        return hand;
    }
    int status = end(hand);
    bench_require(WIFEXITED(status) && WEXITSTATUS(status) == 77, remote->name, kernel);
    return NULL;
}

const struct bench_remote *processes_start_with(unsigned cores, bool quick)
{
    static struct bench_remote remotes[PROGRAMS];
    unsigned count = 0;
    used_cores = cores;
    for (unsigned p = 0; p < PROGRAMS; p++)
        if (!quick || !programs[p].again)
            remotes[count++] = programs[p].remote;
    signal(SIGPIPE, SIG_IGN); /* one that died is told by name */
    return remotes;
}
