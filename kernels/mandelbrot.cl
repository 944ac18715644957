/* counts[p] = how many steps z = z^2 + c, from z = 0, the point c takes to leave the circle |z| = 2, at most limit
 * (Mandelbrot: Fractal aspects of the iteration of z -> lambda z (1 - z), 1980).
 *
 * Point p of the picture, row by row, is c = (left + (p % width) pixel) + i (top - (p / width) pixel).
 *
 * An index is a strip of MANDELBROT_STRIP points that follow each other, since points side by side can be computed side
 * by side: count is width * height / MANDELBROT_STRIP, rounded up, and counts has room for whole strips. */
#include <divvy/kernel.h>

enum { MANDELBROT_STRIP = 32, MANDELBROT_ROUND = 8 };

DIVVY_KERNEL(mandelbrot, (value, int, width), (value, float, left), (value, float, top), (value, float, pixel),
             (value, int, limit), (out, int, counts, MANDELBROT_STRIP))
{
    DIVVY_FOR (i) {
        float cx[MANDELBROT_STRIP], cy[MANDELBROT_STRIP], x[MANDELBROT_STRIP], y[MANDELBROT_STRIP];
        int steps[MANDELBROT_STRIP];
        int column = (int)(i * MANDELBROT_STRIP % width), row = (int)(i * MANDELBROT_STRIP / width);
        for (int p = 0; p < MANDELBROT_STRIP; p++) {
            cx[p] = left + (float)column * pixel;
            cy[p] = top - (float)row * pixel;
            column++;
            if (column == width) {
                column = 0;
                row++;
            }
            x[p] = 0.0f;
            y[p] = 0.0f;
            steps[p] = 0;
        }

        /* All points of the strip go on until the last has left; one that has left only runs off to infinity or to
         * NaN, neither of which is inside. Whether any is left is asked once in a round. */
        int done = 0, inside = 1;
        while (done < limit && inside) {
            int round = limit - done < MANDELBROT_ROUND ? limit - done : MANDELBROT_ROUND;
            for (int k = 0; k < round; k++)
                DIVVY_FOR_LANES (p, MANDELBROT_STRIP) {
                    float yy = y[p] * y[p];
                    steps[p] += x[p] * x[p] + yy <= 4.0f ? 1 : 0;
                    y[p] = 2.0f * x[p] * y[p] + cy[p];
                    x[p] = x[p] * x[p] + (cx[p] - yy);
                }
            done += round;
            inside = 0;
            for (int p = 0; p < MANDELBROT_STRIP; p++)
                inside |= steps[p] == done;
        }
        DIVVY_FOR_LANES (p, MANDELBROT_STRIP)
            counts[i * MANDELBROT_STRIP + p] = steps[p];
    }
}
