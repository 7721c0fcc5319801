/* extract_test.c: pruning is extraction: what the outputs need is there, sharing its tensors, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

/* Two exits: "exit1" after block one, "fc" after block two. */
static ex_graph *two_exits(void)
{
    ex_graph *g = small_network();
    int32_t pool = add_node(g, "exit1.pool", "global_avg_pool", LIST(ex_graph_find(g, "one.relu")));
    int32_t w = add_param(g, "exit1.fc.weight", LIST(3, 5));
    add_node(g, "exit1.fc", "linear", LIST(pool, w));
    return g;
}

static void the_trunk_past_the_deepest_exit_is_gone(void **state)
{
    (void)state;
    ex_graph *g = two_exits(), *cut = ex_graph_extract(g, LIST(ex_graph_find(g, "exit1.fc")));
    assert_non_null(cut);
    assert_int_equal(nodes_of(cut, "conv2d"), 1);
    assert_int_equal(nodes_of(cut, "linear"), 1);
    assert_int_equal(ex_graph_find(cut, "two.conv.weight"), EX_NONE);
    assert_int_equal(ex_graph_find(cut, "labels"), EX_NONE);
    assert_int_not_equal(ex_graph_find(cut, "exit1.fc"), EX_NONE);
    ex_cost whole, part;
    OK(ex_graph_cost(g, &whole));
    OK(ex_graph_cost(cut, &part));
    assert_true(part.parameters == 5 * 2 * 9 + 5 + 5 + 15);
    assert_true(part.macs == 36 * 5 * 2 * 9 + 15);
    assert_true(whole.parameters == part.parameters + 7 * 5 * 9 + 7 + 7 + 21 + 3);
    ex_graph_free(cut);
    ex_graph_free(g);
}

static void leaves_share_their_tensors(void **state)
{
    (void)state;
    ex_graph *g = two_exits(), *cut = ex_graph_extract(g, LIST(ex_graph_find(g, "exit1.fc")));
    ex_tensor *a = ex_graph_tensor(g, ex_graph_find(g, "one.conv.weight"));
    ex_graph_free(g);                       /* the part lives on */
    ex_tensor *b = ex_graph_tensor(cut, ex_graph_find(cut, "one.conv.weight"));
    assert_ptr_equal(a->data, b->data);
    ex_tensor_free(a);
    ex_tensor_free(b);
    ex_graph_free(cut);
}

static void frozen_stays_frozen(void **state)
{
    (void)state;
    ex_graph *g = two_exits();
    OK(ex_graph_set_trainable(g, ex_graph_find(g, "one.conv.weight"), 0));
    ex_graph *cut = ex_graph_extract(g, LIST(ex_graph_find(g, "fc")));
    assert_int_equal(cut->value[ex_graph_find(cut, "one.conv.weight")].trainable, 0);
    assert_int_equal(cut->value[ex_graph_find(cut, "two.conv.weight")].trainable, 1);
    assert_int_equal(ex_graph_set_trainable(g, ex_graph_find(g, "images"), 0), EX_FAILED);
    ex_graph_free(cut);
    ex_graph_free(g);
}

static void an_unknown_output_is_refused(void **state)
{
    (void)state;
    ex_graph *g = two_exits();
    assert_null(ex_graph_extract(g, LIST(12345)));
    assert_non_null(strstr(ex_error_message(), "no value of this graph"));
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_trunk_past_the_deepest_exit_is_gone), cmocka_unit_test(leaves_share_their_tensors),
        cmocka_unit_test(frozen_stays_frozen), cmocka_unit_test(an_unknown_output_is_refused),
    };
    return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
