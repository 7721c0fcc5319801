/* pool_test.c: rows of 2 x 2 windows in every instruction set against their definition: all widths around a vector and all
 * lengths around what one vector holds of narrow ones, with gaps between the pixels and without, equal taps, limits. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

#include "../../../core/base/random.h"
#include "../../../core/kernels/kernels.h"

enum { CHANNELS = 37, WINDOWS = 21, GAP = 3, ROW = 2 * WINDOWS * (CHANNELS + GAP) };
static const float UNTOUCHED = 12345.5f;

typedef struct room { float x[2][ROW], dy[ROW], dx[2][ROW + CHANNELS], y[ROW]; } room;

/* The macros name the variables that they declare. NOLINTBEGIN(bugprone-macro-parentheses) */
#define EACH_SET(k) \
    const char *isa_name; \
    const ex_pool_kernels *k; \
    for (int32_t isa_at = 0; (isa_name = op_isa(isa_at)) && ex_isa_select(isa_name) == EX_OK && (k = ex_kernels_current()->pool); isa_at++)
/* NOLINTEND(bugprone-macro-parentheses) */

/* Few different numbers: many taps are equal. */
static void fill(room *r)
{
    for (uint32_t i = 0; i < ROW; i++) {
        uint32_t word[4];
        ex_random4(word, 5, 1, i, 0, 0);
        r->x[0][i] = (float)((int32_t)(word[0] % 6) - 2);
        r->x[1][i] = (float)((int32_t)(word[1] % 6) - 2);
        r->dy[i] = ex_unit_float(word[2]) - 0.4f;
    }
    for (uint32_t i = 0; i < ROW; i++) r->y[i] = r->dx[0][i] = r->dx[1][i] = UNTOUCHED;
}

/* Tap t of the window at pixel p, in the order in which the first of equal ones wins. */
static ptrdiff_t tap(ptrdiff_t p, int t, ptrdiff_t pixel) { return (2 * p + t % 2) * pixel; }

static void check(const ex_pool_kernels *k, room *r, ptrdiff_t windows, ptrdiff_t channels, ptrdiff_t gap, ex_limits limits)
{
    ptrdiff_t s = channels + gap;
    fill(r);
    k->max_2x2(r->y, s, r->x[0], r->x[1], s, windows, channels);
    k->max_2x2_grad(r->dx[0], r->dx[1], s, r->x[0], r->x[1], s, r->dy, s, limits, windows, channels);
    for (ptrdiff_t p = 0; p < windows; p++)
        for (ptrdiff_t c = 0; c < s; c++) {
            int best = 0;
            float value[4];
            for (int t = 0; t < 4; t++) {
                value[t] = c < channels ? r->x[t / 2][tap(p, t, s) + c] : UNTOUCHED;
                if (value[t] > value[best]) best = t;
            }
            assert_true(r->y[p * s + c] == (c < channels ? value[best] : UNTOUCHED));
            int flat = value[best] <= limits.low || value[best] >= limits.high;
            for (int t = 0; t < 4; t++) {
                float expected = c >= channels ? UNTOUCHED : t == best && !flat ? r->dy[p * s + c] : 0;
                assert_true(r->dx[t / 2][tap(p, t, s) + c] == expected);
            }
        }
    for (ptrdiff_t i = windows * s; i < ROW; i++) assert_true(r->y[i] == UNTOUCHED);
    for (ptrdiff_t i = 2 * windows * s; i < ROW; i++) assert_true(r->dx[0][i] == UNTOUCHED && r->dx[1][i] == UNTOUCHED);
}

static void rows_of_every_width_and_length(void **state)
{
    (void)state;
    room *r = malloc(sizeof *r);
    const ex_limits limits[] = { { NAN, NAN }, { 0, NAN }, { 0, 3 } };
    EACH_SET(k)
        for (ptrdiff_t channels = 1; channels <= CHANNELS; channels += channels < 18 ? 1 : 9)
            for (ptrdiff_t windows = 0; windows <= WINDOWS; windows++)
                for (int l = 0; l < 3; l++)
                    for (ptrdiff_t gap = 0; gap <= GAP; gap += GAP) check(k, r, windows, channels, gap, limits[l]);
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(r);
}

/* A NaN wins wherever it is, in narrow rows as in wide ones, and takes the gradient. */
static void a_nan_wins_its_window(void **state)
{
    (void)state;
    room *r = malloc(sizeof *r);
    EACH_SET(k)
        for (ptrdiff_t channels = 1; channels <= CHANNELS; channels += channels < 18 ? 1 : 9)
            for (int t = 0; t < 4; t++) {
                fill(r);
                ptrdiff_t c = channels / 2, p = 4;
                r->x[t / 2][tap(p, t, channels) + c] = NAN;
                k->max_2x2(r->y, channels, r->x[0], r->x[1], channels, WINDOWS, channels);
                k->max_2x2_grad(r->dx[0], r->dx[1], channels, r->x[0], r->x[1], channels, r->dy, channels, (ex_limits){ 0, 3 }, WINDOWS, channels);
                for (ptrdiff_t i = 0; i < WINDOWS * channels; i++) assert_int_equal(isnan(r->y[i]) != 0, i == p * channels + c);
                for (int u = 0; u < 4; u++) assert_true(r->dx[u / 2][tap(p, u, channels) + c] == (u == t ? r->dy[p * channels + c] : 0));
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_of_every_width_and_length), cmocka_unit_test(a_nan_wins_its_window) };
    return cmocka_run_group_tests_name("pool kernels", tests, NULL, NULL);
}
