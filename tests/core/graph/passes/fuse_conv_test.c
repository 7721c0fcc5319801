/* fuse_conv_test.c: which chains go into a layer's epilogue, which do not, and that no bit of a result changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/graph/passes/passes.h"

enum { IMAGES = 3, CHANNELS = 6, NUMBERS = IMAGES * CHANNELS * 7 * 7 };

/* images (N,6,7,7) -> "one", "two": convolutions 3x3 to six channels, "one" with a bias. */
static ex_graph *two_convolutions(int32_t *x, int32_t *one, int32_t *two)
{
    ex_graph *g = ex_graph_new();
    ex_attr padding = { "padding", 1, { 1 } };
    *x = add_input(g, "images", LIST(EX_BATCH, CHANNELS, 7, 7));
    int32_t w = add_param(g, "one.weight", LIST(CHANNELS, CHANNELS, 3, 3)), b = add_param(g, "one.bias", LIST(CHANNELS));
    *one = add_node_with(g, "one", "conv2d", LIST(*x, w, b), 1, &padding);
    w = add_param(g, "two.weight", LIST(CHANNELS, CHANNELS, 3, 3));
    *two = add_node_with(g, "two", "conv2d", LIST(*x, w), 1, &padding);
    return g;
}

static ex_plan *plan_of(const ex_graph *g, int32_t output, int training, const char *passes)
{
    ex_plan *p = plan_for(g, 1, &output, 0, NULL, 4, training, passes, NULL);
    bind_random(p, "images", LIST(IMAGES, CHANNELS, 7, 7));
    return p;
}

/* The plan has `fused` fused nodes and leaves `left` of the operators that could have been; its result has the same bits
 * as that of the plan without the pass. Frees the graph. */
static void expect_fused(ex_graph *g, int32_t output, int fused, int left)
{
    ex_plan *with = plan_of(g, output, 0, "-pack_conv"), *without = plan_of(g, output, 0, "-fuse_conv,-pack_conv");
    assert_int_equal(nodes_of(with->graph, "conv2d_fused") + nodes_of(with->graph, "linear_fused"), fused);
    assert_int_equal(nodes_of(without->graph, "conv2d_fused") + nodes_of(without->graph, "linear_fused"), 0);
    assert_int_equal(nodes_of(with->graph, "relu") + nodes_of(with->graph, "relu6") + nodes_of(with->graph, "silu") +
                     nodes_of(with->graph, "hard_swish") + nodes_of(with->graph, "add"), left);
    run_ok(with, IMAGES, 0);
    run_ok(without, IMAGES, 0);
    const ex_operand *a = &with->operand[with->output[0]], *b = &without->operand[without->output[0]];
    size_t count = IMAGES;
    for (int32_t i = 1; i < a->ndim; i++) count *= (size_t)a->dim[i];
    assert_memory_equal(a->data, b->data, count * sizeof(float));
    ex_plan_free(with);
    ex_plan_free(without);
    ex_graph_free(g);
}

static void activations_are_fused(void **state)
{
    (void)state;
    static const char *const name[] = { "relu", "relu6", "silu", "hard_swish" };
    for (int i = 0; i < 4; i++) {
        int32_t x, one, two;
        ex_graph *g = two_convolutions(&x, &one, &two);
        expect_fused(g, add_node(g, "y", name[i], LIST(i % 2 ? two : one)), 1, 0);
    }
}

static void residuals_are_fused_in_either_order(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        int32_t x, one, two, conv, y;
        ex_graph *g = two_convolutions(&x, &one, &two);
        conv = i & 1 ? one : two;
        y = add_node(g, "sum", "add", 2, i & 2 ? (int32_t[]){ conv, x } : (int32_t[]){ x, conv });
        if (i & 4) y = add_node(g, "y", "relu", LIST(y));
        expect_fused(g, y, 1, 0);
    }
}

static void of_two_convolutions_the_later_takes_the_sum(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        int32_t x, one, two;
        ex_graph *g = two_convolutions(&x, &one, &two);
        int32_t y = add_node(g, "y", "relu", LIST(add_node(g, "sum", "add", 2, i ? (int32_t[]){ two, one } : (int32_t[]){ one, two })));
        ex_plan *p = plan_of(g, y, 0, "-pack_conv");
        assert_int_equal(nodes_of(p->graph, "conv2d"), 1);
        assert_string_equal(p->step[p->steps - 1].node->name, "two");
        ex_plan_free(p);
        expect_fused(g, y, 1, 0);
    }
}

/* relu6(exp(conv(x)) + last(x)) with convolutions of a 1x1 kernel, or depthwise at stride 2: these take no sum. */
static void pointwise_ones_are_fused_and_depthwise_ones_but_for_sums(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        ex_graph *g = ex_graph_new();
        ex_attr depthwise[] = { { "groups", 1, { CHANNELS } }, { "stride", 1, { 2 } }, { "padding", 1, { 1 } } };
        int32_t x = add_input(g, "images", LIST(EX_BATCH, CHANNELS, 7, 7));
        int32_t w = i ? add_param(g, "w", LIST(CHANNELS, 1, 3, 3)) : add_param(g, "w", LIST(9, CHANNELS, 1, 1));
        int32_t other = add_node(g, "other", "exp", LIST(add_node_with(g, "conv", "conv2d", LIST(x, w), i ? 3 : 0, depthwise)));
        w = i ? add_param(g, "v", LIST(CHANNELS, 1, 3, 3)) : add_param(g, "v", LIST(9, CHANNELS, 1, 1));
        int32_t last = add_node_with(g, "last", "conv2d", LIST(x, w), i ? 3 : 0, depthwise);
        int32_t y = add_node(g, "y", "relu6", LIST(add_node(g, "sum", "add", LIST(other, last))));
        if (i) {                            /* and an activation by itself */
            w = add_param(g, "u", LIST(CHANNELS, 1, 3, 3));
            y = add_node(g, "z", "sub", LIST(y, add_node(g, "r", "relu", LIST(add_node_with(g, "alone", "conv2d", LIST(x, w), 3, depthwise)))));
        }
        expect_fused(g, y, 1, i ? 2 : 0);
    }
}

static void what_others_read_is_left_alone(void **state)
{
    (void)state;
    int32_t x, one, two;
    ex_graph *g = two_convolutions(&x, &one, &two);     /* the convolution has two readers */
    int32_t y = add_node(g, "y", "relu", LIST(one));
    expect_fused(g, add_node(g, "z", "mul", LIST(y, one)), 0, 1);
    g = two_convolutions(&x, &one, &two);               /* the sum has: the convolution takes it, and the relu stays */
    int32_t sum = add_node(g, "sum", "add", LIST(one, x));
    y = add_node(g, "y", "relu", LIST(sum));
    expect_fused(g, add_node(g, "z", "mul", LIST(y, sum)), 1, 1);
    g = two_convolutions(&x, &one, &two);               /* a root is read by the plan's caller */
    int32_t both[] = { one, add_node(g, "y", "relu", LIST(one)) };
    ex_plan *p = plan_for(g, 2, both, 0, NULL, 4, 0, "-pack_conv", NULL);
    assert_int_equal(nodes_of(p->graph, "conv2d_fused"), 0);
    ex_plan_free(p);
    ex_graph_free(g);
    g = two_convolutions(&x, &one, &two);               /* twice itself */
    expect_fused(g, add_node(g, "y", "add", LIST(one, one)), 0, 1);
    g = two_convolutions(&x, &one, &two);               /* a sum that broadcasts */
    expect_fused(g, add_node(g, "y", "add", LIST(one, add_param(g, "p", LIST(1, CHANNELS, 1, 1)))), 0, 1);
}

static void linear_layers_take_activations(void **state)
{
    (void)state;
    int32_t x, one, two;
    ex_graph *g = two_convolutions(&x, &one, &two);
    int32_t flat = add_node(g, "flat", "flatten", LIST(x));
    int32_t fc = add_node(g, "fc", "linear", LIST(flat, add_param(g, "w", LIST(9, CHANNELS * 49)), add_param(g, "b", LIST(9))));
    int32_t hidden = add_node(g, "hidden", "relu", LIST(fc));
    fc = add_node(g, "fc2", "linear", LIST(hidden, add_param(g, "w2", LIST(9, 9))));
    expect_fused(g, add_node(g, "y", "add", LIST(fc, hidden)), 1, 1);       /* no residuals there */
}

static void a_residual_block_is_one_node_a_convolution(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    ex_plan *p = plan_for(g, 1, (int32_t[]){ ex_graph_find(g, "fc") }, 0, NULL, 4, 0, "-pack_conv", NULL);
    assert_int_equal(nodes_of(p->graph, "conv2d_fused"), 2);
    assert_int_equal(nodes_of(p->graph, "relu") + nodes_of(p->graph, "batch_norm") + nodes_of(p->graph, "conv2d"), 0);
    ex_plan_free(p);
    ex_graph_free(g);
}

/* Training: y = relu(conv(x) + x), loss = mean(y * y): the gradients keep their bits as well. */
static void training_keeps_its_gradients(void **state)
{
    (void)state;
    int32_t x, one, two;
    ex_graph *g = two_convolutions(&x, &one, &two);
    int32_t y = add_node(g, "y", "relu", LIST(add_node(g, "sum", "add", LIST(x, add_node(g, "r", "relu", LIST(one))))));
    ex_attr padding = { "padding", 1, { 1 } };
    int32_t z = add_node_with(g, "three", "conv2d", LIST(y, ex_graph_find(g, "two.weight")), 1, &padding);
    int32_t out = add_node(g, "out", "relu6", LIST(add_node(g, "s2", "add", LIST(z, x))));
    int32_t loss = add_node(g, "loss", "mean", LIST(add_node(g, "squares", "mul", LIST(out, out))));
    int32_t of[] = { ex_graph_find(g, "one.weight"), ex_graph_find(g, "one.bias") }, d[2];
    OK(ex_graph_gradient(g, loss, 2, of, d));
    float *got[2][2];
    for (int i = 0; i < 2; i++) {
        ex_plan *p = plan_for(g, 2, d, 0, NULL, 4, 1, i ? "-fuse_conv" : NULL, NULL);
        bind_random(p, "images", LIST(IMAGES, CHANNELS, 7, 7));
        assert_int_equal(nodes_of(p->graph, "conv2d_fused"), i ? 0 : 2);
        run_ok(p, IMAGES, 0);
        got[i][0] = read_output(p, 0, LIST(CHANNELS, CHANNELS, 3, 3));
        got[i][1] = read_output(p, 1, LIST(CHANNELS));
        ex_plan_free(p);
    }
    assert_memory_equal(got[0][0], got[1][0], CHANNELS * CHANNELS * 9 * sizeof(float));
    assert_memory_equal(got[0][1], got[1][1], CHANNELS * sizeof(float));
    for (int i = 0; i < 4; i++) free(got[i / 2][i % 2]);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_are_fused), cmocka_unit_test(residuals_are_fused_in_either_order),
        cmocka_unit_test(of_two_convolutions_the_later_takes_the_sum),
        cmocka_unit_test(pointwise_ones_are_fused_and_depthwise_ones_but_for_sums), cmocka_unit_test(what_others_read_is_left_alone),
        cmocka_unit_test(linear_layers_take_activations), cmocka_unit_test(a_residual_block_is_one_node_a_convolution),
        cmocka_unit_test(training_keeps_its_gradients),
    };
    return cmocka_run_group_tests_name("fuse_conv", tests, NULL, NULL);
}
