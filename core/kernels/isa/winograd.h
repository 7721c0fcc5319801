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
#include "../conv.h"

enum { EDGE = 4, REACH = 6, POSITIONS = 36, HALF = REACH / 2 };
enum { PAD = 16 };                          /* floats: keeps rows of a power of two out of one cache set */

static inline int32_t up(int32_t n, int32_t by) { return (n + by - 1) / by; }
static inline int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

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

/* Gg: six numbers of three. */
EX_INLINE void filter_line(vf *out, const int step, const vf *g, const int g_step)
{
    const vf a = g[0], b = g[g_step], c = g[2 * g_step];
    const vf even = (-2 / 3.f) * a - (1 / 3.f) * c, odd = (-2 / 3.f * POINT) * b;
    const vf even2 = (1 / 6.f) * a + (1 / 3.f) * c, odd2 = (1 / 6.f * INVERSE) * b;
    out[0] = a;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
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

/* Where each of the reach x reach pixels of a tile lies; zeros past the borders. */
static inline void tile_pixels(const float **at, const int reach, const grid *g, int32_t tile)
{
    const place p = tile_place(g->rows, g->cols, tile);
    const float *x = g->image.data + p.image * g->image.image;
    for (int32_t i = 0; i < reach; i++) {
        const int32_t row = g->row + p.row + i;
        const int in = row >= 0 && row < g->h;
        for (int32_t k = 0; k < reach; k++) {
            const int32_t col = g->col + p.col + k;
            at[i * reach + k] = in && col >= 0 && col < g->w ? x + row * g->image.row + col * g->image.pixel : g->zeros;
        }
    }
}

/* v = B' d B of one vector of channels. Half of the rows at a time: as many numbers as there are registers for. */
EX_INLINE void read_tile(float *v, size_t position, const float *const at[POSITIONS], const float *const next[POSITIONS],
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

/* V of the tiles [from, end), `tile` floats from tile to tile and `position` from position to position. */
static inline void read_tiles(float *v, size_t tile, size_t position, const grid *g, int32_t from, int32_t end)
{
    const float *at[2][POSITIONS];
    tile_pixels(at[from & 1], REACH, g, from);
    for (int32_t t = from; t < end; t++, v += tile) {
        const float *const *this = at[t & 1], **next = at[~t & 1];
        tile_pixels(next, REACH, g, least(t + 1, end - 1));
        for (int32_t c = 0; c < g->channels; c += VL)
            read_tile(v + c, position, this, next, c, vf_first(least(VL, g->channels - c)));
    }
}
