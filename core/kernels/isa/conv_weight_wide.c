/* conv_weight_wide.c: the weight gradient of dense convolutions of many channels, whose filter is larger than what a core holds of
 * the images:
 *
 *     dw[kh][kw][ci][co] = sum over images and pixels of x[pixel, kh, kw, ci] * dy[pixel, co]
 *
 * as a product of two matrices over the pixels. A part of the work is a region of dw: up to `across` panels of input channels of a tap
 * by up to BLOCKS blocks of output channels, over a share of the images. It goes through a chunk of pixels at a time: both operands'
 * numbers are copied so that a tile (conv_tile.h) reads them side by side, wherever they lay in memory, and each copy serves many tiles.
 * Pixels of a chunk are ordered by place, then by image; of each tap only the places are copied and multiplied at which it lies inside
 * the image. It does no groups. conv_weight.c takes other shapes, adds shares and turns the sums to where they belong. */
#include "conv_tile.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

/* PANEL: floats of a pixel in a panel of x: what a tile is high, in whole vectors. Regions of PANELS to 2 PANELS panels and BLOCKS blocks, or
 * fewer where there are not REGIONS of them. CHUNK: pixels. */
enum { BLOCK = 2 * VL, PANEL = (TILE + VL - 1) / VL * VL, BLOCKS = 8, PANELS = 8, REGIONS = 16, CHUNK = 256, SEVERAL = 8 };

typedef struct job {
    const ex_conv_shape *s;
    ex_conv_image x, dy;
    int32_t slices, panels, blocks;         /* panels of a tap; of all taps; blocks of output channels */
    int32_t across, down, columns, lines;   /* a region's panels and blocks; regions across and down */
    int32_t shares;
    int32_t images, rows;                   /* of a chunk: several images as a whole, or some rows of one */
    size_t panel, block;                    /* floats of a chunk's pixels */
    float *sums, *copies;
} job;

static void plan(job *j, const ex_conv_shape *s)
{
    j->s = s;
    j->slices = tile_blocks(s->ci);
    j->panels = s->kh * s->kw * j->slices;
    j->blocks = up(s->co, BLOCK);
    j->lines = up(j->blocks, BLOCKS);
    if (up(j->panels, PANELS) * j->lines < REGIONS) j->lines = up(j->blocks, BLOCKS / 2);
    j->columns = up(j->panels, PANELS);
    if (up(j->columns, 2) * j->lines >= 2 * REGIONS) j->columns = up(j->columns, 2);
    j->across = up(j->panels, j->columns);
    j->down = up(j->blocks, j->lines);
    j->shares = least(up(REGIONS, j->columns * j->lines), s->n);
    const int32_t pixels = s->oh * s->ow, whole = CHUNK / pixels;
    const int all_inside = s->kh * s->kw == 1 && !s->padding[0] && !s->padding[1];
    j->images = whole >= SEVERAL || all_inside ? least(most(whole, 1), s->n) : 1;
    j->rows = j->images > 1 || pixels <= CHUNK ? s->oh : most(CHUNK / s->ow, 1);
    const size_t chunk = (size_t)j->images * (size_t)j->rows * (size_t)s->ow;
    j->panel = chunk * PANEL + LINE;        /* the line keeps copies of a pixel out of one set of the cache */
    j->block = chunk * BLOCK + LINE;
}

static size_t copied_floats(const job *j) { return (size_t)j->across * j->panel + (size_t)j->down * j->block; }

static double filter_floats(const ex_conv_shape *s) { return (double)s->kh * s->kw * s->ci * s->co; }

/* Whether some number of images may be taken this way. */
int EX_SUFFIXED(ex_conv_weight_wide_fits)(const ex_conv_shape *s)
{
    enum { LEAST_BLOCKS = 4, LEAST_FILTER = 1 << 16, MOST_WIDTH = CHUNK };
    job j = {0};
    if (s->groups > 1 || s->ow > MOST_WIDTH) return 0;
    plan(&j, s);
    return j.blocks >= LEAST_BLOCKS && j.panels >= PANELS && filter_floats(s) >= LEAST_FILTER;
}

int EX_SUFFIXED(ex_conv_weight_wide_pays)(const ex_conv_shape *s)
{
    const double images = (double)s->n * s->oh * s->ow * (s->ci + s->co);
    const int plain = s->kh * s->kw * s->stride[0] * s->stride[1] == 1;        /* read as it lies, x is nearly as good */
    return EX_SUFFIXED(ex_conv_weight_wide_fits)(s) && s->n * s->oh * s->ow >= CHUNK / 2 && (!plain || filter_floats(s) >= images);
}

int32_t EX_SUFFIXED(ex_conv_weight_wide_shares)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return j.shares;
}

size_t EX_SUFFIXED(ex_conv_weight_wide_scratch)(const ex_conv_shape *s, int32_t threads)
{
    job j = {0};
    plan(&j, s);
    return thread_floats(copied_floats(&j)) * (size_t)threads * sizeof(float);
}

/* -- Copies ------------------------------------------------------------------------------------------------------ */

/* Some rows of some images, and where they are in memory. */
typedef struct chunk { int32_t image, images, row, rows; } chunk;

/* Outputs [from, to) of an axis at which a tap lies inside. */
typedef struct span { int32_t from, to; } span;

static span inside(int32_t size, int32_t from, int32_t out, int32_t tap, int32_t stride, int32_t padding)
{
    span s = { from, from + out };
    while (s.from < s.to && s.from * stride + tap - padding < 0) s.from++;
    while (s.to > s.from && (s.to - 1) * stride + tap - padding >= size) s.to--;
    return s;
}

/* `count` floats of a pixel into rows of `each` lanes, `apart` floats from one row to the next; zeros behind the last one. */
EX_INLINE void deal(float *to, const float *from, int32_t count, const int32_t each, const int32_t lanes, size_t apart)
{
    for (; count > 0; count -= each, from += each, to += apart)
        UNROLL for (int32_t v = 0; v < lanes; v += VL)
            if (v < each) vf_store(to + v, vf_load_part(from + v, vf_first(most(least(VL, least(each, count) - v), 0))));
}

/* dy of the chunk: [block][row][column][image][BLOCK]. */
static void copy_gradient(const job *j, float *to, const chunk *c, int32_t block, int32_t block_end)
{
    const ex_conv_shape *s = j->s;
    const int32_t channels = least(block_end * BLOCK, s->co) - block * BLOCK;
    const float *from = j->dy.data + c->image * j->dy.image + c->row * j->dy.row + block * BLOCK;
    for (int32_t r = 0; r < c->rows; r++)
        for (int32_t q = 0; q < s->ow; q++)
            for (int32_t i = 0; i < c->images; i++, to += BLOCK)
                deal(to, from + i * j->dy.image + r * j->dy.row + q * j->dy.pixel, channels, BLOCK, BLOCK, j->block);
}

/* The input channels of a panel. */
static int32_t panel_start(const job *j, int32_t slice) { return tile_start(j->s->ci, j->slices, slice); }

/* x of the chunk, as a tap reads it: [panel][row][column][image][PANEL], for the panels [slice, slice_end) of the tap. */
static void copy_tap(const job *j, float *to, const chunk *c, const span *rows, const span *cols, int32_t tap, int32_t slice, int32_t slice_end)
{
    const ex_conv_shape *s = j->s;
    const int32_t kh = tap / s->kw * s->dilation[0] - s->padding[0], kw = tap % s->kw * s->dilation[1] - s->padding[1];
    const float *image = j->x.data + c->image * j->x.image;
    int32_t start[2 * PANELS + 1];
    for (int32_t p = slice; p <= slice_end; p++) start[p - slice] = panel_start(j, p);
    for (int32_t r = rows->from; r < rows->to; r++)
        for (int32_t q = cols->from; q < cols->to; q++) {
            const float *from = image + (r * s->stride[0] + kh) * j->x.row + (q * s->stride[1] + kw) * j->x.pixel;
            for (int32_t i = 0; i < c->images; i++, from += j->x.image, to += PANEL)
                for (int32_t p = 0; p < slice_end - slice; p++)
                    deal(to + (size_t)p * j->panel, from + start[p], start[p + 1] - start[p], TILE, PANEL, 0);
        }
}

/* -- Products ---------------------------------------------------------------------------------------------------- */

/* The panels of a tap against blocks: adds to the sums, or begins them. */
static void multiply(const job *j, float *sums, const float *panels, const float *blocks, const chunk *c, const span *rows, const span *cols, int32_t tap,
                     int32_t slice, int32_t slice_end, int32_t block, int32_t block_end, int more)
{
    const ex_conv_shape *s = j->s;
    const int32_t n = c->images, height = rows->to - rows->from, width = cols->to - cols->from;
    tile_args t = { .x_k = PANEL, .w_k = BLOCK, .y_col = s->co, .more = more, .len = n, .inner = width, .outer = height,
                    .x_inner = n * PANEL, .x_outer = (ptrdiff_t)width * n * PANEL, .w_inner = n * BLOCK, .w_outer = (ptrdiff_t)s->ow * n * BLOCK };
    if (width == s->ow) t.len *= t.inner * t.outer, t.inner = t.outer = 1;      /* one run of pixels */
    else if (n == 1) t.len = width, t.inner = height, t.outer = 1, t.x_inner = t.x_outer, t.w_inner = t.w_outer;
    const ptrdiff_t first = ((ptrdiff_t)(rows->from - c->row) * s->ow + cols->from) * n * BLOCK;
    for (int32_t b = block; b < block_end; b++) {
        const int32_t left = s->co - b * BLOCK, nv = left > VL ? 2 : 1;
        t.last = left >= nv * VL ? VL : left - (nv - 1) * VL;
        t.w = blocks + (size_t)(b - block) * j->block + first;
        for (int32_t p = slice; p < slice_end; p++) {
            const int32_t channel = panel_start(j, p);
            t.x = panels + (size_t)(p - slice) * j->panel;
            t.y = sums + ((ptrdiff_t)tap * s->ci + channel) * s->co + b * BLOCK;
            EX_SUFFIXED(ex_weight_tiles)[1][panel_start(j, p + 1) - channel][nv - 1](&t);
        }
    }
}

/* One chunk of the region's panels [panel, panel_end) and blocks. */
static void add_chunk(const job *j, float *sums, const chunk *c, int32_t panel, int32_t panel_end, int32_t block, int32_t block_end, float *copies,
                      int more)
{
    const ex_conv_shape *s = j->s;
    float *blocks = copies + (size_t)j->across * j->panel;
    copy_gradient(j, blocks, c, block, block_end);
    for (int32_t p = panel, end; p < panel_end; p = end) {
        const int32_t tap = p / j->slices, slice = p % j->slices;
        end = least(panel_end, (tap + 1) * j->slices);
        const span rows = inside(s->h, c->row, c->rows, tap / s->kw * s->dilation[0], s->stride[0], s->padding[0]);
        const span cols = inside(s->w, 0, s->ow, tap % s->kw * s->dilation[1], s->stride[1], s->padding[1]);
        copy_tap(j, copies, c, &rows, &cols, tap, slice, slice + end - p);
        multiply(j, sums, copies, blocks, c, &rows, &cols, tap, slice, slice + end - p, block, block_end, more);
    }
}

/* Part = (share of the images, blocks, panels), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const ex_conv_shape *s = j->s;
    const int32_t column = part % j->columns, line = part / j->columns % j->lines, share = part / j->columns / j->lines;
    const int32_t panel = column * j->across, panel_end = least(panel + j->across, j->panels);
    const int32_t block = line * j->down, block_end = least(block + j->down, j->blocks);
    const int32_t first = tile_start(s->n, j->shares, share), end = tile_start(s->n, j->shares, share + 1);
    const size_t filter = (size_t)s->kh * (size_t)s->kw * (size_t)s->ci * (size_t)s->co;
    chunk c = { 0 };
    for (c.image = first; c.image < end; c.image += j->images)
        for (c.row = 0; c.row < s->oh; c.row += j->rows) {
            c.images = least(j->images, end - c.image);
            c.rows = least(j->rows, s->oh - c.row);
            add_chunk(j, j->sums + (size_t)share * filter, &c, panel, panel_end, block, block_end,
                      j->copies + (size_t)thread * thread_floats(copied_floats(j)), c.image > first || c.row > 0);
        }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): they are written through the job */
void EX_SUFFIXED(ex_conv_weight_wide)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .x = x, .dy = dy, .sums = sums, .copies = scratch };
    plan(&j, s);
    ex_team_run(team, j.shares * j.columns * j.lines, run_part, &j);
}
