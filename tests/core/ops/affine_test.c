/* affine_test.c: a batch norm at inference whose numbers are made once, against batch_norm and the activations. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

static void by_hand(void **state)
{
    (void)state;
    op_case s = { .op = "batch_norm_scale", .inputs = 2, .n = 1, .attrs = 1, .attr = { OP_ATTR("eps", 1) },
                  .in = { op_floats((float[]){ 2, 6 }, OP_SHAPE(2), 1), op_floats((float[]){ 3, 8 }, OP_SHAPE(2), 1) } };
    op_array *scale = op_run1(&s);
    op_assert_floats(scale, (float[]){ 1, 2 }, 2, 0);                   /* 2 / sqrt(3 + 1), 6 / sqrt(8 + 1) */
    op_case c = { .op = "affine_act", .inputs = 4, .n = 1, .attrs = 1, .attr = { OP_ATTR("act", 2) },
                  .in = { op_floats((float[]){ 1, 3, 5, -1, 2, 9 }, OP_SHAPE(EX_BATCH, 2, 1, 3), 1), op_floats((float[]){ 2, 0 }, OP_SHAPE(2), 1),
                          scale, op_floats((float[]){ 0.5f, -1 }, OP_SHAPE(2), 1) } };
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 1.5f, 3.5f, 0, 3, 6 }, 6, 0);     /* relu6 of -0.5 1.5 3.5 and -3 3 17 */
    op_free(y);
    op_free_inputs(&c);
    op_free_inputs(&s);
}

/* h = 0: a value (N, C). */
static const struct { int32_t n, c, h, w; } cases[] = { { 3, 5, 4, 6 }, { 2, 16, 7, 5 }, { 1, 333, 2, 2 }, { 7, 19, 0, 0 }, { 4, 33, 31, 30 } };

static void as_batch_norm_and_its_activation(void **state)
{
    (void)state;
    static const char *const name[] = { NULL, "relu", "relu6", "silu", "hard_swish" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int act = 0; act < 5; act++) {
            const int32_t n = cases[i].n, channels = cases[i].c;
            const ex_shape shape = cases[i].h ? OP_SHAPE(EX_BATCH, channels, cases[i].h, cases[i].w) : OP_SHAPE(EX_BATCH, channels);
            op_array *x = op_random(1, -2, 3, shape, n), *gamma = op_random(2, -4, 4, OP_SHAPE(channels), 1), *mean = op_random(3, -1, 1, OP_SHAPE(channels), 1),
                     *beta = op_random(4, -1, 4, OP_SHAPE(channels), 1), *var = op_random(5, 0.2f, 2, OP_SHAPE(channels), 1);
            op_array *expected = op_run1(&(op_case){ .op = "batch_norm", .inputs = 5, .n = n, .in = { x, gamma, beta, mean, var }, .attrs = 1,
                                                     .attr = { OP_ATTR("eps", 1e-3) } });
            if (act) {
                op_array *v = op_run1(&(op_case){ .op = name[act], .inputs = 1, .n = n, .in = { expected } });
                op_free(expected);
                expected = v;
            }
            op_array *scale = op_run1(&(op_case){ .op = "batch_norm_scale", .inputs = 2, .n = n, .in = { gamma, var }, .attrs = 1,
                                                  .attr = { OP_ATTR("eps", 1e-3) } });
            op_case c = { .op = "affine_act", .inputs = 4, .n = n, .in = { x, mean, scale, beta }, .attrs = 1, .attr = { { "act", 1, { act } } } };
            op_array *y = op_run1(&c);
            if (act < 3) op_assert_same_bits(y, expected);
            else op_assert_floats(y, expected->f, (int32_t)expected->count, 1e-5f);
            op_assert_everywhere(&c, 1e-6);
            c.shares = 1;                   /* y over x */
            op_array *shared = op_run1(&c);
            op_assert_same_bits(shared, y);
            op_array *all[] = { x, gamma, mean, beta, var, expected, scale, y, shared };
            for (size_t k = 0; k < sizeof all / sizeof *all; k++) op_free(all[k]);
        }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_array *x = op_zeros(OP_SHAPE(EX_BATCH, 4, 2, 2), 2), *four = op_zeros(OP_SHAPE(4), 1), *three = op_zeros(OP_SHAPE(3), 1);
    op_case c = { .op = "affine_act", .inputs = 4, .n = 2, .in = { x, four, three, four } };
    op_assert_refused(&c, "scale: got (3) float32, expected (4) float32");
    c.in[2] = four;
    c.attrs = 1;
    c.attr[0] = (ex_attr)OP_ATTR("act", 5);
    op_assert_refused(&c, "act: got 5, expected a whole number from 0 to 4");
    op_assert_refused(&(op_case){ .op = "batch_norm_scale", .inputs = 2, .n = 1, .in = { four, three } }, "var: got (3) float32, expected (4) float32");
    op_free(x);
    op_free(four);
    op_free(three);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand), cmocka_unit_test(as_batch_norm_and_its_activation), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("affine", tests, NULL, NULL);
}
