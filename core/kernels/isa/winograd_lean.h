/* winograd_lean.h: the products of Winograd's method where few tiles meet a filter that comes from memory: of the filter's 36 numbers
 * for each pair of channels, only the 9 taps are read, and each row of six is made in registers right where it is multiplied:
 *
 *     M[tile][row][k][co] += V[tile][row][k][ci] * ((G g G')[row][k])[ci][co]         for six k, a vector of co, ci one after another
 *
 * Taps are packed as [vector of co][ci][tap][VL], V lies as [tile][vector of ci][position][VL]. It adds up in the order in which
 * winograd.h's products do, so that the bits are the same. It knows no images. */
#pragma once
#include "winograd.h"

typedef struct lean_args {
    const float *taps, *next;               /* of ci 0; what to ask for: taps some vectors of ci further on */
    const float *x;                         /* V of ci 0 in the row's first position */
    float *y;                               /* M there */
    ptrdiff_t x_tile, y_tile, y_position;   /* floats */
    int32_t len, more;                      /* channels, at most VL; more: added to what y holds */
} lean_args;

typedef void lean_function(const lean_args *t);

/* Row `row` of G g: three numbers. */
EX_INLINE void lean_taps(const int row, vf e[3], const float *taps)
{
    UNROLL for (int q = 0; q < 3; q++) {
        vf g[3], out[REACH];
        if (row == 0 || row == REACH - 1) {
            e[q] = vf_load(taps + (row ? 6 + q : q) * VL);
            continue;
        }
        UNROLL for (int t = 0; t < 3; t++) g[t] = vf_load(taps + (3 * t + q) * VL);
        filter_line(out, 1, g, 1);
        e[q] = out[row];
    }
}

EX_INLINE void lean_row(const int row, const int T, const lean_args *t)
{
    vf a[LEAN_TILES * REACH];
    const float *x[LEAN_TILES], *taps = t->taps, *next = t->next;
    UNROLL for (int p = 0; p < T; p++) {
        x[p] = t->x + p * t->x_tile;
        UNROLL for (int k = 0; k < REACH; k++) a[p * REACH + k] = t->more ? vf_load(t->y + p * t->y_tile + k * t->y_position) : (vf){0};
    }
    for (int32_t c = 0; c < t->len; c++, taps += 9 * VL, next += 9 * VL) {
        vf e[3], u[REACH];
        if (2 * row < 9) __builtin_prefetch(next + 2 * row * VL, 0, 2);     /* into the second cache: the first one is the product's */
        if (2 * row + 1 < 9) __builtin_prefetch(next + (2 * row + 1) * VL, 0, 2);
        lean_taps(row, e, taps);
        filter_line(u, 1, e, 1);
        UNROLL for (int k = 0; k < REACH; k++)
            UNROLL for (int p = 0; p < T; p++) a[p * REACH + k] += vf_set1(x[p][k * VL + c]) * u[k];
    }
    UNROLL for (int p = 0; p < T; p++)
        UNROLL for (int k = 0; k < REACH; k++) vf_store(t->y + p * t->y_tile + k * t->y_position, a[p * REACH + k]);
}

#define LEAN_ROW(T, R) static void lean_##T##_##R(const lean_args *t) { lean_row(R, T, t); }
#define LEAN_ROWS(T) LEAN_ROW(T, 0) LEAN_ROW(T, 1) LEAN_ROW(T, 2) LEAN_ROW(T, 3) LEAN_ROW(T, 4) LEAN_ROW(T, 5)
#define LEAN_ENTRIES(T) [T] = { lean_##T##_0, lean_##T##_1, lean_##T##_2, lean_##T##_3, lean_##T##_4, lean_##T##_5 },
#if defined(__AVX512F__) || defined(__aarch64__)
#define LEAN_ALL(X) X(1) X(2) X(3) X(4)
#else
#define LEAN_ALL(X) X(1) X(2)
#endif
LEAN_ALL(LEAN_ROWS)
static lean_function *const lean_rows[LEAN_TILES + 1][REACH] = { LEAN_ALL(LEAN_ENTRIES) };

/* M of `tiles` tiles and one vector of co. taps: of the vector; `tile`, `m_tile`: floats from tile to tile in V, in M; block: floats
 * from position to position in M. */
static inline void lean_multiply(float *m, ptrdiff_t m_tile, ptrdiff_t block, const float *values, ptrdiff_t tile, int32_t tiles,
                                 const float *taps, int32_t ci)
{
    const int32_t groups = up(tiles, LEAN_TILES);
    for (int32_t c0 = 0; c0 < ci; c0 += VL, taps += 9 * VL * VL)
        for (int32_t g = 0; g < groups; g++) {
            const int32_t from = tile_start(tiles, groups, g), T = tile_start(tiles, groups, g + 1) - from;
            for (int32_t row = 0; row < REACH; row++) {
                lean_args t = { .taps = taps, .next = taps + 2 * 9 * VL * VL,
                                .x = values + from * tile + (c0 * POSITIONS + row * REACH * VL), .x_tile = tile, .y_tile = m_tile,
                                .y_position = block, .len = least(VL, ci - c0), .more = c0 > 0 };
                t.y = m + from * m_tile + row * REACH * block;
                lean_rows[T][row](&t);
            }
        }
}
