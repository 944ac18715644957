/* What a kernel is once it is built: the table that divvy/kernel.h writes and that the runtime and the
 * backends read. Kernel authors and users need not look here; plugin authors do.
 *
 * Everything here is constant after the program has been linked, and may be read by any thread. */
#ifndef DIVVY_DESCRIPTOR_H
#define DIVVY_DESCRIPTOR_H

#include <divvy.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the structs below. A runtime refuses kernels of another version. */
#define DIVVY_KERNEL_ABI 1

/* Slots in which the C form of a kernel collects a fold. */
#define DIVVY_LANES 64

/* The largest number of parameters of one kernel. */
#define DIVVY_PARAMETERS_MAX 16

/* What a parameter is, in the words of DIVVY_KERNEL. */
typedef enum divvy_kind {
    DIVVY_KIND_value, /* the same scalar or small struct for every index */
    DIVVY_KIND_in,    /* read, `extent` elements per index */
    DIVVY_KIND_out,   /* written, `extent` elements per index */
    DIVVY_KIND_inout, /* both */
    DIVVY_KIND_all,   /* read, `extent` elements in all, by every partition */
    DIVVY_KIND_halo,  /* read, rows of `extent` elements, `radius` rows beyond the partition too */
    DIVVY_KIND_sum,   /* one result for the job, collected in lanes */
    DIVVY_KIND_min,
    DIVVY_KIND_max,
    DIVVY_KIND_result, /* one result per partition, merged in index order; host kernels only */
} divvy_kind;

/* Whether a parameter is collected in lanes: one result for the job. */
static inline bool divvy_kind_is_fold(divvy_kind kind)
{
    return kind == DIVVY_KIND_sum || kind == DIVVY_KIND_min || kind == DIVVY_KIND_max;
}

/* Whether a kernel writes what the caller passed: outputs, folds and results. */
static inline bool divvy_kind_is_written(divvy_kind kind)
{
    return kind == DIVVY_KIND_out || kind == DIVVY_KIND_inout || kind == DIVVY_KIND_result || divvy_kind_is_fold(kind);
}

/* The element types that folds know. */
typedef enum divvy_element {
    DIVVY_ELEMENT_OTHER,
    DIVVY_ELEMENT_FLOAT,
    DIVVY_ELEMENT_DOUBLE,
    DIVVY_ELEMENT_INT,   /* signed, 32 bits */
    DIVVY_ELEMENT_UINT,  /* unsigned, 32 bits */
    DIVVY_ELEMENT_LONG,  /* signed, 64 bits */
    DIVVY_ELEMENT_ULONG, /* unsigned, 64 bits */
} divvy_element;

/* One parameter. */
typedef struct divvy_parameter {
    const char *name;
    divvy_kind kind;
    divvy_element element;
    size_t element_bytes;                        /* of one element; of the whole for value and result */
    size_t offset;                               /* of its member in the argument struct */
    void (*merge)(void *into, const void *from); /* result: folds `from`, the later range, into `into` */
} divvy_parameter;

/* How many elements a parameter has: per index for in, out, inout and halo, in all for all, else 0. */
typedef struct divvy_extent {
    size_t elements;
    size_t radius; /* halo: neighbouring rows on each side */
} divvy_extent;

/* One argument of one partition. */
typedef struct divvy_slice {
    void *data;         /* first byte of the part that the partition may touch; of a value: the value itself;
                     of a fold, for a backend: its divvy_partial; for the C form: its lanes */
    size_t bytes;       /* length of that part */
    size_t base;        /* which element of the whole array stands at data; 0 for value, all and folds */
    const void *result; /* set by the finish of a staged device for out and inout: `bytes` bytes of results,
                           valid until the next start on that device. NULL: they are in `data` already */
} divvy_slice;

/* The sum, minimum or maximum of one partition: floats and doubles in f, signed in i, unsigned in u. */
typedef union divvy_partial {
    double f;
    int64_t i;
    uint64_t u;
} divvy_partial;

/* The C form of a kernel: runs the indices [first, first + count) of a job of `total` indices. Slices
 * stand in the order of the parameters. Any thread; several at once on ranges that do not overlap. */
typedef void divvy_body(const divvy_slice *slices, size_t first, size_t count, size_t total);

/* The C form built for one instruction-set level: "x86-64", "x86-64-v3", "x86-64-v4", "armv8". */
typedef struct divvy_form {
    const char *level;
    divvy_body *body;
} divvy_form;

enum {
    DIVVY_KERNEL_HOST = 1 << 0,      /* calls any C code: cores only, no source */
    DIVVY_KERNEL_FAST_MATH = 1 << 1, /* built with fast math: part of its identity */
};

struct divvy_kernel {
    uint32_t size; /* sizeof(divvy_kernel) where it was built */
    uint32_t abi;  /* DIVVY_KERNEL_ABI there */
    const char *name;
    uint32_t flags;
    uint32_t parameter_count;
    const divvy_parameter *parameters;
    size_t args_size;   /* of the argument struct */
    size_t with_offset; /* of its member `with` */
    /* Fills one extent per parameter from an argument struct. */
    void (*extents)(const void *args, size_t total, divvy_extent *out_extents);
    const divvy_form *forms; /* the plainest level first; at least one */
    size_t form_count;
    const char *source;  /* OpenCL C 1.2, ready to build; NULL for host kernels. The entry is NAME_entry */
    size_t source_bytes; /* without the final zero */
};

#ifdef __cplusplus
}
#endif
#endif
