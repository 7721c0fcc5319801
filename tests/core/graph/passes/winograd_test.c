/* winograd_test.c: the pass winograd changes kernels, and numbers by rounding alone: for gradients, and for all forms that a
 * convolution has by then: with statistics, an activation, a residual, packed weights. Marks that do not fit are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/kernels/kernels.h"
#include "../../../../core/graph/passes/passes.h"

enum { WIDE = 64, MAP = 16, IMAGES = 4 };

/* The output and the gradients of a 3x3 convolution of WIDE channels, by a plan with these passes. */
static void convolve(const char *passes, const char *kernel, float *got[3])
{
    ex_graph *g = ex_graph_new();
    const ex_attr attr[] = { { "padding", 2, { 1, 1 } }, { "size", 2, { MAP, MAP } } }, taps[] = { attr[0], { "kernel", 2, { 3, 3 } } };
    const int32_t x = add_input(g, "x", LIST(EX_BATCH, WIDE, MAP, MAP)), w = add_param(g, "w", LIST(WIDE, WIDE, 3, 3));
    const int32_t out[] = { add_node_with(g, "y", "conv2d", LIST(x, w), 1, attr),
                            add_node_with(g, "dx", "conv2d_grad_input", LIST(x, w), 2, attr),
                            add_node_with(g, "dw", "conv2d_grad_weight", LIST(x, x), 2, taps) };
    ex_plan *p = plan_for(g, 3, out, 0, NULL, IMAGES, 1, passes, NULL);
    for (int32_t i = 0; i < 3; i++) {
        ex_plan_node_info info;
        OK(ex_plan_node(p, i, &info));
        assert_string_equal(info.kernel, kernel);
    }
    bind_random(p, "x", LIST(IMAGES, WIDE, MAP, MAP));
    run_ok(p, IMAGES, 0);
    for (int32_t i = 0; i < 2; i++) got[i] = read_output(p, i, LIST(IMAGES, WIDE, MAP, MAP));
    got[2] = read_output(p, 2, LIST(WIDE, WIDE, 3, 3));
    ex_plan_free(p);
    ex_graph_free(g);
}

static void gradients(void)
{
    float *fast[3], *exact[3];
    convolve(NULL, "winograd", fast);
    convolve("-winograd", "direct", exact);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t n = i < 2 ? IMAGES * WIDE * MAP * MAP : WIDE * WIDE * 9;
        assert_memory_not_equal(fast[i], exact[i], sizeof(float) * n);
        assert_close(fast[i], exact[i], n, 2 * EX_WINOGRAD_ERROR);    /* the bound, and as much for the direct kernels */
        free(fast[i]);
        free(exact[i]);
    }
}

/* images -> conv 3x3 -> bn -> relu -> conv 3x3 -> bn -> + images -> relu "fc": all of a residual network's forms. */
static ex_graph *residual_network(void)
{
    ex_graph *g = ex_graph_new();
    const ex_attr padding = { "padding", 2, { 1, 1 } };
    const int32_t images = add_input(g, "images", LIST(EX_BATCH, WIDE, MAP, MAP));
    int32_t x = images;
    for (int32_t i = 0; i < 2; i++) {
        const char *const names[][5] = { { "w1", "c1", "g1", "b1", "n1" }, { "w2", "c2", "g2", "b2", "n2" } }, *const *n = names[i];
        const char *const buffers[][2] = { { "m1", "v1" }, { "m2", "v2" } };
        x = add_node_with(g, n[1], "conv2d", LIST(x, add_param(g, n[0], LIST(WIDE, WIDE, 3, 3))), 1, &padding);
        x = add_node(g, n[4], "batch_norm", LIST(x, add_param(g, n[2], LIST(WIDE)), add_param(g, n[3], LIST(WIDE)),
                                                 add_buffer(g, buffers[i][0], LIST(WIDE), 0.1), add_buffer(g, buffers[i][1], LIST(WIDE), 0.8)));
        if (i == 0) x = add_node(g, "r1", "relu", LIST(x));
    }
    x = add_node(g, "fc", "relu", LIST(add_node(g, "sum", "add", LIST(x, images))));
    add_node(g, "loss", "mean", LIST(add_node(g, "square", "mul", LIST(x, x))));
    return g;
}

static int32_t by_winograd(const ex_plan *p, const char *op)
{
    int32_t found = 0;
    for (int32_t i = 0; i < p->steps; i++) {
        ex_plan_node_info info;
        OK(ex_plan_node(p, i, &info));
        found += !strcmp(info.op, op) && !strcmp(info.kernel, "winograd");
    }
    return found;
}

/* The images that the network makes of n images at inference. */
static float *infer(const char *passes, int32_t batch, const char *op, int32_t marked)
{
    ex_graph *g = residual_network();
    ex_plan *p = plan_for(g, 1, (int32_t[]){ ex_graph_find(g, "fc") }, 0, NULL, batch, 0, passes, NULL);
    assert_int_equal(by_winograd(p, op), marked);
    assert_int_equal(by_winograd(p, "conv2d_pack"), strcmp(op, "conv2d_packed") ? 0 : marked);
    bind_random(p, "images", LIST(batch, WIDE, MAP, MAP));
    run_ok(p, batch, 0);
    float *got = read_output(p, 0, LIST(batch, WIDE, MAP, MAP));
    ex_plan_free(p);
    ex_graph_free(g);
    return got;
}

enum { IMAGE = WIDE * MAP * MAP, LAYERS = 2 };

static void inference(void)
{
    float *packed = infer(NULL, IMAGES, "conv2d_packed", 2), *exact = infer("-winograd", IMAGES, "conv2d_packed", 0);
    assert_memory_not_equal(packed, exact, sizeof(float) * IMAGES * IMAGE);
    assert_close(packed, exact, IMAGES * IMAGE, LAYERS * 2 * EX_WINOGRAD_ERROR);
    static const char *const passes[] = { "-pack_conv", "-pack_conv,-fuse_conv", "-fuse_conv", NULL };
    static const char *const op[] = { "conv2d_fused", "conv2d", "conv2d_packed", "conv2d_packed" };
    for (int i = 0; i < 4; i++) {           /* every other form, and (last) one image alone: the same bits */
        const int32_t n = i < 3 ? IMAGES : 1;
        float *other = infer(passes[i], n, op[i], 2);
        assert_memory_equal(packed, other, sizeof(float) * (size_t)(n * IMAGE));
        free(other);
    }
    free(packed);
    free(exact);
}

enum { DEEP = 512, WIDER = 1152, SMALL = 4 };

/* The first of `batch` images through a layer of so many channels, by a plan for `batch` images. */
static float *infer_layer(int32_t channels, int32_t batch, const char *kernel)
{
    ex_graph *g = ex_graph_new();
    const ex_attr padding = { "padding", 2, { 1, 1 } };
    const int32_t x = add_input(g, "images", LIST(EX_BATCH, DEEP, SMALL, SMALL)), w = add_param(g, "w", LIST(channels, DEEP, 3, 3));
    const int32_t y = add_node_with(g, "y", "conv2d", LIST(x, w), 1, &padding);
    ex_plan *p = plan_for(g, 1, &y, 0, NULL, batch, 0, NULL, NULL);
    ex_plan_node_info info;
    OK(ex_plan_node(p, p->steps - 1, &info));
    assert_string_equal(info.kernel, kernel);
    bind_random(p, "images", LIST(batch, DEEP, SMALL, SMALL));
    run_ok(p, 1, 0);
    float *got = read_output(p, 0, LIST(1, channels, SMALL, SMALL));
    ex_plan_free(p);
    ex_graph_free(g);
    return got;
}

/* One image by more weights than caches hold: they are packed small, and the bits are those of a plan for many images. */
static void far_filters(void)
{
    float *one = infer_layer(WIDER, 1, "winograd lean"), *many = infer_layer(WIDER, 64, "winograd");
    assert_memory_equal(one, many, sizeof *one * WIDER * SMALL * SMALL);
    free(one);
    free(many);
    free(infer_layer(WIDE, 1, "winograd"));
}

/* The gradient towards the first weight, and the loss, of one training step. */
static float *train(const char *passes, int32_t marked)
{
    ex_graph *g = residual_network(), *t = ex_graph_training(g);
    int32_t dw;
    OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), 1, (int32_t[]){ ex_graph_find(t, "w1") }, &dw));
    ex_plan *p = plan_for(t, 1, &dw, 0, NULL, IMAGES, 1, passes, NULL);
    assert_int_equal(by_winograd(p, "conv2d_stats"), marked * 2);
    assert_int_equal(by_winograd(p, "conv2d_grad_input"), marked);
    assert_int_equal(by_winograd(p, "conv2d_grad_weight"), marked);
    bind_random(p, "images", LIST(IMAGES, WIDE, MAP, MAP));
    run_ok(p, IMAGES, 0);
    float *got = read_output(p, 0, LIST(WIDE, WIDE, 3, 3));
    ex_plan_free(p);
    ex_graph_free(t);
    ex_graph_free(g);
    return got;
}

/* Four convolutions lie behind the gradient, and the batch norms divide by deviations. */
static void training(void)
{
    float *fast = train(NULL, 1), *exact = train("-winograd", 0);
    assert_memory_not_equal(fast, exact, sizeof(float) * WIDE * WIDE * 9);
    assert_close(fast, exact, WIDE * WIDE * 9, 4 * 2 * EX_WINOGRAD_ERROR);
    free(fast);
    free(exact);
}

static void winograd_is_refused_where_it_does_not_fit(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    const int32_t x = add_input(g, "x", LIST(EX_BATCH, 8, 9, 9)), w = add_param(g, "w", LIST(8, 8, 3, 3)), in[] = { x, w };
    const ex_attr strided[] = { { "winograd", 1, { 1 } }, { "stride", 2, { 2, 2 } } }, three[] = { { "winograd", 1, { 3 } } };
    assert_int_equal(ex_graph_node(g, "a", "conv2d", 2, in, 2, strided), EX_NONE);
    assert_non_null(strstr(ex_error_message(),
                           "winograd: got 1, expected 0, or 1 or 2 for a 3x3 kernel with stride, dilation and groups of 1"));
    assert_int_equal(ex_graph_node(g, "b", "conv2d", 2, in, 1, three), EX_NONE);
    assert_non_null(strstr(ex_error_message(), "winograd: got 3"));
    assert_true(ex_graph_node(g, "c", "conv2d", 2, in, 1, strided) >= 0);
    ex_graph_free(g);
}

static void every_set(void (*check)(void))
{
    static const char *const sets[] = { "portable", "avx2", "avx512" };
    for (int i = 0; i < 3; i++)
        if (strstr(ex_isa_available(), sets[i])) {
            OK(ex_isa_select(sets[i]));
            check();
        }
}

static void gradients_change_by_rounding_alone(void **state) { (void)state; every_set(gradients); }
static void inference_changes_by_rounding_alone(void **state) { (void)state; every_set(inference); }
static void filters_from_memory_are_packed_small(void **state) { (void)state; every_set(far_filters); }
static void training_changes_by_rounding_alone(void **state) { (void)state; every_set(training); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_change_by_rounding_alone), cmocka_unit_test(inference_changes_by_rounding_alone),
        cmocka_unit_test(training_changes_by_rounding_alone), cmocka_unit_test(winograd_is_refused_where_it_does_not_fit),
        cmocka_unit_test(filters_from_memory_are_packed_small),
    };
    return cmocka_run_group_tests_name("winograd", tests, NULL, NULL);
}
