/* replay PATH...: hands files, and all files of folders, to the fuzz target that is linked with it, each once, in
 * memory of its size. Ends as the target ends: a target that finds something does not return. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned count;

static bool play_file(const char *path)
{
    struct stat facts;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &facts) != 0) {
        perror(path);
        return false;
    }
    size_t bytes = (size_t)facts.st_size;
    uint8_t *data = malloc(bytes ? bytes : 1);
    bool good = data && fread(data, 1, bytes, file) == bytes;
    fclose(file);
    if (good) {
        fprintf(stderr, "%s\n", path);
        LLVMFuzzerTestOneInput(data, bytes);
        count++;
    }
    free(data);
    return good;
}

static bool play_folder(const char *path)
{
    struct dirent **entries;
    bool good = true;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    if (entry_count < 0)
        perror(path);
    for (int i = 0; i < entry_count; i++) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            good = play_file(name) && good;
        free(entries[i]);
    }
    if (entry_count >= 0)
        free(entries);
    return good && entry_count >= 0;
}

int main(int argc, char **argv)
{
    bool good = true;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat facts;
        bool folder = stat(argv[i], &facts) == 0 && S_ISDIR(facts.st_mode);
        good = (folder ? play_folder(argv[i]) : play_file(argv[i])) && good;
    }
    printf("%u files\n", count);
    return good && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
