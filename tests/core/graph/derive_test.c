/* derive_test.c: the training form and the gradient: which nodes appear, which do not, and what the numbers are. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

static void training_form_uses_batch_statistics(void **state)
{
    (void)state;
    ex_graph *g = small_network(), *t = ex_graph_training(g);
    assert_non_null(t);
    assert_int_equal(nodes_of(t, "batch_norm"), 0);
    assert_int_equal(nodes_of(t, "batch_stats"), 2);
    assert_int_equal(nodes_of(t, "normalise"), 2);
    assert_int_equal(nodes_of(t, "running_update"), 4);
    assert_int_not_equal(ex_graph_find(t, "one.bn"), EX_NONE);      /* found again by name */
    assert_int_equal(nodes_of(g, "batch_norm"), 2);                 /* the network is as it was */
    ex_graph_free(t);
    ex_graph_free(g);
}

static void frozen_batch_norms_stay_in_inference_form(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    OK(ex_graph_set_trainable(g, ex_graph_find(g, "one.bn.weight"), 0));
    OK(ex_graph_set_trainable(g, ex_graph_find(g, "one.bn.bias"), 0));
    ex_graph *t = ex_graph_training(g);
    assert_int_equal(nodes_of(t, "batch_norm"), 1);
    assert_int_equal(nodes_of(t, "batch_stats"), 1);
    ex_graph_free(t);
    ex_graph_free(g);
}

static void dropout_drops_only_in_training(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    add_node(g, "drop", "dropout", LIST(add_input(g, "x", LIST(EX_BATCH, 3))));
    ex_graph *t = ex_graph_training(g);
    assert_int_equal(nodes_of(t, "dropout"), 0);
    assert_int_equal(nodes_of(t, "dropout_train"), 1);
    ex_graph_free(t);
    ex_graph_free(g);
}

static void fan_out_is_one_sum_in_the_order_of_consumers(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t w = add_param(g, "w", LIST(4));
    int32_t a = add_node(g, "a", "exp", LIST(w)), b = add_node(g, "b", "square", LIST(w)), c = add_node(g, "c", "neg", LIST(w));
    int32_t loss = add_node(g, "loss", "sum", LIST(add_node(g, "all", "add_n", LIST(a, b, c)))), dw;
    OK(ex_graph_gradient(g, loss, 1, &w, &dw));
    const ex_node *sum = &g->node[g->value[dw].node];
    assert_string_equal(sum->op->name, "add_n");
    assert_int_equal(sum->inputs, 3);
    const char *const owner[] = { "a/", "b/", "c/" };
    for (int i = 0; i < 3; i++) assert_int_equal(strncmp(g->value[sum->in[i]].name, owner[i], 2), 0);
    ex_plan *p = plan_for(g, 1, &dw, 0, NULL, 1, 0, NULL, NULL);
    run_ok(p, 1, 0);
    float *got = read_output(p, 0, LIST(4));
    const float *x = (const float *)(const void *)g->value[w].tensor->data;
    for (int i = 0; i < 4; i++) assert_true(fabsf(got[i] - (expf(x[i]) + 2 * x[i] - 1)) < 1e-6f);
    free(got);
    ex_plan_free(p);
    ex_graph_free(g);
}

static void gradient_goes_only_where_it_is_asked_for(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t of[] = { ex_graph_find(g, "fc.weight"), ex_graph_find(g, "fc.bias") }, out[2];
    OK(ex_graph_gradient(g, ex_graph_find(g, "loss"), 2, of, out));
    assert_int_equal(nodes_of(g, "conv2d_grad_input") + nodes_of(g, "conv2d_grad_weight"), 0);
    assert_int_equal(nodes_of(g, "linear_grad_weight"), 1);
    assert_int_equal(nodes_of(g, "linear_grad_input"), 0);
    assert_int_not_equal(out[0], EX_NONE);
    assert_int_not_equal(out[1], EX_NONE);
    ex_graph_free(g);
}

static void no_gradient_flows_past_stop_gradient(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t w = add_param(g, "w", LIST(3)), u = add_param(g, "u", LIST(3)), lone = add_param(g, "lone", LIST(2));
    int32_t held = add_node(g, "held", "stop_gradient", LIST(w));
    int32_t loss = add_node(g, "loss", "sum", LIST(add_node(g, "m", "mul", LIST(held, u))));
    int32_t of[] = { w, u, lone }, out[3];
    OK(ex_graph_gradient(g, loss, 3, of, out));
    assert_int_equal(out[0], EX_NONE);
    assert_int_not_equal(out[1], EX_NONE);
    assert_int_equal(out[2], EX_NONE);
    ex_graph_free(g);
}

static void missing_rules_and_losses_that_are_none_are_refused(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    OK(ex_op_declare("test_opaque", 1, 1, 0, 0, NULL));
    int32_t w = add_param(g, "w", LIST(3)), dw;
    int32_t y = add_node(g, "y", "test_opaque", LIST(w)), loss = add_node(g, "loss", "sum", LIST(y));
    assert_int_equal(ex_graph_gradient(g, loss, 1, &w, &dw), EX_FAILED);
    assert_non_null(strstr(ex_error_message(), "y: test_opaque: the operator has no gradient rule"));
    assert_int_equal(ex_graph_gradient(g, y, 1, &w, &dw), EX_FAILED);
    assert_non_null(strstr(ex_error_message(), "expected a float32 scalar"));
    assert_int_equal(ex_graph_gradient(g, 99, 1, &w, &dw), EX_FAILED);
    ex_graph_free(g);
}

/* The whole network's gradient against central differences of its own loss; smooth activations, so that there are no kinks. */
static void gradient_agrees_with_differences_of_the_loss(void **state)
{
    (void)state;
    ex_graph *g = small_network_of("tanh"), *t = ex_graph_training(g);
    const char *const name[] = { "one.conv.weight", "one.bn.weight", "two.conv.weight", "two.bn.bias", "fc.weight", "fc.bias" };
    enum { P = sizeof name / sizeof *name };
    int32_t of[P], roots[P + 1];
    roots[0] = ex_graph_find(t, "loss");
    for (int i = 0; i < P; i++) of[i] = ex_graph_find(t, name[i]);
    OK(ex_graph_gradient(t, roots[0], P, of, roots + 1));
    /* no state writes here: every run sees the same weights */
    ex_graph *part = ex_graph_extract(t, P + 1, roots);
    int32_t out[P + 1];
    for (int i = 0; i <= P; i++) out[i] = ex_graph_find(part, t->value[roots[i]].name);
    ex_plan *p = plan_for(part, P + 1, out, 0, NULL, 8, 1, NULL, NULL);
    bind_random(p, "images", LIST(8, 2, 6, 6));
    bind_labels(p, "labels", 8, 3);
    for (int i = 0; i < P; i++) {
        ex_tensor *w = t->value[of[i]].tensor;
        int64_t count = ex_tensor_count(w);
        run_ok(p, 8, 0);
        float *dw = read_output(p, i + 1, w->ndim, w->dim);
        float norm = 0;
        for (int64_t k = 0; k < count; k++) norm = fmaxf(norm, fabsf(dw[k]));
        for (int64_t k = 0; k < count; k += 1 + count / 7) {
            int32_t index[4] = { 0 };
            int64_t rest = k;
            for (int a = w->ndim - 1; a >= 0; rest /= w->dim[a], a--) index[a] = (int32_t)(rest % w->dim[a]);
            double at = ex_tensor_get(w, index), h = 5e-3, side[2];
            for (int s = 0; s < 2; s++) {
                OK(ex_tensor_set(w, index, at + (s ? h : -h)));
                run_ok(p, 8, 0);
                float *l = read_output(p, 0, 0, NULL);
                side[s] = *l;
                free(l);
            }
            OK(ex_tensor_set(w, index, at));
            double expected = (side[1] - side[0]) / (2 * h);
            if (fabs(expected - dw[k]) > 0.002 * norm + 1e-4) fail_msg("%s[%d]: rule %g, differences %g", name[i], (int)k, dw[k], expected);
        }
        free(dw);
    }
    ex_plan_free(p);
    ex_graph_free(part);
    ex_graph_free(t);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_form_uses_batch_statistics), cmocka_unit_test(frozen_batch_norms_stay_in_inference_form),
        cmocka_unit_test(dropout_drops_only_in_training), cmocka_unit_test(fan_out_is_one_sum_in_the_order_of_consumers),
        cmocka_unit_test(gradient_goes_only_where_it_is_asked_for), cmocka_unit_test(no_gradient_flows_past_stop_gradient),
        cmocka_unit_test(missing_rules_and_losses_that_are_none_are_refused), cmocka_unit_test(gradient_agrees_with_differences_of_the_loss),
    };
    return cmocka_run_group_tests_name("derive", tests, NULL, NULL);
}
