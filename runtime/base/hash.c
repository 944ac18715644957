#include "base/hash.h"

#include <string.h>
#include <xxhash.h>

void dv_hash(const void *data, size_t bytes, uint8_t out_hash[16])
{
    /* The canonical form has the same bytes on every machine, so hashes may name files in a cache. */
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(data, bytes));
    memcpy(out_hash, canonical.digest, sizeof canonical.digest);
}
