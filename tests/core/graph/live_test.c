/* live_test.c: what a plan says is in use at each step, against a count over its values, and what is there at the fullest one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

static void each_step_counts_what_lives(void **state)
{
    (void)state;
    ex_plan *p = plan_of_gradients("relu", "-chain", 8);
    for (int32_t s = 0; s < p->steps; s++) {
        size_t bytes = p->step[s].scratch_bytes;
        for (int32_t v = 0; v < p->graph->values; v++) {
            const ex_place *at = &p->place[v];
            if (at->group == v && !p->graph->value[v].tensor && at->first >= 0 && at->first <= s && s <= at->last) bytes += at->bytes;
        }
        assert_int_equal(p->live[s], bytes);
        assert_true(p->live[s] <= p->live[p->peak]);
    }
    assert_true(p->live[p->peak] <= p->arena_bytes);
    ex_plan_free(p);
}

/* All steps of a chain have the same, but for the scratch of one that runs alone, and the threads' blocks are always there. */
static void chains_count_as_one(void **state)
{
    (void)state;
    ex_plan *p = plan_of_gradients("relu", NULL, 20);
    assert_true(p->chains > 1);
    for (int32_t c = 0; c < p->chains; c++) {
        const int32_t from = p->chain[c].from, to = p->chain[c].to - 1;
        size_t alone[2] = { p->step[from].scratch_bytes, p->step[to].scratch_bytes };
        assert_int_equal(p->live[from] - alone[0], p->live[to] - alone[1]);
    }
    for (int32_t s = 0; s < p->steps; s++) assert_true(p->live[s] >= p->thread_bytes * (size_t)ex_team_size(p->team));
    assert_true(p->live[p->peak] <= p->arena_bytes);
    ex_plan_free(p);
}

static void it_is_described(void **state)
{
    (void)state;
    ex_plan *p = plan_of_gradients("relu", "-chain", 8);
    ex_plan_info info;
    ex_plan_node_info node;
    int32_t there = 0;
    OK(ex_plan_describe(p, &info));
    assert_int_equal(info.peak, p->peak);
    assert_true(info.peak_bytes == (double)p->live[p->peak]);
    for (int32_t s = 0; s < p->steps; s++) {
        OK(ex_plan_node(p, s, &node));
        assert_true(node.live == (double)p->live[s]);
        there += node.at_peak;
        if (s == p->peak && p->step[s].node->outputs) assert_int_equal(node.at_peak, 1);
        if (s > p->peak) assert_int_equal(node.at_peak, 0);
    }
    assert_true(there > 1);
    ex_plan_free(p);
}

/* y = relu(x), z = relu(y) in the same memory: at z's step y is there and z too, before it only y, after it only z. */
static void what_is_written_over_is_gone(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    const int32_t x = add_input(g, "x", LIST(EX_BATCH, 4)), y = add_node(g, "y", "relu", LIST(x)), z = add_node(g, "z", "silu", LIST(y));
    const int32_t out = add_node(g, "out", "tanh", LIST(z));
    ex_plan *p = plan_for(g, 1, &out, 0, NULL, 2, 0, "-chain", NULL);
    const int32_t a = ex_graph_find(p->graph, "y"), b = ex_graph_find(p->graph, "z");
    assert_int_equal(p->place[a].group, p->place[b].group);
    for (int32_t s = 0; s < 3; s++) {
        assert_int_equal(ex_plan_lives_at(p, a, s), 1);
        assert_int_equal(ex_plan_is_there(p, a, s), s < 2);
        assert_int_equal(ex_plan_is_there(p, b, s), s > 0);
    }
    ex_plan_free(p);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_counts_what_lives), cmocka_unit_test(chains_count_as_one), cmocka_unit_test(it_is_described),
        cmocka_unit_test(what_is_written_over_is_gone),
    };
    return cmocka_run_group_tests_name("live", tests, NULL, NULL);
}
