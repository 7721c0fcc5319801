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

enum { PIXELS = 8, ENOUGH_PARTS = 16 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_direction direction;
    ex_conv_image y, x;                     /* written, read */
    int32_t h, width;                       /* of x */
    int32_t phase_rows, phase_cols, rows;   /* rows of the largest phase */
    int32_t images, channel_block, row_block;                        /* what a part covers */
    int32_t image_parts, channel_parts, row_parts;
    int both, cold;                         /* both phases of columns at once (output_of); images larger than the L2 cache */
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
    j->both = back && s->stride[1] == 2 && s->dilation[1] == 1 && (s->kw == 3 || s->kw == 5) && s->padding[1] == s->kw / 2;
    if (j->both) j->phase_cols = 1;
    j->cold = images_cold(s);
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

/* -- Sweeps ----------------------------------------------------------------------------------------------------- */

/* Some rows and channels of one phase of an image. */
typedef struct sweep {
    axis rows, cols;
    span inside;                            /* columns of outputs all of whose taps lie inside */
    int32_t row, row_end, channels;
    int32_t h, width;                       /* of x */
    const float *x, *w, *bias, *residual;   /* x: of pixel (0, 0); w: of the phase's first tap; residual: as y, or NULL */
    float *y;                               /* of the phase's output (0, 0) */
    ptrdiff_t x_row, x_pixel, y_row, y_step, w_row, w_col, residual_row, residual_step;
    ex_conv_activation activation;
    int ahead;                              /* what the next row reads is to be asked for */
} sweep;

/* What one row of a sweep reads and writes, at column 0. */
typedef struct line {
    const float *x, *w, *residual;
    float *y;
    ptrdiff_t x_row;
    int32_t taps;
} line;

static inline line line_of(const sweep *s, int32_t i)
{
    const int32_t top = s->rows.first + i * s->rows.step;
    const span t = taps_inside(&s->rows, top, s->h);
    return (line){ .x = s->x + (top + t.from * s->rows.dilation) * s->x_row + s->cols.first * s->x_pixel, .w = s->w + t.from * s->w_row,
                   .residual = s->residual ? s->residual + i * s->residual_row : NULL, .y = s->y + i * s->y_row,
                   .x_row = s->rows.dilation * s->x_row, .taps = t.to - t.from };
}

EX_INLINE void store(const sweep *s, const line *l, int32_t from, int32_t c, vf *a, const int pixels, const int vectors, const int whole, vmask m)
{
    UNROLL for (int v = 0; v < vectors; v++, c += VL)
        epilogue_store(l->y + from * s->y_step + c, s->y_step, a + v, vectors, pixels, whole ? vf_load(s->bias + c) : vf_load_part(s->bias + c, m),
                       l->residual ? l->residual + from * s->residual_step + c : NULL, s->residual_step, s->activation, whole, m);
}

/* The output to which column k of a tile and tap u belong, or -1. Step BACK is the input gradient of stride 2 with a padding
 * of taps / 2, both phases of columns at once: output 2k + u - taps / 2, where column 0 is -(taps / 4). */
enum { BACK = -2 };
EX_INLINE int output_of(const int k, const int u, const int taps, const int step, const int pixels)
{
    const int at = step == BACK ? 2 * (k - taps / 4) + u - taps / 2 : k - u, p = step == BACK ? at : at / step;
    return at < 0 || (step != BACK && at % step) || p >= pixels ? -1 : p;
}

EX_INLINE int tile_columns(const int pixels, const int taps, const int step)
{
    return step == BACK ? (pixels - 1 + taps / 2) / 2 + taps / 4 + 1 : (pixels - 1) * step + taps;
}
/* The place in a border of column k of n, or -1. */
EX_INLINE int border_of(const int k, const int n, const int taps, const int step)
{
    const int left = step == BACK ? taps / 4 : taps / 2, right = step == BACK ? 1 : taps / 2;
    return k < left ? k : n - 1 - k < right ? left + n - 1 - k : -1;
}

/* `pixels` outputs of neighbouring columns, each number of which is loaded once a row of taps. whole: all lanes exist. */
EX_INLINE void tile(const sweep *s, const line *l, const border *b, int32_t from, int32_t c, const int pixels, const int taps, const int step,
                    const int whole, vmask m)
{
    const int n = tile_columns(pixels, taps, step), vectors = whole ? VECTORS : 1;
    const float *x = l->x + (step == BACK ? from / 2 : from * step) * s->x_pixel + c, *w = l->w + c;
    vf a[PIXELS * VECTORS], f[MAX_TAPS * VECTORS];
    UNROLL for (int i = 0; i < pixels * vectors; i++) a[i] = (vf){0};
    for (int32_t t = l->taps; t > 0; t--, x += l->x_row, w += s->w_row) {
        UNROLL for (int i = 0; i < taps * vectors; i++) {
            const float *in = w + i / vectors * s->w_col + i % vectors * VL;
            f[i] = whole ? vf_load(in) : vf_load_part(in, m);
        }
        UNROLL for (int i = 0; i < n * vectors; i++) {
            const int k = i / vectors, v = i % vectors, e = border_of(k, n, taps, step);
            const float *in = x + (e >= 0 ? b->at[e] : k * s->x_pixel) + v * VL;
            const vf g = e >= 0 ? vf_load_part(in, b->inside[e]) : whole ? vf_load(in) : vf_load_part(in, m);
            UNROLL for (int u = 0; u < taps; u++) {
                const int p = output_of(k, u, taps, step, pixels);
                if (p >= 0) a[p * vectors + v] += g * f[u * vectors + v];
            }
        }
    }
    store(s, l, from, c, a, pixels, vectors, whole, m);
}

/* What the next row adds to what a tile reads. */
EX_INLINE void ask_ahead(const sweep *s, const line *l, int32_t from, int32_t c, const int pixels, const int taps, const int step)
{
    const int columns = step == BACK ? pixels / 2 : pixels * step, rows = step == 2 ? 2 : 1;
    const float *x = l->x + ((step == BACK ? from / 2 : from * step) + taps / 2) * s->x_pixel + l->taps * l->x_row + c;
    UNROLL for (int i = 0; i < columns * rows; i++) {
        __builtin_prefetch(x + i % rows * l->x_row + i / rows * s->x_pixel);
        if (VECTORS > 1) __builtin_prefetch(x + i % rows * l->x_row + i / rows * s->x_pixel + VL);
    }
}

/* The same `pixels` columns of all rows and channels; whole: the channels are whole vectors, VECTORS at a time; else part of one. */
EX_INLINE void tile_rows(const sweep *s, int32_t from, const int pixels, const int taps, const int step, const int whole)
{
    const int n = tile_columns(pixels, taps, step);
    const int32_t lanes = whole ? VL : s->channels, at = s->cols.first + (step == BACK ? from / 2 : from * step);
    const vmask m = vf_first(lanes);
    border b;
    UNROLL for (int k = 0; k < n; k++) border_set(&b, border_of(k, n, taps, step), k, at, s->width, s->x_pixel, lanes);
    for (int32_t i = s->row; i < s->row_end; i++) {
        const line l = line_of(s, i);
        if (l.residual && i + 1 < s->row_end)
            epilogue_prefetch(l.residual + s->residual_row + from * s->residual_step, s->residual_step, pixels, up(s->channels, VL));
        if (!whole) { tile(s, &l, &b, from, 0, pixels, taps, step, 0, m); continue; }
        for (int32_t c = 0; c < s->channels; c += VECTORS * VL) {
            if (s->ahead) ask_ahead(s, &l, from, c, pixels, taps, step);
            tile(s, &l, &b, from, c, pixels, taps, step, 1, m);
        }
    }
}

/* A sweep in equal tiles of at most PIXELS columns, the first ones larger by one (two, and all but the last even, for BACK). */
EX_INLINE void tiles(const sweep *s, const int taps, const int step, const int whole)
{
    const int32_t unit = step == BACK ? 2 : 1, units = up(s->cols.out, unit), count = up(units, PIXELS / unit);
    for (int32_t i = 0, from = 0; i < count; i++) {
        const int32_t pixels = least((units / count + (i < units % count)) * unit, s->cols.out - from);
        switch (pixels) {
        case 8: tile_rows(s, from, 8, taps, step, whole); break;
        case 7: tile_rows(s, from, 7, taps, step, whole); break;
        case 6: tile_rows(s, from, 6, taps, step, whole); break;
        case 5: tile_rows(s, from, 5, taps, step, whole); break;
        case 4: tile_rows(s, from, 4, taps, step, whole); break;
        case 3: tile_rows(s, from, 3, taps, step, whole); break;
        case 2: tile_rows(s, from, 2, taps, step, whole); break;
        default: tile_rows(s, from, 1, taps, step, whole); break;
        }
        from += pixels;
    }
}

/* Any taps: `taps` of each of `pixels` outputs. */
EX_INLINE void any_pixels(const sweep *s, const line *l, int32_t from, int32_t c, const int pixels, span taps)
{
    const vmask m = vf_first(least(VL, s->channels - c));
    const ptrdiff_t step = s->cols.step * s->x_pixel;
    vf a[PIXELS];
    UNROLL for (int p = 0; p < pixels; p++) a[p] = (vf){0};
    for (int32_t t = 0; t < l->taps; t++)
        for (int32_t u = taps.from; u < taps.to; u++) {
            const vf w = vf_load_part(l->w + t * s->w_row + u * s->w_col + c, m);
            const float *x = l->x + t * l->x_row + u * s->cols.dilation * s->x_pixel + from * step + c;
            UNROLL for (int p = 0; p < pixels; p++) a[p] += vf_load_part(x + p * step, m) * w;
        }
    store(s, l, from, c, a, pixels, 1, 0, m);
}

static void any_border(const sweep *s, const line *l, int32_t from, int32_t to, int32_t c)
{
    for (; from < to; from++) any_pixels(s, l, from, c, 1, taps_inside(&s->cols, s->cols.first + from * s->cols.step, s->width));
}

static void any_rows(const sweep *s)
{
    const span all = { 0, s->cols.taps };
    for (int32_t i = s->row; i < s->row_end; i++) {
        const line l = line_of(s, i);
        for (int32_t c = 0; c < s->channels; c += VL) {
            int32_t from = s->inside.from;
            any_border(s, &l, 0, from, c);
            for (; from + PIXELS <= s->inside.to; from += PIXELS) any_pixels(s, &l, from, c, PIXELS, all);
            for (; from + 2 <= s->inside.to; from += 2) any_pixels(s, &l, from, c, 2, all);
            for (; from < s->inside.to; from++) any_pixels(s, &l, from, c, 1, all);
            any_border(s, &l, from, s->cols.out, c);
        }
    }
}

/* For whole vectors, VECTORS at a time, and for part of one. */
typedef struct sweep_functions {
    void (*whole)(const sweep *s), (*part)(const sweep *s);
} sweep_functions;

#define SWEEPS(X) X(3, 1, 1) X(5, 1, 1) X(3, 2, 2) X(5, 2, 2) X(3, 0, BACK) X(5, 0, BACK)
#define SWEEP(TAPS, KIND, STEP) \
    static void whole_##TAPS##_##KIND(const sweep *s) { tiles(s, TAPS, STEP, 1); } \
    static void part_##TAPS##_##KIND(const sweep *s) { tiles(s, TAPS, STEP, 0); }
SWEEPS(SWEEP)
#define SWEEP_ENTRY(TAPS, KIND, STEP) [TAPS][KIND] = { whole_##TAPS##_##KIND, part_##TAPS##_##KIND },
static const sweep_functions sweeps[MAX_TAPS + 1][3] = { SWEEPS(SWEEP_ENTRY) };

static sweep_functions functions_of(const axis *a, int32_t width)
{
    return axis_tiles(a, width) ? sweeps[a->taps][a->step] : (sweep_functions){ NULL, any_rows };
}

/* -- Forward and input gradient ------------------------------------------------------------------------------ */

static void run_sweep(sweep *s, sweep_functions f, int32_t channels)
{
    const int32_t whole = f.whole ? channels / (VECTORS * VL) * (VECTORS * VL) : 0;
    s->channels = whole;
    if (whole) f.whole(s);
    for (int32_t c = whole, step = whole; c < channels; c += step) {
        s->x += step;
        s->w += step;
        s->y += step;
        s->bias += step;
        if (s->residual) s->residual += step;
        step = f.whole ? VL : channels - c;
        s->channels = least(step, channels - c);
        f.part(s);
    }
}

/* `channels` of the rows [row, row_end) of phase (p, q) of an image. */
static void run_phase(const job *j, int32_t p, int32_t q, int32_t image, int32_t row, int32_t row_end, int32_t channel, int32_t channels)
{
    const ex_conv_shape *g = j->s;
    const ex_conv_image *y = &j->y, *e = &j->e.residual;
    const axis a = row_axis(j, p);
    axis b = col_axis(j, q);
    sweep_functions f = functions_of(&b, j->width);
    if (j->both) {                          /* taps in the kernel's order */
        b = (axis){ .out = g->w, .taps = g->kw, .step = 1, .dilation = 1, .first = -(g->kw / 4), .kernel_step = 1 };
        f = sweeps[g->kw][0];
    }
    const ptrdiff_t padded = (ptrdiff_t)j->padded;
    sweep s = {
        .rows = a, .cols = b, .inside = outputs_inside(&b, j->width), .row = row, .row_end = least(row_end, a.out), .h = j->h, .width = j->width,
        .x = j->x.data + image * j->x.image + channel, .w = j->packed + ((ptrdiff_t)a.kernel * g->kw + b.kernel) * padded + channel,
        .bias = j->added + channel, .y = y->data + image * y->image + p * y->row + q * y->pixel + channel,
        .residual = e->data ? e->data + image * e->image + channel : NULL, .x_row = j->x.row, .x_pixel = j->x.pixel,
        .y_row = j->phase_rows * y->row, .y_step = j->phase_cols * y->pixel, .w_row = a.kernel_step * g->kw * padded,
        .w_col = b.kernel_step * padded, .residual_row = e->row, .residual_step = e->pixel, .activation = j->e.activation, .ahead = j->cold,
    };
    if (s.row < s.row_end && b.out > 0) run_sweep(&s, f, channels);
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
        for (int32_t p = 0; p < j->phase_rows; p++)
            for (int32_t q = 0; q < j->phase_cols; q++) run_phase(j, p, q, i, row, row + rows, channel, channel_end - channel);
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
