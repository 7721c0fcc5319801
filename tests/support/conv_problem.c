/* conv_problem.c: see conv_problem.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../../core/base/memory.h"
#include "../../core/base/random.h"
#include "naive_conv.h"
#include "conv_problem.h"

ex_team *conv_pair, *conv_three;

void conv_teams_make(void)
{
    conv_pair = ex_team_new(2);
    conv_three = ex_team_new(3);
}

void conv_teams_free(void)
{
    ex_team_free(conv_pair);
    ex_team_free(conv_three);
}

const char *const isa_names[ISA_NAMES] = { "avx512", "avx2", "portable" };

ex_conv_shape conv_finish(ex_conv_shape s)
{
    s.oh = (s.h + 2 * s.padding[0] - s.dilation[0] * (s.kh - 1) - 1) / s.stride[0] + 1;
    s.ow = (s.w + 2 * s.padding[1] - s.dilation[1] * (s.kw - 1) - 1) / s.stride[1] + 1;
    return s;
}

int conv_valid(const ex_conv_shape *s)
{
    return s->h + 2 * s->padding[0] > s->dilation[0] * (s->kh - 1) && s->w + 2 * s->padding[1] > s->dilation[1] * (s->kw - 1);
}

int32_t conv_draw(uint32_t i, uint32_t k, int32_t low, int32_t high)
{
    uint32_t r[4];
    ex_random4(r, 7, 1, i, k, 0);
    return low + (int32_t)(r[0] % (uint32_t)(high - low + 1));
}

block block_make(size_t n, uint32_t stream)
{
    block b = { calloc(n, sizeof(double)), NULL, n };
    for (size_t i = 0; i < n; i++) {
        uint32_t r[4];
        ex_random4(r, 11, stream, (uint32_t)i, 0, 0);
        b.exact[i] = (float)(ex_unit_float(r[0]) * 2 - 1);
    }
    return b;
}

void block_drop(block *b) { free(b->exact); free(b->fast); }

/* Channels-last with `gap` floats after each pixel, row and image, filled with NaN: nobody may read or write them. */
ex_conv_image block_image(block *b, int32_t n, int32_t c, int32_t h, int32_t w, int32_t gap)
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

ex_conv_filter block_filter(block *b, const ex_conv_shape *s, int pytorch)
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
double conv_image_worst(const block *want, ex_conv_image got, int32_t n, int32_t c, int32_t h, int32_t w)
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
double conv_image_error(const block *want, ex_conv_image got, int32_t n, int32_t c, int32_t h, int32_t w, double terms)
{
    return conv_image_worst(want, got, n, c, h, w) / (terms + 8);
}

double conv_filter_worst(const block *want, ex_conv_filter got, const ex_conv_shape *s)
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

double conv_filter_error(const block *want, ex_conv_filter got, const ex_conv_shape *s, double terms)
{
    return conv_filter_worst(want, got, s) / (terms + 8);
}

problem problem_pose(const ex_conv_shape *s, int32_t gap, int pytorch)
{
    problem p = { .s = *s, .gap = gap };
    p.x = block_make((size_t)s->n * (size_t)s->ci * (size_t)s->h * (size_t)s->w, 1);
    p.w = block_make((size_t)s->co * (size_t)(s->ci / s->groups) * (size_t)s->kh * (size_t)s->kw, 2);
    p.y = block_make((size_t)s->n * (size_t)s->co * (size_t)s->oh * (size_t)s->ow, 3);
    p.bias = block_make((size_t)s->co, 4);
    p.xi = block_image(&p.x, s->n, s->ci, s->h, s->w, gap);
    p.yi = block_image(&p.y, s->n, s->co, s->oh, s->ow, gap);
    p.wf = block_filter(&p.w, s, pytorch);
    p.b = p.bias.fast = malloc((size_t)s->co * sizeof(float));
    for (int32_t i = 0; i < s->co; i++) p.b[i] = (float)p.bias.exact[i];
    return p;
}

void problem_dispose(problem *p) { block_drop(&p->x); block_drop(&p->w); block_drop(&p->y); block_drop(&p->bias); }

/* Runs one direction into what p holds (y, x or w), with scratch that is exactly as large as was asked for. */
void problem_solve_with(problem *p, ex_conv_direction d, ex_team *team, const ex_conv_epilogue *e)
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

void problem_solve(problem *p, ex_conv_direction d, ex_team *team, int bias)
{
    problem_solve_with(p, d, team, &(ex_conv_epilogue){ .bias = bias ? p->b : NULL, .bias_step = 1 });
}

double block_largest(const block *b)
{
    double most = 0;
    for (size_t i = 0; i < b->size; i++) most = fmax(most, fabs(b->exact[i]));
    return most;
}

void conv_describe(const char *what, uint32_t i, const ex_conv_shape *s, double error)
{
    print_error("%s, geometry %u: n %d ci %d %dx%d co %d kernel %dx%d groups %d stride %d,%d padding %d,%d dilation %d,%d: error %g\n",
                what, i, s->n, s->ci, s->h, s->w, s->co, s->kh, s->kw, s->groups, s->stride[0], s->stride[1], s->padding[0],
                s->padding[1], s->dilation[0], s->dilation[1], error);
}

float *pixel_at(ex_conv_image v, int32_t n, int32_t h, int32_t w, int32_t c) { return v.data + n * v.image + h * v.row + w * v.pixel + c; }

uint32_t float_bits(float x) { uint32_t b; memcpy(&b, &x, sizeof b); return b; }

/* What the definition makes of p, in p's own doubles; and how far the kernels are from it, as a share of the largest number. */
void problem_define(problem *p, ex_conv_direction d, int bias)
{
    const ex_conv_shape *s = &p->s;
    if (d == EX_CONV_FORWARD) naive_conv_forward(p->y.exact, p->x.exact, p->w.exact, bias ? p->bias.exact : NULL, s);
    else if (d == EX_CONV_GRAD_INPUT) naive_conv_grad_input(p->x.exact, p->y.exact, p->w.exact, s);
    else naive_conv_grad_weight(p->w.exact, p->x.exact, p->y.exact, s);
}

double problem_error(const problem *p, ex_conv_direction d)
{
    const ex_conv_shape *s = &p->s;
    if (d == EX_CONV_FORWARD) return conv_image_worst(&p->y, p->yi, s->n, s->co, s->oh, s->ow) / block_largest(&p->y);
    if (d == EX_CONV_GRAD_INPUT) return conv_image_worst(&p->x, p->xi, s->n, s->ci, s->h, s->w) / block_largest(&p->x);
    return conv_filter_worst(&p->w, p->wf, s) / block_largest(&p->w);
}

int isa_use(const char *isa)
{
    static const char *said;
    if (strstr(ex_isa_available(), isa) == NULL) {
        if (said == NULL || strcmp(said, isa) != 0) print_message("# this CPU has no %s\n", isa);
        said = isa;
        return 0;
    }
    assert_int_equal(ex_isa_select(isa), EX_OK);
    assert_string_equal(ex_kernels_current()->conv->name, isa);
    return 1;
}

void isa_each(void (*check)(void))
{
    for (int i = 0; i < ISA_NAMES; i++) if (isa_use(isa_names[i])) check();
}
