/* conv_plan.h: how conv.c cuts a dense or grouped convolution into parts, by its shape alone: the axes that a direction reads along,
 * columns that share a vector, tiles of several images, what a part covers, and what memory that takes. It moves no number. */
#pragma once
#include <limits.h>
#include "conv_tile.h"
#include "conv_parts.h"

enum { BLOCK = 2 * VL, PART_MACS = 1 << 16, SMALL_MACS = 1 << 18, ENOUGH_PARTS = 32, MAX_PIECES = 16, MANY_TILES = 4 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_direction direction;
    ex_conv_image y, x;                     /* written, read */
    ex_conv_filter w;                       /* out: distance of written channels, in: of read ones */
    ptrdiff_t w_group;
    ex_conv_epilogue e;
    int32_t ci, co;                         /* channels of a group that are read, written */
    int32_t h, width;                       /* of what is read */
    int32_t phase_rows, phase_cols;         /* 1, 1 in the forward pass */
    int32_t by_image;                       /* tiles are of several images */
    int32_t joined, apart;                  /* columns that share a vector; 1: not where y's memory is now */
    int32_t rows, cols;                     /* outputs of the largest phase; `joined` columns are one */
    int32_t blocks;                         /* of written channels, in a group */
    int32_t images, row_block, col_block, channel_block;             /* what a part covers */
    int32_t image_parts, row_parts, col_parts, channel_parts;
    int32_t own_filter;                     /* each part packs its own blocks, one at a time, into its thread's part of to_pack */
    const float *packed;                    /* the filter */
    float *to_pack, *added, *strips;        /* added: the bias or zeros, in whole blocks */
    size_t packed_group, strip;             /* floats */
    double *moments;                        /* of each part in space: 2 x s->co; NULL: not wanted */
} job;

static inline axis row_axis(const job *j, int32_t phase)
{
    const ex_conv_shape *s = j->s;
    return j->direction == EX_CONV_FORWARD
        ? axis_forward(s->oh, s->kh, s->stride[0], s->padding[0], s->dilation[0])
        : axis_gradient(s->h, s->kh, s->stride[0], s->padding[0], s->dilation[0], phase);
}

static inline axis col_axis(const job *j, int32_t phase)
{
    const ex_conv_shape *s = j->s;
    axis a = j->direction == EX_CONV_FORWARD
        ? axis_forward(s->ow, s->kw, s->stride[1], s->padding[1], s->dilation[1])
        : axis_gradient(s->w, s->kw, s->stride[1], s->padding[1], s->dilation[1], phase);
    if (j->joined == 1) return a;
    a.out /= j->joined;
    a.step *= j->joined;
    a.taps += j->joined - 1;
    return a;
}

/* Few written channels leave most of a vector empty. Neighbouring columns then share it, where they lie side by side in
 * memory: all of them are multiplied by what any of them reads, by a filter of zeros where that is not theirs. A number
 * that is not finite thus reaches `joined` - 1 columns further. */
static inline int32_t joined_columns(const job *j, int32_t cols)
{
    const ex_conv_shape *s = j->s;
    int32_t best = 1;
    if (s->kw == 1 || s->groups > 1 || s->stride[1] > 1 || s->dilation[1] > 1) return 1;
    for (int32_t g = 2; g * j->co <= VL && g <= cols; g++)
        if (cols % g == 0 && (s->kw + g - 1) * best < (s->kw + best - 1) * g) best = g;
    return best;
}

/* What all phases of a part read. */
static inline window part_window(const job *j, int32_t row, int32_t row_end, int32_t col, int32_t col_end)
{
    int32_t r0 = INT_MAX, r1 = INT_MIN, c0 = INT_MAX, c1 = INT_MIN;
    for (int32_t p = 0; p < j->phase_rows; p++) {
        const axis a = row_axis(j, p);
        axis_reach(&a, row, row_end, &r0, &r1);
    }
    for (int32_t p = 0; p < j->phase_cols; p++) {
        const axis a = col_axis(j, p);
        axis_reach(&a, col, col_end, &c0, &c1);
    }
    if (r1 < r0 || c1 < c0) return (window){ 0, 0, 0, 0 };
    return (window){ r0, r1 - r0 + 1, c0, c1 - c0 + 1 };
}

static inline size_t window_floats(const job *j, int32_t rows, int32_t cols)
{
    const window o = part_window(j, 0, rows, 0, cols);
    return (size_t)o.rows * (size_t)o.cols * (size_t)j->ci;
}

static inline int32_t at_least_one(double x) { return x < 1 ? 1 : x > INT_MAX ? INT_MAX : (int32_t)x; }
static inline int32_t divide_up(int32_t a, int32_t b) { return a > 0 ? (a + b - 1) / b : -(-a / b); }
static inline int32_t clamp(int32_t x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : x; }

/* How many of an axis' taps lie inside, over all outputs. */
static inline double taps_of(const axis *a, int32_t size)
{
    double taps = 0;
    for (int32_t i = 0; i < a->out; i++)
        for (int32_t t = 0; t < a->taps; t++) taps += (uint32_t)(a->first + i * a->step + t * a->dilation) < (uint32_t)size;
    return taps;
}

/* Whether zeros of the border are so many of a window's numbers that tiles are better made of several images. Blocks of one vector of
 * channels may add up in another order there (run_patch: across). */
static inline int many_zeros(const job *j)
{
    enum { LEAST_IMAGES = 4, MOST_MAP = 64 };
    const double share = 0.75;
    if (j->s->n < LEAST_IMAGES || j->h * j->width > MOST_MAP || j->joined > 1 || (j->co % BLOCK > 0 && j->co % BLOCK <= VL)) return 0;
    double all = 0, inside = 0;
    for (int32_t p = 0; p < j->phase_rows; p++)
        for (int32_t q = 0; q < j->phase_cols; q++) {
            const axis a = row_axis(j, p), b = col_axis(j, q);
            all += (double)a.out * a.taps * b.out * b.taps;
            inside += taps_of(&a, j->h) * taps_of(&b, j->width);
        }
    return inside < share * all;
}

/* Parts are blocks of channels, of as many images as they need to be ENOUGH_PARTS. */
static inline void plan_by_image(job *j)
{
    j->row_block = j->rows;
    j->col_block = j->cols;
    j->row_parts = j->col_parts = 1;
    j->channel_block = 1;
    j->channel_parts = j->blocks;
    j->images = up(j->s->n, up(ENOUGH_PARTS, j->blocks * j->s->groups));
    j->images = clamp(up(j->images, TILE) * TILE, 1, j->s->n);
    j->image_parts = up(j->s->n, j->images);
}

/* Cuts the work into parts by shape alone: images first; one image into rows, or into channel blocks where the
 * filter is larger than the image: an even number of parts, of about a microsecond at least, which is what it takes to wake a
 * thread that spins. Parts of few tiles are of equal size. */
static inline void plan_parts(job *j)
{
    const ex_conv_shape *s = j->s;
    const double taps = (double)s->kh * s->kw;
    const double macs = (double)s->oh * s->ow * j->ci * j->co * taps;
    int32_t pieces = at_least_one(macs / PART_MACS), most = up(ENOUGH_PARTS, s->n * s->groups);
    if (pieces > most) pieces = most;
    if (pieces > MAX_PIECES) pieces = MAX_PIECES;
    if (pieces > 1) pieces += pieces % 2;
    int32_t by_channels = 1;
    if (taps * j->co > (double)j->h * j->width) by_channels = j->blocks < pieces ? j->blocks : pieces;
    int32_t by_space = up(pieces, by_channels);
    j->images = 1;
    if (macs < SMALL_MACS) j->images = at_least_one(SMALL_MACS / (macs + 1));
    if (j->images > s->n) j->images = s->n;
    j->row_block = j->rows;
    j->col_block = j->cols;
    if (j->rows > 1) j->row_block = up(j->rows, by_space);
    else j->col_block = up(j->cols, by_space);
    if (j->rows == 1 && j->col_block > MANY_TILES * TILE) j->col_block = up(j->col_block, TILE) * TILE;
    if (j->col_block > j->cols) j->col_block = j->cols;
    while (j->row_block > 1 && window_floats(j, j->row_block, j->col_block) * sizeof(float) > STRIP_BYTES)
        j->row_block = up(j->row_block, 2);
    j->channel_block = up(j->blocks, by_channels);
    j->image_parts = up(s->n, j->images);
    j->row_parts = up(j->rows, j->row_block);
    j->col_parts = up(j->cols, j->col_block);
    j->channel_parts = up(j->blocks, j->channel_block);
}

/* moments: they are wanted, and belong to parts of columns. */
static inline void plan(job *j, ex_conv_direction direction, const ex_conv_shape *s, int moments)
{
    const int forward = direction == EX_CONV_FORWARD;
    j->s = s;
    j->direction = direction;
    j->ci = (forward ? s->ci : s->co) / s->groups;
    j->co = (forward ? s->co : s->ci) / s->groups;
    j->h = forward ? s->h : s->oh;
    j->width = forward ? s->w : s->ow;
    j->phase_rows = forward ? 1 : s->stride[0];
    j->phase_cols = forward ? 1 : s->stride[1];
    j->rows = forward ? s->oh : up(s->h, s->stride[0]);
    j->joined = joined_columns(j, forward ? s->ow : s->w);
    j->cols = (forward ? s->ow : up(s->w, s->stride[1])) / j->joined;
    j->blocks = up(j->co, BLOCK);
    j->by_image = !moments && many_zeros(j);
    if (j->by_image) plan_by_image(j);
    else plan_parts(j);
    j->packed_group = (size_t)s->kh * (size_t)(s->kw + j->joined - 1) * (size_t)j->ci * round_up((size_t)j->co, VL);
    /* the strip's room holds the rows that plan_parts may choose for any number of images */
    const window all = part_window(j, 0, j->rows, 0, j->cols);
    const size_t whole = window_floats(j, j->rows, j->cols), row = window_floats(j, 1, j->cols);
    const size_t room = row * sizeof(float) > STRIP_BYTES ? row : STRIP_BYTES / sizeof(float);
    j->strip = window_inside(&all, j->h, j->width) ? 0 : round_up(whole < room ? whole : room, 16);
}

/* Floats of a block of the packed filter, of a job with one phase. */
static inline size_t block_floats(const job *j)
{
    return (size_t)BLOCK * (size_t)j->s->kh * (size_t)(j->s->kw + j->joined - 1) * (size_t)j->ci;
}

static inline size_t bias_floats(const job *j) { return round_up((size_t)j->blocks * BLOCK, 16) * (size_t)j->s->groups; }
static inline size_t packed_floats(const job *j) { return round_up(j->packed_group * (size_t)j->s->groups, 16); }

/* Whether no block of the filter serves two parts, and it does so once: packed when it is used, in the part of the packed filter's room that
 * is the thread's, it is never written to memory. */
static inline int packs_own(const job *j, int32_t threads)
{
    return j->image_parts * j->row_parts * j->col_parts == 1 && (j->by_image || j->s->n == 1) && j->phase_rows * j->phase_cols == 1
        && j->s->groups == 1 && j->channel_parts > 1 && thread_floats(block_floats(j)) * (size_t)threads <= packed_floats(j);
}

/* The bias, the strips, the packed filter. */
static inline size_t job_scratch(const job *j, int32_t threads)
{
    return (bias_floats(j) + thread_floats(j->strip) * (size_t)threads + packed_floats(j)) * sizeof(float);
}
