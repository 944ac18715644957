/* StarPU: all cores but one and PoCL's `basic` device on the last, the same kernels. See processes.h.
 *
 *     bench_starpu SCHEDULER KERNEL COUNT CORES
 *
 * A job is cut into parts as tasks; STARPU_BENCH_TASKS tells how many, 16 if it is not set. */
#define CL_TARGET_OPENCL_VERSION 120
#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <starpu.h>

static struct answer answer;
static const struct answer_kernel *how;
static struct starpu_opencl_program program;
static starpu_data_handle_t handles[DIVVY_PARAMETERS_MAX];
static unsigned buffer_count, buffer_parameter[DIVVY_PARAMETERS_MAX]; /* parameters that are arrays */
static unsigned tasks;
static divvy_body *body;

static const divvy_parameter *parameter(unsigned p)
{
    return &answer.work.kind->kernel->parameters[p];
}

/* The count of indices that lie in these buffers, which are parts of the whole. */
static size_t indices_of(void **buffers)
{
    for (unsigned b = 0; b < buffer_count; b++) {
        unsigned p = buffer_parameter[b];
        if (parameter(p)->kind != DIVVY_KIND_all)
            return STARPU_VECTOR_GET_NX(buffers[b]) / answer.work.extents[p].elements;
    }
    return 0;
}

static void run_on_core(void *buffers[], void *argument)
{
    divvy_slice slices[DIVVY_PARAMETERS_MAX];
    size_t first = (size_t)(uintptr_t)argument;
    for (unsigned p = 0, b = 0; p < answer.work.kind->kernel->parameter_count; p++) {
        if (parameter(p)->kind == DIVVY_KIND_value) {
            slices[p] = (divvy_slice){.data = (char *)answer.work.args + parameter(p)->offset,
                                      .bytes = parameter(p)->element_bytes};
            continue;
        }
        slices[p] =
            (divvy_slice){.data = (void *)STARPU_VECTOR_GET_PTR(buffers[b]),
                          .bytes = STARPU_VECTOR_GET_NX(buffers[b]) * STARPU_VECTOR_GET_ELEMSIZE(buffers[b]),
                          .base = parameter(p)->kind == DIVVY_KIND_all ? 0 : first * answer.work.extents[p].elements};
        b++;
    }
    body(slices, first, indices_of(buffers), answer.work.count);
}

static void run_on_device(void *buffers[], void *argument)
{
    cl_kernel kernel;
    cl_command_queue queue;
    cl_ulong first = (cl_ulong)(uintptr_t)argument, total = answer.work.count;
    unsigned parameters = answer.work.kind->kernel->parameter_count;
    size_t items = indices_of(buffers) * how->items / how->indices;
    int failed = starpu_opencl_load_kernel(&kernel, &queue, &program, how->name,
                                           starpu_worker_get_devid(starpu_worker_get_id()));
    for (unsigned p = 0, b = 0; p < parameters; p++) {
        if (parameter(p)->kind == DIVVY_KIND_value) {
            failed |= clSetKernelArg(kernel, p, parameter(p)->element_bytes,
                                     (const char *)answer.work.args + parameter(p)->offset);
            continue;
        }
        cl_mem buffer = (cl_mem)STARPU_VECTOR_GET_DEV_HANDLE(buffers[b++]);
        failed |= clSetKernelArg(kernel, p, sizeof buffer, &buffer);
    }
    failed |= clSetKernelArg(kernel, parameters, sizeof first, &first);
    failed |= clSetKernelArg(kernel, parameters + 1, sizeof total, &total);
    failed |= clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
    failed |= clFinish(queue);
    bench_require(!failed, "StarPU", how->name);
    starpu_opencl_release_kernel(kernel);
}

static struct starpu_perfmodel model = {.type = STARPU_HISTORY_BASED};
static struct starpu_codelet codelet = {.cpu_funcs = {run_on_core}, .opencl_funcs = {run_on_device}, .model = &model};

static enum starpu_data_access_mode mode_of(divvy_kind kind)
{
    return kind == DIVVY_KIND_out ? STARPU_W : kind == DIVVY_KIND_inout ? STARPU_RW : STARPU_R;
}

static void register_arrays(void)
{
    const struct work *work = &answer.work;
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++) {
        if (parameter(p)->kind == DIVVY_KIND_value)
            continue;
        starpu_vector_data_register(&handles[buffer_count], STARPU_MAIN_RAM, (uintptr_t)work_array(work, p),
                                    (uint32_t)(work_array_bytes(work, p, work->count) / parameter(p)->element_bytes),
                                    parameter(p)->element_bytes);
        codelet.modes[buffer_count] = mode_of(parameter(p)->kind);
        buffer_parameter[buffer_count++] = p;
    }
    codelet.nbuffers = (int)buffer_count;
}

static bool is_cut(unsigned b)
{
    return parameter(buffer_parameter[b])->kind != DIVVY_KIND_all;
}

/* Arrays are the application's before and after: what devices have of them is stale. */
static void run(struct answer *unused)
{
    (void)unused;
    struct starpu_data_filter filter = {.filter_func = starpu_vector_filter_block, .nchildren = tasks};
    for (unsigned b = 0; b < buffer_count; b++) {
        starpu_data_acquire(handles[b], STARPU_RW);
        starpu_data_release(handles[b]);
        if (is_cut(b))
            starpu_data_partition(handles[b], &filter);
    }
    for (unsigned t = 0; t < tasks; t++) {
        struct starpu_task *task = starpu_task_create();
        task->cl = &codelet;
        task->cl_arg = (void *)(uintptr_t)(answer.work.count / tasks * t);
        for (unsigned b = 0; b < buffer_count; b++)
            task->handles[b] = is_cut(b) ? starpu_data_get_sub_data(handles[b], 1, t) : handles[b];
        bench_require(starpu_task_submit(task) == 0, "StarPU", "starpu_task_submit");
    }
    starpu_task_wait_for_all();
    for (unsigned b = 0; b < buffer_count; b++)
        if (is_cut(b))
            starpu_data_unpartition(handles[b], STARPU_MAIN_RAM);
}

/* As many as were asked for, if each then has enough for a work-item of 16. */
static unsigned tasks_for(size_t count)
{
    const char *asked = getenv("STARPU_BENCH_TASKS");
    unsigned wanted = asked ? (unsigned)strtoul(asked, NULL, 10) : 16;
    while (wanted > 1 && (count % wanted != 0 || count / wanted % 16 != 0))
        wanted--;
    return wanted ? wanted : 1;
}

static void set_environment(const char *scheduler, const char *core_count)
{
    char cores[12];
    snprintf(cores, sizeof cores, "%lu", strtoul(core_count, NULL, 10) - 1);
    setenv("STARPU_SCHED", scheduler, 1);
    setenv("STARPU_NCPU", cores, 1);
    setenv("STARPU_NOPENCL", "1", 1);
    setenv("STARPU_NCUDA", "0", 1);
    setenv("STARPU_OPENCL_ON_CPUS", "1", 1);
    setenv("STARPU_CALIBRATE", "1", 1);
    setenv("STARPU_SILENT", "1", 1);
    setenv("STARPU_HOME", STARPU_FOLDER, 0); /* its models */
    setenv("POCL_DEVICES", "basic", 1);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 1);
}

int main(int argc, char **argv)
{
    how = argc == 5 ? answer_kernel(argv[2]) : NULL;
    if (!how)
        return argc == 5 ? 77 : 2;
    set_environment(argv[1], argv[4]);
    /* dmda asks each kind of worker ten times before it trusts what it knows of it. */
    answer = (struct answer){.run = run, .warm_calls = strcmp(argv[1], "dmda") == 0 ? 4 : 1};
    model.symbol = how->name;
    body = work_form(work_kind(how->name), work_level());
    if (starpu_init(NULL) != 0 || starpu_opencl_worker_get_count() == 0)
        return 77;
    work_make(&answer.work, work_kind(how->name), strtoul(argv[3], NULL, 10), 0);
    tasks = tasks_for(answer.work.count);
    char *text = answer_text();
    bench_require(starpu_opencl_load_opencl_from_string(text, &program, how->options) == 0, "StarPU", how->name);
    free(text);
    register_arrays();
    int status = answer_serve(&answer);
    fflush(stdout);
    starpu_shutdown(); /* which keeps its models for the next time */
    return status;
}
