/* winograd.c: 3x3 convolutions of stride 1 with a quarter of the multiplications: Winograd's F(4x4, 3x3), forward and input
 * gradient (winograd.h; the weight gradient is winograd_weight.c's).
 *
 *     y = A' [ sum over channels of (G g G') * (B' d B) ] A        d: 6x6 pixels, g: 3x3 taps, y: 4x4 pixels
 *
 * The product in brackets is by element, so over all tiles it is 36 matrix products, one for each position of a tile:
 * M[tile][k][co] = sum over ci of V[tile][k][ci] * U[k][ci][co].
 *
 * A group of tiles has its V and M in a core's L2 cache. Where there are many groups a part of the work is a group, with
 * a V of its own; where there are few, all V are made first, and a part is some channels of a group. Every output is
 * one chain of operations that neither grouping nor place changes: its bits depend on neither batch, position, nor threads.
 * It does no other kernel size, stride or dilation, and no groups. */
#include "winograd.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { BLOCK = 2 * VL, M_TILE = POSITIONS * BLOCK + PAD, V_BYTES = 160 << 10, MOST = 2 * TILE, FEW_GROUPS = 16 };

typedef struct job {
    grid x;                                 /* what is read */
    ex_conv_image y;                        /* what is written */
    ex_conv_filter w;                       /* out: distance of written channels, in: of read ones */
    const float *bias;
    ptrdiff_t bias_step;
    int32_t ci, co, oh, ow;                 /* channels read, written; rows and columns written */
    int flip;                               /* the input gradient turns the filter around */
    int32_t tiles;                          /* of all images */
    int32_t blocks, channel_parts, groups, group;   /* group: most tiles in one */
    int shared;                             /* all V first */
    size_t filter, pixel, tile, v, m;       /* floats: of a block in U; of a tile's channels; of a tile in V; of V; of M */
    float *u, *added, *values, *products;
} job;

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
        const place p = tile_place(j->x.rows, j->x.cols, t);
        const int32_t rows = least(EDGE, j->oh - p.row), cols = least(EDGE, j->ow - p.col);
        float *y = j->y.data + p.image * j->y.image + p.row * j->y.row + p.col * j->y.pixel;
        for (int32_t v = 0; v < nv; v++) {
            const int32_t c = block * BLOCK + v * VL;
            write_tile(j, y + c, rows, cols, m + v * VL, vf_load(j->added + c), vf_first(least(VL, j->co - c)));
        }
    }
}

/* -- Work ----------------------------------------------------------------------------------------------------------- */

static void read_group(const job *j, int32_t group, float *values)
{
    read_tiles(values, j->tile, j->pixel, &j->x, tile_start(j->tiles, j->groups, group), tile_start(j->tiles, j->groups, group + 1));
}

/* Part = the filter's parts, then (where V are shared) the groups. */
static void prepare_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t filter = j->blocks * up(j->ci, VL);
    if (part < filter) filter_part(j, part);
    else read_group(j, part - filter, j->values + (size_t)(part - filter) * j->v);
}

/* Part = (channels, group), the last one fastest. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const int32_t group = part % j->groups, channels = part / j->groups;
    const int32_t from = tile_start(j->tiles, j->groups, group), end = tile_start(j->tiles, j->groups, group + 1);
    float *values = j->values + (size_t)(j->shared ? group : thread) * j->v, *m = j->products + (size_t)thread * j->m;
    if (!j->shared) read_group(j, group, values);
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
    j->ci = forward ? s->ci : s->co;
    j->co = forward ? s->co : s->ci, j->oh = forward ? s->oh : s->h, j->ow = forward ? s->ow : s->w;
    j->x.channels = j->ci, j->x.h = forward ? s->h : s->oh, j->x.w = forward ? s->w : s->ow;
    j->x.row = forward ? -s->padding[0] : s->padding[0] - 2;    /* what tap 0 of output 0 reads */
    j->x.col = forward ? -s->padding[1] : s->padding[1] - 2;
    j->x.rows = up(j->oh, EDGE), j->x.cols = up(j->ow, EDGE);
    j->flip = !forward;
    j->tiles = s->n * j->x.rows * j->x.cols;
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
 * 36 times `product` for a tile, whole tiles at the borders too; whole vectors of reading (writing) it, shared by all channels
 * written (read); and once a call the filter, dearer where it leaves the caches, or the sums of a weight gradient. Measured
 * on one thread of a Zen 5, direct->Winograd, GFLOP/s (bench/conv_bench.c):
 *
 *     forward, one image     64->64 @28   @16       @14       @8        @7        @4        16->16 @28  @14       256->256 @8
 *       avx512               225->612     219->499  221->389  204->287  193->225  140->92   168->284    154->179  180->184
 *       avx2                 113->351     108->300  106->233  102->203  90->156   83->69    112->214    105->151  76->95
 *       portable             40->122      41->117   41->92    40->82    39->63    35->35    42->91      40->66    34->38
 *     forward, 64 images     64->64 @14   @8        @7        @4        32->32 @16  @7        16->16 @16  @7        128->128 @4
 *       avx512               217->391     233->612  222->506  213->599  209->476    225->387  175->296    178->243  184->381
 *     weights, one image     64->64 @28   @16       @14       @8        16->16 @28  @14       @8          128->128 @14
 *       avx512               181->539     177->417  174->323  181->184  139->229    159->142  138->101    189->294
 *     (256->256, one image, two threads, avx512: @14 279->243, @8 188->195: the filter's 9 MB pass through memory)
 *     weights, 64 images     64->64 @8    @7        @4        32->32 @16  @14       @8        16->16 @16  @14
 *       avx512               190->555     183->430  194->597  187->317    189->295  207->461  150->200    147->173 */
static const struct costs { double product, transform, filter, large_filter, sums; } costs =
#if defined(__AVX512F__)
    { 1.2, 9, 190, 1000, 450 };
#elif defined(__AVX2__)
    { 1.0, 9, 115, 800, 450 };
#else
    { 1.1, 9, 100, 800, 450 };
#endif
static const double margin = 1.05, large_filter = 128.0 * 128;    /* pairs of channels, of which each has 36 floats */

int EX_SUFFIXED(ex_winograd_pays)(ex_conv_direction direction, const ex_conv_shape *s)
{
    if (!ex_conv_winograd_fits(s)) return 0;
    job j = {0};
    plan(&j, direction == EX_CONV_GRAD_INPUT ? direction : EX_CONV_FORWARD, s);
    const double pairs = (double)j.ci * j.co, lanes = (double)round_up((size_t)j.ci, VL) + (double)round_up((size_t)j.co, VL);
    const double tile = POSITIONS * (costs.product + costs.transform * lanes / pairs);
    const double once = direction == EX_CONV_GRAD_WEIGHT ? costs.sums : pairs > large_filter ? costs.large_filter : costs.filter;
    return 9.0 * s->n * j.oh * j.ow > margin * (tile * j.tiles + once);
}

/* A smaller batch may share V where a larger one does not: room for both. */
size_t EX_SUFFIXED(ex_winograd_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads)
{
    if (direction == EX_CONV_GRAD_WEIGHT) return EX_SUFFIXED(ex_winograd_weight_scratch)(s);
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
    float *zeros = j->added + bias_floats(j);
    j->products = zeros + zero_floats(j);
    j->values = j->products + (size_t)(team ? ex_team_size(team) : 1) * j->m;
    memset(zeros, 0, zero_floats(j) * sizeof(float));
    j->x.zeros = zeros;
    for (int32_t c = 0; c < j->blocks * BLOCK; c++) j->added[c] = j->bias && c < j->co ? j->bias[c * j->bias_step] : 0;
    ex_team_run(team, j->blocks * up(j->ci, VL) + (j->shared ? j->groups : 0), prepare_part, j);
    ex_team_run(team, j->channel_parts * j->groups, run_part, j);
}

void EX_SUFFIXED(ex_winograd_forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const float *bias, ptrdiff_t bias_step,
                                      const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .y = y, .x.image = x, .w = w, .bias = bias, .bias_step = bias_step };
    plan(&j, EX_CONV_FORWARD, s);
    run(&j, team, scratch);
}

void EX_SUFFIXED(ex_winograd_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s,
                                         ex_team *team, void *scratch)
{
    job j = { .y = dx, .x.image = dy, .w = { w.data, w.in, w.out, w.row, w.col } };
    plan(&j, EX_CONV_GRAD_INPUT, s);
    run(&j, team, scratch);
}
