/* parts_test.c: what concat joins is written where it belongs and slices are where they are, so that nothing is copied; where
 * that cannot be, the copy stays; and no bit depends on it, whatever the team, the chains and the kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

enum { BATCH = 21, VALUES = 1 << 15 };

/* -- Graphs of one case each ---------------------------------------------------------------------------------- */

static int32_t join(ex_graph *g, const char *name, int32_t a, int32_t b) { return add_node(g, name, "concat", LIST(a, b)); }

static int32_t slice(ex_graph *g, const char *name, int32_t x, int32_t start, int32_t count, int32_t step)
{
    const ex_attr attr[] = { { "axis", 1, { 1 } }, { "start", 1, { start } }, { "count", 1, { count } }, { "step", 1, { step } } };
    return add_node_with(g, name, "slice", LIST(x), 4, attr);
}

static int32_t relu(ex_graph *g, const char *name, int32_t x) { return add_node(g, name, "relu", LIST(x)); }
static int32_t images(ex_graph *g) { return add_input(g, "images", LIST(EX_BATCH, 3, 7, 6)); }

/* A concat of concats, its parts by a row of kernels: direct, Winograd's, 1x1, depthwise, of few channels. */
static void nested(drawing *d)
{
    ex_graph *g = d->g;
    int32_t x = add_conv(g, "a", images(g), 5, 3, 1), y = join(g, "ab", x, add_conv(g, "b", x, 20, 3, 1));
    y = join(g, "abc", y, add_conv(g, "c", y, 7, 1, 1));
    y = join(g, "abcd", add_conv(g, "d", y, 32, 3, 32), y);
    give(d, add_conv(g, "e", join(g, "abcde", y, add_conv(g, "f", y, 1, 3, 1)), 9, 3, 1));
}

static void read_elsewhere(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), y = relu(d->g, "b", x);
    give(d, relu(d->g, "r", join(d->g, "ab", x, y)));
    give(d, add_node(d->g, "sum", "add", LIST(x, y)));
}

static void twice(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1);
    give(d, relu(d->g, "r", join(d->g, "aa", x, x)));
}

static void leaves(drawing *d)
{
    int32_t x = images(d->g);
    give(d, relu(d->g, "r", add_node(d->g, "xyx", "concat", LIST(x, add_conv(d->g, "a", x, 5, 3, 1), x))));
}

/* The concat, a part of it and what a part is a part of are all asked for. */
static void roots(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), y = join(d->g, "ab", x, add_conv(d->g, "b", x, 4, 1, 1));
    give(d, x);
    give(d, y);
    give(d, join(d->g, "abc", y, relu(d->g, "r", y)));
}

/* The activation would lie over its input, the sum over one of its terms. */
static void in_place(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), y = add_node(d->g, "s", "silu", LIST(x));
    int32_t z = add_node(d->g, "z", "add_n", LIST(add_conv(d->g, "b", y, 5, 1, 1), add_conv(d->g, "c", y, 5, 1, 1)));
    y = join(d->g, "yz", y, z);
    give(d, add_conv(d->g, "e", add_node(d->g, "t", "silu", LIST(add_node(d->g, "u", "abs", LIST(y)))), 3, 1, 1));
}

static void pooled(drawing *d)
{
    const ex_attr two = { "kernel", 1, { 2 } };
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1);
    int32_t p = add_node_with(d->g, "p", "avg_pool2d", LIST(x), 1, &two);
    int32_t y = join(d->g, "ab", p, add_node_with(d->g, "q", "max_pool2d", LIST(x), 1, &two));
    give(d, add_node(d->g, "flat", "flatten", LIST(y)));
    give(d, add_node_with(d->g, "r", "max_pool2d", LIST(y), 1, &two));
    give(d, add_node(d->g, "g", "global_avg_pool", LIST(y)));
}

/* What is flat cannot have gaps: it is a copy of the part. */
static void flat_part(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 1, 3, 1);
    give(d, join(d->g, "ab", x, relu(d->g, "r", x)));
    give(d, add_node(d->g, "flat", "flatten", LIST(x)));
}

/* Sums over all that a value holds want it without gaps. */
static void summed(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), y = add_conv(d->g, "b", x, 5, 3, 1);
    give(d, join(d->g, "ab", x, y));
    give(d, add_node(d->g, "mean", "mean", LIST(x)));
    give(d, add_node(d->g, "total", "sum", LIST(slice(d->g, "s", y, 1, 3, 1))));
}

/* All that came before, written out each time: the shorter lists lie in the longest one. */
static void lists(drawing *d)
{
    int32_t a = add_conv(d->g, "a", images(d->g), 4, 3, 1), b = add_conv(d->g, "b", a, 3, 3, 1);
    int32_t c = add_conv(d->g, "c", join(d->g, "ab", a, b), 2, 3, 1);
    int32_t e = add_conv(d->g, "e", add_node(d->g, "abc", "concat", LIST(a, b, c)), 5, 3, 1);
    give(d, relu(d->g, "r", add_node(d->g, "abce", "concat", LIST(a, b, c, e))));
}

/* One value, two rows of neighbours: it can be in one of them. */
static void elsewhere(drawing *d)
{
    int32_t a = add_conv(d->g, "a", images(d->g), 4, 3, 1), b = add_conv(d->g, "b", a, 3, 3, 1);
    give(d, relu(d->g, "r", join(d->g, "ab", a, b)));
    give(d, relu(d->g, "t", join(d->g, "ba", b, a)));
}

static void slices(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 12, 3, 1), y = slice(d->g, "s", x, 2, 8, 1);
    give(d, add_conv(d->g, "b", slice(d->g, "ss", y, 3, 4, 1), 3, 3, 1));
    give(d, join(d->g, "ends", relu(d->g, "r", slice(d->g, "s0", x, 0, 2, 1)), slice(d->g, "s2", x, 10, 2, 1)));
    give(d, relu(d->g, "every", slice(d->g, "s3", x, 1, 4, 3)));
    give(d, slice(d->g, "image", ex_graph_find(d->g, "images"), 1, 1, 1));
}

/* In inference dropout is another name of its input. */
static void behind_views(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), y = add_node(d->g, "drop", "dropout", LIST(add_conv(d->g, "b", x, 4, 3, 1)));
    give(d, relu(d->g, "r", join(d->g, "ab", x, y)));
}

static void features(drawing *d)
{
    int32_t x = add_node(d->g, "p", "global_avg_pool", LIST(add_conv(d->g, "c", images(d->g), 6, 3, 1)));
    int32_t y = join(d->g, "ab", add_linear(d->g, "a", x, 5), add_linear(d->g, "b", x, 7));
    give(d, add_linear(d->g, "e", slice(d->g, "s", y, 2, 9, 1), 4));
    give(d, add_node(d->g, "soft", "softmax", LIST(y)));
}

static void other_axis(drawing *d)
{
    const ex_attr rows = { "axis", 1, { 2 } };
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), in[] = { x, relu(d->g, "b", x) };
    give(d, relu(d->g, "r", add_node_with(d->g, "ab", "concat", 2, in, 1, &rows)));
}

static void vectors(drawing *d)
{
    const ex_attr first = { "axis", 1, { 0 } };
    int32_t x = add_conv(d->g, "a", images(d->g), 5, 3, 1), a = add_node(d->g, "as", "channel_sum", LIST(x));
    int32_t b = add_node(d->g, "bs", "channel_sum", LIST(relu(d->g, "b", x)));
    int32_t ab = add_node_with(d->g, "ab", "concat", LIST(a, b), 1, &first);
    give(d, add_node(d->g, "length", "global_norm", LIST(a, ab)));
    give(d, ab);
}

static const struct { const char *name; void (*draw)(drawing *d); const char *aliases, *copies; } cases[] = {
    { "nested", nested, "ab abc abcd abcde", "" }, { "read elsewhere", read_elsewhere, "ab", "" }, { "twice", twice, "", "aa" },
    { "leaves", leaves, "", "xyx" }, { "roots", roots, "ab abc", "" }, { "in place", in_place, "yz", "" },
    { "pooled", pooled, "ab", "flat" },
    { "flat part", flat_part, "ab", "flat" }, { "summed", summed, "", "ab s" }, { "lists", lists, "ab abc abce", "" },
    { "elsewhere", elsewhere, "ba", "ab" }, { "slices", slices, "s ss s0 s2 image", "ends s3" },
    { "behind views", behind_views, "drop ab", "" },
    { "features", features, "ab s", "" }, { "other axis", other_axis, "", "ab" }, { "vectors", vectors, "ab", "" },
};
enum { CASES = sizeof cases / sizeof *cases };

/* -- Plans ---------------------------------------------------------------------------------------------------- */

static ex_plan *plan_of(drawing *d, int k, const char *passes, int training, ex_team *team)
{
    *d = (drawing){ .g = ex_graph_new() };
    cases[k].draw(d);
    ex_plan *p = plan_for(d->g, d->outputs, d->out, 0, NULL, BATCH, training, passes, team);
    bind_random(p, "images", LIST(BATCH, 3, 7, 6));
    return p;
}

static void expect_aliases(const ex_plan *p, const char *names, int alias)
{
    char text[128];
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok(text, " "); name; name = strtok(NULL, " "))
        if (step_named(p, name)->alias != alias) fail_msg("%s is %s copy", name, alias ? "a" : "no");
}

static void copies_are_where_they_must_be(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        drawing d;
        ex_plan *p = plan_of(&d, k, NULL, 0, NULL);
        expect_aliases(p, cases[k].aliases, 1);
        expect_aliases(p, cases[k].copies, 0);
        ex_plan_free(p);
        ex_graph_free(d.g);
        p = plan_of(&d, k, "-parts", 0, NULL);
        for (int32_t s = 0; s < p->steps; s++)
            assert_false(p->step[s].alias && (!strcmp(p->step[s].node->op->name, "concat") || !strcmp(p->step[s].node->op->name, "slice")));
        ex_plan_free(p);
        ex_graph_free(d.g);
    }
}

static void no_bit_depends_on_it(void **state)
{
    (void)state;
    static float with[VALUES], without[VALUES];
    static const char *const also[] = { "", ",-chain", ",-in_place" };
    const char *isa[] = { ex_isa_name(), "portable" };
    for (int run = 0; run < CASES * 3 * 2 * 2 * 2; run++) {
        const int k = run % CASES, other = run / CASES % 3, training = run / CASES / 3 % 2, threads = 1 + run / CASES / 6 % 2;
        const int32_t n = run % 3 ? BATCH : 2;
        char passes[2][64];
        snprintf(passes[0], sizeof passes[0], "-parts%s", also[other]);
        snprintf(passes[1], sizeof passes[1], "%s", other ? also[other] + 1 : "");
        OK(ex_isa_select(isa[run / CASES / 12]));
        ex_team *team = ex_team_new(threads);
        drawing d, plain;
        ex_plan *p = plan_of(&d, k, passes[1], training, team), *q = plan_of(&plain, k, passes[0], training, team);
        for (int times = 0; times < 2; times++) {           /* the second run finds what the first one left in memory */
            const int32_t a = numbers_of(p, &d, n, with, VALUES), b = numbers_of(q, &plain, n, without, VALUES);
            if (a != b || memcmp(with, without, sizeof *with * (size_t)a))
                fail_msg("%s differs (%s, %d threads, training %d)", cases[k].name, passes[0], threads, training);
        }
        ex_plan_free(p);
        ex_plan_free(q);
        ex_graph_free(d.g);
        ex_graph_free(plain.g);
        ex_team_free(team);
    }
    OK(ex_isa_select(isa[0]));
}

/* What steps write into one block of memory lies apart, but for results in the place of an input. */
static void parts_lie_apart(void **state)
{
    (void)state;
    int32_t pairs = 0;
    for (int k = 0; k < CASES; k++) {
        drawing d;
        ex_plan *p = plan_of(&d, k, "-in_place", 0, NULL);
        for (int32_t s = 0; s < p->steps; s++)
            for (int32_t t = 0; t < s; t++) {
                if (p->step[s].alias || p->step[t].alias || !p->step[s].node->outputs || !p->step[t].node->outputs) continue;
                const int32_t a = p->step[s].node->out[0], b = p->step[t].node->out[0];
                const ex_place *x = &p->place[a], *y = &p->place[b];
                if (x->group != y->group || !strcmp(p->step[s].node->op->name, "concat")) continue;
                pairs++;
                const ex_shape *of_a = &p->graph->value[a].shape, *of_b = &p->graph->value[b].shape;
                assert_true(x->start >= y->start + of_b->dim[of_b->ndim > 1] || y->start >= x->start + of_a->dim[of_a->ndim > 1]);
                assert_true(p->place[x->group].first <= t && p->place[x->group].last >= s);
            }
        ex_plan_free(p);
        ex_graph_free(d.g);
    }
    assert_true(pairs > 10);
}

/* -- A dense block, trained ------------------------------------------------------------------------------------- */

enum { LAYERS = 4 };

static int32_t norm_relu(ex_graph *g, const char *name, int32_t x)
{
    char text[64];
    snprintf(text, sizeof text, "%s.relu", name);
    return relu(g, text, add_norm(g, name, x));
}

/* What a layer adds lies before or behind what it reads. */
static ex_graph *dense_network(int32_t growth, int before)
{
    ex_graph *g = ex_graph_new();
    const ex_attr two = { "kernel", 1, { 2 } };
    int32_t x = add_conv(g, "stem", add_input(g, "images", LIST(EX_BATCH, 3, 36, 32)), 10, 3, 1);
    x = add_node_with(g, "stem.pool", "max_pool2d", LIST(norm_relu(g, "stem.bn", x)), 1, &two);
    for (int k = 0; k < LAYERS; k++) {
        char name[4][16];
        for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%d.%d", k, i);
        int32_t y = add_conv(g, name[1], norm_relu(g, name[0], x), 12, 1, 1);
        y = add_conv(g, name[3], norm_relu(g, name[2], y), growth, 3, 1);
        snprintf(name[0], sizeof name[0], "%d.concat", k);
        x = before ? join(g, name[0], y, x) : join(g, name[0], x, y);
        if (k != 1) continue;
        x = add_conv(g, "transition", norm_relu(g, "t.bn", x), 9, 1, 1);
        x = add_node_with(g, "middle", "avg_pool2d", LIST(x), 1, &two);
    }
    x = add_linear(g, "fc", add_node(g, "pool", "global_avg_pool", LIST(norm_relu(g, "last", x))), 3);
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

/* After two runs of n images. */
static learner train(int32_t growth, int before, const char *passes, ex_team *team, int32_t n)
{
    ex_graph *g = dense_network(growth, before);
    learner t = learner_start(g, BATCH, passes, team);
    for (int k = 0; k < 2; k++) run_ok(t.p, n, k);
    ex_graph_free(g);
    return t;
}

static void gradients_keep_their_bits(void **state)
{
    (void)state;
    const char *isa[] = { ex_isa_name(), "portable" };
    for (int run = 0; run < 16; run++) {
        const int chains = run & 1, threads = 1 + (run >> 1 & 1), before = run >> 2 & 1;
        const int32_t growth = before ? 3 : 8, n = threads == 1 ? BATCH : BATCH - 4;
        OK(ex_isa_select(isa[run >> 3]));
        ex_team *team = ex_team_new(threads);
        learner with = train(growth, before, chains ? NULL : "-chain", team, n);
        learner without = train(growth, before, chains ? "-parts" : "-chain,-parts", team, n);
        const char *differs = gradient_that_differs(&with, &without);
        if (differs) fail_msg("%s differs: chains %d, %d threads, %s, growth %d", differs, chains, threads, ex_isa_name(), growth);
        learner_stop(&with);
        learner_stop(&without);
        ex_team_free(team);
    }
    OK(ex_isa_select(isa[0]));
}

/* No concat and no slice is left that copies; less memory; a step's own names for what is an alias. */
static void dense_blocks_copy_nothing(void **state)
{
    (void)state;
    learner t = train(8, 0, NULL, NULL, BATCH), plain = train(8, 0, "-parts", NULL, BATCH);
    int32_t aliases = 0;
    for (int32_t s = 0; s < t.p->steps; s++) {
        ex_plan_node_info info;
        OK(ex_plan_node(t.p, s, &info));
        if (strcmp(info.op, "concat") && strcmp(info.op, "slice")) continue;
        assert_string_equal(info.kernel, "alias");
        assert_true(info.bytes == 0);
        aliases++;
    }
    assert_true(aliases >= 3 * LAYERS);
    assert_int_equal(t.p->steps, plain.p->steps);
    assert_true(t.p->arena_bytes < 0.9 * plain.p->arena_bytes);
    learner_stop(&t);
    learner_stop(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_are_where_they_must_be), cmocka_unit_test(no_bit_depends_on_it), cmocka_unit_test(parts_lie_apart),
        cmocka_unit_test(gradients_keep_their_bits), cmocka_unit_test(dense_blocks_copy_nothing),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
