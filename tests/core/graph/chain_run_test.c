/* chain_run_test.c: what a run of a chain owes its plan: a NaN is named, in the node that made it, and leaves no trace; each
 * step's time is counted; a warm run allocates nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../core/base/memory.h"
#include "../../support/graph_build.h"

enum { BATCH = 24 };

/* The small network's training form, its gradient towards the first weight as output, the loss as guard. */
static ex_plan *training(ex_team *team)
{
    ex_graph *g = small_network(), *t = ex_graph_training(g);
    int32_t of = ex_graph_find(t, "one.conv.weight"), loss = ex_graph_find(t, "loss"), dw;
    OK(ex_graph_gradient(t, loss, 1, &of, &dw));
    ex_plan *p = plan_for(t, 1, &dw, 1, &loss, BATCH, 1, NULL, team);
    bind_random(p, "images", LIST(BATCH, 2, 6, 6));
    bind_labels(p, "labels", BATCH, 3);
    ex_graph_free(t);
    ex_graph_free(g);
    return p;
}

static void set_number(ex_plan *p, const char *value, int32_t i, float number)
{
    const ex_value *v = &p->graph->value[ex_graph_find(p->graph, value)];
    ((float *)v->tensor->data)[i] = number;
}

static void a_value_that_is_not_finite_is_named(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(2);
    ex_plan *p = training(team);
    run_ok(p, BATCH, 0);
    set_number(p, "two.bn.weight", 3, 3e38f);           /* finite itself: what the second block makes of it is not */
    assert_int_equal(ex_plan_run(p, BATCH, 1, 7), EX_NOT_FINITE);
    if (!strstr(ex_error_message(), "made by 'two.relu/normalise_act'")) fail_msg("%s", ex_error_message());
    set_number(p, "two.bn.weight", 3, 1);
    run_ok(p, BATCH, 8);
    ex_plan_free(p);
    ex_team_free(team);
}

static void each_step_has_a_time(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(2);
    ex_plan *p = training(team);
    OK(ex_plan_profile(p, 1));
    for (int i = 0; i < 20; i++) run_ok(p, BATCH, i);
    int32_t in_chains = 0;
    for (int32_t s = 0; s < p->steps; s++) {
        in_chains += p->step[s].chain != EX_NONE;
        if (!p->step[s].alias && !(p->step[s].seconds > 0)) fail_msg("%s took no time", p->step[s].node->name);
    }
    assert_true(in_chains > 4);
    OK(ex_plan_profile(p, 0));
    for (int32_t s = 0; s < p->steps; s++) assert_true(p->step[s].seconds == 0);
    ex_plan_free(p);
    ex_team_free(team);
}

static void a_warm_run_allocates_nothing(void **state)
{
    (void)state;
    ex_plan *p = training(NULL);
    run_ok(p, BATCH, 0);
    const double before = ex_memory_allocations();
    for (int i = 1; i < 5; i++) run_ok(p, i * 5, i);
    assert_true(ex_memory_allocations() == before);
    ex_plan_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_that_is_not_finite_is_named), cmocka_unit_test(each_step_has_a_time),
        cmocka_unit_test(a_warm_run_allocates_nothing),
    };
    return cmocka_run_group_tests_name("runs of chains", tests, NULL, NULL);
}
