/* reduce_test.c: sums, means, extremes over any axes, the place of a maximum, sums of channels, gradients. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

/* -- A naive reference ------------------------------------------------------------------------------------------------------ */

static const ex_attr *attr_of(const op_case *c, const char *name)
{
    for (int32_t a = 0; a < c->attrs; a++)
        if (!strcmp(c->attr[a].name, name)) return &c->attr[a];
    return NULL;
}

static uint32_t axes_of(const op_case *c, int32_t ndim)
{
    const ex_attr *axes = attr_of(c, "axes");
    if (!strcmp(c->op, "channel_sum")) return ((1u << ndim) - 1) & ~2u;
    if (!axes) axes = attr_of(c, "axis");
    if (!axes || !axes->count) return (1u << ndim) - 1;
    uint32_t set = 0;
    for (int32_t i = 0; i < axes->count; i++) set |= 1u << ((int)axes->value[i] < 0 ? (int)axes->value[i] + ndim : (int)axes->value[i]);
    return set;
}

static void reduce_reference(const op_case *c, double *const *in, double *const *out)
{
    const op_array *x = c->in[0];
    int32_t ndim = x->shape.ndim, dim[EX_MAX_DIMS];
    uint32_t set = axes_of(c, ndim);
    int64_t results = 1;
    for (int32_t i = 0; i < ndim; i++) {
        dim[i] = x->shape.dim[i] == EX_BATCH ? c->n : x->shape.dim[i];
        if (!(set >> i & 1)) results *= dim[i];
    }
    double *best = calloc((size_t)results, sizeof *best);
    int64_t *seen = calloc((size_t)results, sizeof *seen);
    for (int64_t k = 0; k < x->count; k++) {
        int64_t rest = k, to = 0, step = 1;
        for (int32_t i = ndim; i-- > 0;) {
            if (!(set >> i & 1)) { to += rest % dim[i] * step; step *= dim[i]; }
            rest /= dim[i];
        }
        double v = in[0][k];
        int first = !seen[to]++;
        if (!strcmp(c->op, "max")) out[0][to] = first ? v : fmax(out[0][to], v);
        else if (!strcmp(c->op, "min")) out[0][to] = first ? v : fmin(out[0][to], v);
        else if (!strcmp(c->op, "argmax")) { if (first || v > best[to]) { best[to] = v; out[0][to] = (double)(seen[to] - 1); } }
        else out[0][to] = (first ? 0 : out[0][to]) + v;
    }
    const int64_t each = x->count / results;
    if (!strcmp(c->op, "mean")) for (int64_t k = 0; k < results; k++) out[0][k] /= (double)each;
    free(best);
    free(seen);
}

/* -- Worked by hand ----------------------------------------------------------------------------------------------------------- */

static void sums_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "sum", .inputs = 1, .n = 2, .attrs = 1, .attr = { OP_ATTR("axes", 1) } };
    c.in[0] = op_floats((float[]){ 1, 2, 3, 4, 5, 9 }, OP_SHAPE(EX_BATCH, 3), 2);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 6, 18 }, 2, 0);
    op_free(y);
    c.attrs = 0;
    c.op = "mean";
    y = op_run1(&c);                        /* divides by this run's n */
    assert_int_equal(y->shape.ndim, 0);
    op_assert_floats(y, (float[]){ 4 }, 1, 0);
    op_free(y);
    c.op = "channel_sum";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 5, 7, 12 }, 3, 0);
    op_free(y);
    op_free_inputs(&c);
}

static void extremes_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "max", .inputs = 1, .n = 1, .attrs = 1, .attr = { OP_ATTR("axes", -1) } };
    c.in[0] = op_floats((float[]){ 1, 5, 5, -2, NAN, -1, -4, -4, -9 }, OP_SHAPE(3, 3), 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 5, NAN, -4 }, 3, 0);
    op_free(y);
    c.op = "min";
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 1, NAN, -9 }, 3, 0);
    op_free(y);
    c.op = "argmax";
    c.attr[0] = (ex_attr)OP_ATTR("axis", 1);
    y = op_run1(&c);                        /* the first of equal ones; a NaN is the largest */
    assert_memory_equal(y->i, ((int32_t[]){ 1, 1, 0 }), 12);
    assert_int_equal(ex_op_find("argmax")->flags & EX_OP_STOPS, EX_OP_STOPS);
    op_free(y);
    op_free_inputs(&c);
}

/* A sum of 2^24 ones and more keeps counting in double. */
static void sums_are_kept_in_double(void **state)
{
    (void)state;
    op_case c = { .op = "sum", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(3), 1) } };
    c.in[0]->f[0] = 16777216;
    c.in[0]->f[1] = c.in[0]->f[2] = 1;
    op_array *y = op_run1(&c);
    assert_true(*y->f == 16777218);
    op_free(y);
    op_free_inputs(&c);
}

/* -- Against the reference ------------------------------------------------------------------------------------------------------ */

static const struct { ex_shape x; int32_t axes; double axis[4]; } cases[] = {
    { { EX_FLOAT32, 2, { EX_BATCH, 7 } }, 0, { 0 } },
    { { EX_FLOAT32, 2, { EX_BATCH, 7 } }, 1, { 1 } },
    { { EX_FLOAT32, 2, { EX_BATCH, 130 } }, 1, { 0 } },
    { { EX_FLOAT32, 4, { EX_BATCH, 5, 4, 3 } }, 2, { 2, 3 } },
    { { EX_FLOAT32, 4, { EX_BATCH, 5, 4, 3 } }, 3, { 0, -2, -1 } },
    { { EX_FLOAT32, 4, { EX_BATCH, 5, 4, 3 } }, 1, { 1 } },
    { { EX_FLOAT32, 3, { 3, 1, 6 } }, 2, { 0, 1 } },
    { { EX_FLOAT32, 1, { 70000 } }, 0, { 0 } },                 /* one number from several parts */
    { { EX_FLOAT32, 2, { 300, 400 } }, 1, { 1 } },
    { { EX_FLOAT32, 0, { 0 } }, 0, { 0 } },
};

static void all_axes_and_gradients(void **state)
{
    (void)state;
    const char *const ops[] = { "sum", "mean", "max", "min" };
    for (size_t k = 0; k < 4; k++)
        for (size_t s = 0; s < sizeof cases / sizeof *cases; s++)
            for (int keep = 0; keep < 2; keep++) {
                op_case c = { .op = ops[k], .inputs = 1, .n = 3, .batch = 4, .in = { op_random(31, -1, 2, cases[s].x, 3) } };
                c.attr[c.attrs++] = (ex_attr){ "keepdim", 1, { keep } };
                if (cases[s].axes) {
                    c.attr[c.attrs].name = "axes";
                    c.attr[c.attrs].count = cases[s].axes;
                    memcpy(c.attr[c.attrs++].value, cases[s].axis, sizeof cases[s].axis);
                }
                op_assert_everywhere(&c, 1e-6);
                if (c.in[0]->count < 20000) fd_check(&c, reduce_reference, 1, 0, 2e-5);
                op_free_inputs(&c);
            }
}

static void places_against_the_reference(void **state)
{
    (void)state;
    for (int axis = -2; axis < 4; axis++) {
        op_case c = { .op = "argmax", .inputs = 1, .n = 3, .attrs = 2, .attr = { OP_ATTR("axis", axis), OP_ATTR("keepdim", axis & 1) } };
        c.in[0] = op_random(8, 0, 1, OP_SHAPE(EX_BATCH, 5, 4, 6), 3);
        double *in = malloc(sizeof *in * 360), *out = malloc(sizeof *out * 360);
        for (int i = 0; i < 360; i++) in[i] = c.in[0]->f[i] = floorf(c.in[0]->f[i] * 4);   /* many ties */
        reduce_reference(&c, &in, &out);
        op_array *y = op_run1(&c);
        for (int64_t i = 0; i < y->count; i++) assert_int_equal(y->i[i], (int)out[i]);
        op_assert_everywhere(&c, 0);
        op_free(y);
        free(in);
        free(out);
        op_free_inputs(&c);
    }
}

static void equal_extremes_share_the_gradient(void **state)
{
    (void)state;                            /* dy = 1 on both ends of a tie: 1/2 each, by differences of the kink too */
    op_case c = { .op = "max", .inputs = 1, .n = 1, .in = { op_floats((float[]){ 4, 1, 4 }, OP_SHAPE(3), 1) } };
    fd_check(&c, reduce_reference, 1, 0, 1e-5);
    op_free_inputs(&c);
}

static void sums_of_channels(void **state)
{
    (void)state;
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 5, 4, 3), OP_SHAPE(EX_BATCH, 21), OP_SHAPE(EX_BATCH, 96, 20, 20), OP_SHAPE(EX_BATCH, 1, 3, 3) };
    for (size_t s = 0; s < 4; s++) {
        op_case c = { .op = "channel_sum", .inputs = 1, .n = 5, .batch = 8, .in = { op_random(31, -1, 2, shapes[s], 5) } };
        op_assert_everywhere(&c, 1e-6);
        if (s != 2) fd_check(&c, reduce_reference, 1, 0, 1e-5);
        op_free_inputs(&c);
    }
}

/* -- Rules ------------------------------------------------------------------------------------------------------------------------- */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "sum", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(EX_BATCH, 3), 1) }, .attrs = 1, .attr = { OP_ATTR("axes", 2) } };
    op_assert_refused(&c, "axis: got 2, expected less than the 2 axes of the input");
    c.attr[0] = (ex_attr)OP_ATTR("axes", 1, -1);
    op_assert_refused(&c, "axis 1: got it twice, expected it once");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_LABELS(3), 1);
    op_assert_refused(&c, "input: got int32, expected float32");
    c.op = "channel_sum";
    c.attrs = 0;
    op_assert_refused(&c, "input must be (N, C, H, W) or (N, C) in float32, got (3) int32");
    op_free_inputs(&c);
    c = (op_case){ .op = "sum_grad", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(4), 1) }, .attrs = 2 };
    c.attr[0] = (ex_attr)OP_ATTR("axes", 1);
    c.attr[1] = (ex_attr)OP_ATTR("shape", 3, 5);
    op_assert_refused(&c, "gradient: got (4), expected (3)");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_by_hand), cmocka_unit_test(extremes_by_hand), cmocka_unit_test(sums_are_kept_in_double),
        cmocka_unit_test(all_axes_and_gradients), cmocka_unit_test(places_against_the_reference),
        cmocka_unit_test(equal_extremes_share_the_gradient), cmocka_unit_test(sums_of_channels), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("reduce", tests, NULL, NULL);
}
