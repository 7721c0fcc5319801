/* fuse_stats_test.c: statistics of a convolution's result are gathered by it; others stay; results agree to rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/graph/passes/passes.h"

enum { SIZE = 16 };

/* images (N,2,16,16) -> conv 3x3 to 5 channels -> bn -> relu -> pool -> fc -> loss */
static ex_graph *network(void)
{
    ex_graph *g = ex_graph_new();
    ex_attr padding = { "padding", 1, { 1 } };
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 2, SIZE, SIZE)), w = add_param(g, "conv.weight", LIST(5, 2, 3, 3));
    x = add_node_with(g, "conv", "conv2d", LIST(x, w), 1, &padding);
    x = add_node(g, "bn", "batch_norm", LIST(x, add_param(g, "bn.weight", LIST(5)), add_param(g, "bn.bias", LIST(5)),
                                             add_buffer(g, "bn.mean", LIST(5), 0.1), add_buffer(g, "bn.var", LIST(5), 0.8)));
    x = add_node(g, "pool", "global_avg_pool", LIST(add_node(g, "relu", "relu", LIST(x))));
    x = add_node(g, "fc", "linear", LIST(x, add_param(g, "fc.weight", LIST(3, 5))));
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

/* The gradient of the loss towards the weight, and the running statistics after one step. */
static void a_step_agrees_to_rounding(void **state)
{
    (void)state;
    float *gradient[2], mean[2][5], var[2][5];
    for (int i = 0; i < 2; i++) {
        ex_graph *g = network(), *t = ex_graph_training(g);
        int32_t of = ex_graph_find(t, "conv.weight"), dw;
        OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), 1, &of, &dw));
        ex_plan *p = plan_for(t, 1, &dw, 0, NULL, 4, 1, i ? "-fuse_stats" : NULL, NULL);
        assert_int_equal(nodes_of(p->graph, "conv2d_stats"), !i);
        assert_int_equal(nodes_of(p->graph, "batch_stats"), i);
        assert_int_equal(nodes_of(p->graph, "conv2d"), i);
        bind_random(p, "images", LIST(4, 2, SIZE, SIZE));
        bind_labels(p, "labels", 4, 3);
        run_ok(p, 4, 0);
        gradient[i] = read_output(p, 0, LIST(5, 2, 3, 3));
        memcpy(mean[i], g->value[ex_graph_find(g, "bn.mean")].tensor->data, sizeof mean[i]);
        memcpy(var[i], g->value[ex_graph_find(g, "bn.var")].tensor->data, sizeof var[i]);
        ex_plan_free(p);
        ex_graph_free(t);
        ex_graph_free(g);
    }
    assert_close(gradient[0], gradient[1], 90, 2e-5);
    assert_close(mean[0], mean[1], 5, 1e-6);
    assert_close(var[0], var[1], 5, 1e-6);
    free(gradient[0]);
    free(gradient[1]);
}

static void small_planes_stay(void **state)
{
    (void)state;
    ex_graph *g = small_network(), *t = ex_graph_training(g);
    ex_plan *p = plan_for(t, 1, (int32_t[]){ ex_graph_find(t, "loss") }, 0, NULL, 4, 1, NULL, NULL);
    assert_int_equal(nodes_of(p->graph, "batch_stats"), 2);
    assert_int_equal(nodes_of(p->graph, "conv2d_stats"), 0);
    ex_plan_free(p);
    ex_graph_free(t);
    ex_graph_free(g);
}

static void statistics_of_other_values_stay(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 2, 18, 18)), w = add_param(g, "w", LIST(3, 2, 3, 3));
    int32_t of_input = add_node(g, "a", "batch_stats", LIST(x)), y = add_node(g, "y", "conv2d", LIST(x, w));
    int32_t of_relu = add_node(g, "b", "batch_stats", LIST(add_node(g, "r", "relu", LIST(y))));
    int32_t of_conv = add_node(g, "c", "batch_stats", LIST(y));
    int32_t roots[] = { of_input, of_relu, of_conv + 2, y };
    ex_plan *p = plan_for(g, 4, roots, 0, NULL, 4, 1, NULL, NULL);
    assert_int_equal(nodes_of(p->graph, "batch_stats"), 2);
    assert_int_equal(nodes_of(p->graph, "conv2d_stats"), 1);
    const ex_value *v = &p->graph->value[p->output[2]];     /* the unbiased variance of c is the fourth output now */
    assert_string_equal(p->graph->node[v->node].op->name, "conv2d_stats");
    assert_string_equal(p->graph->node[v->node].name, "y");
    assert_int_equal(v->output, 3);
    assert_int_equal(p->graph->value[p->output[3]].output, 0);
    ex_plan_free(p);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_step_agrees_to_rounding), cmocka_unit_test(small_planes_stay),
                                        cmocka_unit_test(statistics_of_other_values_stay) };
    return cmocka_run_group_tests_name("fuse_stats", tests, NULL, NULL);
}
