/* How a kernel is written: once, for C and for OpenCL C.
 *
 *     #include <divvy/kernel.h>
 *
 *     DIVVY_KERNEL(saxpy, (value, float, a), (in, float, x), (inout, float, y))
 *     {
 *         DIVVY_FOR (i)
 *             y[i] = a * x[i] + y[i];
 *     }
 *
 * Equal in effect to a loop over [0, count) around the body of DIVVY_FOR, in any order.
 *
 * Parameters, each (kind, type, name) or with what follows; extents are expressions of the kernel's own
 * values and of DIVVY_TOTAL:
 *
 *     (value, float, a)                     the same scalar or small struct for every index
 *     (in, float, x)                        element i belongs to index i; out and inout likewise
 *     (in, float, A, cols)                  one row of cols elements per index: A[i * cols + k]
 *     (all, float, table, entries)          every index may read all of it
 *     (halo, float, src, width, radius)     rows of width elements; index i may read the rows
 *                                           i - radius ... i + radius that lie within [0, DIVVY_TOTAL)
 *     (sum, float, total)                   one result for the job, and so min and max: the kernel
 *                                           writes total[DIVVY_LANE] += ..., inside DIVVY_FOR
 *
 * Sums of integers, and minima and maxima of them, are the same in every run. In which order floating-point numbers are
 * added depends on where the job was cut, and so does which of two equal zeros, or of a NaN and a number, a comparison
 * meets first; also, where a compiler's vectors end, their functions may differ from the scalar ones in the last bits. A
 * job that is run with `.reproducible` is computed in fixed blocks and folded in a fixed order: then the kernel is called
 * once for each block, and DIVVY_FIRST and DIVVY_COUNT are the block's.
 *
 * Reserved in every kernel: DIVVY_LANE, DIVVY_TOTAL (the job's count), DIVVY_FIRST and DIVVY_COUNT (this
 * partition's), DIVVY_RUN. DIVVY_FOR takes `continue`; no `break`, `return` or `goto` out of it. Arrays may
 * overlap only if none of them is written. A kernel sees no memory but its parameters.
 * What stands outside DIVVY_FOR may run more than once for a partition.
 *
 * Where an index does a constant number of things side by side, in small local arrays,
 *
 *     DIVVY_FOR_LANES (l, 64)
 *         part[l] += row[k + l] * x[k + l];
 *
 * is for (int l = 0; l < 64; l++) with the promise that its turns do not depend on each other: OpenCL's
 * compilers make vectors of that which they would not make otherwise. DIVVY_RUN is about how many indices one
 * thread takes in a pass of DIVVY_FOR: DIVVY_COUNT on cores, and the constant 1 on devices where each index has
 * a thread of its own. It tells whether to prepare before the loop what indices share.
 *
 * The language is what C17 and OpenCL C 1.2 share: <tgmath.h> makes sqrt(x) mean the same in both;
 * size_t, bool and pointers are no types of values; helper functions are `static inline`, with
 * DIVVY_GLOBAL before the type of a pointer into an array; float2, float4 and so on have members, no
 * operators. Names of OpenCL built-in functions (dot, mix, step) are taken.
 *
 * A file of kernels is included by the programs that call them: that declares `struct NAME_args` and
 * `NAME_kernel` and lets the compiler check the body. divvy_add_kernels() in CMake, or `divvy compile`
 * without it, builds the body once per instruction-set level and embeds the OpenCL text.
 *
 * Functions that call any C code are host kernels and run on cores only. They need no build of their
 * own: DIVVY_HOST_KERNEL defines the kernel where it stands. They have one more kind, a result per
 * partition, zero at first, folded in index order:
 *
 *     static void merge(struct stats *into, const struct stats *from);
 *
 *     DIVVY_HOST_KERNEL(count_words, (in, char, text), (result, struct stats, s, merge))
 *     {
 *         DIVVY_FOR (i)
 *             s->letters += isalpha(text[i]) != 0;
 *     }
 *
 * and may fail: divvy_fail(DIVVY_IO, "no such file").
 *
 * In C++17 all of this is the same, but for the call. Arguments stand in the order of the parameters, since names for
 * them came with C++20, where they keep that order too; or they go into the struct, whose members begin as zero:
 *
 *     divvy_run(dv, saxpy, n, 2.0f, x, y);
 *
 *     saxpy_args args;
 *     args.a = 2.0f;
 *     args.x = x;
 *     args.y = y;
 *     args.with.partition = 4096;
 *     divvy_run_kernel(dv, &saxpy_kernel, n, &args, sizeof args);
 *
 * The build of a file of kernels is one of C. A file whose bodies C++ refuses is included by a C file, which makes the
 * call. No exception may leave a host kernel. */
#ifndef DIVVY_KERNEL_H
#define DIVVY_KERNEL_H

/* ---- Macros that both languages share: a list of up to 16 parameters ---------------------------- */

/* DIVVY__EACH(F, x, p0, p1, ...) is F(x, 0, p0) F(x, 1, p1) ... */
#define DIVVY__EACH(F, x, ...)                                                                                         \
    DIVVY__PICK(__VA_ARGS__, DIVVY__EACH16, DIVVY__EACH15, DIVVY__EACH14, DIVVY__EACH13, DIVVY__EACH12, DIVVY__EACH11, \
                DIVVY__EACH10, DIVVY__EACH9, DIVVY__EACH8, DIVVY__EACH7, DIVVY__EACH6, DIVVY__EACH5, DIVVY__EACH4,     \
                DIVVY__EACH3, DIVVY__EACH2, DIVVY__EACH1, ~)                                                           \
    (F, x, __VA_ARGS__)
#define DIVVY__PICK(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, picked, ...) picked
#define DIVVY__EACH1(F, x, a) F(x, 0, a)
#define DIVVY__EACH2(F, x, a, b) DIVVY__EACH1(F, x, a) F(x, 1, b)
#define DIVVY__EACH3(F, x, a, b, c) DIVVY__EACH2(F, x, a, b) F(x, 2, c)
#define DIVVY__EACH4(F, x, a, b, c, d) DIVVY__EACH3(F, x, a, b, c) F(x, 3, d)
#define DIVVY__EACH5(F, x, a, b, c, d, e) DIVVY__EACH4(F, x, a, b, c, d) F(x, 4, e)
#define DIVVY__EACH6(F, x, a, b, c, d, e, f) DIVVY__EACH5(F, x, a, b, c, d, e) F(x, 5, f)
#define DIVVY__EACH7(F, x, a, b, c, d, e, f, g) DIVVY__EACH6(F, x, a, b, c, d, e, f) F(x, 6, g)
#define DIVVY__EACH8(F, x, a, b, c, d, e, f, g, h) DIVVY__EACH7(F, x, a, b, c, d, e, f, g) F(x, 7, h)
#define DIVVY__EACH9(F, x, a, b, c, d, e, f, g, h, i) DIVVY__EACH8(F, x, a, b, c, d, e, f, g, h) F(x, 8, i)
#define DIVVY__EACH10(F, x, a, b, c, d, e, f, g, h, i, j) DIVVY__EACH9(F, x, a, b, c, d, e, f, g, h, i) F(x, 9, j)
#define DIVVY__EACH11(F, x, a, b, c, d, e, f, g, h, i, j, k) \
    DIVVY__EACH10(F, x, a, b, c, d, e, f, g, h, i, j) F(x, 10, k)
#define DIVVY__EACH12(F, x, a, b, c, d, e, f, g, h, i, j, k, l) \
    DIVVY__EACH11(F, x, a, b, c, d, e, f, g, h, i, j, k) F(x, 11, l)
#define DIVVY__EACH13(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m) \
    DIVVY__EACH12(F, x, a, b, c, d, e, f, g, h, i, j, k, l) F(x, 12, m)
#define DIVVY__EACH14(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m, n) \
    DIVVY__EACH13(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m) F(x, 13, n)
#define DIVVY__EACH15(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o) \
    DIVVY__EACH14(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m, n) F(x, 14, o)
#define DIVVY__EACH16(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
    DIVVY__EACH15(F, x, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o) F(x, 15, p)

/* DIVVY__CALL(F, x, k, (kind, type, name, ...)) is F_kind(x, k, type, name, ..., ~). */
#define DIVVY__CALL(F, x, k, parameter) DIVVY__CALL1(F, x, k, DIVVY__OPEN parameter, ~)
#define DIVVY__OPEN(...) __VA_ARGS__
#define DIVVY__CALL1(F, x, k, ...) DIVVY__CALL2(F, x, k, __VA_ARGS__)
#define DIVVY__CALL2(F, x, k, kind, ...) F##kind(x, k, __VA_ARGS__)

#define DIVVY_FIRST divvy__first
#define DIVVY_COUNT divvy__count
#define DIVVY_TOTAL divvy__total

#if defined(__OPENCL_VERSION__)
/* ---- OpenCL C 1.2 ------------------------------------------------------------------------------
 *
 * This half is expanded by the host's preprocessor when a kernel file is built, since OpenCL C 1.2 has
 * no variadic macros. Four macros stay as they are, and the backend defines them in front of the text, as suits the
 * device it builds for:
 *
 *     DIVVY__LOOP(i, first, count)   the head of a loop in which this work-item meets its part of the indices
 *     DIVVY__SLOT                    the lane of that loop's turn
 *     DIVVY__LANES(l, lanes)         the head of a loop over lanes that do not depend on each other
 *     DIVVY__RUN(count)              about how many indices this work-item meets
 *
 * An entry called with count 0 does nothing at all, and looks at no argument. */

#define DIVVY_GLOBAL __global

#define DIVVY_KERNEL(name, ...)                                                                                  \
    void name##_body(DIVVY__EACH(DIVVY__BODY, ~, __VA_ARGS__) ulong divvy__first, ulong divvy__count,            \
                     ulong divvy__total);                                                                        \
    __kernel void name##_entry(DIVVY__EACH(DIVVY__ENTRY, ~, __VA_ARGS__) ulong divvy__first, ulong divvy__count, \
                               ulong divvy__total)                                                               \
    {                                                                                                            \
        if (divvy__count > 0)                                                                                    \
            name##_body(DIVVY__EACH(DIVVY__PASS, ~, __VA_ARGS__) divvy__first, divvy__count, divvy__total);      \
    }                                                                                                            \
    void name##_body(DIVVY__EACH(DIVVY__BODY, ~, __VA_ARGS__) ulong divvy__first, ulong divvy__count,            \
                     ulong divvy__total)

#define DIVVY_FOR(i) DIVVY__LOOP(i, divvy__first, divvy__count)
#define DIVVY_LANE DIVVY__SLOT
#define DIVVY_FOR_LANES(l, lanes) DIVVY__LANES(l, lanes)
#define DIVVY_RUN DIVVY__RUN(divvy__count)

#define DIVVY__BODY(x, k, p) DIVVY__CALL(DIVVY__BODY_, x, k, p)
#define DIVVY__BODY_value(x, k, type, name, ...) type name,
#define DIVVY__BODY_in(x, k, type, name, ...) __global type const *restrict name,
#define DIVVY__BODY_out(x, k, type, name, ...) __global type *restrict name,
#define DIVVY__BODY_inout DIVVY__BODY_out
#define DIVVY__BODY_all DIVVY__BODY_in
#define DIVVY__BODY_halo DIVVY__BODY_in
#define DIVVY__BODY_sum DIVVY__BODY_out
#define DIVVY__BODY_min DIVVY__BODY_out
#define DIVVY__BODY_max DIVVY__BODY_out

/* Arrays that hold a part of the whole come with the index of their first element. */
#define DIVVY__ENTRY(x, k, p) DIVVY__CALL(DIVVY__ENTRY_, x, k, p)
#define DIVVY__ENTRY_value(x, k, type, name, ...) type name,
#define DIVVY__ENTRY_in(x, k, type, name, ...) __global type const *restrict name, ulong divvy__base_##name,
#define DIVVY__ENTRY_out(x, k, type, name, ...) __global type *restrict name, ulong divvy__base_##name,
#define DIVVY__ENTRY_inout DIVVY__ENTRY_out
#define DIVVY__ENTRY_all(x, k, type, name, ...) __global type const *restrict name,
#define DIVVY__ENTRY_halo DIVVY__ENTRY_in
#define DIVVY__ENTRY_sum(x, k, type, name, ...) __global type *restrict name,
#define DIVVY__ENTRY_min DIVVY__ENTRY_sum
#define DIVVY__ENTRY_max DIVVY__ENTRY_sum

/* The shift is done on integers, since a pointer may not leave its array. */
#define DIVVY__PASS(x, k, p) DIVVY__CALL(DIVVY__PASS_, x, k, p)
#define DIVVY__PASS_value(x, k, type, name, ...) name,
#define DIVVY__PASS_in(x, k, type, name, ...) \
    (__global type const *)((uintptr_t)name - (uintptr_t)(divvy__base_##name * sizeof(type))),
#define DIVVY__PASS_out(x, k, type, name, ...) \
    (__global type *)((uintptr_t)name - (uintptr_t)(divvy__base_##name * sizeof(type))),
#define DIVVY__PASS_inout DIVVY__PASS_out
#define DIVVY__PASS_all(x, k, type, name, ...) name,
#define DIVVY__PASS_halo DIVVY__PASS_in
#define DIVVY__PASS_sum(x, k, type, name, ...) name,
#define DIVVY__PASS_min DIVVY__PASS_sum
#define DIVVY__PASS_max DIVVY__PASS_sum

typedef char int8_t;
typedef uchar uint8_t;
typedef short int16_t;
typedef ushort uint16_t;
typedef int int32_t;
typedef uint uint32_t;
typedef long int64_t;
typedef ulong uint64_t;

#else
/* ---- C ----------------------------------------------------------------------------------------- */

#include <divvy/descriptor.h>

#define DIVVY_GLOBAL
#define DIVVY__UNUSED __attribute__((unused))
#define DIVVY__HIDDEN __attribute__((visibility("hidden")))

#ifdef __cplusplus
#include <math.h> /* not <cmath>: sqrt(x) of a float is one of floats only if it was overloaded here */
#define DIVVY__RESTRICT __restrict
#define DIVVY__LINKAGE extern "C"
#define DIVVY__ZERO = {}
#else
#define DIVVY__RESTRICT restrict
#define DIVVY__LINKAGE extern
#define DIVVY__ZERO
#ifdef I
#include <tgmath.h>
#else /* <complex.h>, which comes with <tgmath.h>, takes the name I from programs that did not ask */
#include <tgmath.h>
#undef I
#endif
#endif

#include <divvy/math.h>

/* The names that OpenCL C has for these. A program with types of its own of these names says
 * DIVVY_NO_OPENCL_TYPES first. */
#ifndef DIVVY_NO_OPENCL_TYPES
typedef unsigned char uchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
#define DIVVY__VECTORS(type)                              \
    typedef struct {                                      \
        type x, y;                                        \
    } __attribute__((aligned(2 * sizeof(type)))) type##2; \
    typedef struct {                                      \
        type x, y, z, w;                                  \
    } __attribute__((aligned(4 * sizeof(type)))) type##4;
DIVVY__VECTORS(float)
DIVVY__VECTORS(double)
DIVVY__VECTORS(int)
DIVVY__VECTORS(uint)
DIVVY__VECTORS(uchar)
#undef DIVVY__VECTORS
#endif

/* Folds go by blocks of DIVVY_LANES indices, one lane each, which compilers turn into vectors; without
 * folds there is one block. divvy__shape is never read: the size of what it points to tells, at compile
 * time, how many folds the kernel has. divvy__whole is a constant as well: of whole blocks, the lanes stay in
 * registers. */
#define DIVVY_FOR(i)                                                                                               \
    for (size_t divvy__block = divvy__from,                                                                        \
                divvy__step = sizeof *divvy__shape > 1 ? (size_t)DIVVY_LANES : divvy__to - divvy__from;            \
         divvy__block < divvy__to; divvy__block += divvy__step)                                                    \
        for (size_t i = divvy__block, divvy__lane DIVVY__UNUSED = 0,                                               \
                    divvy__stop = divvy__to - divvy__block < divvy__step ? divvy__to : divvy__block + divvy__step; \
             divvy__whole ? divvy__lane < DIVVY_LANES : i < divvy__stop; i++, divvy__lane++)
#define DIVVY_LANE divvy__lane
#define DIVVY_FOR_LANES(l, lanes) for (int l = 0; l < (lanes); l++)
#define DIVVY_RUN divvy__count

/* A table of the kernel. __extension__, since before C++20 designated initialisers are one. */
#define DIVVY__CONSTANT __extension__ static const

/* A kernel in a file of kernels. The build of the file asks for one form per instruction-set level
 * (DIVVY__LEVEL) and for the table; everybody else gets the declarations, and the body to be checked. */
#if defined(DIVVY__LEVEL)
#define DIVVY_KERNEL(name, ...)                                                                                      \
    extern divvy_body DIVVY__LEVEL_ENTRY(name, DIVVY__LEVEL) DIVVY__HIDDEN;                                          \
    static inline __attribute__((always_inline)) void DIVVY__HEAD(name##_body, __VA_ARGS__);                         \
    DIVVY__LOOP(name##_blocks, name##_body, 1, __VA_ARGS__)                                                          \
    DIVVY__LOOP(name##_rest, name##_body, 0, __VA_ARGS__)                                                            \
    DIVVY__FORM(void DIVVY__LEVEL_ENTRY(name, DIVVY__LEVEL), name##_blocks, name##_rest, DIVVY__FOLDED(__VA_ARGS__), \
                __VA_ARGS__)                                                                                         \
    static inline __attribute__((always_inline)) void DIVVY__HEAD(name##_body, __VA_ARGS__)
#elif defined(DIVVY__TABLE)
#define DIVVY_KERNEL(name, ...)                                                               \
    DIVVY__ARGS(name, __VA_ARGS__)                                                            \
    DIVVY__LEVELS(DIVVY__DECLARE_FORM, name)                                                  \
    static const divvy_form name##_forms[] = {DIVVY__LEVELS(DIVVY__FORM_ROW, name)};          \
    DIVVY__PARAMETERS(name, __VA_ARGS__)                                                      \
    extern const divvy_kernel name##_kernel DIVVY__HIDDEN;                                    \
    const divvy_kernel name##_kernel =                                                        \
        DIVVY__DESCRIPTOR(name, DIVVY__TABLE_FLAGS, divvy__source, sizeof divvy__source - 1); \
    static inline DIVVY__UNUSED void DIVVY__HEAD(name##_body, __VA_ARGS__)
#else
#define DIVVY_KERNEL(name, ...)                                    \
    DIVVY__ARGS(name, __VA_ARGS__)                                 \
    DIVVY__LINKAGE const divvy_kernel name##_kernel DIVVY__HIDDEN; \
    static inline DIVVY__UNUSED void DIVVY__HEAD(name##_body, __VA_ARGS__)
#endif

/* A host kernel is all of it at once. */
#define DIVVY_HOST_KERNEL(name, ...)                                                                                \
    DIVVY__ARGS(name, __VA_ARGS__)                                                                                  \
    static divvy_body name##_form;                                                                                  \
    static const divvy_form name##_forms[] = {{"host", name##_form}};                                               \
    DIVVY__PARAMETERS(name, __VA_ARGS__)                                                                            \
    DIVVY__CONSTANT divvy_kernel name##_kernel DIVVY__UNUSED = DIVVY__DESCRIPTOR(name, DIVVY_KERNEL_HOST, NULL, 0); \
    static void DIVVY__HEAD(name##_body, __VA_ARGS__);                                                              \
    DIVVY__FORM(static void name##_form, name##_body, name##_body, 0, __VA_ARGS__)                                  \
    static __attribute__((noinline)) void DIVVY__HEAD(name##_body, __VA_ARGS__)

/* The argument struct. */
#define DIVVY__ARGS(name, ...)                     \
    struct name##_args {                           \
        DIVVY__EACH(DIVVY__MEMBER, ~, __VA_ARGS__) \
        divvy_call_options with DIVVY__ZERO;       \
    };
#define DIVVY__MEMBER(x, k, p) DIVVY__CALL(DIVVY__MEMBER_, x, k, p)
#define DIVVY__MEMBER_value(x, k, type, name, ...) type name DIVVY__ZERO;
#define DIVVY__MEMBER_in(x, k, type, name, ...) type const *name DIVVY__ZERO;
#define DIVVY__MEMBER_out(x, k, type, name, ...) type *name DIVVY__ZERO;
#define DIVVY__MEMBER_inout DIVVY__MEMBER_out
#define DIVVY__MEMBER_all DIVVY__MEMBER_in
#define DIVVY__MEMBER_halo DIVVY__MEMBER_in
#define DIVVY__MEMBER_sum DIVVY__MEMBER_out
#define DIVVY__MEMBER_min DIVVY__MEMBER_out
#define DIVVY__MEMBER_max DIVVY__MEMBER_out
#define DIVVY__MEMBER_result DIVVY__MEMBER_out

/* The head of a function that holds the body, for the indices divvy__from to divvy__to of a partition. */
#define DIVVY__HEAD(function, ...)                                                                                   \
    function(DIVVY__EACH(DIVVY__BODY, ~, __VA_ARGS__) size_t divvy__first DIVVY__UNUSED,                             \
             size_t divvy__count DIVVY__UNUSED, size_t divvy__total DIVVY__UNUSED, size_t divvy__from DIVVY__UNUSED, \
             size_t divvy__to DIVVY__UNUSED, int divvy__whole DIVVY__UNUSED,                                         \
             const char(*divvy__shape)[1 DIVVY__EACH(DIVVY__FOLDS, ~, __VA_ARGS__)] DIVVY__UNUSED)
#define DIVVY__BODY(x, k, p) DIVVY__CALL(DIVVY__BODY_, x, k, p)
#define DIVVY__BODY_value(x, k, type, name, ...) type name DIVVY__UNUSED,
#define DIVVY__BODY_in(x, k, type, name, ...) type const *DIVVY__RESTRICT name DIVVY__UNUSED,
#define DIVVY__BODY_out(x, k, type, name, ...) type *DIVVY__RESTRICT name DIVVY__UNUSED,
#define DIVVY__BODY_inout DIVVY__BODY_out
#define DIVVY__BODY_all DIVVY__BODY_in
#define DIVVY__BODY_halo DIVVY__BODY_in
#define DIVVY__BODY_sum DIVVY__BODY_out
#define DIVVY__BODY_min DIVVY__BODY_out
#define DIVVY__BODY_max DIVVY__BODY_out
#define DIVVY__BODY_result DIVVY__BODY_out
#define DIVVY__FOLDED(...) (sizeof(char[1 DIVVY__EACH(DIVVY__FOLDS, ~, __VA_ARGS__)]) > 1)
#define DIVVY__FOLDS(x, k, p) DIVVY__CALL(DIVVY__FOLDS_, x, k, p)
#define DIVVY__FOLDS_value(...)
#define DIVVY__FOLDS_in(...)
#define DIVVY__FOLDS_out(...)
#define DIVVY__FOLDS_inout(...)
#define DIVVY__FOLDS_all(...)
#define DIVVY__FOLDS_halo(...)
#define DIVVY__FOLDS_sum(...) +1
#define DIVVY__FOLDS_min(...) +1
#define DIVVY__FOLDS_max(...) +1
#define DIVVY__FOLDS_result(...)

/* The body with divvy__whole a constant, and with its promises of `restrict`, which inlining loses. */
#define DIVVY__LOOP(function, body, whole, ...)                                                              \
    static __attribute__((noinline)) void DIVVY__HEAD(function, __VA_ARGS__)                                 \
    {                                                                                                        \
        body(DIVVY__EACH(DIVVY__NAME, ~, __VA_ARGS__) divvy__first, divvy__count, divvy__total, divvy__from, \
             divvy__to, whole, divvy__shape);                                                                \
    }
#define DIVVY__NAME(x, k, p) DIVVY__CALL(DIVVY__NAME_, x, k, p)
#define DIVVY__NAME_value(x, k, type, name, ...) name,
#define DIVVY__NAME_in DIVVY__NAME_value
#define DIVVY__NAME_out DIVVY__NAME_value
#define DIVVY__NAME_inout DIVVY__NAME_value
#define DIVVY__NAME_all DIVVY__NAME_value
#define DIVVY__NAME_halo DIVVY__NAME_value
#define DIVVY__NAME_sum DIVVY__NAME_value
#define DIVVY__NAME_min DIVVY__NAME_value
#define DIVVY__NAME_max DIVVY__NAME_value

/* The function that takes slices: `blocks` does what is whole blocks of lanes, `rest` the rest. */
#define DIVVY__FORM(entry, blocks, rest, folded, ...)                                                               \
    entry(const divvy_slice *divvy__slices, size_t divvy__first, size_t divvy__count, size_t divvy__total)          \
    {                                                                                                               \
        size_t divvy__middle = divvy__first + ((folded) ? divvy__count - divvy__count % DIVVY_LANES : 0);           \
        size_t divvy__end = divvy__first + divvy__count;                                                            \
        if (divvy__first < divvy__middle)                                                                           \
            blocks(DIVVY__EACH(DIVVY__PASS, ~, __VA_ARGS__) divvy__first, divvy__count, divvy__total, divvy__first, \
                   divvy__middle, 1, 0);                                                                            \
        if (divvy__middle < divvy__end)                                                                             \
            rest(DIVVY__EACH(DIVVY__PASS, ~, __VA_ARGS__) divvy__first, divvy__count, divvy__total, divvy__middle,  \
                 divvy__end, 0, 0);                                                                                 \
    }
#define DIVVY__PASS(x, k, p) DIVVY__CALL(DIVVY__PASS_, x, k, p)
#define DIVVY__PASS_value(x, k, type, ...) *(type const *)divvy__slices[k].data,
#define DIVVY__PASS_in(x, k, type, ...) (type const *)DIVVY__ORIGIN(k, type),
#define DIVVY__PASS_out(x, k, type, ...) (type *)DIVVY__ORIGIN(k, type),
#define DIVVY__PASS_inout DIVVY__PASS_out
#define DIVVY__PASS_all DIVVY__PASS_in
#define DIVVY__PASS_halo DIVVY__PASS_in
#define DIVVY__PASS_sum DIVVY__PASS_out
#define DIVVY__PASS_min DIVVY__PASS_out
#define DIVVY__PASS_max DIVVY__PASS_out
#define DIVVY__PASS_result DIVVY__PASS_out
/* Where element 0 of the whole array would stand: an integer, since a pointer may not leave its array. */
#define DIVVY__ORIGIN(k, type) ((uintptr_t)divvy__slices[k].data - divvy__slices[k].base * sizeof(type))

/* What the runtime must know of the parameters. */
#define DIVVY__PARAMETERS(name, ...)                                                                     \
    DIVVY__EACH(DIVVY__MERGE, name, __VA_ARGS__)                                                         \
    static void name##_extents(const void *divvy__memory, size_t divvy__total DIVVY__UNUSED,             \
                               divvy_extent *divvy__extents)                                             \
    {                                                                                                    \
        const struct name##_args *divvy__args DIVVY__UNUSED = (const struct name##_args *)divvy__memory; \
        DIVVY__EACH(DIVVY__LOCAL, ~, __VA_ARGS__)                                                        \
        DIVVY__EACH(DIVVY__EXTENT, ~, __VA_ARGS__)                                                       \
    }                                                                                                    \
    DIVVY__CONSTANT divvy_parameter name##_parameters[] = {DIVVY__EACH(DIVVY__ROW, name, __VA_ARGS__)};

#define DIVVY__MERGE(x, k, p) DIVVY__CALL(DIVVY__MERGE_, x, k, p)
#define DIVVY__MERGE_value(...)
#define DIVVY__MERGE_in(...)
#define DIVVY__MERGE_out(...)
#define DIVVY__MERGE_inout(...)
#define DIVVY__MERGE_all(...)
#define DIVVY__MERGE_halo(...)
#define DIVVY__MERGE_sum(...)
#define DIVVY__MERGE_min(...)
#define DIVVY__MERGE_max(...)
#define DIVVY__MERGE_result(x, k, type, name, merge, ...)                    \
    static void x##_merge_##name(void *divvy__into, const void *divvy__from) \
    {                                                                        \
        type *divvy__a = (type *)divvy__into;                                \
        type const *divvy__b = (type const *)divvy__from;                    \
        merge(divvy__a, divvy__b);                                           \
    }

/* Values by their names, for the expressions of extents. */
#define DIVVY__LOCAL(x, k, p) DIVVY__CALL(DIVVY__LOCAL_, x, k, p)
#define DIVVY__LOCAL_value(x, k, type, name, ...) type name DIVVY__UNUSED = divvy__args->name;
#define DIVVY__LOCAL_in(...)
#define DIVVY__LOCAL_out(...)
#define DIVVY__LOCAL_inout(...)
#define DIVVY__LOCAL_all(...)
#define DIVVY__LOCAL_halo(...)
#define DIVVY__LOCAL_sum(...)
#define DIVVY__LOCAL_min(...)
#define DIVVY__LOCAL_max(...)
#define DIVVY__LOCAL_result(...)

#define DIVVY__EXTENT(x, k, p) DIVVY__CALL(DIVVY__EXTENT_, x, k, p)
#define DIVVY__SET_EXTENT(k, n, r) divvy__extents[k].elements = (size_t)(n), divvy__extents[k].radius = (size_t)(r);
#define DIVVY__EXTENT_value(x, k, type, name, ...) DIVVY__SET_EXTENT(k, 0, 0)
#define DIVVY__EXTENT_in(x, k, type, name, ...) DIVVY__SET_EXTENT(k, DIVVY__OR_1(__VA_ARGS__), 0)
#define DIVVY__EXTENT_out DIVVY__EXTENT_in
#define DIVVY__EXTENT_inout DIVVY__EXTENT_in
#define DIVVY__EXTENT_all(x, k, type, name, extent, ...) DIVVY__SET_EXTENT(k, extent, 0)
#define DIVVY__EXTENT_halo(x, k, type, name, extent, radius, ...) DIVVY__SET_EXTENT(k, extent, radius)
#define DIVVY__EXTENT_sum DIVVY__EXTENT_value
#define DIVVY__EXTENT_min DIVVY__EXTENT_value
#define DIVVY__EXTENT_max DIVVY__EXTENT_value
#define DIVVY__EXTENT_result DIVVY__EXTENT_value
/* The extent in (extent, ~), 1 in (~). */
#define DIVVY__OR_1(...) DIVVY__OR_1_(__VA_ARGS__, DIVVY__GIVEN, DIVVY__ABSENT, ~)(__VA_ARGS__)
#define DIVVY__OR_1_(a, b, picked, ...) picked
#define DIVVY__GIVEN(extent, ...) extent
#define DIVVY__ABSENT(...) 1

#define DIVVY__ROW(x, k, p) DIVVY__CALL(DIVVY__ROW_, x, k, p)
#define DIVVY__SET_ROW(x, kind_, type, name_, element_, merge_) \
    {.name = #name_,                                            \
     .kind = DIVVY_KIND_##kind_,                                \
     .element = element_,                                       \
     .element_bytes = sizeof(type),                             \
     .offset = offsetof(struct x##_args, name_),                \
     .merge = merge_},
#define DIVVY__ROW_value(x, k, type, name, ...) DIVVY__SET_ROW(x, value, type, name, DIVVY_ELEMENT_OTHER, NULL)
#define DIVVY__ROW_in(x, k, type, name, ...) DIVVY__SET_ROW(x, in, type, name, DIVVY_ELEMENT_OTHER, NULL)
#define DIVVY__ROW_out(x, k, type, name, ...) DIVVY__SET_ROW(x, out, type, name, DIVVY_ELEMENT_OTHER, NULL)
#define DIVVY__ROW_inout(x, k, type, name, ...) DIVVY__SET_ROW(x, inout, type, name, DIVVY_ELEMENT_OTHER, NULL)
#define DIVVY__ROW_all(x, k, type, name, ...) DIVVY__SET_ROW(x, all, type, name, DIVVY_ELEMENT_OTHER, NULL)
#define DIVVY__ROW_halo(x, k, type, name, ...) DIVVY__SET_ROW(x, halo, type, name, DIVVY_ELEMENT_OTHER, NULL)
#define DIVVY__ROW_sum(x, k, type, name, ...) DIVVY__SET_ROW(x, sum, type, name, DIVVY__ELEMENT_OF(type), NULL)
#define DIVVY__ROW_min(x, k, type, name, ...) DIVVY__SET_ROW(x, min, type, name, DIVVY__ELEMENT_OF(type), NULL)
#define DIVVY__ROW_max(x, k, type, name, ...) DIVVY__SET_ROW(x, max, type, name, DIVVY__ELEMENT_OF(type), NULL)
#define DIVVY__ROW_result(x, k, type, name, ...) \
    DIVVY__SET_ROW(x, result, type, name, DIVVY_ELEMENT_OTHER, x##_merge_##name)

/* The element of a fold; another type does not compile. */
#ifdef __cplusplus
#define DIVVY__ELEMENT(type, element)                    \
    constexpr divvy_element divvy__element(const type *) \
    {                                                    \
        return element;                                  \
    }
DIVVY__ELEMENT(float, DIVVY_ELEMENT_FLOAT)
DIVVY__ELEMENT(double, DIVVY_ELEMENT_DOUBLE)
DIVVY__ELEMENT(int, DIVVY_ELEMENT_INT)
DIVVY__ELEMENT(unsigned, DIVVY_ELEMENT_UINT)
DIVVY__ELEMENT(long, sizeof(long) == 8 ? DIVVY_ELEMENT_LONG : DIVVY_ELEMENT_INT)
DIVVY__ELEMENT(unsigned long, sizeof(long) == 8 ? DIVVY_ELEMENT_ULONG : DIVVY_ELEMENT_UINT)
DIVVY__ELEMENT(long long, DIVVY_ELEMENT_LONG)
DIVVY__ELEMENT(unsigned long long, DIVVY_ELEMENT_ULONG)
#undef DIVVY__ELEMENT
#define DIVVY__ELEMENT_OF(type) divvy__element((type *)0)
#else
#define DIVVY__ELEMENT_OF(type) \
    _Generic((type *)0, float *: DIVVY_ELEMENT_FLOAT, double *: DIVVY_ELEMENT_DOUBLE,                    \
             int *: DIVVY_ELEMENT_INT, unsigned *: DIVVY_ELEMENT_UINT,                                   \
             long *: sizeof(long) == 8 ? DIVVY_ELEMENT_LONG : DIVVY_ELEMENT_INT,                         \
             unsigned long *: sizeof(long) == 8 ? DIVVY_ELEMENT_ULONG : DIVVY_ELEMENT_UINT,              \
             long long *: DIVVY_ELEMENT_LONG, unsigned long long *: DIVVY_ELEMENT_ULONG)
#endif

#define DIVVY__DESCRIPTOR(name_, flags_, source_, source_bytes_)                                                     \
    {                                                                                                                \
        .size = sizeof(divvy_kernel), .abi = DIVVY_KERNEL_ABI, .name = #name_, .flags = (flags_),                    \
        .parameter_count = sizeof name_##_parameters / sizeof *name_##_parameters, .parameters = name_##_parameters, \
        .args_size = sizeof(struct name_##_args), .with_offset = offsetof(struct name_##_args, with),                \
        .extents = name_##_extents, .forms = name_##_forms,                                                          \
        .form_count = sizeof name_##_forms / sizeof *name_##_forms, .source = (source_),                             \
        .source_bytes = (source_bytes_),                                                                             \
    }

/* The levels that a kernel is built for: DIVVY__LEVELS(F, name) is F(name, level, "its name") for each.
 * `divvy compile` builds the same ones. */
#if defined(__x86_64__)
#define DIVVY__LEVELS(F, name) F(name, x86_64, "x86-64") F(name, x86_64_v3, "x86-64-v3") F(name, x86_64_v4, "x86-64-v4")
#else
#define DIVVY__LEVELS(F, name) F(name, baseline, "baseline")
#endif
#define DIVVY__DECLARE_FORM(name, level, text) extern divvy_body name##_form_##level DIVVY__HIDDEN;
#define DIVVY__FORM_ROW(name, level, text) {text, name##_form_##level},
#define DIVVY__LEVEL_ENTRY(name, level) DIVVY__LEVEL_ENTRY_(name, level)
#define DIVVY__LEVEL_ENTRY_(name, level) name##_form_##level

#endif
#endif
