/* conv_moments.h: per channel, the mean of what a forward pass writes and the sum of squared deviations from it, over
 * images and pixels. Each part of the work takes the moments of its own pixels once they are written, while they are in
 * the cache, about its first pixel; parts are then joined in their order, in double (Chan, Golub, LeVeque 1983:
 * Algorithms for computing the sample variance, eq. 2.1). So bits depend on how work is cut, not on threads. */
#pragma once
#include "../conv.h"
#include "../simd.h"
#include "../vector.h"

extern const ex_vector_kernels EX_SUFFIXED(ex_vector_kernels);

/* images x rows x cols pixels of y, `channels` of each: mean[c], square[c]. */
static inline void moments_take(double *mean, double *square, ex_conv_image y, int32_t images, int32_t rows, int32_t cols,
                                int32_t channels)
{
    const double each = 1.0 / ((double)images * rows * cols);
    ptrdiff_t run = cols;                   /* pixels that lie evenly apart */
    if (y.row == y.pixel * run) { run *= rows; rows = 1; }
    if (rows == 1 && y.image == y.pixel * run) { run *= images; images = 1; }
    memset(mean, 0, (size_t)channels * sizeof *mean);
    memset(square, 0, (size_t)channels * sizeof *square);
    for (int32_t i = 0; i < images; i++)
        for (int32_t r = 0; r < rows; r++)
            EX_SUFFIXED(ex_vector_kernels).moment_rows(mean, square, y.data + i * y.image + r * y.row, y.pixel, y.data, run, channels);
    for (int32_t c = 0; c < channels; c++) {
        const double shift = mean[c] * each;
        square[c] -= shift * mean[c];
        mean[c] = y.data[c] + shift;
    }
}

/* Adds a part of `more` pixels to the moments of the `count` pixels before it. */
static inline void moments_join(double *mean, double *square, double count, const double *part_mean, const double *part_square,
                                double more, int32_t channels)
{
    const double share = more / (count + more);
    for (int32_t c = 0; c < channels; c++) {
        const double delta = part_mean[c] - mean[c];
        mean[c] += delta * share;
        square[c] += part_square[c] + delta * delta * count * share;
    }
}
