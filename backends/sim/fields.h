/* Reading objects of JSON into structs by tables of their fields. What is not in the table, given twice, of another
 * kind or out of range is refused with one line that names the place; what is not given stays as it was. */
#ifndef FIELDS_H
#define FIELDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

/* Where the first mistake is told. */
struct reader {
    char *error;
    size_t error_bytes;
};

/* Where in the text something stands: "devices[2].noise". */
struct place {
    const struct place *outer; /* NULL: the text itself */
    const char *name;          /* of a field; NULL: an element of a list */
    size_t index;
};

/* One field. `at` is the offset of what it fills, which has the type that is said here. */
struct field {
    const char *name; /* NULL ends a table */
    enum field_form {
        FIELD_NUMBER, /* double */
        FIELD_WHOLE,  /* uint64_t */
        FIELD_SIZE,   /* size_t */
        FIELD_COUNT,  /* unsigned */
        FIELD_FLAG,   /* int: 0 or 1 */
        FIELD_NAME,   /* char[high + 1]; printable, not empty */
        FIELD_WORD,   /* enum: which of `words` */
        FIELD_OBJECT, /* a struct, by the table `within` */
        FIELD_BY,     /* anything, by the function `read` */
    } form;
    size_t at;
    double low, high;         /* of numbers, inclusive */
    const char *const *words; /* ends with NULL */
    const struct field *within;
    bool (*read)(struct reader *reader, const struct place *place, const cJSON *json, void *out);
};

/* Rows of a table: `type` is the struct that the table fills. */
#define FIELD_ROW(label, type, member, kind, ...)                                  \
    {                                                                              \
        .name = (label), .form = (kind), .at = offsetof(type, member), __VA_ARGS__ \
    }
#define FIELD_NUMBER_ROW(label, type, member, least, most) \
    FIELD_ROW(label, type, member, FIELD_NUMBER, .low = (least), .high = (most))
#define FIELD_WORD_ROW(label, type, member, choices) FIELD_ROW(label, type, member, FIELD_WORD, .words = (choices))

/* Rows whose tables or functions fill the same struct as the table that they stand in. */
#define FIELD_OBJECT_ROW(label, table)                           \
    {                                                            \
        .name = (label), .form = FIELD_OBJECT, .within = (table) \
    }
#define FIELD_BY_ROW(label, function)                         \
    {                                                         \
        .name = (label), .form = FIELD_BY, .read = (function) \
    }

/* The largest whole number that a double, which is what JSON has, holds exactly. */
#define FIELD_WHOLE_MAX 9007199254740992.0

/* How many elements a list has; 0, and told, if it is none or its length is not from 1 to `most`. */
size_t fields_list_length(struct reader *reader, const struct place *place, const cJSON *json, size_t most);

/* Tells a mistake, if it is the first; false. */
bool fields_fail(struct reader *reader, const struct place *place, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Fills the struct at `out` from an object. Fields whose names begin with "_" or "note" are comments. */
bool fields_read(struct reader *reader, const struct place *place, const cJSON *json, const struct field *table,
                 void *out);

/* Reads one value as the field says. */
bool fields_read_one(struct reader *reader, const struct place *place, const cJSON *json, const struct field *field,
                     void *out);

#endif
