/* vector_parts.h: what the loops over vectors share: partial vectors, comparisons as masks, choices between lanes. */
#pragma once
#include "vector_math.h"

static inline vf load_part(const float *p, ptrdiff_t n) { return vf_load_part(p, vf_first((int32_t)n)); }
static inline void store_part(float *p, vf v, ptrdiff_t n) { vf_store_part(p, v, vf_first((int32_t)n)); }

/* vm: one truth per lane; & and | join two. A comparison with a NaN is false. */
#if defined(__AVX512F__)
typedef __mmask16 vm;
static inline vm above(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ); }
static inline vm at_most(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LE_OQ); }
static inline vm equals(vf a, vf b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
static inline vm is_nan(vf a) { return _mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_UNORD_Q); }
static inline vm opposite(vm m) { return (vm)~m; }
static inline vm every_lane(void) { return (vm)-1; }
/* b > a or b is NaN, and a is not */
static inline vm beats(vf b, vf a)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_ORD_Q), (__m512)b, (__m512)a, _CMP_NLE_UQ);
}
/* low < a < high, or a is NaN */
static inline vm between(vf a, vf low, vf high)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask((__m512)a, (__m512)low, _CMP_NLE_UQ), (__m512)a, (__m512)high, _CMP_NGE_UQ);
}
static inline vf choose(vm m, vf a, vf b) { return (vf)_mm512_mask_blend_ps(m, (__m512)b, (__m512)a); }
static inline vf keep(vm m, vf a) { return (vf)_mm512_maskz_mov_ps(m, (__m512)a); }
static inline vf add_where(vm m, vf a, vf b) { return (vf)_mm512_mask_add_ps((__m512)a, m, (__m512)a, (__m512)b); }
#else
typedef vi vm;
static inline vm above(vf a, vf b) { return a > b; }
static inline vm at_most(vf a, vf b) { return a <= b; }
static inline vm equals(vf a, vf b) { return a == b; }
static inline vm is_nan(vf a) { return a != a; }   /* NOLINT(misc-redundant-expression): true of a NaN alone */
static inline vm opposite(vm m) { return ~m; }
static inline vm every_lane(void) { return (vi){ 0 } - 1; }
static inline vm beats(vf b, vf a) { return ~is_nan(a) & ~(b <= a); }
static inline vm between(vf a, vf low, vf high) { return ~((a <= low) | (a >= high)); }
static inline vf choose(vm m, vf a, vf b)
{
#if defined(__AVX2__)
    return (vf)_mm256_blendv_ps((__m256)b, (__m256)a, (__m256)m);
#else
    return (vf)((m & (vi)a) | (~m & (vi)b));
#endif
}
static inline vf keep(vm m, vf a) { return (vf)(m & (vi)a); }
static inline vf add_where(vm m, vf a, vf b) { return a + keep(m, b); }
#endif

/* Loads v before anything that is done to it. A load under a mask waits for the mask, and so for the loads that the mask is
 * made of: where memory is far, half of the misses would no longer overlap. */
static inline vf loaded(vf v)
{
#if defined(__AVX512F__)
    __asm__("" : "+v"(v));
#endif
    return v;
}

/* hard_swish's slope at x: 0 below -3, x / 3 + 1/2 up to 3, 1 above. */
EX_INLINE vf hard_swish_slope(vf x)
{
    return keep(opposite(above(vf_set1(-3.0f), x)), choose(above(x, vf_set1(3.0f)), vf_set1(1.0f), x * (1.0f / 3.0f) + 0.5f));
}

/* A NaN wins, as in PyTorch's pooling and maximum. */
static inline vf larger(vf a, vf b) { return choose(beats(b, a), b, a); }
static inline vf smaller(vf a, vf b) { return choose(beats(-b, -a), b, a); }

/* The bodies of loops over channels: `vector` for channel c with the given load and store, `rest` channels at the end. */
#define LOAD_REST(from) load_part(from, rest)
#define STORE_REST(to, v) store_part(to, v, rest)
#define EACH_CHANNEL(vector) do { \
    ptrdiff_t c = 0; \
    for (; c + VL <= channels; c += VL) { vector(vf_load, vf_store) } \
    ptrdiff_t rest = channels - c; \
    if (rest) { vector(LOAD_REST, STORE_REST) } \
} while (0)
/* ... and pixels p. */
#define EACH_PIXEL(vector) for (ptrdiff_t p = 0; p < pixels; p++) EACH_CHANNEL(vector);

/* -- Sums over pixels ----------------------------------------------------------------------------------------------- */

enum { RUN = 512 };                         /* pixels summed in float before they go to the doubles */

typedef double vd __attribute__((vector_size(VL * 4)));         /* half as many doubles */
typedef float half_vf __attribute__((vector_size(VL * 2)));

/* Adds `vectors` vectors, or the first `rest` lanes of one, to as many doubles. */
EX_INLINE void flush(double *sum, const vf *lanes, int vectors, ptrdiff_t rest)
{
    for (int v = 0; v < vectors; v++) {
        float part[VL];
        vf_store(part, lanes[v]);
        for (ptrdiff_t c = 0; c < rest; c++) sum[c] += part[c];
        for (int h = 0; !rest && h < 2; h++) {
            vd total;
            half_vf half;
            memcpy(&half, part + h * VL / 2, sizeof half);
            memcpy(&total, sum + v * VL + h * VL / 2, sizeof total);
            total += __builtin_convertvector(half, vd);
            memcpy(sum + v * VL + h * VL / 2, &total, sizeof total);
        }
    }
}
