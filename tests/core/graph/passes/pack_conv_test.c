/* pack_conv_test.c: weights that are constants are packed once, others are not; bits stay, changes of parameters are seen, and
 * what only constants read takes no memory of its own during a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/graph/passes/passes.h"

static ex_plan *start(const ex_graph *g, const char *passes)
{
    ex_plan *p = plan_for(g, 1, (int32_t[]){ ex_graph_find(g, "fc") }, 0, NULL, 4, 0, passes, NULL);
    bind_random(p, "images", LIST(4, 2, 6, 6));
    return p;
}

static void compare(ex_plan *a, ex_plan *b)
{
    run_ok(a, 4, 0);
    run_ok(b, 4, 0);
    float *x = read_output(a, 0, LIST(4, 3)), *y = read_output(b, 0, LIST(4, 3));
    assert_memory_equal(x, y, 12 * sizeof *x);
    free(x);
    free(y);
}

static void weights_are_packed_once_and_follow_their_parameters(void **state)
{
    (void)state;
    static const char *const fold[] = { NULL, "-fold_bn", "-fuse_conv" },
        *const plain[] = { "-pack_conv", "-fold_bn,-pack_conv", "-fuse_conv,-pack_conv" };
    for (int i = 0; i < 3; i++) {
        ex_graph *g = small_network();
        ex_plan *with = start(g, fold[i]), *without = start(g, plain[i]);
        assert_int_equal(nodes_of(with->graph, "conv2d_packed"), 2);
        assert_int_equal(nodes_of(with->graph, "conv2d_fused") + nodes_of(with->graph, "conv2d"), 0);
        assert_int_equal(with->constants, 4);       /* two packed, and two folded or two scales */
        compare(with, without);
        compare(with, without);             /* the constants do not run again */
        OK(ex_tensor_fill(g->value[ex_graph_find(g, "two.bn.weight")].tensor, 2));
        OK(ex_tensor_fill(g->value[ex_graph_find(g, "one.conv.weight")].tensor, 0.25));
        compare(with, without);
        ex_plan_free(with);
        ex_plan_free(without);
        ex_graph_free(g);
    }
}

static void weights_that_change_are_not_packed(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 2, 6, 6)), w = add_input(g, "w", LIST(3, 2, 3, 3));
    int32_t y = add_node(g, "fc", "conv2d", LIST(x, add_node(g, "twice", "add", LIST(w, w))));
    ex_plan *p = plan_for(g, 1, &y, 0, NULL, 4, 0, NULL, NULL);
    assert_int_equal(nodes_of(p->graph, "conv2d"), 1);
    ex_plan_free(p);
    ex_graph_free(g);
    g = small_network();                    /* nor are any in training */
    ex_graph *t = ex_graph_training(g);
    p = plan_for(t, 1, (int32_t[]){ ex_graph_find(t, "fc") }, 0, NULL, 4, 1, NULL, NULL);
    assert_int_equal(nodes_of(p->graph, "conv2d_pack"), 0);
    ex_plan_free(p);
    ex_graph_free(t);
    ex_graph_free(g);
}

/* A folded weight lives in the constants' steps alone; the packed one to the end. */
static void folded_weights_do_not_stay(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    ex_plan *p = start(g, NULL);
    int seen = 0;
    for (int32_t s = 0; s < p->constants; s++) {
        const ex_node *n = p->step[s].node;
        const int32_t last = p->place[p->place[n->out[0]].group].last;
        if (!strcmp(n->op->name, "fold_batch_norm")) { assert_in_range(last, s + 1, p->constants - 1); seen++; }
        else assert_int_equal(last, p->steps);
    }
    assert_int_equal(seen, 2);
    ex_plan_free(p);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_packed_once_and_follow_their_parameters), cmocka_unit_test(weights_that_change_are_not_packed),
        cmocka_unit_test(folded_weights_do_not_stay),
    };
    return cmocka_run_group_tests_name("pack_conv", tests, NULL, NULL);
}
