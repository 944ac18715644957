/* The store's folder: whether it may be believed, its lock, and files that are replaced as a whole. */
#include "record/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/options.h"
#include "base/status.h"
#include "base/trust.h"
#include "record/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const uint64_t LOCK_PATIENCE_NS = 1000000000;

/* ---- Telling ---- */

/* One warning about a file that is not believed. */
__attribute__((format(printf, 2, 3))) static void reject(struct dv_store *store, const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    dv_log(DIVVY_LOG_WARN, "models", "%s", text);
    if (store->told)
        store->told(store->told_arg, text);
}

/* ---- The folder ---- */

static char *from_root(const char *path)
{
    char here[PATH_MAX], *whole = NULL;
    if (*path == '/')
        return strdup(path);
    if (!getcwd(here, sizeof here) || asprintf(&whole, "%s/%s", here, path) < 0)
        return NULL;
    return whole;
}

divvy_status dv_store_open(const char *setting, void (*told)(void *told_arg, const char *text), void *told_arg,
                           struct dv_store *out_store)
{
    *out_store = (struct dv_store){.told = told, .told_arg = told_arg};
    if (strcmp(setting, "off") == 0)
        return DIVVY_OK;
    out_store->folder = *setting ? from_root(setting) : strdup("");
    return out_store->folder ? DIVVY_OK : dv_fail(DIVVY_NO_MEMORY, "no memory for the models' folder");
}

void dv_store_close(struct dv_store *store)
{
    free(store->folder);
    *store = (struct dv_store){0};
}

/* NULL if nobody else may write there; else why not, to be freed. */
static char *distrust(const char *folder)
{
    char above[PATH_MAX];
    snprintf(above, sizeof above, "%s", folder);
    char *slash = strrchr(above, '/');
    if (slash)
        slash[slash == above] = 0;
    char *refusal = dv_trust_look(above, NULL, DV_TRUST_ABOVE);
    return refusal ? refusal : dv_trust_look(folder, NULL, DV_TRUST_ITSELF);
}

/* Once per process: one that opens many contexts would repeat it. */
static bool is_first_refusal(void)
{
    static atomic_bool told;
    return !atomic_exchange(&told, true);
}

/* Not even a link, which another could have put into a folder of all. */
static void look(struct dv_store *store)
{
    struct stat facts;
    if (lstat(store->folder, &facts) != 0)
        return; /* not there yet: this may change */
    store->looked = true;
    char *refusal = NULL;
    bool is_folder = S_ISDIR(facts.st_mode);
    if (is_folder)
        refusal = distrust(store->folder);
    store->sound = is_folder && !refusal;
    if (!store->sound && is_first_refusal())
        reject(store, "no models are kept between runs: %s%s", refusal ? refusal : store->folder,
               is_folder ? "" : " is not a folder");
    free(refusal);
}

/* False: there is none, nor will there be. */
static bool find_default(struct dv_store *store)
{
    const char *cache = dv_cache_folder();
    char *folder = NULL;
    if (cache && asprintf(&folder, "%s/models", cache) < 0)
        folder = NULL;
    free(store->folder);
    store->folder = folder;
    return folder != NULL;
}

const char *dv_store_folder(struct dv_store *store, bool make)
{
    if (!store->folder || (!*store->folder && !find_default(store)))
        return NULL;
    if (!store->looked && make && mkdir(store->folder, 0700) != 0 && errno != EEXIST)
        dv_log(DIVVY_LOG_INFO, "models", "nothing is kept between runs: %s: %s", store->folder, strerror(errno));
    if (!store->looked)
        look(store);
    return store->sound ? store->folder : NULL;
}

/* "<folder>/<hash>.json" */
static bool path_of(const char *folder, const char *hash, char *out_path)
{
    return snprintf(out_path, PATH_MAX, "%s/%s.json", folder, hash) < PATH_MAX;
}

/* ---- Reading ---- */

/* All of an open file but for what is beyond `most`; NULL: no memory, or it cannot be read. */
static char *read_all(FILE *file, size_t most, size_t *out_bytes)
{
    size_t capacity = 1 << 16, bytes = 0;
    char *text = malloc(capacity);
    while (text && bytes <= most) {
        bytes += fread(text + bytes, 1, capacity - bytes, file);
        if (bytes < capacity)
            break;
        char *grown = realloc(text, capacity *= 2);
        if (!grown)
            free(text);
        text = grown;
    }
    if (text && ferror(file)) {
        free(text);
        text = NULL;
    }
    *out_bytes = bytes;
    return text;
}

static enum dv_store_found parse_file(FILE *file, size_t most, struct dv_store_content *out_content, char *error,
                                      size_t error_bytes)
{
    size_t bytes = 0;
    enum dv_store_found found = DV_STORE_DAMAGED;
    char *text = read_all(file, most, &bytes);
    if (!text)
        snprintf(error, error_bytes, "it cannot be read: %s", strerror(errno));
    else if (bytes > most)
        snprintf(error, error_bytes, "it is larger than %zu KiB", most >> 10);
    else
        found = dv_store_parse(text, bytes, out_content, error, error_bytes);
    free(text);
    return found;
}

/* Opens a file that is to be believed. NULL with NOTHING, or with DAMAGED and why. */
static FILE *open_sound(const char *path, enum dv_store_found *out_found, char *error, size_t error_bytes)
{
    struct stat facts;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *out_found = descriptor < 0 && errno == ENOENT ? DV_STORE_NOTHING : DV_STORE_DAMAGED;
    if (descriptor < 0) {
        snprintf(error, error_bytes, "it cannot be opened: %s", strerror(errno));
        return NULL;
    }
    char *refusal = NULL;
    bool regular = fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
    if (regular)
        refusal = dv_trust_look(path, NULL, DV_TRUST_ITSELF);
    if (!regular || refusal)
        snprintf(error, error_bytes, "%s", refusal ? refusal : "it is no regular file");
    FILE *file = regular && !refusal ? fdopen(descriptor, "r") : NULL;
    free(refusal);
    if (!file)
        close(descriptor);
    return file;
}

/* As dv_store_read, with the reason instead of a warning. */
static enum dv_store_found read_kernel(const char *path, const char *hash, struct dv_store_kernel *out_kernel,
                                       char *error, size_t error_bytes)
{
    struct dv_store_content content = {0};
    enum dv_store_found found;
    *out_kernel = (struct dv_store_kernel){0};
    FILE *file = open_sound(path, &found, error, error_bytes);
    if (!file)
        return found;
    found = parse_file(file, DV_STORE_FILE_MAX, &content, error, error_bytes);
    fclose(file);
    if (found == DV_STORE_READ && (content.kernel_count != 1 || strcmp(content.kernels[0].hash, hash) != 0)) {
        snprintf(error, error_bytes, "it does not hold the kernel that its name tells");
        found = DV_STORE_DAMAGED;
    } else if (found == DV_STORE_READ) {
        *out_kernel = content.kernels[0];
        content.kernel_count = 0;
    }
    dv_store_free(&content);
    return found;
}

enum dv_store_found dv_store_read(struct dv_store *store, const char *hash, struct dv_store_kernel *out_kernel)
{
    char path[PATH_MAX], error[512];
    const char *folder = dv_store_folder(store, false);
    *out_kernel = (struct dv_store_kernel){0};
    if (!folder || !path_of(folder, hash, path))
        return DV_STORE_NOTHING;
    enum dv_store_found found = read_kernel(path, hash, out_kernel, error, sizeof error);
    if (found == DV_STORE_DAMAGED || found == DV_STORE_OTHER_VERSION)
        reject(store, "%s is not used: %s", path, error);
    return found;
}

static bool is_hash(const char *name)
{
    return strspn(name, "0123456789abcdef") == DV_STORE_HASH - 1 && strcmp(name + DV_STORE_HASH - 1, ".json") == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

bool dv_store_list(struct dv_store *store, char (**out_hashes)[DV_STORE_HASH], size_t *out_count)
{
    const char *folder = dv_store_folder(store, false);
    DIR *directory = folder ? opendir(folder) : NULL;
    bool listed = true;
    *out_hashes = NULL;
    *out_count = 0;
    for (struct dirent *entry; directory && listed && (entry = readdir(directory)) != NULL;) {
        if (!is_hash(entry->d_name))
            continue;
        char(*grown)[DV_STORE_HASH] = realloc(*out_hashes, (*out_count + 1) * sizeof **out_hashes);
        listed = grown != NULL;
        if (grown) {
            *out_hashes = grown;
            snprintf(grown[(*out_count)++], sizeof *grown, "%.32s", entry->d_name);
        }
    }
    if (directory)
        closedir(directory);
    if (*out_count)
        qsort(*out_hashes, *out_count, sizeof **out_hashes, by_text);
    return listed;
}

divvy_status dv_store_import(const char *path, struct dv_store_content *out_content)
{
    char error[512];
    bool standard = strcmp(path, "-") == 0;
    *out_content = (struct dv_store_content){0};
    FILE *file = standard ? stdin : fopen(path, "re");
    if (!file)
        return dv_fail(DIVVY_IO, "cannot read %s: %s", path, strerror(errno));
    enum dv_store_found found = parse_file(file, DV_STORE_EXPORT_MAX, out_content, error, sizeof error);
    if (!standard)
        fclose(file);
    return found == DV_STORE_READ ? DIVVY_OK : dv_fail(DIVVY_INVALID, "%s: %s", path, error);
}

/* ---- Writing ---- */

int dv_store_lock(struct dv_store *store)
{
    char path[PATH_MAX];
    const char *folder = dv_store_folder(store, true);
    if (!folder || snprintf(path, sizeof path, "%s/lock", folder) >= (int)sizeof path) {
        dv_fail(DIVVY_IO, "there is no folder for models");
        return -1;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        dv_fail(DIVVY_IO, "cannot open %s: %s", path, strerror(errno));
        return -1;
    }
    uint64_t until = dv_now_ns() + LOCK_PATIENCE_NS;
    while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || dv_now_ns() >= until) {
            dv_fail(DIVVY_IO, "cannot lock %s: %s", path,
                    errno == EWOULDBLOCK ? "another program holds it" : strerror(errno));
            close(lock);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return lock;
}

/* A child that was forked meanwhile has the descriptor too, so closing it would not do. */
void dv_store_unlock(int lock)
{
    flock(lock, LOCK_UN);
    close(lock);
}

static divvy_status write_kernel(const char *path, const struct dv_store_kernel *kernel)
{
    const struct dv_store_content content = {.kernel_count = 1, .kernels = (struct dv_store_kernel *)kernel};
    struct dv_held_signal held;
    struct dv_file file;
    DV_TRY(dv_file_open(path, "models", &file));
    dv_file_hold_size_signal(&held);
    struct stat facts;
    if (fstat(fileno(file.stream), &facts) == 0) /* others do not write here, whatever the mask of the program says */
        fchmod(fileno(file.stream), facts.st_mode & 0755);
    divvy_status status = dv_store_print(&content, file.stream);
    if (status == DIVVY_OK && ftell(file.stream) > DV_STORE_FILE_MAX)
        status = dv_fail(DIVVY_LIMIT, "the models %s would be too many", path);
    if (status == DIVVY_OK)
        status = dv_file_place(&file);
    dv_file_drop(&file);
    dv_file_forget_size_signal(&held);
    return status;
}

divvy_status dv_store_edit(struct dv_store *store, const char *hash,
                           bool (*edit)(struct dv_store_kernel *kernel, void *edit_arg), void *edit_arg)
{
    char path[PATH_MAX], error[512];
    struct dv_store_kernel kernel;
    const char *folder = dv_store_folder(store, true);
    if (!folder || !path_of(folder, hash, path))
        return dv_fail(DIVVY_IO, "there is no folder for models");
    enum dv_store_found found = read_kernel(path, hash, &kernel, error, sizeof error);
    if (found == DV_STORE_OTHER_VERSION)
        return dv_fail(DIVVY_INVALID, "%s is left as it is: %s", path, error);
    memcpy(kernel.hash, hash, sizeof kernel.hash);
    divvy_status status = DIVVY_OK;
    if (!edit(&kernel, edit_arg))
        status = dv_fail(DIVVY_NO_MEMORY, "no memory for models");
    else if (kernel.model_count + kernel.cost_count > 0)
        status = write_kernel(path, &kernel);
    else if (unlink(path) != 0 && errno != ENOENT)
        status = dv_fail(DIVVY_IO, "cannot remove %s: %s", path, strerror(errno));
    dv_store_kernel_free(&kernel);
    return status;
}
