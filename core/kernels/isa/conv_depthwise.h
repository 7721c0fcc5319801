/* conv_depthwise.h: what the sources of depthwise convolutions share: which taps of an axis lie inside the image, and the
 * cases that are compiled with the taps of a kernel row and the step known. Nothing is copied: images are read in place, and
 * taps outside of them are left out, or multiply zeros that masked loads give. */
#pragma once
#include "conv_parts.h"
#include "conv_isa.h"

enum { CHANNELS = 64, PART_MACS = 400000, MAX_TAPS = 5, L2_BYTES = 1 << 20, L3_BYTES = 8 << 20 };

/* Vectors of channels that go through a row together: with one there are hardly enough sums to hide an addition's latency. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { VECTORS = 2 };
#else
enum { VECTORS = 1 };
#endif

#define UNROLL _Pragma("GCC unroll 64")

typedef struct span { int32_t from, to; } span;

/* The taps of an output that lie inside an image of `size`, where `top` is its tap 0. */
static inline span taps_inside(const axis *a, int32_t top, int32_t size)
{
    span s = { 0, a->taps };
    while (s.from < s.to && top + s.from * a->dilation < 0) s.from++;
    while (s.to > s.from && top + (s.to - 1) * a->dilation >= size) s.to--;
    return s;
}

/* The outputs all of whose taps lie inside. */
static inline span outputs_inside(const axis *a, int32_t size)
{
    const int32_t last = a->taps ? (a->taps - 1) * a->dilation : 0, rest = size - 1 - last - a->first;
    if (!a->taps) return (span){ 0, a->out };
    span s = { a->first < 0 ? up(-a->first, a->step) : 0, rest < 0 ? 0 : rest / a->step + 1 };
    s.from = least(s.from, a->out);
    s.to = most(s.from, least(s.to, a->out));
    return s;
}

/* Columns of a tile that may lie outside of the image, and then are zeros: they are read at `at`, which is inside, under a mask
 * of no lanes, since masked loads from a page that is not there are slow. */
typedef struct border {
    ptrdiff_t at[MAX_TAPS];
    vmask inside[MAX_TAPS];
} border;

/* Number e (-1: none) is column k of a tile whose column 0 is the image's column `first`. */
EX_INLINE void border_set(border *b, int e, int k, int32_t first, int32_t width, ptrdiff_t pixel, int32_t lanes)
{
    if (e < 0) return;
    b->inside[e] = vf_first((uint32_t)(first + k) < (uint32_t)width ? lanes : 0);
    b->at[e] = (most(least(first + k, width - 1), 0) - first) * pixel;
}

/* Whether there are tiles for an axis: no more than the first and last taps / 2 columns of one may be outside. */
static inline int axis_tiles(const axis *a, int32_t width)
{
    const int32_t end = a->first + (a->out - 1) * a->step + a->taps - a->taps / 2;
    return (a->taps == 3 || a->taps == 5) && a->step <= 2 && a->dilation == 1 && a->first >= -(a->taps / 2) && end <= width;
}

/* Of both images. */
static inline double images_bytes(const ex_conv_shape *s)
{
    return ((double)s->h * s->w + (double)s->oh * s->ow) * s->ci * s->n * sizeof(float);
}

/* Whether images are larger than what a core keeps near, so that it is worth while to ask for them in advance. */
static inline int images_cold(const ex_conv_shape *s) { return images_bytes(s) > L2_BYTES; }
