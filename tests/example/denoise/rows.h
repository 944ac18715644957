/* Which device computed which row, from the profile that a context wrote. */
#ifndef ROWS_H
#define ROWS_H

#include "picture.h"

/* Tints each row of `picture` in the colour of the device that computed it in the last job of the profile at `path`,
 * with a bar in that colour at the left and a dark line where a partition begins, and prints which colour is whose.
 * False with a message if the profile cannot be read or does not say of each row, once, who computed it. */
bool rows_tint(struct picture *picture, const char *path);

#endif
