/* winograd_weight.c: the weight gradient of 3x3 convolutions of stride 1 with a quarter of the multiplications: Winograd's
 * F(3x3, 4x4) (winograd.h).
 *
 *     dw = A3' [ sum over tiles of (G4 e G4') * (B' d B) ] A3      d: 6x6 pixels of x, e: 4x4 of dy, dw: 3x3 taps
 *
 * The product in brackets is 36 matrix products: S[k][ci][co] = sum over tiles of V[k][tile][ci] * W[k][tile][co]. The tiles
 * go by in chunks; of each, first V and W are made (a part: some tiles), then each product adds its sums (a part: one
 * position), so that sums are added in the order of the tiles, whatever the threads. Last, S becomes dw. */
#include "winograd.h"
#include "conv_parts.h"
#include "conv_isa.h"
#include "../../base/team.h"

enum { CHUNK_BYTES = 3 << 20, PART_TILES = 8, BLOCK = 2 * VL };

typedef struct job {
    grid x, dy;
    ex_conv_filter dw;
    int32_t ci, co, tiles, chunks, chunk;   /* chunk: most tiles in one */
    int32_t from, end;                      /* tiles of the chunk at work */
    size_t x_pixel, dy_pixel, x_position, dy_position;  /* floats: of a tile's channels; of a position in V and W */
    float *sums, *v, *w;
} job;

static size_t zero_floats(const job *j) { return round_up(j->x_pixel > j->dy_pixel ? j->x_pixel : j->dy_pixel, 16); }
static size_t sum_floats(const job *j) { return POSITIONS * (size_t)j->ci * j->dy_pixel; }

static void plan(job *j, const ex_conv_shape *s)
{
    j->ci = j->x.channels = s->ci, j->x.h = s->h, j->x.w = s->w, j->x.row = -s->padding[0], j->x.col = -s->padding[1];
    j->co = j->dy.channels = s->co, j->dy.h = s->oh, j->dy.w = s->ow;
    j->x.rows = j->dy.rows = up(s->oh, EDGE);
    j->x.cols = j->dy.cols = up(s->ow, EDGE);
    j->tiles = s->n * j->x.rows * j->x.cols;
    j->x_pixel = round_up((size_t)s->ci, VL);
    j->dy_pixel = round_up((size_t)s->co, VL);
    const size_t fit = CHUNK_BYTES / (POSITIONS * (j->x_pixel + j->dy_pixel) * sizeof(float));
    j->chunk = fit < 2 * PART_TILES ? 2 * PART_TILES : fit > 1024 ? 1024 : (int32_t)fit;
    j->chunk = least(j->chunk, j->tiles);
    j->chunks = up(j->tiles, j->chunk);
    j->x_position = (size_t)j->chunk * j->x_pixel + PAD;
    j->dy_position = (size_t)j->chunk * j->dy_pixel + PAD;
}

/* w = G4 e G4' of one vector of channels. */
EX_INLINE void gradient_tile(float *w, size_t position, const float *const at[EDGE * EDGE], int32_t c, vmask first)
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
    for (int32_t t = from; t < end; t++, w += tile) {
        const float *at[EDGE * EDGE];
        tile_pixels(at, EDGE, g, t);
        for (int32_t c = 0; c < g->channels; c += VL) gradient_tile(w + c, position, at, c, vf_first(least(VL, g->channels - c)));
    }
}

/* Part = PART_TILES tiles of the chunk. */
static void read_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t first = part * PART_TILES, from = j->from + first, end = least(from + PART_TILES, j->end);
    read_tiles(j->v + (size_t)first * j->x_pixel, j->x_pixel, j->x_position, &j->x, from, end);
    gradient_tiles(j->w + (size_t)first * j->dy_pixel, j->dy_pixel, j->dy_position, &j->dy, from, end);
}

/* Part = position: adds the chunk to its sums. */
static void multiply_part(void *context, int32_t part, int32_t thread)
{
    (void)thread;
    const job *j = context;
    const int32_t blocks = tile_blocks(j->ci);
    tile_args t = { .x_k = (ptrdiff_t)j->x_pixel, .w_k = (ptrdiff_t)j->dy_pixel, .y_col = (ptrdiff_t)j->dy_pixel,
                    .outer = 1, .inner = 1, .len = j->end - j->from, .last = VL, .more = j->from > 0 };
    for (int32_t o = 0; o < j->co; o += BLOCK)
        for (int32_t b = 0; b < blocks; b++) {
            const int32_t from = tile_start(j->ci, blocks, b), P = tile_start(j->ci, blocks, b + 1) - from;
            t.x = j->v + (size_t)part * j->x_position + from;
            t.w = j->w + (size_t)part * j->dy_position + o;
            t.y = j->sums + ((size_t)part * (size_t)j->ci + (size_t)from) * j->dy_pixel + o;
            EX_SUFFIXED(ex_weight_tiles)[1][P][j->co - o > VL](&t);
        }
}

/* Part = input channel: its taps. */
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

size_t EX_SUFFIXED(ex_winograd_weight_scratch)(const ex_conv_shape *s)
{
    job j = {0};
    plan(&j, s);
    return (zero_floats(&j) + sum_floats(&j) + POSITIONS * (j.x_position + j.dy_position)) * sizeof(float);
}

void EX_SUFFIXED(ex_winograd_weight)(ex_conv_filter dw, ex_conv_image x, ex_conv_image dy, const ex_conv_shape *s, ex_team *team,
                                     void *scratch)
{
    job j = { .x.image = x, .dy.image = dy, .dw = dw };
    plan(&j, s);
    memset(scratch, 0, zero_floats(&j) * sizeof(float));
    j.x.zeros = j.dy.zeros = scratch;
    j.sums = (float *)scratch + zero_floats(&j);
    j.v = j.sums + sum_floats(&j);
    j.w = j.v + POSITIONS * j.x_position;
    for (int32_t c = 0; c < j.chunks; c++) {
        j.from = tile_start(j.tiles, j.chunks, c);
        j.end = tile_start(j.tiles, j.chunks, c + 1);
        ex_team_run(team, up(j.end - j.from, PART_TILES), read_part, &j);
        ex_team_run(team, POSITIONS, multiply_part, &j);
    }
    ex_team_run(team, j.ci, write_part, &j);
}
