/* concat_stats_test.c: in a dense block the statistics of each channel are taken once; a concat along another axis, and what is no
 * concat, keep theirs; gradients and running statistics agree to rounding with those of whole values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/graph/passes/passes.h"

enum { SIZE = 6, BATCH = 18, LAYERS = 3, STEM = 4, GROWTH = 3, LAST = STEM + LAYERS * GROWTH };

static int32_t conv(ex_graph *g, const char *name, int32_t x, int32_t to)
{
    char weight[64];
    const ex_attr padding = { "padding", 1, { 1 } };
    snprintf(weight, sizeof weight, "%s.weight", name);
    return add_node_with(g, name, "conv2d", LIST(x, add_param(g, weight, LIST(to, g->value[x].shape.dim[1], 3, 3))), 1, &padding);
}

/* images -> stem -> layers of norm, relu, convolution, concat along `axis` -> norm -> pool -> loss */
static ex_graph *network(int axis)
{
    ex_graph *g = ex_graph_new();
    const ex_attr along = { "axis", 1, { axis } };
    int32_t x = conv(g, "stem", add_input(g, "images", LIST(EX_BATCH, 2, SIZE, SIZE)), STEM);
    for (int k = 0; k < LAYERS; k++) {
        char name[4][16];
        for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%d.%d", k, i);
        int32_t y = add_node(g, name[1], "relu", LIST(add_norm(g, name[0], x)));
        y = conv(g, name[2], y, axis == 2 ? STEM : GROWTH);
        x = add_node_with(g, name[3], "concat", LIST(x, y), 1, &along);
    }
    x = add_node(g, "pool", "global_avg_pool", LIST(add_node(g, "relu", "relu", LIST(add_norm(g, "last", x)))));
    x = add_node(g, "fc", "linear", LIST(x, add_param(g, "fc.weight", LIST(3, g->value[x].shape.dim[1]))));
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

/* A step: the gradient towards the first weight, and the graph's own running statistics. */
static ex_plan *step(ex_graph *g, const char *passes, float *gradient)
{
    ex_graph *t = ex_graph_training(g);
    int32_t of = ex_graph_find(t, "stem.weight"), dw;
    OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), 1, &of, &dw));
    ex_plan *p = plan_for(t, 1, &dw, 0, NULL, BATCH, 1, passes, NULL);
    bind_random(p, "images", LIST(BATCH, 2, SIZE, SIZE));
    bind_labels(p, "labels", BATCH, 3);
    run_ok(p, BATCH, 0);
    float *numbers = read_output(p, 0, LIST(STEM, 2, 3, 3));
    memcpy(gradient, numbers, sizeof *numbers * STEM * 2 * 9);
    free(numbers);
    ex_graph_free(t);
    return p;
}

static void each_channel_is_summed_once(void **state)
{
    (void)state;
    float gradient[STEM * 2 * 9];
    for (int with = 0; with < 2; with++) {
        ex_graph *g = network(1);
        ex_plan *p = step(g, with ? NULL : "-concat_stats", gradient);
        int32_t channels = 0, expected = LAST;
        for (int32_t n = 0; n < p->graph->nodes; n++) {
            const ex_node *node = &p->graph->node[n];
            if (!strcmp(node->op->name, "batch_stats")) channels += p->graph->value[node->in[0]].shape.dim[1];
        }
        for (int k = 0; !with && k < LAYERS; k++) expected += STEM + k * GROWTH;
        assert_int_equal(channels, expected);
        assert_int_equal(nodes_of(p->graph, "batch_stats"), LAYERS + 1);
        ex_plan_free(p);
        ex_graph_free(g);
    }
}

static void a_step_agrees_to_rounding(void **state)
{
    (void)state;
    static const char *const passes[] = { NULL, "-chain" };
    for (int k = 0; k < 2; k++) {
        float gradient[2][STEM * 2 * 9];
        char without[64];
        snprintf(without, sizeof without, "-concat_stats%s%s", k ? "," : "", k ? passes[k] : "");
        ex_graph *a = network(1), *b = network(1);
        ex_plan_free(step(a, passes[k], gradient[0]));
        ex_plan_free(step(b, without, gradient[1]));
        assert_close(gradient[0], gradient[1], STEM * 2 * 9, 1e-4);
        for (int32_t v = 0; v < a->values; v++)
            if (a->value[v].kind == EX_VALUE_BUFFER)
                assert_close((const float *)(const void *)a->value[v].tensor->data, (const float *)(const void *)b->value[v].tensor->data,
                             a->value[v].shape.dim[0], 1e-6);
        ex_graph_free(a);
        ex_graph_free(b);
    }
}

static void other_axes_stay(void **state)
{
    (void)state;
    float gradient[2][STEM * 2 * 9];
    ex_graph *a = network(2), *b = network(2);
    ex_plan *p = step(a, NULL, gradient[0]), *q = step(b, "-concat_stats", gradient[1]);
    assert_int_equal(p->graph->nodes, q->graph->nodes);
    assert_memory_equal(gradient[0], gradient[1], sizeof gradient[0]);
    ex_plan_free(p);
    ex_plan_free(q);
    ex_graph_free(a);
    ex_graph_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_channel_is_summed_once), cmocka_unit_test(a_step_agrees_to_rounding), cmocka_unit_test(other_axes_stay),
    };
    return cmocka_run_group_tests_name("concat_stats", tests, NULL, NULL);
}
