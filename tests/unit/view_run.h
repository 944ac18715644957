/* What the tests of the viewer share: running it in this process, in an empty folder of its own. */
#ifndef VIEW_RUN_H
#define VIEW_RUN_H

#include "check.h"
#include "sample.h"

#include "commands.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <unistd.h>

/* Everything happens in an empty folder of its own. */
static char view_folder[] = "/tmp/divvy_view_test_XXXXXX";

static inline char *read_bytes(const char *path, size_t *out_length)
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

static inline void write_bytes(const char *path, const char *bytes, size_t length)
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
static inline void view(const char *first, ...)
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
static inline void view_damaged(const char *bytes, size_t length)
{
    static const char *const ways[] = {"--all", "--json", "--width=99"};
    static unsigned turn;
    write_bytes("damaged", bytes, length);
    view("damaged", ways[turn++ % 3], NULL);
    CHECK(exit_status == 0 || exit_status == 1);
    CHECK((exit_status == 1) == (said_err[0] != 0));
}

static inline void view_text(const char *text)
{
    for (int way = 0; way < 3; way++)
        view_damaged(text, strlen(text));
}

/* Lines are counted in characters, not bytes. */
static inline size_t longest_line(const char *text)
{
    size_t longest = 0, length = 0;
    for (; *text; text++) {
        length = *text == '\n' ? 0 : length + ((*text & 0xc0) != 0x80);
        longest = length > longest ? length : longest;
    }
    return longest;
}

static inline bool view_begin(void)
{
    setenv("LC_ALL", "C", 1);
    return mkdtemp(view_folder) && chdir(view_folder) == 0 && sample_write("good", 6) == DIVVY_OK;
}

static inline void view_end(void)
{
    static const char *const files[] = {"good", "out", "err", "damaged"};
    free(said_out);
    free(said_err);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    CHECK_EQ(rmdir(view_folder), 0);
}

#endif
