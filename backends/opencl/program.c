/* Builds kernels. */
#include "opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_BYTES = 2048, LOG_BYTES_MAX = 64 << 10, LOG_BYTES_TOLD = 1500, TRIALS = 8 };

static const uint64_t FIRST_PATIENCE_NS = UINT64_C(30000000000); /* of a first launch, which may compile for long */

/* What is built, and with what. */
struct recipe {
    const char *texts[DV_CL_PRELUDE_TEXTS + 1]; /* the prelude and the kernel's own */
    char options[OPTIONS_BYTES];
};

static divvy_status write_recipe(const struct dv_cl_device *device, const divvy_kernel *kernel, bool folds,
                                 struct recipe *recipe)
{
    const char *more = device->host->option(device->host, "OPTIONS");
    const char *math = kernel->flags & DIVVY_KERNEL_FAST_MATH ? " -cl-fast-relaxed-math" : "";
    dv_cl_prelude(device, kernel->source, folds, recipe->texts);
    recipe->texts[DV_CL_PRELUDE_TEXTS] = kernel->source;
    int length =
        snprintf(recipe->options, sizeof recipe->options, "-cl-std=CL1.2 -cl-mad-enable%s %s", math, more ? more : "");
    if (length >= (int)sizeof recipe->options)
        return device->host->fail(device->host, DIVVY_INVALID, "DIVVY_OPENCL_OPTIONS may have about %d characters",
                                  OPTIONS_BYTES - 100);
    return DIVVY_OK;
}

static divvy_status key_of(const struct dv_cl_device *device, const struct recipe *recipe, struct dv_cl_key *out_key)
{
    enum { OTHERS = 4 };
    const char *texts[OTHERS + DV_CL_PRELUDE_TEXTS + 2] = {recipe->options, device->found->name, device->found->driver,
                                                           device->found->class_name};
    memcpy(texts + OTHERS, recipe->texts, sizeof recipe->texts);
    return dv_cl_key_of(device->host, texts, out_key);
}

/* ---- From source ---- */

static divvy_status tell_log(const struct dv_cl_device *device, const divvy_kernel *kernel, cl_program program,
                             cl_int code)
{
    const divvy_host *host = device->host;
    size_t bytes = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) == CL_SUCCESS &&
        bytes <= LOG_BYTES_MAX)
        log = calloc(bytes + 1, 1);
    if (log)
        clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL);
    const char *text = log ? log + strspn(log, " \n") : "";
    divvy_status status =
        host->fail(host, DIVVY_BUILD_FAILED, "building %s for \"%s\": %s (%d)%s%.*s", kernel->name, device->found->name,
                   dv_cl_code_name(code), code, text[0] ? ":\n" : "", LOG_BYTES_TOLD, text);
    free(log);
    return status;
}

static divvy_status build_source(const struct dv_cl_device *device, const divvy_kernel *kernel,
                                 const struct recipe *recipe, cl_program *out_program)
{
    cl_int code;
    const char *texts[DV_CL_PRELUDE_TEXTS + 1];
    memcpy(texts, recipe->texts, sizeof texts);
    cl_program program = clCreateProgramWithSource(device->context, DV_CL_PRELUDE_TEXTS + 1, texts, NULL, &code);
    DV_CL_TRY(dv_cl_check(device, code, "making a program of", kernel->name));
    code = clBuildProgram(program, 1, &device->id, recipe->options, NULL, NULL);
    if (code != CL_SUCCESS) {
        divvy_status status = tell_log(device, kernel, program, code);
        clReleaseProgram(program);
        return status;
    }
    *out_program = program;
    return DIVVY_OK;
}

static cl_kernel entry_of(cl_program program, const divvy_kernel *kernel, cl_int *out_code)
{
    char name[256];
    *out_code = CL_INVALID_KERNEL_NAME;
    if (snprintf(name, sizeof name, "%s_entry", kernel->name) >= (int)sizeof name)
        return NULL;
    return clCreateKernel(program, name, out_code);
}

/* ---- From the cache ---- */

/* NULL, without a word, if there is nothing that the driver takes. */
static cl_program build_binary(const struct dv_cl_device *device, const struct dv_cl_key *key, const char *options)
{
    size_t bytes = 0;
    void *binary = dv_cl_cache_read(device->host, key, &bytes);
    if (!binary)
        return NULL;
    cl_int code, taken = CL_SUCCESS;
    const unsigned char *bytes_at = binary;
    cl_program program = clCreateProgramWithBinary(device->context, 1, &device->id, &bytes, &bytes_at, &taken, &code);
    if (code == CL_SUCCESS && taken == CL_SUCCESS)
        code = clBuildProgram(program, 1, &device->id, options, NULL, NULL);
    else if (code == CL_SUCCESS)
        code = taken;
    free(binary);
    if (code == CL_SUCCESS)
        return program;
    if (program)
        clReleaseProgram(program);
    device->host->log(device->host, DIVVY_LOG_DEBUG, "\"%s\" does not take its own binary: %s", device->found->name,
                      dv_cl_code_name(code));
    return NULL;
}

static void keep_binary(const struct dv_cl_device *device, cl_program program, const struct dv_cl_key *key)
{
    size_t bytes = 0;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) != CL_SUCCESS || bytes == 0)
        return;
    unsigned char *binary = malloc(bytes);
    if (binary && clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        dv_cl_cache_write(device->host, key, binary, bytes);
    free(binary);
}

/* ---- Load and unload ---- */

/* The program of another kernel that is loaded, if it was built of the same texts; NULL if there is none. */
static cl_program share_program(const struct dv_cl_device *device, const struct dv_cl_key *key)
{
    const struct dv_cl_kernel *other = device->kernels;
    while (other && memcmp(&other->key, key, sizeof *key) != 0)
        other = other->next;
    return other && clRetainProgram(other->program) == CL_SUCCESS ? other->program : NULL;
}

/* Fills in program and entry. */
static divvy_status build(struct dv_cl_device *device, struct dv_cl_kernel *loaded, const struct recipe *recipe,
                          bool *out_cached)
{
    cl_int code;
    loaded->program = share_program(device, &loaded->key);
    if (!loaded->program)
        loaded->program = build_binary(device, &loaded->key, recipe->options);
    loaded->entry = loaded->program ? entry_of(loaded->program, loaded->kernel, &code) : NULL;
    *out_cached = loaded->entry != NULL;
    if (*out_cached)
        return DIVVY_OK;
    if (loaded->program)
        clReleaseProgram(loaded->program);
    loaded->program = NULL;
    DV_CL_TRY(build_source(device, loaded->kernel, recipe, &loaded->program));
    loaded->entry = entry_of(loaded->program, loaded->kernel, &code);
    if (loaded->entry)
        return DIVVY_OK;
    return device->host->fail(device->host, DIVVY_BUILD_FAILED,
                              "building %s for \"%s\": its text has no usable %s_entry: %s", loaded->kernel->name,
                              device->found->name, loaded->kernel->name, dv_cl_code_name(code));
}

/* The text must take what the table says: both come from one list, but perhaps from two versions of a file. */
static divvy_status check_arguments(const struct dv_cl_device *device, const struct dv_cl_kernel *loaded)
{
    cl_uint expected = 3, count = 0;
    for (unsigned k = 0; k < loaded->kernel->parameter_count; k++) {
        divvy_kind kind = loaded->kernel->parameters[k].kind;
        expected += kind == DIVVY_KIND_value || kind == DIVVY_KIND_all || divvy_kind_is_fold(kind) ? 1 : 2;
    }
    cl_int code = clGetKernelInfo(loaded->entry, CL_KERNEL_NUM_ARGS, sizeof count, &count, NULL);
    DV_CL_TRY(dv_cl_check(device, code, "asking for the arguments of", loaded->kernel->name));
    if (count == expected)
        return DIVVY_OK;
    return device->host->fail(device->host, DIVVY_BUILD_FAILED,
                              "building %s for \"%s\": its text takes %u arguments, its table says %u",
                              loaded->kernel->name, device->found->name, count, expected);
}

/* Launches over no index: the first makes the driver compile what it left for later, the others tell the fixed cost. */
static divvy_status calibrate(struct dv_cl_device *device, struct dv_cl_kernel *loaded, divvy_loaded *out_loaded)
{
    uint64_t first_ns, next_ns, fixed_ns = UINT64_MAX;
    DV_CL_TRY(dv_cl_try(device, loaded, FIRST_PATIENCE_NS, &first_ns));
    for (int k = 0; k < TRIALS; k++) {
        DV_CL_TRY(dv_cl_try(device, loaded, 0, &next_ns));
        fixed_ns = next_ns < fixed_ns ? next_ns : fixed_ns;
    }
    out_loaded->fixed_ns = fixed_ns;
    out_loaded->jit_ns = first_ns > fixed_ns ? first_ns - fixed_ns : 0;
    return DIVVY_OK;
}

static divvy_status check_kernel(const struct dv_cl_device *device, const divvy_kernel *kernel, bool *out_folds)
{
    const divvy_host *host = device->host;
    *out_folds = false;
    if (!kernel->source || kernel->flags & DIVVY_KERNEL_HOST)
        return host->fail(host, DIVVY_UNSUPPORTED, "%s is a host kernel: it runs on cores only", kernel->name);
    if (!device->found->doubles && dv_cl_has_word(kernel->source, "double"))
        return host->fail(host, DIVVY_UNSUPPORTED, "%s: its file uses double, which \"%s\" does not have", kernel->name,
                          device->found->name);
    if (kernel->parameter_count > DIVVY_PARAMETERS_MAX)
        return host->fail(host, DIVVY_LIMIT, "%s has more than %d parameters", kernel->name, DIVVY_PARAMETERS_MAX);
    for (unsigned k = 0; k < kernel->parameter_count; k++) {
        *out_folds = *out_folds || divvy_kind_is_fold(kernel->parameters[k].kind);
        if (kernel->parameters[k].kind == DIVVY_KIND_result)
            return host->fail(host, DIVVY_UNSUPPORTED, "%s has a result: it runs on cores only", kernel->name);
    }
    return DIVVY_OK;
}

static divvy_status load(struct dv_cl_device *device, struct dv_cl_kernel *loaded, divvy_loaded *out_loaded)
{
    struct recipe recipe;
    uint64_t before_ns = device->host->now_ns();
    if (device->hung)
        return device->host->fail(device->host, DIVVY_DEVICE_LOST, "\"%s\" hangs", device->found->name);
    DV_CL_TRY(check_kernel(device, loaded->kernel, &loaded->folds));
    DV_CL_TRY(write_recipe(device, loaded->kernel, loaded->folds, &recipe));
    DV_CL_TRY(key_of(device, &recipe, &loaded->key));
    DV_CL_TRY(build(device, loaded, &recipe, &out_loaded->cached));
    DV_CL_TRY(check_arguments(device, loaded));
    DV_CL_TRY(dv_cl_choose_local(device, loaded->entry, loaded->kernel->name, &loaded->local));
    out_loaded->build_ns = device->host->now_ns() - before_ns;
    DV_CL_TRY(calibrate(device, loaded, out_loaded));
    if (!out_loaded->cached)
        keep_binary(device, loaded->program, &loaded->key); /* after the first launch: it may hold what that compiled */
    out_loaded->granule = device->found->loops == DV_CL_ITEMS ? loaded->local : 0;
    return DIVVY_OK;
}

divvy_status dv_cl_load(struct dv_cl_device *device, const divvy_kernel *kernel, divvy_loaded *out_loaded)
{
    struct dv_cl_kernel *loaded = calloc(1, sizeof *loaded);
    if (!loaded)
        return device->host->fail(device->host, DIVVY_NO_MEMORY, "no memory to load %s", kernel->name);
    loaded->kernel = kernel;
    divvy_status status = load(device, loaded, out_loaded);
    if (status != DIVVY_OK) {
        dv_cl_unload(device, loaded);
        *out_loaded = (divvy_loaded){0};
        return status;
    }
    loaded->next = device->kernels;
    device->kernels = loaded;
    out_loaded->kernel = loaded;
    return DIVVY_OK;
}

void dv_cl_unload(struct dv_cl_device *device, struct dv_cl_kernel *loaded)
{
    for (struct dv_cl_kernel **at = &device->kernels; *at; at = &(*at)->next)
        if (*at == loaded) {
            *at = loaded->next;
            break;
        }
    if (loaded->entry && !device->hung)
        clReleaseKernel(loaded->entry);
    if (loaded->program && !device->hung)
        clReleaseProgram(loaded->program);
    free(loaded);
}
