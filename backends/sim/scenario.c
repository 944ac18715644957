#include "scenario.h"

#include "scenario_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The text --------------------------------------------------------------------------------- */

/* For the field that says which format this is, which was looked at before. */
static bool skip(struct reader *reader, const struct place *place, const cJSON *json, void *out)
{
    (void)reader, (void)place, (void)json, (void)out;
    return true;
}

static const struct field fields[] = {FIELD_BY_ROW("divvy_scenario", skip),
                                      FIELD_ROW("name", struct scenario, name, FIELD_NAME, .high = SCENARIO_NAME_MAX),
                                      FIELD_ROW("seed", struct scenario, seed, FIELD_WHOLE, .high = FIELD_WHOLE_MAX),
                                      FIELD_BY_ROW("devices", scenario_read_devices),
                                      FIELD_BY_ROW("kernels", scenario_read_kernels),
                                      {0}};

/* The format comes first: of another one nothing else would make sense. */
static bool read_format(struct reader *reader, const cJSON *json)
{
    const cJSON *format = cJSON_GetObjectItemCaseSensitive(json, "divvy_scenario");
    if (!cJSON_IsNumber(format))
        return fields_fail(reader, NULL, "this is no scenario: it has no number \"divvy_scenario\"");
    if (format->valuedouble != SCENARIO_FORMAT)
        return fields_fail(reader, NULL, "it is of format %.17g, known is format %d", format->valuedouble,
                           SCENARIO_FORMAT);
    return true;
}

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    for (; text < at; text++)
        line += *text == '\n';
    return line;
}

/* The text as a tree; the caller's to delete. */
static cJSON *parse(struct reader *reader, const char *text, size_t bytes)
{
    const char *end = text;
    if (bytes > SCENARIO_BYTES_MAX) {
        fields_fail(reader, NULL, "it is larger than %d MiB", SCENARIO_BYTES_MAX >> 20);
        return NULL;
    }
    cJSON *json = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    const char *rest = end;
    while (json && rest < text + bytes && strchr(" \t\r\n", *rest) && *rest)
        rest++;
    if (json && rest == text + bytes)
        return json;
    cJSON_Delete(json);
    fields_fail(reader, NULL, "line %zu: this is not JSON", line_of(text, rest < text + bytes ? rest : text + bytes));
    return NULL;
}

struct scenario *scenario_read(const char *text, size_t bytes, char *error, size_t error_bytes)
{
    struct reader reader = {.error = error, .error_bytes = error_bytes};
    if (error_bytes)
        *error = 0;
    cJSON *json = parse(&reader, text, bytes);
    if (!json)
        return NULL;
    struct scenario *scenario = calloc(1, sizeof *scenario);
    bool done = scenario && read_format(&reader, json) && fields_read(&reader, NULL, json, fields, scenario);
    cJSON_Delete(json);
    if (done)
        return scenario;
    if (!scenario)
        fields_fail(&reader, NULL, "there is no memory for it");
    scenario_free(scenario);
    return NULL;
}

/* ---- Files ------------------------------------------------------------------------------------ */

/* All of a file, and one byte more than is allowed if there is more; NULL if it cannot be read, with errno. */
static char *read_all(const char *path, size_t *out_bytes)
{
    FILE *file = fopen(path, "rbe");
    char *text = file ? malloc((size_t)SCENARIO_BYTES_MAX + 1) : NULL;
    if (text) {
        *out_bytes = fread(text, 1, (size_t)SCENARIO_BYTES_MAX + 1, file);
        if (ferror(file)) {
            int why = errno;
            free(text);
            text = NULL;
            errno = why;
        }
    }
    int why = errno;
    if (file)
        fclose(file);
    errno = why;
    return text;
}

struct scenario *scenario_read_file(const char *path, char *error, size_t error_bytes)
{
    size_t bytes = 0;
    char *text = read_all(path, &bytes);
    struct scenario *scenario = text ? scenario_read(text, bytes, error, error_bytes) : NULL;
    if (!text)
        snprintf(error, error_bytes, "%s", strerror(errno));
    free(text);
    return scenario;
}

/* ---- What was read ---------------------------------------------------------------------------- */

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (size_t k = 0; k < scenario->kernel_count; k++)
        free(scenario->kernels[k].cost.until);
    free(scenario->kernels);
    free(scenario->devices);
    free(scenario);
}

const struct scenario_kernel *scenario_kernel(const struct scenario *scenario, const char *name)
{
    const struct scenario_kernel *found = &scenario_plain_kernel;
    for (size_t k = 0; k < scenario->kernel_count; k++) {
        const struct scenario_kernel *kernel = &scenario->kernels[k];
        if (strcmp(kernel->name, name) == 0)
            return kernel;
        if (strcmp(kernel->name, "*") == 0)
            found = kernel;
    }
    return found;
}
