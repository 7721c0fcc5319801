/* conv_depthwise.c: convolutions that keep every channel to itself (groups == channels in == channels out), forward and
 * input gradient: a loop over vectors of channels. It handles no channel multiplier: that is conv.c's case.
 *
 *     y[n,oh,ow,c]  = epilogue(sum_{kh,kw} x[n, oh*s-p+kh*d, ow*s-p+kw*d, c] * w[c,kh,kw])
 *
 * The input gradient of stride s is made of phases (conv_parts.h), row by row, so that what is read stays in the cache. */
#include "conv_depthwise.h"
#include "conv_epilogue.h"
#include "conv_moments.h"
#include "../../base/team.h"

enum { LINE = 16, CHANNELS = 64, PIXELS = 8, PART_MACS = 50000, ENOUGH_PARTS = 16, MAX_TAPS = 5, L1_BYTES = 24 << 10 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_direction direction;
    ex_conv_image y, x;                     /* written, read */
    int32_t h, width;                       /* of x */
    int32_t phase_rows, phase_cols, rows;   /* rows of the largest phase */
    int32_t images, channel_block, row_block;                        /* what a part covers */
    int32_t image_parts, channel_parts, row_parts;
    int32_t near;                           /* channels that are gone through at a time: their rows stay in the L1 cache */
    ex_conv_epilogue e;
    size_t padded;                          /* channels rounded up */
    const float *packed, *added;            /* the filter, [tap][channel]; the bias or zeros */
    double *moments;                        /* of each (images, rows): 2 x channels; NULL: not wanted */
} job;

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

/* Cuts the work into parts by shape alone: images; one image into channels, then into rows. */
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
    j->padded = round_up((size_t)s->ci, LINE);
    const double macs = (double)s->oh * s->ow * s->ci * s->kh * s->kw, share = macs / PART_MACS;
    const int32_t pieces = share < 1 ? 1 : least(share < ENOUGH_PARTS ? (int32_t)share : ENOUGH_PARTS, up(ENOUGH_PARTS, s->n));
    j->images = share * s->n < 1 ? s->n : share < 1 ? (int32_t)(1 / share) : 1;
    j->channel_block = up(up(s->ci, LINE), least(pieces, up(s->ci, CHANNELS))) * LINE;
    j->channel_parts = up(s->ci, j->channel_block);
    j->row_block = up(j->rows, least(up(pieces, j->channel_parts), j->rows));
    j->row_parts = up(j->rows, j->row_block);
    j->image_parts = up(s->n, j->images);
    const double near = L1_BYTES / ((double)s->kh * s->dilation[0] * j->width * (LINE * sizeof(float)));
    j->near = near < 1 ? LINE : near < s->ci ? (int32_t)near * LINE : (int32_t)j->padded;
}

static size_t taps_floats(const job *j) { return (size_t)j->s->kh * (size_t)j->s->kw * j->padded; }

size_t EX_SUFFIXED(ex_conv_depthwise_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads)
{
    job j = {0};
    if (direction == EX_CONV_GRAD_WEIGHT) return EX_SUFFIXED(ex_conv_depthwise_weight_scratch)(s);
    (void)threads;
    plan(&j, direction, s);
    return (taps_floats(&j) + j.padded) * sizeof(float);
}

/* -- Rows of outputs ------------------------------------------------------------------------------------------ */

/* One row of a phase, `lanes` channels of it. */
typedef struct row_args {
    const float *x, *w;                     /* of tap (0, 0) of output 0, which may lie outside of the image; of the first tap */
    float *y;
    ptrdiff_t x_row, x_pixel, y_step, w_row, w_col;
    axis cols;
    span inside;                            /* outputs all of whose taps lie inside */
    int32_t tap_rows, width;                /* width: of x */
    int32_t lanes;
    const float *bias, *residual;           /* residual: as y, or NULL */
    ptrdiff_t residual_step;
    ex_conv_activation activation;
} row_args;

EX_INLINE void store_row(const row_args *r, int32_t from, vf *a, const int pixels, const int whole, vmask m)
{
    epilogue_store(r->y + from * r->y_step, r->y_step, a, 1, pixels, whole ? vf_load(r->bias) : vf_load_part(r->bias, m),
                   r->residual ? r->residual + from * r->residual_step : NULL, r->residual_step, r->activation, whole, m);
}

#define UNROLL _Pragma("GCC unroll 32")

/* `pixels` outputs by `taps` neighbouring columns: each number of x is loaded once a row of taps. Columns outside of the
 * image are among the first and last taps - 1, and are zeros. */
EX_INLINE void row_tile(const row_args *r, int32_t from, const int pixels, const int taps, const int step, const int whole)
{
    const int n = (pixels - 1) * step + taps;
    const vmask m = vf_first(r->lanes);
    const float *x = r->x + from * step * r->x_pixel, *w = r->w;
    const int32_t at = r->cols.first + from * step;
    vmask inside[2 * MAX_TAPS];
    vf a[PIXELS], f[MAX_TAPS];
    UNROLL for (int i = 0; i < taps - 1; i++) {
        const int k = n - 1 - i;
        inside[i] = vf_first((uint32_t)(at + i) < (uint32_t)r->width ? r->lanes : 0);
        if (k >= taps - 1) inside[MAX_TAPS + i] = vf_first((uint32_t)(at + k) < (uint32_t)r->width ? r->lanes : 0);
    }
    UNROLL for (int p = 0; p < pixels; p++) a[p] = (vf){0};
    for (int32_t t = r->tap_rows; t > 0; t--, x += r->x_row, w += r->w_row) {
        UNROLL for (int u = 0; u < taps; u++) f[u] = whole ? vf_load(w + u * r->w_col) : vf_load_part(w + u * r->w_col, m);
        UNROLL for (int k = 0; k < n; k++) {
            const float *in = x + k * r->x_pixel;
            const vf v = k < taps - 1 ? vf_load_part(in, inside[k]) : n - 1 - k < taps - 1 ? vf_load_part(in, inside[MAX_TAPS + n - 1 - k])
                : whole ? vf_load(in) : vf_load_part(in, m);
            UNROLL for (int u = 0; u < taps; u++)
                if (k >= u && (k - u) % step == 0 && (k - u) / step < pixels) a[(k - u) / step] += v * f[u];
        }
    }
    store_row(r, from, a, pixels, whole, m);
}

/* A row in equal tiles of at most PIXELS, the first ones larger by one. */
EX_INLINE void row_tiles(const row_args *r, const int taps, const int step, const int whole)
{
    const int32_t tiles = up(r->cols.out, PIXELS), each = r->cols.out / tiles, larger = r->cols.out % tiles;
    for (int32_t i = 0, from = 0; i < tiles; i++) {
        const int32_t pixels = each + (i < larger);
        switch (pixels) {
        case 8: row_tile(r, from, 8, taps, step, whole); break;
        case 7: row_tile(r, from, 7, taps, step, whole); break;
        case 6: row_tile(r, from, 6, taps, step, whole); break;
        case 5: row_tile(r, from, 5, taps, step, whole); break;
        case 4: row_tile(r, from, 4, taps, step, whole); break;
        case 3: row_tile(r, from, 3, taps, step, whole); break;
        case 2: row_tile(r, from, 2, taps, step, whole); break;
        default: row_tile(r, from, 1, taps, step, whole); break;
        }
        from += pixels;
    }
}

/* Any taps: `taps` of each of `pixels` outputs. */
EX_INLINE void row_pixels(const row_args *r, int32_t from, const int pixels, span taps)
{
    const vmask m = vf_first(r->lanes);
    const ptrdiff_t x_step = r->cols.step * r->x_pixel;
    vf a[PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) a[p] = (vf){0};
    for (int32_t t = 0; t < r->tap_rows; t++)
        for (int32_t u = taps.from; u < taps.to; u++) {
            const vf w = vf_load_part(r->w + t * r->w_row + u * r->w_col, m);
            const float *x = r->x + t * r->x_row + u * r->cols.dilation * r->x_pixel + from * x_step;
            UNROLL for (int p = 0; p < pixels; p++) a[p] += vf_load_part(x + p * x_step, m) * w;
        }
    store_row(r, from, a, pixels, 0, m);
}

static void row_of_any(const row_args *r)
{
    const span all = { 0, r->cols.taps };
    int32_t from = 0;
    for (; from < r->inside.from; from++) row_pixels(r, from, 1, taps_inside(&r->cols, r->cols.first + from * r->cols.step, r->width));
    for (; from + PIXELS <= r->inside.to; from += PIXELS) row_pixels(r, from, PIXELS, all);
    for (; from + 2 <= r->inside.to; from += 2) row_pixels(r, from, 2, all);
    for (; from < r->inside.to; from++) row_pixels(r, from, 1, all);
    for (; from < r->cols.out; from++) row_pixels(r, from, 1, taps_inside(&r->cols, r->cols.first + from * r->cols.step, r->width));
}

typedef void row_function(const row_args *r);

/* Masks cost nothing where vectors are 16 floats. */
enum { WHOLE = VL < 16 };

#define ROWS(X) X(1, 1) X(2, 1) X(3, 1) X(5, 1) X(3, 2) X(5, 2)
#define ROW(TAPS, STEP) \
    static void row_of_##TAPS##_##STEP(const row_args *r) { if (WHOLE && r->lanes == VL) row_tiles(r, TAPS, STEP, 1); else row_tiles(r, TAPS, STEP, 0); }
ROWS(ROW)
#define ROW_ENTRY(TAPS, STEP) [TAPS][STEP] = row_of_##TAPS##_##STEP,
static row_function *const row_of[MAX_TAPS + 1][3] = { ROWS(ROW_ENTRY) };

/* Tiles where every output has a tap inside, so that few columns of a tile are outside. */
static row_function *row_function_of(const axis *a, int32_t width)
{
    if (a->taps < 1 || a->taps > MAX_TAPS || a->step > 2 || a->dilation != 1 || !row_of[a->taps][a->step]) return row_of_any;
    return a->first <= -a->taps || a->first + (a->out - 1) * a->step >= width ? row_of_any : row_of[a->taps][a->step];
}

/* -- Forward and input gradient ------------------------------------------------------------------------------ */

/* One phase of columns of a part: what does not change from row to row. */
typedef struct phase {
    row_args r;
    row_function *run;
} phase;

static void open_phase(const job *j, phase *f, int32_t q)
{
    const axis b = col_axis(j, q);
    f->run = row_function_of(&b, j->width);
    f->r = (row_args){
        .x_pixel = j->x.pixel, .y_step = j->y.pixel * j->phase_cols, .w_col = b.kernel_step * (ptrdiff_t)j->padded, .cols = b,
        .inside = outputs_inside(&b, j->width), .width = j->width, .residual_step = j->e.residual.pixel, .activation = j->e.activation,
    };
}

/* Row i of row phase p, given as `a`, of an image: `channels` of all its columns of phase f. y, residual: of the phases. */
static void run_row(const job *j, phase *f, const axis *a, int32_t i, int32_t channel, int32_t channels, const float *x, float *y,
                    const float *residual)
{
    row_args *r = &f->r;
    const axis *b = &r->cols;
    const int32_t top = a->first + i * a->step;
    const span taps = taps_inside(a, top, j->h);
    const ptrdiff_t padded = (ptrdiff_t)j->padded;
    r->tap_rows = taps.to - taps.from;
    r->x_row = a->dilation * j->x.row;
    r->w_row = a->kernel_step * j->s->kw * padded;
    for (int32_t c = 0; c < channels; c += VL) {
        r->x = x + (top + taps.from * a->dilation) * j->x.row + b->first * j->x.pixel + c;
        r->w = j->packed + (((ptrdiff_t)a->kernel + taps.from * a->kernel_step) * j->s->kw + b->kernel) * padded + channel + c;
        r->bias = j->added + channel + c;
        r->y = y + c;
        r->residual = residual ? residual + c : NULL;
        r->lanes = least(VL, channels - c);
        f->run(r);
    }
}

/* Rows [row, row_end) of every phase of an image. */
static void run_rows(const job *j, int32_t image, int32_t row, int32_t row_end, int32_t channel, int32_t channels)
{
    const ex_conv_image *y = &j->y, *e = &j->e.residual;
    const float *x = j->x.data + image * j->x.image + channel;
    for (int32_t q = 0; q < j->phase_cols; q++) {
        phase f;
        open_phase(j, &f, q);
        for (int32_t i = row; i < row_end; i++)
            for (int32_t p = 0; p < j->phase_rows; p++) {
                const axis a = row_axis(j, p);
                const int32_t at = i * j->phase_rows + p;
                if (i >= a.out || f.r.cols.out < 1) continue;
                const float *residual = e->data ? e->data + image * e->image + at * e->row + channel : NULL;
                if (residual && i + 1 < a.out) epilogue_prefetch(residual + e->row, e->pixel, f.r.cols.out, up(channels, VL));
                run_row(j, &f, &a, i, channel, channels, x, y->data + image * y->image + at * y->row + q * y->pixel + channel, residual);
            }
    }
}

/* Part = (images, rows, channels), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t channel = part % j->channel_parts * j->channel_block, channel_end = least(channel + j->channel_block, j->s->ci);
    const int32_t space = part / j->channel_parts, row = space % j->row_parts * j->row_block, rows = least(j->row_block, j->rows - row);
    const int32_t image = space / j->row_parts * j->images, images = least(j->images, j->s->n - image);
    for (int32_t i = image; i < image + images; i++)
        for (int32_t c = channel; c < channel_end; c += j->near) run_rows(j, i, row, row + rows, c, least(j->near, channel_end - c));
    if (!j->moments) return;
    const ex_conv_image y = { j->y.data + image * j->y.image + row * j->y.row + channel, j->y.image, j->y.row, j->y.pixel };
    double *mean = j->moments + (size_t)space * 2 * (size_t)j->s->co + channel;
    moments_take(mean, mean + j->s->co, y, images, rows, j->s->ow, channel_end - channel);
}

static void join_moments(const job *j)
{
    const int32_t co = j->s->co;
    double count = 0, *mean = j->e.moments;
    memset(mean, 0, 2 * (size_t)co * sizeof *mean);
    for (int32_t p = 0; p < j->image_parts * j->row_parts; p++) {
        const double *part = j->moments + (size_t)p * 2 * (size_t)co;
        const double rows = least(j->row_block, j->rows - p % j->row_parts * j->row_block);
        const double pixels = rows * j->s->ow * least(j->images, j->s->n - p / j->row_parts * j->images);
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

/* Scratch: the bias, the packed filter, the moments, each in whole lines of the cache. */
static void run(job *j, ex_conv_filter w, ex_team *team, void *scratch)
{
    const ex_conv_shape *s = j->s;
    float *added = scratch, *packed = added + j->padded;
    for (int32_t c = 0; c < s->ci; c++) added[c] = j->e.bias ? j->e.bias[c * j->e.bias_step] : 0;
    j->added = added;
    j->packed = w.packed ? w.packed : packed;
    if (!w.packed) pack_taps(j, packed, w);
    if (j->e.moments) j->moments = (double *)(void *)(packed + (w.packed ? 0 : taps_floats(j)));
    ex_team_run(team, j->image_parts * j->row_parts * j->channel_parts, run_part, j);
    if (j->moments) join_moments(j);
}

size_t EX_SUFFIXED(ex_conv_depthwise_packed_bytes)(const ex_conv_shape *s)
{
    return (size_t)s->kh * (size_t)s->kw * round_up((size_t)s->ci, LINE) * sizeof(float);
}

void EX_SUFFIXED(ex_conv_depthwise_pack)(float *packed, ex_conv_filter w, const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, EX_CONV_FORWARD, s);
    pack_taps(&j, packed, w);
}

/* The fewer the images, the more parts may each be cut into. */
size_t EX_SUFFIXED(ex_conv_depthwise_moments_scratch)(const ex_conv_shape *s)
{
    const size_t parts = (size_t)s->n + ENOUGH_PARTS;
    return 64 + parts * 2 * (size_t)s->co * sizeof(double);
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
