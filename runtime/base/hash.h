/* Content hashes: 128-bit XXH3. */
#ifndef DV_HASH_H
#define DV_HASH_H

#include <stddef.h>
#include <stdint.h>

void dv_hash(const void *data, size_t bytes, uint8_t out_hash[16]);

#endif
