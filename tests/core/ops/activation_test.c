/* activation_test.c: relu and relu6: values, NaN, edges, gradients, sharing memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

static void relu_reference(const op_case *c, double *const *in, double *const *out)
{
    double top = strcmp(c->op, "relu6") ? INFINITY : 6;
    for (int64_t i = 0; i < c->in[0]->count; i++) out[0][i] = fmin(fmax(in[0][i], 0), top);
}

static void values_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "relu", .inputs = 1, .n = 1, .in = { op_floats((float[]){ -2, -0.0f, 0, 0.5f, 7, INFINITY, -INFINITY, NAN }, OP_SHAPE(8), 1) } };
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 0, 0, 0.5f, 7, INFINITY, 0, NAN }, 8, 0);
    op_free(y);
    c.op = "relu6";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 0, 0, 0.5f, 6, 6, 0, NAN }, 8, 0);
    op_free(y);
    op_free_inputs(&c);
}

/* At the edges themselves, y = 0 and y = 6, nothing passes. */
static void gradients_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "relu_grad", .inputs = 2, .n = 1 };
    c.in[0] = op_floats((float[]){ 0, 1, 5, 6, 0 }, OP_SHAPE(5), 1);
    c.in[1] = op_floats((float[]){ 9, 8, -7, 6, NAN }, OP_SHAPE(5), 1);
    op_array *dx = op_run1(&c);
    op_assert_floats(dx, (float[]){ 0, 8, -7, 6, 0 }, 5, 0);
    op_free(dx);
    c.op = "relu6_grad";
    dx = op_run1(&c);
    op_assert_floats(dx, (float[]){ 0, 8, -7, 0, 0 }, 5, 0);
    op_free(dx);
    op_free_inputs(&c);
}

static void against_the_reference(void **state)
{
    (void)state;
    const char *const ops[] = { "relu", "relu6" };
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 5, 3, 2), OP_SHAPE(EX_BATCH, 16, 4, 4), OP_SHAPE(EX_BATCH, 11), OP_SHAPE(3, 2, 5, 5),
                                OP_SHAPE(EX_BATCH, 40, 30, 31) };
    for (size_t k = 0; k < 2; k++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            op_case c = { .op = ops[k], .inputs = 1, .n = 3, .batch = 8, .in = { op_random(5, -4, 9, shapes[s], 3) } };
            for (int64_t i = 0; i < c.in[0]->count; i++)    /* differences mean nothing at an edge */
                if (fabsf(c.in[0]->f[i]) < 1e-3f || fabsf(c.in[0]->f[i] - 6) < 1e-3f) c.in[0]->f[i] += 0.01f;
            op_assert_everywhere(&c, 0);
            fd_check(&c, relu_reference, 1, 0, 1e-5);
            op_array *y = op_run1(&c);
            c.shares = 1;
            op_array *over = op_run1(&c);
            op_assert_same_bits(y, over);
            op_case g = { .op = k ? "relu6_grad" : "relu_grad", .inputs = 2, .n = 3, .in = { y, c.in[0] } };
            op_assert_everywhere(&g, 0);
            op_array *dx = op_run1(&g);
            for (g.shares = 1; g.shares <= 2; g.shares++) {
                op_array *again = op_run1(&g);
                op_assert_same_bits(dx, again);
                op_free(again);
            }
            op_free(dx);
            op_free(over);
            op_free(y);
            op_free_inputs(&c);
        }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "relu", .inputs = 1, .n = 1, .in = { op_zeros(OP_LABELS(4), 1), op_zeros(OP_SHAPE(EX_BATCH, 3), 1) } };
    op_assert_refused(&c, "input: got int32, expected float32");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 2), 1);
    c.op = "relu_grad";
    c.inputs = 2;
    op_assert_refused(&c, "gradient: got (N, 3) float32, expected (N, 2) float32");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_hand), cmocka_unit_test(gradients_by_hand), cmocka_unit_test(against_the_reference),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("activation", tests, NULL, NULL);
}
