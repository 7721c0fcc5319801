/* winograd.c: 3x3 convolutions of stride 1 with a quarter of the multiplications: Winograd's F(4x4, 3x3), forward and input
 * gradient (winograd.h; the weight gradient is winograd_weight.c's).
 *
 *     y = A' [ sum over channels of (G g G') * (B' d B) ] A        d: 6x6 pixels, g: 3x3 taps, y: 4x4 pixels
 *
 * The product in brackets is by element, so over all tiles it is 36 matrix products, one for each position of a tile:
 * M[tile][k][co] = sum over ci of V[tile][k][ci] * U[k][ci][co].
 *
 * A part of the work is some groups of tiles and some of the channels written; it makes their V for itself, so that threads
 * need not meet in between (where channels are shared out it is made more than once). Every output is one chain of
 * operations that neither grouping nor place changes: its bits depend on neither batch, position, nor threads.
 * Moments depend on the grouping, as conv_moments.h says. A packed filter is U, or its taps (winograd_lean.h).
 * It does no other kernel size, stride or dilation, and no groups. */
#include "winograd.h"
#include "winograd_lean.h"
#include "conv_moments.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { BLOCK = 2 * VL, M_TILE = POSITIONS * BLOCK + PAD, V_BYTES = 160 << 10, MOST = 2 * TILE, FEW_GROUPS = 16 };

typedef struct job {
    grid x, y;                              /* what is read and written */
    ex_conv_filter w;                       /* out: distance of written channels, in: of read ones */
    ex_conv_epilogue e;
    int32_t ci, co, oh, ow;                 /* channels read, written; rows and columns written */
    int lean;                               /* the packed filter is of taps: U is made of them where it is multiplied */
    int flip;                               /* the input gradient turns the filter around */
    int32_t tiles;                          /* of all images */
    int32_t blocks, groups, group;          /* group: most tiles in one, which have V in a core's L2 cache */
    int32_t most;                           /* tiles that V has room for */
    int32_t threads, channel_parts, span;   /* span: groups in a part */
    size_t filter, pixel, tile;             /* floats: of a block in U; of a tile's channels; of a tile in V */
    size_t part_v, part_m;                  /* floats: of V and M of a part */
    const float *u;                         /* the filter, or its taps */
    float *to_pack, *added, *values, *products;
    double *moments;                        /* of each group: 2 x co; NULL: not wanted */
} job;

/* -- The filter: U[block][position][ci][lanes of the block]; taps: [block][vector of it][ci][tap][VL] ----------- */

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

static size_t taps_floats(const job *j) { return (size_t)j->ci * 9 * BLOCK; }

/* Part = (block, VL read channels), the last one fastest. */
static void filter_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t slices = up(j->ci, VL), block = part / slices, c0 = part % slices * VL;
    const int32_t left = j->co - block * BLOCK, nv = left > VL ? 2 : 1;
    const size_t width = (size_t)nv * VL, position = (size_t)j->ci * width + PAD;
    for (int32_t v = 0; v < nv; v++) {
        vf taps[9][VL];
        gather_taps(taps, j, c0, block * BLOCK + v * VL);
        if (j->lean) {
            float *to = j->to_pack + (size_t)block * taps_floats(j) + ((size_t)v * (size_t)j->ci + (size_t)c0) * 9 * VL;
            for (int32_t c = 0; c < least(VL, j->ci - c0); c++)
                for (int32_t t = 0; t < 9; t++, to += VL) vf_store(to, taps[t][c]);
            continue;
        }
        float *u = j->to_pack + (size_t)block * j->filter + (size_t)c0 * width + (size_t)v * VL;
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

#define PRODUCT(P) \
    static void product_##P##_1(const product_args *t) { product(P, 1, 0, t); } \
    static void product_##P##_2(const product_args *t) { product(P, 2, 0, t); }
PRODUCTS(PRODUCT)
#define PRODUCT_ENTRY(P) [P] = { product_##P##_1, product_##P##_2 },
static product_function *const products[TILE + 1][2] = { PRODUCTS(PRODUCT_ENTRY) };

static void multiply(const job *j, int32_t tiles, const float *values, int32_t block, int32_t nv, float *m, ahead next[2])
{
    const int32_t blocks = tile_blocks(tiles);
    product_args t = { .x_p = (ptrdiff_t)j->tile, .y_p = M_TILE, .len = j->ci };
    if (j->lean) {
        const float *taps = j->u + (size_t)block * taps_floats(j);
        for (int32_t v = 0; v < nv; v++)
            lean_multiply(m + v * VL, M_TILE, BLOCK, values, (ptrdiff_t)j->tile, tiles, taps + (size_t)v * (size_t)j->ci * 9 * VL, j->ci);
        return;
    }
    t.w = j->u + (size_t)block * j->filter;
    for (int32_t k = 0; k < POSITIONS; k++, t.w += j->ci * nv * VL + PAD)
        for (int32_t b = 0; b < blocks; b++) {
            const int32_t from = tile_start(tiles, blocks, b), P = tile_start(tiles, blocks, b + 1) - from;
            t.x = values + (size_t)k * j->pixel + (size_t)from * j->tile;
            t.y = m + k * BLOCK + from * M_TILE;
            t.next = ahead_take(next, j->ci);
            products[P][nv - 1](&t);
        }
}

/* One vector of channels of a tile, of which `rows` x `cols` pixels are in the image: A' m A, and the epilogue. */
EX_INLINE void write_tile(const job *j, float *y, int32_t rows, int32_t cols, const float *m, vf bias, const float *residual, int32_t lanes)
{
    const ptrdiff_t pixel = j->y.image.pixel, residual_pixel = j->e.residual.pixel;
    const vmask first = vf_first(lanes);
    vf e[EDGE * REACH];
    UNROLL for (int k = 0; k < REACH; k++) {
        vf line[REACH];
        UNROLL for (int i = 0; i < REACH; i++) line[i] = vf_load(m + (i * REACH + k) * BLOCK);
        write_line(e + k, REACH, line, 1);
    }
    UNROLL for (int i = 0; i < EDGE; i++) {
        vf out[EDGE];
        if (i == rows) break;
        write_line(out, 1, e + i * REACH, 1);
        if (cols == EDGE && lanes == VL) epilogue_store(y, pixel, out, 1, EDGE, bias, residual, residual_pixel, j->e.activation, 1, first);
        else UNROLL for (int k = 0; k < EDGE; k++)
            if (k < cols)
                epilogue_store(y + k * pixel, 0, out + k, 1, 1, bias, residual ? residual + k * residual_pixel : NULL, 0, j->e.activation, 0, first);
        y += j->y.image.row;
        if (residual) residual += j->e.residual.row;
    }
}

/* -- Moments: a part is a group of tiles; its pixels, fewer than 512, are summed in float --------------------------- */

typedef struct sums { vf shift, sum, square; } sums;        /* about the group's first pixel */

/* A tile that has been written and is in the cache. */
EX_INLINE void add_tile(sums *s, const job *j, const float *y, int32_t rows, int32_t cols, vmask first)
{
    for (int32_t i = 0; i < rows; i++, y += j->y.image.row)
        for (int32_t k = 0; k < cols; k++) {
            const vf from = vf_load_part(y + k * j->y.image.pixel, first) - s->shift;
            s->sum += from;
            s->square += from * from;
        }
}

/* How many pixels lie in the tiles before this one. */
static double pixels_before(const job *j, int32_t tile)
{
    const place p = tile_place(j->x.rows, j->x.cols, tile);
    return ((double)p.image * j->oh + p.row) * j->ow + (double)least(EDGE, j->oh - p.row) * p.col;
}

static double group_pixels(const job *j, int32_t group)
{
    return pixels_before(j, tile_start(j->tiles, j->groups, group + 1)) - pixels_before(j, tile_start(j->tiles, j->groups, group));
}

static void put_moments(const job *j, int32_t group, int32_t channel, int32_t lanes, const sums *s)
{
    const double each = 1 / group_pixels(j, group);
    double *mean = j->moments + (size_t)group * 2 * (size_t)j->co + channel, *square = mean + j->co;
    for (int32_t v = 0; v < lanes; v++) {
        const double sum = s->sum[v];
        mean[v] = s->shift[v] + sum * each;
        square[v] = s->square[v] - sum * sum * each;
    }
}

static void join_moments(const job *j)
{
    const int32_t co = j->co;
    double count = 0, *mean = j->e.moments;
    memset(mean, 0, 2 * (size_t)co * sizeof *mean);
    for (int32_t g = 0; g < j->groups; g++) {
        const double *part = j->moments + (size_t)g * 2 * (size_t)co, pixels = group_pixels(j, g);
        moments_join(mean, mean + co, count, part, part + co, pixels, co);
        count += pixels;
    }
}

/* -- Work ----------------------------------------------------------------------------------------------------------- */

static void prefetch_residual(const job *j, place p, int32_t block, int32_t nv)
{
    const ex_conv_image *r = &j->e.residual;
    const float *from = r->data + p.image * r->image + p.row * r->row + p.col * r->pixel + block * BLOCK;
    for (int32_t i = least(EDGE, j->oh - p.row); i > 0; i--, from += r->row) epilogue_prefetch(from, r->pixel, least(EDGE, j->ow - p.col), nv);
}

/* The tiles of a group, of one block of channels. The residual is asked for a tile ahead. */
static void write_group(const job *j, int32_t group, int32_t block, int32_t nv, const float *m)
{
    const ex_conv_image *r = &j->e.residual;
    const int32_t from = tile_start(j->tiles, j->groups, group), end = tile_start(j->tiles, j->groups, group + 1);
    sums s[2];
    place next = tile_place(j->x.rows, j->x.cols, from);
    for (int32_t t = from; t < end; t++, m += M_TILE) {
        const place p = next;
        if (t + 1 < end) next = next_place(p, &j->x);
        const int32_t rows = least(EDGE, j->oh - p.row), cols = least(EDGE, j->ow - p.col);
        float *y = j->y.image.data + p.image * j->y.image.image + p.row * j->y.image.row + p.col * j->y.image.pixel + block * BLOCK;
        const float *residual = r->data ? r->data + p.image * r->image + p.row * r->row + p.col * r->pixel + block * BLOCK : NULL;
        if (residual) prefetch_residual(j, next, block, nv);
        for (int32_t v = 0; v < nv; v++) {
            const int32_t c = block * BLOCK + v * VL, lanes = least(VL, j->co - c);
            write_tile(j, y + v * VL, rows, cols, m + v * VL, vf_load(j->added + c), residual ? residual + v * VL : NULL, lanes);
            if (!j->moments) continue;
            if (t == from) s[v] = (sums){ .shift = vf_load_part(y + v * VL, vf_first(lanes)) };
            add_tile(&s[v], j, y + v * VL, rows, cols, vf_first(lanes));
        }
    }
    for (int32_t v = 0; v < nv && j->moments; v++) {
        const int32_t c = block * BLOCK + v * VL;
        put_moments(j, group, c, least(VL, j->co - c), &s[v]);
    }
}

/* The first tile of a group; the end of all where there is none. */
static int32_t span_start(const job *j, int32_t group) { return group < j->groups ? tile_start(j->tiles, j->groups, group) : j->tiles; }

static int32_t filter_parts(const job *j) { return j->blocks * up(j->ci, VL); }

/* Part = (channels, `span` groups), the last one fastest. Its products ask for what this thread's next part is likely to read
 * and write. */
static void run_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    const int32_t spans = up(j->groups, j->span), first = part % spans * j->span, channels = part / spans;
    const int32_t from = span_start(j, first), next_from = span_start(j, first + j->span);
    const int32_t next_end = ex_team_goes_on(j->threads, spans * j->channel_parts, part) ? span_start(j, first + 2 * j->span) : next_from;
    float *values = j->values + (size_t)thread * j->part_v, *m = j->products + (size_t)thread * j->part_m;
    ahead next[2] = { ahead_of(&j->x, REACH, next_from, next_end), ahead_of(&j->y, EDGE, next_from, next_end) };
    read_tiles(values, j->tile, j->lean ? VL : j->pixel, j->lean ? POSITIONS * VL : VL, &j->x, from, next_from);
    const int32_t last = tile_start(j->blocks, j->channel_parts, channels + 1);
    for (int32_t b = tile_start(j->blocks, j->channel_parts, channels); b < last; b++) {
        const int32_t nv = j->co - b * BLOCK > VL ? 2 : 1;
        multiply(j, next_from - from, values, b, nv, m, next);
        for (int32_t g = first; g < least(first + j->span, j->groups); g++) write_group(j, g, b, nv, m + (span_start(j, g) - from) * M_TILE);
    }
}

static void size_group(job *j, int32_t group)
{
    j->group = group;
    j->groups = up(j->tiles, group);
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
    j->y = (grid){ .image = j->y.image, .channels = j->co, .h = j->oh, .w = j->ow, .rows = j->x.rows, .cols = j->x.cols };
    j->flip = !forward;
    j->lean = s->winograd == EX_WINOGRAD_LEAN;
    j->tiles = s->n * j->x.rows * j->x.cols;
    j->blocks = up(j->co, BLOCK);
    j->filter = POSITIONS * ((size_t)j->ci * BLOCK + PAD);
    j->pixel = round_up((size_t)j->ci, VL);
    j->tile = POSITIONS * j->pixel + PAD;
    const size_t each = POSITIONS * j->pixel * sizeof(float) * TILE;
    const int32_t fit = V_BYTES / each > MOST / TILE ? MOST / TILE : V_BYTES / each < 1 ? 1 : (int32_t)(V_BYTES / each);
    size_group(j, fit * TILE);
    if (j->groups < FEW_GROUPS) size_group(j, TILE);
    j->most = (int32_t)(V_BYTES / (POSITIONS * j->pixel * sizeof(float)));
    j->most = j->most < fit * TILE ? fit * TILE : least(j->most, MOST);
}

static size_t filter_floats(const job *j) { return (size_t)j->blocks * (j->lean ? taps_floats(j) : j->filter); }
static size_t bias_floats(const job *j) { return round_up((size_t)j->blocks * BLOCK, 16); }
static size_t zero_floats(const job *j) { return round_up(j->pixel, 16); }

/* -- The rule ----------------------------------------------------------------------------------------------------- */

/* The time of both ways for each pair of channels, in multiplications of the direct kernels. Direct: 9 an output. Winograd:
 * 36 times `product` for a tile, whole tiles at the borders too; whole vectors of reading (writing) it, shared by all channels
 * written (read); and once a call the filter, or the reading of a packed one, or the sums of a weight gradient; make: U of taps (lean). Fitted to one
 * thread of a Zen 5 by the cases "rule:" of bench/conv_bench.c: 8 to 256 channels, maps of 4 to 32, 1 and 64 images, both
 * filters, all directions; what the rule takes is in the geometric mean 99.2 % (avx2 99.7 %, portable 100 %) of the faster way.
 * direct->Winograd, GFLOP/s, avx512:
 *
 *     packed, one image      64->64 @28   @14       @7        @4        16->16 @28  @14       @7        256->256 @14
 *                            229->715     229->574  223->495  218->249  216->369    210->276  182->194  225->561
 *     forward, one image     227->645     218->435  190->255  145->113  211->349    192->248  140->152  215->408
 *     forward, 64 images     217->654     211->490  219->528  238->669  203->346    212->270  207->271  227->579
 *     weights, one image     196->602     189->382  193->170  168->68   174->330    188->203  156->104  191->326
 *     weights, 64 images     203->523     203->443  207->474  192->606  189->315    188->259  175->249  180->443 */
static const struct costs { double product, transform, packed, filter, large_filter, sums, make; } costs =
#if defined(__AVX512F__)
    { 1.0, 8, 70, 120, 260, 320, 100 };
#elif defined(__AVX2__)
    { 0.7, 4, 70, 70, 300, 420, 70 };
#else
    { 0.7, 3, 70, 120, 300, 320, 120 };
#endif
static const double margin = 1.05, large_filter = 128.0 * 128;    /* pairs of channels, of which each has 36 floats */

int EX_SUFFIXED(ex_winograd_pays)(ex_conv_direction direction, const ex_conv_shape *s, int packed)
{
    if (!ex_conv_winograd_fits(s)) return 0;
    job j = {0};
    plan(&j, direction == EX_CONV_GRAD_INPUT ? direction : EX_CONV_FORWARD, s);
    const double pairs = (double)j.ci * j.co, lanes = (double)round_up((size_t)j.ci, VL) + (double)round_up((size_t)j.co, VL);
    const double tile = POSITIONS * (costs.product + costs.transform * lanes / pairs);
    const double once = direction == EX_CONV_GRAD_WEIGHT ? costs.sums : packed ? costs.packed
                      : pairs > large_filter ? costs.large_filter : costs.filter;
    return 9.0 * s->n * j.oh * j.ow > margin * (tile * j.tiles + once);
}

/* U of a filter that comes from memory costs its 36 numbers' time there; lean, that of 9, and making it once for each LEAN_TILES
 * tiles. Both by 2 threads of a Zen 4, us: 512->512 @4 (one tile) 1020, 275; 512->512 @8 (4 tiles) 980, 640; 256->256 @16 (16)
 * 480, 640. In a cache full is the faster one from 4 tiles on. */
int EX_SUFFIXED(ex_winograd_lean_pays)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, EX_CONV_FORWARD, s);
    return j.tiles <= LEAN_TILES;
}

/* The way that leaves the last thread ready soonest: several groups at once, so that the filter passes by less often, and
 * channels shared out too where that gives idle threads more than making V again takes. Groups that no moments belong to are
 * as many for each thread. */
static void share_out(job *j, int32_t threads)
{
    const double read = costs.transform * (double)j->pixel, block = (costs.product * j->ci + costs.transform) * BLOCK;
    const double make = j->lean ? costs.make * j->ci * BLOCK : 0;
    double best = 0;
    j->threads = threads;
    j->channel_parts = j->span = 1;
    if (!j->e.moments && j->groups < FEW_GROUPS) size_group(j, up(j->tiles, up(j->groups, threads) * threads));
    for (int32_t parts = 1; parts <= least(threads, j->blocks); parts++)
        for (int32_t span = j->most / j->group > 1 ? j->most / j->group : 1; span > 0; span--) {
            const int32_t tiles = least(span * j->group, j->tiles), rows = tiles < TILE / 2 ? TILE / 2 : tiles;
            const double each = tiles * read + (double)up(j->blocks, parts) * (rows * block + make);
            const double time = up(up(j->groups, span) * parts, threads) * each;
            if (best > 0 && time >= best) continue;
            best = time;
            j->channel_parts = parts;
            j->span = span;
        }
    const size_t tiles = (size_t)least(j->span * j->group, j->tiles);
    j->part_v = thread_floats(tiles * j->tile);
    j->part_m = thread_floats(tiles * M_TILE);
}

size_t EX_SUFFIXED(ex_winograd_scratch)(ex_conv_direction direction, const ex_conv_shape *s, int32_t threads)
{
    if (direction == EX_CONV_GRAD_WEIGHT) return EX_SUFFIXED(ex_winograd_weight_scratch)(s, threads);
    job j = {0};
    plan(&j, direction, s);
    const size_t tiles = (size_t)least(j.most, j.tiles);    /* also of a smaller batch, which may have smaller groups */
    return (filter_floats(&j) + bias_floats(&j) + zero_floats(&j) + (size_t)threads * (thread_floats(tiles * j.tile) + thread_floats(tiles * M_TILE))) * sizeof(float);
}

/* A smaller batch has smaller groups where it has few: there may be more of them. */
static int32_t most_groups(const job *j)
{
    const int32_t few = up(least(j->tiles, (FEW_GROUPS - 1) * j->group), TILE);
    return few > j->groups ? few : j->groups;
}

size_t EX_SUFFIXED(ex_winograd_moments_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, EX_CONV_FORWARD, s);
    return 64 + (size_t)most_groups(&j) * 2 * (size_t)s->co * sizeof(double);
}

size_t EX_SUFFIXED(ex_winograd_packed_bytes)(ex_conv_direction direction, const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, direction, s);
    return filter_floats(&j) * sizeof(float);
}

/* The bias, zeros, M and V, the filter, moments. */
static void run(job *j, ex_team *team, void *scratch)
{
    const size_t threads = (size_t)(team ? ex_team_size(team) : 1);
    share_out(j, (int32_t)threads);
    j->added = scratch;
    float *zeros = j->added + bias_floats(j);
    j->products = zeros + zero_floats(j);
    j->values = j->products + threads * j->part_m;
    float *end = j->values + threads * j->part_v;
    j->u = j->w.packed;
    if (!j->u) {
        j->u = j->to_pack = end;
        end += filter_floats(j);
    }
    if (j->e.moments) j->moments = (double *)(void *)((char *)scratch + round_up((size_t)((char *)end - (char *)scratch), 64));
    memset(zeros, 0, zero_floats(j) * sizeof(float));
    j->x.zeros = zeros;
    for (int32_t c = 0; c < j->blocks * BLOCK; c++) j->added[c] = j->e.bias && c < j->co ? j->e.bias[c * j->e.bias_step] : 0;
    if (j->to_pack) ex_team_run(team, filter_parts(j), filter_part, j);
    ex_team_run(team, j->channel_parts * up(j->groups, j->span), run_part, j);
    if (j->moments) join_moments(j);
}

void EX_SUFFIXED(ex_winograd_pack)(float *packed, ex_conv_direction direction, ex_conv_filter w, const ex_conv_shape *s, ex_team *team)
{
    job j = { .w = w };
    if (direction == EX_CONV_GRAD_INPUT) j.w = (ex_conv_filter){ w.data, w.in, w.out, w.row, w.col, NULL };
    plan(&j, direction, s);
    j.to_pack = packed;
    ex_team_run(team, filter_parts(&j), filter_part, &j);
}

void EX_SUFFIXED(ex_winograd_forward)(ex_conv_image y, ex_conv_image x, ex_conv_filter w, const ex_conv_epilogue *e,
                                      const ex_conv_shape *s, ex_team *team, void *scratch)
{
    job j = { .y.image = y, .x.image = x, .w = w, .e = *e };
    plan(&j, EX_CONV_FORWARD, s);
    run(&j, team, scratch);
}

void EX_SUFFIXED(ex_winograd_grad_input)(ex_conv_image dx, ex_conv_image dy, ex_conv_filter w, const ex_conv_shape *s,
                                         ex_team *team, void *scratch)
{
    job j = { .y.image = dx, .x.image = dy, .w = { w.data, w.in, w.out, w.row, w.col, w.packed } };
    plan(&j, EX_CONV_GRAD_INPUT, s);
    run(&j, team, scratch);
}
