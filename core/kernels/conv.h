/* conv.h: the convolution kernels of one instruction set: direct micro-kernels over channels-last images, no im2col.
 *
 *     y[n,oh,ow,co]  = epilogue(sum_{kh,kw,ci} x[n, oh*s-p+kh*d, ow*s-p+kw*d, ci] * w[co,ci,kh,kw])      forward
 *     dx[n,ih,iw,ci] = sum over the (oh,ow,kh,kw) that read it, and co, of dy[n,oh,ow,co] * w[co,ci,kh,kw]  grad_input
 *     dw[co,ci,kh,kw] = sum_{n,oh,ow} x[...] * dy[n,oh,ow,co]                                               grad_weight
 *
 * Any kernel, stride, padding, dilation, groups and channel counts. Images have their channels side by side; all other
 * strides are free, and those of the filter too. Each output of forward and grad_input is one chain of additions in the
 * order kh, kw, channel, or kh, channel, kw where the shape says so: its bits depend on neither batch, position, nor
 * threads. (Input gradients of few channels, isa/conv_few.c: one chain for each kw, added in an order that the column decides.)
 * grad_weight adds its partial sums in part order. The epilogue is done while sums are in registers, in the order
 * in which operators of their own would do it, so that fusing changes no bit of y. They allocate nothing, check nothing and
 * never fail.
 *
 * Where a shape says so, 3x3 kernels multiply by Winograd's F(4x4, 3x3) and F(3x3, 4x4) (isa/winograd.h): a quarter of the
 * multiplications, the same promises about bits, and more rounding: with operands drawn at random the largest error of
 * a tensor stays below EX_WINOGRAD_ERROR of its largest number: it is 3e-6 on the tests' shapes (the direct kernels: 2e-6). */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../exeunt.h"

/* Lean: the same numbers, bit by bit, of a packed filter of a quarter of the bytes, of which each call makes what it multiplies by:
 * faster where few images meet a filter that comes from memory. Of the weight gradient it is the same thing. */
typedef enum ex_winograd { EX_WINOGRAD_NONE, EX_WINOGRAD_FULL, EX_WINOGRAD_LEAN, EX_WINOGRAD_COUNT } ex_winograd;

typedef struct ex_conv_shape {
    int32_t n, ci, h, w;                    /* input: images, channels, rows, columns */
    int32_t co, oh, ow;                     /* output */
    int32_t kh, kw, groups;
    int32_t stride[2], padding[2], dilation[2];
    int32_t winograd;                       /* ex_winograd; only where ex_conv_winograd_fits */
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
    const float *packed;                    /* what `pack` made of it for this direction, read in its place; NULL: none */
} ex_conv_filter;

typedef enum ex_conv_direction { EX_CONV_FORWARD, EX_CONV_GRAD_INPUT, EX_CONV_GRAD_WEIGHT, EX_CONV_DIRECTION_COUNT } ex_conv_direction;

typedef enum ex_conv_activation { EX_CONV_LINEAR, EX_CONV_RELU, EX_CONV_RELU6, EX_CONV_SILU, EX_CONV_HARD_SWISH, EX_CONV_ACTIVATION_COUNT } ex_conv_activation;

/* What becomes of a sum: y = activation(sum + bias[co] + residual[n,oh,ow,co]). All zeros: y = sum. */
typedef struct ex_conv_epilogue {
    const float *bias;                      /* s->co numbers, `bias_step` floats apart; NULL: none */
    ptrdiff_t bias_step;
    ex_conv_activation activation;
    ex_conv_image residual;                 /* of y's shape, may be the same memory as y; data NULL: none */
    double *moments;                        /* out, 2 x s->co: the means of y over images and pixels, then the sums of
                                               squared deviations from them; NULL: not wanted */
} ex_conv_epilogue;

typedef struct ex_conv_kernels {
    const char *name;
    /* Whether s by Winograd is the faster one, for s->n images: a committed rule, in isa/winograd.c. packed: the filter is
     * packed once for many calls, so that this does not count. */
    int (*winograd_pays)(ex_conv_direction direction, const ex_conv_shape *s, int packed);
    /* Whether lean is the faster of Winograd's for up to s->n images, where a packed filter must be fetched from memory each time. */
    int (*lean_pays)(const ex_conv_shape *s);
    /* Bytes of scratch that a call needs, for up to s->n images. */
    size_t (*scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads);
    /* Bytes that forward needs besides where moments are wanted; scratch is then one block of both. */
    size_t (*moments_scratch)(const ex_conv_shape *s);
    /* A filter in the form in which forward or grad_input reads it, for many calls whose shapes differ in n alone. A call
     * with w.packed reads neither w.data nor its strides, and needs packed_bytes less of scratch. */
    size_t (*packed_bytes)(ex_conv_direction direction, const ex_conv_shape *s);
    void (*pack)(float *packed, ex_conv_direction direction, ex_conv_filter w, const ex_conv_shape *s, ex_team *team);
    void (*forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const ex_conv_epilogue *e, const ex_conv_shape *s,
                    ex_team *team, void *scratch);
    void (*grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team,
                       void *scratch);
    void (*grad_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team,
                        void *scratch);
    /* The weight gradient in pieces, for callers that go through a batch a few images at a time: add_sums makes the sums of
     * s->n images on the calling thread (`more`: added to what is there), join_sums adds `parts` sets of them in order.
     * sums_floats: of a set; sums_scratch: bytes that add_sums needs for up to s->n images. */
    size_t (*sums_floats)(const ex_conv_shape *s);
    size_t (*sums_scratch)(const ex_conv_shape *s);
    void (*add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch);
    void (*join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team);
} ex_conv_kernels;

extern const ex_conv_kernels ex_conv_kernels_portable, ex_conv_kernels_avx2, ex_conv_kernels_avx512;
