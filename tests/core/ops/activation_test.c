/* activation_test.c: relu, relu6, silu, hard_sigmoid, hard_swish: values, NaN, edges, gradients, sharing memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

static double activation(const char *op, double x)
{
    if (!strcmp(op, "relu")) return fmax(x, 0);
    if (!strcmp(op, "relu6")) return fmin(fmax(x, 0), 6);
    if (!strcmp(op, "silu")) return x / (1 + exp(-x));
    double hard = fmin(fmax(x + 3, 0), 6) / 6;
    return strcmp(op, "hard_swish") ? hard : x * hard;
}

static void reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < c->in[0]->count; i++) out[0][i] = activation(c->op, in[0][i]);
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
    c.in[0] = op_floats((float[]){ -4, -3, -1.5f, 0, 1, 3, 5, NAN }, OP_SHAPE(8), 1);
    c.op = "hard_sigmoid";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 0, 0.25f, 0.5f, 2.0f / 3, 1, 1, NAN }, 8, 1e-7f);
    op_free(y);
    c.op = "hard_swish";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 0, -0.375f, 0, 2.0f / 3, 3, 5, NAN }, 8, 1e-7f);
    op_free(y);
    op_free(c.in[0]);
    c.in[0] = op_floats((float[]){ 0, logf(3), -logf(3), 200, -200, NAN }, OP_SHAPE(6), 1);    /* sigmoid: 1/2, 3/4, 1/4, 1, 0 */
    c.op = "silu";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 0.75f * logf(3), -0.25f * logf(3), 200, 0, NAN }, 6, 2e-7f);
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
    c.in[0] = op_floats((float[]){ -4, -3, -1.5f, 0, 3, 5, -6 }, OP_SHAPE(7), 1);       /* x */
    c.in[1] = op_floats((float[]){ 2, 2, 2, 6, 2, 2, NAN }, OP_SHAPE(7), 1);
    c.op = "hard_swish_grad";
    dx = op_run1(&c);
    op_assert_floats(dx, (float[]){ 0, -1, 0, 3, 3, 2, NAN }, 7, 1e-6f);
    op_free(dx);
    c.op = "hard_sigmoid_grad";
    dx = op_run1(&c);
    op_assert_floats(dx, (float[]){ 0, 0, 1.0f / 3, 1, 0, 0, 0 }, 7, 1e-6f);
    op_free(dx);
    op_free_inputs(&c);
    c.in[0] = op_floats((float[]){ 0, logf(3), 100, -100 }, OP_SHAPE(4), 1);
    c.in[1] = op_floats((float[]){ 4, 4, 4, 4 }, OP_SHAPE(4), 1);
    c.op = "silu_grad";
    dx = op_run1(&c);
    op_assert_floats(dx, (float[]){ 2, 3 + 0.75f * logf(3), 4, 0 }, 4, 1e-6f);
    op_free(dx);
    op_free_inputs(&c);
}

static void against_the_reference(void **state)
{
    (void)state;
    const struct { const char *op, *grad; int from_x; double bound; } ops[] = { { "relu", "relu_grad", 0, 0 }, { "relu6", "relu6_grad", 0, 0 },
        { "silu", "silu_grad", 1, 1e-6 }, { "hard_sigmoid", "hard_sigmoid_grad", 1, 1e-6 }, { "hard_swish", "hard_swish_grad", 1, 1e-6 } };
    const float edge[] = { 0, 6, -3, 3 };
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 5, 3, 2), OP_SHAPE(EX_BATCH, 16, 4, 4), OP_SHAPE(EX_BATCH, 11), OP_SHAPE(3, 2, 5, 5),
                                OP_SHAPE(EX_BATCH, 40, 30, 31) };
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            op_case c = { .op = ops[k].op, .inputs = 1, .n = 3, .batch = 8, .in = { op_random(5, -4, 9, shapes[s], 3) } };
            for (int64_t i = 0; i < c.in[0]->count; i++)    /* differences mean nothing at an edge */
                for (int e = 0; e < 4; e++)
                    if (fabsf(c.in[0]->f[i] - edge[e]) < 1e-3f) c.in[0]->f[i] += 0.01f;
            op_assert_everywhere(&c, ops[k].bound);
            fd_check(&c, reference, 1, 0, 1e-5);
            op_array *y = op_run1(&c);
            c.shares = 1;
            op_array *over = op_run1(&c);
            op_assert_same_bits(y, over);
            op_array *dy = op_random(6, -2, 2, shapes[s], 3);
            op_case g = { .op = ops[k].grad, .inputs = 2, .n = 3, .in = { ops[k].from_x ? c.in[0] : y, dy } };
            op_assert_everywhere(&g, ops[k].bound);
            op_array *dx = op_run1(&g);
            for (g.shares = 1; g.shares <= 2; g.shares++) {
                op_array *again = op_run1(&g);
                op_assert_same_bits(dx, again);
                op_free(again);
            }
            op_free(dx);
            op_free(dy);
            op_free(over);
            op_free(y);
            op_free_inputs(&c);
        }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    const char *const ops[] = { "relu", "relu6", "silu", "hard_sigmoid", "hard_swish" };
    const char *const grads[] = { "relu_grad", "relu6_grad", "silu_grad", "hard_sigmoid_grad", "hard_swish_grad" };
    for (int k = 0; k < 5; k++) {
        op_case c = { .op = ops[k], .inputs = 1, .n = 1, .in = { op_zeros(OP_LABELS(4), 1), op_zeros(OP_SHAPE(EX_BATCH, 3), 1) } };
        op_assert_refused(&c, "input: got int32, expected float32");
        op_free(c.in[0]);
        c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 2), 1);
        c.op = grads[k];
        c.inputs = 2;
        op_assert_refused(&c, "gradient: got (N, 3) float32, expected (N, 2) float32");
        op_free_inputs(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_hand), cmocka_unit_test(gradients_by_hand), cmocka_unit_test(against_the_reference),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("activation", tests, NULL, NULL);
}
