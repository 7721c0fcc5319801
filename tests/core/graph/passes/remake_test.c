/* remake_test.c: what is idle at the peak of a training plan's memory is made again after it: less arena, the same bits without
 * chains and for any team, only cheap operators, none of what the plan's caller reads, nothing from a plan that is small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/base/memory.h"
#include "../../../../core/base/team.h"
#include "../../../../core/graph/passes/passes.h"

enum { SIZE = 12, BATCH = 24, GRADIENTS = 4 };

/* The second compiles a graph that has been through the passes. */
#define FIRST "-remake"
#define SECOND "-remake,-recompute,-merge"

static int32_t norm(ex_graph *g, const char *name, int32_t x, int32_t channels)
{
    static const char *const part[] = { "weight", "bias", "mean", "var" };
    int32_t in[5] = { x };
    char text[96];
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%s.%s", name, part[i]);
        in[1 + i] = i < 2 ? add_param(g, text, LIST(channels)) : add_buffer(g, text, LIST(channels), i == 3);
    }
    return add_node(g, name, "batch_norm", 5, in);
}

static int32_t convolution(ex_graph *g, const char *name, int32_t x, int32_t in, int32_t out, int32_t kernel)
{
    char text[64], bn[64];
    const ex_attr padding = { "padding", 1, { kernel / 2 } };
    snprintf(text, sizeof text, "%s.weight", name);
    snprintf(bn, sizeof bn, "%s.bn", name);
    return norm(g, bn, add_node_with(g, name, "conv2d", LIST(x, add_param(g, text, LIST(out, in, kernel, kernel))), 1, &padding), out);
}

/* images (N,3,12,12): a stem, two blocks with a shortcut (the second one's has a norm of its own), and one that scales channels as
 * squeeze-and-excitation does. */
static ex_graph *network(void)
{
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 3, SIZE, SIZE));
    x = add_node(g, "stem.relu", "relu", LIST(convolution(g, "stem", x, 3, 8, 3)));
    int32_t y = add_node(g, "a1.relu", "relu", LIST(convolution(g, "a1", x, 8, 8, 3)));
    x = add_node(g, "a.relu", "relu", LIST(add_node(g, "a.add", "add", LIST(convolution(g, "a2", y, 8, 8, 3), x))));
    y = add_node(g, "b1.relu", "relu", LIST(convolution(g, "b1", x, 8, 8, 3)));
    y = convolution(g, "b2", y, 8, 16, 3);
    x = add_node(g, "b.relu", "relu", LIST(add_node(g, "b.add", "add", LIST(y, convolution(g, "b3", x, 8, 16, 1)))));
    x = add_node(g, "c.silu", "silu", LIST(convolution(g, "c", x, 16, 16, 1)));
    y = add_node(g, "c.gate", "sigmoid", LIST(add_node(g, "c.pool", "global_avg_pool", LIST(x))));
    x = add_node(g, "c.scale", "scale_channels", LIST(x, y));
    x = add_node(g, "d.relu", "relu", LIST(convolution(g, "d", x, 16, 4, 3)));
    x = add_node(g, "fc", "linear", LIST(add_node(g, "pool", "global_avg_pool", LIST(x)), add_param(g, "fc.weight", LIST(3, 4))));
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

/* A plan of four weights' gradients, without this pass, and `extra` of the forward pass if not NULL. */
static ex_plan *plain(const char *passes, ex_team *team, const char *extra)
{
    static const char *const name[GRADIENTS] = { "stem.weight", "a2.weight", "b1.weight", "d.weight" };
    ex_graph *g = network(), *t = ex_graph_training(g);
    int32_t of[GRADIENTS], out[GRADIENTS + 1];
    for (int i = 0; i < GRADIENTS; i++) of[i] = ex_graph_find(t, name[i]);
    OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), GRADIENTS, of, out));
    out[GRADIENTS] = extra ? ex_graph_find(t, extra) : out[0];
    ex_plan *p = plan_for(t, GRADIENTS + 1, out, 0, NULL, BATCH, 1, passes, team);
    ex_graph_free(t);
    ex_graph_free(g);
    return p;
}

/* The same with what is idle made again, where its arena has `least` bytes. */
static ex_plan *remade(const ex_plan *p, size_t least, const char *passes, ex_team *team)
{
    int32_t *map = ex_graph_new_map(p->graph), out[GRADIENTS + 1];
    ex_graph *g = ex_pass_remake_from(least, p->graph, map, p);
    assert_non_null(g);
    for (int i = 0; i <= GRADIENTS; i++) out[i] = map[p->output[i]];
    ex_plan *q = plan_for(g, GRADIENTS + 1, out, 0, NULL, BATCH, 1, passes, team);
    ex_graph_free(g);
    ex_free(map);
    return q;
}

static void run(ex_plan *p, float *gradient[GRADIENTS])
{
    static const int32_t shape[GRADIENTS][4] = { { 8, 3, 3, 3 }, { 8, 8, 3, 3 }, { 8, 8, 3, 3 }, { 4, 16, 3, 3 } };
    bind_random(p, "images", LIST(BATCH, 3, SIZE, SIZE));
    bind_labels(p, "labels", BATCH, 3);
    for (int step = 0; step < 2; step++) run_ok(p, step ? BATCH : BATCH - 5, 0);
    for (int i = 0; i < GRADIENTS; i++) gradient[i] = read_output(p, i, 4, shape[i]);
}

static int32_t numbers(int i) { return (const int32_t[]){ 216, 576, 576, 576 }[i]; }

static int32_t made_again(const ex_graph *g)
{
    int32_t count = 0;
    for (int32_t n = 0; n < g->nodes; n++) {
        const int again = strstr(g->node[n].name, "/again") != NULL;
        assert_int_equal(g->node[n].late, again);
        count += again;
    }
    return count;
}

/* Frees both plans. bound: 0: the same bits. */
static void agree(ex_plan *a, ex_plan *b, float bound)
{
    float *x[GRADIENTS], *y[GRADIENTS];
    run(a, x);
    run(b, y);
    for (int i = 0; i < GRADIENTS; i++) {
        if (bound > 0) assert_close(x[i], y[i], numbers(i), bound);
        else assert_memory_equal(x[i], y[i], sizeof(float) * (size_t)numbers(i));
        free(x[i]);
        free(y[i]);
    }
    ex_plan_free(a);
    ex_plan_free(b);
}

static void the_arena_is_smaller_and_bits_are_the_same(void **state)
{
    (void)state;
    ex_plan *p = plain(FIRST ",-chain", NULL, NULL), *q = remade(p, 0, SECOND ",-chain", NULL);
    assert_true(made_again(q->graph) >= 4);
    assert_true(q->arena_bytes < 0.9 * p->arena_bytes);
    agree(p, q, 0);
}

/* Chains are others then, and sums over images belong to parts of a chain. */
static void with_chains_it_agrees_to_rounding(void **state)
{
    (void)state;
    ex_plan *p = plain(FIRST, NULL, NULL), *q = remade(p, 0, SECOND, NULL);
    assert_true(made_again(q->graph) >= 2);
    assert_true(q->arena_bytes < p->arena_bytes);
    agree(p, q, 1e-4f);
}

/* Neither does what is made again, though a team of many takes more memory for pieces. */
static void bits_do_not_depend_on_the_team(void **state)
{
    (void)state;
    ex_team *one = ex_team_new(1), *many = ex_team_new(12);
    ex_plan *p = plain(FIRST, one, NULL), *r = plain(FIRST, many, NULL);
    assert_true(r->arena_bytes > p->arena_bytes);
    ex_plan *q = remade(p, p->arena_bytes, SECOND, one), *s = remade(r, p->arena_bytes, SECOND, many);
    ex_plan *small = remade(r, p->arena_bytes + 1, SECOND, many);
    assert_int_equal(made_again(small->graph), 0);
    assert_int_equal(q->graph->nodes, s->graph->nodes);
    for (int32_t n = 0; n < q->graph->nodes; n++) assert_string_equal(q->graph->node[n].name, s->graph->node[n].name);
    agree(q, s, 0);
    ex_plan_free(small);
    ex_plan_free(p);
    ex_plan_free(r);
    ex_team_free(one);
    ex_team_free(many);
}

static void nothing_dear_is_made_again(void **state)
{
    (void)state;
    ex_plan *p = plain(FIRST ",-chain", NULL, NULL), *q = remade(p, 0, SECOND ",-chain", NULL);
    static const char *const dear[] = { "conv2d", "conv2d_stats", "batch_stats", "global_avg_pool", "linear", "sigmoid" };
    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++) assert_int_equal(nodes_of(q->graph, dear[i]), nodes_of(p->graph, dear[i]));
    assert_true(nodes_of(q->graph, "scale_channels") + nodes_of(q->graph, "normalise_act") >
                nodes_of(p->graph, "scale_channels") + nodes_of(p->graph, "normalise_act"));
    ex_plan_free(p);
    ex_plan_free(q);
}

/* What the caller reads stays, and so does a plan whose arena is smaller than what is asked for. */
static void it_stays_otherwise(void **state)
{
    (void)state;
    ex_plan *p = plain(FIRST ",-chain", NULL, "a.relu"), *q = remade(p, 0, SECOND ",-chain", NULL);
    assert_int_equal(ex_graph_find(q->graph, "a.relu/normalise_act/again"), EX_NONE);
    ex_plan *small = remade(p, p->arena_bytes + 1, SECOND ",-chain", NULL), *same = remade(p, p->arena_bytes, SECOND ",-chain", NULL);
    assert_int_equal(made_again(small->graph), 0);
    assert_int_equal(made_again(same->graph), made_again(q->graph));
    ex_plan_free(small);
    ex_plan_free(same);
    ex_plan_free(p);
    ex_plan_free(q);
    p = plain(FIRST ",-chain", NULL, NULL);
    q = remade(p, 0, SECOND ",-chain", NULL);
    assert_int_not_equal(ex_graph_find(q->graph, "a.relu/normalise_act/again"), EX_NONE);
    ex_plan_free(p);
    ex_plan_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_arena_is_smaller_and_bits_are_the_same), cmocka_unit_test(with_chains_it_agrees_to_rounding),
        cmocka_unit_test(bits_do_not_depend_on_the_team), cmocka_unit_test(nothing_dear_is_made_again),
        cmocka_unit_test(it_stays_otherwise),
    };
    return cmocka_run_group_tests_name("remake", tests, NULL, NULL);
}
