/* Kernels for tests of backends: each kind of parameter at least once. Results are whole numbers small enough to be exact
 * in a float, so that every device must agree with the C form to the bit. */
#include <divvy/kernel.h>

DIVVY_KERNEL(scaled, (value, float, a), (in, float, x), (inout, float, y))
{
    DIVVY_FOR (i)
        y[i] = a * x[i] + y[i];
}

/* Rows on both sides. */
DIVVY_KERNEL(spread, (value, int, cols), (in, float, m, cols), (out, float, twice, 2 * cols))
{
    DIVVY_FOR (i)
        for (int k = 0; k < cols; k++) {
            twice[i * 2 * cols + 2 * k] = m[i * cols + k];
            twice[i * 2 * cols + 2 * k + 1] = -m[i * cols + k];
        }
}

DIVVY_KERNEL(gather, (value, int, entries), (in, int, key), (all, float, table, entries), (out, float, found))
{
    DIVVY_FOR (i)
        found[i] = table[key[i] % entries];
}

/* The sum of the rows around, clamped. */
DIVVY_KERNEL(around, (value, int, width), (value, int, radius), (halo, float, src, width, radius),
             (out, float, sums, width))
{
    DIVVY_FOR (i)
        for (int k = 0; k < width; k++) {
            float sum = 0;
            for (long row = (long)i - radius; row <= (long)i + radius; row++)
                if (row >= 0 && row < (long)DIVVY_TOTAL)
                    sum += src[row * width + k];
            sums[i * width + k] = sum;
        }
}

struct shape {
    int wide, high;
    float scale;
};

/* Values of all sizes, and what a kernel may know of its range. */
DIVVY_KERNEL(places, (value, char, c), (value, short, h), (value, long, l), (value, float, d), (value, struct shape, s),
             (out, long, place), (inout, uchar, mark))
{
    DIVVY_FOR (i) {
        if (i % 3 == 1) {
            mark[i] = 7;
            place[i] = -1;
            continue;
        }
        place[i] = (long)(i * 10 + DIVVY_TOTAL + DIVVY_FIRST + DIVVY_COUNT) + c + h + l + (long)d + s.wide + s.high +
                   (long)s.scale;
    }
}

DIVVY_KERNEL(sums, (in, int, x), (sum, float, f), (sum, int, i32), (sum, uint, u32), (sum, long, i64),
             (sum, ulong, u64))
{
    DIVVY_FOR (i) {
        f[DIVVY_LANE] += x[i];
        i32[DIVVY_LANE] += x[i];
        u32[DIVVY_LANE] += (uint)x[i];
        i64[DIVVY_LANE] += (long)x[i] * 1000000007;
        u64[DIVVY_LANE] += (ulong)i;
    }
}

DIVVY_KERNEL(extremes, (in, int, x), (in, float, g), (min, float, f_low), (max, float, f_high), (min, int, i_low),
             (max, int, i_high), (min, uint, u_low), (max, uint, u_high), (min, long, l_low), (max, long, l_high),
             (min, ulong, ul_low), (max, ulong, ul_high))
{
    DIVVY_FOR (i) {
        f_low[DIVVY_LANE] = g[i] < f_low[DIVVY_LANE] ? g[i] : f_low[DIVVY_LANE];
        f_high[DIVVY_LANE] = g[i] > f_high[DIVVY_LANE] ? g[i] : f_high[DIVVY_LANE];
        i_low[DIVVY_LANE] = x[i] < i_low[DIVVY_LANE] ? x[i] : i_low[DIVVY_LANE];
        i_high[DIVVY_LANE] = x[i] > i_high[DIVVY_LANE] ? x[i] : i_high[DIVVY_LANE];
        u_low[DIVVY_LANE] = (uint)x[i] < u_low[DIVVY_LANE] ? (uint)x[i] : u_low[DIVVY_LANE];
        u_high[DIVVY_LANE] = (uint)x[i] > u_high[DIVVY_LANE] ? (uint)x[i] : u_high[DIVVY_LANE];
        l_low[DIVVY_LANE] = x[i] < l_low[DIVVY_LANE] ? x[i] : l_low[DIVVY_LANE];
        l_high[DIVVY_LANE] = x[i] > l_high[DIVVY_LANE] ? x[i] : l_high[DIVVY_LANE];
        ul_low[DIVVY_LANE] = (ulong)i < ul_low[DIVVY_LANE] ? (ulong)i : ul_low[DIVVY_LANE];
        ul_high[DIVVY_LANE] = (ulong)i > ul_high[DIVVY_LANE] ? (ulong)i : ul_high[DIVVY_LANE];
    }
}

/* Statements outside of DIVVY_FOR that would fail on made-up arguments: a division, and a look into an array. */
DIVVY_KERNEL(divided, (value, int, by), (all, int, start, 1), (all, int, nothing, 0), (out, int, y))
{
    int each = 1000 / by + start[0];
    DIVVY_FOR (i)
        y[i] = (int)i * each;
}

/* As long as one likes: `turns` rounds of a generator per index. */
DIVVY_KERNEL(slow, (value, uint, turns), (out, uint, y))
{
    DIVVY_FOR (i) {
        uint state = (uint)i;
        for (uint k = 0; k < turns; k++)
            state = state * 1664525u + 1013904223u + (state >> 16);
        y[i] = state;
    }
}

/* Lanes that mostly stay as they were. */
DIVVY_KERNEL(rare, (in, int, x), (sum, long, total), (min, int, low), (max, float, high))
{
    DIVVY_FOR (i)
        if (i % 1009 == 1008) {
            total[DIVVY_LANE] += x[i];
            low[DIVVY_LANE] = x[i] < low[DIVVY_LANE] ? x[i] : low[DIVVY_LANE];
            high[DIVVY_LANE] = x[i] > high[DIVVY_LANE] ? x[i] : high[DIVVY_LANE];
        }
}

/* As many parameters as there may be, of all kinds. */
DIVVY_KERNEL(many, (value, int, a), (value, uchar, b), (in, int, x1), (in, uchar, x2), (in, float, x3, 3),
             (in, long, x4), (all, int, t1, 7), (all, uchar, t2, 13), (halo, int, h, 1, 1), (out, int, y1),
             (out, uchar, y2, 2), (out, float, y3), (inout, long, z1), (inout, int, z2), (sum, long, s), (max, int, m))
{
    DIVVY_FOR (i) {
        y1[i] = a + b + x1[i] + x2[i] + t1[i % 7] + t2[i % 13];
        y2[2 * i] = x2[i];
        y2[2 * i + 1] = (uchar)(x2[i] + 1);
        y3[i] = x3[3 * i] + 10 * x3[3 * i + 1] + 100 * x3[3 * i + 2];
        z1[i] = z1[i] * 3 + x4[i];
        z2[i] += (i > 0 ? h[i - 1] : 0) + h[i] + (i + 1 < DIVVY_TOTAL ? h[i + 1] : 0);
        s[DIVVY_LANE] += x4[i];
        m[DIVVY_LANE] = x1[i] > m[DIVVY_LANE] ? x1[i] : m[DIVVY_LANE];
    }
}
