/* pixels_test.c: pixels a multiple of 4 KB apart get a line between them, where nobody outside or without strides reads them; there
 * is room for that; and no bit depends on it, whatever the team, the chains, the parts and the kernels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/graph_build.h"

enum { BATCH = 19, WIDE = 1024, LINE = 16, VALUES = 1 << 20 };

/* -- Graphs of one case each ---------------------------------------------------------------------------------- */

static int32_t images(ex_graph *g) { return add_input(g, "images", LIST(EX_BATCH, 3, 3, 2)); }
static int32_t absolute(ex_graph *g, const char *name, int32_t x) { return add_node(g, name, "abs", LIST(x)); }

/* Of 1024 and 2048 channels, not of 1000 or 1040. */
static void channels(drawing *d)
{
    int32_t a = add_conv(d->g, "a", images(d->g), WIDE, 1, 1), b = add_conv(d->g, "b", absolute(d->g, "aa", a), 1000, 1, 1);
    int32_t c = add_conv(d->g, "c", absolute(d->g, "bb", b), 2 * WIDE, 1, 1), e = add_conv(d->g, "e", absolute(d->g, "cc", c), 1040, 1, 1);
    give(d, add_conv(d->g, "f", absolute(d->g, "ee", e), 5, 3, 1));
}

/* One pixel has no neighbours; two have. */
static void maps(drawing *d)
{
    const ex_attr row = { "kernel", 2, { 3, 1 } }, both = { "kernel", 2, { 3, 2 } };
    int32_t x = add_conv(d->g, "a", images(d->g), WIDE, 1, 1);
    give(d, absolute(d->g, "r", add_node_with(d->g, "two", "max_pool2d", LIST(x), 1, &row)));
    give(d, absolute(d->g, "s", add_node_with(d->g, "one", "avg_pool2d", LIST(x), 1, &both)));
    give(d, add_node(d->g, "pool", "global_avg_pool", LIST(x)));
}

/* What is asked for, itself or by another name, is read outside; an input lies as it was given. */
static void roots(drawing *d)
{
    int32_t in = add_input(d->g, "wide", LIST(EX_BATCH, WIDE, 3, 2)), a = add_conv(d->g, "a", images(d->g), WIDE, 1, 1);
    int32_t b = add_node(d->g, "b", "add", LIST(in, a)), c = absolute(d->g, "c", b);
    give(d, a);
    give(d, add_node(d->g, "drop", "dropout", LIST(c)));
    give(d, absolute(d->g, "e", c));
}

/* The mean over all that a value holds wants it without gaps; what is flat is a copy. */
static void solid(drawing *d)
{
    int32_t a = add_conv(d->g, "a", images(d->g), WIDE, 1, 1), b = add_conv(d->g, "b", a, WIDE, 1, 1), c = absolute(d->g, "c", b);
    give(d, add_node(d->g, "mean", "mean", LIST(b)));
    give(d, add_linear(d->g, "l", add_node(d->g, "flat", "flatten", LIST(c)), 3));
    give(d, add_node(d->g, "sum", "sum", LIST(add_node(d->g, "drop", "dropout", LIST(c)))));
}

/* The activations lie over their inputs, the sum over one of its terms. */
static void in_place(drawing *d)
{
    int32_t x = add_conv(d->g, "a", images(d->g), WIDE, 1, 1), y = add_node(d->g, "s", "silu", LIST(absolute(d->g, "u", x)));
    int32_t z = add_node(d->g, "z", "add_n", LIST(add_conv(d->g, "b", y, WIDE, 3, WIDE), absolute(d->g, "v", y)));
    give(d, add_conv(d->g, "e", add_node(d->g, "t", "silu", LIST(z)), 4, 1, 1));
}

/* Of a whole that is set apart, and of one that is not; a slice of one that is, and one that would be. */
static void parts(drawing *d)
{
    int32_t a = add_conv(d->g, "a", images(d->g), 24, 1, 1), b = add_conv(d->g, "b", a, 1000, 1, 1);
    int32_t ab = add_node(d->g, "ab", "concat", LIST(a, b)), c = add_conv(d->g, "c", ab, WIDE, 1, 1);
    int32_t ca = add_node(d->g, "ca", "concat", LIST(c, absolute(d->g, "aa", a)));
    const ex_attr few[] = { { "axis", 1, { 1 } }, { "start", 1, { 3 } }, { "count", 1, { 40 } }, { "step", 1, { 1 } } };
    const ex_attr many[] = { { "axis", 1, { 1 } }, { "start", 1, { 8 } }, { "count", 1, { WIDE } }, { "step", 1, { 1 } } };
    give(d, add_conv(d->g, "e", add_node_with(d->g, "few", "slice", LIST(ab), 4, few), 5, 3, 1));
    give(d, add_conv(d->g, "f", add_node_with(d->g, "many", "slice", LIST(ca), 4, many), 5, 1, 1));
}

/* By Winograd's kernels, depthwise, strided, and read by all that pool, normalise and scale. */
static void readers(drawing *d)
{
    const ex_attr two[] = { { "kernel", 1, { 2 } }, { "stride", 1, { 1 } } };
    int32_t x = absolute(d->g, "x", add_conv(d->g, "a", images(d->g), WIDE, 1, 1));
    give(d, add_conv(d->g, "w", absolute(d->g, "xx", x), 8, 3, 1));
    give(d, add_conv(d->g, "f", add_conv(d->g, "dw", x, WIDE, 3, WIDE), 3, 1, 1));
    int32_t y = add_node_with(d->g, "m", "max_pool2d", LIST(add_norm(d->g, "n", absolute(d->g, "y", x))), 2, two);
    y = add_node(d->g, "scaled", "scale_channels", LIST(y, add_node(d->g, "pool", "global_avg_pool", LIST(y))));
    give(d, add_node(d->g, "sums", "channel_sum", LIST(y)));
    give(d, add_node(d->g, "last", "global_avg_pool", LIST(y)));
}

/* apart, dense: values that have a line between their pixels in inference, and that have none. */
static const struct { const char *name; void (*draw)(drawing *d); const char *apart, *dense; } cases[] = {
    { "channels", channels, "a aa c cc", "b bb e ee f" }, { "maps", maps, "a two", "one r s" },
    { "roots", roots, "b c drop", "wide a e" }, { "solid", solid, "a c", "b flat drop" }, { "in place", in_place, "a u s v z t", "e" },
    { "parts", parts, "a b ab few", "c aa ca many" }, { "readers", readers, "x a xx dw y n m scaled", "w" },
};
enum { CASES = sizeof cases / sizeof *cases };

/* -- Plans ---------------------------------------------------------------------------------------------------- */

/* Without what makes one node of several, so that each name of a case is there. */
#define ALONE "-fuse_conv,-fold_bn,-fold_affine,-merge"

static ex_plan *plan_of(drawing *d, int k, const char *passes, int training, ex_team *team)
{
    *d = (drawing){ .g = ex_graph_new() };
    cases[k].draw(d);
    ex_plan *p = plan_for(d->g, d->outputs, d->out, 0, NULL, BATCH, training, passes, team);
    bind_random(p, "images", LIST(BATCH, 3, 3, 2));
    bind_random(p, "wide", LIST(BATCH, WIDE, 3, 2));
    return p;
}

static void drop(ex_plan *p, drawing *d)
{
    ex_plan_free(p);
    ex_graph_free(d->g);
}

/* Floats from the last channel of a pixel to the first one of the next, or, of a part, of its group. */
static ptrdiff_t gap_of(const ex_plan *p, int32_t value)
{
    const int32_t group = p->place[value].group;
    const ex_shape *s = &p->graph->value[group].shape;
    return s->ndim == 4 ? p->place[value].stride[3] - s->dim[1] : 0;
}

static void expect_gaps(const ex_plan *p, const char *names, ptrdiff_t gap)
{
    char text[128];
    snprintf(text, sizeof text, "%s", names);
    for (char *name = strtok(text, " "); name; name = strtok(NULL, " ")) {
        const int32_t v = ex_graph_find(p->graph, name);
        if (v == EX_NONE) fail_msg("no value is named %s", name);
        if (gap_of(p, v) != gap) fail_msg("%s has gaps of %d floats, not %d", name, (int)gap_of(p, v), (int)gap);
    }
}

static void what_is_set_apart(void **state)
{
    (void)state;
    for (int k = 0; k < CASES; k++) {
        drawing d;
        ex_plan *p = plan_of(&d, k, ALONE, 0, NULL);
        expect_gaps(p, cases[k].apart, LINE);
        expect_gaps(p, cases[k].dense, 0);
        drop(p, &d);
        p = plan_of(&d, k, ALONE ",-pixels", 0, NULL);
        expect_gaps(p, cases[k].apart, 0);
        expect_gaps(p, cases[k].dense, 0);
        drop(p, &d);
    }
}

/* What would be set apart lies with its neighbours in a concat, whatever they are; copied, it has a place of its own. */
static void parts_lie_in_their_whole(void **state)
{
    (void)state;
    enum { PARTS = 5 };
    drawing d;
    ex_plan *p = plan_of(&d, PARTS, ALONE, 0, NULL);
    assert_int_equal(p->place[ex_graph_find(p->graph, "c")].stride[3], WIDE + 24);
    assert_int_equal(p->place[ex_graph_find(p->graph, "a")].stride[3], WIDE + LINE);
    drop(p, &d);
    p = plan_of(&d, PARTS, ALONE ",-parts", 0, NULL);
    expect_gaps(p, "ab c many", LINE);
    expect_gaps(p, "a b aa ca few", 0);
    drop(p, &d);
}

static void the_environment_switches_it_off(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        drawing d;
        setenv("EXEUNT_PASSES", off ? ALONE ",-pixels" : ALONE, 1);
        ex_plan *p = plan_of(&d, 0, NULL, 0, NULL);
        unsetenv("EXEUNT_PASSES");
        expect_gaps(p, cases[0].apart, off ? 0 : LINE);
        drop(p, &d);
    }
}

/* A value's last float, of all its images or of a chain's piece, lies in the memory of its group. */
static void there_is_room_for_the_gaps(void **state)
{
    (void)state;
    int32_t apart = 0;
    for (int run = 0; run < CASES * 2 * 2; run++) {
        drawing d;
        ex_plan *p = plan_of(&d, run % CASES, run / CASES % 2 ? "-chain" : NULL, run / CASES / 2, NULL);
        for (int32_t v = 0; v < p->graph->values; v++) {
            const ex_value *value = &p->graph->value[v];
            const ex_place *at = &p->place[v], *group = &p->place[at->group];
            if (value->tensor || !ex_value_is_batched(value) || group->first < 0 || p->graph->value[at->group].tensor) continue;
            ptrdiff_t last = at->start;
            for (int32_t k = 1; k < value->shape.ndim; k++) last += (value->shape.dim[k] - 1) * at->stride[k];
            const int32_t n = group->chain == EX_NONE ? BATCH : p->chain[group->chain].images;
            assert_true((size_t)(last + (n - 1) * at->stride[0] + 1) * ex_dtype_size(value->shape.dtype) <= group->bytes);
            apart += value->shape.ndim == 4 && gap_of(p, v) == LINE;
        }
        drop(p, &d);
    }
    assert_true(apart > 20);
}

static void no_bit_depends_on_it(void **state)
{
    (void)state;
    static float with[VALUES], without[VALUES];
    static const char *const also[] = { "", ",-chain", ",-in_place", ",-parts" };
    const char *isa[] = { ex_isa_name(), "portable" };
    for (int run = 0; run < CASES * 4 * 2 * 2 * 2; run++) {
        const int k = run % CASES, other = run / CASES % 4, training = run / CASES / 4 % 2, threads = 1 + run / CASES / 8 % 2;
        const int32_t n = run % 3 ? BATCH : 2;
        char passes[64];
        snprintf(passes, sizeof passes, "-pixels%s", also[other]);
        OK(ex_isa_select(isa[run / CASES / 16]));
        ex_team *team = ex_team_new(threads);
        drawing d, plain;
        ex_plan *p = plan_of(&d, k, other ? also[other] + 1 : "", training, team), *q = plan_of(&plain, k, passes, training, team);
        for (int times = 0; times < 2; times++) {           /* the second run finds what the first one left in memory */
            const int32_t a = numbers_of(p, &d, n, with, VALUES), b = numbers_of(q, &plain, n, without, VALUES);
            if (a != b || memcmp(with, without, sizeof *with * (size_t)a))
                fail_msg("%s differs (%s, %d threads, training %d)", cases[k].name, passes, threads, training);
        }
        drop(p, &d);
        drop(q, &plain);
        ex_team_free(team);
    }
    OK(ex_isa_select(isa[0]));
}

/* -- Bottlenecks, trained ----------------------------------------------------------------------------------------- */

enum { IMAGES = 24, MANY = 240 };           /* of 1024 x 6 x 6 floats; many: enough to be staged */

/* images (N,3,6,6): one bottleneck with a shortcut, one that strides. */
static ex_graph *bottlenecks(void)
{
    ex_graph *g = ex_graph_new();
    const ex_attr two = { "kernel", 1, { 2 } };
    int32_t x = add_conv(g, "stem", add_input(g, "images", LIST(EX_BATCH, 3, 6, 6)), WIDE, 1, 1);
    x = add_node(g, "stem.relu", "relu", LIST(add_norm(g, "stem.bn", x)));
    int32_t y = add_node(g, "a.relu", "relu", LIST(add_norm(g, "a.bn", add_conv(g, "a", x, 8, 1, 1))));
    y = add_node(g, "b.relu", "relu", LIST(add_norm(g, "b.bn", add_conv(g, "b", y, 8, 3, 1))));
    y = add_norm(g, "c.bn", add_conv(g, "c", y, WIDE, 1, 1));
    x = add_node(g, "sum.relu", "relu", LIST(add_node(g, "sum", "add", LIST(x, y))));
    x = add_node(g, "dw.relu", "relu6", LIST(add_norm(g, "dw.bn", add_conv(g, "dw", x, WIDE, 3, WIDE))));
    x = add_node_with(g, "max", "max_pool2d", LIST(x), 1, &two);
    x = add_linear(g, "fc", add_node(g, "pool", "global_avg_pool", LIST(x)), 3);
    add_node(g, "loss", "softmax_cross_entropy", LIST(x, ex_graph_input(g, "labels", EX_INT32, LIST(EX_BATCH))));
    return g;
}

static learner train(int32_t images, const char *passes, ex_team *team)
{
    ex_graph *g = bottlenecks();
    learner t = learner_start(g, images, passes, team);
    ex_graph_free(g);
    return t;
}

static void gradients_keep_their_bits(void **state)
{
    (void)state;
    static const char *const passes[] = { NULL, "-pixels", "-chain", "-chain,-pixels", "-in_place", "-in_place,-pixels" };
    const char *isa[] = { ex_isa_name(), "portable" };
    for (int run = 0; run < 12; run++) {
        const int k = run % 3 * 2, threads = 1 + run / 3 % 2;
        OK(ex_isa_select(isa[run / 6]));
        ex_team *team = ex_team_new(threads);
        learner with = train(IMAGES, passes[k], team), without = train(IMAGES, passes[k + 1], team);
        for (int times = 0; times < 2; times++) {
            const int32_t n = times ? IMAGES - 5 : IMAGES;
            run_ok(with.p, n, times);
            run_ok(without.p, n, times);
            const char *differs = gradient_that_differs(&with, &without);
            if (differs) fail_msg("%s differs: %s, %d threads, %s", differs, passes[k + 1], threads, ex_isa_name());
        }
        learner_stop(&with);
        learner_stop(&without);
        ex_team_free(team);
    }
    OK(ex_isa_select(isa[0]));
}

/* Chains write what they leave behind past the caches, gaps and all, and the arena grows by the gaps alone. */
static void what_is_set_apart_is_staged(void **state)
{
    (void)state;
    learner with = train(MANY, NULL, NULL), without = train(MANY, "-pixels", NULL);
    int32_t staged = 0;
    for (int32_t v = 0; v < with.p->graph->values; v++) {
        const ex_place *at = &with.p->place[v];
        if (at->group != v || at->staged == EX_NONE || gap_of(with.p, v) != LINE) continue;
        staged++;
        assert_int_equal(without.p->place[v].staged, at->staged);
        assert_true(at->bytes == ex_plan_value_bytes(with.p, v) / WIDE * (WIDE + LINE));
    }
    assert_true(staged > 0);
    assert_int_equal(with.p->steps, without.p->steps);
    assert_true(with.p->arena_bytes > without.p->arena_bytes);
    assert_true((double)with.p->arena_bytes <= (double)without.p->arena_bytes * (WIDE + LINE) / WIDE + 4096);
    learner_stop(&with);
    learner_stop(&without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_set_apart), cmocka_unit_test(parts_lie_in_their_whole), cmocka_unit_test(the_environment_switches_it_off),
        cmocka_unit_test(there_is_room_for_the_gaps), cmocka_unit_test(no_bit_depends_on_it), cmocka_unit_test(gradients_keep_their_bits),
        cmocka_unit_test(what_is_set_apart_is_staged),
    };
    return cmocka_run_group_tests_name("pixels", tests, NULL, NULL);
}
