/* fold_affine_test.c: which batch norms become affine_act at inference, with which activation; what comes out stays the same, and
 * changes of parameters are seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/graph/passes/passes.h"

enum { CHANNELS = 9, NUMBERS = 3 * CHANNELS * 5 * 4 };

static int32_t batch_norm(ex_graph *g, const char *name, int32_t x)
{
    static const char *const part[] = { "gamma", "beta", "mean", "var" };
    int32_t in[5] = { x };
    for (int i = 0; i < 4; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s.%s", name, part[i]);
        in[i + 1] = i < 2 ? add_param(g, text, LIST(CHANNELS)) : add_buffer(g, text, LIST(CHANNELS), i == 2 ? 0.25 : 2);
    }
    return add_node(g, name, "batch_norm", 5, in);
}

/* images -> norm -> activation -> norm "last" (without one) */
static ex_graph *two_norms(const char *activation)
{
    ex_graph *g = ex_graph_new();
    int32_t x = batch_norm(g, "norm", add_input(g, "images", LIST(EX_BATCH, CHANNELS, 5, 4)));
    if (activation) x = add_node(g, "act", activation, LIST(x));
    batch_norm(g, "last", x);
    return g;
}

static ex_plan *start(const ex_graph *g, const char *passes)
{
    ex_plan *p = plan_for(g, 1, (int32_t[]){ ex_graph_find(g, "last") }, 0, NULL, 3, 0, passes, NULL);
    bind_random(p, "images", LIST(3, CHANNELS, 5, 4));
    return p;
}

static void compare(ex_plan *with, ex_plan *without)
{
    run_ok(with, 3, 0);
    run_ok(without, 3, 0);
    float *a = read_output(with, 0, LIST(3, CHANNELS, 5, 4)), *b = read_output(without, 0, LIST(3, CHANNELS, 5, 4));
    assert_close(a, b, NUMBERS, 1e-6);
    free(a);
    free(b);
}

static void batch_norms_and_what_follows(void **state)
{
    (void)state;
    static const char *const activation[] = { NULL, "relu", "relu6", "silu", "hard_swish", "sigmoid" };
    for (int i = 0; i < 6; i++) {
        ex_graph *g = two_norms(activation[i]);
        ex_plan *with = start(g, NULL), *without = start(g, "-fold_affine");
        assert_int_equal(nodes_of(with->graph, "affine_act"), 2);
        assert_int_equal(nodes_of(with->graph, "batch_norm"), 0);
        if (activation[i]) assert_int_equal(nodes_of(with->graph, activation[i]), i == 5);
        assert_int_equal(nodes_of(without->graph, "batch_norm"), 2);
        assert_int_equal(with->constants, 2);
        compare(with, without);
        OK(ex_tensor_fill(g->value[ex_graph_find(g, "norm.gamma")].tensor, 2));
        OK(ex_tensor_fill(g->value[ex_graph_find(g, "last.beta")].tensor, -3));
        compare(with, without);
        ex_plan_free(with);
        ex_plan_free(without);
        ex_graph_free(g);
    }
}

static void a_norm_that_another_reads_keeps_its_value(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t norm = batch_norm(g, "norm", add_input(g, "images", LIST(EX_BATCH, CHANNELS, 5, 4)));
    add_node(g, "last", "add", LIST(norm, add_node(g, "act", "relu", LIST(norm))));
    ex_plan *with = start(g, NULL), *without = start(g, "-fold_affine");
    assert_int_equal(nodes_of(with->graph, "affine_act"), 1);
    assert_int_equal(nodes_of(with->graph, "relu"), 1);
    compare(with, without);
    ex_plan_free(with);
    ex_plan_free(without);
    ex_graph_free(g);
}

static void numbers_that_are_no_parameters_are_left(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, CHANNELS, 5, 4)), gamma = add_param(g, "gamma", LIST(CHANNELS));
    add_node(g, "last", "batch_norm", LIST(x, add_node(g, "twice", "add", LIST(gamma, gamma)), add_param(g, "beta", LIST(CHANNELS)),
                                           add_buffer(g, "mean", LIST(CHANNELS), 0), add_buffer(g, "var", LIST(CHANNELS), 1)));
    ex_plan *p = start(g, NULL);
    assert_int_equal(nodes_of(p->graph, "batch_norm"), 1);
    ex_plan_free(p);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norms_and_what_follows), cmocka_unit_test(a_norm_that_another_reads_keeps_its_value),
        cmocka_unit_test(numbers_that_are_no_parameters_are_left),
    };
    return cmocka_run_group_tests_name("fold_affine", tests, NULL, NULL);
}
