/* simd.h: the vector type of one kernel set. The sources in kernels/isa/ are built once per instruction set, with
 * EX_ISA_SUFFIX = avx512, avx2 or portable; they use vf (VL floats) and name what they export with EX_SUFFIXED. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { VL = 16 };
#elif defined(__AVX2__)
enum { VL = 8 };
#else
enum { VL = 4 };
#endif

enum { LINE = 16 };                         /* floats of a cache line */

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));

#define EX_JOIN_(a, b) a##_##b
#define EX_JOIN(a, b) EX_JOIN_(a, b)
#define EX_SUFFIXED(name) EX_JOIN(name, EX_ISA_SUFFIX)
#define EX_INLINE static inline __attribute__((always_inline))

static inline vf vf_load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
static inline void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf vf_set1(float x) { return x - (vf){0}; }

/* The first n lanes, 0 <= n <= VL: what lies past them in memory is neither read nor written; read lanes past them
 * are zero. */
#if defined(__AVX512F__)
typedef __mmask16 vmask;
static inline vmask vf_first(int32_t n) { return (vmask)((1u << n) - 1); }
static inline vf vf_load_part(const float *p, vmask m) { return (vf)_mm512_maskz_loadu_ps(m, p); }
static inline void vf_store_part(float *p, vf v, vmask m) { _mm512_mask_storeu_ps(p, m, (__m512)v); }
#elif defined(__AVX2__)
typedef struct vmask { vi lanes; int32_t count; } vmask;     /* reads of all or none are not masked: that costs some CPUs many times a plain load */
static inline vmask vf_first(int32_t n) { return (vmask){ (vi){0, 1, 2, 3, 4, 5, 6, 7} < n, n }; }
static inline vf vf_load_part(const float *p, vmask m)
{
    vf v = {0};
    if (__builtin_expect(m.count >= VL, 1)) v = vf_load(p);
    else if (m.count > 0) v = (vf)_mm256_maskload_ps(p, (__m256i)m.lanes);
    __asm__("" : "+x"(v));              /* arithmetic stays behind the branches: in them it would round otherwise */
    return v;
}
static inline void vf_store_part(float *p, vf v, vmask m)
{
    if (__builtin_expect(m.count >= VL, 1)) vf_store(p, v);
    else _mm256_maskstore_ps(p, (__m256i)m.lanes, (__m256)v);
}
#else
typedef int32_t vmask;
static inline vmask vf_first(int32_t n) { return n; }
static inline vf vf_load_part(const float *p, vmask m)
{
    if (m == VL) return vf_load(p);
    vf v = {0};
    for (int32_t i = 0; i < m; i++) v[i] = p[i];
    return v;
}
static inline void vf_store_part(float *p, vf v, vmask m)
{
    if (m == VL) { vf_store(p, v); return; }
    for (int32_t i = 0; i < m; i++) p[i] = v[i];
}
#endif

/* a b + c, rounded once where the instruction set can: for sums that several functions must round alike, since which product of
 * a sum of two the compiler takes is its own choice. */
#if defined(__AVX512F__)
static inline vf vf_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
#elif defined(__AVX2__)
static inline vf vf_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
#else
static inline vf vf_fma(vf a, vf b, vf c) { return a * b + c; }
#endif

/* The pairs of a and b, lane by lane: a0 b0 a1 b1 ... of their lower and of their upper halves. */
#if defined(__AVX512F__)
static inline vf vf_zip_low(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
static inline vf vf_zip_high(vf a, vf b) { return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); }
#elif defined(__AVX2__)
static inline vf vf_zip_low(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
static inline vf vf_zip_high(vf a, vf b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#else
static inline vf vf_zip_low(vf a, vf b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
static inline vf vf_zip_high(vf a, vf b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
#endif

/* Lane c of row r becomes lane r of row c. */
static inline void vf_transpose(vf row[VL])
{
    for (int n = 1; n < VL; n *= 2) {
        vf next[VL];
        for (int i = 0; i < VL / 2; i++) {
            next[2 * i] = vf_zip_low(row[i], row[i + VL / 2]);
            next[2 * i + 1] = vf_zip_high(row[i], row[i + VL / 2]);
        }
        memcpy(row, next, sizeof next);
    }
}
