/* The store of models: any bytes as one of its files, or as one that another machine exported. What is read can be merged
 * with itself and with what is known here, and comes out as what can be read again. */
#include "fuzz.h"

#include "record/store.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return 0;
}

/* Whatever a schedule may be told. */
static void check_kernel(const struct dv_store_kernel *kernel)
{
    MUST(kernel->name && strspn(kernel->hash, "0123456789abcdef") == DV_STORE_HASH - 1);
    for (size_t m = 0; m < kernel->model_count; m++) {
        const struct dv_store_model *model = &kernel->models[m];
        MUST(model->ns_per_item > 0 && isfinite(model->ns_per_item));
        MUST(model->uncertainty >= 0 && isfinite(model->uncertainty));
        MUST(model->fixed_ns >= 0 && isfinite(model->fixed_ns) && model->size_class < 64);
        MUST(dv_store_age(model, 1800000000) >= model->uncertainty);
        MUST(strlen(model->key.driver) <= DV_STORE_TEXT_MAX);
    }
}

/* One that is known, of a key that files of the corpus have too. */
static void add_known(struct dv_store_kernel *kernel)
{
    struct dv_store_model model = {.size_class = 20,
                                   .fixed_ns = 1000,
                                   .ns_per_item = 2,
                                   .uncertainty = 0.1,
                                   .samples = 40,
                                   .jobs = 2,
                                   .stamp_s = 1700000000};
    MUST(dv_store_key_make("00112233445566778899aabbccddeeff", "cpu", "cpu x86-64-v3", "x86-64-v3", &model.key));
    struct dv_store_kernel known = {.name = (char[]){"k"}, .model_count = 1, .models = &model};
    MUST(dv_store_merge(kernel, &known));
    dv_store_key_free(&model.key);
}

static void check_prints(const struct dv_store_content *content)
{
    char *text = NULL, error[256];
    size_t bytes = 0;
    struct dv_store_content again;
    FILE *file = open_memstream(&text, &bytes);
    MUST(file && dv_store_print(content, file) == DIVVY_OK && fclose(file) == 0);
    MUST(dv_store_parse(text, bytes, &again, error, sizeof error) == DV_STORE_READ);
    MUST(again.kernel_count == content->kernel_count);
    for (size_t k = 0; k < again.kernel_count; k++)
        MUST(again.kernels[k].model_count == content->kernels[k].model_count);
    dv_store_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dv_store_content content;
    char error[256] = "";
    enum dv_store_found found = dv_store_parse((const char *)data, size, &content, error, sizeof error);
    MUST(found != DV_STORE_NOTHING && (found == DV_STORE_READ || (*error && content.kernel_count == 0)));
    for (size_t k = 0; k < content.kernel_count; k++) {
        struct dv_store_kernel merged = {0};
        check_kernel(&content.kernels[k]);
        memcpy(merged.hash, content.kernels[k].hash, sizeof merged.hash);
        MUST(dv_store_merge(&merged, &content.kernels[k]));
        MUST(dv_store_merge(&merged, &content.kernels[k]));
        add_known(&merged);
        check_kernel(&merged);
        struct dv_store_content one = {.kernel_count = 1, .kernels = &merged};
        check_prints(&one);
        dv_store_kernel_free(&merged);
    }
    if (found == DV_STORE_READ)
        check_prints(&content);
    dv_store_free(&content);
    return 0;
}
