#include "rows.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOBODY = -1 };

/* One row's place in the job. */
struct row {
    int device;  /* index in the profile, or NOBODY */
    bool begins; /* a partition */
};

struct colour {
    const char *name;
    float channel[PICTURE_CHANNELS];
};
static const struct colour colours[] = {
    {"orange", {255, 140, 0}}, {"blue", {30, 110, 255}},   {"green", {40, 190, 60}}, {"pink", {255, 70, 160}},
    {"cyan", {0, 200, 210}},   {"yellow", {240, 220, 30}}, {"red", {220, 30, 30}},   {"violet", {150, 80, 230}},
};
enum { COLOURS = sizeof colours / sizeof *colours };

/* The file as a tree that the caller deletes, NULL if it is none. */
static cJSON *read_profile(const char *path)
{
    cJSON *tree = NULL;
    FILE *file = fopen(path, "rb");
    if (file && fseek(file, 0, SEEK_END) == 0) {
        long length = ftell(file);
        char *text = length > 0 ? malloc((size_t)length) : NULL;
        rewind(file);
        if (text && fread(text, 1, (size_t)length, file) == (size_t)length)
            tree = cJSON_ParseWithLength(text, (size_t)length);
        free(text);
    }
    if (file)
        fclose(file);
    if (!tree)
        fprintf(stderr, "%s: no profile\n", path);
    return tree;
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : -1.0;
}

/* Gives each row to the device whose partition of it was accepted. False with a message unless that is one each. */
static bool give_rows(const cJSON *job, struct row *rows, int height)
{
    for (int r = 0; r < height; r++)
        rows[r] = (struct row){.device = NOBODY};

    const cJSON *partition;
    cJSON_ArrayForEach (partition, cJSON_GetObjectItemCaseSensitive(job, "partitions")) {
        const char *outcome = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(partition, "outcome"));
        if (!outcome || strcmp(outcome, "accepted") != 0)
            continue;
        int device = (int)number(partition, "device");
        double first = number(partition, "first"), end = first + number(partition, "count");
        if (device < 0 || first < 0 || end > height) {
            fputs("the profile has a partition that lies outside of the picture\n", stderr);
            return false;
        }
        for (int r = (int)first; r < (int)end; r++) {
            if (rows[r].device != NOBODY) {
                fprintf(stderr, "the profile says that row %d was computed twice\n", r);
                return false;
            }
            rows[r] = (struct row){.device = device, .begins = r == (int)first};
        }
    }
    for (int r = 0; r < height; r++)
        if (rows[r].device == NOBODY) {
            fprintf(stderr, "the profile does not say who computed row %d\n", r);
            return false;
        }
    return true;
}

/* Half the picture in gray, half the colour; all colour in the bar. */
static void tint_row(float *values, int width, const struct colour *colour, bool dark)
{
    int bar = width / 40 + 1;
    for (int x = 0; x < width; x++, values += PICTURE_CHANNELS) {
        float gray = 0.30f * values[0] + 0.59f * values[1] + 0.11f * values[2];
        for (int c = 0; c < PICTURE_CHANNELS; c++) {
            float tinted = x < bar ? colour->channel[c] : 0.55f * gray + 0.45f * colour->channel[c];
            values[c] = dark ? 0.5f * tinted : tinted;
        }
    }
}

static void tint(struct picture *picture, const struct row *rows)
{
    for (int r = 0; r < picture->height; r++)
        tint_row(picture->values + (size_t)r * picture_row(picture), picture->width, &colours[rows[r].device % COLOURS],
                 rows[r].begins);
}

/* One line for each device that computed a row. */
static void print_colours(const cJSON *devices, const struct row *rows, int height)
{
    int index = 0;
    const cJSON *device;
    cJSON_ArrayForEach (device, devices) {
        int own = 0;
        for (int r = 0; r < height; r++)
            own += rows[r].device == index;
        const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(device, "id"));
        if (own > 0)
            printf("  %-8s %5d rows in %s\n", id ? id : "?", own, colours[index % COLOURS].name);
        index++;
    }
}

bool rows_tint(struct picture *picture, const char *path)
{
    cJSON *profile = read_profile(path);
    struct row *rows = calloc((size_t)picture->height, sizeof *rows);
    const cJSON *jobs = cJSON_GetObjectItemCaseSensitive(profile, "jobs");
    const cJSON *last = cJSON_GetArrayItem(jobs, cJSON_GetArraySize(jobs) - 1);

    bool good = profile && rows && give_rows(last, rows, picture->height);
    if (good) {
        tint(picture, rows);
        print_colours(cJSON_GetObjectItemCaseSensitive(profile, "devices"), rows, picture->height);
    }
    free(rows);
    cJSON_Delete(profile);
    return good;
}
