/* conv_test.c: the operators that passes make of convolutions and linear layers and of what follows them: by hand, against
 * the operators that they stand for, for every instruction set and team, and what they refuse. conv2d, linear and their
 * gradients are compared with PyTorch in golden_ops_test.lua, the kernels with the definition in kernels/conv_test.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

enum { CASES = 4 };
static const struct { int32_t n, c, h, w, o, k, groups, stride, padding; } geometry[CASES] = {
    { 3, 5, 7, 6, 9, 3, 1, 1, 1 }, { 2, 16, 8, 8, 40, 1, 1, 1, 0 }, { 5, 33, 5, 5, 33, 3, 33, 2, 1 }, { 1, 4, 3, 3, 6, 3, 2, 1, 0 },
};

/* x, w, bias */
static op_case conv_case(const char *op, int i)
{
    const double groups = geometry[i].groups, stride = geometry[i].stride, padding = geometry[i].padding;
    op_case c = { .op = op, .inputs = 3, .n = geometry[i].n, .attrs = 3,
                  .attr = { OP_ATTR("groups", groups), OP_ATTR("stride", stride), OP_ATTR("padding", padding) } };
    c.in[0] = op_random(1, -1, 2, OP_SHAPE(EX_BATCH, geometry[i].c, geometry[i].h, geometry[i].w), c.n);
    c.in[1] = op_random(2, -1, 1, OP_SHAPE(geometry[i].o, geometry[i].c / geometry[i].groups, geometry[i].k, geometry[i].k), 1);
    c.in[2] = op_random(3, -1, 1, OP_SHAPE(geometry[i].o), 1);
    return c;
}

/* Runs the case with every instruction set, layouts with gaps or without, teams of 1 to 3; the last must agree in bits. */
static void everywhere(op_case *c, int outputs, const op_case *parts, void (*check)(const op_case *c, op_array **out, const op_case *parts))
{
    for (int32_t i = 0; op_isa(i); i++)
        for (int layout = 0; layout < 2; layout++) {
            op_array *first[EX_MAX_OUT], *again[EX_MAX_OUT];
            c->isa = op_isa(i);
            c->layout = layout ? OP_GAPS : OP_NATURAL;
            op_run(c, first);
            check(c, first, parts);
            for (int threads = 2; threads <= 3; threads++) {
                c->team = ex_team_new(threads);
                op_run(c, again);
                for (int k = 0; k < outputs; k++) { op_assert_same_bits(again[k], first[k]); op_free(again[k]); }
                ex_team_free(c->team);
                c->team = NULL;
            }
            for (int k = 0; k < outputs; k++) op_free(first[k]);
        }
    c->isa = NULL;
    c->layout = OP_NATURAL;
}

/* -- conv2d_fused --------------------------------------------------------------------------------------------------------- */

static void fused_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "conv2d_fused", .inputs = 4, .n = 1, .attrs = 2, .attr = { OP_ATTR("activation", 2), OP_ATTR("residual", 1) } };
    c.in[0] = op_floats((const float[]){ 1, 2, 3, 4 }, OP_SHAPE(EX_BATCH, 1, 2, 2), 1);
    c.in[1] = op_floats((const float[]){ 2 }, OP_SHAPE(1, 1, 1, 1), 1);
    c.in[2] = op_floats((const float[]){ -1 }, OP_SHAPE(1), 1);
    c.in[3] = op_floats((const float[]){ -5, 0, 0.5f, 10 }, OP_SHAPE(EX_BATCH, 1, 2, 2), 1);
    op_array *y = op_run1(&c);              /* 2 x - 1 + r = -4, 3, 5.5, 17 */
    op_assert_floats(y, (const float[]){ 0, 3, 5.5f, 6 }, 4, 0);
    op_free(y);
    c.attr[0] = (ex_attr)OP_ATTR("activation", 0);
    y = op_run1(&c);
    op_assert_floats(y, (const float[]){ -4, 3, 5.5f, 17 }, 4, 0);
    op_free(y);
    op_free_inputs(&c);
}

static void check_fused(const op_case *c, op_array **out, const op_case *parts)
{
    static const char *const name[] = { "relu", "relu6", "silu", "hard_swish" };
    op_case conv = *parts, sum = { .op = "add", .inputs = 2, .n = c->n, .isa = c->isa }, last = { .inputs = 1, .n = c->n, .isa = c->isa };
    conv.isa = c->isa;
    op_array *y = op_run1(&conv);
    const double activation = c->attr[c->attrs - 2].value[0];
    if (c->attr[c->attrs - 1].value[0] != 0) {
        sum.in[0] = y;
        sum.in[1] = c->in[c->inputs - 1];
        op_array *more = op_run1(&sum);
        op_free(y);
        y = more;
    }
    if (activation > 0) {
        last.op = name[(int)activation - 1];
        last.in[0] = y;
        op_array *more = op_run1(&last);
        op_free(y);
        y = more;
    }
    op_assert_same_bits(out[0], y);
    op_free(y);
}

static void fused_is_its_parts(void **state)
{
    (void)state;
    for (int i = 0; i < CASES * 20; i++) {
        const int bias = i & 1, residual = i >> 1 & 1;
        const double activation = i / 4 % 5, last = residual;
        op_case conv = conv_case("conv2d", i / 20), c = conv;
        op_array *spare = c.in[2];
        conv.inputs = c.inputs = 2 + bias;
        c.op = "conv2d_fused";
        c.attr[c.attrs++] = (ex_attr)OP_ATTR("activation", activation);
        c.attr[c.attrs++] = (ex_attr)OP_ATTR("residual", last);
        ex_shape out[EX_MAX_OUT];
        assert_int_equal(op_infer(&conv, out), EX_OK);
        op_array *r = op_random(4, -3, 3, out[0], c.n);
        if (residual) c.in[c.inputs++] = r;
        everywhere(&c, 1, &conv, check_fused);
        if (residual) {                     /* over the residual itself */
            c.shares = c.inputs;
            op_array *y = op_run1(&c);
            c.in[c.inputs - 1] = r;
            check_fused(&c, &y, &conv);
            op_free(y);
        }
        op_free(r);
        op_free(spare);
        op_free(c.in[0]);
        op_free(c.in[1]);
    }
}

static void fused_refuses(void **state)
{
    (void)state;
    op_case c = conv_case("conv2d_fused", 0);
    c.attr[c.attrs++] = (ex_attr)OP_ATTR("activation", 5);
    op_assert_refused(&c, "activation: got 5, expected a whole number from 0 to 4");
    c.attr[c.attrs - 1].value[0] = 1;
    c.attr[c.attrs++] = (ex_attr)OP_ATTR("residual", 1);
    op_assert_refused(&c, "residual: got (9), expected the output's shape (N, 9, 7, 6)");
    c.attr[c.attrs - 1].value[0] = 0;
    c.in[c.inputs++] = op_random(1, 0, 1, OP_SHAPE(EX_BATCH, 9, 7, 6), c.n);
    op_assert_refused(&c, "got 4 inputs without a residual, expected up to 3");
    op_free_inputs(&c);
}

/* -- conv2d_packed -------------------------------------------------------------------------------------------------------- */

/* The case `fused` with its weight packed; the packed weight is the caller's to free. */
static op_case packed_case(const op_case *fused, int i)
{
    const double h = geometry[i].h, w = geometry[i].w, k = geometry[i].k, channels = geometry[i].o;
    op_case pack = *fused, c = *fused;
    pack.op = "conv2d_pack";
    pack.inputs = 1;
    pack.in[0] = fused->in[1];
    pack.attrs = 4;
    pack.attr[3] = (ex_attr)OP_ATTR("size", h, w);
    c.op = "conv2d_packed";
    c.in[1] = op_run1(&pack);
    c.attr[c.attrs++] = (ex_attr)OP_ATTR("kernel", k, k);
    c.attr[c.attrs++] = (ex_attr)OP_ATTR("channels", channels);
    return c;
}

static void packed_is_fused(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++)
        for (int isa = 0; op_isa(isa); isa++) {
            op_case fused = conv_case("conv2d_fused", i);
            fused.isa = op_isa(isa);
            fused.attr[fused.attrs++] = (ex_attr)OP_ATTR("activation", 1);
            op_case c = packed_case(&fused, i);
            op_array *want = op_run1(&fused), *got = op_run1(&c);
            op_assert_same_bits(got, want);
            op_free(want);
            op_free(got);
            op_free(c.in[1]);
            op_free_inputs(&fused);
        }
}

static void packed_refuses(void **state)
{
    (void)state;
    op_case fused = conv_case("conv2d_fused", 0), c = packed_case(&fused, 0);
    op_array *packed = c.in[1], *small = op_zeros(OP_SHAPE(3), 1);
    c.in[1] = small;
    op_assert_refused(&c, "packed weight has 3 numbers, expected ");
    c.in[1] = fused.in[1];
    op_assert_refused(&c, "packed weight");
    c.in[1] = packed;
    c.attr[c.attrs - 1].value[0] = 0;
    op_assert_refused(&c, "channels: got 0");
    op_free(small);
    op_free(packed);
    op_free_inputs(&fused);
}

/* -- conv2d_stats --------------------------------------------------------------------------------------------------------- */

static void stats_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "conv2d_stats", .inputs = 2, .n = 2 };
    c.in[0] = op_floats((const float[]){ 1, 2, 3, 6 }, OP_SHAPE(EX_BATCH, 1, 1, 2), 2);
    c.in[1] = op_floats((const float[]){ 2, -1 }, OP_SHAPE(2, 1, 1, 1), 1);
    op_array *out[EX_MAX_OUT];
    op_run(&c, out);                        /* 2 4 6 12 and -1 -2 -3 -6 */
    op_assert_floats(out[0], (const float[]){ 2, 4, -1, -2, 6, 12, -3, -6 }, 8, 0);
    op_assert_floats(out[1], (const float[]){ 6, -3 }, 2, 1e-6f);
    op_assert_floats(out[2], (const float[]){ 14, 3.5f }, 2, 1e-6f);
    op_assert_floats(out[3], (const float[]){ 56.0f / 3, 14.0f / 3 }, 2, 1e-5f);
    for (int k = 0; k < 4; k++) op_free(out[k]);
    op_free_inputs(&c);
}

static void one_number_has_no_variance(void **state)
{
    (void)state;
    op_case c = { .op = "conv2d_stats", .inputs = 2, .n = 1 };
    c.in[0] = op_floats((const float[]){ 3 }, OP_SHAPE(EX_BATCH, 1, 1, 1), 1);
    c.in[1] = op_floats((const float[]){ 0.7f, 1 }, OP_SHAPE(2, 1, 1, 1), 1);
    op_array *out[EX_MAX_OUT];
    op_run(&c, out);
    op_assert_floats(out[1], out[0]->f, 2, 0);
    op_assert_floats(out[2], (const float[]){ 0, 0 }, 2, 0);
    op_assert_floats(out[3], (const float[]){ 0, 0 }, 2, 0);
    for (int k = 0; k < 4; k++) op_free(out[k]);
    op_free_inputs(&c);
}

/* y has conv2d's bits; the statistics are those of y in double, but for the rounding of up to 512 deviations from one of
 * a channel's numbers, which are summed in float. */
static void check_stats(const op_case *c, op_array **out, const op_case *parts)
{
    op_case conv = *parts;
    conv.isa = c->isa;
    op_array *y = op_run1(&conv);
    op_assert_same_bits(out[0], y);
    op_free(y);
    const int32_t channels = out[0]->shape.dim[1];
    const int64_t pixels = out[0]->count / channels / c->n;
    const double count = (double)(c->n * pixels), unit = ldexp(1, -24) * 512;
    for (int32_t k = 0; k < channels; k++) {
        double mean = 0, square = 0, low = INFINITY, high = -INFINITY;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < c->n * pixels; i++) {
                const double v = out[0]->f[(i / pixels * channels + k) * pixels + i % pixels];
                if (!pass) mean += v / count;
                else square += (v - mean) * (v - mean);
                low = v < low ? v : low;
                high = v > high ? v : high;
            }
        const double range = high - low, unbiased = count > 1 ? square / (count - 1) : 0;
        assert_true(fabs(out[1]->f[k] - mean) <= unit * range + 1e-7 * fabs(mean));
        assert_true(fabs(out[2]->f[k] - square / count) <= unit * range * range);
        assert_true(fabs(out[3]->f[k] - unbiased) <= 2 * unit * range * range);
    }
}

static void stats_are_its_parts(void **state)
{
    (void)state;
    for (int i = 0; i < CASES * 2; i++) {
        op_case conv = conv_case("conv2d", i / 2), c = conv;
        op_array *spare = c.in[2];
        conv.inputs = c.inputs = 2 + i % 2;
        c.op = "conv2d_stats";
        c.batch = c.n + 30;                 /* scratch is that of any n up to it */
        everywhere(&c, 4, &conv, check_stats);
        op_free(spare);
        op_free(c.in[0]);
        op_free(c.in[1]);
    }
}

/* -- linear_fused --------------------------------------------------------------------------------------------------------- */

static void check_linear(const op_case *c, op_array **out, const op_case *parts)
{
    static const char *const name[] = { "relu", "relu6", "silu", "hard_swish" };
    op_case linear = *parts, last = { .op = name[(int)c->attr[0].value[0] - 1], .inputs = 1, .n = c->n };
    linear.isa = last.isa = c->isa;
    last.in[0] = op_run1(&linear);
    op_array *y = op_run1(&last);
    op_assert_same_bits(out[0], y);
    op_free(y);
    op_free_inputs(&last);
}

static void linear_fused_is_its_parts(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        const double activation = 1 + (i % 2) + (i & 8 ? 2 : 0);
        op_case linear = { .op = "linear", .inputs = i & 2 ? 2 : 3, .n = i & 4 ? 1 : 7 }, c;
        linear.in[0] = op_random(1, -3, 3, OP_SHAPE(EX_BATCH, 50), linear.n);
        linear.in[1] = op_random(2, -1, 1, OP_SHAPE(70, 50), 1);
        linear.in[2] = op_random(3, -1, 1, OP_SHAPE(70), 1);
        c = linear;
        c.op = "linear_fused";
        c.attrs = 1;
        c.attr[0] = (ex_attr)OP_ATTR("activation", activation);
        everywhere(&c, 1, &linear, check_linear);
        linear.layout = c.layout = OP_SPREAD;           /* BLIS's case */
        op_array *y = op_run1(&c);
        check_linear(&c, &y, &linear);
        op_free(y);
        for (int k = 0; k < 3; k++) op_free(linear.in[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_by_hand), cmocka_unit_test(fused_is_its_parts), cmocka_unit_test(fused_refuses),
        cmocka_unit_test(packed_is_fused), cmocka_unit_test(packed_refuses),
        cmocka_unit_test(stats_by_hand), cmocka_unit_test(one_number_has_no_variance), cmocka_unit_test(stats_are_its_parts),
        cmocka_unit_test(linear_fused_is_its_parts),
    };
    return cmocka_run_group_tests_name("convolution operators", tests, NULL, NULL);
}
