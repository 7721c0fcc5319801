/* conv.h: what the files of convolution's operators share: conv.c (what they are) and conv_pieces.c (how they run in pieces). */
#pragma once
#include "op.h"
#include "../kernels/kernels.h"

/* The geometry of a checked node: x and y are the dimensions of its images, w those of its filter. */
ex_conv_shape ex_conv_geometry(int32_t n, const int32_t *x, const int32_t *w, const int32_t *y, const ex_numbers *attr);
/* The same from a signature, for n images, by what the inputs and outputs of the operator are. */
ex_conv_shape ex_conv_of_forward(const ex_signature *s, int32_t n);
ex_conv_shape ex_conv_of_input(const ex_signature *s, int32_t n);
ex_conv_shape ex_conv_of_weight(const ex_signature *s, int32_t n);

ex_conv_image ex_conv_image_of(const ex_operand *o);
ex_conv_filter ex_conv_filter_of(const ex_operand *o);

/* kernel: kH, kW behind two other numbers. in[2] is the bias if there is room for one below `inputs`. */
void ex_conv_forward(const ex_call *c, const int32_t *kernel, ex_conv_filter w, int32_t inputs, ex_conv_epilogue *e, void *scratch);
/* The same with the residual and activation of conv2d_fused. */
void ex_conv_forward_fused(const ex_call *c, const int32_t *kernel, ex_conv_filter w);
/* Bytes of the moments of so many channels, which lie before the kernel's own scratch. */
size_t ex_conv_moments_bytes(int32_t channels);

extern const ex_pieces ex_conv_forward_pieces, ex_conv_fused_pieces, ex_conv_stats_pieces, ex_conv_input_pieces, ex_conv_weight_pieces;
