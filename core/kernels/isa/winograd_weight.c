/* winograd_weight.c: the weight gradient of 3x3 convolutions of stride 1 with a quarter of the multiplications: Winograd's
 * F(3x3, 4x4) (winograd.h).
 *
 *     dw = A3' [ sum over tiles of (G4 e G4') * (B' d B) ] A3      d: 6x6 pixels of x, e: 4x4 of dy, dw: 3x3 taps
 *
 * The product in brackets is 36 matrix products: S[k][ci][co] = sum over tiles of V[k][tile][ci] * W[k][tile][co]. The tiles
 * go by in groups; of each, first V and W are made, then each product adds its sums. Where the sums are small, a part of the
 * work is a run of groups with sums of its own, which stay in a core's L2 cache with V and W; the parts are added in their
 * order. Where they are large, or there are few tiles, all threads share a group, larger so that the sums pass by less
 * often: a part is first some tiles, then a position. Last, S becomes dw. So bits do not depend on threads. */
#include "winograd.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

/* Sums that stay in a core's L2 cache, V and W beside them, and V and W of larger groups: bytes. */
enum { L2_SUMS = 256 << 10, GROUP_BYTES = 256 << 10, CHUNK_BYTES = 3 << 20, MOST_TILES = 1024, READ_TILES = 8 };
enum { PARTS = 16, SUMS_FLOATS = 2 << 20, PART_GROUPS = 4, BLOCK = 2 * VL };

typedef struct job {
    grid x, dy;
    ex_conv_filter dw;
    int32_t ci, co, tiles;
    int32_t group;                          /* most tiles in one */
    int32_t parts;                          /* runs of tiles with sums of their own */
    int32_t from, end;                      /* tiles of the group at work, where all threads share it */
    size_t x_pixel, dy_pixel, x_position, dy_position;  /* floats: of a tile's channels; of a position in V and W */
    size_t set, values;                     /* floats: of a set of sums; of a group's V and W */
    const float *sums;
    float *to_sum, *v;                      /* v: V and W, of each thread or shared */
} job;

static size_t zero_floats(const job *j) { return round_up(j->x_pixel > j->dy_pixel ? j->x_pixel : j->dy_pixel, 16); }

static int small_sums(const job *j) { return j->set * sizeof(float) <= L2_SUMS; }

static void size_group(job *j, size_t bytes)
{
    const size_t fit = bytes / (POSITIONS * (j->x_pixel + j->dy_pixel) * sizeof(float));
    j->group = fit < 2 * READ_TILES ? 2 * READ_TILES : fit > MOST_TILES ? MOST_TILES : (int32_t)fit;
    j->group = least(j->group, j->tiles);
    j->x_position = (size_t)j->group * j->x_pixel + PAD;
    j->dy_position = (size_t)j->group * j->dy_pixel + PAD;
    j->values = POSITIONS * (j->x_position + j->dy_position);
}

static void plan(job *j, const ex_conv_shape *s)
{
    j->ci = j->x.channels = s->ci, j->x.h = s->h, j->x.w = s->w, j->x.row = -s->padding[0], j->x.col = -s->padding[1];
    j->co = j->dy.channels = s->co, j->dy.h = s->oh, j->dy.w = s->ow;
    j->x.rows = j->dy.rows = up(s->oh, EDGE);
    j->x.cols = j->dy.cols = up(s->ow, EDGE);
    j->tiles = s->n * j->x.rows * j->x.cols;
    j->x_pixel = round_up((size_t)s->ci, VL);
    j->dy_pixel = round_up((size_t)s->co, VL);
    j->set = POSITIONS * (size_t)j->ci * j->dy_pixel;
    size_group(j, small_sums(j) ? GROUP_BYTES : CHUNK_BYTES);
}

/* Parts with sums of their own, or one with larger groups that all threads share. */
static void share_out(job *j)
{
    j->parts = small_sums(j) ? least(j->tiles / (PART_GROUPS * j->group), least(PARTS, (int32_t)(SUMS_FLOATS / j->set))) : 1;
    if (j->parts > 1) return;
    j->parts = 1;
    size_group(j, CHUNK_BYTES);
}

/* w = G4 e G4' of one vector of channels. */
EX_INLINE void gradient_tile(float *w, size_t position, const float *const *at, int32_t c, vmask first)
{
    vf half[REACH * EDGE];
    UNROLL for (int k = 0; k < EDGE; k++) {
        vf e[EDGE];
        UNROLL for (int i = 0; i < EDGE; i++) e[i] = vf_load_part(at[i * EDGE + k] + c, first);
        gradient_line(half + k, EDGE, e);
    }
    UNROLL for (int i = 0; i < REACH; i++) {
        vf out[REACH];
        gradient_line(out, 1, half + i * EDGE);
        UNROLL for (int k = 0; k < REACH; k++) vf_store(w + (size_t)(i * REACH + k) * position, out[k]);
    }
}

static void gradient_tiles(float *w, size_t tile, size_t position, const grid *g, int32_t from, int32_t end)
{
    place p = tile_place(g->rows, g->cols, from);
    for (int32_t t = from; t < end; t++, w += tile, p = next_place(p, g)) {
        const float *at[EDGE * EDGE + ROW - EDGE];
        tile_pixels(at, EDGE, g, p);
        for (int32_t c = 0; c < g->channels; c += VL) gradient_tile(w + c, position, at, c, vf_first(least(VL, g->channels - c)));
    }
}

/* V and W of the tiles [from, end), number `first` and on of their group. */
static void read_some(const job *j, float *v, int32_t first, int32_t from, int32_t end)
{
    float *w = v + POSITIONS * j->x_position;
    read_tiles(v + (size_t)first * j->x_pixel, j->x_pixel, j->x_position, VL, &j->x, from, end);
    gradient_tiles(w + (size_t)first * j->dy_pixel, j->dy_pixel, j->dy_position, &j->dy, from, end);
}

#define PRODUCT(P) \
    static void product_##P##_1(const product_args *t) { product(P, 1, 1, t); } \
    static void product_##P##_2(const product_args *t) { product(P, 2, 1, t); }
PRODUCTS(PRODUCT)
#define PRODUCT_ENTRY(P) [P] = { product_##P##_1, product_##P##_2 },
static product_function *const products[TILE + 1][2] = { PRODUCTS(PRODUCT_ENTRY) };

/* The products of a group's `tiles` tiles at one position. */
static void multiply(const job *j, float *sums, const float *v, int32_t position, int32_t tiles, int more, ahead next[2])
{
    const int32_t blocks = tile_blocks(j->ci);
    const float *w = v + POSITIONS * j->x_position + (size_t)position * j->dy_position;
    product_args t = { .x_k = (ptrdiff_t)j->x_pixel, .w_k = (ptrdiff_t)j->dy_pixel, .y_p = (ptrdiff_t)j->dy_pixel, .len = tiles, .more = more };
    for (int32_t o = 0; o < j->co; o += BLOCK)
        for (int32_t b = 0; b < blocks; b++) {
            const int32_t from = tile_start(j->ci, blocks, b), P = tile_start(j->ci, blocks, b + 1) - from;
            t.x = v + (size_t)position * j->x_position + from;
            t.w = w + o;
            t.y = sums + ((size_t)position * (size_t)j->ci + (size_t)from) * j->dy_pixel + o;
            t.next = ahead_take(next, tiles);
            products[P][j->co - o > VL](&t);
        }
}

/* The sums of the tiles [from, end), a group after the other. */
static void sum_tiles(const job *j, float *sums, float *v, int32_t from, int32_t end, int more)
{
    const int32_t groups = up(end - from, j->group);
    for (int32_t g = 0; g < groups; g++) {
        const int32_t first = from + tile_start(end - from, groups, g), next = from + tile_start(end - from, groups, g + 1);
        const int32_t then = g + 1 < groups ? from + tile_start(end - from, groups, g + 2) : next;
        ahead both[2] = { ahead_of(&j->x, REACH, next, then), ahead_of(&j->dy, EDGE, next, then) };
        read_some(j, v, 0, first, next);
        for (int32_t k = 0; k < POSITIONS; k++) multiply(j, sums, v, k, next - first, more || g, both);
    }
}

/* Part = a run of tiles with sums of its own. */
static void sum_part(void *context, int32_t part, int32_t thread)
{
    const job *j = context;
    sum_tiles(j, j->to_sum + (size_t)part * j->set, j->v + (size_t)thread * thread_floats(j->values), tile_start(j->tiles, j->parts, part),
              tile_start(j->tiles, j->parts, part + 1), 0);
}

/* Part = READ_TILES tiles of the group at work. */
static void read_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t first = part * READ_TILES, from = j->from + first;
    read_some(j, j->v, first, from, least(from + READ_TILES, j->end));
}

/* Part = position: adds the group at work to its sums, and asks for its share of the next one. */
static void multiply_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t then = least(j->end + j->group, j->tiles);
    ahead next[2] = { ahead_piece(ahead_of(&j->x, REACH, j->end, then), part, POSITIONS),
                      ahead_piece(ahead_of(&j->dy, EDGE, j->end, then), part, POSITIONS) };
    multiply(j, j->to_sum, j->v, part, j->end - j->from, j->from > 0, next);
}

/* Part = input channel: adds the sets of sums in their order, and makes its taps. */
static void write_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const size_t position = (size_t)j->ci * j->dy_pixel;
    for (int32_t o = 0; o < j->co; o += VL) {
        const float *s = j->sums + (size_t)part * j->dy_pixel + o;
        float *dw = j->dw.data + part * j->dw.in + o * j->dw.out;
        const int32_t lanes = least(VL, j->co - o);
        vf half[3 * REACH];
        UNROLL for (int k = 0; k < REACH; k++) {
            vf m[REACH];
            UNROLL for (int i = 0; i < REACH; i++) m[i] = vf_load(s + (size_t)(i * REACH + k) * position);
            for (int32_t p = 1; p < j->parts; p++)
                UNROLL for (int i = 0; i < REACH; i++) {
                    const float *from = s + (size_t)p * j->set + (size_t)(i * REACH + k) * position;
                    __builtin_prefetch(from + j->dy_pixel);     /* of the next part */
                    m[i] += vf_load(from);
                }
            taps_line(half + k, REACH, m);
        }
        for (int32_t i = 0; i < 3; i++) {
            vf out[3];
            taps_line(out, 1, half + i * REACH);
            for (int32_t k = 0; k < 3; k++) {
                float *to = dw + i * j->dw.row + k * j->dw.col;
                if (j->dw.out == 1) vf_store_part(to, out[k], vf_first(lanes));
                else for (int32_t v = 0; v < lanes; v++) to[v * j->dw.out] = out[k][v];
            }
        }
    }
}

/* Zeros, the sets of sums, V and W. A smaller batch may be of one part, and then has larger groups. */
size_t EX_SUFFIXED(ex_winograd_weight_scratch)(const ex_conv_shape *s, int32_t threads)
{
    job j = {0}, one = {0};
    plan(&j, s);
    one = j;
    share_out(&j);
    if (j.parts > 1) one.tiles = 2 * PART_GROUPS * one.group - 1;
    size_group(&one, CHUNK_BYTES);
    const size_t own = j.parts > 1 ? (size_t)j.parts * j.set + (size_t)threads * thread_floats(j.values) : 0, shared = one.set + one.values;
    return (zero_floats(&j) + (own > shared ? own : shared)) * sizeof(float);
}

void EX_SUFFIXED(ex_winograd_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team,
                                     void *scratch)
{
    job j = { .x.image = x, .dy.image = dy, .dw = dw };
    plan(&j, s);
    share_out(&j);
    memset(scratch, 0, zero_floats(&j) * sizeof(float));
    j.x.zeros = j.dy.zeros = scratch;
    j.sums = j.to_sum = (float *)scratch + zero_floats(&j);
    j.v = j.to_sum + (size_t)j.parts * j.set;
    if (j.parts > 1) ex_team_run(team, j.parts, sum_part, &j);
    else for (j.from = 0; j.from < j.tiles; j.from = j.end) {
        j.end = least(j.from + j.group, j.tiles);
        ex_team_run(team, up(j.end - j.from, READ_TILES), read_part, &j);
        ex_team_run(team, POSITIONS, multiply_part, &j);
    }
    ex_team_run(team, j.ci, write_part, &j);
}

/* -- In pieces -------------------------------------------------------------------------------------------------- */

size_t EX_SUFFIXED(ex_winograd_weight_sums_floats)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return j.set;
}

size_t EX_SUFFIXED(ex_winograd_weight_sums_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return (zero_floats(&j) + j.values) * sizeof(float);
}

void EX_SUFFIXED(ex_winograd_weight_add_sums)(float *sums, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, int more, void *scratch)
{
    job j = { .x.image = x, .dy.image = dy };
    plan(&j, s);
    memset(scratch, 0, zero_floats(&j) * sizeof(float));
    j.x.zeros = j.dy.zeros = scratch;
    sum_tiles(&j, sums, (float *)scratch + zero_floats(&j), 0, j.tiles, more);
}

void EX_SUFFIXED(ex_winograd_weight_join_sums)(ex_conv_filter dw, const float *sums, int32_t parts, const ex_conv_shape *s, ex_team *team)
{
    job j = { .dw = dw };
    plan(&j, s);
    j.sums = sums;
    j.parts = parts;
    ex_team_run(team, j.ci, write_part, &j);
}
