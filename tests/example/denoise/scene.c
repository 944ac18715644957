/* Draws a picture to test with: scene OUT WIDTH HEIGHT. A sky that fades, a disc, and stripes that grow finer. */
#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void draw_pixel(float *value, double across, double down)
{
    bool disc = hypot(across - 0.3, down - 0.35) < 0.2;
    bool stripe = down > 0.65 && sin(60.0 * across * across) > 0.0;
    value[0] = (float)(disc ? 230.0 : stripe ? 60.0 : 90.0 + 80.0 * down);
    value[1] = (float)(disc ? 180.0 : stripe ? 120.0 : 140.0 - 60.0 * down);
    value[2] = (float)(disc ? 40.0 : stripe ? 70.0 : 200.0 - 50.0 * across);
}

int main(int argc, char **argv)
{
    int width = argc == 4 ? atoi(argv[2]) : 0, height = argc == 4 ? atoi(argv[3]) : 0;
    if (width < 1 || height < 1) {
        fputs("usage: scene OUT WIDTH HEIGHT\n", stderr);
        return 2;
    }
    struct picture scene;
    if (!picture_init(&scene, width, height))
        return 1;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            draw_pixel(scene.values + (size_t)y * picture_row(&scene) + (size_t)x * PICTURE_CHANNELS, (double)x / width,
                       (double)y / height);
    bool good = picture_write(&scene, argv[1]);
    picture_fini(&scene);
    return good ? 0 : 1;
}
