/* conv_depthwise.h: what the sources of depthwise convolutions share: which taps of an axis lie inside the image, and the
 * cases that are compiled with the taps of a kernel row and the step known. Nothing is copied: images are read in place, and
 * taps outside of them are left out, or multiply zeros that masked loads give. */
#pragma once
#include "conv_parts.h"
#include "conv_isa.h"

enum { CHANNEL_LINE = 16, CHANNELS = 64, PART_MACS = 50000, MAX_TAPS = 5, L2_BYTES = 1 << 20 };

/* Vectors of channels that go through a row together: with one there are hardly enough sums to hide an addition's latency. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { VECTORS = 2 };
#else
enum { VECTORS = 1 };
#endif

#define UNROLL _Pragma("GCC unroll 64")

static inline int32_t up(int32_t n, int32_t by) { return (n + by - 1) / by; }
static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t most(int32_t a, int32_t b) { return a > b ? a : b; }

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
