/* pool.h: the pooling loops of one instruction set, over channels-last images: a window at a time, or a row of 2 x 2 windows.
 * A NaN wins a maximum. A maximum's gradient goes to the first of equal taps, and, where the pooled values come from an
 * activation that is flat outside low < y < high (NAN: no such limit), only where the maximum lies between. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The taps of one pooling window inside the image: `rows` x `columns` pixels, so many floats apart. */
typedef struct ex_window { int32_t rows, columns; ptrdiff_t row, column; } ex_window;
typedef struct ex_limits { float low, high; } ex_limits;

typedef struct ex_pool_kernels {
    void (*max_window)(float *y, const float *x, const ex_window *w, ptrdiff_t channels);
    /* dx[first maximum] += dy; dx and x have strides of their own for the same window */
    void (*max_window_grad)(float *dx, const ex_window *dx_window, const float *x, const ex_window *x_window, const float *y,
                            const float *dy, ex_limits limits, ptrdiff_t channels);
    void (*sum_window)(float *y, const float *x, const ex_window *w, float factor, ptrdiff_t channels);
    void (*sum_window_grad)(float *dx, const ex_window *w, const float *dy, float factor, ptrdiff_t channels);
    /* 2x2 windows at stride 2, a row of them: x0 and x1 are the two image rows. The gradient is written, not added */
    void (*max_2x2)(float *y, ptrdiff_t y_pixel, const float *x0, const float *x1, ptrdiff_t x_pixel, ptrdiff_t pixels,
                    ptrdiff_t channels);
    void (*max_2x2_grad)(float *dx0, float *dx1, ptrdiff_t dx_pixel, const float *x0, const float *x1, ptrdiff_t x_pixel,
                         const float *dy, ptrdiff_t dy_pixel, ex_limits limits, ptrdiff_t pixels, ptrdiff_t channels);
} ex_pool_kernels;

extern const ex_pool_kernels ex_pool_kernels_portable, ex_pool_kernels_avx2, ex_pool_kernels_avx512;
