/* conv_depthwise_weight.c: the weight gradient of convolutions that keep every channel to itself:
 *
 *     dw[c,kh,kw] = sum_{n,oh,ow} x[n, oh*s-p+kh*d, ow*s-p+kw*d, c] * dy[n,oh,ow,c]
 *
 * A vector of channels goes through some rows with the sums of several taps in registers. Sums are kept as [tap][channel],
 * a set of them a share of the images, and shares are added in order. */
#include "conv_depthwise.h"
#include "../../base/team.h"

enum { SHARES = 16, SHARE_FLOATS = 2 << 20, CHUNK_BYTES = 128 << 10, COLUMNS = 4 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_image x, dy;
    ex_conv_filter dw;
    axis rows, cols;
    size_t padded, sums;                    /* channels rounded up; floats of a set */
    int32_t shares, channel_block, channel_parts, chunk;             /* chunk: rows that are gone through at a time */
    int cold;
    float *made;                            /* the sets, as they are made */
    const float *share;                     /* and as they are added */
} job;

static void plan(job *j, const ex_conv_shape *s)
{
    j->s = s;
    j->rows = axis_forward(s->oh, s->kh, s->stride[0], s->padding[0], s->dilation[0]);
    j->cols = axis_forward(s->ow, s->kw, s->stride[1], s->padding[1], s->dilation[1]);
    j->padded = round_up((size_t)s->ci, CHANNEL_LINE);
    j->sums = (size_t)s->kh * (size_t)s->kw * j->padded;
    const double macs = (double)s->oh * s->ow * s->ci * s->kh * s->kw * s->n, parts = macs / PART_MACS;
    const double room = (double)SHARE_FLOATS / (double)j->sums;
    const int32_t pieces = parts < 1 ? 1 : parts < SHARES ? (int32_t)parts : SHARES;
    j->shares = least(pieces, room < 1 ? 1 : room < s->n ? (int32_t)room : s->n);
    j->channel_block = up(up(s->ci, CHANNEL_LINE), least(up(pieces, j->shares), up(s->ci, CHANNELS))) * CHANNEL_LINE;
    j->channel_parts = up(s->ci, j->channel_block);
    const double row = ((double)s->w * s->stride[0] + s->ow) * least(s->ci, j->channel_block) * sizeof(float);
    j->cold = images_cold(s);
    j->chunk = !j->cold || row * s->oh < CHUNK_BYTES ? s->oh : row < CHUNK_BYTES ? (int32_t)(CHUNK_BYTES / row) : 1;
}

size_t EX_SUFFIXED(ex_conv_depthwise_weight_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return j.sums * (size_t)j.shares * sizeof(float);
}

/* -- Sums in registers ---------------------------------------------------------------------------------------- */

/* Some rows of an image, some channels, and the kernel rows from `kernel_row` on. */
typedef struct sweep {
    float *sums;                            /* of tap (0, 0) */
    const float *x, *dy;                    /* of their first pixels */
    ptrdiff_t tap;                          /* from sum to sum */
    ptrdiff_t x_row, x_pixel, dy_row, dy_pixel;
    const axis *rows, *cols;
    int32_t kernel_row, row, row_end, channels;
    int32_t h, width;                       /* of x */
    int32_t ahead;                          /* rows after which pixels are to be asked for; 0: not */
} sweep;

/* What a tile reads of the row that is `ahead` below. */
EX_INLINE void ask_ahead(const float *x, const float *dy, const sweep *s, const int pixels, const int taps, const int step)
{
    x += (taps / 2 * s->x_row) + s->ahead * step * s->x_row + taps / 2 * s->x_pixel;
    dy += s->ahead * s->dy_row;
    UNROLL for (int i = 0; i < pixels; i++) {
        __builtin_prefetch(dy + i * s->dy_pixel);
        if (VECTORS > 1) __builtin_prefetch(dy + i * s->dy_pixel + VL);
    }
    UNROLL for (int i = 0; i < pixels * step * step; i++) {
        __builtin_prefetch(x + i % step * s->x_row + i / step * s->x_pixel);
        if (VECTORS > 1) __builtin_prefetch(x + i % step * s->x_row + i / step * s->x_pixel + VL);
    }
}

/* The place in a border of column k of n, or -1. */
EX_INLINE int border_of(const int k, const int n, const int taps)
{
    return k < taps / 2 ? k : n - 1 - k < taps / 2 ? taps / 2 + n - 1 - k : -1;
}

/* sum += x * dy, for `kernel_rows` x `taps`, over `pixels` neighbouring outputs of a row: each number is loaded once a kernel
 * row. x: of the first kernel row, of which those in `inside` exist; all: all do. whole: all lanes of VECTORS vectors exist, else
 * those of m of one. */
EX_INLINE void sum_row(vf *sum, const sweep *s, const border *b, const float *x, const float *dy, span inside, const int kernel_rows,
                       const int taps, const int step, const int pixels, const int whole, const int all, vmask m)
{
    const int n = (pixels - 1) * step + taps, vectors = whole ? VECTORS : 1;
    const ptrdiff_t x_kernel_row = s->rows->dilation * s->x_row;
    vf d[COLUMNS * VECTORS];
    UNROLL for (int i = 0; i < pixels * vectors; i++) {
        const float *in = dy + i / vectors * s->dy_pixel + i % vectors * VL;
        d[i] = whole ? vf_load(in) : vf_load_part(in, m);
    }
    UNROLL for (int i = 0; i < n * kernel_rows; i++) {
        const int column = all ? i / kernel_rows : i % n, k = all ? i % kernel_rows : i / n, e = border_of(column, n, taps);
        if (!all && (k < inside.from || k >= inside.to)) continue;
        const float *in = x + k * x_kernel_row + (e >= 0 ? b->at[e] : column * s->x_pixel);
        UNROLL for (int v = 0; v < vectors; v++) {
            const vf g = e >= 0 ? vf_load_part(in + v * VL, b->inside[e]) : whole ? vf_load(in + v * VL) : vf_load_part(in, m);
            UNROLL for (int u = 0; u < taps; u++)
                if (column >= u && (column - u) % step == 0 && (column - u) / step < pixels)
                    sum[(k * taps + u) * vectors + v] += g * d[(column - u) / step * vectors + v];
        }
    }
}

/* The same over all rows, with the sums in registers. */
EX_INLINE void sum_rows(const sweep *s, const border *b, int32_t from, int32_t c, const int kernel_rows, const int taps, const int step,
                        const int pixels, const int whole, vmask m)
{
    const int vectors = whole ? VECTORS : 1;
    const axis rows = { .out = s->rows->out, .taps = least(kernel_rows, s->rows->taps - s->kernel_row), .step = s->rows->step,
                        .dilation = s->rows->dilation, .first = s->rows->first + s->kernel_row * s->rows->dilation };
    const span complete = rows.taps == kernel_rows ? outputs_inside(&rows, s->h) : (span){ 0, 0 };
    float *sums = s->sums + s->kernel_row * taps * s->tap + c;
    const float *x = s->x + (rows.first + s->row * rows.step) * s->x_row + (s->cols->first + from * step) * s->x_pixel + c;
    const float *dy = s->dy + s->row * s->dy_row + from * s->dy_pixel + c;
    vf sum[10 * VECTORS];
    UNROLL for (int i = 0; i < kernel_rows * taps * vectors; i++) {
        const float *in = sums + i / vectors * s->tap + i % vectors * VL;
        sum[i] = i / vectors / taps >= rows.taps ? (vf){0} : whole ? vf_load(in) : vf_load_part(in, m);
    }
    for (int32_t r = s->row; r < s->row_end; r++, x += rows.step * s->x_row, dy += s->dy_row) {
        if (whole && s->ahead) ask_ahead(x, dy, s, pixels, taps, step);
        if (r >= complete.from && r < complete.to) sum_row(sum, s, b, x, dy, complete, kernel_rows, taps, step, pixels, whole, 1, m);
        else sum_row(sum, s, b, x, dy, taps_inside(&rows, rows.first + r * rows.step, s->h), kernel_rows, taps, step, pixels, whole, 0, m);
    }
    UNROLL for (int i = 0; i < kernel_rows * taps * vectors; i++) {
        float *out = sums + i / vectors * s->tap + i % vectors * VL;
        if (i / vectors / taps >= rows.taps) continue;
        if (whole) vf_store(out, sum[i]);
        else vf_store_part(out, sum[i], m);
    }
}

/* The same columns of all channels and kernel rows; whole: channels are whole vectors, VECTORS at a time, else part of one. */
EX_INLINE void tile(sweep *s, int32_t from, const int kernel_rows, const int taps, const int step, const int pixels, const int whole)
{
    const int n = (pixels - 1) * step + taps;
    const int32_t lanes = whole ? VL : s->channels;
    const vmask m = vf_first(lanes);
    border b;
    UNROLL for (int k = 0; k < n; k++)
        border_set(&b, border_of(k, n, taps), k, s->cols->first + from * step, s->width, s->x_pixel, lanes);
    for (int32_t c = 0; c < s->channels; c += whole ? VECTORS * VL : VL)
        for (s->kernel_row = 0; s->kernel_row < s->rows->taps; s->kernel_row += kernel_rows)
            sum_rows(s, &b, from, c, kernel_rows, taps, step, pixels, whole, m);
}

/* A sweep in equal tiles of at most COLUMNS columns, the first ones larger by one. */
EX_INLINE void tiles(sweep *s, const int kernel_rows, const int taps, const int step, const int whole)
{
    const int32_t count = up(s->cols->out, COLUMNS);
    for (int32_t i = 0, from = 0; i < count; i++) {
        const int32_t pixels = s->cols->out / count + (i < s->cols->out % count);
        switch (pixels) {
        case 4: tile(s, from, kernel_rows, taps, step, 4, whole); break;
        case 3: tile(s, from, kernel_rows, taps, step, 3, whole); break;
        case 2: tile(s, from, kernel_rows, taps, step, 2, whole); break;
        default: tile(s, from, kernel_rows, taps, step, 1, whole); break;
        }
        from += pixels;
    }
}

/* For whole vectors, VECTORS at a time, and for part of one. */
typedef struct sweep_functions {
    void (*whole)(sweep *s), (*part)(sweep *s);
} sweep_functions;

/* Kernel rows at a time, taps of each, step: as many sums as there are registers. */
#define SWEEPS(X) X(3, 3, 1) X(2, 5, 1) X(3, 3, 2) X(2, 5, 2)
#define SWEEP(ROWS, TAPS, STEP) \
    static void whole_##TAPS##_##STEP(sweep *s) { tiles(s, ROWS, TAPS, STEP, 1); } \
    static void part_##TAPS##_##STEP(sweep *s) { tiles(s, ROWS, TAPS, STEP, 0); }
SWEEPS(SWEEP)
#define SWEEP_ENTRY(ROWS, TAPS, STEP) [TAPS][STEP] = { whole_##TAPS##_##STEP, part_##TAPS##_##STEP },
static const sweep_functions sweeps[MAX_TAPS + 1][3] = { SWEEPS(SWEEP_ENTRY) };

/* One tap over all outputs that it is inside for, of a vector of channels: in four chains of additions. */
static void any_tap(const sweep *s, int32_t k, int32_t u, vmask m)
{
    enum { CHAINS = 4 };
    const axis *a = s->rows, *b = s->cols;
    const axis one = { .out = b->out, .taps = 1, .step = b->step, .dilation = 1, .first = b->first + u * b->dilation };
    const span inside = outputs_inside(&one, s->width);
    const ptrdiff_t step = b->step * s->x_pixel;
    float *out = s->sums + (k * b->taps + u) * s->tap;
    vf sum[CHAINS] = { vf_load_part(out, m) };
    for (int32_t r = s->row; r < s->row_end; r++) {
        const int32_t at = a->first + r * a->step + k * a->dilation;
        if (at < 0 || at >= s->h) continue;
        const float *x = s->x + at * s->x_row + one.first * s->x_pixel, *dy = s->dy + r * s->dy_row;
        int32_t i = inside.from;
        for (; i + CHAINS <= inside.to; i += CHAINS)
            UNROLL for (int p = 0; p < CHAINS; p++) sum[p] += vf_load_part(x + (i + p) * step, m) * vf_load_part(dy + (i + p) * s->dy_pixel, m);
        for (; i < inside.to; i++) sum[0] += vf_load_part(x + i * step, m) * vf_load_part(dy + i * s->dy_pixel, m);
    }
    vf_store_part(out, (sum[0] + sum[1]) + (sum[2] + sum[3]), m);
}

static void any_rows(sweep *s)
{
    const vmask m = vf_first(s->channels);
    for (int32_t k = 0; k < s->rows->taps; k++)
        for (int32_t u = 0; u < s->cols->taps; u++) any_tap(s, k, u, m);
}

/* -- The work ---------------------------------------------------------------------------------------------- */

/* Whether it is worth while to ask for a row in advance. Tiles of half a line of the cache ask for each line twice: on a first-generation
 * EPYC that halves the speed where images are in its last cache, and gains a third where they are not. */
static int images_far(const ex_conv_shape *s) { return VECTORS > 1 ? images_cold(s) : images_bytes(s) > L3_BYTES; }

/* Rows [row, row_end) of an image. */
static void add_rows(const job *j, float *sums, const float *x, const float *dy, int32_t row, int32_t row_end, int32_t channels)
{
    const axis *b = &j->cols;
    const sweep_functions f = axis_tiles(b, j->s->w) ? sweeps[b->taps][b->step] : (sweep_functions){ NULL, any_rows };
    const int32_t whole = f.whole ? channels / (VECTORS * VL) * (VECTORS * VL) : 0;
    sweep s = { .sums = sums, .x = x, .dy = dy, .tap = (ptrdiff_t)j->padded, .x_row = j->x.row, .x_pixel = j->x.pixel, .dy_row = j->dy.row,
                .dy_pixel = j->dy.pixel, .rows = &j->rows, .cols = b, .row = row, .row_end = row_end, .channels = whole, .h = j->s->h,
                .width = j->s->w, .ahead = images_far(j->s) ? j->chunk : 0 };
    if (whole) f.whole(&s);
    for (int32_t c = whole; c < channels; c += VL) {
        s.sums = sums + c;
        s.x = x + c;
        s.dy = dy + c;
        s.channels = least(VL, channels - c);
        f.part(&s);
    }
}

/* `channels` from `channel` on of the images [first, end), into one set of sums. */
static void add_images(const job *j, float *sums, int32_t first, int32_t end, int32_t channel, int32_t channels)
{
    const ex_conv_shape *s = j->s;
    for (int32_t image = first; image < end; image++)
        for (int32_t row = 0; row < s->oh; row += j->chunk)
            add_rows(j, sums + channel, j->x.data + image * j->x.image + channel, j->dy.data + image * j->dy.image + channel, row,
                     least(row + j->chunk, s->oh), channels);
}

/* Part = (share of the images, channels), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t channel = part % j->channel_parts * j->channel_block, share = part / j->channel_parts;
    const int32_t channels = least(j->channel_block, s->ci - channel);
    float *sums = j->made + (size_t)share * j->sums;
    for (int32_t t = 0; t < s->kh * s->kw; t++) memset(sums + (size_t)t * j->padded + channel, 0, (size_t)channels * sizeof *sums);
    add_images(j, sums, (int32_t)((int64_t)s->n * share / j->shares), (int32_t)((int64_t)s->n * (share + 1) / j->shares), channel, channels);
}

/* Part = a tap: adds the shares in order into dw. */
static void add_shares(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    float *out = j->dw.data + part / j->s->kw * j->dw.row + part % j->s->kw * j->dw.col;
    const float *in = j->share + (size_t)part * j->padded;
    for (int32_t c = 0; c < j->s->ci; c += VL) {
        const int32_t lanes = least(VL, j->s->ci - c);
        const vmask m = vf_first(lanes);
        vf sum = vf_load_part(in + c, m);
        for (int32_t k = 1; k < j->shares; k++) sum += vf_load_part(in + (size_t)k * j->sums + c, m);
        if (j->dw.out == 1) vf_store_part(out + c, sum, m);
        else for (int32_t v = 0; v < lanes; v++) out[(c + v) * j->dw.out] = sum[v];
    }
}

static void join(job *j, ex_team *team)
{
    if (j->sums * (size_t)j->shares < 32768) team = NULL;
    ex_team_run(team, j->s->kh * j->s->kw, add_shares, j);
}

void EX_SUFFIXED(ex_conv_depthwise_grad_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy,
                                                const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .x = x, .dy = dy, .dw = dw, .made = scratch, .share = scratch };
    plan(&j, s);
    ex_team_run(team, j.shares * j.channel_parts, run_part, &j);
    join(&j, team);
}

size_t EX_SUFFIXED(ex_conv_depthwise_sums_floats)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return j.sums;
}

size_t EX_SUFFIXED(ex_conv_depthwise_sums_scratch)(const ex_conv_shape *s)
{
    (void)s;
    return 0;
}

void EX_SUFFIXED(ex_conv_depthwise_add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch)
{
    (void)scratch;
    job j = { .x = x, .dy = dy };
    plan(&j, s);
    if (!more) memset(sums, 0, j.sums * sizeof *sums);
    for (int32_t c = 0; c < s->ci; c += j.channel_block) add_images(&j, sums, 0, s->n, c, least(j.channel_block, s->ci - c));
}

void EX_SUFFIXED(ex_conv_depthwise_join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team)
{
    job j = { .dw = dw };
    plan(&j, s);
    j.share = sums;
    j.shares = parts;
    join(&j, team);
}
