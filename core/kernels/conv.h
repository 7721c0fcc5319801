/* conv.h: the convolution kernels of one instruction set: direct micro-kernels over channels-last images, no im2col.
 *
 *     y[n,oh,ow,co]  = bias[co] + sum_{kh,kw,ci} x[n, oh*s-p+kh*d, ow*s-p+kw*d, ci] * w[co,ci,kh,kw]     forward
 *     dx[n,ih,iw,ci] = sum over the (oh,ow,kh,kw) that read it, and co, of dy[n,oh,ow,co] * w[co,ci,kh,kw]  grad_input
 *     dw[co,ci,kh,kw] = sum_{n,oh,ow} x[...] * dy[n,oh,ow,co]                                               grad_weight
 *
 * Any kernel, stride, padding, dilation, groups and channel counts. Images have their channels side by side; all other
 * strides are free, and those of the filter too. Each output of forward and grad_input is one chain of additions in
 * the order kh, kw, channel: its bits depend on neither batch, position, nor threads. grad_weight adds its partial
 * sums in part order. They allocate nothing, check nothing and never fail.
 *
 * Where a shape says so, 3x3 kernels multiply by Winograd's F(4x4, 3x3) and F(3x3, 4x4) (isa/winograd.h): a quarter of the
 * multiplications, the same promises about bits, and more rounding: with operands drawn at random the largest error of
 * a tensor stays below EX_WINOGRAD_ERROR of its largest number: it is 3e-6 on the tests' shapes (the direct kernels: 2e-6). */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

typedef struct ex_conv_shape {
    int32_t n, ci, h, w;                    /* input: images, channels, rows, columns */
    int32_t co, oh, ow;                     /* output */
    int32_t kh, kw, groups;
    int32_t stride[2], padding[2], dilation[2];
    int32_t winograd;                       /* 1: by Winograd's method; only where ex_conv_winograd_fits */
} ex_conv_shape;

#define EX_WINOGRAD_ERROR 1e-5              /* measured up to 512 channels: tests/core/kernels/conv_test.c */

static inline int ex_conv_winograd_fits(const ex_conv_shape *s)
{
    return s->kh == 3 && s->kw == 3 && s->groups == 1 && s->stride[0] == 1 && s->stride[1] == 1 && s->dilation[0] == 1
        && s->dilation[1] == 1;
}

/* Images in memory: distances in floats; channels are neighbours. */
typedef struct ex_conv_image {
    float *data;
    ptrdiff_t image, row, pixel;
} ex_conv_image;

/* A filter (co, ci/groups, kh, kw) in memory. */
typedef struct ex_conv_filter {
    float *data;
    ptrdiff_t out, in, row, col;
} ex_conv_filter;

typedef enum ex_conv_direction { EX_CONV_FORWARD, EX_CONV_GRAD_INPUT, EX_CONV_GRAD_WEIGHT, EX_CONV_DIRECTION_COUNT } ex_conv_direction;

typedef struct ex_conv_kernels {
    const char *name;
    /* Whether s by Winograd is the faster one, for s->n images: a committed rule, in isa/winograd.c. */
    int (*winograd_pays)(ex_conv_direction direction, const ex_conv_shape *s);
    /* Bytes of scratch that a call needs, for up to s->n images. */
    size_t (*scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads);
    /* bias: s->co numbers, `bias_step` floats apart; NULL: none */
    void (*forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const float *bias, ptrdiff_t bias_step,
                    const ex_conv_shape *s, ex_team *team, void *scratch);
    void (*grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team,
                       void *scratch);
    void (*grad_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team,
                        void *scratch);
} ex_conv_kernels;

extern const ex_conv_kernels ex_conv_kernels_portable, ex_conv_kernels_avx2, ex_conv_kernels_avx512;
