/* run_test.c: runs of a plan: inputs and partial batches, guards and the commit, interrupts, operators written in Lua, and
 * that a warm step allocates nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

static void expect_message(const char *part)
{
    if (!strstr(ex_error_message(), part)) fail_msg("message is '%s', expected '%s' in it", ex_error_message(), part);
}

typedef struct trainer { ex_graph *graph; ex_plan *plan; ex_tensor *weight, *lr; } trainer;

static trainer start(ex_team *team)
{
    ex_graph *g = small_network();
    trainer t = { .graph = ex_graph_training(g) };
    int32_t of[] = { ex_graph_find(t.graph, "one.conv.weight"), ex_graph_find(t.graph, "fc.weight") }, dw[2];
    int32_t loss = ex_graph_find(t.graph, "loss");
    OK(ex_graph_gradient(t.graph, loss, 2, of, dw));
    int32_t lr = add_input(t.graph, "lr", 0, NULL), scale = add_buffer(t.graph, "scale", 0, NULL, 1);
    add_node(t.graph, "update one", "sgd", LIST(of[0], dw[0], lr, scale));
    add_node(t.graph, "update fc", "sgd", LIST(of[1], dw[1], lr, scale));
    t.plan = plan_for(t.graph, 1, &loss, 1, &loss, 8, 1, NULL, team);
    t.lr = ex_tensor_new(EX_FLOAT32, 0, NULL);
    OK(ex_tensor_fill(t.lr, 0.5));
    OK(ex_plan_bind(t.plan, ex_plan_slot(t.plan, "lr"), t.lr));
    bind_random(t.plan, "images", LIST(8, 2, 6, 6));
    bind_labels(t.plan, "labels", 8, 3);
    t.weight = ex_graph_tensor(t.graph, of[0]);
    ex_graph_free(g);
    return t;
}

static void stop(trainer *t)
{
    ex_tensor_free(t->weight);
    ex_tensor_free(t->lr);
    ex_plan_free(t->plan);
    ex_graph_free(t->graph);
}

static float loss_of(trainer *t)
{
    float *l = read_output(t->plan, 0, 0, NULL), value = *l;
    free(l);
    return value;
}

static void training_lowers_the_loss(void **state)
{
    (void)state;
    trainer t = start(NULL);
    run_ok(t.plan, 8, 0);
    float first = loss_of(&t);
    for (int i = 1; i < 30; i++) run_ok(t.plan, 8, i);
    if (loss_of(&t) >= 0.95f * first) fail_msg("loss %g after 30 steps, %g before", (double)loss_of(&t), (double)first);
    stop(&t);
}

static void a_partial_batch_counts_only_its_images(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t out[] = { ex_graph_find(g, "loss"), ex_graph_find(g, "fc") };
    ex_plan *p = plan_for(g, 2, out, 0, NULL, 8, 0, NULL, NULL);
    bind_random(p, "images", LIST(8, 2, 6, 6));
    bind_labels(p, "labels", 8, 3);
    run_ok(p, 3, 0);
    float *z = read_output(p, 1, LIST(3, 3)), *l = read_output(p, 0, 0, NULL);
    double expected = 0;
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) sum += exp((double)z[3 * i + k]);
        expected += log(sum) - z[3 * i + (i * 7 + 1) % 3];
    }
    assert_true(fabs(expected / 3 - *l) < 1e-6);
    run_ok(p, 8, 0);
    float *whole = read_output(p, 1, LIST(8, 3));
    assert_memory_equal(z, whole, sizeof(float) * 9);       /* the same bits at any batch size */
    free(z);
    free(l);
    free(whole);
    ex_plan_free(p);
    ex_graph_free(g);
}

static void bits_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    float w[3][90];
    for (int k = 0; k < 3; k++) {
        ex_team *team = ex_team_new(k + 1);
        trainer t = start(team);
        for (int i = 0; i < 5; i++) run_ok(t.plan, i == 3 ? 5 : 8, i);
        memcpy(w[k], t.weight->data, sizeof w[k]);
        stop(&t);
        ex_team_free(team);
    }
    assert_memory_equal(w[0], w[1], sizeof w[0]);
    assert_memory_equal(w[0], w[2], sizeof w[0]);
}

static void a_warm_step_allocates_nothing(void **state)
{
    (void)state;
    ex_team *team = ex_team_new(2);
    trainer t = start(team);
    run_ok(t.plan, 8, 0);
    double before = ex_memory_allocations(), bytes = ex_memory_bytes();
    for (int i = 1; i < 6; i++) run_ok(t.plan, 8 - (i == 3), i);
    assert_true(ex_memory_allocations() == before);
    assert_true(ex_memory_bytes() == bytes);
    stop(&t);
    ex_team_free(team);
}

static void a_loss_that_is_not_finite_names_its_maker_and_changes_nothing(void **state)
{
    (void)state;
    trainer t = start(NULL);
    run_ok(t.plan, 8, 0);
    ex_tensor *mean = ex_graph_tensor(t.graph, ex_graph_find(t.graph, "one.bn.running_mean"));
    float before[90], running[5];
    OK(ex_tensor_fill(t.weight, 3e38));             /* the convolution overflows */
    memcpy(before, t.weight->data, sizeof before);
    memcpy(running, mean->data, sizeof running);
    assert_int_equal(ex_plan_run(t.plan, 8, 11, 1), EX_NOT_FINITE);
    expect_message("step 1");
    expect_message("'one.conv' (conv2d)");
    assert_memory_equal(before, t.weight->data, sizeof before);
    assert_memory_equal(running, mean->data, sizeof running);
    OK(ex_tensor_fill(t.weight, NAN));
    assert_int_equal(ex_plan_run(t.plan, 8, 11, 1), EX_NOT_FINITE);
    expect_message("in the parameter 'one.conv.weight'");
    OK(ex_tensor_fill(t.weight, 0.1));
    run_ok(t.plan, 8, 2);                           /* and the plan goes on */
    ex_tensor_free(mean);
    stop(&t);
}

/* An input in another order is copied into the arena, where results take its place once it has been read. */
static void a_replay_reads_copied_inputs_anew(void **state)
{
    (void)state;
    const int32_t dim[] = { EX_BATCH, 3, 4, 4 }, bound[] = { 2, 3, 4, 4 };
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "x", 4, dim), factor = add_input(g, "factor", 0, NULL), y = x;
    for (int i = 0; i < 3; i++) y = add_node(g, (char[]){ 'a', (char)('0' + i), 0 }, "tanh", LIST(y));
    y = add_node(g, "large", "exp", LIST(add_node(g, "scaled", "mul", LIST(y, factor))));
    int32_t norm = add_node(g, "norm", "global_norm", LIST(y));
    ex_plan *p = plan_for(g, LIST(norm), LIST(norm), 2, 1, NULL, NULL);
    ex_tensor *huge = tensor_of("factor", (float[]){ 1e9f }, 0, NULL);
    bind_random(p, "x", 4, bound);
    OK(ex_plan_bind(p, ex_plan_slot(p, "factor"), huge));
    assert_int_equal(ex_plan_run(p, 2, 0, 0), EX_NOT_FINITE);
    expect_message("made by 'large' (exp)");
    ex_tensor_free(huge);
    ex_plan_free(p);
    ex_graph_free(g);
}

static void an_interrupt_leaves_no_trace(void **state)
{
    (void)state;
    trainer t = start(NULL);
    run_ok(t.plan, 8, 0);
    float before[90];
    memcpy(before, t.weight->data, sizeof before);
    ex_interrupt();
    assert_int_equal(ex_plan_run(t.plan, 8, 11, 1), EX_INTERRUPTED);
    ex_interrupt_clear();
    assert_memory_equal(before, t.weight->data, sizeof before);
    run_ok(t.plan, 8, 1);
    assert_memory_not_equal(before, t.weight->data, sizeof before);
    stop(&t);
}

static void inputs_are_converted_whatever_their_order_and_type(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t fc = ex_graph_find(g, "fc"), slot;
    ex_plan *p = plan_for(g, 1, &fc, 0, NULL, 2, 0, NULL, NULL);
    const int32_t nhwc[] = { 0, 2, 3, 1 }, dim[] = { 2, 2, 6, 6 };
    ex_tensor *t[3] = { ex_tensor_new(EX_UINT8, 4, dim), ex_tensor_new(EX_FLOAT32, 4, dim), ex_tensor_new_ordered(EX_FLOAT32, 4, dim, nhwc) };
    for (int32_t i = 0; i < 144; i++) {
        int32_t at[] = { i / 72, i / 36 % 2, i / 6 % 6, i % 6 };
        for (int k = 0; k < 3; k++) OK(ex_tensor_set(t[k], at, i * 31 % 17));
    }
    float *got[3];
    slot = ex_plan_slot(p, "images");
    for (int k = 0; k < 3; k++) {
        OK(ex_plan_bind(p, slot, t[k]));
        run_ok(p, 2, 0);
        got[k] = read_output(p, 0, LIST(2, 3));
    }
    assert_memory_equal(got[0], got[1], sizeof(float) * 6);
    assert_memory_equal(got[0], got[2], sizeof(float) * 6);
    for (int k = 0; k < 3; k++) { free(got[k]); ex_tensor_free(t[k]); }
    ex_plan_free(p);
    ex_graph_free(g);
}

static void operators_in_lua_are_waited_for(void **state)
{
    (void)state;
    OK(ex_op_declare("test_double", 1, 1, 1, 0, NULL));
    ex_graph *g = ex_graph_new();
    int32_t w = add_param(g, "w", LIST(3)), y = add_node(g, "y", "test_double", LIST(w));
    int32_t loss = add_node(g, "loss", "sum", LIST(y)), dw;
    OK(ex_graph_gradient(g, loss, 1, &w, &dw));
    int32_t out[] = { y, dw };
    ex_plan *p = plan_for(g, 2, out, 0, NULL, 1, 1, NULL, NULL);
    ex_pause pause;
    assert_int_equal(ex_plan_run(p, 1, 0, 0), EX_PAUSED);
    OK(ex_plan_paused(p, &pause));
    assert_string_equal(pause.op, "test_double");
    assert_int_equal(pause.inputs, 1);
    assert_true(pause.input[0].count == 3);
    for (int i = 0; i < 3; i++) ((float *)pause.output[0].data)[i] = 2 * ((float *)pause.input[0].data)[i];
    assert_int_equal(ex_plan_resume(p, 1), EX_PAUSED);
    OK(ex_plan_paused(p, &pause));
    assert_string_equal(pause.op, "test_double.gradient");
    assert_int_equal(pause.inputs, 3);                      /* dout, in, out */
    for (int i = 0; i < 3; i++) ((float *)pause.output[0].data)[i] = 2 * ((float *)pause.input[0].data)[i];
    OK(ex_plan_resume(p, 1));
    float *d = read_output(p, 1, LIST(3));
    for (int i = 0; i < 3; i++) assert_true(d[i] == 2);
    free(d);
    assert_int_equal(ex_plan_run(p, 1, 0, 0), EX_PAUSED);
    assert_int_equal(ex_plan_resume(p, 0), EX_FAILED);
    expect_message("given up");
    assert_int_equal(ex_plan_resume(p, 1), EX_FAILED);
    ex_plan_free(p);
    ex_graph_free(g);
}

/* Every node that is not an alias takes time in a profiled run; switching it on starts from zero. */
static void a_profile_times_each_node(void **state)
{
    (void)state;
    trainer t = start(NULL);
    ex_plan_info plan;
    ex_plan_node_info node;
    OK(ex_plan_describe(t.plan, &plan));
    OK(ex_plan_profile(t.plan, 1));
    for (int i = 0; i < 3; i++) run_ok(t.plan, 8, i);
    for (int32_t i = 0; i < plan.nodes; i++) {
        OK(ex_plan_node(t.plan, i, &node));
        if (strcmp(node.kernel, "alias")) assert_true(node.seconds > 0);
        else assert_true(node.seconds == 0);
    }
    OK(ex_plan_profile(t.plan, 0));
    run_ok(t.plan, 8, 3);
    for (int32_t i = 0; i < plan.nodes; i++) {
        OK(ex_plan_node(t.plan, i, &node));
        assert_true(node.seconds == 0);
    }
    stop(&t);
}

/* A convolution (N,2,6,6) -> (N,4,6,6) with weight (4,2,3,3) at a batch of 8 reads and writes each number once. */
static void traffic_is_operands_and_results(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "x", LIST(EX_BATCH, 2, 6, 6));
    int32_t w = add_param(g, "w", LIST(4, 2, 3, 3));
    int32_t y = add_node(g, "y", "conv2d", LIST(x, w));
    ex_plan *p = plan_for(g, 1, &y, 0, NULL, 8, 1, NULL, NULL);
    ex_plan_node_info node;
    OK(ex_plan_node(p, 0, &node));
    double result = 8. * 4 * node.dim[2] * node.dim[3] * 4;
    assert_true(node.bytes >= result);
    assert_true(node.traffic == node.bytes + 8. * 2 * 6 * 6 * 4 + 4. * 2 * 3 * 3 * 4);
    ex_plan_free(p);
    ex_graph_free(g);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t fc = ex_graph_find(g, "fc");
    ex_plan_options options = { .batch = 0 };
    assert_null(ex_plan_new(g, 1, &fc, 0, NULL, &options, NULL));
    expect_message("largest batch is 0");
    options.batch = 4;
    options.passes = "-fold_bm";
    assert_null(ex_plan_new(g, 1, &fc, 0, NULL, &options, NULL));
    expect_message("did you mean -fold_bn");
    options.passes = NULL;
    assert_null(ex_plan_new(g, 1, &fc, 1, &fc, &options, NULL));
    expect_message("guard 'fc' must be a float32 scalar");
    ex_plan *p = plan_for(g, 1, &fc, 0, NULL, 4, 0, NULL, NULL);
    ex_tensor *t = ex_tensor_new(EX_FLOAT32, LIST(4, 3, 6, 6)), *small = ex_tensor_new(EX_FLOAT32, LIST(2, 2, 6, 6));
    assert_int_equal(ex_plan_output(p, 0, t), EX_FAILED);
    expect_message("nothing to read");
    assert_int_equal(ex_plan_run(p, 4, 0, 0), EX_FAILED);
    expect_message("input 'images' is not bound");
    assert_int_equal(ex_plan_bind(p, ex_plan_slot(p, "images"), t), EX_FAILED);
    expect_message("input 'images' has shape (4, 3, 6, 6), expected (N, 2, 6, 6)");
    OK(ex_plan_bind(p, ex_plan_slot(p, "images"), small));
    assert_int_equal(ex_plan_run(p, 4, 0, 0), EX_FAILED);
    expect_message("holds 2 images, the run wants 4");
    assert_int_equal(ex_plan_run(p, 5, 0, 0), EX_FAILED);
    expect_message("expected 1 to 4");
    run_ok(p, 2, 0);
    assert_int_equal(ex_plan_output(p, 0, t), EX_FAILED);
    expect_message("expected (2, 3)");
    assert_int_equal(ex_plan_output(p, 3, t), EX_FAILED);
    assert_int_equal(ex_plan_slot(p, "labels"), EX_NONE);   /* not needed: not there */
    ex_tensor_free(t);
    ex_tensor_free(small);
    ex_plan_free(p);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_lowers_the_loss), cmocka_unit_test(a_partial_batch_counts_only_its_images),
        cmocka_unit_test(bits_do_not_depend_on_the_number_of_threads), cmocka_unit_test(a_warm_step_allocates_nothing),
        cmocka_unit_test(a_loss_that_is_not_finite_names_its_maker_and_changes_nothing),
        cmocka_unit_test(a_replay_reads_copied_inputs_anew), cmocka_unit_test(an_interrupt_leaves_no_trace),
        cmocka_unit_test(inputs_are_converted_whatever_their_order_and_type),
        cmocka_unit_test(a_profile_times_each_node), cmocka_unit_test(traffic_is_operands_and_results),
        cmocka_unit_test(operators_in_lua_are_waited_for), cmocka_unit_test(misuse_is_refused),
    };
    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
