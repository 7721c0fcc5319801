/* conv_weight.c: the weight gradient of dense and grouped convolutions.
 *
 *     dw[kh][kw][ci][co] = sum over images and pixels of x[pixel, kh, kw, ci] * dy[pixel, co]
 *
 * A tile (conv_tile.h) of kernel rows and (kernel column, input channel) pairs against two vectors of output channels
 * stays in registers while the pixels of a chunk (some rows of an image, or some small images) go by. The images are
 * shared out to `shares`, each with sums of its own, which are then added in order; shares are taken first, since each
 * reads its images once, and tiles are split only where the sums of all shares would pass SHARE_FLOATS, or would be more than
 * the images' own numbers (small maps of many channels: sums are written and read as well), or where there are too few images.
 * Filters that are large beside the images are conv_weight_wide.c's. */
#include "conv_tile.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { BLOCK = 2 * VL, PARTS = 16, PART_MACS = 1 << 18, SHARE_FLOATS = 2 << 20, CHUNK_BYTES = 240 << 10, JOINED = 64 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_filter dw;
    ex_conv_image x, dy;
    int32_t ci, co, blocks;                 /* channels of a group; blocks of BLOCK output channels */
    int32_t shares, splits;                 /* of the images, of the tiles */
    int32_t images, rows;                   /* of a chunk */
    size_t sums, strip;                     /* floats of one share's sums, of one thread's strip */
    float *share, *strips;
    const float *added;                     /* the shares that are added up */
    int32_t columns;                        /* of dy that share a vector (share_vectors) */
    int32_t loose;                          /* 1: they do not lie side by side, and are copied: */
    size_t copy;                            /* floats of a chunk's copy, behind the strip */
} job;

static int32_t between(double x, int32_t low, int32_t high) { return x < low ? low : x > high ? high : (int32_t)x; }

/* The pixels that output rows [row, row + rows) read. */
static window chunk_window(const ex_conv_shape *s, int32_t row, int32_t rows)
{
    return (window){ row * s->stride[0] - s->padding[0], (rows - 1) * s->stride[0] + (s->kh - 1) * s->dilation[0] + 1,
                     -s->padding[1], (s->ow - 1) * s->stride[1] + (s->kw - 1) * s->dilation[1] + 1 };
}

/* What a pixel costs with `across` channels in vectors and each of `down` broadcast: single vectors are slower by a seventh. */
static int32_t cost(int32_t across, int32_t down)
{
    const int32_t vectors = up(across, VL);
    return down * (7 * vectors + vectors % 2);
}

/* A 1 x 1 kernel without padding multiplies two matrices, either of which may be the one in vectors: where the input's
 * channels fill them better, it takes the gradient's place, and dw comes out transposed. Anything may be NULL but s. */
static ex_conv_shape take_places(const ex_conv_shape *s, ex_conv_image *x, ex_conv_image *dy, ex_conv_filter *dw)
{
    ex_conv_shape f = *s;
    if (s->kh > 1 || s->kw > 1 || s->padding[0] || s->padding[1] || s->groups > 1 || cost(s->ci, s->co) >= cost(s->co, s->ci))
        return f;
    f.ci = s->co;
    f.co = s->ci;
    f.h = s->oh;
    f.w = s->ow;
    f.stride[0] = f.stride[1] = 1;
    if (x) {
        const ex_conv_image read = { x->data, x->image, x->row * s->stride[0], x->pixel * s->stride[1] };
        *x = *dy;
        *dy = read;
    }
    if (dw) *dw = (ex_conv_filter){ .data = dw->data, .out = dw->in, .in = dw->out, .row = dw->row, .col = dw->col };
    return f;
}

/* Few output channels leave most of a vector empty. Neighbouring columns of dy then share it: the kernel grows by what their windows lie
 * apart, and of its sums each column's own taps are added up in the end (add_columns). */
static int32_t columns_of(const ex_conv_shape *s)
{
    int32_t best = 1;
    if (s->groups > 1 || s->dilation[1] > 1 || s->kw == 1) return 1;
    for (int32_t g = 2; g * s->co <= VL && g <= s->ow; g++)
        if (s->ow % g == 0 && (s->kw + (g - 1.0) * s->stride[1]) * best < (s->kw + (best - 1.0) * s->stride[1]) * g) best = g;
    return best;
}

static ex_conv_shape share_vectors(ex_conv_shape f, int32_t columns)
{
    f.kw += (columns - 1) * f.stride[1];
    f.co *= columns;
    f.ow /= columns;
    f.stride[1] *= columns;
    return f;
}

/* The shape whose gradient is taken in place of that of s, which either of these makes. Anything may be NULL but j and s. */
static ex_conv_shape rearrange(job *j, const ex_conv_shape *s, ex_conv_image *x, ex_conv_image *dy, ex_conv_filter *dw)
{
    const ex_conv_shape f = take_places(s, x, dy, dw);
    j->columns = columns_of(&f);
    if (j->columns == 1) return f;
    j->loose = dy && dy->pixel != f.co;
    if (dy) dy->pixel *= j->columns;
    return share_vectors(f, j->columns);
}

static void plan(job *j, const ex_conv_shape *s)
{
    j->s = s;
    j->ci = s->ci / s->groups;
    j->co = s->co / s->groups;
    j->blocks = up(j->co, BLOCK);
    const double filter = (double)s->kh * s->kw * j->ci * s->co, macs = filter * s->oh * s->ow * s->n;
    const int32_t parts = between(macs / PART_MACS, 1, PARTS);
    const double reads = (double)s->oh * s->ow * s->n * s->groups * (j->ci + j->co);
    j->shares = least(between(SHARE_FLOATS / filter, 1, between(reads / filter, 1, parts)), s->n);
    j->splits = up(parts, j->shares * s->groups);
    const window whole = chunk_window(s, 0, s->oh);
    const double row_bytes = ((double)whole.cols * s->stride[0] * j->ci + (double)s->ow * least(j->co, BLOCK)) * 4;
    j->rows = between(CHUNK_BYTES / row_bytes, 1, s->oh);
    if (j->rows > 1) j->rows = up(s->oh, up(s->oh, j->rows));
    j->images = j->rows < s->oh ? 1 : between(CHUNK_BYTES / (row_bytes * s->oh), 1, s->n);
    j->sums = (size_t)s->kh * (size_t)s->kw * (size_t)j->ci * (size_t)s->co;
    const window o = chunk_window(s, 0, j->rows);
    j->strip = window_inside(&whole, s->h, s->w) ? 0
        : round_up((size_t)o.rows * (size_t)o.cols * (size_t)j->ci * (size_t)j->images, 16);
    j->copy = j->columns > 1 ? round_up((size_t)j->rows * (size_t)s->ow * (size_t)s->co * (size_t)j->images, 16) : 0;
}

static size_t thread_scratch(const job *j) { return thread_floats(j->strip + j->copy); }

#define WEIGHT_TILE(R, P) \
    static void tile_##R##_##P##_1(const tile_args *t) { tile(R, P, 1, 1, t); } \
    static void tile_##R##_##P##_2(const tile_args *t) { tile(R, P, 2, 1, t); }
TILES(WEIGHT_TILE)
#define WEIGHT_WIDE(R, P) static void tile_##R##_##P##_1(const tile_args *t) { tile(R, P, 1, 1, t); }
WIDE_TILES(WEIGHT_WIDE)
#define WEIGHT_ENTRY(R, P) [R][P] = { tile_##R##_##P##_1, tile_##R##_##P##_2 },
#define WIDE_ENTRY(R, P) [R][P] = { tile_##R##_##P##_1, NULL },
tile_function *const EX_SUFFIXED(ex_weight_tiles)[MOST_ROWS + 1][TILE + 1][2] = { TILES(WEIGHT_ENTRY) WIDE_TILES(WIDE_ENTRY) };

/* Some rows of some images: where their pixels are. */
typedef struct chunk {
    view x;
    ptrdiff_t x_image;
    ex_conv_image dy;
    int32_t images, rows, more;
} chunk;

/* How the rows of one block of output channels, kernel rows x (columns, channels), are cut: `parts` of a run of `width`
 * columns. Where nv is 1 and there is more than one part, their columns are even and folded into tiles of two rows. */
typedef struct cut {
    int32_t nv, width, parts, folded, rows; /* rows: of a tile that is not folded */
} cut;

static cut cut_block(const job *j, int32_t block, int32_t width)
{
    cut c = { .nv = j->co - block * BLOCK > VL ? 2 : 1, .width = width };
    c.folded = c.nv == 1 && width > TILE;
    c.parts = c.folded ? up(width, WIDE) : tile_blocks(width);
    c.rows = c.folded ? 1 : tile_rows(up(width, c.parts), j->s->kh, c.nv);
    return c;
}

/* The first column of a part. */
static int32_t cut_start(const cut *c, int32_t part)
{
    if (!c->folded) return tile_start(c->width, c->parts, part);
    return part < c->parts ? 2 * tile_start(c->width / 2, c->parts, part) : c->width;
}

static void run_tile(const tile_args *t, const cut *c, int32_t R, int32_t P)
{
    tile_function *const (*const tiles)[TILE + 1][2] = EX_SUFFIXED(ex_weight_tiles);
    if (!c->folded) { tiles[R][P][c->nv - 1](t); return; }
    tile_args half = *t;
    const int32_t left = P / 2, right = P - left;
    half.x_row = left;
    half.y_row = left * t->y_col;
    tiles[left == right ? 2 : 1][left][0](&half);
    if (left == right) return;
    half.x += half.x_row;
    half.y += half.y_row;
    tiles[1][right][0](&half);
}

/* Adds a chunk to the sums of the tiles number [tile, tile_end). */
static void add_chunk(const job *j, const chunk *c, float *sums, int32_t split)
{
    const ex_conv_shape *s = j->s;
    const int run = s->dilation[1] == 1 && c->x.pixel == j->ci;
    const int32_t width = run ? s->kw * j->ci : j->ci, units = run ? 1 : s->kw;
    tile_args t = {
        .x_row = s->dilation[0] * c->x.row, .x_outer = c->x_image, .x_inner = s->stride[0] * c->x.row,
        .x_k = s->stride[1] * c->x.pixel, .w_outer = c->dy.image, .w_inner = c->dy.row, .w_k = c->dy.pixel,
        .y_row = (ptrdiff_t)s->kw * j->ci * j->co, .y_col = j->co,
        .outer = c->images, .inner = c->rows, .len = s->ow, .more = c->more,
    };
    if (c->rows == 1 && t.x_outer == s->ow * t.x_k && t.w_outer == s->ow * t.w_k) {      /* images that follow each other: one run of pixels */
        t.len *= c->images;
        t.outer = 1;
    }
    const cut most = cut_block(j, 0, width), rest = cut_block(j, j->blocks - 1, width);
    const int32_t total = units * ((j->blocks - 1) * up(s->kh, most.rows) * most.parts + up(s->kh, rest.rows) * rest.parts);
    const int32_t first = tile_start(total, j->splits, split), end = tile_start(total, j->splits, split + 1);
    int32_t number = 0;
    for (int32_t b = 0; b < j->blocks; b++) {
        const cut now = b < j->blocks - 1 ? most : rest;
        const int32_t left = j->co - b * BLOCK;
        t.last = left >= now.nv * VL ? VL : left - (now.nv - 1) * VL;
        t.w = c->dy.data + b * BLOCK;
        for (int32_t kh = 0; kh < s->kh; kh += now.rows)
            for (int32_t u = 0; u < units * now.parts; u++, number++) {
                if (number < first || number >= end) continue;
                const int32_t kw = u / now.parts, from = cut_start(&now, u % now.parts);
                const int32_t P = cut_start(&now, u % now.parts + 1) - from;
                for (int32_t k = kh, R; k < least(kh + now.rows, s->kh); k += R) {
                    R = tile_rows(P, least(kh + now.rows, s->kh) - k, now.nv);
                    t.x = c->x.data + k * t.x_row + kw * s->dilation[1] * c->x.pixel + from;
                    t.y = sums + k * t.y_row + ((ptrdiff_t)kw * j->ci + from) * j->co + b * BLOCK;
                    run_tile(&t, &now, R, P);
                }
            }
    }
}

/* Copies dy of a chunk, so that columns that share a vector lie side by side. */
static void gather_columns(const job *j, chunk *c, float *copy)
{
    const ex_conv_shape *s = j->s;
    const int32_t channels = s->co / j->columns, cols = s->ow * j->columns;
    const ptrdiff_t pixel = c->dy.pixel / j->columns;
    float *to = copy;
    for (int32_t i = 0; i < c->images; i++)
        for (int32_t r = 0; r < c->rows; r++)
            for (int32_t q = 0; q < cols; q++, to += channels)
                memcpy(to, c->dy.data + i * c->dy.image + r * c->dy.row + q * pixel, (size_t)channels * sizeof *to);
    const ptrdiff_t row = (ptrdiff_t)s->ow * s->co;
    c->dy = (ex_conv_image){ copy, c->rows * row, row, s->co };
}

/* The images [first, end) of a group and split, into one set of sums. */
static void add_images(const job *j, float *sums, int32_t group, int32_t split, int32_t first, int32_t end, int more, float *strip)
{
    const ex_conv_shape *s = j->s;
    const float *images = j->x.data + (ptrdiff_t)group * j->ci;
    chunk c = { .more = more };
    sums += (size_t)group * (j->sums / (size_t)s->groups);
    for (int32_t image = first; image < end; image += j->images)
        for (int32_t row = 0; row < s->oh; row += j->rows, c.more = 1) {
            c.images = least(j->images, end - image);
            c.rows = least(j->rows, s->oh - row);
            const window o = chunk_window(s, row, c.rows);
            c.x_image = window_inside(&o, s->h, s->w) ? j->x.image : (ptrdiff_t)o.rows * o.cols * j->ci;
            for (int32_t i = 0; i < c.images; i++) {
                const view v = open_window(strip + i * c.x_image, &o, images + (image + i) * j->x.image, j->x.row,
                                           j->x.pixel, s->h, s->w, j->ci);
                if (!i) c.x = v;
            }
            c.dy = j->dy;
            c.dy.data += image * j->dy.image + row * j->dy.row + (ptrdiff_t)group * j->co;
            if (j->loose) gather_columns(j, &c, strip + j->strip);
            add_chunk(j, &c, sums, split);
        }
}

/* Part = (share of the images, group, split of the tiles), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t split = part % j->splits, group = part / j->splits % s->groups, share = part / j->splits / s->groups;
    const int32_t first = tile_start(s->n, j->shares, share), end = tile_start(s->n, j->shares, share + 1);
    add_images(j, j->share + (size_t)share * j->sums, group, split, first, end, 0, j->strips + (size_t)thread * thread_scratch(j));
}

/* The shares of the sums at `in`, added in order. */
static inline vf shares_of(const job *j, const float *in, vmask m)
{
    vf sum = vf_load_part(in, m);
    for (int32_t k = 1; k < j->shares; k++) sum += vf_load_part(in + (size_t)k * j->sums, m);
    return sum;
}

/* VL output channels of a tap whose input channels follow each other in dw (1 x 1 kernels of a parameter): squares are turned over. */
static void add_turned(const job *j, float *out, const float *in, int32_t lanes)
{
    const vmask m = vf_first(lanes);
    for (int32_t c = 0; c < j->ci; c += VL) {
        const int32_t rows = least(VL, j->ci - c);
        vf square[VL];
        for (int32_t r = 0; r < VL; r++) square[r] = r < rows ? shares_of(j, in + (c + r) * j->co, m) : (vf){0};
        vf_transpose(square);
        for (int32_t v = 0; v < lanes; v++) vf_store_part(out + v * j->dw.out + c, square[v], vf_first(rows));
    }
}

/* Part = (group, tap, JOINED output channels), the last one fastest: adds the shares in order into dw. */
static void add_shares(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t slices = up(j->co, JOINED), place = part / slices, tap = place % (s->kh * s->kw), group = place / (s->kh * s->kw);
    const int32_t from = part % slices * JOINED, end = least(from + JOINED, j->co);
    float *out = j->dw.data + tap / s->kw * j->dw.row + tap % s->kw * j->dw.col + group * j->co * j->dw.out;
    const float *in = j->added + (size_t)place * (size_t)j->ci * (size_t)j->co;
    if (j->dw.in == 1 && j->dw.out != 1) {
        for (int32_t o = from; o < end; o += VL) add_turned(j, out + o * j->dw.out, in + o, least(VL, end - o));
        return;
    }
    for (int32_t c = 0; c < j->ci; c++, out += j->dw.in, in += j->co)
        for (int32_t o = from; o < end; o += VL) {
            const int32_t lanes = least(VL, end - o);
            const vmask m = vf_first(lanes);
            const vf sum = shares_of(j, in + o, m);
            if (j->dw.out == 1) vf_store_part(out + o, sum, m);
            else for (int32_t v = 0; v < lanes; v++) out[(o + v) * j->dw.out] = sum[v];
        }
}

/* The shares of sums that columns share, each tap's added up. */
static void add_columns(const job *j)
{
    const ex_conv_shape *s = j->s;
    const int32_t co = s->co / j->columns, step = s->stride[1] / j->columns, kw = s->kw - (j->columns - 1) * step;
    for (int32_t tap = 0; tap < s->kh * kw; tap++)
        for (int32_t c = 0; c < j->ci; c++)
            for (int32_t o = 0; o < co; o++) {
                float sum = 0;
                for (int32_t k = 0; k < j->shares; k++)
                    for (int32_t g = 0; g < j->columns; g++)
                        sum += j->added[(size_t)k * j->sums + ((size_t)(tap / kw * s->kw + tap % kw + g * step) * (size_t)j->ci + (size_t)c) * (size_t)s->co + (size_t)(g * co + o)];
                j->dw.data[tap / kw * j->dw.row + tap % kw * j->dw.col + c * j->dw.in + o * j->dw.out] = sum;
            }
}

static void join(job *j, ex_team *team)
{
    if (j->columns > 1) { add_columns(j); return; }
    const int32_t parts = j->s->groups * j->s->kh * j->s->kw * up(j->co, JOINED);
    if (j->sums * (size_t)j->shares < 32768) team = NULL;
    ex_team_run(team, parts, add_shares, j);
}

size_t EX_SUFFIXED(ex_conv_weight_scratch)(const ex_conv_shape *s, int32_t threads)
{
    job j = {0};
    const ex_conv_shape f = rearrange(&j, s, NULL, NULL, NULL);
    plan(&j, &f);
    const size_t own = (round_up(j.sums * (size_t)j.shares, 16) + thread_scratch(&j) * (size_t)threads) * sizeof(float);
    if (!EX_SUFFIXED(ex_conv_weight_wide_fits)(&f)) return own;
    const size_t sums = round_up(j.sums * (size_t)EX_SUFFIXED(ex_conv_weight_wide_shares)(&f), 16) * sizeof(float);
    const size_t wide = sums + EX_SUFFIXED(ex_conv_weight_wide_scratch)(&f, threads);      /* fewer images may go the other way */
    return own > wide ? own : wide;
}

void EX_SUFFIXED(ex_conv_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s,
                                 ex_team *team, void *scratch)
{
    job j = { .share = scratch };
    const ex_conv_shape f = rearrange(&j, s, &x, &dy, &dw);
    j.dw = dw;
    j.x = x;
    j.dy = dy;
    const int wide = EX_SUFFIXED(ex_conv_weight_wide_pays)(&f);
    plan(&j, &f);
    if (wide) j.shares = EX_SUFFIXED(ex_conv_weight_wide_shares)(&f);
    j.strips = j.share + round_up(j.sums * (size_t)j.shares, 16);
    const int in_place = j.shares == 1 && s->groups == 1 && j.columns == 1 && dw.out == 1 && dw.in == j.co
        && dw.col == (ptrdiff_t)j.ci * j.co && dw.row == s->kw * dw.col;
    if (in_place) j.share = dw.data;
    j.added = j.share;
    if (wide) EX_SUFFIXED(ex_conv_weight_wide)(j.share, x, dy, &f, team, j.strips);
    else ex_team_run(team, j.shares * s->groups * j.splits, run_part, &j);
    if (!in_place) join(&j, team);
}

/* -- In pieces ------------------------------------------------------------------------------------------------- */

size_t EX_SUFFIXED(ex_conv_weight_sums_floats)(const ex_conv_shape *s)
{
    job j = {0};
    const ex_conv_shape f = rearrange(&j, s, NULL, NULL, NULL);
    return (size_t)f.kh * (size_t)f.kw * (size_t)(f.ci / f.groups) * (size_t)f.co;
}

size_t EX_SUFFIXED(ex_conv_weight_sums_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    const ex_conv_shape f = rearrange(&j, s, NULL, NULL, NULL);
    plan(&j, &f);
    return (j.strip + j.copy) * sizeof(float);
}

void EX_SUFFIXED(ex_conv_weight_add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch)
{
    job j = {0};
    const ex_conv_shape f = rearrange(&j, s, &x, &dy, NULL);
    j.x = x;
    j.dy = dy;
    plan(&j, &f);
    j.splits = 1;
    for (int32_t group = 0; group < s->groups; group++) add_images(&j, sums, group, 0, 0, s->n, more, scratch);
}

void EX_SUFFIXED(ex_conv_weight_join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team)
{
    job j = {0};
    const ex_conv_shape f = rearrange(&j, s, NULL, NULL, &dw);
    j.dw = dw;
    plan(&j, &f);
    j.shares = parts;
    j.added = sums;
    join(&j, team);
}
