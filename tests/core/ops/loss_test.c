/* loss_test.c: softmax, log-softmax, cross-entropy with and without class weights, hits; extremes, NaN, bad labels. */
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

static double log_sum(const double *z, int64_t k)
{
    double m = z[0], sum = 0;
    for (int64_t i = 1; i < k; i++) m = fmax(m, z[i]);
    for (int64_t i = 0; i < k; i++) sum += exp(z[i] - m);
    return m + log(sum);
}

static void softmax_reference(const op_case *c, double *const *in, double *const *out)
{
    const op_array *x = c->in[0];
    int64_t k = x->shape.dim[x->shape.ndim - 1];
    for (int64_t r = 0; r < x->count; r += k) {
        double l = log_sum(in[0] + r, k);
        for (int64_t i = r; i < r + k; i++) out[0][i] = strcmp(c->op, "softmax") ? in[0][i] - l : exp(in[0][i] - l);
    }
}

static void cross_entropy_reference(const op_case *c, double *const *in, double *const *out)
{
    int32_t k = c->in[0]->shape.dim[1];
    double sum = 0, weights = 0;
    for (int32_t n = 0; n < c->n; n++) {
        int32_t y = (int32_t)in[1][n];
        double w = c->inputs > 2 ? in[2][y] : 1;
        sum += w * (log_sum(in[0] + n * k, k) - in[0][n * k + y]);
        weights += w;
    }
    *out[0] = sum / weights;
}

static op_case entropy_case(int32_t n, int32_t k, int weighted)
{
    op_case c = { .op = "softmax_cross_entropy", .inputs = 2 + weighted, .n = n, .batch = n + 2 };
    c.in[0] = op_random(51, -3, 4, OP_SHAPE(EX_BATCH, k), n);
    c.in[1] = op_random_labels(52, k, OP_LABELS(EX_BATCH), n);
    if (weighted) c.in[2] = op_random(53, 0.5f, 2, OP_SHAPE(k), 1);
    return c;
}

/* -- Worked by hand --------------------------------------------------------------------------------------------------------- */

/* Two samples, two classes, logits apart by log 3: probabilities 3/4 and 1/4. */
static void cross_entropy_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "softmax_cross_entropy", .inputs = 2, .n = 2 };
    c.in[0] = op_floats((float[]){ logf(3), 0, logf(3), 0 }, OP_SHAPE(EX_BATCH, 2), 2);
    c.in[1] = op_ints((int32_t[]){ 0, 1 }, OP_LABELS(EX_BATCH), 2);
    c.in[2] = op_floats((float[]){ 1, 3 }, OP_SHAPE(2), 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ (float)((log(4 / 3.0) + log(4)) / 2) }, 1, 1e-6f);
    op_free(y);
    c.inputs = 3;                           /* weights 1 and 3: divided by 4, as PyTorch does */
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ (float)((log(4 / 3.0) + 3 * log(4)) / 4) }, 1, 1e-6f);
    op_free(y);
    op_case g = { .op = "softmax_cross_entropy_grad", .inputs = 4, .n = 2, .in = { c.in[0], c.in[1], op_floats((float[]){ 2 }, OP_SCALAR, 1), c.in[2] } };
    y = op_run1(&g);
    op_assert_floats(y, (float[]){ -0.125f, 0.125f, 1.125f, -1.125f }, 4, 1e-6f);
    op_free(y);
    op_free(g.in[2]);
    op_free_inputs(&c);
}

static void large_logits_stay_finite(void **state)
{
    (void)state;
    op_case c = { .op = "softmax_cross_entropy", .inputs = 2, .n = 2 };
    c.in[0] = op_floats((float[]){ 3e38f, -3e38f, 1000, 1000 }, OP_SHAPE(EX_BATCH, 2), 2);
    c.in[1] = op_ints((int32_t[]){ 0, 1 }, OP_LABELS(EX_BATCH), 2);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ (float)(log(2) / 2) }, 1, 1e-6f);
    op_free(y);
    op_case s = { .op = "softmax", .inputs = 1, .n = 2, .in = { c.in[0] } };
    y = op_run1(&s);
    op_assert_floats(y, (float[]){ 1, 0, 0.5f, 0.5f }, 4, 0);
    op_free(y);
    op_free_inputs(&c);
}

/* A label that is no class makes the loss and its row of the gradient NaN, and nothing outside is read. */
static void labels_outside_make_nan(void **state)
{
    (void)state;
    const int32_t bad[] = { -1, 3, INT32_MAX, INT32_MIN };
    for (int k = 0; k < 4; k++)
        for (int weighted = 0; weighted < 2; weighted++) {
            op_case c = entropy_case(2, 3, weighted);
            c.in[1]->i[1] = bad[k];
            op_array *y = op_run1(&c);
            assert_true(isnan(*y->f));
            op_case g = { .op = "softmax_cross_entropy_grad", .inputs = 3 + weighted, .n = 2, .in = { c.in[0], c.in[1], y, c.in[2] } };
            op_array *dz = op_run1(&g);
            for (int i = 3; i < 6; i++) assert_true(isnan(dz->f[i]));
            op_case h = { .op = "hits", .inputs = 2, .n = 2, .in = { c.in[0], c.in[1] }, .attrs = 1, .attr = { OP_ATTR("k", 3) } };
            op_array *hits = op_run1(&h);
            op_assert_floats(hits, (float[]){ 1 }, 1, 0);
            op_free(hits);
            op_free(dz);
            op_free(y);
            op_free_inputs(&c);
        }
}

/* Equal logits: the lower index is ahead. A NaN is ahead of none, and the label's own NaN is no hit, at any k. */
static void hits_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "hits", .inputs = 2, .n = 6, .attrs = 1 };
    c.in[0] = op_floats((float[]){ 5, 5, 1, 5, 5, 1, 1, 2, 3, 3, 2, 1, NAN, 1, 2, NAN, 1, 2 }, OP_SHAPE(EX_BATCH, 3), 6);
    c.in[1] = op_ints((int32_t[]){ 0, 1, 0, 0, 0, 2 }, OP_LABELS(EX_BATCH), 6);
    const float expected[] = { 3, 4, 5, 5 };
    for (int k = 1; k <= 4; k++) {
        c.attr[0] = (ex_attr)OP_ATTR("k", k);
        op_array *y = op_run1(&c);
        op_assert_floats(y, &expected[k - 1], 1, 0);
        op_free(y);
        op_assert_everywhere(&c, 0);
    }
    assert_int_equal(ex_op_find("hits")->flags & EX_OP_STOPS, EX_OP_STOPS);
    op_free_inputs(&c);
}

/* -- Against the reference --------------------------------------------------------------------------------------------------- */

static void softmax_and_its_gradient(void **state)
{
    (void)state;
    const char *const ops[] = { "softmax", "log_softmax" };
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 10), OP_SHAPE(7), OP_SHAPE(EX_BATCH, 3, 5), OP_SHAPE(EX_BATCH, 1), OP_SHAPE(EX_BATCH, 2, 3, 4),
                                OP_SHAPE(EX_BATCH, 3000) };
    for (int k = 0; k < 2; k++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            op_case c = { .op = ops[k], .inputs = 1, .n = 3, .batch = 4, .in = { op_random(50, -4, 4, shapes[s], 3) } };
            op_assert_everywhere(&c, 1e-6);
            fd_check(&c, softmax_reference, 1, 0, 2e-5);
            op_array *y = op_run1(&c);
            op_case g = { .op = k ? "log_softmax_grad" : "softmax_grad", .inputs = 2, .n = 3, .in = { y, c.in[0] } };
            op_assert_everywhere(&g, 1e-6);
            op_free(y);
            op_free_inputs(&c);
        }
}

static void cross_entropy_and_its_gradient(void **state)
{
    (void)state;
    const int32_t sizes[][2] = { { 1, 2 }, { 5, 10 }, { 64, 10 }, { 9, 1 }, { 33, 200 }, { 70, 1000 } };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int weighted = 0; weighted < 2; weighted++) {
            op_case c = entropy_case(sizes[s][0], sizes[s][1], weighted);
            op_assert_everywhere(&c, 1e-6);
            fd_check(&c, cross_entropy_reference, 1, 0, 2e-5);
            op_case g = { .op = "softmax_cross_entropy_grad", .inputs = 3 + weighted, .n = c.n, .batch = c.batch };
            g.in[0] = c.in[0], g.in[1] = c.in[1], g.in[2] = op_floats((float[]){ 0.7f }, OP_SCALAR, 1), g.in[3] = c.in[2];
            op_assert_everywhere(&g, 1e-6);
            op_free(g.in[2]);
            op_free_inputs(&c);
        }
}

/* -- Rules ------------------------------------------------------------------------------------------------------------------------ */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = entropy_case(4, 3, 1);
    op_free(c.in[2]);
    c.in[2] = op_zeros(OP_SHAPE(4), 1);
    op_assert_refused(&c, "class weights: got (4), expected (3), one per class");
    op_free(c.in[1]);
    c.in[1] = op_zeros(OP_LABELS(4), 1);
    op_assert_refused(&c, "labels: got (4) for logits of (N, 3), expected one per row");
    op_free(c.in[1]);
    c.in[1] = op_zeros(OP_SHAPE(EX_BATCH), 4);
    op_assert_refused(&c, "labels must have 1 axis in int32, got (N) float32");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 3, 1, 1), 4);
    op_assert_refused(&c, "logits must have 2 axes in float32, got (N, 3, 1, 1) float32");
    op_free_inputs(&c);
    c = (op_case){ .op = "softmax", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(EX_BATCH), 1) } };
    op_assert_refused(&c, "input: got (N) float32, expected float32 with classes as its last axis");
    op_free_inputs(&c);
    c = entropy_case(4, 3, 0);
    c.op = "hits";
    c.attrs = 1;
    c.attr[0] = (ex_attr)OP_ATTR("k", 0);
    op_assert_refused(&c, "k: got 0, expected 1 or more");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_by_hand), cmocka_unit_test(large_logits_stay_finite), cmocka_unit_test(labels_outside_make_nan),
        cmocka_unit_test(hits_by_hand), cmocka_unit_test(softmax_and_its_gradient), cmocka_unit_test(cross_entropy_and_its_gradient),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
