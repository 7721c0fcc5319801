/* chain_test.c: which nodes run as chains, what only they know, and that a plan with chains gives what one without gives:
 * the same bits where nothing is summed over images, else to rounding; and the same bits for any team. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

enum { SIZE = 18, BATCH = 37 };

static int32_t convolution(ex_graph *g, const char *name, int32_t x, int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t groups, int bias)
{
    char weight[64], b[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(b, sizeof b, "%s.bias", name);
    const int32_t padding = kernel / 2;
    const ex_attr attr[] = { { "padding", 1, { padding } }, { "stride", 1, { stride } }, { "groups", 1, { groups } } };
    int32_t input[3] = { x, add_param(g, weight, LIST(out, in / groups, kernel, kernel)) };
    if (bias) input[2] = add_param(g, b, LIST(out));
    return add_node_with(g, name, "conv2d", bias ? 3 : 2, input, 3, attr);
}

/* images (N,3,18,18): a block with a shortcut around a depthwise and a 1x1 layer, one that shrinks, one without batch norm, a
 * pooled one, and two exits: every operator that runs in pieces. */
static ex_graph *network(void)
{
    ex_graph *g = ex_graph_new();
    const ex_attr two = { "kernel", 1, { 2 } };
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 3, SIZE, SIZE)), y;
    x = add_node(g, "a.relu", "relu", LIST(add_norm(g, "a.bn", convolution(g, "a", x, 3, 8, 3, 1, 1, 0))));
    y = add_node(g, "b.relu", "relu6", LIST(add_norm(g, "b.bn", convolution(g, "b", x, 8, 8, 3, 1, 8, 0))));
    y = add_norm(g, "c.bn", convolution(g, "c", y, 8, 8, 1, 1, 1, 0));
    x = add_node(g, "c.relu", "relu", LIST(add_node(g, "c.add", "add", LIST(x, y))));
    y = add_node(g, "one.pool", "global_avg_pool", LIST(x));
    y = add_node(g, "one", "linear", LIST(y, add_param(g, "one.weight", LIST(3, 8))));
    x = add_node(g, "d.relu", "relu", LIST(add_norm(g, "d.bn", convolution(g, "d", x, 8, 20, 3, 2, 1, 0))));
    x = add_node(g, "e.relu", "relu", LIST(convolution(g, "e", x, 20, 6, 3, 1, 1, 1)));
    x = add_node(g, "f.relu", "relu", LIST(add_norm(g, "f.bn", convolution(g, "f", x, 6, 12, 3, 1, 1, 0))));
    x = add_node_with(g, "f.pool", "max_pool2d", LIST(x), 1, &two);
    x = add_node(g, "g.relu", "relu", LIST(convolution(g, "g", x, 12, 9, 3, 1, 1, 1)));
    x = add_node_with(g, "g.pool", "max_pool2d", LIST(x), 1, &two);
    x = add_node(g, "two.pool", "global_avg_pool", LIST(x));
    x = add_node(g, "two", "linear", LIST(x, add_param(g, "two.weight", LIST(3, 9))));
    const int32_t labels = ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH));
    add_node(g, "loss", "add", LIST(add_node(g, "loss1", "softmax_cross_entropy", LIST(y, labels)),
                                    add_node(g, "loss2", "softmax_cross_entropy", LIST(x, labels))));
    return g;
}

static learner start(const char *passes, ex_team *team, int32_t batch)
{
    ex_graph *g = network();
    const learner t = learner_start(g, batch, passes, team);
    ex_graph_free(g);
    return t;
}

/* -- Which ones ------------------------------------------------------------------------------------------------- */

static void chains_end_where_a_sum_is_needed(void **state)
{
    (void)state;
    learner t = start(NULL, NULL, BATCH);
    const ex_plan *p = t.p;
    assert_true(p->chains >= 4);
    for (int32_t c = 0; c < p->chains; c++) {
        const ex_chain *chain = &p->chain[c];
        assert_true(chain->to - chain->from >= 2);
        for (int32_t s = chain->from; s < chain->to; s++) {
            const ex_node *n = p->step[s].node;
            assert_int_equal(p->step[s].chain, c);
            for (int32_t i = 0; i < n->inputs; i++) {
                const ex_value *v = &p->graph->value[n->in[i]];
                for (int32_t k = chain->from; !ex_value_is_batched(v) && k < chain->to; k++)
                    if (v->node != EX_NONE && p->step[k].node == &p->graph->node[v->node]) fail_msg("%s reads a sum of its chain", n->name);
            }
        }
    }
    learner_stop(&t);
}

static void a_convolution_follows_the_norm_before_it(void **state)
{
    (void)state;
    learner t = start(NULL, NULL, BATCH);
    const ex_step *conv = step_named(t.p, "b"), *before = step_named(t.p, "a.relu/normalise_act");
    assert_int_not_equal(conv->chain, EX_NONE);
    assert_int_equal(conv->chain, before->chain);
    ex_plan_node_info info;
    for (int32_t s = 0; s < t.p->steps; s++) {
        OK(ex_plan_node(t.p, s, &info));
        assert_int_equal(info.chain, t.p->step[s].chain + 1);
    }
    learner_stop(&t);
}

/* The activation between the 1x1 layer and the depthwise one before it is made anew for the weight gradient. */
static void what_only_chains_know_has_room_for_pieces(void **state)
{
    (void)state;
    learner with = start(NULL, NULL, BATCH), without = start("-chain", NULL, BATCH);
    const int32_t z = step_named(with.p, "b.relu/normalise_act")->node->out[0];
    const ex_place *at = &with.p->place[with.p->place[z].group];
    assert_int_not_equal(at->chain, EX_NONE);
    assert_true(at->bytes < ex_plan_value_bytes(with.p, z) / 8);
    assert_true(with.p->arena_bytes < without.p->arena_bytes);
    assert_int_equal(without.p->chains, 0);
    learner_stop(&with);
    learner_stop(&without);
}

/* A large result that is read after the chain is made in pieces and written past the caches; what is small is not. */
static void large_results_are_staged(void **state)
{
    (void)state;
    enum { MANY = 3300 };                   /* images of 8 x 18 x 18: 33 MiB */
    learner t = start(NULL, NULL, MANY);
    const ex_plan *p = t.p;
    int32_t staged = 0;
    for (int32_t v = 0; v < p->graph->values; v++) {
        const ex_place *at = &p->place[v];
        if (at->group != v || at->staged == EX_NONE) continue;
        staged++;
        assert_int_equal(at->chain, EX_NONE);
        assert_int_equal(p->step[at->first].chain, at->staged);
        assert_true(ex_plan_value_bytes(p, v) >= 32 << 20 && at->stage_bytes < ex_plan_value_bytes(p, v) / 8);
    }
    assert_true(staged > 2);
    learner_stop(&t);
    t = start(NULL, NULL, BATCH);
    for (int32_t v = 0; v < t.p->graph->values; v++) assert_int_equal(t.p->place[v].staged, EX_NONE);
    learner_stop(&t);
}

static void small_batches_have_none(void **state)
{
    (void)state;
    learner t = start(NULL, NULL, EX_CHAIN_BATCH - 1);
    assert_int_equal(t.p->chains, 0);
    learner_stop(&t);
}

/* images (N,3,S,S) -> 1x1 "stem" of `in` channels -> "c", KxK to `out` channels -> one more: each with what follows it, batch norm and
 * ReLU ("c": and its statistics), or a bias and ReLU. */
static ex_graph *filter_network(int32_t in, int32_t out, int32_t kernel, int32_t size, int with_norm)
{
    ex_graph *g = ex_graph_new();
    static const char *const name[] = { "stem", "c", "last" };
    const int32_t channels[] = { 3, in, out, 4 }, kernels[] = { 1, kernel, 1 };
    int32_t x = add_input(g, "images", LIST(EX_BATCH, 3, size, size));
    for (int k = 0; k < 3; k++) {
        char bn[16], act[16];
        snprintf(bn, sizeof bn, "%s.bn", name[k]);
        snprintf(act, sizeof act, "%s.relu", name[k]);
        x = convolution(g, name[k], x, channels[k], channels[k + 1], kernels[k], 1, 1, !with_norm);
        if (with_norm) x = add_norm(g, bn, x);
        x = add_node(g, act, "relu", LIST(x));
    }
    x = add_linear(g, "fc", add_node(g, "pool", "global_avg_pool", LIST(x)), 3);
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

/* Of the steps that read c's filter: how many there are, and how many of them belong to a chain. */
static int32_t readers_in_chains(const ex_plan *p, int32_t *readers)
{
    const int32_t filter = ex_graph_find(p->graph, "c.weight");
    int32_t in_chains = *readers = 0;
    for (int32_t s = 0; s < p->steps; s++)
        for (int32_t i = 0; i < p->step[s].node->inputs; i++) {
            if (p->step[s].node->in[i] != filter) continue;
            ++*readers;
            in_chains += p->step[s].chain != EX_NONE;
        }
    return in_chains;
}

/* A filter that does not stay in a core's cache is read once for the batch, unless a part's images are larger still: in the forward
 * pass, with statistics and without, and for the input's gradient. */
static void large_filters_stay_out(void **state)
{
    (void)state;
    static const struct { int32_t in, out, kernel, size, joins; } filters[] = {
        { 256, 256, 3, 4, 0 }, { 512, 640, 1, 4, 0 }, { 320, 256, 2, 3, 0 }, { 256, 256, 3, 1, 0 }, { 256, 256, 3, 16, 0 },
        { 64, 64, 3, 4, 1 }, { 480, 512, 1, 4, 1 }, { 64, 64, 3, 16, 1 }, { 192, 192, 3, 30, 1 }, { 512, 640, 1, 10, 1 },
    };
    for (uint32_t k = 0; k < 2 * (sizeof filters / sizeof *filters); k++) {
        const int32_t in = filters[k / 2].in, out = filters[k / 2].out, kernel = filters[k / 2].kernel, size = filters[k / 2].size;
        ex_graph *g = filter_network(in, out, kernel, size, k % 2);
        learner t = learner_start(g, EX_CHAIN_BATCH, NULL, NULL);
        int32_t readers, in_chains = readers_in_chains(t.p, &readers);
        if (readers != 2 || in_chains != (filters[k / 2].joins ? 2 : 0))
            fail_msg("filter %dx%dx%dx%d on %dx%d: %d of %d in chains", out, in, kernel, kernel, size, size, in_chains, readers);
        const char *op = k % 2 == 0 ? "conv2d_fused" : size >= 16 ? "conv2d_stats" : "conv2d";     /* small images: statistics apart */
        assert_string_equal(step_named(t.p, "c")->node->op->name, op);
        learner_stop(&t);
        const int32_t relu = ex_graph_find(g, "last.relu");         /* in inference, unless its filter is packed beforehand */
        ex_plan *p = plan_for(g, 1, &relu, 0, NULL, EX_CHAIN_BATCH, 0, "-pack_conv,-fold_bn", NULL);
        in_chains = readers_in_chains(p, &readers);
        assert_int_equal(readers, 1);
        assert_int_equal(in_chains, filters[k / 2].joins);
        ex_plan_free(p);
        ex_graph_free(g);
    }
}

/* -- The same results ---------------------------------------------------------------------------------------------- */

static void gradients_agree(void **state)
{
    (void)state;
    static const int32_t images[] = { 1, 19, BATCH, 330 };  /* the last one: more than a chain keeps in the caches */
    for (int k = 0; k < 4; k++) {
        const int32_t n = images[k], batch = n > BATCH ? n : BATCH;
        learner with = start(NULL, NULL, batch), without = start("-chain", NULL, batch);
        run_ok(with.p, n, 0);
        run_ok(without.p, n, 0);
        for (int32_t i = 0; i < with.count; i++) {
            int32_t count;
            float *a = gradient_of(&with, i, &count), *b = gradient_of(&without, i, &count);
            assert_close(a, b, count, 1e-4);
            free(a);
            free(b);
        }
        learner_stop(&with);
        learner_stop(&without);
    }
}

static void bits_do_not_depend_on_the_team(void **state)
{
    (void)state;
    for (int32_t n = 5; n <= BATCH; n += 32) {
        learner alone = start(NULL, NULL, BATCH);
        run_ok(alone.p, n, 0);
        for (int32_t threads = 2; threads <= 5; threads += 3) {
            ex_team *team = ex_team_new(threads);
            learner t = start(NULL, team, BATCH);
            for (int k = 0; k < 3; k++) run_ok(t.p, n, 0);
            for (int32_t i = 0; i < t.count; i++) {
                int32_t count;
                float *a = gradient_of(&alone, i, &count), *b = gradient_of(&t, i, &count);
                assert_memory_equal(a, b, sizeof *a * (size_t)count);
                free(a);
                free(b);
            }
            learner_stop(&t);
            ex_team_free(team);
        }
        learner_stop(&alone);
    }
}

/* At inference nothing is summed: the same bits for any number of images and threads, with chains or without, also where there
 * are fewer pieces than threads. */
static void inference_keeps_its_bits(void **state)
{
    (void)state;
    ex_graph *g = network();
    const int32_t out[] = { ex_graph_find(g, "one"), ex_graph_find(g, "two") };
    ex_plan *plain = plan_for(g, 2, out, 0, NULL, BATCH, 0, "-chain", NULL);
    bind_random(plain, "images", LIST(BATCH, 3, SIZE, SIZE));
    run_ok(plain, BATCH, 0);
    float *want[2] = { read_output(plain, 0, LIST(BATCH, 3)), read_output(plain, 1, LIST(BATCH, 3)) };
    for (int32_t threads = 1; threads <= 16; threads += 5) {
        ex_team *team = ex_team_new(threads);
        ex_plan *p = plan_for(g, 2, out, 0, NULL, BATCH, 0, NULL, team);
        assert_true(p->chains >= 1);
        bind_random(p, "images", LIST(BATCH, 3, SIZE, SIZE));
        for (int32_t n = 1; n <= BATCH; n += 4) {
            run_ok(p, n, 0);
            for (int k = 0; k < 2; k++) {
                float *got = read_output(p, k, LIST(n, 3));
                assert_memory_equal(want[k], got, sizeof *got * 3 * (size_t)n);
                free(got);
            }
        }
        ex_plan_free(p);
        ex_team_free(team);
    }
    free(want[0]);
    free(want[1]);
    ex_plan_free(plain);
    ex_graph_free(g);
}

/* relu(x) and silu of it, with relu(u) between them or after: silu joins relu(x), unless it is late and something waits. */
static void a_late_node_does_not_come_before_one_that_waits(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        const int late = k & 1, between = k >> 1;
        ex_graph *g = ex_graph_new();
        const int32_t x = add_input(g, "x", LIST(EX_BATCH, 4, 6, 6)), u = add_input(g, "u", LIST(EX_BATCH, 4, 6, 6));
        const int32_t first = add_node(g, "first", "relu", LIST(x));
        int32_t out[2] = { EX_NONE, EX_NONE };
        if (between) out[1] = add_node(g, "other", "relu", LIST(u));
        out[0] = add_node(g, "last", "silu", LIST(first));
        if (!between) out[1] = add_node(g, "other", "relu", LIST(u));
        g->node[g->value[out[0]].node].late = late;
        ex_plan *p = plan_for(g, 2, out, 0, NULL, BATCH, 0, NULL, NULL);
        assert_int_equal(p->chains, late && between ? 0 : 1);
        ex_plan_free(p);
        ex_graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_end_where_a_sum_is_needed), cmocka_unit_test(a_convolution_follows_the_norm_before_it),
        cmocka_unit_test(what_only_chains_know_has_room_for_pieces), cmocka_unit_test(large_results_are_staged),
        cmocka_unit_test(large_filters_stay_out),
        cmocka_unit_test(small_batches_have_none), cmocka_unit_test(a_late_node_does_not_come_before_one_that_waits),
        cmocka_unit_test(gradients_agree), cmocka_unit_test(bits_do_not_depend_on_the_team), cmocka_unit_test(inference_keeps_its_bits),
    };
    return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
