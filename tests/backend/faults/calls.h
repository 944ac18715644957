/* Every OpenCL function that the opencl backend calls, and how it can fail beside by a code. */
#ifndef FAULTS_CALLS_H
#define FAULTS_CALLS_H

enum { FAULTS_HAS_EVENT = 1, FAULTS_HAS_TIMES = 2, FAULTS_HAS_ANSWER = 4 };

#define FAULTS_CALLS_MAP(X)                                          \
    X(clGetPlatformIDs, FAULTS_HAS_ANSWER)                           \
    X(clGetPlatformInfo, FAULTS_HAS_ANSWER)                          \
    X(clGetDeviceIDs, FAULTS_HAS_ANSWER)                             \
    X(clGetDeviceInfo, FAULTS_HAS_ANSWER)                            \
    X(clCreateSubDevices, 0)                                         \
    X(clReleaseDevice, 0)                                            \
    X(clCreateContext, 0)                                            \
    X(clReleaseContext, 0)                                           \
    X(clCreateCommandQueue, 0)                                       \
    X(clReleaseCommandQueue, 0)                                      \
    X(clCreateBuffer, 0)                                             \
    X(clReleaseMemObject, 0)                                         \
    X(clCreateProgramWithSource, 0)                                  \
    X(clCreateProgramWithBinary, FAULTS_HAS_ANSWER)                  \
    X(clBuildProgram, 0)                                             \
    X(clGetProgramInfo, FAULTS_HAS_ANSWER)                           \
    X(clGetProgramBuildInfo, FAULTS_HAS_ANSWER)                      \
    X(clRetainProgram, 0)                                            \
    X(clReleaseProgram, 0)                                           \
    X(clCreateKernel, 0)                                             \
    X(clGetKernelInfo, FAULTS_HAS_ANSWER)                            \
    X(clGetKernelWorkGroupInfo, FAULTS_HAS_ANSWER)                   \
    X(clSetKernelArg, 0)                                             \
    X(clReleaseKernel, 0)                                            \
    X(clEnqueueWriteBuffer, FAULTS_HAS_EVENT)                        \
    X(clEnqueueReadBuffer, FAULTS_HAS_EVENT)                         \
    X(clEnqueueMapBuffer, FAULTS_HAS_EVENT)                          \
    X(clEnqueueUnmapMemObject, FAULTS_HAS_EVENT)                     \
    X(clEnqueueNDRangeKernel, FAULTS_HAS_EVENT)                      \
    X(clFlush, 0)                                                    \
    X(clFinish, 0)                                                   \
    X(clWaitForEvents, 0)                                            \
    X(clGetEventInfo, FAULTS_HAS_ANSWER)                             \
    X(clGetEventProfilingInfo, FAULTS_HAS_TIMES | FAULTS_HAS_ANSWER) \
    X(clRetainEvent, 0)                                              \
    X(clReleaseEvent, 0)

#endif
