/* winograd.c: 3x3 convolutions of stride 1 with a quarter of the multiplications: Winograd's F(4x4, 3x3), forward and input
 * gradient (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016, section 4).
 *
 *     y = A' [ sum over channels of (G g G') * (B' d B) ] A        d: 6x6 pixels, g: 3x3 taps, y: 4x4 pixels
 *
 * The product in brackets is by element, so over all tiles it is 36 matrix products, one for each position of a tile:
 * M[tile][k][co] = sum over ci of V[tile][k][ci] * U[k][ci][co]. The points at which the polynomials are evaluated are 0,
 * infinity, and those of least error: +-sqrt(1/2), +-sqrt(2) (with the usual +-1, +-2 the error is four times as large).
 *
 * A group of tiles has its V and M in a core's L2 cache. Where there are many groups a part of the work is a group, with
 * a V of its own; where there are few, all V are made first, and a part is some channels of a group. Every output is
 * one chain of operations that neither grouping nor place changes: its bits depend on neither batch, position, nor threads.
 * It does no other kernel size, stride or dilation, and no groups. */
#include "conv_tile.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { EDGE = 4, REACH = 6, POSITIONS = 36, HALF = REACH / 2, BLOCK = 2 * VL, PAD = 16, M_TILE = POSITIONS * BLOCK + PAD };
enum { V_BYTES = 160 << 10, MOST = 2 * TILE, FEW_GROUPS = 16 };

typedef struct job {
    ex_conv_image y, x;                     /* written, read */
    ex_conv_filter w;                       /* out: distance of written channels, in: of read ones */
    const float *bias;
    ptrdiff_t bias_step;
    int32_t n, ci, co, h, width, oh, ow;    /* read: ci, h, width; written: co, oh, ow */
    int32_t first_row, first_col;           /* the pixel that tap 0 of output 0 reads */
    int flip;                               /* the input gradient turns the filter around */
    int32_t rows, cols, tiles;              /* tiles of an image, of all images */
    int32_t blocks, channel_parts, groups, group;   /* group: most tiles in one */
    int shared;                             /* all V first */
    size_t filter, pixel, tile, v, m;       /* floats: of a block in U; of a tile's channels; of a tile in V; of V; of M */
    float *u, *added, *zeros, *values, *products;
} job;

static int32_t up(int32_t n, int32_t by) { return (n + by - 1) / by; }
static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* -- The three transforms, of one vector of channels ------------------------------------------------------------ */

#define POINT 0.70710678118654752f          /* the points: +-POINT and +-1 / POINT */
#define INVERSE 1.41421356237309505f

/* Rows 0..2 (half 0) or 3..5 (half 1) of B'd. */
EX_INLINE void read_half(const int half, vf *out, const int step, const vf *d)
{
    if (half == 0) {
        const vf even = d[4] - 2 * d[2], odd = d[3] - 2 * d[1];
        out[0] = d[0] + d[4] - 2.5f * d[2];
        out[step] = even + POINT * odd;
        out[2 * step] = even - POINT * odd;
    } else {
        const vf even = d[4] - 0.5f * d[2], odd = d[3] - 0.5f * d[1];
        out[0] = even + INVERSE * odd;
        out[step] = even - INVERSE * odd;
        out[2 * step] = d[1] + d[5] - 2.5f * d[3];
    }
}

/* A'm: four numbers of six. */
EX_INLINE void write_line(vf *out, const int step, const vf *m, const int m_step)
{
    const vf sum = m[m_step] + m[2 * m_step], gap = m[m_step] - m[2 * m_step];
    const vf sum2 = m[3 * m_step] + m[4 * m_step], gap2 = m[3 * m_step] - m[4 * m_step];
    out[0] = m[0] + sum + sum2;
    out[step] = INVERSE * gap2 + POINT * gap;
    out[2 * step] = 2 * sum2 + 0.5f * sum;
    out[3 * step] = m[5 * m_step] + POINT * 0.5f * gap + INVERSE * 2 * gap2;
}

/* Gg: six numbers of three. */
EX_INLINE void filter_line(vf *out, const int step, const vf *g, const int g_step)
{
    const vf a = g[0], b = g[g_step], c = g[2 * g_step];
    const vf even = (-2 / 3.f) * a - (1 / 3.f) * c, odd = (-2 / 3.f * POINT) * b;
    const vf even2 = (1 / 6.f) * a + (1 / 3.f) * c, odd2 = (1 / 6.f * INVERSE) * b;
    out[0] = a;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = c;
}

/* -- The filter: U[block][position][ci][lanes of the block] ---------------------------------------------------- */

/* One vector of written channels of VL read ones: taps[tap][ci][lane], zeros where there is no channel. */
static void gather_taps(vf taps[9][VL], const job *j, int32_t c0, int32_t o0)
{
    const int32_t read = least(VL, j->ci - c0), lanes = least(VL, j->co - o0);
    const vmask first = vf_first(lanes);
    for (int32_t t = 0; t < 9; t++) {
        const int32_t from = j->flip ? 8 - t : t;
        const float *w = j->w.data + from / 3 * j->w.row + from % 3 * j->w.col + c0 * j->w.in + o0 * j->w.out;
        if (j->w.out == 1) {
            for (int32_t c = 0; c < read; c++) taps[t][c] = vf_load_part(w + c * j->w.in, first);
        } else if (j->w.in == 1) {
            const vmask some = vf_first(read);
            for (int32_t v = 0; v < VL; v++) taps[t][v] = v < lanes ? vf_load_part(w + v * j->w.out, some) : (vf){0};
            vf_transpose(taps[t]);
        } else {
            for (int32_t c = 0; c < read; c++)
                for (int32_t v = 0; v < VL; v++) taps[t][c][v] = v < lanes ? w[c * j->w.in + v * j->w.out] : 0;
        }
    }
}

/* Part = (block, VL read channels), the last one fastest. */
static void filter_part(const job *j, int32_t part)
{
    const int32_t slices = up(j->ci, VL), block = part / slices, c0 = part % slices * VL;
    const int32_t left = j->co - block * BLOCK, nv = left > VL ? 2 : 1;
    const size_t width = (size_t)nv * VL, position = (size_t)j->ci * width + PAD;
    for (int32_t v = 0; v < nv; v++) {
        vf taps[9][VL];
        gather_taps(taps, j, c0, block * BLOCK + v * VL);
        float *u = j->u + (size_t)block * j->filter + (size_t)c0 * width + (size_t)v * VL;
        for (int32_t c = 0; c < least(VL, j->ci - c0); c++, u += width) {
            vf g[9], e[3 * REACH], out[REACH];
            UNROLL for (int t = 0; t < 9; t++) g[t] = taps[t][c];
            UNROLL for (int i = 0; i < 3; i++) filter_line(e + i, 3, g + i, 3);
            UNROLL for (int i = 0; i < REACH; i++) {
                filter_line(out, 1, e + i * 3, 1);
                UNROLL for (int k = 0; k < REACH; k++) vf_store(u + (size_t)(i * REACH + k) * position, out[k]);
            }
        }
    }
}

/* -- The images: V[tile][position][ci] ---------------------------------------------------------------------------- */

typedef struct place { int32_t image, row, col; } place;   /* of a tile; row, col: of its first output */

static place tile_place(const job *j, int32_t tile)
{
    const int32_t at = tile % (j->rows * j->cols);
    return (place){ tile / (j->rows * j->cols), at / j->cols * EDGE, at % j->cols * EDGE };
}

/* Where each pixel that a tile reads lies; zeros past the borders. */
static void tile_pixels(const float *at[POSITIONS], const job *j, int32_t tile)
{
    const place p = tile_place(j, tile);
    const float *x = j->x.data + p.image * j->x.image;
    for (int32_t i = 0; i < REACH; i++) {
        const int32_t row = j->first_row + p.row + i;
        const int in = row >= 0 && row < j->h;
        for (int32_t k = 0; k < REACH; k++) {
            const int32_t col = j->first_col + p.col + k;
            at[i * REACH + k] = in && col >= 0 && col < j->width ? x + row * j->x.row + col * j->x.pixel : j->zeros;
        }
    }
}

/* v = B' d B of one vector of channels. Half of the rows at a time: as many numbers as there are registers for. */
EX_INLINE void read_tile(float *v, size_t position, const float *const at[POSITIONS], const float *const next[POSITIONS],
                         int32_t c, vmask first)
{
    UNROLL for (int half = 0; half < 2; half++) {
        vf e[HALF * REACH];
        UNROLL for (int k = 0; k < REACH; k++) {
            vf d[REACH];                    /* of which a half reads five */
            UNROLL for (int i = half; i < half + REACH - 1; i++) d[i] = vf_load_part(at[i * REACH + k] + c, first);
            if (k >= REACH - EDGE)          /* what this tile does not read */
                UNROLL for (int i = half * HALF; i < half * HALF + HALF; i++) __builtin_prefetch(next[i * REACH + k] + c);
            read_half(half, e + k, REACH, d);
        }
        UNROLL for (int i = 0; i < HALF; i++) {
            vf out[REACH];
            read_half(0, out, 1, e + i * REACH);
            read_half(1, out + HALF, 1, e + i * REACH);
            UNROLL for (int k = 0; k < REACH; k++)
                vf_store(v + (size_t)((half * HALF + i) * REACH + k) * position, out[k]);
        }
    }
}

static void read_tiles(const job *j, int32_t group, float *values)
{
    const int32_t from = tile_start(j->tiles, j->groups, group), end = tile_start(j->tiles, j->groups, group + 1);
    const float *at[2][POSITIONS];
    tile_pixels(at[from & 1], j, from);
    for (int32_t t = from; t < end; t++, values += j->tile) {
        const float *const *this = at[t & 1], **next = at[~t & 1];
        tile_pixels(next, j, least(t + 1, end - 1));
        for (int32_t c = 0; c < j->ci; c += VL) read_tile(values + c, j->pixel, this, next, c, vf_first(least(VL, j->ci - c)));
    }
}

/* -- The products: M[tile][position][lanes of a block] -------------------------------------------------------------- */

EX_INLINE void product(const int P, const int NV, const tile_args *t)
{
    vf a[TILE][2];
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int v = 0; v < NV; v++) a[p][v] = (vf){0};
    tile_sum(a, 1, P, NV, 0, t);
    UNROLL for (int p = 0; p < P; p++)
        UNROLL for (int v = 0; v < NV; v++) vf_store(t->y + p * t->y_col + v * VL, a[p][v]);
}

#define TILES_OF_6(X) X(1) X(2) X(3) X(4) X(5) X(6)
#define TILES_OF_14(X) TILES_OF_6(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#if defined(__AVX512F__) || defined(__aarch64__)
#define TILES_OF_ONE(X) TILES_OF_14(X)
#else
#define TILES_OF_ONE(X) TILES_OF_6(X)
#endif
#define PRODUCT(P) \
    static void product_##P##_1(const tile_args *t) { product(P, 1, t); } \
    static void product_##P##_2(const tile_args *t) { product(P, 2, t); }
TILES_OF_ONE(PRODUCT)
#define PRODUCT_ENTRY(P) [P] = { product_##P##_1, product_##P##_2 },
static tile_function *const products[TILE + 1][2] = { TILES_OF_ONE(PRODUCT_ENTRY) };

static void multiply(const job *j, int32_t tiles, const float *values, int32_t block, int32_t nv, float *m)
{
    const int32_t blocks = tile_blocks(tiles);
    tile_args t = { .x_col = (ptrdiff_t)j->tile, .w_k = nv * VL, .y_col = M_TILE, .outer = 1, .inner = 1, .len = j->ci, .last = VL };
    t.w = j->u + (size_t)block * j->filter;
    for (int32_t k = 0; k < POSITIONS; k++, t.w += (ptrdiff_t)j->ci * t.w_k + PAD)
        for (int32_t b = 0; b < blocks; b++) {
            const int32_t from = tile_start(tiles, blocks, b), P = tile_start(tiles, blocks, b + 1) - from;
            t.x = values + (size_t)k * j->pixel + (size_t)from * j->tile;
            t.y = m + k * BLOCK + from * M_TILE;
            products[P][nv - 1](&t);
        }
}

/* What becomes of a finished sum: the one place that writes outputs. */
EX_INLINE void finish(float *y, vf sum, vf bias, vmask first) { vf_store_part(y, sum + bias, first); }

/* A' m A of one vector of channels, of which `rows` x `cols` numbers are in the image. */
EX_INLINE void write_tile(const job *j, float *y, int32_t rows, int32_t cols, const float *m, vf bias, vmask first)
{
    vf e[EDGE * REACH];
    UNROLL for (int k = 0; k < REACH; k++) {
        vf line[REACH];
        UNROLL for (int i = 0; i < REACH; i++) line[i] = vf_load(m + (i * REACH + k) * BLOCK);
        write_line(e + k, REACH, line, 1);
    }
    UNROLL for (int i = 0; i < EDGE; i++) {
        vf out[EDGE];
        write_line(out, 1, e + i * REACH, 1);
        if (i < rows)
            UNROLL for (int k = 0; k < EDGE; k++)
                if (k < cols) finish(y + i * j->y.row + k * j->y.pixel, out[k], bias, first);
    }
}

static void write_tiles(const job *j, int32_t from, int32_t end, int32_t block, int32_t nv, const float *m)
{
    for (int32_t t = from; t < end; t++, m += M_TILE) {
        const place p = tile_place(j, t);
        const int32_t rows = least(EDGE, j->oh - p.row), cols = least(EDGE, j->ow - p.col);
        float *y = j->y.data + p.image * j->y.image + p.row * j->y.row + p.col * j->y.pixel;
        for (int32_t v = 0; v < nv; v++) {
            const int32_t c = block * BLOCK + v * VL;
            write_tile(j, y + c, rows, cols, m + v * VL, vf_load(j->added + c), vf_first(least(VL, j->co - c)));
        }
    }
}

/* -- Work ----------------------------------------------------------------------------------------------------------- */

/* Part = the filter's parts, then (where V are shared) the groups. */
static void prepare_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t filter = j->blocks * up(j->ci, VL);
    if (part < filter) filter_part(j, part);
    else read_tiles(j, part - filter, j->values + (size_t)(part - filter) * j->v);
}

/* Part = (channels, group), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const int32_t group = part % j->groups, channels = part / j->groups;
    const int32_t from = tile_start(j->tiles, j->groups, group), end = tile_start(j->tiles, j->groups, group + 1);
    float *values = j->values + (size_t)(j->shared ? group : thread) * j->v, *m = j->products + (size_t)thread * j->m;
    if (!j->shared) read_tiles(j, group, values);
    const int32_t last = tile_start(j->blocks, j->channel_parts, channels + 1);
    for (int32_t b = tile_start(j->blocks, j->channel_parts, channels); b < last; b++) {
        const int32_t nv = j->co - b * BLOCK > VL ? 2 : 1;
        multiply(j, end - from, values, b, nv, m);
        write_tiles(j, from, end, b, nv, m);
    }
}

static void size_group(job *j, int32_t group)
{
    j->group = group;
    j->groups = up(j->tiles, group);
    j->tile = POSITIONS * j->pixel + PAD;
    j->v = (size_t)group * j->tile;
    j->m = (size_t)group * M_TILE;
}

static void plan(job *j, ex_conv_direction direction, const ex_conv_shape *s)
{
    const int forward = direction == EX_CONV_FORWARD;
    j->n = s->n;
    j->ci = forward ? s->ci : s->co, j->h = forward ? s->h : s->oh, j->width = forward ? s->w : s->ow;
    j->co = forward ? s->co : s->ci, j->oh = forward ? s->oh : s->h, j->ow = forward ? s->ow : s->w;
    j->first_row = forward ? -s->padding[0] : s->padding[0] - 2;
    j->first_col = forward ? -s->padding[1] : s->padding[1] - 2;
    j->flip = !forward;
    j->rows = up(j->oh, EDGE), j->cols = up(j->ow, EDGE);
    j->tiles = j->n * j->rows * j->cols;
    j->blocks = up(j->co, BLOCK);
    j->filter = POSITIONS * ((size_t)j->ci * BLOCK + PAD);
    j->pixel = round_up((size_t)j->ci, VL);
    const size_t each = POSITIONS * j->pixel * sizeof(float) * TILE;
    const int32_t fit = V_BYTES / each > MOST / TILE ? MOST / TILE : V_BYTES / each < 1 ? 1 : (int32_t)(V_BYTES / each);
    size_group(j, fit * TILE);
    j->shared = j->groups < FEW_GROUPS;
    if (j->shared) size_group(j, TILE);
    j->channel_parts = j->shared ? least(up(FEW_GROUPS, j->groups), j->blocks) : 1;
}

static size_t filter_floats(const job *j) { return (size_t)j->blocks * j->filter; }
static size_t bias_floats(const job *j) { return round_up((size_t)j->blocks * BLOCK, 16); }
static size_t zero_floats(const job *j) { return round_up(j->pixel, 16); }

/* -- The rule ----------------------------------------------------------------------------------------------------- */

/* The time of both ways for each pair of channels, in multiplications of the direct kernels. Direct: 9 an output. Winograd:
 * 36 times `product` for a tile, whole tiles at the borders too; reading (writing) one is shared by all channels written
 * (read); the filter is paid once a call, dearer where it leaves the caches. Measured on one thread of a Zen 5, direct
 * -> Winograd forward, GFLOP/s (bench/conv_bench.c):
 *
 *     one image     64->64 @28     @16       @14       @8        @7        @4       16->16 @28  @14       256->256 @8
 *     avx512        225->612   219->499   221->389   204->287   193->225   140->92   168->284   154->179   180->184
 *     avx2          113->351   108->300   106->233   102->203    90->156    83->69   112->214   105->151    76->95
 *     portable       40->122    41->117    41->92     40->82     39->63     35->35    42->91     40->66     34->38
 *     64 images     64->64 @14    @8       @7         @4        32->32 @16   @7      16->16 @16  @7       128->128 @4
 *     avx512        217->391   233->612   222->506   213->599   209->476   225->387  175->296   178->243   184->381 */
#if defined(__AVX512F__)
static const struct costs { double product, transform, filter, large_filter; } costs = { 1.2, 9, 190, 360 };
#elif defined(__AVX2__)
static const struct costs { double product, transform, filter, large_filter; } costs = { 1.0, 9, 115, 310 };
#else
static const struct costs { double product, transform, filter, large_filter; } costs = { 1.1, 9, 100, 380 };
#endif
static const double margin = 1.05, large_filter = 128.0 * 128;    /* pairs of channels, of which each has 36 floats */

int EX_SUFFIXED(ex_winograd_pays)(ex_conv_direction direction, const ex_conv_shape *s)
{
    if (!ex_conv_winograd_fits(s) || direction == EX_CONV_GRAD_WEIGHT) return 0;
    job j = { 0 };
    plan(&j, direction, s);
    const double tile = POSITIONS * (costs.product + costs.transform / j.ci + costs.transform / j.co);
    const double filter = (double)j.ci * j.co > large_filter ? costs.large_filter : costs.filter;
    return 9.0 * j.n * j.oh * j.ow > margin * (tile * j.tiles + filter);
}

/* A smaller batch may share V where a larger one does not: room for both. */
size_t EX_SUFFIXED(ex_winograd_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads)
{
    job j = {0};
    plan(&j, direction, s);
    size_t values = (size_t)(j.shared ? j.groups : threads) * j.v, most = (size_t)threads * j.m;
    if (!j.shared) {
        job few = j;
        few.tiles = least(j.tiles, (FEW_GROUPS - 1) * j.group);
        size_group(&few, TILE);
        if ((size_t)few.groups * few.v > values) values = (size_t)few.groups * few.v;
    }
    return (filter_floats(&j) + bias_floats(&j) + zero_floats(&j) + values + most) * sizeof(float);
}

static void run(job *j, ex_team *team, void *scratch)
{
    j->u = scratch;
    j->added = j->u + filter_floats(j);
    j->zeros = j->added + bias_floats(j);
    j->products = j->zeros + zero_floats(j);
    j->values = j->products + (size_t)(team ? ex_team_size(team) : 1) * j->m;
    memset(j->zeros, 0, zero_floats(j) * sizeof(float));
    for (int32_t c = 0; c < j->blocks * BLOCK; c++) j->added[c] = j->bias && c < j->co ? j->bias[c * j->bias_step] : 0;
    ex_team_run(team, j->blocks * up(j->ci, VL) + (j->shared ? j->groups : 0), prepare_part, j);
    ex_team_run(team, j->channel_parts * j->groups, run_part, j);
}

void EX_SUFFIXED(ex_winograd_forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const float *bias, ptrdiff_t bias_step,
                                      const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .y = y, .x = x, .w = w, .bias = bias, .bias_step = bias_step };
    plan(&j, EX_CONV_FORWARD, s);
    run(&j, team, scratch);
}

void EX_SUFFIXED(ex_winograd_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s,
                                         ex_team *team, void *scratch)
{
    job j = { .y = dx, .x = dy, .w = { w.data, w.in, w.out, w.row, w.col } };
    plan(&j, EX_CONV_GRAD_INPUT, s);
    run(&j, team, scratch);
}
