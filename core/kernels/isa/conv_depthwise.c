/* conv_depthwise.c: convolutions that keep every channel to itself (groups == channels in == channels out): a loop
 * over vectors of channels, in all three directions. It handles no channel multiplier: that is conv.c's case.
 *
 *     y[n,oh,ow,c]  = epilogue(sum_{kh,kw} x[n, oh*s-p+kh*d, ow*s-p+kw*d, c] * w[c,kh,kw])
 *     dw[c,kh,kw]   = sum_{n,oh,ow} x[n, oh*s-p+kh*d, ow*s-p+kw*d, c] * dy[n,oh,ow,c] */
#include <limits.h>
#include "conv_epilogue.h"
#include "conv_moments.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { CHANNELS = 4 * VL, PIXELS = 8, SHARES = 16, SHARE_FLOATS = 2 << 20 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_direction direction;
    ex_conv_image y, x;                     /* written, read; weight gradient: dy, x, both read */
    int32_t h, width;                       /* of x */
    int32_t phase_rows, phase_cols, rows;   /* rows of the largest phase */
    int32_t row_block, row_parts, channel_parts, shares;
    ex_conv_epilogue e;
    size_t padded, strip;                   /* channels rounded up; floats of a thread's strip */
    const float *packed, *added;            /* the filter, [tap][channel]; the bias or zeros */
    float *sums, *strips;                   /* sums: weight gradient: the shares */
    double *moments;                        /* of each (image, rows): 2 x channels; NULL: not wanted */
} job;

static int32_t up(int32_t n, int32_t by) { return (n + by - 1) / by; }
static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

static axis row_axis(const job *j, int32_t phase)
{
    const ex_conv_shape *s = j->s;
    return j->direction == EX_CONV_GRAD_INPUT
        ? axis_gradient(s->h, s->kh, s->stride[0], s->padding[0], s->dilation[0], phase)
        : axis_forward(s->oh, s->kh, s->stride[0], s->padding[0], s->dilation[0]);
}

static axis col_axis(const job *j, int32_t phase)
{
    const ex_conv_shape *s = j->s;
    return j->direction == EX_CONV_GRAD_INPUT
        ? axis_gradient(s->w, s->kw, s->stride[1], s->padding[1], s->dilation[1], phase)
        : axis_forward(s->ow, s->kw, s->stride[1], s->padding[1], s->dilation[1]);
}

static window rows_window(const job *j, int32_t row, int32_t row_end)
{
    int32_t r0 = INT_MAX, r1 = INT_MIN, c0 = INT_MAX, c1 = INT_MIN;
    for (int32_t p = 0; p < j->phase_rows; p++) {
        const axis a = row_axis(j, p);
        axis_reach(&a, row, row_end, &r0, &r1);
    }
    for (int32_t p = 0; p < j->phase_cols; p++) {
        const axis a = col_axis(j, p);
        axis_reach(&a, 0, a.out, &c0, &c1);
    }
    if (r1 < r0 || c1 < c0) return (window){ 0, 0, 0, 0 };
    return (window){ r0, r1 - r0 + 1, c0, c1 - c0 + 1 };
}

static size_t strip_floats(const job *j, int32_t rows)
{
    const window o = rows_window(j, 0, rows);
    return (size_t)o.rows * (size_t)o.cols * (size_t)least(j->s->ci, CHANNELS);
}

static void plan(job *j, ex_conv_direction direction, const ex_conv_shape *s)
{
    const int back = direction == EX_CONV_GRAD_INPUT;
    j->s = s;
    j->direction = direction;
    j->h = back ? s->oh : s->h;
    j->width = back ? s->ow : s->w;
    j->phase_rows = back ? s->stride[0] : 1;
    j->phase_cols = back ? s->stride[1] : 1;
    j->rows = back ? up(s->h, s->stride[0]) : s->oh;
    j->row_block = j->rows;
    while (j->row_block > 1 && strip_floats(j, j->row_block) * sizeof(float) > STRIP_BYTES) j->row_block = up(j->row_block, 2);
    j->row_parts = up(j->rows, j->row_block);
    j->channel_parts = up(s->ci, CHANNELS);
    j->padded = round_up((size_t)s->ci, 16);
    const double filter = (double)s->kh * s->kw * (double)j->padded, most = SHARE_FLOATS / filter;
    j->shares = most < 1 ? 1 : most < SHARES ? (int32_t)most : SHARES;
    if (j->shares > s->n) j->shares = s->n;
    j->strip = round_up(strip_floats(j, j->row_block), 16);
}

static size_t packed_floats(const job *j)
{
    const size_t taps = (size_t)j->s->kh * (size_t)j->s->kw;
    return (j->direction == EX_CONV_GRAD_WEIGHT ? taps * (size_t)j->shares : taps + 1) * j->padded;
}

size_t EX_SUFFIXED(ex_conv_depthwise_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads)
{
    job j = {0};
    plan(&j, direction, s);
    return (packed_floats(&j) + j.strip * (size_t)threads) * sizeof(float);
}

/* -- Forward and input gradient ------------------------------------------------------------------------------ */

/* One row of a phase, `lanes` channels of it: blocks of PIXELS outputs in registers. */
typedef struct row_args {
    const float *x, *w;                     /* of tap (0, 0) of output 0; of the phase's first tap */
    float *y;
    ptrdiff_t x_row, x_col, x_step, y_step, w_row, w_col;
    int32_t tap_rows, tap_cols, out;
    const float *bias, *residual;           /* residual: as y, or NULL */
    ptrdiff_t residual_step;
    ex_conv_activation activation;
} row_args;

EX_INLINE void row_pixels(const row_args *r, int32_t from, const int pixels, vmask m)
{
    vf a[PIXELS];
    const vf bias = vf_load_part(r->bias, m);
#pragma GCC unroll 8
    for (int p = 0; p < pixels; p++) a[p] = (vf){0};
    for (int32_t t = 0; t < r->tap_rows; t++)
        for (int32_t u = 0; u < r->tap_cols; u++) {
            const vf w = vf_load_part(r->w + t * r->w_row + u * r->w_col, m);
            const float *x = r->x + t * r->x_row + u * r->x_col + from * r->x_step;
#pragma GCC unroll 8
            for (int p = 0; p < pixels; p++) a[p] += vf_load_part(x + p * r->x_step, m) * w;
        }
    epilogue_store(r->y + from * r->y_step, r->y_step, a, 1, pixels, bias,
                   r->residual ? r->residual + from * r->residual_step : NULL, r->residual_step, r->activation, 0, m);
}

static void run_row(const row_args *r, int32_t lanes)
{
    const vmask m = vf_first(lanes);
    int32_t from = 0;
    for (; from + PIXELS <= r->out; from += PIXELS) row_pixels(r, from, PIXELS, m);
    if (from + 4 <= r->out) { row_pixels(r, from, 4, m); from += 4; }
    if (from + 2 <= r->out) { row_pixels(r, from, 2, m); from += 2; }
    if (from < r->out) row_pixels(r, from, 1, m);
}

/* All rows of one phase of a part. */
static void run_phase(const job *j, const view *v, const window *o, const axis *a, const axis *b, int32_t row,
                      int32_t channel, int32_t channels, float *y, const float *residual)
{
    const ptrdiff_t padded = (ptrdiff_t)j->padded;
    row_args r = {
        .x_row = a->dilation * v->row, .x_col = b->dilation * v->pixel, .x_step = b->step * v->pixel,
        .y_step = j->y.pixel * j->phase_cols, .w_row = a->kernel_step * j->s->kw * padded,
        .w_col = b->kernel_step * padded, .tap_cols = b->taps, .out = b->out, .residual_step = j->e.residual.pixel,
        .activation = j->e.activation,
    };
    for (int32_t i = row; i < least(row + j->row_block, a->out); i++) {
        const int32_t top = a->first + i * a->step;
        int32_t low = 0, high = a->taps;    /* taps inside the image */
        while (low < high && top + low * a->dilation < 0) low++;
        while (high > low && top + (high - 1) * a->dilation >= j->h) high--;
        r.tap_rows = high - low;
        for (int32_t k = i == row ? i : i + 1; residual && k <= i + 1 && k < a->out; k++)    /* a row ahead */
            epilogue_prefetch(residual + k * j->e.residual.row, r.residual_step, b->out, (channels + VL - 1) / VL);
        for (int32_t c = 0; c < channels; c += VL) {
            r.x = v->data + (top + low * a->dilation - o->row) * v->row + (b->first - o->col) * v->pixel + c;
            r.w = j->packed + (((ptrdiff_t)a->kernel + low * a->kernel_step) * j->s->kw + b->kernel) * padded + channel + c;
            r.bias = j->added + channel + c;
            r.y = y + i * j->phase_rows * j->y.row + c;
            if (residual) r.residual = residual + i * j->e.residual.row + c;
            run_row(&r, least(VL, channels - c));
        }
    }
}

/* Part = (image, channels, rows), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const int32_t row = part % j->row_parts * j->row_block, channel = part / j->row_parts % j->channel_parts * CHANNELS;
    const int32_t image = part / j->row_parts / j->channel_parts, channels = least(CHANNELS, j->s->ci - channel);
    const window o = rows_window(j, row, row + j->row_block);
    const view v = open_window(j->strips + (size_t)thread * j->strip, &o, j->x.data + image * j->x.image + channel,
                               j->x.row, j->x.pixel, j->h, j->width, channels);
    for (int32_t p = 0; p < j->phase_rows; p++)
        for (int32_t q = 0; q < j->phase_cols; q++) {
            const axis a = row_axis(j, p), b = col_axis(j, q);
            float *y = j->y.data + image * j->y.image + p * j->y.row + q * j->y.pixel + channel;
            const float *residual = j->e.residual.data ? j->e.residual.data + image * j->e.residual.image + channel : NULL;
            if (b.out > 0) run_phase(j, &v, &o, &a, &b, row, channel, channels, y, residual);
        }
    if (!j->moments) return;
    const ex_conv_image y = { j->y.data + image * j->y.image + row * j->y.row + channel, j->y.image, j->y.row, j->y.pixel };
    double *mean = j->moments + (size_t)(image * j->row_parts + row / j->row_block) * 2 * (size_t)j->s->co + channel;
    moments_take(mean, mean + j->s->co, y, 1, least(j->row_block, j->rows - row), j->s->ow, channels);
}

static void join_moments(const job *j)
{
    const int32_t co = j->s->co;
    double count = 0, *mean = j->e.moments;
    memset(mean, 0, 2 * (size_t)co * sizeof *mean);
    for (int32_t p = 0; p < j->s->n * j->row_parts; p++) {
        const double *part = j->moments + (size_t)p * 2 * (size_t)co;
        const double pixels = (double)least(j->row_block, j->rows - p % j->row_parts * j->row_block) * j->s->ow;
        moments_join(mean, mean + co, count, part, part + co, pixels, co);
        count += pixels;
    }
}

static void pack_taps(const job *j, float *out, ex_conv_filter w)
{
    const ex_conv_shape *s = j->s;
    for (int32_t t = 0; t < s->kh * s->kw; t++, out += j->padded)
        for (int32_t c = 0; c < s->ci; c++) out[c] = w.data[c * w.out + t / s->kw * w.row + t % s->kw * w.col];
}

/* Scratch: the bias, the strips, the packed filter, each in whole lines of the cache. */
static void run(job *j, ex_conv_filter w, ex_team *team, void *scratch)
{
    const ex_conv_shape *s = j->s;
    float *added = scratch, *packed;
    for (int32_t c = 0; c < s->ci; c++) added[c] = j->e.bias ? j->e.bias[c * j->e.bias_step] : 0;
    j->added = added;
    j->strips = added + j->padded;
    packed = j->strips + j->strip * (size_t)(team ? ex_team_size(team) : 1);
    j->packed = w.packed ? w.packed : packed;
    if (!w.packed) pack_taps(j, packed, w);
    if (j->e.moments) j->moments = (double *)(void *)(packed + (w.packed ? 0 : packed_floats(j) - j->padded));
    ex_team_run(team, s->n * j->channel_parts * j->row_parts, run_part, j);
    if (j->moments) join_moments(j);
}

size_t EX_SUFFIXED(ex_conv_depthwise_packed_bytes)(const ex_conv_shape *s)
{
    return (size_t)s->kh * (size_t)s->kw * round_up((size_t)s->ci, 16) * sizeof(float);
}

void EX_SUFFIXED(ex_conv_depthwise_pack)(float *packed, ex_conv_filter w, const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, EX_CONV_FORWARD, s);
    pack_taps(&j, packed, w);
}

size_t EX_SUFFIXED(ex_conv_depthwise_moments_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, EX_CONV_FORWARD, s);
    return 64 + (size_t)s->n * (size_t)j.row_parts * 2 * (size_t)s->co * sizeof(double);
}

void EX_SUFFIXED(ex_conv_depthwise_forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const ex_conv_epilogue *e,
                                            const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .y = y, .x = x, .e = *e };
    plan(&j, EX_CONV_FORWARD, s);
    run(&j, w, team, scratch);
}

void EX_SUFFIXED(ex_conv_depthwise_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w,
                                               const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .y = dx, .x = dy };
    plan(&j, EX_CONV_GRAD_INPUT, s);
    run(&j, w, team, scratch);
}

/* -- Weight gradient ------------------------------------------------------------------------------------------- */

/* sums[t * padded] += over rows and columns of x[.. + t * x_col] * dy, for `taps` taps of one kernel row. */
EX_INLINE void sum_taps(float *sums, size_t padded, const int taps, const float *x, ptrdiff_t x_row, ptrdiff_t x_step,
                        ptrdiff_t x_col, const float *dy, ptrdiff_t dy_row, ptrdiff_t dy_pixel, int32_t rows,
                        int32_t cols, vmask m)
{
    vf a[4];
#pragma GCC unroll 4
    for (int t = 0; t < taps; t++) a[t] = vf_load_part(sums + (size_t)t * padded, m);
    for (int32_t r = 0; r < rows; r++, x += x_row, dy += dy_row)
        for (int32_t i = 0; i < cols; i++) {
            const vf d = vf_load_part(dy + i * dy_pixel, m);
#pragma GCC unroll 4
            for (int t = 0; t < taps; t++) a[t] += vf_load_part(x + i * x_step + t * x_col, m) * d;
        }
#pragma GCC unroll 4
    for (int t = 0; t < taps; t++) vf_store_part(sums + (size_t)t * padded, a[t], m);
}

/* One vector of channels, all taps, over the rows of one window. */
static void sum_channels(const job *j, const view *v, const float *x, const float *dy, float *sums, int32_t rows, vmask m)
{
    const ex_conv_shape *s = j->s;
    const ptrdiff_t x_col = s->dilation[1] * v->pixel, x_row = s->stride[0] * v->row, x_step = s->stride[1] * v->pixel;
    for (int32_t k = 0; k < s->kh; k++)
        for (int32_t t = 0, taps; t < s->kw; t += taps) {
            float *to = sums + (size_t)(k * s->kw + t) * j->padded;
            const float *from = x + k * s->dilation[0] * v->row + t * x_col;
            taps = least(4, s->kw - t);
            switch (taps) {
            case 4: sum_taps(to, j->padded, 4, from, x_row, x_step, x_col, dy, j->y.row, j->y.pixel, rows, s->ow, m); break;
            case 3: sum_taps(to, j->padded, 3, from, x_row, x_step, x_col, dy, j->y.row, j->y.pixel, rows, s->ow, m); break;
            case 2: sum_taps(to, j->padded, 2, from, x_row, x_step, x_col, dy, j->y.row, j->y.pixel, rows, s->ow, m); break;
            default: sum_taps(to, j->padded, 1, from, x_row, x_step, x_col, dy, j->y.row, j->y.pixel, rows, s->ow, m); break;
            }
        }
}

/* Part = (share of the images, channels), the last one fastest. */
static void weight_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t channel = part % j->channel_parts * CHANNELS, share = part / j->channel_parts;
    const int32_t channels = least(CHANNELS, s->ci - channel);
    const int32_t first = (int32_t)((int64_t)s->n * share / j->shares), end = (int32_t)((int64_t)s->n * (share + 1) / j->shares);
    float *strip = j->strips + (size_t)thread * j->strip;
    float *sums = j->sums + (size_t)share * (size_t)s->kh * (size_t)s->kw * j->padded + channel;
    for (int32_t t = 0; t < s->kh * s->kw; t++) memset(sums + (size_t)t * j->padded, 0, (size_t)channels * sizeof *sums);
    for (int32_t image = first; image < end; image++)
        for (int32_t row = 0; row < s->oh; row += j->row_block) {
            const int32_t rows = least(j->row_block, s->oh - row);
            const window o = rows_window(j, row, row + rows);
            const view v = open_window(strip, &o, j->x.data + image * j->x.image + channel, j->x.row, j->x.pixel, s->h, s->w,
                                       channels);
            const float *dy = j->y.data + image * j->y.image + row * j->y.row + channel;
            for (int32_t c = 0; c < channels; c += VL)
                sum_channels(j, &v, v.data + c, dy + c, sums + c, rows, vf_first(least(VL, channels - c)));
        }
}

void EX_SUFFIXED(ex_conv_depthwise_grad_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy,
                                                const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .y = dy, .x = x };
    plan(&j, EX_CONV_GRAD_WEIGHT, s);
    j.sums = scratch;
    j.strips = j.sums + packed_floats(&j);
    ex_team_run(team, j.shares * j.channel_parts, weight_part, &j);
    const size_t each = (size_t)s->kh * (size_t)s->kw * j.padded;
    for (int32_t t = 0; t < s->kh * s->kw; t++)
        for (int32_t c = 0; c < s->ci; c++) {
            const float *in = j.sums + (size_t)t * j.padded + c;
            float sum = *in;
            for (int32_t k = 1; k < j.shares; k++) sum += in[(size_t)k * each];
            dw.data[c * dw.out + t / s->kw * dw.row + t % s->kw * dw.col] = sum;
        }
}
