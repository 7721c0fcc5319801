/* recompute_test.c: a normalised activation is made again where a weight gradient reads it, with the same bits; not without
 * chains, and not where something else of the backward pass reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"

enum { BATCH = 20 };

/* The gradients of the small network towards both convolutions' weights. */
static void it_is_made_again(void **state)
{
    (void)state;
    ex_plan *with = plan_of_gradients("relu", "-winograd", BATCH), *without = plan_of_gradients("relu", "-winograd,-recompute", BATCH);
    assert_int_equal(nodes_of(without->graph, "normalise_act"), 2);
    assert_int_equal(nodes_of(with->graph, "normalise_act"), 3);
    float *gradient[2][2];
    for (int k = 0; k < 2; k++) {
        ex_plan *p = k ? without : with;
        bind_random(p, "images", LIST(BATCH, 2, 6, 6));
        bind_labels(p, "labels", BATCH, 3);
        run_ok(p, BATCH, 0);
        gradient[k][0] = read_output(p, 0, LIST(5, 2, 3, 3));
        gradient[k][1] = read_output(p, 1, LIST(7, 5, 3, 3));
    }
    assert_memory_equal(gradient[0][0], gradient[1][0], sizeof(float) * 90);
    assert_memory_equal(gradient[0][1], gradient[1][1], sizeof(float) * 315);
    for (int k = 0; k < 4; k++) free(gradient[k / 2][k % 2]);
    ex_plan_free(with);
    ex_plan_free(without);
}

static void it_stays_otherwise(void **state)
{
    (void)state;
    ex_plan *no_chains = plan_of_gradients("relu", "-winograd,-chain", BATCH), *small = plan_of_gradients("relu", "-winograd", 4),
            *other = plan_of_gradients("tanh", "-winograd", BATCH);
    assert_int_equal(nodes_of(no_chains->graph, "normalise_act"), 2);
    assert_int_equal(nodes_of(small->graph, "normalise_act"), 2);
    assert_int_equal(nodes_of(other->graph, "tanh"), 2);
    ex_plan_free(no_chains);
    ex_plan_free(small);
    ex_plan_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(it_is_made_again), cmocka_unit_test(it_stays_otherwise) };
    return cmocka_run_group_tests_name("recompute", tests, NULL, NULL);
}
