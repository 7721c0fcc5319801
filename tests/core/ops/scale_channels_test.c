/* scale_channels_test.c: numbers by channel and image: values, the naive product, gradients, shared memory, wrong shapes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

static void reference(const op_case *c, double *const *in, double *const *out)
{
    const int32_t *d = c->in[0]->shape.dim, pixels = d[2] * d[3];
    for (int32_t q = 0; q < c->n * d[1]; q++)
        for (int32_t i = 0; i < pixels; i++) out[0][q * pixels + i] = in[0][q * pixels + i] * in[1][q];
}

static void values_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "scale_channels", .inputs = 2, .n = 2 };
    c.in[0] = op_floats((float[]){ 1, 2, 3, 4, 5, 6, 7, 8 }, OP_SHAPE(EX_BATCH, 2, 1, 2), 2);
    c.in[1] = op_floats((float[]){ 10, 0, -1, 0.5f }, OP_SHAPE(EX_BATCH, 2), 2);
    op_array *y = op_run1(&c), *made[EX_MAX_OUT];
    op_assert_floats(y, (float[]){ 10, 20, 0, 0, -5, -6, 3.5f, 4 }, 8, 0);
    op_free(y);
    c.op = "scale_channels_grad";
    c.inputs = 3;
    c.in[2] = op_floats((float[]){ 1, 1, 2, 0, 0, 1, 3, -3 }, OP_SHAPE(EX_BATCH, 2, 1, 2), 2);
    op_run(&c, made);
    op_assert_floats(made[0], (float[]){ 10, 10, 0, 0, 0, -1, 1.5f, -1.5f }, 8, 0);
    op_assert_floats(made[1], (float[]){ 3, 6, 6, -3 }, 4, 0);
    op_free(made[0]);
    op_free(made[1]);
    op_free_inputs(&c);
}

static const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 5, 3, 2), OP_SHAPE(EX_BATCH, 16, 4, 4), OP_SHAPE(EX_BATCH, 33, 1, 7),
                                   OP_SHAPE(EX_BATCH, 2, 5, 5), OP_SHAPE(EX_BATCH, 300, 2, 3) };

static void against_the_reference(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int axes = 2; axes <= 4; axes += 2) {
            ex_shape s = { EX_FLOAT32, axes, { shapes[k].dim[0], shapes[k].dim[1], 1, 1 } };
            op_case c = { .op = "scale_channels", .inputs = 2, .n = 3, .batch = 5,
                          .in = { op_random(1, -2, 2, shapes[k], 3), op_random(2, -1, 1, s, 3) } };
            op_assert_everywhere(&c, 0);
            if (c.in[0]->count < 1000) fd_check(&c, reference, 3, 0, 1e-5);
            if (c.in[0]->count < 1000) fd_check(&c, reference, 1, 0, 1e-5);
            op_free_inputs(&c);
        }
}

static void gradients_in_any_layout_and_over_dy(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        ex_shape s = { EX_FLOAT32, 2, { shapes[k].dim[0], shapes[k].dim[1] } };
        op_case c = { .op = "scale_channels_grad", .inputs = 3, .n = 3, .batch = 5,
                      .in = { op_random(1, -2, 2, shapes[k], 3), op_random(2, -1, 1, s, 3), op_random(3, -1, 1, shapes[k], 3) } };
        op_array *apart[EX_MAX_OUT], *over[EX_MAX_OUT];
        op_assert_everywhere(&c, 1e-6);
        op_run(&c, apart);
        c.shares = 3;
        op_run(&c, over);
        for (int i = 0; i < 2; i++) {
            op_assert_same_bits(apart[i], over[i]);
            op_free(apart[i]);
            op_free(over[i]);
        }
        op_free_inputs(&c);
    }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "scale_channels", .inputs = 2, .n = 1, .in = { op_zeros(OP_SHAPE(EX_BATCH, 3), 1), op_zeros(OP_SHAPE(EX_BATCH, 4), 1),
                  op_zeros(OP_SHAPE(EX_BATCH, 3, 2, 3), 1) } };
    op_assert_refused(&c, "input must be a batch of images");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 3, 2, 2), 1);
    op_assert_refused(&c, "scale: got (N, 4) float32, expected (N, 3) float32, or that with two axes of 1 more");
    op_free(c.in[1]);
    c.in[1] = op_zeros(OP_SHAPE(EX_BATCH, 3, 1, 2), 1);
    op_assert_refused(&c, "scale: got (N, 3, 1, 2) float32");
    op_free(c.in[1]);
    c.in[1] = op_zeros(OP_SHAPE(EX_BATCH, 3), 1);
    c.op = "scale_channels_grad";
    c.inputs = 3;
    op_assert_refused(&c, "gradient: got (N, 3, 2, 3) float32, expected (N, 3, 2, 2) float32");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_hand), cmocka_unit_test(against_the_reference), cmocka_unit_test(gradients_in_any_layout_and_over_dy),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("scale_channels", tests, NULL, NULL);
}
