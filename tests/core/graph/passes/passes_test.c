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
    assert_memory_not_equal(before, after, sizeof(float) * 12);
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

/* -- fuse_norm ------------------------------------------------------------------------------------------------ */

/* The training form of `g` with gradients towards `param` as roots, through fuse_bn, fuse_norm and dead. */
static ex_graph *fused_training(const ex_graph *g, int32_t params, const char *const *param)
{
    ex_graph *t = ex_graph_training(g);
    int32_t of[4], dw[4];
    for (int32_t i = 0; i < params; i++) of[i] = ex_graph_find(t, param[i]);
    OK(ex_graph_gradient(t, ex_graph_find(t, "loss"), params, of, dw));
    for (int32_t i = 0; i < params; i++) t->value[dw[i]].root = 1;
    ex_graph *bn = apply(ex_pass_fuse_bn, t), *fused = apply(ex_pass_fuse_norm, bn), *out = apply(ex_pass_dead, fused);
    ex_graph_free(t);
    ex_graph_free(bn);
    ex_graph_free(fused);
    return out;
}

static void fuse_norm_takes_the_activation_along(void **state)
{
    (void)state;
    static const char *const activation[] = { "relu", "relu6", "silu", "hard_swish" };
    for (int i = 0; i < 4; i++) {
        ex_graph *g = small_network_of(activation[i]), *out = fused_training(g, 1, (const char *const[]){ "one.conv.weight" });
        assert_int_equal(nodes_of(out, "normalise_act"), 2);
        assert_int_equal(nodes_of(out, "normalise_act_grad_affine"), 2);
        assert_int_equal(nodes_of(out, "normalise_act_grad_input"), 2);
        assert_int_equal(nodes_of(out, "normalise") + nodes_of(out, activation[i]), 0);
        assert_int_equal(nodes_of(out, "relu_grad") + nodes_of(out, "relu6_grad"), 0);
        assert_int_equal(nodes_of(out, "silu_grad") + nodes_of(out, "hard_swish_grad"), 0);
        assert_int_equal(nodes_of(out, "normalise_grad_affine") + nodes_of(out, "batch_norm_grad_input"), 0);
        ex_graph_free(out);
        ex_graph_free(g);
    }
}

/* images (N,3,6,6) -> bn -> relu -> pool -> linear -> loss; what = 1: the relu is read by a second pool, whose windows
 * overlap; 2: pool itself overlaps; 3: ceil_mode at a size that windows do not divide. */
static ex_graph *pooled_network(int what)
{
    ex_graph *g = ex_graph_new();
    int32_t size = what == 3 ? 5 : 6, x = add_input(g, "images", LIST(EX_BATCH, 3, size, size));
    int32_t gamma = add_param(g, "gamma", LIST(3)), beta = add_param(g, "beta", LIST(3));
    x = add_node(g, "bn", "batch_norm", LIST(x, gamma, beta, add_buffer(g, "mean", LIST(3), 0), add_buffer(g, "var", LIST(3), 1)));
    x = add_node(g, "relu", "relu", LIST(x));
    ex_attr overlapping[] = { { "kernel", 1, { 2 } }, { "stride", 1, { 1 } } }, clipped[] = { { "kernel", 1, { 2 } }, { "ceil_mode", 1, { 1 } } };
    int32_t second = what == 1 || what == 2 ? add_node_with(g, "second", "max_pool2d", LIST(x), 2, overlapping) : EX_NONE;
    if (what == 3) x = add_node_with(g, "pool", "max_pool2d", LIST(x), 2, clipped);
    else x = what == 2 ? second : add_node_with(g, "pool", "max_pool2d", LIST(x), 1, overlapping);
    x = add_node(g, "avg", "global_avg_pool", LIST(x));
    if (what == 1) x = add_node(g, "both", "add", LIST(x, add_node(g, "avg2", "global_avg_pool", LIST(second))));
    x = add_node(g, "fc", "linear", LIST(x, add_param(g, "w", LIST(2, 3))));
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

static void fuse_norm_pools_where_windows_tile_and_nobody_else_looks(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        ex_graph *g = pooled_network(what), *out = fused_training(g, 1, (const char *const[]){ "gamma" });
        assert_int_equal(nodes_of(out, "normalise_act"), 1);
        assert_int_equal(nodes_of(out, "relu") + nodes_of(out, "normalise"), 0);
        assert_int_equal(nodes_of(out, "max_pool2d"), what == 1 ? 2 : what > 1);
        assert_int_equal(nodes_of(out, "max_pool2d_grad"), what == 1 ? 2 : what > 1);
        assert_int_equal(nodes_of(out, "normalise_act_grad_affine"), 1);
        assert_int_equal(nodes_of(out, "relu_grad"), 0);
        ex_graph_free(out);
        ex_graph_free(g);
    }
}

/* relu(bn(x) + shortcut): one node forward, one for the sum's gradient with dgamma and dbeta. */
static void fuse_norm_takes_a_shortcut_along(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        ex_graph *g = ex_graph_new();
        int32_t x = add_input(g, "images", LIST(EX_BATCH, 3, 4, 4)), k = add_param(g, "k", LIST(3, 3, 1, 1));
        int32_t conv = add_node(g, "conv", "conv2d", LIST(x, k)), gamma = add_param(g, "gamma", LIST(3)), beta = add_param(g, "beta", LIST(3));
        int32_t bn = add_node(g, "bn", "batch_norm", LIST(conv, gamma, beta, add_buffer(g, "mean", LIST(3), 0), add_buffer(g, "var", LIST(3), 1)));
        int32_t cut = add_node(g, "cut", "conv2d", LIST(x, add_param(g, "c", LIST(3, 3, 1, 1))));
        int32_t sum = side ? add_node(g, "sum", "add", LIST(cut, bn)) : add_node(g, "sum", "add", LIST(bn, cut));
        int32_t avg = add_node(g, "avg", "global_avg_pool", LIST(add_node(g, "relu", "relu", LIST(sum))));
        add_node(g, "loss", "softmax_cross_entropy", LIST(avg, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
        ex_graph *out = fused_training(g, 3, (const char *const[]){ "gamma", "k", "c" });
        assert_int_equal(nodes_of(out, "normalise_act"), 1);
        assert_int_equal(nodes_of(out, "normalise_add_grad"), 1);
        assert_int_equal(nodes_of(out, "batch_norm_grad_input"), 1);
        assert_int_equal(nodes_of(out, "relu") + nodes_of(out, "add") + nodes_of(out, "normalise") + nodes_of(out, "relu_grad"), 0);
        assert_int_equal(nodes_of(out, "normalise_grad_affine"), 0);
        ex_graph_free(out);
        ex_graph_free(g);
    }
}

/* -- fuse_pool ------------------------------------------------------------------------------------------------ */

/* images -> scaled -> activation -> two poolings, one after the other or (side by side) both of the activation. */
static void fuse_pool_takes_the_activation_along(void **state)
{
    (void)state;
    static const char *const activation[] = { "relu", "relu6" };
    for (int i = 0; i < 4; i++) {
        ex_graph *g = ex_graph_new();
        ex_attr overlapping[] = { { "kernel", 1, { 3 } }, { "stride", 1, { 2 } }, { "padding", 1, { 1 } } };
        int32_t x = add_input(g, "images", LIST(EX_BATCH, 3, 6, 6)), k = add_param(g, "k", LIST(3, 3, 1, 1));
        x = add_node(g, "act", activation[i % 2], LIST(add_node(g, "conv", "conv2d", LIST(x, k))));
        int32_t pool = add_node_with(g, "pool", "max_pool2d", LIST(x), 3, overlapping);
        x = add_node(g, "avg", "global_avg_pool", LIST(pool));
        if (i >= 2) x = add_node(g, "both", "add", LIST(x, add_node(g, "all", "global_avg_pool", LIST(g->node[g->value[pool].node].in[0]))));
        add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
        int32_t of = k, dw;
        OK(ex_graph_gradient(g, ex_graph_find(g, "loss"), 1, &of, &dw));
        g->value[dw].root = 1;
        ex_graph *fused = apply(ex_pass_fuse_pool, g), *out = apply(ex_pass_dead, fused);
        assert_int_equal(nodes_of(out, "max_pool2d_grad"), 1);
        assert_int_equal(nodes_of(out, "relu_grad") + nodes_of(out, "relu6_grad"), i >= 2);      /* behind a sum it stays */
        for (int32_t n = 0; n < out->nodes; n++) {
            if (strcmp(out->node[n].op->name, "max_pool2d_grad")) continue;
            assert_true(out->node[n].attr[5][0] == (i >= 2 ? 0 : i + 1));
            assert_true(out->node[n].attr[0][1] == 3 && out->node[n].attr[1][0] == 2 && out->node[n].attr[2][1] == 1);
        }
        ex_graph_free(out);
        ex_graph_free(fused);
        ex_graph_free(g);
    }
}

/* -- fuse_update ---------------------------------------------------------------------------------------------- */

/* Five parameters: three alike, one with another decay, one without a velocity. */
static void fuse_update_joins_what_is_alike(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t lr = add_input(g, "lr", 0, NULL), scale = add_input(g, "scale", 0, NULL);
    for (int i = 0; i < 5; i++) {
        char name[3][16];
        for (int k = 0; k < 3; k++) snprintf(name[k], sizeof name[k], "%c%d", "pgv"[k], i);
        int32_t p = add_param(g, name[0], LIST(4)), grad = add_input(g, name[1], LIST(4));
        ex_attr attr[] = { { "momentum", 1, { i == 4 ? 0 : 0.9 } }, { "weight_decay", 1, { i == 3 ? 0.1 : 0 } } };
        char update[32];
        snprintf(update, sizeof update, "update/%s", name[0]);
        if (i == 4) add_node_with(g, update, "sgd", LIST(p, grad, lr, scale), 2, attr);
        else add_node_with(g, update, "sgd", LIST(p, grad, lr, scale, add_buffer(g, name[2], LIST(4), 0)), 2, attr);
    }
    ex_graph *out = apply(ex_pass_fuse_update, g);
    assert_int_equal(nodes_of(out, "sgd_group"), 1);
    assert_int_equal(nodes_of(out, "sgd"), 2);
    for (int32_t n = 0; n < out->nodes; n++) {
        if (strcmp(out->node[n].op->name, "sgd_group")) continue;
        assert_int_equal(out->node[n].inputs, 2 + 3 * 3);
        for (int i = 0; i < 3; i++) assert_int_equal(out->value[out->node[n].in[2 + 3 * i]].name[1], '0' + i);
    }
    ex_graph_free(out);
    ex_graph_free(g);
}

/* A group is a state write as its members are: parameters change at the end of a run, and other plans learn of it. */
static void a_group_writes_its_parameters(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t lr = add_input(g, "lr", 0, NULL), scale = add_input(g, "scale", 0, NULL);
    for (int i = 0; i < 40; i++) {
        char name[3][16];
        for (int k = 0; k < 3; k++) snprintf(name[k], sizeof name[k], "%c%d", "pgu"[k], i);
        add_node(g, name[2], "sgd", LIST(add_param(g, name[0], LIST(4)), add_param(g, name[1], LIST(4)), lr, scale));
    }
    ex_plan *p = plan_for(g, 0, NULL, 0, NULL, 1, 1, NULL, NULL);
    assert_int_equal(p->steps, 1);
    ex_tensor *one = tensor_of("one", (float[]){ 1 }, 0, NULL);
    OK(ex_plan_bind(p, ex_plan_slot(p, "lr"), one));
    OK(ex_plan_bind(p, ex_plan_slot(p, "scale"), one));
    ex_tensor *last = g->value[ex_graph_find(g, "p39")].tensor, *grad = g->value[ex_graph_find(g, "g39")].tensor;
    float before = ((float *)last->data)[2];
    double version = last->storage->version, idle = grad->storage->version;
    run_ok(p, 1, 1);
    assert_true(((float *)last->data)[2] == before - ((float *)grad->data)[2]);
    assert_true(last->storage->version > version && grad->storage->version == idle);
    ex_tensor_free(one);
    ex_plan_free(p);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dead_drops_what_no_root_needs), cmocka_unit_test(dead_keeps_state_writes),
        cmocka_unit_test(merge_makes_one_of_equal_nodes), cmocka_unit_test(fold_bn_takes_the_batch_norms_away),
        cmocka_unit_test(fold_bn_leaves_a_convolution_that_others_read),
        cmocka_unit_test(folded_weights_follow_a_change_of_the_parameters),
        cmocka_unit_test(fuse_bn_changes_nodes_and_not_numbers), cmocka_unit_test(fuse_norm_takes_the_activation_along),
        cmocka_unit_test(fuse_norm_pools_where_windows_tile_and_nobody_else_looks), cmocka_unit_test(fuse_norm_takes_a_shortcut_along),
        cmocka_unit_test(fuse_pool_takes_the_activation_along), cmocka_unit_test(fuse_update_joins_what_is_alike), cmocka_unit_test(a_group_writes_its_parameters),
        cmocka_unit_test(dense_puts_copies_around_operators_in_lua),
    };
    return cmocka_run_group_tests_name("passes", tests, NULL, NULL);
}
