/* conv_depthwise_weight.c: the weight gradient of convolutions that keep every channel to itself:
 *
 *     dw[c,kh,kw] = sum_{n,oh,ow} x[n, oh*s-p+kh*d, ow*s-p+kw*d, c] * dy[n,oh,ow,c]
 *
 * A vector of channels goes through some rows with the sums of several taps in registers. Sums are kept as [tap][channel],
 * a set of them a share of the images, and shares are added in order. Taps outside of the image are left out. */
#include "conv_depthwise.h"
#include "../../base/team.h"

enum { SHARES = 16, SHARE_FLOATS = 2 << 20, CHUNK_BYTES = 32 << 10, COLUMNS = 4 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_image x, dy;
    ex_conv_filter dw;
    axis rows, cols;
    size_t padded, sums;                    /* channels rounded up; floats of a set */
    int32_t shares, channel_block, channel_parts, chunk;             /* chunk: rows that are gone through at a time */
    float *share;                           /* the sets */
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
    const int32_t pieces = parts < 1 ? 1 : parts < 4 * SHARES ? (int32_t)parts : 4 * SHARES;
    j->shares = least(least(pieces, SHARES), room < 1 ? 1 : room < s->n ? (int32_t)room : s->n);
    j->channel_block = up(up(s->ci, CHANNEL_LINE), least(up(pieces, j->shares), up(s->ci, CHANNELS))) * CHANNEL_LINE;
    j->channel_parts = up(s->ci, j->channel_block);
    const double row = ((double)s->w * s->stride[0] + s->ow) * least(s->ci, j->channel_block) * sizeof(float);
    j->chunk = row * s->oh < CHUNK_BYTES ? s->oh : row < CHUNK_BYTES ? (int32_t)(CHUNK_BYTES / row) : 1;
}

size_t EX_SUFFIXED(ex_conv_depthwise_weight_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return j.sums * (size_t)j.shares * sizeof(float);
}

/* -- Sums in registers ---------------------------------------------------------------------------------------- */

/* Some rows, `lanes` channels of them, all of whose kernel rows lie inside the image. */
typedef struct sum_args {
    float *sums;                            /* of the first kernel row, column 0 */
    const float *x, *dy;                    /* x: of that kernel row and column of output 0, which may lie outside */
    ptrdiff_t tap;                          /* from sum to sum */
    ptrdiff_t x_row, x_pixel, x_kernel_row, dy_row, dy_pixel;        /* x_row: from output row to output row */
    const axis *cols;
    span inside;                            /* outputs all of whose taps lie inside */
    int32_t rows, width, lanes;
} sum_args;

/* sum[k][u] += x * dy for `kernel_rows` x `taps`, of `pixels` outputs: each number is loaded once a kernel row. */
EX_INLINE void sum_pixels(vf *sum, const sum_args *a, const float *x, const float *dy, const int kernel_rows, const int taps,
                          const int step, const int pixels, const int whole, vmask m)
{
    vf d[COLUMNS];
    UNROLL for (int p = 0; p < pixels; p++) d[p] = whole ? vf_load(dy + p * a->dy_pixel) : vf_load_part(dy + p * a->dy_pixel, m);
    UNROLL for (int i = 0; i < (pixels - 1) * step + taps; i++)
        UNROLL for (int k = 0; k < kernel_rows; k++) {
            const float *in = x + k * a->x_kernel_row + i * a->x_pixel;
            const vf v = whole ? vf_load(in) : vf_load_part(in, m);
            UNROLL for (int u = 0; u < taps; u++)
                if (i >= u && (i - u) % step == 0 && (i - u) / step < pixels) sum[k * taps + u] += v * d[(i - u) / step];
        }
}

/* The same for one output, by those taps alone that lie inside; at: the column of its first tap. */
EX_INLINE void sum_border(vf *sum, const sum_args *a, int32_t at, const float *x, const float *dy, const int kernel_rows,
                          const int taps, vmask m)
{
    const vf d = vf_load_part(dy, m);
    UNROLL for (int u = 0; u < taps; u++)
        if ((uint32_t)(at + u) < (uint32_t)a->width)
            UNROLL for (int k = 0; k < kernel_rows; k++)
                sum[k * taps + u] += vf_load_part(x + k * a->x_kernel_row + u * a->x_pixel, m) * d;
}

EX_INLINE void sum_rows(const sum_args *a, const int kernel_rows, const int taps, const int step, const int whole)
{
    const vmask m = vf_first(a->lanes);
    const float *x = a->x, *dy = a->dy;
    const int32_t first = a->cols->first, out = a->cols->out;
    vf sum[10];
    UNROLL for (int t = 0; t < kernel_rows * taps; t++) sum[t] = vf_load_part(a->sums + t * a->tap, m);
    for (int32_t r = 0; r < a->rows; r++, x += a->x_row, dy += a->dy_row) {
        int32_t i = 0;
#define AT x + i * step * a->x_pixel, dy + i * a->dy_pixel, kernel_rows, taps
        for (; i < a->inside.from; i++) sum_border(sum, a, first + i * step, AT, m);
        for (; i + COLUMNS <= a->inside.to; i += COLUMNS) sum_pixels(sum, a, AT, step, COLUMNS, whole, m);
        for (; i < a->inside.to; i++) sum_pixels(sum, a, AT, step, 1, whole, m);
        for (; i < out; i++) sum_border(sum, a, first + i * step, AT, m);
#undef AT
    }
    UNROLL for (int t = 0; t < kernel_rows * taps; t++) vf_store_part(a->sums + t * a->tap, sum[t], m);
}

typedef void sum_function(const sum_args *a);

/* Masks cost nothing where vectors are 16 floats. */
enum { WHOLE = VL < 16, MAX_ROWS = 3 };

/* Kernel rows, taps of each, step: as many sums as there are registers on every machine. */
#define SUMS(X) X(1, 3, 1) X(2, 3, 1) X(3, 3, 1) X(1, 3, 2) X(2, 3, 2) X(3, 3, 2) X(1, 5, 1) X(2, 5, 1) X(1, 5, 2) X(2, 5, 2)
#define SUM(ROWS, TAPS, STEP) static void sum_##ROWS##_##TAPS##_##STEP(const sum_args *a) \
    { if (WHOLE && a->lanes == VL) sum_rows(a, ROWS, TAPS, STEP, 1); else sum_rows(a, ROWS, TAPS, STEP, 0); }
SUMS(SUM)
#define SUM_ENTRY(ROWS, TAPS, STEP) [TAPS][STEP][ROWS] = sum_##ROWS##_##TAPS##_##STEP,
static sum_function *const sum_of[MAX_TAPS + 1][3][MAX_ROWS + 1] = { SUMS(SUM_ENTRY) };

/* Any taps: one at a time, in four chains of additions. */
static void sum_any(const sum_args *a)
{
    enum { CHAINS = 4 };
    const vmask m = vf_first(a->lanes);
    const axis *b = a->cols;
    const ptrdiff_t x_step = b->step * a->x_pixel;
    for (int32_t u = 0; u < b->taps; u++) {
        const axis one = { .out = b->out, .taps = 1, .step = b->step, .dilation = 1, .first = b->first + u * b->dilation };
        const span inside = outputs_inside(&one, a->width);
        const float *x = a->x + u * b->dilation * a->x_pixel + inside.from * x_step, *dy = a->dy + inside.from * a->dy_pixel;
        vf sum[CHAINS] = { vf_load_part(a->sums + u * a->tap, m) };
        for (int32_t r = 0; r < a->rows; r++, x += a->x_row, dy += a->dy_row) {
            int32_t i = 0, n = inside.to - inside.from;
            for (; i + CHAINS <= n; i += CHAINS)
                UNROLL for (int k = 0; k < CHAINS; k++) sum[k] += vf_load_part(x + (i + k) * x_step, m) * vf_load_part(dy + (i + k) * a->dy_pixel, m);
            for (; i < n; i++) sum[0] += vf_load_part(x + i * x_step, m) * vf_load_part(dy + i * a->dy_pixel, m);
        }
        vf_store_part(a->sums + u * a->tap, (sum[0] + sum[1]) + (sum[2] + sum[3]), m);
    }
}

/* -- The work ---------------------------------------------------------------------------------------------- */

/* Rows [row, row_end) of an image, which all have the kernel rows `taps` inside of it. */
static void add_rows(const job *j, float *sums, const float *x, const float *dy, span taps, int32_t row, int32_t row_end, int32_t channels)
{
    const ex_conv_shape *s = j->s;
    const axis *a = &j->rows, *b = &j->cols;
    sum_function *const *of = b->taps <= MAX_TAPS && b->step <= 2 && b->dilation == 1 ? sum_of[b->taps][b->step] : NULL;
    sum_args t = { .tap = (ptrdiff_t)j->padded, .x_row = a->step * j->x.row, .x_pixel = j->x.pixel, .x_kernel_row = a->dilation * j->x.row,
                   .dy_row = j->dy.row, .dy_pixel = j->dy.pixel, .cols = b, .inside = outputs_inside(b, s->w), .rows = row_end - row, .width = s->w };
    const int32_t each = of && of[1] ? of[3] ? 3 : 2 : 1;
    x += (a->first + row * a->step) * j->x.row + b->first * j->x.pixel;
    for (int32_t c = 0; c < channels; c += VL)
        for (int32_t k = taps.from; k < taps.to; k += each) {
            t.lanes = least(VL, channels - c);
            t.sums = sums + k * s->kw * t.tap + c;
            t.x = x + k * t.x_kernel_row + c;
            t.dy = dy + row * t.dy_row + c;
            (of && of[1] ? of[least(each, taps.to - k)] : sum_any)(&t);
        }
}

/* `channels` from `channel` on of the images [first, end), into one set of sums. */
static void add_images(const job *j, float *sums, int32_t first, int32_t end, int32_t channel, int32_t channels)
{
    const ex_conv_shape *s = j->s;
    for (int32_t image = first; image < end; image++)
        for (int32_t row = 0, to; row < s->oh; row = to) {
            const span taps = taps_inside(&j->rows, j->rows.first + row * j->rows.step, s->h);
            for (to = row + 1; to < least(row + j->chunk, s->oh); to++) {
                const span next = taps_inside(&j->rows, j->rows.first + to * j->rows.step, s->h);
                if (next.from != taps.from || next.to != taps.to) break;
            }
            add_rows(j, sums + channel, j->x.data + image * j->x.image + channel, j->dy.data + image * j->dy.image + channel, taps, row, to, channels);
        }
}

/* Part = (share of the images, channels), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t channel = part % j->channel_parts * j->channel_block, share = part / j->channel_parts;
    const int32_t channels = least(j->channel_block, s->ci - channel);
    float *sums = j->share + (size_t)share * j->sums;
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
    job j = { .x = x, .dy = dy, .dw = dw, .share = scratch };
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
    j.share = (float *)(uintptr_t)sums;
    j.shares = parts;
    join(&j, team);
}
