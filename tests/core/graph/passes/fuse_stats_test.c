/* fuse_stats_test.c: statistics of a convolution's result are gathered by it; others stay; results agree to rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/graph/passes/passes.h"

/* The gradient of the small network's loss towards one weight, and the running statistics after one step. */
static void a_step_agrees_to_rounding(void **state)
{
    (void)state;
    float *gradient[2], mean[2][5], var[2][5];
    for (int i = 0; i < 2; i++) {
        ex_graph *g = small_network(), *t = ex_graph_training(g);
        int32_t of = ex_graph_find(t, "one.conv.weight"), dw;
        OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), 1, &of, &dw));
        ex_plan *p = plan_for(t, 1, &dw, 0, NULL, 4, 1, i ? "-fuse_stats" : NULL, NULL);
        assert_int_equal(nodes_of(p->graph, "conv2d_stats"), i ? 0 : 2);
        assert_int_equal(nodes_of(p->graph, "batch_stats"), i ? 2 : 0);
        assert_int_equal(nodes_of(p->graph, "conv2d"), i ? 2 : 0);
        bind_random(p, "images", LIST(4, 2, 6, 6));
        bind_labels(p, "labels", 4, 3);
        run_ok(p, 4, 0);
        gradient[i] = read_output(p, 0, LIST(5, 2, 3, 3));
        memcpy(mean[i], g->value[ex_graph_find(g, "one.bn.running_mean")].tensor->data, sizeof mean[i]);
        memcpy(var[i], g->value[ex_graph_find(g, "one.bn.running_var")].tensor->data, sizeof var[i]);
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

static void statistics_of_other_values_stay(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 2, 6, 6)), w = add_param(g, "w", LIST(3, 2, 3, 3));
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
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_step_agrees_to_rounding), cmocka_unit_test(statistics_of_other_values_stay) };
    return cmocka_run_group_tests_name("fuse_stats", tests, NULL, NULL);
}
