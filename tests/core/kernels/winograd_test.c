/* winograd_test.c: Winograd's kernels of every instruction set that this CPU has: within their stated bound of the definition, and
 * with all that convolution kernels owe. */
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

/* Whole tiles, cut ones, less than one; each rest of the channels against a vector; few groups of tiles and many; 7 rows
 * of padding; and shapes of real networks, the deepest of which round most. */
static ex_conv_shape winograd_geometry(uint32_t i)
{
    static const ex_conv_shape real[] = {
        SQUARE(1, 64, 20, 40, 3, 1, 1, 1, 1), SQUARE(3, 128, 7, 36, 3, 1, 1, 1, 1), SQUARE(1, 512, 4, 48, 3, 1, 1, 1, 1),
        SQUARE(1, 48, 4, 512, 3, 1, 1, 1, 1), SQUARE(40, 16, 8, 16, 3, 1, 1, 1, 1), SQUARE(30, 17, 16, 5, 3, 1, 1, 1, 1),
        SQUARE(1, 3, 64, 8, 3, 1, 1, 1, 1), SQUARE(2, 5, 1, 9, 3, 1, 1, 1, 1), SQUARE(2, 8, 3, 8, 3, 1, 7, 1, 1), SQUARE(2, 1, 9, 1, 3, 1, 2, 1, 1),
    };
    const uint32_t n = sizeof real / sizeof *real;
    ex_conv_shape s = i < n ? real[i] : (ex_conv_shape){
        .n = conv_draw(i, 0, 1, 5), .ci = conv_draw(i, 1, 1, 50), .h = conv_draw(i, 2, 3, 19), .w = conv_draw(i, 3, 3, 33), .co = conv_draw(i, 4, 1, 70), .kh = 3,
        .kw = 3, .groups = 1, .stride = { 1, 1 }, .padding = { conv_draw(i, 5, 0, 3), conv_draw(i, 6, 0, 3) }, .dilation = { 1, 1 } };
    s.winograd = 1;
    return conv_finish(s);
}

enum { WINOGRAD_CASES = 50, EPILOGUES = 60, VECTOR = 16 };

static void winograd_keeps_its_bound(void **state)
{
    (void)state;
    double most[ISA_NAMES] = {0};
    for (uint32_t i = 0; i < WINOGRAD_CASES; i++) {
        const ex_conv_shape s = winograd_geometry(i);
        for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++) {
            problem p = problem_pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
            problem_define(&p, d, i % 5 != 0);
            for (int k = 0; k < ISA_NAMES; k++) {
                if (!isa_use(isa_names[k])) continue;
                problem_solve(&p, d, k < 2 ? conv_pair : NULL, i % 5 != 0);
                const double error = problem_error(&p, d);
                if (!(error < EX_WINOGRAD_ERROR)) conv_describe("winograd", i, &s, error);
                assert_true(error < EX_WINOGRAD_ERROR);
                most[k] = fmax(most[k], error);
            }
            problem_dispose(&p);
        }
    }
    for (int k = 0; k < ISA_NAMES; k++)
        if (most[k] > 0) print_message("# largest error of Winograd, %s: %.1e\n", isa_names[k], most[k]);
}

static void bits(void)
{
    for (uint32_t i = 0; i < 16; i++) {
        ex_conv_shape s = winograd_geometry(i + 4);
        s.n = i % 3 == 2 ? 23 : 5;
        check_conv_bits(i, s);
    }
}

static void epilogues(void)
{
    for (uint32_t i = 0; i < EPILOGUES; i++) {
        check_conv_epilogue(i, winograd_geometry(i), i % 2 ? conv_pair : conv_three);
        check_conv_moments(i, winograd_geometry(i), i % 2 ? conv_pair : conv_three);
        check_conv_packed(i, EX_CONV_FORWARD, winograd_geometry(i), i % 2 ? conv_pair : conv_three);
        check_conv_packed(i, EX_CONV_GRAD_INPUT, winograd_geometry(i), i % 2 ? conv_pair : conv_three);
        check_conv_pieces(i, winograd_geometry(i), i % 2 ? conv_pair : conv_three);
    }
}

/* Lean with its own packed filter and without, in batches and alone: the bits of the other one. */
static void lean_alike(void)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    for (uint32_t i = 0; i < EPILOGUES; i++) {
        ex_conv_shape s = winograd_geometry(i);
        problem p = problem_pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
        for (ex_conv_direction d = EX_CONV_FORWARD; d <= EX_CONV_GRAD_INPUT; d++) {
            const size_t size = (d == EX_CONV_FORWARD ? p.y.size : p.x.size) * sizeof(float);
            const float *got = d == EX_CONV_FORWARD ? p.yi.data : p.xi.data;
            float *want = malloc(size);
            p.s.winograd = EX_WINOGRAD_FULL;
            problem_solve(&p, d, NULL, 0);
            memcpy(want, got, size);
            p.s.winograd = EX_WINOGRAD_LEAN;
            problem_solve(&p, d, i % 2 ? conv_pair : conv_three, 0);
            assert_memory_equal(want, got, size);
            free(want);
        }
        problem_dispose(&p);
        s.winograd = EX_WINOGRAD_LEAN;
        check_conv_epilogue(i, s, i % 2 ? conv_pair : conv_three);
        check_conv_moments(i, s, i % 2 ? conv_pair : conv_three);
        check_conv_packed(i, EX_CONV_FORWARD, s, i % 2 ? conv_pair : conv_three);
        check_conv_packed(i, EX_CONV_GRAD_INPUT, s, i % 2 ? conv_pair : conv_three);
        if (s.ci > VECTOR && s.co > VECTOR) {
            ex_conv_shape full = s;
            full.winograd = EX_WINOGRAD_FULL;
            assert_true(k->packed_bytes(EX_CONV_FORWARD, &s) * 3 < k->packed_bytes(EX_CONV_FORWARD, &full));
        }
        s.n = 5;
        if (i < 12) check_conv_bits(i, s);
    }
}

static void lean_has_the_bits_of_winograd(void **state) { (void)state; isa_each(lean_alike); }
static void the_bits_of_winograd(void **state) { (void)state; isa_each(bits); }
static void the_epilogues_of_winograd(void **state) { (void)state; isa_each(epilogues); }

int main(void)
{
    conv_teams_make();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(winograd_keeps_its_bound),
        cmocka_unit_test(the_bits_of_winograd),
        cmocka_unit_test(the_epilogues_of_winograd),
        cmocka_unit_test(lean_has_the_bits_of_winograd),
    };
    const int failed = cmocka_run_group_tests_name("winograd kernels", tests, NULL, NULL);
    conv_teams_free();
    return failed;
}
