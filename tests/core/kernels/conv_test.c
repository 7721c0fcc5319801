/* conv_test.c: the convolution kernels of every instruction set that this CPU has: against the definition over generated
 * geometries, with all that they owe (support/conv_checks.h), whatever the layout; and the rule that picks Winograd's. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/conv_checks.h"

enum { MAX_CASES = 400 };
/* As many as there are activations, with and without bias, without residual, with one apart and in place. */
enum { EPILOGUES = 60 };

/* The shapes of real networks first, then what random ones seldom hit. */
static const ex_conv_shape fixed[] = {
    SQUARE(3, 1, 28, 32, 3, 1, 1, 1, 1), SQUARE(2, 32, 28, 32, 3, 1, 1, 1, 1), SQUARE(2, 64, 14, 64, 3, 1, 1, 1, 1),
    SQUARE(2, 128, 7, 128, 3, 1, 1, 1, 1), SQUARE(2, 3, 32, 16, 3, 1, 1, 1, 1), SQUARE(2, 16, 32, 32, 3, 2, 1, 1, 1),
    SQUARE(2, 16, 32, 32, 1, 2, 0, 1, 1), SQUARE(3, 1, 28, 6, 5, 1, 2, 1, 1), SQUARE(3, 6, 14, 16, 5, 1, 0, 1, 1),
    SQUARE(1, 3, 64, 64, 7, 2, 3, 1, 1), SQUARE(3, 64, 4, 40, 1, 1, 0, 1, 1), SQUARE(2, 64, 14, 64, 3, 1, 1, 1, 64),
    SQUARE(2, 33, 9, 33, 3, 2, 1, 1, 33), SQUARE(2, 70, 12, 70, 5, 2, 2, 1, 70), SQUARE(2, 24, 8, 48, 3, 1, 1, 1, 24),
    SQUARE(2, 32, 8, 32, 3, 1, 1, 1, 4), SQUARE(2, 16, 10, 16, 3, 1, 2, 2, 1), SQUARE(2, 8, 10, 8, 3, 2, 2, 2, 8),
    SQUARE(2, 8, 3, 8, 3, 1, 4, 1, 1), SQUARE(1, 4, 9, 4, 2, 3, 0, 1, 1), SQUARE(2, 5, 1, 7, 1, 1, 0, 1, 1),
    SQUARE(1, 200, 40, 8, 3, 1, 1, 1, 1), SQUARE(1, 16, 64, 16, 3, 1, 1, 1, 1), SQUARE(40, 4, 5, 4, 3, 1, 1, 1, 1),
    { .n = 1, .ci = 20, .h = 1, .w = 129, .co = 10, .kh = 1, .kw = 1, .groups = 1, .stride = { 1, 1 }, .dilation = { 1, 1 } },
    { .n = 2, .ci = 4, .h = 17, .w = 1, .co = 4, .kh = 3, .kw = 1, .groups = 1, .stride = { 1, 1 }, .padding = { 1, 0 }, .dilation = { 1, 1 } },
    { .n = 2, .ci = 4, .h = 6, .w = 9, .co = 6, .kh = 1, .kw = 7, .groups = 2, .stride = { 2, 3 }, .padding = { 0, 3 }, .dilation = { 1, 1 } },
    SQUARE(2, 3, 12, 6, 5, 1, 2, 1, 1), SQUARE(2, 6, 12, 5, 3, 1, 1, 1, 1), SQUARE(2, 16, 32, 16, 3, 1, 1, 1, 1),
    SQUARE(2, 1, 12, 2, 3, 1, 1, 1, 1), SQUARE(2, 96, 7, 24, 1, 1, 0, 1, 1), SQUARE(2, 24, 9, 144, 1, 1, 0, 1, 1),
    SQUARE(2, 40, 9, 10, 1, 2, 0, 1, 1), SQUARE(2, 16, 11, 7, 3, 1, 1, 1, 1), SQUARE(2, 57, 5, 8, 1, 1, 0, 1, 1),
    { .n = 2, .ci = 3, .h = 9, .w = 12, .co = 4, .kh = 3, .kw = 5, .groups = 1, .stride = { 2, 1 }, .padding = { 1, 2 }, .dilation = { 1, 1 } },
    SQUARE(5, 2, 15, 3, 3, 2, 1, 1, 1), SQUARE(2, 3, 12, 1, 5, 1, 2, 1, 1), SQUARE(2, 3, 12, 2, 5, 1, 2, 1, 1), SQUARE(3, 4, 12, 8, 3, 1, 0, 1, 1),
    SQUARE(3, 1, 40, 5, 3, 3, 1, 1, 1),                             /* few output channels: columns share a vector */
    SQUARE(9, 40, 2, 72, 1, 1, 0, 1, 1), SQUARE(64, 72, 1, 40, 1, 1, 0, 1, 1), SQUARE(7, 24, 3, 36, 1, 1, 0, 1, 2),
};
/* Of these, the small images that are one row of pixels where they follow each other. */
enum { FIXED = sizeof fixed / sizeof *fixed, SMALL_IMAGES = 3 };

static ex_conv_shape geometry(uint32_t i)
{
    if (i < FIXED) return conv_finish(fixed[i]);
    for (uint32_t k = 0;; k += 16) {
        const int32_t group_ci[] = { 1, 1, 1, 2, 3, 4, 17 }, kind = conv_draw(i, k, 0, 9);
        ex_conv_shape s = {
            .n = conv_draw(i, k + 1, 1, 5), .h = conv_draw(i, k + 2, 1, 19), .w = conv_draw(i, k + 3, 1, 35), .kh = conv_draw(i, k + 4, 1, 5),
            .kw = conv_draw(i, k + 5, 1, 5), .stride = { conv_draw(i, k + 6, 1, 3), conv_draw(i, k + 7, 1, 3) },
            .padding = { conv_draw(i, k + 8, 0, 3), conv_draw(i, k + 9, 0, 3) }, .dilation = { conv_draw(i, k + 10, 1, 3), conv_draw(i, k + 11, 1, 2) },
        };
        s.groups = kind < 6 ? 1 : kind < 8 ? conv_draw(i, k + 12, 2, 4) : conv_draw(i, k + 12, 2, 40);
        s.ci = s.groups * (kind < 6 ? conv_draw(i, k + 13, 1, 37) : kind < 8 ? group_ci[conv_draw(i, k + 13, 0, 6)] : 1);
        s.co = s.groups * (kind < 6 ? conv_draw(i, k + 14, 1, 50) : kind < 8 ? conv_draw(i, k + 14, 1, 19) : 1);
        if (conv_valid(&s)) return conv_finish(s);
    }
}

static void against_definition(ex_team *team)
{
    for (uint32_t i = 0; i < MAX_CASES; i++) check_conv_definition(i, geometry(i), team);
}

static void epilogues(ex_team *team)
{
    for (uint32_t i = 0; i < MAX_CASES; i++) {
        check_conv_epilogue(i, geometry(i), team);
        check_conv_moments(i, geometry(i), team);
        check_conv_packed(i, EX_CONV_FORWARD, geometry(i), team);
        check_conv_packed(i, EX_CONV_GRAD_INPUT, geometry(i), team);
        check_conv_pieces(i, geometry(i), team);
    }
}

static void a_nan_passes_every_activation(ex_team *team)
{
    problem p = problem_pose(&(ex_conv_shape){ .n = 1, .ci = 2, .h = 3, .w = 3, .co = 3, .oh = 3, .ow = 3, .kh = 1, .kw = 1, .groups = 1,
                                       .stride = { 1, 1 }, .dilation = { 1, 1 } }, 0, 0);
    for (ex_conv_activation kind = 0; kind < EX_CONV_ACTIVATION_COUNT; kind++) {
        p.b[1] = NAN;
        problem_solve_with(&p, EX_CONV_FORWARD, team, &(ex_conv_epilogue){ .bias = p.b, .bias_step = 1, .activation = kind });
        EACH_NUMBER(p.s) assert_int_equal(isnan(*pixel_at(p.yi, n, h, w, c)) != 0, c == 1);
    }
    problem_dispose(&p);
}

static void bits(void)
{
    for (uint32_t i = 0; i < 24; i++) {
        ex_conv_shape s = geometry(i);
        s.n = i % 3 == 2 ? 23 : 5;
        check_conv_bits(i, s);
    }
    for (uint32_t i = FIXED - SMALL_IMAGES; i < FIXED; i++) check_conv_bits(i, geometry(i));
}

/* The bits do not depend on how the images lie in memory: channels side by side with those of the next pixel or not. */
static void layouts(void)
{
    for (uint32_t i = 0; i < EPILOGUES; i++) {
        const ex_conv_shape s = geometry(i);
        for (ex_conv_direction d = EX_CONV_FORWARD; d <= EX_CONV_GRAD_INPUT; d++) {
            const int forward = d == EX_CONV_FORWARD;
            const int32_t channels = forward ? s.co : s.ci, rows = forward ? s.oh : s.h, cols = forward ? s.ow : s.w;
            problem dense = problem_pose(&s, 0, i % 2), apart = problem_pose(&s, 3, i % 2);
            problem_solve(&dense, d, conv_pair, 1);
            problem_solve(&apart, d, conv_pair, 1);
            const ex_conv_image a = forward ? dense.yi : dense.xi, b = forward ? apart.yi : apart.xi;
            int32_t wrong = 0;
            for (int32_t n = 0; n < s.n; n++) for (int32_t h = 0; h < rows; h++) for (int32_t w = 0; w < cols; w++)
                for (int32_t c = 0; c < channels; c++) wrong += float_bits(*pixel_at(a, n, h, w, c)) != float_bits(*pixel_at(b, n, h, w, c));
            if (wrong) conv_describe("layouts, wrong numbers", i, &s, wrong);
            assert_int_equal(wrong, 0);
            problem_dispose(&dense);
            problem_dispose(&apart);
        }
        problem dense = problem_pose(&s, 0, i % 2), apart = problem_pose(&s, 3, i % 2);
        problem_solve(&dense, EX_CONV_GRAD_WEIGHT, conv_pair, 0);
        problem_solve(&apart, EX_CONV_GRAD_WEIGHT, conv_pair, 0);
        if (memcmp(dense.wf.data, apart.wf.data, dense.w.size * sizeof(float))) conv_describe("layouts, weight gradient", i, &s, 0);
        assert_memory_equal(dense.wf.data, apart.wf.data, dense.w.size * sizeof(float));
        problem_dispose(&dense);
        problem_dispose(&apart);
    }
}

/* The rule asks only for what the kernels can do, and never for fewer images what it refuses for more. */
static void rule(void)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    for (uint32_t i = 0; i < MAX_CASES; i++) {
        ex_conv_shape s = geometry(i);
        for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++)
            if (k->winograd_pays(d, &s, 0)) {
                assert_true(ex_conv_winograd_fits(&s));
                s.n *= 2;
                assert_true(k->winograd_pays(d, &s, 0));
            }
    }
    const ex_conv_shape large = conv_finish((ex_conv_shape)SQUARE(64, 64, 28, 64, 3, 1, 1, 1, 1)), strided = conv_finish((ex_conv_shape)SQUARE(64, 64, 28, 64, 3, 2, 1, 1, 1)),
                        first = conv_finish((ex_conv_shape)SQUARE(64, 1, 28, 64, 3, 1, 1, 1, 1)), tiny = conv_finish((ex_conv_shape)SQUARE(1, 512, 2, 512, 3, 1, 1, 1, 1));
    assert_true(k->winograd_pays(EX_CONV_FORWARD, &large, 0));
    assert_true(k->winograd_pays(EX_CONV_GRAD_INPUT, &large, 0));
    assert_true(k->winograd_pays(EX_CONV_GRAD_WEIGHT, &large, 0));
    assert_false(k->winograd_pays(EX_CONV_FORWARD, &strided, 0));
    assert_false(k->winograd_pays(EX_CONV_FORWARD, &first, 0));
    assert_false(k->winograd_pays(EX_CONV_FORWARD, &tiny, 0));
}

static void avx512_definition(void **state) { (void)state; if (isa_use("avx512")) against_definition(conv_pair); }
static void avx2_definition(void **state) { (void)state; if (isa_use("avx2")) against_definition(conv_pair); }
static void portable_definition(void **state) { (void)state; if (isa_use("portable")) against_definition(NULL); }
static void avx512_epilogues(void **state) { (void)state; if (isa_use("avx512")) { epilogues(conv_pair); a_nan_passes_every_activation(conv_pair); } }
static void avx2_epilogues(void **state) { (void)state; if (isa_use("avx2")) { epilogues(conv_pair); a_nan_passes_every_activation(conv_pair); } }
static void portable_epilogues(void **state) { (void)state; if (isa_use("portable")) { epilogues(conv_pair); a_nan_passes_every_activation(conv_pair); } }
static void the_bits_of_direct_kernels(void **state) { (void)state; isa_each(bits); }
static void the_bits_of_any_layout(void **state) { (void)state; isa_each(layouts); }
static void the_rule(void **state) { (void)state; isa_each(rule); }

int main(void)
{
    conv_teams_make();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portable_definition),
        cmocka_unit_test(avx2_definition),
        cmocka_unit_test(avx512_definition),
        cmocka_unit_test(portable_epilogues),
        cmocka_unit_test(avx2_epilogues),
        cmocka_unit_test(avx512_epilogues),
        cmocka_unit_test(the_bits_of_direct_kernels),
        cmocka_unit_test(the_bits_of_any_layout),
        cmocka_unit_test(the_rule),
    };
    const int failed = cmocka_run_group_tests_name("convolution kernels", tests, NULL, NULL);
    conv_teams_free();
    return failed;
}
