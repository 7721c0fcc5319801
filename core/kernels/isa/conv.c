/* conv.c: dense and grouped convolution, forward and input gradient, and the table of convolution kernels.
 *
 * Both directions are correlations (conv_parts.h: axis). The filter is packed into blocks of two vectors of written
 * channels, [block][tap row][tap column][read channel][2*VL], so that the micro-kernel (conv_tile.h) streams it. The
 * source is read where it lies; only a window that crosses a border is first copied into a zero-padded strip. A part
 * of the work is a few images, or some rows and channel blocks of one (conv_plan.h). On maps that are small beside the kernel
 * most of what a window holds are zeros: there a tile is the same place of several images, and takes the taps inside alone.
 * It does no im2col and no depthwise layers (conv_depthwise.c). */
#include <limits.h>
#include "conv_plan.h"
#include "conv_moments.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { SMALL_ROW = 2 * TILE };

/* -- Packing ------------------------------------------------------------------------------------------ */

/* One tap of one block: out[c][v] = w[v][c] for `lanes` written channels, of a row of `width` floats. */
static void pack_tap(float *out, const float *w, ptrdiff_t w_out, ptrdiff_t w_in, int32_t ci, int32_t lanes, int32_t width)
{
    if (w_out == 1) {
        for (int32_t c = 0; c < ci; c++) memcpy(out + c * width, w + c * w_in, (size_t)lanes * sizeof *out);
        return;
    }
    if (w_in != 1) {
        for (int32_t v = 0; v < lanes; v++)
            for (int32_t c = 0; c < ci; c++) out[c * width + v] = w[v * w_out + c * w_in];
        return;
    }
    for (int32_t c = 0; c < ci; c += VL) {          /* squares are turned over */
        const int32_t n = ci - c < VL ? ci - c : VL;
        for (int32_t v = 0; v < lanes; v += VL) {
            const int32_t m = lanes - v < VL ? lanes - v : VL;
            const float *from = w + v * w_out + c;
            vf square[VL];
            for (int32_t r = 0; r < VL; r++) square[r] = r < m ? vf_load_part(from + r * w_out, vf_first(n)) : (vf){0};
            vf_transpose(square);
            for (int32_t r = 0; r < n; r++) vf_store_part(out + (c + r) * width + v, square[r], vf_first(m));
        }
    }
}

/* A kernel row of one block, each tap for the columns that it belongs to; zeros elsewhere. */
static void pack_row(const job *j, float *out, const float *w, const axis *b, int32_t lanes, int32_t width)
{
    for (int32_t u = 0; u < b->taps; u++, out += (ptrdiff_t)j->ci * width) {
        if (lanes * j->joined < width || j->joined > 1) memset(out, 0, (size_t)j->ci * (size_t)width * sizeof *out);
        for (int32_t g = 0; g < j->joined; g++)
            if (u >= g && u - g < b->taps - (j->joined - 1))
                pack_tap(out + g * lanes, w + (b->kernel + (u - g) * b->kernel_step) * j->w.col, j->w.out, j->w.in, j->ci, lanes, width);
    }
}

/* One block of the filter in the order in which each phase reads it; `phase` is where block number `first` of the first phase lies. */
static void pack_block(const job *j, float *phase, int32_t group, int32_t block, int32_t first)
{
    const int32_t left = j->co - block * BLOCK, lanes = left < BLOCK ? left : BLOCK;
    const int32_t width = left > VL ? BLOCK : VL;
    const float *w = j->w.data + group * j->w_group + block * BLOCK * j->w.out;
    for (int32_t p = 0; p < j->phase_rows; p++)
        for (int32_t q = 0; q < j->phase_cols; q++) {
            const axis a = row_axis(j, p), b = col_axis(j, q);
            const size_t each = (size_t)a.taps * (size_t)b.taps * (size_t)j->ci;
            float *out = phase + (size_t)(block - first) * BLOCK * each;
            for (int32_t t = 0; t < a.taps; t++, out += (ptrdiff_t)b.taps * j->ci * width)
                pack_row(j, out, w + (a.kernel + t * a.kernel_step) * j->w.row, &b, lanes, width);
            phase += each * round_up((size_t)j->co, VL);
        }
}

/* Part = (group, block). */
static void pack_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t group = part / j->blocks;
    pack_block(j, j->to_pack + (size_t)group * j->packed_group, group, part % j->blocks, 0);
}

static void pack_filter(job *j, float *to, ex_team *team)
{
    const int32_t packs = j->s->groups * j->blocks;
    j->packed = j->to_pack = to;
    if (j->packed_group * (size_t)j->s->groups < 16384) for (int32_t i = 0; i < packs; i++) pack_part(j, i, 0);
    else ex_team_run(team, packs, pack_part, j);
}

static void pack_bias(const job *j)
{
    const size_t each = bias_floats(j) / (size_t)j->s->groups;
    for (int32_t g = 0; g < j->s->groups; g++)
        for (size_t c = 0; c < each; c++)
            j->added[(size_t)g * each + c] = j->e.bias && c < (size_t)j->co * (size_t)j->joined
                ? j->e.bias[((ptrdiff_t)g * j->co + (ptrdiff_t)c % j->co) * j->e.bias_step] : 0;
}

/* -- Work ---------------------------------------------------------------------------------------------- */

#define FORWARD_TILE(R, P) \
    static void tile_##R##_##P##_1(const tile_args *t) { tile(R, P, 1, 0, t); } \
    static void tile_##R##_##P##_2(const tile_args *t) { tile(R, P, 2, 0, t); }
TILES(FORWARD_TILE)
#define FORWARD_WIDE(R, P) static void tile_##R##_##P##_1(const tile_args *t) { tile(R, P, 1, 0, t); }
WIDE_TILES(FORWARD_WIDE)
#define FORWARD_ENTRY(R, P) [R][P] = { tile_##R##_##P##_1, tile_##R##_##P##_2 },
#define WIDE_ENTRY(R, P) [R][P] = { tile_##R##_##P##_1, NULL },
tile_function *const EX_SUFFIXED(ex_conv_tiles)[MOST_ROWS + 1][TILE + 1][2] = { TILES(FORWARD_ENTRY) WIDE_TILES(WIDE_ENTRY) };

/* A rectangle of one phase's outputs, of one image and group. */
typedef struct patch {
    const job *j;
    axis rows, cols;
    int32_t taps;                           /* that a row of the packed filter has */
    int32_t row, row_end, col, col_end;
    view in;                                /* what it reads, at window o */
    window o;
    float *y;                               /* of the phase's output (0, 0), channel 0 of the group */
    ptrdiff_t y_row, y_pixel;
    const float *w, *bias;                 /* of the phase and group; w from block number `first` on */
    int32_t first;
    const float *residual;                  /* forward: as y, or NULL */
    ptrdiff_t residual_pixel;
} patch;

/* One row of tiles: `R` rows from `row` on. Kernel rows that fall outside the image for all of them are left out. The
 * pixels of a patch of one row may be folded into tiles of two rows, where channels leave room for them. */
static void tile_strip(const patch *p, tile_args *t, int32_t nv, int32_t R, int32_t row, int32_t channel, const float *w)
{
    const job *j = p->j;
    const axis *a = &p->rows, *b = &p->cols;
    const int32_t top = a->first + row * a->step;
    const int32_t low = clamp(divide_up(-(top + (R - 1) * a->step), a->dilation), 0, a->taps);
    const int32_t high = clamp(divide_up(j->h - top, a->dilation), low, a->taps);
    t->outer = high - low;
    t->w = w + low * t->w_outer;
    const float *x = p->in.data + (top + low * a->dilation - p->o.row) * p->in.row + (b->first - p->o.col) * p->in.pixel;
    const int32_t total = p->col_end - p->col, fold = nv == 1 && total > TILE && p->row_end - p->row == 1;
    const int32_t blocks = fold ? 2 * up(total, WIDE) : tile_blocks(total);
    const int run = R == 1 || fold || blocks == 1;                           /* tiles read one run of pixels after the other */
    const int stream = run && p->taps == 1 && a->taps == 1 && b->step == 1;
    for (int32_t i = 0; i < blocks; i += fold ? R : 1) {
        const int32_t from = tile_start(total, blocks, i), P = tile_start(total, blocks, i + 1) - from;
        if (fold) {
            R = i + 1 < blocks && tile_start(total, blocks, i + 2) - from == 2 * P ? 2 : 1;
            t->x_row = P * t->x_col;
            t->y_row = P * t->y_col;
            t->residual_row = P * t->residual_col;
        }
        t->x = x + (p->col + from) * b->step * p->in.pixel;
        t->y = p->y + row * p->y_row + (p->col + from) * p->y_pixel + channel;
        if (p->residual) t->residual = p->residual + row * j->e.residual.row + (p->col + from) * t->residual_col + channel;
        t->ahead = stream ? t->x + R * P * t->x_col : NULL;
        t->ahead_k = stream ? P * R * t->x_col / t->len : 0;
        EX_SUFFIXED(ex_conv_tiles)[R][P][nv - 1](t);
    }
}

static void run_patch(const patch *p, int32_t block, int32_t block_end)
{
    const job *j = p->j;
    const axis *a = &p->rows, *b = &p->cols;
    const int run = b->dilation == 1 && p->in.pixel == j->ci;   /* a kernel row is one run of numbers */
    const int32_t taps = a->taps && b->taps ? b->taps : 0;
    tile_args t = {
        .x_row = a->step * p->in.row, .x_col = b->step * p->in.pixel, .x_outer = a->dilation * p->in.row,
        .x_inner = b->dilation * p->in.pixel, .x_k = 1, .y_row = p->y_row, .y_col = p->y_pixel,
        .residual_row = j->e.residual.row,
        .residual_col = p->residual_pixel, .activation = j->e.activation,
    };
    const int across = ACROSS && taps == 3 && b->step == b->dilation && j->joined == 1;
    for (; block < block_end; block++) {
        const int32_t left = j->co * (j->apart ? 1 : j->joined) - block * BLOCK, nv = left > VL ? 2 : 1;
        t.last = left >= nv * VL ? VL : left - (nv - 1) * VL;
        t.w_k = nv * VL;
        t.across = across && nv == 1;
        t.inner = t.across || (run && taps) ? 1 : taps;
        t.len = run && !t.across ? taps * j->ci : j->ci;
        t.w_inner = j->ci * t.w_k;
        t.w_outer = p->taps * t.w_inner;
        t.bias = p->bias + block * BLOCK;
        const float *w = p->w + (size_t)(block - p->first) * BLOCK * (size_t)a->taps * (size_t)p->taps * (size_t)j->ci;
        for (int32_t row = p->row, R; row < p->row_end; row += R) {
            R = tile_rows(up(p->col_end - p->col, tile_blocks(p->col_end - p->col)), p->row_end - row, nv);
            tile_strip(p, &t, nv, R, row, block * BLOCK, w);
        }
    }
}

/* The taps of an output that lie inside a map of `size`. */
typedef struct span { int32_t from, to; } span;

static span taps_inside(const axis *a, int32_t top, int32_t size)
{
    const int32_t from = clamp(divide_up(-top, a->dilation), 0, a->taps);
    return (span){ from, clamp(divide_up(size - top, a->dilation), from, a->taps) };
}

/* One output of each of `images` images from the patch's on, of the blocks [block, block_end). */
static void run_place(const patch *p, int32_t images, int32_t row, int32_t col, int32_t block, int32_t block_end)
{
    const job *j = p->j;
    const axis *a = &p->rows, *b = &p->cols;
    const int32_t top = a->first + row * a->step, left = b->first + col * b->step, blocks = tile_blocks(images);
    const span r = taps_inside(a, top, j->h), c = taps_inside(b, left, j->width);
    tile_args t = { .x_col = j->x.image, .x_outer = a->dilation * j->x.row, .x_inner = b->dilation * j->x.pixel, .x_k = 1, .y_col = j->y.image,
                    .residual_col = j->e.residual.image, .activation = j->e.activation, .outer = r.to - r.from, .inner = c.to - c.from, .len = j->ci };
    const float *x = p->in.data + (top + r.from * a->dilation) * j->x.row + (left + c.from * b->dilation) * j->x.pixel;
    for (; block < block_end; block++) {
        const int32_t rest = j->co - block * BLOCK, nv = rest > VL ? 2 : 1;
        t.last = rest >= nv * VL ? VL : rest - (nv - 1) * VL;
        t.w_k = nv * VL;
        t.w_inner = j->ci * t.w_k;
        t.w_outer = p->taps * t.w_inner;
        t.bias = p->bias + block * BLOCK;
        t.w = p->w + (size_t)(block - p->first) * BLOCK * (size_t)a->taps * (size_t)p->taps * (size_t)j->ci + r.from * t.w_outer + c.from * t.w_inner;
        for (int32_t i = 0; i < blocks; i++) {
            const int32_t from = tile_start(images, blocks, i), P = tile_start(images, blocks, i + 1) - from;
            t.x = x + from * j->x.image;
            t.y = p->y + from * j->y.image + row * p->y_row + col * p->y_pixel + block * BLOCK;
            if (p->residual) t.residual = p->residual + from * t.residual_col + row * j->e.residual.row + col * p->residual_pixel + block * BLOCK;
            EX_SUFFIXED(ex_conv_tiles)[1][P][nv - 1](&t);
        }
    }
}

static void run_places(const patch *p, int32_t images, int32_t block, int32_t block_end)
{
    for (int32_t row = p->row; row < p->row_end; row++)
        for (int32_t col = p->col; col < p->col_end; col++) run_place(p, images, row, col, block, block_end);
}

/* -- Moments: a part in space is (images, rows, columns), the last one fastest ----------------------------------------- */

static int32_t space_parts(const job *j) { return j->image_parts * j->row_parts * j->col_parts; }

/* How many images, rows and columns of outputs part number `part` in space has. */
static void part_size(const job *j, int32_t part, int32_t *images, int32_t *rows, int32_t *cols)
{
    *cols = clamp(j->cols - part % j->col_parts * j->col_block, 0, j->col_block) * j->joined;
    *rows = clamp(j->rows - part / j->col_parts % j->row_parts * j->row_block, 0, j->row_block);
    *images = clamp(j->s->n - part / j->col_parts / j->row_parts * j->images, 0, j->images);
}

/* The part's channels [from, to) of y, whose first pixel is y.data. */
static void take_moments(const job *j, ex_conv_image y, int32_t part, int32_t from, int32_t to)
{
    int32_t images, rows, cols;
    double *mean = j->moments + (size_t)part * 2 * (size_t)j->s->co + from;
    part_size(j, part, &images, &rows, &cols);
    y.data += from;
    moments_take(mean, mean + j->s->co, y, images, rows, cols, to - from);
}

static void join_moments(const job *j)
{
    const int32_t co = j->s->co;
    double count = 0, *mean = j->e.moments;
    memset(mean, 0, 2 * (size_t)co * sizeof *mean);
    for (int32_t p = 0; p < space_parts(j); p++) {
        int32_t images, rows, cols;
        const double *part = j->moments + (size_t)p * 2 * (size_t)co;
        part_size(j, p, &images, &rows, &cols);
        moments_join(mean, mean + co, count, part, part + co, (double)images * rows * cols, co);
        count += (double)images * rows * cols;
    }
}

/* -- Parts ---------------------------------------------------------------------------------------------- */

/* As if no columns were joined: the first lanes of the packed filter are a filter for one. */
static void part_columns(patch *p)
{
    const int32_t joined = p->j->joined;
    p->cols.taps -= joined - 1;
    p->cols.step /= joined;
    p->col *= joined;
    p->col_end *= joined;
}

/* The blocks of a part that packs its own filter. */
static void run_own(patch *p, int32_t images, int32_t block, int32_t block_end, int32_t thread)
{
    const job *j = p->j;
    float *own = j->to_pack + (size_t)thread * thread_floats(block_floats(j));
    p->w = own;
    for (; block < block_end; block++) {
        p->first = block;
        pack_block(j, own, 0, block, block);
        if (j->by_image) run_places(p, images, block, block + 1);
        else if (p->row < p->row_end && p->col < p->col_end) run_patch(p, block, block + 1);
    }
}

/* Part = (channel block, images, group, rows, columns), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t col = part % j->col_parts * j->col_block, row = (part /= j->col_parts) % j->row_parts * j->row_block;
    const int32_t group = (part /= j->row_parts) % s->groups, first = (part /= s->groups) % j->image_parts * j->images;
    const int32_t block = part / j->image_parts * j->channel_block;
    const int32_t block_end = clamp(block + j->channel_block, 0, j->blocks), last = clamp(first + j->images, 0, s->n);
    float *strip = j->strips + (size_t)thread * thread_floats(j->strip);
    const int32_t step = j->apart ? 1 : j->joined;
    patch p = { .j = j, .y_row = j->y.row * j->phase_rows, .y_pixel = j->y.pixel * j->phase_cols * step,
                .residual_pixel = j->e.residual.pixel * step,
                .bias = j->added + (size_t)group * (bias_floats(j) / (size_t)s->groups) };
    if (!j->by_image) p.o = part_window(j, row, row + j->row_block, col, col + j->col_block);
    for (int32_t image = first, end; image < last; image = end) {
        const float *from = j->x.data + image * j->x.image + (ptrdiff_t)group * j->ci;
        end = j->by_image ? last : image + 1;
        p.in = j->by_image ? (view){ from, j->x.row, j->x.pixel } : open_window(strip, &p.o, from, j->x.row, j->x.pixel, j->h, j->width, j->ci);
        p.w = j->packed + (size_t)group * j->packed_group;
        for (int32_t a = 0; a < j->phase_rows; a++)
            for (int32_t b = 0; b < j->phase_cols; b++) {
                p.rows = row_axis(j, a);
                p.cols = col_axis(j, b);
                p.row = row;
                p.row_end = clamp(row + j->row_block, 0, p.rows.out);
                p.col = col;
                p.col_end = clamp(col + j->col_block, 0, p.cols.out);
                p.taps = p.cols.taps;
                if (j->apart) part_columns(&p);
                p.y = j->y.data + image * j->y.image + a * j->y.row + b * j->y.pixel + (ptrdiff_t)group * j->co;
                if (j->e.residual.data) p.residual = j->e.residual.data + image * j->e.residual.image + (ptrdiff_t)group * j->co;
                if (j->own_filter) run_own(&p, end - image, block, block_end, thread);
                else if (j->by_image) run_places(&p, end - image, block, block_end);
                else if (p.row < p.row_end && p.col < p.col_end) run_patch(&p, block, block_end);
                p.w += (size_t)p.rows.taps * (size_t)p.taps * (size_t)j->ci * round_up((size_t)j->co, VL);
            }
    }
    if (!j->moments) return;
    const ex_conv_image y = { j->y.data + first * j->y.image + row * j->y.row + col * j->joined * j->y.pixel, j->y.image, j->y.row, j->y.pixel };
    const int32_t in_space = (first / j->images * j->row_parts + row / j->row_block) * j->col_parts + col / j->col_block;
    take_moments(j, y, in_space, group * j->co + block * BLOCK, group * j->co + clamp(block_end * BLOCK, 0, j->co));
}

static void run(job *j, ex_team *team, void *scratch)
{
    const ex_conv_shape *s = j->s;
    j->apart = j->joined > 1 && (j->y.pixel != j->co || (j->e.residual.data && j->e.residual.pixel != j->co));
    j->added = scratch;
    j->strips = j->added + bias_floats(j);
    float *end = j->strips + thread_floats(j->strip) * (size_t)(team ? ex_team_size(team) : 1);
    j->own_filter = !j->w.packed && packs_own(j, team ? ex_team_size(team) : 1);
    if (j->w.packed) j->packed = j->w.packed;
    else if (j->own_filter) j->packed = j->to_pack = end;
    else pack_filter(j, end, team);
    if (!j->w.packed) end += packed_floats(j);
    if (j->e.moments) j->moments = (double *)(void *)((char *)scratch + round_up((size_t)((char *)end - (char *)scratch), 64));
    pack_bias(j);
    ex_team_run(team, j->channel_parts * j->image_parts * s->groups * j->row_parts * j->col_parts, run_part, j);
    if (j->moments) join_moments(j);
}

/* -- The table ------------------------------------------------------------------------------------------- */

/* Images of 1 x 1 kernels are one long row of pixels where memory allows. */
static ex_conv_shape flat(const ex_conv_shape *s, const ex_conv_image *x, const ex_conv_image *y)
{
    ex_conv_shape f = *s;
    if (s->kh == 1 && s->kw == 1 && s->stride[0] == 1 && s->stride[1] == 1 && !s->padding[0] && !s->padding[1]
        && x->row == x->pixel * s->w && y->row == y->pixel * s->w) {
        f.w = f.ow = s->w * s->h;
        f.h = f.oh = 1;
    }
    return f;
}

/* So are small images that follow each other: tiles of a few pixels would leave registers unused. What an output adds up, and
 * in which order, stays the same. */
static void join_images(ex_conv_shape *f, const ex_conv_image *x, const ex_conv_image *y)
{
    if (f->h > 1 || f->w >= SMALL_ROW || f->kh > 1 || f->kw > 1 || f->stride[1] > 1 || f->padding[1]) return;
    if (x->image != x->pixel * f->w || y->image != y->pixel * f->w || (int64_t)f->n * f->w > INT_MAX) return;
    f->w = f->ow = f->n * f->w;
    f->n = 1;
}

static int depthwise(const ex_conv_shape *s) { return s->groups > 1 && s->ci == s->groups && s->co == s->groups; }

/* Whether an input gradient is better made of whole kernel rows (conv_few.c): by the multiplications of vectors that a row takes. */
static int few(ex_conv_direction direction, const ex_conv_shape *s)
{
    if (direction != EX_CONV_GRAD_INPUT || s->winograd || !EX_SUFFIXED(ex_conv_few_fits)(s)) return 0;
    const job j = { .s = s, .co = s->ci };
    const int32_t joined = joined_columns(&j, s->w);
    const double direct = (double)s->w / joined * (s->kw + joined - 1) / s->stride[1] * up(s->ci, VL);
    return EX_SUFFIXED(ex_conv_few_cost)(s) < direct;
}

static size_t scratch(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads)
{
    if (depthwise(s)) return EX_SUFFIXED(ex_conv_depthwise_scratch)(direction, s, threads);
    if (s->winograd) return EX_SUFFIXED(ex_winograd_scratch)(direction, s, threads);
    if (direction == EX_CONV_GRAD_WEIGHT) return EX_SUFFIXED(ex_conv_weight_scratch)(s, threads);
    if (few(direction, s)) return EX_SUFFIXED(ex_conv_few_scratch)(s, threads);
    job j = {0};
    plan(&j, direction, s, 0);
    return job_scratch(&j, threads);
}

/* The parts that space is cut into depend on how many images there are, up to ENOUGH_PARTS of them. */
static size_t moments_scratch(const ex_conv_shape *s)
{
    if (depthwise(s)) return EX_SUFFIXED(ex_conv_depthwise_moments_scratch)(s);
    if (s->winograd) return EX_SUFFIXED(ex_winograd_moments_scratch)(s);
    int32_t most = 0;
    for (int32_t n = 1; n <= s->n; n = n < ENOUGH_PARTS || n == s->n ? n + 1 : s->n)
        for (int32_t as_flat = 0; as_flat < 2; as_flat++) {
            const ex_conv_image any = {0};  /* of no strides: flat where the kernel allows */
            ex_conv_shape one = *s, f = flat(&one, &any, &any);
            one.n = f.n = n;
            job j = {0};
            plan(&j, EX_CONV_FORWARD, as_flat ? &f : &one, 1);
            if (space_parts(&j) > most) most = space_parts(&j);
        }
    return 64 + (size_t)most * 2 * (size_t)s->co * sizeof(double);
}

static size_t packed_bytes(ex_conv_direction direction, const ex_conv_shape *s)
{
    if (depthwise(s)) return EX_SUFFIXED(ex_conv_depthwise_packed_bytes)(s);
    if (s->winograd) return EX_SUFFIXED(ex_winograd_packed_bytes)(direction, s);
    if (few(direction, s)) return EX_SUFFIXED(ex_conv_few_packed_bytes)(s);
    job j = {0};
    plan(&j, direction, s, 0);
    return packed_floats(&j) * sizeof(float);
}

/* As the channels that `direction` writes (out) and reads (in) see it. */
static ex_conv_filter towards(ex_conv_direction direction, ex_conv_filter w)
{
    return direction == EX_CONV_FORWARD ? w : (ex_conv_filter){ w.data, w.in, w.out, w.row, w.col, w.packed };
}

static void pack(float *packed, ex_conv_direction direction, ex_conv_filter w, const ex_conv_shape *s, ex_team *team)
{
    if (depthwise(s)) { EX_SUFFIXED(ex_conv_depthwise_pack)(packed, w, s); return; }
    if (s->winograd) { EX_SUFFIXED(ex_winograd_pack)(packed, direction, w, s, team); return; }
    if (few(direction, s)) { EX_SUFFIXED(ex_conv_few_pack)(packed, w, s); return; }
    job j = { .w = towards(direction, w), .w_group = w.out * (s->co / s->groups) };
    plan(&j, direction, s, 0);
    pack_filter(&j, packed, team);
}

static void forward(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const ex_conv_epilogue *e, const ex_conv_shape *s,
                    ex_team *team, void *memory)
{
    if (depthwise(s)) { EX_SUFFIXED(ex_conv_depthwise_forward)(y, x, w, e, s, team, memory); return; }
    if (s->winograd) { EX_SUFFIXED(ex_winograd_forward)(y, x, w, e, s, team, memory); return; }
    ex_conv_shape f = flat(s, &x, &y);
    if (e->residual.data && f.h != s->h && e->residual.row != e->residual.pixel * s->w) f = *s;
    const int one = s->n == 1 && s->h == 1 && s->w == 1 && s->kh == 1 && s->kw == 1 && !s->padding[0] && !s->padding[1];
    if (one && s->groups == 1 && w.in == 1 && !w.packed && !e->moments) {
        EX_SUFFIXED(ex_conv_pixel)(y.data, x.data, w, e, s, team);
        return;
    }
    const int follows = !e->residual.data || e->residual.image == e->residual.pixel * f.w;
    if (!e->moments && follows) join_images(&f, &x, &y);
    job j = { .y = y, .x = x, .w = w, .e = *e, .w_group = w.out * (s->co / s->groups) };
    plan(&j, EX_CONV_FORWARD, &f, e->moments != NULL);
    run(&j, team, memory);
}

static void grad_input(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s, ex_team *team,
                       void *memory)
{
    if (depthwise(s)) { EX_SUFFIXED(ex_conv_depthwise_grad_input)(dx, dy, w, s, team, memory); return; }
    if (s->winograd) { EX_SUFFIXED(ex_winograd_grad_input)(dx, dy, w, s, team, memory); return; }
    if (few(EX_CONV_GRAD_INPUT, s)) { EX_SUFFIXED(ex_conv_few_grad_input)(dx, dy, w, s, team, memory); return; }
    ex_conv_shape f = flat(s, &dx, &dy);
    join_images(&f, &dx, &dy);
    job j = { .y = dx, .x = dy, .w = towards(EX_CONV_GRAD_INPUT, w), .w_group = w.out * (s->co / s->groups) };
    plan(&j, EX_CONV_GRAD_INPUT, &f, 0);
    run(&j, team, memory);
}

static void grad_weight(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team,
                        void *memory)
{
    if (depthwise(s)) { EX_SUFFIXED(ex_conv_depthwise_grad_weight)(dw, x, dy, s, team, memory); return; }
    if (s->winograd) { EX_SUFFIXED(ex_winograd_weight)(dw, x, dy, s, team, memory); return; }
    const ex_conv_shape f = flat(s, &x, &dy);
    EX_SUFFIXED(ex_conv_weight)(dw, x, dy, &f, team, memory);
}

static size_t sums_floats(const ex_conv_shape *s)
{
    if (depthwise(s)) return EX_SUFFIXED(ex_conv_depthwise_sums_floats)(s);
    return s->winograd ? EX_SUFFIXED(ex_winograd_weight_sums_floats)(s) : EX_SUFFIXED(ex_conv_weight_sums_floats)(s);
}

static size_t sums_scratch(const ex_conv_shape *s)
{
    if (depthwise(s)) return EX_SUFFIXED(ex_conv_depthwise_sums_scratch)(s);
    return s->winograd ? EX_SUFFIXED(ex_winograd_weight_sums_scratch)(s) : EX_SUFFIXED(ex_conv_weight_sums_scratch)(s);
}

static void add_sums(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *memory)
{
    const ex_conv_shape f = flat(s, &x, &dy);
    if (depthwise(s)) EX_SUFFIXED(ex_conv_depthwise_add_sums)(sums, x, dy, s, more, memory);
    else if (s->winograd) EX_SUFFIXED(ex_winograd_weight_add_sums)(sums, x, dy, s, more, memory);
    else EX_SUFFIXED(ex_conv_weight_add_sums)(sums, x, dy, &f, more, memory);
}

static void join_sums(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team)
{
    if (depthwise(s)) EX_SUFFIXED(ex_conv_depthwise_join_sums)(dw, sums, parts, s, team);
    else if (s->winograd) EX_SUFFIXED(ex_winograd_weight_join_sums)(dw, sums, parts, s, team);
    else EX_SUFFIXED(ex_conv_weight_join_sums)(dw, sums, parts, s, team);
}

#define EX_TEXT_(x) #x
#define EX_TEXT(x) EX_TEXT_(x)

const ex_conv_kernels EX_SUFFIXED(ex_conv_kernels) = {
    .name = EX_TEXT(EX_ISA_SUFFIX), .winograd_pays = EX_SUFFIXED(ex_winograd_pays), .lean_pays = EX_SUFFIXED(ex_winograd_lean_pays),
    .scratch = scratch,
    .moments_scratch = moments_scratch,
    .packed_bytes = packed_bytes, .pack = pack, .forward = forward,
    .grad_input = grad_input, .grad_weight = grad_weight, .sums_floats = sums_floats, .sums_scratch = sums_scratch,
    .add_sums = add_sums, .join_sums = join_sums,
};
