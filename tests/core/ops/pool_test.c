/* pool_test.c: maximum and average pooling over windows and over whole images, sizes, borders, ties, gradients. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/finite_difference.h"

/* -- A naive reference -------------------------------------------------------------------------------------------------- */

static int number(const op_case *c, const char *name, int i, int otherwise)
{
    for (int32_t a = 0; a < c->attrs; a++)
        if (!strcmp(c->attr[a].name, name)) return (int)c->attr[a].value[c->attr[a].count == 1 ? 0 : i];
    return otherwise;
}

typedef struct window { int k[2], s[2], p[2], d[2], out[2], in[2]; } window;

/* Sizes by PyTorch's rule, tried one by one: the largest number of windows that the rule lets start. */
static window window_of(const op_case *c)
{
    window w;
    for (int i = 0; i < 2; i++) {
        w.k[i] = number(c, "kernel", i, 0);
        w.s[i] = number(c, "stride", i, 0) ? number(c, "stride", i, 0) : w.k[i];
        w.p[i] = number(c, "padding", i, 0);
        w.d[i] = number(c, "dilation", i, 1);
        w.in[i] = c->in[0]->shape.dim[2 + i];
        int span = w.d[i] * (w.k[i] - 1) + 1, ceiling = number(c, "ceil_mode", 0, 0);
        w.out[i] = 0;
        for (int start = -w.p[i];; start += w.s[i]) {
            int fits = start + span <= w.in[i] + w.p[i];
            int begins = ceiling && start < w.in[i] && start < w.in[i] + w.p[i] && start - w.s[i] + span < w.in[i] + w.p[i];
            if (!fits && !begins) break;
            w.out[i]++;
        }
    }
    return w;
}

static void pool_reference(const op_case *c, double *const *in, double *const *out)
{
    window w = window_of(c);
    int average = !strcmp(c->op, "avg_pool2d"), include = number(c, "count_include_pad", 0, 1);
    int planes = c->n * c->in[0]->shape.dim[1];
    for (int q = 0; q < planes; q++)
        for (int oy = 0; oy < w.out[0]; oy++)
            for (int ox = 0; ox < w.out[1]; ox++) {
                double best = -INFINITY, sum = 0;
                int inside = 0, padded = 0;
                for (int a = 0; a < w.k[0]; a++)
                    for (int b = 0; b < w.k[1]; b++) {
                        int y = oy * w.s[0] - w.p[0] + a * w.d[0], x = ox * w.s[1] - w.p[1] + b * w.d[1];
                        padded += y < w.in[0] + w.p[0] && x < w.in[1] + w.p[1];
                        if (y < 0 || x < 0 || y >= w.in[0] || x >= w.in[1]) continue;
                        double v = in[0][(q * w.in[0] + y) * w.in[1] + x];
                        best = fmax(best, v);
                        sum += v;
                        inside++;
                    }
                out[0][(q * w.out[0] + oy) * w.out[1] + ox] = average ? sum / (include ? padded : inside) : best;
            }
}

static void global_reference(const op_case *c, double *const *in, double *const *out)
{
    const int32_t *d = c->in[0]->shape.dim;
    for (int q = 0; q < c->n * d[1]; q++) {
        out[0][q] = 0;
        for (int i = 0; i < d[2] * d[3]; i++) out[0][q] += in[0][q * d[2] * d[3] + i] / (d[2] * d[3]);
    }
}

/* -- Cases -------------------------------------------------------------------------------------------------------------------- */

static const struct { int32_t n, c, h, w; double kernel[2], stride[2], padding[2], dilation[2], ceil; } geometry[] = {
    { 2, 3, 4, 4, { 2, 2 }, { 0, 0 }, { 0, 0 }, { 1, 1 }, 0 },
    { 3, 20, 7, 9, { 2, 2 }, { 2, 2 }, { 0, 0 }, { 1, 1 }, 0 },     /* a row and a column that no window covers */
    { 3, 20, 7, 9, { 2, 2 }, { 2, 2 }, { 0, 0 }, { 1, 1 }, 1 },     /* windows cut by the border */
    { 2, 17, 8, 8, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1 }, 0 },     /* overlapping */
    { 1, 5, 9, 6, { 3, 2 }, { 1, 2 }, { 1, 0 }, { 2, 3 }, 0 },
    { 2, 33, 6, 5, { 3, 3 }, { 2, 3 }, { 1, 1 }, { 1, 1 }, 1 },
    { 2, 4, 5, 5, { 5, 5 }, { 1, 1 }, { 2, 2 }, { 1, 1 }, 0 },
    { 5, 64, 28, 28, { 2, 2 }, { 2, 2 }, { 0, 0 }, { 1, 1 }, 0 },   /* more than one part */
};
enum { CASES = sizeof geometry / sizeof *geometry };

static op_case pool_case(const char *op, int i)
{
    op_case c = { .op = op, .inputs = 1, .n = geometry[i].n, .batch = geometry[i].n + 3 };
    c.in[0] = op_random(40 + (uint32_t)i, -1, 1, OP_SHAPE(EX_BATCH, geometry[i].c, geometry[i].h, geometry[i].w), c.n);
    c.attr[c.attrs++] = (ex_attr){ "kernel", 2, { geometry[i].kernel[0], geometry[i].kernel[1] } };
    c.attr[c.attrs++] = (ex_attr){ "stride", 2, { geometry[i].stride[0], geometry[i].stride[1] } };
    c.attr[c.attrs++] = (ex_attr){ "padding", 2, { geometry[i].padding[0], geometry[i].padding[1] } };
    c.attr[c.attrs++] = (ex_attr){ "ceil_mode", 1, { geometry[i].ceil } };
    if (!strcmp(op, "max_pool2d")) c.attr[c.attrs++] = (ex_attr){ "dilation", 2, { geometry[i].dilation[0], geometry[i].dilation[1] } };
    return c;
}

/* -- Worked by hand -------------------------------------------------------------------------------------------------------------- */

static op_array *ramp(void)                 /* 1..9 in a 3x3 image */
{
    return op_floats((float[]){ 1, 2, 3, 4, 5, 6, 7, 8, 9 }, OP_SHAPE(EX_BATCH, 1, 3, 3), 1);
}

static void maximum_by_hand(void **state)
{
    (void)state;
    op_case c = { .op = "max_pool2d", .inputs = 1, .n = 1, .in = { ramp() }, .attrs = 2, .attr = { OP_ATTR("kernel", 2), OP_ATTR("stride", 1) } };
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 5, 6, 8, 9 }, 4, 0);
    op_free(y);
    c.attr[1] = (ex_attr)OP_ATTR("ceil_mode", 1);           /* stride 2, with a last window of one column */
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 5, 6, 8, 9 }, 4, 0);
    op_free(y);
    c.attrs = 1;
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 5 }, 1, 0);
    op_free(y);
    op_free_inputs(&c);
}

static void average_by_hand(void **state)
{
    (void)state;                            /* the window at the corner holds 1, 2, 4, 5 and five numbers of padding */
    op_case c = { .op = "avg_pool2d", .inputs = 1, .n = 1, .in = { ramp() }, .attrs = 3 };
    c.attr[0] = (ex_attr)OP_ATTR("kernel", 3);
    c.attr[1] = (ex_attr)OP_ATTR("stride", 2);
    c.attr[2] = (ex_attr)OP_ATTR("padding", 1);
    op_array *y = op_run1(&c);
    op_assert_floats(y, (float[]){ 12 / 9.0f, 16 / 9.0f, 24 / 9.0f, 28 / 9.0f }, 4, 1e-6f);
    op_free(y);
    c.attr[c.attrs++] = (ex_attr)OP_ATTR("count_include_pad", 0);
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 3, 4, 6, 7 }, 4, 1e-6f);
    op_free(y);
    op_free_inputs(&c);
    c = (op_case){ .op = "global_avg_pool", .inputs = 1, .n = 1, .in = { ramp() } };
    y = op_run1(&c);
    op_assert_floats(y, (float[]){ 5 }, 1, 1e-6f);
    op_free(y);
    op_free_inputs(&c);
}

/* Equal maxima: the first in reading order takes the gradient, whatever the kernel. */
static void first_of_equal_maxima_takes_the_gradient(void **state)
{
    (void)state;
    for (int stride = 1; stride <= 2; stride++) {
        op_case c = { .op = "max_pool2d_grad", .inputs = 3, .n = 1, .attrs = 2, .attr = { OP_ATTR("kernel", 2), OP_ATTR("stride", stride) } };
        c.in[0] = op_floats((float[]){ 3, 7, 7, 7 }, OP_SHAPE(EX_BATCH, 1, 2, 2), 1);
        c.in[1] = op_floats((float[]){ 7 }, OP_SHAPE(EX_BATCH, 1, 1, 1), 1);
        c.in[2] = op_floats((float[]){ 2 }, OP_SHAPE(EX_BATCH, 1, 1, 1), 1);
        op_array *dx = op_run1(&c);
        op_assert_floats(dx, (float[]){ 0, 2, 0, 0 }, 4, 0);
        op_free(dx);
        op_free_inputs(&c);
    }
}

static void a_nan_wins_and_takes_the_gradient(void **state)
{
    (void)state;
    for (int stride = 1; stride <= 2; stride++) {
        op_case c = { .op = "max_pool2d", .inputs = 1, .n = 1, .attrs = 2, .attr = { OP_ATTR("kernel", 2), OP_ATTR("stride", stride) } };
        c.in[0] = op_floats((float[]){ 3, NAN, 9, 1 }, OP_SHAPE(EX_BATCH, 1, 2, 2), 1);
        op_array *y = op_run1(&c);
        assert_true(isnan(y->f[0]));
        op_case g = c;
        g.op = "max_pool2d_grad";
        g.inputs = 3;
        g.in[1] = y;
        g.in[2] = op_floats((float[]){ 2 }, OP_SHAPE(EX_BATCH, 1, 1, 1), 1);
        op_array *dx = op_run1(&g);
        op_assert_floats(dx, (float[]){ 0, 2, 0, 0 }, 4, 0);
        op_free(dx);
        op_free_inputs(&g);
    }
}

/* -- Against the reference --------------------------------------------------------------------------------------------------------- */

static void check_all(const char *op)
{
    for (int i = 0; i < CASES; i++) {
        op_case c = pool_case(op, i);
        ex_shape out;
        window w = window_of(&c);
        assert_int_equal(op_infer(&c, &out), EX_OK);
        assert_int_equal(out.dim[2], w.out[0]);
        assert_int_equal(out.dim[3], w.out[1]);
        op_assert_everywhere(&c, 1e-6);
        for (int layout = 0; layout < OP_LAYOUT_COUNT; layout++) {
            c.layout = (op_layout)layout;
            if (i + 1 < CASES || !layout) fd_check(&c, pool_reference, 1, 0, 1e-4);
        }
        op_free_inputs(&c);
    }
}

static void maximum_and_its_gradient(void **state) { (void)state; check_all("max_pool2d"); }
static void average_and_its_gradient(void **state) { (void)state; check_all("avg_pool2d"); }

static void average_without_padding_in_the_count(void **state)
{
    (void)state;
    for (int i = 3; i < 7; i++) {
        op_case c = pool_case("avg_pool2d", i);
        c.attr[c.attrs++] = (ex_attr)OP_ATTR("count_include_pad", 0);
        fd_check(&c, pool_reference, 1, 0, 1e-4);
        op_free_inputs(&c);
    }
}

/* The gradients alone, in every layout, set and team. */
static void gradients_everywhere(void **state)
{
    (void)state;
    for (int i = 0; i < CASES; i++) {
        op_case c = pool_case("max_pool2d", i);
        op_array *y = op_run1(&c);
        op_case g = c;
        g.op = "max_pool2d_grad";
        g.inputs = 3;
        g.in[1] = y;
        g.in[2] = op_random(9, -1, 1, y->shape, c.n);
        op_assert_everywhere(&g, 1e-6);
        g.op = "avg_pool2d_grad";
        g.inputs = 1;
        g.in[0] = g.in[2];
        g.attr[4] = (ex_attr)OP_ATTR("size", geometry[i].h, geometry[i].w);    /* in the place of the dilation */
        if (geometry[i].dilation[0] == 1) op_assert_everywhere(&g, 1e-6);
        op_free(g.in[2]);
        op_free(y);
        op_free_inputs(&c);
    }
}

/* The gradient through an activation is that of the pooling, then that of the activation, bit by bit where no windows overlap. */
static void gradients_through_an_activation(void **state)
{
    (void)state;
    static const char *const act[] = { "relu", "relu6" }, *const mask[] = { "relu_grad", "relu6_grad" };
    for (int i = 0; i < CASES; i++)
        for (int a = 0; a < 2; a++) {
            op_case c = pool_case("max_pool2d", i);
            for (int64_t k = 0; k < c.in[0]->count; k++) c.in[0]->f[k] *= 5;
            op_array *r = op_run1(&(op_case){ .op = act[a], .inputs = 1, .n = c.n, .in = { c.in[0] } });
            op_free(c.in[0]);
            c.in[0] = r;
            op_array *y = op_run1(&c), *dy = op_random(8, -1, 1, y->shape, c.n);
            op_case back = c;
            back.op = "max_pool2d_grad";
            back.inputs = 3;
            back.in[1] = y;
            back.in[2] = dy;
            op_array *dr = op_run1(&back);
            op_array *expected = op_run1(&(op_case){ .op = mask[a], .inputs = 2, .n = c.n, .in = { r, dr } });
            back.attr[back.attrs++] = (ex_attr)OP_ATTR("act", a + 1);
            op_array *got = op_run1(&back);
            for (int64_t k = 0; k < got->count; k++) assert_true(got->f[k] == expected->f[k]);
            op_assert_everywhere(&back, 1e-6);
            back.attr[back.attrs - 1].value[0] = 4;
            op_assert_refused(&back, "act: got 4, expected 0, 1 or 2");
            op_array *all[] = { r, y, dy, dr, expected, got };
            for (size_t k = 0; k < sizeof all / sizeof *all; k++) op_free(all[k]);
        }
}

static void whole_images_and_their_gradient(void **state)
{
    (void)state;
    const int32_t dim[][4] = { { 2, 3, 5, 4 }, { 3, 300, 2, 3 }, { 4, 32, 30, 31 }, { 1, 1, 1, 1 } };
    for (size_t i = 0; i < sizeof dim / sizeof *dim; i++) {
        op_case c = { .op = "global_avg_pool", .inputs = 1, .n = dim[i][0], .batch = 9 };
        c.in[0] = op_random(3, -1, 2, OP_SHAPE(EX_BATCH, dim[i][1], dim[i][2], dim[i][3]), c.n);
        op_assert_everywhere(&c, 1e-6);
        fd_check(&c, global_reference, 1, 0, 1e-5);
        op_case g = { .op = "global_avg_pool_grad", .inputs = 1, .n = c.n, .attrs = 1, .attr = { OP_ATTR("size", dim[i][2], dim[i][3]) } };
        g.in[0] = op_random(4, -1, 1, OP_SHAPE(EX_BATCH, dim[i][1]), c.n);
        op_assert_everywhere(&g, 1e-6);
        op_free_inputs(&g);
        op_free_inputs(&c);
    }
}

/* -- Rules ---------------------------------------------------------------------------------------------------------------------------- */

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    op_case c = { .op = "max_pool2d", .inputs = 1, .n = 1, .in = { ramp() }, .attrs = 1, .attr = { OP_ATTR("kernel", 4) } };
    op_assert_refused(&c, "input of 3 x 3 pixels is smaller than the 4 x 4 window");
    c.attrs = 2;
    c.attr[0] = (ex_attr)OP_ATTR("kernel", 3);
    c.attr[1] = (ex_attr)OP_ATTR("padding", 2);
    op_assert_refused(&c, "padding: got 2, expected 0 to 1, half the kernel");
    c.attr[1] = (ex_attr)OP_ATTR("dilation", 0);
    op_assert_refused(&c, "dilation: got 0, expected 1 or more");
    c.attr[0] = (ex_attr)OP_ATTR("kernel", 0);
    op_assert_refused(&c, "kernel: got 0, expected 1 or more");
    op_free(c.in[0]);
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 9), 1);
    op_assert_refused(&c, "input must be a batch of images (N, C, H, W) in float32, got (N, 9) float32");
    c.op = "global_avg_pool";
    c.attrs = 0;
    op_assert_refused(&c, "input must be a batch of images");
    op_free_inputs(&c);
    c = (op_case){ .op = "avg_pool2d_grad", .inputs = 1, .n = 1, .attrs = 2, .attr = { OP_ATTR("kernel", 2), OP_ATTR("size", 6, 6) } };
    c.in[0] = op_zeros(OP_SHAPE(EX_BATCH, 1, 2, 3), 1);
    op_assert_refused(&c, "gradient: got (N, 1, 2, 3), expected (N, 1, 3, 3)");
    op_free_inputs(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maximum_by_hand), cmocka_unit_test(average_by_hand), cmocka_unit_test(first_of_equal_maxima_takes_the_gradient),
        cmocka_unit_test(a_nan_wins_and_takes_the_gradient), cmocka_unit_test(maximum_and_its_gradient),
        cmocka_unit_test(average_and_its_gradient), cmocka_unit_test(average_without_padding_in_the_count),
        cmocka_unit_test(gradients_everywhere), cmocka_unit_test(gradients_through_an_activation), cmocka_unit_test(whole_images_and_their_gradient),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
