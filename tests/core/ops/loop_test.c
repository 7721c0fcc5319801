/* loop_test.c: walks over strided operands: merging, broadcasting, parts, gathered rows, copies between layouts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

#include "../../../core/ops/loop.h"

static ex_operand operand(void *data, int32_t dtype, int32_t ndim, const int32_t *dim, const ptrdiff_t *stride)
{
    ex_operand o = { .data = data, .dtype = dtype, .ndim = ndim };
    for (int32_t i = 0; i < ndim; i++) { o.dim[i] = dim[i]; o.stride[i] = stride[i]; }
    return o;
}

#define DIM(...) (int32_t[]){ __VA_ARGS__ }
#define STRIDE(...) (ptrdiff_t[]){ __VA_ARGS__ }

static void equal_layouts_are_one_run(void **state)
{
    (void)state;
    float x[120];
    ex_operand a = operand(x, EX_FLOAT32, 4, DIM(2, 3, 4, 5), STRIDE(60, 1, 15, 3)), b = a;    /* channels-last */
    ex_loop l;
    ex_loop_over(&l, 2, (const ex_operand *[]){ &a, &b });
    assert_int_equal(l.ndim, 1);
    assert_int_equal(l.count, 120);
    assert_int_equal(l.stride[0][0], 1);
    b = operand(x, EX_FLOAT32, 4, DIM(2, 3, 4, 5), STRIDE(60, 20, 5, 1));
    ex_loop_over(&l, 2, (const ex_operand *[]){ &a, &b });      /* pixels and channels run differently; images join neither */
    assert_int_equal(l.ndim, 3);
    b = operand(x, EX_FLOAT32, 3, DIM(3, 1, 1), STRIDE(1, 1, 1));
    ex_loop_over(&l, 2, (const ex_operand *[]){ &a, &b });      /* a number per channel: all pixels are one axis */
    assert_int_equal(l.ndim, 2);
    assert_int_equal(l.stride[1][0], 0);
    ex_loop_over_pixels(&l, 1, (const ex_operand *[]){ &a });
    assert_int_equal(l.ndim, 1);
    assert_int_equal(l.count, 40);
    assert_int_equal(l.stride[0][0], 3);
    ex_loop_over_rows(&l, 1, (const ex_operand *[]){ &a });
    assert_int_equal(l.count, 24);
    a = operand(x, EX_FLOAT32, 3, DIM(1, 1, 1), STRIDE(7, 7, 7));
    ex_loop_over(&l, 1, (const ex_operand *[]){ &a });
    assert_int_equal(l.count, 1);
    assert_int_equal(l.ndim, 1);
}

typedef struct visit { int32_t seen[200]; int32_t parts; float *from; } visit;

static void mark(void *context, int32_t part, char *const *data, const ptrdiff_t *stride, int64_t n)
{
    visit *v = context;
    if (part >= v->parts) v->parts = part + 1;
    for (int64_t i = 0; i < n; i++) v->seen[(float *)data[0] + i * stride[0] - v->from]++;
}

/* Every element once, wherever the parts are cut. */
static void parts_cover_every_element_once(void **state)
{
    (void)state;
    float x[200];
    ex_operand a = operand(x, EX_FLOAT32, 3, DIM(3, 4, 5), STRIDE(60, 14, 2));
    ex_loop l;
    ex_loop_over(&l, 1, (const ex_operand *[]){ &a });
    for (int64_t step = 1; step <= 61; step += 3) {
        visit v = { .from = x };
        ex_loop_run(&l, NULL, step, mark, &v);
        assert_int_equal(v.parts, (60 + step - 1) / step);
        for (int i = 0; i < 200; i++) {
            int element = i / 60 < 3 && i % 60 / 14 < 4 && i % 60 % 14 < 10 && i % 60 % 14 % 2 == 0;
            assert_int_equal(v.seen[i], element);
        }
    }
}

static void sums_have_few_parts(void **state)
{
    (void)state;
    for (int64_t count = 1; count < 10000000; count = count * 3 + 1)
        for (int64_t width = 1; width < 3000; width *= 7) {
            int64_t step = ex_loop_sum_step(count, width), parts = (count + step - 1) / step;
            assert_in_range(parts, 1, EX_LOOP_SUMS);
            if (count * width > 2 * EX_LOOP_PART && count > EX_LOOP_SUMS) assert_true(parts > 1);
        }
}

static void sum_row(void *context, float *const *data, int64_t n)
{
    (void)context;
    for (int64_t i = 0; i < n; i++) data[0][i] += data[1][i];
}

/* Rows that are not contiguous are gathered, worked on and put back; broadcast operands repeat. */
static void rows_are_gathered_and_put_back(void **state)
{
    (void)state;
    enum { LONG = 1300 };
    float *out = calloc(3 * LONG, sizeof *out), add[2] = { 1, 10 };
    ex_operand o = operand(out, EX_FLOAT32, 2, DIM(2, LONG), STRIDE(1, 3)), a = operand(add, EX_FLOAT32, 2, DIM(2, 1), STRIDE(1, 1));
    ex_loop l;
    ex_loop_over(&l, 2, (const ex_operand *[]){ &o, &a });
    ex_loop_rows(&l, NULL, 1, sum_row, NULL);
    ex_loop_rows(&l, NULL, 1, sum_row, NULL);
    for (int i = 0; i < 3 * LONG; i++) assert_true(out[i] == (i % 3 == 0 ? 2 : i % 3 == 1 ? 20 : 0));
    free(out);
}

/* -- Copies --------------------------------------------------------------------------------------------------------------- */

static void layouts_and_types_convert(void **state)
{
    (void)state;
    const ptrdiff_t strides[][4] = { { 60, 20, 5, 1 }, { 60, 1, 15, 3 }, { 200, 1, 40, 7 }, { 1, 30, 8, 100 }, { 121, 40, 10, 2 } };
    const int32_t dims[][4] = { { 2, 3, 4, 5 }, { 2, 1, 4, 5 }, { 1, 3, 4, 1 } };
    for (size_t d = 0; d < 3; d++)
        for (size_t s = 0; s < 5; s++)
            for (size_t t = 0; t < 5; t++)
                for (int32_t type = 0; type < 2; type++) {
                    float *in = calloc(1000, sizeof *in), *out = calloc(1000, sizeof *out);
                    ex_operand i = operand(in, EX_FLOAT32, 4, dims[d], strides[s]);
                    ex_operand o = operand(out, type ? EX_INT32 : EX_FLOAT32, 4, dims[d], strides[t]);
                    for (int k = 0; k < 1000; k++) in[k] = (float)k;
                    ex_operand_copy(&o, &i, NULL);
                    for (int32_t k = 0; k < ex_operand_count(&o); k++) {
                        ptrdiff_t from = 0, to = 0;
                        for (int32_t axis = 3, rest = k; axis >= 0; rest /= dims[d][axis], axis--) {
                            from += rest % dims[d][axis] * strides[s][axis];
                            to += rest % dims[d][axis] * strides[t][axis];
                        }
                        if (type) assert_int_equal(((int32_t *)out)[to], (int)from);
                        else assert_true(out[to] == (float)from);
                    }
                    free(in);
                    free(out);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_layouts_are_one_run), cmocka_unit_test(parts_cover_every_element_once), cmocka_unit_test(sums_have_few_parts),
        cmocka_unit_test(rows_are_gathered_and_put_back), cmocka_unit_test(layouts_and_types_convert),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
