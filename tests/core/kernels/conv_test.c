/* conv_test.c: the convolution kernels of every instruction set that this CPU has: by hand, against the definition over
 * generated geometries; and Winograd's, with a bound of their own, and the promises about bits: the same for any team, batch
 * and position, and for any epilogue. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../../core/base/memory.h"
#include "../../../core/base/random.h"
#include "../../../core/kernels/kernels.h"
#include "../../support/naive_conv.h"

enum { MAX_CASES = 400 };
/* As many as there are activations, with and without bias, without residual, with one apart and in place. */
enum { EPILOGUES = 60 };
#define ROUNDING 1.2e-7

/* -- Geometries ----------------------------------------------------------------------------------------- */

static ex_conv_shape finish(ex_conv_shape s)
{
    s.oh = (s.h + 2 * s.padding[0] - s.dilation[0] * (s.kh - 1) - 1) / s.stride[0] + 1;
    s.ow = (s.w + 2 * s.padding[1] - s.dilation[1] * (s.kw - 1) - 1) / s.stride[1] + 1;
    return s;
}

static int valid(const ex_conv_shape *s)
{
    return s->h + 2 * s->padding[0] > s->dilation[0] * (s->kh - 1) && s->w + 2 * s->padding[1] > s->dilation[1] * (s->kw - 1);
}

#define SQUARE(N, CI, H, CO, K, S, P, D, G) \
    { .n = (N), .ci = (CI), .h = (H), .w = (H), .co = (CO), .kh = (K), .kw = (K), .groups = (G), .stride = { S, S }, .padding = { P, P }, \
      .dilation = { D, D } }

/* The shapes of real networks first, then what random ones seldom hit. */
static const ex_conv_shape fixed[] = {
    SQUARE(3, 1, 28, 32, 3, 1, 1, 1, 1), SQUARE(2, 32, 28, 32, 3, 1, 1, 1, 1), SQUARE(2, 64, 14, 64, 3, 1, 1, 1, 1),
    SQUARE(2, 128, 7, 128, 3, 1, 1, 1, 1), SQUARE(2, 3, 32, 16, 3, 1, 1, 1, 1), SQUARE(2, 16, 32, 32, 3, 2, 1, 1, 1),
    SQUARE(2, 16, 32, 32, 1, 2, 0, 1, 1), SQUARE(3, 1, 28, 6, 5, 1, 2, 1, 1), SQUARE(3, 6, 14, 16, 5, 1, 0, 1, 1),
    SQUARE(1, 3, 64, 64, 7, 2, 3, 1, 1), SQUARE(3, 64, 4, 40, 1, 1, 0, 1, 1), SQUARE(2, 64, 14, 64, 3, 1, 1, 1, 64),
    SQUARE(2, 33, 9, 33, 3, 2, 1, 1, 33), SQUARE(2, 70, 12, 70, 5, 2, 2, 1, 70), SQUARE(2, 24, 8, 48, 3, 1, 1, 1, 24),
    SQUARE(2, 32, 8, 32, 3, 1, 1, 1, 4), SQUARE(2, 16, 10, 16, 3, 1, 2, 2, 1), SQUARE(2, 8, 10, 8, 3, 2, 2, 2, 8),
    SQUARE(2, 8, 3, 8, 3, 1, 4, 1, 1), SQUARE(1, 4, 9, 4, 2, 3, 0, 1, 1), SQUARE(2, 5, 1, 7, 1, 1, 0, 1, 1),
    SQUARE(1, 200, 40, 8, 3, 1, 1, 1, 1), SQUARE(1, 16, 64, 16, 3, 1, 1, 1, 1), SQUARE(40, 4, 5, 4, 3, 1, 1, 1, 1),
    { .n = 1, .ci = 20, .h = 1, .w = 129, .co = 10, .kh = 1, .kw = 1, .groups = 1, .stride = { 1, 1 }, .dilation = { 1, 1 } },
    { .n = 2, .ci = 4, .h = 17, .w = 1, .co = 4, .kh = 3, .kw = 1, .groups = 1, .stride = { 1, 1 }, .padding = { 1, 0 }, .dilation = { 1, 1 } },
    { .n = 2, .ci = 4, .h = 6, .w = 9, .co = 6, .kh = 1, .kw = 7, .groups = 2, .stride = { 2, 3 }, .padding = { 0, 3 }, .dilation = { 1, 1 } },
    SQUARE(2, 3, 12, 6, 5, 1, 2, 1, 1), SQUARE(2, 6, 12, 5, 3, 1, 1, 1, 1), SQUARE(2, 16, 32, 16, 3, 1, 1, 1, 1),
    SQUARE(2, 1, 12, 2, 3, 1, 1, 1, 1), SQUARE(2, 96, 7, 24, 1, 1, 0, 1, 1), SQUARE(2, 24, 9, 144, 1, 1, 0, 1, 1),
    SQUARE(2, 40, 9, 10, 1, 2, 0, 1, 1), SQUARE(2, 16, 11, 7, 3, 1, 1, 1, 1), SQUARE(2, 57, 5, 8, 1, 1, 0, 1, 1),
    { .n = 2, .ci = 3, .h = 9, .w = 12, .co = 4, .kh = 3, .kw = 5, .groups = 1, .stride = { 2, 1 }, .padding = { 1, 2 }, .dilation = { 1, 1 } },
};

static int32_t draw(uint32_t i, uint32_t k, int32_t low, int32_t high)
{
    uint32_t r[4];
    ex_random4(r, 7, 1, i, k, 0);
    return low + (int32_t)(r[0] % (uint32_t)(high - low + 1));
}

static ex_conv_shape geometry(uint32_t i)
{
    const uint32_t n = sizeof fixed / sizeof *fixed;
    if (i < n) return finish(fixed[i]);
    for (uint32_t k = 0;; k += 16) {
        const int32_t group_ci[] = { 1, 1, 1, 2, 3, 4, 17 }, kind = draw(i, k, 0, 9);
        ex_conv_shape s = {
            .n = draw(i, k + 1, 1, 5), .h = draw(i, k + 2, 1, 19), .w = draw(i, k + 3, 1, 35), .kh = draw(i, k + 4, 1, 5),
            .kw = draw(i, k + 5, 1, 5), .stride = { draw(i, k + 6, 1, 3), draw(i, k + 7, 1, 3) },
            .padding = { draw(i, k + 8, 0, 3), draw(i, k + 9, 0, 3) }, .dilation = { draw(i, k + 10, 1, 3), draw(i, k + 11, 1, 2) },
        };
        s.groups = kind < 6 ? 1 : kind < 8 ? draw(i, k + 12, 2, 4) : draw(i, k + 12, 2, 40);
        s.ci = s.groups * (kind < 6 ? draw(i, k + 13, 1, 37) : kind < 8 ? group_ci[draw(i, k + 13, 0, 6)] : 1);
        s.co = s.groups * (kind < 6 ? draw(i, k + 14, 1, 50) : kind < 8 ? draw(i, k + 14, 1, 19) : 1);
        if (valid(&s)) return finish(s);
    }
}

/* -- Operands ---------------------------------------------------------------------------------------------- */

/* A tensor of doubles that floats hold exactly, and its images or filter as the kernels see them: with gaps in `gap`. */
typedef struct block { double *exact; float *fast; size_t size; } block;

static block make(size_t n, uint32_t stream)
{
    block b = { calloc(n, sizeof(double)), NULL, n };
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        ex_random4(r, 11, stream, (uint32_t)i, 0, 0);
        b.exact[i] = (float)(ex_unit_float(r[0]) * 2 - 1);
    }
    return b;
}

static void drop(block *b) { free(b->exact); free(b->fast); }

/* Channels-last with `gap` floats after each pixel, row and image, filled with NaN: nobody may read or write them. */
static ex_conv_image image_of(block *b, int32_t n, int32_t c, int32_t h, int32_t w, int32_t gap)
{
    ex_conv_image v = { .pixel = c + gap };
    v.row = v.pixel * w + gap;
    v.image = v.row * h + gap;
    const size_t all = (size_t)(v.image * n);
    v.data = b->fast = malloc(all * sizeof(float));
    for (size_t i = 0; i < all; i++) b->fast[i] = NAN;
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < c; j++)
            for (int32_t y = 0; y < h; y++)
                for (int32_t x = 0; x < w; x++)
                    v.data[i * v.image + y * v.row + x * v.pixel + j] = (float)b->exact[(((size_t)i * (size_t)c + (size_t)j) * (size_t)h + (size_t)y) * (size_t)w + (size_t)x];
    return v;
}

static ex_conv_filter filter_of(block *b, const ex_conv_shape *s, int pytorch)
{
    const int32_t ci = s->ci / s->groups;
    ex_conv_filter f = { .out = 1, .in = s->co, .col = (ptrdiff_t)ci * s->co, .row = (ptrdiff_t)s->kw * ci * s->co };
    if (pytorch) f = (ex_conv_filter){ .col = 1, .row = s->kw, .in = (ptrdiff_t)s->kw * s->kh, .out = (ptrdiff_t)s->kw * s->kh * ci };
    f.data = b->fast = malloc(b->size * sizeof(float));
    size_t k = 0;
    for (int32_t o = 0; o < s->co; o++)
        for (int32_t i = 0; i < ci; i++)
            for (int32_t h = 0; h < s->kh; h++)
                for (int32_t w = 0; w < s->kw; w++) f.data[o * f.out + i * f.in + h * f.row + w * f.col] = (float)b->exact[k++];
    return f;
}

/* The largest error; writes into the gaps count as infinite. */
static double image_worst(const block *want, ex_conv_image got, int32_t n, int32_t c, int32_t h, int32_t w)
{
    double worst = 0;
    size_t numbers = 0;
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < c; j++)
            for (int32_t y = 0; y < h; y++)
                for (int32_t x = 0; x < w; x++) {
                    const double e = fabs(got.data[i * got.image + y * got.row + x * got.pixel + j] - want->exact[(((size_t)i * (size_t)c + (size_t)j) * (size_t)h + (size_t)y) * (size_t)w + (size_t)x]);
                    if (!(e <= worst)) worst = e;
                }
    for (ptrdiff_t i = 0; i < got.image * n; i++) numbers += !isnan(got.data[i]);
    return numbers == (size_t)n * (size_t)c * (size_t)h * (size_t)w ? worst : INFINITY;
}

/* The same as a share of the terms in a sum, of which rounding costs a little each. */
static double image_error(const block *want, ex_conv_image got, int32_t n, int32_t c, int32_t h, int32_t w, double terms)
{
    return image_worst(want, got, n, c, h, w) / (terms + 8);
}

static double filter_worst(const block *want, ex_conv_filter got, const ex_conv_shape *s)
{
    double worst = 0;
    size_t k = 0;
    for (int32_t o = 0; o < s->co; o++)
        for (int32_t i = 0; i < s->ci / s->groups; i++)
            for (int32_t h = 0; h < s->kh; h++)
                for (int32_t w = 0; w < s->kw; w++) {
                    const double e = fabs(got.data[o * got.out + i * got.in + h * got.row + w * got.col] - want->exact[k++]);
                    if (!(e <= worst)) worst = e;
                }
    return worst;
}

static double filter_error(const block *want, ex_conv_filter got, const ex_conv_shape *s, double terms)
{
    return filter_worst(want, got, s) / (terms + 8);
}

typedef struct problem {
    ex_conv_shape s;
    block x, w, y, bias;
    ex_conv_image xi, yi;
    ex_conv_filter wf;
    float *b;
    int32_t gap;
} problem;

static problem pose(const ex_conv_shape *s, int32_t gap, int pytorch)
{
    problem p = { .s = *s, .gap = gap };
    p.x = make((size_t)s->n * (size_t)s->ci * (size_t)s->h * (size_t)s->w, 1);
    p.w = make((size_t)s->co * (size_t)(s->ci / s->groups) * (size_t)s->kh * (size_t)s->kw, 2);
    p.y = make((size_t)s->n * (size_t)s->co * (size_t)s->oh * (size_t)s->ow, 3);
    p.bias = make((size_t)s->co, 4);
    p.xi = image_of(&p.x, s->n, s->ci, s->h, s->w, gap);
    p.yi = image_of(&p.y, s->n, s->co, s->oh, s->ow, gap);
    p.wf = filter_of(&p.w, s, pytorch);
    p.b = p.bias.fast = malloc((size_t)s->co * sizeof(float));
    for (int32_t i = 0; i < s->co; i++) p.b[i] = (float)p.bias.exact[i];
    return p;
}

static void dispose(problem *p) { drop(&p->x); drop(&p->w); drop(&p->y); drop(&p->bias); }

/* Runs one direction into what p holds (y, x or w), with scratch that is exactly as large as was asked for. */
static void solve_with(problem *p, ex_conv_direction d, ex_team *team, const ex_conv_epilogue *e)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    const int32_t threads = team ? ex_team_size(team) : 1;
    const size_t bytes = k->scratch(d, &p->s, threads) + (e->moments ? k->moments_scratch(&p->s) : 0) -
                         (p->wf.packed ? k->packed_bytes(d, &p->s) : 0);
    void *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    memset(scratch, 0xff, bytes);           /* NaN: stale scratch shows */
    unsigned char *end = (unsigned char *)scratch + bytes;
    memset(end, 0xa5, 64);
    if (d == EX_CONV_FORWARD) k->forward(p->yi, p->xi, p->wf, e, &p->s, team, scratch);
    else if (d == EX_CONV_GRAD_INPUT) k->grad_input(p->xi, p->yi, p->wf, &p->s, team, scratch);
    else k->grad_weight(p->wf, p->xi, p->yi, &p->s, team, scratch);
    for (int i = 0; i < 64; i++) assert_int_equal(end[i], 0xa5);
    free(scratch);
}

static void solve(problem *p, ex_conv_direction d, ex_team *team, int bias)
{
    solve_with(p, d, team, &(ex_conv_epilogue){ .bias = bias ? p->b : NULL, .bias_step = 1 });
}

static double largest(const block *b)
{
    double most = 0;
    for (size_t i = 0; i < b->size; i++) most = fmax(most, fabs(b->exact[i]));
    return most;
}

static void describe(const char *what, uint32_t i, const ex_conv_shape *s, double error)
{
    print_error("%s, geometry %u: n %d ci %d %dx%d co %d kernel %dx%d groups %d stride %d,%d padding %d,%d dilation %d,%d: error %g\n",
                what, i, s->n, s->ci, s->h, s->w, s->co, s->kh, s->kw, s->groups, s->stride[0], s->stride[1], s->padding[0],
                s->padding[1], s->dilation[0], s->dilation[1], error);
}

static void check_definition(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const char *const names[] = { "forward", "input gradient", "weight gradient" };
    const int32_t ci = s.ci / s.groups;
    const double terms = (double)ci * s.kh * s.kw;
    for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++) {
        problem p = pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
        double error;
        if (d == EX_CONV_FORWARD) {
            naive_conv_forward(p.y.exact, p.x.exact, p.w.exact, i % 5 ? p.bias.exact : NULL, &s);
            solve(&p, d, team, i % 5 != 0);
            error = image_error(&p.y, p.yi, s.n, s.co, s.oh, s.ow, terms);
        } else if (d == EX_CONV_GRAD_INPUT) {
            naive_conv_grad_input(p.x.exact, p.y.exact, p.w.exact, &s);
            solve(&p, d, team, 0);
            error = image_error(&p.x, p.xi, s.n, s.ci, s.h, s.w, terms * s.co / s.ci);
        } else {
            naive_conv_grad_weight(p.w.exact, p.x.exact, p.y.exact, &s);
            solve(&p, d, team, 0);
            error = filter_error(&p.w, p.wf, &s, (double)s.n * s.oh * s.ow);
        }
        if (!(error < ROUNDING)) describe(names[d], i, &s, error);
        assert_true(error < ROUNDING);
        dispose(&p);
    }
}

static void against_definition(ex_team *team)
{
    for (uint32_t i = 0; i < MAX_CASES; i++) check_definition(i, geometry(i), team);
}

/* -- Epilogues -------------------------------------------------------------------------------------------- */

static float *at(ex_conv_image v, int32_t n, int32_t h, int32_t w, int32_t c) { return v.data + n * v.image + h * v.row + w * v.pixel + c; }

#define EACH_NUMBER(s) for (int32_t n = 0; n < (s).n; n++) for (int32_t h = 0; h < (s).oh; h++) for (int32_t w = 0; w < (s).ow; w++) \
    for (int32_t c = 0; c < (s).co; c++)

static float activate(float a, ex_conv_activation kind)
{
    if (kind == EX_CONV_LINEAR) return a;
    if (kind == EX_CONV_SILU) return (float)(a / (1 + exp(-(double)a)));
    if (kind == EX_CONV_HARD_SWISH) return (float)(a * fmin(fmax((double)a + 3, 0), 6) / 6);
    return a <= 0 ? 0 : kind == EX_CONV_RELU6 && a >= 6 ? 6 : a;
}

static uint32_t bits_of(float x) { uint32_t b; memcpy(&b, &x, sizeof b); return b; }

/* y has the bits of a convolution with a bias, an addition and an activation, one after the other (curves: to rounding). */
static void check_epilogue(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const int32_t gap = i % 3 ? 0 : (int32_t)(i % 4);
    const ex_conv_activation kind = (ex_conv_activation)(i % EX_CONV_ACTIVATION_COUNT);
    problem p = pose(&s, gap, i % 2);
    block residual = make(p.y.size, 5), apart = make(p.y.size, 6);
    const ex_conv_image r = image_of(&residual, s.n, s.co, s.oh, s.ow, (int32_t)(i / 2 % 3)), y = image_of(&apart, s.n, s.co, s.oh, s.ow, gap);
    ex_conv_epilogue e = { .bias = i % 5 ? p.b : NULL, .bias_step = 1, .activation = kind };
    problem alone = p;
    alone.yi = y;
    solve(&alone, EX_CONV_FORWARD, NULL, e.bias != NULL);
    if (i % 4) e.residual = r;
    if (i % 4 == 3)                         /* over the residual itself */
        EACH_NUMBER(s) *at(p.yi, n, h, w, c) = *at(r, n, h, w, c);
    if (i % 4 == 3) e.residual = p.yi;
    solve_with(&p, EX_CONV_FORWARD, team, &e);
    int32_t wrong = 0;
    EACH_NUMBER(s) {
        float want = *at(y, n, h, w, c);
        if (i % 4) want += *at(r, n, h, w, c);
        want = activate(want, kind);
        const float got = *at(p.yi, n, h, w, c);
        if (kind > EX_CONV_RELU6) wrong += !(fabsf(got - want) <= 1e-6f * fmaxf(1, fabsf(want)));
        else wrong += bits_of(want) != bits_of(got);
    }
    if (wrong) describe("epilogue, wrong numbers", i, &s, wrong);
    assert_int_equal(wrong, 0);
    drop(&residual);
    drop(&apart);
    dispose(&p);
}

/* A filter packed for another number of images gives the same bits, and is all that is read of it. */
static void check_packed(uint32_t i, ex_conv_direction d, ex_conv_shape s, ex_team *team)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    ex_conv_shape one = s;
    one.n = 1;
    problem p = pose(&s, 0, i % 2);
    const int forward = d == EX_CONV_FORWARD;
    const size_t bytes = k->packed_bytes(d, &one), size = (forward ? p.y.size : p.x.size) * sizeof(float);
    const float *got = forward ? p.yi.data : p.xi.data;
    assert_int_equal(bytes, k->packed_bytes(d, &s));
    float *packed = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64), *want = malloc(size);
    memset(packed, 0xa5, (bytes + 63) / 64 * 64 + 64);
    k->pack(packed, d, p.wf, &one, team);
    for (size_t b = 0; b < 64; b++) assert_int_equal(((unsigned char *)packed)[bytes + b], 0xa5);
    solve(&p, d, NULL, forward);
    memcpy(want, got, size);
    p.wf = (ex_conv_filter){ .packed = packed };
    solve(&p, d, team, forward);
    if (memcmp(want, got, size)) describe("packed", i, &s, d);
    assert_memory_equal(want, got, size);
    free(packed);
    free(want);
    dispose(&p);
}

/* The weight gradient of a batch in two sets of sums, the first of them in two pieces, with scratch exactly as asked for. */
static void check_pieces(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    if (s.n < 3 || !k->sums_floats(&s)) return;
    problem p = pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
    const int32_t from[] = { 0, 1, s.n - 1, s.n };
    const size_t floats = k->sums_floats(&s);
    float *sums = malloc(2 * floats * sizeof *sums);
    memset(sums, 0xff, 2 * floats * sizeof *sums);
    for (int piece = 0; piece < 3; piece++) {
        ex_conv_shape some = s;
        some.n = from[piece + 1] - from[piece];
        const size_t bytes = k->sums_scratch(&some);
        char *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
        memset(scratch, 0xff, (bytes + 63) / 64 * 64 + 64);
        ex_conv_image x = p.xi, dy = p.yi;
        x.data += from[piece] * x.image;
        dy.data += from[piece] * dy.image;
        k->add_sums(sums + (piece == 2 ? floats : 0), x, dy, &some, piece == 1, scratch);
        for (size_t b = bytes; b < bytes + 64; b++) assert_int_equal((unsigned char)scratch[b], 0xff);
        free(scratch);
    }
    k->join_sums(p.wf, sums, 2, &s, team);
    naive_conv_grad_weight(p.w.exact, p.x.exact, p.y.exact, &s);
    const double error = s.winograd ? filter_worst(&p.w, p.wf, &s) / largest(&p.w) : filter_error(&p.w, p.wf, &s, (double)s.n * s.oh * s.ow);
    if (!(error < (s.winograd ? EX_WINOGRAD_ERROR : ROUNDING))) describe("weight gradient in pieces", i, &s, error);
    assert_true(error < (s.winograd ? EX_WINOGRAD_ERROR : ROUNDING));
    free(sums);
    dispose(&p);
}

/* Moments of what was written, far from zero so that a sum of squares would show; the same bits for any team. Kernels sum
 * up to SUMMED deviations, none larger than a channel's range, in float before they go on in double. */
enum { SUMMED = 512 };

static void check_moments(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const size_t co = (size_t)s.co;
    problem p = pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
    for (size_t c = 0; c < co; c++) p.b[c] += 300;
    double *got = malloc(4 * co * sizeof *got), *want = calloc(4 * co, sizeof *want), *low = want + 2 * co, *high = low + co;
    const double count = (double)s.n * s.oh * s.ow;
    ex_conv_epilogue e = { .bias = p.b, .bias_step = 1, .moments = got };
    solve_with(&p, EX_CONV_FORWARD, NULL, &e);
    e.moments = got + 2 * co;
    solve_with(&p, EX_CONV_FORWARD, team, &e);
    assert_memory_equal(got, got + 2 * co, 2 * co * sizeof *got);
    EACH_NUMBER(s) want[c] += *at(p.yi, n, h, w, c) / count;
    for (size_t c = 0; c < co; c++) low[c] = high[c] = want[c];
    EACH_NUMBER(s) {
        const double y = *at(p.yi, n, h, w, c);
        want[co + (size_t)c] += (y - want[c]) * (y - want[c]);
        low[c] = y < low[c] ? y : low[c];
        high[c] = y > high[c] ? y : high[c];
    }
    for (size_t c = 0; c < co; c++) {
        const double range = high[c] - low[c] + 1e-6, bound = SUMMED * ROUNDING / 2;
        const double mean = fabs(got[c] - want[c]) / range, square = fabs(got[co + c] - want[co + c]) / count / (range * range);
        if (!(mean <= bound && square <= bound)) describe("moments", i, &s, mean > square ? mean : square);
        assert_true(mean <= bound && square <= bound);
        if (count == 1) assert_true(got[co + c] == 0);
    }
    free(got);
    free(want);
    dispose(&p);
}

static void epilogues(ex_team *team)
{
    for (uint32_t i = 0; i < MAX_CASES; i++) {
        check_epilogue(i, geometry(i), team);
        check_moments(i, geometry(i), team);
        check_packed(i, EX_CONV_FORWARD, geometry(i), team);
        check_packed(i, EX_CONV_GRAD_INPUT, geometry(i), team);
        check_pieces(i, geometry(i), team);
    }
}

static void a_nan_passes_every_activation(ex_team *team)
{
    problem p = pose(&(ex_conv_shape){ .n = 1, .ci = 2, .h = 3, .w = 3, .co = 3, .oh = 3, .ow = 3, .kh = 1, .kw = 1, .groups = 1,
                                       .stride = { 1, 1 }, .dilation = { 1, 1 } }, 0, 0);
    for (ex_conv_activation kind = 0; kind < EX_CONV_ACTIVATION_COUNT; kind++) {
        p.b[1] = NAN;
        solve_with(&p, EX_CONV_FORWARD, team, &(ex_conv_epilogue){ .bias = p.b, .bias_step = 1, .activation = kind });
        EACH_NUMBER(p.s) assert_int_equal(isnan(*at(p.yi, n, h, w, c)) != 0, c == 1);
    }
    dispose(&p);
}

static ex_team *pair, *three;

static int use(const char *isa)
{
    if (strstr(ex_isa_available(), isa) == NULL) { print_message("# this CPU has no %s\n", isa); return 0; }
    assert_int_equal(ex_isa_select(isa), EX_OK);
    assert_string_equal(ex_kernels_current()->conv->name, isa);
    return 1;
}

/* -- Winograd --------------------------------------------------------------------------------------------- */

/* Whole tiles, cut ones, less than one; each rest of the channels against a vector; few groups of tiles and many; 7 rows
 * of padding; and shapes of real networks, the deepest of which round most. */
static ex_conv_shape winograd_geometry(uint32_t i)
{
    static const ex_conv_shape real[] = {
        SQUARE(1, 64, 20, 40, 3, 1, 1, 1, 1), SQUARE(3, 128, 7, 36, 3, 1, 1, 1, 1), SQUARE(1, 512, 4, 48, 3, 1, 1, 1, 1),
        SQUARE(1, 48, 4, 512, 3, 1, 1, 1, 1), SQUARE(40, 16, 8, 16, 3, 1, 1, 1, 1), SQUARE(30, 17, 16, 5, 3, 1, 1, 1, 1),
        SQUARE(1, 3, 64, 8, 3, 1, 1, 1, 1), SQUARE(2, 5, 1, 9, 3, 1, 1, 1, 1), SQUARE(2, 8, 3, 8, 3, 1, 7, 1, 1), SQUARE(2, 1, 9, 1, 3, 1, 2, 1, 1),
    };
    const uint32_t n = sizeof real / sizeof *real;
    ex_conv_shape s = i < n ? real[i] : (ex_conv_shape){
        .n = draw(i, 0, 1, 5), .ci = draw(i, 1, 1, 50), .h = draw(i, 2, 3, 19), .w = draw(i, 3, 3, 33), .co = draw(i, 4, 1, 70), .kh = 3,
        .kw = 3, .groups = 1, .stride = { 1, 1 }, .padding = { draw(i, 5, 0, 3), draw(i, 6, 0, 3) }, .dilation = { 1, 1 } };
    s.winograd = 1;
    return finish(s);
}

enum { WINOGRAD_CASES = 50 };

static const char *const sets[] = { "avx512", "avx2", "portable" };
enum { SETS = sizeof sets / sizeof *sets };

/* What the definition makes of p, in p's own doubles; and how far the kernels are from it, as a share of the largest number. */
static void define(problem *p, ex_conv_direction d, int bias)
{
    const ex_conv_shape *s = &p->s;
    if (d == EX_CONV_FORWARD) naive_conv_forward(p->y.exact, p->x.exact, p->w.exact, bias ? p->bias.exact : NULL, s);
    else if (d == EX_CONV_GRAD_INPUT) naive_conv_grad_input(p->x.exact, p->y.exact, p->w.exact, s);
    else naive_conv_grad_weight(p->w.exact, p->x.exact, p->y.exact, s);
}

static double relative_error(const problem *p, ex_conv_direction d)
{
    const ex_conv_shape *s = &p->s;
    if (d == EX_CONV_FORWARD) return image_worst(&p->y, p->yi, s->n, s->co, s->oh, s->ow) / largest(&p->y);
    if (d == EX_CONV_GRAD_INPUT) return image_worst(&p->x, p->xi, s->n, s->ci, s->h, s->w) / largest(&p->x);
    return filter_worst(&p->w, p->wf, s) / largest(&p->w);
}

static void winograd_keeps_its_bound(void **state)
{
    (void)state;
    double most[SETS] = {0};
    for (uint32_t i = 0; i < WINOGRAD_CASES; i++) {
        const ex_conv_shape s = winograd_geometry(i);
        for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++) {
            problem p = pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
            define(&p, d, i % 5 != 0);
            for (int k = 0; k < SETS; k++) {
                if (!use(sets[k])) continue;
                solve(&p, d, k < 2 ? pair : NULL, i % 5 != 0);
                const double error = relative_error(&p, d);
                if (!(error < EX_WINOGRAD_ERROR)) describe("winograd", i, &s, error);
                assert_true(error < EX_WINOGRAD_ERROR);
                most[k] = fmax(most[k], error);
            }
            dispose(&p);
        }
    }
    for (int k = 0; k < SETS; k++) print_message("# largest error of Winograd, %s: %.1e\n", sets[k], most[k]);
}

/* Images [first, first + n) of a problem alone, for any team: the bits of the whole one. */
static void same_bits(problem *whole, ex_conv_direction d, int32_t first, int32_t n, ex_team *team)
{
    const int forward = d == EX_CONV_FORWARD;
    problem part = *whole;
    part.s.n = n;
    part.xi.data += first * part.xi.image;
    part.yi.data += first * part.yi.image;
    ex_conv_image *out = forward ? &part.yi : &part.xi;
    const size_t floats = (size_t)(out->image * n);
    const float *want = out->data;
    out->data = malloc(floats * sizeof(float));
    solve(&part, d, team, 1);
    assert_memory_equal(out->data, want, floats * sizeof(float));
    free(out->data);
}

static void check_bits(uint32_t i, ex_conv_shape s)
{
    for (ex_conv_direction d = EX_CONV_FORWARD; d <= EX_CONV_GRAD_INPUT; d++) {
        problem p = pose(&s, 0, i % 2);
        solve(&p, d, NULL, 1);
        same_bits(&p, d, 0, s.n, pair);
        same_bits(&p, d, 0, s.n, three);
        same_bits(&p, d, 2, 1, pair);
        same_bits(&p, d, 1, 3, NULL);
        dispose(&p);
    }
    problem p = pose(&s, 0, i % 2);
    const size_t bytes = p.w.size * sizeof(float);
    float *want = malloc(bytes);
    solve(&p, EX_CONV_GRAD_WEIGHT, NULL, 0);
    memcpy(want, p.wf.data, bytes);
    for (int k = 0; k < 2; k++) {
        memset(p.wf.data, 0, bytes);
        solve(&p, EX_CONV_GRAD_WEIGHT, k ? three : pair, 0);
        assert_memory_equal(p.wf.data, want, bytes);
    }
    free(want);
    dispose(&p);
}

static void bits(int winograd)
{
    for (uint32_t i = 0; i < 16; i++) {
        ex_conv_shape s = winograd_geometry(i + 4);
        s.n = i % 3 == 2 ? 23 : 5;
        s.winograd = winograd;
        check_bits(i, s);
    }
}

/* The bits do not depend on how the images lie in memory: channels side by side with those of the next pixel or not. */
static void layouts(void)
{
    for (uint32_t i = 0; i < EPILOGUES; i++) {
        const ex_conv_shape s = geometry(i);
        for (ex_conv_direction d = EX_CONV_FORWARD; d <= EX_CONV_GRAD_INPUT; d++) {
            const int forward = d == EX_CONV_FORWARD;
            const int32_t channels = forward ? s.co : s.ci, rows = forward ? s.oh : s.h, cols = forward ? s.ow : s.w;
            problem dense = pose(&s, 0, i % 2), apart = pose(&s, 3, i % 2);
            solve(&dense, d, pair, 1);
            solve(&apart, d, pair, 1);
            const ex_conv_image a = forward ? dense.yi : dense.xi, b = forward ? apart.yi : apart.xi;
            int32_t wrong = 0;
            for (int32_t n = 0; n < s.n; n++) for (int32_t h = 0; h < rows; h++) for (int32_t w = 0; w < cols; w++)
                for (int32_t c = 0; c < channels; c++) wrong += bits_of(*at(a, n, h, w, c)) != bits_of(*at(b, n, h, w, c));
            if (wrong) describe("layouts, wrong numbers", i, &s, wrong);
            assert_int_equal(wrong, 0);
            dispose(&dense);
            dispose(&apart);
        }
    }
}

/* -- Depthwise -------------------------------------------------------------------------------------------- */

/* What tiles are made for (3 and 5 taps, strides 1 and 2, paddings up to half a kernel) at every width of a tile and rest of the
 * channels, with now and then what they do not cover; batches of tiny images, and images beyond a cache. */
static ex_conv_shape depthwise_geometry(uint32_t i)
{
    static const int32_t channels[] = { 24, 33, 40, 144, 176, 16, 2, 200, 32, 70 };
    static const ex_conv_shape real[] = {
        SQUARE(10, 144, 16, 144, 3, 1, 1, 1, 144), SQUARE(5, 96, 32, 96, 3, 2, 1, 1, 96), SQUARE(5, 72, 28, 72, 5, 2, 2, 1, 72),
        SQUARE(1, 960, 7, 960, 5, 1, 2, 1, 960), SQUARE(1, 48, 56, 48, 3, 1, 1, 1, 48), SQUARE(60, 8, 4, 8, 3, 1, 1, 1, 8),
    };
    const uint32_t n = sizeof real / sizeof *real;
    if (i < n) return finish(real[i]);
    for (uint32_t k = 0;; k += 16) {
        const int32_t c = channels[i % 10], kernel = draw(i, k, 0, 4) ? draw(i, k + 14, 1, 2) * 2 + 1 : draw(i, k + 1, 1, 4), stride = draw(i, k + 2, 1, 2);
        ex_conv_shape s = {
            .n = draw(i, k + 3, 1, 6), .ci = c, .h = draw(i, k + 4, 1, 20), .w = draw(i, k + 5, 1, 34), .co = c, .kh = draw(i, k + 6, 0, 3) ? kernel : draw(i, k + 7, 1, 5),
            .kw = kernel, .groups = c, .stride = { draw(i, k + 8, 0, 3) ? stride : draw(i, k + 9, 1, 3), stride }, .padding = { draw(i, k + 10, 0, 3), kernel / 2 },
            .dilation = { draw(i, k + 11, 0, 5) ? 1 : 2, 1 },
        };
        if (!draw(i, k + 12, 0, 3)) s.padding[1] = draw(i, k + 13, 0, kernel);
        if (valid(&s)) return finish(s);
    }
}

enum { DEPTHWISE_CASES = 80 };

/* Where all pixels of x are equal, so are the bits of all outputs that read no border, wherever they lie in tiles and rows. */
static void check_places(uint32_t i, ex_conv_shape s)
{
    problem p = pose(&s, 0, i % 2);
    for (ptrdiff_t k = 0; k < p.xi.image * s.n; k++) p.xi.data[k] = p.xi.data[k % s.ci];
    solve(&p, EX_CONV_FORWARD, pair, 1);
    const float *first = NULL;
    EACH_NUMBER(s) {
        const int32_t top = h * s.stride[0] - s.padding[0], left = w * s.stride[1] - s.padding[1];
        if (top < 0 || left < 0 || top + (s.kh - 1) * s.dilation[0] >= s.h || left + (s.kw - 1) * s.dilation[1] >= s.w) continue;
        if (!first) first = at(p.yi, n, h, w, 0);
        assert_int_equal(bits_of(first[c]), bits_of(*at(p.yi, n, h, w, c)));
    }
    dispose(&p);
}

static void depthwise(void)
{
    for (uint32_t i = 0; i < DEPTHWISE_CASES; i++) {
        const ex_conv_shape s = depthwise_geometry(i);
        ex_team *team = i % 2 ? pair : three;
        check_definition(i, s, team);
        check_epilogue(i, s, team);
        check_moments(i, s, team);
        check_packed(i, EX_CONV_FORWARD, s, team);
        check_packed(i, EX_CONV_GRAD_INPUT, s, team);
        check_pieces(i, s, team);
        check_places(i, s);
        if (s.n >= 4) check_bits(i, s);
    }
}

/* The rule asks only for what the kernels can do, and never for fewer images what it refuses for more. */
static void rule(void)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    for (uint32_t i = 0; i < MAX_CASES; i++) {
        ex_conv_shape s = geometry(i);
        for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++)
            if (k->winograd_pays(d, &s, 0)) {
                assert_true(ex_conv_winograd_fits(&s));
                s.n *= 2;
                assert_true(k->winograd_pays(d, &s, 0));
            }
    }
    const ex_conv_shape large = finish((ex_conv_shape)SQUARE(64, 64, 28, 64, 3, 1, 1, 1, 1)), strided = finish((ex_conv_shape)SQUARE(64, 64, 28, 64, 3, 2, 1, 1, 1)),
                        first = finish((ex_conv_shape)SQUARE(64, 1, 28, 64, 3, 1, 1, 1, 1)), tiny = finish((ex_conv_shape)SQUARE(1, 512, 2, 512, 3, 1, 1, 1, 1));
    assert_true(k->winograd_pays(EX_CONV_FORWARD, &large, 0));
    assert_true(k->winograd_pays(EX_CONV_GRAD_INPUT, &large, 0));
    assert_true(k->winograd_pays(EX_CONV_GRAD_WEIGHT, &large, 0));
    assert_false(k->winograd_pays(EX_CONV_FORWARD, &strided, 0));
    assert_false(k->winograd_pays(EX_CONV_FORWARD, &first, 0));
    assert_false(k->winograd_pays(EX_CONV_FORWARD, &tiny, 0));
}


static void avx512_definition(void **state) { (void)state; if (use("avx512")) against_definition(pair); }
static void avx2_definition(void **state) { (void)state; if (use("avx2")) against_definition(pair); }
static void portable_definition(void **state) { (void)state; if (use("portable")) against_definition(NULL); }
static void avx512_epilogues(void **state) { (void)state; if (use("avx512")) { epilogues(pair); a_nan_passes_every_activation(pair); } }
static void avx2_epilogues(void **state) { (void)state; if (use("avx2")) { epilogues(pair); a_nan_passes_every_activation(pair); } }
static void portable_epilogues(void **state) { (void)state; if (use("portable")) { epilogues(pair); a_nan_passes_every_activation(pair); } }

static void every_set(void (*check)(void))
{
    for (int i = 0; i < SETS; i++) if (use(sets[i])) check();
}

static void winograd_epilogues(void)
{
    for (uint32_t i = 0; i < EPILOGUES; i++) {
        check_epilogue(i, winograd_geometry(i), i % 2 ? pair : three);
        check_moments(i, winograd_geometry(i), i % 2 ? pair : three);
        check_packed(i, EX_CONV_FORWARD, winograd_geometry(i), i % 2 ? pair : three);
        check_packed(i, EX_CONV_GRAD_INPUT, winograd_geometry(i), i % 2 ? pair : three);
        check_pieces(i, winograd_geometry(i), i % 2 ? pair : three);
    }
}

static void winograd_bits(void) { bits(1); }
static void direct_bits(void) { bits(0); }
static void the_bits_of_winograd(void **state) { (void)state; every_set(winograd_bits); }
static void the_epilogues_of_winograd(void **state) { (void)state; every_set(winograd_epilogues); }
static void the_bits_of_direct_kernels(void **state) { (void)state; every_set(direct_bits); }
static void the_depthwise_kernels(void **state) { (void)state; every_set(depthwise); }
static void the_bits_of_any_layout(void **state) { (void)state; every_set(layouts); }
static void the_rule(void **state) { (void)state; every_set(rule); }

int main(void)
{
    pair = ex_team_new(2);
    three = ex_team_new(3);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(portable_definition),
        cmocka_unit_test(avx2_definition),
        cmocka_unit_test(avx512_definition),
        cmocka_unit_test(portable_epilogues),
        cmocka_unit_test(avx2_epilogues),
        cmocka_unit_test(avx512_epilogues),
        cmocka_unit_test(winograd_keeps_its_bound),
        cmocka_unit_test(the_bits_of_winograd),
        cmocka_unit_test(the_epilogues_of_winograd),
        cmocka_unit_test(the_bits_of_direct_kernels),
        cmocka_unit_test(the_depthwise_kernels),
        cmocka_unit_test(the_bits_of_any_layout),
        cmocka_unit_test(the_rule),
    };
    const int failed = cmocka_run_group_tests_name("convolution kernels", tests, NULL, NULL);
    ex_team_free(pair);
    ex_team_free(three);
    return failed;
}
