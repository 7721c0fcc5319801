/* conv_weight_wide_test.c: the weight gradient of filters larger than the images, of every instruction set that this CPU has: that
 * the shapes here take that path, that it is what the definition says for any layout, that its bits depend on neither team nor gaps,
 * and that a number reaches the taps that read it and no other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../support/conv_problem.h"

/* -- Geometries ------------------------------------------------------------------------------------------------ */

/* As few pixels and channels as the path takes, so that the definition is soon done. */
static const ex_conv_shape wide_shapes[] = {
    SQUARE(64, 65, 2, 200, 3, 1, 1, 1, 1), SQUARE(130, 64, 1, 128, 3, 1, 1, 1, 1), SQUARE(101, 67, 2, 129, 3, 1, 1, 1, 1),
    SQUARE(32, 64, 4, 128, 3, 2, 1, 1, 1),
    { .n = 7, .ci = 40, .h = 9, .w = 7, .co = 200, .kh = 3, .kw = 3, .groups = 1,
      .stride = { 2, 2 }, .padding = { 1, 1 }, .dilation = { 1, 1 } },
    SQUARE(9, 256, 8, 256, 1, 2, 0, 1, 1), SQUARE(9, 256, 5, 256, 1, 2, 1, 1, 1), SQUARE(8, 512, 8, 200, 1, 2, 0, 1, 1),
    SQUARE(32, 260, 2, 300, 1, 1, 0, 1, 1), SQUARE(32, 300, 2, 260, 1, 1, 0, 1, 1),
    SQUARE(3, 40, 7, 100, 5, 1, 4, 2, 1),                           /* 5 taps, 2 apart */
    SQUARE(9, 65, 4, 130, 3, 1, 7, 7, 1),                           /* of 9 taps one is ever inside */
    SQUARE(5, 130, 6, 129, 3, 1, 1, 1, 1), SQUARE(1, 48, 12, 160, 3, 1, 1, 1, 1),
    SQUARE(2, 65, 20, 130, 3, 1, 1, 1, 1),                          /* some rows at a time */
    { .n = 1, .ci = 64, .h = 5, .w = 100, .co = 128, .kh = 3, .kw = 3, .groups = 1,
      .stride = { 1, 1 }, .padding = { 1, 1 }, .dilation = { 1, 1 } },
    { .n = 2, .ci = 64, .h = 2, .w = 256, .co = 128, .kh = 3, .kw = 3, .groups = 1,
      .stride = { 1, 1 }, .padding = { 1, 1 }, .dilation = { 1, 1 } },
    { .n = 13, .ci = 70, .h = 5, .w = 3, .co = 170, .kh = 3, .kw = 2, .groups = 1,
      .stride = { 1, 2 }, .padding = { 2, 1 }, .dilation = { 2, 1 } },
    SQUARE(32, 300, 2, 260, 3, 1, 1, 1, 1), SQUARE(32, 200, 2, 780, 3, 1, 1, 1, 1),
};
enum { WIDE_SHAPES = sizeof wide_shapes / sizeof *wide_shapes };

/* One thing each that keeps a shape from it: groups, wide rows, few pixels, few output channels, few panels, a small filter, a
 * plain 1x1 filter that is smaller than the images. */
static const ex_conv_shape other_shapes[] = {
    SQUARE(64, 128, 2, 256, 3, 1, 1, 1, 2), SQUARE(1, 64, 257, 128, 3, 1, 1, 1, 1), SQUARE(31, 65, 2, 200, 3, 1, 1, 1, 1),
    SQUARE(64, 1024, 2, 24, 3, 1, 1, 1, 1), SQUARE(64, 36, 2, 2048, 1, 1, 1, 1, 1), SQUARE(64, 32, 2, 128, 3, 1, 1, 1, 1),
    SQUARE(64, 256, 4, 256, 1, 1, 0, 1, 1),
};
enum { OTHER_SHAPES = sizeof other_shapes / sizeof *other_shapes };

/* -- Who takes the path ------------------------------------------------------------------------------------------ */

typedef struct wide_kernels {
    const char *isa;
    int (*pays)(const ex_conv_shape *s);
    int32_t (*shares)(const ex_conv_shape *s);
    size_t (*scratch)(const ex_conv_shape *s, int32_t threads);
    void (*sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team, void *scratch);
} wide_kernels;

#define DECLARE(ISA) int ex_conv_weight_wide_pays_##ISA(const ex_conv_shape *s); \
    int32_t ex_conv_weight_wide_shares_##ISA(const ex_conv_shape *s); \
    size_t ex_conv_weight_wide_scratch_##ISA(const ex_conv_shape *s, int32_t threads); \
    void ex_conv_weight_wide_##ISA(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team, void *scratch);
#define OF_ISA(ISA) { #ISA, ex_conv_weight_wide_pays_##ISA, ex_conv_weight_wide_shares_##ISA, ex_conv_weight_wide_scratch_##ISA, \
    ex_conv_weight_wide_##ISA }
DECLARE(portable)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
static const wide_kernels all_kernels[] = { OF_ISA(portable), OF_ISA(avx2), OF_ISA(avx512) };
#else
static const wide_kernels all_kernels[] = { OF_ISA(portable) };
#endif

static const wide_kernels *current(void)
{
    size_t k = 0;
    while (strcmp(all_kernels[k].isa, ex_kernels_current()->conv->name) != 0) k++;
    return &all_kernels[k];
}

/* A 1x1 filter's gradient may be taken with both operands in each other's place. */
static ex_conv_shape exchanged(const ex_conv_shape *s)
{
    ex_conv_shape f = *s;
    f.ci = s->co;
    f.co = s->ci;
    f.h = s->oh;
    f.w = s->ow;
    f.stride[0] = f.stride[1] = 1;
    return f;
}

enum { MARK = 0xa5 };

/* Whether the table's gradient of `p` leaves in its scratch, behind the sums, byte for byte what this path leaves there for the shape f of
 * its operands x and dy. */
static int leaves_the_copies(problem *p, const ex_conv_shape *f, ex_conv_image x, ex_conv_image dy)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    const size_t sums = (p->w.size * (size_t)current()->shares(f) + 15) / 16 * 16 * sizeof(float), copies = current()->scratch(f, 1);
    const size_t all = k->scratch(EX_CONV_GRAD_WEIGHT, &p->s, 1);
    if (all < sums + copies) return 0;
    char *theirs = aligned_alloc(64, (all + 63) / 64 * 64), *own = aligned_alloc(64, (sums + copies + 63) / 64 * 64);
    memset(theirs, MARK, all);
    memset(own, MARK, sums + copies);
    k->grad_weight(p->wf, p->xi, p->yi, &p->s, NULL, theirs);
    current()->sums((float *)(void *)own, x, dy, f, NULL, own + sums);
    int marks = 1;
    for (size_t i = 0; i < copies && marks; i++) marks = (unsigned char)own[sums + i] == MARK;
    const int same = !marks && !memcmp(theirs + sums, own + sums, copies);
    free(theirs);
    free(own);
    return same;
}

/* Whether the shape takes the path: the rule says so, and the table's scratch tells. */
static int takes(const ex_conv_shape *s)
{
    if (!current()->pays(s)) return 0;
    problem p = problem_pose(s, 0, 0);
    const int here = leaves_the_copies(&p, s, p.xi, p.yi);
    problem_dispose(&p);
    return here;
}

static int takes_either_way(const ex_conv_shape *s)
{
    const ex_conv_shape f = exchanged(s);
    if (takes(s)) return 1;
    if (s->kh * s->kw > 1 || s->padding[0] || s->padding[1] || !current()->pays(&f)) return 0;
    problem p = problem_pose(s, 0, 0);
    const ex_conv_image read = { p.xi.data, p.xi.image, p.xi.row * s->stride[0], p.xi.pixel * s->stride[1] };
    const int here = leaves_the_copies(&p, &f, p.yi, read);
    problem_dispose(&p);
    return here;
}

/* Images are shared out where a filter has few regions, which only those of the largest tiles can be. */
static void who_takes_it(void)
{
    int32_t alone = 0, several = 0;
    for (uint32_t i = 0; i < WIDE_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(wide_shapes[i]);
        if (!takes_either_way(&s)) conv_describe("not on the wide path", i, &s, 0);
        assert_true(takes_either_way(&s));
        if (!takes(&s)) continue;
        alone += current()->shares(&s) == 1;
        several += current()->shares(&s) > 1;
    }
    assert_true(alone > 2 && (several > 2 || strcmp(current()->isa, "avx512") != 0));
    for (uint32_t i = 0; i < OTHER_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(other_shapes[i]);
        if (takes_either_way(&s)) conv_describe("on the wide path", i, &s, 0);
        assert_false(takes_either_way(&s));
    }
}

/* Fewer images than were planned for may go another way: none needs more than the plan's scratch, whatever the team. The last shapes
 * once did: many images of one pixel in a padded strip, and filters smaller than all images but not than a few. */
static void room(void)
{
    static const ex_conv_shape more[] = { SQUARE(128, 512, 1, 512, 3, 1, 1, 1, 1), SQUARE(128, 1024, 4, 2048, 1, 1, 0, 1, 1),
                                          SQUARE(64, 1024, 4, 256, 1, 1, 0, 1, 1), SQUARE(64, 2048, 7, 512, 1, 1, 0, 1, 1) };
    static const int32_t threads[] = { 1, 2, 16, 64 };
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    for (uint32_t i = 0; i < WIDE_SHAPES + 4; i++)
        for (int t = 0; t < 4; t++) {
            const ex_conv_shape s = conv_finish(i < WIDE_SHAPES ? wide_shapes[i] : more[i - WIDE_SHAPES]);
            const size_t planned = k->scratch(EX_CONV_GRAD_WEIGHT, &s, threads[t]);
            for (ex_conv_shape few = s; few.n > 0; few.n--) {
                const size_t sums = (size_t)s.kh * (size_t)s.kw * (size_t)s.ci * (size_t)s.co * (size_t)current()->shares(&few) * sizeof(float);
                if (current()->pays(&few)) assert_true(sums + current()->scratch(&few, threads[t]) <= planned);
                assert_true(k->scratch(EX_CONV_GRAD_WEIGHT, &few, threads[t]) <= planned);
            }
        }
}

/* -- What it makes --------------------------------------------------------------------------------------------------- */

/* With gaps or without, in both layouts of the filter. */
static void definition(void)
{
    for (uint32_t i = 0; i < WIDE_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(wide_shapes[i]);
        problem want = problem_pose(&s, 0, 0);
        problem_define(&want, EX_CONV_GRAD_WEIGHT, 0);
        for (int k = 0; k < 4; k++) {
            problem p = problem_pose(&s, k & 1 ? 3 : 0, k >> 1);
            problem_solve(&p, EX_CONV_GRAD_WEIGHT, conv_pair, 0);
            const double error = conv_filter_error(&want.w, p.wf, &s, (double)s.n * s.oh * s.ow);
            if (!(error < ROUNDING)) conv_describe("wide weight gradient", i, &s, error);
            assert_true(error < ROUNDING);
            problem_dispose(&p);
        }
        problem_dispose(&want);
    }
}

static void bits(void)
{
    ex_team *five = ex_team_new(5), *const teams[] = { conv_pair, conv_three, five };
    for (uint32_t i = 0; i < WIDE_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(wide_shapes[i]);
        problem want = problem_pose(&s, 0, i % 2), p = problem_pose(&s, 5, i % 2);
        problem_solve(&want, EX_CONV_GRAD_WEIGHT, NULL, 0);
        for (int k = 0; k < 3; k++) {
            memset(p.wf.data, 0xff, p.w.size * sizeof(float));
            problem_solve(&p, EX_CONV_GRAD_WEIGHT, teams[k], 0);
            if (memcmp(want.wf.data, p.wf.data, p.w.size * sizeof(float))) conv_describe("bits of a team", i, &s, k);
            assert_memory_equal(want.wf.data, p.wf.data, p.w.size * sizeof(float));
        }
        problem_dispose(&p);
        problem_dispose(&want);
    }
    ex_team_free(five);
}

/* Whether the tap `tap` of axis `axis` reads input `at`, or, where `of_gradient`, what output `at` is multiplied by. */
static int reads(const ex_conv_shape *s, int axis, int32_t tap, int32_t at, int of_gradient)
{
    const int32_t in = axis ? s->w : s->h, out = axis ? s->ow : s->oh, from = tap * s->dilation[axis] - s->padding[axis];
    if (of_gradient) return at * s->stride[axis] + from >= 0 && at * s->stride[axis] + from < in;
    for (int32_t k = 0; k < out; k++)
        if (k * s->stride[axis] + from == at) return 1;
    return 0;
}

/* NaN where a tap reads it, and the bits of `clean` elsewhere. h, w: a pixel of x, or of dy where `of_gradient`. */
static void check_reach(uint32_t i, const problem *p, const float *clean, int of_gradient, int32_t h, int32_t w, int32_t channel)
{
    const ex_conv_shape *s = &p->s;
    int32_t wrong = 0;
    for (int32_t kh = 0; kh < s->kh; kh++) for (int32_t kw = 0; kw < s->kw; kw++) {
        const int here = reads(s, 0, kh, h, of_gradient) && reads(s, 1, kw, w, of_gradient);
        for (int32_t c = 0; c < s->ci; c++) for (int32_t o = 0; o < s->co; o++) {
            const ptrdiff_t at = kh * p->wf.row + kw * p->wf.col + c * p->wf.in + o * p->wf.out;
            if (here && (of_gradient ? o : c) == channel) wrong += !isnan(p->wf.data[at]);
            else wrong += float_bits(p->wf.data[at]) != float_bits(clean[at]);
        }
    }
    if (wrong) conv_describe(of_gradient ? "reach of a NaN in dy" : "reach of a NaN in x", i, s, wrong);
    assert_int_equal(wrong, 0);
}

/* In the last pixel and channel of the last image, then in one amid the first. */
static void reach(void)
{
    for (uint32_t i = 0; i < WIDE_SHAPES; i++) {
        const ex_conv_shape s = conv_finish(wide_shapes[i]);
        problem p = problem_pose(&s, 0, i % 2);
        problem_solve(&p, EX_CONV_GRAD_WEIGHT, conv_pair, 0);
        float *clean = malloc(p.w.size * sizeof *clean);
        memcpy(clean, p.wf.data, p.w.size * sizeof *clean);
        for (int k = 0; k < 4; k++) {
            const int of_gradient = k & 1, amid = k >> 1;
            const int32_t height = of_gradient ? s.oh : s.h, width = of_gradient ? s.ow : s.w, channels = of_gradient ? s.co : s.ci;
            const int32_t h = amid ? height / 2 : height - 1, w = amid ? width / 2 : width - 1, c = amid ? channels / 2 : channels - 1;
            float *number = pixel_at(of_gradient ? p.yi : p.xi, amid ? 0 : s.n - 1, h, w, c);
            const float kept = *number;
            *number = NAN;
            problem_solve(&p, EX_CONV_GRAD_WEIGHT, conv_pair, 0);
            *number = kept;
            check_reach(i, &p, clean, of_gradient, h, w, c);
        }
        free(clean);
        problem_dispose(&p);
    }
}

static void the_shapes_that_take_it(void **state) { (void)state; isa_each(who_takes_it); }
static void there_is_room_for_fewer_images(void **state) { (void)state; isa_each(room); }
static void the_definition(void **state) { (void)state; isa_each(definition); }
static void the_bits_of_any_team(void **state) { (void)state; isa_each(bits); }
static void the_reach_of_a_number(void **state) { (void)state; isa_each(reach); }

int main(void)
{
    conv_teams_make();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shapes_that_take_it), cmocka_unit_test(there_is_room_for_fewer_images),
        cmocka_unit_test(the_definition), cmocka_unit_test(the_bits_of_any_team),
        cmocka_unit_test(the_reach_of_a_number),
    };
    const int failed = cmocka_run_group_tests_name("wide weight gradients", tests, NULL, NULL);
    conv_teams_free();
    return failed;
}
