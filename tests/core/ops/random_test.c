/* random_test.c: dropout and stochastic depth: the share that stays, what a draw depends on, and that the gradient draws the same. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

#include "../../../core/base/random.h"

static op_case train_case(ex_shape shape, int32_t n, double p)
{
    op_case c = { .op = "dropout_train", .inputs = 1, .n = n, .batch = n + 1, .attrs = 2, .seed = 7, .step = 3 };
    c.attr[0] = (ex_attr)OP_ATTR("p", p);
    c.attr[1] = (ex_attr)OP_ATTR("stream", 4000000000.0);       /* all 32 bits are used */
    c.in[0] = op_zeros(shape, n);
    for (int64_t i = 0; i < c.in[0]->count; i++) c.in[0]->f[i] = 1 + (float)(i % 5);
    return c;
}

/* Element e of sample n: word e % 4 of the draw (seed, stream, step, n, e / 4), kept from p on, divided by 1 - p. */
static void draws_by_definition(void **state)
{
    (void)state;
    op_case c = train_case(OP_SHAPE(EX_BATCH, 3, 2, 3), 2, 0.25);
    op_array *y = op_run1(&c);
    for (int64_t i = 0; i < y->count; i++) {
        uint32_t word[4];
        ex_random4(word, 7, 4000000000u, 3, (uint32_t)(i / 18), (uint32_t)(i % 18 / 4));
        float expected = ex_unit_float(word[i % 18 % 4]) < 0.25f ? 0 : c.in[0]->f[i] / 0.75f;
        assert_true(fabsf(y->f[i] - expected) < 1e-6f);
    }
    op_free(y);
    op_free_inputs(&c);
}

static void layout_and_threads_do_not_matter(void **state)
{
    (void)state;
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 7), OP_SHAPE(EX_BATCH, 5, 3, 3), OP_SHAPE(EX_BATCH, 30000), OP_SHAPE(4, 6) };
    for (size_t s = 0; s < 4; s++) {
        op_case c = train_case(shapes[s], 3, 0.5);
        op_assert_everywhere(&c, 0);
        op_array *y = op_run1(&c);
        c.shares = 1;
        op_array *over = op_run1(&c);
        op_assert_same_bits(y, over);
        op_free(over);
        op_free(y);
        op_free_inputs(&c);
    }
}

static void the_share_that_stays(void **state)
{
    (void)state;
    const double p[] = { 0, 0.1, 0.5, 0.9, 1 };
    for (int k = 0; k < 5; k++) {
        op_case c = train_case(OP_SHAPE(EX_BATCH, 10000), 4, p[k]);
        op_array *y = op_run1(&c);
        int64_t kept = 0;
        for (int64_t i = 0; i < y->count; i++) kept += y->f[i] != 0;
        assert_true(fabs((double)kept / 40000 - (1 - p[k])) < 4 * sqrt(p[k] * (1 - p[k]) / 40000) + 1e-9);
        op_free(y);
        op_free_inputs(&c);
    }
}

static int same_zeros(const op_array *a, const op_array *b)
{
    for (int64_t i = 0; i < a->count; i++)
        if ((a->f[i] == 0) != (b->f[i] == 0)) return 0;
    return 1;
}

static void seed_stream_step_and_sample_all_count(void **state)
{
    (void)state;
    op_case c = train_case(OP_SHAPE(EX_BATCH, 64), 2, 0.5);
    op_array *y = op_run1(&c);
    assert_memory_not_equal(y->f, y->f + 64, 256);              /* two samples */
    for (int k = 0; k < 3; k++) {
        op_case d = c;
        if (k == 0) d.seed++;
        if (k == 1) d.step++;
        if (k == 2) d.attr[1].value[0]++;
        op_array *z = op_run1(&d);
        assert_false(same_zeros(y, z));
        op_free(z);
    }
    op_array *again = op_run1(&c);
    op_assert_same_bits(y, again);
    op_free(again);
    op_free(y);
    op_free_inputs(&c);
}

/* The builder's gradient: the same zeros, the same factor. */
static ex_status take_node(ex_builder *b, const char *op, int32_t inputs, const int32_t *input, int32_t attrs, const ex_attr *attr, int32_t *output)
{
    (void)b;
    assert_string_equal(op, "dropout_train");
    assert_int_equal(inputs, 1);
    assert_int_equal(attrs, 2);
    for (int i = 0; i < 2; i++) {
        if (!strcmp(attr[i].name, "p")) assert_true(attr[i].value[0] == 0.5);
        else assert_true(attr[i].value[0] == (double)ex_hash_name("exits.1.drop") || attr[i].value[0] == 4000000000.0);
    }
    *output = input[0] + 10;
    return EX_OK;
}

static void the_rules_draw_the_same_again(void **state)
{
    (void)state;
    ex_builder b = { .node = take_node };
    op_case c = { .op = "dropout", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(EX_BATCH, 4), 1) } };
    op_ready r;
    assert_int_equal(op_prepare(&c, &r), EX_OK);
    int32_t in = 5, made = 6, out = EX_NONE, trains = 0, dout = 9, wanted = 1, din = EX_NONE;
    ex_node_ref node = { "exits.1.drop", "dropout", 1, 1, &in, &made, (const ex_numbers *)r.attr, r.attr_count, NULL };
    assert_int_equal(r.op->training(&b, &node, &trains, &out), EX_OK);
    assert_int_equal(out, 15);
    assert_int_equal(r.op->gradient(&b, &node, &dout, &wanted, &din), EX_OK);
    assert_int_equal(din, 9);                                   /* the identity's */
    r.attr[0][0] = 0;
    out = EX_NONE;
    assert_int_equal(r.op->training(&b, &node, &trains, &out), EX_OK);
    assert_int_equal(out, EX_NONE);                             /* p = 0 stays as it is */
    op_free_inputs(&c);
    c = train_case(OP_SHAPE(EX_BATCH, 4), 1, 0.5);
    assert_int_equal(op_prepare(&c, &r), EX_OK);
    din = EX_NONE;
    node.op = "dropout_train";
    node.attr = (const ex_numbers *)r.attr;
    assert_int_equal(r.op->gradient(&b, &node, &dout, &wanted, &din), EX_OK);
    assert_int_equal(din, 19);
    op_free_inputs(&c);
}

static void keep_reference(const op_case *c, double *const *in, double *const *out)
{
    op_array *y = op_run1(c);               /* which elements stay; the factor is the definition's */
    for (int64_t i = 0; i < y->count; i++) out[0][i] = y->f[i] == 0 ? 0 : in[0][i] / (1 - c->attr[0].value[0]);
    op_free(y);
}

static void gradients_by_differences(void **state)
{
    (void)state;
    op_case c = train_case(OP_SHAPE(EX_BATCH, 3, 2, 2), 2, 0.4);
    fd_check(&c, keep_reference, 1, 0, 1e-5);
    op_free_inputs(&c);
}

static void inference_is_the_identity(void **state)
{
    (void)state;
    op_case c = { .op = "dropout", .inputs = 1, .n = 2, .in = { op_random(1, -1, 1, OP_SHAPE(EX_BATCH, 5), 2) } };
    op_array *y = op_run1(&c);
    op_assert_same_bits(y, c.in[0]);
    op_free(y);
    op_assert_everywhere(&c, 0);
    op_free_inputs(&c);
}

/* -- Stochastic depth ------------------------------------------------------------------------------------------------------ */

/* Sample n: the first word of the draw (seed, stream, step, n, 0) decides for all of it. */
static void samples_by_definition(void **state)
{
    (void)state;
    const ex_shape shapes[] = { OP_SHAPE(EX_BATCH, 3, 2, 3), OP_SHAPE(EX_BATCH, 7), OP_SHAPE(EX_BATCH, 17, 9, 8) };
    for (size_t k = 0; k < 3; k++) {
        op_case c = train_case(shapes[k], 40, 0.25);
        c.op = "stochastic_depth_train";
        c.in[0]->f[0] = INFINITY;
        op_array *y = op_run1(&c);
        int64_t size = y->count / 40, dropped = 0;
        for (int64_t i = 0; i < y->count; i++) {
            uint32_t word[4];
            ex_random4(word, 7, 4000000000u, 3, (uint32_t)(i / size), 0);
            int out = ex_unit_float(word[0]) < 0.25f;
            dropped += out && i % size == 0;
            if (out) assert_true(y->f[i] == 0);
            else if (i) assert_true(fabsf(y->f[i] - c.in[0]->f[i] / 0.75f) < 1e-6f);
        }
        assert_in_range(dropped, 3, 19);
        c.in[0]->f[0] = 1;
        op_assert_everywhere(&c, 0);
        op_free(y);
        y = op_run1(&c);
        c.shares = 1;
        op_array *over = op_run1(&c);
        op_assert_same_bits(y, over);
        c.shares = 0;
        c.step++;
        op_array *other = op_run1(&c);
        assert_false(same_zeros(y, other));
        op_free(other);
        op_free(over);
        op_free(y);
        op_free_inputs(&c);
    }
    op_case c = { .op = "stochastic_depth", .inputs = 1, .n = 2, .in = { op_random(1, -1, 1, OP_SHAPE(EX_BATCH, 5), 2) } };
    op_array *y = op_run1(&c);
    op_assert_same_bits(y, c.in[0]);
    op_free(y);
    c.attrs = 1;
    c.attr[0] = (ex_attr)OP_ATTR("p", -0.1);
    op_assert_refused(&c, "p: got -0.1, expected 0 to 1");
    op_free_inputs(&c);
}

static void depth_gradients_by_differences(void **state)
{
    (void)state;
    op_case c = train_case(OP_SHAPE(EX_BATCH, 3, 2, 2), 6, 0.4);
    c.op = "stochastic_depth_train";
    fd_check(&c, keep_reference, 1, 0, 1e-5);
    op_free_inputs(&c);
}

static void wrong_numbers_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "dropout", .inputs = 1, .n = 1, .in = { op_zeros(OP_SHAPE(EX_BATCH, 4), 1) }, .attrs = 1, .attr = { OP_ATTR("p", 1.5) } };
    op_assert_refused(&c, "p: got 1.5, expected 0 to 1");
    c.attr[0] = (ex_attr)OP_ATTR("p", NAN);
    op_assert_refused(&c, "p: got nan, expected 0 to 1");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_LABELS(EX_BATCH), 1);
    c.attrs = 0;
    op_assert_refused(&c, "input: got (N) int32, expected samples in float32");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_by_definition), cmocka_unit_test(layout_and_threads_do_not_matter), cmocka_unit_test(the_share_that_stays),
        cmocka_unit_test(seed_stream_step_and_sample_all_count), cmocka_unit_test(the_rules_draw_the_same_again),
        cmocka_unit_test(gradients_by_differences), cmocka_unit_test(inference_is_the_identity), cmocka_unit_test(samples_by_definition), cmocka_unit_test(depth_gradients_by_differences),
        cmocka_unit_test(wrong_numbers_are_refused),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
