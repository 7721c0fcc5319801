/* norm_act_test.c: a batch norm and what follows it in one operator, against the operators that do it one after the
 * other (norm_test.c, activation_test.c and pool_test.c hold those to references), forward and backward. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/op_run.h"

/* -- Cases ---------------------------------------------------------------------------------------------------------- */

/* h = 0: a value (N, C). Sizes that windows cover wholly, leave a row or a column of, and both. */
static const struct { int32_t n, c, h, w, act, kernel[2], shortcut; } cases[] = {
    { 3, 5, 4, 6, 1, { 1, 1 }, 0 },    { 2, 16, 6, 4, 1, { 2, 2 }, 0 },  { 4, 33, 7, 5, 2, { 2, 2 }, 0 }, { 7, 19, 0, 0, 1, { 1, 1 }, 0 },
    { 2, 3, 40, 31, 1, { 2, 2 }, 0 },  { 2, 70, 7, 8, 0, { 3, 2 }, 0 },  { 3, 8, 9, 4, 2, { 1, 2 }, 0 }, { 3, 24, 5, 5, 1, { 1, 1 }, 1 },
    { 5, 17, 4, 3, 2, { 1, 1 }, 1 },   { 2, 6, 3, 3, 0, { 1, 1 }, 1 },   { 3, 40, 0, 0, 1, { 1, 1 }, 1 },
    { 3, 5, 4, 6, 3, { 1, 1 }, 0 },    { 2, 70, 7, 8, 4, { 1, 1 }, 0 },  { 7, 19, 0, 0, 3, { 1, 1 }, 0 }, { 4, 16, 30, 31, 4, { 1, 1 }, 0 },
    { 2, 33, 12, 9, 3, { 1, 1 }, 0 } };
enum { CASES = sizeof cases / sizeof *cases };

static ex_shape value_shape(int i)
{
    if (!cases[i].h) return OP_SHAPE(EX_BATCH, cases[i].c);
    return OP_SHAPE(EX_BATCH, cases[i].c, cases[i].h, cases[i].w);
}

static op_array *channels(uint32_t seed, int i, float low, float high) { return op_random(seed, low, high, OP_SHAPE(cases[i].c), 1); }

static const char *act_name(int i, int gradient)
{
    static const char *const name[2][5] = { { NULL, "relu", "relu6", "silu", "hard_swish" },
                                             { NULL, "relu_grad", "relu6_grad", "silu_grad", "hard_swish_grad" } };
    return name[gradient][cases[i].act];
}

/* eps, act and kernel; the first two for operators without windows. */
static void set_attrs(op_case *c, int i, int attrs)
{
    ex_attr attr[] = { OP_ATTR("eps", 1e-3), { "act", 1, { cases[i].act } }, { "kernel", 2, { cases[i].kernel[0], cases[i].kernel[1] } } };
    c->attrs = attrs;
    memcpy(c->attr, attr, sizeof *attr * (size_t)attrs);
}

/* What one case is made of, and what the separate operators make of it. Values are spread so that relu6 cuts some off. */
typedef struct parts { op_array *x, *mean, *var, *gamma, *beta, *shortcut, *z, *activated, *y, *dy; } parts;     /* z: before the activation */

static parts parts_of(int i)
{
    int32_t n = cases[i].n;
    parts p = { op_random(1, -2, 3, value_shape(i), n), channels(2, i, -1, 1), channels(3, i, 0.2f, 2), channels(4, i, -4, 4),
                channels(5, i, -1, 4), NULL, NULL, NULL, NULL, NULL };
    op_case c = { .op = "normalise", .inputs = 5, .n = n, .in = { p.x, p.mean, p.var, p.gamma, p.beta } };
    set_attrs(&c, i, 1);
    p.activated = op_run1(&c);
    if (cases[i].shortcut) {
        p.shortcut = op_random(6, -2, 2, value_shape(i), n);
        op_array *sum = op_run1(&(op_case){ .op = "add", .inputs = 2, .n = n, .in = { p.activated, p.shortcut } });
        op_free(p.activated);
        p.activated = sum;
    }
    p.z = op_clone(p.activated);
    if (cases[i].act) {
        op_array *v = op_run1(&(op_case){ .op = act_name(i, 0), .inputs = 1, .n = n, .in = { p.activated } });
        op_free(p.activated);
        p.activated = v;
    }
    p.y = cases[i].kernel[0] * cases[i].kernel[1] == 1 ? op_clone(p.activated)
          : op_run1(&(op_case){ .op = "max_pool2d", .inputs = 1, .n = n, .in = { p.activated }, .attrs = 1,
                                .attr = { { "kernel", 2, { cases[i].kernel[0], cases[i].kernel[1] } } } });
    p.dy = op_random(7, -1, 1.5f, p.y->shape, n);
    return p;
}

static void free_parts(parts *p)
{
    op_array *all[] = { p->x, p->mean, p->var, p->gamma, p->beta, p->shortcut, p->z, p->activated, p->y, p->dy };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) op_free(all[k]);
}

/* The gradient before pooling and activation, by their own operators. */
static op_array *gradient_before(const parts *p, int i)
{
    op_array *d = op_clone(p->dy);
    if (cases[i].kernel[0] * cases[i].kernel[1] > 1) {
        op_free(d);
        d = op_run1(&(op_case){ .op = "max_pool2d_grad", .inputs = 3, .n = cases[i].n, .in = { p->activated, p->y, p->dy }, .attrs = 1,
                                .attr = { { "kernel", 2, { cases[i].kernel[0], cases[i].kernel[1] } } } });
    }
    if (!cases[i].act) return d;
    op_array *z = op_run1(&(op_case){ .op = act_name(i, 1), .inputs = 2, .n = cases[i].n, .in = { cases[i].act > 2 ? p->z : p->activated, d } });
    op_free(d);
    return z;
}

static void affine_of(const parts *p, int i, op_array *dz, op_array **out)
{
    op_case c = { .op = "normalise_grad_affine", .inputs = 4, .n = cases[i].n, .in = { p->x, dz, p->mean, p->var } };
    set_attrs(&c, i, 1);
    op_run(&c, out);
}

static void assert_close(const op_array *got, const op_array *expected, double bound)
{
    double largest = 1e-30;
    assert_int_equal(got->count, expected->count);
    for (int64_t k = 0; k < got->count; k++) largest = fmax(largest, fabs((double)expected->f[k]));
    for (int64_t k = 0; k < got->count; k++)
        if (!(fabs((double)got->f[k] - expected->f[k]) <= bound * largest)) fail_msg("number %d is %.9g, expected %.9g", (int)k, got->f[k], expected->f[k]);
}

/* -- Tests ------------------------------------------------------------------------------------------------------------ */

static void by_hand(void **state)
{
    (void)state;                            /* (x - 1) / 2 * 2 + 1 = x, relu, windows of 2 x 2: 4 and 0; one column left over */
    op_case c = { .op = "normalise_act", .inputs = 5, .n = 1, .attrs = 2, .attr = { OP_ATTR("eps", 0), OP_ATTR("kernel", 2) } };
    c.in[0] = op_floats((float[]){ 1, 4, -1, -2, 9, 4, 2, -3, -8, 9 }, OP_SHAPE(EX_BATCH, 1, 2, 5), 1);
    float number[] = { 1, 4, 2, 1 };
    for (int k = 1; k < 5; k++) c.in[k] = op_floats(&number[k - 1], OP_SHAPE(1), 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 4, 0 }, 2, 0);
    op_free(y);
    op_array *dy = op_floats((float[]){ 5, 7 }, OP_SHAPE(EX_BATCH, 1, 1, 2), 1), *out[EX_MAX_OUT];
    op_case back = { .op = "normalise_act_grad_affine", .inputs = 6, .n = 1, .attrs = 2, .attr = { OP_ATTR("eps", 0), OP_ATTR("kernel", 2) },
                     .in = { c.in[0], dy, c.in[1], c.in[2], c.in[3], c.in[4] } };
    op_run(&back, out);
    op_assert_floats(out[0], (float[]){ 7.5f }, 1, 1e-6f);              /* 5 (4 - 1) / 2 */
    op_assert_floats(out[1], (float[]){ 5 }, 1, 0);
    op_array *zero = op_zeros(OP_SHAPE(1), 1);
    back.op = "normalise_act_grad_input";
    back.inputs = 8;
    back.in[6] = back.in[7] = zero;
    op_array *dx = op_run1(&back);
    op_assert_floats(dx, (float[]){ 0, 5, 0, 0, 0, 0, 0, 0, 0, 0 }, 10, 0);        /* the first of the two 4 */
    op_array *all[] = { dy, out[0], out[1], zero, dx };
    for (int k = 0; k < 5; k++) op_free(all[k]);
    op_free_inputs(&c);
}

static void forward_in_one_pass(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        parts p = parts_of(i);
        op_case c = { .op = "normalise_act", .inputs = 5 + cases[i].shortcut, .n = cases[i].n, .in = { p.x, p.mean, p.var, p.gamma, p.beta, p.shortcut } };
        set_attrs(&c, i, 3);
        op_array *y = op_run1(&c);
        assert_close(y, p.y, 1e-6);
        op_assert_everywhere(&c, 2e-6);
        for (int over = 0; over < 6 && ex_shape_same(&p.x->shape, &p.y->shape); over += 5) {        /* y over x, over the shortcut */
            if (over >= c.inputs) continue;
            c.shares = over + 1;
            op_array *shared = op_run1(&c);
            op_assert_same_bits(shared, y);
            op_free(shared);
        }
        op_free(y);
        free_parts(&p);
    }
}

static void gradients_in_one_pass_each(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        if (cases[i].shortcut) continue;
        parts p = parts_of(i);
        op_array *dz = gradient_before(&p, i), *expected[EX_MAX_OUT], *sums[EX_MAX_OUT];
        affine_of(&p, i, dz, expected);
        op_case c = { .op = "normalise_act_grad_affine", .inputs = 6, .n = cases[i].n, .in = { p.x, p.dy, p.mean, p.var, p.gamma, p.beta } };
        set_attrs(&c, i, 3);
        op_run(&c, sums);
        for (int k = 0; k < 2; k++) assert_close(sums[k], expected[k], 1e-5);
        op_assert_everywhere(&c, 1e-5);

        op_case whole = { .op = "batch_norm_grad_input", .inputs = 7, .n = cases[i].n, .in = { p.x, dz, p.mean, p.var, p.gamma, sums[0], sums[1] } };
        set_attrs(&whole, i, 1);
        op_array *dx = op_run1(&whole);
        c.op = "normalise_act_grad_input";
        c.inputs = 8;
        c.in[6] = sums[0];
        c.in[7] = sums[1];
        op_array *got = op_run1(&c);
        assert_close(got, dx, 1e-6);
        op_assert_everywhere(&c, 1e-5);
        for (int over = 0; over < 2; over++) {                          /* dx over x, over dy */
            if (over && !ex_shape_same(&p.x->shape, &p.dy->shape)) continue;
            c.shares = over + 1;
            op_array *shared = op_run1(&c);
            op_assert_same_bits(shared, got);
            op_free(shared);
        }
        op_array *all[] = { dz, expected[0], expected[1], sums[0], sums[1], dx, got };
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) op_free(all[k]);
        free_parts(&p);
    }
}

static void gradients_through_a_sum(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        if (!cases[i].shortcut) continue;
        parts p = parts_of(i);
        op_array *dz = gradient_before(&p, i), *expected[EX_MAX_OUT], *out[EX_MAX_OUT];
        affine_of(&p, i, dz, expected);
        op_case c = { .op = "normalise_add_grad", .inputs = 5, .n = cases[i].n, .in = { p.x, p.y, p.dy, p.mean, p.var } };
        set_attrs(&c, i, 2);
        op_run(&c, out);
        op_assert_same_bits(out[0], dz);
        for (int k = 0; k < 2; k++) assert_close(out[k + 1], expected[k], 1e-5);
        op_assert_everywhere(&c, 1e-5);
        op_array *half = op_clone(p.dy), *rest = op_clone(p.dy);         /* dy in two terms that add up exactly */
        for (int64_t k = 0; k < half->count; k++) { half->f[k] *= 0.25f; rest->f[k] *= 0.75f; p.dy->f[k] = half->f[k] + rest->f[k]; }
        op_array *whole[EX_MAX_OUT], *shared[EX_MAX_OUT], *terms[EX_MAX_OUT];
        op_run(&c, whole);
        c.shares = 3;                       /* over dy */
        op_run(&c, shared);
        c.inputs = 6;
        c.in[2] = half;
        c.in[5] = rest;
        c.shares = 6;                       /* over the second term */
        op_run(&c, terms);
        for (int k = 0; k < 3; k++) {
            op_assert_same_bits(shared[k], whole[k]);
            op_assert_same_bits(terms[k], whole[k]);
        }
        c.shares = 0;
        op_assert_everywhere(&c, 1e-5);
        op_array *all[] = { dz, expected[0], expected[1], half, rest };
        for (size_t k = 0; k < sizeof all / sizeof *all; k++) op_free(all[k]);
        for (int k = 0; k < 3; k++) { op_free(out[k]); op_free(whole[k]); op_free(shared[k]); op_free(terms[k]); }
        free_parts(&p);
    }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    parts p = parts_of(1);
    op_array *small = op_zeros(OP_SHAPE(3), 1), *flat = op_zeros(OP_SHAPE(EX_BATCH, 16), 2);
    op_case c = { .op = "normalise_act", .inputs = 5, .n = 2, .in = { p.x, p.mean, p.var, p.gamma, small } };
    op_assert_refused(&c, "beta: got (3) float32, expected (16) float32");
    c.in[4] = p.beta;
    c.inputs = 6;
    c.in[5] = p.y;
    op_assert_refused(&c, "shortcut: got (N, 16, 3, 2), expected (N, 16, 6, 4)");
    c.inputs = 5;
    c.attrs = 1;
    c.attr[0] = (ex_attr)OP_ATTR("kernel", 7);
    op_assert_refused(&c, "kernel: got 7, expected 1 to 6");
    c.in[0] = flat;
    op_assert_refused(&c, "kernel: got 7 for a value without pixels");
    c.attr[0] = (ex_attr)OP_ATTR("act", 5);
    op_assert_refused(&c, "act: got 5, expected a whole number from 0 to 4");
    c.in[0] = p.x;
    c.attrs = 2;
    c.attr[0] = (ex_attr)OP_ATTR("act", 3);
    c.attr[1] = (ex_attr)OP_ATTR("kernel", 2);
    op_assert_refused(&c, "kernel: got 2, expected 1: silu and hard_swish are not pooled here");
    c.attrs = 1;
    c.inputs = 6;
    c.in[5] = p.x;
    op_assert_refused(&c, "act: got 3, expected 0, 1 or 2 with a shortcut");
    op_case back = { .op = "normalise_act_grad_affine", .inputs = 6, .n = 2, .in = { p.x, p.dy, p.mean, p.var, p.gamma, p.beta } };
    op_assert_refused(&back, "gradient: got (N, 16, 3, 2), expected (N, 16, 6, 4)");
    op_case add = { .op = "normalise_add_grad", .inputs = 5, .n = 2, .in = { p.x, p.x, p.dy, p.mean, p.var } };
    op_assert_refused(&add, "gradient: got (N, 16, 3, 2), expected (N, 16, 6, 4)");
    add.attrs = 1;
    add.attr[0] = (ex_attr)OP_ATTR("act", 4);
    op_assert_refused(&add, "act: got 4, expected 0, 1 or 2 behind a sum");
    add.attrs = 0;
    add.inputs = 6;
    add.in[2] = p.x;
    add.in[5] = p.dy;
    add.in[3] = p.mean;
    op_assert_refused(&add, "second gradient: got (N, 16, 3, 2), expected (N, 16, 6, 4)");
    op_free(small);
    op_free(flat);
    free_parts(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand), cmocka_unit_test(forward_in_one_pass), cmocka_unit_test(gradients_in_one_pass_each),
        cmocka_unit_test(gradients_through_a_sum), cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("norm_act", tests, NULL, NULL);
}
