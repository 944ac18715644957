/* The kernels as somebody writes them who knows PoCL: 16 floats in hand. The parameters are those of divvy's kernels,
 * then the first index of this part and how many indices the job has. */

kernel void saxpy(float a, global const float *restrict x, global float *restrict y, ulong first, ulong total)
{
    size_t i = get_global_id(0);
    vstore16(a * vload16(i, x) + vload16(i, y), i, y);
}

kernel void nbody(float softening, global const float *restrict x, global const float *restrict y,
                  global const float *restrict z, global const float *restrict mass, global float *restrict ax,
                  global float *restrict ay, global float *restrict az, ulong first, ulong total)
{
    size_t i = get_global_id(0);
    float16 px = vload16(i, x + first), py = vload16(i, y + first), pz = vload16(i, z + first);
    float16 pull_x = 0.0f, pull_y = 0.0f, pull_z = 0.0f;
    for (int j = 0; j < (int)total; j++) {
        float16 dx = x[j] - px, dy = y[j] - py, dz = z[j] - pz;
        float16 inverse = 1.0f / sqrt(dx * dx + dy * dy + dz * dz + softening * softening);
        float16 pull = mass[j] * inverse * inverse * inverse;
        pull_x += pull * dx;
        pull_y += pull * dy;
        pull_z += pull * dz;
    }
    vstore16(pull_x, i, ax);
    vstore16(pull_y, i, ay);
    vstore16(pull_z, i, az);
}

float16 normal(float16 d)
{
    float16 k = 1.0f / (1.0f + 0.2316419f * fabs(d));
    float16 series =
        k * (0.319381530f + k * (-0.356563782f + k * (1.781477937f + k * (-1.821255978f + k * 1.330274429f))));
    float16 tail = 0.39894228f * exp(-0.5f * d * d) * series;
    return select(tail, 1.0f - tail, d > 0.0f);
}

kernel void black_scholes(float rate, float volatility, global const float *restrict spot,
                          global const float *restrict strike, global const float *restrict years,
                          global float *restrict call, global float *restrict put, ulong first, ulong total)
{
    size_t i = get_global_id(0);
    float16 s = vload16(i, spot), k = vload16(i, strike), t = vload16(i, years);
    float16 spread = volatility * sqrt(t);
    float16 d1 = (log(s / k) + (rate + 0.5f * volatility * volatility) * t) / spread;
    float16 n1 = normal(d1), n2 = normal(d1 - spread);
    float16 due = k * exp(-rate * t);
    vstore16(s * n1 - due * n2, i, call);
    vstore16(due * (1.0f - n2) - s * (1.0f - n1), i, put);
}

/* A divvy index is 32 points: two work-items. Points that have left stay where they are. */
kernel void mandelbrot(int width, float left, float top, float pixel, int limit, global int *restrict counts,
                       ulong first, ulong total)
{
    size_t item = get_global_id(0);
    ulong point = first * 32 + item * 16;
    int16 column = (int)(point % width) + (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    float16 cx = left + convert_float16(column) * pixel;
    float16 cy = top - (float)(int)(point / width) * pixel;
    float16 x = 0.0f, y = 0.0f;
    int16 steps = 0, inside = -1;
    for (int done = 0; done < limit && any(inside); done++) {
        float16 next = x * x - y * y + cx;
        steps -= inside;
        y = select(y, 2.0f * x * y + cy, inside);
        x = select(x, next, inside);
        inside &= x * x + y * y <= 4.0f;
    }
    vstore16(steps, item, counts);
}
