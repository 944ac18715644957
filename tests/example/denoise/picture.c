#include "picture.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* after stdio.h, which it needs and does not include */

size_t picture_row(const struct picture *picture)
{
    return (size_t)picture->width * PICTURE_CHANNELS;
}

size_t picture_size(const struct picture *picture)
{
    return (size_t)picture->height * picture_row(picture);
}

bool picture_init(struct picture *picture, int width, int height)
{
    *picture = (struct picture){.width = width, .height = height};
    picture->values = calloc(picture_size(picture), sizeof *picture->values);
    if (!picture->values)
        fprintf(stderr, "no memory for a picture of %d x %d\n", width, height);
    return picture->values;
}

void picture_fini(struct picture *picture)
{
    free(picture->values);
    picture->values = NULL;
}

static void widen(const unsigned char *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
}

static void round_off(const float *from, unsigned char *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (unsigned char)(fminf(fmaxf(from[i], 0.0f), 255.0f) + 0.5f);
}

static bool read_png(struct picture *picture, FILE *file, const char *path)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    unsigned char *bytes = NULL;
    bool good = false;

    if (png_image_begin_read_from_stdio(&png, file)) {
        png.format = PNG_FORMAT_RGB;
        bytes = malloc(PNG_IMAGE_SIZE(png));
        if (bytes && png_image_finish_read(&png, NULL, bytes, 0, NULL)) {
            good = picture_init(picture, (int)png.width, (int)png.height);
            if (good)
                widen(bytes, picture->values, picture_size(picture));
        }
    }
    if (PNG_IMAGE_FAILED(png))
        fprintf(stderr, "%s: %s\n", path, png.message);
    png_image_free(&png);
    free(bytes);
    return good;
}

/* What libjpeg cannot read it tells by itself, and ends the program with status 1. */
static bool read_jpeg(struct picture *picture, FILE *file)
{
    struct jpeg_error_mgr errors;
    struct jpeg_decompress_struct jpeg = {.err = jpeg_std_error(&errors)};
    jpeg_create_decompress(&jpeg);
    jpeg_stdio_src(&jpeg, file);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg);

    bool good = picture_init(picture, (int)jpeg.output_width, (int)jpeg.output_height);
    unsigned char *row = malloc(picture_row(picture));
    good = good && row;
    while (good && jpeg.output_scanline < jpeg.output_height) {
        float *values = picture->values + jpeg.output_scanline * picture_row(picture);
        jpeg_read_scanlines(&jpeg, &row, 1);
        widen(row, values, picture_row(picture));
    }
    free(row);
    jpeg_destroy_decompress(&jpeg);
    return good;
}

bool picture_read(struct picture *out_picture, const char *path)
{
    *out_picture = (struct picture){0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }

    unsigned char start[3] = {0};
    bool good = false;
    size_t got = fread(start, 1, sizeof start, file);
    rewind(file);
    if (got == sizeof start && memcmp(start, "\x89PN", 3) == 0)
        good = read_png(out_picture, file, path);
    else if (got == sizeof start && memcmp(start, "\xff\xd8\xff", 3) == 0)
        good = read_jpeg(out_picture, file);
    else
        fprintf(stderr, "%s: neither a PNG nor a JPEG file\n", path);
    fclose(file);
    return good;
}

bool picture_write(const struct picture *picture, const char *path)
{
    png_image png = {.version = PNG_IMAGE_VERSION,
                     .format = PNG_FORMAT_RGB,
                     .width = (png_uint_32)picture->width,
                     .height = (png_uint_32)picture->height};
    unsigned char *bytes = malloc(picture_size(picture));
    if (!bytes) {
        fprintf(stderr, "%s: no memory\n", path);
        return false;
    }
    round_off(picture->values, bytes, picture_size(picture));
    bool good = png_image_write_to_file(&png, path, 0, bytes, 0, NULL);
    if (!good)
        fprintf(stderr, "%s: %s\n", path, png.message);
    free(bytes);
    return good;
}

double picture_psnr(const struct picture *picture, const struct picture *original)
{
    double squares = 0.0;
    for (size_t i = 0; i < picture_size(original); i++) {
        double difference = (double)picture->values[i] - (double)original->values[i];
        squares += difference * difference;
    }
    return 10.0 * log10(255.0 * 255.0 * (double)picture_size(original) / squares);
}
