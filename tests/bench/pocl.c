/* Plain OpenCL on PoCL with all cores: one launch over the caller's own arrays. See processes.h.
 *
 *     bench_pocl POCL-DEVICE KERNEL COUNT CORES */
#define CL_TARGET_OPENCL_VERSION 120
#include "answer.h"

#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cl_context context;
static cl_command_queue queue;
static cl_kernel kernel;
static cl_mem buffers[DIVVY_PARAMETERS_MAX];
static size_t item_count;

static void require(cl_int status, const char *what)
{
    if (status != CL_SUCCESS)
        fprintf(stderr, "PoCL: %s: %d\n", what, status);
    if (status != CL_SUCCESS)
        exit(1);
}

/* False: there is no PoCL. */
static bool open_device(const struct answer_kernel *how)
{
    cl_platform_id platform;
    cl_device_id device;
    cl_int status;
    if (clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_CPU, 1, &device, NULL) != CL_SUCCESS)
        return false;
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &status);
    require(status, "clCreateContext");
    queue = clCreateCommandQueue(context, device, 0, &status);
    require(status, "clCreateCommandQueue");
    char *text = answer_text();
    const char *line = text;
    cl_program program = clCreateProgramWithSource(context, 1, &line, NULL, &status);
    require(status, "clCreateProgramWithSource");
    require(clBuildProgram(program, 1, &device, how->options, NULL, NULL), "clBuildProgram");
    kernel = clCreateKernel(program, how->name, &status);
    require(status, "clCreateKernel");
    free(text);
    return true;
}

static void make_buffers(struct work *work)
{
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++) {
        cl_int status;
        if (work->kind->kernel->parameters[p].kind == DIVVY_KIND_value)
            continue;
        buffers[p] = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR,
                                    work_array_bytes(work, p, work->count), work_array(work, p), &status);
        require(status, "clCreateBuffer");
    }
}

static void set_arguments(const struct work *work)
{
    const divvy_kernel *of = work->kind->kernel;
    cl_ulong first = 0, total = work->count;
    for (unsigned p = 0; p < of->parameter_count; p++)
        if (of->parameters[p].kind == DIVVY_KIND_value)
            require(clSetKernelArg(kernel, p, of->parameters[p].element_bytes,
                                   (const char *)work->args + of->parameters[p].offset),
                    "clSetKernelArg");
        else
            require(clSetKernelArg(kernel, p, sizeof buffers[p], &buffers[p]), "clSetKernelArg");
    require(clSetKernelArg(kernel, of->parameter_count, sizeof first, &first), "clSetKernelArg");
    require(clSetKernelArg(kernel, of->parameter_count + 1, sizeof total, &total), "clSetKernelArg");
}

/* Mapping is what makes results the caller's; PoCL has nothing to copy for it. */
static void run(struct answer *answer)
{
    const struct work *work = &answer->work;
    set_arguments(work);
    require(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &item_count, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
    for (unsigned p = 0; p < work->kind->kernel->parameter_count; p++) {
        cl_int status;
        if (!divvy_kind_is_written(work->kind->kernel->parameters[p].kind))
            continue;
        void *mapped = clEnqueueMapBuffer(queue, buffers[p], CL_FALSE, CL_MAP_READ, 0,
                                          work_array_bytes(work, p, work->count), 0, NULL, NULL, &status);
        require(status, "clEnqueueMapBuffer");
        require(clEnqueueUnmapMemObject(queue, buffers[p], mapped, 0, NULL, NULL), "clEnqueueUnmapMemObject");
    }
    require(clFinish(queue), "clFinish");
}

int main(int argc, char **argv)
{
    const struct answer_kernel *how = argc == 5 ? answer_kernel(argv[2]) : NULL;
    if (!how)
        return argc == 5 ? 77 : 2;
    setenv("POCL_DEVICES", argv[1], 1);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 1);
    setenv("POCL_MAX_PTHREAD_COUNT", argv[4], 1);
    struct answer answer = {.run = run, .warm_calls = 1};
    if (!open_device(how))
        return 77;
    work_make(&answer.work, work_kind(argv[2]), strtoul(argv[3], NULL, 10), 0);
    item_count = answer.work.count * how->items / how->indices;
    make_buffers(&answer.work);
    return answer_serve(&answer);
}
