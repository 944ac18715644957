#include "layer.h"

#include <CL/cl_layer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cl_icd_dispatch *target; /* the drivers, or the next layer */

/* A build was made to fail: what its log is to say. */
static _Thread_local bool build_failed;
static const char build_log[] = "faults: the compiler was told to fail";

/* ---- Calls that give a code ---- */

/* As the driver answers, or the code. */
#define PLAIN(name, parameters, ...)                                  \
    static cl_int CL_API_CALL faulty_##name parameters                \
    {                                                                 \
        struct fault fault = faults_strike(FAULTS_##name, false);     \
        return fault.struck ? fault.code : target->name(__VA_ARGS__); \
    }

PLAIN(clSetKernelArg, (cl_kernel kernel, cl_uint index, size_t bytes, const void *value), kernel, index, bytes, value)
PLAIN(clFlush, (cl_command_queue queue), queue)

/* ---- Queries ---- */

static cl_int answer_nothing(size_t *out_bytes)
{
    if (out_bytes)
        *out_bytes = 0;
    return CL_SUCCESS;
}

#define QUERY(name, parameters, ...)                                                    \
    static cl_int CL_API_CALL faulty_##name parameters                                  \
    {                                                                                   \
        struct fault fault = faults_strike(FAULTS_##name, false);                       \
        if (fault.struck)                                                               \
            return fault.kind == FAULTS_SHORT ? answer_nothing(out_bytes) : fault.code; \
        return target->name(__VA_ARGS__);                                               \
    }

QUERY(clGetPlatformInfo, (cl_platform_id platform, cl_platform_info what, size_t bytes, void *value, size_t *out_bytes),
      platform, what, bytes, value, out_bytes)
QUERY(clGetDeviceInfo, (cl_device_id device, cl_device_info what, size_t bytes, void *value, size_t *out_bytes), device,
      what, bytes, value, out_bytes)
QUERY(clGetProgramInfo, (cl_program program, cl_program_info what, size_t bytes, void *value, size_t *out_bytes),
      program, what, bytes, value, out_bytes)
QUERY(clGetKernelInfo, (cl_kernel kernel, cl_kernel_info what, size_t bytes, void *value, size_t *out_bytes), kernel,
      what, bytes, value, out_bytes)
QUERY(clGetKernelWorkGroupInfo,
      (cl_kernel kernel, cl_device_id device, cl_kernel_work_group_info what, size_t bytes, void *value,
       size_t *out_bytes),
      kernel, device, what, bytes, value, out_bytes)

static cl_int CL_API_CALL faulty_clGetPlatformIDs(cl_uint room, cl_platform_id *ids, cl_uint *out_count)
{
    struct fault fault = faults_strike(FAULTS_clGetPlatformIDs, false);
    if (!fault.struck)
        return target->clGetPlatformIDs(room, ids, out_count);
    if (fault.kind == FAULTS_SHORT && out_count)
        *out_count = 0;
    return fault.kind == FAULTS_SHORT ? CL_SUCCESS : fault.code;
}

static cl_int CL_API_CALL faulty_clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint room,
                                                cl_device_id *ids, cl_uint *out_count)
{
    struct fault fault = faults_strike(FAULTS_clGetDeviceIDs, false);
    if (!fault.struck)
        return target->clGetDeviceIDs(platform, type, room, ids, out_count);
    if (fault.kind == FAULTS_SHORT && out_count)
        *out_count = 0;
    return fault.kind == FAULTS_SHORT ? CL_SUCCESS : fault.code;
}

static cl_int CL_API_CALL faulty_clGetProgramBuildInfo(cl_program program, cl_device_id device,
                                                       cl_program_build_info what, size_t bytes, void *value,
                                                       size_t *out_bytes)
{
    struct fault fault = faults_strike(FAULTS_clGetProgramBuildInfo, false);
    if (fault.struck)
        return fault.kind == FAULTS_SHORT ? answer_nothing(out_bytes) : fault.code;
    if (!build_failed || what != CL_PROGRAM_BUILD_LOG)
        return target->clGetProgramBuildInfo(program, device, what, bytes, value, out_bytes);
    if (out_bytes)
        *out_bytes = sizeof build_log;
    if (value && bytes < sizeof build_log)
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, build_log, sizeof build_log);
    return CL_SUCCESS;
}

/* ---- Objects that come and go ---- */

#define CREATE(name, type, object, parameters, ...)               \
    static type CL_API_CALL faulty_##name parameters              \
    {                                                             \
        cl_int code;                                              \
        struct fault fault = faults_strike(FAULTS_##name, false); \
        if (fault.struck) {                                       \
            if (out_code)                                         \
                *out_code = fault.code;                           \
            return NULL;                                          \
        }                                                         \
        type made = target->name(__VA_ARGS__, &code);             \
        if (out_code)                                             \
            *out_code = code;                                     \
        faults_hold(object, made != NULL);                        \
        return made;                                              \
    }

typedef void CL_CALLBACK context_listener(const char *, const void *, size_t, void *);
typedef void CL_CALLBACK program_listener(cl_program, void *);

CREATE(clCreateContext, cl_context, FAULTS_CONTEXT,
       (const cl_context_properties *properties, cl_uint count, const cl_device_id *devices, context_listener *listener,
        void *argument, cl_int *out_code),
       properties, count, devices, listener, argument)
CREATE(clCreateCommandQueue, cl_command_queue, FAULTS_QUEUE,
       (cl_context context, cl_device_id device, cl_command_queue_properties properties, cl_int *out_code), context,
       device, properties)
CREATE(clCreateBuffer, cl_mem, FAULTS_BUFFER,
       (cl_context context, cl_mem_flags flags, size_t bytes, void *host, cl_int *out_code), context, flags, bytes,
       host)
CREATE(clCreateProgramWithSource, cl_program, FAULTS_PROGRAM,
       (cl_context context, cl_uint count, const char **texts, const size_t *lengths, cl_int *out_code), context, count,
       texts, lengths)
CREATE(clCreateKernel, cl_kernel, FAULTS_KERNEL, (cl_program program, const char *name, cl_int *out_code), program,
       name)

static cl_program CL_API_CALL faulty_clCreateProgramWithBinary(cl_context context, cl_uint count,
                                                               const cl_device_id *devices, const size_t *lengths,
                                                               const unsigned char **binaries, cl_int *taken,
                                                               cl_int *out_code)
{
    cl_int code;
    struct fault fault = faults_strike(FAULTS_clCreateProgramWithBinary, false);
    bool half = fault.struck && fault.kind == FAULTS_SHORT;
    if (fault.struck && !half) {
        if (out_code)
            *out_code = fault.code;
        return NULL;
    }
    cl_program made = target->clCreateProgramWithBinary(context, count, devices, lengths, binaries, taken, &code);
    for (cl_uint k = 0; half && taken && k < count; k++)
        taken[k] = CL_INVALID_BINARY;
    if (out_code)
        *out_code = code;
    faults_hold(FAULTS_PROGRAM, made != NULL);
    return made;
}

static cl_int CL_API_CALL faulty_clCreateSubDevices(cl_device_id device, const cl_device_partition_property *properties,
                                                    cl_uint room, cl_device_id *devices, cl_uint *out_count)
{
    cl_uint count = 0;
    struct fault fault = faults_strike(FAULTS_clCreateSubDevices, false);
    if (fault.struck)
        return fault.code;
    cl_int code = target->clCreateSubDevices(device, properties, room, devices, &count);
    if (out_count)
        *out_count = count;
    if (code == CL_SUCCESS && devices)
        faults_hold(FAULTS_SUBDEVICE, count < room ? count : room);
    return code;
}

/* What is released is released, whatever is said of it. */
#define RELEASE(name, type, object)                               \
    static cl_int CL_API_CALL faulty_##name(type released)        \
    {                                                             \
        struct fault fault = faults_strike(FAULTS_##name, false); \
        cl_int code = target->name(released);                     \
        faults_hold(object, -(code == CL_SUCCESS));               \
        return fault.struck ? fault.code : code;                  \
    }

RELEASE(clReleaseDevice, cl_device_id, FAULTS_SUBDEVICE)
RELEASE(clReleaseContext, cl_context, FAULTS_CONTEXT)
RELEASE(clReleaseCommandQueue, cl_command_queue, FAULTS_QUEUE)
RELEASE(clReleaseMemObject, cl_mem, FAULTS_BUFFER)
RELEASE(clReleaseProgram, cl_program, FAULTS_PROGRAM)
RELEASE(clReleaseKernel, cl_kernel, FAULTS_KERNEL)

static cl_int CL_API_CALL faulty_clReleaseEvent(cl_event event)
{
    struct fault fault = faults_strike(FAULTS_clReleaseEvent, false);
    faults_note_release(event);
    cl_int code = target->clReleaseEvent(event);
    faults_hold(FAULTS_EVENTS, -(code == CL_SUCCESS));
    return fault.struck ? fault.code : code;
}

static cl_int CL_API_CALL faulty_clRetainEvent(cl_event event)
{
    struct fault fault = faults_strike(FAULTS_clRetainEvent, false);
    if (fault.struck)
        return fault.code;
    cl_int code = target->clRetainEvent(event);
    faults_note_retain(event);
    faults_hold(FAULTS_EVENTS, code == CL_SUCCESS);
    return code;
}

static cl_int CL_API_CALL faulty_clRetainProgram(cl_program program)
{
    struct fault fault = faults_strike(FAULTS_clRetainProgram, false);
    cl_int code = fault.struck ? fault.code : target->clRetainProgram(program);
    faults_hold(FAULTS_PROGRAM, code == CL_SUCCESS);
    return code;
}

static cl_int CL_API_CALL faulty_clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices,
                                                const char *options, program_listener *listener, void *argument)
{
    struct fault fault = faults_strike(FAULTS_clBuildProgram, false);
    build_failed = fault.struck;
    return fault.struck ? fault.code : target->clBuildProgram(program, count, devices, options, listener, argument);
}

/* ---- Commands ---- */

/* A command on its way to a queue. */
struct command {
    cl_int code;     /* it is refused */
    bool branded;    /* something else is queued in its stead ... */
    cl_int end_code; /* ... that ends like this; CL_SUBMITTED: never */
};

static struct command begin(enum faults_call call, cl_command_queue queue, cl_bool blocking, cl_uint wait_count,
                            const cl_event *waits, const cl_event *event)
{
    struct command command = {0};
    struct fault fault = faults_strike(call, event != NULL && !blocking);
    if (fault.struck && fault.kind == FAULTS_CODE) {
        command.code = fault.code;
    } else if ((fault.struck && fault.kind == FAULTS_HANG) || faults_hangs(queue, wait_count, waits)) {
        command.branded = !blocking;
        command.end_code = CL_SUBMITTED;
        if (blocking)
            faults_block();
    } else if (fault.struck) {
        command.branded = true;
        command.end_code = fault.code;
    }
    return command;
}

/* The command was queued, or something in its stead. */
static cl_int end(const struct command *command, cl_command_queue queue, cl_int code, cl_event *event)
{
    if (code == CL_SUCCESS && event) {
        faults_hold(FAULTS_EVENTS, 1);
        faults_note(*event, queue, command->branded ? command->end_code : CL_COMPLETE, faults_unsure());
    }
    return code;
}

/* Queues nothing useful, for the event. */
static cl_int stand_in(const struct command *command, cl_command_queue queue, cl_event *event)
{
    return end(command, queue, target->clEnqueueMarkerWithWaitList(queue, 0, NULL, event), event);
}

static cl_int CL_API_CALL faulty_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                                      size_t offset, size_t bytes, const void *data, cl_uint wait_count,
                                                      const cl_event *waits, cl_event *event)
{
    struct command command = begin(FAULTS_clEnqueueWriteBuffer, queue, blocking, wait_count, waits, event);
    if (command.code)
        return command.code;
    if (command.branded)
        return stand_in(&command, queue, event);
    return end(&command, queue,
               target->clEnqueueWriteBuffer(queue, buffer, blocking, offset, bytes, data, wait_count, waits, event),
               event);
}

/* A read that fails has spoilt what it was to fill, in its turn: commands before it may still need what is there. */
static cl_int CL_API_CALL faulty_clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                                     size_t offset, size_t bytes, void *data, cl_uint wait_count,
                                                     const cl_event *waits, cl_event *event)
{
    struct command command = begin(FAULTS_clEnqueueReadBuffer, queue, blocking, wait_count, waits, event);
    if (command.code)
        return command.code;
    if (command.branded) {
        (void)target->clFinish(queue);
        memset(data, 0xDB, bytes);
        return stand_in(&command, queue, event);
    }
    return end(&command, queue,
               target->clEnqueueReadBuffer(queue, buffer, blocking, offset, bytes, data, wait_count, waits, event),
               event);
}

static void *CL_API_CALL faulty_clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking,
                                                   cl_map_flags flags, size_t offset, size_t bytes, cl_uint wait_count,
                                                   const cl_event *waits, cl_event *event, cl_int *out_code)
{
    struct command command = begin(FAULTS_clEnqueueMapBuffer, queue, blocking, wait_count, waits, event);
    void *mapped = NULL;
    cl_int code = command.code;
    if (code == CL_SUCCESS) {
        mapped =
            target->clEnqueueMapBuffer(queue, buffer, blocking, flags, offset, bytes, wait_count, waits, event, &code);
        end(&command, queue, code, event);
    }
    if (out_code)
        *out_code = code;
    return mapped;
}

static cl_int CL_API_CALL faulty_clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem buffer, void *mapped,
                                                         cl_uint wait_count, const cl_event *waits, cl_event *event)
{
    struct command command = begin(FAULTS_clEnqueueUnmapMemObject, queue, CL_FALSE, wait_count, waits, event);
    if (command.code)
        return command.code;
    return end(&command, queue, target->clEnqueueUnmapMemObject(queue, buffer, mapped, wait_count, waits, event),
               event);
}

static cl_int CL_API_CALL faulty_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                                        const size_t *offset, const size_t *global, const size_t *local,
                                                        cl_uint wait_count, const cl_event *waits, cl_event *event)
{
    struct command command = begin(FAULTS_clEnqueueNDRangeKernel, queue, CL_FALSE, wait_count, waits, event);
    if (command.code)
        return command.code;
    if (command.branded)
        return stand_in(&command, queue, event);
    return end(
        &command, queue,
        target->clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, wait_count, waits, event),
        event);
}

/* ---- Waiting, and what events say ---- */

static cl_int CL_API_CALL faulty_clFinish(cl_command_queue queue)
{
    struct fault fault = faults_strike(FAULTS_clFinish, false);
    if (fault.struck)
        return fault.code;
    if (faults_hangs(queue, 0, NULL))
        faults_block();
    cl_int code = target->clFinish(queue);
    if (code == CL_SUCCESS)
        faults_note_finished(queue);
    return code;
}

static cl_int CL_API_CALL faulty_clWaitForEvents(cl_uint count, const cl_event *events)
{
    struct fault fault = faults_strike(FAULTS_clWaitForEvents, false);
    if (fault.struck)
        return fault.code;
    if (faults_hangs(NULL, count, events))
        faults_block();
    cl_int code = target->clWaitForEvents(count, events);
    return code == CL_SUCCESS ? faults_note_waited(count, events) : code;
}

static cl_int CL_API_CALL faulty_clGetEventInfo(cl_event event, cl_event_info what, size_t bytes, void *value,
                                                size_t *out_bytes)
{
    struct fault fault = faults_strike(FAULTS_clGetEventInfo, false);
    if (fault.struck)
        return fault.kind == FAULTS_SHORT ? answer_nothing(out_bytes) : fault.code;
    cl_int code = target->clGetEventInfo(event, what, bytes, value, out_bytes), state;
    if (code == CL_SUCCESS && what == CL_EVENT_COMMAND_EXECUTION_STATUS && value) {
        memcpy(&state, value, sizeof state);
        state = faults_state_of(event, state);
        memcpy(value, &state, sizeof state);
    }
    return code;
}

/* Moments of all sorts: never, the end of time, backwards, years apart. */
static cl_ulong nonsense(uint64_t number, cl_profiling_info what)
{
    switch (number % 6) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return what == CL_PROFILING_COMMAND_END ? 1 : UINT64_C(1) << 50;
    case 3:
        return what == CL_PROFILING_COMMAND_END ? UINT64_C(1) << 62 : 1;
    case 4:
        return 1;
    default:
        return (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    }
}

static cl_int CL_API_CALL faulty_clGetEventProfilingInfo(cl_event event, cl_profiling_info what, size_t bytes,
                                                         void *value, size_t *out_bytes)
{
    struct fault fault = faults_strike(FAULTS_clGetEventProfilingInfo, false);
    if (fault.struck && fault.kind == FAULTS_SHORT)
        return answer_nothing(out_bytes);
    if (fault.struck && fault.kind == FAULTS_TIMES && value && bytes == sizeof(cl_ulong)) {
        cl_ulong moment = nonsense(fault.number, what);
        memcpy(value, &moment, sizeof moment);
        return CL_SUCCESS;
    }
    if (fault.struck)
        return fault.code ? fault.code : CL_PROFILING_INFO_NOT_AVAILABLE;
    if (faults_is_strange(event))
        return CL_PROFILING_INFO_NOT_AVAILABLE;
    return target->clGetEventProfilingInfo(event, what, bytes, value, out_bytes);
}

/* ---- The layer's face ---- */

static cl_icd_dispatch faulty;

static void unknown_call(void)
{
    static const char text[] = "faults: the layer does not know a call that was made: see calls.h\n";
    fputs(text, stderr);
    puts(text); /* tests listen to the other */
    fflush(stdout);
    abort();
}

#define EXPORTED __attribute__((visibility("default")))

EXPORTED cl_int clGetLayerInfo(cl_layer_info what, size_t bytes, void *value, size_t *out_bytes)
{
    static const char name[] = "divvy's faults";
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
    bool named = what == CL_LAYER_NAME;
    size_t size = named ? sizeof name : sizeof version;
    if ((!named && what != CL_LAYER_API_VERSION) || (value && bytes < size))
        return CL_INVALID_VALUE;
    if (value)
        memcpy(value, named ? (const void *)name : &version, size);
    if (out_bytes)
        *out_bytes = size;
    return CL_SUCCESS;
}

EXPORTED cl_int clInitLayer(cl_uint count, const cl_icd_dispatch *drivers, cl_uint *out_count,
                            const cl_icd_dispatch **out_dispatch)
{
    if (count < sizeof faulty / sizeof(void *))
        return CL_INVALID_VALUE;
    target = drivers;
    void (**slots)(void) = (void (**)(void)) & faulty;
    for (size_t k = 0; k < sizeof faulty / sizeof *slots; k++)
        slots[k] = unknown_call;
#define PUT(name, can) faulty.name = faulty_##name;
    FAULTS_CALLS_MAP(PUT)
#undef PUT
    *out_count = sizeof faulty / sizeof(void *);
    *out_dispatch = &faulty;
    const char *text = getenv("OPENCL_FAULTS");
    if (text && !faults_plan(text))
        fprintf(stderr, "faults: OPENCL_FAULTS is not a plan: %s\n", text);
    return CL_SUCCESS;
}

extern const struct faults_layer faults_layer;
EXPORTED const struct faults_layer faults_layer = {
    .plan = faults_plan,
    .release = faults_release,
    .calls = faults_calls,
    .injected = faults_injected,
    .injected_in_all = faults_injected_in_all,
    .calls_in_all = faults_calls_in_all,
    .held = faults_held,
    .unseen = faults_unseen,
};
