/* vector_math.h: smooth functions of one vector, for every loop that needs them: exp, sigmoid, silu, and their piecewise
 * relatives hard_sigmoid and hard_swish. exp is right to 2 units in the last place from the smallest to the largest float,
 * where it becomes infinite or denormal as libm's does; sigmoid and silu to 4. A NaN passes through.
 *
 *     exp(x) = 2^n exp(r),  n = round(x / ln 2),  r = x - n ln 2,  |r| <= ln 2 / 2
 *     exp(r) = 1 + r + r^2 q(r), q of degree 4 through the Chebyshev nodes (error 1.1e-8)
 *
 * ln 2 is taken off in two steps, 355/512 and what is left, so that n times the first is exact without fused operations. */
#pragma once
#include "../simd.h"

/* x, or the limit where x lies past it. */
EX_INLINE vf vf_at_least(vf x, float low)
{
#if defined(__AVX512F__)
    return (vf)_mm512_max_ps((__m512)vf_set1(low), (__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_max_ps((__m256)vf_set1(low), (__m256)x);
#else
    const vi below = x < low;
    return (vf)((below & (vi)vf_set1(low)) | (~below & (vi)x));
#endif
}

EX_INLINE vf vf_at_most(vf x, float high)
{
#if defined(__AVX512F__)
    return (vf)_mm512_min_ps((__m512)vf_set1(high), (__m512)x);
#elif defined(__AVX2__)
    return (vf)_mm256_min_ps((__m256)vf_set1(high), (__m256)x);
#else
    const vi above = x > high;
    return (vf)((above & (vi)vf_set1(high)) | (~above & (vi)x));
#endif
}

/* x 2^n, n whole, -252 <= n <= 254: in two steps, since the power alone may be no float. `bits`: n as whole numbers. */
EX_INLINE vf vf_times_power(vf x, vf n, vi bits)
{
#if defined(__AVX512F__)
    (void)bits;
    return (vf)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
    (void)n;
    const vi half = bits >> 1;
    return x * (vf)((half + 127) << 23) * (vf)((bits - half + 127) << 23);
#endif
}

EX_INLINE vf vf_exp(vf x)
{
    const float magic = 12582912.0f;        /* 1.5 2^23: added, it leaves whole numbers in the lowest bits */
    x = vf_at_most(vf_at_least(x, -104.0f), 89.0f);
    const vf shifted = x * 1.44269504f + magic, n = shifted - magic;
    const vi bits = (vi)shifted - (vi)vf_set1(magic);
    const vf r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    vf q = r * 0.00139262131f + 0.00836320315f;
    q = q * r + 0.0416665561f;
    q = q * r + 0.166665763f;
    q = q * r + 0.5f;
    return vf_times_power((q * (r * r) + r) + 1.0f, n, bits);
}

/* exp(-x), -89 <= x <= 104: vf_exp with the signs turned round, which costs no negation. */
EX_INLINE vf vf_exp_minus(vf x)
{
    const float magic = 12582912.0f;
    const vf shifted = x * -1.44269504f + magic, n = shifted - magic;
    const vi bits = (vi)shifted - (vi)vf_set1(magic);
    const vf r = (x + n * 0.693359375f) - n * 2.12194440e-4f;
    vf q = r * 0.00139262131f - 0.00836320315f;
    q = q * r + 0.0416665561f;
    q = q * r - 0.166665763f;
    q = q * r + 0.5f;
    return vf_times_power((q * (r * r) - r) + 1.0f, n, bits);
}

/* x within what vf_exp_minus takes; a NaN may become a limit. */
EX_INLINE vf vf_limited(vf x)
{
#if defined(__AVX512F__)
    return (vf)_mm512_range_ps((__m512)x, (__m512)vf_set1(104.0f), 2);      /* the smaller one by size, with x's sign */
#else
    return vf_at_most(vf_at_least(x, -89.0f), 104.0f);
#endif
}

EX_INLINE vf vf_sigmoid(vf x) { return 1.0f / (1.0f + vf_exp_minus(vf_at_most(vf_at_least(x, -89.0f), 104.0f))); }
EX_INLINE vf vf_silu(vf x) { return x / (1.0f + vf_exp_minus(vf_limited(x))); }
/* min(max(x + 3, 0), 6) / 6 */
EX_INLINE vf vf_hard_sigmoid(vf x) { return vf_at_most(vf_at_least(x + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f); }
EX_INLINE vf vf_hard_swish(vf x) { return x * vf_hard_sigmoid(x); }

/* silu's slope at x: s (1 + x (1 - s)), s = sigmoid(x) */
EX_INLINE vf vf_silu_slope(vf x)
{
    const vf s = 1.0f / (1.0f + vf_exp_minus(vf_limited(x)));
    return s * (1.0f + x * (1.0f - s));
}
