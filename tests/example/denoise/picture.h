/* Pictures in memory and in files. */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdbool.h>
#include <stddef.h>

enum { PICTURE_CHANNELS = 3 }; /* red, green, blue */

/* Rows from top to bottom, pixels from left to right, values from 0 to 255. */
struct picture {
    int width, height;
    float *values; /* width * height * PICTURE_CHANNELS of them */
};

/* Values in one row, and in all. */
size_t picture_row(const struct picture *picture);
size_t picture_size(const struct picture *picture);

/* Makes a picture with values of no meaning; false with a message if memory runs out. */
bool picture_init(struct picture *picture, int width, int height);

/* Takes NULL values too. */
void picture_fini(struct picture *picture);

/* Reads a PNG or JPEG file into a new picture; false with a message if that fails. */
bool picture_read(struct picture *out_picture, const char *path);

/* Writes a PNG file, values rounded to whole numbers; false with a message if that fails. */
bool picture_write(const struct picture *picture, const char *path);

/* How close `picture` is to `original`, of the same size: the peak signal-to-noise ratio in dB, infinite if equal. */
double picture_psnr(const struct picture *picture, const struct picture *original);

#endif
