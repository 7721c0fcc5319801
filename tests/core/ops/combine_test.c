/* combine_test.c: weighted sums of losses and logits, and their gradients towards terms and weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

static void sum_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < c->in[1]->count; i++) {
        out[0][i] = 0;
        for (int32_t k = 1; k < c->inputs; k++) out[0][i] += in[0][k - 1] * in[k][i];
    }
}

static void losses_and_votes_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "weighted_sum", .inputs = 3, .n = 1 };
    c.in[0] = op_floats((float[]){ 0.25f, 0.75f }, OP_SHAPE(2), 1);
    c.in[1] = op_floats((float[]){ 4 }, OP_SCALAR, 1);
    c.in[2] = op_floats((float[]){ 8 }, OP_SCALAR, 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 7 }, 1, 0);
    op_free(y);
    op_case s = { .op = "scale_by", .inputs = 2, .n = 1, .attrs = 1, .attr = { OP_ATTR("index", 1) }, .in = { c.in[1], c.in[0] } };
    y = op_run1(&s);
    op_assert_floats(y, (float[]){ 3 }, 1, 0);
    op_free(y);
    op_case w = { .op = "weighted_sum_grad_weights", .inputs = 3, .n = 1, .in = { c.in[1], c.in[1], c.in[2] } };
    y = op_run1(&w);
    op_assert_floats(y, (float[]){ 16, 32 }, 2, 0);
    op_free(y);
    op_free_inputs(&c);
}

static void sums_and_their_gradients(void **state)
{
    (void)state;
    const int32_t terms[] = { 1, 2, 4, 7, 8, 15 };
    const ex_shape shapes[] = { OP_SCALAR, OP_SHAPE(EX_BATCH, 10), OP_SHAPE(EX_BATCH, 3, 4, 5), OP_SHAPE(EX_BATCH, 9000) };
    for (size_t t = 0; t < sizeof terms / sizeof *terms; t++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            op_case c = { .op = "weighted_sum", .inputs = 1 + terms[t], .n = 4, .batch = 6, .in = { op_random(60, -1, 1, OP_SHAPE(terms[t]), 1) } };
            for (int32_t i = 1; i < c.inputs; i++) c.in[i] = op_random(60 + (uint32_t)i, -1, 1, shapes[s], 4);
            op_assert_everywhere(&c, 1e-6);
            if (s != 3 || t == 1) fd_check(&c, sum_reference, (1u << c.inputs) - 1, 0, 2e-5);
            op_array *y = op_run1(&c);
            c.shares = 2;
            op_array *over = op_run1(&c);
            op_assert_same_bits(y, over);
            c.shares = 0;
            op_case g = c;
            g.op = "weighted_sum_grad_weights";
            g.in[0] = y;
            op_assert_everywhere(&g, 1e-6);
            op_case one = { .op = "scale_by", .inputs = 2, .n = 4, .attrs = 1, .attr = { OP_ATTR("index", terms[t] - 1) }, .in = { y, c.in[0] } };
            op_assert_everywhere(&one, 0);
            op_free(over);
            op_free(y);
            op_free_inputs(&c);
        }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "weighted_sum", .inputs = 3, .n = 1 };
    c.in[0] = op_zeros(OP_SHAPE(3), 1);
    c.in[1] = op_zeros(OP_SHAPE(EX_BATCH, 2), 1);
    c.in[2] = op_zeros(OP_SHAPE(EX_BATCH, 2), 1);
    op_assert_refused(&c, "weights: got (3) float32, expected (2) float32, one per term");
    op_free(c.in[2]);
    c.in[2] = op_zeros(OP_SHAPE(EX_BATCH, 4), 1);
    op_assert_refused(&c, "term 2: got (N, 4), expected (N, 2) as term 1");
    op_case s = { .op = "scale_by", .inputs = 2, .n = 1, .attrs = 1, .attr = { OP_ATTR("index", 3) }, .in = { c.in[1], c.in[0] } };
    op_assert_refused(&s, "index: got 3, expected 0 to 2");
    c.op = "weighted_sum_grad_weights";
    c.inputs = 2;
    op_assert_refused(&c, "gradient: got (3), expected (N, 2)");
    c.inputs = 3;
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_and_votes_by_hand), cmocka_unit_test(sums_and_their_gradients), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("combine", tests, NULL, NULL);
}
