/* kernels.c: picks the table of kernels for the instruction set in use. */
#include "kernels.h"
#include "../base/cpu.h"

static const ex_kernels tables[EX_ISA_COUNT] = {
    [EX_ISA_PORTABLE] = { &ex_conv_kernels_portable, &ex_vector_kernels_portable, &ex_pool_kernels_portable, &ex_norm_kernels_portable },
#if defined(__x86_64__)
    [EX_ISA_AVX2] = { &ex_conv_kernels_avx2, &ex_vector_kernels_avx2, &ex_pool_kernels_avx2, &ex_norm_kernels_avx2 },
    [EX_ISA_AVX512] = { &ex_conv_kernels_avx512, &ex_vector_kernels_avx512, &ex_pool_kernels_avx512, &ex_norm_kernels_avx512 },
#endif
};

const ex_kernels *ex_kernels_current(void) { return &tables[ex_isa_current()]; }
