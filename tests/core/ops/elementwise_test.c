/* elementwise_test.c: arithmetic with broadcasting, comparisons, functions, sums of many values, casts, gradients. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

/* -- A naive reference: the operator's formula in double, broadcast by index arithmetic -------------------------------- */

static double apply2(const char *op, double a, double b)
{
    if (!strcmp(op, "add")) return a + b;
    if (!strcmp(op, "sub")) return a - b;
    if (!strcmp(op, "mul")) return a * b;
    if (!strcmp(op, "div")) return a / b;
    if (!strcmp(op, "pow")) return pow(a, b);
    if (!strcmp(op, "maximum")) return fmax(a, b);
    if (!strcmp(op, "minimum")) return fmin(a, b);
    if (!strcmp(op, "equal")) return a == b;
    if (!strcmp(op, "less")) return a < b;
    return a <= b;
}

static double apply1(const char *op, double x)
{
    if (!strcmp(op, "neg")) return -x;
    if (!strcmp(op, "exp")) return exp(x);
    if (!strcmp(op, "log")) return log(x);
    if (!strcmp(op, "sqrt")) return sqrt(x);
    if (!strcmp(op, "abs")) return fabs(x);
    if (!strcmp(op, "tanh")) return tanh(x);
    if (!strcmp(op, "sigmoid")) return 1 / (1 + exp(-x));
    return x * x;
}

static int32_t dim_of(const op_array *a, int32_t n, int32_t i) { return a->shape.dim[i] == EX_BATCH ? n : a->shape.dim[i]; }

/* The place in `a` that element `index` of the result reads. */
static int64_t place(const op_array *a, int32_t n, const int32_t *index, int32_t ndim)
{
    int64_t at = 0;
    for (int32_t i = 0; i < a->shape.ndim; i++) {
        int32_t d = dim_of(a, n, i), k = index[i + ndim - a->shape.ndim];
        at = at * d + (d == 1 ? 0 : k);
    }
    return at;
}

static void binary_reference(const op_case *c, double *const *in, double *const *out)
{
    ex_shape y;
    assert_int_equal(op_infer(c, &y), EX_OK);
    int64_t count = 1;
    for (int32_t i = 0; i < y.ndim; i++) count *= y.dim[i] == EX_BATCH ? c->n : y.dim[i];
    for (int64_t k = 0; k < count; k++) {
        int32_t index[EX_MAX_DIMS];
        int64_t rest = k;
        for (int32_t i = y.ndim - 1; i >= 0; i--) {
            int32_t d = y.dim[i] == EX_BATCH ? c->n : y.dim[i];
            index[i] = (int32_t)(rest % d);
            rest /= d;
        }
        out[0][k] = apply2(c->op, in[0][place(c->in[0], c->n, index, y.ndim)], in[1][place(c->in[1], c->n, index, y.ndim)]);
    }
}

static void unary_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < c->in[0]->count; i++) out[0][i] = apply1(c->op, in[0][i]);
}

static void sum_reference(const op_case *c, double *const *in, double *const *out)
{
    for (int64_t i = 0; i < c->in[0]->count; i++) {
        out[0][i] = 0;
        for (int32_t k = 0; k < c->inputs; k++) out[0][i] += in[k][i];
    }
}

/* -- Worked by hand ---------------------------------------------------------------------------------------------------------- */

static void broadcasting_by_hand(void **state)
{
    (void)state;                            /* a column and a row make a table */
    op_case c = { .op = "sub", .inputs = 2, .n = 1 };
    c.in[0] = op_floats((float[]){ 10, 20 }, OP_SHAPE(2, 1), 1);
    c.in[1] = op_floats((float[]){ 1, 2, 3 }, OP_SHAPE(3), 1);
    op_array *y = op_run1(&c);
    assert_int_equal(y->shape.ndim, 2);
    op_assert_floats(y, (float[]){ 9, 8, 7, 19, 18, 17 }, 6, 0);
    op_free(y);
    op_free_inputs(&c);
}

static void comparisons_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "equal", .inputs = 2, .n = 1 };
    c.in[0] = op_floats((float[]){ 1, 2, NAN, 4 }, OP_SHAPE(4), 1);
    c.in[1] = op_floats((float[]){ 1, 3, NAN, -4 }, OP_SHAPE(4), 1);
    const char *const op[] = { "equal", "less", "less_equal" };
    const float expected[][4] = { { 1, 0, 0, 0 }, { 0, 1, 0, 0 }, { 1, 1, 0, 0 } };
    for (int k = 0; k < 3; k++) {
        c.op = op[k];
        op_array *y = op_run1(&c);
        op_assert_floats(y, expected[k], 4, 0);
        op_free(y);
        assert_int_equal(ex_op_find(op[k])->flags & EX_OP_STOPS, EX_OP_STOPS);
    }
    op_free_inputs(&c);
}

/* 2^24 and 2^24 + 1 are one float32 but two labels. */
static void whole_numbers_compare_exactly(void **state)
{
    (void)state;
    op_case c = { .op = "equal", .inputs = 2, .n = 1 };
    c.in[0] = op_ints((int32_t[]){ 16777216, 7, -3 }, OP_LABELS(3), 1);
    c.in[1] = op_ints((int32_t[]){ 16777217, 7, 3 }, OP_LABELS(3), 1);
    op_array *y = op_run1(&c);
    assert_int_equal(y->shape.dtype, EX_FLOAT32);
    op_assert_floats(y, (float[]){ 0, 1, 0 }, 3, 0);
    op_free(y);
    op_free(c.in[1]);
    c.in[1] = op_floats((float[]){ 0.5f, 7, 2 }, OP_SHAPE(3), 1);
    c.op = "mul";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 8388608, 49, -6 }, 3, 0);
    op_free(y);
    op_assert_everywhere(&c, 0);
    op_free_inputs(&c);
}

static void extremes_keep_a_nan(void **state)
{
    (void)state;
    op_case c = { .op = "maximum", .inputs = 2, .n = 1 };
    c.in[0] = op_floats((float[]){ 1, NAN, 2, -INFINITY }, OP_SHAPE(4), 1);
    c.in[1] = op_floats((float[]){ 3, 0, NAN, -5 }, OP_SHAPE(4), 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 3, NAN, NAN, -5 }, 4, 0);
    op_free(y);
    c.op = "minimum";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 1, NAN, NAN, -INFINITY }, 4, 0);
    op_free(y);
    op_free_inputs(&c);
}

/* -- Against the reference ----------------------------------------------------------------------------------------------------- */

static const struct { ex_shape a, b; } pairs[] = {
    { { EX_FLOAT32, 2, { EX_BATCH, 37 } }, { EX_FLOAT32, 2, { EX_BATCH, 37 } } },
    { { EX_FLOAT32, 4, { EX_BATCH, 5, 3, 4 } }, { EX_FLOAT32, 4, { EX_BATCH, 5, 3, 4 } } },
    { { EX_FLOAT32, 4, { EX_BATCH, 6, 3, 2 } }, { EX_FLOAT32, 3, { 6, 1, 1 } } },     /* a number per channel */
    { { EX_FLOAT32, 1, { 4 } }, { EX_FLOAT32, 2, { EX_BATCH, 4 } } },
    { { EX_FLOAT32, 2, { EX_BATCH, 1 } }, { EX_FLOAT32, 2, { EX_BATCH, 9 } } },
    { { EX_FLOAT32, 0, { 0 } }, { EX_FLOAT32, 2, { EX_BATCH, 5 } } },                 /* a scalar */
    { { EX_FLOAT32, 3, { 2, 1, 5 } }, { EX_FLOAT32, 3, { 1, 3, 1 } } },
    { { EX_FLOAT32, 2, { EX_BATCH, 6 } }, { EX_FLOAT32, 2, { 1, 6 } } },
};

static void arithmetic_and_its_gradients(void **state)
{
    (void)state;
    const char *const ops[] = { "add", "sub", "mul", "div", "pow", "maximum", "minimum" };
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        for (size_t s = 0; s < sizeof pairs / sizeof *pairs; s++) {
            op_case c = { .op = ops[k], .inputs = 2, .n = 3, .batch = 5 };
            c.in[0] = op_random(11, 0.5f, 2, pairs[s].a, 3);
            c.in[1] = op_random(12, 0.4f, 2, pairs[s].b, 3);
            op_assert_everywhere(&c, 1e-6);
            fd_check(&c, binary_reference, 3, 0, 2e-5);
            fd_check(&c, binary_reference, 1, 0, 2e-5);
            fd_check(&c, binary_reference, 2, 0, 2e-5);
            op_free_inputs(&c);
        }
}

/* x^2 and x^3 have gradients at and below zero too. */
static void powers_of_what_is_not_positive(void **state)
{
    (void)state;
    op_case c = { .op = "pow", .inputs = 2, .n = 1 };
    c.in[0] = op_floats((float[]){ -2, 0, 3, -1 }, OP_SHAPE(4), 1);
    c.in[1] = op_floats((float[]){ 2 }, OP_SCALAR, 1);
    fd_check(&c, binary_reference, 1, 0, 1e-5);
    *c.in[1]->f = 3;
    fd_check(&c, binary_reference, 1, 0, 1e-5);
    op_free_inputs(&c);
}

static void equal_extremes_share_the_gradient(void **state)
{
    (void)state;
    const char *const ops[] = { "maximum", "minimum" };
    for (int k = 0; k < 2; k++) {
        op_case c = { .op = ops[k], .inputs = 2, .n = 1 };
        c.in[0] = op_floats((float[]){ 2, 3 }, OP_SHAPE(2), 1);
        c.in[1] = op_floats((float[]){ 2, 3 }, OP_SHAPE(2), 1);
        fd_check(&c, binary_reference, 3, 0, 1e-5);         /* central differences of a kink give the half */
        op_free_inputs(&c);
    }
}

static void functions_and_their_gradients(void **state)
{
    (void)state;
    const char *const ops[] = { "neg", "exp", "log", "sqrt", "abs", "tanh", "sigmoid", "square" };
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        int positive = !strcmp(ops[k], "log") || !strcmp(ops[k], "sqrt");
        const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 5, 3, 2), OP_SHAPE(EX_BATCH, 19), OP_SHAPE(7), OP_SCALAR };
        for (size_t s = 0; s < 4; s++) {
            op_case c = { .op = ops[k], .inputs = 1, .n = 4, .batch = 6, .in = { op_random(13, positive ? 0.2f : -2, 2, shapes[s], 4) } };
            op_assert_everywhere(&c, 1e-6);
            fd_check(&c, unary_reference, 1, 0, 2e-5);
            op_free_inputs(&c);
        }
    }
}

static void sums_of_many_values(void **state)
{
    (void)state;
    const int32_t counts[] = { 1, 2, 3, 7, 8, 9, 23 };
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 17, 3, 3), OP_SCALAR, OP_SHAPE(9000) };
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        for (size_t s = 0; s < 3; s++) {
            op_case c = { .op = "add_n", .inputs = counts[k], .n = 2, .batch = 3 };
            for (int32_t i = 0; i < c.inputs; i++) c.in[i] = op_random(20 + (uint32_t)i, -1, 1, shapes[s], 2);
            op_assert_everywhere(&c, 0);
            fd_check(&c, sum_reference, (1u << counts[k]) - 1, 0, 1e-5);
            op_array *y = op_run1(&c);
            c.shares = 1;
            op_array *over = op_run1(&c);
            op_assert_same_bits(y, over);
            op_free(over);
            op_free(y);
            op_free_inputs(&c);
        }
}

/* More than a part, and bits that do not depend on place: the same number everywhere. */
static void a_number_does_not_depend_on_its_place(void **state)
{
    (void)state;
    const char *isa;
    for (int32_t i = 0; (isa = op_isa(i)); i++) {
        op_case c = { .op = "div", .inputs = 2, .n = 1, .isa = isa, .in = { op_zeros(OP_SHAPE(70003), 1), op_zeros(OP_SHAPE(70003), 1) } };
        for (int64_t k = 0; k < c.in[0]->count; k++) { c.in[0]->f[k] = 1; c.in[1]->f[k] = 3; }
        op_array *y = op_run1(&c);
        for (int64_t k = 0; k < y->count; k++) assert_true(y->f[k] == 1.0f / 3);
        op_free(y);
        op_free_inputs(&c);
    }
    assert_int_equal(ex_isa_select(NULL), EX_OK);
}

/* -- cast, stop_gradient -------------------------------------------------------------------------------------------------------------- */

static void casts_and_identities(void **state)
{
    (void)state;
    op_case c = { .op = "cast", .inputs = 1, .n = 2, .attrs = 1, .attr = { OP_ATTR("dtype", EX_INT32) } };
    c.in[0] = op_floats((float[]){ 1.75f, -2.5f, 0, 9 }, OP_SHAPE(EX_BATCH, 2), 2);
    op_array *y = op_run1(&c);
    assert_int_equal(y->shape.dtype, EX_INT32);
    assert_memory_equal(y->i, ((int32_t[]){ 1, -2, 0, 9 }), 16);
    op_free(y);
    op_assert_everywhere(&c, 0);
    fd_check_stops(&c);
    c.attr[0] = (ex_attr)OP_ATTR("dtype", 5);
    op_assert_refused(&c, "dtype: got 5, expected 0 to 2");
    c.op = "stop_gradient";
    c.attrs = 0;
    op_assert_everywhere(&c, 0);
    y = op_run1(&c);
    op_assert_same_bits(y, c.in[0]);
    assert_int_equal(ex_op_find("stop_gradient")->flags & EX_OP_STOPS, EX_OP_STOPS);
    op_free(y);
    op_free_inputs(&c);
}

/* -- Rules ------------------------------------------------------------------------------------------------------------------------------ */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "add", .inputs = 2, .n = 2, .in = { op_zeros(OP_SHAPE(EX_BATCH, 3), 2), op_zeros(OP_SHAPE(4), 1) } };
    op_assert_refused(&c, "shapes (N, 3) and (4) do not broadcast");
    op_free(c.in[1]);
    c.in[1] = op_zeros(OP_SHAPE(2, 1, 3), 1);               /* the batch cannot be the second axis */
    op_assert_refused(&c, "shapes (N, 3) and (2, 1, 3) do not broadcast");
    c.op = "add_n";
    op_assert_refused(&c, "input 2: got (2, 1, 3), expected (N, 3) as input 1");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_LABELS(3), 1);
    c.op = "exp";
    c.inputs = 1;
    op_assert_refused(&c, "input 1: got int32, expected float32");
    c.inputs = 2;
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broadcasting_by_hand), cmocka_unit_test(comparisons_by_hand), cmocka_unit_test(whole_numbers_compare_exactly),
        cmocka_unit_test(extremes_keep_a_nan), cmocka_unit_test(arithmetic_and_its_gradients),
        cmocka_unit_test(powers_of_what_is_not_positive), cmocka_unit_test(equal_extremes_share_the_gradient),
        cmocka_unit_test(functions_and_their_gradients), cmocka_unit_test(sums_of_many_values),
        cmocka_unit_test(a_number_does_not_depend_on_its_place), cmocka_unit_test(casts_and_identities),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("elementwise", tests, NULL, NULL);
}
