/* The store of models: what its files hold, what is made of two that know of the same thing, what is believed, and that
 * many processes may use one folder at once and die in the middle. */
#include "record/store.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/status.h"
#include "schedule/model.h"

#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HOST "00112233445566778899aabbccddeeff"
#define HASH "0123456789abcdef0123456789abcdef"

static char root[] = "/tmp/store_test_XXXXXX", folder[64];

static struct dv_store_model model_of(const char *device_class, unsigned size_class, double ns, uint64_t samples)
{
    struct dv_store_model model = {.size_class = size_class,
                                   .fixed_ns = 1500,
                                   .ns_per_item = ns,
                                   .uncertainty = 0.1,
                                   .samples = samples,
                                   .jobs = 2,
                                   .stamp_s = (uint64_t)time(NULL)};
    CHECK(dv_store_key_make(HOST, "opencl", device_class, "driver 1", &model.key));
    return model;
}

/* A kernel with one model; the model's key is the kernel's. */
static struct dv_store_kernel kernel_with(struct dv_store_model model)
{
    struct dv_store_kernel kernel = {.hash = HASH, .name = strdup("saxpy"), .model_count = 1};
    kernel.models = malloc(sizeof model);
    kernel.models[0] = model;
    return kernel;
}

static char *print(const struct dv_store_kernel *kernel, size_t *out_bytes)
{
    char *text;
    FILE *file = open_memstream(&text, out_bytes);
    struct dv_store_content content = {.kernel_count = 1, .kernels = (struct dv_store_kernel *)kernel};
    CHECK_EQ(dv_store_print(&content, file), DIVVY_OK);
    fclose(file);
    return text;
}

/* ---- Text ---- */

static void check_round_trip(void)
{
    struct dv_store_kernel kernel = kernel_with(model_of("a \"class\"\n\xff of \xc3\xa4", 20, 0.12345678901234567, 7));
    kernel.costs = calloc(1, sizeof *kernel.costs);
    kernel.cost_count = 1;
    kernel.costs[0] = (struct dv_store_cost){.probe_ns = 1, .open_ns = 2, .build_ns = 1u << 31, .stamp_s = 9};
    CHECK(dv_store_key_make(HOST, "fake", "c", "", &kernel.costs[0].key));
    size_t bytes;
    char *text = print(&kernel, &bytes), error[256];
    struct dv_store_content back;
    if (CHECK_EQ(dv_store_parse(text, bytes, &back, error, sizeof error), DV_STORE_READ) &&
        CHECK_EQ(back.kernel_count, 1) && CHECK_EQ(back.kernels[0].model_count, 1) &&
        CHECK_EQ(back.kernels[0].cost_count, 1)) {
        const struct dv_store_model *model = &back.kernels[0].models[0];
        const struct dv_store_cost *cost = &back.kernels[0].costs[0];
        CHECK_STR(back.kernels[0].hash, HASH);
        CHECK_STR(back.kernels[0].name, "saxpy");
        CHECK_STR(model->key.device_class, "a \"class\"\n? of \xc3\xa4");
        CHECK(dv_store_key_is(&model->key, &kernel.models[0].key));
        CHECK_EQ(model->size_class, 20);
        CHECK(model->ns_per_item == 0.12345678901234567 && model->fixed_ns == 1500 && model->uncertainty == 0.1);
        CHECK(model->samples == 7 && model->jobs == 2 && model->stamp_s == kernel.models[0].stamp_s);
        CHECK(cost->probe_ns == 1 && cost->open_ns == 2 && cost->build_ns == 1u << 31 && cost->stamp_s == 9);
    }
    dv_store_free(&back);

    /* Every part of a file is a miss, and so is every file in which one byte is another: it is never half believed. */
    size_t misses = 0;
    for (size_t length = 0; length + 1 < bytes; length++) {
        misses += dv_store_parse(text, length, &back, error, sizeof error) == DV_STORE_DAMAGED;
        CHECK(back.kernel_count == 0 && *error);
    }
    CHECK_EQ(misses, bytes - 1);
    free(text);
    dv_store_kernel_free(&kernel);
}

static void check_refusals(void)
{
    static const struct {
        const char *text, *why;
        enum dv_store_found found;
    } rows[] = {
        {"", "is not JSON", DV_STORE_DAMAGED},
        {"[]", "holds no models", DV_STORE_DAMAGED},
        {"{\"divvy_profile\":1}", "holds no models", DV_STORE_DAMAGED},
        {"{\"divvy_models\":2,\"anything\":[]}", "is of version 2; this divvy knows version 1", DV_STORE_OTHER_VERSION},
        {"{\"divvy_models\":0.5}", "is of version 0.5", DV_STORE_OTHER_VERSION},
        {"{\"divvy_models\":1}", "kernels is not a list", DV_STORE_DAMAGED},
        {"{\"divvy_models\":1,\"kernels\":[7]}", "hash is not 32 hex", DV_STORE_DAMAGED},
        {"{\"divvy_models\":1,\"kernels\":[{\"hash\":\"../../../../../../../etc/passwd\"}]}", "hash is not",
         DV_STORE_DAMAGED},
        {"{\"divvy_models\":1,\"kernels\":[{\"hash\":\"" HASH "\",\"kernel\":3}]}", "kernel is not a text",
         DV_STORE_DAMAGED},
        {"{\"divvy_models\":1,\"kernels\":[{\"hash\":\"" HASH "\",\"kernel\":\"k\",\"models\":{}}]}",
         "models is not a list", DV_STORE_DAMAGED},
    };
    struct dv_store_content content;
    char error[256];
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        CHECK_EQ(dv_store_parse(rows[k].text, strlen(rows[k].text), &content, error, sizeof error), rows[k].found);
        CHECK_HAS(error, rows[k].why);
    }

    /* Numbers that make no sense, one at a time. */
    static const char *const numbers[] = {
        "\"size_class\":64",     "\"size_class\":-1",  "\"ns_per_item\":0",  "\"ns_per_item\":-3",
        "\"ns_per_item\":1e300", "\"fixed_ns\":-1",    "\"uncertainty\":-1", "\"uncertainty\":1e9",
        "\"samples\":1.5",       "\"samples\":-1",     "\"samples\":1e17",   "\"jobs\":null",
        "\"stamp\":\"today\"",   "\"ns_per_item\":[]", "\"host\":\"1\"",     "\"backend\":7",
    };
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        char text[1024], name[32];
        snprintf(name, sizeof name, "%.*s", (int)(strchr(numbers[k] + 1, '"') - numbers[k] - 1), numbers[k] + 1);
        snprintf(text, sizeof text,
                 "{\"divvy_models\":1,\"kernels\":[{\"hash\":\"" HASH "\",\"kernel\":\"k\",\"models\":[{%s,"
                 "\"host\":\"" HOST "\",\"backend\":\"b\",\"class\":\"c\",\"driver\":\"d\",\"size_class\":1,"
                 "\"fixed_ns\":1,\"ns_per_item\":1,\"uncertainty\":1,\"samples\":1,\"jobs\":1,\"stamp\":1}],"
                 "\"costs\":[]}]}",
                 numbers[k]);
        CHECK_EQ(dv_store_parse(text, strlen(text), &content, error, sizeof error), DV_STORE_DAMAGED);
        CHECK_HAS(error, name);
    }
}

/* ---- Kernels ---- */

static void check_hashes(void)
{
    static const divvy_parameter x = {.name = "x", .kind = DIVVY_KIND_in, .element_bytes = 4};
    static const divvy_parameter doubles = {.name = "x", .kind = DIVVY_KIND_in, .element_bytes = 8};
    const divvy_kernel first = {
        .name = "k", .parameter_count = 1, .parameters = &x, .source = "text", .source_bytes = 4};
    char hash[DV_STORE_HASH], other[DV_STORE_HASH];
    dv_store_hash(&first, hash);
    CHECK_EQ(strspn(hash, "0123456789abcdef"), DV_STORE_HASH - 1);

    /* The same kernel in another place, or another level of it, is the same one. */
    divvy_kernel kernel = first;
    char source[] = "text";
    kernel.source = source;
    dv_store_hash(&kernel, other);
    CHECK_STR(other, hash);

    /* Whatever changes what it does makes another one of it. */
    for (int change = 0; change < 5; change++) {
        kernel = first;
        if (change == 0)
            kernel.flags = DIVVY_KERNEL_FAST_MATH;
        else if (change == 1)
            kernel.source_bytes = 3;
        else if (change == 2)
            kernel.parameters = &doubles;
        else if (change == 3)
            kernel.name = "l";
        else
            kernel.source = NULL;
        dv_store_hash(&kernel, other);
        CHECK(strcmp(other, hash) != 0);
    }
}

/* ---- Rows ---- */

static void check_age(void)
{
    struct dv_store_model model = {.uncertainty = 0.1, .stamp_s = 1000000};
    /* A tenth a day, up to .7; a clock that was put back makes nothing younger; what is worse stays as it is. */
    CHECK(dv_store_age(&model, 1000000) == 0.1);
    CHECK(dv_store_age(&model, 1000000 + 86399) == 0.1);
    CHECK(fabs(dv_store_age(&model, 1000000 + 86400) - 0.11) < 1e-12);
    CHECK(fabs(dv_store_age(&model, 1000000 + 3 * 86400) - 0.1331) < 1e-12);
    CHECK(dv_store_age(&model, 1000000 + 30 * 86400) == DV_STORE_UNCERTAIN);
    CHECK(dv_store_age(&model, UINT64_MAX) == DV_STORE_UNCERTAIN);
    CHECK(dv_store_age(&model, 1) == 0.1);
    model.uncertainty = 2;
    CHECK(dv_store_age(&model, UINT64_MAX) == 2);
}

/* What `into` is after `from`; both are kept. */
static struct dv_store_model merged(struct dv_store_model into, struct dv_store_model from)
{
    struct dv_store_kernel kernel = {.hash = HASH, .name = strdup("saxpy")}, own = kernel_with(into);
    struct dv_store_kernel news = kernel_with(from);
    CHECK(dv_store_merge(&kernel, &own) && dv_store_merge(&kernel, &news));
    CHECK_EQ(kernel.model_count, 1);
    struct dv_store_model model = kernel.models[0];
    model.key = (struct dv_store_key){0};
    dv_store_kernel_free(&kernel);
    own.models[0].key = news.models[0].key = (struct dv_store_key){0};
    dv_store_kernel_free(&own);
    dv_store_kernel_free(&news);
    return model;
}

static void check_merge(void)
{
    struct dv_store_model old = model_of("gpu", 20, 100, 30), news = model_of("gpu", 20, 110, 10), got;
    old.stamp_s = 1000;

    /* Who goes on from what is there takes its place, and only what is new is counted. */
    news.known_samples = 30;
    got = merged(old, news);
    CHECK(got.ns_per_item == 110 && got.samples == 40 && got.jobs == 4 && got.uncertainty == 0.1);
    CHECK_EQ(got.stamp_s, news.stamp_s);

    /* What others wrote meanwhile weighs as much as it was measured. */
    news.known_samples = 0;
    got = merged(old, news);
    CHECK(fabs(log(got.ns_per_item / 100) - log(1.1) / 4) < 1e-12 && got.samples == 40 && got.jobs == 4);
    CHECK(got.uncertainty > 0.1 && got.uncertainty < 0.12);
    news.known_samples = 20;
    got = merged(old, news);
    CHECK(fabs(log(got.ns_per_item / 100) - log(1.1) / 2) < 1e-12);

    /* In either order it is the same. */
    news.known_samples = 0;
    struct dv_store_model other = merged(news, old);
    got = merged(old, news);
    CHECK(fabs(got.ns_per_item - other.ns_per_item) < 1e-9 && fabs(got.uncertainty - other.uncertainty) < 1e-9);
    CHECK(got.stamp_s == other.stamp_s && got.samples == other.samples);

    /* Two that disagree are believed less than either. */
    news.ns_per_item = 1000;
    CHECK(merged(old, news).uncertainty > DV_STORE_UNCERTAIN);

    /* The same row, which comes back, tells nothing new. */
    got = merged(old, old);
    CHECK(got.samples == 30 && got.ns_per_item == 100);

    /* What was not believed is replaced, unless others have written meanwhile. */
    news.known_samples = 30;
    news.anew = true;
    got = merged(old, news);
    CHECK(got.samples == 10 && got.jobs == 2 && got.ns_per_item == 1000);
    news.known_samples = 20;
    CHECK_EQ(merged(old, news).samples, 40);
    news.anew = false;

    /* So is what rests on one time by what rests on many. */
    struct dv_store_model single = model_of("gpu", 20, 50000, 1);
    news.known_samples = 0;
    got = merged(single, news);
    CHECK(got.ns_per_item == 1000 && got.uncertainty == 0.1);

    /* A run that did without the device doubts the row: after five it is not believed any more. */
    struct dv_store_model doubt = old;
    doubt.known_samples = old.samples;
    doubt.samples = doubt.jobs = 0;
    doubt.doubted = true;
    got = old;
    for (int run = 1; run <= 5; run++) {
        CHECK(got.uncertainty < DV_STORE_UNCERTAIN);
        got.key = old.key;
        got = merged(got, doubt);
    }
    CHECK(got.uncertainty == DV_STORE_UNCERTAIN && got.samples == 30 && got.stamp_s == 1000);

    /* Other size classes, devices, drivers and machines are rows of their own; the oldest go when there are too many. */
    struct dv_store_kernel all = {.hash = HASH};
    for (unsigned k = 0; k < 700; k++) {
        char name[32];
        snprintf(name, sizeof name, "class %u", k / 10);
        struct dv_store_model row = model_of(name, k % 10, 1, 5);
        row.stamp_s = 1000 + k;
        struct dv_store_kernel one = kernel_with(row);
        CHECK(dv_store_merge(&all, &one));
        dv_store_kernel_free(&one);
    }
    CHECK_EQ(all.model_count, DV_STORE_ROWS_MAX);
    uint64_t oldest = UINT64_MAX;
    for (size_t m = 0; m < all.model_count; m++)
        oldest = all.models[m].stamp_s < oldest ? all.models[m].stamp_s : oldest;
    CHECK_EQ(oldest, 1000 + 700 - DV_STORE_ROWS_MAX);
    size_t bytes;
    char *text = print(&all, &bytes);
    CHECK(bytes < DV_STORE_FILE_MAX);
    free(text);
    dv_store_kernel_free(&all);
    dv_store_key_free(&old.key);
    dv_store_key_free(&news.key);
    dv_store_key_free(&single.key);
}

/* ---- Folders ---- */

static int told;
static char last_told[1024];
static void hear(void *told_arg, const char *text)
{
    (void)told_arg;
    told++;
    snprintf(last_told, sizeof last_told, "%s", text);
}

static struct dv_store store_at(const char *setting)
{
    struct dv_store store;
    told = 0;
    CHECK_EQ(dv_store_open(setting, hear, NULL, &store), DIVVY_OK);
    return store;
}

/* Adds what `news` says, as a context that closes does. */
static bool add_news(struct dv_store_kernel *kernel, void *news)
{
    return dv_store_merge(kernel, news);
}

static divvy_status write_news(struct dv_store *store, struct dv_store_kernel *news)
{
    int lock = dv_store_lock(store);
    if (lock < 0)
        return DIVVY_IO;
    divvy_status status = dv_store_edit(store, news->hash, add_news, news);
    dv_store_unlock(lock);
    return status;
}

static void put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (CHECK(file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
}

static int files_in(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    if (directory)
        closedir(directory);
    return count;
}

static void check_folder(void)
{
    /* "off" has no folder, nor does reading make one. */
    struct dv_store store = store_at("off");
    CHECK(!dv_store_folder(&store, true));
    dv_store_close(&store);
    store = store_at(folder);
    struct dv_store_kernel kernel, news = kernel_with(model_of("gpu", 20, 100, 30));
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_NOTHING);
    CHECK_EQ(access(folder, F_OK), -1);

    /* Writing does; what was written is read. Only the user may look into it. */
    CHECK_EQ(write_news(&store, &news), DIVVY_OK);
    struct stat facts;
    CHECK(stat(folder, &facts) == 0 && (facts.st_mode & 07777) == 0700);
    if (CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_READ))
        CHECK(kernel.model_count == 1 && kernel.models[0].samples == 30);
    dv_store_kernel_free(&kernel);
    CHECK_EQ(files_in(folder), 2); /* it, and the lock */

    char(*hashes)[DV_STORE_HASH];
    size_t count;
    CHECK(dv_store_list(&store, &hashes, &count) && count == 1);
    CHECK_STR(hashes[0], HASH);
    free(hashes);

    /* Damage of every kind is one warning that names the file, and a miss; writing repairs it. */
    char path[128];
    snprintf(path, sizeof path, "%s/" HASH ".json", folder);
    static const char *const damages[] = {
        "", "{", "null", "{\"divvy_models\":1,\"kernels\":[]}",
        ("{\"divvy_models\":1,\"kernels\":[{\"hash\":\"ffffffffffffffffffffffffffffffff\",\"kernel\":\"k\","
         "\"models\":[],\"costs\":[]}]}")};
    for (size_t k = 0; k < sizeof damages / sizeof *damages; k++) {
        put_text(path, damages[k]);
        told = 0;
        CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_DAMAGED);
        CHECK_EQ(told, 1);
        CHECK_HAS(last_told, path);
        CHECK_EQ(write_news(&store, &news), DIVVY_OK);
        CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_READ);
        dv_store_kernel_free(&kernel);
    }

    /* A huge one is not even read; nor is what is no file, or a link, or what others may write. */
    CHECK_EQ(truncate(path, (off_t)1 << 40), 0);
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_DAMAGED);
    CHECK_HAS(last_told, "is larger than 2048 KiB");
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(mkfifo(path, 0600), 0);
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_DAMAGED);
    CHECK_HAS(last_told, "no regular file");
    CHECK_EQ(unlink(path), 0);
    char elsewhere[128];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere.json", root);
    CHECK_EQ(write_news(&store, &news), DIVVY_OK);
    CHECK_EQ(rename(path, elsewhere), 0);
    CHECK_EQ(symlink(elsewhere, path), 0);
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_DAMAGED);
    CHECK_EQ(unlink(path), 0);
    mode_t mask = umask(0);
    CHECK_EQ(write_news(&store, &news), DIVVY_OK);
    umask(mask);
    CHECK(stat(path, &facts) == 0 && (facts.st_mode & 022) == 0);
    CHECK_EQ(chmod(path, 0666), 0);
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_DAMAGED);
    CHECK_HAS(last_told, "can be written to by others");

    /* One of another version is a miss as well, and left as it is for those who know it. */
    put_text(path, "{\"divvy_models\": 2, \"kernels\": {}}");
    CHECK_EQ(chmod(path, 0600), 0);
    told = 0;
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_OTHER_VERSION);
    CHECK_EQ(told, 1);
    CHECK_HAS(last_told, "is of version 2");
    CHECK_EQ(write_news(&store, &news), DIVVY_INVALID);
    CHECK(stat(path, &facts) == 0 && facts.st_size == (off_t)strlen("{\"divvy_models\": 2, \"kernels\": {}}"));
    CHECK_EQ(unlink(path), 0);
    dv_store_close(&store);

    /* A folder that others may write to is refused with one warning, however often it is asked for; so is a link. */
    CHECK_EQ(chmod(folder, 0777), 0);
    store = store_at(folder);
    for (int k = 0; k < 3; k++)
        CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_NOTHING);
    CHECK_EQ(told, 1);
    CHECK_HAS(last_told, folder);
    CHECK_HAS(last_told, "0777");
    CHECK_EQ(write_news(&store, &news), DIVVY_IO);
    dv_store_close(&store);
    CHECK_EQ(chmod(folder, 0700), 0);
    snprintf(path, sizeof path, "%s/link", root);
    CHECK_EQ(symlink(folder, path), 0);
    store = store_at(path);
    CHECK(!dv_store_folder(&store, true));
    dv_store_close(&store);
    CHECK_EQ(unlink(path), 0);

    /* A path from where the program stands stays the same when it goes elsewhere. */
    char here[4096];
    CHECK(getcwd(here, sizeof here) && chdir(root) == 0);
    store = store_at("models");
    CHECK_EQ(chdir("/"), 0);
    CHECK_EQ(write_news(&store, &news), DIVVY_OK);
    CHECK_STR(dv_store_folder(&store, false), folder);
    CHECK_EQ(chdir(here), 0);
    dv_store_close(&store);
    dv_store_kernel_free(&news);
}

/* ---- Others ---- */

static pid_t begin_child(void (*work)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        atomic_store(&check_failures, 0); /* those so far are the parent's */
        work();
        _exit(atomic_load(&check_failures) ? EXIT_FAILURE : EXIT_SUCCESS);
    }
    return child;
}

static void write_many(void)
{
    struct dv_store store = store_at(folder);
    struct dv_store_kernel news = kernel_with(model_of("gpu", 20, 100 + (double)(getpid() % 10), 5));
    for (int k = 0; k < 200; k++)
        while (write_news(&store, &news) != DIVVY_OK) /* the other was faster for a second: that is told, not lost */
            CHECK_HAS(divvy_error(), "another program holds it");
}

/* Two processes that write at once lose nothing of each other. The rows are as if they had come one after the other. */
static void check_two_writers(void)
{
    struct dv_store store = store_at(folder);
    struct dv_store_kernel kernel;
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_READ);
    uint64_t before = kernel.models[0].samples;
    dv_store_kernel_free(&kernel);
    pid_t children[2];
    for (int c = 0; c < 2; c++)
        children[c] = begin_child(write_many);
    for (int c = 0; c < 2; c++) {
        int status;
        CHECK(waitpid(children[c], &status, 0) == children[c] && status == 0);
    }
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_READ);
    CHECK_EQ(kernel.model_count, 1);
    CHECK_EQ(kernel.models[0].samples, before + 2 * 200 * 5);
    dv_store_kernel_free(&kernel);
    dv_store_close(&store);
    CHECK_EQ(files_in(folder), 2);
}

static void write_for_ever(void)
{
    struct dv_store store = store_at(folder);
    for (uint64_t k = 0;; k++) {
        struct dv_store_kernel news = kernel_with(model_of("gpu", (unsigned)(k % 60), 100, 5));
        news.models[0].stamp_s = k;
        write_news(&store, &news);
        dv_store_kernel_free(&news);
    }
}

/* A program that is killed while it writes leaves the old file or the new one, and no lock. */
static void check_killed(void)
{
    uint64_t random = check_seed();
    struct dv_store store = store_at(folder);
    struct dv_store_kernel kernel;
    for (int k = 0; k < 30; k++) {
        pid_t child = begin_child(write_for_ever);
        nanosleep(&(struct timespec){.tv_nsec = (long)(check_random(&random) % 20000000)}, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_READ);
        dv_store_kernel_free(&kernel);
        int lock = dv_store_lock(&store);
        CHECK(lock >= 0);
        dv_store_unlock(lock);
    }
    CHECK_EQ(told, 0);
    CHECK(files_in(folder) <= 2 + 30); /* one that died between naming and renaming leaves a name */
    dv_store_close(&store);
}

/* Who holds the lock for long is not waited for longer than about a second, and nothing is written. */
static void check_lock(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/lock", folder);
    int other = open(path, O_RDWR);
    CHECK(other >= 0 && flock(other, LOCK_EX) == 0);
    struct dv_store store = store_at(folder);
    uint64_t begin = dv_now_ns();
    CHECK_EQ(dv_store_lock(&store), -1);
    CHECK(dv_now_ns() - begin >= 1000000000);
    CHECK_HAS(divvy_error(), "another program holds it");
    flock(other, LOCK_UN);
    int lock = dv_store_lock(&store);
    CHECK(lock >= 0);
    dv_store_unlock(lock);
    close(other);
    dv_store_close(&store);
}

static void write_on_full_disk(void)
{
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 100, .rlim_max = 100});
    struct dv_store store = store_at(folder);
    struct dv_store_kernel news = kernel_with(model_of("gpu", 20, 77, 30));
    CHECK_EQ(write_news(&store, &news), DIVVY_IO);
    CHECK_HAS(divvy_error(), "File too large");
    sigset_t pending;
    sigpending(&pending);
    CHECK_EQ(sigismember(&pending, SIGXFSZ), 0);
}

static void write_where_only_reading_is_allowed(void)
{
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return;
    struct dv_store store = store_at(folder);
    struct dv_store_kernel kernel, news = kernel_with(model_of("gpu", 20, 77, 30));
    CHECK_EQ(dv_store_read(&store, HASH, &kernel), DV_STORE_READ);
    CHECK_EQ(write_news(&store, &news), DIVVY_IO);
    CHECK_HAS(divvy_error(), "Permission denied");
    CHECK_EQ(told, 0);
}

static void check_bad_places(void)
{
    struct dv_store store = store_at(folder);
    struct dv_store_kernel before, after;
    int status;
    CHECK_EQ(dv_store_read(&store, HASH, &before), DV_STORE_READ);
    int files = files_in(folder);
    CHECK(waitpid(begin_child(write_on_full_disk), &status, 0) > 0 && status == 0);

    /* What an administrator provides may be read by those who may not write it. */
    char path[128];
    snprintf(path, sizeof path, "%s/lock", folder);
    CHECK(chmod(root, 0755) == 0 && chmod(folder, 0555) == 0 && chmod(path, 0400) == 0);
    CHECK(waitpid(begin_child(write_where_only_reading_is_allowed), &status, 0) > 0 && status == 0);
    CHECK(chmod(folder, 0700) == 0 && chmod(path, 0600) == 0);
    CHECK_EQ(dv_store_read(&store, HASH, &after), DV_STORE_READ);
    CHECK(after.model_count == before.model_count && after.models[0].samples == before.models[0].samples);
    CHECK_EQ(files_in(folder), files);
    dv_store_kernel_free(&before);
    dv_store_kernel_free(&after);
    dv_store_close(&store);
}

/* ---- What a schedule is told ---- */

static struct dv_plugin gpu_plugin = {.name = (char[]){"opencl"}, .probe_ns = 5};
static const struct dv_found gpu_found = {.plugin = &gpu_plugin};
static const divvy_kernel the_kernel = {.name = "k", .source = "text", .source_bytes = 4};
static const size_t COUNT = 1 << 20;

static struct dv_unit unit_of(const char *device_class, const char *driver)
{
    struct dv_unit unit = {.found = &gpu_found, .core = -1};
    unit.facts.driver = driver;
    snprintf(unit.device_class, sizeof unit.device_class, "%s", device_class);
    return unit;
}

static struct dv_rate rate_of(double ns_per_item, double uncertainty, uint64_t samples)
{
    return (struct dv_rate){.ns_per_item = ns_per_item, .uncertainty = uncertainty, .samples = samples};
}

/* A new run on a machine. */
static void begin_run(struct dv_models *models, uint8_t machine)
{
    struct dv_topology host = {.digest = {machine}};
    dv_models_init(models);
    CHECK_EQ(dv_models_keep_in(models, folder, &host, NULL), DIVVY_OK);
}

static void end_run(struct dv_models *models)
{
    dv_models_save(models);
    dv_models_fini(models);
}

/* A run in which one job had this rate in the end. */
static void run_once(const struct dv_unit *unit, struct dv_rate rate)
{
    struct dv_models models;
    begin_run(&models, 1);
    struct dv_rate known = dv_models_find(&models, &the_kernel, unit, COUNT);
    rate.samples += known.samples;
    dv_models_keep(&models, &the_kernel, unit, COUNT, 300000, &rate, 0);
    end_run(&models);
}

static struct dv_rate found_in_next_run(const struct dv_unit *unit, size_t count, uint8_t machine)
{
    struct dv_models models;
    begin_run(&models, machine);
    struct dv_rate rate = dv_models_find(&models, &the_kernel, unit, count);
    dv_models_fini(&models);
    return rate;
}

static void forget_all(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK_EQ(system(command), 0);
}

static void check_runs(void)
{
    struct dv_unit gpu = unit_of("gpu", "driver 1"), newer = unit_of("gpu", "driver 2"), other = unit_of("gpu /2", "");
    forget_all();
    run_once(&gpu, rate_of(100, 0.1, 5));

    /* The next run begins with it: the same size class as it was, others less certain. */
    struct dv_rate rate = found_in_next_run(&gpu, COUNT, 1);
    CHECK(rate.ns_per_item == 100 && rate.uncertainty == 0.1 && rate.samples == 5);
    rate = found_in_next_run(&gpu, 8 * COUNT, 1);
    CHECK(rate.ns_per_item == 100 && rate.uncertainty == 0.25 && rate.samples == 0);

    /* Another driver, device or machine is a miss. */
    CHECK(found_in_next_run(&newer, COUNT, 1).ns_per_item == 0);
    CHECK(found_in_next_run(&other, COUNT, 1).ns_per_item == 0);
    CHECK(found_in_next_run(&gpu, COUNT, 2).ns_per_item == 0);

    /* Runs add up. */
    run_once(&gpu, rate_of(110, 0.2, 5));
    rate = found_in_next_run(&gpu, COUNT, 1);
    CHECK(rate.ns_per_item == 110 && rate.uncertainty == 0.2 && rate.samples == 10);

    /* Two runs at once are merged. */
    struct dv_models first, second;
    begin_run(&first, 1);
    begin_run(&second, 1);
    rate = dv_models_find(&first, &the_kernel, &gpu, COUNT);
    rate.ns_per_item = 100;
    rate.samples += 30;
    dv_models_find(&second, &the_kernel, &gpu, COUNT);
    dv_models_keep(&first, &the_kernel, &gpu, COUNT, 1, &rate, 0);
    rate.ns_per_item = 200;
    rate.samples -= 20;
    dv_models_keep(&second, &the_kernel, &gpu, COUNT, 1, &rate, 0);
    end_run(&first);
    end_run(&second);
    rate = found_in_next_run(&gpu, COUNT, 1);
    CHECK(fabs(log(rate.ns_per_item / 100) - log(2) / 4) < 1e-9);
    CHECK_EQ(rate.samples, 50);

    /* A job without this device is a reason to doubt; a run that only asks, none. */
    begin_run(&first, 1);
    dv_models_find(&first, &the_kernel, &gpu, COUNT);
    end_run(&first);
    double before = found_in_next_run(&gpu, COUNT, 1).uncertainty;
    CHECK(before == rate.uncertainty);
    for (int k = 0; k < 5; k++) {
        begin_run(&first, 1);
        dv_models_find(&first, &the_kernel, &gpu, COUNT);
        dv_models_doubt(&first, &the_kernel, &gpu, COUNT);
        end_run(&first);
    }
    CHECK(found_in_next_run(&gpu, COUNT, 1).ns_per_item == 0);

    /* What is not believed any more is replaced by what is measured then. */
    run_once(&gpu, rate_of(50, 0.1, 4));
    rate = found_in_next_run(&gpu, COUNT, 1);
    CHECK(rate.ns_per_item == 50 && rate.samples == 4);

    /* What it takes to be ready. */
    begin_run(&first, 1);
    CHECK_EQ(dv_models_cost(&first, &the_kernel, &gpu).build_ns, 0);
    CHECK_EQ(dv_models_cost_through(&first, &the_kernel, "opencl"), 0);
    gpu.open_ns = 20;
    gpu.build_ns = 300;
    dv_models_keep_cost(&first, &the_kernel, &gpu, true);
    end_run(&first);
    begin_run(&first, 1);
    CHECK_EQ(dv_models_cost(&first, &the_kernel, &gpu).open_ns, 20);
    CHECK_EQ(dv_models_cost(&first, &the_kernel, &gpu).build_ns, 300);
    CHECK_EQ(dv_models_cost(&first, &the_kernel, &newer).build_ns, 0);
    CHECK_EQ(dv_models_cost_through(&first, &the_kernel, "opencl"), 325);
    CHECK_EQ(dv_models_cost_through(&first, &the_kernel, "other"), 0);
    end_run(&first);
    begin_run(&first, 2);
    CHECK_EQ(dv_models_cost(&first, &the_kernel, &gpu).build_ns, 0);
    CHECK_EQ(dv_models_cost_through(&first, &the_kernel, "opencl"), 0);
    end_run(&first);

    /* What took long since it was built for the first time is expected from a cache; built again, it is not. */
    for (int run = 0; run < 3; run++) {
        begin_run(&first, 1);
        CHECK_EQ(dv_models_cost(&first, &the_kernel, &newer).build_ns, run < 2 ? 0 : 900);
        CHECK_EQ(dv_models_cost(&first, &the_kernel, &newer).open_ns, run ? 7 : 0);
        newer.open_ns = 7;
        newer.build_ns = 900;
        dv_models_keep_cost(&first, &the_kernel, &newer, false);
        end_run(&first);
    }
}

/* ---- One time that is absurd ---- */

/* Two cores of 1 us an index and a GPU of an eighth, as an earlier run knew them, and what each is given first. */
enum { PACES = 3 };
struct split {
    struct dv_plan plan;
    struct dv_pace paces[PACES];
    struct dv_rate rates[2];
    size_t first[PACES];
};

static void split(struct split *split, struct dv_rate gpu)
{
    *split = (struct split){.rates = {rate_of(1000, 0.05, 100), gpu},
                            .paces = {{.core = true, .fixed_ns = 2000, .granule = 1},
                                      {.core = true, .fixed_ns = 2000, .granule = 1},
                                      {.rate = 1, .fixed_ns = 300000, .granule = 64}},
                            .plan = {.schedule = &dv_guarded, .count = COUNT, .pace_count = PACES, .rate_count = 2}};
    split->plan.paces = split->paces;
    split->plan.rates = split->rates;
    dv_plan_begin(&split->plan);
    for (unsigned d = 0; d < PACES; d++)
        split->paces[d].stand = DV_HERE;
    size_t left = COUNT;
    for (unsigned d = 0; d < PACES; d++) {
        split->first[d] = dv_guarded.next(&split->plan, d, 1000, left).count;
        left -= split->first[d];
    }
}

/* How many jobs in a row do without a device before one tries it, at most `most`. */
static unsigned jobs_without(struct dv_models *models, const struct dv_unit *gpu, unsigned most)
{
    unsigned jobs = 0;
    while (jobs < most && dv_models_find(models, &the_kernel, gpu, COUNT).ns_per_item > 0) {
        dv_models_doubt(models, &the_kernel, gpu, COUNT);
        jobs++;
    }
    return jobs;
}

/* A device that is parked is tried again, after twice as many jobs each time that this was in vain; once it takes part
 * again it is believed as at first. */
static void check_patience(void)
{
    struct dv_unit gpu = unit_of("gpu", "driver 1");
    const struct dv_rate slow = rate_of(1e6, 0.1, 8), fast = rate_of(100, 0.1, 8);
    struct dv_models models;
    forget_all();
    begin_run(&models, 1);
    dv_models_keep(&models, &the_kernel, &gpu, COUNT, 1, &slow, 0);
    unsigned first = jobs_without(&models, &gpu, 1000);
    CHECK(first > 1 && first < 100);
    // Until it was measured it is tried in each job.
    CHECK_EQ(jobs_without(&models, &gpu, 1000), 0);
    dv_models_keep(&models, &the_kernel, &gpu, COUNT, 1, &slow, 0);
    CHECK_EQ(jobs_without(&models, &gpu, 1000), 2 * first);
    // What is found then is taken as it is, since nothing of what was known is trusted.
    dv_models_keep(&models, &the_kernel, &gpu, COUNT, 1, &fast, 0);
    CHECK(dv_models_find(&models, &the_kernel, &gpu, COUNT).ns_per_item == 100);
    dv_models_keep(&models, &the_kernel, &gpu, COUNT, 1, &fast, 0);
    CHECK_EQ(jobs_without(&models, &gpu, 1000), first);
    dv_models_fini(&models);
}

static void check_absurd(void)
{
    const double absurd = 100e6 / 190e3; /* a kernel of 190 us, recorded at 100 ms */
    struct dv_unit gpu = unit_of("gpu", "driver 1");
    struct split good, bad;
    split(&good, rate_of(125, 0.05, 100));

    /* If it is all there is of a device, the next run begins as if there were nothing; so does the one after two such. */
    forget_all();
    run_once(&gpu, rate_of(125 * absurd, 0.25, 1));
    CHECK(found_in_next_run(&gpu, COUNT, 1).ns_per_item == 0);
    CHECK(found_in_next_run(&gpu, 4 * COUNT, 1).ns_per_item == 0);
    /* And it goes as soon as there is better. */
    run_once(&gpu, rate_of(125, 0.1, 8));
    CHECK(found_in_next_run(&gpu, COUNT, 1).ns_per_item == 125);

    /* Single ones that disagree are not believed either, however many runs there are. */
    forget_all();
    for (int k = 0; k < 6; k++) {
        run_once(&gpu, rate_of(k % 2 ? 125 * absurd : 125, 0.25, 1));
        CHECK(found_in_next_run(&gpu, COUNT, 1).ns_per_item == 0);
    }

    /* If more is known, it is one time among others: the GPU's rate changes by what its uncertainty allows, an eighth, so
     * nobody's part grows by more, and nobody is given more than what the guard leaves for repair, a third. */
    forget_all();
    run_once(&gpu, rate_of(125, 0.05, 100));
    split(&bad, found_in_next_run(&gpu, COUNT, 1));
    for (unsigned d = 0; d < PACES; d++)
        CHECK_EQ(bad.first[d], good.first[d]);
    dv_guarded.done(&bad.plan, 2, 100000000, bad.first[2], (uint64_t)(125 * absurd * (double)bad.first[2]));
    dv_plan_end(&bad.plan);
    run_once(&gpu, rate_of(bad.rates[1].ns_per_item, bad.rates[1].uncertainty, 1));
    struct dv_rate after = found_in_next_run(&gpu, COUNT, 1);
    CHECK(after.ns_per_item > 125 && after.ns_per_item < 125 * 1.15);
    split(&bad, after);
    for (unsigned d = 0; d < PACES; d++) {
        CHECK(bad.first[d] > good.first[d] / 3 && (double)bad.first[d] < 1.15 * (double)good.first[d]);
        CHECK(bad.first[d] < COUNT / 3);
    }

    /* A job that is known as a whole only, as under static: one that took long by accident moves the rate by what the
     * guard expects, and the second job corrects the first. */
    struct dv_rate rate = {0};
    for (int k = 0; k < 10; k++)
        dv_rate_observe(&rate, 125 * (k % 2 ? 1.02 : 0.98));
    CHECK(rate.ns_per_item > 120 && rate.ns_per_item < 130 && rate.uncertainty < 0.1 && rate.samples == 10);
    dv_rate_observe(&rate, 125 * absurd);
    CHECK(rate.ns_per_item < 125 * 1.2 && rate.uncertainty > 0.5);
    dv_rate_observe(&rate, 125);
    CHECK(rate.ns_per_item < 125 * 1.1);
    rate = (struct dv_rate){0};
    dv_rate_observe(&rate, 125 * absurd);
    dv_rate_observe(&rate, 125);
    CHECK(fabs(rate.ns_per_item - 125) < 1e-9);
    /* What lasts is believed. */
    for (int k = 0; k < 12; k++)
        dv_rate_observe(&rate, 1250);
    CHECK(rate.ns_per_item > 1200 && rate.ns_per_item <= 1250);

    /* A rate that all of a job contradicted is as that job found it. */
    struct dv_models models;
    begin_run(&models, 1);
    dv_models_keep(&models, &the_kernel, &gpu, COUNT, 1,
                   &(struct dv_rate){.ns_per_item = 125 * absurd, .uncertainty = 0.3, .samples = 20}, -log(absurd));
    CHECK(fabs(dv_models_find(&models, &the_kernel, &gpu, COUNT).ns_per_item - 125) < 1e-9);
    dv_models_keep(&models, &the_kernel, &gpu, COUNT, 1,
                   &(struct dv_rate){.ns_per_item = 125, .uncertainty = 0.1, .samples = 20}, 0.3);
    CHECK(dv_models_find(&models, &the_kernel, &gpu, COUNT).ns_per_item == 125);
    dv_models_fini(&models);
}

int main(void)
{
    if (!CHECK(mkdtemp(root) != NULL))
        return check_summary();
    snprintf(folder, sizeof folder, "%s/models", root);
    check_round_trip();
    check_refusals();
    check_hashes();
    check_age();
    check_merge();
    check_folder();
    check_two_writers();
    check_killed();
    check_lock();
    check_bad_places();
    check_runs();
    check_patience();
    check_absurd();
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK_EQ(system(command), 0);
    return check_summary();
}
