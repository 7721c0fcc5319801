/* conv_few_test.c: the input gradient of few input channels, of every instruction set that this CPU has: that the shapes here take that
 * path and others do not, that it is what the definition says for any layout, that its bits depend on neither team nor batch, and that
 * a number reaches the pixels that its windows hold and no other. */
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

/* Whole kernel rows of up to two vectors, where borders or lanes would be wasted otherwise; kernels of few taps and of many, strides
 * on both axes, dilated rows, columns that no window reaches, rows that none does. The last channels of four lanes are one vector of 16. */
static const ex_conv_shape few_shapes[] = {
    SQUARE(3, 6, 14, 16, 5, 1, 0, 1, 1), SQUARE(40, 1, 12, 6, 5, 1, 0, 1, 1), SQUARE(2, 1, 9, 40, 7, 1, 0, 1, 1), SQUARE(33, 2, 7, 3, 3, 1, 0, 1, 1),
    SQUARE(2, 1, 40, 24, 5, 2, 0, 1, 1), SQUARE(2, 1, 17, 24, 4, 3, 1, 1, 1),
    { .n = 2, .ci = 1, .h = 9, .w = 14, .co = 20, .kh = 3, .kw = 7, .groups = 1, .stride = { 2, 1 }, .padding = { 1, 0 }, .dilation = { 2, 1 } },
    { .n = 1, .ci = 1, .h = 30, .w = 40, .co = 50, .kh = 1, .kw = 8, .groups = 1, .stride = { 3, 1 }, .padding = { 0, 0 }, .dilation = { 1, 1 } },
    { .n = 2, .ci = 1, .h = 6, .w = 11, .co = 20, .kh = 5, .kw = 5, .groups = 1, .stride = { 1, 2 }, .padding = { 4, 0 }, .dilation = { 1, 1 } },
};
enum { FEW_SHAPES = sizeof few_shapes / sizeof *few_shapes };

/* One thing each that keeps a shape from it: groups, dilated columns, one column, too many channels, full vectors that waste nothing. */
static const ex_conv_shape other_shapes[] = {
    SQUARE(2, 4, 14, 16, 5, 1, 0, 1, 2), SQUARE(2, 1, 14, 16, 5, 1, 0, 2, 1), SQUARE(2, 6, 14, 16, 1, 1, 0, 1, 1), SQUARE(2, 8, 14, 16, 5, 1, 0, 1, 1),
    SQUARE(2, 16, 14, 16, 3, 1, 1, 1, 1),
};
enum { OTHER_SHAPES = sizeof other_shapes / sizeof *other_shapes };

/* -- Who takes the path ------------------------------------------------------------------------------------------ */

typedef struct few_kernels {
    const char *isa;
    int (*fits)(const ex_conv_shape *s);
    void (*grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team, void *scratch);
} few_kernels;

#define DECLARE(ISA) int ex_conv_few_fits_##ISA(const ex_conv_shape *s); \
    void ex_conv_few_grad_input_##ISA(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team, void *scratch);
#define OF_ISA(ISA) { #ISA, ex_conv_few_fits_##ISA, ex_conv_few_grad_input_##ISA }
DECLARE(portable)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
static const few_kernels all_kernels[] = { OF_ISA(portable), OF_ISA(avx2), OF_ISA(avx512) };
#else
static const few_kernels all_kernels[] = { OF_ISA(portable) };
#endif

static const few_kernels *current(void)
{
    size_t k = 0;
    while (strcmp(all_kernels[k].isa, ex_kernels_current()->conv->name) != 0) k++;
    return &all_kernels[k];
}

enum { MARK = 0xa5 };

/* Whether the table's gradient leaves in its scratch, byte for byte, what this path leaves there. */
static int takes(const ex_conv_shape *s)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    if (!current()->fits(s)) return 0;
    problem p = problem_pose(s, 0, 0);
    const size_t bytes = (k->scratch(EX_CONV_GRAD_INPUT, s, 1) + 65536) / 64 * 64;
    char *theirs = aligned_alloc(64, bytes), *own = aligned_alloc(64, bytes);
    memset(theirs, MARK, bytes);
    memset(own, MARK, bytes);
    k->grad_input(p.xi, p.yi, p.wf, s, NULL, theirs);
    current()->grad_input(p.xi, p.yi, p.wf, s, NULL, own);
    const int same = (unsigned char)own[0] != MARK && !memcmp(theirs, own, bytes);
    free(theirs);
    free(own);
    problem_dispose(&p);
    return same;
}

/* Four lanes hold no whole kernel row of more than eight numbers. */
static void who_takes_it(void)
{
    int32_t taken = 0;
    for (uint32_t i = 0; i < FEW_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(few_shapes[i]);
        if (!takes(&s) && current()->fits(&s)) conv_describe("not on the path", i, &s, 0);
        if (current()->fits(&s)) assert_true(takes(&s));
        taken += takes(&s);
    }
    assert_true(taken > (strcmp(current()->isa, "portable") != 0 ? 6 : 3));
    for (uint32_t i = 0; i < OTHER_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(other_shapes[i]);
        if (takes(&s)) conv_describe("on the path", i, &s, 0);
        assert_false(takes(&s));
    }
}

/* -- What it makes ------------------------------------------------------------------------------------------------ */

static void definition(void)
{
    for (uint32_t i = 0; i < 2 * FEW_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(few_shapes[i / 2]);
        check_conv_definition(i, s, conv_three);
        check_conv_packed(i, EX_CONV_GRAD_INPUT, s, conv_pair);
    }
}

static void bits(void)
{
    for (uint32_t i = 0; i < 2 * FEW_SHAPES; i++) {
        ex_conv_shape s = conv_finish(few_shapes[i / 2]);
        s.n = i % 2 ? 37 : 5;               /* parts of rows; of images */
        check_conv_bits(i, s);
    }
}

/* Whether an output at `out` reads input `in`. */
static int reads(const ex_conv_shape *s, int axis, int32_t out, int32_t in)
{
    const int32_t taps = axis ? s->kw : s->kh, at = in + s->padding[axis] - out * s->stride[axis];
    return at >= 0 && at % s->dilation[axis] == 0 && at / s->dilation[axis] < taps;
}

/* A NaN in dy, amid the image: all channels of the pixels that its window holds, and the bits of before elsewhere. */
static void reach(void)
{
    for (uint32_t i = 0; i < FEW_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(few_shapes[i]);
        problem clean = problem_pose(&s, 0, 0), p = problem_pose(&s, 0, 0);
        const int32_t row = s.oh / 2, col = s.ow / 2;
        int32_t wrong = 0;
        problem_solve(&clean, EX_CONV_GRAD_INPUT, conv_pair, 0);
        *pixel_at(p.yi, s.n - 1, row, col, s.co / 2) = NAN;
        problem_solve(&p, EX_CONV_GRAD_INPUT, conv_pair, 0);
        for (int32_t n = 0; n < s.n; n++) for (int32_t h = 0; h < s.h; h++) for (int32_t w = 0; w < s.w; w++) for (int32_t c = 0; c < s.ci; c++) {
            const float got = *pixel_at(p.xi, n, h, w, c), before = *pixel_at(clean.xi, n, h, w, c);
            if (n == s.n - 1 && reads(&s, 0, row, h) && reads(&s, 1, col, w)) wrong += !isnan(got);
            else wrong += float_bits(got) != float_bits(before);
        }
        if (wrong) conv_describe("reach of a NaN in dy", i, &s, wrong);
        if (current()->fits(&s)) assert_int_equal(wrong, 0);
        problem_dispose(&p);
        problem_dispose(&clean);
    }
}

static void the_shapes_that_take_it(void **state) { (void)state; isa_each(who_takes_it); }
static void the_definition(void **state) { (void)state; isa_each(definition); }
static void the_bits_of_any_team_and_batch(void **state) { (void)state; isa_each(bits); }
static void the_reach_of_a_number(void **state) { (void)state; isa_each(reach); }

int main(void)
{
    conv_teams_make();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shapes_that_take_it), cmocka_unit_test(the_definition), cmocka_unit_test(the_bits_of_any_team_and_batch),
        cmocka_unit_test(the_reach_of_a_number),
    };
    const int failed = cmocka_run_group_tests_name("input gradients of few channels", tests, NULL, NULL);
    conv_teams_free();
    return failed;
}
