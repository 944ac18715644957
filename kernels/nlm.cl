/* Non-local means denoising (Buades, Coll, Morel: A non-local algorithm for image denoising, 2005). Pixel p becomes
 * the mean of the pixels q of the picture in the square of radius search around it, weighted by how alike the patches
 * around p and q are:
 *
 *     d(p, q) = mean of (src[p + o] - src[q + o])^2 over the offsets o of a patch and over the channels
 *     w(p, q) = exp(-max(d - 2 noise^2, 0) / strength^2)
 *     dst[p] = sum of w src[q] / sum of w
 *
 * Patches that reach over the edge of the picture are clamped to it.
 *
 * count: rows of the picture. width: pixels in a row. channels: floats of a pixel, side by side, at most 4. patch and
 * search: radii in pixels; patch at most 7. noise: standard deviation of the noise, in the units of src. strength: in
 * the same units, more than 0, about 0.4 times the noise. Fast math. */
#include <divvy/kernel.h>

enum { NLM_LANES = 64, NLM_PATCH = 7, NLM_CHANNELS = 4 };

static inline int nlm_clamped(int at, int end)
{
    return at < 0 ? 0 : at < end ? at : end - 1;
}

/* `lanes` pixels of a row, beginning with `first`. If the block is `whole`, it has NLM_LANES pixels and all that they
 * look at lies within their rows. The patches of neighbours overlap: squares are added up the columns once, for all
 * patches that contain them, and then along the row. */
static inline void nlm_block(DIVVY_GLOBAL const float *src, DIVVY_GLOBAL float *dst, int row, int height, int width,
                             int channels, int patch, int search, float noise, float strength, int first, int lanes,
                             bool whole)
{
    float squares[(NLM_LANES + 2 * NLM_PATCH) * NLM_CHANNELS], columns[NLM_LANES + 2 * NLM_PATCH];
    float weight[NLM_LANES], weights[NLM_LANES], sum[NLM_LANES * NLM_CHANNELS];
    int side = 2 * patch + 1, across = lanes + 2 * patch, pitch = width * channels;
    float mean = 1.0f / (float)(side * side * channels), fall = 1.0f / (strength * strength);

    for (int l = 0; l < NLM_LANES; l++)
        weights[l] = 0.0f;
    for (int l = 0; l < NLM_LANES * channels; l++)
        sum[l] = 0.0f;

    int low = row < search ? -row : -search, high = height - 1 - row < search ? height - 1 - row : search;
    for (int dy = low; dy <= high; dy++)
        for (int dx = -search; dx <= search; dx++) {
            for (int s = 0; s < across * channels; s++)
                squares[s] = 0.0f;
            for (int v = -patch; v <= patch; v++) {
                DIVVY_GLOBAL const float *here = src + (ulong)nlm_clamped(row + v, height) * pitch;
                DIVVY_GLOBAL const float *there = src + (ulong)nlm_clamped(row + dy + v, height) * pitch;
                if (whole) {
                    int start = (first - patch) * channels;
                    for (int s = 0; s < across * channels; s++) {
                        float difference = here[start + s] - there[start + dx * channels + s];
                        squares[s] += difference * difference;
                    }
                } else {
                    for (int x = 0; x < across; x++)
                        for (int c = 0; c < channels; c++) {
                            int at = first - patch + x, p = nlm_clamped(at, width), q = nlm_clamped(at + dx, width);
                            float difference = here[p * channels + c] - there[q * channels + c];
                            squares[x * channels + c] += difference * difference;
                        }
                }
            }
            for (int x = 0; x < across; x++) {
                columns[x] = squares[x * channels];
                for (int c = 1; c < channels; c++)
                    columns[x] += squares[x * channels + c];
            }
            for (int l = 0; l < NLM_LANES; l++)
                weight[l] = 0.0f;
            for (int u = 0; u < side; u++)
                for (int l = 0; l < lanes; l++)
                    weight[l] += columns[u + l];
            for (int l = 0; l < lanes; l++) {
                float excess = weight[l] * mean - 2.0f * noise * noise;
                float exponent = excess > 0.0f ? -excess * fall : 0.0f;
                weight[l] = exp(exponent > -80.0f ? exponent : -80.0f);
            }
            DIVVY_GLOBAL const float *there = src + (ulong)(row + dy) * pitch;
            if (!whole)
                for (int l = 0; l < lanes; l++)
                    if (first + l + dx < 0 || first + l + dx >= width)
                        weight[l] = 0.0f;
            for (int l = 0; l < lanes; l++) {
                int q = whole ? first + l + dx : nlm_clamped(first + l + dx, width);
                weights[l] += weight[l];
                for (int c = 0; c < channels; c++)
                    sum[c * NLM_LANES + l] += weight[l] * there[q * channels + c];
            }
        }

    for (int l = 0; l < lanes; l++)
        for (int c = 0; c < channels; c++)
            dst[((ulong)row * width + first + l) * channels + c] = sum[c * NLM_LANES + l] / weights[l];
}

DIVVY_KERNEL(nlm, (value, int, width), (value, int, channels), (value, int, patch), (value, int, search),
             (value, float, noise), (value, float, strength),
             (halo, float, src, (size_t)width *channels, patch + search), (out, float, dst, (size_t)width *channels))
{
    DIVVY_FOR (i) {
        int height = (int)DIVVY_TOTAL, row = (int)i, reach = patch + search, inner = width - reach, lanes;
        for (int first = 0; first < width; first += lanes) {
            if (first >= reach && first < inner && inner - reach >= NLM_LANES) {
                /* The last block inside is moved back, so that it is whole too. */
                if (first > inner - NLM_LANES)
                    first = inner - NLM_LANES;
                lanes = NLM_LANES;
                if (channels == 1)
                    nlm_block(src, dst, row, height, width, 1, patch, search, noise, strength, first, NLM_LANES, true);
                else if (channels == 3)
                    nlm_block(src, dst, row, height, width, 3, patch, search, noise, strength, first, NLM_LANES, true);
                else
                    nlm_block(src, dst, row, height, width, channels, patch, search, noise, strength, first, NLM_LANES,
                              true);
            } else {
                int end = first < reach && reach < width ? reach : width;
                lanes = end - first < NLM_LANES ? end - first : NLM_LANES;
                nlm_block(src, dst, row, height, width, channels, patch, search, noise, strength, first, lanes, false);
            }
        }
    }
}
