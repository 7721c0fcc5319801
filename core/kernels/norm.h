/* norm.h: the loops of one instruction set for normalisation and what follows it, in one pass over memory:
 *
 *     z = (x - center) scale + offset [+ shortcut]       v = min(max(z, low), high)       y = the largest v of a window
 *                                                        or v = silu(z), hard_swish(z), which take no shortcut and 1 x 1 windows
 *
 * per channel, x channels-last. Windows do not overlap: a row of them covers `windows` x w->columns pixels of w->rows rows;
 * 1 x 1 is no pooling. Backward, d is dy where the window's first largest v lies strictly between low and high, and 0
 * elsewhere (a curve's slope times dy): found again from x, so that neither v nor a mask is kept. A NaN wins its window and passes the limits.
 * Whatever a window's rows and columns, pixels that no window covers are the caller's. Nothing here splits work. */
#pragma once
#include "pool.h"

typedef enum ex_norm_curve { EX_NORM_LIMITS, EX_NORM_SILU, EX_NORM_HARD_SWISH } ex_norm_curve;

typedef struct ex_norm_numbers {            /* low, high: NAN for no limit */
    const float *center, *scale, *offset;   /* by channel */
    const float *a, *b, *shift;             /* grad_input's */
    float low, high;
    ex_norm_curve curve;                    /* other than the limits: they are not read */
} ex_norm_numbers;

typedef struct ex_norm_kernels {
    /* shortcut (1 x 1 only) may be NULL; y may be the memory of x or shortcut where windows are 1 x 1 */
    void (*forward)(float *y, ptrdiff_t y_pixel, const float *x, const ex_window *w, const float *shortcut,
                    ptrdiff_t shortcut_pixel, const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels);
    /* sum += d, product += d (x - center) */
    void (*grad_sums)(double *sum, double *product, const float *x, const ex_window *w, const float *dy, ptrdiff_t dy_pixel,
                      const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels);
    /* dx = d a + ((x - center) b + shift); dx may be the memory of x, and of dy where windows are 1 x 1 */
    void (*grad_input)(float *dx, const ex_window *dx_w, const float *x, const ex_window *w, const float *dy, ptrdiff_t dy_pixel,
                       const ex_norm_numbers *k, ptrdiff_t windows, ptrdiff_t channels);
    /* dz = dy [+ more] where y lies strictly between low and high, else 0; sum += dz, product += dz (x - center). more may be
     * NULL; dz may be the memory of dy or more */
    void (*add_grad)(double *sum, double *product, float *dz, ptrdiff_t dz_pixel, const float *x, ptrdiff_t x_pixel,
                     const float *y, ptrdiff_t y_pixel, const float *dy, ptrdiff_t dy_pixel, const float *more,
                     ptrdiff_t more_pixel, const ex_norm_numbers *k, ptrdiff_t pixels, ptrdiff_t channels);
} ex_norm_kernels;

extern const ex_norm_kernels ex_norm_kernels_portable, ex_norm_kernels_avx2, ex_norm_kernels_avx512;
