/* cut_test.c: a chain at the peak of a training plan's memory becomes several: less arena, gradients that agree, for any team the same
 * bits, nothing from a plan that is small or has no chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/base/memory.h"
#include "../../../../core/base/team.h"
#include "../../../../core/graph/passes/passes.h"

enum { SIZE = 12, BATCH = 24, DEEP = 5, WIDE = 8 };

/* The second compiles a graph that has been through the passes. */
#define FIRST "-cut,-remake"
#define SECOND "-cut,-remake,-recompute,-merge"

/* images (N,3,12,12): five layers of 8 channels whose results are all as large, as between two poolings of VGG. */
static ex_graph *network(void)
{
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 3, SIZE, SIZE));
    char name[32];
    for (int i = 0; i < DEEP; i++) {
        snprintf(name, sizeof name, "conv%d", i);
        x = add_conv(g, name, x, WIDE, 3, 1);
        snprintf(name, sizeof name, "relu%d", i);
        x = add_node(g, name, "relu", LIST(x));
    }
    x = add_linear(g, "fc", add_node(g, "pool", "global_avg_pool", LIST(x)), 3);
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

static learner start(const char *passes, ex_team *team)
{
    ex_graph *g = network();
    const learner t = learner_start(g, BATCH, passes, team);
    ex_graph_free(g);
    return t;
}

static int32_t cuts(const ex_graph *g)
{
    int32_t count = 0;
    for (int32_t n = 0; n < g->nodes; n++) count += g->node[n].cut;
    return count;
}

/* What t computes with its chains cut where its arena has `least` bytes, and in `*places` in how many places. */
static learner cut_from(size_t least, const learner *t, ex_team *team, int32_t *places)
{
    int32_t *map = ex_graph_new_map(t->p->graph), out[LEARNER_PARAMETERS];
    learner cut = *t;
    ex_graph *g = ex_pass_cut_from(least, t->p->graph, map, t->p);
    assert_non_null(g);
    assert_int_equal(g->nodes, t->p->graph->nodes);
    for (int i = 0; i < t->count; i++) out[i] = map[t->p->output[i]];
    cut.p = plan_for(g, t->count, out, 0, NULL, BATCH, 1, SECOND, team);
    bind_random(cut.p, "images", LIST(BATCH, 3, SIZE, SIZE));
    bind_labels(cut.p, "labels", BATCH, 3);
    *places = cuts(g);
    ex_graph_free(g);
    ex_free(map);
    return cut;
}

static void run(learner *t)
{
    for (int step = 0; step < 2; step++) run_ok(t->p, step ? BATCH : BATCH - 5, 0);
}

static void the_arena_is_smaller_and_gradients_agree(void **state)
{
    (void)state;
    int32_t places, count;
    learner a = start(FIRST, NULL), b = cut_from(0, &a, NULL, &places);
    assert_true(places >= 1);
    assert_true(b.p->chains > a.p->chains);
    assert_true(b.p->arena_bytes < 0.97 * a.p->arena_bytes);
    run(&a);
    run(&b);
    for (int32_t i = 0; i < a.count; i++) {
        float *x = gradient_of(&a, i, &count), *y = gradient_of(&b, i, &count);
        assert_close(x, y, count, 1e-5);
        free(x);
        free(y);
    }
    ex_plan_free(b.p);
    learner_stop(&a);
}

/* Where it is cut does not depend on the team either, though a team of many takes more memory for pieces. */
static void bits_do_not_depend_on_the_team(void **state)
{
    (void)state;
    int32_t few, many;
    ex_team *team = ex_team_new(12);
    learner a = start(FIRST, NULL), c = start(FIRST, team);
    assert_true(c.p->arena_bytes > a.p->arena_bytes);
    learner b = cut_from(a.p->arena_bytes, &a, NULL, &few), d = cut_from(a.p->arena_bytes, &c, team, &many);
    assert_int_equal(few, many);
    run(&b);
    run(&d);
    assert_null(gradient_that_differs(&b, &d));
    ex_plan_free(b.p);
    ex_plan_free(d.p);
    learner_stop(&a);
    learner_stop(&c);
    ex_team_free(team);
}

/* A cut node begins a chain, and is in none as another than its first. */
static void what_is_cut_begins_anew(void **state)
{
    (void)state;
    int32_t places;
    learner a = start(FIRST, NULL), b = cut_from(0, &a, NULL, &places);
    for (int32_t s = 0; s < b.p->steps; s++)
        if (b.p->step[s].node->cut && b.p->step[s].chain != EX_NONE) assert_int_equal(b.p->chain[b.p->step[s].chain].from, s);
    ex_plan_free(b.p);
    learner_stop(&a);
}

static void it_stays_otherwise(void **state)
{
    (void)state;
    int32_t places;
    learner a = start(FIRST, NULL), b = cut_from(a.p->arena_bytes + 1, &a, NULL, &places);
    assert_int_equal(places, 0);
    ex_plan_free(b.p);
    learner_stop(&a);
    a = start(FIRST ",-chain", NULL);
    b = cut_from(0, &a, NULL, &places);
    assert_int_equal(places, 0);
    ex_plan_free(b.p);
    learner_stop(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_arena_is_smaller_and_gradients_agree), cmocka_unit_test(bits_do_not_depend_on_the_team),
        cmocka_unit_test(what_is_cut_begins_anew), cmocka_unit_test(it_stays_otherwise),
    };
    return cmocka_run_group_tests_name("cut", tests, NULL, NULL);
}
