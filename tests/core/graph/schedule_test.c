/* schedule_test.c: the order of a plan's steps: constants first, state writes last, readers after makers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

static void constants_come_first_and_only_at_inference(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t fc = ex_graph_find(g, "fc");
    ex_plan *p = plan_for(g, 1, &fc, 0, NULL, 4, 0, NULL, NULL);
    assert_int_equal(p->constants, 4);              /* two foldings of a batch norm, two packings of a weight */
    for (int32_t s = 0; s < p->steps; s++) assert_int_equal(p->step[s].constant, s < 4);
    ex_plan_free(p);
    p = plan_for(g, 1, &fc, 0, NULL, 4, 1, NULL, NULL);
    assert_int_equal(p->constants, 0);
    ex_plan_free(p);
    ex_graph_free(g);
}

static void writes_come_last(void **state)
{
    (void)state;
    ex_graph *g = small_network(), *t = ex_graph_training(g);
    int32_t loss = ex_graph_find(t, "loss");
    ex_plan *p = plan_for(t, 1, &loss, 1, &loss, 4, 1, NULL, NULL);
    assert_int_equal(p->steps - p->commit_from, 4);
    for (int32_t s = 0; s < p->steps; s++) {
        assert_int_equal(p->step[s].commit, s >= p->commit_from);
        assert_int_equal(p->step[s].node->op->writes != 0, s >= p->commit_from);
    }
    ex_plan_free(p);
    ex_graph_free(t);
    ex_graph_free(g);
}

static void only_leaves_can_be_written(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t w = add_param(g, "w", LIST(3)), y = add_node(g, "y", "exp", LIST(w)), v = add_param(g, "v", LIST(3));
    add_node(g, "update", "running_update", LIST(y, v));
    ex_plan_options options = { .batch = 1, .training = 1 };
    assert_null(ex_plan_new(g, 1, &y, 0, NULL, &options, NULL));
    assert_non_null(strstr(ex_error_message(), "update: running_update: 'y' is written, so it must be a parameter or a buffer"));
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants_come_first_and_only_at_inference), cmocka_unit_test(writes_come_last),
        cmocka_unit_test(only_leaves_can_be_written),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
