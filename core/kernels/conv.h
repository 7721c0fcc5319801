/* conv.h: the convolution kernels of one instruction set. */
#pragma once
typedef struct ex_conv_kernels { const char *name; } ex_conv_kernels;
extern const ex_conv_kernels ex_conv_kernels_portable, ex_conv_kernels_avx2, ex_conv_kernels_avx512;
