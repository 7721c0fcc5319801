/* passes_test.c: each pass alone: what it changes in the graph, and that results stay the same with it and without. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../support/graph_build.h"
#include "../../../../core/base/memory.h"
#include "../../../../core/kernels/conv.h"
#include "../../../../core/graph/passes/passes.h"

/* pass(g) with a throw-away map. */
static ex_graph *apply(ex_pass pass, const ex_graph *g)
{
    int32_t *map = ex_graph_new_map(g);
    ex_graph *out = pass(g, map);
    if (!out) fail_msg("%s", ex_error_message());
    ex_free(map);
    return out;
}

static void root(ex_graph *g, const char *name) { g->value[ex_graph_find(g, name)].root = 1; }

/* The numbers of value NAME of the small network at inference, with the given passes. */
static float *forward(ex_graph *g, const char *name, const char *passes, int32_t ndim, const int32_t *dim)
{
    int32_t out = ex_graph_find(g, name);
    ex_plan *p = plan_for(g, 1, &out, 0, NULL, 4, 0, passes, NULL);
    bind_random(p, "images", LIST(4, 2, 6, 6));
    run_ok(p, 4, 0);
    float *got = read_output(p, 0, ndim, dim);
    ex_plan_free(p);
    return got;
}

/* -- dead --------------------------------------------------------------------------------------------------- */

static void dead_drops_what_no_root_needs(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    root(g, "one.relu");
    ex_graph *out = apply(ex_pass_dead, g);
    assert_int_equal(out->nodes, 3);
    assert_int_equal(ex_graph_find(out, "fc.weight"), EX_NONE);
    assert_int_equal(out->value[ex_graph_find(out, "one.relu")].root, 1);
    ex_graph_free(out);
    ex_graph_free(g);
}

static void dead_keeps_state_writes(void **state)
{
    (void)state;
    ex_graph *g = small_network(), *t = ex_graph_training(g), *out = apply(ex_pass_dead, t);   /* no root at all */
    assert_int_equal(nodes_of(out, "running_update"), 4);
    assert_int_equal(nodes_of(out, "linear"), 0);
    ex_graph_free(out);
    ex_graph_free(t);
    ex_graph_free(g);
}

/* -- merge --------------------------------------------------------------------------------------------------- */

static void merge_makes_one_of_equal_nodes(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "x", LIST(EX_BATCH, 3)), y = add_input(g, "y", LIST(EX_BATCH, 3));
    ex_attr p3 = { "p", 1, { 0.3 } };
    int32_t a = add_node(g, "a", "exp", LIST(x)), b = add_node(g, "b", "exp", LIST(x)), c = add_node(g, "c", "exp", LIST(y));
    int32_t d = add_node_with(g, "d", "dropout_train", LIST(x), 0, NULL), e = add_node_with(g, "e", "dropout_train", LIST(x), 0, NULL);
    int32_t h = add_node_with(g, "h", "dropout", LIST(x), 1, &p3), i = add_node(g, "i", "dropout", LIST(x));
    add_node(g, "all", "add_n", LIST(a, b, c, d, e, h, i));
    root(g, "all");
    root(g, "b");
    ex_graph *out = apply(ex_pass_merge, g);
    assert_int_equal(nodes_of(out, "exp"), 2);              /* the same input: one; another input: another */
    assert_int_equal(nodes_of(out, "dropout_train"), 2);    /* random nodes are never merged */
    assert_int_equal(nodes_of(out, "dropout"), 2);          /* other numbers: another node */
    const ex_node *all = &out->node[out->nodes - 1];
    assert_int_equal(all->in[0], all->in[1]);
    assert_int_equal(out->value[all->in[0]].root, 1);       /* the root flag of the merged one goes along */
    ex_graph_free(out);
    ex_graph_free(g);
}

/* -- fold_bn -------------------------------------------------------------------------------------------------- */

static void fold_bn_takes_the_batch_norms_away(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    root(g, "fc");
    ex_graph *folded = apply(ex_pass_fold_bn, g), *out = apply(ex_pass_dead, folded);
    assert_int_equal(nodes_of(out, "batch_norm"), 0);
    assert_int_equal(nodes_of(out, "fold_batch_norm"), 2);
    assert_int_equal(nodes_of(out, "conv2d"), 2);
    float *with = forward(g, "fc", NULL, LIST(4, 3)), *without = forward(g, "fc", "-fold_bn", LIST(4, 3));
    assert_close(with, without, 12, 1e-5);
    free(with);
    free(without);
    ex_graph_free(out);
    ex_graph_free(folded);
    ex_graph_free(g);
}

static void fold_bn_leaves_a_convolution_that_others_read(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    root(g, "one.conv");
    root(g, "fc");
    ex_graph *out = apply(ex_pass_fold_bn, g);
    assert_int_equal(nodes_of(out, "batch_norm"), 1);
    ex_graph_free(out);
    ex_graph_free(g);
}

static void folded_weights_follow_a_change_of_the_parameters(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t fc = ex_graph_find(g, "fc");
    ex_plan *p = plan_for(g, 1, &fc, 0, NULL, 4, 0, NULL, NULL);
    bind_random(p, "images", LIST(4, 2, 6, 6));
    run_ok(p, 4, 0);
    float *before = read_output(p, 0, LIST(4, 3));
    OK(ex_tensor_fill(g->value[ex_graph_find(g, "two.bn.weight")].tensor, 2));
    run_ok(p, 4, 0);
    float *after = read_output(p, 0, LIST(4, 3)), *fresh = forward(g, "fc", "-fold_bn", LIST(4, 3));
    assert_close(after, fresh, 12, 1e-5);
    assert_true(memcmp(before, after, sizeof(float) * 12) != 0);
    free(before);
    free(after);
    free(fresh);
    ex_plan_free(p);
    ex_graph_free(g);
}

/* -- fuse_bn -------------------------------------------------------------------------------------------------- */

static void fuse_bn_changes_nodes_and_not_numbers(void **state)
{
    (void)state;
    ex_graph *g = small_network(), *t = ex_graph_training(g);
    int32_t of = ex_graph_find(t, "one.conv.weight"), dw;
    OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), 1, &of, &dw));
    t->value[dw].root = 1;
    ex_graph *fused = apply(ex_pass_fuse_bn, t), *out = apply(ex_pass_dead, fused);
    assert_int_equal(nodes_of(out, "batch_norm_grad_input"), 2);
    assert_int_equal(nodes_of(out, "batch_stats_grad") + nodes_of(out, "normalise_grad_input") + nodes_of(out, "add_n"), 0);
    float *result[2];
    for (int i = 0; i < 2; i++) {
        ex_plan *p = plan_for(t, 1, &dw, 0, NULL, 4, 1, i ? "-fuse_bn" : NULL, NULL);
        bind_random(p, "images", LIST(4, 2, 6, 6));
        bind_labels(p, "labels", 4, 3);
        run_ok(p, 4, 0);
        result[i] = read_output(p, 0, LIST(5, 2, 3, 3));
        ex_plan_free(p);
    }
    assert_close(result[0], result[1], 90, 2e-5);
    free(result[0]);
    free(result[1]);
    ex_graph_free(out);
    ex_graph_free(fused);
    ex_graph_free(t);
    ex_graph_free(g);
}

/* -- dense ------------------------------------------------------------------------------------------------------ */

static void dense_puts_copies_around_operators_in_lua(void **state)
{
    (void)state;
    OK(ex_op_declare("test_rows", 1, 0, 0, 0, NULL));
    OK(ex_op_declare("test_points", 1, 1, 0, 0, NULL));
    ex_graph *g = ex_graph_new();
    int32_t x = add_node(g, "x2", "relu", LIST(add_input(g, "x", LIST(EX_BATCH, 3, 4, 4))));
    add_node(g, "points", "test_points", LIST(x));
    add_node(g, "rows", "test_rows", LIST(x));
    root(g, "rows");
    root(g, "points");
    ex_graph *out = apply(ex_pass_dense, g);
    assert_int_equal(nodes_of(out, "copy"), 2);             /* one before rows, one after; none at points */
    int32_t rows = ex_graph_find(out, "rows");
    assert_string_equal(out->node[out->value[rows].node].op->name, "copy");
    assert_int_equal(out->value[rows].layout, EX_LAYOUT_NATURAL);
    for (int32_t n = 0; n < out->nodes; n++)
        if (!strcmp(out->node[n].op->name, "test_rows")) assert_string_equal(out->node[n].name, "rows");
    ex_graph_free(out);
    ex_graph_free(g);
}

/* -- winograd ------------------------------------------------------------------------------------------------ */

enum { WIDE = 32, MAP = 16, IMAGES = 4 };

/* The output and the gradients of a 3x3 convolution of WIDE channels, by a plan with these passes. */
static void convolve(const char *passes, const char *kernel, float *got[3])
{
    ex_graph *g = ex_graph_new();
    const ex_attr attr[] = { { "padding", 2, { 1, 1 } }, { "size", 2, { MAP, MAP } } }, taps[] = { attr[0], { "kernel", 2, { 3, 3 } } };
    const int32_t x = add_input(g, "x", LIST(EX_BATCH, WIDE, MAP, MAP)), w = add_param(g, "w", LIST(WIDE, WIDE, 3, 3));
    const int32_t out[] = { add_node_with(g, "y", "conv2d", LIST(x, w), 1, attr),
                            add_node_with(g, "dx", "conv2d_grad_input", LIST(x, w), 2, attr),
                            add_node_with(g, "dw", "conv2d_grad_weight", LIST(x, x), 2, taps) };
    ex_plan *p = plan_for(g, 3, out, 0, NULL, IMAGES, 1, passes, NULL);
    for (int32_t i = 0; i < 3; i++) {
        ex_plan_node_info info;
        OK(ex_plan_node(p, i, &info));
        assert_string_equal(info.kernel, kernel);
    }
    bind_random(p, "x", LIST(IMAGES, WIDE, MAP, MAP));
    run_ok(p, IMAGES, 0);
    for (int32_t i = 0; i < 2; i++) got[i] = read_output(p, i, LIST(IMAGES, WIDE, MAP, MAP));
    got[2] = read_output(p, 2, LIST(WIDE, WIDE, 3, 3));
    ex_plan_free(p);
    ex_graph_free(g);
}

static void winograd_changes_kernels_and_rounding_alone(void **state)
{
    (void)state;
    float *fast[3], *exact[3];
    convolve(NULL, "winograd", fast);
    convolve("-winograd", "direct", exact);
    for (int32_t i = 0; i < 3; i++) {
        const int32_t n = i < 2 ? IMAGES * WIDE * MAP * MAP : WIDE * WIDE * 9;
        assert_memory_not_equal(fast[i], exact[i], sizeof(float) * n);
        assert_close(fast[i], exact[i], n, 2 * EX_WINOGRAD_ERROR);    /* the bound, and as much for the direct kernels */
        free(fast[i]);
        free(exact[i]);
    }
}

static void winograd_is_refused_where_it_does_not_fit(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    const int32_t x = add_input(g, "x", LIST(EX_BATCH, 8, 9, 9)), w = add_param(g, "w", LIST(8, 8, 3, 3)), in[] = { x, w };
    const ex_attr strided[] = { { "winograd", 1, { 1 } }, { "stride", 2, { 2, 2 } } }, two[] = { { "winograd", 1, { 2 } } };
    assert_int_equal(ex_graph_node(g, "a", "conv2d", 2, in, 2, strided), EX_NONE);
    assert_non_null(strstr(ex_error_message(), "winograd: got 1, expected 0, or 1 for a 3x3 kernel with stride, dilation and groups of 1"));
    assert_int_equal(ex_graph_node(g, "b", "conv2d", 2, in, 1, two), EX_NONE);
    assert_non_null(strstr(ex_error_message(), "winograd: got 2"));
    assert_true(ex_graph_node(g, "c", "conv2d", 2, in, 1, strided) >= 0);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_drops_what_no_root_needs), cmocka_unit_test(dead_keeps_state_writes),
        cmocka_unit_test(merge_makes_one_of_equal_nodes), cmocka_unit_test(fold_bn_takes_the_batch_norms_away),
        cmocka_unit_test(fold_bn_leaves_a_convolution_that_others_read),
        cmocka_unit_test(folded_weights_follow_a_change_of_the_parameters),
        cmocka_unit_test(fuse_bn_changes_nodes_and_not_numbers), cmocka_unit_test(dense_puts_copies_around_operators_in_lua),
        cmocka_unit_test(winograd_changes_kernels_and_rounding_alone), cmocka_unit_test(winograd_is_refused_where_it_does_not_fit),
    };
    return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
