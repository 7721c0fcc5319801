/* norm_test.c: the loops of normalisation in every instruction set against their formulas: all widths around a vector,
 * windows of several sizes, gaps that stay as they were, equal taps, the same number wherever its channel lies. */
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

enum { CHANNELS = 70, GAP = 3, WINDOWS = 83, TAPS = 9, ROOM = WINDOWS * TAPS * (CHANNELS + GAP) };
static const float UNTOUCHED = 12345.5f;

typedef struct room { float x[ROOM], dy[ROOM], y[ROOM], out[ROOM], number[6][CHANNELS]; } room;

/* The macros name the variables that they declare. NOLINTBEGIN(bugprone-macro-parentheses) */
#define EACH_SET(k) \
    const char *isa_name; \
    const ex_norm_kernels *k; \
    for (int32_t isa_at = 0; (isa_name = op_isa(isa_at)) && ex_isa_select(isa_name) == EX_OK && (k = ex_kernels_current()->norm); isa_at++)
/* NOLINTEND(bugprone-macro-parentheses) */

/* Quarters of whole numbers: z is exact, so many taps of a window are equal. */
static room *new_room(void)
{
    room *r = malloc(sizeof *r);
    for (uint32_t i = 0; i < ROOM; i++) {
        uint32_t word[4];
        ex_random4(word, 5, 1, i, 0, 0);
        r->x[i] = (float)((int32_t)(word[0] % 17) - 8) * 0.25f;
        r->dy[i] = ex_unit_float(word[1]) * 2 - 0.7f;
        r->y[i] = (float)((int32_t)(word[2] % 9) - 3);
    }
    for (uint32_t c = 0; c < CHANNELS; c++)
        for (int k = 0; k < 6; k++) r->number[k][c] = (float)((int32_t)((c * 7 + (uint32_t)k * 5) % 13) - 6) * 0.5f;
    return r;
}

static ex_norm_numbers numbers_of(const room *r, float low, float high)
{
    return (ex_norm_numbers){ r->number[0], r->number[1], r->number[2], r->number[3], r->number[4], r->number[5], low, high, EX_NORM_LIMITS };
}

static double limited(double z, const ex_norm_numbers *k) { return z <= k->low ? k->low : z >= k->high ? k->high : z; }
static double z_of(const ex_norm_numbers *k, double x, ptrdiff_t c) { return (x - k->center[c]) * k->scale[c] + k->offset[c]; }

/* Where the window's largest v lies: the first of equal ones. */
static ptrdiff_t winner(const ex_norm_numbers *k, const float *x, const ex_window *w, ptrdiff_t c, double *v)
{
    ptrdiff_t at = 0;
    *v = -INFINITY;
    for (int32_t r = 0; r < w->rows; r++)
        for (int32_t q = 0; q < w->columns; q++) {
            ptrdiff_t tap = r * w->row + q * w->column;
            double own = limited(z_of(k, x[tap + c], c), k);
            if (own > *v) { *v = own; at = tap; }
        }
    return at;
}

static const struct { int32_t rows, columns; float low, high; } forms[] = {
    { 1, 1, 0, NAN }, { 1, 1, 0, 6 }, { 1, 1, NAN, NAN }, { 2, 2, 0, NAN }, { 2, 2, 0, 6 }, { 2, 2, NAN, NAN }, { 1, 2, 0, NAN },
    { 3, 3, 0, 6 }, { 2, 1, NAN, NAN } };
enum { FORMS = sizeof forms / sizeof *forms };

/* Widths 1..18, then some more; few windows and more than a stretch. */
/* NOLINTBEGIN(bugprone-macro-parentheses) */
#define EACH_SIZE(c, windows) \
    for (ptrdiff_t c = 1; c <= CHANNELS; c += c < 18 ? 1 : 13) \
        for (ptrdiff_t windows = 1; windows <= WINDOWS; windows = windows * 9 + 10)
/* NOLINTEND(bugprone-macro-parentheses) */

/* A row of windows: x has one row of windows * columns pixels after the other. */
static ex_window window_of(int form, ptrdiff_t windows, ptrdiff_t pixel)
{
    return (ex_window){ forms[form].rows, forms[form].columns, windows * forms[form].columns * pixel, pixel };
}

static void forward_of_every_width(void **state)
{
    (void)state;
    room *r = new_room();
    EACH_SET(k)
        for (int form = 0; form < FORMS; form++)
            EACH_SIZE(c, windows) {
                ptrdiff_t s = c + GAP;
                ex_norm_numbers n = numbers_of(r, forms[form].low, forms[form].high);
                ex_window w = window_of(form, windows, s);
                for (ptrdiff_t i = 0; i < windows * s; i++) r->out[i] = UNTOUCHED;
                k->forward(r->out, s, r->x, &w, NULL, 0, &n, windows, c);
                for (ptrdiff_t i = 0; i < windows * s; i++) {
                    double e = UNTOUCHED;
                    if (i % s < c) winner(&n, r->x + i / s * w.columns * s, &w, i % s, &e);
                    if (fabs(r->out[i] - e) > 1e-5) fail_msg("%s, form %d, %d channels: %g, expected %g", isa_name, form, (int)c, r->out[i], e);
                }
                if (w.rows * w.columns > 1) continue;
                k->forward(r->out, s, r->x, &w, r->dy, s, &n, windows, c);
                for (ptrdiff_t i = 0; i < windows * s; i++) {
                    double e = i % s < c ? limited(z_of(&n, r->x[i], i % s) + r->dy[i], &n) : UNTOUCHED;
                    assert_true(fabs(r->out[i] - e) <= 1e-5);
                }
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(r);
}

static double slope(double v, const ex_norm_numbers *k) { return !(v <= k->low || v >= k->high); }

static void gradients_of_every_width(void **state)
{
    (void)state;
    room *r = new_room();
    EACH_SET(k)
        for (int form = 0; form < FORMS; form++)
            EACH_SIZE(c, windows) {
                ptrdiff_t s = c + GAP, taps = forms[form].rows * forms[form].columns;
                ex_norm_numbers n = numbers_of(r, forms[form].low, forms[form].high);
                ex_window w = window_of(form, windows, s);
                double sum[CHANNELS], product[CHANNELS];
                for (ptrdiff_t i = 0; i < windows * taps * s; i++) r->out[i] = UNTOUCHED;
                for (ptrdiff_t i = 0; i < c; i++) sum[i] = product[i] = 1;
                k->grad_input(r->out, &w, r->x, &w, r->dy, s, &n, windows, c);
                k->grad_sums(sum, product, r->x, &w, r->dy, s, &n, windows, c);
                for (ptrdiff_t i = 0; i < c; i++) {
                    double d_sum = 1, d_product = 1;
                    for (ptrdiff_t p = 0; p < windows; p++) {
                        const float *x = r->x + p * w.columns * s;
                        double v;
                        ptrdiff_t at = winner(&n, x, &w, i, &v);
                        double d = r->dy[p * s + i] * slope(v, &n);
                        d_sum += d;
                        d_product += d * (x[at + i] - n.center[i]);
                        for (ptrdiff_t t = 0; t < taps; t++) {
                            ptrdiff_t tap = t / w.columns * w.row + t % w.columns * w.column;
                            double e = (tap == at ? d * n.a[i] : 0) + ((double)x[tap + i] - n.center[i]) * n.b[i] + n.shift[i];
                            if (fabs(r->out[p * w.columns * s + tap + i] - e) > 2e-5)
                                fail_msg("%s, form %d, %d channels: dx %g, expected %g", isa_name, form, (int)c, r->out[p * w.columns * s + tap + i], e);
                        }
                    }
                    assert_true(fabs(sum[i] - d_sum) <= 1e-4 && fabs(product[i] - d_product) <= 3e-4);
                }
                for (ptrdiff_t i = 0; i < windows * taps * s; i++) assert_true(i % s < c || r->out[i] == UNTOUCHED);
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(r);
}

static void gradients_through_a_sum(void **state)
{
    (void)state;
    room *r = new_room();
    EACH_SET(k)
        for (int form = 0; form < 3; form++)
            EACH_SIZE(c, pixels) {
                ptrdiff_t s = c + GAP;
                ex_norm_numbers n = numbers_of(r, forms[form].low, forms[form].high);
                double sum[CHANNELS], product[CHANNELS];
                for (ptrdiff_t i = 0; i < pixels * s; i++) r->out[i] = UNTOUCHED;
                for (ptrdiff_t i = 0; i < c; i++) sum[i] = product[i] = 1;
                const float *more = pixels > 1 ? r->dy + ROOM / 2 : NULL;
                k->add_grad(sum, product, r->out, s, r->x, s, r->y, s, r->dy, s, more, s, &n, pixels, c);
                for (ptrdiff_t i = 0; i < s; i++) {
                    double d_sum = 1, d_product = 1;
                    for (ptrdiff_t p = 0; p < pixels; p++) {
                        float dy = r->dy[p * s + i] + (more ? more[p * s + i] : 0);
                        double d = i < c ? dy * slope(r->y[p * s + i], &n) : UNTOUCHED;
                        assert_true(r->out[p * s + i] == (float)d);
                        d_sum += d;
                        if (i < c) d_product += d * (r->x[p * s + i] - n.center[i]);
                    }
                    assert_true(i >= c || (fabs(sum[i] - d_sum) <= 1e-4 && fabs(product[i] - d_product) <= 3e-4));
                }
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(r);
}

/* What is not a number stays one, and takes its window; infinity passes where there is no limit. */
static void numbers_that_are_none(void **state)
{
    (void)state;
    EACH_SET(k) {
        float x[4] = { 1, NAN, 3, 2 }, one = 1, zero = 0, y = 0, dy = 5, dx[4];
        ex_norm_numbers n = { &zero, &one, &zero, &one, &zero, &zero, 0, NAN, EX_NORM_LIMITS };
        ex_window w = { 2, 2, 2, 1 };
        k->forward(&y, 1, x, &w, NULL, 0, &n, 1, 1);
        assert_true(isnan(y));
        k->grad_input(dx, &w, x, &w, &dy, 1, &n, 1, 1);
        assert_true(dx[0] == 0 && isnan(dx[1]) && dx[2] == 0 && dx[3] == 0);
        x[1] = INFINITY;
        k->forward(&y, 1, x, &w, NULL, 0, &n, 1, 1);
        assert_true(isinf(y));
    }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* The arithmetic of whole and partial vectors is one: a channel's numbers do not depend on how many lie before it. */
static void a_channel_does_not_depend_on_its_place(void **state)
{
    (void)state;
    room *r = new_room();
    float *all = malloc(sizeof r->out), *shifted = malloc(sizeof r->out);
    EACH_SET(k)
        for (int form = 0; form < FORMS; form++)
            for (ptrdiff_t from = 0; from < CHANNELS; from++) {
                ex_norm_numbers n = numbers_of(r, forms[form].low, forms[form].high), m = n;
                ex_window w = window_of(form, 1, CHANNELS);
                ptrdiff_t taps = w.rows * w.columns;
                m.center += from, m.scale += from, m.offset += from, m.a += from, m.b += from, m.shift += from;
                k->grad_input(all, &w, r->x, &w, r->dy, CHANNELS, &n, 1, CHANNELS);
                k->grad_input(shifted + from, &w, r->x + from, &w, r->dy + from, CHANNELS, &m, 1, CHANNELS - from);
                for (ptrdiff_t t = 0; t < taps; t++)
                    assert_memory_equal(all + t * CHANNELS + from, shifted + t * CHANNELS + from, sizeof(float) * (size_t)(CHANNELS - from));
                k->forward(all, CHANNELS, r->x, &w, NULL, 0, &n, 1, CHANNELS);
                k->forward(shifted + from, CHANNELS, r->x + from, &w, NULL, 0, &m, 1, CHANNELS - from);
                assert_memory_equal(all + from, shifted + from, sizeof(float) * (size_t)(CHANNELS - from));
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(all);
    free(shifted);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_of_every_width), cmocka_unit_test(gradients_of_every_width), cmocka_unit_test(gradients_through_a_sum),
        cmocka_unit_test(numbers_that_are_none), cmocka_unit_test(a_channel_does_not_depend_on_its_place),
    };
    return cmocka_run_group_tests_name("norm kernels", tests, NULL, NULL);
}
