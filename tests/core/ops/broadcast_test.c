/* broadcast_test.c: the common shape of two values, what is refused, and which nodes bring a gradient back. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

#include "../../../core/ops/broadcast.h"

static void expect_shape(ex_shape a, ex_shape b, ex_shape y)
{
    ex_shape out;
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(turn ? ex_broadcast_shape(&out, &b, &a) : ex_broadcast_shape(&out, &a, &b), EX_OK);
        assert_true(ex_shape_same(&out, &y));
    }
}

static void shapes_are_aligned_at_the_last_axis(void **state)
{
    (void)state;
    expect_shape(OP_SHAPE(EX_BATCH, 3), OP_SHAPE(3), OP_SHAPE(EX_BATCH, 3));
    expect_shape(OP_SHAPE(EX_BATCH, 3), OP_SCALAR, OP_SHAPE(EX_BATCH, 3));
    expect_shape(OP_SHAPE(EX_BATCH, 1, 4), OP_SHAPE(5, 1), OP_SHAPE(EX_BATCH, 5, 4));
    expect_shape(OP_SHAPE(1, 3), OP_SHAPE(EX_BATCH, 1), OP_SHAPE(EX_BATCH, 3));
    expect_shape(OP_LABELS(EX_BATCH), OP_LABELS(EX_BATCH), OP_SHAPE(EX_BATCH));     /* the result is float32 */
}

static void others_are_refused(void **state)
{
    (void)state;
    const struct { ex_shape a, b; const char *message; } bad[] = {
        { OP_SHAPE(2, 3), OP_SHAPE(2), "shapes (2, 3) and (2) do not broadcast" },
        { OP_SHAPE(EX_BATCH, 3), OP_SHAPE(5, 3), "shapes (N, 3) and (5, 3) do not broadcast" },   /* no number is the batch */
        { OP_SHAPE(EX_BATCH, 3), OP_SHAPE(1, 1, 3), "shapes (N, 3) and (1, 1, 3) do not broadcast" },
        { OP_SHAPE(EX_BATCH), OP_SHAPE(2, 1), "shapes (N) and (2, 1) do not broadcast" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ex_shape out;
        assert_int_equal(ex_broadcast_shape(&out, &bad[i].a, &bad[i].b), EX_FAILED);
        assert_string_equal(ex_error_message(), bad[i].message);
    }
}

/* -- Which nodes are built --------------------------------------------------------------------------------------------------- */

typedef struct recorder { ex_builder base; ex_shape from; char text[200]; } recorder;

static void note(recorder *r, const char *text)
{
    const size_t at = strlen(r->text);
    assert_true(at + strlen(text) < sizeof r->text);
    memcpy(r->text + at, text, strlen(text) + 1);
}

static ex_status record(ex_builder *b, const char *op, int32_t inputs, const int32_t *input, int32_t attrs, const ex_attr *attr, int32_t *output)
{
    recorder *r = (recorder *)b;
    assert_int_equal(inputs, 1);
    assert_int_equal(attrs, 1);
    note(r, op);
    for (int32_t i = 0; i < attr->count; i++) {
        const char digit[] = { i ? ',' : '(', attr->value[i] < 0 ? 'N' : (char)('0' + (int)attr->value[i]), 0 };
        note(r, digit);
    }
    note(r, ") ");
    *output = *input + 1;
    return EX_OK;
}

static const ex_shape *shape_of(ex_builder *b, int32_t value)
{
    assert_int_equal(value, 7);
    return &((recorder *)b)->from;
}

static void gradients_are_summed_where_values_were_repeated(void **state)
{
    (void)state;
    const struct { ex_shape from, to; const char *nodes; } cases[] = {
        { OP_SHAPE(EX_BATCH, 3), OP_SHAPE(EX_BATCH, 3), "" },
        { OP_SHAPE(EX_BATCH, 3), OP_SHAPE(3), "sum(0) " },
        { OP_SHAPE(EX_BATCH, 3), OP_SCALAR, "sum(0,1) " },
        { OP_SHAPE(EX_BATCH, 3), OP_SHAPE(EX_BATCH, 1), "sum(1) reshape(N,1) " },
        { OP_SHAPE(EX_BATCH, 3), OP_SHAPE(1, 3), "sum(0) reshape(1,3) " },
        { OP_SHAPE(EX_BATCH, 6, 2, 2), OP_SHAPE(6, 1, 1), "sum(0,2,3) reshape(6,1,1) " },
        { OP_SHAPE(2, 1), OP_SHAPE(1), "sum(0) " },         /* an axis of 1 was not repeated */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recorder r = { .base = { record, shape_of }, .from = cases[i].from };
        int32_t out;
        assert_int_equal(ex_broadcast_gradient(&r.base, 7, &cases[i].to, &out), EX_OK);
        assert_string_equal(r.text, cases[i].nodes);
        int nodes = 0;
        for (const char *p = r.text; *p; p++) nodes += *p == ')';
        assert_int_equal(out, 7 + nodes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_aligned_at_the_last_axis), cmocka_unit_test(others_are_refused),
        cmocka_unit_test(gradients_are_summed_where_values_were_repeated),
    };
    return cmocka_run_group_tests_name("broadcast", tests, NULL, NULL);
}
