/* channels.h: operators whose arithmetic is per channel: maps y[pixel][c] = f(x[pixel][c]; c) and sums over pixels, for
 * values (N, C, H, W) and (N, C). Channels-last memory takes the row kernels of vector.h as they are; other strides take
 * them one channel at a time, right but slow. Sums: float inside a run of pixels, double across, parts in order.
 * Sums go through memory from its start to its end, maps backwards: a map that follows the sums over the same values,
 * or what a convolution has just written, finds the end of them in the caches, and leaves there what comes next. */
#pragma once
#include "loop.h"

/* Maps: y may be the same memory as x or dy. */
void ex_channels_scale(const ex_operand *y, const ex_operand *x, const float *scale, ex_team *team);
/* y = act((x - center) * scale + offset); act as in norm.h */
void ex_channels_affine(const ex_operand *y, const ex_operand *x, const float *center, const float *scale, const float *offset,
                        double act, ex_team *team);
/* dx = dy * a + ((x - center) * b + offset) */
void ex_channels_norm_grad(const ex_operand *dx, const ex_operand *x, const ex_operand *dy, const float *center, const float *a,
                           const float *b, const float *offset, ex_team *team);

/* Sums: out has 2 x C doubles (first sums, then second ones), scratch room for ex_channels_sum_bytes(C). */
size_t ex_channels_sum_bytes(int64_t channels);
/* out[c] = sum x */
void ex_channels_sum(double *out, const ex_operand *x, void *scratch, ex_team *team);
/* out[c] = sum (x - center), out[C + c] = sum (x - center)^2 */
void ex_channels_moments(double *out, const ex_operand *x, const float *center, void *scratch, ex_team *team);
/* out[c] = sum dy, out[C + c] = sum dy (x - center) */
void ex_channels_products(double *out, const ex_operand *x, const ex_operand *dy, const float *center, void *scratch, ex_team *team);

/* A value is (N, C, H, W) or (N, C), float32: "input must be ..., got ...". */
ex_status ex_expect_channels(const char *what, const ex_shape *s);
/* A value is a vector of C numbers, float32. */
ex_status ex_expect_per_channel(const char *what, const ex_shape *s, int32_t channels);
