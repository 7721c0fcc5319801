/* graph_test.c: building: names, shapes, attributes, and every refusal in words. */
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

static void values_and_nodes_are_found_by_name(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    ex_value_info v;
    ex_node_info n;
    OK(ex_graph_value(g, ex_graph_find(g, "two.conv"), &v));
    assert_int_equal(v.kind, EX_VALUE_RESULT);
    assert_int_equal(v.ndim, 4);
    assert_int_equal(v.dim[0], EX_BATCH);
    assert_int_equal(v.dim[1], 7);
    assert_int_equal(v.dim[3], 6);
    OK(ex_graph_node_at(g, v.node, &n));
    assert_string_equal(n.op, "conv2d");
    assert_string_equal(n.name, "two.conv");
    assert_true(n.macs == 6 * 6 * 7 * 5 * 9);
    assert_int_equal(ex_graph_node_input(g, v.node, 1), ex_graph_find(g, "two.conv.weight"));
    assert_int_equal(ex_graph_node_input(g, v.node, 2), EX_NONE);
    assert_int_equal(ex_graph_find(g, "three.conv"), EX_NONE);
    ex_graph_free(g);
}

static void many_names_stay_apart(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "v%d", i);
        assert_int_equal(add_input(g, name, LIST(2)), i);
    }
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "v%d", i);
        assert_int_equal(ex_graph_find(g, name), i);
    }
    ex_graph_free(g);
}

/* Every third value gets the name of a later one that was renamed before. */
static void renamed_values_are_found_by_their_new_name_alone(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    ex_graph *g = ex_graph_new();
    char name[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "v%d", i);
        add_input(g, name, LIST(2));
    }
    for (int i = MANY - 1; i >= 0; i -= 2) {
        snprintf(name, sizeof name, "w%d", i);
        OK(ex_graph_rename(g, i, name));
    }
    for (int i = 0; i + 3 < MANY; i += 6) {
        snprintf(name, sizeof name, "v%d", i + 3);
        OK(ex_graph_rename(g, i, name));
    }
    for (int i = 0; i < MANY; i++) {
        const int odd = i % 2, moved = i % 6 == 0 && i + 3 < MANY;
        snprintf(name, sizeof name, "%c%d", odd ? 'w' : 'v', moved ? i + 3 : i);
        assert_int_equal(ex_graph_find(g, name), i);
        assert_string_equal(g->value[i].name, name);
        snprintf(name, sizeof name, "v%d", i);
        if (moved) assert_int_equal(ex_graph_find(g, name), EX_NONE);
        if (odd && i % 6 != 3) assert_int_equal(ex_graph_find(g, name), EX_NONE);
    }
    assert_int_equal(ex_graph_rename(g, 0, "v2"), EX_FAILED);
    ex_graph_free(g);
}

static void outputs_after_the_first_carry_their_number(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "x", LIST(EX_BATCH, 3, 4, 4));
    int32_t mean = add_node(g, "s", "batch_stats", LIST(x));
    assert_int_equal(ex_graph_find(g, "s"), mean);
    assert_int_equal(ex_graph_find(g, "s:1"), mean + 1);
    ex_graph_free(g);
}

static void defaults_and_single_numbers_fill_attributes(void **state)
{
    (void)state;
    ex_graph *g = ex_graph_new();
    int32_t x = add_input(g, "x", LIST(EX_BATCH, 3, 8, 8)), w = add_param(g, "w", LIST(4, 3, 3, 3));
    ex_attr stride = { "stride", 1, { 2 } };
    int32_t y = add_node_with(g, "y", "conv2d", LIST(x, w), 1, &stride), n = g->value[y].node;
    ex_attr got;
    for (int32_t i = 0; i < g->node[n].attrs; i++) {
        OK(ex_graph_node_attr(g, n, i, &got));
        if (!strcmp(got.name, "stride")) { assert_int_equal(got.count, 2); assert_true(got.value[0] == 2 && got.value[1] == 2); }
        if (!strcmp(got.name, "padding")) assert_true(got.value[0] == 0 && got.value[1] == 0);
        if (!strcmp(got.name, "dilation")) assert_true(got.value[0] == 1);
    }
    assert_int_equal(g->value[y].shape.dim[2], 3);
    ex_graph_free(g);
}

static void refusals_say_where_and_what(void **state)
{
    (void)state;
    ex_graph *g = small_network();
    int32_t before = g->values;
    int32_t x = ex_graph_find(g, "one.relu"), w = ex_graph_find(g, "one.conv.weight");
    ex_attr odd = { "strid", 1, { 1 } }, many = { "stride", 3, { 1, 1, 1 } };
    assert_int_equal(ex_graph_node(g, "layer2.0.conv1", "conv2d", LIST(x, w), 0, NULL), EX_NONE);
    expect_message("layer2.0.conv1: conv2d: input has 5 channels, weight expects 2");
    assert_int_equal(ex_graph_node(g, "a", "conv2", LIST(x, w), 0, NULL), EX_NONE);
    expect_message("did you mean 'conv2d'?");
    assert_int_equal(ex_graph_node(g, "a", "conv2d", LIST(x, w), 1, &odd), EX_NONE);
    expect_message("did you mean 'stride'?");
    assert_int_equal(ex_graph_node(g, "a", "conv2d", LIST(x, w), 1, &many), EX_NONE);
    expect_message("attribute 'stride' has 3 numbers, expected 2");
    assert_int_equal(ex_graph_node(g, "a", "conv2d", LIST(x), 0, NULL), EX_NONE);
    expect_message("got 1 inputs, expected 2 or more");
    assert_int_equal(ex_graph_node(g, "a", "relu", LIST(9999), 0, NULL), EX_NONE);
    expect_message("input 1 is no value of this graph");
    assert_int_equal(ex_graph_node(g, "one.relu", "relu", LIST(x), 0, NULL), EX_NONE);
    expect_message("the name is taken");
    assert_int_equal(ex_graph_node(g, "a", "max_pool2d", LIST(x), 0, NULL), EX_NONE);
    expect_message("attribute 'kernel' is required");
    assert_int_equal(ex_graph_input(g, "images", EX_FLOAT32, LIST(1)), EX_NONE);
    expect_message("'images' is taken");
    assert_int_equal(ex_graph_input(g, "b", EX_FLOAT32, LIST(3, EX_BATCH)), EX_NONE);
    expect_message("axis 2 is -1");
    assert_int_equal(ex_graph_input(g, "b", EX_FLOAT32, LIST(60000, 60000)), EX_NONE);
    expect_message("more than a value may have");
    assert_int_equal(ex_graph_input(g, "b", 9, LIST(3)), EX_NONE);
    assert_int_equal(ex_graph_leaf(g, "b", EX_VALUE_PARAMETER, NULL), EX_NONE);
    assert_int_equal(g->values, before);
    ex_graph_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_nodes_are_found_by_name), cmocka_unit_test(many_names_stay_apart), cmocka_unit_test(renamed_values_are_found_by_their_new_name_alone),
        cmocka_unit_test(outputs_after_the_first_carry_their_number), cmocka_unit_test(defaults_and_single_numbers_fill_attributes),
        cmocka_unit_test(refusals_say_where_and_what),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
