/* memory_test.c: where values lie: nothing that lives at the same time overlaps, memory is shared where it may be, and
 * results do not depend on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

/* A training step of the small network: loss, all gradients, SGD. */
static ex_plan *training_plan(const char *passes, ex_graph **made)
{
    ex_graph *g = small_network(), *t = ex_graph_training(g);
    const char *const name[] = { "one.conv.weight", "two.conv.weight", "fc.weight" };
    int32_t of[3], dw[3], loss = ex_graph_find(t, "loss");
    for (int i = 0; i < 3; i++) of[i] = ex_graph_find(t, name[i]);
    OK(ex_graph_gradient(t, loss, 3, of, dw));
    int32_t lr = add_buffer(t, "lr", 0, NULL, 0.1), scale = add_buffer(t, "scale", 0, NULL, 1);
    for (int i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "update.%s", name[i]);
        add_node(t, text, "sgd", LIST(of[i], dw[i], lr, scale));
    }
    ex_plan *p = plan_for(t, 1, &loss, 1, &loss, 8, 1, passes, NULL);
    bind_random(p, "images", LIST(8, 2, 6, 6));
    bind_labels(p, "labels", 8, 3);
    *made = t;
    ex_graph_free(g);
    return p;
}

static void values_that_live_together_lie_apart(void **state)
{
    (void)state;
    ex_graph *t;
    ex_plan *p = training_plan(NULL, &t);
    int32_t pairs = 0;
    for (int32_t a = 0; a < p->graph->values; a++)
        for (int32_t b = 0; b < a; b++) {
            const ex_place *x = &p->place[a], *y = &p->place[b];
            if (x->group != a || y->group != b || p->graph->value[a].tensor || p->graph->value[b].tensor) continue;
            if (x->first < 0 || y->first < 0 || x->first > y->last || y->first > x->last) continue;
            pairs++;
            if (x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes)
                fail_msg("'%s' and '%s' overlap", p->graph->value[a].name, p->graph->value[b].name);
        }
    assert_true(pairs > 20);
    for (int32_t s = 0; s < p->steps; s++)          /* scratch is nobody's */
        for (int32_t v = 0; p->step[s].scratch_bytes && v < p->graph->values; v++) {
            const ex_place *at = &p->place[v];
            if (at->group != v || p->graph->value[v].tensor || at->first < 0 || s < at->first || s > at->last) continue;
            if (p->step[s].scratch_offset < at->offset + at->bytes && at->offset < p->step[s].scratch_offset + p->step[s].scratch_bytes)
                fail_msg("the scratch of '%s' overlaps '%s'", p->step[s].node->name, p->graph->value[v].name);
        }
    ex_plan_free(p);
    ex_graph_free(t);
}

static void the_arena_is_smaller_than_the_sum(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t fc = ex_graph_find(g, "fc");
    ex_plan *p = plan_for(g, 1, &fc, 0, NULL, 64, 0, NULL, NULL);
    ex_plan_info info;
    OK(ex_plan_describe(p, &info));
    assert_true(info.arena_bytes > 0);
    size_t scratch = 0;
    for (int32_t s = 0; s < p->steps; s++) if (p->step[s].scratch_bytes > scratch) scratch = p->step[s].scratch_bytes;
    assert_true(info.arena_bytes - (double)scratch < 0.9 * info.sum_bytes);
    ex_plan_free(p);
    ex_graph_free(g);
}

static void results_do_not_depend_on_sharing(void **state)
{
    (void)state;
    float *w[2];
    for (int i = 0; i < 2; i++) {
        ex_graph *t;
        ex_plan *p = training_plan(i ? "-in_place,-merge" : NULL, &t);
        for (int s = 0; s < 3; s++) run_ok(p, s == 1 ? 5 : 8, s);
        const ex_tensor *tensor = t->value[ex_graph_find(t, "two.conv.weight")].tensor;
        w[i] = malloc(sizeof(float) * 315);
        memcpy(w[i], tensor->data, sizeof(float) * 315);
        ex_plan_free(p);
        ex_graph_free(t);
    }
    assert_memory_equal(w[0], w[1], sizeof(float) * 315);
    free(w[0]);
    free(w[1]);
}

static void views_are_aliases_where_the_order_allows(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t one = add_node(g, "a", "relu", LIST(add_input(g, "x", LIST(EX_BATCH, 1, 3, 3))));
    int32_t many = add_node(g, "b", "relu", LIST(add_input(g, "y", LIST(EX_BATCH, 2, 3, 3))));
    int32_t out[] = { add_node(g, "flat_one", "flatten", LIST(one)), add_node(g, "flat_many", "flatten", LIST(many)) };
    ex_plan *p = plan_for(g, 2, out, 0, NULL, 2, 0, NULL, NULL);
    for (int32_t s = 0; s < p->steps; s++) {
        if (!strcmp(p->step[s].node->name, "flat_one")) assert_int_equal(p->step[s].alias, 1);
        if (!strcmp(p->step[s].node->name, "flat_many")) assert_int_equal(p->step[s].alias, 0);
    }
    ex_tensor *x = ex_tensor_new(EX_FLOAT32, LIST(2, 1, 3, 3)), *y = ex_tensor_new(EX_FLOAT32, LIST(2, 2, 3, 3));
    for (int32_t n = 0; n < 2; n++) for (int32_t c = 0; c < 2; c++) for (int32_t i = 0; i < 9; i++) {
        int32_t at[] = { n, c, i / 3, i % 3 };
        OK(ex_tensor_set(y, at, n * 100 + c * 10 + i));
        if (!c) OK(ex_tensor_set(x, at, n * 100 + i));
    }
    OK(ex_plan_bind(p, ex_plan_slot(p, "x"), x));
    OK(ex_plan_bind(p, ex_plan_slot(p, "y"), y));
    run_ok(p, 2, 0);
    float *a = read_output(p, 0, LIST(2, 9)), *b = read_output(p, 1, LIST(2, 18));
    for (int i = 0; i < 9; i++) assert_true(a[9 + i] == 100 + i);
    for (int c = 0; c < 2; c++) for (int i = 0; i < 9; i++) assert_true(b[18 + c * 9 + i] == 100 + c * 10 + i);     /* C, H, W order */
    free(a);
    free(b);
    ex_tensor_free(x);
    ex_tensor_free(y);
    ex_plan_free(p);
    ex_graph_free(g);
}

/* a (6 KiB) dies where b (4 KiB) is made, c (5 KiB) where d (4 KiB) is made; b and d stay for the updates. Largest first a and c
 * lie below b, and d finds no room below it: 14 KiB. First b and d, then the others: 13, which is what lives together. */
static void what_stays_is_placed_first_where_that_is_smaller(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    const ex_attr slice[] = { { "axis", 1, { 0 } }, { "start", 1, { 0 } }, { "count", 1, { 1024 } } };
    const int32_t p = add_param(g, "p", LIST(1024)), q = add_param(g, "q", LIST(1024));
    const int32_t lr = add_buffer(g, "lr", 0, NULL, 0.1), scale = add_buffer(g, "scale", 0, NULL, 1);
    const int32_t a = add_node(g, "a", "relu", LIST(add_param(g, "long", LIST(1536))));
    const int32_t b = add_node_with(g, "b", "slice", LIST(a), 3, slice);
    const int32_t c = add_node(g, "c", "relu", LIST(add_param(g, "short", LIST(1280))));
    const int32_t d = add_node_with(g, "d", "slice", LIST(c), 3, slice);
    add_node(g, "update.p", "sgd", LIST(p, b, lr, scale));
    add_node(g, "update.q", "sgd", LIST(q, d, lr, scale));
    ex_plan *plan = plan_for(g, 0, NULL, 0, NULL, 1, 1, NULL, NULL);
    const size_t scratch = plan->live[plan->peak] - 13 * 1024;
    assert_true(scratch < 256);
    assert_true(plan->arena_bytes < 13 * 1024 + 256);
    ex_plan_free(plan);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_live_together_lie_apart), cmocka_unit_test(the_arena_is_smaller_than_the_sum),
        cmocka_unit_test(results_do_not_depend_on_sharing), cmocka_unit_test(views_are_aliases_where_the_order_allows),
        cmocka_unit_test(what_stays_is_placed_first_where_that_is_smaller),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
