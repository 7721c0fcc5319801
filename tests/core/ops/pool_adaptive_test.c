/* pool_adaptive_test.c: windows that share the image evenly: values, the naive mean, gradients, wrong sizes. */
#include <math.h>
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
    const int32_t *d = c->in[0]->shape.dim, rows = (int32_t)c->attr[0].value[0], columns = (int32_t)c->attr[0].value[1];
    for (int32_t q = 0; q < c->n * d[1]; q++)
        for (int32_t i = 0; i < rows; i++)
            for (int32_t j = 0; j < columns; j++) {
                double sum = 0;
                int count = 0;
                for (int32_t h = 0; h < d[2]; h++)          /* h lies in window i where it touches i H / rows .. (i + 1) H / rows */
                    for (int32_t w = 0; w < d[3]; w++) {
                        if ((h + 1) * rows <= i * d[2] || h * rows >= (i + 1) * d[2]) continue;
                        if ((w + 1) * columns <= j * d[3] || w * columns >= (j + 1) * d[3]) continue;
                        sum += in[0][(q * d[2] + h) * d[3] + w];
                        count++;
                    }
                out[0][(q * rows + i) * columns + j] = sum / count;
            }
}

/* 3 rows in 2 windows: the middle one belongs to both. */
static void values_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "adaptive_avg_pool", .inputs = 1, .n = 1, .attrs = 1, .attr = { OP_ATTR("size", 2, 1) } };
    c.in[0] = op_floats((float[]){ 1, 3, 5, 7, 2, 6 }, OP_SHAPE(EX_BATCH, 1, 3, 2), 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 4, 5 }, 2, 1e-6f);
    op_free(y);
    op_free_inputs(&c);
    c.op = "adaptive_avg_pool_grad";
    c.attr[0] = (ex_attr)OP_ATTR("size", 3, 2);
    c.in[0] = op_floats((float[]){ 4, 8 }, OP_SHAPE(EX_BATCH, 1, 2, 1), 1);
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 1, 1, 3, 3, 2, 2 }, 6, 1e-6f);
    op_free(y);
    op_free_inputs(&c);
}

static void against_the_reference(void **state)
{
    (void)state;
    const struct { int32_t c, h, w; double out[2]; } of[] = { { 5, 7, 7, { 1, 1 } }, { 16, 8, 8, { 4, 2 } }, { 19, 5, 7, { 3, 4 } },
                                                              { 3, 2, 3, { 7, 5 } }, { 40, 13, 6, { 7, 6 } } };
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        op_case c = { .op = "adaptive_avg_pool", .inputs = 1, .n = 3, .batch = 4, .attrs = 1, .attr = { OP_ATTR("size", of[k].out[0], of[k].out[1]) },
                      .in = { op_random(3, -1, 1, OP_SHAPE(EX_BATCH, of[k].c, of[k].h, of[k].w), 3) } };
        op_assert_everywhere(&c, 1e-6);
        fd_check(&c, reference, 1, 0, 1e-5);
        op_array *dy = op_run1(&c);
        op_case g = { .op = "adaptive_avg_pool_grad", .inputs = 1, .n = 3, .attrs = 1, .attr = { OP_ATTR("size", of[k].h, of[k].w) }, .in = { dy } };
        op_assert_everywhere(&g, 1e-6);
        op_free(dy);
        op_free_inputs(&c);
    }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "adaptive_avg_pool", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(EX_BATCH, 3), 1) }, .attrs = 1, .attr = { OP_ATTR("size", 2, 2) } };
    op_assert_refused(&c, "input must be a batch of images");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 3, 4, 4), 1);
    c.attr[0] = (ex_attr)OP_ATTR("size", 2, 0);
    op_assert_refused(&c, "size: got 0, expected a whole number from 1 on");
    c.attr[0] = (ex_attr)OP_ATTR("size", 1.5, 2);
    op_assert_refused(&c, "size: got 1.5, expected a whole number from 1 on");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_by_hand), cmocka_unit_test(against_the_reference), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("pool_adaptive", tests, NULL, NULL);
}
