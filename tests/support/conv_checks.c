/* conv_checks.c: see conv_checks.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "naive_conv.h"
#include "conv_checks.h"

void check_conv_definition(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const char *const names[] = { "forward", "input gradient", "weight gradient" };
    const int32_t ci = s.ci / s.groups;
    const double terms = (double)ci * s.kh * s.kw;
    for (ex_conv_direction d = 0; d < EX_CONV_DIRECTION_COUNT; d++) {
        problem p = problem_pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
        double error;
        if (d == EX_CONV_FORWARD) {
            naive_conv_forward(p.y.exact, p.x.exact, p.w.exact, i % 5 ? p.bias.exact : NULL, &s);
            problem_solve(&p, d, team, i % 5 != 0);
            error = conv_image_error(&p.y, p.yi, s.n, s.co, s.oh, s.ow, terms);
        } else if (d == EX_CONV_GRAD_INPUT) {
            naive_conv_grad_input(p.x.exact, p.y.exact, p.w.exact, &s);
            problem_solve(&p, d, team, 0);
            error = conv_image_error(&p.x, p.xi, s.n, s.ci, s.h, s.w, terms * s.co / s.ci);
        } else {
            naive_conv_grad_weight(p.w.exact, p.x.exact, p.y.exact, &s);
            problem_solve(&p, d, team, 0);
            error = conv_filter_error(&p.w, p.wf, &s, (double)s.n * s.oh * s.ow);
        }
        if (!(error < ROUNDING)) conv_describe(names[d], i, &s, error);
        assert_true(error < ROUNDING);
        problem_dispose(&p);
    }
}

static float activate(float a, ex_conv_activation kind)
{
    if (kind == EX_CONV_LINEAR) return a;
    if (kind == EX_CONV_SILU) return (float)(a / (1 + exp(-(double)a)));
    if (kind == EX_CONV_HARD_SWISH) return (float)(a * fmin(fmax((double)a + 3, 0), 6) / 6);
    return a <= 0 ? 0 : kind == EX_CONV_RELU6 && a >= 6 ? 6 : a;
}

/* y has the bits of a convolution with a bias, an addition and an activation, one after the other (curves: to rounding). */
void check_conv_epilogue(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const int32_t gap = i % 3 ? 0 : (int32_t)(i % 4);
    const ex_conv_activation kind = (ex_conv_activation)(i % EX_CONV_ACTIVATION_COUNT);
    problem p = problem_pose(&s, gap, i % 2);
    block residual = block_make(p.y.size, 5), apart = block_make(p.y.size, 6);
    const ex_conv_image r = block_image(&residual, s.n, s.co, s.oh, s.ow, (int32_t)(i / 2 % 3)), y = block_image(&apart, s.n, s.co, s.oh, s.ow, gap);
    ex_conv_epilogue e = { .bias = i % 5 ? p.b : NULL, .bias_step = 1, .activation = kind };
    problem alone = p;
    alone.yi = y;
    problem_solve(&alone, EX_CONV_FORWARD, NULL, e.bias != NULL);
    if (i % 4) e.residual = r;
    if (i % 4 == 3)                         /* over the residual itself */
        EACH_NUMBER(s) *pixel_at(p.yi, n, h, w, c) = *pixel_at(r, n, h, w, c);
    if (i % 4 == 3) e.residual = p.yi;
    problem_solve_with(&p, EX_CONV_FORWARD, team, &e);
    int32_t wrong = 0;
    EACH_NUMBER(s) {
        float want = *pixel_at(y, n, h, w, c);
        if (i % 4) want += *pixel_at(r, n, h, w, c);
        want = activate(want, kind);
        const float got = *pixel_at(p.yi, n, h, w, c);
        if (kind > EX_CONV_RELU6) wrong += !(fabsf(got - want) <= 1e-6f * fmaxf(1, fabsf(want)));
        else wrong += float_bits(want) != float_bits(got);
    }
    if (wrong) conv_describe("epilogue, wrong numbers", i, &s, wrong);
    assert_int_equal(wrong, 0);
    block_drop(&residual);
    block_drop(&apart);
    problem_dispose(&p);
}

/* A filter packed for another number of images gives the same bits, and is all that is read of it. */
void check_conv_packed(uint32_t i, ex_conv_direction d, ex_conv_shape s, ex_team *team)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    ex_conv_shape one = s;
    one.n = 1;
    problem p = problem_pose(&s, 0, i % 2);
    const int forward = d == EX_CONV_FORWARD;
    const size_t bytes = k->packed_bytes(d, &one), size = (forward ? p.y.size : p.x.size) * sizeof(float);
    const float *got = forward ? p.yi.data : p.xi.data;
    assert_int_equal(bytes, k->packed_bytes(d, &s));
    float *packed = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64), *want = malloc(size);
    memset(packed, 0xa5, (bytes + 63) / 64 * 64 + 64);
    k->pack(packed, d, p.wf, &one, team);
    for (size_t b = 0; b < 64; b++) assert_int_equal(((unsigned char *)packed)[bytes + b], 0xa5);
    problem_solve(&p, d, NULL, forward);
    memcpy(want, got, size);
    p.wf = (ex_conv_filter){ .packed = packed };
    problem_solve(&p, d, team, forward);
    if (memcmp(want, got, size)) conv_describe("packed", i, &s, d);
    assert_memory_equal(want, got, size);
    free(packed);
    free(want);
    problem_dispose(&p);
}

/* The weight gradient of a batch in two sets of sums, the first of them in two pieces, with scratch exactly as asked for. */
void check_conv_pieces(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const ex_conv_kernels *k = ex_kernels_current()->conv;
    if (s.n < 3 || !k->sums_floats(&s)) return;
    problem p = problem_pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
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
    const double error = s.winograd ? conv_filter_worst(&p.w, p.wf, &s) / block_largest(&p.w) : conv_filter_error(&p.w, p.wf, &s, (double)s.n * s.oh * s.ow);
    if (!(error < (s.winograd ? EX_WINOGRAD_ERROR : ROUNDING))) conv_describe("weight gradient in pieces", i, &s, error);
    assert_true(error < (s.winograd ? EX_WINOGRAD_ERROR : ROUNDING));
    free(sums);
    problem_dispose(&p);
}

enum { SUMMED = 512 };

void check_conv_moments(uint32_t i, ex_conv_shape s, ex_team *team)
{
    const size_t co = (size_t)s.co;
    problem p = problem_pose(&s, i % 3 ? 0 : (int32_t)(i % 4), i % 2);
    for (size_t c = 0; c < co; c++) p.b[c] += 300;
    double *got = malloc(4 * co * sizeof *got), *want = calloc(4 * co, sizeof *want), *low = want + 2 * co, *high = low + co;
    const double count = (double)s.n * s.oh * s.ow;
    ex_conv_epilogue e = { .bias = p.b, .bias_step = 1, .moments = got };
    problem_solve_with(&p, EX_CONV_FORWARD, NULL, &e);
    e.moments = got + 2 * co;
    problem_solve_with(&p, EX_CONV_FORWARD, team, &e);
    assert_memory_equal(got, got + 2 * co, 2 * co * sizeof *got);
    EACH_NUMBER(s) want[c] += *pixel_at(p.yi, n, h, w, c) / count;
    for (size_t c = 0; c < co; c++) low[c] = high[c] = want[c];
    EACH_NUMBER(s) {
        const double y = *pixel_at(p.yi, n, h, w, c);
        want[co + (size_t)c] += (y - want[c]) * (y - want[c]);
        low[c] = y < low[c] ? y : low[c];
        high[c] = y > high[c] ? y : high[c];
    }
    for (size_t c = 0; c < co; c++) {
        const double range = high[c] - low[c] + 1e-6, bound = SUMMED * ROUNDING / 2;
        const double mean = fabs(got[c] - want[c]) / range, square = fabs(got[co + c] - want[co + c]) / count / (range * range);
        if (!(mean <= bound && square <= bound)) conv_describe("moments", i, &s, mean > square ? mean : square);
        assert_true(mean <= bound && square <= bound);
        if (count == 1) assert_true(got[co + c] == 0);
    }
    free(got);
    free(want);
    problem_dispose(&p);
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
    problem_solve(&part, d, team, 1);
    assert_memory_equal(out->data, want, floats * sizeof(float));
    free(out->data);
}

void check_conv_bits(uint32_t i, ex_conv_shape s)
{
    for (ex_conv_direction d = EX_CONV_FORWARD; d <= EX_CONV_GRAD_INPUT; d++) {
        problem p = problem_pose(&s, 0, i % 2);
        problem_solve(&p, d, NULL, 1);
        same_bits(&p, d, 0, s.n, conv_pair);
        same_bits(&p, d, 0, s.n, conv_three);
        same_bits(&p, d, 2, 1, conv_pair);
        same_bits(&p, d, 1, 3, NULL);
        problem_dispose(&p);
    }
    problem p = problem_pose(&s, 0, i % 2);
    const size_t bytes = p.w.size * sizeof(float);
    float *want = malloc(bytes);
    problem_solve(&p, EX_CONV_GRAD_WEIGHT, NULL, 0);
    memcpy(want, p.wf.data, bytes);
    for (int k = 0; k < 2; k++) {
        memset(p.wf.data, 0, bytes);
        problem_solve(&p, EX_CONV_GRAD_WEIGHT, k ? conv_three : conv_pair, 0);
        assert_memory_equal(p.wf.data, want, bytes);
    }
    free(want);
    problem_dispose(&p);
}
