/* winograd.h: what both Winograd sources share: tiles of 6x6 pixels that overlap by two, where their pixels lie, and the
 * transforms of one vector of channels (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016).
 *
 *     4 outputs of 3 taps:   y = A' [ (G g) * (B' d) ]          d: 6 pixels, g: 3 taps
 *     3 taps of 4 outputs:   dw = A3' [ (G4 e) * (B' d) ]       e: 4 pixels of the output's gradient
 *
 * along both axes. The polynomials are evaluated at 0, infinity, and the points of least error: +-sqrt(1/2), +-sqrt(2)
 * (with the usual +-1, +-2 it is four times as large). Each transform is written once, so that it rounds alike everywhere. */
#pragma once
#include "conv_tile.h"
#include "conv_parts.h"
#include "../conv.h"

enum { EDGE = 4, REACH = 6, POSITIONS = 36, HALF = REACH / 2 };
#if defined(__AVX512F__) || defined(__aarch64__)
enum { LEAN_TILES = 4 };                    /* whose sums of a row the registers hold */
#else
enum { LEAN_TILES = 2 };
#endif
enum { PAD = 16 };                          /* floats: keeps rows of a power of two out of one cache set */

/* -- Transforms ---------------------------------------------------------------------------------------------- */

#define POINT 0.70710678118654752f          /* the points: +-POINT and +-1 / POINT */
#define INVERSE 1.41421356237309505f

/* Rows 0..2 (half 0) or 3..5 (half 1) of B'd. */
EX_INLINE void read_half(const int half, vf *out, const int step, const vf *d)
{
    if (half == 0) {
        const vf even = d[4] - 2 * d[2], odd = d[3] - 2 * d[1];
        out[0] = d[0] + d[4] - 2.5f * d[2];
        out[step] = even + POINT * odd;
        out[2 * step] = even - POINT * odd;
    } else {
        const vf even = d[4] - 0.5f * d[2], odd = d[3] - 0.5f * d[1];
        out[0] = even + INVERSE * odd;
        out[step] = even - INVERSE * odd;
        out[2 * step] = d[1] + d[5] - 2.5f * d[3];
    }
}

/* A'm: four numbers of six. */
EX_INLINE void write_line(vf *out, const int step, const vf *m, const int m_step)
{
    const vf sum = m[m_step] + m[2 * m_step], gap = m[m_step] - m[2 * m_step];
    const vf sum2 = m[3 * m_step] + m[4 * m_step], gap2 = m[3 * m_step] - m[4 * m_step];
    out[0] = m[0] + sum + sum2;
    out[step] = INVERSE * gap2 + POINT * gap;
    out[2 * step] = 2 * sum2 + 0.5f * sum;
    out[3 * step] = m[5 * m_step] + POINT * 0.5f * gap + INVERSE * 2 * gap2;
}

/* Gg: six numbers of three. Of a row of them alone (winograd_lean.h) each has the same bits. */
EX_INLINE void filter_line(vf *out, const int step, const vf *g, const int g_step)
{
    const vf a = g[0], b = g[g_step], c = g[2 * g_step];
    const vf third = (1 / 3.f) * c, even = vf_fma(vf_set1(-2 / 3.f), a, -third), even2 = vf_fma(vf_set1(1 / 6.f), a, third);
    const vf odd = vf_set1(-2 / 3.f * POINT), odd2 = vf_set1(1 / 6.f * INVERSE);
    out[0] = a;
    out[step] = vf_fma(odd, b, even);
    out[2 * step] = vf_fma(-odd, b, even);
    out[3 * step] = vf_fma(odd2, b, even2);
    out[4 * step] = vf_fma(-odd2, b, even2);
    out[5 * step] = c;
}

/* G4 e: six numbers of four. */
EX_INLINE void gradient_line(vf *out, const int step, const vf *e)
{
    const vf even = (-2 / 3.f) * e[0] - (1 / 3.f) * e[2], odd = (-2 / 3.f) * e[1] - (1 / 3.f) * e[3];
    const vf even2 = (1 / 6.f) * e[0] + (1 / 3.f) * e[2], odd2 = (1 / 6.f) * e[1] + (1 / 3.f) * e[3];
    out[0] = e[0];
    out[step] = even + POINT * odd;
    out[2 * step] = even - POINT * odd;
    out[3 * step] = even2 + INVERSE * odd2;
    out[4 * step] = even2 - INVERSE * odd2;
    out[5 * step] = e[3];
}

/* A3' m: three numbers of six. */
EX_INLINE void taps_line(vf *out, const int step, const vf *m)
{
    const vf sum = m[1] + m[2], gap = m[1] - m[2], sum2 = m[3] + m[4], gap2 = m[3] - m[4];
    out[0] = m[0] + sum + sum2;
    out[step] = INVERSE * gap2 + POINT * gap;
    out[2 * step] = m[5] + 2 * sum2 + 0.5f * sum;
}

/* -- Tiles ---------------------------------------------------------------------------------------------------- */

/* Images cut into rows x cols tiles; the first one begins at the pixel (row, col), which may lie outside. */
typedef struct grid {
    ex_conv_image image;
    int32_t channels, h, w, row, col, rows, cols;
    const float *zeros;                     /* a pixel of zeros, in whole vectors */
} grid;

typedef struct place { int32_t image, row, col; } place;   /* of a tile; row, col: of its first output */

static inline place tile_place(int32_t rows, int32_t cols, int32_t tile)
{
    const int32_t at = tile % (rows * cols);
    return (place){ tile / (rows * cols), at / cols * EDGE, at % cols * EDGE };
}

static inline place next_place(place p, const grid *g)
{
    p.col += EDGE;
    if (p.col >= g->cols * EDGE) p.col = 0, p.row += EDGE;
    if (p.row >= g->rows * EDGE) p.row = 0, p.image++;
    return p;
}

/* Where the pixels of a tile lie; a row is written as whole vectors, past its end. */
enum { ROW = 8, PIXELS = POSITIONS + ROW - REACH };

typedef int64_t addresses __attribute__((vector_size(VL * 4)));
enum { ADDRESSES = VL / 2, ROW_VECTORS = ROW / ADDRESSES };

/* Of each of the reach x reach pixels; zeros past the borders: (row & in) + step of each column, where `in` is all ones and step
 * its distance inside of the image, else 0 and the address of the zeros. */
EX_INLINE void tile_pixels(const float **at, const int reach, const grid *g, place p)
{
    static const int64_t ones[3 * ROW] = { [ROW] = -1, -1, -1, -1, -1, -1, -1, -1 };
    const int32_t top = g->row + p.row, left = g->col + p.col;
    const int32_t low = left < 0 ? least(-left, ROW) : 0, high = left < g->w ? least(g->w - left, ROW) : 0;
    const int64_t distance = g->image.pixel * (int64_t)sizeof(float);
    const addresses zeros = (intptr_t)g->zeros - (addresses){0};
    addresses in[ROW_VECTORS], step[ROW_VECTORS], count;    /* made in registers: nothing waits for stores */
    UNROLL for (int k = 0; k < ADDRESSES; k++) count[k] = k;
    UNROLL for (int v = 0; v < ROW_VECTORS; v++) {
        addresses end;
        memcpy(&in[v], ones + ROW - low + v * ADDRESSES, sizeof in[v]);
        memcpy(&end, ones + 2 * ROW - high + v * ADDRESSES, sizeof end);
        in[v] &= end;
        step[v] = ((count + v * ADDRESSES) * distance & in[v]) | (zeros & ~in[v]);
    }
    const float *x = g->image.data + p.image * g->image.image + top * g->image.row + left * g->image.pixel;
    UNROLL for (int i = 0; i < reach; i++, x += g->image.row, at += reach) {
        const int row_in = top + i >= 0 && top + i < g->h;
        UNROLL for (int v = 0; v < ROW_VECTORS; v++) {
            const addresses row = row_in ? ((intptr_t)x & in[v]) + step[v] : zeros;
            memcpy(at + v * ADDRESSES, &row, sizeof row);
        }
    }
}

/* -- What comes next -------------------------------------------------------------------------------------------- */

/* The lines that the tiles after these read or write, in the order of memory. They are asked for while these are multiplied,
 * one in each step of a product: of many prefetches at once a Zen 5 drops most, and the rest hold up the loads behind them. */
typedef struct ahead {
    ex_conv_image image;
    int32_t h, lines;                       /* rows of an image, cache lines of a row */
    int32_t number, row, at;                /* the next image, row and line */
    int32_t left;                           /* lines */
} ahead;

/* Rows of all images that the tiles before `tile` reach: each its `reach` rows from `first` on. */
static inline int32_t rows_reached(const grid *g, int32_t tile, int32_t h, int32_t first, int32_t reach)
{
    if (!tile) return 0;
    const place p = tile_place(g->rows, g->cols, tile - 1);
    const int32_t row = first + p.row + reach;
    return p.image * h + (row < 0 ? 0 : least(row, h));
}

/* The rows that tiles [from, end) reach and none before them. Of pixels that lie apart nothing is asked for. */
static inline ahead ahead_of(const grid *g, int32_t reach, int32_t from, int32_t end)
{
    if (from >= end || g->image.pixel >= g->channels + LINE) return (ahead){0};
    const int32_t row = rows_reached(g, from, g->h, g->row, reach), lines = up((int32_t)g->image.pixel * g->w, LINE);
    return (ahead){ .image = g->image, .h = g->h, .lines = lines, .number = row / g->h, .row = row % g->h,
                    .left = (rows_reached(g, end, g->h, g->row, reach) - row) * lines };
}

/* Piece number `piece` of `pieces`. */
static inline ahead ahead_piece(ahead a, int32_t piece, int32_t pieces)
{
    if (!a.left) return a;
    const int32_t from = tile_start(a.left, pieces, piece), row = a.row + from / a.lines;
    a.left = tile_start(a.left, pieces, piece + 1) - from;
    a.number += row / a.h, a.row = row % a.h, a.at = from % a.lines;
    return a;
}

/* Takes the next `lines` lines of two of them, the first one first: where they begin; NULL: none are left. */
static inline const float *ahead_take(ahead both[2], int32_t lines)
{
    ahead *a = both[0].left ? &both[0] : &both[1];
    if (!a->left) return NULL;
    const float *first = a->image.data + a->number * a->image.image + a->row * a->image.row + a->at * LINE;
    a->left = a->left > lines ? a->left - lines : 0;
    for (a->at += lines; a->at >= a->lines && a->left; a->at -= a->lines)
        if (++a->row == a->h) a->row = 0, a->number++;
    return first;
}

/* -- Products ----------------------------------------------------------------------------------------------------- */

/* P rows of broadcast numbers against NV vectors, over k < len:
 *
 *     y[p*y_p + v*VL] = sum of x[p*x_p + k*x_k] * w[k*w_k + v*VL] */
typedef struct product_args {
    const float *x, *w;
    float *y;
    ptrdiff_t x_p, x_k, w_k, y_p;
    int32_t len, more;                      /* more: added to what y holds */
    const float *next;                      /* what to ask for, a line in each step; NULL: nothing */
} product_args;

typedef void product_function(const product_args *t);

/* x_p == 1 where `across`, else x_k == 1 and w_k == NV*VL. */
EX_INLINE void product(const int P, const int NV, const int across, const product_args *t)
{
    vf a[TILE][2];
    const ptrdiff_t x_p = across ? 1 : t->x_p, x_k = across ? t->x_k : 1, w_k = across ? t->w_k : NV * VL, step = t->next ? LINE : 0;
    const float *x = t->x, *w = t->w, *next = t->next ? t->next : t->x;
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int v = 0; v < NV; v++) a[p][v] = (vf){0};
    if (t->more)
        UNROLL for (int p = 0; p < P; p++)
            UNROLL for (int v = 0; v < NV; v++) a[p][v] = vf_load(t->y + p * t->y_p + v * VL);
    for (int32_t k = t->len; k > 0; k--, x += x_k, w += w_k, next += step) {
        vf b[2];
        __builtin_prefetch(next, 0, 2);     /* into the second cache: the first one is the product's */
        UNROLL for (int v = 0; v < NV; v++) b[v] = vf_load(w + v * VL);
        UNROLL for (int p = 0; p < P; p++) {
            const vf f = vf_set1(x[p * x_p]);
            UNROLL for (int v = 0; v < NV; v++) a[p][v] += f * b[v];
        }
    }
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int v = 0; v < NV; v++) vf_store(t->y + p * t->y_p + v * VL, a[p][v]);
}

#define PRODUCTS_6(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define PRODUCTS_14(X) PRODUCTS_6(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#if defined(__AVX512F__) || defined(__aarch64__)
#define PRODUCTS(X) PRODUCTS_14(X)
#else
#define PRODUCTS(X) PRODUCTS_6(X)
#endif

/* -- Reading ----------------------------------------------------------------------------------------------------- */

/* v = B' d B of one vector of channels. Half of the rows at a time: as many numbers as there are registers for. */
EX_INLINE void read_tile(float *v, size_t position, const float *const at[PIXELS], const float *const next[PIXELS],
                         int32_t c, vmask first)
{
    UNROLL for (int half = 0; half < 2; half++) {
        vf e[HALF * REACH];
        UNROLL for (int k = 0; k < REACH; k++) {
            vf d[REACH];                    /* of which a half reads five */
            UNROLL for (int i = half; i < half + REACH - 1; i++) d[i] = vf_load_part(at[i * REACH + k] + c, first);
            if (k >= REACH - EDGE)          /* what this tile does not read */
                UNROLL for (int i = half * HALF; i < half * HALF + HALF; i++) __builtin_prefetch(next[i * REACH + k] + c);
            read_half(half, e + k, REACH, d);
        }
        UNROLL for (int i = 0; i < HALF; i++) {
            vf out[REACH];
            read_half(0, out, 1, e + i * REACH);
            read_half(1, out + HALF, 1, e + i * REACH);
            UNROLL for (int k = 0; k < REACH; k++)
                vf_store(v + (size_t)((half * HALF + i) * REACH + k) * position, out[k]);
        }
    }
}

/* V of the tiles [from, end), `tile` floats from tile to tile, `position` from position to position and `vector` from one vector
 * of channels to the next. */
static inline void read_tiles(float *v, size_t tile, size_t position, size_t vector, const grid *g, int32_t from, int32_t end)
{
    const float *at[2][PIXELS];
    place p = tile_place(g->rows, g->cols, from);
    tile_pixels(at[from & 1], REACH, g, p);
    for (int32_t t = from; t < end; t++, v += tile) {
        const float *const *this = at[t & 1], **next = at[~t & 1];
        if (t + 1 < end) p = next_place(p, g);
        tile_pixels(next, REACH, g, p);
        for (int32_t c = 0; c < g->channels; c += VL)
            read_tile(v + (size_t)(c / VL) * vector, position, this, next, c, vf_first(least(VL, g->channels - c)));
    }
}
