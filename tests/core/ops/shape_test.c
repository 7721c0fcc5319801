/* shape_test.c: reshape, flatten, copy, concat, slice, permute, expand: order of elements, gradients, refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

/* -- A naive reference: where each element of the result comes from ---------------------------------------------------- */

static int32_t dim_of(const ex_shape *s, int32_t n, int32_t i) { return s->dim[i] == EX_BATCH ? n : s->dim[i]; }

static int64_t unpack(int32_t *index, const ex_shape *s, int32_t n, int64_t k)
{
    for (int32_t i = s->ndim - 1; i >= 0; i--) { index[i] = (int32_t)(k % dim_of(s, n, i)); k /= dim_of(s, n, i); }
    return k;
}

static int64_t pack(const int32_t *index, const ex_shape *s, int32_t n)
{
    int64_t at = 0;
    for (int32_t i = 0; i < s->ndim; i++) at = at * dim_of(s, n, i) + index[i];
    return at;
}

static double number(const op_case *c, const char *name, int32_t i, double otherwise)
{
    for (int32_t a = 0; a < c->attrs; a++)
        if (!strcmp(c->attr[a].name, name)) return c->attr[a].value[i];
    return otherwise;
}

static void move_reference(const op_case *c, double *const *in, double *const *out)
{
    ex_shape y;
    assert_int_equal(op_infer(c, &y), EX_OK);
    int64_t count = 1;
    int32_t axis = (int32_t)number(c, "axis", 0, 1), at[EX_MAX_DIMS], from[EX_MAX_DIMS] = { 0 };
    if (axis < 0) axis += y.ndim;
    for (int32_t i = 0; i < y.ndim; i++) count *= dim_of(&y, c->n, i);
    for (int64_t k = 0; k < count; k++) {
        const ex_shape *x = &c->in[0]->shape;
        int32_t source = 0;
        unpack(at, &y, c->n, k);
        memcpy(from, at, sizeof from);
        if (!strcmp(c->op, "permute")) {
            for (int32_t i = 0; i < y.ndim; i++) from[(int)number(c, "order", i, 0)] = at[i];
        } else if (!strcmp(c->op, "expand")) {
            for (int32_t i = 0; i < x->ndim; i++) from[i] = x->dim[i] == 1 ? 0 : at[i + y.ndim - x->ndim];
        } else if (!strcmp(c->op, "slice")) {
            from[axis] = (int32_t)(number(c, "start", 0, 0) + at[axis] * number(c, "step", 0, 1));
        } else if (!strcmp(c->op, "concat")) {
            while (from[axis] >= c->in[source]->shape.dim[axis]) from[axis] -= c->in[source++]->shape.dim[axis];
        } else {                            /* the same sequence */
            unpack(from, x, c->n, k);
        }
        out[0][k] = in[source][pack(from, &c->in[source]->shape, c->n)];
    }
}

static void check(op_case *c)
{
    op_assert_everywhere(c, 0);
    for (int layout = 0; layout < OP_LAYOUT_COUNT; layout++) {
        c->layout = (op_layout)layout;
        fd_check(c, move_reference, (1u << c->inputs) - 1, 0, 1e-5);
    }
}

/* -- Worked by hand ------------------------------------------------------------------------------------------------------ */

static op_array *counting(ex_shape shape, int32_t n)
{
    op_array *a = op_zeros(shape, n);
    for (int64_t i = 0; i < a->count; i++) a->f[i] = (float)i;
    return a;
}

/* In memory the image is pixel by pixel; flattened it is channel by channel. */
static void flatten_is_in_c_h_w_order(void **state)
{
    (void)state;
    op_case c = { .op = "flatten", .inputs = 1, .n = 2, .in = { counting(OP_SHAPE(EX_BATCH, 3, 2, 2), 2) } };
    op_array *y = op_run1(&c);
    assert_int_equal(y->shape.ndim, 2);
    assert_int_equal(y->shape.dim[0], EX_BATCH);
    assert_int_equal(y->shape.dim[1], 12);
    for (int i = 0; i < 24; i++) assert_true(y->f[i] == (float)i);
    op_free(y);
    op_free_inputs(&c);
}

static void parts_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "concat", .inputs = 2, .n = 2, .in = { counting(OP_SHAPE(EX_BATCH, 1), 2), counting(OP_SHAPE(EX_BATCH, 2), 2) } };
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 0, 1, 1, 2, 3 }, 6, 0);
    op_free(y);
    op_free_inputs(&c);
    c = (op_case){ .op = "slice", .inputs = 1, .n = 1, .in = { counting(OP_SHAPE(7), 1) }, .attrs = 4 };
    c.attr[0] = (ex_attr)OP_ATTR("axis", 0);
    c.attr[1] = (ex_attr)OP_ATTR("start", 1);
    c.attr[2] = (ex_attr)OP_ATTR("count", 3);
    c.attr[3] = (ex_attr)OP_ATTR("step", 2);
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 1, 3, 5 }, 3, 0);
    op_free(y);
    op_free_inputs(&c);
    c = (op_case){ .op = "slice_grad", .inputs = 1, .n = 1, .in = { counting(OP_SHAPE(2), 1) }, .attrs = 4 };
    c.attr[0] = (ex_attr)OP_ATTR("axis", 0);
    c.attr[1] = (ex_attr)OP_ATTR("start", 1);
    c.attr[2] = (ex_attr)OP_ATTR("step", 3);
    c.attr[3] = (ex_attr)OP_ATTR("size", 6);
    c.in[0]->f[0] = 5;
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 5, 0, 0, 1, 0 }, 6, 0);
    op_free(y);
    op_free_inputs(&c);
    c = (op_case){ .op = "permute", .inputs = 1, .n = 1, .in = { counting(OP_SHAPE(2, 3), 1) }, .attrs = 1, .attr = { OP_ATTR("order", 1, 0) } };
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 0, 3, 1, 4, 2, 5 }, 6, 0);
    op_free(y);
    op_free_inputs(&c);
}

/* -- Against the reference ------------------------------------------------------------------------------------------------- */

static void the_same_sequence_in_other_axes(void **state)
{
    (void)state;
    const struct { ex_shape x; ex_attr to; } cases[] = {
        { OP_SHAPE(EX_BATCH, 5, 3, 4), OP_ATTR("shape", -1, 60) },      { OP_SHAPE(EX_BATCH, 60), OP_ATTR("shape", -1, 5, 3, 4) },
        { OP_SHAPE(EX_BATCH, 6, 2, 2), OP_ATTR("shape", -1, 3, 4, 2) }, { OP_SHAPE(EX_BATCH, 6, 2, 2), OP_ATTR("shape", -1, 4, 6) },
        { OP_SHAPE(4, 3, 2, 2), OP_ATTR("shape", 6, 8) },               { OP_SHAPE(12), OP_ATTR("shape", -1, 4) },
        { OP_SHAPE(1), OP_ATTR("shape", 1, 1) },                        { OP_SCALAR, OP_ATTR("shape", 1) },
        { OP_SHAPE(EX_BATCH, 1, 5, 5), OP_ATTR("shape", -1, 25) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        op_case c = { .op = "reshape", .inputs = 1, .n = 3, .batch = 5, .in = { op_random(1, -1, 1, cases[i].x, 3) }, .attrs = 1, .attr = { cases[i].to } };
        check(&c);
        op_free_inputs(&c);
    }
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 5, 3, 4), OP_SHAPE(EX_BATCH, 70, 20, 19), OP_SHAPE(EX_BATCH, 7), OP_SHAPE(4, 5, 3, 3), OP_SCALAR };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int flat = 0; flat < 2; flat++) {
            op_case c = { .op = flat ? "flatten" : "copy", .inputs = 1, .n = 2, .batch = 2, .in = { op_random(2, -1, 1, shapes[i], 2) } };
            if (!flat || shapes[i].ndim > 1) {
                if (i != 1) check(&c);
                else op_assert_everywhere(&c, 0);
            }
            op_free_inputs(&c);
        }
}

/* A first -1 of a value without a batch is whatever is left. */
static void what_is_left_is_inferred(void **state)
{
    (void)state;
    op_case c = { .op = "reshape", .inputs = 1, .n = 1, .in = { counting(OP_SHAPE(12), 1) }, .attrs = 1, .attr = { OP_ATTR("shape", -1, 4) } };
    ex_shape y;
    assert_int_equal(op_infer(&c, &y), EX_OK);
    assert_int_equal(y.dim[0], 3);
    op_free_inputs(&c);
}

static void joining(void **state)
{
    (void)state;
    const int32_t widths[] = { 3, 1, 16, 5 };
    for (int images = 0; images < 2; images++) {
        op_case c = { .op = "concat", .inputs = 4, .n = 3, .batch = 4 };
        for (int i = 0; i < 4; i++)
            c.in[i] = op_random(3 + (uint32_t)i, -1, 1, images ? OP_SHAPE(EX_BATCH, widths[i], 3, 2) : OP_SHAPE(EX_BATCH, widths[i]), 3);
        check(&c);
        c.attrs = 1;
        c.attr[0] = (ex_attr)OP_ATTR("axis", -1);
        if (!images) check(&c);
        op_free_inputs(&c);
    }
    op_case c = { .op = "concat", .inputs = 2, .n = 1, .attrs = 1, .attr = { OP_ATTR("axis", 0) } };
    c.in[0] = op_random(1, -1, 1, OP_SHAPE(2, 3, 2, 2), 1);
    c.in[1] = op_random(2, -1, 1, OP_SHAPE(4, 3, 2, 2), 1);
    check(&c);
    op_free_inputs(&c);
}

static void cutting_turning_repeating(void **state)
{
    (void)state;
    op_case c = { .op = "slice", .inputs = 1, .n = 3, .in = { op_random(5, -1, 1, OP_SHAPE(EX_BATCH, 9, 3, 4), 3) }, .attrs = 4 };
    for (int axis = 1; axis < 4; axis++) {
        c.attr[0] = (ex_attr)OP_ATTR("axis", axis - (axis == 3 ? 4 : 0));
        c.attr[1] = (ex_attr)OP_ATTR("start", 1);
        c.attr[2] = (ex_attr)OP_ATTR("count", axis == 1 ? 4 : 2);
        c.attr[3] = (ex_attr)OP_ATTR("step", axis == 1 ? 2 : 1);
        check(&c);
    }
    c.op = "permute";
    c.attrs = 1;
    c.attr[0] = (ex_attr)OP_ATTR("order", 0, 3, 1, 2);
    check(&c);
    op_free_inputs(&c);
    const struct { ex_shape x; ex_attr to; } wide[] = {
        { OP_SHAPE(5), OP_ATTR("shape", -1, 5) }, { OP_SHAPE(EX_BATCH, 1), OP_ATTR("shape", -1, 4) }, { OP_SCALAR, OP_ATTR("shape", 2, 3) },
        { OP_SHAPE(1, 6, 1, 1), OP_ATTR("shape", -1, 6, 3, 2) }, { OP_SHAPE(2, 1, 3), OP_ATTR("shape", 4, 2, 5, 3) },
    };
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
        op_case e = { .op = "expand", .inputs = 1, .n = 3, .in = { op_random(6, -1, 1, wide[i].x, 3) }, .attrs = 1, .attr = { wide[i].to } };
        check(&e);
        op_free_inputs(&e);
    }
}

static void labels_move_too(void **state)
{
    (void)state;
    op_case c = { .op = "concat", .inputs = 2, .n = 2, .in = { op_random_labels(1, 9, OP_LABELS(EX_BATCH, 3), 2), op_random_labels(2, 9, OP_LABELS(EX_BATCH, 4), 2) } };
    op_array *y = op_run1(&c);
    assert_int_equal(y->shape.dtype, EX_INT32);
    for (int k = 0; k < 14; k++) assert_int_equal(y->i[k], k % 7 < 3 ? c.in[0]->i[k / 7 * 3 + k % 7] : c.in[1]->i[k / 7 * 4 + k % 7 - 3]);
    op_free(y);
    op_assert_everywhere(&c, 0);
    op_free_inputs(&c);
}

/* -- Rules -------------------------------------------------------------------------------------------------------------------- */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "reshape", .inputs = 1, .n = 2, .in = { op_zeros(OP_SHAPE(EX_BATCH, 6), 2) }, .attrs = 1, .attr = { OP_ATTR("shape", -1, 5) } };
    op_assert_refused(&c, "the number of elements differs: got shape (N, 5) for an input of (N, 6)");
    c.attr[0] = (ex_attr)OP_ATTR("shape", 2, 6);
    op_assert_refused(&c, "the batch must stay the first axis, -1: got shape (2, 6) for an input of (N, 6)");
    c.attr[0] = (ex_attr)OP_ATTR("shape", -1, -1);
    op_assert_refused(&c, "only the first axis may be -1");
    c.op = "concat";
    c.attr[0] = (ex_attr)OP_ATTR("axis", 0);
    op_assert_refused(&c, "axis: got 0, the batch, expected another one");
    c.inputs = 2;
    c.in[1] = op_zeros(OP_SHAPE(EX_BATCH, 6, 2), 2);
    c.attr[0] = (ex_attr)OP_ATTR("axis", 1);
    op_assert_refused(&c, "input 2: got (N, 6, 2) float32, expected (N, 6) float32 in all axes but 1");
    c.op = "permute";
    c.inputs = 1;
    c.attr[0] = (ex_attr)OP_ATTR("order", 1, 0);
    op_assert_refused(&c, "order: got axis 1 first, expected 0, the batch");
    c.attr[0] = (ex_attr)OP_ATTR("order", 0, 0);
    op_assert_refused(&c, "order: got axis 0, expected each of 0 to 1 once");
    c.attr[0] = (ex_attr)OP_ATTR("order", 0);
    op_assert_refused(&c, "order: got 1 axes, expected 2");
    c.op = "expand";
    c.attr[0] = (ex_attr)OP_ATTR("shape", -1, 7);
    op_assert_refused(&c, "only axes of 1 repeat: got shape (N, 7) for an input of (N, 6)");
    c.op = "slice";
    c.attrs = 3;
    c.attr[0] = (ex_attr)OP_ATTR("axis", 1);
    c.attr[1] = (ex_attr)OP_ATTR("start", 4);
    c.attr[2] = (ex_attr)OP_ATTR("count", 3);
    op_assert_refused(&c, "slice of 3 from 4 in steps of 1 reaches outside an axis of 6");
    c.attr[0] = (ex_attr)OP_ATTR("axis", 2);
    op_assert_refused(&c, "axis: got 2, expected less than the 2 axes of the input");
    c.inputs = 2;
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flatten_is_in_c_h_w_order), cmocka_unit_test(parts_by_hand), cmocka_unit_test(the_same_sequence_in_other_axes),
        cmocka_unit_test(what_is_left_is_inferred), cmocka_unit_test(joining), cmocka_unit_test(cutting_turning_repeating),
        cmocka_unit_test(labels_move_too), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("shape", tests, NULL, NULL);
}
