/* conv_tile.h: the micro-kernel that all dense convolutions share. A tile is R x P rows of broadcast numbers against NV
 * vectors of output channels, all in registers:
 *
 *     acc[r][p][v] += x[r*x_row + p*x_col + o*x_outer + i*x_inner + k*x_k] * w[o*w_outer + i*w_inner + k*w_k + v*VL]
 *
 * summed over o < outer, i < inner, k < len in that order. Forward and input gradient: (r, p) are output pixels, k runs
 * over channels (x_k == 1) and w is the packed filter. Weight gradient: (r, p) are kernel rows and (column, channel)
 * pairs (x_col == 1), k runs over pixels and w is the output's gradient. It knows no borders: callers pad. */
#pragma once
#include "conv_epilogue.h"

typedef struct tile_args {
    const float *x, *w;
    float *y;
    ptrdiff_t x_row, x_col, x_outer, x_inner, x_k;
    ptrdiff_t w_outer, w_inner, w_k;
    ptrdiff_t y_row, y_col;                 /* of tile element (r, p) */
    int32_t outer, inner, len;
    int32_t last;                           /* lanes of the last vector that exist, 1..VL */
    int32_t across;                         /* forward: sums of tile_sum_across */
    int32_t more;                           /* weight gradient: add to what y holds */
    const float *bias;                      /* forward: NV*VL numbers, added to the sums */
    const float *ahead;                     /* forward: what the next tile reads, `ahead_k` floats for each step of len; NULL: unknown */
    ptrdiff_t ahead_k;
    const float *residual;                  /* forward: of element (0, 0), or NULL */
    ptrdiff_t residual_row, residual_col;
    ex_conv_activation activation;          /* forward */
} tile_args;

typedef void tile_function(const tile_args *t);

/* Pixels in a tile: with two vectors of channels they fill the registers but for the operands. */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { TILE = 14 };
#else
enum { TILE = 6 };
#endif
enum { WIDE = 2 * TILE, MOST_ROWS = 5 };    /* pixels with one vector of channels */
enum { ACROSS = VL == 16 };                 /* whether tile_sum_across pays: registers hold it, and loads are the limit */

enum { AHEAD = 6 };                         /* pixels */

#define UNROLL _Pragma("GCC unroll 32")

enum { RUN = 5, RUNS = (TILE + RUN - 1) / RUN };        /* columns that one register points at */
#define KEEP(pointer) __asm__("" : "+r"(pointer))

/* Sums into a; each index after unrolling is a constant, so that a lives in registers. `asks`: for what the next tile reads,
 * while this one multiplies; the hardware does not see that far, since a tile walks along all its pixels at once. */
EX_INLINE void tile_sum(vf (*a)[2], const int R, const int P, const int NV, const int weight, const int asks, const tile_args *t)
{
    const ptrdiff_t x_row = t->x_row, x_col = weight ? 1 : t->x_col, x_k = weight ? t->x_k : 1, w_k = weight ? t->w_k : NV * VL;
    const int run = weight || NV > 1 ? TILE : RUN, runs = (P + run - 1) / run;
    const vmask last = vf_first(t->last);
    const float *ahead = t->ahead;
    for (int32_t o = 0; o < t->outer; o++)
        for (int32_t i = 0; i < t->inner; i++) {
            const float *x[MOST_ROWS][RUNS];        /* registers are too few for the distances to all columns */
            UNROLL for (int r = 0; r < R; r++)
                UNROLL for (int c = 0; c < runs; c++) {
                    x[r][c] = t->x + o * t->x_outer + i * t->x_inner + r * x_row + c * RUN * x_col;
                    if (NV == 1) KEEP(x[r][c]);
                }
            const float *w = t->w + o * t->w_outer + i * t->w_inner;
            for (int32_t k = t->len; k > 0; k--, w += w_k) {
                vf b[2];
                if (weight) {               /* pixels are strided: the hardware does not see far enough ahead */
                    __builtin_prefetch(x[0][0] + AHEAD * x_k);
                    __builtin_prefetch(w + AHEAD * w_k);
                    if (NV > 1) __builtin_prefetch(w + AHEAD * w_k + VL);
                }
                if (asks) {
                    UNROLL for (int l = 0; l < R * P; l += LINE) __builtin_prefetch(ahead + l);
                    ahead += t->ahead_k;
                }
                UNROLL for (int v = 0; v < NV; v++)
                    b[v] = weight && v == NV - 1 ? vf_load_part(w + v * VL, last) : vf_load(w + v * VL);
                UNROLL for (int j = 0; j < R * P; j++) {
                    const vf f = vf_set1(x[j / P][j % P / run][j % P % run * x_col]);
                    UNROLL for (int v = 0; v < NV; v++) a[j][v] += f * b[v];
                }
                UNROLL for (int r = 0; r < R; r++)
                    UNROLL for (int c = 0; c < runs; c++) x[r][c] += x_k;
            }
        }
}

/* The same for one vector and three taps that lie x_col apart, in the order outer, k, tap: a number of x is then read once
 * for three outputs, where tile_sum reads one for each multiplication and can feed only nine tenths of them. */
EX_INLINE void tile_sum_across(vf (*a)[2], const int R, const int P, const tile_args *t)
{
    const ptrdiff_t x_col = t->x_col, w_tap = t->w_inner;
    for (int32_t o = 0; o < t->outer; o++) {
        const float *x[MOST_ROWS][RUNS + 1], *w = t->w + o * t->w_outer;
        UNROLL for (int r = 0; r < R; r++)
            UNROLL for (int c = 0; c < (P + 1 + RUN) / RUN; c++) {
                x[r][c] = t->x + o * t->x_outer + r * t->x_row + c * RUN * x_col;
                KEEP(x[r][c]);
            }
        for (int32_t k = t->len; k > 0; k--, w += VL) {
            const vf b[3] = { vf_load(w), vf_load(w + w_tap), vf_load(w + 2 * w_tap) };
            UNROLL for (int r = 0; r < R; r++)
                UNROLL for (int q = 0; q < P + 2; q++) {
                    const vf f = vf_set1(x[r][q / RUN][q % RUN * x_col]);
                    UNROLL for (int u = 0; u < 3; u++)
                        if (q - u >= 0 && q - u < P) a[r * P + q - u][0] += f * b[u];
                }
            UNROLL for (int r = 0; r < R; r++)
                UNROLL for (int c = 0; c < (P + 1 + RUN) / RUN; c++) x[r][c]++;
        }
    }
}

EX_INLINE void tile(const int R, const int P, const int NV, const int weight, const tile_args *t)
{
    vf a[WIDE][2];
    const vmask last = vf_first(t->last);
    if (weight && t->more)
        UNROLL for (int j = 0; j < R * P; j++) {
            const float *from = t->y + (j / P) * t->y_row + (j % P) * t->y_col;
            UNROLL for (int v = 0; v < NV; v++)
                a[j][v] = v == NV - 1 ? vf_load_part(from + v * VL, last) : vf_load(from + v * VL);
        }
    else
        UNROLL for (int j = 0; j < R * P; j++)
            UNROLL for (int v = 0; v < NV; v++) a[j][v] = (vf){0};
    if (!weight)
        for (int r = 0; r < R; r++) {
            epilogue_prefetch(t->y + r * t->y_row, t->y_col, P, NV);
            if (t->residual) epilogue_prefetch(t->residual + r * t->residual_row, t->residual_col, P, NV);
        }
    if (ACROSS && !weight && NV == 1 && t->across) tile_sum_across(a, R, P, t);
    else if (!weight && t->ahead) tile_sum(a, R, P, NV, weight, 1, t);
    else tile_sum(a, R, P, NV, weight, 0, t);
    if (!weight) {
        UNROLL for (int r = 0; r < R; r++) {
            float *y = t->y + r * t->y_row;
            const float *residual = t->residual ? t->residual + r * t->residual_row : NULL;
            if (NV > 1)
                epilogue_store(y, t->y_col, &a[r * P][0], 2, P, vf_load(t->bias), residual, t->residual_col, t->activation, 1, last);
            const int v = NV - 1;
            const vf bias = vf_load(t->bias + v * VL);
            if (residual) residual += v * VL;
            if (t->last == VL)
                epilogue_store(y + v * VL, t->y_col, &a[r * P][v], 2, P, bias, residual, t->residual_col, t->activation, 1, last);
            else
                epilogue_store(y + v * VL, t->y_col, &a[r * P][v], 2, P, bias, residual, t->residual_col, t->activation, 0, last);
        }
        return;
    }
    if (t->last == VL) {
        UNROLL for (int j = 0; j < R * P; j++)
            UNROLL for (int v = 0; v < NV; v++)
                vf_store(t->y + (j / P) * t->y_row + (j % P) * t->y_col + v * VL, a[j][v]);
        return;
    }
    UNROLL for (int j = 0; j < R * P; j++) {
        float *to = t->y + (j / P) * t->y_row + (j % P) * t->y_col;
        UNROLL for (int v = 0; v < NV - 1; v++) vf_store(to + v * VL, a[j][v]);
        vf_store_part(to + (NV - 1) * VL, a[j][NV - 1], last);
    }
}

/* The tiles that exist: up to TILE columns; TILE pixels in all with two vectors of channels, WIDE with one. */
#define TILES_6(X) X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(2, 1) X(2, 2) X(2, 3) X(3, 1) X(3, 2) X(4, 1) X(5, 1)
#define WIDE_6(X) X(2, 4) X(2, 5) X(2, 6) X(3, 3) X(3, 4) X(4, 2) X(4, 3) X(5, 2)
#define TILES_14(X) TILES_6(X) X(1, 7) X(1, 8) X(1, 9) X(1, 10) X(1, 11) X(1, 12) X(1, 13) X(1, 14) \
    X(2, 4) X(2, 5) X(2, 6) X(2, 7) X(3, 3) X(3, 4) X(4, 2) X(4, 3) X(5, 2)
#define WIDE_14(X) X(2, 8) X(2, 9) X(2, 10) X(2, 11) X(2, 12) X(2, 13) X(2, 14) X(3, 5) X(3, 6) X(3, 7) X(3, 8) X(3, 9) \
    X(4, 4) X(4, 5) X(4, 6) X(4, 7) X(5, 3) X(5, 4) X(5, 5)
#if defined(__AVX512F__) || defined(__aarch64__)
#define TILES(X) TILES_14(X)
#define WIDE_TILES(X) WIDE_14(X)
#else
#define TILES(X) TILES_6(X)
#define WIDE_TILES(X) WIDE_6(X)
#endif

/* conv.c's and conv_weight.c's, by rows, columns and vectors - 1: forward, weight gradients. */
extern tile_function *const EX_SUFFIXED(ex_conv_tiles)[MOST_ROWS + 1][TILE + 1][2];
extern tile_function *const EX_SUFFIXED(ex_weight_tiles)[MOST_ROWS + 1][TILE + 1][2];

/* A block of `columns` in a run of `total` > 0: equal blocks of at most TILE, the first ones larger by one. */
static inline int32_t tile_blocks(int32_t total) { return total > TILE ? (total + TILE - 1) / TILE : 1; }
static inline int32_t tile_start(int32_t total, int32_t blocks, int32_t b)
{
    const int32_t rest = total % blocks;
    return b * (total / blocks) + (b < rest ? b : rest);
}

/* How many of `rows` rows a tile of nv vectors may have if it is `columns` wide. */
static inline int32_t tile_rows(int32_t columns, int32_t rows, int32_t nv)
{
    const int32_t most = (nv > 1 ? TILE : WIDE) / (columns > 1 ? columns : 1);
    return rows < most ? (rows < MOST_ROWS ? rows : MOST_ROWS) : most < MOST_ROWS ? most : MOST_ROWS;
}
