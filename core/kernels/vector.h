/* vector.h: the loops of one instruction set over values that are bound by memory, not arithmetic. */
#pragma once
typedef struct ex_vector_kernels { const char *name; } ex_vector_kernels;
extern const ex_vector_kernels ex_vector_kernels_portable, ex_vector_kernels_avx2, ex_vector_kernels_avx512;
