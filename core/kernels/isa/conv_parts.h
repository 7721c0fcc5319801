/* conv_parts.h: what the convolution sources share: how an output reads its input along each axis, for the forward pass
 * and for each phase of the input gradient, and windows of an image with zeros past its borders. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "../conv.h"
#include "../simd.h"
#include "../../base/team.h"

enum { STRIP_BYTES = 256 << 10 };           /* a padded window should stay in a core's L2 cache */

static inline int32_t up(int32_t n, int32_t by) { return (n + by - 1) / by; }
static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

/* Output i and tap t read source index first + i*step + t*dilation; tap t is the kernel's element
 * kernel + t*kernel_step. */
typedef struct axis {
    int32_t out, taps, step, dilation, first;
    int32_t kernel, kernel_step;
} axis;

static inline axis axis_forward(int32_t out, int32_t taps, int32_t stride, int32_t padding, int32_t dilation)
{
    return (axis){ .out = out, .taps = taps, .step = stride, .dilation = dilation, .first = -padding, .kernel_step = 1 };
}

/* The input gradient of stride s is s interleaved correlations of stride 1, called phases: input phase + i*s is read
 * through those taps k only for which phase + padding - k*dilation is a multiple of s. */
static inline axis axis_gradient(int32_t size, int32_t taps, int32_t stride, int32_t padding, int32_t dilation, int32_t phase)
{
    int32_t a = stride, b = dilation;
    while (b) { const int32_t rest = a % b; a = b; b = rest; }
    axis x = { .out = phase < size ? (size - phase + stride - 1) / stride : 0, .step = 1, .dilation = dilation / a,
               .kernel_step = -stride / a };
    for (int32_t k = taps - 1; k >= 0; k--) {
        const int32_t at = phase + padding - k * dilation;
        if (at % stride) continue;
        if (!x.taps++) { x.kernel = k; x.first = at / stride; }
    }
    return x;
}

/* Source indices that outputs [from, to) of an axis read: low..high, grown to hold them. */
static inline void axis_reach(const axis *a, int32_t from, int32_t to, int32_t *low, int32_t *high)
{
    if (!a->taps) return;
    if (to > a->out) to = a->out;
    if (from >= to) return;
    const int32_t l = a->first + from * a->step, h = a->first + (to - 1) * a->step + (a->taps - 1) * a->dilation;
    if (l < *low) *low = l;
    if (h > *high) *high = h;
}

/* A window of one image: rows row.. and columns col.., which may lie outside of it. */
typedef struct window {
    int32_t row, rows, col, cols;
} window;

/* Where a window is in memory: data points at its first pixel. */
typedef struct view {
    const float *data;
    ptrdiff_t row, pixel;
} view;

static inline size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }

/* Floats from a thread's block of n to the next one's. */
static inline size_t thread_floats(size_t n) { return n ? round_up(n, 16) + EX_TEAM_GAP / sizeof(float) : 0; }

enum { SHORT = 16 * VL };                   /* floats: copied in less time than a call takes */

static inline void copy_run(float *to, const float *from, size_t n)
{
    if (n > SHORT) { memcpy(to, from, n * sizeof *to); return; }
    for (; n > VL; n -= VL, to += VL, from += VL) vf_store(to, vf_load(from));
    const vmask m = vf_first((int32_t)n);
    vf_store_part(to, vf_load_part(from, m), m);
}

static inline void zero_run(float *to, size_t n)
{
    if (n > SHORT) { memset(to, 0, n * sizeof *to); return; }
    for (; n > VL; n -= VL, to += VL) vf_store(to, (vf){0});
    vf_store_part(to, (vf){0}, vf_first((int32_t)n));
}

/* Copies `channels` of a window of an h x w image into strip, zeros where it has no pixels. */
static inline void fill_strip(float *strip, const window *o, const float *image, ptrdiff_t row, ptrdiff_t pixel,
                              int32_t h, int32_t w, int32_t channels)
{
    const int32_t left = o->col < 0 ? (o->col + o->cols < 0 ? o->cols : -o->col) : 0;
    int32_t inside = (o->col + o->cols > w ? w : o->col + o->cols) - (o->col + left);
    if (inside < 0) inside = 0;
    const size_t c = (size_t)channels, width = c * (size_t)o->cols, before = c * (size_t)left, run = c * (size_t)inside;
    size_t zeros = before;                  /* to be written before the next row: the end of one row and the start of another */
    for (int32_t r = 0; r < o->rows; r++) {
        if (o->row + r < 0 || o->row + r >= h || !inside) { zeros += width; continue; }
        zero_run(strip, zeros);
        strip += zeros;
        const float *from = image + (o->row + r) * row + (o->col + left) * pixel;
        if (pixel == channels) copy_run(strip, from, run);
        else for (int32_t i = 0; i < inside; i++, from += pixel)
            for (int32_t j = 0; j < channels; j++) strip[(size_t)i * c + (size_t)j] = from[j];
        strip += run;
        zeros = width - run;
    }
    zero_run(strip, zeros - before);
}

static inline int window_inside(const window *o, int32_t h, int32_t w)
{
    return o->row >= 0 && o->col >= 0 && o->row + o->rows <= h && o->col + o->cols <= w;
}

/* The window itself where it lies inside the image, else its copy in strip. */
static inline view open_window(float *strip, const window *o, const float *image, ptrdiff_t row, ptrdiff_t pixel,
                               int32_t h, int32_t w, int32_t channels)
{
    if (window_inside(o, h, w)) return (view){ image + o->row * row + o->col * pixel, row, pixel };
    fill_strip(strip, o, image, row, pixel, h, w, channels);
    return (view){ strip, (ptrdiff_t)o->cols * channels, channels };
}
