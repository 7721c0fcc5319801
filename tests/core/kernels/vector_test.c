/* vector_test.c: the loops of every instruction set against their formulas: all lengths around a vector, nothing past
 * the end, the same number wherever it lies in an array, the same votes everywhere. */
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

enum { LONGEST = 70, GUARD = 20 };
static const float UNTOUCHED = 12345.5f;

typedef struct block { float in[4][LONGEST + GUARD], out[LONGEST + GUARD]; } block;

static void fill(block *b, uint32_t seed)
{
    for (uint32_t i = 0; i < LONGEST + GUARD; i++) {
        uint32_t word[4];
        ex_random4(word, seed, 1, i, 0, 0);
        for (int k = 0; k < 4; k++) b->in[k][i] = ex_unit_float(word[k]) * 4 - 1;
        b->out[i] = UNTOUCHED;
    }
}

static void check_end(const float *out, ptrdiff_t n)
{
    for (ptrdiff_t i = n; i < LONGEST + GUARD; i++) assert_true(out[i] == UNTOUCHED);
}

/* The loops of the i-th instruction set that this CPU runs, now selected; NULL after the last one. */
static const ex_vector_kernels *set(int32_t i)
{
    const char *isa = op_isa(i);
    if (!isa) return NULL;
    assert_int_equal(ex_isa_select(isa), EX_OK);
    assert_string_equal(ex_kernels_current()->vector->name, isa);
    return ex_kernels_current()->vector;
}

static double unary(int kind, double x)
{
    switch (kind) {
    case EX_RELU: return fmax(x, 0);
    case EX_RELU6: return fmin(fmax(x, 0), 6);
    case EX_NEG: return -x;
    case EX_ABS: return fabs(x);
    case EX_SQUARE: return x * x;
    case EX_EXP: return exp(x);
    case EX_SIGMOID: return 1 / (1 + exp(-x));
    case EX_SILU: return x / (1 + exp(-x));
    case EX_HARD_SIGMOID: return fmin(fmax(x + 3, 0), 6) / 6;
    case EX_HARD_SWISH: return x * fmin(fmax(x + 3, 0), 6) / 6;
    default: return x < 0 ? NAN : sqrt(x);
    }
}

static double binary(int kind, double a, double b)
{
    switch (kind) {
    case EX_ADD: return a + b;
    case EX_SUB: return a - b;
    case EX_MUL: return a * b;
    case EX_DIV: return a / b;
    case EX_MAXIMUM: return fmax(a, b);
    case EX_MINIMUM: return fmin(a, b);
    case EX_EQUAL: return a == b;
    case EX_LESS: return a < b;
    case EX_LESS_EQUAL: return a <= b;
    case EX_RELU_GRAD: return a > 0 ? b : 0;
    case EX_SILU_GRAD: return b / (1 + exp(-a)) * (1 + a / (1 + exp(a)));
    case EX_HARD_SIGMOID_GRAD: return a > -3 && a < 3 ? b / 6 : 0;
    case EX_HARD_SWISH_GRAD: return a < -3 ? 0 : a > 3 ? b : b * (a / 3 + 0.5);
    default: return a > 0 && a < 6 ? b : 0;
    }
}

static int near(double a, double b) { return fabs(a - b) <= 2e-6 * fmax(1, fabs(b)) || (isnan(a) && isnan(b)); }

static void maps_of_every_length(void **state)
{
    (void)state;
    block b;
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++) {
        for (ptrdiff_t n = 0; n <= LONGEST; n++) {
            for (int k = 0; k < EX_UNARY_KIND_COUNT; k++) {
                fill(&b, (uint32_t)n);
                for (ptrdiff_t i = 1; i < n; i += 3) b.in[0][i] = 4 * b.in[0][i] - 4;
                v->unary[k](b.out, b.in[0], n);
                for (ptrdiff_t i = 0; i < n; i++) assert_true(near(b.out[i], unary(k, b.in[0][i])));
                check_end(b.out, n);
            }
            for (int k = 0; k < EX_BINARY_KIND_COUNT; k++) {
                fill(&b, (uint32_t)n);
                for (ptrdiff_t i = 1; i < n; i += 3) b.in[0][i] = 4 * b.in[0][i] - 4;      /* past hard_swish's edges */
                for (ptrdiff_t i = 0; i < n; i += 3) b.in[1][i] = b.in[0][i];      /* ties */
                v->binary[k](b.out, b.in[0], b.in[1], n);
                for (ptrdiff_t i = 0; i < n; i++) assert_true(near(b.out[i], binary(k, b.in[0][i], b.in[1][i])));
                check_end(b.out, n);
            }
        }
    }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* In units of the last place of a float of the result's size. */
static double ulps(float got, double expected)
{
    const float size = fmaxf(fabsf((float)expected), 1.17549435e-38f);
    return fabs(got - expected) / ((double)nextafterf(size, INFINITY) - size);
}

static void smooth_functions_in_units_of_the_last_place(void **state)
{
    (void)state;
    const struct { int kind; double bound; float from, to; } of[] = {
        { EX_EXP, 2, -110, 88.72f }, { EX_SIGMOID, 4, -87, 110 }, { EX_SILU, 4, -87, 110 }, { EX_EXP, 2, -1, 1 }, { EX_SILU, 4, -1, 1 } };
    enum { STEPS = 200000 };
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++) {
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
            for (int i = 0; i < STEPS; i += LONGEST) {
                float x[LONGEST], y[LONGEST];
                for (int j = 0; j < LONGEST; j++) x[j] = of[k].from + (of[k].to - of[k].from) * (float)(i + j) / (STEPS + LONGEST);
                v->unary[of[k].kind](y, x, LONGEST);
                for (int j = 0; j < LONGEST; j++) assert_true(ulps(y[j], unary(of[k].kind, x[j])) <= of[k].bound);
            }
        const float edge[] = { NAN, INFINITY, -INFINITY, 89, -104, 0, -0.0f, 1000, -1000 };
        float y[9];
        v->unary[EX_EXP](y, edge, 9);
        assert_true(isnan(y[0]) && isinf(y[1]) && y[2] == 0 && isinf(y[3]) && y[4] == 0 && y[5] == 1 && y[6] == 1 && isinf(y[7]) && y[8] == 0);
        v->unary[EX_SIGMOID](y, edge, 9);
        assert_true(isnan(y[0]) && y[1] == 1 && y[2] == 0 && y[3] == 1 && y[5] == 0.5f && y[7] == 1 && y[8] == 0);
        v->unary[EX_SILU](y, edge, 9);
        assert_true(isnan(y[0]) && isinf(y[1]) && y[3] == 89 && y[5] == 0 && y[7] == 1000 && y[8] == 0);
        v->unary[EX_HARD_SWISH](y, edge, 9);
        assert_true(isnan(y[0]) && isinf(y[1]) && y[3] == 89 && y[4] == 0 && y[5] == 0 && y[7] == 1000 && y[8] == 0);
    }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

static void scaling_and_sums_of_every_length(void **state)
{
    (void)state;
    block b;
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++)
        for (ptrdiff_t n = 0; n <= LONGEST; n++) {
            double squares = 0, dot = 0;
            fill(&b, (uint32_t)n);
            v->scale(b.out, b.in[0], 0.3f, n);
            v->scale_add(b.out, b.in[1], -2, n);
            for (ptrdiff_t i = 0; i < n; i++) {
                assert_true(near(b.out[i], 0.3 * b.in[0][i] - 2.0 * b.in[1][i]));
                squares += (double)b.in[0][i] * b.in[0][i];
                dot += (double)b.in[0][i] * b.in[1][i];
            }
            check_end(b.out, n);
            assert_true(fabs(v->square_sum(b.in[0], n) - squares) <= 1e-12 * squares);
            assert_true(fabs(v->dot(b.in[0], b.in[1], n) - dot) <= 1e-12 * squares + 1e-12);
        }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* To borders of the cache's lines and off them. */
static void streaming_copies_every_length(void **state)
{
    (void)state;
    block b;
    const ex_vector_kernels *v;
    float *to = aligned_alloc(64, (sizeof(float) * (size_t)(LONGEST + 80) + 63) / 64 * 64);
    for (int32_t isa = 0; (v = set(isa)); isa++)
        for (ptrdiff_t n = 0; n <= LONGEST; n++)
            for (ptrdiff_t shift = 0; shift < 3; shift++) {
                fill(&b, (uint32_t)n);
                memset(to, 0, sizeof(float) * (size_t)(LONGEST + 80));
                v->stream(to + shift, b.in[0], n);
                assert_memory_equal(to + shift, b.in[0], sizeof(float) * (size_t)n);
                for (ptrdiff_t i = shift + n; i < LONGEST + 80; i++) assert_true(to[i] == 0);
            }
    free(to);
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* The arithmetic of whole and partial vectors is one: shifting an array shifts the results, bit by bit. */
static void a_number_does_not_depend_on_its_place(void **state)
{
    (void)state;
    block b;
    float all[LONGEST], shifted[LONGEST];
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++) {
        fill(&b, 5);
        ex_adam_numbers k = { 0.01f, 0.9f, 0.9f, 0.999f, 0.1f, 0.001f, 1e-8f, 0.01f, 1, 3 };
        ex_sgd_numbers s = { 0.01f, 0.9f, 0.9f, 0.01f, 1 };
        for (ptrdiff_t from = 0; from < LONGEST; from++) {
            float p[3][LONGEST], q[3][LONGEST];
            for (int i = 0; i < 3; i++) { memcpy(p[i], b.in[i], sizeof p[i]); memcpy(q[i], b.in[i], sizeof q[i]); }
            for (int i = 0; i < LONGEST; i++) p[2][i] = q[2][i] = fabsf(p[2][i]);
            v->adam(p[0], p[1], p[2], b.in[3], &k, LONGEST);
            v->adam(q[0] + from, q[1] + from, q[2] + from, b.in[3] + from, &k, LONGEST - from);
            for (int i = 0; i < 3; i++) assert_memory_equal(p[i] + from, q[i] + from, sizeof(float) * (size_t)(LONGEST - from));
            for (int i = 0; i < 2; i++) { memcpy(p[i], b.in[i], sizeof p[i]); memcpy(q[i], b.in[i], sizeof q[i]); }
            v->sgd(p[0], p[1], b.in[3], &s, LONGEST);
            v->sgd(q[0] + from, q[1] + from, b.in[3] + from, &s, LONGEST - from);
            for (int i = 0; i < 2; i++) assert_memory_equal(p[i] + from, q[i] + from, sizeof(float) * (size_t)(LONGEST - from));
            v->scale_rows(all, 0, b.in[0], 0, b.in[1], 1, LONGEST);
            v->scale_rows(shifted, 0, b.in[0] + from, 0, b.in[1] + from, 1, LONGEST - from);
            assert_memory_equal(all + from, shifted, sizeof(float) * (size_t)(LONGEST - from));
        }
    }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* -- Rows of channels ------------------------------------------------------------------------------------------------------- */

enum { PIXELS = 1327, GAP = 3 };            /* more than two runs of float sums */

static void rows_of_every_width(void **state)
{
    (void)state;
    float *x = malloc(sizeof *x * PIXELS * (LONGEST + GAP)), *dy = malloc(sizeof *dy * PIXELS * (LONGEST + GAP));
    float *y = malloc(sizeof *y * PIXELS * (LONGEST + GAP));
    block b;
    fill(&b, 9);
    for (uint32_t i = 0; i < PIXELS * (LONGEST + GAP); i++) {
        uint32_t word[4];
        ex_random4(word, 3, 2, i, 0, 0);
        x[i] = ex_unit_float(word[0]) * 2 - 0.7f;
        dy[i] = ex_unit_float(word[1]) * 2 - 0.6f;
    }
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++)
        for (ptrdiff_t c = 1; c <= LONGEST; c += c < 18 ? 1 : 13)
            for (ptrdiff_t pixels = 1; pixels <= PIXELS; pixels = pixels * 33 + 7) {       /* 1, 40 and more than a run */
                const ptrdiff_t s = c + GAP;
                double sum[LONGEST], dots[LONGEST], moments[2][LONGEST], products[2][LONGEST];
                for (int i = 0; i < LONGEST; i++) sum[i] = dots[i] = moments[0][i] = moments[1][i] = products[0][i] = products[1][i] = 1;
                v->sum_rows(sum, x, s, pixels, c);
                v->dot_rows(dots, x, s, dy, s, pixels, c);
                v->moment_rows(moments[0], moments[1], x, s, b.in[0], pixels, c);
                v->product_rows(products[0], products[1], x, s, dy, s, b.in[0], pixels, c);
                for (ptrdiff_t k = 0; k < LONGEST; k++) {
                    double e[5] = { 1, 1, 1, 1, 1 };
                    for (ptrdiff_t p = 0; k < c && p < pixels; p++) {
                        double a = x[p * s + k], d = a - b.in[0][k], g = dy[p * s + k];
                        e[0] += a; e[1] += d * d; e[2] += g; e[3] += g * d; e[4] += g * a;
                    }
                    double shift = k < c ? (double)pixels * b.in[0][k] : 0, bound = 3e-6 * (double)(pixels + 1);
                    assert_true(fabs(dots[k] - e[4]) <= 3 * bound);
                    assert_true(fabs(sum[k] - e[0]) <= bound && fabs(moments[0][k] - (e[0] - shift)) <= 3 * bound);
                    assert_true(fabs(moments[1][k] - e[1]) <= 8 * bound);
                    assert_true(fabs(products[0][k] - e[2]) <= bound && fabs(products[1][k] - e[3]) <= 3 * bound);
                }
                for (ptrdiff_t i = 0; i < pixels * s; i++) y[i] = UNTOUCHED;
                v->fill_rows(y, s, b.in[2], pixels, c);
                for (ptrdiff_t i = 0; i < pixels * s; i++) assert_true(y[i] == (i % s < c ? b.in[2][i % s] : UNTOUCHED));
                v->scale_rows(y, s, x, s, b.in[1], pixels, c);
                for (ptrdiff_t i = 0; i < pixels * s; i++) assert_true(near(y[i], i % s < c ? (double)x[i] * b.in[1][i % s] : UNTOUCHED));
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
    free(x), free(dy), free(y);
}

static void turned_matrices(void **state)
{
    (void)state;
    float in[40 * 45], out[45 * 50];
    for (int i = 0; i < 40 * 45; i++) in[i] = (float)i;
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++)
        for (ptrdiff_t rows = 1; rows <= 40; rows += 3)
            for (ptrdiff_t columns = 1; columns <= 40; columns += 3) {
                for (int i = 0; i < 45 * 50; i++) out[i] = UNTOUCHED;
                v->transpose(out, 50, in, 45, rows, columns);
                for (ptrdiff_t c = 0; c < 45; c++)
                    for (ptrdiff_t r = 0; r < 50; r++) assert_true(out[c * 50 + r] == (r < rows && c < columns ? in[r * 45 + c] : UNTOUCHED));
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* -- Votes --------------------------------------------------------------------------------------------------------------------- */

static void votes_are_the_same_everywhere(void **state)
{
    (void)state;
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++)
        for (int32_t classes = 1; classes <= 40; classes++)
            for (int32_t label = 0; label < classes; label++) {
                double vote[40], more[40], sum[40];
                for (int32_t k = 0; k < classes; k++) {
                    vote[k] = (k * 7 + label) % 5;          /* many ties */
                    more[k] = (k * 3 + classes) % 4 * 0.1;
                }
                int32_t rank = 0;
                for (int32_t k = 0; k < classes; k++) {
                    double a = vote[k] + more[k], own = vote[label] + more[label];
                    rank += a > own || (a == own && k < label);
                }
                assert_int_equal(v->vote_rank(sum, vote, more, label, classes), rank);
                assert_int_equal(v->vote_rank(NULL, vote, more, label, classes), rank);
                for (int32_t k = 0; k < classes; k++) assert_true(sum[k] == vote[k] + more[k]);
                vote[label] = NAN;
                assert_int_equal(v->vote_rank(NULL, vote, more, label, classes), classes);
            }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* Blocks around a group that is drawn at once, across the end of the counter, and what is dropped by them. */
static void random_numbers_by_definition(void **state)
{
    (void)state;
    enum { BLOCKS = 75, AFTER = 4 };
    const ex_vector_kernels *v;
    for (int32_t isa = 0; (v = set(isa)); isa++)
        for (uint32_t blocks = 0; blocks <= BLOCKS; blocks++) {
            const uint32_t first = blocks % 2 ? UINT32_MAX - 5 : 3;
            uint32_t word[4 * BLOCKS + AFTER], expected[4];
            float x[4 * BLOCKS], y[4 * BLOCKS];
            for (int i = 0; i < 4 * BLOCKS + AFTER; i++) word[i] = 77;
            v->random_words(word, 0x123456789abcdef0u, 4000000000u, 7, blocks, first, blocks);
            for (uint32_t i = 0; i < 4 * blocks; i++) {
                if (i % 4 == 0) ex_random4(expected, 0x123456789abcdef0u, 4000000000u, 7, blocks, first + i / 4);
                assert_int_equal(word[i], expected[i % 4]);
                x[i] = i % 5 ? (float)i + 1 : INFINITY;
            }
            for (int i = 0; i < AFTER; i++) assert_int_equal(word[4 * blocks + (uint32_t)i], 77);
            v->drop(y, x, word, 0.4f, 1.5f, 4 * blocks);
            for (uint32_t i = 0; i < 4 * blocks; i++) assert_true(y[i] == (ex_unit_float(word[i]) < 0.4f ? 0 : 1.5f * x[i]));
        }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_of_every_length), cmocka_unit_test(smooth_functions_in_units_of_the_last_place), cmocka_unit_test(streaming_copies_every_length), cmocka_unit_test(scaling_and_sums_of_every_length),
        cmocka_unit_test(a_number_does_not_depend_on_its_place), cmocka_unit_test(rows_of_every_width), cmocka_unit_test(turned_matrices),
        cmocka_unit_test(votes_are_the_same_everywhere), cmocka_unit_test(random_numbers_by_definition),
    };
    return cmocka_run_group_tests_name("vector", tests, NULL, NULL);
}
