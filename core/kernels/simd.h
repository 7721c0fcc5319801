/* simd.h: the vector type of one kernel set. The sources in kernels/isa/ are built once per instruction set, with
 * EX_ISA_SUFFIX = avx512, avx2 or portable; they use vf (VL floats) and name what they export with EX_SUFFIXED. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { VL = 16 };
#elif defined(__AVX2__)
enum { VL = 8 };
#else
enum { VL = 4 };
#endif

typedef float vf __attribute__((vector_size(VL * 4)));
typedef int32_t vi __attribute__((vector_size(VL * 4)));

#define EX_JOIN_(a, b) a##_##b
#define EX_JOIN(a, b) EX_JOIN_(a, b)
#define EX_SUFFIXED(name) EX_JOIN(name, EX_ISA_SUFFIX)

static inline vf vf_load(const float *p) { vf v; memcpy(&v, p, sizeof v); return v; }
static inline void vf_store(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf vf_set1(float x) { return x - (vf){0}; }
