/* Prices of European options on a stock without dividends (Black, Scholes: The pricing of options and corporate
 * liabilities, 1973):
 *
 *     d1 = (ln(spot / strike) + (rate + volatility^2 / 2) years) / (volatility sqrt(years))
 *     d2 = d1 - volatility sqrt(years)
 *     call = spot N(d1) - strike exp(-rate years) N(d2)
 *     put = strike exp(-rate years) N(-d2) - spot N(-d1)
 *
 * count: options. spot, strike, call and put in one currency; years to expiry, more than 0; rate and volatility per
 * year (0.02 is 2 %). The distribution N is Abramowitz and Stegun 26.2.17, within 7.5e-8. Fast math. */
#include <divvy/kernel.h>

static inline float black_scholes_normal(float d)
{
    float k = 1.0f / (1.0f + 0.2316419f * fabs(d));
    float series = 1.781477937f + k * (-1.821255978f + k * 1.330274429f);
    series = k * (0.319381530f + k * (-0.356563782f + k * series));
    float tail = 0.39894228f * exp(-0.5f * d * d) * series;
    return d > 0.0f ? 1.0f - tail : tail;
}

DIVVY_KERNEL(black_scholes, (value, float, rate), (value, float, volatility), (in, float, spot), (in, float, strike),
             (in, float, years), (out, float, call), (out, float, put))
{
    DIVVY_FOR (i) {
        float spread = volatility * sqrt(years[i]);
        float d1 = (log(spot[i] / strike[i]) + (rate + 0.5f * volatility * volatility) * years[i]) / spread;
        float n1 = black_scholes_normal(d1), n2 = black_scholes_normal(d1 - spread);
        float due = strike[i] * exp(-rate * years[i]);
        call[i] = spot[i] * n1 - due * n2;
        put[i] = due * (1.0f - n2) - spot[i] * (1.0f - n1);
    }
}
