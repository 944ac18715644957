/* Noise as a camera in the dark has it. */
#ifndef NOISE_H
#define NOISE_H

#include "picture.h"

/* Adds normal noise of standard deviation `sigma` to each value and rounds, as a file of 8 bits a value would; the
 * same noise in every run. */
void noise_add(struct picture *picture, float sigma);

#endif
