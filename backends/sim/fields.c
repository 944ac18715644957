#include "fields.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* ---- Mistakes --------------------------------------------------------------------------------- */

/* Appends what fits. */
__attribute__((format(printf, 2, 3))) static void append(struct reader *reader, const char *format, ...)
{
    size_t used = strlen(reader->error);
    va_list values;
    va_start(values, format);
    vsnprintf(reader->error + used, reader->error_bytes - used, format, values);
    va_end(values);
}

static void append_place(struct reader *reader, const struct place *place)
{
    if (!place)
        return;
    append_place(reader, place->outer);
    if (place->name)
        append(reader, "%s%s", place->outer ? "." : "", place->name);
    else
        append(reader, "[%zu]", place->index);
}

bool fields_fail(struct reader *reader, const struct place *place, const char *format, ...)
{
    if (reader->error_bytes == 0 || *reader->error)
        return false;
    append_place(reader, place);
    append(reader, "%s", place ? ": " : "");
    size_t used = strlen(reader->error);
    va_list values;
    va_start(values, format);
    vsnprintf(reader->error + used, reader->error_bytes - used, format, values);
    va_end(values);
    return false;
}

/* What of a text out of a file may be shown: its beginning, on one line. */
struct shown {
    char text[36];
};

static struct shown show(const char *text)
{
    struct shown shown = {""};
    size_t length = 0;
    for (; text[length] && length < sizeof shown.text - 4; length++)
        shown.text[length] = text[length] >= ' ' && text[length] <= '~' ? text[length] : '?';
    if (text[length])
        memcpy(shown.text + length, "...", 4);
    return shown;
}

static bool fail_words(struct reader *reader, const struct place *place, const cJSON *json, const char *const *words)
{
    bool first = !*reader->error;
    if (cJSON_IsString(json))
        fields_fail(reader, place, "\"%s\" is not one of ", show(json->valuestring).text);
    else
        fields_fail(reader, place, "must be one of ");
    for (unsigned word = 0; first && words[word]; word++)
        append(reader, "%s%s", word ? ", " : "", words[word]);
    return false;
}

static bool fail_unknown(struct reader *reader, const struct place *place, const char *name, const struct field *table)
{
    bool first = !*reader->error;
    fields_fail(reader, place, "there is no field \"%s\"; there are ", show(name).text);
    for (const struct field *field = table; first && field->name; field++)
        append(reader, "%s%s", field == table ? "" : ", ", field->name);
    return false;
}

/* ---- Values ----------------------------------------------------------------------------------- */

/* Comparisons are such that what is not a number fails. */
static bool read_number(struct reader *reader, const struct place *place, const cJSON *json, const struct field *field,
                        double *out)
{
    if (!cJSON_IsNumber(json))
        return fields_fail(reader, place, "must be a number");
    double number = json->valuedouble;
    if (!(number >= field->low && number <= field->high))
        return fields_fail(reader, place, "%.17g is not between %.17g and %.17g", number, field->low, field->high);
    if (field->form != FIELD_NUMBER && number != floor(number))
        return fields_fail(reader, place, "%.17g is not a whole number", number);
    *out = number;
    return true;
}

static bool read_name(struct reader *reader, const struct place *place, const cJSON *json, const struct field *field,
                      char *out)
{
    if (!cJSON_IsString(json))
        return fields_fail(reader, place, "must be a text");
    size_t length = strlen(json->valuestring);
    if (length < 1 || length > (size_t)field->high)
        return fields_fail(reader, place, "must have 1 to %.0f letters, not %zu", field->high, length);
    for (size_t k = 0; k < length; k++)
        if (json->valuestring[k] < ' ' || json->valuestring[k] > '~')
            return fields_fail(reader, place, "must have printable letters of ASCII only");
    memcpy(out, json->valuestring, length + 1);
    return true;
}

static bool read_word(struct reader *reader, const struct place *place, const cJSON *json, const char *const *words,
                      void *out)
{
    for (unsigned word = 0; cJSON_IsString(json) && words[word]; word++) {
        if (strcmp(words[word], json->valuestring) == 0) {
            memcpy(out, &word, sizeof word); /* an enum, whose type is the compiler's choice, but as large */
            return true;
        }
    }
    return fail_words(reader, place, json, words);
}

static bool read_flag(struct reader *reader, const struct place *place, const cJSON *json, int *out)
{
    if (!cJSON_IsBool(json))
        return fields_fail(reader, place, "must be true or false");
    *out = cJSON_IsTrue(json);
    return true;
}

bool fields_read_one(struct reader *reader, const struct place *place, const cJSON *json, const struct field *field,
                     void *out)
{
    double number = 0;
    switch (field->form) {
    case FIELD_NUMBER:
        return read_number(reader, place, json, field, out);
    case FIELD_WHOLE:
        if (!read_number(reader, place, json, field, &number))
            return false;
        *(uint64_t *)out = (uint64_t)number;
        return true;
    case FIELD_SIZE:
        if (!read_number(reader, place, json, field, &number))
            return false;
        *(size_t *)out = (size_t)number;
        return true;
    case FIELD_COUNT:
        if (!read_number(reader, place, json, field, &number))
            return false;
        *(unsigned *)out = (unsigned)number;
        return true;
    case FIELD_FLAG:
        return read_flag(reader, place, json, out);
    case FIELD_NAME:
        return read_name(reader, place, json, field, out);
    case FIELD_WORD:
        return read_word(reader, place, json, field->words, out);
    case FIELD_OBJECT:
        return fields_read(reader, place, json, field->within, out);
    case FIELD_BY:
        return field->read(reader, place, json, out);
    }
    return false;
}

/* ---- Objects ---------------------------------------------------------------------------------- */

static bool is_comment(const char *name)
{
    return *name == '_' || strncmp(name, "note", 4) == 0;
}

static const struct field *find(const struct field *table, const char *name)
{
    for (const struct field *field = table; field->name; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

bool fields_read(struct reader *reader, const struct place *place, const cJSON *json, const struct field *table,
                 void *out)
{
    if (!cJSON_IsObject(json))
        return fields_fail(reader, place, "must be an object {...}");
    uint64_t seen = 0; /* a table has fewer than 64 fields */
    const cJSON *member;
    cJSON_ArrayForEach (member, json) {
        if (is_comment(member->string))
            continue;
        const struct field *field = find(table, member->string);
        if (!field)
            return fail_unknown(reader, place, member->string, table);
        struct place at = {.outer = place, .name = field->name};
        uint64_t bit = UINT64_C(1) << (field - table);
        if (seen & bit)
            return fields_fail(reader, &at, "it is given twice");
        seen |= bit;
        if (!fields_read_one(reader, &at, member, field, (char *)out + field->at))
            return false;
    }
    return true;
}

size_t fields_list_length(struct reader *reader, const struct place *place, const cJSON *json, size_t most)
{
    size_t length = 0;
    const cJSON *element;
    if (cJSON_IsArray(json))
        cJSON_ArrayForEach (element, json)
            length++;
    if (length >= 1 && length <= most)
        return length;
    fields_fail(reader, place, "must be a list of 1 to %zu", most);
    return 0;
}
