/* conv_depthwise_weight.c: the weight gradient of convolutions that keep every channel to itself:
 *
 *     dw[c,kh,kw] = sum_{n,oh,ow} x[n, oh*s-p+kh*d, ow*s-p+kw*d, c] * dy[n,oh,ow,c]
 *
 * A vector of channels goes through some rows, one tile of outputs after the other, with the sums of several taps in registers. What is
 * far away is gone through in chunks of rows, and asked for a chunk before in the order of memory. Sums are kept as [tap][channel], a
 * set of them a share of the images, and shares are added in order. */
#include "conv_depthwise.h"
#include "../../base/team.h"

enum { SHARES = 16, SHARE_FLOATS = 2 << 20, CHUNK_BYTES = 160 << 10, WIDTH = 4, MAX_TILE = 8, MAX_SUMS = 25 };

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

/* Rows of a chunk: equal ones of at most CHUNK_BYTES, and even, since rows go in pairs. */
static int32_t chunk_of(int32_t rows, double row_bytes)
{
    const double count = row_bytes * rows / CHUNK_BYTES;
    return count <= 1 ? rows : count < 0.5 * rows ? up(up(rows, (int32_t)count + 1), 2) * 2 : 2;
}

static void plan(job *j, const ex_conv_shape *s)
{
    j->s = s;
    j->rows = axis_forward(s->oh, s->kh, s->stride[0], s->padding[0], s->dilation[0]);
    j->cols = axis_forward(s->ow, s->kw, s->stride[1], s->padding[1], s->dilation[1]);
    j->padded = round_up((size_t)s->ci, LINE);
    j->sums = (size_t)s->kh * (size_t)s->kw * j->padded;
    const double macs = (double)s->oh * s->ow * s->ci * s->kh * s->kw * s->n, parts = macs / PART_MACS;
    const double room = (double)SHARE_FLOATS / (double)j->sums;
    const int32_t pieces = parts < 1 ? 1 : parts < SHARES ? (int32_t)parts : SHARES;
    j->shares = least(pieces, room < 1 ? 1 : room < s->n ? (int32_t)room : s->n);
    j->channel_block = up(up(s->ci, LINE), least(up(pieces, j->shares), up(s->ci, CHANNELS))) * LINE;
    j->channel_parts = up(s->ci, j->channel_block);
    const double row = ((double)s->w * s->stride[0] + s->ow) * least(s->ci, j->channel_block) * sizeof(float);
    j->cold = images_cold(s);
    j->chunk = j->cold ? chunk_of(s->oh, row) : s->oh;
}

size_t EX_SUFFIXED(ex_conv_depthwise_weight_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return j.sums * (size_t)j.shares * sizeof(float);
}

/* -- Sums in registers ---------------------------------------------------------------------------------------- */

/* Some rows of an image and some channels. */
typedef struct sweep {
    float *sums;                            /* of tap (0, 0) */
    const float *x, *dy;                    /* of their first pixels */
    ptrdiff_t tap;                          /* from sum to sum */
    ptrdiff_t x_row, x_pixel, dy_row, dy_pixel;
    const axis *rows, *cols;
    int32_t kernel_row, row, row_end, channels;
    int32_t h, width;                       /* of x */
    const char *next_x, *next_dy;           /* what is to be asked for next, in the order of memory; NULL: nothing */
} sweep;

/* Asks for as much of what is next in memory as `pixels` outputs of a vector read anew. Into the L2 cache: the L1 cache is too
 * small for what comes a chunk later, and its few outstanding misses would be the limit. */
EX_INLINE void ask(sweep *s, const int pixels, const int step)
{
    const int line = LINE * (int)sizeof(float);
    const int dy = pixels * VL * (int)sizeof(float), x = dy * step * step;
    if (!s->next_x) return;
    UNROLL for (int i = 0; i < x; i += line) __builtin_prefetch(s->next_x + i, 0, 2);
    UNROLL for (int i = 0; i < dy; i += line) __builtin_prefetch(s->next_dy + i, 0, 2);
    s->next_x += x;
    s->next_dy += dy;
}

/* The place in a border of column k of n, or -1. */
EX_INLINE int border_of(const int k, const int n, const int taps)
{
    return k < taps / 2 ? k : n - 1 - k < taps / 2 ? taps / 2 + n - 1 - k : -1;
}

/* How sums are made, known where the code is compiled: `kernel_rows` x `taps` of them, over tiles of some outputs of `height` rows,
 * which are `step` apart in x. whole: all lanes of a vector exist. */
typedef struct form { int kernel_rows, taps, step, height, whole; } form;

/* Outputs in a row of a tile: with many sums there are few registers left for them. */
EX_INLINE int width_of(const form f) { return f.height > 1 && f.kernel_rows * f.taps > 16 ? WIDTH / 2 : WIDTH; }

/* sum += x * dy over a tile: each number is loaded once. x: of its first kernel row and column; of its rows those in `present` are in
 * the image; inside: all are. */
EX_INLINE void sum_tile(vf *sum, const sweep *s, const border *b, const float *x, const float *dy, span present, const form f,
                        const int width, const int inside, vmask m)
{
    const int columns = (width - 1) * f.step + f.taps, rows = (f.height - 1) * f.step + f.kernel_rows;
    const ptrdiff_t x_row = f.height > 1 ? s->x_row : s->rows->dilation * s->x_row;
    vf d[MAX_TILE];
    UNROLL for (int i = 0; i < f.height * width; i++) {
        const float *in = dy + i / width * s->dy_row + i % width * s->dy_pixel;
        d[i] = f.whole ? vf_load(in) : vf_load_part(in, m);
    }
    UNROLL for (int i = 0; i < columns * rows; i++) {
        const int column = inside ? i / rows : i % columns, row = inside ? i % rows : i / columns, e = border_of(column, columns, f.taps);
        if (!inside && (row < present.from || row >= present.to)) continue;
        const float *in = x + row * x_row + (e >= 0 ? b->at[e] : column * s->x_pixel);
        const vf g = e >= 0 ? vf_load_part(in, b->inside[e]) : f.whole ? vf_load(in) : vf_load_part(in, m);
        UNROLL for (int t = 0; t < f.height * f.taps; t++) {
            const int r = t / f.taps, u = t % f.taps, k = row - r * f.step, at = column - u;
            if (k >= 0 && k < f.kernel_rows && at >= 0 && at % f.step == 0 && at / f.step < width)
                sum[k * f.taps + u] += g * d[r * width + at / f.step];
        }
    }
}

/* A tile from column `from` on; x, dy: of column 0. */
EX_INLINE void sum_columns(vf *sum, sweep *s, const float *x, const float *dy, int32_t from, span present, const form f,
                           const int width, vmask m)
{
    const int columns = (width - 1) * f.step + f.taps, rows = (f.height - 1) * f.step + f.kernel_rows;
    border b = {0};
    UNROLL for (int k = 0; k < columns; k++)
        border_set(&b, border_of(k, columns, f.taps), k, s->cols->first + from * f.step, s->width, s->x_pixel, f.whole ? VL : s->channels);
    ask(s, f.height * width, f.step);
    x += from * f.step * s->x_pixel;
    dy += from * s->dy_pixel;
    if (present.from == 0 && present.to == rows) sum_tile(sum, s, &b, x, dy, present, f, width, 1, m);
    else sum_tile(sum, s, &b, x, dy, present, f, width, 0, m);
}

/* All tiles of rows [row, end), of the vector from channel c on, with the sums in registers. */
EX_INLINE void sum_rows(sweep *s, int32_t c, int32_t row, int32_t end, const form f)
{
    const int width = width_of(f), count = f.kernel_rows * f.taps;
    const vmask m = vf_first(f.whole ? VL : s->channels);
    const int32_t kernel_rows = least(f.kernel_rows, s->rows->taps - s->kernel_row), out = s->cols->out;
    const axis rows = { .taps = (f.height - 1) * f.step + kernel_rows, .dilation = s->rows->dilation };
    float *sums = s->sums + s->kernel_row * f.taps * s->tap + c;
    vf sum[MAX_SUMS];
    UNROLL for (int i = 0; i < count; i++)
        sum[i] = i / f.taps >= kernel_rows ? (vf){0} : f.whole ? vf_load(sums + i * s->tap) : vf_load_part(sums + i * s->tap, m);
    for (; row < end; row += f.height) {
        const int32_t top = s->rows->first + s->kernel_row * s->rows->dilation + row * s->rows->step;
        const span present = taps_inside(&rows, top, s->h);
        const float *x = s->x + top * s->x_row + s->cols->first * s->x_pixel + c, *dy = s->dy + row * s->dy_row + c;
        int32_t from = 0;
        for (; from + width <= out; from += width) sum_columns(sum, s, x, dy, from, present, f, width, m);
        switch (out - from) {
        case 3: sum_columns(sum, s, x, dy, from, present, f, 3, m); break;
        case 2: sum_columns(sum, s, x, dy, from, present, f, 2, m); break;
        case 1: sum_columns(sum, s, x, dy, from, present, f, 1, m); break;
        default: break;
        }
    }
    UNROLL for (int i = 0; i < count; i++) {
        if (i / f.taps >= kernel_rows) continue;
        if (f.whole) vf_store(sums + i * s->tap, sum[i]);
        else vf_store_part(sums + i * s->tap, sum[i], m);
    }
}

/* Of rows [row, end), one or two at a time. */
typedef struct sum_functions {
    int kernel_rows;
    void (*rows[2])(sweep *s, int32_t c, int32_t row, int32_t end);
} sum_functions;

/* Vectors of channels one after the other, each through all of the sweep's rows; what is next is asked for once. */
static void sum_channels(sweep *s, const sum_functions *f)
{
    const int pairs = f->rows[1] && s->rows->dilation == 1 && s->rows->step == s->cols->step;
    const int32_t single = pairs ? s->row + (s->row_end - s->row) / 2 * 2 : s->row;
    const char *next_x = s->next_x;
    for (s->kernel_row = 0; s->kernel_row < s->rows->taps; s->kernel_row += f->kernel_rows, s->next_x = NULL)
        for (int32_t c = 0; c < s->channels; c += VL) {
            if (f->rows[1] && s->row < single) f->rows[1](s, c, s->row, single);
            if (single < s->row_end) f->rows[0](s, c, single, s->row_end);
            if (!s->kernel_row) next_x = s->next_x;
        }
    s->next_x = next_x;
}

/* Kernel rows at a time, taps of each, step, rows of a tile: as many sums and outputs as there are registers. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define SUMS(X) X(3, 3, 1, 2) X(5, 5, 1, 2) X(3, 3, 2, 2) X(5, 5, 2, 2)
#else
#define SUMS(X) X(3, 3, 1, 1) X(2, 5, 1, 1) X(3, 3, 2, 1) X(2, 5, 2, 1)
#endif
#define SUM(ROWS, TAPS, STEP, HEIGHT, NAME, WHOLE) \
    static void NAME##_##TAPS##_##STEP(sweep *s, int32_t c, int32_t row, int32_t end) \
    { sum_rows(s, c, row, end, (form){ ROWS, TAPS, STEP, HEIGHT, WHOLE }); }
#define SUM_FORMS(ROWS, TAPS, STEP, HEIGHT) \
    SUM(ROWS, TAPS, STEP, 1, part, 0) SUM(ROWS, TAPS, STEP, HEIGHT, parts, 0) \
    SUM(ROWS, TAPS, STEP, 1, whole, 1) SUM(ROWS, TAPS, STEP, HEIGHT, wholes, 1)
SUMS(SUM_FORMS)
#define SUM_ENTRY(ROWS, TAPS, STEP, HEIGHT) [TAPS][STEP] = { \
    { ROWS, { part_##TAPS##_##STEP, (HEIGHT) > 1 ? parts_##TAPS##_##STEP : NULL } }, \
    { ROWS, { whole_##TAPS##_##STEP, (HEIGHT) > 1 ? wholes_##TAPS##_##STEP : NULL } } },
static const sum_functions sum_table[MAX_TAPS + 1][3][2] = { SUMS(SUM_ENTRY) };     /* by taps, step, whether lanes are whole */

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

/* Whether it is worth while to ask for the next chunk: from far away, and in one run of memory. With few registers only from beyond the
 * last cache: on a first-generation EPYC asking halves the speed where images are in it, and gains a third where they are not. */
static int asks(const job *j, int32_t channels)
{
    const ex_conv_shape *s = j->s;
    const ex_conv_image *x = &j->x, *dy = &j->dy;
    const int dense = x->pixel == channels && dy->pixel == channels && x->row == s->w * x->pixel && dy->row == s->ow * dy->pixel;
    return dense && (VECTORS > 1 ? j->cold : images_bytes(s) > L3_BYTES);
}

/* Rows [row, row_end) of an image. */
static void add_rows(const job *j, float *sums, const float *x, const float *dy, int32_t row, int32_t row_end, int32_t channels)
{
    const axis *a = &j->rows, *b = &j->cols;
    const int tiles = axis_tiles(b, j->s->w);
    const int32_t whole = tiles ? channels / VL * VL : 0;
    sweep s = { .sums = sums, .x = x, .dy = dy, .tap = (ptrdiff_t)j->padded, .x_row = j->x.row, .x_pixel = j->x.pixel, .dy_row = j->dy.row,
                .dy_pixel = j->dy.pixel, .rows = a, .cols = b, .row = row, .row_end = row_end, .channels = whole, .h = j->s->h,
                .width = j->s->w };
    if (asks(j, channels)) {
        s.next_x = (const char *)(x + (a->first + row_end * a->step + a->taps / 2) * s.x_row);
        s.next_dy = (const char *)(dy + row_end * s.dy_row);
    }
    if (whole) sum_channels(&s, &sum_table[b->taps][b->step][1]);
    for (int32_t c = whole; c < channels; c += VL) {
        s.sums = sums + c;
        s.x = x + c;
        s.dy = dy + c;
        s.channels = least(VL, channels - c);
        if (tiles) sum_channels(&s, &sum_table[b->taps][b->step][0]);
        else any_rows(&s);
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
    if (j->sums * (size_t)j->shares < 16384) team = NULL;
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
